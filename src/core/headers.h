/* headers.h - what an object is stored with: its site's rules over defaults that make a
 * site right. Pure; docs tell users the same in prose. */
#ifndef CORE_HEADERS_H
#define CORE_HEADERS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "core/config.h"

/* What the rules do not tell about an object. All false: an ordinary one. */
struct headers_options {
	bool behind_distribution; /* a CDN that is told what changed may keep it longer */
	bool is_error_document;
	bool never_immutable; /* its bytes changed once under a name that looked final */
};

/* The headers of a file (path relative to the site's folder), sorted by name, into an empty
 * list. Each name is there once and no value is "". Names and values are static, the
 * site's, or the arena's; the caller releases the list. */
void headers_build(const struct site *site, const char *path,
		   const struct headers_options *options, struct arena *arena,
		   struct header_list *out);

/* The value of a header of a list. NULL: not there. */
const char *headers_get(const struct header_list *list, const char *name);

/* Names a set of headers: the first 8 bytes of the SHA-256 of "name:value\n" over the list
 * sorted by name. Never 0. */
uint64_t headers_id(const struct header_list *list);

/* Whether the name says that the bytes behind it never change: a script, style sheet, font,
 * image, WebAssembly or source map whose name ends in a hash: at least 8 letters and digits,
 * of both, behind '.', '-' or '_' (or 16 hex digits alone), and no mere word with a number
 * ("vacation2024"). */
bool headers_is_fingerprinted(const char *path);

/* Whether the file is what visits start from, and so goes live after what it refers to: HTML,
 * service workers, feeds, manifests, robots.txt. */
bool headers_is_entry(const char *path);

/* Whether headers say "immutable". */
bool headers_is_immutable(const struct header_list *list);

#endif

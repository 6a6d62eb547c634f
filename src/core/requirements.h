/* requirements.h - what a requirements file of pip asks for, as far as packing must know it.
 * Pure. */
#ifndef CORE_REQUIREMENTS_H
#define CORE_REQUIREMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/vec.h"

enum requirement_kind {
	REQUIREMENT_PACKAGE, /* text: its name in small letters, or a URL */
	REQUIREMENT_PATH,    /* on this machine, counted from where pip runs */
	REQUIREMENT_FILE,    /* -r: another such file, counted from this one; or a URL */
	REQUIREMENT_CONSTRAINT, /* -c: likewise */
	REQUIREMENT_LINKS,      /* -f: counted from this file; or a URL */
	REQUIREMENT_EDITABLE,   /* -e */
	REQUIREMENT_NO_BINARY,  /* --no-binary */
	REQUIREMENT_OPTION      /* any other */
};

struct requirement {
	enum requirement_kind kind;
	const char *text; /* in the arena */
	unsigned line;
};

VEC_DEFINE(requirement_list, struct requirement);

/* Reads all lines that say something: without comments, with continued lines joined. A file
 * in UTF-16 (which some shells write) is read too. */
void requirements_read(const char *text, size_t n, struct arena *arena,
		       struct requirement_list *out);

/* Whether the line makes pip install something. */
bool requirement_installs(const struct requirement *r);
/* Whether it is a package that Lambda's Python brings along. */
bool requirement_is_in_runtime(const struct requirement *r);
/* Whether text is a URL, and no path. */
bool requirement_is_remote(const char *text);
/* The path that text means when it counts from a folder ("" the top), without "." and "..",
 * in the arena; "" the top. NULL: it leads out of the top, is absolute, or depends on a
 * variable. */
const char *requirement_path(const char *folder, const char *text, struct arena *arena);

#endif

/* glob.h - gitignore-style patterns (git's documentation, gitignore(5), "PATTERN FORMAT").
 *
 * "*.pdf" matches at any depth, "a/b" and "/a" from the root only, "dir/" folders and so
 * all that is below them, "**" any number of folders, "[a-z]" and "?" within a name, "!" in
 * front re-includes, a backslash takes the next character as it is. As in git, "?" and a
 * bracket expression stand for one byte. A pattern comes from a list and not from a line of
 * a file: '#' starts no comment and blanks at the end are not dropped. */
#ifndef CODEC_GLOB_H
#define CODEC_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "base/vec.h"

/* A pattern taken apart; text is borrowed. */
struct glob {
	const char *text; /* after '!' and a leading slash */
	size_t len;       /* without a slash at the end */
	bool negated;
	bool anchored;
	bool folders_only;
};

VEC_DEFINE(glob_list, struct glob);

/* False for a pattern that can match nothing: empty, a lone "!", over 1,024 bytes. */
bool glob_parse(const char *pattern, struct glob *out);

/* Whether the pattern itself matches this path (is_folder: the path names a folder); does
 * not look at parents or negation. */
bool glob_matches(const struct glob *g, const char *path, bool is_folder);
/* The same of the first n bytes of a path. */
bool glob_matches_part(const struct glob *g, const char *path, size_t n, bool is_folder);

/* Whether an anchored pattern could match some path below this folder. Of a pattern that is
 * not anchored, true: it matches at any depth. */
bool glob_reaches_below(const struct glob *g, const char *folder);

enum glob_verdict { GLOB_UNDECIDED, GLOB_MATCHED, GLOB_NEGATED };

/* The last pattern that matches the path or one of its parent folders decides (a folder
 * that matched stays matched, as in gitignore, unless a later pattern negates the folder). */
enum glob_verdict glob_list_verdict(const struct glob_list *list, const char *path,
				    bool is_folder);

#endif

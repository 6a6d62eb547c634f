/* yaml.h - YAML 1.1 read into a tree that remembers where everything stood.
 *
 * Scalars stay text: "true", "7d" and "0123" mean what the reader of the tree makes of them.
 * One document of at most 1 MiB; keys are scalars and unique. Aliases and merge keys ("<<")
 * are resolved: an alias yields the very node of its anchor, so that a node may be met more
 * than once, and its position is the anchor's. What they amount to is capped.
 * The tree lives in the arena that was given. */
#ifndef CODEC_YAML_H
#define CODEC_YAML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"

enum {
	YAML_BYTES_MOST = 1 << 20,
	YAML_DEPTH_MOST = 64,
	YAML_NODES_MOST = 100000, /* each counted as often as aliases repeat it */
	YAML_ANCHORS_MOST = 1000
};

enum yaml_kind { YAML_SCALAR, YAML_SEQUENCE, YAML_MAPPING };

enum yaml_style {
	YAML_PLAIN,
	YAML_SINGLE_QUOTED,
	YAML_DOUBLE_QUOTED,
	YAML_LITERAL,
	YAML_FOLDED
};

struct yaml_node;

struct yaml_pair {
	const struct yaml_node *key; /* a scalar */
	const struct yaml_node *value;
	bool is_merged;          /* came in by a merge key */
	bool key_is_alias;       /* the key's position is its anchor's */
	size_t alias, alias_end; /* where "*NAME" stands when the value is one; else 0 */
};

struct yaml_node {
	enum yaml_kind kind;
	const char *tag; /* "!output", "tag:yaml.org,2002:str"; "" when there is none */
	unsigned line;   /* from 1; of the tag or anchor in front when there is one */
	unsigned column; /* from 1, in characters */
	size_t from;     /* the byte that line and column tell */
	size_t start; /* of a scalar's value in the text that was parsed, in bytes: with */
	size_t end;   /* its quotes or '|', without tag and anchor; end is behind it */

	enum yaml_style style;
	const char *text; /* of a scalar: NUL-terminated, holds no NUL; else NULL */

	const struct yaml_node *const *items; /* of a sequence */
	bool flow;                            /* a mapping in braces */
	const struct yaml_pair *pairs;        /* of a mapping, in the order of the text */
	const struct yaml_pair *const *sorted; /* the same by the bytes of their keys */
	size_t len;                            /* items or pairs */
	size_t weight; /* nodes below and this one, each as often as it is repeated */
};

/* *root is NULL for an empty document. -1: ERR_DATA, ERR_TOO_BIG or ERR_UNSUPPORTED, the
 * message starts with "NAME:LINE:COLUMN: ". */
int yaml_parse(struct arena *arena, const char *name, const char *text, size_t n,
	       const struct yaml_node **root, struct error *err);

/* The pair of a key. NULL: not there, no mapping, or map is NULL. O(log n). */
const struct yaml_pair *yaml_find(const struct yaml_node *map, const char *key);
/* Its value, or NULL. */
const struct yaml_node *yaml_get(const struct yaml_node *map, const char *key);

/* The text of a scalar; NULL for anything else and for NULL. */
const char *yaml_text(const struct yaml_node *node);

/* For who builds a tree from another language (codec/yaml_json.h): pairs by the bytes of
 * their keys; of equal ones the first stays first. In the arena. */
const struct yaml_pair **yaml_sort_pairs(struct arena *arena,
					 const struct yaml_pair *pairs, size_t n);

/* Nothing at all, "~" or "null", without quotes and tag. */
bool yaml_is_null(const struct yaml_node *node);

#endif

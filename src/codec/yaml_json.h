/* yaml_json.h - JSON read into the tree of yaml.h.
 *
 * Nearly all of JSON is YAML, and libyaml reads it; but not a pair of surrogates ("\ud83d
 * \ude00", as most programs write an emoji), a ':' in the line after its key, or a key of
 * over 1,024 characters. Texts are double-quoted scalars, all else is plain. */
#ifndef CODEC_YAML_JSON_H
#define CODEC_YAML_JSON_H

#include "codec/yaml.h"

/* 1: *root is the tree; 0: it is no JSON, but may be YAML; -1: ERR_TOO_BIG, as yaml_parse
 * says it. Duplicate keys, and numbers that fit no machine type, are left to yaml_parse. */
int yaml_json_parse(struct arena *arena, const char *name, const char *text, size_t n,
		    const struct yaml_node **root, struct error *err);

#endif

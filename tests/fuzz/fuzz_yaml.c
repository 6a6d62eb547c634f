/* Whatever is accepted is a tree within its caps, whose places lie in the text. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Returns what the node amounts to with its aliases unfolded. */
static size_t walk(const struct yaml_node *node, size_t size);

static size_t walk_pairs(const struct yaml_node *map, size_t size)
{
	size_t weight = 0;

	for (size_t i = 0; i < map->len; i++) {
		const struct yaml_pair *pair = &map->pairs[i];

		assert(pair->key->kind == YAML_SCALAR);
		assert(!pair->alias || pair->alias < pair->alias_end);
		assert(pair->alias_end <= size);
		assert(yaml_get(map, pair->key->text) == pair->value);
		assert(!i || strcmp(map->sorted[i - 1]->key->text,
				    map->sorted[i]->key->text) < 0);
		weight += walk(pair->key, size);
		weight += walk(pair->value, size);
	}
	return weight;
}

static size_t walk(const struct yaml_node *node, size_t size)
{
	size_t weight = 1;

	assert(node->line && node->column);
	assert(node->from <= node->start);
	assert(node->start <= node->end && node->end <= size);
	assert(!node->text == (node->kind != YAML_SCALAR));
	assert(yaml_text(node) == node->text);
	switch (node->kind) {
	case YAML_SCALAR:
		assert(str_is_utf8(node->text, strlen(node->text)));
		break;
	case YAML_SEQUENCE:
		for (size_t i = 0; i < node->len; i++)
			weight += walk(node->items[i], size);
		break;
	case YAML_MAPPING:
		weight += walk_pairs(node, size);
		break;
	}
	/* Merged pairs that are shadowed have been counted. */
	assert(weight <= node->weight && node->weight <= YAML_NODES_MOST);
	return weight;
}

static void check_message(const char *message)
{
	assert(str_starts(message, "f.yml:"));
	for (; *message; message++)
		assert((unsigned char)*message >= 0x20 && *message != 0x7F);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct error err = ERROR_INIT;
	const struct yaml_node *root;

	if (yaml_parse(&arena, "f.yml", (const char *)data, size, &root, &err) < 0)
		check_message(err.msg);
	else if (root)
		walk(root, size);
	return 0;
}

/* Whatever is accepted can be walked, and its texts can be written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(const char *text)
{
	CLEANUP(buf) struct buf out = BUF_INIT(XML_BYTES_MAX);
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct xml_node *root;
	struct error err = ERROR_INIT;
	int result;

	xml_element(&out, "t", text);
	result = xml_parse(out.data, out.len, &arena, &root, &err);
	if ((result == 0) != xml_can_carry(text))
		abort();
	if (result == 0 && strcmp(xml_text(root), text) != 0)
		abort();
}

static void walk(const struct xml_node *node, int depth)
{
	if (depth > XML_DEPTH_MAX || !xml_name(node) || !xml_can_carry(xml_text(node)))
		abort();
	check_text(xml_text(node));
	for (const struct xml_node *c = xml_child(node, NULL); c; c = xml_sibling(c))
		walk(c, depth + 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP_PTR(mem) char *text = xstrndup((const char *)data, size);
	const struct xml_node *root = NULL;
	struct error err = ERROR_INIT;

	if (xml_parse((const char *)data, size, &arena, &root, &err) == 0)
		walk(root, 1);
	else if (root || (err.code != ERR_DATA && err.code != ERR_TOO_BIG))
		abort();
	check_text(text);
	return 0;
}

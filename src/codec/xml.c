#include "codec/xml.h"

#include <stdlib.h>
#include <string.h>

#include <expat.h>

#include "base/mem.h"
#include "base/str.h"

struct xml_node {
	const char *name;
	const char *text;
	struct xml_node *first; /* child */
	struct xml_node *next;  /* sibling */
};

/* An element whose end has not come yet. */
struct open_node {
	struct xml_node *node;
	struct xml_node *last; /* child */
	size_t text_from;      /* where its text starts in reader.text */
};

struct reader {
	XML_Parser parser;
	struct arena *arena;
	struct open_node open[XML_DEPTH_MAX];
	size_t depth;
	size_t nodes;
	/* The text of all open elements, the innermost one's last: when an element ends,
	 * its text is cut off, and more of its parent's may follow. */
	struct buf text;
	struct xml_node *root;
	enum error_code failed; /* a limit of ours */
	const char *complaint;
};

static void reader_release(struct reader *r)
{
	XML_ParserFree(r->parser);
	buf_release(&r->text);
}

static void fail(struct reader *r, enum error_code code, const char *complaint)
{
	if (r->complaint)
		return;
	r->failed = code;
	r->complaint = complaint;
	XML_StopParser(r->parser, XML_FALSE);
}

static void append(struct reader *r, struct xml_node *node)
{
	struct open_node *parent;

	if (r->depth == 0) {
		r->root = node;
		return;
	}
	parent = &r->open[r->depth - 1];
	if (parent->last)
		parent->last->next = node;
	else
		parent->node->first = node;
	parent->last = node;
}

static void XMLCALL on_start(void *ctx, const XML_Char *name, const XML_Char **attributes)
{
	struct reader *r = ctx;
	const char *colon = strrchr(name, ':');
	struct xml_node *node;

	(void)attributes;
	if (r->depth == XML_DEPTH_MAX || r->nodes == XML_NODES_MAX) {
		fail(r, ERR_TOO_BIG, "too many elements, or too deep");
		return;
	}
	node = arena_alloc(r->arena, sizeof(*node));
	*node = (struct xml_node){
		.name = arena_strdup(r->arena, colon ? colon + 1 : name),
		.text = "",
	};
	append(r, node);
	r->nodes++;
	r->open[r->depth++] = (struct open_node){ .node = node,
						  .text_from = r->text.len };
}

static void XMLCALL on_end(void *ctx, const XML_Char *name)
{
	struct reader *r = ctx;
	struct open_node *ended;
	size_t len;

	(void)name;
	/* Stopping does not keep the end of an empty element from being told. */
	if (r->complaint)
		return;
	ended = &r->open[--r->depth];
	len = r->text.len - ended->text_from;
	if (len > 0)
		ended->node->text = arena_strndup(r->arena,
						  r->text.data + ended->text_from, len);
	buf_truncate(&r->text, ended->text_from);
}

static void XMLCALL on_text(void *ctx, const XML_Char *s, int len)
{
	struct reader *r = ctx;

	buf_add(&r->text, s, (size_t)len);
	if (r->text.overflowed)
		fail(r, ERR_TOO_BIG, "too much text");
}

static void XMLCALL on_doctype(void *ctx, const XML_Char *name, const XML_Char *system_id,
			       const XML_Char *public_id, int has_internal_subset)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal_subset;
	fail(ctx, ERR_DATA, "a document type is not accepted");
}

static int failure(const struct reader *r, struct error *err)
{
	enum XML_Error code = XML_GetErrorCode(r->parser);
	const char *what = r->complaint ? r->complaint : XML_ErrorString(code);

	return error_set(err, r->complaint ? r->failed : ERR_DATA,
			 "XML: %s at line %lu, column %lu", what,
			 (unsigned long)XML_GetCurrentLineNumber(r->parser),
			 (unsigned long)XML_GetCurrentColumnNumber(r->parser) + 1);
}

int xml_parse(const char *bytes, size_t n, struct arena *arena,
	      const struct xml_node **root, struct error *err)
{
	static const XML_Memory_Handling_Suite memory = { xmalloc, xrealloc, free };
	CLEANUP(reader)
	struct reader r = {
		.parser = XML_ParserCreate_MM(NULL, &memory, NULL),
		.arena = arena,
		.text = BUF_INIT(XML_BYTES_MAX),
	};

	if (n > XML_BYTES_MAX)
		return error_set(err, ERR_TOO_BIG, "XML: over %d bytes", XML_BYTES_MAX);
	if (!r.parser)
		return error_set(err, ERR_DATA, "XML: expat does not work");
	XML_SetUserData(r.parser, &r);
	XML_SetElementHandler(r.parser, on_start, on_end);
	XML_SetCharacterDataHandler(r.parser, on_text);
	XML_SetStartDoctypeDeclHandler(r.parser, on_doctype);
	if (XML_Parse(r.parser, n ? bytes : "", (int)n, XML_TRUE) != XML_STATUS_OK)
		return failure(&r, err);
	*root = r.root;
	return 0;
}

const char *xml_name(const struct xml_node *node)
{
	return node ? node->name : NULL;
}

/* The first of node and its siblings to the right that has the name. */
static const struct xml_node *find(const struct xml_node *node, const char *name)
{
	while (node && name && strcmp(node->name, name) != 0)
		node = node->next;
	return node;
}

const struct xml_node *xml_child(const struct xml_node *node, const char *name)
{
	return node ? find(node->first, name) : NULL;
}

const struct xml_node *xml_next(const struct xml_node *node)
{
	return node ? find(node->next, node->name) : NULL;
}

const struct xml_node *xml_sibling(const struct xml_node *node)
{
	return node ? node->next : NULL;
}

const char *xml_text(const struct xml_node *node)
{
	return node ? node->text : NULL;
}

const char *xml_get(const struct xml_node *node, const char *name)
{
	return xml_text(xml_child(node, name));
}

bool xml_can_carry(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 && !strchr("\t\n\r", text[i]))
			return false;
	return str_is_utf8(text, n) && !strstr(text, "\xEF\xBF\xBE") &&
	       !strstr(text, "\xEF\xBF\xBF");
}

void xml_open(struct buf *out, const char *name, const char *xml_namespace)
{
	buf_char(out, '<');
	buf_str(out, name);
	if (xml_namespace) {
		buf_str(out, " xmlns=\"");
		xml_put_text(out, xml_namespace);
		buf_char(out, '"');
	}
	buf_char(out, '>');
}

void xml_close(struct buf *out, const char *name)
{
	buf_str(out, "</");
	buf_str(out, name);
	buf_char(out, '>');
}

/* '>' because of "]]>", and the carriage return because parsers read a bare one as a line
 * feed (XML 1.0, section 2.11). */
static const char *escape_of(char c)
{
	static const struct {
		char c;
		const char *escape;
	} escapes[] = { { '&', "&amp;" },
			{ '<', "&lt;" },
			{ '>', "&gt;" },
			{ '"', "&quot;" },
			{ '\r', "&#13;" } };

	for (size_t i = 0; i < sizeof(escapes) / sizeof(*escapes); i++)
		if (escapes[i].c == c)
			return escapes[i].escape;
	return NULL;
}

void xml_put_text(struct buf *out, const char *text)
{
	while (*text) {
		size_t plain = strcspn(text, "&<>\"\r");

		buf_add(out, text, plain);
		text += plain;
		if (*text)
			buf_str(out, escape_of(*text++));
	}
}

void xml_element(struct buf *out, const char *name, const char *text)
{
	xml_open(out, name, NULL);
	xml_put_text(out, text);
	xml_close(out, name);
}

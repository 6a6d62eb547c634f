/* xml.h - XML as AWS speaks it: answers read into a tree, and small documents written.
 *
 * Reading keeps elements and their text. Attributes, comments and name space prefixes are
 * passed over; a document type is refused, and entities with it. A loop over a page:
 *   for (c = xml_child(root, "Contents"); c; c = xml_next(c))
 *           visit(xml_get(c, "Key"), xml_get(c, "ETag"));
 * The accessors accept NULL and answer "not there", so that a chain needs one check.
 *
 * Writing goes into a struct buf. */
#ifndef CODEC_XML_H
#define CODEC_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"

struct xml_node; /* an element */

enum { XML_DEPTH_MAX = 64, XML_BYTES_MAX = 64 << 20, XML_NODES_MAX = 1 << 20 };

/* Parses n bytes (UTF-8, or what their declaration says, of what expat knows) into nodes
 * that live in the arena. -1: ERR_DATA with line and column, or ERR_TOO_BIG. */
int xml_parse(const char *bytes, size_t n, struct arena *arena,
	      const struct xml_node **root, struct error *err);

const char *xml_name(const struct xml_node *node); /* without prefix; NULL: no node */
/* The first child of that name (NULL: of any). */
const struct xml_node *xml_child(const struct xml_node *node, const char *name);
/* The next sibling with the same name. */
const struct xml_node *xml_next(const struct xml_node *node);
/* The next sibling of any name. */
const struct xml_node *xml_sibling(const struct xml_node *node);
/* The characters directly in the element as they are, in UTF-8, white space included; ""
 * for an empty element, NULL for no node. */
const char *xml_text(const struct xml_node *node);
/* xml_text of xml_child. */
const char *xml_get(const struct xml_node *node, const char *name);

/* Whether a document can hold the text: well-formed UTF-8 without control characters (but
 * tab, line feed and carriage return), U+FFFE and U+FFFF. XML 1.0, section 2.2. */
bool xml_can_carry(const char *text);

/* xml_namespace may be NULL. */
void xml_open(struct buf *out, const char *name, const char *xml_namespace);
void xml_close(struct buf *out, const char *name);
/* Text, escaped so that a parser gives back the same bytes. What cannot be carried is
 * written as it is: the receiver then refuses the document and acts on no other text. */
void xml_put_text(struct buf *out, const char *text);
/* An element with only text in it. */
void xml_element(struct buf *out, const char *name, const char *text);

#endif

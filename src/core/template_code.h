/* template_code.h - from a property that names code to the bytes of it that are replaced.
 * Private to template.c. */
#ifndef CORE_TEMPLATE_CODE_H
#define CORE_TEMPLATE_CODE_H

#include "codec/yaml.h"
#include "core/template.h"
#include "core/template_rules.h"

struct template_reader {
	struct template *t;
	const struct yaml_node *root;
	bool is_json;
	const struct yaml_node *globals; /* of functions, or NULL */
	bool globals_used;               /* their code is some function's */
	struct error *err;
};

/* A resource. */
struct template_subject {
	const char *id;
	const struct yaml_node *node;
	const struct yaml_node *properties; /* may be NULL */
};

/* Sets the error, which starts with file, line and column of the node. Returns -1. */
int template_fail(struct template_reader *r, const struct yaml_node *at, const char *fmt,
		  ...) __attribute__((format(printf, 3, 4)));

/* The text of a scalar that is no function of CloudFormation's, else NULL. */
const char *template_literal(const struct yaml_node *node);
/* Where the value is a path of this disk, or chooses one by Fn::If: the (first) node that
 * says so. Else NULL. */
const struct yaml_node *template_local(const struct yaml_node *value);

/* Adds the code that a resource names, if it does. */
int template_read_code(struct template_reader *r, const struct template_subject *s,
		       const struct template_rule *rule);

/* Once all is read and sorted. -1: a text that is replaced is used, by an anchor, for
 * something else than code. What is in the template's own Metadata may change. */
int template_check_shared(struct template_reader *r);

#endif

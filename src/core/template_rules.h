/* template_rules.h - which properties of which resources name files of this disk. Private to
 * template.c. */
#ifndef CORE_TEMPLATE_RULES_H
#define CORE_TEMPLATE_RULES_H

#include "core/template.h"

/* A property whose code is packaged and uploaded. */
struct template_rule {
	const char *type;
	const char *property;
	enum template_code_kind kind;
	enum template_form form;
	bool folder_is_default; /* without it, the template's folder is meant */
	bool has_globals;       /* "Globals: Function:" is for it, too */
};

/* A property that may name a local file which is not deployed from here. */
struct template_refusal {
	const char *type;
	const char *path; /* within Properties, parts apart by dots; "*" is any key */
};

/* In place of a type: the refusals of what stands in the template's Globals. */
#define TEMPLATE_GLOBALS "Globals"

/* NULL: the type has no code. */
const struct template_rule *template_rule_of(const char *type);
/* The first refusal of the type (previous NULL), or the next one; NULL: no more. */
const struct template_refusal *template_refusal_of(
	const char *type, const struct template_refusal *previous);
/* "s3://..." and "https://...": not on this disk. */
bool template_is_remote(const char *text);

#endif

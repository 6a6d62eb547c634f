/* template.h - a SAM or CloudFormation template as far as its code is concerned: which local
 * folders it names, and the same bytes with those names replaced.
 *
 * The template is never written out anew: whatever is not replaced stays as it is, to the
 * byte, so that `0123`, `1.10` and `yes` mean to CloudFormation what they meant before.
 * Pure. */
#ifndef CORE_TEMPLATE_H
#define CORE_TEMPLATE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum template_code_kind { TEMPLATE_FUNCTION, TEMPLATE_LAYER };

/* How a property names code in S3. */
enum template_form {
	FORM_URI,   /* s3://BUCKET/KEY */
	FORM_OBJECT /* {"S3Bucket": BUCKET, "S3Key": KEY} */
};

/* Code on the disk that the template names. */
struct template_code {
	const char *resource; /* the logical id of the first that uses it, or "Globals" */
	const char *property; /* "CodeUri", ... */
	enum template_code_kind kind;
	enum template_form form;
	const char *path;    /* as written, from the template's folder; "." when it is
	                           * not written and the folder is meant */
	const char *runtime; /* "python3.12"; NULL: nothing can be installed for it: not
	                      * said, no literal, or not the same for all who use it */
	const char *architecture; /* "x86_64" or "arm64" */
	unsigned line, column;
	/* private */
	unsigned uses;     /* by resources; aliases and merge keys make them more */
	size_t start, end; /* the bytes that are replaced; equal: inserted */
	const char *before, *after;
	char quote; /* 0: plain */
};

VEC_DEFINE(template_codes, struct template_code);

struct template_parameter {
	const char *name;
	bool has_default;
};

VEC_DEFINE(template_parameters, struct template_parameter);

/* What the stack's parameter is set to. NULL: that is not known yet. */
struct template_setting {
	const char *name;
	const char *value;
};

VEC_DEFINE(template_settings, struct template_setting);

struct yaml_node;

struct template
{
	bool is_built; /* set before parsing: a command makes the folders, so that build
	                * methods which are not done here may be named */
	const struct template_settings *settings; /* likewise; borrowed; they go before
	                                           * defaults. NULL: none */
	struct arena arena;
	const char *name; /* for messages */
	const char *text; /* borrowed */
	size_t len;
	struct str_list output_names; /* that the text declares */
	bool has_more_outputs;        /* a macro or a loop may declare others */
	struct template_codes codes;  /* in the order of the text */
	struct template_parameters parameters;
	const struct yaml_node *outputs; /* private; NULL: there are none */
};

#define TEMPLATE_INIT        \
	{                    \
		.text = NULL \
	}

/* Reads YAML or JSON; the text is borrowed. -1: ERR_CONFIG, the message names file, line and
 * resource: what cannot be read, and what names a local file that is not deployed from here
 * (nested stacks, API definitions, ...).
 *
 * Code that is in S3 already, in the template, or where a function of CloudFormation's says
 * (!Ref, !GetAtt, !FindInMap) is left alone. Of Fn::If both values are looked at, where SAM
 * takes one. Paths may lead anywhere: whoever reads the folders says which may be read. */
int template_parse(struct template *t, const char *name, const char *text, size_t n,
		   struct error *err);
void template_release(struct template *t);

/* Whether the value of an output names a resource, by its logical id, in whatever function:
 * when that resource becomes another, so does what the stack puts out. */
bool template_output_names(const struct template *t, const char *output,
			   const char *resource);

/* Where the code of template.codes, one each, is in S3. Both are made of characters that
 * mean nothing to YAML: letters, digits and - . _ / */
struct template_place {
	const char *bucket;
	const char *key;
};

/* Appends the template with each code's name replaced by its place. */
void template_splice(const struct template *t, const struct template_place *places,
		     struct buf *out);

#endif

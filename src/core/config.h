/* config.h - crc.yml, checked: what is deployed where.
 *
 * The same struct is filled from a file, from options, or by detection, so that nothing
 * later asks where a setting came from. */
#ifndef CORE_CONFIG_H
#define CORE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "base/vec.h"
#include "codec/glob.h"

/* A value that is written out, taken from the environment, or from a stack. */
enum value_kind {
	VALUE_NONE,
	VALUE_LITERAL,
	VALUE_ENV,   /* !env NAME; config_resolve_env makes it a literal */
	VALUE_OUTPUT /* !output BACKEND.OUTPUT; known once the backend has deployed */
};

struct value {
	enum value_kind kind;
	const char *text; /* the literal, or the variable's name, or the output's name */
	const char *backend; /* VALUE_OUTPUT: whose */
	const char *known;   /* VALUE_OUTPUT: what it is; NULL: not known (yet) */
	unsigned line;       /* in the file; 0: not from a file */
	unsigned column;
};

VEC_DEFINE(value_list, struct value);

/* The literal, or the output if it is known; else NULL. */
const char *value_text(const struct value *v);
/* Whether both are the same thing, as far as that is known; nothing is the same as nothing. */
bool value_same(const struct value *a, const struct value *b);
/* What it is; of an output that is not known "!output BACKEND.OUTPUT", in the arena. */
const char *value_label(const struct value *v, struct arena *arena);

/* A header that crc lets a rule set, e.g. "cache-control", "x-amz-meta-owner". */
struct header {
	const char *name;  /* lower case */
	const char *value; /* "" removes what an earlier rule or default set */
};

VEC_DEFINE(header_list, struct header);

struct header_rule {
	struct glob match;
	struct header_list set;
};

VEC_DEFINE(header_rules, struct header_rule);

struct site {
	const char *name;
	const char *path;  /* "" the repository's root; no slash at either end */
	const char *build; /* NULL: none */
	struct value bucket;
	const char *prefix; /* "" or ends in '/' */
	struct value_list distributions;
	struct value url;
	const char *index;        /* "index.html" */
	struct glob_list exclude; /* gitignore order: the last match decides */
	struct glob_list include;
	int query_strings; /* 1 true, 0 false, -1 not said */
	int64_t keep_s;    /* of retired assets; default 7 days */
	struct header_rules headers;
	unsigned line;
};

struct parameter {
	const char *name;
	struct value value;
};

VEC_DEFINE(parameter_list, struct parameter);

enum backend_kind { BACKEND_TEMPLATE, BACKEND_FUNCTION };

struct backend {
	const char *name;
	enum backend_kind kind;
	const char *path;
	const char *build;         /* NULL: none */
	const char *template_file; /* relative to path */
	struct value stack;
	struct value artifacts; /* VALUE_NONE: the default bucket; no output */
	struct parameter_list parameters;
	struct str_list capabilities;
	struct value function;
	struct value alias; /* VALUE_NONE: none */
	unsigned line;
};

VEC_DEFINE(site_list, struct site);
VEC_DEFINE(backend_list, struct backend);

struct config {
	struct arena arena; /* owns all strings */
	const char *file;   /* for messages: "crc.yml"; NULL when not from a file */
	struct value region;
	struct site_list sites;
	struct backend_list backends;
};

#define CONFIG_INIT          \
	{                    \
		.file = NULL \
	}

void config_release(struct config *c);

/* Reads and checks a file's bytes. -1: ERR_CONFIG, the message starts with
 * "FILE:LINE:COLUMN: " and ends in what to do; an unknown key names the nearest known one. */
int config_parse(struct config *c, const char *file, const char *text, size_t n,
		 struct error *err);

/* Adds a site (backend) with all defaults, name and path copied ("./", "//" and slashes at
 * the ends taken out of the path). Borrowed until the next is added. */
struct site *config_add_site(struct config *c, const char *name, const char *path);
struct backend *config_add_backend(struct config *c, const char *name, const char *path);
/* Sets a literal value, copied. "" and NULL leave it VALUE_NONE. */
void config_set(struct config *c, struct value *v, const char *text);
/* Sets a site's prefix: without slashes in front, with one at the end. -1: ERR_CONFIG, no
 * prefix that keys can have. */
int config_set_prefix(struct config *c, struct site *s, const char *text,
		      struct error *err);

/* Replaces VALUE_ENV by what lookup answers. -1: ERR_CONFIG naming file, line and variable
 * when it is not set or empty. */
int config_resolve_env(struct config *c,
		       const char *(*lookup)(void *ctx, const char *name), void *ctx,
		       struct error *err);

/* Sets what each output is to what lookup answers; NULL: not known. What it answers is
 * borrowed. config_check afterwards looks at what came of it. */
void config_resolve_outputs(struct config *c,
			    const char *(*lookup)(void *ctx, const struct value *v),
			    void *ctx);

/* The order in which backends can be deployed, as indices into c->backends: each after those
 * whose outputs its parameters take, else as in the file. order has room for all. */
void config_backend_order(const struct config *c, size_t *order);
/* The backend of that name, or NULL. */
const struct backend *config_backend(const struct config *c, const char *name);

/* Everything that must hold whatever the settings came from, and again once the environment
 * or outputs are resolved: names, paths inside of the repository, what known values look
 * like; two sites in one bucket and prefix; an output of a backend that is not there, is a
 * function, or takes an output of this one; two backends on one stack or function.
 * config_parse ends with it. -1: ERR_CONFIG. */
int config_check(const struct config *c, struct error *err);

/* Whether a file of the site's folder is uploaded: the site's exclude and include over the
 * defaults (dot files but .well-known/, node_modules/, virtual environments, Terraform's
 * files (*.tf, *.tfstate*, *.tfvars*, plans), *.pem, *.key, crc.yml, the backends' paths and
 * templates). path is relative to the site's folder. An include pattern lifts what holds back
 * the very file or folder that it matches; only one with a slash also opens the folders above
 * ("*.pem" opens no node_modules/). What is in a .git or .crc folder is never uploaded. */
bool config_uploads(const struct config *c, const struct site *s, const char *path);
/* Whether a folder has the name of those in which crc keeps its states, and no exclude passes it
 * over: somebody means it to be deployed, which it cannot be. */
bool config_is_reserved(const struct site *s, const char *path);
/* Whether a folder can be passed over whole: nothing below it is uploaded. */
bool config_skips_folder(const struct config *c, const struct site *s, const char *path);

/* The other site to which the key of a path of this one belongs: one in the same bucket, whose
 * longer prefix the key is below. NULL: the key is the site's own. Two sites that write one key
 * would undo each other's work. */
const struct site *config_key_owner(const struct config *c, const struct site *s,
				    const char *path);

#endif

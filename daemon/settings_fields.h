/* settings_fields.h - mappings of daemon.yml read by tables: a row says how a key is called, how
 * its value is read and where it goes. */
#ifndef DAEMON_SETTINGS_FIELDS_H
#define DAEMON_SETTINGS_FIELDS_H

#include <stddef.h>
#include <stdint.h>

#include "daemon/settings_private.h"

struct reader {
	struct settings_draft *draft;
	struct arena *arena; /* the settings' */
	struct error *err;
};

enum {
	FIELD_REQUIRED = 1,
	FIELD_QUIET = 2 /* its value may hold a secret by mistake: no message shows it */
};

struct field;
struct fields;

typedef int (*field_read)(struct reader *r, const struct field *f, void *owner,
			  const struct yaml_node *node);

struct field {
	const char *key;
	field_read read;
	size_t offset;                        /* in the owner */
	const char *(*problem)(const char *); /* of a text; NULL: any will do */
	unsigned flags;
	int64_t min, max;           /* of a number */
	const struct fields *below; /* of field_mapping: the keys in it */
};

struct fields {
	const struct field *items;
	size_t len;
	const char *what; /* "site", for messages */
};

#define FIELDS(array, name)                                     \
	{                                                       \
		(array), sizeof(array) / sizeof(*(array)), name \
	}

#define FIELD_FAIL(r, node, ...) \
	settings_fail_at((r)->draft, (node)->line, (node)->column, (r)->err, __VA_ARGS__)

/* Reads all pairs of a mapping into an owner. */
int fields_read(struct reader *r, const struct fields *fields, void *owner,
		const struct yaml_node *node);
/* "KEY: WANTED is wanted here, not a list" */
int field_fail_kind(struct reader *r, const struct yaml_node *node, const char *key,
		    const char *wanted);
/* Which of n names was meant by one that is none of them; NULL: none is near. */
const char *field_nearest(const char *name, const char *const *names, size_t n);
/* The text of a scalar that is something. NULL: the error is set. */
const char *field_scalar(struct reader *r, const char *key, const struct yaml_node *node);
void *field_place(const struct field *f, void *owner);
/* Calls read for each item of a list; anything else stands for a list of one. */
int field_each(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node, field_read read);

/* Kinds of values, by what is at the offset. */
int field_text(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node); /* const char * */
int field_path(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node); /* const char *, from the file's folder */
int field_texts(struct reader *r, const struct field *f, void *owner,
		const struct yaml_node *node); /* struct str_list, emptied first */
int field_number(struct reader *r, const struct field *f, void *owner,
		 const struct yaml_node *node); /* int */
int field_size(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node); /* int64_t, bytes */
int field_duration(struct reader *r, const struct field *f, void *owner,
		   const struct yaml_node *node); /* int64_t, ms */
int field_rate(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node); /* int64_t, a minute's */
int field_secret(struct reader *r, const struct field *f, void *owner,
		 const struct yaml_node *node); /* struct secret, read later */
int field_key_file(struct reader *r, const struct field *f, void *owner,
		   const struct yaml_node *node); /* const char *, a secret's file */
int field_mapping(struct reader *r, const struct field *f, void *owner,
		  const struct yaml_node *node); /* what the table below says */

/* Notes where a secret is, to be read into a place, or one whose path is wanted. */
int field_note_secret(struct reader *r, struct settings_file file,
		      const struct yaml_node *node);
/* A path from the folder of daemon.yml. */
const char *field_from_folder(struct reader *r, const char *path);

#endif

#include "daemon/settings_fields.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "daemon/settings_rules.h"

/* A name further than this from all known ones is not a slip of the fingers. */
enum { SLIP_MOST = 3, NAMES_MOST = 64 };

static const char *kind_name(const struct yaml_node *node)
{
	switch (node->kind) {
	case YAML_SEQUENCE:
		return "a list";
	case YAML_MAPPING:
		return "a mapping";
	case YAML_SCALAR:
		break;
	}
	return yaml_is_null(node) ? "nothing" : "a single value";
}

int field_fail_kind(struct reader *r, const struct yaml_node *node, const char *key,
		    const char *wanted)
{
	return FIELD_FAIL(r, node, "%s: %s is wanted here, not %s", key, wanted,
			  kind_name(node));
}

const char *field_nearest(const char *name, const char *const *names, size_t n)
{
	const char *nearest = NULL;
	unsigned least = UINT_MAX;

	for (size_t i = 0; i < n; i++) {
		unsigned distance = str_distance(name, names[i]);

		if (distance < least) {
			least = distance;
			nearest = names[i];
		}
	}
	return least <= SLIP_MOST && least < strlen(name) ? nearest : NULL;
}

static int fail_unknown(struct reader *r, const struct yaml_node *key,
			const struct fields *fields)
{
	const char *names[NAMES_MOST];
	const char *nearest;

	for (size_t i = 0; i < fields->len && i < NAMES_MOST; i++)
		names[i] = fields->items[i].key;
	nearest = field_nearest(key->text, names, fields->len);
	if (!nearest)
		return FIELD_FAIL(r, key, "unknown key \"%s\" of %s", key->text,
				  fields->what);
	return FIELD_FAIL(r, key, "unknown key \"%s\" of %s: did you mean \"%s\"?",
			  key->text, fields->what, nearest);
}

static const struct field *find_field(const struct fields *fields, const char *key)
{
	for (size_t i = 0; i < fields->len; i++)
		if (str_eq(fields->items[i].key, key))
			return &fields->items[i];
	return NULL;
}

int fields_read(struct reader *r, const struct fields *fields, void *owner,
		const struct yaml_node *node)
{
	for (size_t i = 0; i < node->len; i++) {
		const struct yaml_pair *pair = &node->pairs[i];
		const struct field *f = find_field(fields, pair->key->text);

		if (!f)
			return fail_unknown(r, pair->key, fields);
		if (f->read(r, f, owner, pair->value) < 0)
			return -1;
	}
	for (size_t i = 0; i < fields->len; i++)
		if ((fields->items[i].flags & FIELD_REQUIRED) &&
		    !yaml_get(node, fields->items[i].key))
			return FIELD_FAIL(r, node, "%s lacks \"%s\"", fields->what,
					  fields->items[i].key);
	return 0;
}

void *field_place(const struct field *f, void *owner)
{
	return (char *)owner + f->offset;
}

const char *field_scalar(struct reader *r, const char *key, const struct yaml_node *node)
{
	if (node->kind == YAML_SCALAR && !yaml_is_null(node))
		return node->text;
	field_fail_kind(r, node, key, "a single value");
	return NULL;
}

/* The text of a value that is as its row wants it. NULL: the error is set. */
static const char *checked(struct reader *r, const struct field *f,
			   const struct yaml_node *node)
{
	const char *text = field_scalar(r, f->key, node);
	const char *wrong = text && f->problem ? f->problem(text) : NULL;

	if (!wrong)
		return text;
	if (f->flags & FIELD_QUIET)
		FIELD_FAIL(r, node, "%s: %s", f->key, wrong);
	else
		FIELD_FAIL(r, node, "%s \"%s\": %s", f->key, text, wrong);
	return NULL;
}

int field_text(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node)
{
	const char *text = checked(r, f, node);

	if (!text)
		return -1;
	*(const char **)field_place(f, owner) = text;
	return 0;
}

const char *field_from_folder(struct reader *r, const char *path)
{
	if (*path == '/')
		return path;
	return arena_printf(r->arena, "%s/%s", r->draft->folder, path);
}

int field_path(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node)
{
	const char *text = checked(r, f, node);

	if (!text)
		return -1;
	*(const char **)field_place(f, owner) = field_from_folder(r, text);
	return 0;
}

int field_each(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node, field_read read)
{
	if (node->kind != YAML_SEQUENCE)
		return read(r, f, owner, node);
	for (size_t i = 0; i < node->len; i++)
		if (read(r, f, owner, node->items[i]) < 0)
			return -1;
	return 0;
}

static int add_text(struct reader *r, const struct field *f, void *owner,
		    const struct yaml_node *node)
{
	const char *text = checked(r, f, node);

	if (!text)
		return -1;
	str_list_push(field_place(f, owner), text);
	return 0;
}

int field_texts(struct reader *r, const struct field *f, void *owner,
		const struct yaml_node *node)
{
	struct str_list *list = field_place(f, owner);

	list->len = 0; /* in place of the default */
	return field_each(r, f, owner, node, add_text);
}

int field_number(struct reader *r, const struct field *f, void *owner,
		 const struct yaml_node *node)
{
	const char *text = field_scalar(r, f->key, node);
	int64_t number;

	if (!text)
		return -1;
	if (!str_to_i64(text, f->min, f->max, &number))
		return FIELD_FAIL(r, node,
				  "%s \"%s\": must be a number from %" PRId64
				  " to %" PRId64,
				  f->key, text, f->min, f->max);
	*(int *)field_place(f, owner) = (int)number;
	return 0;
}

/* A number with a unit. */
struct quantity {
	int64_t (*read)(const char *text);
	const char *like;
};

static int read_quantity(struct reader *r, const struct field *f, void *owner,
			 const struct yaml_node *node, const struct quantity *q)
{
	const char *text = field_scalar(r, f->key, node);
	int64_t number;

	if (!text)
		return -1;
	number = q->read(text);
	if (number < 0)
		return FIELD_FAIL(r, node, "%s \"%s\": must be like %s", f->key, text,
				  q->like);
	if (number < f->min)
		return FIELD_FAIL(r, node, "%s \"%s\": is too small", f->key, text);
	if (number > f->max)
		return FIELD_FAIL(r, node, "%s \"%s\": is too large", f->key, text);
	*(int64_t *)field_place(f, owner) = number;
	return 0;
}

int field_size(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node)
{
	static const struct quantity size = { settings_size, "64K, 25M or 2G" };

	return read_quantity(r, f, owner, node, &size);
}

int field_duration(struct reader *r, const struct field *f, void *owner,
		   const struct yaml_node *node)
{
	static const struct quantity duration = { settings_duration_ms,
						  "10s, 5m, 12h or 7d" };

	return read_quantity(r, f, owner, node, &duration);
}

int field_rate(struct reader *r, const struct field *f, void *owner,
	       const struct yaml_node *node)
{
	static const struct quantity rate = { settings_rate, "120/min, 2/s or 0" };

	return read_quantity(r, f, owner, node, &rate);
}

int field_note_secret(struct reader *r, struct settings_file file,
		      const struct yaml_node *node)
{
	const char *text = field_scalar(r, file.key, node);
	const char *wrong = text ? settings_bad_secret(text) : NULL;

	if (!text)
		return -1;
	/* Without the value: it may be the secret. */
	if (wrong)
		return FIELD_FAIL(r, node, "%s: %s", file.key, wrong);
	file.from = str_starts(text, "credential:") ? text : field_from_folder(r, text);
	file.line = node->line;
	file.column = node->column;
	settings_files_push(&r->draft->files, file);
	return 0;
}

int field_secret(struct reader *r, const struct field *f, void *owner,
		 const struct yaml_node *node)
{
	struct settings_file file = { .key = f->key, .into = field_place(f, owner) };

	return field_note_secret(r, file, node);
}

int field_key_file(struct reader *r, const struct field *f, void *owner,
		   const struct yaml_node *node)
{
	struct settings_file file = { .key = f->key, .path = field_place(f, owner) };

	return field_note_secret(r, file, node);
}

int field_mapping(struct reader *r, const struct field *f, void *owner,
		  const struct yaml_node *node)
{
	if (node->kind != YAML_MAPPING)
		return field_fail_kind(r, node, f->key, "a mapping");
	return fields_read(r, f->below, field_place(f, owner), node);
}

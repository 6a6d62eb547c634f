#include "core/state.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "codec/encode.h"
#include "codec/json.h"

enum { STATE_VERSION = 1, PATH_MOST = 1024, ETAG_MOST = 256 };

void state_release(struct state *s)
{
	str_list_release(&s->distributions);
	str_list_release(&s->mutable_paths);
	snapshot_release(&s->objects);
	state_retired_list_release(&s->retired);
	str_list_release(&s->journal.distributions);
	str_list_release(&s->journal.references);
	state_touch_list_release(&s->journal.touches);
	arena_release(&s->arena);
	*s = (struct state)STATE_INIT;
}

/* Whether a segment is "." or "..", which some stores and proxies resolve. */
static bool has_dots(const char *path)
{
	for (;;) {
		size_t n = strcspn(path, "/");

		if (n > 0 && n <= 2 && strspn(path, ".") == n)
			return true;
		if (!path[n])
			return false;
		path += n + 1;
	}
}

bool state_path_is_sound(const char *path)
{
	size_t n = strlen(path);

	return n > 0 && n <= PATH_MOST && path[0] != '/' && !str_starts(path, ".crc/") &&
	       !has_dots(path) && str_is_utf8(path, n);
}

/* Reading. What is absent or null has its default; what is there must be what it ought to
 * be: half a journal, or a lease that is not understood, must not be taken for none. */

struct reader {
	struct state *state;
	struct error *err;
};

static int malformed(struct reader *r, const char *what)
{
	return error_set(r->err, ERR_DATA, "%s is malformed", what);
}

static bool is_absent(const struct json *v)
{
	return !v || json_type(v) == JSON_NULL;
}

static char *copy(struct state *s, const char *text)
{
	return text ? arena_strdup(&s->arena, text) : NULL;
}

static int read_string(struct reader *r, const struct json *map, const char *key,
		       const char **out)
{
	const struct json *v = json_get(map, key);

	if (is_absent(v))
		return 0;
	*out = copy(r->state, json_str(v));
	return *out ? 0 : malformed(r, key);
}

static int read_int(struct reader *r, const struct json *map, const char *key,
		    int64_t *out)
{
	const struct json *v = json_get(map, key);

	return is_absent(v) || json_int(v, out) ? 0 : malformed(r, key);
}

static int read_bool(struct reader *r, const struct json *map, const char *key, bool *out)
{
	const struct json *v = json_get(map, key);

	*out = json_is_true(v);
	return is_absent(v) || json_type(v) == JSON_BOOL ? 0 : malformed(r, key);
}

static int read_strings(struct reader *r, const struct json *map, const char *key,
			struct str_list *out)
{
	const struct json *v = json_get(map, key);

	if (!is_absent(v) && json_type(v) != JSON_ARRAY)
		return malformed(r, key);
	for (size_t i = 0; i < json_len(v); i++) {
		const char *text = json_str(json_at(v, i));

		if (!text)
			return malformed(r, key);
		str_list_push(out, copy(r->state, text));
	}
	return 0;
}

/* ETags are kept without their quotes: fewer bytes, and JSON need not escape them. */
static bool etag_is_sound(const char *text, size_t n)
{
	if (!n || n > ETAG_MOST)
		return false;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] <= 0x20 || text[i] == '"' || text[i] == 0x7F)
			return false;
	return true;
}

static bool read_etag(struct state *s, const struct json *v, const char **out)
{
	const char *text = json_str(v);

	*out = NULL;
	if (is_absent(v))
		return true;
	if (!text || !etag_is_sound(text, strlen(text)))
		return false;
	*out = arena_printf(&s->arena, "\"%s\"", text);
	return true;
}

static bool read_headers_id(const struct json *v, uint64_t *out)
{
	unsigned char bytes[8];
	const char *hex = json_str(v);

	if (!hex || !decode_hex(hex, sizeof(bytes), bytes))
		return false;
	*out = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		*out = *out << 8 | bytes[i];
	return true;
}

static int read_run(struct reader *r, const struct json *map, struct state_run *out)
{
	const struct json *v = json_get(map, "run");

	if (is_absent(v))
		return 0;
	if (json_type(v) != JSON_OBJECT)
		return malformed(r, "run");
	if (read_string(r, v, "workflow", &out->workflow) < 0 ||
	    read_int(r, v, "id", &out->id) < 0 ||
	    read_int(r, v, "number", &out->number) < 0)
		return -1;
	return read_int(r, v, "attempt", &out->attempt);
}

/* A path that may hold anything, for a message. */
static const char *printable(struct reader *r, const char *path)
{
	char *out = copy(r->state, path);

	for (char *c = out; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7F)
			*c = '?';
	return out;
}

static int bad_entry(struct reader *r, const char *path)
{
	return error_set(r->err, ERR_DATA, "entry \"%s\" is malformed",
			 printable(r, path));
}

/* [content id, headers id, etag, ...] */
static int read_entry(struct reader *r, const char *path, const struct json *v,
		      struct entry *out)
{
	const char *hex = json_str(json_at(v, 0));

	*out = (struct entry){ 0 };
	if (!state_path_is_sound(path) || !hex || !oid_from_hex(hex, &out->id) ||
	    !read_headers_id(json_at(v, 1), &out->headers_id) ||
	    !read_etag(r->state, json_at(v, 2), &out->etag))
		return bad_entry(r, path);
	out->path = copy(r->state, path);
	return 0;
}

static int read_object(void *ctx, const char *path, const struct json *v)
{
	struct reader *r = ctx;
	struct entry e;

	if (read_entry(r, path, v, &e) < 0)
		return -1;
	snapshot_push(&r->state->objects, e);
	return 0;
}

static int read_retired(void *ctx, const char *path, const struct json *v)
{
	struct reader *r = ctx;
	struct state_retired retired = { 0 };

	if (read_entry(r, path, v, &retired.entry) < 0)
		return -1;
	if (!json_int(json_at(v, 3), &retired.since_s))
		return bad_entry(r, path);
	state_retired_list_push(&r->state->retired, retired);
	return 0;
}

static int read_touch(void *ctx, const char *path, const struct json *v)
{
	struct reader *r = ctx;
	const struct json *to = json_get(v, "to");
	struct state_touch touch = { .to_absent = json_type(to) == JSON_NULL };
	struct entry e;

	if (!state_path_is_sound(path) ||
	    !read_etag(r->state, json_get(v, "from"), &touch.from))
		return bad_entry(r, path);
	if (read_bool(r, v, "copied", &touch.copied) < 0 ||
	    read_bool(r, v, "multipart", &touch.multipart) < 0)
		return error_wrap(r->err, "entry \"%s\"", printable(r, path));
	if (touch.to_absent) {
		touch.path = copy(r->state, path);
	} else {
		if (read_entry(r, path, to, &e) < 0)
			return -1;
		touch.path = e.path;
		touch.id = e.id;
		touch.headers_id = e.headers_id;
		touch.to = e.etag;
	}
	state_touch_list_push(&r->state->journal.touches, touch);
	return 0;
}

static int read_commit(const struct json *v, struct oid *out, struct error *err)
{
	const char *hex = json_str(json_get(v, "commit"));

	if (!hex || !oid_from_hex(hex, out))
		return error_set(err, ERR_DATA, "a commit is not a 40-digit id");
	return 0;
}

static int read_lease(struct reader *r, const struct json *v)
{
	struct state_lease *lease = &r->state->lease;

	if (is_absent(v))
		return 0;
	if (read_string(r, v, "holder", &lease->holder) < 0 ||
	    read_int(r, v, "seconds", &lease->seconds) < 0)
		return error_wrap(r->err, "lease");
	if (!lease->holder || !json_get(v, "seconds"))
		return malformed(r, "lease");
	lease->is_set = true;
	return 0;
}

static int read_journal(struct reader *r, const struct json *v)
{
	struct state_journal *j = &r->state->journal;

	if (is_absent(v))
		return 0;
	if (read_commit(v, &j->commit, r->err) < 0 || read_run(r, v, &j->run) < 0 ||
	    read_bool(r, v, "everything", &j->everything) < 0 ||
	    read_strings(r, v, "distributions", &j->distributions) < 0 ||
	    read_strings(r, v, "references", &j->references) < 0)
		return error_wrap(r->err, "journal");
	if (json_type(json_get(v, "touches")) != JSON_OBJECT)
		return malformed(r, "journal: touches");
	j->is_set = true;
	if (json_each(json_get(v, "touches"), read_touch, r) < 0)
		return error_wrap(r->err, "journal");
	return 0;
}

static int read_deployed(struct reader *r, const struct json *v)
{
	struct state_deployed *d = &r->state->deployed;

	if (is_absent(v))
		return 0;
	if (read_commit(v, &d->commit, r->err) < 0 ||
	    read_string(r, v, "nonce", &d->nonce) < 0 || read_run(r, v, &d->run) < 0 ||
	    read_int(r, v, "at", &d->at_s) < 0)
		return error_wrap(r->err, "deployed");
	d->is_set = true;
	return 0;
}

static int compare_touches(const void *a, const void *b)
{
	return strcmp(((const struct state_touch *)a)->path,
		      ((const struct state_touch *)b)->path);
}

static int compare_retired(const void *a, const void *b)
{
	return strcmp(((const struct state_retired *)a)->entry.path,
		      ((const struct state_retired *)b)->entry.path);
}

static void sort_all(struct state *s)
{
	snapshot_sort(&s->objects);
	if (s->retired.len)
		qsort(s->retired.items, s->retired.len, sizeof(*s->retired.items),
		      compare_retired);
	if (s->journal.touches.len)
		qsort(s->journal.touches.items, s->journal.touches.len,
		      sizeof(*s->journal.touches.items), compare_touches);
	if (s->mutable_paths.len)
		qsort(s->mutable_paths.items, s->mutable_paths.len,
		      sizeof(*s->mutable_paths.items), str_compare_ptr);
}

static int read_paths(struct reader *r, const struct json *root)
{
	struct state *s = r->state;
	const struct json *retired = json_get(root, "retired");

	if (read_strings(r, root, "mutable", &s->mutable_paths) < 0)
		return -1;
	for (size_t i = 0; i < s->mutable_paths.len; i++)
		if (!state_path_is_sound(s->mutable_paths.items[i]))
			return malformed(r, "mutable");
	if (!is_absent(retired) && json_type(retired) != JSON_OBJECT)
		return malformed(r, "retired");
	if (json_each(json_get(root, "objects"), read_object, r) < 0)
		return -1;
	return json_each(retired, read_retired, r);
}

static int read_state(struct reader *r, const struct json *root)
{
	struct state *s = r->state;
	int64_t version = 0;

	json_int(json_get(root, "v"), &version);
	if (version > STATE_VERSION)
		return error_set(r->err, ERR_UNSUPPORTED,
				 "written by a later crc (format %" PRId64
				 "): use that version or a newer one",
				 version);
	if (read_string(r, root, "nonce", &s->nonce) < 0 ||
	    read_string(r, root, "prefix", &s->prefix) < 0)
		return -1;
	if (version != STATE_VERSION || !s->nonce || !s->prefix ||
	    json_type(json_get(root, "objects")) != JSON_OBJECT)
		return error_set(r->err, ERR_DATA, "not a crc state");
	if (read_lease(r, json_get(root, "lease")) < 0 ||
	    read_strings(r, root, "distributions", &s->distributions) < 0 ||
	    read_deployed(r, json_get(root, "deployed")) < 0 || read_paths(r, root) < 0 ||
	    read_journal(r, json_get(root, "journal")) < 0)
		return -1;
	sort_all(s);
	return 0;
}

int state_parse(struct state *s, const char *text, size_t n, struct error *err)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct reader r = { .state = s, .err = err };

	if (json_parse(text, n, &doc, err) < 0)
		return -1;
	return read_state(&r, json_root(doc));
}

/* Writing */

/* One that could not be read again (a weak one, or what a store makes up) is not known: no
 * condition could name it. */
static void put_etag(struct json_writer *w, const char *etag)
{
	size_t n = etag ? strlen(etag) : 0;

	if (n > 2 && etag[0] == '"' && etag[n - 1] == '"' &&
	    etag_is_sound(etag + 1, n - 2))
		json_put_strn(w, etag + 1, n - 2);
	else
		json_put_null(w);
}

static void put_headers_id(struct json_writer *w, uint64_t id)
{
	char hex[17];

	snprintf(hex, sizeof(hex), "%016" PRIx64, id);
	json_put_str(w, hex);
}

/* Leaves the array open, for what an entry of its kind adds. */
static void open_entry(struct json_writer *w, const struct oid *id, uint64_t headers_id,
		       const char *etag)
{
	char hex[OID_HEX_SIZE];

	json_open(w, '[');
	json_put_str(w, oid_hex(id, hex));
	put_headers_id(w, headers_id);
	put_etag(w, etag);
}

static void put_run(struct json_writer *w, const struct state_run *run)
{
	json_key(w, "run");
	if (!run->workflow) {
		json_put_null(w);
		return;
	}
	json_open(w, '{');
	json_member(w, "workflow", run->workflow);
	json_member_int(w, "id", run->id);
	json_member_int(w, "number", run->number);
	json_member_int(w, "attempt", run->attempt);
	json_close(w, '}');
}

static void put_strings(struct json_writer *w, const char *key,
			const struct str_list *list)
{
	json_key(w, key);
	json_open(w, '[');
	for (size_t i = 0; i < list->len; i++)
		json_put_str(w, list->items[i]);
	json_close(w, ']');
}

static void put_deployed(struct json_writer *w, const struct state_deployed *d)
{
	char hex[OID_HEX_SIZE];

	json_key(w, "deployed");
	if (!d->is_set) {
		json_put_null(w);
		return;
	}
	json_open(w, '{');
	json_member(w, "commit", oid_hex(&d->commit, hex));
	json_member(w, "nonce", d->nonce);
	put_run(w, &d->run);
	json_member_int(w, "at", d->at_s);
	json_close(w, '}');
}

static void put_touch(struct json_writer *w, const struct state_touch *t)
{
	json_key(w, t->path);
	json_open(w, '{');
	json_key(w, "from");
	put_etag(w, t->from);
	json_key(w, "to");
	if (t->to_absent) {
		json_put_null(w);
	} else {
		open_entry(w, &t->id, t->headers_id, t->to);
		json_close(w, ']');
	}
	if (t->copied)
		json_member_bool(w, "copied", true);
	if (t->multipart)
		json_member_bool(w, "multipart", true);
	json_close(w, '}');
}

static void put_journal(struct json_writer *w, const struct state_journal *j)
{
	char hex[OID_HEX_SIZE];

	json_key(w, "journal");
	if (!j->is_set) {
		json_put_null(w);
		return;
	}
	json_open(w, '{');
	json_member(w, "commit", oid_hex(&j->commit, hex));
	put_run(w, &j->run);
	put_strings(w, "distributions", &j->distributions);
	put_strings(w, "references", &j->references);
	json_member_bool(w, "everything", j->everything);
	json_key(w, "touches");
	json_open(w, '{');
	for (size_t i = 0; i < j->touches.len; i++)
		put_touch(w, &j->touches.items[i]);
	json_close(w, '}');
	json_close(w, '}');
}

static void put_objects(struct json_writer *w, const struct state *s)
{
	json_key(w, "objects");
	json_open(w, '{');
	for (size_t i = 0; i < s->objects.len; i++) {
		const struct entry *e = &s->objects.items[i];

		json_key(w, e->path);
		open_entry(w, &e->id, e->headers_id, e->etag);
		json_close(w, ']');
	}
	json_close(w, '}');
	json_key(w, "retired");
	json_open(w, '{');
	for (size_t i = 0; i < s->retired.len; i++) {
		const struct state_retired *r = &s->retired.items[i];

		json_key(w, r->entry.path);
		open_entry(w, &r->entry.id, r->entry.headers_id, r->entry.etag);
		json_put_int(w, r->since_s);
		json_close(w, ']');
	}
	json_close(w, '}');
}

void state_print(const struct state *s, struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);

	json_open(&w, '{');
	json_member_int(&w, "v", STATE_VERSION);
	json_member(&w, "nonce", s->nonce);
	json_key(&w, "lease");
	if (s->lease.is_set) {
		json_open(&w, '{');
		json_member(&w, "holder", s->lease.holder);
		json_member_int(&w, "seconds", s->lease.seconds);
		json_close(&w, '}');
	} else {
		json_put_null(&w);
	}
	put_deployed(&w, &s->deployed);
	json_member(&w, "prefix", s->prefix);
	put_strings(&w, "distributions", &s->distributions);
	put_strings(&w, "mutable", &s->mutable_paths);
	put_journal(&w, &s->journal);
	put_objects(&w, s);
	json_close(&w, '}');
}

/* Questions */

const struct state_touch *state_journal_find(const struct state_journal *j,
					     const char *path)
{
	struct state_touch key = { .path = path };

	if (!j->touches.len)
		return NULL;
	return bsearch(&key, j->touches.items, j->touches.len, sizeof(*j->touches.items),
		       compare_touches);
}

const struct state_retired *state_retired_find(const struct state *s, const char *path)
{
	struct state_retired key = { .entry.path = path };

	if (!s->retired.len)
		return NULL;
	return bsearch(&key, s->retired.items, s->retired.len, sizeof(*s->retired.items),
		       compare_retired);
}

bool state_has_distribution(const struct state *s, const char *id)
{
	for (size_t i = 0; i < s->distributions.len; i++)
		if (str_eq(s->distributions.items[i], id))
			return true;
	return false;
}

bool state_path_is_mutable(const struct state *s, const char *path)
{
	return s->mutable_paths.len &&
	       bsearch(&path, s->mutable_paths.items, s->mutable_paths.len,
		       sizeof(*s->mutable_paths.items), str_compare_ptr);
}

int64_t state_lease_wait_s(const struct state_lease *lease, int64_t now_s,
			   int64_t modified_s)
{
	int64_t seconds = lease->seconds;
	int64_t age_s = 0;

	if (!lease->is_set)
		return 0;
	/* A number from outside: nothing that crc writes is longer. */
	if (seconds < 0 || seconds > STATE_LEASE_S)
		seconds = STATE_LEASE_S;
	/* An age that is not known, or negative by clocks that differ, is none. */
	if (modified_s > 0 && now_s > modified_s)
		age_s = now_s - modified_s;
	seconds += STATE_LEASE_GRACE_S;
	return age_s < seconds ? seconds - age_s : 0;
}

bool state_lease_is_dead(const struct state_lease *lease, int64_t now_s,
			 int64_t modified_s)
{
	return state_lease_wait_s(lease, now_s, modified_s) == 0;
}

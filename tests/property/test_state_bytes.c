#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/state.h"

#include "cases.h"

/* Random states: what is written is read again, to the byte. Random bytes: whatever happened
 * to a state, it is refused, or read as something that can be written. */

enum { STATES = 3000 };

static const char *const parts[] = {
	"a",         "index.html", "\xC3\xA9", "q\"uote", "b\\s",
	"new\nline", "\x01",       "*",        ".x",      "\xF0\x9F\x9A\x80",
	"</script>", "\x7F",       " ",        "...",     "assets"
};
static const char *const texts[] = {
	"",   "E1A2B3C4D5E6F7", "w.yml@refs/heads/main", "\"", "\xE2\x80\xA8",
	"\t", "crc-7f0c3f63"
};

#define PICK(seed, array) (array)[below(seed, sizeof(array) / sizeof(*(array)))]

static struct oid random_oid(uint64_t *seed)
{
	struct oid id;

	for (size_t i = 0; i < sizeof(id.bytes); i++)
		id.bytes[i] = (unsigned char)below(seed, 256);
	return id;
}

static int64_t random_int(uint64_t *seed)
{
	static const int64_t some[] = { 0, 1, -1, INT64_MAX, INT64_MIN, 1795572755 };

	return PICK(seed, some);
}

static uint64_t random_headers(uint64_t *seed)
{
	return below(seed, 3) ? *seed : 0;
}

static const char *random_etag(uint64_t *seed, struct arena *arena)
{
	if (!below(seed, 4))
		return NULL;
	return arena_printf(arena, "\"%08x-%u\"", below(seed, UINT32_MAX),
			    below(seed, 9));
}

/* Ends in the number, so that no two are the same, and that they are not sorted by it. */
static const char *random_path(uint64_t *seed, struct arena *arena, unsigned number)
{
	CLEANUP(buf) struct buf path = BUF_INIT(1024);
	unsigned depth = below(seed, 4);

	for (unsigned i = 0; i < depth; i++)
		buf_printf(&path, "%s/", PICK(seed, parts));
	return arena_printf(arena, "%s%s%u", path.data, PICK(seed, parts), number);
}

static struct state_run random_run(uint64_t *seed)
{
	if (!below(seed, 3))
		return (struct state_run){ .workflow = NULL };
	return (struct state_run){ PICK(seed, texts), random_int(seed), random_int(seed),
				   random_int(seed) };
}

static struct entry random_entry(uint64_t *seed, struct arena *arena, unsigned number)
{
	return (struct entry){ random_path(seed, arena, number), random_oid(seed),
			       random_headers(seed), random_etag(seed, arena) };
}

static void random_texts(uint64_t *seed, struct str_list *out)
{
	for (unsigned n = below(seed, 4); n > 0; n--)
		str_list_push(out, PICK(seed, texts));
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

static void random_journal(uint64_t *seed, struct state *s)
{
	struct state_journal *j = &s->journal;

	j->is_set = true;
	j->commit = random_oid(seed);
	j->run = random_run(seed);
	j->everything = below(seed, 2);
	random_texts(seed, &j->distributions);
	random_texts(seed, &j->references);
	for (unsigned n = below(seed, 20); n > 0; n--) {
		struct entry e = random_entry(seed, &s->arena, n);
		struct state_touch t = { .path = e.path,
					 .from = random_etag(seed, &s->arena),
					 .to_absent = below(seed, 3) == 0,
					 .copied = below(seed, 2),
					 .multipart = below(seed, 2) };

		if (!t.to_absent) {
			t.id = e.id;
			t.headers_id = e.headers_id;
			t.to = e.etag;
		}
		state_touch_list_push(&j->touches, t);
	}
	if (j->touches.len)
		qsort(j->touches.items, j->touches.len, sizeof(*j->touches.items),
		      compare_touches);
}

static void random_lists(uint64_t *seed, struct state *s)
{
	random_texts(seed, &s->distributions);
	for (unsigned n = below(seed, 20); n > 0; n--)
		snapshot_push(&s->objects, random_entry(seed, &s->arena, n));
	snapshot_sort(&s->objects);
	for (unsigned n = below(seed, 5); n > 0; n--)
		state_retired_list_push(
			&s->retired,
			(struct state_retired){ random_entry(seed, &s->arena, n),
						random_int(seed) });
	if (s->retired.len)
		qsort(s->retired.items, s->retired.len, sizeof(*s->retired.items),
		      compare_retired);
	for (unsigned n = below(seed, 4); n > 0; n--)
		str_list_push(&s->mutable_paths, random_path(seed, &s->arena, n));
	if (s->mutable_paths.len)
		qsort(s->mutable_paths.items, s->mutable_paths.len,
		      sizeof(*s->mutable_paths.items), str_compare_ptr);
}

static void random_state(uint64_t *seed, struct state *s)
{
	s->nonce = PICK(seed, texts);
	s->prefix = PICK(seed, texts);
	if (below(seed, 2))
		s->lease = (struct state_lease){ true, PICK(seed, texts),
						 random_int(seed) };
	if (below(seed, 3))
		s->deployed = (struct state_deployed){
			true, random_oid(seed), below(seed, 4) ? PICK(seed, texts) : NULL,
			random_run(seed), random_int(seed)
		};
	random_lists(seed, s);
	if (below(seed, 2))
		random_journal(seed, s);
}

/* Printed, parsed and printed again: the same. */
static void assert_round_trip(const struct state *s, struct buf *text)
{
	CLEANUP(state) struct state again = STATE_INIT;
	CLEANUP(buf) struct buf second = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;

	buf_clear(text);
	state_print(s, text);
	if (state_parse(&again, text->data, text->len, &err) < 0)
		fail_msg("%s\n%s", err.msg, text->data);
	state_print(&again, &second);
	assert_string_equal(second.data, text->data);
	assert_int_equal(again.objects.len, s->objects.len);
	assert_int_equal(again.retired.len, s->retired.len);
	assert_int_equal(again.journal.touches.len, s->journal.touches.len);
	for (size_t i = 0; i < s->journal.touches.len; i++) {
		const struct state_touch *t = &s->journal.touches.items[i];
		const struct state_touch *found = state_journal_find(&again.journal,
								     t->path);

		assert_non_null(found);
		assert_true(str_eq(found->from, t->from) && str_eq(found->to, t->to));
		assert_int_equal(found->to_absent, t->to_absent);
	}
}

static void mutate(uint64_t *seed, struct buf *text)
{
	static const char bytes[] =
		"\"\\{}[]:,0123456789abcdefnulltruefalse/.\xC3\xA9\x01";
	unsigned at = below(seed, (unsigned)text->len);
	unsigned n = 1 + below(seed, 8);

	switch (below(seed, 3)) {
	case 0:
		buf_truncate(text, at);
		break;
	case 1: /* a piece taken out */
		if (at + n > text->len)
			n = (unsigned)text->len - at;
		memmove(text->data + at, text->data + at + n, text->len - at - n);
		buf_truncate(text, text->len - n);
		break;
	default:
		text->data[at] = bytes[below(seed, sizeof(bytes) - 1)];
	}
}

static void parse_mutated(const struct buf *text, unsigned *taken)
{
	CLEANUP(state) struct state s = STATE_INIT;
	CLEANUP(buf) struct buf printed = BUF_INIT(1 << 20);
	char *copy = xmemdup(text->data, text->len ? text->len : 1);
	struct error err = ERROR_INIT;

	if (state_parse(&s, copy, text->len, &err) == 0) {
		++*taken;
		assert_round_trip(&s, &printed);
	} else {
		assert_true(err.code == ERR_DATA || err.code == ERR_UNSUPPORTED);
	}
	free(copy);
}

static void test_state__round_trips_and_mutations(void **state)
{
	unsigned n = cases_count(STATES);
	uint64_t seed = CASES_SEED;
	unsigned taken = 0;

	(void)state;
	for (unsigned i = 0; i < n; i++) {
		CLEANUP(state) struct state s = STATE_INIT;
		CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
		unsigned edits = 1 + below(&seed, 3);

		random_state(&seed, &s);
		assert_round_trip(&s, &text);
		for (unsigned k = 0; k < edits && text.len; k++)
			mutate(&seed, &text);
		parse_mutated(&text, &taken);
	}
	/* Some edits make another state, and many must not. */
	assert_true(n < 50 || (taken > 0 && taken < n / 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state__round_trips_and_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Whatever is accepted can be written and read again, and be found. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_etag(const char *etag)
{
	assert(!etag || (strlen(etag) > 2 && !strpbrk(etag, "\r\n")));
}

static void check_entry(const struct entry *e)
{
	assert(state_path_is_sound(e->path));
	check_etag(e->etag);
}

static void check_found(const struct state *s)
{
	for (size_t i = 0; i < s->objects.len; i++) {
		const struct entry *e = &s->objects.items[i];

		check_entry(e);
		assert(snapshot_find(&s->objects, e->path) == e);
	}
	for (size_t i = 0; i < s->retired.len; i++) {
		const struct state_retired *r = &s->retired.items[i];

		check_entry(&r->entry);
		assert(state_retired_find(s, r->entry.path) == r);
	}
	for (size_t i = 0; i < s->journal.touches.len; i++) {
		const struct state_touch *t = &s->journal.touches.items[i];

		assert(state_path_is_sound(t->path));
		assert(state_journal_find(&s->journal, t->path) == t);
		check_etag(t->from);
		check_etag(t->to);
	}
	for (size_t i = 0; i < s->mutable_paths.len; i++)
		assert(state_path_is_mutable(s, s->mutable_paths.items[i]));
}

static void check_printed(const struct state *s)
{
	CLEANUP(state) struct state again = STATE_INIT;
	CLEANUP(buf) struct buf first = BUF_INIT(SIZE_MAX);
	CLEANUP(buf) struct buf second = BUF_INIT(SIZE_MAX);
	struct error err = ERROR_INIT;

	state_print(s, &first);
	assert(state_parse(&again, first.data, first.len, &err) == 0);
	state_print(&again, &second);
	assert(first.len == second.len &&
	       memcmp(first.data, second.data, first.len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(state) struct state s = STATE_INIT;
	struct error err = ERROR_INIT;

	if (state_parse(&s, (const char *)data, size, &err) < 0) {
		assert(err.code == ERR_DATA || err.code == ERR_UNSUPPORTED);
		for (const char *c = err.msg; *c; c++)
			assert((unsigned char)*c >= 0x20 && *c != 0x7F);
		return 0;
	}
	assert(s.nonce && s.prefix);
	assert(state_lease_wait_s(&s.lease, 1000, 999) <=
	       STATE_LEASE_S + STATE_LEASE_GRACE_S);
	check_found(&s);
	check_printed(&s);
	return 0;
}

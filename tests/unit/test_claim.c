#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "aws_fixture.h"
#include "codec/gzip.h"
#include "fake/fake_store.h"
#include "run/claim.h"

#define KEY "site/" STATE_KEY

/* Two deploys that see one store, each with a client of its own. */
struct fixture {
	struct aws_fixture aws;
	struct fake_store store;
	struct claim_read read;
	struct claim claim;
	struct claim_read other_read;
	struct claim other;
};

static int setup(void **state)
{
	static const char *const env[] = { "AWS_ENDPOINT_URL=" FAKE_STORE_URL, NULL };
	struct fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start_env(&f->aws, env, 0);
	fake_store_init(&f->store, &f->aws.fake, "bucket");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	claim_release(&f->claim);
	claim_release(&f->other);
	claim_read_release(&f->read);
	claim_read_release(&f->other_read);
	fake_store_release(&f->store);
	aws_fixture_end(&f->aws);
	free(f);
	return 0;
}

static int read_state(struct fixture *f, struct claim_read *out)
{
	CLEANUP(aws_call) struct aws_call call = AWS_CALL_INIT;

	claim_read_release(out);
	error_clear(&f->aws.err);
	claim_read_request(&call.request, "bucket", "site/");
	(void)aws_send(f->aws.aws, &call.request, &call.response, &call.err);
	return claim_read_result(&call, out, &f->aws.err);
}

/* Reads, and prepares a claim of what was read. */
static void prepare(struct fixture *f, struct claim *c, struct claim_read *read)
{
	assert_int_equal(read_state(f, read), 0);
	claim_release(c);
	claim_init(c, f->aws.aws, "bucket", "site/");
	if (read->exists) {
		c->next = read->state;
		c->next.arena = (struct arena)ARENA_INIT;
		c->etag = read->etag;
	}
	c->next.prefix = "site/";
	c->next.journal = (struct state_journal){ .is_set = true };
	memset(&c->next.journal.commit, 0x11, sizeof(c->next.journal.commit));
}

static void lock(struct fixture *f, struct claim *c, struct claim_read *read)
{
	prepare(f, c, read);
	if (claim_take(c, &f->aws.err) < 0)
		fail_msg("%s", f->aws.err.msg);
	assert_true(c->held);
}

static int commit(struct fixture *f, struct claim *c)
{
	struct state after = c->next;

	after.deployed = (struct state_deployed){ .is_set = true, .at_s = 5 };
	memset(&after.deployed.commit, 0x22, sizeof(after.deployed.commit));
	return claim_commit(c, &after, &f->aws.err);
}

static void assert_stored(struct fixture *f, bool lease, bool journal, bool deployed)
{
	struct claim_read now = { .exists = false };

	assert_int_equal(read_state(f, &now), 0);
	assert_true(now.exists);
	assert_int_equal(now.state.lease.is_set, lease);
	assert_int_equal(now.state.journal.is_set, journal);
	assert_int_equal(now.state.deployed.is_set, deployed);
	claim_read_release(&now);
}

static void fault(struct fixture *f, size_t nth, enum fake_fault kind)
{
	f->store.fault_at = f->store.requests + nth;
	f->store.fault = kind;
}

static void pass_s(struct fixture *f, int64_t s)
{
	f->aws.clock.now_ms += s * 1000;
}

/* ---- the life of a claim ---- */

static void test_claim__a_whole_life(void **state)
{
	struct fixture *f = *state;
	char nonce[CLAIM_NONCE_SIZE];

	prepare(f, &f->claim, &f->read);
	assert_false(f->read.exists);
	assert_int_equal(claim_take(&f->claim, &f->aws.err), 0);
	/* Read, create, and a second "create" that must be refused. */
	assert_int_equal(f->store.requests, 3);
	assert_seen_header(aws_fixture_seen(&f->aws, 1), "If-None-Match", "*");
	assert_seen_header(aws_fixture_seen(&f->aws, 1), "Content-Encoding", "gzip");
	assert_seen_header(aws_fixture_seen(&f->aws, 1), "Cache-Control", "no-store");
	assert_seen_header(aws_fixture_seen(&f->aws, 2), "If-None-Match", "*");
	assert_true(f->claim.held);
	assert_false(f->claim.unfenced);
	assert_stored(f, true, true, false);
	snprintf(nonce, sizeof(nonce), "%s", f->claim.nonce);
	assert_int_equal(claim_renew(&f->claim, &f->aws.err), 0);
	assert_true(strcmp(nonce, f->claim.nonce) != 0);
	assert_stored(f, true, true, false);
	assert_int_equal(commit(f, &f->claim), 0);
	assert_false(f->claim.held);
	assert_stored(f, false, false, true);
	/* There is nothing left to give up. */
	f->store.requests = 0;
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	assert_int_equal(f->store.requests, 0);
	/* The second time nothing is probed. */
	prepare(f, &f->claim, &f->read);
	f->store.requests = 0;
	assert_int_equal(claim_take(&f->claim, &f->aws.err), 0);
	assert_int_equal(f->store.requests, 1);
	assert_seen_header(aws_fixture_seen(&f->aws, f->aws.fake.seen.len - 1),
			   "If-Match", f->read.etag);
	assert_stored(f, true, true, true);
}

static void test_claim__dropping_keeps_the_journal(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->claim, &f->read);
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	assert_false(f->claim.held);
	assert_stored(f, false, true, false);
}

static void test_claim__dropping_does_not_take_long(void **state)
{
	struct fixture *f = *state;
	int64_t before_ms;

	lock(f, &f->claim, &f->read);
	before_ms = f->aws.clock.now_ms;
	fake_http_expect(&f->aws.fake, "PUT", NULL, 200, NULL, NULL)->reply.latency_ms =
		60000;
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), -1);
	assert_true(f->aws.clock.now_ms - before_ms <= 5000);
}

static void test_claim__every_write_changes_the_etag(void **state)
{
	struct fixture *f = *state;
	char etags[5][64];

	lock(f, &f->claim, &f->read);
	for (int i = 0; i < 5; i++) {
		snprintf(etags[i], sizeof(etags[i]), "%s", f->claim.etag);
		for (int j = 0; j < i; j++)
			assert_true(strcmp(etags[i], etags[j]) != 0);
		assert_int_equal(claim_renew(&f->claim, &f->aws.err), 0);
	}
}

static void test_claim__lease_times(void **state)
{
	struct fixture *f = *state;

	f->aws.fake.latency_ms = 1000;
	prepare(f, &f->claim, &f->read);
	assert_false(claim_is_due(&f->claim));
	assert_int_equal(claim_take(&f->claim, &f->aws.err), 0);
	/* Counted from before the write was sent: the store's clock began later. */
	assert_int_equal(claim_deadline_ms(&f->claim), FIXTURE_MS + 1000 + 120000 - 5000);
	f->aws.clock.now_ms = f->claim.taken_ms + CLAIM_RENEW_AFTER_MS - 1;
	assert_false(claim_is_due(&f->claim));
	f->aws.clock.now_ms++;
	assert_true(claim_is_due(&f->claim));
	assert_int_equal(claim_renew(&f->claim, &f->aws.err), 0);
	assert_false(claim_is_due(&f->claim));
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	pass_s(f, 1000);
	assert_false(claim_is_due(&f->claim));
}

/* ---- others ---- */

static void test_claim__one_of_two_is_faster(void **state)
{
	struct fixture *f = *state;

	for (int round = 0; round < 2; round++) {
		prepare(f, &f->claim, &f->read);
		lock(f, &f->other, &f->other_read);
		assert_int_equal(claim_take(&f->claim, &f->aws.err), -1);
		assert_int_equal(f->aws.err.code, ERR_CONDITION);
		assert_false(f->claim.held);
		/* The next round is about a state that is there. */
		assert_int_equal(commit(f, &f->other), 0);
	}
}

static void test_claim__a_lease_is_waited_for_and_taken_over(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->other, &f->other_read);
	assert_int_equal(read_state(f, &f->read), 0);
	assert_int_equal(f->read.wait_s, STATE_LEASE_S + STATE_LEASE_GRACE_S);
	pass_s(f, 100);
	assert_int_equal(read_state(f, &f->read), 0);
	assert_int_equal(f->read.wait_s, 80);
	pass_s(f, 80);
	lock(f, &f->claim, &f->read);
	assert_int_equal(f->read.wait_s, 0);
	assert_true(f->read.state.journal.is_set);
	/* The other one, awake again, finds out whatever it tries first. */
	assert_int_equal(claim_renew(&f->other, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_CONDITION);
	assert_false(f->other.held);
	assert_int_equal(claim_drop(&f->other, &f->aws.err), 0);
	assert_stored(f, true, true, false);
}

static void test_claim__a_commit_after_a_takeover_fails(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->other, &f->other_read);
	pass_s(f, STATE_LEASE_S + STATE_LEASE_GRACE_S);
	lock(f, &f->claim, &f->read);
	assert_int_equal(commit(f, &f->other), -1);
	assert_int_equal(f->aws.err.code, ERR_CONDITION);
	/* And touches nothing more. */
	assert_false(f->other.held);
	assert_stored(f, true, true, false);
	assert_int_equal(commit(f, &f->claim), 0);
}

static void test_claim__the_state_was_deleted(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->claim, &f->read);
	fake_store_remove(&f->store, KEY);
	assert_int_equal(claim_renew(&f->claim, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_CONDITION);
	assert_false(f->claim.held);
}

static void test_claim__no_bucket(void **state)
{
	struct fixture *f = *state;

	prepare(f, &f->claim, &f->read);
	f->store.bucket = "another";
	f->store.requests = 0;
	assert_int_equal(claim_take(&f->claim, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_NOT_FOUND);
	assert_int_equal(f->store.requests, 1); /* there is nothing to look at */
	assert_non_null(strstr(f->aws.err.msg, "bucket"));
	/* Reading tells the same, and does not take it for a first deploy. */
	assert_int_equal(read_state(f, &f->read), -1);
	assert_int_equal(f->aws.err.code, ERR_NOT_FOUND);
}

/* ---- lost answers ---- */

static void assert_knows_the_etag(struct fixture *f)
{
	assert_true(f->claim.held);
	assert_string_equal(f->claim.etag, fake_store_find(&f->store, KEY)->etag);
}

static void test_claim__a_lost_answer_to_each_write(void **state)
{
	struct fixture *f = *state;

	/* Written, not answered, sent again, refused: and our nonce is there. */
	prepare(f, &f->claim, &f->read);
	fault(f, 1, FAKE_LOST);
	assert_int_equal(claim_take(&f->claim, &f->aws.err), 0);
	assert_knows_the_etag(f);
	assert_false(f->claim.unfenced);
	fault(f, 1, FAKE_LOST);
	assert_int_equal(claim_renew(&f->claim, &f->aws.err), 0);
	assert_knows_the_etag(f);
	fault(f, 1, FAKE_LOST);
	assert_int_equal(commit(f, &f->claim), 0);
	assert_stored(f, false, false, true);
	lock(f, &f->claim, &f->read);
	fault(f, 1, FAKE_LOST);
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	assert_stored(f, false, true, true);
}

/* Between our write and its second attempt somebody has gone on from what we wrote. */
static void go_on(struct fake_store *s, const struct fake_seen *seen)
{
	struct fixture *f = s->before_ctx;

	(void)seen;
	if (s->requests != s->fault_at)
		return;
	s->before = NULL;
	lock(f, &f->other, &f->other_read);
}

static void test_claim__a_commit_whose_answer_was_lost_before_others_came(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->claim, &f->read);
	fault(f, 1, FAKE_LOST);
	f->store.before = go_on;
	f->store.before_ctx = f;
	if (commit(f, &f->claim) < 0)
		fail_msg("%s", f->aws.err.msg);
	assert_false(f->claim.held);
	/* Theirs is untouched. */
	assert_true(f->other.held);
	assert_int_equal(claim_renew(&f->other, &f->aws.err), 0);
}

static void test_claim__a_renewal_whose_answer_was_lost_before_others_came(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->claim, &f->read);
	fault(f, 1, FAKE_LOST);
	f->store.before = go_on;
	f->store.before_ctx = f;
	assert_int_equal(claim_renew(&f->claim, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_CONDITION);
}

/* No attempt is answered, though each may have got through. */
static void lose_all_answers(struct fake_store *s, const struct fake_seen *seen)
{
	if (str_eq(seen->method, "PUT")) {
		s->fault_at = s->requests + 1;
		s->fault = FAKE_LOST;
	}
}

static void test_claim__what_nobody_answered_is_given_up(void **state)
{
	struct fixture *f = *state;

	prepare(f, &f->claim, &f->read);
	f->store.before = lose_all_answers;
	assert_int_equal(claim_take(&f->claim, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_NETWORK);
	assert_false(f->claim.held);
	f->store.before = NULL;
	assert_stored(f, true, true, false);
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	assert_stored(f, false, true, false);
	/* Once is enough, and where nothing was begun nothing is sent. */
	f->store.requests = 0;
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	claim_release(&f->other);
	assert_int_equal(claim_drop(&f->other, &f->aws.err), 0);
	assert_int_equal(f->store.requests, 0);
}

static void test_claim__a_commit_that_nobody_answered_stays(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->claim, &f->read);
	f->store.before = lose_all_answers;
	assert_int_equal(commit(f, &f->claim), -1);
	assert_int_equal(f->aws.err.code, ERR_NETWORK);
	f->store.before = NULL;
	assert_stored(f, false, false, true);
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	assert_stored(f, false, false, true);
}

/* Refused, and then it cannot be looked at: that is another error, and the claim may hold. */
static void test_claim__refused_and_unsure(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->claim, &f->read);
	fake_http_expect(&f->aws.fake, "PUT", NULL, 412, NULL,
			 "<Error><Code>PreconditionFailed</Code></Error>");
	fake_http_expect(&f->aws.fake, "GET", NULL, 403, NULL,
			 "<Error><Code>AccessDenied</Code></Error>");
	assert_int_equal(commit(f, &f->claim), -1);
	assert_int_equal(f->aws.err.code, ERR_FORBIDDEN);
	assert_true(f->claim.held);
	assert_true(f->claim.next.journal.is_set);
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	assert_stored(f, false, true, false);
}

static void test_claim__a_commit_that_failed_can_be_dropped(void **state)
{
	struct fixture *f = *state;

	lock(f, &f->claim, &f->read);
	fault(f, 1, FAKE_403);
	assert_int_equal(commit(f, &f->claim), -1);
	assert_true(f->claim.held);
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	/* Not recorded by the back door: the report says that it failed. */
	assert_stored(f, false, true, false);
}

/* ---- stores that are not S3 ---- */

static void test_claim__a_store_that_ignores_conditions(void **state)
{
	struct fixture *f = *state;

	f->store.unfenced = true;
	lock(f, &f->claim, &f->read);
	assert_true(f->claim.unfenced);
	/* What the probe wrote is a claim like any other. */
	assert_stored(f, true, true, false);
	assert_int_equal(claim_renew(&f->claim, &f->aws.err), 0);
	assert_int_equal(commit(f, &f->claim), 0);
	assert_stored(f, false, false, true);
}

static void test_claim__a_store_without_etags(void **state)
{
	struct fixture *f = *state;

	f->store.without_etag = true;
	prepare(f, &f->claim, &f->read);
	assert_int_equal(claim_take(&f->claim, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_SERVICE);
	assert_non_null(strstr(f->aws.err.msg, "ETag"));
}

static void test_claim__a_probe_that_fails(void **state)
{
	struct fixture *f = *state;

	prepare(f, &f->claim, &f->read);
	fault(f, 2, FAKE_403);
	assert_int_equal(claim_take(&f->claim, &f->aws.err), -1);
	assert_int_equal(f->aws.err.code, ERR_FORBIDDEN);
	/* It was written: whoever gives up gives it up. */
	assert_true(f->claim.held);
	assert_int_equal(claim_drop(&f->claim, &f->aws.err), 0);
	assert_stored(f, false, true, false);
}

/* ---- reading ---- */

static void test_claim__packed_and_plain(void **state)
{
	static const char plain[] = "{\"v\":1,\"nonce\":\"n\",\"prefix\":\"site/\","
				    "\"objects\":{\"a\":[\"1111111111111111111111111111"
				    "111111111111\",\"0000000000000001\",\"e\"]}}";
	CLEANUP(buf) struct buf packed = BUF_INIT(65536);
	struct fixture *f = *state;

	gzip_compress(plain, strlen(plain), &packed);
	for (int i = 0; i < 2; i++) {
		const char *etag = fake_store_put(&f->store, KEY, i ? packed.data : plain,
						  i ? packed.len : strlen(plain))
					   ->etag;

		if (read_state(f, &f->read) < 0)
			fail_msg("%s", f->aws.err.msg);
		assert_true(f->read.exists);
		assert_string_equal(f->read.etag, etag);
		assert_string_equal(f->read.state.objects.items[0].path, "a");
		assert_int_equal(f->read.wait_s, 0);
	}
}

static void test_claim__hostile_states(void **state)
{
	static const struct {
		const char *name, *text;
		size_t n; /* 0: up to the NUL */
		enum error_code code;
		bool delete_it;
	} cases[] = {
		{ "empty", "", 0, ERR_DATA, true },
		{ "not JSON", "<html>", 0, ERR_DATA, true },
		{ "cut short", "{\"v\":1,\"nonce\":\"n\"", 0, ERR_DATA, true },
		{ "not ours", "{\"v\":1}", 0, ERR_DATA, true },
		{ "half a gzip", "\x1f\x8b\x08\x00\x00", 5, ERR_DATA, true },
		{ "no gzip", "\x1f\x8b\x08 and then something else", 0, ERR_DATA, true },
		{ "a path outside",
		  "{\"v\":1,\"nonce\":\"n\",\"prefix\":\"\",\"objects\":{\"/etc\":[]}}",
		  0, ERR_DATA, true },
		{ "our own key",
		  "{\"v\":1,\"nonce\":\"n\",\"prefix\":\"\",\"objects\":{\".crc/x\":[]}}",
		  0, ERR_DATA, true },
		{ "of a later crc", "{\"v\":2}", 0, ERR_UNSUPPORTED, false },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		size_t n = cases[i].n ? cases[i].n : strlen(cases[i].text);

		fake_store_put(&f->store, KEY, cases[i].text, n);
		if (read_state(f, &f->read) == 0 || f->aws.err.code != cases[i].code ||
		    !strstr(f->aws.err.msg, "state s3://bucket/" KEY) ||
		    (strstr(f->aws.err.msg, "delete it") != NULL) != cases[i].delete_it)
			fail_msg("%s: %s", cases[i].name, f->aws.err.msg);
		assert_false(f->read.exists);
	}
}

static void test_claim__a_small_object_that_unpacks_to_a_huge_one(void **state)
{
	CLEANUP(buf) struct buf zeros = BUF_INIT(SIZE_MAX / 2);
	CLEANUP(buf) struct buf packed = BUF_INIT(SIZE_MAX / 2);
	struct fixture *f = *state;

	/* Far under the cap on states, to be fast; JSON's own limits end it. */
	assert_true(buf_reserve(&zeros, 32 << 20));
	memset(zeros.data, '[', 32 << 20);
	zeros.len = 32 << 20;
	gzip_compress(zeros.data, zeros.len, &packed);
	fake_store_put(&f->store, KEY, packed.data, packed.len);
	assert_int_equal(read_state(f, &f->read), -1);
	assert_false(f->read.exists);
}

#define STATE_WITH_LEASE                                                \
	"{\"v\":1,\"nonce\":\"n\",\"prefix\":\"site/\",\"objects\":{}," \
	"\"lease\":{\"holder\":\"n\",\"seconds\":120}}"

static void test_claim__clocks_of_stores(void **state)
{
	static const struct {
		const char *name, *headers;
		int64_t wait_s; /* -1: an error */
	} cases[] = {
		{ "both",
		  "ETag: \"e\"\nDate: Thu, 28 May 2026 20:26:40 GMT\n"
		  "Last-Modified: Thu, 28 May 2026 20:26:00 GMT",
		  140 },
		/* Years from ours: it does not matter. */
		{ "another year",
		  "ETag: \"e\"\nDate: Wed, 01 Jan 2020 00:03:00 GMT\n"
		  "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT",
		  0 },
		{ "dead by a second",
		  "ETag: \"e\"\nDate: Wed, 01 Jan 2020 00:02:59 GMT\n"
		  "Last-Modified: Wed, 01 Jan 2020 00:00:00 GMT",
		  1 },
		{ "no Date", "ETag: \"e\"\nLast-Modified: Thu, 28 May 2026 20:26:00 GMT",
		  180 },
		{ "no Last-Modified", "ETag: \"e\"\nDate: Thu, 28 May 2026 20:26:40 GMT",
		  180 },
		{ "no date at all", "ETag: \"e\"\nDate: today\nLast-Modified: now", 180 },
		{ "no ETag", "Date: Thu, 28 May 2026 20:26:40 GMT", -1 },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int result;

		fake_http_expect(&f->aws.fake, "GET", "/bucket/" KEY, 200,
				 cases[i].headers, STATE_WITH_LEASE);
		result = read_state(f, &f->read);
		if ((result < 0) != (cases[i].wait_s < 0) ||
		    (result == 0 && f->read.wait_s != cases[i].wait_s))
			fail_msg("%s: %d %lld", cases[i].name, result,
				 (long long)f->read.wait_s);
	}
}

static void test_claim__a_reading_that_may_be_torn(void **state)
{
	static const struct {
		int64_t written_ms;
		int64_t asked_ms;
		bool torn;
	} cases[] = {
		{ 90000, 100000, false }, /* an old state */
		{ 97999, 100000, false },
		{ 98000, 100000, true }, /* within the margin */
		{ 100000, 100000, true },
		{ 160000, 100000, true }, /* a deploy has ended since */
		{ 0, 100000, true },      /* the store tells no time */
		{ 100000, 0, true },      /* AWS tells none */
		{ 0, 0, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (claim_read_may_be_since(cases[i].written_ms, cases[i].asked_ms) !=
		    cases[i].torn)
			fail_msg("case %zu", i);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_claim__##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_whole_life),
		TEST(dropping_keeps_the_journal),
		TEST(dropping_does_not_take_long),
		TEST(every_write_changes_the_etag),
		TEST(lease_times),
		TEST(one_of_two_is_faster),
		TEST(a_lease_is_waited_for_and_taken_over),
		TEST(a_commit_after_a_takeover_fails),
		TEST(the_state_was_deleted),
		TEST(no_bucket),
		TEST(a_lost_answer_to_each_write),
		TEST(a_commit_whose_answer_was_lost_before_others_came),
		TEST(a_renewal_whose_answer_was_lost_before_others_came),
		TEST(what_nobody_answered_is_given_up),
		TEST(a_commit_that_nobody_answered_stays),
		TEST(refused_and_unsure),
		TEST(a_commit_that_failed_can_be_dropped),
		TEST(a_store_that_ignores_conditions),
		TEST(a_store_without_etags),
		TEST(a_probe_that_fails),
		TEST(packed_and_plain),
		TEST(hostile_states),
		TEST(a_small_object_that_unpacks_to_a_huge_one),
		TEST(clocks_of_stores),
		TEST(a_reading_that_may_be_torn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "daemon/queue_store.h"

#include "queue_fixture.h"

/* The queue's rules, against each store. */

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define C "cccccccccccccccccccccccccccccccccccccccc"

enum { LEASE = 1000 };

static const char *const sites[] = { "one", "two", "three", NULL };

static enum queue_put_result put_as(struct queue_fixture *f, struct queue_put p)
{
	enum queue_put_result result;

	p.before = p.before ? p.before : "";
	p.commit = p.commit ? p.commit : "";
	p.delivery = p.delivery ? p.delivery : "";
	if (queue_put(f->q, &p, &result, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	return result;
}

static enum queue_put_result put(struct queue_fixture *f, const char *site,
				 const char *delivery)
{
	return put_as(
		f, (struct queue_put){ .site = site, .delivery = delivery, .now_ms = 5 });
}

static int claim_at(struct queue_fixture *f, int64_t now_ms, struct job *job,
		    int64_t *next_ms)
{
	struct queue_claim c = { sites, now_ms, LEASE };
	int rc = queue_claim(f->q, &c, job, next_ms, &f->err);

	if (rc < 0 && f->err.code != ERR_NOT_FOUND)
		fail_msg("%s", f->err.msg);
	return rc;
}

static struct job claim(struct queue_fixture *f, int64_t now_ms)
{
	struct job job = { .id = 0 };
	int64_t next_ms;

	claim_at(f, now_ms, &job, &next_ms);
	return job;
}

static int end_as(struct queue_fixture *f, const struct job *job, struct queue_end end)
{
	end.deployed = end.deployed ? end.deployed : "";
	end.message = end.message ? end.message : "";
	return queue_end(f->q, job, &end, &f->err);
}

static void end(struct queue_fixture *f, const struct job *job, enum job_state state)
{
	struct queue_end e = { .state = state,
			       .now_ms = 20,
			       .deployed = state == JOB_DONE ? job->commit : "" };

	if (end_as(f, job, e) < 0)
		fail_msg("%s", f->err.msg);
}

static struct job get(struct queue_fixture *f, int64_t id)
{
	struct job job;

	if (queue_job(f->q, id, &job, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	return job;
}

static void assert_state(struct queue_fixture *f, int64_t id, const char *state)
{
	assert_string_equal(job_state_name(get(f, id).state), state);
}

static void test_put__what_is_told_is_kept(void **state)
{
	struct queue_fixture *f = *state;
	struct job job;

	put_as(f, (struct queue_put){ .site = "one",
				      .cause = CAUSE_ROLLBACK,
				      .delivery = "d-1",
				      .before = A,
				      .commit = B,
				      .now_ms = 7 });
	job = claim(f, 8);
	assert_string_equal(job.site, "one");
	assert_string_equal(job_cause_name(job.cause), "rollback");
	assert_string_equal(job.delivery, "d-1");
	assert_string_equal(job.before, A);
	assert_string_equal(job.commit, B);
	assert_string_equal(job.owner, "me");
	assert_int_equal(job.attempt, 1);
	assert_int_equal(job.created_ms, 7);
	assert_int_equal(job.started_ms, 8);
	assert_int_equal(job.lease_ms, 8 + LEASE);
	assert_int_equal(job.state, JOB_RUNNING);
	job = get(f, job.id);
	assert_int_equal(job.lease_ms, 8 + LEASE);
	end_as(f, &job,
	       (struct queue_end){ .state = JOB_DONE,
				   .deployed = C,
				   .message = "all \xc3\xbc",
				   .summary = "{\"v\":1}",
				   .now_ms = 9 });
	job = get(f, job.id);
	assert_string_equal(job.deployed, C);
	assert_string_equal(job.message, "all \xc3\xbc");
	assert_int_equal(job.ended_ms, 9);
	assert_int_equal(job.lease_ms, 0);
}

static void test_put__replays_make_nothing(void **state)
{
	static const unsigned char one[32] = { 1, 0, 2 };
	static const unsigned char two[32] = { 1, 0, 3 };
	static const struct {
		const char *name, *site, *delivery;
		const unsigned char *digest;
		enum queue_put_result result;
	} cases[] = {
		{ "the first", "one", "x", one, QUEUE_QUEUED },
		{ "all the same", "one", "x", one, QUEUE_DUPLICATE },
		{ "its name only", "one", "x", two, QUEUE_DUPLICATE },
		{ "its digest only", "one", "y", one, QUEUE_DUPLICATE },
		{ "no name", "one", "", one, QUEUE_DUPLICATE },
		{ "no digest", "one", "x", NULL, QUEUE_DUPLICATE },
		{ "another site", "two", "x", one, QUEUE_QUEUED },
		{ "another", "one", "z", two, QUEUE_COALESCED },
		{ "a person", "one", "", NULL, QUEUE_COALESCED },
		{ "a person again", "one", "", NULL, QUEUE_COALESCED },
		{ "a name with a space", "one", "x y", NULL, QUEUE_COALESCED },
		{ "and again: it counts as none", "one", "x y", NULL, QUEUE_COALESCED },
	};
	struct queue_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct queue_put p = { .site = cases[i].site,
				       .delivery = cases[i].delivery,
				       .digest = cases[i].digest,
				       .now_ms = 1 };

		if (put_as(f, p) != cases[i].result)
			fail_msg("%s", cases[i].name);
	}
}

/* A branch that goes to a commit, back, and there again: Bitbucket's and a script's bodies hold
 * no time, so the third push is told by the bytes of the first. */
static void test_put__the_same_bytes_later_are_a_push(void **state)
{
	static const unsigned char there[32] = { 1, 0, 2 };
	static const unsigned char back[32] = { 1, 0, 3 };
	static const unsigned char other[32] = { 1, 0, 4 };
	static const struct {
		const char *name, *delivery, *commit;
		const unsigned char *digest;
		enum queue_put_result result;
	} cases[] = {
		{ "there", "1", "b", there, QUEUE_QUEUED },
		{ "back", "2", "a", back, QUEUE_COALESCED },
		{ "the host tries the first again", "1", "b", there, QUEUE_DUPLICATE },
		{ "there again", "3", "b", there, QUEUE_COALESCED },
		{ "the host tries that again", "3", "b", there, QUEUE_DUPLICATE },
		{ "back again, without a name", "", "a", back, QUEUE_COALESCED },
		{ "the third once more", "3", "b", there, QUEUE_DUPLICATE },
		{ "other bytes by a used name", "2", "c", other, QUEUE_COALESCED },
		{ "these again", "2", "c", other, QUEUE_DUPLICATE },
	};
	struct queue_fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct queue_put p = { .site = "one",
				       .delivery = cases[i].delivery,
				       .commit = cases[i].commit,
				       .digest = cases[i].digest,
				       .now_ms = 1 };

		if (put_as(f, p) != cases[i].result)
			fail_msg("%s", cases[i].name);
	}
}

static void test_put__refuses_what_cannot_be(void **state)
{
	static const char long_name[] =
		"0123456789012345678901234567890123456789012345678901234567890123";
	static const struct queue_put cases[] = {
		{ .site = "", .before = "", .commit = "", .delivery = "" },
		{ .site = long_name, .before = "", .commit = "", .delivery = "" },
		{ .site = "a\nb", .before = "", .commit = "", .delivery = "" },
		{ .site = "one", .before = "", .commit = A "a", .delivery = "" },
		{ .site = "one", .before = A "a", .commit = "", .delivery = "" },
		{ .site = "one", .before = "", .commit = "\xff", .delivery = "" },
	};
	struct queue_fixture *f = *state;
	enum queue_put_result result;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(queue_put(f->q, &cases[i], &result, &f->err), -1);
		assert_int_equal(f->err.code, ERR_USAGE);
	}
	assert_int_equal(claim(f, 9).id, 0);
}

static void test_note__is_remembered(void **state)
{
	struct queue_fixture *f = *state;
	struct queue_put p = {
		.site = "one", .delivery = "n", .before = "", .commit = "", .now_ms = 1
	};
	enum queue_put_result result;

	assert_int_equal(queue_note(f->q, &p, &result, &f->err), 0);
	assert_int_equal(result, QUEUE_QUEUED);
	assert_int_equal(queue_note(f->q, &p, &result, &f->err), 0);
	assert_int_equal(result, QUEUE_DUPLICATE);
	assert_int_equal(claim(f, 5).id, 0);
	assert_int_equal(put(f, "one", "n"), QUEUE_DUPLICATE);
}

static void test_put__the_newest_wins(void **state)
{
	struct queue_fixture *f = *state;
	struct queue_numbers numbers;
	struct job running;

	put(f, "one", "1");
	running = claim(f, 10);
	assert_int_equal(put(f, "one", "2"), QUEUE_QUEUED);
	assert_int_equal(put(f, "one", "3"), QUEUE_COALESCED);
	assert_int_equal(put_as(f, (struct queue_put){ .site = "one",
						       .cause = CAUSE_REDEPLOY,
						       .now_ms = 6 }),
			 QUEUE_COALESCED);
	assert_int_equal(queue_count(f->q, &numbers, &f->err), 0);
	assert_int_equal(numbers.pending, 1);
	assert_int_equal(numbers.running, 1);
	assert_int_equal(numbers.oldest_pending_ms, 6);
	assert_int_equal(claim(f, 11).id, 0);
	assert_state(f, running.id + 1, "superseded");
	assert_state(f, running.id + 2, "superseded");
	assert_int_equal(get(f, running.id + 1).ended_ms, 5);
	end(f, &running, JOB_DONE);
	assert_int_equal(claim(f, 21).cause, CAUSE_REDEPLOY);
}

static void test_put__supersedes_what_waits_for_its_next_attempt(void **state)
{
	struct queue_fixture *f = *state;
	struct job job;
	int64_t id;
	int64_t next_ms;

	put(f, "one", "1");
	job = claim(f, 10);
	id = job.id;
	assert_int_equal(end_as(f, &job,
				(struct queue_end){ .state = JOB_PENDING,
						    .not_before_ms = 500,
						    .message = "no network" }),
			 0);
	assert_int_equal(claim_at(f, 499, &job, &next_ms), -1);
	assert_int_equal(next_ms, 500);
	assert_int_equal(put(f, "one", "2"), QUEUE_COALESCED);
	assert_state(f, id, "superseded");
	assert_string_equal(get(f, id).message, "no network");
	job = claim(f, 20);
	assert_string_equal(job.delivery, "2");
	assert_int_equal(job.attempt, 1);
}

static void test_claim__oldest_first_of_known_sites(void **state)
{
	struct queue_fixture *f = *state;
	struct job job;
	int64_t next_ms = 0;

	assert_int_equal(claim_at(f, 10, &job, &next_ms), -1);
	assert_true(next_ms == INT64_MAX);
	put(f, "stranger", "1");
	put(f, "two", "1");
	put(f, "one", "1");
	assert_string_equal(claim(f, 10).site, "two");
	assert_string_equal(claim(f, 11).site, "one");
	assert_int_equal(claim_at(f, 12, &job, &next_ms), -1);
	assert_int_equal(next_ms, 10 + LEASE);
}

static void test_claim__no_sites(void **state)
{
	static const char *const none[] = { NULL };
	static const struct queue_claim nothing = { none, 10, 5 };
	struct queue_fixture *f = *state;
	struct job job;
	int64_t next_ms;

	put(f, "one", "1");
	assert_int_equal(queue_claim(f->q, &nothing, &job, &next_ms, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
}

static void test_claim__takes_over_when_the_lease_has_ended(void **state)
{
	static const struct queue_claim late = { sites, 10 + LEASE, LEASE };
	struct queue_fixture *f = *state;
	struct queue *other = queue_fixture_open(f, "other");
	struct job first;
	struct job second;
	int64_t next_ms;

	put(f, "two", "1");
	first = claim(f, 10);
	put(f, "one", "1");
	assert_int_equal(queue_claim(other, &late, &second, &next_ms, &f->err), 0);
	assert_int_equal(second.id, first.id);
	assert_int_equal(second.attempt, 2);
	assert_string_equal(second.owner, "other");
	assert_true(second.fence > first.fence);
	assert_int_equal(queue_renew(f->q, &first, 20, LEASE, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONDITION);
	assert_int_equal(end_as(f, &first, (struct queue_end){ .state = JOB_DEAD }), -1);
	assert_int_equal(f->err.code, ERR_CONDITION);
	assert_int_equal(end_as(f, &first, (struct queue_end){ .state = JOB_PENDING }),
			 -1);
	assert_int_equal(f->err.code, ERR_CONDITION);
	assert_state(f, first.id, "running");
	assert_int_equal(queue_renew(other, &second, 2000, LEASE, &f->err), 0);
	assert_int_equal(get(f, second.id).lease_ms, 2000 + LEASE);
	queue_free(other);
}

static void test_claim__a_newer_one_instead_of_an_expired_one(void **state)
{
	struct queue_fixture *f = *state;
	struct job first;
	struct job second;

	put(f, "one", "1");
	first = claim(f, 10);
	put(f, "two", "1");
	put(f, "one", "2");
	assert_string_equal(claim(f, 11).site, "two");
	second = claim(f, 10 + LEASE);
	assert_string_equal(second.delivery, "2");
	assert_true(second.fence > first.fence + 1);
	assert_state(f, first.id, "superseded");
	assert_int_equal(get(f, first.id).ended_ms, 10 + LEASE);
	assert_int_equal(queue_renew(f->q, &first, 20, LEASE, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONDITION);
}

/* The machine began with a clock that was years ahead, and crashed. */
static void test_claim__a_clock_that_was_set_back(void **state)
{
	static const int64_t year = INT64_C(31536000000);
	struct queue_fixture *f = *state;
	struct job job;
	struct job again;

	put(f, "one", "1");
	job = claim(f, 5 * year);
	assert_int_equal(claim(f, 5 * year + 1).id, 0);
	again = claim(f, year);
	assert_int_equal(again.id, job.id);
	/* Once more in five years, it was said then. */
	assert_int_equal(end_as(f, &again,
				(struct queue_end){ .state = JOB_PENDING,
						    .not_before_ms = 5 * year,
						    .now_ms = year }),
			 0);
	assert_int_equal(claim(f, 2 * year).id, job.id);
}

static void test_renew__a_lease_nobody_took_is_ours(void **state)
{
	struct queue_fixture *f = *state;
	struct job job;

	put(f, "one", "1");
	job = claim(f, 10);
	assert_int_equal(queue_renew(f->q, &job, 10 + 2 * LEASE, LEASE, &f->err), 0);
	assert_int_equal(claim(f, 10 + 2 * LEASE).id, 0);
	end(f, &job, JOB_DONE);
	assert_int_equal(queue_renew(f->q, &job, 20, LEASE, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONDITION);
}

static void test_end__once_more(void **state)
{
	struct queue_fixture *f = *state;
	struct job job;

	put(f, "one", "1");
	job = claim(f, 10);
	end_as(f, &job, (struct queue_end){ .state = JOB_PENDING, .not_before_ms = 30 });
	assert_int_equal(claim(f, 29).id, 0);
	job = claim(f, 30);
	assert_int_equal(job.attempt, 2);
	end_as(f, &job, (struct queue_end){ .state = JOB_PENDING, .keep_attempt = true });
	assert_int_equal(get(f, job.id).attempt, 1);
	assert_int_equal(get(f, job.id).ended_ms, 0);
	assert_int_equal(get(f, job.id).started_ms, 30);
	job = claim(f, 31);
	assert_int_equal(job.attempt, 2);
	put(f, "one", "2");
	end_as(f, &job, (struct queue_end){ .state = JOB_PENDING, .now_ms = 32 });
	assert_state(f, job.id, "superseded");
	assert_int_equal(get(f, job.id).ended_ms, 32);
	assert_string_equal(claim(f, 33).delivery, "2");
}

static void test_end__hostile_texts(void **state)
{
	CLEANUP(buf) struct buf summary = BUF_INIT(QUEUE_SUMMARY_MOST);
	CLEANUP_PTR(mem) char *huge = xcalloc(1, QUEUE_SUMMARY_MOST + 2);
	char message[2 * QUEUE_MESSAGE_MAX];
	struct queue_fixture *f = *state;
	struct job job;

	put(f, "one", "1");
	job = claim(f, 10);
	memset(huge, 'x', QUEUE_SUMMARY_MOST + 1);
	memset(message, 'm', sizeof(message));
	memcpy(message + QUEUE_MESSAGE_MAX - 2, "\xc3\xbc", 3);
	end_as(f, &job,
	       (struct queue_end){ .state = JOB_PENDING,
				   .message = message,
				   .summary = "'; DROP TABLE crc_job; --" });
	assert_int_equal(strlen(get(f, job.id).message), QUEUE_MESSAGE_MAX - 2);
	job = claim(f, 11);
	end_as(f, &job,
	       (struct queue_end){
		       .state = JOB_DEAD, .message = "a\xff'z", .summary = huge });
	assert_string_equal(get(f, job.id).message, "a?'z");
	assert_int_equal(queue_summary(f->q, job.id, &summary, &f->err), 0);
	assert_string_equal(summary.data, "'; DROP TABLE crc_job; --");
}

static void test_summary__none(void **state)
{
	CLEANUP(buf) struct buf out = BUF_INIT(10);
	struct queue_fixture *f = *state;
	struct job job;

	put(f, "one", "1");
	job = claim(f, 10);
	assert_int_equal(queue_summary(f->q, job.id, &out, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	assert_int_equal(queue_job(f->q, 1234, &job, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
}

static void test_retry__the_dead_one(void **state)
{
	struct queue_fixture *f = *state;
	struct queue_numbers numbers;
	struct job dead;
	struct job again;

	assert_int_equal(queue_retry(f->q, "one", 1, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	put_as(f, (struct queue_put){ .site = "one", .commit = A, .now_ms = 1 });
	dead = claim(f, 10);
	end(f, &dead, JOB_DEAD);
	assert_int_equal(queue_count(f->q, &numbers, &f->err), 0);
	assert_int_equal(numbers.dead, 1);
	assert_int_equal(queue_retry(f->q, "one", 30, &f->err), 0);
	assert_int_equal(queue_retry(f->q, "one", 30, &f->err), -1);
	again = claim(f, 31);
	assert_int_equal(again.id, dead.id);
	assert_int_equal(again.attempt, 1);
	assert_string_equal(again.commit, A);
	end(f, &again, JOB_DEAD);
	put(f, "one", "newer");
	assert_int_equal(queue_retry(f->q, "one", 40, &f->err), -1);
	assert_int_equal(f->err.code, ERR_NOT_FOUND);
	assert_int_equal(queue_count(f->q, &numbers, &f->err), 0);
	assert_int_equal(numbers.dead, 0);
}

static void deploy(struct queue_fixture *f, const char *commit)
{
	struct job job;

	put_as(f, (struct queue_put){ .site = "one", .commit = commit, .now_ms = 1 });
	job = claim(f, 10);
	end(f, &job, JOB_DONE);
}

static void assert_live(struct queue_fixture *f, unsigned skip, const char *commit)
{
	struct job job;
	int rc = queue_live(f->q, "one", skip, &job, &f->err);

	if (commit) {
		assert_int_equal(rc, 0);
		assert_string_equal(job.deployed, commit);
	} else {
		assert_int_equal(rc, -1);
		assert_int_equal(f->err.code, ERR_NOT_FOUND);
	}
}

static void test_live__different_commits(void **state)
{
	struct queue_fixture *f = *state;
	struct job job;

	assert_live(f, 0, NULL);
	deploy(f, A);
	assert_live(f, 0, A);
	assert_live(f, 1, NULL);
	deploy(f, B);
	deploy(f, B);
	deploy(f, C);
	deploy(f, B);
	assert_live(f, 0, B);
	assert_live(f, 1, C);
	assert_live(f, 2, A);
	assert_live(f, 3, NULL);
	put_as(f, (struct queue_put){ .site = "one", .commit = C, .now_ms = 1 });
	job = claim(f, 10);
	end(f, &job, JOB_DEAD);
	assert_live(f, 0, B);
}

static void test_list__newest_first(void **state)
{
	CLEANUP(job_list) struct job_list all = { 0 };
	CLEANUP(job_list) struct job_list of = { 0 };
	struct queue_fixture *f = *state;

	put(f, "one", "1");
	put(f, "two", "2");
	put(f, "one", "3");
	assert_int_equal(queue_list(f->q, NULL, 2, &all, &f->err), 0);
	assert_int_equal(all.len, 2);
	assert_string_equal(all.items[0].delivery, "3");
	assert_string_equal(all.items[1].delivery, "2");
	assert_int_equal(queue_list(f->q, "one", 9, &of, &f->err), 0);
	assert_int_equal(of.len, 2);
	assert_string_equal(of.items[1].delivery, "1");
}

static void test_seen__per_site(void **state)
{
	struct queue_fixture *f = *state;
	char out[QUEUE_COMMIT_MAX] = "junk";

	assert_int_equal(queue_seen(f->q, "one", out, &f->err), 0);
	assert_string_equal(out, "");
	assert_int_equal(queue_set_seen(f->q, "one", A, &f->err), 0);
	put(f, "one", "1");
	assert_int_equal(queue_set_seen(f->q, "one", B, &f->err), 0);
	assert_int_equal(queue_seen(f->q, "one", out, &f->err), 0);
	assert_string_equal(out, B);
	assert_int_equal(queue_seen(f->q, "two", out, &f->err), 0);
	assert_string_equal(out, "");
	assert_int_equal(queue_probe(f->q, &f->err), 0);
}

static void test_prune__keeps_what_is_of_use(void **state)
{
	CLEANUP(job_list) struct job_list left = { 0 };
	struct queue_fixture *f = *state;
	struct job job;

	deploy(f, A);
	deploy(f, B);
	deploy(f, C);
	for (int i = 0; i < 5; i++) {
		put_as(f, (struct queue_put){ .site = "one", .now_ms = 1 });
		job = claim(f, 10);
		end(f, &job, JOB_DEAD);
	}
	put(f, "one", "old");
	assert_int_equal(queue_prune(f->q, 20, 0, &f->err), 0);
	assert_int_equal(put(f, "one", "old"), QUEUE_COALESCED);
	assert_int_equal(queue_prune(f->q, 5, 0, &f->err), 0);
	assert_int_equal(put(f, "one", "old"), QUEUE_DUPLICATE);
	assert_int_equal(queue_list(f->q, NULL, 99, &left, &f->err), 0);
	assert_int_equal(left.len, 10);
	assert_int_equal(queue_prune(f->q, 21, 3, &f->err), 0);
	left.len = 0;
	assert_int_equal(queue_list(f->q, NULL, 99, &left, &f->err), 0);
	assert_int_equal(left.len, 5);
	assert_int_equal(queue_prune(f->q, 21, 0, &f->err), 0);
	left.len = 0;
	assert_int_equal(queue_list(f->q, NULL, 99, &left, &f->err), 0);
	assert_int_equal(left.len, 3);
	assert_int_equal(left.items[0].state, JOB_PENDING);
	assert_live(f, 0, C);
	assert_live(f, 1, B);
	assert_live(f, 2, NULL);
}

static void count_wake(void *ctx)
{
	++*(int *)ctx;
}

static void test_on_change__put_end_retry(void **state)
{
	struct queue_fixture *f = *state;
	struct job job;
	int woken = 0;

	queue_on_change(f->q, count_wake, &woken);
	put(f, "one", "1");
	assert_int_equal(woken, 1);
	put(f, "one", "1");
	assert_int_equal(woken, 1);
	job = claim(f, 10);
	assert_int_equal(woken, 1);
	end(f, &job, JOB_DEAD);
	assert_int_equal(woken, 2);
	assert_int_equal(queue_retry(f->q, "one", 30, &f->err), 0);
	assert_int_equal(woken, 3);
	queue_on_change(f->q, NULL, NULL);
	put(f, "one", "2");
	assert_int_equal(woken, 3);
}

static void test_open__again(void **state)
{
	struct queue_fixture *f = *state;
	struct job first;

	put(f, "one", "1");
	first = claim(f, 10);
	end(f, &first, JOB_PENDING);
	queue_free(f->q);
	f->q = queue_fixture_open(f, "me");
	assert_int_equal(put(f, "one", "1"), QUEUE_DUPLICATE);
	assert_true(claim(f, 11).fence > first.fence);
}

/* Two daemons, four threads each, that put and take as they like. */

enum { THREADS = 4, ROUNDS = 25 };

struct crowd {
	struct queue_fixture *f;
	struct queue *queues[2];
	atomic_int running[3];
	atomic_int next;
	atomic_int overlaps;
	atomic_int wrong;
	_Atomic int64_t fence_of[3];
};

static int site_index(const char *site)
{
	return *site == 'o' ? 0 : site[1] == 'w' ? 1 : 2;
}

static void run_one(struct crowd *c, struct queue *q)
{
	static const struct queue_claim any = { sites, 100, 100000 };
	struct queue_end done = { .state = JOB_DONE, .deployed = A, .message = "" };
	struct error err = ERROR_INIT;
	struct job job;
	int64_t next_ms;
	int site;

	if (queue_claim(q, &any, &job, &next_ms, &err) < 0) {
		c->wrong += err.code != ERR_NOT_FOUND;
		return;
	}
	site = site_index(job.site);
	c->overlaps += atomic_fetch_add(&c->running[site], 1) != 0;
	c->wrong += atomic_exchange(&c->fence_of[site], job.fence) >= job.fence;
	c->wrong += queue_renew(q, &job, 100, 100000, &err) < 0;
	atomic_fetch_sub(&c->running[site], 1);
	c->wrong += queue_end(q, &job, &done, &err) < 0;
}

static void *crowd_thread(void *arg)
{
	struct crowd *c = arg;
	int me = atomic_fetch_add(&c->next, 1);
	struct error err = ERROR_INIT;
	enum queue_put_result result;
	char delivery[32];

	for (int i = 0; i < ROUNDS; i++) {
		struct queue_put p = { .site = sites[(me + i) % 3],
				       .delivery = delivery,
				       .before = "",
				       .commit = "" };

		/* Each is put by two threads at once. */
		snprintf(delivery, sizeof(delivery), "%d-%d", me / 2, i);
		p.site = sites[(me / 2 + i) % 3];
		c->wrong += queue_put(c->queues[me % 2], &p, &result, &err) < 0;
		run_one(c, c->queues[me % 2]);
	}
	return NULL;
}

static void assert_each_once(struct crowd *c)
{
	CLEANUP(job_list) struct job_list all = { 0 };
	size_t live = 0;

	assert_int_equal(queue_list(c->f->q, NULL, 10000, &all, &c->f->err), 0);
	assert_int_equal(all.len, THREADS * ROUNDS);
	for (size_t i = 0; i < all.len; i++) {
		live += all.items[i].state == JOB_PENDING;
		for (size_t j = 0; j < i; j++)
			assert_false(
				!strcmp(all.items[i].delivery, all.items[j].delivery));
	}
	assert_true(live <= 3);
}

static void test_crowd__one_at_a_time(void **state)
{
	pthread_t threads[2 * THREADS];
	struct crowd c = { .f = *state };

	c.queues[0] = c.f->q;
	c.queues[1] = queue_fixture_open(c.f, "other");
	for (int i = 0; i < 2 * THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, crowd_thread, &c), 0);
	for (int i = 0; i < 2 * THREADS; i++)
		pthread_join(threads[i], NULL);
	queue_free(c.queues[1]);
	assert_int_equal(c.overlaps, 0);
	assert_int_equal(c.wrong, 0);
	assert_each_once(&c);
}

/* A store by itself: work that fails leaves nothing, beside work that does not. */

struct half {
	struct queue_store *store;
	char site[16];
	bool fails;
	int result;
	enum error_code code;
	pthread_t thread;
};

static int write_half(struct queue_db *db, void *ctx, struct error *err)
{
	const struct half *h = ctx;
	struct queue_call set = { .statement = SQL_SET_SEEN,
				  .values = { queue_text(h->site), queue_text(A) } };

	if (queue_run(db, &set, err) < 0)
		return -1;
	return h->fails ? error_set(err, ERR_ORDER, "half done") : 0;
}

static void *half_thread(void *arg)
{
	struct half *h = arg;
	struct error err = ERROR_INIT;

	h->result = h->store->write(h->store, write_half, h, &err);
	h->code = err.code;
	return NULL;
}

static void run_halves(struct queue_store *store, struct half *halves, int n)
{
	for (int i = 0; i < n; i++) {
		halves[i] = (struct half){ .store = store, .fails = i % 3 == 0 };
		snprintf(halves[i].site, sizeof(halves[i].site), "s%d", i);
		assert_int_equal(
			pthread_create(&halves[i].thread, NULL, half_thread, &halves[i]),
			0);
	}
	for (int i = 0; i < n; i++) {
		pthread_join(halves[i].thread, NULL);
		assert_int_equal(halves[i].result, halves[i].fails ? -1 : 0);
		assert_int_equal(halves[i].code, halves[i].fails ? ERR_ORDER : ERR_NONE);
	}
}

static void test_store__all_or_nothing(void **state)
{
	struct queue_fixture *f = *state;
	struct queue_store *store = NULL;
	struct half halves[24];
	char seen[QUEUE_COMMIT_MAX];
	int rc = strstr(f->url, "://")
			 ? queue_pg_open(f->url, NULL, NULL, &store, &f->err)
			 : queue_sqlite_open(f->url, NULL, &store, &f->err);

	assert_int_equal(rc, 0);
	run_halves(store, halves, 24);
	store->free(store);
	for (int i = 0; i < 24; i++) {
		assert_int_equal(queue_seen(f->q, halves[i].site, seen, &f->err), 0);
		assert_string_equal(seen, halves[i].fails ? "" : A);
	}
}

/* Files. */

static void make_database(const char *path, const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void test_file__refuses_others(void **state)
{
	static const char newer[] = "CREATE TABLE mine (x);"
				    " PRAGMA application_id = 1668440913;"
				    " PRAGMA user_version = 999";
	const char *const cases[] = {
		"CREATE TABLE mine (x)",
		"PRAGMA user_version = 1",
		"PRAGMA application_id = 5",
		newer,
	};
	struct queue_fixture *f = *state;
	struct queue *q = NULL;
	char path[4200];

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		snprintf(path, sizeof(path), "%s/%zu.db", f->folder.data, i);
		make_database(path, cases[i]);
		if (queue_open(path, NULL, "me", NULL, &q, &f->err) == 0)
			fail_msg("taken: %s", cases[i]);
		assert_int_equal(f->err.code, ERR_DATA);
		assert_non_null(strstr(f->err.msg, i == 3 ? "newer" : "not a queue"));
	}
	assert_int_equal(fs_write(path, "something that is no database", 29, &f->err), 0);
	assert_int_equal(queue_open(path, NULL, "me", NULL, &q, &f->err), -1);
	assert_int_equal(f->err.code, ERR_DATA);
	snprintf(path, sizeof(path), "%s/none/x.db", f->folder.data);
	assert_int_equal(queue_open(path, NULL, "me", NULL, &q, &f->err), -1);
	assert_int_equal(f->err.code, ERR_IO);
	assert_int_equal(queue_open(":memory:", NULL, "me", NULL, &q, &f->err), -1);
	assert_int_equal(f->err.code, ERR_CONFIG);
}

/* Puts until the file may not grow any more; how many were acknowledged. */
static size_t fill(struct queue_fixture *f, size_t most)
{
	enum queue_put_result result;
	char delivery[32];
	size_t n = 0;

	for (; n < most; n++) {
		struct queue_put p = {
			.site = "one", .delivery = delivery, .before = "", .commit = ""
		};

		snprintf(delivery, sizeof(delivery), "fill-%zu", n);
		if (queue_put(f->q, &p, &result, &f->err) < 0)
			break;
	}
	return n;
}

static void test_file__a_full_disk_is_told(void **state)
{
	CLEANUP(job_list) struct job_list all = { 0 };
	struct queue_fixture *f = *state;
	struct rlimit before;
	struct rlimit low;
	size_t n;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	low = before;
	low.rlim_cur = 512 << 10;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
	n = fill(f, 5000);
	assert_int_equal(queue_probe(f->q, &f->err), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_true(n > 0 && n < 5000);
	assert_int_equal(f->err.code, ERR_IO);
	assert_true(f->err.retryable);
	assert_int_equal(queue_list(f->q, NULL, 10000, &all, &f->err), 0);
	assert_int_equal(all.len, n);
	/* Nothing has to be opened anew once there is room. */
	assert_int_equal(put(f, "one", "after"), QUEUE_COALESCED);
	assert_int_equal(queue_probe(f->q, &f->err), 0);
}

static void count_row(sqlite3 *db, const char *sql, const char *expected)
{
	sqlite3_stmt *stmt;

	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 0), expected);
	sqlite3_finalize(stmt);
}

static void test_file__as_others_see_it(void **state)
{
	struct queue_fixture *f = *state;
	sqlite3 *db;

	put(f, "one", "1");
	assert_int_equal(sqlite3_open(f->url, &db), SQLITE_OK);
	count_row(db, "PRAGMA journal_mode", "wal");
	count_row(db, "PRAGMA application_id", "1668440913");
	count_row(db, "PRAGMA user_version", "1");
	count_row(db, "SELECT count(*) FROM crc_job", "1");
	assert_int_equal(sqlite3_exec(db,
				      "INSERT INTO crc_job (site, cause, delivery,"
				      " base, head, created_ms)"
				      " VALUES ('one', 0, '', '', '', 0)",
				      NULL, NULL, NULL),
			 SQLITE_CONSTRAINT);
	/* Somebody who reads for long keeps nobody from writing. */
	assert_int_equal(
		sqlite3_exec(db, "BEGIN; SELECT * FROM crc_job", NULL, NULL, NULL),
		SQLITE_OK);
	put(f, "two", "1");
	assert_string_equal(claim(f, 10).site, "one");
	sqlite3_close(db);
}

/* What other daemons and the server's keeper do. */

static void test_pg__a_broken_connection_is_made_anew(void **state)
{
	struct queue_fixture *f = *state;

	put(f, "one", "1");
	/* All of this program's but the one that asks. */
	queue_fixture_ask("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
			  " WHERE application_name = 'crc-daemon'"
			  " AND pid <> pg_backend_pid()");
	assert_int_equal(put(f, "one", "2"), QUEUE_COALESCED);
	assert_int_equal(put(f, "one", "1"), QUEUE_DUPLICATE);
}

static void test_pg__a_locked_site_is_passed_over(void **state)
{
	struct queue_fixture *f = *state;
	PGconn *c = queue_fixture_connect();
	struct job job;
	int64_t next_ms;

	put(f, "one", "1");
	put(f, "two", "1");
	queue_fixture_ask_on(c, "BEGIN");
	queue_fixture_ask_on(c, "SELECT 1 FROM crc_site WHERE name = 'one' FOR UPDATE");
	assert_string_equal(claim(f, 10).site, "two");
	assert_int_equal(claim_at(f, 11, &job, &next_ms), -1);
	assert_int_equal(next_ms, 1010);
	queue_fixture_ask_on(c, "ROLLBACK");
	PQfinish(c);
	assert_string_equal(claim(f, 12).site, "one");
}

static int start_file(void **state)
{
	static struct queue_fixture f;

	queue_fixture_start(&f, false);
	*state = &f;
	return 0;
}

static int start_pg(void **state)
{
	static struct queue_fixture f;

	queue_fixture_start(&f, true);
	*state = &f;
	return 0;
}

static int end_fixture(void **state)
{
	queue_fixture_end(*state);
	return 0;
}

#define PG_TEST(test)   cmocka_unit_test_setup_teardown(test, start_pg, end_fixture)
#define FILE_TEST(test) cmocka_unit_test_setup_teardown(test, start_file, end_fixture)

int main(void)
{
	struct CMUnitTest rules[] = {
		FILE_TEST(test_put__what_is_told_is_kept),
		FILE_TEST(test_put__replays_make_nothing),
		FILE_TEST(test_put__the_same_bytes_later_are_a_push),
		FILE_TEST(test_put__refuses_what_cannot_be),
		FILE_TEST(test_note__is_remembered),
		FILE_TEST(test_put__the_newest_wins),
		FILE_TEST(test_put__supersedes_what_waits_for_its_next_attempt),
		FILE_TEST(test_claim__oldest_first_of_known_sites),
		FILE_TEST(test_claim__no_sites),
		FILE_TEST(test_claim__takes_over_when_the_lease_has_ended),
		FILE_TEST(test_claim__a_newer_one_instead_of_an_expired_one),
		FILE_TEST(test_claim__a_clock_that_was_set_back),
		FILE_TEST(test_renew__a_lease_nobody_took_is_ours),
		FILE_TEST(test_end__once_more),
		FILE_TEST(test_end__hostile_texts),
		FILE_TEST(test_summary__none),
		FILE_TEST(test_retry__the_dead_one),
		FILE_TEST(test_live__different_commits),
		FILE_TEST(test_list__newest_first),
		FILE_TEST(test_seen__per_site),
		FILE_TEST(test_prune__keeps_what_is_of_use),
		FILE_TEST(test_on_change__put_end_retry),
		FILE_TEST(test_open__again),
		FILE_TEST(test_crowd__one_at_a_time),
		FILE_TEST(test_store__all_or_nothing),
	};
	const struct CMUnitTest files[] = {
		FILE_TEST(test_file__refuses_others),
		FILE_TEST(test_file__as_others_see_it),
		FILE_TEST(test_file__a_full_disk_is_told),
	};
	const struct CMUnitTest servers[] = {
		PG_TEST(test_pg__a_broken_connection_is_made_anew),
		PG_TEST(test_pg__a_locked_site_is_passed_over),
	};
	int failed = cmocka_run_group_tests_name("sqlite", rules, NULL, NULL) +
		     cmocka_run_group_tests_name("files", files, NULL, NULL);

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		rules[i].setup_func = start_pg;
	if (queue_fixture_pg())
		failed += cmocka_run_group_tests_name("postgresql", rules, NULL, NULL) +
			  cmocka_run_group_tests_name("server", servers, NULL, NULL);
	return failed;
}

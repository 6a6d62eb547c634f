#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "cases.h"
#include "queue_fixture.h"

/* Random calls do to a queue what they do to a list in memory that follows the rules of
 * daemon/queue.h in the plainest way. */

enum { SITES = 4, KNOWN = 3, LEASE = 50, WINDOW = 40, HELD = 6 };

static const char *const sites[SITES + 1] = { "a", "b", "c", "stranger", NULL };
static const char *const known[KNOWN + 1] = { "b", "a", "c", NULL };

struct seen {
	int site;
	char delivery[8];
	unsigned char digest; /* 0: none */
	int64_t at_ms;
};
VEC_DEFINE(seen_list, struct seen);

struct model {
	struct job_list jobs; /* by id */
	struct seen_list deliveries;
	int64_t fence;
	int64_t last_id;
	int64_t now_ms;
	struct job held[HELD]; /* as claimed; some are not ours any more */
	unsigned n_claimed;
	uint64_t seed;
	struct queue_fixture f;
	struct queue *queues[2];
};

static struct job *find(struct model *m, const char *site, enum job_state state)
{
	for (size_t i = m->jobs.len; i-- > 0;)
		if (!strcmp(m->jobs.items[i].site, site) &&
		    m->jobs.items[i].state == state)
			return &m->jobs.items[i];
	return NULL;
}

static struct job *by_id(struct model *m, int64_t id)
{
	for (size_t i = 0; i < m->jobs.len; i++)
		if (m->jobs.items[i].id == id)
			return &m->jobs.items[i];
	return NULL;
}

static unsigned chance(struct model *m, unsigned n)
{
	return below(&m->seed, n);
}

static struct queue *either(struct model *m)
{
	return m->queues[chance(m, 2)];
}

static void supersede(struct model *m, struct job *job)
{
	job->state = JOB_SUPERSEDED;
	job->ended_ms = m->now_ms;
	job->lease_ms = 0;
}

static bool is_newest(struct model *m, const struct job *job)
{
	for (size_t i = m->jobs.len; i-- > 0;)
		if (!strcmp(m->jobs.items[i].site, job->site))
			return !strcmp(m->jobs.items[i].commit, job->commit);
	return false;
}

/* Whether the rules say that a delivery was here before; *s keeps what is new of it. */
static bool is_replay(struct model *m, struct seen *s, bool note, const struct job *job)
{
	bool name = false;
	bool digest = false;

	for (size_t i = 0; i < m->deliveries.len; i++) {
		const struct seen *d = &m->deliveries.items[i];

		if (d->site != s->site)
			continue;
		name |= *s->delivery && !strcmp(d->delivery, s->delivery);
		digest |= s->digest && d->digest == s->digest;
	}
	if (name || digest) {
		if (note || !s->digest || (name && digest) || is_newest(m, job))
			return true;
		if (name)
			s->delivery[0] = '\0';
		else
			s->digest = 0;
	}
	return false;
}

/* What the rules say of a put. */
static enum queue_put_result model_put(struct model *m, struct seen *s, bool note,
				       struct job *job)
{
	struct job *pending = find(m, sites[s->site], JOB_PENDING);

	if (is_replay(m, s, note, job))
		return QUEUE_DUPLICATE;
	if (*s->delivery || s->digest)
		seen_list_push(&m->deliveries, *s);
	if (note)
		return QUEUE_QUEUED;
	if (pending)
		supersede(m, pending);
	job->id = ++m->last_id;
	job_list_push(&m->jobs, *job);
	return pending ? QUEUE_COALESCED : QUEUE_QUEUED;
}

static void do_put(struct model *m)
{
	struct seen s = { .site = (int)chance(m, SITES), .at_ms = m->now_ms };
	bool note = chance(m, 8) == 0;
	unsigned char digest[32] = { 0 };
	struct job job = { .state = JOB_PENDING, .created_ms = m->now_ms };
	struct queue_put p = { .site = sites[s.site],
			       .cause = (enum job_cause)chance(m, 4),
			       .delivery = s.delivery,
			       .before = "",
			       .commit = job.commit,
			       .now_ms = m->now_ms };
	enum queue_put_result expected;
	enum queue_put_result result;
	int rc;

	if (chance(m, 3))
		snprintf(s.delivery, sizeof(s.delivery), "d%u", chance(m, 200));
	if (chance(m, 3))
		s.digest = (unsigned char)(1 + chance(m, 250));
	digest[31] = s.digest;
	p.digest = s.digest ? digest : NULL;
	snprintf(job.commit, sizeof(job.commit), "%u", chance(m, 5));
	snprintf(job.site, sizeof(job.site), "%s", p.site);
	snprintf(job.delivery, sizeof(job.delivery), "%s", s.delivery);
	job.cause = p.cause;
	rc = (note ? queue_note : queue_put)(either(m), &p, &result, &m->f.err);
	if (rc < 0)
		fail_msg("%s", m->f.err.msg);
	expected = model_put(m, &s, note, &job);
	assert_int_equal(result, expected);
}

/* The job that may run next; *next_ms as queue_claim() says it. */
static struct job *model_choose(struct model *m, int64_t *next_ms)
{
	struct job *again = NULL;
	struct job *first = NULL;

	*next_ms = INT64_MAX;
	for (int i = 0; i < KNOWN; i++) {
		struct job *running = find(m, known[i], JOB_RUNNING);
		struct job *pending = find(m, known[i], JOB_PENDING);
		int64_t due_ms = pending ? pending->not_before_ms : 0;

		if (running && running->lease_ms > m->now_ms)
			due_ms = running->lease_ms;
		else if (running && !pending && (!again || running->id < again->id))
			again = running;
		else if (pending && due_ms <= m->now_ms &&
			 (!first || pending->id < first->id))
			first = pending;
		if (due_ms > m->now_ms && due_ms < *next_ms)
			*next_ms = due_ms;
	}
	return again ? again : first;
}

static void do_claim(struct model *m)
{
	int64_t expected_ms;
	int64_t next_ms = 0;
	struct job *choice = model_choose(m, &expected_ms);
	struct job *expired;
	struct queue_claim c = { known, m->now_ms, LEASE };
	struct job job;
	int rc = queue_claim(either(m), &c, &job, &next_ms, &m->f.err);

	if (!choice) {
		assert_int_equal(rc, -1);
		assert_int_equal(m->f.err.code, ERR_NOT_FOUND);
		assert_true(next_ms == expected_ms);
		return;
	}
	assert_int_equal(rc, 0);
	assert_int_equal(job.id, choice->id);
	expired = find(m, choice->site, JOB_RUNNING);
	if (expired && expired != choice)
		supersede(m, expired);
	choice->state = JOB_RUNNING;
	choice->attempt++;
	choice->started_ms = m->now_ms;
	choice->lease_ms = m->now_ms + LEASE;
	assert_true(job.fence > m->fence);
	choice->fence = m->fence = job.fence;
	m->held[m->n_claimed++ % HELD] = job;
}

/* A job that was claimed once. NULL: the model says that it is not ours. */
static struct job *model_held(struct model *m, struct job *held)
{
	struct job *job;

	*held = m->held[chance(m, HELD)];
	job = by_id(m, held->id);
	return job && job->state == JOB_RUNNING && job->fence == held->fence ? job : NULL;
}

static void assert_ours(struct model *m, int rc, const struct job *job)
{
	assert_int_equal(rc, job ? 0 : -1);
	if (!job)
		assert_int_equal(m->f.err.code, ERR_CONDITION);
}

static void do_renew(struct model *m)
{
	struct job held;
	struct job *job = model_held(m, &held);

	assert_ours(m, queue_renew(either(m), &held, m->now_ms, LEASE, &m->f.err), job);
	if (job)
		job->lease_ms = m->now_ms + LEASE;
}

static void model_end(struct model *m, struct job *job, const struct queue_end *end)
{
	bool superseded = end->state == JOB_PENDING && find(m, job->site, JOB_PENDING);

	job->state = superseded ? JOB_SUPERSEDED : end->state;
	job->lease_ms = 0;
	job->ended_ms = job->state == JOB_PENDING ? 0 : m->now_ms;
	job->not_before_ms = job->state == JOB_PENDING ? end->not_before_ms : 0;
	job->attempt -= job->state == JOB_PENDING && end->keep_attempt;
	snprintf(job->deployed, sizeof(job->deployed), "%s", end->deployed);
}

static void do_end(struct model *m)
{
	static const enum job_state states[] = { JOB_DONE, JOB_DONE,       JOB_PENDING,
						 JOB_DEAD, JOB_SUPERSEDED, JOB_PENDING };
	struct job held;
	struct job *job = model_held(m, &held);
	struct queue_end end = { .state = states[chance(m, 6)],
				 .not_before_ms = m->now_ms + chance(m, 60),
				 .keep_attempt = chance(m, 2),
				 .message = "",
				 .deployed = "",
				 .now_ms = m->now_ms };

	if (end.state == JOB_DONE && chance(m, 4))
		end.deployed = held.commit;
	assert_ours(m, queue_end(either(m), &held, &end, &m->f.err), job);
	if (job)
		model_end(m, job, &end);
}

/* The site's last job but for superseded ones, if it is dead. */
static struct job *model_dead(struct model *m, const char *site)
{
	for (size_t i = m->jobs.len; i-- > 0;) {
		struct job *job = &m->jobs.items[i];

		if (!strcmp(job->site, site) && job->state != JOB_SUPERSEDED)
			return job->state == JOB_DEAD ? job : NULL;
	}
	return NULL;
}

static void do_retry(struct model *m)
{
	const char *site = known[chance(m, KNOWN)];
	struct job *dead = model_dead(m, site);
	int rc = queue_retry(either(m), site, m->now_ms, &m->f.err);

	assert_int_equal(rc, dead ? 0 : -1);
	if (!dead) {
		assert_int_equal(m->f.err.code, ERR_NOT_FOUND);
		return;
	}
	dead->state = JOB_PENDING;
	dead->attempt = 0;
	dead->ended_ms = 0;
	dead->not_before_ms = m->now_ms;
}

static struct job *model_live(struct model *m, const char *site, unsigned skip)
{
	const char *found[8];
	unsigned n = 0;

	for (size_t i = m->jobs.len; i-- > 0;) {
		struct job *job = &m->jobs.items[i];
		unsigned k = 0;

		if (strcmp(job->site, site) != 0 || job->state != JOB_DONE ||
		    !*job->deployed)
			continue;
		while (k < n && strcmp(found[k], job->deployed) != 0)
			k++;
		if (k == n && n == skip)
			return job;
		if (k == n)
			found[n++] = job->deployed;
	}
	return NULL;
}

static void do_live(struct model *m)
{
	const char *site = known[chance(m, KNOWN)];
	unsigned skip = chance(m, 4);
	struct job *live = model_live(m, site, skip);
	struct job job;
	int rc = queue_live(either(m), site, skip, &job, &m->f.err);

	assert_int_equal(rc, live ? 0 : -1);
	if (live)
		assert_int_equal(job.id, live->id);
}

static bool model_keeps(struct model *m, size_t at, int64_t before_ms, size_t keep)
{
	const struct job *job = &m->jobs.items[at];
	size_t newer = 0;

	for (size_t i = at + 1; i < m->jobs.len; i++)
		newer += !strcmp(m->jobs.items[i].site, job->site);
	return newer < keep || job->state <= JOB_RUNNING || job->ended_ms >= before_ms ||
	       job == model_live(m, job->site, 0) || job == model_live(m, job->site, 1);
}

static void do_prune(struct model *m)
{
	int64_t before_ms = m->now_ms - chance(m, 1000);
	size_t keep = chance(m, 6);
	CLEANUP(job_list) struct job_list jobs = { 0 };
	size_t n = 0;

	if (chance(m, 10))
		return;
	assert_int_equal(queue_prune(either(m), before_ms, keep, &m->f.err), 0);
	for (size_t i = 0; i < m->jobs.len; i++)
		if (model_keeps(m, i, before_ms, keep))
			job_list_push(&jobs, m->jobs.items[i]);
	job_list_release(&m->jobs);
	m->jobs = jobs;
	jobs = (struct job_list){ 0 };
	for (size_t i = 0; i < m->deliveries.len; i++)
		if (m->deliveries.items[i].at_ms >= before_ms)
			m->deliveries.items[n++] = m->deliveries.items[i];
	m->deliveries.len = n;
}

static void do_reopen(struct model *m)
{
	unsigned which = chance(m, 2);

	if (chance(m, 20))
		return;
	queue_free(m->queues[which]);
	m->queues[which] = queue_fixture_open(&m->f, "me");
}

static void do_time(struct model *m)
{
	m->now_ms += chance(m, 40);
}

static void assert_same_job(const struct job *a, const struct job *b)
{
	assert_int_equal(a->id, b->id);
	assert_int_equal(a->state, b->state);
	assert_int_equal(a->cause, b->cause);
	assert_int_equal(a->attempt, b->attempt);
	assert_int_equal(a->fence, b->fence);
	assert_int_equal(a->created_ms, b->created_ms);
	assert_int_equal(a->not_before_ms, b->not_before_ms);
	assert_int_equal(a->started_ms, b->started_ms);
	assert_int_equal(a->ended_ms, b->ended_ms);
	assert_int_equal(a->lease_ms, b->lease_ms);
	assert_string_equal(a->site, b->site);
	assert_string_equal(a->delivery, b->delivery);
	assert_string_equal(a->commit, b->commit);
	assert_string_equal(a->deployed, b->deployed);
}

/* An aborted transaction may cost PostgreSQL an id: ours follow the store's. */
static void compare(struct model *m)
{
	CLEANUP(job_list) struct job_list list = { 0 };
	struct queue_numbers n;
	int64_t dead = 0;
	int64_t live[2] = { 0, 0 };

	assert_int_equal(queue_list(either(m), NULL, WINDOW, &list, &m->f.err), 0);
	assert_int_equal(list.len, m->jobs.len < WINDOW ? m->jobs.len : WINDOW);
	for (size_t i = 0; i < list.len; i++)
		assert_same_job(&list.items[i], &m->jobs.items[m->jobs.len - 1 - i]);
	assert_int_equal(queue_count(either(m), &n, &m->f.err), 0);
	for (int i = 0; i < SITES; i++)
		dead += model_dead(m, sites[i]) != NULL;
	for (size_t i = 0; i < m->jobs.len; i++)
		if (m->jobs.items[i].state <= JOB_RUNNING)
			live[m->jobs.items[i].state]++;
	assert_int_equal(n.pending, live[0]);
	assert_int_equal(n.running, live[1]);
	assert_int_equal(n.dead, dead);
}

static void run_model(bool pg, unsigned cases)
{
	static void (*const calls[])(struct model *) = {
		do_put, do_put,   do_put,  do_claim, do_claim,  do_renew, do_end,
		do_end, do_retry, do_live, do_prune, do_reopen, do_time,  do_time,
	};
	struct model m = { .seed = CASES_SEED, .now_ms = 1000 };

	queue_fixture_start(&m.f, pg);
	m.queues[0] = m.f.q;
	m.queues[1] = queue_fixture_open(&m.f, "me");
	for (unsigned i = 0; i < cases; i++) {
		calls[chance(&m, sizeof(calls) / sizeof(*calls))](&m);
		compare(&m);
	}
	m.f.q = m.queues[0];
	queue_free(m.queues[1]);
	queue_fixture_end(&m.f);
	job_list_release(&m.jobs);
	seen_list_release(&m.deliveries);
}

static void test_model__sqlite(void **state)
{
	(void)state;
	run_model(false, cases_count(1500));
}

static void test_model__postgresql(void **state)
{
	(void)state;
	if (!queue_fixture_pg())
		skip();
	run_model(true, cases_count(1500));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model__sqlite),
		cmocka_unit_test(test_model__postgresql),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

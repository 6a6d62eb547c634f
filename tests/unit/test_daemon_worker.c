/* The worker with a real queue, and a shell script in place of crc-daemon job. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "daemon/joblog.h"
#include "daemon/worker.h"
#include "io/fs.h"

#define ONE   "1111111111111111111111111111111111111111"
#define TWO   "2222222222222222222222222222222222222222"
#define THREE "3333333333333333333333333333333333333333"

enum { PATIENCE_MS = 20000, LOOK_MS = 10, TOLD_MOST = 32 };

/* What the child is: `mode` is a file of shell, `tip` one that holds a commit. */
static const char program[] =
	"#!/bin/sh\n"
	"dir=${0%/*}\n"
	"case \"$*\" in *--tip*) echo \"$*\" >>$dir/tips; cat $dir/tip; exit;; esac\n"
	"echo \"$*\" >>$dir/started\n"
	"say() { echo \"{\\\"v\\\":1,\\\"type\\\":$1}\"; }\n"
	"result() { say \"\\\"result\\\",\\\"verdict\\\":\\\"$1\\\",\\\"head\\\":\\\"$2\\\"\"; }\n"
	"say '\"phase\",\"phase\":\"fetch\"'\n"
	"tip=$(cat $dir/tip)\n"
	"say \"\\\"commit\\\",\\\"commit\\\":\\\"$tip\\\",\\\"tip\\\":\\\"$tip\\\"\"\n"
	". $dir/mode\n";

struct told {
	enum host_state state;
	char commit[QUEUE_COMMIT_MAX];
	char message[QUEUE_MESSAGE_MAX];
};

struct world {
	char folder[64];
	struct settings_box *settings;
	struct queue *queue;
	struct metrics *metrics;
	struct worker *worker;
	char program[128];
	pthread_mutex_t mutex;
	struct told told[TOLD_MOST];
	size_t n_told;
};

static struct world world;

static void put_file(const char *name, const char *text)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	struct error err = ERROR_INIT;

	buf_printf(&path, "%s/%s", world.folder, name);
	if (fs_write(path.data, text, strlen(text), &err) < 0 ||
	    chmod(path.data, 0700) < 0)
		fail_msg("%s", err.msg);
}

static void get_file(const char *name, struct buf *out)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	struct error ignored = ERROR_INIT;

	buf_clear(out);
	buf_printf(&path, "%s/%s", world.folder, name);
	(void)fs_read(path.data, out, &ignored); /* not there: empty */
}

static int64_t wall(void)
{
	return clock_wall_ms(clock_real());
}

static void report(void *ctx, const struct site *site, const struct job *job,
		   const char *commit, enum host_state state, const char *message)
{
	struct told *t;

	(void)ctx;
	assert_string_equal(site->name, job->site);
	pthread_mutex_lock(&world.mutex);
	t = &world.told[world.n_told < TOLD_MOST ? world.n_told++ : TOLD_MOST - 1];
	t->state = state;
	(void)str_copy(t->commit, sizeof(t->commit), commit);
	(void)str_copy(t->message, sizeof(t->message), message);
	pthread_mutex_unlock(&world.mutex);
}

static void wake(void *ctx)
{
	(void)ctx;
	worker_wake(world.worker);
}

static void configure(const char *site, const char *limits)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 16);
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	struct error err = ERROR_INIT;
	struct settings *s = NULL;

	buf_printf(&text, "state: state\naction: /bin/true\nlimits: { %s }\nsites:\n",
		   limits);
	for (const char *name = "ab"; *name; name++)
		buf_printf(&text,
			   "  %c:\n    repository: /nowhere\n    provider: gitea\n"
			   "    secrets: hook\n    %s\n",
			   *name, site);
	put_file("hook", "s3cret");
	put_file("daemon.yml", text.data);
	buf_printf(&path, "%s/daemon.yml", world.folder);
	if (settings_read(path.data, &s, &err) < 0)
		fail_msg("%s", err.msg);
	world.settings = settings_box_new(s);
}

static int set_up(void **state)
{
	CLEANUP(buf) struct buf path = BUF_INIT(60);
	CLEANUP(buf) struct buf queue = BUF_INIT(100);
	struct error err = ERROR_INIT;

	(void)state;
	memset(&world, 0, sizeof(world));
	pthread_mutex_init(&world.mutex, NULL);
	if (fs_make_temp("/tmp", &path, &err) < 0)
		return -1;
	(void)str_copy(world.folder, sizeof(world.folder), path.data);
	put_file("program", program);
	put_file("tip", ONE "\n");
	put_file("mode", "result done $(cat $dir/tip)\n");
	snprintf(world.program, sizeof(world.program), "%s/program", world.folder);
	buf_printf(&queue, "%s/queue.db", world.folder);
	world.metrics = metrics_new(0);
	return queue_open(queue.data, NULL, "test", NULL, &world.queue, &err);
}

static int tear_down(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	queue_on_change(world.queue, NULL, NULL);
	worker_stop(world.worker, 0);
	queue_free(world.queue);
	metrics_free(world.metrics);
	settings_box_free(world.settings);
	pthread_mutex_destroy(&world.mutex);
	return fs_remove_tree(world.folder, &err);
}

static void start(const struct worker_times *times)
{
	const struct worker_needs needs = {
		.settings = world.settings,
		.queue = world.queue,
		.metrics = world.metrics,
		.clock = clock_real(),
		.program = world.program,
		.report = report,
		.times = times,
	};
	struct error err = ERROR_INIT;

	if (worker_start(&needs, &world.worker, &err) < 0)
		fail_msg("%s", err.msg);
	queue_on_change(world.queue, wake, NULL);
}

static void put(const char *site, enum job_cause cause, const char *commit)
{
	const struct queue_put p = { .site = site,
				     .cause = cause,
				     .delivery = "",
				     .before = "",
				     .commit = commit,
				     .now_ms = wall() };
	enum queue_put_result result;
	struct error err = ERROR_INIT;

	if (queue_put(world.queue, &p, &result, &err) < 0)
		fail_msg("%s", err.msg);
}

/* The site's newest job; false: it has none. */
static bool newest(const char *site, struct job *out)
{
	CLEANUP(job_list) struct job_list jobs = { 0 };
	struct error err = ERROR_INIT;

	if (queue_list(world.queue, site, 1, &jobs, &err) < 0)
		fail_msg("%s", err.msg);
	if (jobs.len)
		*out = jobs.items[0];
	return jobs.len != 0;
}

static struct job wait_for(const char *site, enum job_state state, int attempt)
{
	int64_t until = wall() + PATIENCE_MS;
	struct job job = { .message = "there is none" };

	while (wall() < until) {
		if (newest(site, &job) && job.state == state && job.attempt >= attempt)
			return job;
		clock_sleep_ms(clock_real(), LOOK_MS);
	}
	fail_msg("%s: not %s, but %s, attempt %d: %s", site, job_state_name(state),
		 job_state_name(job.state), job.attempt, job.message);
	return job;
}

static void wait_for_file(const char *name, const char *text)
{
	CLEANUP(buf) struct buf got = BUF_INIT(1 << 16);
	int64_t until = wall() + PATIENCE_MS;

	while (wall() < until) {
		get_file(name, &got);
		if (strstr(got.data, text))
			return;
		clock_sleep_ms(clock_real(), LOOK_MS);
	}
	fail_msg("%s has no \"%s\": %s", name, text, got.data);
}

/* Ends the worker, after which all has been told. */
static void stop(void)
{
	queue_on_change(world.queue, NULL, NULL);
	worker_stop(take(&world.worker), 0);
}

static void test_a_push_is_deployed(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;
	char seen[QUEUE_COMMIT_MAX];
	int64_t next = 0;
	struct job job;

	(void)state;
	configure("poll: 0s", "workers: 1");
	put_file(
		"mode",
		"echo warned >&2; say '\"phase\",\"phase\":\"deploy\"'; result done " ONE);
	start(NULL);
	put("a", CAUSE_PUSH, TWO);
	job = wait_for("a", JOB_DONE, 1);
	assert_string_equal(job.deployed, ONE);
	assert_int_equal(queue_seen(world.queue, "a", seen, &err), 0);
	assert_string_equal(seen, ONE);
	assert_int_equal(queue_summary(world.queue, job.id, &text, &err), 0);
	assert_true(str_starts(text.data, "{\"v\":1,\"type\":\"result\""));
	buf_clear(&text);
	buf_printf(&text, "%s/state", world.folder);
	{
		CLEANUP(buf) struct buf log = BUF_INIT(1 << 20);

		assert_int_equal(
			joblog_read(text.data, job.id, &next, 1 << 16, &log, &err), 0);
		assert_non_null(strstr(log.data, "\"attempt\":1}"));
		assert_non_null(
			strstr(log.data, "\"line\":\"warned\",\"stream\":\"err\""));
		assert_non_null(
			strstr(log.data, "\"event\":{\"v\":1,\"type\":\"result\""));
	}
	stop();
	assert_int_equal(world.n_told, 2);
	assert_int_equal(world.told[0].state, HOST_RUNNING);
	assert_string_equal(world.told[0].commit, ONE);
	assert_int_equal(world.told[1].state, HOST_SUCCESS);
	get_file("started", &text);
	/* Not the commit that the push named. */
	assert_null(strstr(text.data, "--head"));
}

static void test_metrics(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	struct queue_numbers numbers = { 0 };

	(void)state;
	configure("poll: 0s", "workers: 1");
	start(NULL);
	put("a", CAUSE_PUSH, ONE);
	wait_for("a", JOB_DONE, 1);
	stop();
	metrics_write(world.metrics, &numbers, wall(), &text);
	assert_non_null(
		strstr(text.data, "crc_deploys_total{site=\"a\",result=\"done\"} 1"));
	assert_non_null(
		strstr(text.data, "crc_last_success_timestamp_seconds{site=\"a\"}"));
	assert_non_null(strstr(text.data, "phase=\"fetch\""));
}

static void test_a_rollback_names_its_commit(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 16);
	struct error err = ERROR_INIT;
	char seen[QUEUE_COMMIT_MAX];

	(void)state;
	configure("poll: 0s", "workers: 1");
	start(NULL);
	put("a", CAUSE_ROLLBACK, TWO);
	put("b", CAUSE_REDEPLOY, TWO);
	wait_for("a", JOB_DONE, 1);
	wait_for("b", JOB_DONE, 1);
	get_file("started", &text);
	assert_non_null(strstr(text.data, "--site a --head " TWO " --rollback\n"));
	assert_non_null(strstr(text.data, "--site b --head " TWO "\n"));
	assert_int_equal(queue_seen(world.queue, "a", seen, &err), 0);
	assert_string_equal(seen, "");
}

/* How a child ends, and what the job's message is then. */
static void test_failures_are_retried_or_told(void **state)
{
	static const struct {
		const char *mode;
		enum job_state state;
		const char *message;
	} rows[] = {
		{ "exit 1", JOB_PENDING, "exit status 1 (attempt 1 of 3)" },
		{ "exit 2", JOB_DEAD, "configuration" },
		{ "kill -9 $$", JOB_PENDING, "killed by signal 9 (out of memory?)" },
		{ "exit 0", JOB_PENDING, "without telling its result" },
		{ "exec sleep 60", JOB_PENDING, "was not done after 1 s and was ended" },
	};

	(void)state;
	configure("poll: 0s", "workers: 1, attempts: 3, deploy-time: 1s");
	start(NULL);
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct job job;

		put_file("mode", rows[i].mode);
		put("a", CAUSE_PUSH, ONE);
		job = wait_for("a", rows[i].state, 1);
		if (!strstr(job.message, rows[i].message))
			fail_msg("%s: %s", rows[i].mode, job.message);
		if (rows[i].state == JOB_PENDING)
			assert_true(job.not_before_ms > wall());
	}
	assert_true(worker_alive_ms(world.worker) >
		    clock_monotonic_ms(clock_real()) - 30000);
}

static void test_a_drain_ends_what_takes_too_long(void **state)
{
	struct job job = { .site = "" };

	(void)state;
	configure("poll: 0s", "workers: 1");
	put_file("mode", "trap 'exit 4' TERM; echo >$dir/runs; sleep 60 & wait");
	start(NULL);
	put("a", CAUSE_PUSH, ONE);
	wait_for_file("runs", "\n");
	stop();
	assert_true(newest("a", &job));
	assert_int_equal(job.state, JOB_PENDING);
	assert_int_equal(job.attempt, 0);
	assert_non_null(strstr(job.message, "the daemon was stopped"));
}

static void test_a_drain_lets_go_on_what_ends_in_time(void **state)
{
	struct job job = { .site = "" };

	(void)state;
	configure("poll: 0s", "workers: 1");
	put_file("mode", "echo >$dir/runs; sleep 1; result done " ONE);
	start(NULL);
	put("a", CAUSE_PUSH, ONE);
	wait_for_file("runs", "\n");
	put("b", CAUSE_PUSH, ONE);
	queue_on_change(world.queue, NULL, NULL);
	worker_stop(take(&world.worker), PATIENCE_MS);
	assert_true(newest("a", &job));
	assert_int_equal(job.state, JOB_DONE);
	assert_true(newest("b", &job));
	assert_int_equal(job.state, JOB_PENDING);
}

/* Whether somebody else could have the job, at the queue's own time. */
static bool can_be_taken(int64_t now, struct job *out)
{
	static const char *const sites[] = { "a", NULL };
	const struct queue_claim c = { sites, now, 600000 };
	struct error err = ERROR_INIT;
	int64_t next;

	return queue_claim(world.queue, &c, out, &next, &err) == 0;
}

static void test_a_silent_child_keeps_its_lease(void **state)
{
	static const struct worker_times times = {
		.lease = 1500, .renew = 200, .look = 50, .tip = 5000
	};
	struct job other = { .site = "" };
	struct job job = { .site = "" };

	(void)state;
	configure("poll: 0s", "workers: 1");
	put_file("mode", "echo >$dir/runs; sleep 4; result done " ONE);
	start(&times);
	put("a", CAUSE_PUSH, ONE);
	wait_for_file("runs", "\n");
	while (newest("a", &job) && job.state == JOB_RUNNING) {
		if (can_be_taken(wall(), &other))
			fail_msg("the lease ended");
		clock_sleep_ms(clock_real(), LOOK_MS);
	}
	assert_int_equal(job.state, JOB_DONE);
	assert_int_equal(job.attempt, 1);
}

static void test_a_lost_lease_ends_the_child(void **state)
{
	static const struct worker_times times = {
		.lease = 3000, .renew = 100, .look = 20, .tip = 5000
	};
	struct job other = { .site = "" };
	struct job job = { .site = "" };

	(void)state;
	configure("poll: 0s", "workers: 1");
	put_file(
		"mode",
		"trap 'echo >$dir/ended; exit 4' TERM; echo >$dir/runs; sleep 60 & wait");
	start(&times);
	put("a", CAUSE_PUSH, ONE);
	wait_for_file("runs", "\n");
	/* Another daemon, by whose clock the lease is over. */
	assert_true(can_be_taken(wall() + 100000, &other));
	wait_for_file("ended", "\n");
	stop();
	assert_true(newest("a", &job));
	assert_int_equal(job.state, JOB_RUNNING);
	assert_int_equal(job.fence, other.fence);
}

/* The keeper hangs in a queue that does not answer: here it does not even ask. */
static void test_a_child_is_gone_before_its_lease_ends(void **state)
{
	static const struct worker_times times = {
		.lease = 2000, .renew = 600000, .look = 20, .tip = 5000
	};
	struct job other = { .site = "" };
	struct job job = { .site = "" };

	(void)state;
	configure("poll: 0s", "workers: 1");
	put_file("mode", "trap 'echo >$dir/ended; exit 4' TERM; echo >$dir/runs; "
			 "sleep 10 & wait; echo >$dir/ended");
	start(&times);
	put("a", CAUSE_PUSH, ONE);
	wait_for_file("runs", "\n");
	assert_true(newest("a", &job));
	wait_for_file("ended", "\n");
	assert_true(wall() < job.lease_ms);
	assert_false(can_be_taken(wall(), &other));
	stop();
	assert_true(newest("a", &job));
	assert_int_equal(job.state, JOB_RUNNING);
}

static void test_sites_side_by_side(void **state)
{
	(void)state;
	configure("poll: 0s", "workers: 2");
	/* Each waits for the other. */
	put_file("mode",
		 "site=${*##*--site }; mkdir $dir/run-$site || exit 2; "
		 "until [ -d $dir/run-a ] && [ -d $dir/run-b ]; do sleep 0.05; done; "
		 "result done " ONE);
	start(NULL);
	put("a", CAUSE_PUSH, ONE);
	put("b", CAUSE_PUSH, ONE);
	wait_for("a", JOB_DONE, 1);
	wait_for("b", JOB_DONE, 1);
}

static void test_newest_wins(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 16);
	size_t lines = 0;

	(void)state;
	configure("poll: 0s", "workers: 2");
	put_file("mode", "mkdir $dir/lock || exit 2; echo >$dir/runs; "
			 "until [ -e $dir/go ]; do sleep 0.05; done; "
			 "rmdir $dir/lock; result done " ONE);
	start(NULL);
	put("a", CAUSE_PUSH, ONE);
	wait_for_file("runs", "\n");
	for (int i = 0; i < 200; i++)
		put("a", CAUSE_PUSH, TWO);
	put_file("go", "");
	wait_for("a", JOB_DONE, 1);
	get_file("started", &text);
	for (const char *c = text.data; *c; c++)
		lines += *c == '\n';
	assert_int_equal(lines, 2);
}

static void test_polls(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 16);
	CLEANUP(job_list) struct job_list jobs = { 0 };
	struct error err = ERROR_INIT;
	struct job job;

	(void)state;
	configure("poll: 1s", "workers: 2");
	start(NULL);
	job = wait_for("a", JOB_DONE, 1);
	assert_int_equal(job.cause, CAUSE_POLL);
	assert_string_equal(job.commit, ONE);
	wait_for("b", JOB_DONE, 1);
	/* A push, after which the poll has nothing to do. */
	put_file("tip", TWO "\n");
	put("a", CAUSE_PUSH, TWO);
	while (job.cause != CAUSE_PUSH)
		job = wait_for("a", JOB_DONE, 1);
	put_file("tips", "");
	wait_for_file("tips", "--site a --tip\n");
	do /* the second time, the first has been judged */
		get_file("tips", &text);
	while (!strstr(strstr(text.data, "--site a --tip\n") + 1, "--site a --tip\n"));
	assert_int_equal(queue_list(world.queue, "a", 9, &jobs, &err), 0);
	assert_int_equal(jobs.len, 2);
	/* b had no push. */
	while (strcmp(job.commit, TWO) != 0 || job.cause != CAUSE_POLL)
		job = wait_for("b", JOB_DONE, 1);
}

/* A push is being tried again and again, and somebody goes back: the poll must not undo that. */
/* A host of many machines tells of a push, and is asked where it is not known yet. */
static void test_a_push_that_is_not_shown_yet(void **state)
{
	const struct queue_put push = { .site = "a",
					.cause = CAUSE_PUSH,
					.delivery = "",
					.before = ONE,
					.commit = TWO,
					.now_ms = wall() };
	enum queue_put_result result;
	struct error err = ERROR_INIT;
	struct job job;

	(void)state;
	configure("poll: 0s", "workers: 1, attempts: 3");
	start(NULL);
	assert_int_equal(queue_put(world.queue, &push, &result, &err), 0);
	job = wait_for("a", JOB_PENDING, 1);
	assert_non_null(strstr(job.message, "does not show the push yet"));
	put_file("tip", TWO "\n");
	job = wait_for("a", JOB_DONE, 2);
	assert_string_equal(job.deployed, TWO);
}

static void test_a_rollback_lasts_until_the_next_push(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 16);
	struct error err = ERROR_INIT;
	struct job job = { .id = 0 };

	(void)state;
	configure("poll: 1s", "workers: 1");
	assert_int_equal(queue_set_seen(world.queue, "a", TWO, &err), 0);
	assert_int_equal(queue_set_seen(world.queue, "b", ONE, &err), 0);
	put_file("mode", "case $* in *--head*) result done " TWO ";; *) exit 1;; esac");
	start(NULL);
	put("a", CAUSE_PUSH, ONE);
	wait_for("a", JOB_PENDING, 1);
	put("a", CAUSE_ROLLBACK, TWO);
	wait_for("a", JOB_DONE, 1);
	put_file("tips", "");
	wait_for_file("tips", "--site a --tip\n");
	do /* the second time, the first has been judged */
		get_file("tips", &text);
	while (!strstr(strstr(text.data, "--site a --tip\n") + 1, "--site a --tip\n"));
	assert_true(newest("a", &job));
	assert_int_equal(job.cause, CAUSE_ROLLBACK);
	/* What nobody knew of then is found. */
	put_file("tip", THREE "\n");
	put_file("mode", "result done $(cat $dir/tip)\n");
	while (job.cause != CAUSE_POLL)
		job = wait_for("a", JOB_DONE, 1);
	assert_string_equal(job.deployed, THREE);
}

static void test_a_site_that_is_gone(void **state)
{
	struct job job = { .site = "" };

	(void)state;
	configure("poll: 0s", "workers: 1");
	start(NULL);
	/* Sites of others are not touched. */
	put("other", CAUSE_PUSH, ONE);
	put("a", CAUSE_PUSH, ONE);
	wait_for("a", JOB_DONE, 1);
	assert_true(newest("other", &job));
	assert_int_equal(job.state, JOB_PENDING);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_push_is_deployed),
		TEST(test_metrics),
		TEST(test_a_rollback_names_its_commit),
		TEST(test_failures_are_retried_or_told),
		TEST(test_a_drain_ends_what_takes_too_long),
		TEST(test_a_drain_lets_go_on_what_ends_in_time),
		TEST(test_a_silent_child_keeps_its_lease),
		TEST(test_a_lost_lease_ends_the_child),
		TEST(test_a_child_is_gone_before_its_lease_ends),
		TEST(test_sites_side_by_side),
		TEST(test_newest_wins),
		TEST(test_polls),
		TEST(test_a_push_that_is_not_shown_yet),
		TEST(test_a_rollback_lasts_until_the_next_push),
		TEST(test_a_site_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

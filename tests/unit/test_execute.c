/* A deploy with something going wrong at every one of its requests, and then run again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "aws/s3.h"
#include "aws_fixture.h"
#include "codec/gzip.h"
#include "fake/fake_store.h"
#include "git_repo.h"
#include "run/deploy.h"
#include "run/parts.h"

#define PREFIX "p/"
#define KEY    PREFIX STATE_KEY

/* What two commits hold. NULL: not there. */
static const struct file {
	const char *path, *first, *second;
} files[] = {
	{ "404.html", "gone", "gone" },
	{ "about.html", "about", "about" }, /* gets another header the second time */
	{ "app.8f3b2c1a.js", "app 1", NULL },
	{ "app.9a4c3d2b.js", NULL, "app 2" },
	{ "index.html", "index 1", "index 2" },
	{ "style.css", "style", NULL },
};

enum { N_FILES = sizeof(files) / sizeof(*files) };

/* Made once: the sites' repository. */
static struct sandbox sandbox;
static struct oid commits[3]; /* the third has the second's files */

struct fixture {
	struct aws_fixture aws;
	struct fake_store store;
	struct repo *repo;
	volatile int cancelled;
	struct config config;
	struct deploy_options options;
	/* of the latest run */
	struct deploy deploy;
	struct outcome outcome;
	struct error err;
	bool ran;
};

/* ---- the repository ---- */

static void write_commit(int which)
{
	run(&sandbox, "r", NULL, "rm -rf www && mkdir www");
	for (size_t i = 0; i < N_FILES; i++) {
		const char *text = which ? files[i].second : files[i].first;

		if (text)
			run(&sandbox, "r", NULL, "printf '%%s' '%s' >www/%s", text,
			    files[i].path);
	}
	run(&sandbox, "r", NULL, "git add -A && git commit -qm c");
	commits[which] = id_of(&sandbox, "r", "HEAD");
}

static int start_all(void **state)
{
	(void)state;
	sandbox_start(&sandbox);
	run(&sandbox, "", NULL, "git init -q r");
	write_commit(0);
	write_commit(1);
	run(&sandbox, "r", NULL, "git commit -q --allow-empty -m same");
	commits[2] = id_of(&sandbox, "r", "HEAD");
	return 0;
}

static int end_all(void **state)
{
	(void)state;
	sandbox_end(&sandbox);
	return 0;
}

/* ---- running deploys ---- */

static struct site *add_site(struct fixture *f, const char *name, const char *prefix)
{
	struct site *site = config_add_site(&f->config, name, "www");
	struct value distribution = { .kind = VALUE_LITERAL, .text = "E1" };

	config_set(&f->config, &site->bucket, "bucket");
	value_list_push(&site->distributions, distribution);
	assert_int_equal(config_set_prefix(&f->config, site, prefix, &f->err), 0);
	site->keep_s = 0;
	return site;
}

static void start_attempts(struct fixture *f, unsigned max_attempts)
{
	static const char *const env[] = { "AWS_ENDPOINT_URL=" FAKE_STORE_URL, NULL };

	*f = (struct fixture){ .config = CONFIG_INIT };
	aws_fixture_start_env(&f->aws, env, max_attempts);
	f->aws.fake.http.cancelled = &f->cancelled;
	fake_store_init(&f->store, &f->aws.fake, "bucket");
	f->store.cancelled = &f->cancelled;
	if (repo_open("r", NULL, &f->repo, &f->err) < 0)
		fail_msg("%s", f->err.msg);
	add_site(f, "site", PREFIX);
	f->options = (struct deploy_options){
		.repo = f->repo,
		.config = &f->config,
		.max_delete = -1,
		.max_paths = 100,
		.concurrency = 3,
		.lock_timeout_s = 600,
		.aws = f->aws.aws,
		.cancelled = &f->cancelled,
		.clock = &f->aws.clock.clock,
	};
}

static void forget_run(struct fixture *f)
{
	if (f->ran) {
		outcome_release(&f->outcome);
		deploy_release(&f->deploy);
	}
	f->ran = false;
}

static void end(struct fixture *f)
{
	forget_run(f);
	fake_store_release(&f->store);
	config_release(&f->config);
	repo_free(f->repo);
	aws_fixture_end(&f->aws);
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	start_attempts(f, 0);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	end(*state);
	free(*state);
	return 0;
}

/* The second commit comes with another header for one file. */
static int deploy(struct fixture *f, int which)
{
	struct site *site = &f->config.sites.items[0];
	struct header header = { "x-amz-meta-owner", "me" };
	struct header_rule rule = { .set = { 0 } };
	int rc;

	forget_run(f);
	error_clear(&f->err);
	if (which && !site->headers.len) {
		assert_true(glob_parse("about.html", &rule.match));
		header_list_push(&rule.set, header);
		header_rules_push(&site->headers, rule);
	}
	f->options.head = commits[which];
	rc = deploy_run(&f->deploy, &f->options, &f->outcome, &f->err);
	f->ran = true;
	return rc;
}

static void deploy_well(struct fixture *f, int which)
{
	if (deploy(f, which) < 0)
		fail_msg("%s", f->err.msg);
}

/* ---- what must hold ---- */

static void read_state(struct fixture *f, struct state *out)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	const struct fake_object *o = fake_store_find(&f->store, KEY);

	*out = (struct state)STATE_INIT;
	if (!o)
		return;
	assert_int_equal(gzip_decompress(o->body.data, o->body.len, &text, &f->err), 0);
	assert_int_equal(state_parse(out, text.data, text.len, &f->err), 0);
}

/* Whether the bucket holds that commit; more: and perhaps something else. */
static bool bucket_holds(struct fixture *f, int which, bool more)
{
	for (size_t i = 0; i < N_FILES; i++) {
		const char *text = which ? files[i].second : files[i].first;
		char key[64];
		const struct fake_object *o;

		snprintf(key, sizeof(key), PREFIX "%s", files[i].path);
		o = fake_store_find(&f->store, key);
		if (!text && !o)
			continue;
		if (text ? !o || strcmp(o->body.data, text) != 0 : !more)
			return false;
	}
	return true;
}

/* Whether what changed between the commits was invalidated since there were `before`. */
static bool edges_know(const struct fixture *f, size_t before)
{
	static const char *const paths[] = { "/p/about.html", "/p/app.8f3b2c1a.js",
					     "/p/index.html", "/p/style.css" };

	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
		bool known = false;

		for (size_t j = before; j < f->store.invalidations.len; j++) {
			CLEANUP_PTR(mem)
			char *all = xstrdup(f->store.invalidations.items[j].paths);

			for (char *p = strtok(all, "\n"); p; p = strtok(NULL, "\n"))
				known |= cover_matches(p, paths[i]);
		}
		if (!known)
			return false;
	}
	return true;
}

static bool step_is_named(const struct fixture *f)
{
	const struct plan *plan = &f->outcome.plan;

	for (size_t i = 0; f->outcome.steps && i < plan->steps.len; i++) {
		const struct step_outcome *out = &f->outcome.steps[i];

		if (out->status == STATUS_FAILED)
			return out->error &&
			       strstr(f->err.msg,
				      step_kind_name(plan->steps.items[i].kind));
	}
	return false;
}

static enum step_status status_of(const struct fixture *f, enum step_kind kind)
{
	const struct plan *plan = &f->outcome.plan;

	for (size_t i = 0; f->outcome.steps && i < plan->steps.len; i++)
		if (plan->steps.items[i].kind == kind)
			return f->outcome.steps[i].status;
	return STATUS_PENDING;
}

static bool claim_was_had(const struct fixture *f)
{
	return status_of(f, STEP_CLAIM) == STATUS_DONE;
}

/* Where a test is, for its messages. */
struct where {
	enum fake_fault fault;
	size_t nth;
	int which;
};

#define CHECK(condition)                                                             \
	do {                                                                         \
		if (!(condition))                                                    \
			fail_msg("fault %d at request %zu of commit %d: " #condition \
				 ": %s",                                             \
				 (int)w->fault, w->nth, w->which, f->err.msg);       \
	} while (0)

static int expected_exit(const struct fixture *f, const struct where *w)
{
	if (w->fault == FAKE_403)
		return 3;
	if (w->fault == FAKE_CANCELLED)
		return 4;
	if (f->err.code == ERR_ORDER)
		return 5;
	return claim_was_had(f) ? 4 : 1;
}

static void check_failure(struct fixture *f, const struct where *w)
{
	struct state state;
	bool recorded;

	read_state(f, &state);
	CHECK(error_exit_status(f->err.code) == expected_exit(f, w));
	CHECK(!claim_was_had(f) || w->fault == FAKE_CANCELLED || step_is_named(f));
	CHECK(f->outcome.error.code == f->err.code);
	CHECK(f->outcome.verdict == (f->err.code == ERR_ORDER ? VERDICT_REFUSED
				     : !claim_was_had(f)      ? VERDICT_FAILED
							      : VERDICT_PARTIAL));
	recorded = state.deployed.is_set &&
		   oid_equal(&state.deployed.commit, &commits[w->which]);
	/* What is reported as failed is not recorded, unless that alone went unnoticed. */
	CHECK(recorded ==
	      (w->fault == FAKE_LOST && status_of(f, STEP_COMMIT) == STATUS_FAILED));
	/* Only who has lost it leaves a lease behind, or who cannot know that it has one. */
	CHECK(!state.lease.is_set || f->err.code == ERR_ORDER || !claim_was_had(f));
	state_release(&state);
}

/* The state says that a commit is deployed only when it is. */
static void check_state(struct fixture *f, const struct where *w, size_t invalidations)
{
	struct state state;
	bool recorded;

	read_state(f, &state);
	recorded = state.deployed.is_set &&
		   oid_equal(&state.deployed.commit, &commits[w->which]);
	CHECK(!recorded || bucket_holds(f, w->which, w->fault == FAKE_412));
	CHECK(!recorded || !w->which || edges_know(f, invalidations));
	CHECK(!recorded || (!state.journal.is_set && !state.lease.is_set));
	CHECK(recorded || !w->which || oid_equal(&state.deployed.commit, &commits[0]));
	state_release(&state);
}

/* One run with a fault, and one without; false: the run had fewer requests. */
static bool survive(struct fixture *f, struct where *w)
{
	size_t invalidations = f->store.invalidations.len;
	size_t requests = f->store.requests;
	int rc;

	f->store.fault = w->fault;
	f->store.fault_at = requests + w->nth;
	rc = deploy(f, w->which);
	f->store.fault_at = 0;
	f->cancelled = 0;
	f->aws.fake.http.cancelled = &f->cancelled;
	check_state(f, w, invalidations);
	if (rc < 0)
		check_failure(f, w);
	else
		CHECK(f->outcome.verdict == VERDICT_DONE);
	if (f->store.requests < requests + w->nth)
		return false;
	rc = deploy(f, w->which);
	CHECK(rc == 0);
	check_state(f, w, invalidations);
	CHECK(bucket_holds(f, w->which, w->fault == FAKE_412));
	CHECK(!w->which || edges_know(f, invalidations));
	CHECK(f->store.uploads.len == 0);
	return true;
}

/* Every kind of fault at every request, each with a store of its own. */
static void sweep(int which, unsigned max_attempts)
{
	for (int fault = 0; fault < FAKE_FAULTS; fault++) {
		struct where w = { .fault = (enum fake_fault)fault, .which = which };
		struct fixture f;
		bool there = true;

		while (there) {
			start_attempts(&f, max_attempts);
			if (which)
				deploy_well(&f, 0);
			w.nth++;
			there = survive(&f, &w);
			end(&f);
		}
		assert_true(w.nth > (which ? 10 : 12));
	}
}

/* The first deploy also lists the bucket and tries the fence. */
static void test_execute__first_deploy_with_a_fault_at_each_request(void **state)
{
	(void)state;
	sweep(0, 1);
}

static void test_execute__second_deploy_with_a_fault_at_each_request(void **state)
{
	(void)state;
	sweep(1, 1);
}

/* With attempts to spare, what passes is not noticed. */
static void test_execute__what_passes_is_survived(void **state)
{
	static const enum fake_fault faults[] = { FAKE_UNREACHED, FAKE_LOST, FAKE_500 };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		bool there = true;

		for (size_t nth = 1; there; nth++) {
			struct fixture f;

			start_attempts(&f, 0);
			deploy_well(&f, 0);
			f.store.fault = faults[i];
			f.store.fault_at = f.store.requests + nth;
			deploy_well(&f, 1);
			there = f.store.requests >= f.store.fault_at;
			assert_true(bucket_holds(&f, 1, false));
			assert_true(edges_know(&f, 1));
			assert_int_equal(f.store.invalidations.len, 2);
			end(&f);
		}
	}
}

/* ---- others ---- */

/* Somebody writes to an object between our look and our write. */
struct meddling {
	const char *method, *url_part;
	void (*meddle)(struct fixture *f);
	struct fixture *f;
};

static void meddle(struct fake_store *s, const struct fake_seen *seen)
{
	struct meddling *m = s->before_ctx;

	if (strcmp(seen->method, m->method) != 0 || !strstr(seen->url, m->url_part))
		return;
	s->before = NULL;
	m->meddle(m->f);
}

static void watch(struct fixture *f, struct meddling *m)
{
	m->f = f;
	f->store.before = meddle;
	f->store.before_ctx = m;
}

static void change_all(struct fixture *f)
{
	fake_store_put(&f->store, PREFIX "index.html", "theirs", 6);
	fake_store_put(&f->store, PREFIX "app.9a4c3d2b.js", "theirs", 6);
	fake_store_put(&f->store, PREFIX "style.css", "theirs", 6);
}

static bool is_noted(const struct fixture *f, const char *path)
{
	bool noted = false;

	for (size_t i = 0; i < f->outcome.notes.len; i++)
		noted |= str_eq(f->outcome.notes.items[i].path, path);
	return noted;
}

/* What the commit holds is overwritten, what it does not hold is left alone. */
static void test_execute__objects_that_others_change(void **state)
{
	struct meddling m = { "PUT", "app.9a4c3d2b.js", change_all, NULL };
	struct fixture *f = *state;

	deploy_well(f, 0);
	watch(f, &m);
	deploy_well(f, 1);
	assert_true(bucket_holds(f, 1, true));
	assert_string_equal(fake_store_find(&f->store, PREFIX "style.css")->body.data,
			    "theirs");
	assert_true(is_noted(f, "style.css"));
}

static void change_copied(struct fixture *f)
{
	fake_store_put(&f->store, PREFIX "about.html", "theirs", 6);
}

static void test_execute__a_copy_whose_source_others_change(void **state)
{
	struct meddling m = { "PUT", "about.html", change_copied, NULL };
	struct fixture *f = *state;

	deploy_well(f, 0);
	watch(f, &m);
	assert_int_equal(deploy(f, 1), -1);
	assert_int_equal(f->err.code, ERR_PARTIAL);
	assert_non_null(strstr(f->err.msg, "copy about.html"));
	deploy_well(f, 1);
	assert_true(bucket_holds(f, 1, false));
}

static void delete_all(struct fixture *f)
{
	fake_store_remove(&f->store, PREFIX "index.html");
	fake_store_remove(&f->store, PREFIX "style.css");
}

static void test_execute__objects_that_others_delete(void **state)
{
	struct meddling m = { "PUT", "app.9a4c3d2b.js", delete_all, NULL };
	struct fixture *f = *state;

	deploy_well(f, 0);
	watch(f, &m);
	deploy_well(f, 1);
	assert_true(bucket_holds(f, 1, false));
	assert_false(is_noted(f, "style.css"));
}

/* Another deploy has taken over while this one slept. */
static void take_over(struct fixture *f)
{
	struct state state;
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf packed = BUF_INIT(1 << 20);

	read_state(f, &state);
	state.nonce = "00000000000000000000000000000000";
	state_print(&state, &text);
	gzip_compress(text.data, text.len, &packed);
	fake_store_put(&f->store, KEY, packed.data, packed.len);
	state_release(&state);
	f->aws.clock.now_ms += 300000;
}

static void test_execute__a_claim_that_is_lost_half_way(void **state)
{
	struct meddling m = { "PUT", "app.9a4c3d2b.js", take_over, NULL };
	struct fixture *f = *state;
	struct state now;
	size_t asked;

	f->options.concurrency = 1;
	deploy_well(f, 0);
	watch(f, &m);
	asked = f->aws.fake.seen.len;
	assert_int_equal(deploy(f, 1), -1);
	assert_int_equal(f->err.code, ERR_PARTIAL);
	assert_non_null(strstr(f->err.msg, "renew the lease"));
	/* Theirs is not given up, and nothing is written any more. */
	read_state(f, &now);
	assert_true(now.lease.is_set);
	assert_string_equal(now.nonce, "00000000000000000000000000000000");
	state_release(&now);
	for (; asked < f->aws.fake.seen.len; asked++)
		assert_null(strstr(f->aws.fake.seen.items[asked].url, "index.html"));
}

/* ---- time ---- */

static void answer_late(struct fixture *f)
{
	f->aws.fake.latency_ms = 42000;
}

static void answer_soon(struct fixture *f)
{
	static struct meddling again = { "PUT", "about.html", answer_late, NULL };

	f->aws.fake.latency_ms = 5000;
	watch(f, &again);
}

/* Answers take 42 s; one attempt never gets any, and its second one starts late. */
static void test_execute__a_slow_deploy_renews_its_lease(void **state)
{
	struct meddling m = { "PUT", "404.html", answer_soon, NULL };
	struct fixture *f = *state;
	int64_t renewed_ms = 0;
	size_t writes = 0;

	f->options.concurrency = 1;
	answer_late(f);
	fake_http_expect(&f->aws.fake, "PUT", "404.html", 200, NULL, "")
		->reply.latency_ms = 100000;
	watch(f, &m);
	deploy_well(f, 0);
	for (size_t i = 0; i < f->aws.fake.seen.len; i++) {
		const struct fake_seen *seen = &f->aws.fake.seen.items[i];

		if (str_eq(seen->method, "GET"))
			continue;
		if (strstr(seen->url, STATE_KEY)) {
			renewed_ms = seen->at_ms;
			writes++;
			continue;
		}
		/* None could outlive the lease. */
		assert_true(renewed_ms);
		assert_true(seen->timeout_ms > 0);
		assert_true(seen->at_ms + seen->timeout_ms <=
			    renewed_ms + STATE_LEASE_S * INT64_C(1000));
	}
	/* Claim, probe, renewals, commit. */
	assert_true(writes >= 7);
	assert_true(bucket_holds(f, 0, false));
}

static void test_execute__a_signal_gives_up_the_lease(void **state)
{
	struct fixture *f = *state;
	struct state now;

	deploy_well(f, 0);
	f->store.fault = FAKE_CANCELLED;
	f->store.fault_at = f->store.requests + 5;
	assert_int_equal(deploy(f, 1), -1);
	assert_int_equal(f->err.code, ERR_CANCELLED);
	assert_int_equal(error_exit_status(f->err.code), 4);
	assert_int_equal(f->outcome.verdict, VERDICT_PARTIAL);
	read_state(f, &now);
	assert_false(now.lease.is_set);
	assert_true(now.journal.is_set);
	state_release(&now);
}

/* ---- nothing at all ---- */

/* What cannot be sent is found out before anything is claimed. */
static void test_execute__content_that_is_not_there(void **state)
{
	struct fixture *f = *state;

	run(&sandbox, "r", NULL,
	    "mkdir -p lfs && printf 'version https://git-lfs.github.com/spec/v1\n"
	    "oid sha256:%%064d\nsize 1\n' 7 >lfs/video.mp4");
	f->config.sites.items[0].path = "lfs";
	f->options.source = SOURCE_WORKTREE;
	assert_int_equal(deploy(f, 0), -1);
	assert_int_equal(f->err.code, ERR_DATA);
	assert_non_null(strstr(f->err.msg, "video.mp4"));
	assert_int_equal(f->outcome.verdict, VERDICT_FAILED);
	assert_int_equal(f->store.objects.len, 0);
	for (size_t i = 0; i < f->aws.fake.seen.len; i++)
		assert_string_equal(f->aws.fake.seen.items[i].method, "GET");
}

/* ---- nothing but the commit ---- */

static void test_execute__only_the_commit_is_recorded(void **state)
{
	struct fixture *f = *state;
	struct state now;

	deploy_well(f, 0);
	deploy_well(f, 1);
	/* The write is refused, though nobody has written: read, and once more. */
	fake_http_expect(&f->aws.fake, "PUT", KEY, 412, NULL,
			 "<Error><Code>PreconditionFailed</Code></Error>");
	deploy_well(f, 2);
	assert_int_equal(f->outcome.plan.steps.len, 1);
	assert_int_equal(f->outcome.plan.steps.items[0].kind, STEP_RECORD);
	read_state(f, &now);
	assert_true(oid_equal(&now.deployed.commit, &commits[2]));
	assert_false(now.lease.is_set || now.journal.is_set);
	state_release(&now);
	/* A record that fails has touched nothing. */
	f->store.fault = FAKE_403;
	f->store.fault_at = f->store.requests + 3;
	f->options.allow_rollback = true;
	assert_int_equal(deploy(f, 1), -1);
	assert_int_equal(f->outcome.verdict, VERDICT_FAILED);
	assert_int_equal(f->err.code, ERR_FORBIDDEN);
	assert_true(step_is_named(f));
}

/* ---- several sites ---- */

/* The second site's claim meets somebody else's write. */
static void write_other_state(struct fixture *f)
{
	static const char text[] =
		"{\"v\":1,\"nonce\":\"n\",\"prefix\":\"q/\",\"objects\":{}}";

	fake_store_put(&f->store, "q/" STATE_KEY, text, strlen(text));
}

static void test_execute__the_second_claim_is_lost_and_both_are_taken_again(void **state)
{
	struct meddling m = { "PUT", "/q/" STATE_KEY, write_other_state, NULL };
	struct fixture *f = *state;

	add_site(f, "other", "q/");
	watch(f, &m);
	deploy_well(f, 0);
	assert_true(bucket_holds(f, 0, false));
	assert_non_null(fake_store_find(&f->store, "q/index.html"));
	assert_int_equal(f->outcome.verdict, VERDICT_DONE);
}

static void test_execute__the_second_claim_fails(void **state)
{
	struct fixture *f = *state;
	struct state now;

	add_site(f, "other", "q/");
	fake_http_expect(&f->aws.fake, "PUT", "/q/" STATE_KEY, 403, NULL,
			 "<Error><Code>AccessDenied</Code></Error>");
	assert_int_equal(deploy(f, 0), -1);
	assert_int_equal(f->err.code, ERR_FORBIDDEN);
	assert_int_equal(f->outcome.verdict, VERDICT_FAILED);
	assert_true(step_is_named(f));
	/* No object of either was touched, and the first site waits for nobody. */
	assert_int_equal(f->store.objects.len, 1);
	read_state(f, &now);
	assert_false(now.lease.is_set);
	state_release(&now);
}

/* Claims that were never begun are given up as well as those that were. */
static void test_execute__the_first_claim_fails(void **state)
{
	struct fixture *f = *state;

	add_site(f, "other", "q/");
	fake_http_expect(&f->aws.fake, "PUT", "/p/" STATE_KEY, 403, NULL,
			 "<Error><Code>AccessDenied</Code></Error>");
	assert_int_equal(deploy(f, 0), -1);
	assert_int_equal(f->err.code, ERR_FORBIDDEN);
	assert_int_equal(f->store.objects.len, 0);
}

/* ---- invalidations ---- */

static void test_execute__invalidations_wait_for_room_and_completion(void **state)
{
	struct fixture *f = *state;

	f->options.wait = true;
	fake_http_expect(&f->aws.fake, "POST", "/invalidation", 400, NULL,
			 "<ErrorResponse><Error><Code>TooManyInvalidationsInProgress"
			 "</Code></Error></ErrorResponse>")
		->times = 12;
	deploy_well(f, 0);
	assert_int_equal(f->store.invalidations.len, 1);
	fake_http_expect(&f->aws.fake, "POST", "/invalidation", 201, NULL,
			 "<Invalidation><Id>I9</Id><Status>InProgress</Status>"
			 "</Invalidation>");
	fake_http_expect(&f->aws.fake, "GET", "/invalidation/I9", 200, NULL,
			 "<Invalidation><Id>I9</Id><Status>InProgress</Status>"
			 "</Invalidation>")
		->times = 5;
	fake_http_expect(&f->aws.fake, "GET", "/invalidation/I9", 200, NULL,
			 "<Invalidation><Id>I9</Id><Status>Completed</Status>"
			 "</Invalidation>");
	deploy_well(f, 1);
	for (size_t i = 0; i < f->outcome.plan.steps.len; i++)
		if (f->outcome.plan.steps.items[i].kind == STEP_INVALIDATE)
			assert_true(f->outcome.steps[i].completed);
}

static void test_execute__an_invalidation_that_is_not_completed(void **state)
{
	struct fixture *f = *state;
	struct state now;

	f->options.wait = true;
	fake_http_expect(&f->aws.fake, "POST", "/invalidation", 201, NULL,
			 "<Invalidation><Id>I9</Id></Invalidation>");
	fake_http_expect(&f->aws.fake, "GET", "/invalidation/I9", 200, NULL,
			 "<Invalidation><Id>I9</Id></Invalidation>")
		->times = -1;
	assert_int_equal(deploy(f, 0), -1);
	assert_int_equal(f->err.code, ERR_PARTIAL);
	assert_non_null(strstr(f->err.msg, "invalidate E1: wait for I9"));
	read_state(f, &now);
	assert_true(now.journal.is_set);
	assert_false(now.deployed.is_set || now.lease.is_set);
	state_release(&now);
}

static void test_execute__a_store_without_fences_is_told(void **state)
{
	struct fixture *f = *state;
	bool told = false;

	f->store.unfenced = true;
	deploy_well(f, 0);
	for (size_t i = 0; i < f->outcome.notes.len; i++)
		told |= strstr(f->outcome.notes.items[i].text,
			       "ignores conditional writes") != NULL;
	assert_true(told);
	assert_true(bucket_holds(f, 0, false));
}

/* ---- large objects ---- */

/* Files of zeros that take no room on the disk, in a work tree. */
static void use_large_files(struct fixture *f, int n, const char *size)
{
	struct site *site = &f->config.sites.items[0];

	run(&sandbox, "r", NULL,
	    "rm -rf big && mkdir big && for i in $(seq %d); do truncate -s %s big/$i; "
	    "done",
	    n, size);
	site->path = "big";
	f->options.source = SOURCE_WORKTREE;
}

static void test_execute__what_is_in_flight_at_once_is_bounded(void **state)
{
	struct fixture *f = *state;

	f->options.concurrency = 16;
	use_large_files(f, 5, "14M");
	f->aws.fake.most_in_flight = 0;
	deploy_well(f, 0);
	assert_int_equal(f->aws.fake.most_in_flight, 3);
	for (size_t i = 0; i < f->aws.fake.seen.len; i++)
		if (f->aws.fake.seen.items[i].body_len > 1 << 20)
			assert_true(f->aws.fake.seen.items[i].from_file);
}

/* 33 MiB go in three parts; each deploy gets a request further than the one before, whose
 * upload it has the store forget. */
static void test_execute__parts_with_a_fault_at_each_request(void **state)
{
	struct where where = { .fault = FAKE_UNREACHED, .nth = 5 };
	const struct where *w = &where;
	const struct fake_object *o;
	struct fixture f;
	size_t most_uploads = 0;
	int rc = -1;

	(void)state;
	start_attempts(&f, 1);
	use_large_files(&f, 1, "33M");
	f.store.fault = where.fault;
	for (; rc < 0; where.nth++) {
		f.store.fault_at = f.store.requests + where.nth;
		rc = deploy(&f, 0);
		if (rc < 0)
			check_failure(&f, w);
		if (f.store.uploads.len > most_uploads)
			most_uploads = f.store.uploads.len;
	}
	assert_true(where.nth > 12);
	o = fake_store_find(&f.store, PREFIX "1");
	assert_non_null(o);
	assert_int_equal(o->body.len, 33 << 20);
	assert_true(str_ends(o->etag, "-3\""));
	assert_int_equal(most_uploads, 0);
	end(&f);
}

/* A run that was killed has not had time to. */
static void test_execute__parts_of_a_killed_deploy_are_forgotten(void **state)
{
	struct fixture *f = *state;

	use_large_files(f, 1, "33M");
	fake_http_expect(&f->aws.fake, "DELETE", "uploadId", 403, NULL,
			 "<Error><Code>AccessDenied</Code></Error>");
	f->store.fault = FAKE_403;
	f->store.fault_at = 8;
	assert_int_equal(deploy(f, 0), -1);
	assert_int_equal(f->store.uploads.len, 1);
	deploy_well(f, 0);
	assert_int_equal(f->store.uploads.len, 0);
	assert_int_equal(fake_store_find(&f->store, PREFIX "1")->body.len, 33 << 20);
}

static void test_execute__more_than_s3_takes_is_refused_by_name(void **state)
{
	struct content content = CONTENT_INIT;
	struct parts parts = PARTS_INIT;
	struct error err = ERROR_INIT;

	(void)state;
	content.len = (int64_t)PARTS_MOST * S3_PART_BYTES + 1;
	assert_int_equal(parts_of(&content, "video.mp4", &parts, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(error_exit_status(err.code), 5);
	assert_non_null(strstr(err.msg, "video.mp4"));
	parts_release(&parts);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_execute__##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_execute__first_deploy_with_a_fault_at_each_request),
		cmocka_unit_test(
			test_execute__second_deploy_with_a_fault_at_each_request),
		cmocka_unit_test(test_execute__what_passes_is_survived),
		TEST(objects_that_others_change),
		TEST(a_copy_whose_source_others_change),
		TEST(objects_that_others_delete),
		TEST(a_claim_that_is_lost_half_way),
		TEST(a_slow_deploy_renews_its_lease),
		TEST(a_signal_gives_up_the_lease),
		TEST(content_that_is_not_there),
		TEST(only_the_commit_is_recorded),
		TEST(the_second_claim_is_lost_and_both_are_taken_again),
		TEST(the_first_claim_fails),
		TEST(the_second_claim_fails),
		TEST(invalidations_wait_for_room_and_completion),
		TEST(an_invalidation_that_is_not_completed),
		TEST(a_store_without_fences_is_told),
		TEST(what_is_in_flight_at_once_is_bounded),
		cmocka_unit_test(test_execute__parts_with_a_fault_at_each_request),
		TEST(parts_of_a_killed_deploy_are_forgotten),
		cmocka_unit_test(test_execute__more_than_s3_takes_is_refused_by_name),
	};

	return cmocka_run_group_tests(tests, start_all, end_all);
}

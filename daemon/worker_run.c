#include "daemon/worker_private.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "daemon/joblog.h"
#include "io/fs.h"
#include "io/process.h"
#include "io/random.h"

extern char **environ;

enum {
	LINE_MOST = 8 << 20, /* a plan names each file */
	PATH_MOST = 4096,
	PHASE_MAX = 32,
	END_TRIES = 3,
	END_WAIT_MS = 500,
	TOLD_MOST = 50, /* jobs of a site that are looked through */
};

struct run {
	struct worker *w;
	struct slot *slot;
	struct settings *settings;
	const struct site *site;
	const struct job *job;
	struct joblog *log; /* NULL: it could not be opened */
	char commit[QUEUE_COMMIT_MAX];
	char tip[QUEUE_COMMIT_MAX]; /* the branch's, when it was fetched */
	struct buf result;
	char phase[PHASE_MAX];
	int64_t phase_ms;
};

static void run_release(struct run *r)
{
	joblog_free(r->log);
	buf_release(&r->result);
	settings_drop(r->settings);
}

/* What the child says */

static void end_phase(struct run *r)
{
	int64_t now = worker_now(r->w);

	if (r->phase[0])
		metrics_observe(r->w->needs.metrics, METRIC_PHASE_SECONDS, r->phase,
				(double)(now - r->phase_ms) / 1000);
	r->phase[0] = '\0';
	r->phase_ms = now;
}

/* Labels are from a list of ours. */
static void take_phase(struct run *r, const struct json *event)
{
	static const char *const phases[] = { "fetch", "checkout", "build", "deploy" };
	const char *phase = json_str(json_get(event, "phase"));

	end_phase(r);
	for (size_t i = 0; i < sizeof(phases) / sizeof(*phases); i++)
		if (str_eq(phase, phases[i]))
			(void)str_copy(r->phase, sizeof(r->phase), phases[i]);
}

static void take_commit(struct run *r, const struct json *event)
{
	const char *commit = json_str(json_get(event, "commit"));
	const char *tip = json_str(json_get(event, "tip"));
	struct verdict running = { .host = HOST_RUNNING, .message = "deploying" };

	if (!commit || !str_copy(r->commit, sizeof(r->commit), commit))
		return;
	if (tip)
		(void)str_copy(r->tip, sizeof(r->tip), tip);
	reporter_tell(r->w, r->settings, r->site, r->job, r->commit, &running);
}

static void take_event(struct run *r, const char *line, size_t len)
{
	static const char begin[] = "{\"v\":1,\"type\":\"";
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct error ignored = ERROR_INIT;
	const char *type = line + strlen(begin);

	if (!str_starts(line, begin))
		return;
	if (str_starts(type, "result\"")) {
		buf_clear(&r->result);
		buf_add(&r->result, line, len);
		return;
	}
	if (!str_starts(type, "phase\"") && !str_starts(type, "commit\""))
		return;
	if (json_parse(line, len, &doc, &ignored) < 0)
		return;
	if (*type == 'p')
		take_phase(r, json_root(doc));
	else
		take_commit(r, json_root(doc));
}

static void take_line(void *ctx, enum process_stream stream, const char *line, size_t len)
{
	struct run *r = ctx;

	if (r->log)
		joblog_line(r->log, worker_wall(r->w), stream == PROCESS_STDERR, line,
			    len);
	if (stream == PROCESS_STDOUT)
		take_event(r, line, len);
}

/* Asked all the time while the child runs, unlike the keeper, who may be held up by a queue that
 * does not answer. By the end of the lease, when somebody else may begin, the child must be gone:
 * it gets the last quarter of it to end. */
static bool must_stop(void *ctx)
{
	struct run *r = ctx;
	struct worker *w = r->w;
	struct slot *slot = r->slot;
	bool stop;

	pthread_mutex_lock(&w->mutex);
	if (slot->stop == STOP_NONE &&
	    worker_now(w) - slot->renewed_ms >= w->times.lease - w->times.lease / 4) {
		slot->stop = STOP_LEASE;
		log_write(w->needs.log, LOG_ERROR,
			  "job %lld of %s: the lease ends and cannot be renewed",
			  (long long)r->job->id, r->job->site);
	}
	stop = slot->stop != STOP_NONE;
	pthread_mutex_unlock(&w->mutex);
	return stop;
}

/* The child */

/* Whether the job names its commit itself; else the branch's tip is deployed. */
static bool names_commit(const struct job *job)
{
	return (job->cause == CAUSE_ROLLBACK || job->cause == CAUSE_REDEPLOY) &&
	       job->commit[0];
}

static void run_child(struct run *r, struct verdict_facts *facts, struct error *err)
{
	const char *argv[12] = { r->w->needs.program,
				 "job",
				 "--config",
				 r->settings->copy,
				 "--folder",
				 r->settings->folder,
				 "--site",
				 r->site->name };
	size_t n = 8;
	struct process process = {
		.argv = argv,
		.env = environ,
		.timeout_ms = r->settings->deploy_ms,
		.stop = must_stop,
		.line = take_line,
		.ctx = r,
		.line_most = LINE_MOST,
		.ended_by = &facts->signal,
	};

	if (names_commit(r->job)) {
		argv[n++] = "--head";
		argv[n++] = r->job->commit;
		if (r->job->cause == CAUSE_ROLLBACK)
			argv[n++] = "--rollback";
	}
	if (process_run(&process, &facts->exit_status, err) < 0)
		facts->ended = err->code;
	end_phase(r);
}

static void open_log(struct run *r)
{
	struct error err = ERROR_INIT;

	if (joblog_open(r->settings->state, r->job->id, r->settings->log_most, &r->log,
			&err) < 0) {
		log_write(r->w->needs.log, LOG_WARN, "job %lld goes without a log: %s",
			  (long long)r->job->id, err.msg);
		return;
	}
	joblog_attempt(r->log, worker_wall(r->w), r->job->attempt);
}

/* The end */

static enum verdict_stop stop_of(struct run *r)
{
	enum verdict_stop stop;

	pthread_mutex_lock(&r->w->mutex);
	stop = r->slot->stop;
	pthread_mutex_unlock(&r->w->mutex);
	return stop;
}

static unsigned jitter(void)
{
	struct error ignored = ERROR_INIT;
	unsigned value = 0;

	(void)random_bytes(&value, sizeof(value), &ignored);
	return value;
}

/* What a build left is large, and nobody's any more: the lease is ours still. */
static void remove_checkout(struct run *r)
{
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_MOST);
	struct error err = ERROR_INIT;

	if (!r->site->build)
		return;
	buf_printf(&path, "%s/builds/%s", r->settings->state, r->site->name);
	if (!path.overflowed && fs_remove_tree(path.data, &err) < 0)
		log_write(r->w->needs.log, LOG_WARN, "%s", err.msg);
}

/* Whether some job of the site was about the branch's tip. */
static bool was_told_of_tip(struct run *r)
{
	CLEANUP(job_list) struct job_list jobs = { 0 };
	struct error ignored = ERROR_INIT; /* then it was not */

	(void)queue_list(r->w->needs.queue, r->site->name, TOLD_MOST, &jobs, &ignored);
	for (size_t i = 0; r->tip[0] && i < jobs.len; i++)
		if (str_eq(jobs.items[i].commit, r->tip) ||
		    str_eq(jobs.items[i].deployed, r->tip))
			return true;
	return false;
}

/* So that the poll does not deploy the same again: nor, after somebody has chosen a commit, the
 * tip that was there to be chosen. One that was not known of is still to be found. */
static void set_seen(struct run *r, const struct verdict *v)
{
	struct error err = ERROR_INIT;
	const char *seen = r->commit;

	if (names_commit(r->job))
		seen = was_told_of_tip(r) ? r->tip : "";
	if (v->state == JOB_PENDING || !*seen)
		return;
	if (queue_set_seen(r->w->needs.queue, r->site->name, seen, &err) < 0)
		log_write(r->w->needs.log, LOG_WARN, "%s: %s", r->site->name, err.msg);
}

/* A queue that cannot be written to now may be in a moment; else the lease ends, and the job
 * is run once more. */
static int write_end(struct worker *w, const struct job *job, const struct queue_end *end)
{
	struct error err = ERROR_INIT;

	for (int i = 0; i < END_TRIES; i++) {
		if (queue_end(w->needs.queue, job, end, &err) == 0)
			return 0;
		log_write(w->needs.log, LOG_ERROR, "job %lld of %s: its end: %s",
			  (long long)job->id, job->site, err.msg);
		if (err.code == ERR_CONDITION)
			return -1;
		clock_sleep_ms(w->needs.clock, END_WAIT_MS);
	}
	return -1;
}

static int end_job(struct worker *w, const struct job *job, const struct verdict *v,
		   const char *summary)
{
	const struct queue_end end = {
		.state = v->state,
		.not_before_ms = v->not_before_ms,
		.keep_attempt = v->keep_attempt,
		.deployed = v->deployed,
		.message = v->message,
		.summary = summary,
		.now_ms = worker_wall(w),
	};

	return write_end(w, job, &end);
}

static void count(struct run *r, const struct verdict *v)
{
	struct metrics *m = r->w->needs.metrics;

	metrics_add(m, METRIC_DEPLOYS, r->site->name, v->word, 1);
	if (v->state == JOB_DONE)
		metrics_set(m, METRIC_LAST_SUCCESS, r->site->name,
			    (double)worker_wall(r->w) / 1000);
}

static void finish(struct run *r, const struct verdict_facts *facts)
{
	const char *summary = r->result.len && r->result.len <= QUEUE_SUMMARY_MOST
				      ? r->result.data
				      : NULL;
	struct verdict v;

	verdict_judge(facts, &v);
	log_write(r->w->needs.log, v.state == JOB_DEAD ? LOG_ERROR : LOG_INFO,
		  "job %lld of %s: %s: %s", (long long)r->job->id, r->site->name, v.word,
		  v.message);
	if (facts->stop != STOP_LEASE) {
		remove_checkout(r);
		set_seen(r, &v);
		if (end_job(r->w, r->job, &v, summary) < 0)
			v.word = "lost";
		else
			reporter_tell(r->w, r->settings, r->site, r->job,
				      r->commit[0] ? r->commit : r->job->commit, &v);
	}
	count(r, &v);
}

static bool is_behind(const struct run *r)
{
	const struct job *job = r->job;

	return job->cause == CAUSE_PUSH && *job->before &&
	       str_eq(r->commit, job->before) && !str_eq(r->commit, job->commit);
}

static void run_site(struct run *r)
{
	struct error err = ERROR_INIT;
	struct verdict_facts facts = {
		.exit_status = -1,
		.attempt = r->job->attempt,
		.attempts_most = r->settings->attempts,
		.deadline_ms = r->settings->deploy_ms,
		.jitter = jitter(),
	};

	open_log(r);
	log_write(r->w->needs.log, LOG_INFO, "job %lld of %s: attempt %d",
		  (long long)r->job->id, r->site->name, r->job->attempt);
	run_child(r, &facts, &err);
	facts.stop = stop_of(r);
	facts.is_behind = is_behind(r);
	facts.problem = err.msg;
	facts.result = r->result.len ? r->result.data : NULL;
	facts.now_ms = worker_wall(r->w);
	finish(r, &facts);
}

void worker_run_job(struct slot *slot)
{
	const struct job job = slot->job;
	CLEANUP(run)
	struct run r = {
		.w = slot->worker,
		.slot = slot,
		.job = &job,
		.settings = settings_now(slot->worker->needs.settings),
		.result = BUF_INIT(LINE_MOST),
	};
	struct verdict gone = { .state = JOB_DEAD,
				.message = "the site is no longer in the configuration" };

	r.site = settings_site(r.settings, job.site);
	if (r.site)
		run_site(&r);
	else
		(void)end_job(r.w, &job, &gone, NULL);
}

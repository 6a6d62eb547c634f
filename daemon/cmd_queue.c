#include "daemon/cmd.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "codec/json.h"
#include "daemon/daemon_log.h"
#include "daemon/queue.h"
#include "daemon/settings.h"
#include "daemon/store.h"

enum {
	TEXT_MOST = 4 << 20,
	ABBREVIATED_LEAST = 7,
	COMMIT_LEN = 40,
	SEARCHED = 1000,
	FAR = 4
};

/* What each command works with. */
struct cmd {
	const struct options *options;
	struct settings *settings;
	struct queue *queue;
	int64_t now_ms;
};

/* Sites and commits */

static int check_site(const struct cmd *c, struct error *err)
{
	const char *name = c->options->site;
	const char *nearest = NULL;
	unsigned least = FAR;

	if (settings_site(c->settings, name))
		return 0;
	for (size_t i = 0; i < c->settings->n_sites; i++) {
		unsigned d = str_distance(name, c->settings->names[i]);

		if (d < least) {
			least = d;
			nearest = c->settings->names[i];
		}
	}
	if (nearest)
		return error_set(err, ERR_USAGE,
				 "%s has no site \"%s\": did you mean \"%s\"?",
				 c->options->config, name, nearest);
	return error_set(err, ERR_USAGE, "%s has no site \"%s\"", c->options->config,
			 name);
}

static bool is_hex(const char *text)
{
	return text[strspn(text, "0123456789abcdef")] == '\0';
}

/* Takes a commit that begins like text. False: it is another one than was found before. */
static bool take_match(const char *commit, const char *text, char out[QUEUE_COMMIT_MAX])
{
	if (!str_starts(commit, text) || str_eq(out, commit))
		return true;
	if (*out)
		return false;
	return str_copy(out, QUEUE_COMMIT_MAX, commit);
}

static int find_commit(const struct cmd *c, const char *text, char out[QUEUE_COMMIT_MAX],
		       struct error *err)
{
	CLEANUP(job_list) struct job_list jobs = { 0 };
	bool is_unique = true;

	if (queue_list(c->queue, c->options->site, SEARCHED, &jobs, err) < 0)
		return -1;
	for (size_t i = 0; i < jobs.len; i++)
		is_unique &= take_match(jobs.items[i].commit, text, out) &&
			     take_match(jobs.items[i].deployed, text, out);
	if (!is_unique)
		return error_set(err, ERR_USAGE, "several commits begin with %s", text);
	if (!*out)
		return error_set(err, ERR_USAGE,
				 "no deploy of %s had a commit that begins with %s: give "
				 "all %d digits",
				 c->options->site, text, COMMIT_LEN);
	return 0;
}

/* All digits of a commit; of one that was deployed here before, the first will do. */
static int read_commit(const struct cmd *c, char out[QUEUE_COMMIT_MAX], struct error *err)
{
	const char *text = c->options->commit;
	size_t n = strlen(text);

	*out = '\0';
	if (n < ABBREVIATED_LEAST || n > COMMIT_LEN || !is_hex(text))
		return error_set(err, ERR_USAGE,
				 "\"%s\" is no commit: %d to %d hexadecimal digits, in "
				 "lower case",
				 text, ABBREVIATED_LEAST, COMMIT_LEN);
	if (n < COMMIT_LEN)
		return find_commit(c, text, out, err);
	(void)str_copy(out, QUEUE_COMMIT_MAX, text);
	return 0;
}

/* Putting */

static int put(const struct cmd *c, enum job_cause cause, const char *commit,
	       struct error *err)
{
	const struct queue_put p = { .site = c->options->site,
				     .cause = cause,
				     .delivery = "",
				     .before = "",
				     .commit = commit,
				     .now_ms = c->now_ms };
	enum queue_put_result result;

	if (queue_put(c->queue, &p, &result, err) < 0)
		return -1;
	printf("%s: queued %s of %s%s\n", c->options->site,
	       cause == CAUSE_ROLLBACK ? "the rollback" : "the deploy",
	       *commit ? commit : "the branch's tip",
	       result == QUEUE_COALESCED ? ", in place of one that was waiting" : "");
	return 0;
}

static int redeploy(const struct cmd *c, struct error *err)
{
	char commit[QUEUE_COMMIT_MAX] = "";

	if (c->options->commit && read_commit(c, commit, err) < 0)
		return -1;
	return put(c, CAUSE_REDEPLOY, commit, err);
}

/* What was live before what is live now. */
static int find_former(const struct cmd *c, char out[QUEUE_COMMIT_MAX], struct error *err)
{
	struct job job;

	if (queue_live(c->queue, c->options->site, 1, &job, err) == 0) {
		(void)str_copy(out, QUEUE_COMMIT_MAX, job.deployed);
		return 0;
	}
	if (err->code != ERR_NOT_FOUND)
		return -1;
	if (queue_live(c->queue, c->options->site, 0, &job, err) == 0)
		return error_set(err, ERR_NOT_FOUND,
				 "%s: there is nothing to go back to: %.10s is live, and "
				 "this queue remembers no other commit; name one",
				 c->options->site, job.deployed);
	if (err->code != ERR_NOT_FOUND)
		return -1;
	return error_set(err, ERR_NOT_FOUND,
			 "%s: there is nothing to go back to: this queue remembers no "
			 "deploy that went live",
			 c->options->site);
}

static int rollback(const struct cmd *c, struct error *err)
{
	char commit[QUEUE_COMMIT_MAX] = "";
	int rc = c->options->commit ? read_commit(c, commit, err)
				    : find_former(c, commit, err);

	return rc < 0 ? -1 : put(c, CAUSE_ROLLBACK, commit, err);
}

static int retry(const struct cmd *c, struct error *err)
{
	if (queue_retry(c->queue, c->options->site, c->now_ms, err) == 0) {
		printf("%s: queued again\n", c->options->site);
		return 0;
	}
	if (err->code != ERR_NOT_FOUND)
		return -1;
	return error_set(err, ERR_NOT_FOUND,
			 "%s: no deploy of it was given up; \"crc-daemon redeploy %s\" "
			 "makes a new one",
			 c->options->site, c->options->site);
}

/* Listing */

static void list_json(const struct job_list *jobs, struct buf *out)
{
	for (size_t i = 0; i < jobs->len; i++) {
		const struct job *j = &jobs->items[i];
		struct json_writer w = JSON_WRITER_INIT(out);

		json_open(&w, '{');
		json_member_int(&w, "v", 1);
		json_member(&w, "type", "job");
		json_member_int(&w, "id", j->id);
		json_member(&w, "site", j->site);
		json_member(&w, "state", job_state_name(j->state));
		json_member(&w, "cause", job_cause_name(j->cause));
		json_member(&w, "delivery", j->delivery);
		json_member(&w, "before", j->before);
		json_member(&w, "commit", j->commit);
		json_member(&w, "deployed", j->deployed);
		json_member_int(&w, "attempt", j->attempt);
		json_member_int(&w, "created_ms", j->created_ms);
		json_member_int(&w, "not_before_ms", j->not_before_ms);
		json_member_int(&w, "started_ms", j->started_ms);
		json_member_int(&w, "ended_ms", j->ended_ms);
		json_member(&w, "message", j->message);
		json_close(&w, '}');
		buf_char(out, '\n');
	}
}

static void list_text(const struct job_list *jobs, struct buf *out)
{
	for (size_t i = 0; i < jobs->len; i++) {
		const struct job *j = &jobs->items[i];
		const char *commit = *j->deployed ? j->deployed : j->commit;

		daemon_log_time(out, j->created_ms);
		buf_printf(out, "  %5" PRId64 "  %-16s %-10s %-8s %.10s", j->id, j->site,
			   job_state_name(j->state), job_cause_name(j->cause),
			   *commit ? commit : "(tip)     ");
		if (*j->message) {
			buf_str(out, "  ");
			daemon_log_clean(out, j->message);
		}
		buf_char(out, '\n');
	}
}

static int list(const struct cmd *c, struct error *err)
{
	CLEANUP(job_list) struct job_list jobs = { 0 };
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MOST);

	if (queue_list(c->queue, c->options->site, (size_t)c->options->last, &jobs, err) <
	    0)
		return -1;
	if (c->options->json)
		list_json(&jobs, &text);
	else if (jobs.len)
		list_text(&jobs, &text);
	else
		buf_str(&text, "nothing was deployed yet, and nothing waits\n");
	return cmd_print(&text, err);
}

/* The frame */

/* A file that is made here might be nobody's but ours, and keep the daemon out. */
static int check_queue(const struct cmd *c, struct error *err)
{
	const char *queue = c->settings->queue;

	if (strstr(queue, "://") || access(queue, F_OK) == 0)
		return 0;
	return error_set(err, ERR_NOT_FOUND,
			 "there is no queue at %s (%s): has the daemon been started?",
			 queue, strerror(errno));
}

static int run_on_queue(struct cmd *c, int (*act)(const struct cmd *, struct error *),
			struct error *err)
{
	int rc;

	if (c->options->site && check_site(c, err) < 0)
		return -1;
	if (check_queue(c, err) < 0 || store_open(c->settings, NULL, &c->queue, err) < 0)
		return -1;
	rc = act(c, err);
	queue_free(c->queue);
	return rc;
}

static int run(const struct options *o, const struct clock *clock,
	       int (*act)(const struct cmd *, struct error *))
{
	struct cmd c = { .options = o, .now_ms = clock_wall_ms(clock) };
	struct error err = ERROR_INIT;
	int rc;

	if (settings_read_queue(o->config, &c.settings, &err) < 0)
		return cmd_fail(&err);
	rc = run_on_queue(&c, act, &err);
	settings_drop(c.settings);
	return rc < 0 ? cmd_fail(&err) : 0;
}

int cmd_list(const struct options *o, const struct clock *clock)
{
	return run(o, clock, list);
}

int cmd_redeploy(const struct options *o, const struct clock *clock)
{
	return run(o, clock, redeploy);
}

int cmd_rollback(const struct options *o, const struct clock *clock)
{
	return run(o, clock, rollback);
}

int cmd_retry(const struct options *o, const struct clock *clock)
{
	return run(o, clock, retry);
}

#include "daemon/verdict.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

/* What kinds of failure ask for. */
enum remedy {
	REMEDY_LATER,   /* once more, with growing waits */
	REMEDY_SOON,    /* only what is left has to be done */
	REMEDY_UNLOCK,  /* somebody else is at it */
	REMEDY_NOTHING, /* it would fail again until somebody changes something */
};

/* ms between attempts: the first wait, and the longest. */
static const struct {
	int64_t first, most;
} waits[] = {
	[REMEDY_LATER] = { 10000, 900000 },
	[REMEDY_SOON] = { 2000, 60000 },
	[REMEDY_UNLOCK] = { 15000, 120000 },
	[REMEDY_NOTHING] = { 0, 0 },
};

/* Words of crc-action's result (docs/json.md) that say more than the exit status. */
static const struct {
	const char *error_code;
	enum remedy remedy;
} words[] = {
	{ "locked", REMEDY_UNLOCK },     { "order", REMEDY_NOTHING },
	{ "limit", REMEDY_NOTHING },     { "usage", REMEDY_NOTHING },
	{ "config", REMEDY_NOTHING },    { "unsupported", REMEDY_NOTHING },
	{ "credentials", REMEDY_LATER }, { "forbidden", REMEDY_LATER },
	{ "partial", REMEDY_SOON },      { "cancelled", REMEDY_SOON },
};

static const struct {
	int exit_status;
	enum remedy remedy;
	const char *message; /* when the child said nothing */
} statuses[] = {
	{ 2, REMEDY_NOTHING, "the configuration or the command line is wrong" },
	{ 3, REMEDY_LATER, "credentials or permissions are missing" },
	{ 4, REMEDY_SOON, "partly done" },
	{ 5, REMEDY_UNLOCK, "refused" },
	/* 127 is also what a shell says. */
	{ 126, REMEDY_NOTHING, "the deploy's program could not be run" },
	{ 127, REMEDY_NOTHING, "the deploy's program was not found" },
};

struct judging {
	const struct verdict_facts *f;
	const struct json *result; /* NULL: none that is JSON */
	struct verdict *v;
};

static const char *text_of(const struct judging *j, const char *member)
{
	const char *text = json_str(json_get(j->result, member));

	return text ? text : "";
}

static int64_t number_of(const struct judging *j, const char *member)
{
	int64_t n = 0;

	(void)json_int(json_get(j->result, member), &n);
	return n;
}

static enum remedy remedy_of(const struct judging *j)
{
	const char *word = text_of(j, "error_code");

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq(words[i].error_code, word))
			return words[i].remedy;
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].exit_status == j->f->exit_status)
			return statuses[i].remedy;
	return REMEDY_LATER;
}

static int64_t wait_ms(enum remedy remedy, int attempt, unsigned jitter)
{
	int64_t wait = waits[remedy].first;

	for (int i = 1; i < attempt && wait < waits[remedy].most; i++)
		wait *= 2;
	if (wait > waits[remedy].most)
		wait = waits[remedy].most;
	return wait - wait / 2 * (int64_t)(jitter % 1024) / 1024;
}

/* Once more, unless that was the last attempt. */
static void fail(struct judging *j, enum remedy remedy, enum host_state host)
{
	const struct verdict_facts *f = j->f;
	struct verdict *v = j->v;
	size_t n = strlen(v->message);

	if (remedy == REMEDY_NOTHING || f->attempt >= f->attempts_most) {
		v->state = JOB_DEAD;
		v->word = "failed";
		v->host = host;
		return;
	}
	v->state = JOB_PENDING;
	v->word = "retried";
	v->host = HOST_PENDING;
	v->not_before_ms = f->now_ms + wait_ms(remedy, f->attempt, f->jitter);
	snprintf(v->message + n, sizeof(v->message) - n, " (attempt %d of %d)",
		 f->attempt, f->attempts_most);
}

/* The message is cut so that what fail() adds still fits. */
static void say(struct verdict *v, const char *text)
{
	enum { ROOM = 48 };

	snprintf(v->message, sizeof(v->message) - ROOM, "%s", text);
}

static void take_head(struct judging *j)
{
	const char *head = text_of(j, "head");

	if (strlen(head) == QUEUE_COMMIT_MAX - 1)
		(void)str_copy(j->v->deployed, sizeof(j->v->deployed), head);
}

/* Hosts of many machines tell of a push before each of these shows it; and some pushes are taken
 * back, so that this ends with the attempts. */
static bool is_too_early(const struct judging *j)
{
	return j->f->is_behind && j->f->stop == STOP_NONE &&
	       j->f->attempt < j->f->attempts_most;
}

static void succeed(struct judging *j)
{
	struct verdict *v = j->v;
	const char *verdict = text_of(j, "verdict");

	if (is_too_early(j)) {
		say(v, "the repository does not show the push yet");
		fail(j, REMEDY_SOON, HOST_PENDING);
		return;
	}
	v->host = HOST_SUCCESS;
	if (str_eq(verdict, "superseded")) {
		v->state = JOB_SUPERSEDED;
		v->word = "superseded";
		snprintf(v->message, sizeof(v->message),
			 "superseded: %.10s is deployed, which is newer",
			 text_of(j, "superseded_by"));
		return;
	}
	v->state = JOB_DONE;
	v->word = "done";
	take_head(j);
	if (str_eq(verdict, "nothing-to-do"))
		snprintf(v->message, sizeof(v->message), "nothing to do: %.400s",
			 *text_of(j, "nothing_why") ? text_of(j, "nothing_why")
						    : "the commit is deployed");
	else
		snprintf(v->message, sizeof(v->message),
			 "deployed: %" PRId64 " uploaded, %" PRId64 " deleted, %" PRId64
			 " invalidation paths",
			 number_of(j, "uploaded"), number_of(j, "deleted"),
			 number_of(j, "invalidation_paths"));
}

/* It ended by itself, and not well. */
static void judge_exit(struct judging *j)
{
	const struct verdict_facts *f = j->f;
	const char *text = text_of(j, "error");
	enum host_state host = f->exit_status == 3 ? HOST_ERROR : HOST_FAILURE;
	char other[64];

	snprintf(other, sizeof(other), "the deploy ended with exit status %d",
		 f->exit_status);
	for (size_t i = 0; !*text && i < sizeof(statuses) / sizeof(*statuses); i++)
		if (statuses[i].exit_status == f->exit_status)
			text = statuses[i].message;
	say(j->v, *text ? text : other);
	fail(j, remedy_of(j), host);
}

static void judge_death(struct judging *j)
{
	enum { SIG_ABRT = 6, SIG_KILL = 9, SIG_SEGV = 11 };
	const struct verdict_facts *f = j->f;
	char text[128];

	/* Out of memory: the kernel kills, and our own programs abort. */
	snprintf(text, sizeof(text), "the deploy's process was killed by signal %d%s",
		 f->signal,
		 f->signal == SIG_KILL || f->signal == SIG_ABRT || f->signal == SIG_SEGV
			 ? " (out of memory?)"
			 : "");
	say(j->v, text);
	fail(j, REMEDY_LATER, HOST_ERROR);
}

static void judge_timeout(struct judging *j)
{
	char text[128];

	snprintf(text, sizeof(text),
		 "the deploy was not done after %" PRId64 " s and was ended",
		 j->f->deadline_ms / 1000);
	say(j->v, text);
	fail(j, REMEDY_LATER, HOST_ERROR);
}

/* A stop that came too late changes nothing about a deploy that is done. */
static void judge_stop(struct judging *j)
{
	struct verdict *v = j->v;

	v->state = JOB_PENDING;
	v->host = HOST_PENDING;
	v->not_before_ms = j->f->now_ms;
	v->keep_attempt = true;
	v->word = j->f->stop == STOP_DRAIN ? "drained" : "lost";
	say(v, j->f->stop == STOP_DRAIN
		       ? "interrupted: the daemon was stopped; the deploy begins again"
		       : "interrupted: another daemon has taken the deploy over");
}

static void judge_all(struct judging *j)
{
	const struct verdict_facts *f = j->f;

	if (f->exit_status == 0 && f->stop != STOP_LEASE && j->result)
		succeed(j);
	else if (f->stop != STOP_NONE)
		judge_stop(j);
	else if (f->ended == ERR_TIMEOUT)
		judge_timeout(j);
	else if (f->signal)
		judge_death(j);
	else if (f->exit_status > 0)
		judge_exit(j);
	else {
		say(j->v, f->exit_status == 0
				  ? "the deploy ended without telling its result"
				  : f->problem);
		fail(j, f->ended == ERR_NOT_FOUND ? REMEDY_NOTHING : REMEDY_LATER,
		     HOST_ERROR);
	}
}

void verdict_judge(const struct verdict_facts *facts, struct verdict *out)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct error ignored = ERROR_INIT;
	struct judging j = { .f = facts, .v = out };

	*out = (struct verdict){ .state = JOB_PENDING, .word = "retried" };
	if (facts->result &&
	    json_parse(facts->result, strlen(facts->result), &doc, &ignored) == 0)
		j.result = json_root(doc);
	judge_all(&j);
}

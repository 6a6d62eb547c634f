#include "run/deploy_private.h"

#include <inttypes.h>
#include <string.h>

#include "aws/s3.h"
#include "base/mem.h"
#include "codec/encode.h"
#include "core/order.h"
#include "run/tip.h"
#include "run/viewers.h"

enum { POLL_MS = 2000, LOOKS_MOST = 24 };

static void add_note(struct deploy *d, enum note_kind kind, const char *text)
{
	note_list_push(&d->notes, (struct note){ kind, SIZE_MAX, NULL, text });
}

/* Reading states and distributions */

void deploy_forget_reading(struct deploy_site *s)
{
	for (size_t i = 0; s->viewers && i < s->n_viewers; i++) {
		viewer_release(&s->viewers[i]);
		cf_distribution_release(&s->distributions[i]);
	}
	claim_read_release(&s->read);
	live_list_release(&s->live);
	s->live_is_complete = false;
	s->superseded = false;
	arena_release(&s->read_arena);
}

static int take_distribution(struct deploy *d, struct deploy_site *s, size_t i,
			     struct aws_call *call, struct error *err)
{
	const char *id = s->site->distributions.items[i].text;
	struct viewers_options options = {
		.aws = d->options->aws,
		.site = s->site,
		.bucket = s->bucket,
		.arena = &s->read_arena,
		.notes = &d->notes,
	};

	if (call->err.code == ERR_FORBIDDEN) {
		viewer_init_unknown(&s->viewers[i], id, s->site->prefix,
				    s->site->query_strings, &s->read_arena);
		add_note(
			d, NOTE_WARNING,
			arena_printf(
				&d->arena,
				"the settings of distribution %s may not be read: more is "
				"invalidated than is needed; allow "
				"cloudfront:GetDistribution",
				id));
		return 0;
	}
	if (call->err.code) {
		*err = call->err;
		return error_wrap(err, "distribution %s", id);
	}
	if (cf_distribution_decode(&call->response, &s->distributions[i], err) < 0)
		return error_wrap(err, "distribution %s", id);
	viewers_from_distribution(&options, &s->distributions[i], &s->viewers[i]);
	/* The answer's id is the server's word; the configured one names it in the state. */
	s->viewers[i].id = id;
	return 0;
}

static size_t count_calls(const struct deploy *d)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_sites; i++)
		n += 1 + d->sites[i].n_viewers;
	return n;
}

static void fill_calls(const struct deploy *d, struct aws_call *calls)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		const struct deploy_site *s = &d->sites[i];

		*calls = (struct aws_call)AWS_CALL_INIT;
		claim_read_request(&calls++->request, s->bucket, s->site->prefix);
		for (size_t j = 0; j < s->n_viewers; j++) {
			*calls = (struct aws_call)AWS_CALL_INIT;
			cf_distribution_request(&calls++->request,
						s->site->distributions.items[j].text);
		}
	}
}

static int take_answers(struct deploy *d, struct aws_call *calls, struct error *err)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		struct deploy_site *s = &d->sites[i];

		if (claim_read_result(calls++, &s->read, err) < 0)
			return -1;
		for (size_t j = 0; j < s->n_viewers; j++)
			if (take_distribution(d, s, j, calls++, err) < 0)
				return -1;
	}
	return 0;
}

static int read_once(struct deploy *d, struct error *err)
{
	size_t n = count_calls(d);
	struct aws_call *calls = xcalloc(n, sizeof(*calls));
	int rc;

	d->notes.len = 0;
	for (size_t i = 0; i < d->n_sites; i++)
		deploy_forget_reading(&d->sites[i]);
	fill_calls(d, calls);
	rc = aws_send_all(d->options->aws, calls, n, err);
	if (rc == 0)
		rc = take_answers(d, calls, err);
	for (size_t i = 0; i < n; i++)
		aws_call_release(&calls[i]);
	free(calls);
	return rc;
}

static int64_t longest_wait_s(const struct deploy *d)
{
	int64_t most = 0;

	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].read.wait_s > most)
			most = d->sites[i].read.wait_s;
	return most;
}

int deploy_read(struct deploy *d, struct error *err)
{
	const struct progress *p = d->options->progress;
	const struct clock *clock = d->options->clock;
	int64_t until_ms = clock_monotonic_ms(clock) +
			   d->options->lock_timeout_s * INT64_C(1000);
	int64_t wait_s;

	while (read_once(d, err) == 0) {
		wait_s = longest_wait_s(d);
		if (!wait_s)
			return 0;
		if (d->options->dry_run) {
			add_note(d, NOTE_INFO, "another deploy is under way");
			return 0;
		}
		if (clock_monotonic_ms(clock) >= until_ms)
			return error_set(err, ERR_LOCKED,
					 "another deploy has held the site for %" PRId64
					 " s: look at its run, or wait longer with "
					 "--lock-timeout",
					 d->options->lock_timeout_s);
		if (p && p->waiting)
			p->waiting(p->ctx,
				   arena_printf(&d->arena,
						"another deploy holds the site: waiting "
						"(its lease is dead in %" PRId64
						" s at the latest)",
						wait_s));
		clock_sleep_ms(clock, POLL_MS);
	}
	return -1;
}

/* Order */

static enum order_fact ancestry(struct repo *repo, const struct oid *a,
				const struct oid *b)
{
	int rc = repo_is_ancestor(repo, a, b);

	return rc < 0 ? ORDER_UNKNOWN_FACT : rc ? ORDER_YES : ORDER_NO;
}

static enum order_verdict compare_with(struct deploy *d, const struct oid *recorded,
				       const struct state_run *run, const char **why)
{
	const struct deploy_options *o = d->options;
	struct order_facts facts = {
		.same_commit = oid_equal(recorded, &o->head),
		.before_is_recorded = o->before && oid_equal(o->before, recorded),
		.run = &o->run,
		.recorded_run = run,
	};
	struct tip_options tip = {
		.repo = o->repo,
		.http = o->http,
		.remote = "origin",
		.ref = o->ref,
		.token = o->git_token,
		.server = o->git_server,
	};
	enum order_verdict verdict;

	if (!facts.same_commit) {
		facts.recorded_is_ancestor = ancestry(o->repo, recorded, &o->head);
		facts.head_is_ancestor = ancestry(o->repo, &o->head, recorded);
	}
	verdict = order_decide(&facts, why);
	if (verdict != ORDER_ASK_TIP)
		return verdict;
	facts.tip_was_asked = true;
	facts.head_is_tip = tip_is(&tip, &o->head);
	return order_decide(&facts, why);
}

static int judge(struct deploy *d, struct deploy_site *s, const struct oid *recorded,
		 const struct state_run *run, const char *what, struct error *err)
{
	char hex[OID_HEX_SIZE];
	const char *why = "";

	switch (compare_with(d, recorded, run, &why)) {
	case ORDER_SAME:
	case ORDER_NEWER:
		break;
	case ORDER_OLDER:
		s->superseded = !d->options->allow_rollback;
		break;
	case ORDER_ASK_TIP:
	case ORDER_UNKNOWN:
		if (d->options->allow_rollback || d->options->dry_run) {
			add_note(d, NOTE_WARNING,
				 "the order of the commits is not known");
			break;
		}
		return error_set(
			err, ERR_ORDER,
			"site %s: %s %.10s, and it cannot be told whether the head is "
			"newer (%s): fetch the history, push the branch, or deploy "
			"anyway with --allow-rollback",
			s->site->name, what, oid_hex(recorded, hex), why);
	}
	s->order_why = why;
	return 0;
}

int deploy_decide_order(struct deploy *d, struct error *err)
{
	for (size_t i = 0; i < d->n_sites; i++) {
		struct deploy_site *s = &d->sites[i];
		const struct state *state = &s->read.state;
		const char *why;

		s->order_why = "nothing was deployed before";
		if (!s->read.exists)
			continue;
		if (state->deployed.is_set &&
		    judge(d, s, &state->deployed.commit, &state->deployed.run,
			  "deployed is commit", err) < 0)
			return -1;
		why = s->order_why;
		if (state->journal.is_set && !s->superseded &&
		    judge(d, s, &state->journal.commit, &state->journal.run,
			  "an unfinished deploy is of commit", err) < 0)
			return -1;
		/* The base is what is deployed. */
		if (!s->superseded)
			s->order_why = why;
	}
	return 0;
}

/* Looking at objects */

struct listing {
	struct deploy_site *site;
	struct arena *arena;
};

static int take_object(void *ctx, const struct s3_object *object, struct error *err)
{
	struct listing *l = ctx;
	const char *path = object->key + strlen(l->site->site->prefix);

	(void)err;
	if (str_starts(path, ".crc/") || !*path)
		return 0;
	live_list_push(&l->site->live,
		       (struct live_object){ arena_strdup(l->arena, path),
					     arena_strdup(l->arena, object->etag) });
	return 0;
}

static int compare_live(const void *a, const void *b)
{
	return strcmp(((const struct live_object *)a)->path,
		      ((const struct live_object *)b)->path);
}

static int list_all(struct deploy *d, struct deploy_site *s, struct error *err)
{
	struct listing l = { s, &s->read_arena };

	if (s3_list(d->options->aws, s->bucket, s->site->prefix, take_object, &l, err) <
	    0)
		return error_wrap(err, "list bucket %s", s->bucket);
	if (s->live.len)
		qsort(s->live.items, s->live.len, sizeof(*s->live.items), compare_live);
	s->live_is_complete = true;
	return 0;
}

static int look_at_touched(struct deploy *d, struct deploy_site *s, struct error *err)
{
	const struct state_touch_list *touches = &s->read.state.journal.touches;
	struct aws_call *calls = xcalloc(touches->len, sizeof(*calls));
	int rc;

	for (size_t i = 0; i < touches->len; i++) {
		CLEANUP(buf) struct buf key = BUF_INIT(4096);

		calls[i] = (struct aws_call)AWS_CALL_INIT;
		buf_printf(&key, "%s%s", s->site->prefix, touches->items[i].path);
		s3_head_request(&calls[i].request, s->bucket, key.data);
	}
	rc = aws_send_all(d->options->aws, calls, touches->len, err);
	for (size_t i = 0; i < touches->len; i++) {
		const char *etag = http_response_header(&calls[i].response, "etag");

		if (rc == 0 && calls[i].err.code && calls[i].err.code != ERR_NOT_FOUND) {
			*err = calls[i].err;
			rc = error_wrap(err, "look at %s", touches->items[i].path);
		}
		if (calls[i].err.code)
			etag = NULL;
		live_list_push(&s->live, (struct live_object){
						 touches->items[i].path,
						 etag ? arena_strdup(&s->read_arena, etag)
						      : NULL });
		aws_call_release(&calls[i]);
	}
	free(calls);
	return rc;
}

static bool is_listed(const struct deploy_site *s, const char *path)
{
	struct live_object key = { path, NULL };

	return s->live.len && bsearch(&key, s->live.items, s->live.len,
				      sizeof(*s->live.items), compare_live);
}

/* What is in the bucket already need not be sent if its bytes are the commit's: the ETag of
 * a plain put is their MD5. */
static int digest_listed(struct deploy *d, struct deploy_site *s, struct error *err)
{
	for (size_t i = 0; i < s->head.len; i++) {
		CLEANUP(content) struct content content = CONTENT_INIT;
		struct entry *e = &s->head.items[i];
		char md5[33];

		if (!is_listed(s, e->path))
			continue;
		if (source_read(&s->source, e, &content, err) < 0)
			return -1;
		encode_hex(content.digest.md5, sizeof(content.digest.md5), md5);
		e->etag = arena_printf(&d->arena, "\"%s\"", md5);
	}
	return 0;
}

static int look_at_site(struct deploy *d, struct deploy_site *s, struct error *err)
{
	size_t touched = s->read.state.journal.touches.len;

	if (!s->read.exists)
		return list_all(d, s, err) < 0 ? -1 : digest_listed(d, s, err);
	if (d->options->audit || touched > LOOKS_MOST)
		return list_all(d, s, err);
	return touched ? look_at_touched(d, s, err) : 0;
}

int deploy_look(struct deploy *d, struct error *err)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (!d->sites[i].superseded && look_at_site(d, &d->sites[i], err) < 0)
			return -1;
	return 0;
}

/* Offline */

static int choose_base(struct deploy *d)
{
	const struct deploy_options *o = d->options;
	struct error ignored = ERROR_INIT;

	if (o->base) {
		d->base_commit = *o->base;
		d->base_why = "given by --base";
		return 0;
	}
	if (o->before && repo_has_commit(o->repo, o->before)) {
		d->base_commit = *o->before;
		d->base_why = "what the branch pointed to before this push";
		return 0;
	}
	if (repo_parent(o->repo, &o->head, &d->base_commit, &ignored) == 0 &&
	    repo_has_commit(o->repo, &d->base_commit)) {
		d->base_why = "the parent of the head";
		return 0;
	}
	d->base_why = "the head's parent is not in this clone, or there is none";
	return -1;
}

int deploy_find_base(struct deploy *d, struct error *err)
{
	d->has_base_commit = choose_base(d) == 0;
	for (size_t i = 0; i < d->n_sites; i++) {
		struct deploy_site *s = &d->sites[i];

		for (size_t j = 0; j < s->n_viewers; j++)
			viewer_init_unknown(
				&s->viewers[j], s->site->distributions.items[j].text,
				s->site->prefix, s->site->query_strings, &d->arena);
		if (d->has_base_commit &&
		    source_snapshot_of(&s->source, &d->base_commit, &s->head, &d->arena,
				       &s->base, err) < 0)
			return -1;
	}
	return 0;
}

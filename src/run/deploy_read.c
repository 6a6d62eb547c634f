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
	error_clear(&s->lost);
	arena_release(&s->read_arena);
}

static int take_distribution(struct deploy *d, struct deploy_site *s, size_t i,
			     struct aws_call *call, struct error *err)
{
	const char *id = value_text(&s->site->distributions.items[i]);
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

/* Where the site is comes from a stack: it is read once the stack is. */
static bool takes_outputs(const struct deploy_site *s)
{
	const struct value_list *list = &s->site->distributions;

	for (size_t i = 0; i < list->len; i++)
		if (list->items[i].kind == VALUE_OUTPUT)
			return true;
	return s->site->bucket.kind == VALUE_OUTPUT;
}

bool deploy_site_is_known(const struct deploy_site *s)
{
	const struct value_list *list = &s->site->distributions;

	for (size_t i = 0; i < list->len; i++)
		if (!value_text(&list->items[i]))
			return false;
	return value_text(&s->site->bucket) != NULL;
}

/* Rounds of requests, which go side by side in each: the backends, and the sites whose place is
 * written down; the sites whose place the stacks tell; and the backends again, if one of the
 * states may have been written since. A claim is refused when another deploy has written the
 * state after it was read: so the backends must not be from before another deploy, and the
 * state from behind it. */
enum reading { READ_FIRST, READ_AFTER_STACKS, READ_BACKENDS };

static bool is_site_read_in(const struct deploy_site *s, enum reading reading)
{
	if (reading == READ_BACKENDS)
		return false;
	return takes_outputs(s) == (reading == READ_AFTER_STACKS) && !s->waits;
}

/* Of a stack that is not deployed, a site's place is all that is taken, and it was taken. */
static bool is_backend_read_in(const struct backend_work *b, enum reading reading)
{
	if (reading == READ_BACKENDS)
		return b->wanted || !b->is_place;
	return reading == READ_FIRST;
}

static size_t fill_site(const struct deploy_site *s, struct aws_call *calls)
{
	calls[0] = (struct aws_call)AWS_CALL_INIT;
	claim_read_request(&calls[0].request, s->bucket, s->site->prefix);
	for (size_t i = 0; i < s->n_viewers; i++) {
		calls[1 + i] = (struct aws_call)AWS_CALL_INIT;
		cf_distribution_request(&calls[1 + i].request,
					value_text(&s->site->distributions.items[i]));
	}
	return 1 + s->n_viewers;
}

static size_t fill_calls(const struct deploy *d, enum reading reading,
			 struct aws_call *calls)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_backends; i++)
		if (is_backend_read_in(&d->backends[i], reading)) {
			backend_calls(&d->backends[i], &calls[n]);
			n += backend_n_calls(&d->backends[i]);
		}
	for (size_t i = 0; i < d->n_sites; i++)
		if (is_site_read_in(&d->sites[i], reading))
			n += fill_site(&d->sites[i], &calls[n]);
	return n;
}

/* What an output names may have been removed behind the stack's back, or never have been there.
 * The deploy that is to come may mend that, as it does with values that will not do. */
static int lose(struct deploy_site *s, const struct value *v, const char *key,
		struct error *err)
{
	bool gone = str_eq(err->service_code, "NoSuchBucket") ||
		    str_eq(err->service_code, "NoSuchDistribution");

	if (!gone || v->kind != VALUE_OUTPUT)
		return -1;
	error_wrap(err, "site %s: its %s is the output %s of backend %s", s->site->name,
		   key, v->text, v->backend);
	s->lost = *err;
	s->lost_by = v->backend;
	error_clear(err);
	return 0;
}

static int take_site(struct deploy *d, struct deploy_site *s, struct aws_call **calls,
		     struct error *err)
{
	const struct value *distributions = s->site->distributions.items;

	if (claim_read_result((*calls)++, &s->read, err) < 0 &&
	    lose(s, &s->site->bucket, "bucket", err) < 0)
		return -1;
	for (size_t i = 0; i < s->n_viewers; i++)
		if (take_distribution(d, s, i, (*calls)++, err) < 0 &&
		    lose(s, &distributions[i], "distribution", err) < 0)
			return -1;
	return 0;
}

static int take_answers(struct deploy *d, enum reading reading, struct aws_call *calls,
			struct error *err)
{
	for (size_t i = 0; i < d->n_backends; i++) {
		struct backend_work *b = &d->backends[i];

		if (!is_backend_read_in(b, reading))
			continue;
		if (backend_take(b, calls, err) < 0)
			return -1;
		calls += backend_n_calls(b);
	}
	for (size_t i = 0; i < d->n_sites; i++)
		if (is_site_read_in(&d->sites[i], reading) &&
		    take_site(d, &d->sites[i], &calls, err) < 0)
			return -1;
	return 0;
}

static size_t count_most(const struct deploy *d)
{
	size_t n = d->n_backends * BACKEND_CALLS_MOST;

	for (size_t i = 0; i < d->n_sites; i++)
		n += 1 + d->sites[i].n_viewers;
	return n;
}

static int read_round(struct deploy *d, enum reading reading, struct error *err)
{
	struct aws_call *calls = xcalloc(count_most(d) + 1, sizeof(*calls));
	size_t n;
	int rc;

	n = fill_calls(d, reading, calls);
	rc = n ? aws_send_all(d->options->aws, calls, n, err) : 0;

	if (rc == 0)
		rc = take_answers(d, reading, calls, err);
	for (size_t i = 0; i < n; i++)
		aws_call_release(&calls[i]);
	free(calls);
	return rc;
}

/* Sites that wait are shown by a dry run as if nothing were there. */
static void settle_site(struct deploy *d, struct deploy_site *s)
{
	s->waits = !deploy_site_is_known(s);
	s->bucket = value_text(&s->site->bucket);
	if (!s->waits)
		return;
	s->bucket = NULL;
	for (size_t i = 0; i < s->n_viewers; i++) {
		viewer_release(&s->viewers[i]);
		viewer_init_unknown(
			&s->viewers[i],
			value_label(&s->site->distributions.items[i], &d->arena),
			s->site->prefix, s->site->query_strings, &s->read_arena);
	}
}

static bool any_written_since(const struct deploy_site *sites, size_t n, int64_t asked_ms)
{
	for (size_t i = 0; i < n; i++)
		if (sites[i].read.exists &&
		    claim_read_may_be_since(sites[i].read.written_ms, asked_ms))
			return true;
	return false;
}

/* A state that is not there has been written by nobody: crc never removes one. */
static bool is_torn(const struct deploy *d)
{
	for (size_t i = 0; i < d->n_backends; i++) {
		const struct backend_work *b = &d->backends[i];

		if (is_backend_read_in(b, READ_BACKENDS) &&
		    (any_written_since(d->sites, d->n_sites, b->asked_ms) ||
		     any_written_since(d->records, d->n_records, b->asked_ms)))
			return true;
	}
	return false;
}

/* Sites were read where outputs said then, and may not be there; and backends may have been read
 * since. */
static int resolve_again(struct deploy *d, struct error *err)
{
	d->places_moved = deploy_places_moved(d);
	if (deploy_take_outputs(d, err) < 0)
		return -1;
	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].lost.code)
			settle_site(d, &d->sites[i]);
	return 0;
}

/* Somebody else at work: told while it is waited for, and at the end of the wait. */
struct obstacle {
	const char *waiting; /* NULL: there is none; lives as long as the deploy */
	const char *held;
};

static struct obstacle obstacle_of(struct deploy *d)
{
	int64_t most = 0;

	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].read.wait_s > most)
			most = d->sites[i].read.wait_s;
	for (size_t i = 0; i < d->n_records; i++)
		if (d->records[i].read.wait_s > most)
			most = d->records[i].read.wait_s;
	if (d->places_moved)
		return (struct obstacle){
			"the outputs of stacks became others just now: reading again",
			"the outputs of stacks have become others again and again",
		};
	if (most)
		return (struct obstacle){
			arena_printf(
				&d->arena,
				"another deploy holds the site: waiting (its lease is "
				"dead in %" PRId64 " s at the latest)",
				most),
			"another deploy has held the site",
		};
	for (size_t i = 0; i < d->n_backends; i++) {
		const struct backend_work *b = &d->backends[i];

		if (b->is_busy)
			return (struct obstacle){
				arena_printf(&d->arena, "stack %s is in %s: waiting",
					     backend_target(b), b->stack.status),
				arena_printf(&d->arena, "stack %s has been in %s",
					     backend_target(b), b->stack.status),
			};
	}
	return (struct obstacle){ NULL, NULL };
}

/* A dry run claims nothing, and what has to wait is read anew. */
static bool is_to_be_mended(struct deploy *d)
{
	return !d->options->dry_run && !obstacle_of(d).waiting && is_torn(d);
}

static int read_once(struct deploy *d, struct error *err)
{
	d->notes.len = 0;
	d->places_moved = false;
	deploy_forget_backends(d);
	for (size_t i = 0; i < d->n_sites; i++)
		deploy_forget_reading(&d->sites[i]);
	deploy_forget_records(d);
	if (read_round(d, READ_FIRST, err) < 0 || deploy_take_outputs(d, err) < 0)
		return -1;
	for (size_t i = 0; i < d->n_sites; i++)
		if (takes_outputs(&d->sites[i]))
			settle_site(d, &d->sites[i]);
	if (read_round(d, READ_AFTER_STACKS, err) < 0 || deploy_read_records(d, err) < 0)
		return -1;
	if (is_to_be_mended(d) && read_round(d, READ_BACKENDS, err) < 0)
		return -1;
	return resolve_again(d, err);
}

int deploy_read(struct deploy *d, struct error *err)
{
	const struct progress *p = d->options->progress;
	const struct clock *clock = d->options->clock;
	int64_t until_ms = clock_monotonic_ms(clock) +
			   d->options->lock_timeout_s * INT64_C(1000);
	struct obstacle busy;

	while (read_once(d, err) == 0) {
		busy = obstacle_of(d);
		if (!busy.waiting)
			return 0;
		if (d->options->dry_run) {
			add_note(d, NOTE_INFO, "another deploy is under way");
			return 0;
		}
		if (clock_monotonic_ms(clock) >= until_ms)
			return error_set(err, ERR_LOCKED,
					 "%s for %" PRId64
					 " s: look at its run, or wait longer with "
					 "--lock-timeout",
					 busy.held, d->options->lock_timeout_s);
		if (p && p->waiting)
			p->waiting(p->ctx, busy.waiting);
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

static int decide_order(struct deploy *d, struct deploy_site *s, struct error *err)
{
	const struct state *state = &s->read.state;
	const char *why;

	s->order_why = "nothing was deployed before";
	if (!s->read.exists)
		return 0;
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
	return 0;
}

int deploy_decide_order(struct deploy *d, struct error *err)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (decide_order(d, &d->sites[i], err) < 0)
			return -1;
	for (size_t i = 0; i < d->n_records; i++)
		if (decide_order(d, &d->records[i], err) < 0)
			return -1;
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
		if (!d->sites[i].superseded && !d->sites[i].waits &&
		    look_at_site(d, &d->sites[i], err) < 0)
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
				&s->viewers[j],
				value_label(&s->site->distributions.items[j], &d->arena),
				s->site->prefix, s->site->query_strings, &d->arena);
		if (d->has_base_commit &&
		    source_snapshot_of(&s->source, &d->base_commit, &s->head, &d->arena,
				       &s->base, err) < 0)
			return -1;
	}
	return 0;
}

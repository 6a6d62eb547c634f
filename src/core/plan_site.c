#include "core/plan_site.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "core/headers.h"

enum { FOREIGN_NAMED = 3 };

VEC_DEFINE(header_sets, const struct header_list *);

struct builder {
	const struct plan_options *options;
	const struct site_input *in;
	struct site_work *work;
	struct plan *plan;
	struct plan_site *site;
	struct header_sets sets; /* each distinct set of headers once */
	struct str_list foreign;
};

/* All that is known of one path. */
struct sight {
	const char *path;
	const struct entry *want;
	const struct entry *have;
	const struct state_retired *retired;
	const struct state_touch *touch;
	const struct live_object *live;
};

enum presence {
	ABSENT,
	KNOWN,   /* these bytes, these headers (0: not known) */
	UNKNOWN, /* something of ours, or in our place, with this ETag */
	FOREIGN  /* something that crc did not put there */
};

struct current {
	enum presence presence;
	struct oid id;
	uint64_t headers_id;
	const char *etag;
};

/* Notes */

static void note(struct builder *b, enum note_kind kind, const char *path,
		 const char *text)
{
	note_list_push(&b->plan->notes, (struct note){ .kind = kind,
						       .site = b->work->index,
						       .path = path,
						       .text = text });
}

/* What is there now */

static struct current known(const struct entry *e, const char *etag)
{
	return (struct current){ KNOWN, e->id, e->headers_id, etag };
}

/* Somebody looked, so that the record need not be believed. */
static struct current from_live(const struct builder *b, const struct sight *s,
				const struct entry *have)
{
	const struct state_touch *t = s->touch;
	const char *etag = s->live ? s->live->etag : NULL;
	bool copied = t && t->copied;

	if (!etag)
		return (struct current){ .presence = ABSENT };
	/* Not of a copy: the ETag does not tell whether that has happened. */
	if (t && !t->to_absent && str_eq(etag, t->to) && !str_eq(t->from, t->to))
		return (struct current){ KNOWN, t->id, t->headers_id, etag };
	if (have && str_eq(etag, have->etag)) {
		struct current c = known(have, etag);

		if (copied)
			c.headers_id = 0;
		return c;
	}
	if (t && (str_eq(etag, t->from) || str_eq(etag, t->to)))
		return (struct current){ .presence = UNKNOWN, .etag = etag };
	if (b->in->knowledge == KNOW_NOTHING && s->want && str_eq(etag, s->want->etag))
		return (struct current){ KNOWN, s->want->id, 0, etag };
	return (struct current){ .presence = FOREIGN, .etag = etag };
}

static struct current current_of(const struct builder *b, const struct sight *s)
{
	const struct entry *have = s->have      ? s->have
				   : s->retired ? &s->retired->entry
						: NULL;

	if (s->live || b->in->live_is_complete)
		return from_live(b, s, have);
	if (s->touch)
		return (struct current){ .presence = UNKNOWN };
	return have ? known(have, have->etag) : (struct current){ .presence = ABSENT };
}

/* Headers */

static bool is_error_page(const struct builder *b, const char *path)
{
	CLEANUP(buf) struct buf key = BUF_INIT(4096);
	int64_t ignored;

	for (size_t i = 0; i < b->in->n_viewers; i++) {
		const struct viewer *v = &b->in->viewers[i];

		if (!v->error_pages.len)
			continue;
		buf_clear(&key);
		buf_str(&key, b->in->site->prefix);
		buf_str(&key, path);
		if (viewer_is_error_page(v, key.data, &ignored))
			return true;
	}
	return false;
}

/* The set that equals this one, so that a site's thousands of paths share a few. */
static const struct header_list *intern(struct builder *b, const struct header_list *set,
					uint64_t id)
{
	struct header_list *kept;

	for (size_t i = 0; i < b->sets.len; i++)
		if (headers_id(b->sets.items[i]) == id)
			return b->sets.items[i];
	kept = arena_alloc(&b->plan->arena, sizeof(*kept));
	kept->len = kept->cap = set->len;
	kept->items = arena_memdup(&b->plan->arena, set->items,
				   set->len * sizeof(*set->items));
	for (size_t i = 0; i < set->len; i++) {
		kept->items[i].name = arena_strdup(&b->plan->arena, set->items[i].name);
		kept->items[i].value = arena_strdup(&b->plan->arena, set->items[i].value);
	}
	header_sets_push(&b->sets, kept);
	return kept;
}

static const struct header_list *build_headers(struct builder *b, const char *path,
					       bool never_immutable, uint64_t *id)
{
	CLEANUP(arena) struct arena scratch = ARENA_INIT;
	CLEANUP(header_list) struct header_list set = { 0 };
	struct headers_options options = {
		.behind_distribution = b->in->n_viewers > 0,
		.is_error_document = is_error_page(b, path),
		.never_immutable = never_immutable,
	};

	headers_build(b->in->site, path, &options, &scratch, &set);
	*id = headers_id(&set);
	return intern(b, &set, *id);
}

/* Whether other bytes than the wanted ones were, or may have been, served under the name. */
static bool had_other_bytes(const struct sight *s)
{
	const struct state_touch *t = s->touch;

	return (s->have && !oid_equal(&s->have->id, &s->want->id)) ||
	       (s->retired && !oid_equal(&s->retired->entry.id, &s->want->id)) ||
	       (t && !t->to_absent && !oid_equal(&t->id, &s->want->id));
}

/* "Immutable" was a promise; browsers that believed it keep the old bytes. */
static const struct header_list *wanted_headers(struct builder *b, const struct sight *s,
						uint64_t *id)
{
	const struct state *state = b->in->state;
	bool broken = state && state_path_is_mutable(state, s->path);
	const struct header_list *headers = build_headers(b, s->path, broken, id);

	if (!headers_is_immutable(headers) || !had_other_bytes(s))
		return headers;
	if (!broken)
		str_list_push(&b->site->mutable_after, s->path);
	headers = build_headers(b, s->path, true, id);
	note(b, NOTE_WARNING, s->path,
	     headers_is_immutable(headers)
		     ? "is immutable by a rule of the configuration and has changed in "
		       "place: browsers that hold it will not ask again; give it "
		       "another name, or change the rule"
		     : "was served as immutable and has changed in place: browsers that "
		       "hold it will not ask again; it is no longer called immutable");
	return headers;
}

/* Steps */

static struct step *add_step(struct builder *b, enum step_kind kind, enum phase phase)
{
	return step_list_push(
		&b->plan->steps,
		(struct step){ .kind = kind, .phase = phase, .site = b->work->index });
}

static void go_stale(struct builder *b, const char *path, enum stale_kind kind)
{
	stale_list_push(&b->work->stale, (struct stale_path){ path, kind });
}

static enum stale_kind stale_kind_of(enum step_why why)
{
	if (why == WHY_ADDED)
		return STALE_ADDED;
	return why == WHY_MODIFIED || why == WHY_HEADERS ? STALE_CHANGED : STALE_ANYTHING;
}

static enum step_why why_sent(const struct builder *b, const struct sight *s,
			      const struct current *c)
{
	if (s->touch)
		return WHY_UNFINISHED;
	if (b->in->knowledge == KNOW_NOTHING && c->presence == KNOWN)
		return WHY_ADOPTED;
	if (s->have && c->presence != KNOWN)
		return WHY_DRIFT;
	if (c->presence == ABSENT)
		return WHY_ADDED;
	if (c->presence == KNOWN && oid_equal(&c->id, &s->want->id))
		return WHY_HEADERS;
	return WHY_MODIFIED;
}

static void send(struct builder *b, const struct sight *s, const struct current *c,
		 const struct header_list *headers, uint64_t id)
{
	bool same_bytes = c->presence == KNOWN && oid_equal(&c->id, &s->want->id);
	struct step *step = add_step(b, same_bytes ? STEP_COPY : STEP_PUT,
				     headers_is_entry(s->path) ? PHASE_ENTRIES
							       : PHASE_ASSETS);

	step->why = why_sent(b, s, c);
	step->path = s->path;
	step->from = c->etag;
	step->from_absent = c->presence == ABSENT && b->in->knowledge != KNOW_GIT;
	step->id = s->want->id;
	step->headers_id = id;
	step->headers = headers;
	step->after = b->site->after.len - 1;
	b->site->counts[step->why]++;
	go_stale(b, s->path, stale_kind_of(step->why));
}

static void keep_or_send(struct builder *b, const struct sight *s,
			 const struct current *c)
{
	uint64_t id;
	const struct header_list *headers = wanted_headers(b, s, &id);
	struct entry after = { s->path, s->want->id, id, c->etag };

	snapshot_push(&b->site->after, after);
	if (c->presence != KNOWN || !oid_equal(&c->id, &s->want->id) ||
	    c->headers_id != id) {
		send(b, s, c, headers, id);
		return;
	}
	b->site->unchanged++;
	b->work->state_changed |= s->retired && !s->have;
	if (s->touch)
		go_stale(b, s->path, STALE_ANYTHING);
}

static void drop(struct builder *b, const struct sight *s, const struct current *c,
		 enum step_why why)
{
	struct step *step = add_step(b, STEP_DELETE, PHASE_DELETES);

	step->why = s->touch ? WHY_UNFINISHED : why;
	step->path = s->path;
	step->from = c->etag;
	b->site->counts[step->why]++;
	go_stale(b, s->path, STALE_ANYTHING);
}

static bool retire(struct builder *b, const struct sight *s, const struct current *c)
{
	const struct state_retired *old = s->have ? NULL : s->retired;
	int64_t since_s = old ? old->since_s : b->options->now_s;
	struct state_retired retired = {
		{ s->path, c->id, c->headers_id, c->etag },
		since_s,
	};

	if (b->in->site->keep_s <= 0 ||
	    b->options->now_s - since_s >= b->in->site->keep_s)
		return false;
	if (!old && !headers_is_fingerprinted(s->path))
		return false;
	state_retired_list_push(&b->site->retired_after, retired);
	b->site->retired += !old;
	b->work->state_changed |= !old;
	if (s->touch)
		go_stale(b, s->path, STALE_ANYTHING);
	return true;
}

/* What was ours is gone already, or is somebody else's by now; edges may hold ours. */
static void lose(struct builder *b, const struct sight *s)
{
	if (s->have || s->retired || s->touch)
		go_stale(b, s->path, STALE_ANYTHING);
	b->work->state_changed |= s->have || s->retired;
}

static void remove_unwanted(struct builder *b, const struct sight *s,
			    const struct current *c)
{
	switch (c->presence) {
	case ABSENT:
		lose(b, s);
		break;
	case FOREIGN:
		str_list_push(&b->foreign, s->path);
		lose(b, s);
		break;
	case KNOWN:
	case UNKNOWN:
		if (c->presence == KNOWN && retire(b, s, c))
			break;
		drop(b, s, c, s->have ? WHY_DELETED : WHY_EXPIRED);
		break;
	}
}

/* Walking all paths that anybody knows of, in order */

struct cursor {
	const char *items; /* structs that begin with their path */
	size_t stride;
	size_t len;
	size_t at;
};

static const char *cursor_path(const struct cursor *c)
{
	const char *path = NULL;

	if (c->at < c->len)
		memcpy(&path, c->items + c->at * c->stride, sizeof(path));
	return path;
}

/* The item at the cursor if it is that path's, moving on; else NULL. */
static const void *cursor_take(struct cursor *c, const char *path)
{
	const char *mine = cursor_path(c);

	if (!mine || strcmp(mine, path) != 0)
		return NULL;
	return c->items + c->at++ * c->stride;
}

enum { HEAD, OBJECTS, RETIRED, TOUCHES, LIVE, CURSORS };

static const char *least_path(const struct cursor *cursors)
{
	const char *least = NULL;

	for (int i = 0; i < CURSORS; i++) {
		const char *path = cursor_path(&cursors[i]);

		if (path && (!least || strcmp(path, least) < 0))
			least = path;
	}
	return least;
}

#define CURSOR(list)                                                             \
	{                                                                        \
		(const char *)(list).items, sizeof(*(list).items), (list).len, 0 \
	}

/* Offline only bytes are compared, and most paths are the same: no headers are made up for
 * those. */
static bool same_in_git(const struct builder *b, const struct sight *s)
{
	return b->in->knowledge == KNOW_GIT && s->want && s->have &&
	       oid_equal(&s->want->id, &s->have->id);
}

static void keep_in_git(struct builder *b, const struct sight *s)
{
	snapshot_push(&b->site->after, *s->want);
	b->site->unchanged++;
}

static void abort_upload(struct builder *b, const struct sight *s)
{
	struct step *step = add_step(b, STEP_ABORT, PHASE_CLAIM);

	step->why = WHY_UNFINISHED;
	step->path = s->path;
}

static void walk(struct builder *b)
{
	static const struct state nothing = STATE_INIT;
	const struct site_input *in = b->in;
	const struct state *state = in->state ? in->state : &nothing;
	const struct snapshot *objects = in->knowledge == KNOW_GIT ? &in->base
								   : &state->objects;
	struct cursor cursors[CURSORS] = {
		[HEAD] = CURSOR(in->head),
		[OBJECTS] = CURSOR(*objects),
		[RETIRED] = CURSOR(state->retired),
		[TOUCHES] = CURSOR(state->journal.touches),
		[LIVE] = CURSOR(in->live),
	};
	const char *path;

	while ((path = least_path(cursors))) {
		struct sight s = {
			.path = path,
			.want = cursor_take(&cursors[HEAD], path),
			.have = cursor_take(&cursors[OBJECTS], path),
			.retired = cursor_take(&cursors[RETIRED], path),
			.touch = cursor_take(&cursors[TOUCHES], path),
			.live = cursor_take(&cursors[LIVE], path),
		};
		struct current c = current_of(b, &s);
		size_t before;

		if (s.touch && s.touch->multipart)
			abort_upload(b, &s);
		before = b->plan->steps.len;
		if (same_in_git(b, &s))
			keep_in_git(b, &s);
		else if (s.want)
			keep_or_send(b, &s, &c);
		else
			remove_unwanted(b, &s, &c);
		/* Nothing is left to be done about the object, but until this deploy has
		 * ended its path is stale: a next one has to know of it as this one does. */
		if (s.touch && b->plan->steps.len == before)
			state_touch_list_push(&b->site->carried, *s.touch);
	}
}

/* The whole site */

static void note_foreign(struct builder *b)
{
	CLEANUP(buf) struct buf names = BUF_INIT(8192);

	if (!b->foreign.len)
		return;
	for (size_t i = 0; i < b->foreign.len && i < FOREIGN_NAMED; i++)
		buf_printf(&names, "%s%s", i ? ", " : "", b->foreign.items[i]);
	if (b->foreign.len > FOREIGN_NAMED)
		buf_str(&names, ", ...");
	note(b, NOTE_INFO, NULL,
	     arena_printf(
		     &b->plan->arena,
		     "%zu object%s in the bucket %s not from this site and %s left alone: "
		     "%s",
		     b->foreign.len, b->foreign.len == 1 ? "" : "s",
		     b->foreign.len == 1 ? "is" : "are",
		     b->foreign.len == 1 ? "is" : "are", names.data));
}

/* For ever, also while there is no such file: browsers do not forget either. */
static void remember_mutable(struct builder *b)
{
	const struct state *state = b->in->state;
	struct str_list *list = &b->site->mutable_after;

	for (size_t i = 0; state && i < state->mutable_paths.len; i++)
		str_list_push(list, state->mutable_paths.items[i]);
	if (list->len)
		qsort(list->items, list->len, sizeof(*list->items), str_compare_ptr);
}

static void settle_base(const struct builder *b)
{
	const struct site_input *in = b->in;
	const struct state *state = in->state;

	b->site->base_why = in->base_why;
	b->site->first = in->knowledge == KNOW_NOTHING;
	b->site->takeover = state && state->journal.is_set;
	if (b->site->takeover)
		b->site->unfinished = state->journal.commit;
	if (in->knowledge == KNOW_GIT && in->base_commit) {
		b->site->base = *in->base_commit;
		b->site->has_base = true;
	} else if (state && state->deployed.is_set) {
		b->site->base = state->deployed.commit;
		b->site->has_base = true;
	}
}

void site_work_release(struct site_work *w)
{
	stale_list_release(&w->stale);
}

void plan_site_compare(const struct plan_options *options, const struct site_input *in,
		       struct plan *plan, struct site_work *out)
{
	struct builder b = { .options = options, .in = in, .work = out, .plan = plan };

	*out = (struct site_work){ .in = in, .index = plan->sites.len };
	b.site = plan_site_list_push(&plan->sites, (struct plan_site){
							   .site = in->site,
							   .bucket = in->bucket,
						   });
	settle_base(&b);
	for (size_t i = 0; i < in->n_viewers; i++)
		str_list_push(&b.site->distributions, in->viewers[i].id);
	walk(&b);
	remember_mutable(&b);
	note_foreign(&b);
	header_sets_release(&b.sets);
	str_list_release(&b.foreign);
}

/* Settling */

static bool same_distributions(const struct site_input *in)
{
	const struct state *state = in->state;

	if (!state)
		return true;
	for (size_t i = 0; i < in->n_viewers; i++)
		if (!state_has_distribution(state, in->viewers[i].id))
			return false;
	return state->distributions.len == in->n_viewers;
}

static bool has_steps(const struct plan *plan, size_t site)
{
	for (size_t i = 0; i < plan->steps.len; i++)
		if (plan->steps.items[i].site == site)
			return true;
	return false;
}

/* A step that writes the state under the condition that it is as it was read. */
static void write_state(const struct site_work *w, struct plan *plan, enum step_kind kind,
			enum phase phase)
{
	step_list_push(&plan->steps,
		       (struct step){ .kind = kind,
				      .phase = phase,
				      .site = w->index,
				      .from = w->in->state_etag,
				      .from_absent = w->in->knowledge == KNOW_NOTHING });
}

void plan_site_conclude(const struct plan_options *options, const struct site_work *w,
			struct plan *plan)
{
	struct plan_site *s = &plan->sites.items[w->index];
	bool same_commit = s->has_base && oid_equal(&s->base, &options->head);
	bool works = has_steps(plan, w->index);
	bool records = !same_commit || s->first || s->takeover || w->state_changed ||
		       !same_distributions(w->in);

	s->verdict = works ? SITE_DEPLOY : records ? SITE_RECORD : SITE_UP_TO_DATE;
	/* A backend deploys under the claims of the sites: that keeps older commits away. */
	if (works || has_steps(plan, SIZE_MAX)) {
		write_state(w, plan, STEP_CLAIM, PHASE_CLAIM);
		/* The claim's own ETag, which nobody knows yet, is what this depends on. */
		step_list_push(&plan->steps, (struct step){ .kind = STEP_COMMIT,
							    .phase = PHASE_COMMIT,
							    .site = w->index });
	} else if (records) {
		write_state(w, plan, STEP_RECORD, PHASE_COMMIT);
	}
}

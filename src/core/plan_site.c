#include "core/plan_site.h"

#include <string.h>

#include "base/mem.h"
#include "core/headers.h"

/* An edge that keeps errors no longer than this is left to forget them by itself. */
enum { ERROR_CACHING_LET_BE_S = 60, FOREIGN_NAMED = 3 };

/* A path that edges may hold an old version of. */
struct stale_path {
	const char *path;
	bool added; /* what they may hold is "not there" */
};

VEC_DEFINE(stale_list, struct stale_path);
VEC_DEFINE(header_sets, const struct header_list *);

struct builder {
	const struct plan_options *options;
	const struct site_input *in;
	struct plan *plan;
	struct plan_site *site;
	size_t index;
	struct stale_list stale;
	struct header_sets sets; /* each distinct set of headers once */
	struct str_list foreign;
	bool error_page_changed;
	bool state_changed; /* the state differs though no object does */
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
						       .site = b->index,
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
	if (t && !t->to_absent && !copied && str_eq(etag, t->to) &&
	    !str_eq(t->from, t->to))
		return (struct current){ KNOWN, t->id, t->headers_id, etag };
	if (have && str_eq(etag, have->etag)) {
		struct current c = known(have, etag);

		/* A copy changes the headers and leaves the ETag. */
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

static bool is_error_page(const struct builder *b, const char *path, int64_t *caching_s)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const char *key = arena_printf(&arena, "%s%s", b->in->site->prefix, path);
	bool found = false;

	*caching_s = 0;
	for (size_t i = 0; i < b->in->n_viewers; i++) {
		const struct viewer *v = &b->in->viewers[i];
		int64_t s = 0;

		if (v->error_pages.len && viewer_is_error_page(v, key, &s))
			found = true;
		if (s > *caching_s)
			*caching_s = s;
	}
	return found;
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

static const struct header_list *wanted_headers(struct builder *b, const char *path,
						bool is_mutable, uint64_t *id)
{
	CLEANUP(arena) struct arena scratch = ARENA_INIT;
	CLEANUP(header_list) struct header_list set = { 0 };
	int64_t ignored;
	struct headers_options options = {
		.behind_distribution = b->in->n_viewers > 0,
		.is_error_document = is_error_page(b, path, &ignored),
		.never_immutable = is_mutable,
	};

	headers_build(b->in->site, path, &options, &scratch, &set);
	*id = headers_id(&set);
	return intern(b, &set, *id);
}

/* "Immutable" was a promise; browsers that believed it keep the old bytes. */
static bool becomes_mutable(struct builder *b, const struct sight *s)
{
	const struct state *state = b->in->state;

	if (state && state_path_is_mutable(state, s->path))
		return true;
	if (!s->have || oid_equal(&s->have->id, &s->want->id) ||
	    !headers_is_fingerprinted(s->path))
		return false;
	note(b, NOTE_WARNING, s->path,
	     "was served as immutable and has changed in place: browsers that hold it will "
	     "not ask again; it is no longer called immutable");
	return true;
}

/* Steps */

static struct step *add_step(struct builder *b, enum step_kind kind, enum phase phase)
{
	return step_list_push(
		&b->plan->steps,
		(struct step){ .kind = kind, .phase = phase, .site = b->index });
}

static void go_stale(struct builder *b, const char *path, bool added)
{
	int64_t caching_s;

	stale_list_push(&b->stale, (struct stale_path){ path, added });
	if (is_error_page(b, path, &caching_s) && caching_s > ERROR_CACHING_LET_BE_S)
		b->error_page_changed = true;
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
	go_stale(b, s->path, step->why == WHY_ADDED);
}

static void keep_or_send(struct builder *b, const struct sight *s,
			 const struct current *c)
{
	bool is_mutable = becomes_mutable(b, s);
	uint64_t id;
	const struct header_list *headers = wanted_headers(b, s->path, is_mutable, &id);
	struct entry after = { s->path, s->want->id, id, c->etag };

	if (is_mutable)
		str_list_push(&b->site->mutable_after, s->path);
	snapshot_push(&b->site->after, after);
	if (c->presence != KNOWN || !oid_equal(&c->id, &s->want->id) ||
	    c->headers_id != id) {
		send(b, s, c, headers, id);
		return;
	}
	b->site->unchanged++;
	b->state_changed |= s->retired && !s->have;
	if (s->touch)
		go_stale(b, s->path, false);
}

static void drop(struct builder *b, const struct sight *s, const struct current *c,
		 enum step_why why)
{
	struct step *step = add_step(b, STEP_DELETE, PHASE_DELETES);

	step->why = s->touch ? WHY_UNFINISHED : why;
	step->path = s->path;
	step->from = c->etag;
	b->site->counts[step->why]++;
	go_stale(b, s->path, false);
}

static bool retire(struct builder *b, const struct sight *s, const struct current *c)
{
	const struct state_retired *old = s->have ? NULL : s->retired;
	int64_t since_s = old ? old->since_s : b->options->now_s;
	struct state_retired retired = {
		{ s->path, c->id, c->headers_id, c->etag },
		since_s,
	};

	if (s->touch || b->in->site->keep_s <= 0 ||
	    b->options->now_s - since_s >= b->in->site->keep_s)
		return false;
	if (!old && !headers_is_fingerprinted(s->path))
		return false;
	state_retired_list_push(&b->site->retired_after, retired);
	b->site->retired += !old;
	b->state_changed |= !old;
	return true;
}

static void remove_unwanted(struct builder *b, const struct sight *s,
			    const struct current *c)
{
	switch (c->presence) {
	case ABSENT:
		if (s->touch)
			go_stale(b, s->path, false);
		b->state_changed |= s->have || s->retired;
		break;
	case FOREIGN:
		str_list_push(&b->foreign, s->path);
		b->state_changed |= s->have || s->retired;
		if (s->touch)
			go_stale(b, s->path, false);
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

		if (s.touch && s.touch->multipart)
			abort_upload(b, &s);
		if (same_in_git(b, &s))
			keep_in_git(b, &s);
		else if (s.want)
			keep_or_send(b, &s, &c);
		else
			remove_unwanted(b, &s, &c);
	}
}

/* Invalidations */

static const char *everything_why(const struct builder *b, const struct viewer *v)
{
	const struct site_input *in = b->in;

	if (in->knowledge == KNOW_NOTHING)
		return "first deploy: what the edges hold is not known";
	if (in->knowledge == KNOW_STATE && !state_has_distribution(in->state, v->id))
		return "the distribution is new to this site";
	if (in->knowledge == KNOW_STATE && in->state->journal.everything)
		return "an unfinished deploy had to invalidate everything";
	if (b->error_page_changed)
		return "an error page changed, and errors are cached for long";
	return NULL;
}

/* What paths of one site have in common. */
struct common {
	const char *prefix;
	const char *index;
	bool stale;
};

static void add_paths(const struct builder *b, const struct viewer *v,
		      const struct common *common, const char *path,
		      struct cover_paths *out)
{
	CLEANUP(buf) struct buf key = BUF_INIT(4096);
	struct viewer_object object = { .index = common->index, .stale = common->stale };

	buf_str(&key, common->prefix);
	buf_str(&key, path);
	object.key = key.data;
	viewer_paths(v, &object, &b->plan->arena, out);
}

static void add_stale(const struct builder *b, const struct viewer *v,
		      struct cover_paths *out)
{
	const struct site *site = b->in->site;
	const struct common ours = { site->prefix, site->index, .stale = true };
	bool errors_last = viewer_missing_caching_s(v) > ERROR_CACHING_LET_BE_S;

	for (size_t i = 0; i < b->stale.len; i++)
		if (!b->stale.items[i].added || errors_last)
			add_paths(b, v, &ours, b->stale.items[i].path, out);
}

/* Stale paths stand among the others here; that a path is stale wins in the cover. */
static void add_held(const struct builder *b, const struct viewer *v,
		     struct cover_paths *out)
{
	const struct site_input *in = b->in;
	const struct common ours = { in->site->prefix, in->site->index, .stale = false };

	for (size_t i = 0; i < b->site->after.len; i++)
		add_paths(b, v, &ours, b->site->after.items[i].path, out);
	for (size_t i = 0; i < b->site->retired_after.len; i++)
		add_paths(b, v, &ours, b->site->retired_after.items[i].entry.path, out);
	for (size_t i = 0; i < in->n_neighbours; i++) {
		const struct neighbour *n = &in->neighbours[i];
		const struct common theirs = { n->prefix, n->index, .stale = false };

		for (size_t j = 0; j < n->objects->len; j++)
			add_paths(b, v, &theirs, n->objects->items[j].path, out);
	}
	viewer_elsewhere(v, &b->plan->arena, out);
}

static size_t count_stale(const struct cover_paths *paths)
{
	size_t n = 0;

	for (size_t i = 0; i < paths->len; i++)
		n += paths->items[i].stale;
	return n;
}

static void invalidate(struct builder *b, const struct viewer *v)
{
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };
	struct cover_limits limits = b->options->cover;
	const char *everything = everything_why(b, v);
	struct step *step;

	add_stale(b, v, &paths);
	if (everything)
		cover_paths_push(&paths, (struct cover_path){ .path = "/",
							      .stale = true,
							      .subtree = true });
	if (!paths.len)
		return;
	step = add_step(b, STEP_INVALIDATE, PHASE_INVALIDATE);
	step->distribution = v->id;
	step->everything = everything;
	step->stale = count_stale(&paths) - (everything != NULL);
	add_held(b, v, &paths);
	cover_build(&paths, &limits, &b->plan->arena, &step->cover);
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

static void settle_base(const struct builder *b)
{
	const struct site_input *in = b->in;
	const struct state *state = in->state;

	b->site->base_why = in->base_why;
	b->site->first = in->knowledge == KNOW_NOTHING;
	b->site->takeover = state && state->journal.is_set;
	if (in->knowledge == KNOW_GIT && in->base_commit) {
		b->site->base = *in->base_commit;
		b->site->has_base = true;
	} else if (state && state->deployed.is_set) {
		b->site->base = state->deployed.commit;
		b->site->has_base = true;
	}
}

static bool same_distributions(const struct builder *b)
{
	const struct state *state = b->in->state;

	if (!state)
		return true;
	for (size_t i = 0; i < b->in->n_viewers; i++)
		if (!state_has_distribution(state, b->in->viewers[i].id))
			return false;
	return state->distributions.len == b->in->n_viewers;
}

static void conclude(struct builder *b, bool effects)
{
	bool same_commit = b->site->has_base &&
			   oid_equal(&b->site->base, &b->options->head);

	if (effects) {
		b->site->verdict = SITE_DEPLOY;
		add_step(b, STEP_CLAIM, PHASE_CLAIM);
		add_step(b, STEP_COMMIT, PHASE_COMMIT);
	} else if (!same_commit || b->site->first || b->site->takeover ||
		   b->state_changed || !same_distributions(b)) {
		b->site->verdict = SITE_RECORD;
		add_step(b, STEP_RECORD, PHASE_COMMIT);
	}
}

void plan_site_build(const struct plan_options *options, const struct site_input *in,
		     struct plan *plan)
{
	size_t steps_before = plan->steps.len;
	struct builder b = {
		.options = options,
		.in = in,
		.plan = plan,
		.index = plan->sites.len,
	};

	b.site = plan_site_list_push(&plan->sites, (struct plan_site){
							   .site = in->site,
							   .bucket = in->bucket,
						   });
	settle_base(&b);
	for (size_t i = 0; i < in->n_viewers; i++)
		str_list_push(&b.site->distributions, in->viewers[i].id);
	walk(&b);
	for (size_t i = 0; i < in->n_viewers; i++)
		if (in->viewers[i].id)
			invalidate(&b, &in->viewers[i]);
	note_foreign(&b);
	conclude(&b, plan->steps.len > steps_before);
	stale_list_release(&b.stale);
	header_sets_release(&b.sets);
	str_list_release(&b.foreign);
}

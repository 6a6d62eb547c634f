#include "core/plan_invalidate.h"

#include <string.h>

#include "base/mem.h"

/* An edge that keeps errors no longer than this is left to forget them by itself. */
enum { ERROR_CACHING_LET_BE_S = 60, EVICTED_NAMED = 5 };

/* One site on one distribution. */
struct job {
	const struct site_work *work;
	const struct viewer *viewer;
	const char *everything; /* why all goes, or NULL */
	struct cover_paths paths;
	size_t stale;    /* distinct paths, not counting their variants by query string */
	size_t patterns; /* as many are enough without evicting anything */
	struct cover_limits limits;
};

/* What is stale */

static bool error_page_changed(const struct site_work *w, const struct viewer *v)
{
	CLEANUP(buf) struct buf key = BUF_INIT(4096);

	for (size_t i = 0; v->error_pages.len && i < w->stale.len; i++) {
		int64_t caching_s;

		buf_clear(&key);
		buf_str(&key, w->in->site->prefix);
		buf_str(&key, w->stale.items[i].path);
		if (viewer_is_error_page(v, key.data, &caching_s) &&
		    caching_s > ERROR_CACHING_LET_BE_S)
			return true;
	}
	return false;
}

static const char *everything_why(const struct site_work *w, const struct viewer *v)
{
	const struct site_input *in = w->in;

	if (in->knowledge == KNOW_NOTHING)
		return "first deploy: what the edges hold is not known";
	if (in->knowledge == KNOW_STATE && in->state->journal.everything)
		return "an unfinished deploy had to invalidate everything";
	if (in->knowledge == KNOW_STATE && !state_has_distribution(in->state, v->id))
		return "the distribution is new to this site";
	if (error_page_changed(w, v))
		return "an error page changed, and errors are cached for long";
	return NULL;
}

/* What paths of one site have in common. */
struct common {
	const char *prefix;
	const char *index;
	bool stale;
};

/* Where paths of one kind go. */
struct adding {
	const struct viewer *viewer;
	struct common common;
	struct arena *arena;
	struct cover_paths *out;
};

static void add_paths(const struct adding *a, const char *path, bool stays)
{
	CLEANUP(buf) struct buf key = BUF_INIT(4096);
	struct viewer_object object = { .index = a->common.index,
					.stale = a->common.stale,
					.stays = stays };

	buf_str(&key, a->common.prefix);
	buf_str(&key, path);
	object.key = key.data;
	viewer_paths(a->viewer, &object, a->arena, a->out);
}

static int compare_paths(const void *a, const void *b)
{
	return strcmp(((const struct cover_path *)a)->path,
		      ((const struct cover_path *)b)->path);
}

static void count_distinct(struct job *job)
{
	struct cover_paths *paths = &job->paths;

	if (paths->len)
		qsort(paths->items, paths->len, sizeof(*paths->items), compare_paths);
	for (size_t i = 0; i < paths->len; i++) {
		const struct cover_path *p = &paths->items[i];

		if (i && strcmp(paths->items[i - 1].path, p->path) == 0)
			continue;
		job->patterns++;
		job->stale += !p->subtree;
	}
}

static void add_stale(struct job *job, struct arena *arena)
{
	const struct site_work *w = job->work;
	const struct site *site = w->in->site;
	struct adding a = { job->viewer,
			    { site->prefix, site->index, .stale = true },
			    arena,
			    &job->paths };
	bool errors_last = viewer_missing_caching_s(job->viewer) > ERROR_CACHING_LET_BE_S;

	for (size_t i = 0; i < w->stale.len; i++) {
		const struct stale_path *s = &w->stale.items[i];

		if (s->kind != STALE_ADDED || errors_last)
			add_paths(&a, s->path, s->kind == STALE_CHANGED);
	}
	count_distinct(job);
	if (job->everything)
		cover_paths_push(&job->paths, (struct cover_path){ .path = "/",
								   .stale = true,
								   .subtree = true });
}

/* What is held */

static void add_objects(const struct adding *a, const struct neighbour *n)
{
	for (size_t i = 0; i < n->objects->len; i++)
		add_paths(a, n->objects->items[i].path, true);
}

static void add_neighbour(const struct neighbour *n, const struct job *job,
			  struct arena *arena, struct cover_paths *out)
{
	struct viewer unknown;
	struct adding a = {
		&unknown, { n->prefix, n->index, .stale = false }, arena, out
	};

	if (!n->n_viewers) {
		viewer_init_unknown(&unknown, job->viewer->id, n->prefix, 0, arena);
		add_objects(&a, n);
		viewer_release(&unknown);
	}
	for (size_t i = 0; i < n->n_viewers; i++) {
		a.viewer = &n->viewers[i];
		if (str_eq(a.viewer->id, job->viewer->id))
			add_objects(&a, n);
	}
}

/* Stale paths stand among the others here; that a path is stale wins in the cover. */
static void add_held(struct job *job, struct plan *plan)
{
	const struct site_input *in = job->work->in;
	const struct plan_site *s = &plan->sites.items[job->work->index];
	struct adding a = { job->viewer,
			    { in->site->prefix, in->site->index, .stale = false },
			    &plan->arena,
			    &job->paths };

	for (size_t i = 0; i < s->after.len; i++)
		add_paths(&a, s->after.items[i].path, true);
	for (size_t i = 0; i < s->retired_after.len; i++)
		add_paths(&a, s->retired_after.items[i].entry.path, true);
	for (size_t i = 0; i < in->n_neighbours; i++)
		add_neighbour(&in->neighbours[i], job, &plan->arena, &job->paths);
	viewer_elsewhere(job->viewer, &plan->arena, &job->paths);
}

/* The budget */

static size_t need_of(const struct job *job)
{
	return job->everything ? 1 : job->patterns;
}

static int compare_needs(const void *a, const void *b)
{
	const struct job *x = *(struct job *const *)a;
	const struct job *y = *(struct job *const *)b;

	if (need_of(x) != need_of(y))
		return need_of(x) < need_of(y) ? -1 : 1;
	return x < y ? -1 : x > y;
}

/* Who needs least comes first, so that what it leaves is shared by the others. Nobody gets
 * nothing: one wildcard is the least that a stale path costs. */
static void share_paths(struct job *jobs, size_t n, size_t budget)
{
	struct job **order = xcalloc(n, sizeof(*order));

	for (size_t i = 0; i < n; i++)
		order[i] = &jobs[i];
	qsort(order, n, sizeof(*order), compare_needs);
	for (size_t i = 0; i < n; i++) {
		size_t share = budget / (n - i);
		size_t need = need_of(order[i]);
		size_t taken = need < share ? need : share;

		order[i]->limits.max_paths = taken ? taken : 1;
		budget -= taken;
	}
	free(order);
}

static void share_wildcards(struct job *jobs, size_t n, size_t budget)
{
	for (size_t i = 0; i < n; i++) {
		size_t sharing = 0;

		for (size_t k = 0; k < n; k++)
			sharing += str_eq(jobs[i].viewer->id, jobs[k].viewer->id);
		jobs[i].limits.max_wildcards = budget > sharing ? budget / sharing : 1;
	}
}

/* What goes that need not */

static bool is_wildcard(const char *pattern)
{
	return str_ends(pattern, "*");
}

/* Whether a wildcard covers a path, or where a subtree starts. */
static bool is_evicted(const struct cover *c, const struct cover_path *p)
{
	for (size_t i = 0; c->wildcards && i < c->patterns.len; i++)
		if (is_wildcard(c->patterns.items[i]) &&
		    cover_matches(c->patterns.items[i], p->path))
			return true;
	return false;
}

static void name_evicted(struct step *step, const struct cover_path *p,
			 struct arena *arena)
{
	if (!is_evicted(&step->cover, p))
		return;
	if (p->subtree)
		str_list_push(&step->evicted_elsewhere,
			      arena_printf(arena, "%s*", p->path));
	else if (step->evicted++ < EVICTED_NAMED)
		str_list_push(&step->evicted_first, p->path);
}

/* The cover has sorted the paths; the same one stands there for each that holds it. */
static void count_evicted(struct step *step, const struct cover_paths *paths,
			  struct arena *arena)
{
	size_t end;

	for (size_t i = 0; i < paths->len; i = end) {
		const struct cover_path *held = NULL;
		bool stale = false;

		for (end = i; end < paths->len &&
			      str_eq(paths->items[i].path, paths->items[end].path);
		     end++) {
			const struct cover_path *p = &paths->items[end];

			stale |= p->stale;
			if (!p->stale && (!held || p->subtree))
				held = p;
		}
		if (held && (!stale || held->subtree))
			name_evicted(step, held, arena);
	}
}

/* All of it */

static void add_step(struct job *job, struct plan *plan)
{
	struct step *step = step_list_push(&plan->steps,
					   (struct step){
						   .kind = STEP_INVALIDATE,
						   .phase = PHASE_INVALIDATE,
						   .site = job->work->index,
						   .distribution = job->viewer->id,
						   .stale = job->stale,
						   .everything = job->everything,
					   });

	add_held(job, plan);
	cover_build(&job->paths, &job->limits, &plan->arena, &step->cover);
	count_evicted(step, &job->paths, &plan->arena);
	cover_paths_release(&job->paths);
}

static size_t count_viewers(const struct site_work *works, size_t n)
{
	size_t viewers = 0;

	for (size_t i = 0; i < n; i++)
		viewers += works[i].in->n_viewers;
	return viewers;
}

static void add_job(struct job *jobs, size_t *n, const struct site_work *w,
		    const struct viewer *v, struct arena *arena)
{
	struct job *job = &jobs[*n];

	*job = (struct job){ .work = w, .viewer = v, .everything = everything_why(w, v) };
	add_stale(job, arena);
	*n += job->paths.len > 0;
}

void plan_invalidate(const struct plan_options *options, const struct site_work *works,
		     size_t n_works, struct plan *plan)
{
	struct job *jobs = xcalloc(count_viewers(works, n_works) + 1, sizeof(*jobs));
	size_t n = 0;

	for (size_t i = 0; i < n_works; i++)
		for (size_t k = 0; k < works[i].in->n_viewers; k++)
			if (works[i].in->viewers[k].id)
				add_job(jobs, &n, &works[i], &works[i].in->viewers[k],
					&plan->arena);
	if (n)
		share_paths(jobs, n, options->cover.max_paths);
	share_wildcards(jobs, n, options->cover.max_wildcards);
	for (size_t i = 0; i < n; i++)
		add_step(&jobs[i], plan);
	free(jobs);
}

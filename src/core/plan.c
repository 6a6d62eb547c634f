#include "core/plan.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

#include "base/mem.h"
#include "core/plan_backend.h"
#include "core/plan_invalidate.h"
#include "core/plan_site.h"

static const char *const kind_names[STEP_KINDS] = {
	[STEP_CLAIM] = "claim",     [STEP_ABORT] = "abort",
	[STEP_PUT] = "put",         [STEP_COPY] = "copy",
	[STEP_DELETE] = "delete",   [STEP_INVALIDATE] = "invalidate",
	[STEP_COMMIT] = "commit",   [STEP_RECORD] = "record",
	[STEP_BACKEND] = "backend",
};

static const char *const why_names[WHYS] = {
	[WHY_NONE] = "",
	[WHY_ADDED] = "added",
	[WHY_MODIFIED] = "modified",
	[WHY_HEADERS] = "headers",
	[WHY_DELETED] = "deleted",
	[WHY_EXPIRED] = "expired",
	[WHY_UNFINISHED] = "unfinished",
	[WHY_DRIFT] = "drift",
	[WHY_ADOPTED] = "adopted",
};

static const char *const phase_names[PHASES] = {
	[PHASE_CLAIM] = "claim",           [PHASE_ASSETS] = "assets",
	[PHASE_ENTRIES] = "entries",       [PHASE_DELETES] = "deletes",
	[PHASE_INVALIDATE] = "invalidate", [PHASE_COMMIT] = "commit",
	[PHASE_BACKENDS] = "backends",
};

const char *step_kind_name(enum step_kind kind)
{
	return kind_names[kind];
}

const char *step_why_name(enum step_why why)
{
	return why_names[why];
}

const char *phase_name(enum phase phase)
{
	return phase_names[phase];
}

bool plan_is_empty(const struct plan *p)
{
	return p->steps.len == 0;
}

void plan_release(struct plan *p)
{
	for (size_t i = 0; i < p->steps.len; i++) {
		cover_release(&p->steps.items[i].cover);
		str_list_release(&p->steps.items[i].evicted_first);
		str_list_release(&p->steps.items[i].evicted_elsewhere);
	}
	for (size_t i = 0; i < p->backends.len; i++)
		resource_list_release(&p->backends.items[i].resources);
	for (size_t i = 0; i < p->sites.len; i++) {
		snapshot_release(&p->sites.items[i].after);
		state_retired_list_release(&p->sites.items[i].retired_after);
		state_touch_list_release(&p->sites.items[i].carried);
		str_list_release(&p->sites.items[i].mutable_after);
		str_list_release(&p->sites.items[i].distributions);
	}
	step_list_release(&p->steps);
	plan_backend_list_release(&p->backends);
	plan_site_list_release(&p->sites);
	note_list_release(&p->notes);
	arena_release(&p->arena);
	*p = (struct plan)PLAN_INIT;
}

static int compare_steps(const void *a, const void *b)
{
	const struct step *x = a;
	const struct step *y = b;

	if (x->phase != y->phase)
		return x->phase < y->phase ? -1 : 1;
	if (x->backend != y->backend)
		return x->backend < y->backend ? -1 : 1;
	if (x->site != y->site)
		return x->site < y->site ? -1 : 1;
	if (x->kind != y->kind)
		return x->kind < y->kind ? -1 : 1;
	if (x->path && y->path)
		return strcmp(x->path, y->path);
	return str_eq(x->distribution, y->distribution) || !x->distribution
		       ? 0
		       : strcmp(x->distribution, y->distribution);
}

static size_t count_before(const struct site_input *in)
{
	if (in->knowledge == KNOW_GIT)
		return in->base.len;
	return in->state ? in->state->objects.len : 0;
}

static void check_deletes(struct plan *p, const struct site_input *in, size_t site,
			  int64_t max_delete)
{
	const struct plan_site *s = &p->sites.items[site];
	size_t deletes = s->counts[WHY_DELETED];
	size_t before = count_before(in);
	size_t most = max_delete >= 0 ? (size_t)max_delete : before / 4;

	if (max_delete < 0 && most < 256)
		most = 256;
	if (deletes <= most || p->refused)
		return;
	p->refused = ERR_LIMIT;
	p->refusal = arena_printf(
		&p->arena,
		"site %s: %zu of %zu objects would be deleted, and at most %zu "
		"may be: if that is meant, run with --max-delete %zu",
		in->site->name, deletes, before, most, deletes);
}

void plan_build(const struct plan_options *options, const struct plan_input *input,
		struct plan *out)
{
	size_t n = input->n_sites;
	struct site_work *works = xcalloc(n + 1, sizeof(*works));

	*out = (struct plan){ .head = options->head, .offline = options->offline };
	for (size_t i = 0; i < input->n_backends; i++)
		plan_backend_compare(&input->backends[i], out);
	for (size_t i = 0; i < n; i++)
		plan_site_compare(options, &input->sites[i], out, &works[i]);
	plan_invalidate(options, works, n, out);
	for (size_t i = 0; i < n; i++) {
		plan_site_conclude(options, &works[i], out);
		check_deletes(out, &input->sites[i], i, options->max_delete);
		site_work_release(&works[i]);
	}
	free(works);
	if (out->steps.len)
		qsort(out->steps.items, out->steps.len, sizeof(*out->steps.items),
		      compare_steps);
}

static bool is_touch(const struct step *s, size_t site)
{
	return s->site == site &&
	       (s->kind == STEP_PUT || s->kind == STEP_COPY || s->kind == STEP_DELETE);
}

static int compare_touches(const void *a, const void *b)
{
	return strcmp(((const struct state_touch *)a)->path,
		      ((const struct state_touch *)b)->path);
}

/* While the ETag is the old one, the headers are known only if nobody but us may have set
 * others: a copy of ours or of a deploy that we take over leaves the ETag. */
static bool headers_are_uncertain(const struct step *s)
{
	return s->kind == STEP_COPY || s->why == WHY_UNFINISHED;
}

/* Parts of an unfinished deploy stay to be aborted until that has happened. */
static void note_aborts(const struct plan *p, size_t site, struct state_touch_list *out)
{
	for (size_t i = 0; i < p->steps.len; i++) {
		const struct step *s = &p->steps.items[i];
		struct state_touch key = { .path = s->path };
		struct state_touch *touch;

		if (s->site != site || s->kind != STEP_ABORT)
			continue;
		touch = bsearch(&key, out->items, out->len, sizeof(*out->items),
				compare_touches);
		assert(touch); /* what is aborted is sent, deleted or carried */
		touch->multipart = true;
	}
}

void plan_journal(const struct plan *p, size_t site, const char *const *expected,
		  const bool *parts, struct state_journal *out)
{
	const struct plan_site *s = &p->sites.items[site];

	*out = (struct state_journal){ .is_set = true, .commit = p->head };
	for (size_t i = 0; i < s->distributions.len; i++)
		str_list_push(&out->distributions, s->distributions.items[i]);
	for (size_t i = 0; i < p->steps.len; i++) {
		const struct step *step = &p->steps.items[i];

		if (step->site == site && step->everything)
			out->everything = true;
		if (!is_touch(step, site))
			continue;
		state_touch_list_push(&out->touches,
				      (struct state_touch){
					      .path = step->path,
					      .from = step->from,
					      .to_absent = step->kind == STEP_DELETE,
					      .id = step->id,
					      .headers_id = step->headers_id,
					      .to = expected ? expected[i] : NULL,
					      .copied = headers_are_uncertain(step),
					      .multipart = parts && parts[i],
				      });
	}
	for (size_t i = 0; i < s->carried.len; i++)
		state_touch_list_push(&out->touches, s->carried.items[i]);
	if (out->touches.len)
		qsort(out->touches.items, out->touches.len, sizeof(*out->touches.items),
		      compare_touches);
	note_aborts(p, site, &out->touches);
}

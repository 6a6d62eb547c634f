#include "run/deploy_private.h"

#include "base/mem.h"

static bool shares_distribution(const struct site *a, const struct site *b)
{
	for (size_t i = 0; i < a->distributions.len; i++)
		for (size_t j = 0; j < b->distributions.len; j++)
			if (value_same(&a->distributions.items[i],
				       &b->distributions.items[j]))
				return true;
	return false;
}

static bool is_deployed(const struct deploy *d, const struct site *site)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].site == site)
			return true;
	return false;
}

static bool is_open(const struct deploy *d, const struct site *site)
{
	for (size_t i = 0; i < d->n_others; i++)
		if (d->others[i].site == site)
			return true;
	return false;
}

static bool is_near(const struct deploy *d, const struct site *site)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (shares_distribution(d->sites[i].site, site))
			return true;
	return false;
}

/* The commit stands for what is deployed of it. One that cannot be read holds nothing: more
 * may be evicted then than is needed, and nothing stays stale. */
static void open_other(struct deploy *d, const struct site *site)
{
	const struct deploy_options *o = d->options;
	const struct source_options from = {
		.repo = o->repo,
		.config = o->config,
		.site = site,
		.commit = &o->head,
		.wanted = SOURCE_AUTO,
	};
	struct deploy_other *other = &d->others[d->n_others++];
	struct error ignored = ERROR_INIT;

	other->site = site;
	if (source_open(&other->source, &from, &ignored) == 0)
		(void)source_snapshot(&other->source, &d->arena, &other->objects,
				      &ignored);
}

static void add(struct deploy_site *s, const struct site *site,
		const struct neighbour *what)
{
	struct neighbour n = *what;

	if (s->site == site || !shares_distribution(s->site, site))
		return;
	n.prefix = site->prefix;
	n.index = site->index;
	s->neighbours[s->n_neighbours++] = n;
}

void deploy_find_neighbours(struct deploy *d)
{
	const struct site_list *all = &d->options->config->sites;

	if (!d->others)
		d->others = arena_alloc(&d->arena, all->len * sizeof(*d->others));
	for (size_t i = 0; i < all->len; i++)
		if (!is_deployed(d, &all->items[i]) && is_near(d, &all->items[i]) &&
		    !is_open(d, &all->items[i]))
			open_other(d, &all->items[i]);
	for (size_t i = 0; i < d->n_sites; i++) {
		struct deploy_site *s = &d->sites[i];

		if (!s->neighbours)
			s->neighbours = arena_alloc(&d->arena,
						    all->len * sizeof(*s->neighbours));
		s->n_neighbours = 0;
		for (size_t j = 0; j < d->n_sites; j++)
			add(s, d->sites[j].site,
			    &(struct neighbour){ .objects = &d->sites[j].head,
						 .viewers = d->sites[j].viewers,
						 .n_viewers = d->sites[j].n_viewers });
		for (size_t j = 0; j < d->n_others; j++)
			add(s, d->others[j].site,
			    &(struct neighbour){ .objects = &d->others[j].objects });
	}
}

#include "run/deploy_private.h"

#include "base/mem.h"

/* Opening */

static bool is_deployed(const struct deploy *d, const struct site *site)
{
	for (size_t i = 0; i < d->n_sites; i++)
		if (d->sites[i].site == site)
			return true;
	return false;
}

void deploy_open_records(struct deploy *d)
{
	const struct site_list *all = &d->options->config->sites;

	if (!d->options->only_backend || d->options->offline)
		return;
	d->records = arena_alloc(&d->arena, (all->len + 1) * sizeof(*d->records));
	for (size_t i = 0; i < all->len; i++)
		if (!is_deployed(d, &all->items[i]))
			d->records[d->n_records++].site = &all->items[i];
}

/* Reading */

/* NULL: not configured, or an output of a stack that is not there yet. Then nothing was
 * deployed to it. */
static const char *bucket_of(const struct deploy_site *s)
{
	return value_text(&s->site->bucket);
}

static int take_record(struct deploy *d, struct deploy_site *s, struct aws_call *call,
		       struct error *err)
{
	/* The bucket is made later, by hand or by the very stack. */
	if (str_eq(call->err.service_code, "NoSuchBucket"))
		return 0;
	if (call->err.code != ERR_FORBIDDEN)
		return claim_read_result(call, &s->read, err);
	note_list_push(
		&d->notes,
		(struct note){
			NOTE_WARNING, SIZE_MAX, NULL,
			arena_printf(&d->arena,
				     "what is deployed of site %s may not be read, so it "
				     "does not count for the order of commits; allow "
				     "s3:GetObject and s3:ListBucket in bucket %s",
				     s->site->name, bucket_of(s)) });
	return 0;
}

static int take_records(struct deploy *d, struct aws_call *calls, struct error *err)
{
	size_t n = 0;

	for (size_t i = 0; i < d->n_records; i++)
		if (bucket_of(&d->records[i]) &&
		    take_record(d, &d->records[i], &calls[n++], err) < 0)
			return -1;
	return 0;
}

int deploy_read_records(struct deploy *d, struct error *err)
{
	struct aws_call *calls = xcalloc(d->n_records + 1, sizeof(*calls));
	size_t n = 0;
	int rc;

	for (size_t i = 0; i < d->n_records; i++) {
		const struct deploy_site *s = &d->records[i];

		if (!bucket_of(s))
			continue;
		calls[n] = (struct aws_call)AWS_CALL_INIT;
		claim_read_request(&calls[n++].request, bucket_of(s), s->site->prefix);
	}
	rc = n ? aws_send_all(d->options->aws, calls, n, err) : 0;
	if (rc == 0)
		rc = take_records(d, calls, err);
	for (size_t i = 0; i < n; i++)
		aws_call_release(&calls[i]);
	free(calls);
	return rc;
}

void deploy_forget_records(struct deploy *d)
{
	for (size_t i = 0; i < d->n_records; i++)
		deploy_forget_reading(&d->records[i]);
}

/* Telling */

static bool is_order_known(const struct deploy *d)
{
	for (size_t i = 0; i < d->n_records; i++)
		if (d->records[i].read.exists)
			return true;
	return d->n_sites > 0;
}

static bool deploys_backend(const struct plan *plan)
{
	for (size_t i = 0; i < plan->backends.len; i++)
		if (plan->backends.items[i].verdict == BACKEND_DEPLOY)
			return true;
	return false;
}

void deploy_note_order(struct deploy *d, const struct plan *plan)
{
	if (d->options->offline || is_order_known(d) || !deploys_backend(plan))
		return;
	note_list_push(
		&d->notes,
		(struct note){ NOTE_INFO, SIZE_MAX, NULL,
			       "no site tells which commit is deployed, so the order of "
			       "commits is not known: an older one replaces the backend "
			       "of a newer one" });
}

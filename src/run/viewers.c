#include "run/viewers.h"

#include <string.h>

#include "base/mem.h"

/* bucket.s3.amazonaws.com, bucket.s3.REGION..., bucket.s3-website-REGION..., and what stands
 * in for AWS in tests: the bucket's name followed by ".s3". */
static bool is_ours(const struct cf_origin *o, const char *bucket)
{
	size_t n = strlen(bucket);

	return strncmp(o->domain, bucket, n) == 0 && o->domain[n] == '.' &&
	       str_starts(o->domain + n + 1, "s3");
}

static const struct cf_origin *origin_of(const struct cf_distribution *d,
					 const struct cf_behavior *b)
{
	for (size_t i = 0; i < d->origins.len; i++)
		if (str_eq(d->origins.items[i].id, b->origin_id))
			return &d->origins.items[i];
	return NULL;
}

static bool any_is_ours(const struct cf_distribution *d, const char *bucket)
{
	for (size_t i = 0; i < d->origins.len; i++)
		if (is_ours(&d->origins.items[i], bucket))
			return true;
	return false;
}

static void add_note(const struct viewers_options *o, const char *text)
{
	note_list_push(o->notes, (struct note){ NOTE_WARNING, 0, NULL, text });
}

static bool ask_policy(const struct viewers_options *o, const char *policy_id)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	struct error err = ERROR_INIT;
	enum cf_query query = CF_QUERY_YES;

	cf_policy_request(&req, policy_id);
	if (aws_send(o->aws, &req, &res, &err) < 0 ||
	    cf_policy_decode(&res, &query, &err) < 0) {
		add_note(o,
			 arena_printf(
				 o->arena,
				 "cache policy %s cannot be read (%s): query strings are "
				 "taken to be part of its key; allow "
				 "cloudfront:GetCachePolicy, or set query-strings",
				 policy_id, err.msg));
		return true;
	}
	return query != CF_QUERY_NO;
}

static bool has_query_strings(const struct viewers_options *o,
			      const struct cf_behavior *b)
{
	enum cf_query query = b->query;

	if (o->site->query_strings >= 0)
		return o->site->query_strings == 1;
	if (query == CF_QUERY_POLICY)
		query = cf_managed_policy(b->policy_id);
	if (query == CF_QUERY_POLICY)
		return ask_policy(o, b->policy_id);
	return query == CF_QUERY_YES;
}

void viewers_from_distribution(const struct viewers_options *options,
			       const struct cf_distribution *d, struct viewer *out)
{
	bool unsure = !any_is_ours(d, options->bucket);

	*out = (struct viewer){ .id = d->id, .known = true, .root = d->root };
	if (unsure)
		add_note(
			options,
			arena_printf(
				options->arena,
				"no origin of distribution %s names bucket %s: all of its "
				"behaviours are taken to serve it",
				d->id, options->bucket));
	for (size_t i = 0; i < d->behaviors.len; i++) {
		const struct cf_behavior *b = &d->behaviors.items[i];
		const struct cf_origin *origin = origin_of(d, b);
		bool ours = unsure || (origin && is_ours(origin, options->bucket));

		viewer_behaviors_push(
			&out->behaviors,
			(struct viewer_behavior){
				.pattern = b->pattern,
				.ours = ours,
				.origin_path = origin && origin->path ? origin->path : "",
				.website = origin && strstr(origin->domain, "s3-website"),
				.query_strings = ours && has_query_strings(options, b),
				.rewrites = b->rewrites,
			});
	}
	for (size_t i = 0; i < d->error_pages.len; i++)
		viewer_error_pages_push(
			&out->error_pages,
			(struct viewer_error_page){ d->error_pages.items[i].status,
						    d->error_pages.items[i].page,
						    d->error_pages.items[i].caching_s });
}

#include "run/viewers.h"

#include <string.h>

#include "base/mem.h"

/* The origin path within the bucket; NULL: the origin is something else. Ours are
 * bucket.s3.amazonaws.com, bucket.s3.REGION..., bucket.s3-website-REGION..., what stands in
 * for AWS in tests (the bucket's name followed by ".s3"), and s3.REGION... with the bucket in
 * front of the path. */
static const char *path_in_bucket(const struct cf_origin *o, const char *bucket)
{
	size_t n = strlen(bucket);

	if (strncmp(o->domain, bucket, n) == 0 && o->domain[n] == '.' &&
	    str_starts(o->domain + n + 1, "s3"))
		return o->path;
	if ((str_starts(o->domain, "s3.") || str_starts(o->domain, "s3-")) &&
	    o->path[0] == '/' && strncmp(o->path + 1, bucket, n) == 0 &&
	    (o->path[n + 1] == '\0' || o->path[n + 1] == '/'))
		return o->path + 1 + n;
	return NULL;
}

static bool is_ours(const struct cf_origin *o, const char *bucket)
{
	return path_in_bucket(o, bucket) != NULL;
}

static bool is_target(const struct cf_distribution *d, const char *target,
		      const struct cf_origin *o)
{
	if (str_eq(o->id, target))
		return true;
	for (size_t i = 0; i < d->members.len; i++)
		if (str_eq(d->members.items[i].group_id, target) &&
		    str_eq(d->members.items[i].origin_id, o->id))
			return true;
	return false;
}

/* The origin behind a behaviour, which may name a group of them: the site's bucket if it is
 * among them, else the first. NULL: there is none of that name. */
static const struct cf_origin *origin_of(const struct cf_distribution *d,
					 const struct cf_behavior *b, const char *bucket)
{
	const struct cf_origin *first = NULL;

	for (size_t i = 0; i < d->origins.len; i++) {
		const struct cf_origin *o = &d->origins.items[i];

		if (!is_target(d, b->origin_id, o))
			continue;
		if (is_ours(o, bucket))
			return o;
		first = first ? first : o;
	}
	return first;
}

static const char *origin_path(const struct cf_origin *o, const char *bucket)
{
	if (!o)
		return "";
	return is_ours(o, bucket) ? path_in_bucket(o, bucket) : o->path;
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
	note_list_push(o->notes, (struct note){ NOTE_WARNING, SIZE_MAX, NULL, text });
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

/* What an earlier behaviour's policy was found to do; NULL: this one was not asked for. */
static const struct viewer_behavior *asked_before(const struct cf_distribution *d,
						  const struct viewer *v,
						  const char *policy_id)
{
	for (size_t i = 0; i < v->behaviors.len; i++)
		if (v->behaviors.items[i].ours &&
		    str_eq(d->behaviors.items[i].policy_id, policy_id))
			return &v->behaviors.items[i];
	return NULL;
}

static bool has_query_strings(const struct viewers_options *o,
			      const struct cf_distribution *d, const struct viewer *v,
			      const struct cf_behavior *b)
{
	const struct viewer_behavior *before;

	if (o->site->query_strings >= 0)
		return o->site->query_strings == 1;
	if (b->query != CF_QUERY_POLICY)
		return b->query == CF_QUERY_YES;
	before = asked_before(d, v, b->policy_id);
	return before ? before->query_strings : ask_policy(o, b->policy_id);
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
		const struct cf_origin *origin = origin_of(d, b, options->bucket);
		/* What cannot be told apart from ours must not stay stale. */
		bool ours = unsure || !origin || is_ours(origin, options->bucket);

		viewer_behaviors_push(
			&out->behaviors,
			(struct viewer_behavior){
				.pattern = b->pattern,
				.ours = ours,
				.origin_path = origin_path(origin, options->bucket),
				.website = origin && strstr(origin->domain, "s3-website"),
				.query_strings = ours &&
						 has_query_strings(options, d, out, b),
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

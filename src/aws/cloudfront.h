/* cloudfront.h - distributions and invalidations (API 2020-05-31). */
#ifndef AWS_CLOUDFRONT_H
#define AWS_CLOUDFRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "aws/client.h"
#include "base/str.h"

struct cf_origin {
	const char *id;
	const char *domain;
	const char *path; /* OriginPath: "" or "/prefix" */
};

enum cf_query {
	CF_QUERY_NO,
	CF_QUERY_YES,
	CF_QUERY_POLICY
}; /* POLICY: look at policy_id */

/* An origin's place in an origin group: what the first answers with an error is asked of the
 * next. */
struct cf_member {
	const char *group_id;
	const char *origin_id;
};

struct cf_behavior {
	const char *pattern;   /* NULL: the default behaviour */
	const char *origin_id; /* or an origin group's */
	const char *policy_id; /* NULL: legacy settings */
	enum cf_query query;   /* are query strings part of the cache key */
	bool rewrites;         /* has a viewer-request or origin-request function */
};

struct cf_error_page {
	int status;
	const char *page;  /* "" or the path that is served instead */
	int64_t caching_s; /* ErrorCachingMinTTL; 10 when not given */
};

VEC_DEFINE(cf_origins, struct cf_origin);
VEC_DEFINE(cf_members, struct cf_member);
VEC_DEFINE(cf_behaviors, struct cf_behavior);
VEC_DEFINE(cf_error_pages, struct cf_error_page);

struct cf_distribution {
	struct arena arena; /* owns all strings */
	const char *id;
	const char *domain; /* d111.cloudfront.net */
	const char *root;   /* DefaultRootObject, "" when none */
	struct cf_origins origins;
	struct cf_members members;     /* of all origin groups, group by group */
	struct cf_behaviors behaviors; /* in order of precedence; the default last */
	struct cf_error_pages error_pages;
	struct str_list aliases;
};

void cf_distribution_release(struct cf_distribution *d);

void cf_distribution_request(struct aws_request *req, const char *id);
int cf_distribution_decode(const struct http_response *res, struct cf_distribution *out,
			   struct error *err);

/* Whether a managed cache policy has query strings in its key: CF_QUERY_NO or _YES;
 * CF_QUERY_POLICY: not a managed one, ask for it.
 * docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html */
enum cf_query cf_managed_policy(const char *policy_id);
void cf_policy_request(struct aws_request *req, const char *policy_id);
int cf_policy_decode(const struct http_response *res, enum cf_query *out,
		     struct error *err);

struct cf_invalidation {
	char id[64];
	char reference[128];
	bool completed;
};

/* Paths must be encoded as CloudFront wants them. */
void cf_invalidate_request(struct aws_request *req, const char *distribution,
			   const char *reference, const char *const *paths, size_t n);
void cf_invalidation_request(struct aws_request *req, const char *distribution,
			     const char *id);
/* For both of the above. */
int cf_invalidation_decode(const struct http_response *res, struct cf_invalidation *out,
			   struct error *err);
/* True for the errors by which CloudFront says that the reference was used already. */
bool cf_reference_was_used(const struct error *err);
/* Looks through the latest invalidations for one with that reference (ListInvalidations,
 * then GetInvalidation each; at most `most` of them). ERR_NOT_FOUND: none has it. */
int cf_find_invalidation(struct aws *aws, const char *distribution, const char *reference,
			 unsigned most, struct cf_invalidation *out, struct error *err);

#endif

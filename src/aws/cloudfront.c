#include "aws/cloudfront.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "codec/xml.h"

#define API              "/2020-05-31"
#define CF_XML_NAMESPACE "http://cloudfront.amazonaws.com/doc/2020-05-31/"

enum {
	BODY_BYTES = 16 << 20,        /* 3,000 paths of 4,000 characters */
	ERROR_CACHING_DEFAULT_S = 10, /* when the distribution does not say */
};

/* ---- common ---- */

static void start(struct aws_request *req, const char *operation, const char *method,
		  const char *path)
{
	req->service = AWS_CLOUDFRONT;
	req->operation = operation;
	req->method = method;
	req->path = path;
}

static int parse(const struct http_response *res, struct arena *arena, const char *name,
		 const struct xml_node **root, struct error *err)
{
	if (xml_parse(res->body.data, res->body.len, arena, root, err) < 0)
		return error_wrap(err, "CloudFront's answer");
	if (!str_eq(xml_name(*root), name))
		return error_set(err, ERR_DATA,
				 "CloudFront answers <%.40s> where <%s> is due",
				 xml_name(*root), name);
	return 0;
}

static bool is_true(const struct xml_node *node, const char *name)
{
	return str_eq(xml_get(node, name), "true");
}

/* ---- distributions ---- */

void cf_distribution_release(struct cf_distribution *d)
{
	cf_origins_release(&d->origins);
	cf_members_release(&d->members);
	cf_behaviors_release(&d->behaviors);
	cf_error_pages_release(&d->error_pages);
	str_list_release(&d->aliases);
	arena_release(&d->arena);
	*d = (struct cf_distribution){ 0 };
}

void cf_distribution_request(struct aws_request *req, const char *id)
{
	start(req, "GetDistribution", "GET",
	      arena_printf(&req->arena, API "/distribution/%s", id));
}

/* Text of a child, copied; "" when it is not there. */
static const char *text_of(struct cf_distribution *d, const struct xml_node *node,
			   const char *name)
{
	const char *text = xml_get(node, name);

	return arena_strdup(&d->arena, text ? text : "");
}

static const struct xml_node *items(const struct xml_node *node, const char *name,
				    const char *item)
{
	return xml_child(xml_child(xml_child(node, name), "Items"), item);
}

/* Functions that see the URI before the cache (or the origin) may change it: then what is
 * cached under a path is not the object of that key. */
static bool rewrites(const struct xml_node *behavior)
{
	static const struct {
		const char *list, *item;
	} kinds[] = {
		{ "FunctionAssociations", "FunctionAssociation" },
		{ "LambdaFunctionAssociations", "LambdaFunctionAssociation" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		const struct xml_node *f = items(behavior, kinds[i].list, kinds[i].item);

		for (; f; f = xml_next(f))
			if (str_eq(xml_get(f, "EventType"), "viewer-request") ||
			    str_eq(xml_get(f, "EventType"), "origin-request"))
				return true;
	}
	return false;
}

static void add_behavior(struct cf_distribution *d, const struct xml_node *node,
			 bool is_default)
{
	const char *policy = xml_get(node, "CachePolicyId");
	struct cf_behavior b = {
		.pattern = is_default ? NULL : text_of(d, node, "PathPattern"),
		.origin_id = text_of(d, node, "TargetOriginId"),
		.policy_id = str_empty(policy) ? NULL : arena_strdup(&d->arena, policy),
		.rewrites = rewrites(node),
	};

	if (b.policy_id)
		b.query = cf_managed_policy(b.policy_id);
	else
		b.query = is_true(xml_child(node, "ForwardedValues"), "QueryString")
				  ? CF_QUERY_YES
				  : CF_QUERY_NO;
	cf_behaviors_push(&d->behaviors, b);
}

static int add_error_pages(struct cf_distribution *d, const struct xml_node *config,
			   struct error *err)
{
	const struct xml_node *e = items(config, "CustomErrorResponses",
					 "CustomErrorResponse");

	for (; e; e = xml_next(e)) {
		const char *code = xml_get(e, "ErrorCode");
		const char *ttl = xml_get(e, "ErrorCachingMinTTL");
		struct cf_error_page page = { .page = text_of(d, e, "ResponsePagePath"),
					      .caching_s = ERROR_CACHING_DEFAULT_S };
		int64_t status;

		if (!code || !str_to_i64(code, 100, 999, &status) ||
		    (!str_empty(ttl) &&
		     !str_to_i64(ttl, 0, INT64_MAX / 1000, &page.caching_s)))
			return error_set(
				err, ERR_DATA,
				"CloudFront describes an error page that is none");
		page.status = (int)status;
		cf_error_pages_push(&d->error_pages, page);
	}
	return 0;
}

static void add_members(struct cf_distribution *d, const struct xml_node *config)
{
	const struct xml_node *group = items(config, "OriginGroups", "OriginGroup");

	for (; group; group = xml_next(group)) {
		const struct xml_node *m = items(group, "Members", "OriginGroupMember");
		const char *id = text_of(d, group, "Id");

		for (; m; m = xml_next(m))
			cf_members_push(
				&d->members,
				(struct cf_member){ id, text_of(d, m, "OriginId") });
	}
}

static int add_config(struct cf_distribution *d, const struct xml_node *config,
		      struct error *err)
{
	const struct xml_node *standard = xml_child(config, "DefaultCacheBehavior");
	const struct xml_node *n;

	for (n = items(config, "Origins", "Origin"); n; n = xml_next(n))
		cf_origins_push(&d->origins,
				(struct cf_origin){ text_of(d, n, "Id"),
						    text_of(d, n, "DomainName"),
						    text_of(d, n, "OriginPath") });
	add_members(d, config);
	for (n = items(config, "CacheBehaviors", "CacheBehavior"); n; n = xml_next(n))
		add_behavior(d, n, false);
	if (!standard || !d->origins.len)
		return error_set(err, ERR_DATA,
				 "CloudFront describes a distribution without %s",
				 standard ? "an origin" : "a default behaviour");
	add_behavior(d, standard, true);
	for (n = items(config, "Aliases", "CNAME"); n; n = xml_next(n))
		str_list_push(&d->aliases, arena_strdup(&d->arena, xml_text(n)));
	return add_error_pages(d, config, err);
}

int cf_distribution_decode(const struct http_response *res, struct cf_distribution *out,
			   struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(cf_distribution) struct cf_distribution d = { 0 };
	const struct xml_node *root, *config;

	if (parse(res, &arena, "Distribution", &root, err) < 0)
		return -1;
	config = xml_child(root, "DistributionConfig");
	d.id = text_of(&d, root, "Id");
	d.domain = text_of(&d, root, "DomainName");
	d.root = text_of(&d, config, "DefaultRootObject");
	if (add_config(&d, config, err) < 0)
		return -1;
	*out = d;
	d = (struct cf_distribution){ 0 };
	return 0;
}

/* ---- cache policies ---- */

/* docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/using-managed-cache-policies.html */
static const struct {
	const char *id;
	enum cf_query query;
} managed[] = {
	{ "658327ea-f89d-4fab-a63d-7e88639e58f6", CF_QUERY_NO }, /* CachingOptimized */
	{ "b2884449-e4de-46a7-ac36-70bc7f1ddd6d",
	  CF_QUERY_NO }, /* ...ForUncompressedObjects */
	{ "4135ea2d-6df8-44a3-9df3-4b5a84be39ad", CF_QUERY_NO }, /* CachingDisabled */
	{ "08627262-05a9-4f76-9ded-b50ca2e3a84f",
	  CF_QUERY_YES }, /* Elemental-MediaPackage */
	{ "2e54312d-136d-493c-8eb9-b001f22f67d2", CF_QUERY_YES }, /* Amplify */
	{ "83da9c7e-98b4-4e11-a168-04f0df8e2c65",
	  CF_QUERY_NO }, /* UseOriginCacheControl */
	{ "4cc15a8a-d715-48a4-82b8-cc0b614638fe", CF_QUERY_YES }, /* ...-QueryStrings */
};

enum cf_query cf_managed_policy(const char *policy_id)
{
	for (size_t i = 0; i < sizeof(managed) / sizeof(*managed); i++)
		if (str_eq(managed[i].id, policy_id))
			return managed[i].query;
	return CF_QUERY_POLICY;
}

void cf_policy_request(struct aws_request *req, const char *policy_id)
{
	start(req, "GetCachePolicy", "GET",
	      arena_printf(&req->arena, API "/cache-policy/%s", policy_id));
}

int cf_policy_decode(const struct http_response *res, enum cf_query *out,
		     struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct xml_node *root, *n;
	const char *behavior;

	if (parse(res, &arena, "CachePolicy", &root, err) < 0)
		return -1;
	n = xml_child(root, "CachePolicyConfig");
	n = xml_child(n, "ParametersInCacheKeyAndForwardedToOrigin");
	behavior = xml_get(xml_child(n, "QueryStringsConfig"), "QueryStringBehavior");
	if (!behavior)
		return error_set(err, ERR_DATA,
				 "CloudFront's cache policy says nothing of "
				 "query strings");
	*out = str_eq(behavior, "none") ? CF_QUERY_NO : CF_QUERY_YES;
	return 0;
}

/* ---- invalidations ---- */

void cf_invalidate_request(struct aws_request *req, const char *distribution,
			   const char *reference, const char *const *paths, size_t n)
{
	CLEANUP(buf) struct buf body = BUF_INIT(BODY_BYTES);
	char quantity[24];

	start(req, "CreateInvalidation", "POST",
	      arena_printf(&req->arena, API "/distribution/%s/invalidation",
			   distribution));
	aws_request_header(req, "Content-Type", "text/xml");
	snprintf(quantity, sizeof(quantity), "%zu", n);
	xml_open(&body, "InvalidationBatch", CF_XML_NAMESPACE);
	xml_open(&body, "Paths", NULL);
	xml_element(&body, "Quantity", quantity);
	xml_open(&body, "Items", NULL);
	for (size_t i = 0; i < n; i++)
		xml_element(&body, "Path", paths[i]);
	xml_close(&body, "Items");
	xml_close(&body, "Paths");
	xml_element(&body, "CallerReference", reference);
	xml_close(&body, "InvalidationBatch");
	req->body = (struct http_body){
		.bytes = arena_memdup(&req->arena, body.data, body.len),
		.len = (int64_t)body.len,
	};
}

void cf_invalidation_request(struct aws_request *req, const char *distribution,
			     const char *id)
{
	start(req, "GetInvalidation", "GET",
	      arena_printf(&req->arena, API "/distribution/%s/invalidation/%s",
			   distribution, id));
}

int cf_invalidation_decode(const struct http_response *res, struct cf_invalidation *out,
			   struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct xml_node *root;
	const char *id, *reference;

	if (parse(res, &arena, "Invalidation", &root, err) < 0)
		return -1;
	id = xml_get(root, "Id");
	reference = xml_get(xml_child(root, "InvalidationBatch"), "CallerReference");
	if (str_empty(id) || !str_copy(out->id, sizeof(out->id), id))
		return error_set(err, ERR_DATA, "CloudFront names no invalidation");
	if (!reference || !str_copy(out->reference, sizeof(out->reference), reference))
		out->reference[0] = '\0'; /* somebody else's, and none of ours */
	out->completed = str_eq(xml_get(root, "Status"), "Completed");
	return 0;
}

/* Documented is the first; the second is what the service has been seen to answer. */
bool cf_reference_was_used(const struct error *err)
{
	return str_eq(err->service_code, "InvalidationBatchAlreadyExists") ||
	       (str_eq(err->service_code, "InvalidArgument") &&
		strstr(err->msg, "caller reference"));
}

/* ---- which of the invalidations was ours ---- */

static void list_request(struct aws_request *req, const char *distribution,
			 const char *marker)
{
	start(req, "ListInvalidations", "GET",
	      arena_printf(&req->arena, API "/distribution/%s/invalidation",
			   distribution));
	aws_request_param(req, "MaxItems", "100");
	if (*marker)
		aws_request_param(req, "Marker", marker);
}

/* One of a list, looked at: 1 it is ours, 0 it is not, -1. */
static int look_at(struct aws *aws, const char *distribution, const char *id,
		   const char *reference, struct cf_invalidation *out, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	if (!id)
		return error_set(err, ERR_DATA, "CloudFront lists no invalidation");
	cf_invalidation_request(&req, distribution, id);
	if (aws_send(aws, &req, &res, err) < 0 ||
	    cf_invalidation_decode(&res, out, err) < 0)
		return -1;
	return str_eq(out->reference, reference);
}

struct search {
	struct aws *aws;
	const char *distribution;
	const char *reference;
	unsigned left;    /* invalidations that may still be looked at */
	char marker[256]; /* of the next page; "": the first, or there is none */
};

/* Where the next page begins, if there is one. An empty page that promises more promises it
 * for ever. */
static int take_marker(struct search *s, const struct xml_node *list, bool is_empty,
		       struct error *err)
{
	const char *next = NULL;

	if (is_true(list, "IsTruncated") && !is_empty)
		next = xml_get(list, "NextMarker");
	if (str_copy(s->marker, sizeof(s->marker), next ? next : ""))
		return 0;
	return error_set(err, ERR_DATA, "CloudFront's list goes on at too long a marker");
}

static int search_page(struct search *s, struct cf_invalidation *out, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	const struct xml_node *root, *first;
	int found = 0;

	list_request(&req, s->distribution, s->marker);
	if (aws_send(s->aws, &req, &res, err) < 0 ||
	    parse(&res, &res.arena, "InvalidationList", &root, err) < 0)
		return -1;
	first = xml_child(xml_child(root, "Items"), "InvalidationSummary");
	for (const struct xml_node *n = first; n && s->left && !found;
	     n = xml_next(n), s->left--)
		found = look_at(s->aws, s->distribution, xml_get(n, "Id"), s->reference,
				out, err);
	return found ? found : take_marker(s, root, !first, err);
}

int cf_find_invalidation(struct aws *aws, const char *distribution, const char *reference,
			 unsigned most, struct cf_invalidation *out, struct error *err)
{
	struct search search = { .aws = aws,
				 .distribution = distribution,
				 .reference = reference,
				 .left = most };
	int found;

	do
		found = search_page(&search, out, err);
	while (!found && search.left && search.marker[0]);
	if (found < 0)
		return -1;
	if (!found)
		return error_set(err, ERR_NOT_FOUND,
				 "none of the latest invalidations has that reference");
	return 0;
}

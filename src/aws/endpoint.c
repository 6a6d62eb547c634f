#include "aws/endpoint.h"

#include <string.h>

#include "base/str.h"
#include "codec/url.h"

/* ---- what there is ---- */

static const struct service {
	const char *name; /* in hosts and signatures */
	const char *env;  /* the variable for it alone */
	bool global;      /* one endpoint a partition */
	bool gov_is_fips; /* in GovCloud the plain host is the FIPS one */
} services[AWS_SERVICES] = {
	[AWS_S3] = { "s3", "AWS_ENDPOINT_URL_S3", false, false },
	[AWS_CLOUDFRONT] = { "cloudfront", "AWS_ENDPOINT_URL_CLOUDFRONT", true, false },
	[AWS_STS] = { "sts", "AWS_ENDPOINT_URL_STS", false, true },
	[AWS_CLOUDFORMATION] = { "cloudformation", "AWS_ENDPOINT_URL_CLOUDFORMATION",
				 false, true },
	[AWS_LAMBDA] = { "lambda", "AWS_ENDPOINT_URL_LAMBDA", false, false },
};

static const struct partition {
	const char *prefix; /* of its regions; "" takes all others */
	const char *name;   /* in ARNs */
	const char *suffix;
	const char *dual_suffix;
	const char *global_region; /* NULL: hosts of global services name no region */
	const char *global_signs;  /* the region that global services are signed for */
} partitions[] = {
	{ "cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn",
	  "cn-northwest-1", "cn-northwest-1" },
	{ "us-gov-", "aws-us-gov", "amazonaws.com", "api.aws", NULL, "us-gov-west-1" },
	{ "us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", NULL,
	  "us-isob-east-1" },
	{ "us-isof-", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", NULL,
	  "us-isof-south-1" },
	{ "us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov", NULL, "us-iso-east-1" },
	{ "eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", NULL,
	  "eu-isoe-west-1" },
	{ "eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", NULL,
	  "eusc-de-east-1" },
	{ "", "aws", "amazonaws.com", "api.aws", NULL, "us-east-1" },
};

static const struct partition *find_partition(const char *region)
{
	const struct partition *p = partitions;

	while (!str_starts(region, p->prefix))
		p++;
	return p;
}

const char *endpoint_suffix(const char *region)
{
	return find_partition(region)->suffix;
}

const char *endpoint_partition(const char *region)
{
	return find_partition(region)->name;
}

const char *endpoint_service_name(enum aws_service service)
{
	return services[service].name;
}

/* ---- settings ---- */

const char *env_get(const char *const *env, const char *name)
{
	size_t len = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return (*env)[len + 1] ? *env + len + 1 : NULL;
	return NULL;
}

static bool env_true(const char *const *env, const char *name)
{
	const char *value = env_get(env, name);

	return value && str_eq_nocase(value, "true");
}

void endpoint_settings_read(const char *const *env,
			    const char *(*profile_url)(void *ctx, const char *service),
			    void *ctx, struct endpoint_settings *out)
{
	*out = (struct endpoint_settings){
		.fips = env_true(env, "AWS_USE_FIPS_ENDPOINT"),
		.dualstack = env_true(env, "AWS_USE_DUALSTACK_ENDPOINT"),
	};
	if (env_true(env, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return;
	for (int i = 0; i < AWS_SERVICES; i++) {
		const char *url = env_get(env, services[i].env);

		if (!url)
			url = env_get(env, "AWS_ENDPOINT_URL");
		if (!url && profile_url)
			url = profile_url(ctx, services[i].name);
		if (!url && profile_url)
			url = profile_url(ctx, NULL);
		out->url[i] = url;
	}
}

/* ---- buckets ---- */

/* What can be the first label of a host whose certificate has one wildcard.
 * docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
static bool is_host_label(const char *bucket)
{
	size_t n = strlen(bucket);

	if (n < 3 || n > 63 || bucket[0] == '-' || bucket[n - 1] == '-')
		return false;
	return strspn(bucket, "abcdefghijklmnopqrstuvwxyz0123456789-") == n;
}

static int check_bucket(const char *bucket, struct error *err)
{
	size_t n = strlen(bucket);

	if (str_starts(bucket, "arn:"))
		return error_set(err, ERR_UNSUPPORTED,
				 "bucket %s: access points are not supported", bucket);
	if (str_ends(bucket, "--x-s3"))
		return error_set(err, ERR_UNSUPPORTED,
				 "bucket %s: directory buckets are not supported",
				 bucket);
	/* Names from before 2018 may have capitals and underscores. Nothing else may get
	 * into a path, least of all a slash or a dot segment. */
	if (n < 3 || n > 255 || bucket[0] == '.' ||
	    strspn(bucket, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
			   "0123456789._-") != n)
		return error_set(err, ERR_CONFIG, "\"%s\" cannot be a bucket's name",
				 bucket);
	return 0;
}

static int check_region(const char *region, struct error *err)
{
	/* It becomes part of a host: a region like "x/@evil" must not choose another. */
	size_t n = region ? strlen(region) : 0;

	if (!n)
		return error_set(
			err, ERR_CONFIG,
			"no region: give --region, AWS_REGION or the profile's region");
	if (n > 63 || strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") != n)
		return error_set(err, ERR_CONFIG, "\"%s\" cannot be a region", region);
	return 0;
}

/* ---- hosts ---- */

static const char *s3_host(const struct endpoint_settings *settings,
			   const struct partition *p, const char *region,
			   struct arena *arena)
{
	return arena_printf(arena, "s3%s%s.%s.%s", settings->fips ? "-fips" : "",
			    settings->dualstack ? ".dualstack" : "", region, p->suffix);
}

static const char *global_host(const struct endpoint_settings *settings,
			       const struct partition *p, const char *name,
			       struct arena *arena)
{
	const char *suffix = settings->dualstack ? p->dual_suffix : p->suffix;
	const char *place = "";

	if (settings->dualstack && !*p->prefix)
		place = "global.";
	else if (!settings->dualstack && p->global_region)
		place = arena_printf(arena, "%s.", p->global_region);
	return arena_printf(arena, "%s%s.%s%s", name, settings->fips ? "-fips" : "",
			    place, suffix);
}

static const char *regional_host(const struct endpoint_settings *settings,
				 const struct partition *p, const struct service *service,
				 const char *region, struct arena *arena)
{
	bool plain_is_fips = service->gov_is_fips && !settings->dualstack &&
			     str_eq(p->prefix, "us-gov-");

	return arena_printf(arena, "%s%s.%s.%s", service->name,
			    settings->fips && !plain_is_fips ? "-fips" : "", region,
			    settings->dualstack ? p->dual_suffix : p->suffix);
}

static int custom(const char *text, const char *bucket, struct arena *arena,
		  struct endpoint *out, struct error *err)
{
	struct url url;

	if (!url_parse(text, &url) || *url.query)
		return error_set(err, ERR_CONFIG, "endpoint \"%s\" is not an http(s) URL",
				 text);
	while (url.path_len && url.path[url.path_len - 1] == '/')
		url.path_len--;
	out->scheme = arena_strndup(arena, url.scheme, url.scheme_len);
	out->host = arena_strndup(arena, url.authority, url.authority_len);
	out->base_path = arena_printf(arena, "%.*s%s%s", (int)url.path_len, url.path,
				      bucket ? "/" : "", bucket ? bucket : "");
	return 0;
}

static int standard(const struct endpoint_settings *settings,
		    const struct endpoint_target *target, struct arena *arena,
		    struct endpoint *out, struct error *err)
{
	const struct service *service = &services[target->service];
	const struct partition *p = find_partition(out->region);
	const char *bucket = target->bucket;
	bool virtual_host = bucket && is_host_label(bucket);

	if (target->service == AWS_S3 && settings->fips && str_eq(p->prefix, "cn-"))
		return error_set(err, ERR_UNSUPPORTED, "S3 has no FIPS endpoints in %s",
				 out->region);
	out->scheme = "https";
	out->base_path = bucket && !virtual_host ? arena_printf(arena, "/%s", bucket)
						 : "";
	if (target->service == AWS_S3)
		out->host = s3_host(settings, p, out->region, arena);
	else if (service->global)
		out->host = global_host(settings, p, service->name, arena);
	else
		out->host = regional_host(settings, p, service, out->region, arena);
	if (virtual_host)
		out->host = arena_printf(arena, "%s.%s", bucket, out->host);
	return 0;
}

int endpoint_resolve(const struct endpoint_settings *settings,
		     const struct endpoint_target *target, struct arena *arena,
		     struct endpoint *out, struct error *err)
{
	const struct service *service = &services[target->service];
	const char *url = settings->url[target->service];
	const char *region = target->region;
	int result;

	/* A global service is not chosen by region: without one, the partition "aws". */
	if (str_empty(region) && service->global)
		region = "us-east-1";
	if (check_region(region, err) < 0 ||
	    (target->bucket && check_bucket(target->bucket, err) < 0))
		return -1;
	*out = (struct endpoint){
		.region = arena_strdup(arena, region),
		.service = service->name,
	};
	if (url)
		result = custom(url, target->bucket, arena, out, err);
	else
		result = standard(settings, target, arena, out, err);
	if (service->global)
		out->region = find_partition(region)->global_signs;
	return result;
}

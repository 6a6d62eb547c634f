#include "action/cloud.h"

#include <stdio.h>
#include <string.h>

#include "action/github.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/http_curl.h"
#include "io/process.h"
#include "io/random.h"

enum { PROCESS_TIMEOUT_MS = 60000 };

static void mask(void *to, const char *secret)
{
	CLEANUP(buf) struct buf line = BUF_INIT(16384);

	github_mask(&line, secret);
	fputs(line.data, to);
	fflush(to);
	secret_wipe(line.data, line.len);
}

/* A profile's credential_process is a command line for the shell, by its definition. */
static int run_process(void *ctx, const char *command, struct buf *out, struct error *err)
{
	const struct cloud_options *o = ctx;
	const char *const argv[] = { "/bin/sh", "-c", command, NULL };
	struct process p = {
		.argv = argv,
		.env = (char *const *)(uintptr_t)o->env,
		.timeout_ms = PROCESS_TIMEOUT_MS,
		.cancelled = o->cancelled,
		.out = out,
	};

	if (process_run(&p, NULL, err) == 0)
		return 0;
	if (err->code != ERR_CANCELLED)
		err->code = ERR_CREDENTIALS;
	return -1;
}

/* What it fills borrows the options. */
static void fill(const struct cloud_options *o, struct creds_options *out)
{
	*out = (struct creds_options){
		.clock = clock_real(),
		.log = o->log,
		.env = o->env,
		.region = o->region,
		.role_to_assume = o->role_to_assume,
		.no_metadata = o->no_metadata,
		.mask = o->mask ? mask : NULL,
		.mask_ctx = o->json ? stderr : stdout,
		.process = run_process,
		.process_ctx = (void *)(uintptr_t)o,
	};
}

bool cloud_is_configured(const struct cloud_options *options)
{
	struct creds_options creds;

	fill(options, &creds);
	return creds_configured(&creds);
}

static const char *ca_bundle(const char *const *env)
{
	static const char *const names[] = { "AWS_CA_BUNDLE", "CURL_CA_BUNDLE",
					     "SSL_CERT_FILE" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!str_empty(options_env(env, names[i])))
			return options_env(env, names[i]);
	return NULL;
}

int cloud_open(struct cloud *c, const struct cloud_options *options, struct error *err)
{
	struct http_curl_options http = {
		.ca_bundle = ca_bundle(options->env),
		.cancelled = options->cancelled,
	};
	const struct aws_keys *keys;
	struct creds_options creds;
	struct aws_options aws;
	char region[64] = "";
	uint64_t seed = 0;

	*c = (struct cloud){ .options = *options };
	if (!options->region &&
	    creds_region(options->env, region, sizeof(region)) == false)
		return error_set(err, ERR_CONFIG,
				 "no AWS region: give --region, `region:` in crc.yml, or "
				 "AWS_REGION");
	if (random_bytes(&seed, sizeof(seed), err) < 0 ||
	    http_curl_new(&http, &c->http, err) < 0)
		return -1;
	fill(&c->options, &creds);
	creds.http = c->http;
	creds.seed = seed;
	/* Fetched once, before several requests want them: what is wrong with them is then
	 * asked about once, and told without the request that happened to come first. */
	if (aws_creds_new(&creds, &c->creds, err) < 0 ||
	    aws_creds_get(c->creds, &keys, err) < 0)
		return -1;
	aws = (struct aws_options){
		.http = c->http,
		.creds = c->creds,
		.clock = clock_real(),
		.log = options->log,
		.region = options->region ? options->region : region,
		.env = options->env,
		.seed = seed,
	};
	return aws_new(&aws, &c->aws, err);
}

void cloud_release(struct cloud *c)
{
	aws_free(c->aws);
	aws_creds_free(c->creds);
	http_free(c->http);
	*c = (struct cloud){ .http = NULL };
}

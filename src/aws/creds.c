#include "aws/creds.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "aws/creds_providers.h"
#include "aws/endpoint.h"
#include "aws/sts.h"
#include "base/str.h"
#include "codec/json.h"

enum {
	REFRESH_MS = 5 * 60 * 1000, /* before the end of life */
	FILE_BYTES = 1 << 20,
};

struct aws_creds {
	struct creds_context ctx;
	struct aws_keys keys;
	bool fixed; /* handed in; there is nowhere to fetch others from */
	bool fetched;
	bool expired; /* a service said so */
};

/* The order in which the AWS SDKs look, as botocore has it.
 * docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html */
static const struct creds_provider *const chain[] = {
	&creds_env,         &creds_profile_role,   &creds_web,
	&creds_profile_sso, &creds_profile_shared, &creds_profile_login,
	&creds_process,     &creds_profile_config, &creds_container,
	&creds_imds,
};

void aws_keys_release(struct aws_keys *keys)
{
	secret_release(&keys->id);
	secret_release(&keys->key);
	secret_release(&keys->token);
	*keys = (struct aws_keys)AWS_KEYS_INIT;
}

static void keys_move(struct aws_keys *to, struct aws_keys *from)
{
	secret_move(&to->id, &from->id);
	secret_move(&to->key, &from->key);
	secret_move(&to->token, &from->token);
	to->expires_ms = from->expires_ms;
	to->source = from->source;
}

/* ---- what providers share ---- */

int creds_read_file(const char *path, struct secret *out, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n = 1;
	char *text;

	if (fd < 0)
		return error_set(
			err, errno == ENOENT || errno == ENOTDIR ? ERR_NOT_FOUND : ERR_IO,
			"%s: %s", path, strerror(errno));
	text = xmalloc(FILE_BYTES + 1);
	while (n > 0 && len <= FILE_BYTES) {
		n = read(fd, text + len, FILE_BYTES + 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	if (n < 0)
		error_set(err, ERR_IO, "%s: %s", path, strerror(errno));
	else if (len > FILE_BYTES)
		n = error_set(err, ERR_TOO_BIG, "%s: over %d bytes", path, FILE_BYTES);
	else
		secret_set(out, text, len);
	secret_wipe(text, len);
	free(text);
	close(fd);
	return n < 0 ? -1 : 0;
}

int creds_read_token(const char *path, struct secret *out, struct error *err)
{
	CLEANUP(secret) struct secret text = SECRET_INIT;
	const char *s;
	size_t n;

	if (creds_read_file(path, &text, err) < 0)
		return -1;
	s = secret_bytes(&text) + strspn(secret_bytes(&text), " \t\r\n");
	n = strlen(s);
	while (n && strchr(" \t\r\n", s[n - 1]))
		n--;
	if (!n)
		return error_set(err, ERR_CREDENTIALS, "%s: holds no token", path);
	secret_set(out, s, n);
	/* It is going to be a header: it must not become two. */
	if (strpbrk(secret_bytes(out), "\r\n"))
		return error_set(err, ERR_CREDENTIALS, "%s: holds more than a token",
				 path);
	return 0;
}

void creds_wipe_response(struct http_response *res)
{
	secret_wipe(res->body.data, res->body.len);
	http_response_release(res);
}

int creds_fetch(struct creds_context *ctx, const struct http_request *req,
		struct http_response *res, struct error *err)
{
	int64_t wait_ms = 100;

	for (int attempt = 1;; attempt++, wait_ms *= 2) {
		bool again;

		if (http_send(ctx->options.http, req, res, err) == 0) {
			if (res->status == 200)
				return 0;
			error_set(err, ERR_CREDENTIALS, "answers %d", res->status);
			err->http_status = res->status;
			err->retryable = res->status >= 500 || res->status == 429;
		}
		again = err->retryable && attempt < 3;
		if (!again)
			return -1;
		clock_sleep_ms(ctx->options.clock, wait_ms);
	}
}

static bool digits(const char **s, int n, int *out)
{
	*out = 0;
	for (int i = 0; i < n; i++, ++*s) {
		if (**s < '0' || **s > '9')
			return false;
		*out = *out * 10 + (**s - '0');
	}
	return true;
}

/* "Z", "+hh:mm" or "-hh:mm" in minutes. */
static bool zone_parse(const char *s, int *minutes)
{
	int sign = *s == '-' ? -1 : 1;
	int h, m;

	*minutes = 0;
	if (str_eq(s, "Z"))
		return true;
	if (*s != '+' && *s != '-')
		return false;
	s++;
	if (!digits(&s, 2, &h) || *s++ != ':' || !digits(&s, 2, &m) || *s || h > 23 ||
	    m > 59)
		return false;
	*minutes = sign * (h * 60 + m);
	return true;
}

bool creds_time_parse(const char *text, int64_t *out_ms)
{
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int year, month, day, hour, minute, second, zone;
	char http_date[40];

	if (!text || !digits(&text, 4, &year) || *text++ != '-' ||
	    !digits(&text, 2, &month) || *text++ != '-' || !digits(&text, 2, &day) ||
	    *text++ != 'T' || !digits(&text, 2, &hour) || *text++ != ':' ||
	    !digits(&text, 2, &minute) || *text++ != ':' || !digits(&text, 2, &second))
		return false;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (month < 1 || month > 12 || !zone_parse(text, &zone))
		return false;
	/* The calendar is known in one place only. */
	snprintf(http_date, sizeof(http_date), "Mon, %02d %.3s %04d %02d:%02d:%02d GMT",
		 day, months + (month - 1) * 3, year, hour, minute, second);
	if (!http_date_parse(http_date, out_ms))
		return false;
	*out_ms -= (int64_t)zone * 60 * 1000;
	return true;
}

int creds_decode(const char *text, size_t n, const char *token_name, struct aws_keys *out,
		 struct error *err)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct error why = ERROR_INIT;
	const struct json *root;
	const char *id, *key, *token, *expires;

	/* The parser's message may quote: it must not, these are keys. */
	if (json_parse(text, n, &doc, &why) < 0)
		return error_set(err, ERR_CREDENTIALS, "the answer is not JSON");
	root = json_root(doc);
	id = json_str(json_get(root, "AccessKeyId"));
	key = json_str(json_get(root, "SecretAccessKey"));
	token = json_str(json_get(root, token_name));
	expires = json_str(json_get(root, "Expiration"));
	if (str_empty(id) || str_empty(key))
		return error_set(err, ERR_CREDENTIALS, "the answer holds no keys");
	if (expires && !creds_time_parse(expires, &out->expires_ms))
		return error_set(err, ERR_CREDENTIALS,
				 "the keys' expiration is not a time");
	secret_set_str(&out->id, id);
	secret_set_str(&out->key, key);
	if (token)
		secret_set_str(&out->token, token);
	return 0;
}

const char *creds_session_name(struct creds_context *ctx)
{
	const char *name = env_get(ctx->options.env, "AWS_ROLE_SESSION_NAME");
	const char *run = env_get(ctx->options.env, "GITHUB_RUN_ID");

	if (name)
		return name;
	if (run)
		return arena_printf(&ctx->arena, "crc-run-%.40s", run);
	return arena_printf(&ctx->arena, "crc-%lld",
			    (long long)clock_wall_ms(ctx->options.clock));
}

int creds_assume(struct creds_context *ctx, struct aws_keys *base,
		 const struct sts_role *role, struct aws_keys *out, struct error *err)
{
	CLEANUP_PTR(aws_creds) struct aws_creds *fixed = aws_creds_new_fixed(base);
	CLEANUP_PTR(aws) struct aws *aws = NULL;
	struct sts_role named = *role;
	struct aws_options options = {
		.http = ctx->options.http,
		.creds = fixed,
		.clock = ctx->options.clock,
		.log = ctx->options.log,
		.region = ctx->region,
		.env = ctx->options.env,
		.seed = ctx->random++,
	};

	if (!named.session)
		named.session = creds_session_name(ctx);
	if (aws_new(&options, &aws, err) < 0)
		return -1;
	return sts_assume_role(aws, &named, out, err);
}

/* ---- the chain ---- */

int creds_chain(struct creds_context *ctx, struct aws_keys *out, struct error *err)
{
	bool named = ctx->profiles.named;

	for (size_t i = 0; i < sizeof(chain) / sizeof(*chain); i++) {
		const struct creds_provider *p = chain[i];

		/* A profile that was named and is not there is a slip of the pen, and not a
		 * wish to try the machine's own role. */
		if (named && p == &creds_container &&
		    !profiles_has(&ctx->profiles, "profile", ctx->profiles.name))
			return error_set(err, ERR_CREDENTIALS,
					 "profile \"%s\" is in neither of the AWS files",
					 ctx->profiles.name);
		if (!p->configured(ctx))
			continue;
		log_debug(ctx->options.log, "credentials: %s", p->name);
		if (p->fetch(ctx, out, err) < 0)
			return p->implicit
				       ? -1
				       : error_wrap(err, "credentials from %s", p->name);
		out->source = p->name;
		return 0;
	}
	return error_set(
		err, ERR_CREDENTIALS,
		"no credentials: give role-to-assume in a workflow with id-token: "
		"write, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile");
}

static int fetch(struct creds_context *ctx, struct aws_keys *out, struct error *err)
{
	CLEANUP(aws_keys) struct aws_keys base = AWS_KEYS_INIT;
	const struct sts_role role = { .arn = ctx->options.role_to_assume };

	if (!role.arn)
		return creds_chain(ctx, out, err);
	out->source = "role-to-assume";
	if (creds_role_has_token(ctx))
		return creds_role_by_token(ctx, out, err);
	if (creds_chain(ctx, &base, err) < 0 ||
	    creds_assume(ctx, &base, &role, out, err) < 0)
		return error_wrap(err, "assume %s", role.arn);
	return 0;
}

/* ---- life ---- */

static void context_release(struct creds_context *ctx)
{
	profiles_release(&ctx->profiles);
	arena_release(&ctx->arena);
}

static int context_init(struct creds_context *ctx, const struct creds_options *options,
			struct error *err)
{
	const char *role = options->role_to_assume;
	char region[64];

	*ctx = (struct creds_context){ .options = *options,
				       .profiles = PROFILES_INIT,
				       .random = options->seed };
	ctx->options.role_to_assume = str_empty(role) ? NULL
						      : arena_strdup(&ctx->arena, role);
	if (profiles_load(&ctx->profiles, options->env, err) < 0) {
		context_release(ctx);
		return -1;
	}
	if (!creds_region(options->env, region, sizeof(region)))
		(void)str_copy(region, sizeof(region), "us-east-1");
	snprintf(ctx->region, sizeof(ctx->region), "%s",
		 str_empty(options->region) ? region : options->region);
	return 0;
}

int aws_creds_new(const struct creds_options *options, struct aws_creds **out,
		  struct error *err)
{
	struct aws_creds *creds = xcalloc(1, sizeof(*creds));

	if (context_init(&creds->ctx, options, err) < 0) {
		free(creds);
		return -1;
	}
	*out = creds;
	return 0;
}

struct aws_creds *aws_creds_new_fixed(struct aws_keys *keys)
{
	struct aws_creds *creds = xcalloc(1, sizeof(*creds));

	creds->ctx.profiles = (struct profiles)PROFILES_INIT;
	keys_move(&creds->keys, keys);
	creds->fixed = creds->fetched = true;
	return creds;
}

void aws_creds_free(struct aws_creds *creds)
{
	if (!creds)
		return;
	aws_keys_release(&creds->keys);
	context_release(&creds->ctx);
	free(creds);
}

/* ---- use ---- */

static void mask(const struct creds_options *options, const struct aws_keys *keys)
{
	const struct secret *const secrets[] = { &keys->id, &keys->key, &keys->token };

	for (size_t i = 0; options->mask && i < 3; i++)
		if (secret_is_set(secrets[i]))
			options->mask(options->mask_ctx, secret_bytes(secrets[i]));
}

int aws_creds_get(struct aws_creds *creds, const struct aws_keys **out, struct error *err)
{
	CLEANUP(aws_keys) struct aws_keys fresh = AWS_KEYS_INIT;
	struct error why = ERROR_INIT;
	int64_t left = INT64_MAX;

	*out = &creds->keys;
	if (creds->fixed)
		return 0;
	if (creds->fetched && creds->keys.expires_ms)
		left = creds->keys.expires_ms - clock_wall_ms(creds->ctx.options.clock);
	if (creds->fetched && !creds->expired && left > REFRESH_MS)
		return 0;
	if (fetch(&creds->ctx, &fresh, &why) < 0) {
		/* Keys that are good for a few minutes more are better than none. */
		if (creds->fetched && !creds->expired && left > 0)
			return 0;
		*err = why;
		return -1;
	}
	mask(&creds->ctx.options, &fresh);
	keys_move(&creds->keys, &fresh);
	creds->fetched = true;
	creds->expired = false;
	return 0;
}

void aws_creds_expire(struct aws_creds *creds)
{
	creds->expired = true;
}

bool creds_configured(const struct creds_options *options)
{
	struct error err = ERROR_INIT;
	struct creds_context ctx;
	bool found = false;

	if (!str_empty(options->role_to_assume))
		return true;
	/* Files that cannot be read are configuration, and an error when they are used. */
	if (context_init(&ctx, options, &err) < 0)
		return true;
	found = ctx.profiles.named;
	for (size_t i = 0; !found && i < sizeof(chain) / sizeof(*chain); i++)
		found = !chain[i]->implicit && chain[i]->configured(&ctx);
	context_release(&ctx);
	return found;
}

bool creds_region(const char *const *env, char *out, size_t size)
{
	CLEANUP(profiles) struct profiles profiles = PROFILES_INIT;
	struct error err = ERROR_INIT;
	const char *region = env_get(env, "AWS_REGION");

	if (!region)
		region = env_get(env, "AWS_DEFAULT_REGION");
	if (!region && profiles_load(&profiles, env, &err) == 0)
		region = profiles_get(&profiles, "profile", profiles.name, "region");
	return region && str_copy(out, size, region);
}

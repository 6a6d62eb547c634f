#include "daemon/host_status.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "codec/encode.h"
#include "codec/json.h"
#include "codec/url.h"

enum {
	URL_MOST = 4096,
	BODY_MOST = 8192,
	TEXT_MOST = 1024,
	AUTH_MOST = 4096,
	COMMIT_LEN = 40,
	SHORT_TEXT = 140, /* GitHub's */
	LONG_TEXT = 255,
	BITBUCKET_KEY = 40,
	STATES = HOST_ERROR + 1,
};

enum auth { AUTH_BEARER, AUTH_TOKEN, AUTH_PRIVATE_TOKEN, AUTH_BASIC_PAT };

/* A kind of host. In path, {project} is the setting with its slashes, {id} the same as one
 * segment, {org}, {area} and {repo} its three parts, and {sha} the commit. Sources:
 * docs.github.com/rest/commits/statuses; docs.gitlab.com/api/commits (set the pipeline
 * status); Gitea's and Forgejo's API description, "repoCreateStatus";
 * developer.atlassian.com/cloud/bitbucket/rest, "commit statuses"; Bitbucket Data Center's
 * REST API, "build status"; learn.microsoft.com/rest/api/azure/devops/git/statuses. */
struct host_status_kind {
	const char *name;
	const char *api; /* NULL: must be configured */
	const char *path;
	enum auth auth;
	const char *states[STATES];
	const char *context_member; /* of the body */
	const char *url_member;
	size_t context_most, text_most;
	bool needs_url, needs_project, nests_context;
};

static const struct host_status_kind kinds[] = {
	{ .name = "github",
	  .api = "https://api.github.com",
	  .path = "/repos/{project}/statuses/{sha}",
	  .auth = AUTH_BEARER,
	  .states = { "pending", "pending", "success", "failure", "error" },
	  .context_member = "context",
	  .url_member = "target_url",
	  .context_most = LONG_TEXT,
	  .text_most = SHORT_TEXT,
	  .needs_project = true },
	{ .name = "gitlab",
	  .api = "https://gitlab.com/api/v4",
	  .path = "/projects/{id}/statuses/{sha}",
	  .auth = AUTH_PRIVATE_TOKEN,
	  .states = { "pending", "running", "success", "failed", "failed" },
	  .context_member = "name",
	  .url_member = "target_url",
	  .context_most = LONG_TEXT,
	  .text_most = LONG_TEXT,
	  .needs_project = true },
	{ .name = "gitea",
	  .path = "/repos/{project}/statuses/{sha}",
	  .auth = AUTH_TOKEN,
	  .states = { "pending", "pending", "success", "failure", "error" },
	  .context_member = "context",
	  .url_member = "target_url",
	  .context_most = LONG_TEXT,
	  .text_most = LONG_TEXT,
	  .needs_project = true },
	{ .name = "bitbucket-cloud",
	  .api = "https://api.bitbucket.org/2.0",
	  .path = "/repositories/{project}/commit/{sha}/statuses/build",
	  .auth = AUTH_BEARER,
	  .states = { "INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED" },
	  .context_member = "key",
	  .url_member = "url",
	  .context_most = BITBUCKET_KEY,
	  .text_most = LONG_TEXT,
	  .needs_url = true,
	  .needs_project = true },
	{ .name = "bitbucket-server",
	  .path = "/rest/build-status/1.0/commits/{sha}",
	  .auth = AUTH_BEARER,
	  .states = { "INPROGRESS", "INPROGRESS", "SUCCESSFUL", "FAILED", "FAILED" },
	  .context_member = "key",
	  .url_member = "url",
	  .context_most = LONG_TEXT,
	  .text_most = LONG_TEXT,
	  .needs_url = true },
	{ .name = "azure-devops",
	  .api = "https://dev.azure.com",
	  .path = "/{org}/{area}/_apis/git/repositories/{repo}/commits/{sha}/"
		  "statuses?api-version=7.1",
	  .auth = AUTH_BASIC_PAT,
	  .states = { "pending", "pending", "succeeded", "failed", "error" },
	  .context_member = "name",
	  .url_member = "targetUrl",
	  .context_most = LONG_TEXT,
	  .text_most = LONG_TEXT,
	  .needs_project = true,
	  .nests_context = true },
};

const struct host_status_kind *host_status_find(const char *name)
{
	/* Forgejo has Gitea's API. */
	if (str_eq(name, "forgejo"))
		name = "gitea";
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (str_eq(kinds[i].name, name))
			return &kinds[i];
	}
	return NULL;
}

bool host_status_needs_url(const struct host_status_kind *k)
{
	return k->needs_url;
}

/* The i-th part of "a/b/c"; false: there are not three. */
static bool part_of(const char *project, size_t i, const char **from, size_t *len)
{
	const char *first = strchr(project, '/');
	const char *second = first ? strchr(first + 1, '/') : NULL;

	if (!second || strchr(second + 1, '/') || first == project ||
	    second == first + 1 || !second[1])
		return false;
	const char *const starts[] = { project, first + 1, second + 1 };
	const char *const ends[] = { first, second, second + strlen(second) };
	*from = starts[i];
	*len = (size_t)(ends[i] - starts[i]);
	return true;
}

int host_status_check(const struct host_status_settings *s, struct error *err)
{
	const struct host_status_kind *k = s->kind;
	struct url u;
	const char *from;
	size_t len;

	if (!k)
		return 0;
	if (!s->api && !k->api)
		return error_set(err, ERR_CONFIG,
				 "status: %s needs api, the address of its API", k->name);
	if (s->api && !url_parse(s->api, &u))
		return error_set(err, ERR_CONFIG, "status: api is no http(s) address");
	if (s->api && u.scheme_len == strlen("http") && !url_is_loopback(&u))
		return error_set(
			err, ERR_CONFIG,
			"status: a token must not go over an open line: api needs https");
	if (k->needs_project && str_empty(s->project))
		return error_set(err, ERR_CONFIG,
				 "status: %s needs project, such as OWNER/NAME", k->name);
	if (strstr(k->path, "{org}") && !part_of(s->project, 0, &from, &len))
		return error_set(err, ERR_CONFIG,
				 "status: project is ORGANISATION/PROJECT/REPOSITORY");
	if (!secret_is_set(&s->token))
		return error_set(err, ERR_CONFIG, "status: %s needs a token", k->name);
	return 0;
}

/* What a placeholder of a path stands for. */
static void put_place(const struct host_status_settings *s, const struct host_status *st,
		      const char *name, size_t n, struct buf *out)
{
	static const char *const parts[] = { "org", "area", "repo" };
	const char *from;
	size_t len;

	if (n == strlen("sha") && strncmp(name, "sha", n) == 0)
		buf_str(out, st->commit);
	else if (n == strlen("project") && strncmp(name, "project", n) == 0)
		url_encode_s3_key(s->project, out);
	else if (n == strlen("id") && strncmp(name, "id", n) == 0)
		url_encode_query(s->project, strlen(s->project), out);
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		if (n == strlen(parts[i]) && strncmp(name, parts[i], n) == 0 &&
		    part_of(s->project, i, &from, &len))
			url_encode_query(from, len, out);
	}
}

static void put_url(const struct host_status_settings *s, const struct host_status *st,
		    struct buf *out)
{
	const char *p = s->kind->path;
	const char *api = s->api ? s->api : s->kind->api;
	size_t n = strlen(api);

	while (n > 0 && api[n - 1] == '/')
		n--;
	buf_add(out, api, n);
	while (*p) {
		const char *end = *p == '{' ? strchr(p, '}') : NULL;

		if (!end) {
			buf_char(out, *p++);
			continue;
		}
		put_place(s, st, p + 1, (size_t)(end - p - 1), out);
		p = end + 1;
	}
}

/* Not within a character of UTF-8. */
static size_t cut(const char *text, size_t most)
{
	size_t n = strlen(text);

	if (n <= most)
		return n;
	for (n = most; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	return n;
}

static void put_context(const struct host_status_settings *s,
			const struct host_status *st, struct json_writer *w)
{
	char context[TEXT_MOST];

	if (s->context)
		snprintf(context, sizeof context, "%s", s->context);
	else
		snprintf(context, sizeof context, "crc/%s", st->site);
	if (s->kind->nests_context) {
		json_key(w, "context");
		json_open(w, '{');
		json_member(w, "genre", "crc");
	}
	json_key(w, s->kind->context_member);
	json_put_strn(w, context, cut(context, s->kind->context_most));
	if (s->kind->nests_context)
		json_close(w, '}');
}

static void put_body(const struct host_status_settings *s, const struct host_status *st,
		     struct buf *out)
{
	struct json_writer w = JSON_WRITER_INIT(out);
	const char *text = st->description ? st->description : "";

	json_open(&w, '{');
	json_member(&w, "state", s->kind->states[st->state]);
	put_context(s, st, &w);
	json_key(&w, "description");
	json_put_strn(&w, text, cut(text, s->kind->text_most));
	if (st->url)
		json_member(&w, s->kind->url_member, st->url);
	json_close(&w, '}');
}

static void put_basic(const char *user, const struct secret *password, struct buf *out)
{
	struct buf plain = BUF_INIT(AUTH_MOST);

	buf_printf(&plain, "%s:", user);
	buf_add(&plain, secret_bytes(password), secret_len(password));
	buf_str(out, "Basic ");
	encode_base64(plain.data, plain.len, out);
	secret_wipe(plain.data, plain.len);
	buf_release(&plain);
}

/* The header that authorises; its value goes into m->authorization. */
static const char *authorise(const struct host_status_settings *s,
			     struct host_status_message *m)
{
	static const char *const before[] = { [AUTH_BEARER] = "Bearer ",
					      [AUTH_TOKEN] = "token ",
					      [AUTH_PRIVATE_TOKEN] = "" };
	struct buf value = BUF_INIT(AUTH_MOST);
	bool basic = s->user || s->kind->auth == AUTH_BASIC_PAT;

	if (basic)
		put_basic(s->user ? s->user : "", &s->token, &value);
	else
		buf_printf(&value, "%s%s", before[s->kind->auth],
			   secret_bytes(&s->token));
	secret_set(&m->authorization, value.data, value.len);
	secret_wipe(value.data, value.len);
	buf_release(&value);
	return !basic && s->kind->auth == AUTH_PRIVATE_TOKEN ? "PRIVATE-TOKEN"
							     : "Authorization";
}

static bool is_commit(const char *text)
{
	return strlen(text) == COMMIT_LEN &&
	       strspn(text, "0123456789abcdef") == COMMIT_LEN;
}

int host_status_request(const struct host_status_settings *s,
			const struct host_status *st, struct host_status_message *out,
			struct error *err)
{
	CLEANUP(buf) struct buf url = BUF_INIT(URL_MOST);
	CLEANUP(buf) struct buf body = BUF_INIT(BODY_MOST);

	*out = (struct host_status_message){ .arena = ARENA_INIT };
	if (!is_commit(st->commit))
		return error_set(err, ERR_USAGE, "a status needs a commit's whole id");
	if (s->kind->needs_url && !st->url)
		return error_set(
			err, ERR_CONFIG,
			"%s takes no status without a link: configure public-url",
			s->kind->name);
	put_url(s, st, &url);
	put_body(s, st, &body);
	if (buf_check(&url, "a status's address", err) ||
	    buf_check(&body, "a status", err))
		return -1;
	out->headers[0] = (struct http_header){ "Content-Type", "application/json" };
	out->headers[1] = (struct http_header){ "Accept", "application/json" };
	out->headers[2].name = authorise(s, out);
	out->headers[2].value = secret_bytes(&out->authorization);
	out->req = (struct http_request){ .method = "POST",
					  .url = arena_strdup(&out->arena, url.data),
					  .headers = out->headers,
					  .n_headers = 3 };
	out->req.body = (struct http_body){ .bytes = arena_memdup(&out->arena, body.data,
								  body.len),
					    .len = (int64_t)body.len };
	return 0;
}

void host_status_message_release(struct host_status_message *m)
{
	secret_release(&m->authorization);
	arena_release(&m->arena);
}

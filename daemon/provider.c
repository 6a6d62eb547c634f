#include "daemon/provider.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/provider_private.h"

/* Gitea, Forgejo and Gogs are one family; each row reads its own host's headers only, though
 * each host sends those of the others as well. Bitbucket's X-Hub-Signature is GitHub's old name
 * for SHA-1, but holds SHA-256. */
static const struct provider rows[] = {
	{ .name = "github",
	  .authenticate = provider_auth_hmac,
	  .signature = "X-Hub-Signature-256",
	  .prefix = "sha256=",
	  .form = FORM_SIGNED_RAW,
	  .event = "X-GitHub-Event",
	  .ping = "ping",
	  .pushes = { "push" },
	  .deliveries = { "X-GitHub-Delivery" },
	  .parse = provider_parse_github },
	{ .name = "gitlab",
	  .authenticate = provider_auth_gitlab,
	  .signature = "X-Gitlab-Token",
	  .event = "X-Gitlab-Event",
	  .pushes = { "Push Hook", "Tag Push Hook", "System Hook" },
	  .deliveries = { "webhook-id", "Idempotency-Key", "X-Gitlab-Webhook-UUID" },
	  .parse = provider_parse_gitlab,
	  .check = provider_check_gitlab,
	  .signs_delivery = provider_signs_gitlab },
	{ .name = "gitea",
	  .authenticate = provider_auth_hmac,
	  .signature = "X-Gitea-Signature",
	  .prefix = "",
	  .form = FORM_SIGNED_JSON,
	  .event = "X-Gitea-Event",
	  .pushes = { "push" },
	  .deliveries = { "X-Gitea-Delivery" },
	  .parse = provider_parse_gitea },
	{ .name = "forgejo",
	  .authenticate = provider_auth_hmac,
	  .signature = "X-Forgejo-Signature",
	  .prefix = "",
	  .form = FORM_SIGNED_JSON,
	  .event = "X-Forgejo-Event",
	  .pushes = { "push" },
	  .deliveries = { "X-Forgejo-Delivery" },
	  .parse = provider_parse_gitea },
	{ .name = "gogs",
	  .authenticate = provider_auth_hmac,
	  .signature = "X-Gogs-Signature",
	  .prefix = "",
	  .form = FORM_SIGNED_JSON,
	  .event = "X-Gogs-Event",
	  .pushes = { "push" },
	  .deliveries = { "X-Gogs-Delivery" },
	  .parse = provider_parse_gitea },
	{ .name = "bitbucket-cloud",
	  .authenticate = provider_auth_hmac,
	  .signature = "X-Hub-Signature",
	  .prefix = "sha256=",
	  .event = "X-Event-Key",
	  .pushes = { "repo:push" },
	  .deliveries = { "X-Request-UUID" },
	  .parse = provider_parse_bitbucket_cloud },
	{ .name = "bitbucket-server",
	  .authenticate = provider_auth_hmac,
	  .signature = "X-Hub-Signature",
	  .prefix = "sha256=",
	  .event = "X-Event-Key",
	  .ping = "diagnostics:ping",
	  .pushes = { "repo:refs_changed" },
	  .deliveries = { "X-Request-Id" },
	  .parse = provider_parse_bitbucket_server },
	{ .name = "azure-devops",
	  .authenticate = provider_auth_basic,
	  .signature = "Authorization",
	  .parse = provider_parse_azure },
	{ .name = "generic",
	  .authenticate = provider_auth_generic,
	  .deliveries = { "webhook-id" },
	  .parse = provider_parse_generic,
	  .check = provider_check_generic,
	  .signs_delivery = provider_signs_generic },
};

const struct provider *provider_at(size_t i)
{
	return i < sizeof(rows) / sizeof(*rows) ? &rows[i] : NULL;
}

const struct provider *provider_find(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		if (str_eq(rows[i].name, name))
			return &rows[i];
	}
	return NULL;
}

const char *provider_name(const struct provider *p)
{
	return p->name;
}

int provider_authenticate(const struct provider *p, const struct provider_keys *keys,
			  const struct request *r, int64_t now_s, struct error *err)
{
	CLEANUP(buf) struct buf unwrapped = BUF_INIT(r->body_len);
	struct provider_attempt a = { .row = p,
				      .keys = keys,
				      .r = r,
				      .body = r->body,
				      .body_len = r->body_len,
				      .now_s = now_s };

	assert(keys->n_secrets <= PROVIDER_SECRETS_MOST);
	if (p->form == FORM_SIGNED_JSON && provider_is_form(r)) {
		if (provider_form_payload(r, &unwrapped, err) < 0) {
			err->code = ERR_CREDENTIALS; /* nobody knows who sent it */
			return -1;
		}
		a.body = unwrapped.data;
		a.body_len = unwrapped.len;
	}
	return p->authenticate(&a, err);
}

static bool is_one_of(const char *const *names, const char *name)
{
	for (; *names; names++) {
		if (str_eq(*names, name))
			return true;
	}
	return false;
}

static int read_delivery(const struct provider *p, const struct request *r,
			 struct push *out, struct error *err)
{
	const char *value;

	for (const char *const *name = p->deliveries; *name; name++) {
		if (!request_header(r, *name))
			continue;
		if (provider_header(r, *name, ERR_DATA, &value, err) < 0)
			return -1;
		return provider_set_delivery(out, value, *name, err);
	}
	return 0;
}

/* The payload, taken out of its form if it is in one. */
static int read_payload(const struct provider *p, const struct request *r,
			struct json_doc **out, struct error *err)
{
	CLEANUP(buf) struct buf unwrapped = BUF_INIT(r->body_len);

	if (p->form == FORM_NONE || !provider_is_form(r))
		return json_parse(r->body, r->body_len, out, err);
	if (provider_form_payload(r, &unwrapped, err) < 0)
		return -1;
	return json_parse(unwrapped.data, unwrapped.len, out, err);
}

int provider_parse(const struct provider *p, const struct provider_keys *keys,
		   const struct request *r, struct push *out, struct error *err)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	struct provider_payload payload = { .keys = keys };

	*out = (struct push){ .arena = ARENA_INIT, .kind = PUSH_OTHER, .delivery = "" };
	if (read_delivery(p, r, out, err) < 0)
		return -1;
	out->delivery_is_signed = p->signs_delivery && p->signs_delivery(keys, r);
	if (p->event) {
		if (provider_header(r, p->event, ERR_DATA, &payload.event, err) < 0)
			return -1;
		if (str_eq(payload.event, p->ping)) {
			out->kind = PUSH_PING;
			return 0;
		}
		if (!is_one_of(p->pushes, payload.event))
			return 0;
	}
	if (read_payload(p, r, &doc, err) < 0)
		return -1;
	payload.root = json_root(doc);
	return p->parse(&payload, out, err);
}

int provider_check(const struct provider *p, const struct provider_keys *keys,
		   struct error *err)
{
	if (keys->n_secrets == 0)
		return error_set(err, ERR_CONFIG, "%s: there is no secret", p->name);
	for (size_t i = 0; i < keys->n_secrets; i++) {
		if (!secret_is_set(&keys->secrets[i]))
			return error_set(err, ERR_CONFIG, "%s: secret %zu is empty",
					 p->name, i + 1);
	}
	if (p->check && p->check(keys, err) < 0)
		return error_wrap(err, "%s", p->name);
	return 0;
}

#include "daemon/provider_private.h"

#include "base/str.h"

static int add_one(const struct json *object, struct push *out, struct error *err)
{
	const struct provider_move m = { .ref = json_get(object, "ref"),
					 .ref_prefix = "",
					 .before = json_get(object, "before"),
					 .after = json_get(object, "after") };

	return provider_add(out, &m, err);
}

/* docs.github.com/webhooks/webhook-events-and-payloads#push; one ref a delivery. */
int provider_parse_github(const struct provider_payload *p, struct push *out,
			  struct error *err)
{
	if (provider_expect(out, 1, err) < 0)
		return -1;
	return add_one(p->root, out, err);
}

/* docs.gitea.com/usage/webhooks. A test delivery is a push from a commit to the same commit,
 * which newer versions fill with zeros: it would look like a deletion. */
int provider_parse_gitea(const struct provider_payload *p, struct push *out,
			 struct error *err)
{
	const char *before = json_str(json_get(p->root, "before"));
	const char *after = json_str(json_get(p->root, "after"));

	if (before && after && str_eq_nocase(before, after)) {
		out->kind = PUSH_PING;
		return 0;
	}
	return provider_parse_github(p, out, err);
}

/* repository_update, the one event that tells all refs of a push, however many. */
static int parse_update(const struct json *changes, struct push *out, struct error *err)
{
	if (provider_expect(out, json_len(changes), err) < 0)
		return -1;
	for (size_t i = 0; i < json_len(changes); i++) {
		if (add_one(json_at(changes, i), out, err) < 0)
			return -1;
	}
	return 0;
}

/* docs.gitlab.com/user/project/integrations/webhook_events and
 * docs.gitlab.com/administration/system_hooks. */
int provider_parse_gitlab(const struct provider_payload *p, struct push *out,
			  struct error *err)
{
	const char *name = json_str(json_get(p->root, "event_name"));

	if (!str_eq(p->event, "System Hook") || str_eq(name, "push") ||
	    str_eq(name, "tag_push"))
		return provider_parse_github(p, out, err);
	if (str_eq(name, "repository_update"))
		return parse_update(json_get(p->root, "changes"), out, err);
	out->kind = PUSH_OTHER;
	return 0;
}

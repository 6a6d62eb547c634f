#include "daemon/provider_private.h"

#include <inttypes.h>

#include "base/str.h"

/* What the button "Test" sends in place of a subscription's id, with a made-up push. */
static const char no_subscription[] = "00000000-0000-0000-0000-000000000000";

/* A retry has the same id. */
static int set_delivery(const struct json *root, struct push *out, struct error *err)
{
	const char *id = json_str(json_get(root, "id"));
	const char *subscription = json_str(json_get(root, "subscriptionId"));
	int64_t notification;

	if (id)
		return provider_set_delivery(out, id, "id", err);
	if (!subscription || !json_int(json_get(root, "notificationId"), &notification))
		return 0;
	return provider_set_delivery(
		out, arena_printf(&out->arena, "%s/%" PRId64, subscription, notification),
		"subscriptionId", err);
}

static int add_update(const struct json *update, struct push *out, struct error *err)
{
	const struct provider_move m = { .ref = json_get(update, "name"),
					 .ref_prefix = "",
					 .before = json_get(update, "oldObjectId"),
					 .after = json_get(update, "newObjectId") };

	return provider_add(out, &m, err);
}

/* learn.microsoft.com/azure/devops/service-hooks/events#code-pushed. The event's name is in
 * the body. */
int provider_parse_azure(const struct provider_payload *p, struct push *out,
			 struct error *err)
{
	const char *event = json_str(json_get(p->root, "eventType"));
	const struct json *updates = json_get(json_get(p->root, "resource"),
					      "refUpdates");

	if (!event)
		return error_set(err, ERR_DATA, "there is no eventType");
	if (set_delivery(p->root, out, err) < 0)
		return -1;
	if (!str_eq(event, "git.push"))
		return 0;
	if (str_eq(json_str(json_get(p->root, "subscriptionId")), no_subscription)) {
		out->kind = PUSH_PING;
		return 0;
	}
	if (json_type(updates) != JSON_ARRAY)
		return error_set(err, ERR_DATA,
				 "there are no resource.refUpdates: the subscription "
				 "must send all resource details");
	if (provider_expect(out, json_len(updates), err) < 0)
		return -1;
	for (size_t i = 0; i < json_len(updates); i++) {
		if (add_update(json_at(updates, i), out, err) < 0)
			return -1;
	}
	return 0;
}

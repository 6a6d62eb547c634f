#include "daemon/provider_private.h"

#include "base/str.h"

/* NULL: nothing that git knows (Mercurial's branches, and what is yet to come). */
static const char *cloud_prefix(const char *type)
{
	if (str_eq(type, "branch"))
		return "refs/heads/";
	if (str_eq(type, "tag") || str_eq(type, "annotated_tag"))
		return "refs/tags/";
	return NULL;
}

/* null (there is no such side) stays null; a side without a hash is an error. */
static const struct json *cloud_hash(const struct json *side)
{
	if (json_type(side) != JSON_OBJECT)
		return side;
	return json_get(json_get(side, "target"), "hash");
}

static int add_cloud(const struct json *change, struct push *out, struct error *err)
{
	const struct json *before = json_get(change, "old");
	const struct json *after = json_get(change, "new");
	bool is_deleted = json_type(after) == JSON_NULL;
	const struct json *named = is_deleted ? before : after;
	const struct provider_move m = { .ref = json_get(named, "name"),
					 .ref_prefix = cloud_prefix(
						 json_str(json_get(named, "type"))),
					 .before = cloud_hash(before),
					 .after = cloud_hash(after) };

	if (json_type(named) != JSON_OBJECT)
		return error_set(err, ERR_DATA, "a change has neither new nor old");
	return m.ref_prefix ? provider_add(out, &m, err) : 0;
}

/* support.atlassian.com/bitbucket-cloud/docs/event-payloads, "Push". */
int provider_parse_bitbucket_cloud(const struct provider_payload *p, struct push *out,
				   struct error *err)
{
	const struct json *changes = json_get(json_get(p->root, "push"), "changes");

	if (json_type(changes) != JSON_ARRAY)
		return error_set(err, ERR_DATA, "there are no push.changes");
	if (provider_expect(out, json_len(changes), err) < 0)
		return -1;
	for (size_t i = 0; i < json_len(changes); i++) {
		if (add_cloud(json_at(changes, i), out, err) < 0)
			return -1;
	}
	return 0;
}

static int add_server(const struct json *change, struct push *out, struct error *err)
{
	const struct json *ref = json_get(change, "refId");
	const struct provider_move m = {
		.ref = ref ? ref : json_get(json_get(change, "ref"), "id"),
		.ref_prefix = "",
		.before = json_get(change, "fromHash"),
		.after = json_get(change, "toHash")
	};

	if (provider_add(out, &m, err) < 0)
		return -1;
	if (str_eq(json_str(json_get(change, "type")), "DELETE"))
		out->changes[out->n_changes - 1].after = "";
	return 0;
}

/* confluence.atlassian.com/bitbucketserver, "Event payload", "Push". */
int provider_parse_bitbucket_server(const struct provider_payload *p, struct push *out,
				    struct error *err)
{
	const struct json *changes = json_get(p->root, "changes");

	if (json_type(changes) != JSON_ARRAY)
		return error_set(err, ERR_DATA, "there are no changes");
	if (provider_expect(out, json_len(changes), err) < 0)
		return -1;
	for (size_t i = 0; i < json_len(changes); i++) {
		if (add_server(json_at(changes, i), out, err) < 0)
			return -1;
	}
	return 0;
}

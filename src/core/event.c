#include "core/event.h"

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"

void event_release(struct event *e)
{
	arena_release(&e->arena);
}

static const char *copy(struct event *e, const char *text)
{
	return arena_strdup(&e->arena, text ? text : "");
}

static int64_t number(const char *text)
{
	int64_t n = 0;

	if (text)
		str_to_i64(text, 0, INT64_MAX, &n);
	return n;
}

/* Absent, malformed and "0000..." are all zero. */
static struct oid read_oid(const struct json *root, const char *key)
{
	const char *hex = json_str(json_get(root, key));
	struct oid id = { { 0 } };
	struct oid found;

	if (hex && oid_from_hex(hex, &found))
		id = found;
	return id;
}

static bool from_fork(const struct json *root)
{
	const struct json *pr = json_get(root, "pull_request");
	const char *head = json_str(
		json_get(json_get(json_get(pr, "head"), "repo"), "full_name"));
	const char *base = json_str(
		json_get(json_get(json_get(pr, "base"), "repo"), "full_name"));

	return pr && (!head || !str_eq(head, base));
}

/* Others have members of the same names that mean something else: a pull request's "before"
 * is where its own branch was. */
static bool is_push(const struct event *e)
{
	return !*e->name || str_eq(e->name, "push");
}

static void read_payload(struct event *e, const struct json *root)
{
	const char *ref = json_str(json_get(root, "ref"));

	if (str_empty(e->ref) && ref)
		e->ref = copy(e, ref);
	e->is_fork = from_fork(root);
	if (!is_push(e))
		return;
	e->before = read_oid(root, "before");
	e->after = read_oid(root, "after");
	e->deleted = json_is_true(json_get(root, "deleted"));
	e->forced = json_is_true(json_get(root, "forced"));
}

int event_parse(struct event *e, const char *text, size_t n,
		const struct event_runner *runner, struct error *err)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;

	*e = (struct event){ .deleted = false };
	if (json_parse(text, n, &doc, err) < 0)
		return -1;
	if (json_type(json_root(doc)) != JSON_OBJECT)
		return error_set(err, ERR_DATA, "not a JSON object");
	e->name = copy(e, runner->event_name);
	e->ref = copy(e, runner->ref);
	e->run = (struct state_run){
		.workflow = runner->workflow ? copy(e, runner->workflow) : NULL,
		.id = number(runner->run_id),
		.number = number(runner->run_number),
		.attempt = number(runner->run_attempt),
	};
	read_payload(e, json_root(doc));
	return 0;
}

bool event_deploys_nothing(const struct event *e, const char **why)
{
	if (e->deleted) {
		*why = str_starts(e->ref, "refs/tags/") ? "the tag was deleted"
							: "the branch was deleted";
		return true;
	}
	/* Also "pull_request_target", "pull_request_review", ... */
	if (str_starts(e->name, "pull_request") || str_starts(e->ref, "refs/pull/")) {
		*why = "a pull request is a proposal: use dry-run to see its plan";
		return true;
	}
	if (str_eq(e->name, "merge_group")) {
		*why = "what waits in a merge queue is a proposal: use dry-run to see its "
		       "plan";
		return true;
	}
	return false;
}

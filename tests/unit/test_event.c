#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/event.h"

#define OLD  "1111111111111111111111111111111111111111"
#define NEW  "2222222222222222222222222222222222222222"
#define ZERO "0000000000000000000000000000000000000000"

static int parse_bytes(struct event *e, const char *text, size_t n, const char *name,
		       const char *ref, struct error *err)
{
	const struct event_runner runner = {
		.event_name = name,
		.ref = ref,
		.sha = NEW,
		.workflow = "me/site/.github/workflows/deploy.yml@refs/heads/main",
		.run_id = "7423981",
		.run_number = "41",
		.run_attempt = "2",
	};

	return event_parse(e, text, n, &runner, err);
}

static void parse(struct event *e, const char *text, const char *name, const char *ref)
{
	struct error err = ERROR_INIT;

	if (parse_bytes(e, text, strlen(text), name, ref, &err) < 0)
		fail_msg("%s", err.msg);
}

static void assert_oid(const struct oid *id, const char *hex)
{
	char is[OID_HEX_SIZE];

	assert_string_equal(oid_hex(id, is), hex);
}

/* What a payload says, as far as it is asked. */
struct sight {
	const char *label;
	const char *name;
	const char *ref;
	const char *payload;
	const char *before;
	const char *after;
	bool deleted;
	bool forced;
	bool is_fork;
	const char *nothing; /* why nothing is deployed, or NULL */
};

#define PROPOSAL "a pull request is a proposal: use dry-run to see its plan"
#define PULL_REQUEST(head)                                                          \
	"{\"action\": \"synchronize\", \"number\": 7, \"before\": \"" OLD           \
	"\", \"after\": \"" NEW "\", \"pull_request\": {\"head\": {\"repo\": " head \
	"}, \"base\": {\"repo\": {\"full_name\": \"me/site\"}}}}"

static const struct sight sights[] = {
	{ "push", "push", "refs/heads/main",
	  "{\"ref\": \"refs/heads/main\", \"before\": \"" OLD "\", \"after\": \"" NEW
	  "\", \"deleted\": false, \"forced\": false, \"created\": false}",
	  OLD, NEW, false, false, false, NULL },
	{ "force push", "push", "refs/heads/main",
	  "{\"before\": \"" OLD "\", \"after\": \"" NEW "\", \"forced\": true}", OLD, NEW,
	  false, true, false, NULL },
	{ "first push", "push", "refs/heads/main",
	  "{\"before\": \"" ZERO "\", \"after\": \"" NEW "\", \"created\": true}", ZERO,
	  NEW, false, false, false, NULL },
	{ "deleted branch", "push", "refs/heads/main",
	  "{\"before\": \"" OLD "\", \"after\": \"" ZERO
	  "\", \"deleted\": true, \"forced\": false}",
	  OLD, ZERO, true, false, false, "the branch was deleted" },
	{ "pushed tag", "push", "refs/tags/v1",
	  "{\"ref\": \"refs/tags/v1\", \"before\": \"" ZERO "\", \"after\": \"" NEW
	  "\", \"created\": true}",
	  ZERO, NEW, false, false, false, NULL },
	{ "moved tag", "push", "refs/tags/v1",
	  "{\"before\": \"" OLD "\", \"after\": \"" NEW "\", \"forced\": true}", OLD, NEW,
	  false, true, false, NULL },
	{ "deleted tag", "push", "refs/tags/v1",
	  "{\"before\": \"" OLD "\", \"after\": \"" ZERO "\", \"deleted\": true}", OLD,
	  ZERO, true, false, false, "the tag was deleted" },
	{ "by hand", "workflow_dispatch", "refs/heads/main",
	  "{\"inputs\": {\"before\": \"" OLD "\"}, \"ref\": \"refs/heads/main\"}", ZERO,
	  ZERO, false, false, false, NULL },
	{ "schedule", "schedule", "refs/heads/main", "{\"schedule\": \"0 4 * * *\"}",
	  ZERO, ZERO, false, false, false, NULL },
	{ "release", "release", "refs/tags/v1",
	  "{\"action\": \"published\", \"release\": {\"tag_name\": \"v1\"}}", ZERO, ZERO,
	  false, false, false, NULL },
	{ "workflow run", "workflow_run", "refs/heads/main",
	  "{\"workflow_run\": {\"head_sha\": \"" OLD "\"}}", ZERO, ZERO, false, false,
	  false, NULL },
	{ "deleted elsewhere", "delete", "refs/heads/main",
	  "{\"ref\": \"old\", \"ref_type\": \"branch\"}", ZERO, ZERO, false, false, false,
	  NULL },
	{ "own pull request", "pull_request", "refs/pull/7/merge",
	  PULL_REQUEST("{\"full_name\": \"me/site\"}"), ZERO, ZERO, false, false, false,
	  PROPOSAL },
	{ "fork", "pull_request", "refs/pull/7/merge",
	  PULL_REQUEST("{\"full_name\": \"you/site\"}"), ZERO, ZERO, false, false, true,
	  PROPOSAL },
	{ "deleted fork", "pull_request_target", "refs/heads/main", PULL_REQUEST("null"),
	  ZERO, ZERO, false, false, true, PROPOSAL },
	{ "fork without names", "pull_request", "refs/pull/7/merge",
	  "{\"pull_request\": {}}", ZERO, ZERO, false, false, true, PROPOSAL },
	{ "target", "pull_request_target", "refs/heads/main",
	  PULL_REQUEST("{\"full_name\": \"me/site\"}"), ZERO, ZERO, false, false, false,
	  PROPOSAL },
	{ "review", "pull_request_review", "refs/pull/7/merge",
	  PULL_REQUEST("{\"full_name\": \"me/site\"}"), ZERO, ZERO, false, false, false,
	  PROPOSAL },
	{ "by hand for a pull request", "workflow_dispatch", "refs/pull/7/head", "{}",
	  ZERO, ZERO, false, false, false, PROPOSAL },
	{ "merge queue", "merge_group", "refs/heads/gh-readonly-queue/main/pr-7-" OLD,
	  "{\"action\": \"checks_requested\", \"merge_group\": {\"head_sha\": \"" NEW
	  "\"}}",
	  ZERO, ZERO, false, false, false,
	  "what waits in a merge queue is a proposal: use dry-run to see its plan" },
	{ "a branch with a name like one", "push", "refs/heads/refs/pull/7",
	  "{\"before\": \"" OLD "\", \"after\": \"" NEW "\"}", OLD, NEW, false, false,
	  false, NULL },
	{ "not said what", NULL, NULL,
	  "{\"ref\": \"refs/heads/x\", \"before\": \"" OLD "\", \"after\": \"" NEW
	  "\", \"deleted\": true}",
	  OLD, NEW, true, false, false, "the branch was deleted" },
};

static void print_sight(const struct sight *s, struct buf *out)
{
	buf_printf(out, "%s: %s %s%s%s%s: %s", s->label, s->before, s->after,
		   s->deleted ? " deleted" : "", s->forced ? " forced" : "",
		   s->is_fork ? " fork" : "", s->nothing ? s->nothing : "deployed");
}

static void test_event__what_is_deployed_by_which(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sights) / sizeof(*sights); i++) {
		CLEANUP(buf) struct buf wanted = BUF_INIT(1024);
		CLEANUP(buf) struct buf is = BUF_INIT(1024);
		const char *why = NULL;
		char before[OID_HEX_SIZE];
		char after[OID_HEX_SIZE];
		struct event e;
		bool nothing;

		parse(&e, sights[i].payload, sights[i].name, sights[i].ref);
		nothing = event_deploys_nothing(&e, &why);
		assert_int_equal(nothing, why != NULL);
		print_sight(&(struct sight){ sights[i].label, e.name, e.ref, NULL,
					     oid_hex(&e.before, before),
					     oid_hex(&e.after, after), e.deleted,
					     e.forced, e.is_fork, why },
			    &is);
		print_sight(&sights[i], &wanted);
		assert_string_equal(is.data, wanted.data);
		assert_string_equal(e.name, sights[i].name ? sights[i].name : "");
		event_release(&e);
	}
}

static void test_event__runner_before_payload(void **state)
{
	struct event e;

	(void)state;
	parse(&e, "{\"ref\": \"refs/heads/payload\"}", "push", "refs/heads/runner");
	assert_string_equal(e.ref, "refs/heads/runner");
	assert_string_equal(e.run.workflow,
			    "me/site/.github/workflows/deploy.yml@refs/heads/main");
	assert_int_equal(e.run.id, 7423981);
	assert_int_equal(e.run.number, 41);
	assert_int_equal(e.run.attempt, 2);
	event_release(&e);

	parse(&e, "{\"ref\": \"refs/heads/payload\"}", "push", "");
	assert_string_equal(e.ref, "refs/heads/payload");
	event_release(&e);
}

/* What the runner says of itself is believed only as far as it is a number. */
static void test_event__numbers_that_are_none(void **state)
{
	static const char *const texts[] = { NULL, "",   "x",   "-1",
					     "1x", " 1", "1.0", "9223372036854775808" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		const struct event_runner runner = { .run_id = texts[i],
						     .run_number = texts[i],
						     .run_attempt = texts[i] };
		struct error err = ERROR_INIT;
		struct event e;

		assert_int_equal(event_parse(&e, "{}", 2, &runner, &err), 0);
		assert_int_equal(e.run.id, 0);
		assert_int_equal(e.run.number, 0);
		assert_int_equal(e.run.attempt, 0);
		assert_null(e.run.workflow);
		assert_string_equal(e.name, "");
		assert_string_equal(e.ref, "");
		event_release(&e);
	}
}

/* Members of another type are as if they were not there. */
static void test_event__hostile_types(void **state)
{
	static const char *const values[] = { "null",
					      "true",
					      "7",
					      "1e400",
					      "\"\"",
					      "\"x\"",
					      "[]",
					      "[\"" OLD "\"]",
					      "{}",
					      "\"" OLD "1\"",
					      "\"" OLD "\\u0000\"" };
	static const char *const keys[] = { "ref",       "before", "after",
					    "deleted",   "forced", "pull_request",
					    "repository" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		for (size_t k = 0; k < sizeof(keys) / sizeof(*keys); k++) {
			CLEANUP(buf) struct buf text = BUF_INIT(1024);
			struct error err = ERROR_INIT;
			struct event e;

			buf_printf(&text, "{\"%s\": %s}", keys[k], values[i]);
			if (parse_bytes(&e, text.data, text.len, "push", "", &err) < 0) {
				assert_int_equal(err.code, ERR_DATA);
				continue;
			}
			assert_oid(&e.before, ZERO);
			assert_oid(&e.after, ZERO);
			assert_int_equal(e.deleted, str_eq(keys[k], "deleted") &&
							    str_eq(values[i], "true"));
			assert_non_null(e.ref);
			event_release(&e);
		}
	}
}

static void test_event__hostile_depths_of_a_pull_request(void **state)
{
	static const char *const payloads[] = {
		"{\"pull_request\": {\"head\": [], \"base\": 7}}",
		"{\"pull_request\": {\"head\": {\"repo\": 7}, \"base\": {\"repo\": {}}}}",
		"{\"pull_request\": {\"head\": {\"repo\": {\"full_name\": []}}}}",
		"{\"pull_request\": []}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(payloads) / sizeof(*payloads); i++) {
		struct event e;

		parse(&e, payloads[i], "pull_request", "refs/pull/1/merge");
		assert_true(e.is_fork);
		event_release(&e);
	}
}

static void test_event__refuses_what_is_no_object(void **state)
{
	static const char *const texts[] = { "",      "[]",
					     "null",  "7",
					     "\"x\"", "{",
					     "{} {}", "{\"a\": 1, \"a\": 2}",
					     "\xFF",  "{\"a\": \"\xFF\"}" };

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
		struct error err = ERROR_INIT;
		struct event e;

		assert_int_equal(
			parse_bytes(&e, texts[i], strlen(texts[i]), "push", NULL, &err),
			-1);
		assert_int_equal(err.code, ERR_DATA);
		event_release(&e);
	}
}

static void test_event__deep_payloads_are_refused(void **state)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	struct error err = ERROR_INIT;
	struct event e;

	(void)state;
	buf_str(&text, "{\"a\":");
	for (unsigned i = 0; i < 100000; i++)
		buf_char(&text, '[');
	assert_int_equal(parse_bytes(&e, text.data, text.len, "push", NULL, &err), -1);
	assert_int_equal(err.code, ERR_DATA);
	event_release(&e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_event__what_is_deployed_by_which),
		cmocka_unit_test(test_event__runner_before_payload),
		cmocka_unit_test(test_event__numbers_that_are_none),
		cmocka_unit_test(test_event__hostile_types),
		cmocka_unit_test(test_event__hostile_depths_of_a_pull_request),
		cmocka_unit_test(test_event__refuses_what_is_no_object),
		cmocka_unit_test(test_event__deep_payloads_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

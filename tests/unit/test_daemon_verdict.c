#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "daemon/verdict.h"

#define HEAD   "dfa8b5818e0000000000000000000000000000aa"
#define RESULT "{\"v\":1,\"type\":\"result\",\"verdict\":"
#define FAILED(code, text)                                               \
	RESULT "\"failed\",\"head\":\"" HEAD "\",\"error_code\":\"" code \
	       "\",\"error\":\"" text "\"}"

enum { NOW = 1000000 };

struct row {
	const char *name;
	struct verdict_facts facts;
	enum job_state state;
	const char *word;
	enum host_state host;
	const char *deployed;
	const char *message;
	int64_t wait; /* ms, without jitter */
};

static const struct row rows[] = {
	{ "done",
	  { .result = RESULT
	    "\"done\",\"head\":\"" HEAD
	    "\",\"uploaded\":2,\"deleted\":1,\"invalidation_paths\":3}" },
	  JOB_DONE,
	  "done",
	  HOST_SUCCESS,
	  HEAD,
	  "deployed: 2 uploaded, 1 deleted, 3 invalidation paths",
	  0 },
	{ "nothing to do",
	  { .result = RESULT "\"nothing-to-do\",\"head\":\"" HEAD "\"}" },
	  JOB_DONE,
	  "done",
	  HOST_SUCCESS,
	  HEAD,
	  "nothing to do: the commit is deployed",
	  0 },
	{ "the push is not to be seen yet",
	  { .result = RESULT "\"nothing-to-do\",\"head\":\"" HEAD "\"}",
	    .is_behind = true },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "the repository does not show the push yet (attempt 1 of 3)",
	  2000 },
	{ "the push was taken back",
	  { .result = RESULT "\"nothing-to-do\",\"head\":\"" HEAD "\"}",
	    .is_behind = true,
	    .attempt = 5 },
	  JOB_DONE,
	  "done",
	  HOST_SUCCESS,
	  HEAD,
	  "nothing to do: the commit is deployed",
	  0 },
	{ "superseded",
	  { .result = RESULT "\"superseded\",\"head\":\"" HEAD
			     "\",\"superseded_by\":\"0123456789abcdef\"}" },
	  JOB_SUPERSEDED,
	  "superseded",
	  HOST_SUCCESS,
	  "",
	  "superseded: 0123456789 is deployed, which is newer",
	  0 },
	{ "done as the daemon ends",
	  { .stop = STOP_DRAIN, .result = RESULT "\"done\",\"head\":\"" HEAD "\"}" },
	  JOB_DONE,
	  "done",
	  HOST_SUCCESS,
	  HEAD,
	  "deployed: 0 uploaded",
	  0 },
	{ "exit 0 without a result",
	  { .problem = "" },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "the deploy ended without telling its result (attempt 1 of 3)",
	  10000 },
	{ "a result that is no JSON",
	  { .result = "{" },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "without telling its result",
	  10000 },

	{ "failed",
	  { .exit_status = 1, .result = FAILED("network", "no answer") },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "no answer (attempt 1 of 3)",
	  10000 },
	{ "failed again",
	  { .exit_status = 1, .attempt = 2, .result = FAILED("network", "no answer") },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "no answer (attempt 2 of 3)",
	  20000 },
	{ "failed for the last time",
	  { .exit_status = 1, .attempt = 3, .result = FAILED("network", "no answer") },
	  JOB_DEAD,
	  "failed",
	  HOST_FAILURE,
	  "",
	  "no answer",
	  0 },
	{ "failed without a word",
	  { .exit_status = 1 },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "the deploy ended with exit status 1",
	  10000 },
	{ "the wait has an end",
	  { .exit_status = 1, .attempt = 40, .attempts_most = 50 },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "exit status 1 (attempt 40 of 50)",
	  900000 },

	{ "configuration",
	  { .exit_status = 2, .result = FAILED("config", "crc.yml:1:1") },
	  JOB_DEAD,
	  "failed",
	  HOST_FAILURE,
	  "",
	  "crc.yml:1:1",
	  0 },
	{ "configuration without a word",
	  { .exit_status = 2 },
	  JOB_DEAD,
	  "failed",
	  HOST_FAILURE,
	  "",
	  "the configuration or the command line is wrong",
	  0 },
	{ "credentials",
	  { .exit_status = 3, .result = FAILED("credentials", "expired") },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "expired",
	  10000 },
	{ "credentials in the end",
	  { .exit_status = 3, .attempt = 3, .result = FAILED("credentials", "expired") },
	  JOB_DEAD,
	  "failed",
	  HOST_ERROR,
	  "",
	  "expired",
	  0 },
	{ "partly",
	  { .exit_status = 4, .result = FAILED("network", "half") },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "half",
	  2000 },
	{ "partly done",
	  { .exit_status = 4, .result = FAILED("partial", "half") },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "half",
	  2000 },
	{ "partly without a word",
	  { .exit_status = 4 },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "partly done",
	  2000 },
	{ "locked",
	  { .exit_status = 5, .result = FAILED("locked", "by run 7") },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "by run 7",
	  15000 },
	{ "order",
	  { .exit_status = 5, .result = FAILED("order", "not known") },
	  JOB_DEAD,
	  "failed",
	  HOST_FAILURE,
	  "",
	  "not known",
	  0 },
	{ "limit",
	  { .exit_status = 5, .result = FAILED("limit", "300 deletes") },
	  JOB_DEAD,
	  "failed",
	  HOST_FAILURE,
	  "",
	  "300 deletes",
	  0 },
	{ "unsupported",
	  { .exit_status = 1, .result = FAILED("unsupported", "reftable") },
	  JOB_DEAD,
	  "failed",
	  HOST_FAILURE,
	  "",
	  "reftable",
	  0 },
	{ "not found",
	  { .exit_status = 127 },
	  JOB_DEAD,
	  "failed",
	  HOST_FAILURE,
	  "",
	  "was not found",
	  0 },

	{ "killed",
	  { .exit_status = -1, .signal = 9, .ended = ERR_IO },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "the deploy's process was killed by signal 9 (out of memory?) (attempt 1 of 3)",
	  10000 },
	{ "killed each time",
	  { .exit_status = -1, .signal = 9, .ended = ERR_IO, .attempt = 3 },
	  JOB_DEAD,
	  "failed",
	  HOST_ERROR,
	  "",
	  "killed by signal 9",
	  0 },
	{ "terminated",
	  { .exit_status = -1, .signal = 15, .ended = ERR_IO },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "the deploy's process was killed by signal 15 (attempt 1 of 3)",
	  10000 },
	{ "too late",
	  { .exit_status = -1, .signal = 15, .ended = ERR_TIMEOUT, .deadline_ms = 90000 },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "the deploy was not done after 90 s and was ended",
	  10000 },
	{ "too late, and it took its time to say so",
	  { .exit_status = 4,
	    .ended = ERR_TIMEOUT,
	    .deadline_ms = 90000,
	    .result = FAILED("cancelled", "stopped") },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "not done after 90 s",
	  10000 },
	{ "no such program",
	  { .exit_status = -1, .ended = ERR_NOT_FOUND, .problem = "x: no such program" },
	  JOB_DEAD,
	  "failed",
	  HOST_ERROR,
	  "",
	  "x: no such program",
	  0 },
	{ "no fork",
	  { .exit_status = -1, .ended = ERR_IO, .problem = "fork: no" },
	  JOB_PENDING,
	  "retried",
	  HOST_PENDING,
	  "",
	  "fork: no",
	  10000 },

	{ "drained",
	  { .exit_status = 4,
	    .stop = STOP_DRAIN,
	    .ended = ERR_CANCELLED,
	    .attempt = 3,
	    .result = FAILED("cancelled", "stopped") },
	  JOB_PENDING,
	  "drained",
	  HOST_PENDING,
	  "",
	  "the daemon was stopped",
	  0 },
	{ "lost",
	  { .exit_status = 0,
	    .stop = STOP_LEASE,
	    .result = RESULT "\"done\",\"head\":\"" HEAD "\"}" },
	  JOB_PENDING,
	  "lost",
	  HOST_PENDING,
	  "",
	  "another daemon",
	  0 },
};

static struct verdict judge(const struct verdict_facts *row, unsigned jitter)
{
	struct verdict_facts f = *row;
	struct verdict v;

	f.now_ms = NOW;
	f.jitter = jitter;
	f.attempt = f.attempt ? f.attempt : 1;
	f.attempts_most = f.attempts_most ? f.attempts_most : 3;
	f.problem = f.problem ? f.problem : "";
	verdict_judge(&f, &v);
	return v;
}

static void test_each(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const struct row *r = &rows[i];
		struct verdict v = judge(&r->facts, 0);
		int64_t wait = v.not_before_ms ? v.not_before_ms - NOW : 0;

		if (v.state != r->state || !str_eq(v.word, r->word) ||
		    v.host != r->host || !str_eq(v.deployed, r->deployed) ||
		    !strstr(v.message, r->message) || wait != r->wait ||
		    v.keep_attempt !=
			    (r->facts.stop != STOP_NONE && r->state == JOB_PENDING))
			fail_msg("%s: %s %s, host %d, \"%s\", \"%s\", wait %lld, keep %d",
				 r->name, job_state_name(v.state), v.word, v.host,
				 v.deployed, v.message, (long long)wait, v.keep_attempt);
	}
}

static void test_jitter_cuts_at_most_half(void **state)
{
	const struct verdict_facts f = { .exit_status = 1 };
	int64_t least = INT64_MAX;
	int64_t most = 0;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		int64_t wait = judge(&f, i * 7919).not_before_ms - NOW;

		least = wait < least ? wait : least;
		most = wait > most ? wait : most;
	}
	assert_true(least >= 5000 && least < 5100);
	assert_true(most <= 10000 && most > 9900);
}

static void test_long_messages_are_cut(void **state)
{
	char result[2000];
	struct verdict_facts f = { .exit_status = 1, .result = result };
	struct verdict v;

	(void)state;
	snprintf(result, sizeof(result), FAILED("io", "%01500d"), 7);
	v = judge(&f, 0);
	assert_true(str_ends(v.message, "0 (attempt 1 of 3)"));
	assert_true(strlen(v.message) > 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each),
		cmocka_unit_test(test_jitter_cuts_at_most_half),
		cmocka_unit_test(test_long_messages_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

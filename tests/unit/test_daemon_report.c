/* What is sent of a deploy, and how patiently: report.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "daemon/report.h"
#include "fake/fake_http.h"

#define SHA   "0123456789abcdef0123456789abcdef01234567"
#define TOKEN "t0ken"
#define API   "https://github.example.com/api/v3"
#define NOTE  "https://notes.example.com/x?y=z"

enum { SAID_MOST = 4096, NOW_S = 1764000000 };

struct world {
	struct clock_fake clock;
	struct fake_http fake;
	struct log log;
	struct settings settings;
	struct site site;
	struct job job;
	struct report report;
	char said[SAID_MOST];
};

static void keep(void *ctx, enum log_level level, const char *text)
{
	struct world *w = ctx;
	size_t n = strlen(w->said);

	assert_int_equal(level, LOG_WARN);
	snprintf(w->said + n, sizeof w->said - n, "%s\n", text);
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);

	clock_fake_init(&w->clock, (int64_t)NOW_S * 1000);
	fake_http_init(&w->fake, &w->clock);
	w->log = (struct log){ .level = LOG_DEBUG, .sink = keep, .ctx = w };
	w->settings.public_url = "https://deploy.example.com";
	w->site.name = "resume";
	w->job = (struct job){ .id = 7, .cause = CAUSE_POLL };
	w->report = (struct report){ .settings = &w->settings,
				     .metrics = metrics_new(0),
				     .clock = &w->clock.clock,
				     .log = &w->log,
				     .http = &w->fake.http };
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	secret_release(&w->site.status.token);
	secret_release(&w->site.notify_secret);
	metrics_free(w->report.metrics);
	fake_http_release(&w->fake);
	free(w);
	return 0;
}

static void with_status(struct world *w)
{
	w->site.status.kind = host_status_find("github");
	w->site.status.api = API;
	w->site.status.project = "me/resume";
	secret_set_str(&w->site.status.token, TOKEN);
}

static void with_notice(struct world *w, const char *secret)
{
	w->site.notify = NOTE;
	if (secret)
		secret_set_str(&w->site.notify_secret, secret);
}

static void answer(struct world *w, int status)
{
	fake_http_expect(&w->fake, "POST", NULL, status, NULL, "{}");
}

static void send_it(struct world *w)
{
	report_send(&w->report, &w->site, &w->job, SHA, HOST_SUCCESS, "deployed");
	assert_true(fake_http_check(&w->fake));
	assert_null(strstr(w->said, TOKEN));
}

static void assert_counted(struct world *w, const char *result, int times)
{
	CLEANUP(buf) struct buf out = BUF_INIT(100000);
	const struct queue_numbers none = { 0 };
	char line[128];

	metrics_write(w->report.metrics, &none, 0, &out);
	snprintf(line, sizeof line,
		 "crc_commit_status_reports_total{site=\"resume\",result=\"%s\"} %d\n",
		 result, times);
	assert_true((strstr(out.data, line) != NULL) == (times > 0));
}

static void test_report__nothing_is_configured(void **state)
{
	send_it(*state);
}

static void test_report__status(void **state)
{
	struct world *w = *state;
	char value[100];

	with_status(w);
	answer(w, 201);
	send_it(w);
	const struct fake_seen *seen = &w->fake.seen.items[0];
	assert_string_equal(seen->url, API "/repos/me/resume/statuses/" SHA);
	assert_true(fake_seen_header(seen, "Authorization", value, sizeof value));
	assert_string_equal(value, "Bearer " TOKEN);
	assert_non_null(strstr(seen->body, "\"https://deploy.example.com/deploys/7\""));
	assert_int_equal(seen->timeout_ms, REPORT_TIMEOUT_MS);
	assert_counted(w, "sent", 1);
	assert_string_equal(w->said, "");
}

/* A status is of a commit; a notice may do without. */
static void test_report__no_commit(void **state)
{
	struct world *w = *state;

	with_status(w);
	with_notice(w, NULL);
	w->settings.public_url = NULL;
	answer(w, 200);
	report_send(&w->report, &w->site, &w->job, "", HOST_FAILURE, "it is \"gone\"");
	assert_true(fake_http_check(&w->fake));
	assert_string_equal(w->fake.seen.items[0].url, NOTE);
	assert_string_equal(
		w->fake.seen.items[0].body,
		"{\"v\":1,\"type\":\"deploy\",\"site\":\"resume\",\"job\":7,\"cause\":\"poll\","
		"\"state\":\"failure\",\"commit\":null,\"message\":\"it is \\\"gone\\\"\","
		"\"url\":null}");
	assert_counted(w, "failed", 0);
	assert_string_equal(w->said, "");
}

static void test_report__tries(void **state)
{
	static const struct {
		int answers[REPORT_TRIES]; /* -1: none came */
		int tries;
		int64_t waited_ms;
		bool sent;
	} cases[] = {
		{ { 204 }, 1, 0, true },
		{ { 500, 200 }, 2, 500, true },
		{ { 502, -1, 201 }, 3, 2500, true },
		{ { 500, 503, 599 }, 3, 2500, false },
		{ { -1, -1, -1 }, 3, 2500, false },
		{ { 429, 408, 200 }, 3, 2500, true },
		{ { 401 }, 1, 0, false },
		{ { 302 }, 1, 0, false },
		{ { 500, 422 }, 2, 500, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		void *made;
		assert_int_equal(setup(&made), 0);
		struct world *w = made;

		with_status(w);
		for (int k = 0; k < cases[i].tries; k++) {
			if (cases[i].answers[k] > 0)
				answer(w, cases[i].answers[k]);
			else
				fake_http_expect(&w->fake, NULL, NULL, 0, NULL, NULL)
					->reply.fail = ERR_NETWORK;
		}
		send_it(w);
		assert_int_equal(w->clock.now_ms - (int64_t)NOW_S * 1000,
				 cases[i].waited_ms +
					 cases[i].tries * w->fake.latency_ms);
		assert_counted(w, cases[i].sent ? "sent" : "failed", 1);
		assert_true((*w->said == '\0') == cases[i].sent);
		teardown(&made);
	}
}

static void test_report__stopping(void **state)
{
	struct world *w = *state;
	atomic_int stopping = 1;

	w->report.stopping = &stopping;
	with_status(w);
	with_notice(w, NULL);
	answer(w, 500);
	answer(w, 500);
	send_it(w);
	assert_int_equal(w->clock.now_ms - (int64_t)NOW_S * 1000, 2 * w->fake.latency_ms);
	assert_counted(w, "failed", 1);
}

/* What a receiver computes for the n-th request. */
static void assert_signed(struct world *w, size_t n, const char *key, size_t key_len)
{
	const struct fake_seen *seen = &w->fake.seen.items[n];
	CLEANUP(buf) struct buf text = BUF_INIT(10000), wanted = BUF_INIT(200);
	unsigned char mac[HASH_SHA256_SIZE];
	char id[100], at[100], signature[200];

	assert_true(fake_seen_header(seen, "webhook-id", id, sizeof id));
	assert_true(fake_seen_header(seen, "webhook-timestamp", at, sizeof at));
	assert_true(
		fake_seen_header(seen, "webhook-signature", signature, sizeof signature));
	assert_string_equal(at, "1764000000");
	buf_printf(&text, "%s.%s.%s", id, at, seen->body);
	hash_hmac_sha256(key, key_len, text.data, text.len, mac);
	buf_str(&wanted, "v1,");
	encode_base64(mac, sizeof mac, &wanted);
	assert_string_equal(signature, wanted.data);
}

static void test_report__signature(void **state)
{
	static const struct {
		const char *secret, *key;
		size_t key_len;
	} cases[] = {
		{ "whsec_AAECA3NlY3JldA==", "\0\1\2\3secret", 10 },
		{ "plain text", "plain text", 10 },
		{ "whsec_not base64!", "whsec_not base64!", 17 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		void *made;
		assert_int_equal(setup(&made), 0);
		struct world *w = made;

		with_notice(w, cases[i].secret);
		answer(w, 200);
		send_it(w);
		assert_signed(w, 0, cases[i].key, cases[i].key_len);
		assert_null(strstr(w->fake.seen.items[0].headers, "Authorization"));
		teardown(&made);
	}
}

/* It is the same notice, so it has the same id: a receiver can tell. */
static void test_report__sent_again(void **state)
{
	struct world *w = *state;
	char first[100], second[100], third[100];

	with_notice(w, "secret");
	answer(w, 500);
	answer(w, 200);
	answer(w, 200);
	report_send(&w->report, &w->site, &w->job, SHA, HOST_RUNNING, "deploying");
	assert_signed(w, 1, "secret", 6);
	send_it(w);
	const struct fake_seen *seen = w->fake.seen.items;
	assert_true(fake_seen_header(&seen[0], "webhook-id", first, sizeof first));
	assert_true(fake_seen_header(&seen[1], "webhook-id", second, sizeof second));
	assert_true(fake_seen_header(&seen[2], "webhook-id", third, sizeof third));
	assert_string_equal(first, second);
	assert_string_not_equal(first, third);
}

/* One does not go without the other. */
static void test_report__status_that_cannot_be(void **state)
{
	struct world *w = *state;

	with_status(w);
	with_notice(w, NULL);
	w->site.status.kind = host_status_find("bitbucket-cloud");
	w->settings.public_url = NULL;
	answer(w, 200);
	send_it(w);
	assert_string_equal(w->fake.seen.items[0].url, NOTE);
	assert_counted(w, "failed", 1);
	assert_non_null(strstr(w->said, "configure public-url"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_report__nothing_is_configured),
		TEST(test_report__status),
		TEST(test_report__no_commit),
		cmocka_unit_test(test_report__tries),
		TEST(test_report__stopping),
		cmocka_unit_test(test_report__signature),
		TEST(test_report__sent_again),
		TEST(test_report__status_that_cannot_be),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* What Prometheus reads: metrics.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "daemon/metrics.h"

static void assert_line(const struct buf *b, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = strstr(b->data, line); p; p = strstr(p + 1, line)) {
		if ((p == b->data || p[-1] == '\n') && p[n] == '\n')
			return;
	}
	fail_msg("no line '%s' in\n%s", line, b->data);
}

static void write_out(struct metrics *m, struct buf *out)
{
	const struct queue_numbers n = {
		.pending = 2, .running = 1, .dead = 3, .oldest_pending_ms = 4000
	};

	buf_clear(out);
	metrics_write(m, &n, 5500, out);
	assert_false(out->overflowed);
}

static void test_metrics__counters(void **state)
{
	struct metrics *m = metrics_new(1500);
	CLEANUP(buf) struct buf out = BUF_INIT(100000);

	(void)state;
	metrics_add(m, METRIC_RECEIVED, "gitlab", "queued", 1);
	metrics_add(m, METRIC_RECEIVED, "gitlab", "queued", 1);
	metrics_add(m, METRIC_RECEIVED, "github", "pong", 1);
	metrics_set(m, METRIC_LAST_SUCCESS, "resume", 1764000000.5);
	write_out(m, &out);
	assert_line(
		&out,
		"crc_webhooks_received_total{provider=\"gitlab\",result=\"queued\"} 2");
	assert_line(&out,
		    "crc_webhooks_received_total{provider=\"github\",result=\"pong\"} 1");
	assert_line(&out,
		    "crc_last_success_timestamp_seconds{site=\"resume\"} 1764000000.5");
	assert_line(&out, "# TYPE crc_last_success_timestamp_seconds gauge");
	assert_line(&out, "crc_queue_depth{state=\"dead\"} 3");
	assert_line(&out, "crc_queue_oldest_job_age_seconds 1.500");
	assert_line(&out, "process_start_time_seconds 1.500");
	metrics_free(m);
}

static void test_metrics__histogram(void **state)
{
	struct metrics *m = metrics_new(0);
	CLEANUP(buf) struct buf out = BUF_INIT(100000);

	(void)state;
	metrics_observe(m, METRIC_PHASE_SECONDS, "fetch", 0.25);
	metrics_observe(m, METRIC_PHASE_SECONDS, "fetch", 4);
	metrics_observe(m, METRIC_PHASE_SECONDS, "fetch", 100000);
	write_out(m, &out);
	assert_line(&out,
		    "crc_deploy_duration_seconds_bucket{phase=\"fetch\",le=\"0.25\"} 1");
	assert_line(&out,
		    "crc_deploy_duration_seconds_bucket{phase=\"fetch\",le=\"5\"} 2");
	assert_line(&out,
		    "crc_deploy_duration_seconds_bucket{phase=\"fetch\",le=\"1800\"} 2");
	assert_line(&out,
		    "crc_deploy_duration_seconds_bucket{phase=\"fetch\",le=\"+Inf\"} 3");
	assert_line(&out, "crc_deploy_duration_seconds_count{phase=\"fetch\"} 3");
	assert_line(&out, "crc_deploy_duration_seconds_sum{phase=\"fetch\"} 100004.25");
	metrics_free(m);
}

static void test_metrics__labels_are_escaped(void **state)
{
	struct metrics *m = metrics_new(0);
	CLEANUP(buf) struct buf out = BUF_INIT(100000);

	(void)state;
	metrics_add(m, METRIC_COALESCED, "a\"b\\c\nd", NULL, 1);
	write_out(m, &out);
	assert_line(&out, "crc_jobs_coalesced_total{site=\"a\\\"b\\\\c\\nd\"} 1");
	metrics_free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_metrics__counters),
		cmocka_unit_test(test_metrics__histogram),
		cmocka_unit_test(test_metrics__labels_are_escaped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* metrics.h - what is counted, and how Prometheus reads it (its text format 0.0.4).
 *
 * Labels are sites, providers and results from the configuration or from fixed lists, never
 * refs, commits or deliveries. All functions may be called from any thread. */
#ifndef DAEMON_METRICS_H
#define DAEMON_METRICS_H

#include <stdint.h>

#include "base/buf.h"
#include "daemon/queue.h"

struct metrics;

enum metric {
	METRIC_RECEIVED,     /* crc_webhooks_received_total{provider,result} */
	METRIC_COALESCED,    /* crc_jobs_coalesced_total{site} */
	METRIC_DEPLOYS,      /* crc_deploys_total{site,result} */
	METRIC_LAST_SUCCESS, /* crc_last_success_timestamp_seconds{site}: set, not added */
	METRIC_STATUS_REPORTS, /* crc_commit_status_reports_total{site,result} */
	METRIC_ACCEPT_SECONDS, /* crc_webhook_accept_duration_seconds */
	METRIC_PAYLOAD_BYTES,  /* crc_webhook_payload_bytes */
	METRIC_PHASE_SECONDS, /* crc_deploy_duration_seconds{phase}: fetch, build, deploy */
	METRICS
};

struct metrics *metrics_new(int64_t start_ms);
void metrics_free(struct metrics *m); /* NULL-safe */
/* Labels are static or copied; NULL for those that the metric does not have. */
void metrics_add(struct metrics *m, enum metric which, const char *label1,
		 const char *label2, double value);
void metrics_set(struct metrics *m, enum metric which, const char *label1, double value);
void metrics_observe(struct metrics *m, enum metric which, const char *label,
		     double value);
/* All of it, with the queue's numbers and the process's own (process_*). */
void metrics_write(struct metrics *m, const struct queue_numbers *q, int64_t now_ms,
		   struct buf *out);

#endif

#include "daemon/metrics.h"

#include <dirent.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"

enum { BUCKETS_MOST = 12, LABEL_MAX = 64, SERIES_MOST = 4096 };

enum kind { COUNTER, GAUGE, HISTOGRAM };

static const double accept_bounds[] = { .001, .0025, .005, .01, .025, .05,
					.1,   .25,   .5,   1,   2.5,  0 };
static const double bytes_bounds[] = { 1024,    4096,    16384,    65536,    262144,
				       1048576, 4194304, 16777216, 67108864, 0 };
static const double phase_bounds[] = { .25, .5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 0 };

static const struct family {
	const char *name;
	const char *help;
	enum kind kind;
	const char *labels[2];
	const double *bounds; /* of a histogram; ends in 0 */
} families[METRICS] = {
	[METRIC_RECEIVED] = { "crc_webhooks_received_total",
			      "Webhook requests by what came of them.",
			      COUNTER,
			      { "provider", "result" },
			      NULL },
	[METRIC_COALESCED] = { "crc_jobs_coalesced_total",
			       "Pending deploys that a newer push replaced.",
			       COUNTER,
			       { "site", NULL },
			       NULL },
	[METRIC_DEPLOYS] = { "crc_deploys_total",
			     "Attempts of deploys by how they ended.",
			     COUNTER,
			     { "site", "result" },
			     NULL },
	[METRIC_LAST_SUCCESS] = { "crc_last_success_timestamp_seconds",
				  "When a deploy last succeeded, since 1970.",
				  GAUGE,
				  { "site", NULL },
				  NULL },
	[METRIC_STATUS_REPORTS] = { "crc_commit_status_reports_total",
				    "Commit statuses sent to the host, by result.",
				    COUNTER,
				    { "site", "result" },
				    NULL },
	[METRIC_ACCEPT_SECONDS] = { "crc_webhook_accept_duration_seconds",
				    "From a request's headers to its answer.",
				    HISTOGRAM,
				    { NULL, NULL },
				    accept_bounds },
	[METRIC_PAYLOAD_BYTES] = { "crc_webhook_payload_bytes",
				   "Sizes of payloads.",
				   HISTOGRAM,
				   { NULL, NULL },
				   bytes_bounds },
	[METRIC_PHASE_SECONDS] = { "crc_deploy_duration_seconds",
				   "How long a deploy's phases took.",
				   HISTOGRAM,
				   { "phase", NULL },
				   phase_bounds },
};

struct series {
	enum metric which;
	char labels[2][LABEL_MAX];
	double value; /* of a histogram: the sum */
	int64_t counts[BUCKETS_MOST + 1];
};
VEC_DEFINE(series_list, struct series);

struct metrics {
	pthread_mutex_t mutex;
	int64_t start_ms;
	struct series_list series;
};

struct metrics *metrics_new(int64_t start_ms)
{
	struct metrics *m = xcalloc(1, sizeof *m);

	pthread_mutex_init(&m->mutex, NULL);
	m->start_ms = start_ms;
	return m;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	series_list_release(&m->series);
	pthread_mutex_destroy(&m->mutex);
	free(m);
}

static void label_copy(char out[LABEL_MAX], const char *label)
{
	snprintf(out, LABEL_MAX, "%s", label ? label : "");
}

/* The series of a metric's labels, made when it is not there; NULL: there are too many. */
static struct series *find(struct metrics *m, enum metric which, const char *label1,
			   const char *label2)
{
	struct series wanted = { .which = which };

	label_copy(wanted.labels[0], label1);
	label_copy(wanted.labels[1], label2);
	for (size_t i = 0; i < m->series.len; i++) {
		struct series *s = &m->series.items[i];

		if (s->which == which && str_eq(s->labels[0], wanted.labels[0]) &&
		    str_eq(s->labels[1], wanted.labels[1]))
			return s;
	}
	if (m->series.len == SERIES_MOST)
		return NULL;
	return series_list_push(&m->series, wanted);
}

void metrics_add(struct metrics *m, enum metric which, const char *label1,
		 const char *label2, double value)
{
	pthread_mutex_lock(&m->mutex);
	struct series *s = find(m, which, label1, label2);
	if (s)
		s->value += value;
	pthread_mutex_unlock(&m->mutex);
}

void metrics_set(struct metrics *m, enum metric which, const char *label1, double value)
{
	pthread_mutex_lock(&m->mutex);
	struct series *s = find(m, which, label1, NULL);
	if (s)
		s->value = value;
	pthread_mutex_unlock(&m->mutex);
}

void metrics_observe(struct metrics *m, enum metric which, const char *label,
		     double value)
{
	const double *bounds = families[which].bounds;
	size_t i = 0;

	while (bounds[i] > 0 && value > bounds[i])
		i++;
	pthread_mutex_lock(&m->mutex);
	struct series *s = find(m, which, label, NULL);
	if (s) {
		s->value += value;
		s->counts[i]++;
	}
	pthread_mutex_unlock(&m->mutex);
}

static void put_head(struct buf *out, const char *name, const char *help,
		     const char *type)
{
	buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* Prometheus's text format: in label values, backslash, quote and line end are escaped. */
static void put_label(struct buf *out, const char *name, const char *value, char before)
{
	buf_char(out, before);
	buf_printf(out, "%s=\"", name);
	for (const char *p = value; *p; p++) {
		if (*p == '\n') {
			buf_str(out, "\\n");
			continue;
		}
		if (*p == '"' || *p == '\\')
			buf_char(out, '\\');
		buf_char(out, *p);
	}
	buf_char(out, '"');
}

static void put_labels(struct buf *out, const struct family *f, const struct series *s,
		       const char *bound)
{
	char before = '{';

	for (size_t i = 0; i < 2 && f->labels[i]; i++) {
		put_label(out, f->labels[i], s->labels[i], before);
		before = ',';
	}
	if (bound) {
		put_label(out, "le", bound, before);
		before = ',';
	}
	if (before == ',')
		buf_char(out, '}');
}

static void put_histogram(struct buf *out, const struct family *f, const struct series *s)
{
	int64_t sum = 0;
	size_t i;

	for (i = 0; f->bounds[i] > 0; i++) {
		char bound[32];

		sum += s->counts[i];
		snprintf(bound, sizeof bound, "%.10g", f->bounds[i]);
		buf_printf(out, "%s_bucket", f->name);
		put_labels(out, f, s, bound);
		buf_printf(out, " %lld\n", (long long)sum);
	}
	sum += s->counts[i];
	buf_printf(out, "%s_bucket", f->name);
	put_labels(out, f, s, "+Inf");
	buf_printf(out, " %lld\n%s_sum", (long long)sum, f->name);
	put_labels(out, f, s, NULL);
	buf_printf(out, " %.15g\n%s_count", s->value, f->name);
	put_labels(out, f, s, NULL);
	buf_printf(out, " %lld\n", (long long)sum);
}

static void put_family(struct metrics *m, enum metric which, struct buf *out)
{
	static const char *const types[] = { "counter", "gauge", "histogram" };
	const struct family *f = &families[which];

	put_head(out, f->name, f->help, types[f->kind]);
	for (size_t i = 0; i < m->series.len; i++) {
		const struct series *s = &m->series.items[i];

		if (s->which != which)
			continue;
		if (f->kind == HISTOGRAM) {
			put_histogram(out, f, s);
			continue;
		}
		buf_str(out, f->name);
		put_labels(out, f, s, NULL);
		buf_printf(out, " %.15g\n", s->value);
	}
}

static void put_queue(const struct queue_numbers *q, int64_t now_ms, struct buf *out)
{
	int64_t age = q->oldest_pending_ms ? now_ms - q->oldest_pending_ms : 0;

	put_head(out, "crc_queue_depth", "Jobs by state.", "gauge");
	buf_printf(out,
		   "crc_queue_depth{state=\"pending\"} %lld\n"
		   "crc_queue_depth{state=\"running\"} %lld\n"
		   "crc_queue_depth{state=\"dead\"} %lld\n",
		   (long long)q->pending, (long long)q->running, (long long)q->dead);
	put_head(out, "crc_queue_oldest_job_age_seconds",
		 "How long the oldest pending job has waited.", "gauge");
	buf_printf(out, "crc_queue_oldest_job_age_seconds %.3f\n",
		   age > 0 ? (double)age / 1000 : 0.0);
}

static int64_t resident_bytes(void)
{
	FILE *f = fopen("/proc/self/statm", "re");
	long long size = 0, pages = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lld %lld", &size, &pages) != 2)
		pages = 0;
	fclose(f);
	return pages * (int64_t)sysconf(_SC_PAGESIZE);
}

static int64_t open_files(void)
{
	DIR *d = opendir("/proc/self/fd");
	int64_t n = 0;

	if (!d)
		return 0;
	while (readdir(d))
		n++;
	closedir(d);
	return n - 3; /* ".", ".." and the folder itself */
}

static void put_process(int64_t start_ms, struct buf *out)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	put_head(out, "process_cpu_seconds_total", "User and system time.", "counter");
	buf_printf(out, "process_cpu_seconds_total %.6f\n",
		   (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
			   (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
	put_head(out, "process_resident_memory_bytes", "Resident memory.", "gauge");
	buf_printf(out, "process_resident_memory_bytes %lld\n",
		   (long long)resident_bytes());
	put_head(out, "process_open_fds", "Open file descriptors.", "gauge");
	buf_printf(out, "process_open_fds %lld\n", (long long)open_files());
	put_head(out, "process_start_time_seconds", "When it started, since 1970.",
		 "gauge");
	buf_printf(out, "process_start_time_seconds %.3f\n", (double)start_ms / 1000);
}

void metrics_write(struct metrics *m, const struct queue_numbers *q, int64_t now_ms,
		   struct buf *out)
{
	put_head(out, "crc_build_info", "Which crc-daemon this is.", "gauge");
	buf_str(out, "crc_build_info{version=\"" CRC_VERSION "\"} 1\n");
	pthread_mutex_lock(&m->mutex);
	for (int i = 0; i < METRICS; i++)
		put_family(m, (enum metric)i, out);
	pthread_mutex_unlock(&m->mutex);
	put_queue(q, now_ms, out);
	put_process(m->start_ms, out);
}

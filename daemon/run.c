#include "daemon/run.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/cmd.h"
#include "daemon/daemon_log.h"
#include "daemon/joblog.h"
#include "daemon/metrics.h"
#include "daemon/notify.h"
#include "daemon/queue.h"
#include "daemon/report.h"
#include "daemon/server.h"
#include "daemon/settings.h"
#include "daemon/store.h"
#include "daemon/worker.h"
#include "io/fs.h"
#include "io/http_curl.h"

enum {
	TICK_MS = 1000,
	SERVER_GRACE_MS = 10000,
	WORKER_GRACE_MS = 60000,
	WORKER_SILENT_MS = 60000, /* its threads come by more often */
	PRUNE_MS = 3600000,
	PRUNE_KEEP = 20, /* jobs of each site, however old */
	SIGNAL_MS = 200,
	RESPONSE_MOST = 1 << 20 /* of a host that was told */
};

struct daemon {
	const char *config;
	const struct clock *clock;
	struct daemon_log log;
	struct notify notify;
	struct settings_box *settings;
	struct queue *queue;
	struct metrics *metrics;
	struct http *http; /* of the thread that reports */
	struct worker *worker;
	struct server *server;
	char program[PATH_MAX];
	sigset_t signals;
	atomic_int hurry, stopping;
	int64_t fed_ms, pruned_ms; /* monotonic */
};

#define SAY(d, level, ...) log_write(&(d)->log.log, (level), __VA_ARGS__)

/* Signals are waited for, not handled: nothing runs in between. Threads inherit that they are
 * blocked, and children get a mask without them (io/process.c). */
static void take_signals(sigset_t *set)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigemptyset(set);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
	pthread_sigmask(SIG_BLOCK, set, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
}

/* 0: none came in time. */
static int wait_signal(const sigset_t *set, int64_t ms)
{
	const struct timespec t = { .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000 };
	int number = sigtimedwait(set, NULL, &t);

	return number < 0 ? 0 : number;
}

/* A dump of memory would hold all secrets. Children inherit this. */
static void forbid_dumps(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_CORE, &limit) == 0) {
		limit.rlim_cur = 0;
		(void)setrlimit(RLIMIT_CORE, &limit);
	}
}

static void tell_systemd(struct daemon *d, const char *message)
{
	struct error err = ERROR_INIT;

	if (notify_send(&d->notify, message, &err) < 0)
		SAY(d, LOG_WARN, "%s", err.msg);
}

static void say_warnings(struct daemon *d, const struct settings *s)
{
	for (size_t i = 0; i < s->warnings.len; i++)
		SAY(d, LOG_WARN, "%s", s->warnings.items[i]);
}

/* Start */

static int find_program(char out[PATH_MAX], struct error *err)
{
	ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);

	if (n <= 0)
		return error_set(err, ERR_IO, "/proc/self/exe: %s", strerror(errno));
	out[n] = '\0';
	return 0;
}

static void report(void *ctx, const struct site *site, const struct job *job,
		   const char *commit, enum host_state state, const char *message)
{
	const struct daemon *d = ctx;
	__attribute__((cleanup(settings_dropp))) struct settings *s = settings_now(
		d->settings);
	const struct report x = { .settings = s,
				  .metrics = d->metrics,
				  .clock = d->clock,
				  .log = &d->log.log,
				  .http = d->http,
				  .stopping = &d->stopping };

	report_send(&x, site, job, commit, state, message);
}

static int start_worker(struct daemon *d, struct error *err)
{
	const struct worker_needs needs = { .settings = d->settings,
					    .queue = d->queue,
					    .metrics = d->metrics,
					    .clock = d->clock,
					    .log = &d->log.log,
					    .program = d->program,
					    .report = report,
					    .report_ctx = d,
					    .hurry = &d->hurry };

	return worker_start(&needs, &d->worker, err);
}

static int start_server(struct daemon *d, struct error *err)
{
	const struct server_needs needs = { .settings = d->settings,
					    .queue = d->queue,
					    .metrics = d->metrics,
					    .clock = d->clock,
					    .log = &d->log.log };

	return server_start(&needs, &d->server, err);
}

static void wake_worker(void *ctx)
{
	worker_wake(ctx);
}

/* With what has been read; s goes to the box. */
static int start_with(struct daemon *d, struct settings *s, struct error *err)
{
	const struct http_curl_options http = { .clock = d->clock,
						.user_agent = "crc-daemon/" CRC_VERSION,
						.max_response = RESPONSE_MOST };

	d->settings = settings_box_new(s);
	daemon_log_format(&d->log, s->json_log);
	say_warnings(d, s);
	if (find_program(d->program, err) < 0 || fs_make_folders(s->state, err) < 0)
		return -1;
	if (store_open(s, &d->log.log, &d->queue, err) < 0)
		return -1;
	d->metrics = metrics_new(clock_wall_ms(d->clock));
	if (http_curl_new(&http, &d->http, err) < 0)
		return -1;
	/* A daemon that cannot listen, since another one does, must neither begin a deploy nor
	 * change what the other's children read. */
	if (start_server(d, err) < 0 || settings_keep(s, err) < 0 ||
	    start_worker(d, err) < 0)
		return -1;
	queue_on_change(d->queue, wake_worker, d->worker);
	server_set_worker(d->server, d->worker);
	return 0;
}

static int start(struct daemon *d, struct error *err)
{
	struct settings *s;

	if (settings_read(d->config, &s, err) < 0 || start_with(d, s, err) < 0)
		return -1;
	SAY(d, LOG_INFO, "crc-daemon " CRC_VERSION ": ready, %zu site%s", s->n_sites,
	    s->n_sites == 1 ? "" : "s");
	tell_systemd(d, "READY=1");
	return 0;
}

/* Reload */

static bool same_list(const struct str_list *a, const struct str_list *b)
{
	if (a->len != b->len)
		return false;
	for (size_t i = 0; i < a->len; i++)
		if (!str_eq(a->items[i], b->items[i]))
			return false;
	return true;
}

/* What was opened at the start stays open: deliveries would go to one place, and deploys be
 * made from another. */
static int check_reload(const struct settings *now, const struct settings *next,
			struct error *err)
{
	const char *changed = !str_eq(now->state, next->state)   ? "state"
			      : !str_eq(now->queue, next->queue) ? "queue"
								 : NULL;

	if (!changed)
		return 0;
	return error_set(err, ERR_CONFIG, "\"%s\" is another: that needs a restart",
			 changed);
}

static void warn_of_restart(struct daemon *d, const struct settings *now,
			    const struct settings *next)
{
	if (!same_list(&now->listen, &next->listen) ||
	    !same_list(&now->admin, &next->admin) || now->threads != next->threads ||
	    now->workers != next->workers || now->lease_ms != next->lease_ms)
		SAY(d, LOG_WARN,
		    "reload: \"listen\", \"admin\", \"threads\", \"workers\" and "
		    "\"lease\" count from the next start on");
}

static int swap_settings(struct daemon *d, struct error *err)
{
	__attribute__((cleanup(settings_dropp))) struct settings *now = settings_now(
		d->settings);
	__attribute__((cleanup(settings_dropp))) struct settings *next = NULL;

	if (settings_read(d->config, &next, err) < 0 ||
	    check_reload(now, next, err) < 0 || settings_keep(next, err) < 0)
		return -1;
	warn_of_restart(d, now, next);
	say_warnings(d, next);
	daemon_log_format(&d->log, next->json_log);
	SAY(d, LOG_INFO, "reload: done, %zu site%s", next->n_sites,
	    next->n_sites == 1 ? "" : "s");
	settings_swap(d->settings, take(&next));
	worker_wake(d->worker);
	return 0;
}

static void reload(struct daemon *d)
{
	struct error err = ERROR_INIT;

	if (notify_reloading(&d->notify, clock_monotonic_ms(d->clock), &err) < 0)
		SAY(d, LOG_WARN, "%s", err.msg);
	if (swap_settings(d, &err) < 0)
		SAY(d, LOG_ERROR, "reload: %s; the settings stay as they were", err.msg);
	tell_systemd(d, "READY=1");
}

/* Work */

/* A full disk or a database that is away answer with an error: a restart would not help, and
 * would end what is being deployed. Only silence counts. */
static bool is_alive(struct daemon *d)
{
	struct error err = ERROR_INIT;
	int64_t silent = clock_monotonic_ms(d->clock) - worker_alive_ms(d->worker);

	if (silent > WORKER_SILENT_MS) {
		SAY(d, LOG_ERROR, "the worker has been silent for %" PRId64 " s",
		    silent / 1000);
		return false;
	}
	if (queue_probe(d->queue, &err) < 0)
		SAY(d, LOG_ERROR, "the queue takes no writes: %s", err.msg);
	return true;
}

static void feed_watchdog(struct daemon *d, int64_t now_ms)
{
	if (!d->notify.watchdog_ms || now_ms - d->fed_ms < d->notify.watchdog_ms / 3)
		return;
	d->fed_ms = now_ms;
	if (is_alive(d))
		tell_systemd(d, "WATCHDOG=1");
}

static void prune(struct daemon *d, int64_t now_ms)
{
	__attribute__((cleanup(settings_dropp))) struct settings *s = NULL;
	struct error err = ERROR_INIT;
	int64_t before_ms;

	if (d->pruned_ms && now_ms - d->pruned_ms < PRUNE_MS)
		return;
	d->pruned_ms = now_ms;
	s = settings_now(d->settings);
	before_ms = clock_wall_ms(d->clock) - s->keep_ms;
	if (queue_prune(d->queue, before_ms, PRUNE_KEEP, &err) < 0 ||
	    joblog_prune(s->state, before_ms, &err) < 0)
		SAY(d, LOG_WARN, "forget what is old: %s", err.msg);
}

/* Until a signal says that it is enough. */
static void work(struct daemon *d)
{
	for (;;) {
		int number = wait_signal(&d->signals, TICK_MS);
		int64_t now_ms = clock_monotonic_ms(d->clock);

		if (number == SIGTERM || number == SIGINT)
			return;
		if (number == SIGHUP)
			reload(d);
		feed_watchdog(d, now_ms);
		prune(d, now_ms);
	}
}

/* End */

/* Waits for more signals while the end takes its time. */
struct impatience {
	struct daemon *daemon;
	atomic_int over;
	pthread_t thread;
	bool has_thread;
};

static void *wait_impatiently(void *ctx)
{
	struct impatience *i = ctx;

	while (!atomic_load(&i->over)) {
		int number = wait_signal(&i->daemon->signals, SIGNAL_MS);

		if (number != SIGTERM && number != SIGINT)
			continue;
		/* Whatever is lost by this is found again: leases end. */
		if (atomic_fetch_add(&i->daemon->hurry, 1))
			_exit(1);
		SAY(i->daemon, LOG_WARN, "hurrying: running deploys are ended");
	}
	return NULL;
}

/* What has been started, the worker last: the server asks it. */
static void stop_parts(struct daemon *d, int64_t server_ms, int64_t worker_ms)
{
	server_stop(take(&d->server), server_ms);
	if (d->queue)
		queue_on_change(d->queue, NULL, NULL);
	worker_stop(take(&d->worker), worker_ms);
}

static void stop(struct daemon *d)
{
	struct impatience i = { .daemon = d };

	SAY(d, LOG_INFO, "stopping");
	tell_systemd(d, "STOPPING=1");
	atomic_store(&d->stopping, 1);
	i.has_thread = pthread_create(&i.thread, NULL, wait_impatiently, &i) == 0;
	server_drain(d->server);
	stop_parts(d, SERVER_GRACE_MS, WORKER_GRACE_MS);
	atomic_store(&i.over, 1);
	if (i.has_thread)
		pthread_join(i.thread, NULL);
	SAY(d, LOG_INFO, "stopped");
}

static void release(struct daemon *d)
{
	stop_parts(d, 0, 0);
	queue_free(d->queue);
	http_free(d->http);
	metrics_free(d->metrics);
	settings_box_free(d->settings);
}

int run_daemon(const struct options *o)
{
	struct daemon d = { .config = o->config, .clock = clock_real() };
	struct error err = ERROR_INIT;
	int rc;

	/* Mirrors, logs and the queue are nobody else's. */
	umask(077);
	forbid_dumps();
	daemon_log_init(&d.log, d.clock);
	notify_init(&d.notify, getpid());
	take_signals(&d.signals);
	rc = start(&d, &err);
	if (rc == 0) {
		work(&d);
		stop(&d);
	}
	release(&d);
	return rc < 0 ? cmd_fail(&err) : 0;
}

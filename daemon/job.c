/* prctl() and flock() are not POSIX. */
#define _GNU_SOURCE
#include "daemon/job.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#ifdef __linux__
#	include <sys/prctl.h>
#endif

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "base/vec.h"
#include "codec/json.h"
#include "daemon/settings.h"
#include "io/fs.h"
#include "io/git.h"
#include "io/git_checkout.h"
#include "io/git_fetch.h"
#include "io/process.h"

extern char **environ;

enum {
	PATH_MOST = 4096,
	EVENT_MOST = 64 << 10,
	LOCK_WAIT_MS = 60000,
	LOCK_LOOK_MS = 200,
	TELL_MS = 1000,
	/* Shorter than the daemon's own, so that a build that does not end is killed by us. */
	BUILD_GRACE_MS = 2000,
};

struct job_options {
	const char *config;
	const char *folder;
	const char *site;
	const char *head;
	bool rollback;
	bool tip;
};

struct job_run {
	struct job_options options;
	struct settings *settings;
	const struct site *site;
	struct buf mirror, checkout;
	struct oid commit;
	bool has_commit;
	int64_t told_ms;
};

/* Told by TERM while a build runs, which has a group of its own. */
static volatile int cancelled;

static void on_term(int number)
{
	(void)number;
	cancelled = 1;
}

static void job_run_release(struct job_run *j)
{
	settings_drop(j->settings);
	buf_release(&j->mirror);
	buf_release(&j->checkout);
}

/* Options */

struct job_row {
	const char *name;
	const char **value; /* NULL: a flag */
	bool *flag;
};

static const struct job_row *find_row(const struct job_row *rows, const char *name)
{
	for (; rows->name; rows++)
		if (str_eq(rows->name, name))
			return rows;
	return NULL;
}

static int read_options(struct job_options *o, int argc, char **argv, struct error *err)
{
	const struct job_row rows[] = {
		{ "--config", &o->config, NULL },
		{ "--site", &o->site, NULL },
		{ "--folder", &o->folder, NULL },
		{ "--head", &o->head, NULL },
		{ "--rollback", NULL, &o->rollback },
		{ "--tip", NULL, &o->tip },
		{ NULL, NULL, NULL },
	};

	for (int i = 1; i < argc; i++) {
		const struct job_row *row = find_row(rows, argv[i]);

		if (!row)
			return error_set(err, ERR_USAGE, "job: there is no option %s",
					 argv[i]);
		if (row->flag)
			*row->flag = true;
		else if (i + 1 < argc)
			*row->value = argv[++i];
		else
			return error_set(err, ERR_USAGE, "job: %s needs a value",
					 argv[i]);
	}
	if (!o->config || !o->site)
		return error_set(err, ERR_USAGE, "job: --config and --site are needed");
	if (o->rollback && !o->head)
		return error_set(err, ERR_USAGE, "job: --rollback needs --head");
	return 0;
}

/* Events */

static void event_begin(struct json_writer *w, const char *type)
{
	json_open(w, '{');
	json_member_int(w, "v", 1);
	json_member(w, "type", type);
}

static void event_end(struct json_writer *w)
{
	json_close(w, '}');
	buf_char(w->out, '\n');
	/* Nobody listens any more when this fails; the exit status tells still. */
	(void)fwrite(w->out->data, 1, w->out->len, stdout);
	(void)fflush(stdout);
}

static void tell_phase(const char *phase)
{
	CLEANUP(buf) struct buf text = BUF_INIT(EVENT_MOST);
	struct json_writer w = JSON_WRITER_INIT(&text);

	event_begin(&w, "phase");
	json_member(&w, "phase", phase);
	event_end(&w);
}

/* tip: the branch's, whatever commit was asked for; NULL: it could not be asked. */
static void tell_commit(const struct oid *commit, const struct oid *tip,
			const struct repo_commit *c)
{
	CLEANUP(buf) struct buf text = BUF_INIT(EVENT_MOST);
	struct json_writer w = JSON_WRITER_INIT(&text);
	char hex[OID_HEX_SIZE];

	event_begin(&w, "commit");
	json_member(&w, "commit", oid_hex(commit, hex));
	json_member(&w, "tip", tip ? oid_hex(tip, hex) : NULL);
	json_member(&w, "summary", c->summary);
	json_member(&w, "author", c->author);
	event_end(&w);
}

static void tell_progress(void *ctx, unsigned done, unsigned total, int64_t bytes)
{
	struct job_run *j = ctx;
	int64_t now = clock_monotonic_ms(clock_real());
	CLEANUP(buf) struct buf text = BUF_INIT(EVENT_MOST);
	struct json_writer w = JSON_WRITER_INIT(&text);
	char waiting[128];

	if (j->told_ms && now - j->told_ms < TELL_MS)
		return;
	j->told_ms = now;
	snprintf(waiting, sizeof(waiting), "fetch: %u of %u objects, %" PRId64 " kB",
		 done, total, bytes / 1000);
	event_begin(&w, "progress");
	json_member(&w, "waiting", waiting);
	event_end(&w);
}

static const char *verdict_of(int status)
{
	return status == 5 ? "refused" : status == 4 ? "partial" : "failed";
}

/* Returns the exit status. */
static int tell_failure(const struct job_run *j, const struct error *e)
{
	CLEANUP(buf) struct buf text = BUF_INIT(EVENT_MOST);
	struct json_writer w = JSON_WRITER_INIT(&text);
	int status = error_exit_status(e->code);
	char hex[OID_HEX_SIZE];

	fprintf(stderr, "crc-daemon job: %s\n", e->msg);
	if (j->options.tip)
		return status;
	event_begin(&w, "result");
	json_member(&w, "verdict", verdict_of(status));
	json_member(&w, "head", j->has_commit ? oid_hex(&j->commit, hex) : NULL);
	json_member_bool(&w, "changed", false);
	json_member(&w, "error_code", error_code_name(e->code));
	json_member(&w, "error", e->msg);
	json_member_int(&w, "exit", status);
	event_end(&w);
	return status;
}

/* Limits */

/* A sanitizer's shadow memory is larger than any limit. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#	define HAS_SHADOW 1
#elif defined(__has_feature)
#	if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
		__has_feature(memory_sanitizer)
#		define HAS_SHADOW 1
#	endif
#endif
#ifndef HAS_SHADOW
#	define HAS_SHADOW 0
#endif

/* The soft limit, so that it can be lifted for a build. */
static int limit(int what, rlim_t most, struct error *err)
{
	struct rlimit limit;

	if (getrlimit(what, &limit) < 0)
		return error_set(err, ERR_IO, "getrlimit: %s", strerror(errno));
	limit.rlim_cur = limit.rlim_max;
	if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur > most)
		limit.rlim_cur = most;
	if (setrlimit(what, &limit) < 0)
		return error_set(err, ERR_IO, "setrlimit: %s", strerror(errno));
	return 0;
}

static int limit_all(const struct settings *s, struct error *err)
{
	if (limit(RLIMIT_CORE, 0, err) < 0)
		return -1;
	if (HAS_SHADOW || s->memory <= 0)
		return 0;
	return limit(RLIMIT_AS, (rlim_t)s->memory, err);
}

/* Ends with the daemon. TERM and not KILL: crc-action then lets go of what it has claimed. */
static void die_with_parent(void)
{
#ifdef __linux__
	pid_t parent = getppid();

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	/* It was dead before that. */
	if (getppid() != parent)
		_exit(4);
#endif
}

/* Folders */

static int private_folder(const struct settings *s, const char *name, struct error *err)
{
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_MOST);

	buf_printf(&path, "%s/%s", s->state, name);
	if (buf_check(&path, "state folder", err) < 0 ||
	    fs_make_folders(path.data, err) < 0)
		return -1;
	if (chmod(path.data, 0700) < 0)
		return error_set(err, ERR_IO, "%s: %s", path.data, strerror(errno));
	return 0;
}

/* One child a site works on its mirror. Held, by whom this process becomes too, until it has
 * ended: the descriptor is meant to stay open. */
static int lock_mirror(const struct job_run *j, struct error *err)
{
	const struct clock *clock = clock_real();
	int64_t until = clock_monotonic_ms(clock) + LOCK_WAIT_MS;
	CLEANUP(buf) struct buf path = BUF_INIT(PATH_MOST);
	int fd;

	buf_printf(&path, "%s/locks/%s", j->settings->state, j->site->name);
	fd = open(path.data, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_set(err, ERR_IO, "%s: %s", path.data, strerror(errno));
	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return error_set(err, ERR_IO, "lock %s: %s", path.data,
					 strerror(errno));
		if (clock_monotonic_ms(clock) >= until)
			return error_set(err, ERR_LOCKED,
					 "another deploy of %s still works on its mirror",
					 j->site->name);
		clock_sleep_ms(clock, LOCK_LOOK_MS);
	}
	return 0;
}

static int prepare_folders(struct job_run *j, struct error *err)
{
	static const char *const names[] = { "mirrors", "builds", "locks" };

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (private_folder(j->settings, names[i], err) < 0)
			return -1;
	buf_printf(&j->mirror, "%s/mirrors/%s", j->settings->state, j->site->name);
	buf_printf(&j->checkout, "%s/builds/%s", j->settings->state, j->site->name);
	if (buf_check(&j->mirror, "mirror", err) < 0 ||
	    buf_check(&j->checkout, "checkout", err) < 0)
		return -1;
	return lock_mirror(j, err);
}

/* The steps */

static struct mirror_remote remote_of(struct job_run *j)
{
	const struct site *s = j->site;

	return (struct mirror_remote){
		.url = s->repository,
		.branch = s->branch,
		.user = s->access.user,
		.token = &s->access.token,
		.ssh_key = s->access.ssh_key,
		.passphrase = &s->access.passphrase,
		.host_keys = &s->access.host_keys,
		.progress = j->options.tip ? NULL : tell_progress,
		.ctx = j,
	};
}

static int print_tip(struct job_run *j, struct error *err)
{
	struct mirror_remote remote = remote_of(j);
	char hex[OID_HEX_SIZE];
	struct oid tip;

	if (mirror_tip(&remote, &tip, err) < 0)
		return -1;
	if (printf("%s\n", oid_hex(&tip, hex)) < 0 || fflush(stdout) != 0)
		return error_set(err, ERR_IO, "write to stdout: %s", strerror(errno));
	return 0;
}

static bool has_head(const struct job_run *j, struct repo *repo, struct oid *head)
{
	return oid_from_hex(j->options.head, head) && repo_has_commit(repo, head);
}

/* Going back is most urgent when a host is down, and needs nothing from it: the commit was
 * fetched when it was deployed. */
static bool can_do_without(const struct job_run *j, const struct error *why)
{
	CLEANUP_PTR(repo) struct repo *repo = NULL;
	struct error ignored = ERROR_INIT;
	struct oid head;

	if (!j->options.rollback ||
	    repo_open(j->mirror.data, NULL, &repo, &ignored) < 0 ||
	    !has_head(j, repo, &head))
		return false;
	fprintf(stderr, "crc-daemon job: %s; going back without it\n", why->msg);
	return true;
}

static int fetch(struct job_run *j, struct error *err)
{
	CLEANUP_PTR(repo) struct repo *repo = NULL;
	struct mirror_remote remote = remote_of(j);
	struct repo_commit about = { .summary = "" };
	struct oid tip = { { 0 } };
	bool has_tip;

	tell_phase("fetch");
	has_tip = mirror_fetch(j->mirror.data, &remote, &tip, err) == 0;
	if ((!has_tip && !can_do_without(j, err)) ||
	    repo_open(j->mirror.data, NULL, &repo, err) < 0)
		return -1;
	j->commit = tip;
	if (j->options.head && !has_head(j, repo, &j->commit))
		return error_set(err, ERR_CONFIG,
				 "there is no commit %s in what was fetched of %s",
				 j->options.head, j->site->branch);
	if (repo_commit_read(repo, &j->commit, &about, err) < 0)
		return -1;
	j->has_commit = true;
	tell_commit(&j->commit, has_tip ? &tip : NULL, &about);
	return 0;
}

static void show_line(void *ctx, enum process_stream stream, const char *line, size_t len)
{
	(void)ctx;
	(void)stream;
	(void)fwrite(line, 1, len, stderr);
	(void)fputc('\n', stderr);
}

/* What systemd tells a service is nobody else's. */
static const char *const service_variables[] = {
	"CREDENTIALS_DIRECTORY",
	"INVOCATION_ID",
	"JOURNAL_STREAM",
	"LISTEN_*",
	"MAINPID",
	"NOTIFY_SOCKET",
	"WATCHDOG_*",
	NULL,
};
/* crc-action is not in a job of GitHub's. */
static const char *const runner_variables[] = { "ACTIONS_*", "GITHUB_*", "INPUT_*",
						"RUNNER_*", NULL };

static void set_term(void (*handler)(int))
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = handler;
	(void)sigaction(SIGTERM, &action, NULL);
}

static int run_build(struct job_run *j, struct error *err)
{
	const char *const argv[] = { "/bin/sh", "-c", j->site->build, NULL };
	char **visible = process_env_without(environ, process_env_private);
	char **env = process_env_without(visible, service_variables);
	struct process process = {
		.argv = argv,
		.env = env,
		.folder = j->checkout.data,
		.cancelled = &cancelled,
		.line = show_line,
		.grace_ms = BUILD_GRACE_MS,
		.guarded = true,
	};
	struct error ignored = ERROR_INIT; /* a limit that stays fails loudly enough */
	int rc;

	process_env_free(visible);
	set_term(on_term);
	/* Node reserves 10 GiB of address space for each WebAssembly.Memory; what it uses is for
	 * the service's MemoryMax= to limit. */
	(void)limit(RLIMIT_AS, RLIM_INFINITY, &ignored);
	rc = process_run(&process, NULL, err);
	(void)limit_all(j->settings, &ignored);
	set_term(SIG_DFL);
	process_env_free(env);
	return rc < 0 ? error_wrap(err, "build `%s`", j->site->build) : 0;
}

static int build(struct job_run *j, struct error *err)
{
	/* An earlier deploy has left its own, and it may be anything by now. */
	if (fs_remove_tree(j->checkout.data, err) < 0)
		return -1;
	if (!j->site->build)
		return 0;
	tell_phase("checkout");
	if (checkout_make(j->checkout.data, j->mirror.data, j->site->branch, &j->commit,
			  err) < 0)
		return -1;
	tell_phase("build");
	return run_build(j, err);
}

static char **action_environment(const struct site *site)
{
	char **mine = process_env_without(environ, runner_variables);
	char **env = process_env_without(mine, service_variables);

	process_env_free(mine);
	for (size_t i = 0; i < site->environment.len; i++) {
		const char *variable = site->environment.items[i];
		size_t n = strcspn(variable, "=");
		CLEANUP_PTR(mem) char *name = xstrndup(variable, n);

		env = process_env_set(env, name, variable[n] ? variable + n + 1 : "");
	}
	return env;
}

/* Returns only when that is not possible. */
static int become_action(struct job_run *j, struct error *err)
{
	const struct site *site = j->site;
	CLEANUP(str_list) struct str_list argv = { 0 };
	char hex[OID_HEX_SIZE];
	char **env = action_environment(site);

	str_list_push(&argv, j->settings->action);
	str_list_push(&argv, "deploy");
	str_list_push(&argv, "--json");
	str_list_push(&argv, "--repo");
	str_list_push(&argv, site->build ? j->checkout.data : j->mirror.data);
	str_list_push(&argv, "--head");
	str_list_push(&argv, oid_hex(&j->commit, hex));
	if (site->config) {
		str_list_push(&argv, "--config");
		str_list_push(&argv, site->config);
	}
	if (j->options.rollback)
		str_list_push(&argv, "--allow-rollback");
	for (size_t i = 0; i < site->arguments.len; i++)
		str_list_push(&argv, site->arguments.items[i]);
	str_list_push(&argv, NULL);
	tell_phase("deploy");
	(void)execve(argv.items[0], (char *const *)(uintptr_t)argv.items, env);
	process_env_free(env);
	return error_set(err, ERR_CONFIG, "run %s: %s", j->settings->action,
			 strerror(errno));
}

static int work(struct job_run *j, struct error *err)
{
	if (settings_read_site(j->options.config, j->options.folder, j->options.site,
			       &j->settings, err) < 0) {
		/* It is what the daemon has accepted, but its secrets may be out of reach for a
		 * while: the deploy is not given up but tried again. */
		err->code = ERR_IO;
		return -1;
	}
	j->site = settings_site(j->settings, j->options.site);
	if (!j->site)
		return error_set(err, ERR_CONFIG, "there is no site \"%s\" in %s",
				 j->options.site, j->options.config);
	if (limit_all(j->settings, err) < 0)
		return -1;
	if (j->options.tip)
		return print_tip(j, err);
	if (prepare_folders(j, err) < 0 || fetch(j, err) < 0 || build(j, err) < 0)
		return -1;
	return become_action(j, err);
}

int job_main(int argc, char **argv)
{
	CLEANUP(job_run)
	struct job_run j = {
		.mirror = BUF_INIT(PATH_MOST),
		.checkout = BUF_INIT(PATH_MOST),
	};
	struct error err = ERROR_INIT;

	die_with_parent();
	if (read_options(&j.options, argc, argv, &err) < 0 || work(&j, &err) < 0)
		return tell_failure(&j, &err);
	return 0;
}

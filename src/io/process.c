/* close_range() has no wrapper in POSIX: syscall() and its number are asked for. */
#define _GNU_SOURCE
#include "io/process.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef __linux__
#	include <sys/syscall.h>
#endif

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "io/fd.h"

enum {
	LINE_MOST = 8000,
	SLICE_MS = 50,     /* how often a quiet child is looked after */
	GRACE_MS = 5000,   /* between TERM and KILL */
	LINGER_MS = 1000,  /* for output that outlives the child */
	DRAIN_READS = 256, /* more than a pipe can hold */
	CANNOT_RUN = 127,
};

/* One of the two streams that come out of a child. */
struct stream {
	enum process_stream kind;
	int fd;
	struct buf *into; /* may be NULL */
	struct buf line;  /* one that has no end yet */
};

struct run {
	const struct process *p;
	const struct clock *clock;
	pid_t pid;
	pid_t guard; /* 0: none; else it leads the group */
	pid_t group;
	int guarding; /* closed by our end, of which the guard learns so */
	int status;   /* waitpid's */
	bool ended;
	int64_t deadline;    /* monotonic; INT64_MAX: none */
	int64_t kill_at;     /* set once TERM was sent */
	enum error_code why; /* it was stopped; ERR_NONE: not */
	struct stream streams[2];
};

static void run_release(struct run *r)
{
	fd_release(&r->guarding); /* ends the guard, if it is still there */
	while (r->guard && waitpid(r->guard, NULL, 0) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < 2; i++) {
		fd_release(&r->streams[i].fd);
		buf_release(&r->streams[i].line);
	}
}

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

/* The file that a program's name stands for. Looked up before the fork, after which little
 * may be done in a process with threads. */
static int find_program(const char *name, char *const *env, struct buf *out,
			struct error *err)
{
	const char *path = env ? process_env_get(env, "PATH") : NULL;

	if (strchr(name, '/')) {
		buf_str(out, name);
		return buf_check(out, "program", err);
	}
	if (!path || !*path)
		path = "/usr/local/bin:/usr/bin:/bin";
	while (*path) {
		size_t n = strcspn(path, ":");

		buf_clear(out);
		buf_add(out, path, n);
		buf_printf(out, "/%s", name);
		/* An empty or relative part would run what lies in the current folder. */
		if (*path == '/' && !out->overflowed && is_program(out->data))
			return 0;
		path += n + (path[n] == ':');
	}
	return error_set(err, ERR_NOT_FOUND, "%s: no such program", name);
}

static void close_from(int first)
{
#ifdef SYS_close_range
	if (syscall(SYS_close_range, (unsigned)first, ~0U, 0U) == 0)
		return;
#endif
	for (int fd = first; fd < 4096; fd++)
		close(fd);
}

/* What the child does between fork and exec: only what is safe after a fork with threads.
 * report gets errno if it comes to nothing. */
struct child {
	const char *program;
	const struct process *p;
	pid_t group; /* 0: its own */
	int null, out, err, report;
};

/* Puts the descriptors to 0..3. They are moved up first, so that none is in the way. */
static bool child_descriptors(struct child *c)
{
	int *const fds[] = { &c->null, &c->out, &c->err, &c->report };

	for (int i = 0; i < 4; i++) {
		*fds[i] = fcntl(*fds[i], F_DUPFD, 10);
		if (*fds[i] < 0)
			return false;
	}
	for (int i = 0; i < 4; i++)
		if (dup2(*fds[i], i) < 0)
			return false;
	c->report = 3;
	close_from(4);
	return fcntl(3, F_SETFD, FD_CLOEXEC) == 0;
}

static void child_signals(void)
{
	struct sigaction action = { .sa_handler = SIG_DFL };
	sigset_t none;

	/* The handlers would go at exec; what is ignored would stay so. */
	for (int s = 1; s < 32; s++)
		(void)sigaction(s, &action, NULL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child_run(struct child *c)
{
	static char *const no_env[] = { NULL };
	int problem;

	(void)setpgid(0, c->group);
	child_signals();
	if (child_descriptors(c) && (!c->p->folder || chdir(c->p->folder) == 0))
		execve(c->program, (char *const *)c->p->argv,
		       c->p->env ? c->p->env : no_env);
	problem = errno;
	(void)fd_write_all(c->report, &problem, sizeof(problem));
	_exit(CANNOT_RUN);
}

/* A pipe, both ends closed on exec. */
static int make_pipe(int *from, int *to, struct error *err)
{
	int ends[2];

	if (pipe(ends) < 0)
		return error_set(err, ERR_IO, "pipe: %s", strerror(errno));
	*from = ends[0];
	*to = ends[1];
	if (fcntl(*from, F_SETFD, FD_CLOEXEC) < 0 || fcntl(*to, F_SETFD, FD_CLOEXEC) < 0)
		return error_set(err, ERR_IO, "pipe: %s", strerror(errno));
	return 0;
}

/* Waits for the exec to have happened, which closes the pipe, or for the reason why not. */
static int read_report(int fd, const struct process *p, pid_t pid, struct error *err)
{
	int problem = 0;
	ssize_t n;

	do
		n = read(fd, &problem, sizeof(problem));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(problem))
		return 0;
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return error_set(err, problem == ENOENT ? ERR_NOT_FOUND : ERR_IO,
			 "run %s%s%s: %s", p->argv[0], p->folder ? " in " : "",
			 p->folder ? p->folder : "", strerror(problem));
}

/* Waits, as the first of a group, until all that hold the other end are gone. The child does until
 * its exec, and has joined the group by then. */
static void guard_run(int from)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };
	char byte;

	(void)setpgid(0, 0);
	child_signals();
	/* The group is asked to end with it, and may take its time. */
	(void)sigaction(SIGTERM, &ignore, NULL);
	if (dup2(from, 0) == 0) {
		close_from(1);
		while (read(0, &byte, 1) < 0 && errno == EINTR)
			;
	}
	(void)kill(0, SIGKILL);
	_exit(0);
}

/* PR_SET_PDEATHSIG would reach the child, and not what that has started. */
static int start_guard(struct run *r, struct error *err)
{
	CLEANUP(fd) int from = -1;

	if (make_pipe(&from, &r->guarding, err) < 0)
		return -1;
	r->guard = fork();
	if (r->guard < 0) {
		r->guard = 0;
		return error_set(err, ERR_IO, "fork: %s", strerror(errno));
	}
	if (r->guard == 0)
		guard_run(from);
	(void)setpgid(r->guard, r->guard);
	return 0;
}

static int start(struct run *r, const char *program, struct error *err)
{
	CLEANUP(fd) int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	CLEANUP(fd) int out = -1;
	CLEANUP(fd) int errors = -1;
	CLEANUP(fd) int told = -1;
	CLEANUP(fd) int report = -1;

	if (null < 0)
		return error_set(err, ERR_IO, "open /dev/null: %s", strerror(errno));
	/* Before the pipes, which it would hold open. */
	if (r->p->guarded && start_guard(r, err) < 0)
		return -1;
	if (make_pipe(&r->streams[0].fd, &out, err) < 0 ||
	    make_pipe(&r->streams[1].fd, &errors, err) < 0 ||
	    make_pipe(&told, &report, err) < 0)
		return -1;
	r->pid = fork();
	if (r->pid < 0)
		return error_set(err, ERR_IO, "fork: %s", strerror(errno));
	if (r->pid == 0)
		child_run(&(struct child){ program, r->p, r->guard, null, out, errors,
					   report });
	r->group = r->guard ? r->guard : r->pid;
	/* In both processes, so that neither can be too early. */
	(void)setpgid(r->pid, r->group);
	fd_release(&report);
	return read_report(told, r->p, r->pid, err);
}

static void flush_line(struct run *r, struct stream *s)
{
	if (r->p->line)
		r->p->line(r->p->ctx, s->kind, s->line.data, s->line.len);
	buf_clear(&s->line);
}

static void take_lines(struct run *r, struct stream *s, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (bytes[i] == '\n' || s->line.len == s->line.max)
			flush_line(r, s);
		if (bytes[i] != '\n')
			buf_char(&s->line, bytes[i]);
	}
}

static void end_stream(struct run *r, struct stream *s)
{
	fd_release(&s->fd);
	if (s->line.len)
		flush_line(r, s);
}

static void read_stream(struct run *r, struct stream *s)
{
	char bytes[16384];
	ssize_t n = read(s->fd, bytes, sizeof(bytes));

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		end_stream(r, s);
		return;
	}
	if (s->into)
		buf_add(s->into, bytes, (size_t)n);
	else if (r->p->line)
		take_lines(r, s, bytes, (size_t)n);
}

static bool is_open(const struct run *r)
{
	return r->streams[0].fd >= 0 || r->streams[1].fd >= 0;
}

/* Waits for output, at most wait_ms, and takes it; false: none came. poll() passes over
 * closed streams, whose descriptor is -1. */
static bool take_output(struct run *r, int wait_ms)
{
	struct pollfd fds[2];

	for (size_t i = 0; i < 2; i++)
		fds[i] = (struct pollfd){ .fd = r->streams[i].fd, .events = POLLIN };
	if (poll(fds, 2, wait_ms) <= 0)
		return false;
	for (size_t i = 0; i < 2; i++)
		if (fds[i].fd >= 0 && fds[i].revents)
			read_stream(r, &r->streams[i]);
	return true;
}

static void stop(struct run *r, enum error_code why, int64_t now)
{
	r->why = why;
	r->kill_at = now + (r->p->grace_ms ? r->p->grace_ms : GRACE_MS);
	(void)kill(-r->group, SIGTERM);
}

static void watch_time(struct run *r)
{
	int64_t now = clock_monotonic_ms(r->clock);

	if (r->why != ERR_NONE) {
		if (now >= r->kill_at)
			(void)kill(-r->group, SIGKILL);
	} else if ((r->p->cancelled && *r->p->cancelled) ||
		   (r->p->stop && r->p->stop(r->p->ctx))) {
		stop(r, ERR_CANCELLED, now);
	} else if (now >= r->deadline) {
		stop(r, ERR_TIMEOUT, now);
	}
}

/* Whether the child has ended. It stays a zombie until finish(), so that its number, which
 * names the group, is not given to somebody else. */
static void look(struct run *r)
{
	siginfo_t info = { .si_pid = 0 };
	int rc = waitid(P_PID, (id_t)r->pid, &info, WEXITED | WNOHANG | WNOWAIT);

	r->ended = rc < 0 ? errno != EINTR : info.si_pid == r->pid;
}

/* Until the child has ended. Most end right after they closed their output, so the first
 * waits are short. */
static void follow(struct run *r)
{
	int wait_ms = 1;

	while (!r->ended) {
		(void)take_output(r, is_open(r) ? SLICE_MS : wait_ms); /* none: a look */
		if (!is_open(r))
			wait_ms = wait_ms * 2 < SLICE_MS ? wait_ms * 2 : SLICE_MS;
		watch_time(r);
		look(r);
	}
}

/* What is in the pipes is taken; what the child left running is not waited for. */
static void finish(struct run *r)
{
	int64_t until = clock_monotonic_ms(r->clock) + LINGER_MS;

	while (is_open(r) && clock_monotonic_ms(r->clock) < until)
		(void)take_output(r, SLICE_MS); /* none: until its time is over */
	(void)kill(-r->group, SIGKILL);
	/* On a busy machine all of that time may pass before the first look. */
	for (int i = 0; i < DRAIN_READS && is_open(r); i++)
		if (!take_output(r, 0))
			break;
	for (size_t i = 0; i < 2; i++)
		end_stream(r, &r->streams[i]);
	while (waitpid(r->pid, &r->status, 0) < 0) {
		/* ECHILD: somebody ignores SIGCHLD, and the status is lost. */
		if (errno != EINTR) {
			r->status = -1;
			return;
		}
	}
}

/* The last line of what a program complained, for the message. */
static void last_line(const struct buf *b, char *out, size_t size)
{
	size_t end = b->len;
	size_t begin;

	while (end && (b->data[end - 1] == '\n' || b->data[end - 1] == '\r'))
		end--;
	begin = end;
	while (begin && b->data[begin - 1] != '\n')
		begin--;
	snprintf(out, size, "%s%.*s", end > begin ? ": " : "",
		 end - begin > 500 ? 500 : (int)(end - begin), b->data + begin);
}

static int verdict(const struct run *r, struct error *err)
{
	const char *name = r->p->argv[0];
	char said[512] = "";

	if (r->p->errors)
		last_line(r->p->errors, said, sizeof(said));
	if (r->why == ERR_CANCELLED)
		return error_set(err, ERR_CANCELLED, "%s: stopped", name);
	if (r->why == ERR_TIMEOUT)
		return error_set(err, ERR_TIMEOUT, "%s: not done after %lld s%s", name,
				 (long long)(r->p->timeout_ms + 999) / 1000, said);
	if (r->status == -1)
		return error_set(err, ERR_IO, "%s: its exit status was lost", name);
	if (WIFSIGNALED(r->status))
		return error_set(err, ERR_IO, "%s: ended by signal %d (%s)%s", name,
				 WTERMSIG(r->status), strsignal(WTERMSIG(r->status)),
				 said);
	if (WEXITSTATUS(r->status) != 0)
		return error_set(err, ERR_IO, "%s: exit status %d%s", name,
				 WEXITSTATUS(r->status), said);
	return 0;
}

int process_run(const struct process *p, int *exit_status, struct error *err)
{
	CLEANUP(buf) struct buf program = BUF_INIT(1 << 16);
	size_t line_most = p->line_most ? p->line_most : LINE_MOST;
	CLEANUP(run) struct run r = {
		.p = p,
		.clock = clock_real(),
		.deadline = INT64_MAX,
		.guarding = -1,
		.streams = {
			{PROCESS_STDOUT, -1, p->out, BUF_INIT(line_most)},
			{PROCESS_STDERR, -1, p->errors, BUF_INIT(line_most)},
		},
	};

	if (exit_status)
		*exit_status = -1;
	if (p->ended_by)
		*p->ended_by = 0;
	if (p->timeout_ms > 0)
		r.deadline = clock_monotonic_ms(r.clock) + p->timeout_ms;
	if (find_program(p->argv[0], p->env, &program, err) < 0 ||
	    start(&r, program.data, err) < 0)
		return -1;
	follow(&r);
	finish(&r);
	if (exit_status && r.status != -1 && WIFEXITED(r.status))
		*exit_status = WEXITSTATUS(r.status);
	if (p->ended_by && r.status != -1 && WIFSIGNALED(r.status))
		*p->ended_by = WTERMSIG(r.status);
	return verdict(&r, err);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/str.h"
#include "io/process.h"

static char *const env[] = { (char *)"PATH=/usr/bin:/bin", (char *)"NAME=v a l", NULL };

struct output {
	struct buf out;
	struct buf errors;
};

static void output_release(struct output *o)
{
	buf_release(&o->out);
	buf_release(&o->errors);
}

#define OUTPUT_INIT                                                   \
	{                                                             \
		.out = BUF_INIT(1 << 20), .errors = BUF_INIT(1 << 20) \
	}

static int shell(const char *script, int64_t timeout_ms, struct output *o, int *status,
		 struct error *err)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct process p = {
		.argv = argv,
		.env = env,
		.timeout_ms = timeout_ms,
		.out = &o->out,
		.errors = &o->errors,
	};

	return process_run(&p, status, err);
}

static void test_process__output_environment_and_arguments(void **state)
{
	static const char *const argv[] = {
		"sh", "-c",  "cat; echo \"$#:$1:$2\"; echo oops >&2; env; pwd",
		"x",  "a b", "$(id)",
		NULL
	};
	CLEANUP(output) struct output o = OUTPUT_INIT;
	struct error err = ERROR_INIT;
	int status = 7;
	struct process p = { .argv = argv,
			     .env = env,
			     .folder = "/",
			     .out = &o.out,
			     .errors = &o.errors };

	(void)state;
	assert_int_equal(process_run(&p, &status, &err), 0);
	assert_int_equal(status, 0);
	assert_true(str_starts(o.out.data, "2:a b:$(id)\n"));
	assert_non_null(strstr(o.out.data, "NAME=v a l\n"));
	assert_null(strstr(o.out.data, "HOME="));
	assert_true(str_ends(o.out.data, "\n/\n"));
	assert_string_equal(o.errors.data, "oops\n");
}

static void test_process__how_it_ended(void **state)
{
	static const struct {
		const char *script;
		int status;
		enum error_code code;
		const char *says;
	} cases[] = {
		{ "exit 0", 0, ERR_NONE, "" },
		{ "exit 3", 3, ERR_IO, "sh: exit status 3" },
		{ "echo a >&2; echo last >&2; exit 1", 1, ERR_IO,
		  "sh: exit status 1: last" },
		{ "kill -9 $$", -1, ERR_IO, "signal 9" },
		{ "exec >&- 2>&-; exit 4", 4, ERR_IO, "exit status 4" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(output) struct output o = OUTPUT_INIT;
		struct error err = ERROR_INIT;
		int status = 77;

		(void)shell(cases[i].script, 20000, &o, &status, &err);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(status, cases[i].status);
		if (!strstr(err.msg, cases[i].says))
			fail_msg("%s: %s", cases[i].script, err.msg);
	}
}

static void test_process__what_cannot_be_run(void **state)
{
	static const struct {
		const char *program;
		const char *folder;
		enum error_code code;
	} cases[] = {
		{ "crc-no-such-program", NULL, ERR_NOT_FOUND },
		{ "/no/such/program", NULL, ERR_NOT_FOUND },
		{ "sh", "/no/such/folder", ERR_NOT_FOUND },
		{ "/etc/passwd", NULL, ERR_IO },
		{ "/", NULL, ERR_IO },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const char *argv[] = { cases[i].program, NULL };
		struct process p = { .argv = argv,
				     .env = env,
				     .folder = cases[i].folder };
		struct error err = ERROR_INIT;

		assert_int_equal(process_run(&p, NULL, &err), -1);
		assert_int_equal(err.code, cases[i].code);
	}
}

enum { GONE_TRIES = 3000, SURELY_OVER_MS = 60000 };

/* Waits until a process is no more (or only a zombie that somebody else will reap). */
static bool is_gone(pid_t pid)
{
	assert_true(pid > 1);
	for (int i = 0; i < GONE_TRIES; i++) {
		char path[64];
		char text[256] = "";
		FILE *f;

		if (kill(pid, 0) < 0 && errno == ESRCH)
			return true;
		snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
		f = fopen(path, "r");
		if (f) {
			(void)!fread(text, 1, sizeof(text) - 1, f);
			fclose(f);
		}
		if (strstr(text, ") Z "))
			return true;
		clock_sleep_ms(clock_real(), 10);
	}
	return false;
}

/* A busy machine may need longer than a deadline to print the number: it gets longer ones
 * until it does. */
static void test_process__deadline_kills_the_group(void **state)
{
	CLEANUP(output) struct output o = OUTPUT_INIT;
	int64_t begun = clock_monotonic_ms(clock_real());
	int status;

	(void)state;
	for (int64_t timeout_ms = 100; !o.out.len; timeout_ms *= 2) {
		struct error err = ERROR_INIT;

		assert_int_equal(
			shell("sleep 600 & echo $!; wait", timeout_ms, &o, &status, &err),
			-1);
		assert_int_equal(err.code, ERR_TIMEOUT);
		assert_int_equal(status, -1);
	}
	assert_true(clock_monotonic_ms(clock_real()) - begun < SURELY_OVER_MS);
	assert_true(is_gone((pid_t)strtol(o.out.data, NULL, 10)));
}

static void test_process__what_it_left_running_is_killed(void **state)
{
	CLEANUP(output) struct output o = OUTPUT_INIT;
	struct error err = ERROR_INIT;
	int64_t begun = clock_monotonic_ms(clock_real());

	(void)state;
	assert_int_equal(shell("sleep 600 & echo $!", 0, &o, NULL, &err), 0);
	assert_true(clock_monotonic_ms(clock_real()) - begun < SURELY_OVER_MS);
	assert_true(is_gone((pid_t)strtol(o.out.data, NULL, 10)));
}

static void pass_line_on(void *ctx, enum process_stream stream, const char *line,
			 size_t len)
{
	const int *to = ctx;

	(void)stream;
	(void)!write(*to, line, len);
}

/* In a process of its own, which is killed; does not return. */
static void run_guarded(int to, bool guarded)
{
	static const char *const argv[] = { "sh", "-c",
					    "trap '' TERM; sleep 600 & echo $!; wait",
					    NULL };
	struct process p = { .argv = argv,
			     .env = env,
			     .line = pass_line_on,
			     .ctx = &to,
			     .guarded = guarded };
	struct error err = ERROR_INIT;

	_exit(process_run(&p, NULL, &err) < 0);
}

/* The number of what a child of ours has started, once that child was killed. */
static pid_t orphan(bool guarded)
{
	char text[32] = "";
	int ends[2];
	pid_t runner;

	assert_int_equal(pipe(ends), 0);
	runner = fork();
	if (runner == 0)
		run_guarded(ends[1], guarded);
	assert_true(read(ends[0], text, sizeof(text) - 1) > 0);
	/* The guard is there before the first line is read. */
	kill(runner, SIGKILL);
	waitpid(runner, NULL, 0);
	close(ends[0]);
	close(ends[1]);
	return (pid_t)strtol(text, NULL, 10);
}

static void test_process__a_guarded_group_ends_with_us(void **state)
{
	pid_t unguarded = orphan(false);

	(void)state;
	assert_true(is_gone(orphan(true)));
	assert_int_equal(kill(unguarded, 0), 0);
	kill(unguarded, SIGKILL);
}

/* A run that is cancelled by its first line, which is a process's number. */
struct cancelling {
	volatile int cancelled;
	long pid;
};

static void cancel(void *ctx, enum process_stream stream, const char *line, size_t len)
{
	struct cancelling *c = ctx;

	(void)stream, (void)len;
	if (!c->cancelled)
		c->pid = strtol(line, NULL, 10);
	c->cancelled = 1;
}

static void check_cancelled(const char *script)
{
	const char *argv[] = { "sh", "-c", script, NULL };
	struct cancelling c = { 0 };
	struct process p = { .argv = argv,
			     .env = env,
			     .line = cancel,
			     .ctx = &c,
			     .cancelled = &c.cancelled };
	struct error err = ERROR_INIT;

	assert_int_equal(process_run(&p, NULL, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(is_gone((pid_t)c.pid));
}

static void test_process__cancelled(void **state)
{
	(void)state;
	check_cancelled("sleep 600 & echo $!; wait");
}

static void test_process__a_child_deaf_to_term_is_killed(void **state)
{
	(void)state;
	check_cancelled("trap '' TERM; echo $$; while :; do sleep 1; done");
}

static void gather(void *ctx, enum process_stream stream, const char *line, size_t len)
{
	struct output *o = ctx;

	buf_printf(stream == PROCESS_STDOUT ? &o->out : &o->errors, "%zu:%.20s\n", len,
		   line);
}

/* The two streams are two pipes: in which order their lines come is not promised. */
static void test_process__lines(void **state)
{
	static const char *const argv[] = {
		"sh", "-c", "printf 'one\\n\\ntwo\\nlast'; printf '%09000d\\n' 1 >&2",
		NULL
	};
	CLEANUP(output) struct output seen = OUTPUT_INIT;
	struct process p = { .argv = argv, .env = env, .line = gather, .ctx = &seen };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(process_run(&p, NULL, &err), 0);
	assert_string_equal(seen.out.data, "3:one\n0:\n3:two\n4:last\n");
	assert_string_equal(seen.errors.data, "8000:00000000000000000000\n"
					      "1000:00000000000000000000\n");
}

static void test_process__output_is_capped_and_does_not_block(void **state)
{
	static const char *const argv[] = { "head", "-c", "3000000", "/dev/zero", NULL };
	CLEANUP(buf) struct buf out = BUF_INIT(1000000);
	struct process p = { .argv = argv, .env = env, .out = &out };
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(process_run(&p, NULL, &err), 0);
	assert_true(out.overflowed);
}

static void test_process__inherits_no_descriptor_and_no_signals(void **state)
{
	CLEANUP(output) struct output o = OUTPUT_INIT;
	struct error err = ERROR_INIT;
	int fd = open("/dev/null", O_RDONLY); /* without O_CLOEXEC: as a library would */
	sigset_t block;
	sigset_t old;

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&block);
	sigaddset(&block, SIGTERM);
	sigprocmask(SIG_BLOCK, &block, &old);
	assert_int_equal(shell("ls /proc/self/fd | tr '\\n' ' '; "
			       "grep -E 'Sig(Ign|Blk)' /proc/self/status",
			       0, &o, NULL, &err),
			 0);
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGPIPE, SIG_DFL);
	close(fd);
	assert_true(str_starts(o.out.data, "0 1 2 3 ")); /* 3: the folder that ls reads */
	assert_null(strstr(o.out.data, "4 "));
	assert_non_null(strstr(o.out.data, "SigBlk:\t0000000000000000"));
	assert_non_null(strstr(o.out.data, "SigIgn:\t0000000000000000"));
}

static void test_process__runs_leave_no_descriptor(void **state)
{
	CLEANUP(output) struct output o = OUTPUT_INIT;
	struct error err = ERROR_INIT;
	int before = dup(0);
	int after;

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_int_equal(shell("echo x", 0, &o, NULL, &err), 0);
	after = dup(0);
	assert_int_equal(after, before + 1);
	close(before);
	close(after);
}

static void test_process_env__without(void **state)
{
	static char *const from[] = {
		(char *)"PATH=/bin",
		(char *)"AWS_SECRET_ACCESS_KEY=s",
		(char *)"GITHUB_TOKEN=t",
		(char *)"ACTIONS_ID_TOKEN_REQUEST_TOKEN=t",
		(char *)"INPUT_BUCKET=b",
		(char *)"CRC_X=1",
		(char *)"RUNNER_TEMP=/t",
		(char *)"AWSOME=1",
		(char *)"HOME=/h",
		(char *)"HOMES=2",
		NULL,
	};
	static const char *const home[] = { "HOME", NULL };
	char **some = process_env_without(from, process_env_private);
	char **fewer;

	(void)state;
	assert_string_equal(some[0], "PATH=/bin");
	assert_string_equal(some[1], "RUNNER_TEMP=/t");
	assert_string_equal(some[2], "AWSOME=1");
	assert_string_equal(some[3], "HOME=/h");
	assert_string_equal(some[4], "HOMES=2");
	assert_null(some[5]);
	fewer = process_env_without(some, home);
	assert_null(process_env_get(fewer, "HOME"));
	assert_string_equal(process_env_get(fewer, "HOMES"), "2");
	fewer = process_env_set(fewer, "HOMES", "3");
	fewer = process_env_set(fewer, "NEW", "");
	assert_string_equal(process_env_get(fewer, "HOMES"), "3");
	assert_string_equal(process_env_get(fewer, "NEW"), "");
	process_env_free(some);
	process_env_free(fewer);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_process__output_environment_and_arguments),
		cmocka_unit_test(test_process__how_it_ended),
		cmocka_unit_test(test_process__what_cannot_be_run),
		cmocka_unit_test(test_process__deadline_kills_the_group),
		cmocka_unit_test(test_process__a_child_deaf_to_term_is_killed),
		cmocka_unit_test(test_process__what_it_left_running_is_killed),
		cmocka_unit_test(test_process__a_guarded_group_ends_with_us),
		cmocka_unit_test(test_process__cancelled),
		cmocka_unit_test(test_process__lines),
		cmocka_unit_test(test_process__output_is_capped_and_does_not_block),
		cmocka_unit_test(test_process__inherits_no_descriptor_and_no_signals),
		cmocka_unit_test(test_process__runs_leave_no_descriptor),
		cmocka_unit_test(test_process_env__without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

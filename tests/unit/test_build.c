#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "git_repo.h"
#include "run/build.h"

struct fixture {
	struct sandbox sandbox;
	struct repo *repo;
	struct oid head;
	struct progress progress;
	struct buf told;
	char **env;
	struct build_options options;
	struct error err;
};

static void on_text(void *ctx, const char *text)
{
	buf_printf(ctx, "%s\n", text);
}

static void open_repo(struct fixture *f, const char *path)
{
	repo_free(f->repo);
	assert_int_equal(repo_open(path, NULL, &f->repo, &f->err), 0);
	f->options.repo = f->repo;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	sandbox_start(&f->sandbox);
	run(&f->sandbox, ".", NULL,
	    "git init -q r && cd r && echo 1 > a && git add . && git commit -qm 1 && "
	    "echo 2 > a && git commit -qam 2 && git clone -q --bare . ../bare");
	f->head = id_of(&f->sandbox, "r", "HEAD");
	f->told = (struct buf)BUF_INIT(1 << 16);
	f->progress = (struct progress){ .ctx = &f->told,
					 .waiting = on_text,
					 .output = on_text };
	f->env = process_env_without(f->sandbox.env, process_env_private);
	f->options = (struct build_options){ .what = "backend counter",
					     .head = &f->head,
					     .env = f->env,
					     .progress = &f->progress };
	open_repo(f, "r");
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	repo_free(f->repo);
	buf_release(&f->told);
	process_env_free(f->env);
	sandbox_end(&f->sandbox);
	free(f);
	return 0;
}

static int build(struct fixture *f, const char *command)
{
	f->options.command = command;
	f->options.env = f->env;
	return build_run(&f->options, &f->err);
}

static void a_command_runs_at_the_top_without_secrets(void **state)
{
	struct fixture *f = *state;

	f->env = process_env_set(f->env, "AWS_SECRET_ACCESS_KEY", "canary");
	f->env = process_env_set(f->env, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary");
	f->env = process_env_set(f->env, "NODE_ENV", "production");
	assert_int_equal(build(f, "cat a; env >&2"), 0);
	assert_non_null(strstr(f->told.data, "building backend counter: cat a; env >&2"));
	assert_non_null(strstr(f->told.data, "\n2\n"));
	assert_non_null(strstr(f->told.data, "NODE_ENV=production"));
	assert_null(strstr(f->told.data, "canary"));
}

static void a_failure_names_whose_command_it_was(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(build(f, "exit 3"), -1);
	assert_int_equal(f->err.code, ERR_IO);
	assert_non_null(strstr(f->err.msg, "backend counter: build `exit 3`: "));
}

static void nothing_runs_where_the_head_is_not_checked_out(void **state)
{
	struct fixture *f = *state;

	f->head = id_of(&f->sandbox, "r", "HEAD~1");
	assert_int_equal(build(f, "touch ran"), -1);
	assert_int_equal(f->err.code, ERR_CONFIG);
	assert_non_null(strstr(f->err.msg, "backend counter: `build` runs in the work"));
	assert_int_equal(access("r/ran", F_OK), -1);
	open_repo(f, "bare");
	assert_int_equal(build(f, "touch ran"), -1);
	assert_int_equal(f->err.code, ERR_CONFIG);
	assert_non_null(strstr(f->err.msg, "bare"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_command_runs_at_the_top_without_secrets),
		CASE(a_failure_names_whose_command_it_was),
		CASE(nothing_runs_where_the_head_is_not_checked_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

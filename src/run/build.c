#include "run/build.h"

#include <stdio.h>

#include "base/mem.h"
#include "io/process.h"

static int check_work_tree(const struct build_options *o, struct error *err)
{
	struct error ignored = ERROR_INIT;
	char head[OID_HEX_SIZE];
	char there[OID_HEX_SIZE];
	struct oid at;

	if (!repo_worktree(o->repo))
		return error_set(err, ERR_CONFIG,
				 "%s: `build` needs a work tree, and the repository is "
				 "bare: deploy from a checkout",
				 o->what);
	if (repo_resolve(o->repo, "HEAD", &at, &ignored) == 0 && oid_equal(&at, o->head))
		return 0;
	return error_set(err, ERR_CONFIG,
			 "%s: `build` runs in the work tree, which is at %.10s and not "
			 "at %.10s: check that commit out first",
			 o->what, ignored.code ? "no commit" : oid_hex(&at, there),
			 oid_hex(o->head, head));
}

static void show(void *ctx, enum process_stream stream, const char *line, size_t len)
{
	const struct build_options *o = ctx;

	(void)stream;
	(void)len;
	if (o->progress && o->progress->output)
		o->progress->output(o->progress->ctx, line);
}

int build_run(const struct build_options *options, struct error *err)
{
	const char *const argv[] = { "/bin/sh", "-c", options->command, NULL };
	const struct progress *p = options->progress;
	CLEANUP(buf) struct buf text = BUF_INIT(16384);
	struct process process = {
		.argv = argv,
		.folder = repo_worktree(options->repo),
		.cancelled = options->cancelled,
		.line = show,
		.ctx = (void *)(uintptr_t)options,
	};
	int rc;

	if (check_work_tree(options, err) < 0)
		return -1;
	buf_printf(&text, "building %s: %s", options->what, options->command);
	if (p && p->waiting)
		p->waiting(p->ctx, text.data);
	process.env = process_env_without(options->env, process_env_private);
	rc = process_run(&process, NULL, err);
	process_env_free((char **)(uintptr_t)process.env);
	if (rc < 0)
		return error_wrap(err, "%s: build `%s`", options->what, options->command);
	return 0;
}

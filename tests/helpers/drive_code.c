/* drive_code - makes the archive of a folder of a repository, for tests that let run/code meet
 * git, pip and other programs that read archives.
 *
 * drive_code REPOSITORY PATH RUNTIME ARCHITECTURE OUT [commit|worktree]
 * stdout: one JSON object: key, kind, files, told, and error and message if it failed. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "io/fs.h"
#include "run/code.h"

enum { OUTPUT_MOST = 8 << 20, ARCHIVE_MOST = 512 << 20 };

extern char **environ;

static volatile int cancelled;

static void on_signal(int number)
{
	(void)number;
	cancelled = 1;
}

static void on_output(void *ctx, const char *line)
{
	buf_printf(ctx, "%s\n", line);
}

static int make(struct code *code, const struct code_options *options, const char *file,
		struct error *err)
{
	CLEANUP(buf) struct buf zip = BUF_INIT(ARCHIVE_MOST);

	if (code_open(code, options, err) < 0 || code_zip(code, &zip, err) < 0)
		return -1;
	return fs_write(file, zip.data, zip.len, err);
}

static void report(const struct code *code, const char *told, const struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(OUTPUT_MOST);
	struct json_writer out = JSON_WRITER_INIT(&text);

	json_open(&out, '{');
	if (err->code) {
		json_member(&out, "error", error_code_name(err->code));
		json_member(&out, "message", err->msg);
	}
	json_member(&out, "key", code->key);
	json_member(&out, "kind", code->kind == SOURCE_COMMIT ? "commit" : "worktree");
	json_member(&out, "told", told);
	json_key(&out, "files");
	json_open(&out, '[');
	for (size_t i = 0; i < code->files.len; i++)
		json_put_str(&out, code->files.items[i].path);
	json_close(&out, ']');
	json_close(&out, '}');
	puts(text.data);
}

int main(int argc, char **argv)
{
	CLEANUP(buf) struct buf told = BUF_INIT(OUTPUT_MOST);
	const struct progress progress = { .ctx = &told, .output = on_output };
	struct code_options options = { .what = "backend", .env = environ };
	struct code code = { .kind = SOURCE_AUTO };
	struct error err = ERROR_INIT;
	struct oid head;

	if (argc < 6)
		return 2;
	(void)signal(SIGTERM, on_signal);
	options.path = argv[2];
	options.runtime = *argv[3] ? argv[3] : NULL;
	options.architecture = *argv[4] ? argv[4] : NULL;
	options.commit = &head;
	options.cancelled = &cancelled;
	options.progress = &progress;
	if (argc > 6)
		options.wanted = str_eq(argv[6], "commit") ? SOURCE_COMMIT
							   : SOURCE_WORKTREE;
	if (repo_open(argv[1], NULL, &options.repo, &err) == 0 &&
	    repo_resolve(options.repo, "HEAD", &head, &err) == 0)
		(void)make(&code, &options, argv[5], &err);
	report(&code, told.data, &err);
	code_release(&code);
	repo_free(options.repo);
	return 0;
}

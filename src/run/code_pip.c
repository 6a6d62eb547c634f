#include "run/code_private.h"

#include <string.h>

#include "base/mem.h"
#include "io/fs.h"
#include "io/process.h"

/* How a shell, or a shim such as pyenv's, says that there is no such program. */
enum { NO_SUCH_PROGRAM = 127 };

enum { SAID_BYTES = 64 << 10, FILE_BYTES = 1 << 30, PATH_BYTES = 8192 };

/* A run of pip. */
struct install {
	const struct code *code;
	struct pip_target target;
	struct arena arena;
	struct buf folder; /* ours, with source/ and installed/ in it */
	struct buf said;   /* what pip wrote to stderr */
	char **env;
};

static void install_release(struct install *in)
{
	struct error ignored = ERROR_INIT;

	/* Nothing can be done about a folder that does not go; it is in the machine's
	 * temporary one. */
	if (in->folder.len)
		(void)fs_remove_tree(in->folder.data, &ignored);
	process_env_free(in->env);
	buf_release(&in->said);
	buf_release(&in->folder);
	arena_release(&in->arena);
}

static const char *in_folder(struct install *in, const char *name)
{
	return arena_printf(&in->arena, "%s/%s", in->folder.data, name);
}

/* What pip must not do whatever its settings say: --target excludes the first. */
static char **pip_env(char *const *env)
{
	static const char *const settings[][2] = {
		{ "PIP_USER", "0" },
		{ "PIP_REQUIRE_VIRTUALENV", "0" },
		{ "PIP_ROOT_USER_ACTION", "ignore" },
		{ "PYTHONDONTWRITEBYTECODE", "1" },
	};
	char **copy = process_env_without(env, process_env_private);

	for (size_t i = 0; i < sizeof(settings) / sizeof(*settings); i++)
		copy = process_env_set(copy, settings[i][0], settings[i][1]);
	return copy;
}

static int make_folder(struct install *in, struct error *err)
{
	const char *temp = process_env_get(in->code->options.env, "TMPDIR");

	/* pip runs in a folder below, from where a relative path leads elsewhere. */
	if (!temp || *temp != '/')
		temp = "/tmp";
	if (fs_make_temp(temp, &in->folder, err) < 0 ||
	    fs_make_folders(in_folder(in, "source"), err) < 0)
		return -1;
	return 0;
}

static int copy_file(struct install *in, const struct code_bytes *file, struct error *err)
{
	char *path = arena_printf(&in->arena, "%s/source/%s", in->folder.data,
				  file->path);
	char *slash = strrchr(path, '/');

	*slash = '\0';
	if (fs_make_folders(path, err) < 0)
		return -1;
	*slash = '/';
	return fs_append(path, file->text.data, file->text.len, err);
}

static bool is_named(const struct str_list *files, const char *path)
{
	for (size_t i = 0; i < files->len; i++)
		if (str_eq(files->items[i], path))
			return true;
	return false;
}

/* pip sees the requirements files; the rest only if they name something of the folder. */
static int copy_source(struct install *in, const struct code_needs *needs,
		       const struct code_bytes_list *source, struct error *err)
{
	for (size_t i = 0; i < source->len; i++)
		if ((needs->paths || is_named(&needs->files, source->items[i].path)) &&
		    copy_file(in, &source->items[i], err) < 0)
			return -1;
	return 0;
}

/* Running pip */

static void on_line(void *ctx, enum process_stream stream, const char *line, size_t len)
{
	struct install *in = ctx;

	if (stream == PROCESS_STDERR) {
		buf_add(&in->said, line, len);
		buf_char(&in->said, '\n');
	}
	code_say(in->code, line);
}

/* 1: installed; 0: this Python is not here, or has no pip; -1: failed. */
static int run_pip(struct install *in, const char *python, struct error *err)
{
	CLEANUP(str_list) struct str_list argv = { 0 };
	CLEANUP(buf) struct buf why = BUF_INIT(ERROR_MSG_MAX);
	struct process process = {
		.env = in->env,
		.folder = in_folder(in, "source"),
		.cancelled = in->code->options.cancelled,
		.line = on_line,
		.ctx = in,
	};
	int status = -1;

	str_list_push(&argv, python);
	str_list_push(&argv, "-m");
	str_list_push(&argv, "pip");
	pip_arguments(&in->target, "requirements.txt", in_folder(in, "installed"),
		      &in->arena, &argv);
	str_list_push(&argv, NULL);
	process.argv = argv.items;
	buf_clear(&in->said);
	if (process_run(&process, &status, err) == 0)
		return 1;
	if (err->code == ERR_CANCELLED || err->code == ERR_TIMEOUT)
		return -1;
	if (err->code == ERR_NOT_FOUND || status == NO_SUCH_PROGRAM ||
	    strstr(in->said.data, "No module named pip")) {
		error_clear(err);
		return 0;
	}
	pip_explain(&in->target, in->said.data, &why);
	return error_set(err, ERR_IO, "pip: %s", why.data);
}

static void warn_of_another_python(const struct install *in)
{
	CLEANUP(buf) struct buf text = BUF_INIT(512);

	buf_printf(&text,
		   "there is no %s with pip: python3 installs for it, and judges "
		   "conditions such as python_version < \"3.9\" by its own version",
		   in->target.runtime);
	code_say(in->code, text.data);
}

/* Any Python can install for another one, but judges conditions by itself: the runtime's is
 * asked first. */
static int install(struct install *in, struct error *err)
{
	int rc = run_pip(in, in->target.runtime, err);

	if (rc == 0) {
		warn_of_another_python(in);
		rc = run_pip(in, "python3", err);
	}
	if (rc == 0)
		return error_set(
			err, ERR_NOT_FOUND,
			"requirements.txt needs Python to be installed from: "
			"install python3 with pip, or use a `build:` command, or "
			"leave requirements.txt out if it is not needed");
	return rc < 0 ? -1 : 0;
}

/* What pip made */

struct taking {
	const char *root;
	const struct code *code;
	struct code_bytes_list *out;
};

static int take_bytes(struct taking *t, const struct fs_item *item, struct code_bytes *b,
		      struct error *err)
{
	CLEANUP(fs_file) struct fs_file file = FS_FILE_INIT;
	CLEANUP(buf) struct buf record = BUF_INIT(FILE_BYTES);

	if (fs_open_beneath(t->root, item->path, &file, err) < 0)
		return -1;
	if (!pip_is_record(item->path))
		return fs_file_read(&file, item->path, &b->text, err);
	if (fs_file_read(&file, item->path, &record, err) < 0)
		return -1;
	pip_clean_record(record.data, record.len, &b->text);
	return 0;
}

static bool is_kept(const struct taking *t, const struct fs_item *item)
{
	/* Source wins. */
	return !pip_leaves_out(item->path) && !code_find_file(t->code, item->path);
}

static int take_file(void *ctx, const struct fs_item *item, struct error *err)
{
	struct taking *t = ctx;
	struct code_bytes b = { .text = BUF_INIT(FILE_BYTES),
				.executable = item->executable };
	int rc;

	if (!is_kept(t, item))
		return 0;
	if (item->kind != FS_FILE)
		return error_set(err, ERR_DATA, "pip installed %s, which is no file",
				 item->path);
	rc = take_bytes(t, item, &b, err);
	if (rc < 0 || (str_starts(item->path, "bin/") &&
		       pip_is_launcher(b.text.data, b.text.len))) {
		buf_release(&b.text);
		return rc;
	}
	b.path = xstrdup(item->path);
	code_bytes_list_push(t->out, b);
	return 0;
}

/* Where all conditions exclude all requirements, pip makes no folder. */
static int take_installed(struct install *in, struct code_bytes_list *out,
			  struct error *err)
{
	struct taking t = { in_folder(in, "installed"), in->code, out };
	const struct fs_visitor visitor = { NULL, take_file, &t };

	if (fs_walk(t.root, &visitor, err) < 0) {
		if (err->code != ERR_NOT_FOUND || out->len)
			return -1;
		error_clear(err);
	}
	return 0;
}

static int make(struct install *in, const struct code_bytes_list *source,
		struct code_bytes_list *out, struct error *err)
{
	CLEANUP(code_needs) struct code_needs needs = { 0 };
	const struct code_options *o = &in->code->options;

	if (code_needs_read(in->code, &needs, err) < 0 ||
	    pip_target_of(&in->target, o->runtime, o->architecture, err) < 0)
		return -1;
	if (needs.only_runtimes)
		code_say(in->code,
			 "requirements.txt names nothing but what the runtime has: "
			 "without it, nothing would have to be installed");
	if (make_folder(in, err) < 0 || copy_source(in, &needs, source, err) < 0 ||
	    install(in, err) < 0)
		return -1;
	return take_installed(in, out, err);
}

int code_install(const struct code *c, const struct code_bytes_list *source,
		 struct code_bytes_list *out, struct error *err)
{
	CLEANUP(install)
	struct install in = { .code = c,
			      .folder = BUF_INIT(PATH_BYTES),
			      .said = BUF_INIT(SAID_BYTES) };

	in.env = pip_env(c->options.env);
	if (make(&in, source, out, err) < 0)
		return error_wrap(err, "%s", *c->options.path ? c->options.path : ".");
	return 0;
}

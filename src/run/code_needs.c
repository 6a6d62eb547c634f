#include "run/code_private.h"

#include <string.h>

#include "base/mem.h"
#include "core/requirements.h"

enum { TEXT_BYTES = 1 << 20, FILES_MOST = 50 };

void code_needs_release(struct code_needs *n)
{
	str_list_release(&n->files);
	arena_release(&n->arena);
}

/* One requirements file that is being read. */
struct reading {
	const struct code *code;
	struct code_needs *needs;
	const char *file;   /* in the archive */
	const char *folder; /* that it is in */
};

static int refuse(const struct reading *r, const struct requirement *line,
		  const char *why, struct error *err)
{
	return error_set(err, ERR_CONFIG, "%s:%u: \"%.100s\" %s", r->file, line->line,
			 line->text, why);
}

static void add_file(struct code_needs *needs, const char *path)
{
	for (size_t i = 0; i < needs->files.len; i++)
		if (str_eq(needs->files.items[i], path))
			return;
	str_list_push(&needs->files, path);
}

static int check_file(const struct reading *r, const struct requirement *line,
		      struct error *err)
{
	const char *path;

	if (requirement_is_remote(line->text))
		return 0;
	path = requirement_path(r->folder, line->text, &r->needs->arena);
	if (!path)
		return refuse(r, line,
			      "is outside of the function's folder, which is all that is "
			      "packed: copy it there",
			      err);
	if (!code_find_file(r->code, path))
		return refuse(r, line, "is not there", err);
	if (r->needs->files.len == FILES_MOST)
		return refuse(r, line, "is one requirements file too many", err);
	add_file(r->needs, path);
	return 0;
}

/* pip builds what is in the folder from a copy, which is gone afterwards. */
static int check_path(const struct reading *r, const char *folder,
		      const struct requirement *line, struct error *err)
{
	if (requirement_is_remote(line->text))
		return 0;
	if (!requirement_path(folder, line->text, &r->needs->arena))
		return refuse(r, line,
			      "is outside of the function's folder, which is all that is "
			      "packed: copy it there, or use a `build:` command",
			      err);
	r->needs->paths = true;
	return 0;
}

static int check_line(const struct reading *r, const struct requirement *line,
		      struct error *err)
{
	struct code_needs *needs = r->needs;

	/* A file of the folder's is read in its turn: what it names is what counts. */
	if (requirement_installs(line) &&
	    (line->kind != REQUIREMENT_FILE || requirement_is_remote(line->text))) {
		if (!requirement_is_in_runtime(line))
			needs->only_runtimes = false;
		needs->anything = true;
	}
	switch (line->kind) {
	case REQUIREMENT_FILE:
	case REQUIREMENT_CONSTRAINT:
		return check_file(r, line, err);
	case REQUIREMENT_PATH:
		return check_path(r, "", line, err);
	case REQUIREMENT_LINKS:
		return check_path(r, r->folder, line, err);
	case REQUIREMENT_EDITABLE:
		return refuse(r, line,
			      "is editable (-e), which would point back at this machine: "
			      "leave -e out",
			      err);
	case REQUIREMENT_NO_BINARY:
		return refuse(r, line,
			      "would be built here (--no-binary), for this machine and "
			      "not for Lambda: use a `build:` command",
			      err);
	case REQUIREMENT_PACKAGE:
	case REQUIREMENT_OPTION:
		return 0;
	}
	return 0;
}

static int read_file(const struct reading *r, struct error *err)
{
	CLEANUP(requirement_list) struct requirement_list lines = { 0 };
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_BYTES);
	const struct code_file *f = code_find_file(r->code, r->file);
	struct tree tree = code_tree(r->code);

	if (tree_read(&tree, f->from, &f->id, &text, err) < 0)
		return -1;
	requirements_read(text.data, text.len, &r->needs->arena, &lines);
	for (size_t i = 0; i < lines.len; i++)
		if (check_line(r, &lines.items[i], err) < 0)
			return -1;
	return 0;
}

int code_needs_read(const struct code *c, struct code_needs *out, struct error *err)
{
	out->only_runtimes = true;
	add_file(out, "requirements.txt");
	for (size_t i = 0; i < out->files.len; i++) {
		const char *file = out->files.items[i];
		const char *slash = strrchr(file, '/');
		struct reading r = { c, out, file, "" };

		if (slash)
			r.folder = arena_strndup(&out->arena, file,
						 (size_t)(slash - file));
		if (read_file(&r, err) < 0)
			return -1;
	}
	return 0;
}

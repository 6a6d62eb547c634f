/* Whether a function's archive has the file that its handler names. Lambda takes any archive, and
 * fails when the function is called: a folder too high or too low takes a site's counter down. */
#include "run/backend_private.h"

#include "base/path.h"
#include "codec/zip.h"
#include "core/handler.h"

enum { NAMED_MOST = 5 };

/* What was seen of an archive. */
struct looking {
	const struct lambda_function *function;
	struct arena arena;
	const char *wanted;
	bool found;
	bool executable;
	const char *
		near; /* the same name in another folder, or in none; NULL: there is none */
	size_t n;
	struct buf names; /* of the first files */
};

static void looking_release(struct looking *l)
{
	buf_release(&l->names);
	arena_release(&l->arena);
}

static void look_at(void *ctx, const char *path, bool executable)
{
	struct looking *l = ctx;

	if (handler_is_at(l->function->runtime, l->function->handler, path)) {
		l->found = true;
		l->executable |= executable;
	}
	if (!l->near && str_eq(path_name(path), path_name(l->wanted)))
		l->near = arena_strdup(&l->arena, path);
	if (l->n++ < NAMED_MOST)
		buf_printf(&l->names, "%s%s", l->n > 1 ? ", " : "", path);
}

/* The folder that a backend's path packs: a file by itself is packed without its own. */
static const char *packed_folder(const struct backend_work *b, struct arena *arena)
{
	const char *path = b->backend->path;
	const char *name = path_name(path);

	if (b->code.files.len != 1 || !str_eq(b->code.files.items[0].from, path))
		return path;
	return arena_strndup(arena, path, (size_t)(name - path) - (name > path));
}

/* What to do about it. */
static void advise(const struct backend_work *b, struct looking *l, struct buf *out)
{
	const char *folder = NULL;

	if (l->near && !b->code.is_archive && !b->backend->build)
		folder = handler_folder(packed_folder(b, &l->arena), l->near, l->wanted,
					&l->arena);
	if (folder)
		buf_printf(out, ": with `path: %s` there would be",
			   *folder ? folder : ".");
	else
		buf_printf(out,
			   ", but %s%s: mend `path`, or the handler with the tool that "
			   "owns the function",
			   l->names.data, l->n > NAMED_MOST ? ", ..." : "");
}

static int refuse(const struct backend_work *b, struct looking *l, struct error *err)
{
	CLEANUP(buf) struct buf advice = BUF_INIT(16384);

	advise(b, l, &advice);
	return error_set(err, ERR_CONFIG,
			 "backend %s: function %s runs %s, and there is no %s in what "
			 "would be deployed%s",
			 b->backend->name, backend_target(b), l->function->handler,
			 l->wanted, advice.data);
}

int backend_check_handler(const struct backend_work *b, struct error *err)
{
	CLEANUP(looking)
	struct looking l = { .function = &b->latest, .names = BUF_INIT(8192) };

	l.wanted = handler_file(b->latest.runtime, b->latest.handler, &l.arena);
	if (!l.wanted || b->latest.has_more_code)
		return 0;
	if (!zip_each(b->zip.data, b->zip.len, look_at, &l))
		return 0;
	if (!l.found)
		return refuse(b, &l, err);
	if (handler_is_program(b->latest.runtime) && !l.executable)
		return error_set(
			err, ERR_CONFIG,
			"backend %s: %s is not executable, and Lambda starts it: "
			"chmod +x, or git update-index --chmod=+x",
			b->backend->name, l.wanted);
	return 0;
}

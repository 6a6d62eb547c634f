/* git_repo.h - real repositories for tests, made by the git program in a folder of their own.
 *
 * Include after cmocka.h. Every failure fails the test. */
#ifndef TESTS_GIT_REPO_H
#define TESTS_GIT_REPO_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "core/snapshot.h"
#include "io/fs.h"
#include "io/git.h"
#include "io/process.h"

struct sandbox {
	char *path; /* an empty folder at first, and the home of git and libgit2 */
	char **env;
	unsigned commits; /* made so far: their dates are a minute apart */
};

static inline void sandbox_start(struct sandbox *s)
{
	static char *const empty[] = { NULL };
	static const char *const none[] = { NULL };
	static const char config[] =
		"[user]\n\tname = A U Thor\n\temail = a@example.com\n"
		"[init]\n\tdefaultBranch = main\n[safe]\n\tdirectory = *\n"
		"[uploadpack]\n\tallowFilter = true\n\tallowAnySHA1InWant = true\n"
		"[core]\n\tautocrlf = false\n[gc]\n\tauto = 0\n[advice]\n\tdetachedHead = false\n";
	CLEANUP(buf) struct buf path = BUF_INIT(4096);
	struct error err = ERROR_INIT;

	assert_int_equal(fs_make_temp("/tmp", &path, &err), 0);
	s->commits = 0;
	s->path = xstrdup(path.data);
	s->env = process_env_without(empty, none);
	s->env = process_env_set(s->env, "PATH", getenv("PATH"));
	s->env = process_env_set(s->env, "HOME", s->path);
	s->env = process_env_set(s->env, "GIT_CONFIG_NOSYSTEM", "1");
	setenv("HOME", s->path, 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	assert_int_equal(chdir(s->path), 0);
	assert_int_equal(fs_write(".gitconfig", config, strlen(config), &err), 0);
}

static inline void sandbox_end(struct sandbox *s)
{
	struct error err = ERROR_INIT;

	assert_int_equal(chdir("/"), 0);
	if (fs_remove_tree(s->path, &err) < 0)
		fail_msg("%s", err.msg);
	process_env_free(s->env);
	free(s->path);
}

/* Runs a shell script in a folder below the sandbox; what it prints is appended to out,
 * which may be NULL. */
static inline void run(struct sandbox *s, const char *folder, struct buf *out,
		       const char *fmt, ...) __attribute__((format(printf, 4, 5)));
static inline void run(struct sandbox *s, const char *folder, struct buf *out,
		       const char *fmt, ...)
{
	CLEANUP(buf) struct buf errors = BUF_INIT(1 << 20);
	CLEANUP(buf) struct buf where = BUF_INIT(4096);
	CLEANUP_PTR(mem) char *script = xmalloc(1 << 16);
	const char *argv[] = { "sh", "-ec", script, NULL };
	struct error err = ERROR_INIT;
	struct process p = {
		.argv = argv, .out = out, .errors = &errors, .timeout_ms = 120000
	};
	char date[32];
	va_list args;

	va_start(args, fmt);
	vsnprintf(script, 1 << 16, fmt, args);
	va_end(args);
	snprintf(date, sizeof(date), "%u +0000", 1700000000 + 60 * s->commits++);
	s->env = process_env_set(s->env, "GIT_AUTHOR_DATE", date);
	s->env = process_env_set(s->env, "GIT_COMMITTER_DATE", date);
	buf_printf(&where, "%s/%s", s->path, folder);
	p.folder = where.data;
	p.env = s->env;
	if (process_run(&p, NULL, &err) < 0)
		fail_msg("%s\n%s%s", script, errors.data, err.msg);
}

/* The id that a revision of a repository of the sandbox has. */
static inline struct oid id_of(struct sandbox *s, const char *folder,
			       const char *revision)
{
	CLEANUP(buf) struct buf out = BUF_INIT(4096);
	struct oid id;

	run(s, folder, &out, "git rev-parse '%s'", revision);
	buf_truncate(&out, 40);
	assert_true(oid_from_hex(out.data, &id));
	return id;
}

/* The modes as git writes them. */
static inline const char *mode_text(enum repo_mode mode)
{
	static const char *const texts[] = {
		[REPO_FILE] = "100644",    [REPO_EXECUTABLE] = "100755",
		[REPO_SYMLINK] = "120000", [REPO_SUBMODULE] = "160000",
		[REPO_FOLDER] = "040000",
	};

	return texts[mode];
}

/* For repo_walk: prints what `git ls-tree -rz` prints. ctx is a struct buf. */
static inline int print_item(void *ctx, const struct repo_item *item, struct error *err)
{
	char hex[OID_HEX_SIZE];

	(void)err;
	buf_printf(ctx, "%s %s %s\t", mode_text(item->mode),
		   item->mode == REPO_SUBMODULE ? "commit" : "blob",
		   oid_hex(&item->id, hex));
	buf_add(ctx, item->path, strlen(item->path) + 1);
	return 0;
}

static inline char kind_of_change(const struct repo_item *before,
				  const struct repo_item *after)
{
	if (!before || !after)
		return before ? 'D' : 'A';
	return strncmp(mode_text(before->mode), mode_text(after->mode), 3) ? 'T' : 'M';
}

/* For repo_diff: prints what `git diff -z --raw --no-abbrev --no-renames` prints. */
static inline int print_change(void *ctx, const struct repo_item *before,
			       const struct repo_item *after, struct error *err)
{
	static const struct oid zero = { { 0 } };
	const char *path = before ? before->path : after->path;
	char old[OID_HEX_SIZE];
	char new[OID_HEX_SIZE];

	(void)err;
	buf_printf(ctx, ":%s %s %s %s %c", before ? mode_text(before->mode) : "000000",
		   after ? mode_text(after->mode) : "000000",
		   oid_hex(before ? &before->id : &zero, old),
		   oid_hex(after ? &after->id : &zero, new),
		   kind_of_change(before, after));
	buf_add(ctx, "", 1);
	buf_add(ctx, path, strlen(path) + 1);
	return 0;
}

/* Fails, showing both with NUL as a line's end, unless they are equal. */
static inline void assert_same(const struct buf *ours, const struct buf *theirs,
			       const char *what)
{
	if (ours->len == theirs->len && memcmp(ours->data, theirs->data, ours->len) == 0)
		return;
	for (size_t i = 0; i < ours->len; i++)
		ours->data[i] = ours->data[i] ? ours->data[i] : '\n';
	for (size_t i = 0; i < theirs->len; i++)
		theirs->data[i] = theirs->data[i] ? theirs->data[i] : '\n';
	fail_msg("%s\nours:\n%s\ngit's:\n%s", what, ours->data, theirs->data);
}

#endif

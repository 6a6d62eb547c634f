#define _XOPEN_SOURCE 700 /* setenv */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/str.h"
#include "run/source.h"

#include "git_random.h"

/* What a base holds is the same whether its tree is read, or only where it differs from the
 * head. */

enum { COMMITS = 60, SITES = 4 };

static const struct {
	const char *path;
	const char *exclude[3];
	const char *include[3];
} sites[SITES] = {
	{ "", { "b/", "*.b" }, { NULL } },
	{ "a", { "a-/", "!b" }, { ".hidden/", "key.pem" } },
	{ "b", { NULL }, { "/node_modules/a/" } },
	{ "a/b", { "*", "!a*" }, { NULL } },
};

static void push_patterns(struct glob_list *list, const char *const *patterns)
{
	for (; *patterns; patterns++) {
		struct glob g;

		assert_true(glob_parse(*patterns, &g));
		glob_list_push(list, g);
	}
}

static void make_config(struct config *c)
{
	for (size_t i = 0; i < SITES; i++) {
		struct site *site = config_add_site(c, "x", sites[i].path);

		push_patterns(&site->exclude, sites[i].exclude);
		push_patterns(&site->include, sites[i].include);
	}
	config_add_backend(c, "api", "a/a0");
}

/* A head must be such that it can be deployed; a base need not be. */
static struct oid commit_sound(struct sandbox *s, const struct files *files,
			       char blobs[BLOBS][OID_HEX_SIZE])
{
	CLEANUP(files) struct files sound = { 0 };

	for (size_t i = 0; i < files->len; i++) {
		struct file f = files->items[i];

		if (!str_is_utf8(f.path, strlen(f.path)))
			continue;
		if (!str_starts(f.mode, "100"))
			f.mode = "100644";
		files_push(&sound, f);
	}
	return commit_files(s, &sound, blobs);
}

static void assert_same_snapshot(const struct snapshot *ours,
				 const struct snapshot *theirs)
{
	for (size_t i = 0; i < ours->len && i < theirs->len; i++) {
		assert_string_equal(ours->items[i].path, theirs->items[i].path);
		assert_memory_equal(&ours->items[i].id, &theirs->items[i].id,
				    sizeof(struct oid));
		assert_null(ours->items[i].etag);
	}
	assert_int_equal(ours->len, theirs->len);
}

/* 1: compared; 0: the head has no such site. */
static unsigned compare_base(const struct source_options *options, const struct oid *base)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(source) struct source source = { .repo = NULL };
	CLEANUP(snapshot) struct snapshot head = { 0 };
	CLEANUP(snapshot) struct snapshot differing = { 0 };
	CLEANUP(snapshot) struct snapshot whole = { 0 };
	struct error err = ERROR_INIT;

	if (source_open(&source, options, &err) < 0 ||
	    source_snapshot(&source, &arena, &head, &err) < 0) {
		if (err.code != ERR_CONFIG)
			fail_msg("%s", err.msg);
		return 0;
	}
	if (source_snapshot_of(&source, base, &head, &arena, &differing, &err) < 0 ||
	    source_snapshot_whole(&source, base, &arena, &whole, &err) < 0)
		fail_msg("%s", err.msg);
	assert_same_snapshot(&differing, &whole);
	return 1;
}

static void test_source_snapshot__of_a_base_from_the_difference(void **state)
{
	CLEANUP(config) struct config config = CONFIG_INIT;
	CLEANUP(files) struct files files = { 0 };
	CLEANUP_PTR(repo) struct repo *r = NULL;
	char blobs[BLOBS][OID_HEX_SIZE];
	struct oid commits[COMMITS];
	struct sandbox s;
	struct error err = ERROR_INIT;
	uint64_t seed = 1181783497276652981;
	unsigned compared = 0;

	(void)state;
	sandbox_start(&s);
	run(&s, "", NULL, "git init -q r");
	make_blobs(&s, blobs);
	make_config(&config);
	assert_int_equal(repo_open("r", NULL, &r, &err), 0);
	for (unsigned i = 0; i < COMMITS; i++) {
		struct oid head;

		random_edit(&seed, &files);
		commits[i] = commit_files(&s, &files, blobs);
		head = commit_sound(&s, &files, blobs);
		for (size_t k = 0; k < SITES; k++) {
			const struct source_options options = {
				.repo = r,
				.config = &config,
				.site = &config.sites.items[k],
				.commit = &head,
			};

			compared += compare_base(&options, &commits[i ? i - 1 : 0]);
			compared += compare_base(&options, &commits[below(&seed, i + 1)]);
		}
	}
	assert_true(compared > COMMITS);
	sandbox_end(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_source_snapshot__of_a_base_from_the_difference),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

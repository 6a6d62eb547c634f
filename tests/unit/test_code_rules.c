#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/code_rules.h"

/* As a walk asks: each folder on the way, then the file. */
static bool leaves_out(enum code_kind kind, const char *path)
{
	for (size_t n = 1; path[n - 1]; n++) {
		CLEANUP_PTR(mem) char *part = xstrndup(path, n);

		if ((path[n] == '/' || !path[n]) && code_leaves_out(kind, part))
			return true;
	}
	return false;
}

/* A path, and of which kinds it is left out: P Python, S other source, R ready. */
static const struct {
	const char *path, *kinds;
} cases[] = {
	{ ".git", "PSR" },
	{ ".gitignore", "PSR" },
	{ ".github/workflows/x.yml", "PSR" },
	{ "a/.git/config", "PSR" },
	{ ".crc/state.json", "PSR" },
	{ ".env", "PSR" },
	{ "a/.env", "PSR" },
	{ ".env.example", "PS" },
	{ ".env.local", "PS" },
	{ ".environment", "" },
	{ ".aws-sam/build/x", "PSR" },
	{ ".terraform/providers/x", "PSR" },
	{ ".terraform.lock.hcl", "PS" },
	{ "main.tf", "PS" },
	{ "main.tf.json", "PS" },
	{ "a.tf/x", "PS" },
	{ "main.tfx", "" },
	{ "terraform.tfvars", "PSR" },
	{ "a/prod.auto.tfvars.json", "PSR" },
	{ "tfplan", "PSR" },
	{ "x/dev.tfplan", "PSR" },
	{ "tfplan.py", "" },
	{ "signing.key", "PS" },
	{ "keys.py", "" },
	{ "certifi/cacert.pem", "" },
	{ "terraform.tfstate", "PSR" },
	{ "terraform.tfstate.backup", "PSR" },
	{ "x/.DS_Store", "PSR" },
	{ "__pycache__/app.cpython-313.pyc", "PSR" },
	{ "app.pyc", "PS" },
	{ "venv/bin/python", "PS" },
	{ ".venv/pyvenv.cfg", "PS" },
	{ ".pytest_cache/x", "PS" },
	{ ".mypy_cache/x", "PS" },
	{ ".coverage", "PS" },
	{ ".idea/x", "PS" },
	{ "env/bin/python", "P" },
	{ "src/env/index.js", "P" },
	{ "environment/x", "" },
	{ "node_modules/x/index.js", "P" },
	{ "x.egg-info/PKG-INFO", "P" },
	{ "x.dist-info/METADATA", "" },
	{ "htmlcov/index.html", "P" },
	{ "app.py", "" },
	{ "lib/native.so", "" },
	{ "lib/native.cpython-313-x86_64-linux-gnu.so", "" },
	{ "tests/test_app.py", "" },
	{ "README.md", "" },
	{ "digit", "" },
	{ "x.git", "" },
};

static void each_path_is_left_out_of_its_kinds(void **state)
{
	static const struct {
		enum code_kind kind;
		char letter;
	} kinds[] = { { CODE_PYTHON, 'P' }, { CODE_SOURCE, 'S' }, { CODE_READY, 'R' } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		for (size_t k = 0; k < 3; k++) {
			bool expected = false;

			for (const char *c = cases[i].kinds; *c; c++)
				expected = expected || *c == kinds[k].letter;
			if (leaves_out(kinds[k].kind, cases[i].path) != expected)
				fail_msg("%s: %c", cases[i].path, kinds[k].letter);
		}
	}
}

static void a_name_is_looked_at_as_a_whole(void **state)
{
	(void)state;
	assert_true(code_leaves_out(CODE_READY, ".git"));
	assert_false(code_leaves_out(CODE_READY, "a.git"));
	assert_true(code_leaves_out(CODE_PYTHON, "ENV"));
	assert_false(code_leaves_out(CODE_PYTHON, "Env"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_path_is_left_out_of_its_kinds),
		cmocka_unit_test(a_name_is_looked_at_as_a_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

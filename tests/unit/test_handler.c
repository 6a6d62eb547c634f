#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/str.h"
#include "core/handler.h"

/* The file of a handler, and other paths where it would be found, or not. */
static const struct handler_case {
	const char *runtime, *handler, *file, *at[5], *not_at[6];
} handlers[] = {
	{ "python3.13",
	  "app.handler",
	  "app.py",
	  { "app/__init__.py", "app.pyc", "app/__init__.pyc",
	    "app.cpython-313-x86_64-linux-gnu.so" },
	  { "src/app.py", "app.js", "app/x.py", "app.txt", "app2.py", "apps.so" } },
	{ "python3.9", "src.app.handler", "src/app.py", { NULL }, { "app.py" } },
	{ "python3.9", "src/app.handler", "src/app.py", { NULL }, { "src.app.py" } },
	{ "python3.9", "./app.handler", "app.py", { NULL }, { NULL } },
	{ "python3.9", "visit-counter.f", "visit-counter.py", { NULL }, { NULL } },
	{ "nodejs22.x",
	  "index.handler",
	  "index.js",
	  { "index.mjs", "index.cjs", "index", "node_modules/index/main.js",
	    "node_modules/index.js" },
	  { "index.py", "lib/index.js", "index.ts", "node_modules/indexes/a.js" } },
	{ "nodejs22.x", "lib/a.b.handler", "lib/a.js", { "lib/a.mjs" }, { "a.js" } },
	{ "nodejs22.x", "a.d/x.handler", "a.d/x.js", { NULL }, { "a.js" } },
	{ "ruby3.4", "main.App::Api.run", "main.rb", { NULL }, { "main.py" } },
	{ "provided.al2023", "whatever", "bootstrap", { NULL }, { "whatever" } },
	{ "provided", "", "bootstrap", { NULL }, { "bin/bootstrap" } },
	/* What cannot be told. */
	{ "python3.13", "/opt/x.handler", NULL, { NULL }, { "x.py" } },
	{ "python3.13", "../x.handler", NULL, { NULL }, { "x.py" } },
	{ "python3.13", "handler", NULL, { NULL }, { "handler.py" } },
	{ "python3.13", "handler.", NULL, { NULL }, { "handler.py" } },
	{ "python3.13", "src/.handler", NULL, { NULL }, { "src/.py" } },
	{ "python3.13", ".handler", NULL, { NULL }, { ".py" } },
	{ "nodejs22.x", "/opt/nodejs/x.handler", NULL, { NULL }, { "x.js" } },
	{ "nodejs22.x", "a.b/x", NULL, { NULL }, { "a.js" } },
	{ "python3.13", "", NULL, { NULL }, { ".py" } },
	{ "java21", "com.example.App::handle", NULL, { NULL }, { "App.class" } },
	{ "dotnet8", "App::App.F::H", NULL, { NULL }, { "App.dll" } },
	{ "", "", NULL, { NULL }, { "bootstrap" } },
};

static void check_paths(const struct handler_case *c)
{
	for (size_t i = 0; i < 5 && c->at[i]; i++)
		if (!handler_is_at(c->runtime, c->handler, c->at[i]))
			fail_msg("%s: not at %s", c->handler, c->at[i]);
	for (size_t i = 0; i < 6 && c->not_at[i]; i++)
		if (handler_is_at(c->runtime, c->handler, c->not_at[i]))
			fail_msg("%s: at %s", c->handler, c->not_at[i]);
}

static void each_runtime_has_its_file(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(handlers) / sizeof(*handlers); i++) {
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		const struct handler_case *c = &handlers[i];
		const char *file = handler_file(c->runtime, c->handler, &arena);

		if (!str_eq(file, c->file))
			fail_msg("%s %s: %s", c->runtime, c->handler,
				 file ? file : "NULL");
		if (file && !handler_is_at(c->runtime, c->handler, file))
			fail_msg("%s: not at %s", c->handler, file);
		check_paths(c);
	}
}

static void only_bootstraps_are_started(void **state)
{
	(void)state;
	assert_true(handler_is_program("provided.al2"));
	assert_false(handler_is_program("python3.13"));
	assert_false(handler_is_program(""));
	assert_false(handler_is_program("java21"));
}

static void another_folder_would_do(void **state)
{
	static const struct {
		const char *packed, *found, *wanted, *folder;
	} cases[] = {
		/* too high */
		{ "", "lambda/func.py", "func.py", "lambda" },
		{ "backend", "lambda/a/func.py", "func.py", "backend/lambda/a" },
		{ "backend", "lambda/src/func.py", "src/func.py", "backend/lambda" },
		/* too low */
		{ "lambda", "func.py", "lambda/func.py", "" },
		{ "backend/lambda", "func.py", "lambda/func.py", "backend" },
		{ "a/b/c", "func.py", "b/c/func.py", "a" },
		{ "b/c", "func.py", "b/c/func.py", "" },
		{ "b/c", "d/func.py", "c/d/func.py", "b" },
		/* elsewhere */
		{ "lambda", "func.py", "src/func.py", NULL },
		{ "", "func.py", "src/func.py", NULL },
		{ "a-src", "func.py", "src/func.py", NULL },
		{ "a", "x/func.py", "y/func.py", NULL },
		{ "a", "myfunc.py", "func.py", NULL },
		{ "a", "func.py", "func.py", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(arena) struct arena arena = ARENA_INIT;
		const char *folder = handler_folder(cases[i].packed, cases[i].found,
						    cases[i].wanted, &arena);

		if (!str_eq(folder, cases[i].folder))
			fail_msg("%s, %s for %s: %s", cases[i].packed, cases[i].found,
				 cases[i].wanted, folder ? folder : "NULL");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_runtime_has_its_file),
		cmocka_unit_test(only_bootstraps_are_started),
		cmocka_unit_test(another_folder_would_do),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

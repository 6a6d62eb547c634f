#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "core/pip.h"

static struct pip_target target(const char *runtime, const char *architecture)
{
	struct error err = ERROR_INIT;
	struct pip_target t;

	assert_int_equal(pip_target_of(&t, runtime, architecture, &err), 0);
	return t;
}

static void only_python_3_is_installed_for(void **state)
{
	static const char *const runtimes[] = { "python2.7", "python",      "python3",
						"python3.",  "python3.x",   "nodejs22.x",
						"python4.1", "python3.13-x" };
	struct error err = ERROR_INIT;
	struct pip_target t;

	(void)state;
	for (size_t i = 0; i < sizeof(runtimes) / sizeof(*runtimes); i++) {
		assert_int_equal(pip_target_of(&t, runtimes[i], "x86_64", &err), -1);
		assert_int_equal(err.code, ERR_CONFIG);
		assert_non_null(strstr(err.msg, runtimes[i]));
	}
	assert_int_equal(pip_target_of(&t, "python3.13", "aarch64", &err), -1);
	assert_string_equal(target("python3.9", "arm64").version, "3.9");
	assert_true(pip_is_python("python2.7"));
	assert_false(pip_is_python("provided.al2023"));
}

static void arguments(const struct pip_target *t, struct buf *out)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(str_list) struct str_list list = { 0 };

	pip_arguments(t, "requirements.txt", "../lib", &arena, &list);
	for (size_t i = 0; i < list.len; i++)
		buf_printf(out, "%s ", list.items[i]);
}

/* Which texts must be among the arguments, and which must not. */
static void each_target_has_its_platforms(void **state)
{
	static const struct {
		const char *runtime, *architecture, *has[6], *lacks[3];
	} cases[] = {
		{ "python3.13",
		  "x86_64",
		  { "--python-version 3.13 ", "--abi cp313 ", "manylinux_2_34_x86_64 ",
		    "manylinux2014_x86_64 ", "manylinux_2_17_x86_64 ",
		    "manylinux1_x86_64 " },
		  { "aarch64", "manylinux_2_35", "manylinux_2_4_" } },
		{ "python3.12",
		  "arm64",
		  { "manylinux_2_34_aarch64 ", "manylinux2014_aarch64 ",
		    "manylinux_2_17_aarch64 ", "--implementation cp ",
		    "--only-binary=:all: ", "--target ../lib " },
		  { "x86_64", "manylinux_2_16_", "manylinux1" } },
		{ "python3.11",
		  "x86_64",
		  { "manylinux_2_26_x86_64 ", "manylinux2014_x86_64 ", "--abi cp311 ",
		    "--no-compile ", "--no-input ", "--requirement requirements.txt " },
		  { "manylinux_2_27", "manylinux_2_34", "aarch64" } },
		{ "python3.7",
		  "x86_64",
		  { "--python-version 3.7 ", NULL },
		  { "--abi", NULL } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf all = BUF_INIT(1 << 16);
		struct pip_target t = target(cases[i].runtime, cases[i].architecture);

		arguments(&t, &all);
		for (size_t k = 0; k < 6 && cases[i].has[k]; k++)
			if (!strstr(all.data, cases[i].has[k]))
				fail_msg("%s lacks %s", all.data, cases[i].has[k]);
		for (size_t k = 0; k < 3 && cases[i].lacks[k]; k++)
			if (strstr(all.data, cases[i].lacks[k]))
				fail_msg("%s has %s", all.data, cases[i].lacks[k]);
	}
}

static void what_tells_of_this_machine_is_left_out(void **state)
{
	static const char *const out[] = { "x/__pycache__/y.txt", "x.pyc",
					   "a-1.dist-info/direct_url.json" };
	static const char *const kept[] = { "x.py",
					    "direct_url.json",
					    "a/direct_url.json",
					    "a-1.dist-info/RECORD",
					    "bin/tool",
					    "a.dist-info/b/direct_url.json" };

	(void)state;
	for (size_t i = 0; i < sizeof(out) / sizeof(*out); i++)
		assert_true(pip_leaves_out(out[i]));
	for (size_t i = 0; i < sizeof(kept) / sizeof(*kept); i++)
		assert_false(pip_leaves_out(kept[i]));
	assert_true(pip_is_record("a-1.dist-info/RECORD"));
	assert_false(pip_is_record("a/RECORD"));
	assert_false(pip_is_record("RECORD"));
}

static void launchers_are_told_from_other_programs(void **state)
{
	static const char *const launchers[] = {
		"#!/usr/bin/python3\nimport x\n",
		"#! /srv/x/.venv/bin/python3.11 -s\n",
		"#!/bin/sh\n'''exec' \"/very long/python\" \"$0\" \"$@\"\n' '''\n",
	};
	static const char *const others[] = {
		"#!/usr/bin/env python3\n",
		"#!/bin/sh\nexec tool\n",
		"\177ELF python",
		"#!",
		"",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(launchers) / sizeof(*launchers); i++)
		if (!pip_is_launcher(launchers[i], strlen(launchers[i])))
			fail_msg("%s", launchers[i]);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (pip_is_launcher(others[i], strlen(others[i])))
			fail_msg("%s", others[i]);
}

static void a_record_loses_the_lines_of_what_is_left_out(void **state)
{
	static const char before[] = "../../bin/tiny,sha256=aa,227\n"
				     "\"../../bin/ti,ny\",sha256=aa,227\n"
				     "a-1.dist-info/RECORD,,\n"
				     "a-1.dist-info/direct_url.json,sha256=cc,3\n"
				     "a/__pycache__/b.pyc,,\n"
				     "\"a/b,c.py\",sha256=dd,4\r\n"
				     "a/b.py,sha256=ee,5";
	CLEANUP(buf) struct buf out = BUF_INIT(4096);

	(void)state;
	pip_clean_record(before, strlen(before), &out);
	assert_string_equal(out.data, "a-1.dist-info/RECORD,,\n"
				      "\"a/b,c.py\",sha256=dd,4\r\n"
				      "a/b.py,sha256=ee,5");
}

static void failures_are_explained(void **state)
{
	static const struct {
		const char *said, *expected;
	} cases[] = {
		{ "Looking in indexes: x\n"
		  "ERROR: Could not find a version that satisfies the requirement "
		  "numpy==9 (from versions: 1.0, 2.0)\n"
		  "ERROR: No matching distribution found for numpy==9\n",
		  "no wheel of numpy==9 for python3.13 on arm64 (manylinux); there are "
		  "those of 1.0, 2.0: pin another version, or use a `build:` command" },
		{ "ERROR: Could not find a version that satisfies the requirement x "
		  "(from -r requirements.txt (line 1)) (from versions: none)\n"
		  "ERROR: No matching distribution found for x (from -r "
		  "requirements.txt (line 1))\n",
		  "no wheel of x for python3.13 on arm64 (manylinux): pin another "
		  "version, or use a `build:` command" },
		{ "ERROR: x-1-cp311-cp311-win32.whl is not a supported wheel on this "
		  "platform.\n",
		  "no wheel of x-1-cp311-cp311-win32.whl for python3.13 on arm64 "
		  "(manylinux): pin another version, or use a `build:` command" },
		{ "WARNING: Retrying (Retry(total=0)) after connection broken by "
		  "'Refused': /simple/x/\nERROR: No matching distribution found for x\n",
		  "the package index could not be reached: 'Refused': /simple/x/ (PIP_* "
		  "variables and pip.conf say where it is)" },
		{ "ERROR: Could not install packages due to an OSError: [Errno 28] No "
		  "space left on device\n\n",
		  "Could not install packages due to an OSError: [Errno 28] No space "
		  "left on device" },
		{ "ERROR: Could not install packages due to an OSError: "
		  "HTTPSConnectionPool(host='x', port=443): Max retries exceeded\n",
		  "the package index could not be reached: HTTPSConnectionPool(host='x', "
		  "port=443): Max retries exceeded (PIP_* variables and pip.conf say "
		  "where it is)" },
		{ "ERROR: Invalid requirement: '!!'\nHint: x\n",
		  "Invalid requirement: '!!'" },
		{ "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES.\n    x==1 from "
		  "https://example.com/x.whl:\n        Expected sha256 aa\n",
		  "THESE PACKAGES DO NOT MATCH THE HASHES. x==1 from "
		  "https://example.com/x.whl" },
		{ "ERROR: \n    ", " " },
		{ "Traceback\nMemoryError\n\n", "MemoryError" },
		{ "", "it says nothing" },
	};
	struct pip_target t = target("python3.13", "arm64");

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(4096);

		pip_explain(&t, cases[i].said, &out);
		assert_string_equal(out.data, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_python_3_is_installed_for),
		cmocka_unit_test(each_target_has_its_platforms),
		cmocka_unit_test(what_tells_of_this_machine_is_left_out),
		cmocka_unit_test(launchers_are_told_from_other_programs),
		cmocka_unit_test(a_record_loses_the_lines_of_what_is_left_out),
		cmocka_unit_test(failures_are_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

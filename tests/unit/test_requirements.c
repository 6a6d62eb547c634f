#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/str.h"
#include "core/requirements.h"

/* "1 P requests" a line: line, kind, text. */
static void spell(const char *text, size_t n, struct buf *out)
{
	static const char kinds[] = {
		[REQUIREMENT_PACKAGE] = 'P',   [REQUIREMENT_PATH] = '.',
		[REQUIREMENT_FILE] = 'r',      [REQUIREMENT_CONSTRAINT] = 'c',
		[REQUIREMENT_LINKS] = 'f',     [REQUIREMENT_EDITABLE] = 'e',
		[REQUIREMENT_NO_BINARY] = 'n', [REQUIREMENT_OPTION] = '-',
	};
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(requirement_list) struct requirement_list list = { 0 };

	requirements_read(text, n, &arena, &list);
	for (size_t i = 0; i < list.len; i++)
		buf_printf(out, "%u %c %s\n", list.items[i].line,
			   kinds[list.items[i].kind], list.items[i].text);
}

static const struct {
	const char *text, *expected;
} cases[] = {
	{ "", "" },
	{ "\n  \n# requests\n\t# x\n", "" },
	{ "requests", "1 P requests\n" },
	{ "Requests==2.0 # pinned\r\nboto3>=1\r\n", "1 P requests\n2 P boto3\n" },
	{ "requests[socks]==2 ; python_version < \"3\"\n", "1 P requests\n" },
	{ "a~=1\nb!=2\nc<3\nd>4\ne (1)\n", "1 P a\n2 P b\n3 P c\n4 P d\n5 P e\n" },
	{ "a#b\n", "1 P a#b\n" },
	{ "a \\\n  --hash=sha256:aa \\\n  --hash=sha256:bb\nb\n", "1 P a\n4 P b\n" },
	{ "# x \\\nb\n", "2 P b\n" },
	{ "a\\", "1 P a\n" },
	{ "a==1 \\\r\n  --hash=sha256:aa\r\nb\r\n", "1 P a\n3 P b\n" },
	{ "-r base.txt\n-rbase.txt\n--requirement base.txt\n--requirement=base.txt\n",
	  "1 r base.txt\n2 r base.txt\n3 r base.txt\n4 r base.txt\n" },
	{ "-c pins.txt\n-f wheels\n--find"
	  "-links ./wheels\n",
	  "1 c pins.txt\n2 f wheels\n3 f ./wheels\n" },
	{ "-e .\n--editable ./pkg\n-e \"./my pkg\"\n",
	  "1 e .\n2 e ./pkg\n3 e ./my pkg\n" },
	{ "--no-binary :all:\n--no-binary=x\n", "1 n :all:\n2 n x\n" },
	{ "-i https://example.com/simple\n--pre\n", "1 - -i\n2 - --pre\n" },
	{ ".\n./pkg\n../pkg\n/abs\n~/x\npkg/\nx-1.0-py3-none-any.whl\nx.tar.gz\n",
	  "1 . .\n2 . ./pkg\n3 . ../pkg\n4 . /abs\n5 . ~/x\n6 . pkg/\n"
	  "7 . x-1.0-py3-none-any.whl\n8 . x.tar.gz\n" },
	{ "./pkg[dev]\n./pkg ; python_version > '3'\n", "1 . ./pkg\n2 . ./pkg\n" },
	{ "file:./pkg\nx @ file:///srv/x\n", "1 . file:./pkg\n2 . file:///srv/x\n" },
	{ "x @ https://example.com/x.whl\ngit+https://example.com/x.git\n",
	  "1 P x\n2 P git+https://example.com/x.git\n" },
	{ "\xEF\xBB\xBFrequests\n", "1 P requests\n" },
};

static void each_line_is_what_pip_takes_it_for(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf out = BUF_INIT(4096);

		spell(cases[i].text, strlen(cases[i].text), &out);
		if (strcmp(out.data, cases[i].expected) != 0)
			fail_msg("%s\ngives\n%sand not\n%s", cases[i].text, out.data,
				 cases[i].expected);
	}
}

static void a_file_in_utf_16_is_read(void **state)
{
	static const char little[] = "\xFF\xFE"
				     "a\0=\0=\0"
				     "1\0\r\0\n\0b\0";
	static const char big[] = "\xFE\xFF"
				  "\0a\0\n\0#\0x";
	CLEANUP(buf) struct buf out = BUF_INIT(4096);

	(void)state;
	spell(little, sizeof(little) - 1, &out);
	spell(big, sizeof(big) - 1, &out);
	assert_string_equal(out.data, "1 P a\n2 P b\n1 P a\n");
}

static void what_installs_and_what_the_runtime_has(void **state)
{
	static const char text[] = "-i https://e.com\n-c x\nboto3==1\nbotocore\nboto3x\n";
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(requirement_list) struct requirement_list l = { 0 };

	(void)state;
	requirements_read(text, sizeof(text) - 1, &arena, &l);
	assert_int_equal(l.len, 5);
	for (size_t i = 0; i < l.len; i++) {
		assert_int_equal(requirement_installs(&l.items[i]), i >= 2);
		assert_int_equal(requirement_is_in_runtime(&l.items[i]),
				 i == 2 || i == 3);
	}
}

static void paths_stay_below_the_top(void **state)
{
	static const struct {
		const char *folder, *text, *expected;
	} paths[] = {
		{ "", "base.txt", "base.txt" },
		{ "", "./a//b/.", "a/b" },
		{ "", ".", "" },
		{ "reqs", "base.txt", "reqs/base.txt" },
		{ "reqs", "../base.txt", "base.txt" },
		{ "a/b", "../../c", "c" },
		{ "a", "file:./b", "a/b" },
		{ "", "..", NULL },
		{ "a", "../../c", NULL },
		{ "", "a/../../b", NULL },
		{ "", "/etc/passwd", NULL },
		{ "", "file:///etc/passwd", NULL },
		{ "", "~/x", NULL },
		{ "", "${HOME}/x", NULL },
	};
	CLEANUP(arena) struct arena arena = ARENA_INIT;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++)
		if (!str_eq(requirement_path(paths[i].folder, paths[i].text, &arena),
			    paths[i].expected))
			fail_msg("%s in %s", paths[i].text, paths[i].folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_line_is_what_pip_takes_it_for),
		cmocka_unit_test(a_file_in_utf_16_is_read),
		cmocka_unit_test(what_installs_and_what_the_runtime_has),
		cmocka_unit_test(paths_stay_below_the_top),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

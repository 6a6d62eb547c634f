#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/change.h"

#include "cases.h"

/* A snapshot in a line: "a1x b2y" are the files a and b with bytes 1 and 2, and headers x
 * and y. Paths are one letter. */
static void read_snapshot(const char *line, struct snapshot *out)
{
	static const char paths[26][2] = { "a", "b", "c", "d", "e", "f", "g" };

	for (; *line; line += 3 + (line[3] == ' ')) {
		struct entry e = { .path = paths[line[0] - 'a'],
				   .headers_id = (uint64_t)(line[2] - 'w') };

		e.id.bytes[19] = (unsigned char)line[1];
		snapshot_push(out, e);
	}
}

static void print_changes(const struct change_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->len; i++)
		buf_printf(out, "%s%s %s", i ? ", " : "",
			   change_kind_name(list->items[i].kind),
			   change_path(&list->items[i]));
}

static void test_change__kinds(void **state)
{
	static const struct {
		const char *from;
		const char *to;
		const char *changes;
	} cases[] = {
		{ "", "", "" },
		{ "a1x b2x", "a1x b2x", "" },
		{ "", "a1x b1x", "added a, added b" },
		{ "a1x b1x", "", "deleted a, deleted b" },
		{ "a1x", "a2x", "modified a" },
		{ "a1x", "a1y", "headers a" },
		{ "a1x", "a2y", "modified a" },
		{ "a1w", "a1x", "headers a" }, /* w: not known what it has */
		{ "b1x", "a1x c1x", "added a, deleted b, added c" },
		{ "a1x c1x e1x", "b1x c2x d1x",
		  "deleted a, added b, modified c, added d, "
		  "deleted e" },
		{ "a1x b1x c1x d1x", "a1x b1x c1x d1x e1x", "added e" },
		{ "a1x b1x", "b1y", "deleted a, headers b" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(snapshot) struct snapshot from = { 0 };
		CLEANUP(snapshot) struct snapshot to = { 0 };
		CLEANUP(change_list) struct change_list list = { 0 };
		CLEANUP(buf) struct buf text = BUF_INIT(1024);

		read_snapshot(cases[i].from, &from);
		read_snapshot(cases[i].to, &to);
		change_compare(&from, &to, &list);
		print_changes(&list, &text);
		assert_string_equal(text.data, cases[i].changes);
	}
}

static void random_snapshot(uint64_t *seed, struct snapshot *out)
{
	char line[8 * 4] = "";
	size_t n = 0;

	for (int path = 'a'; path <= 'g'; path++) {
		if (below(seed, 2))
			continue;
		line[n++] = (char)path;
		line[n++] = (char)('1' + below(seed, 2));
		line[n++] = (char)('x' + below(seed, 2));
		line[n++] = ' ';
	}
	line[n] = '\0';
	read_snapshot(line, out);
}

/* A change's ends are entries of the snapshots, by which it can be applied. */
static void apply(const struct snapshot *from, const struct change_list *list,
		  struct snapshot *out)
{
	size_t k = 0;

	for (size_t i = 0; i < from->len; i++) {
		const struct change *c = NULL;

		while (k < list->len && !list->items[k].before)
			snapshot_push(out, *list->items[k++].after);
		if (k < list->len && list->items[k].before == &from->items[i])
			c = &list->items[k++];
		if (!c)
			snapshot_push(out, from->items[i]);
		else if (c->after)
			snapshot_push(out, *c->after);
	}
	while (k < list->len)
		snapshot_push(out, *list->items[k++].after);
	snapshot_sort(out);
}

static void test_change__lead_from_one_to_the_other(void **state)
{
	uint64_t seed = CASES_SEED;

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		CLEANUP(snapshot) struct snapshot from = { 0 };
		CLEANUP(snapshot) struct snapshot to = { 0 };
		CLEANUP(snapshot) struct snapshot applied = { 0 };
		CLEANUP(change_list) struct change_list list = { 0 };

		random_snapshot(&seed, &from);
		random_snapshot(&seed, &to);
		change_compare(&from, &to, &list);
		for (size_t k = 1; k < list.len; k++)
			assert_true(strcmp(change_path(&list.items[k - 1]),
					   change_path(&list.items[k])) < 0);
		apply(&from, &list, &applied);
		assert_int_equal(applied.len, to.len);
		for (size_t k = 0; k < to.len; k++) {
			assert_string_equal(applied.items[k].path, to.items[k].path);
			assert_true(oid_equal(&applied.items[k].id, &to.items[k].id));
			assert_int_equal(applied.items[k].headers_id,
					 to.items[k].headers_id);
		}
	}
}

/* What an earlier comparison found stays. */
static void test_change__appends(void **state)
{
	CLEANUP(snapshot) struct snapshot none = { 0 };
	CLEANUP(snapshot) struct snapshot some = { 0 };
	CLEANUP(change_list) struct change_list list = { 0 };
	CLEANUP(buf) struct buf text = BUF_INIT(1024);

	(void)state;
	read_snapshot("a1x", &some);
	change_compare(&none, &some, &list);
	change_compare(&some, &none, &list);
	print_changes(&list, &text);
	assert_string_equal(text.data, "added a, deleted a");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change__kinds),
		cmocka_unit_test(test_change__lead_from_one_to_the_other),
		cmocka_unit_test(test_change__appends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Values that stacks put out, and the order of the backends that they ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/config.h"

static void parse(struct config *c, const char *text)
{
	struct error err = ERROR_INIT;

	*c = (struct config)CONFIG_INIT;
	if (config_parse(c, "crc.yml", text, strlen(text), &err) < 0)
		fail_msg("%s\n%s", err.msg, text);
}

static void assert_refused(const char *text, const char *message)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;

	if (config_parse(&c, "crc.yml", text, strlen(text), &err) == 0)
		fail_msg("is taken: %s", text);
	assert_string_equal(err.msg, message);
	assert_int_equal(err.code, ERR_CONFIG);
}

static void assert_text(const char *is, const char *wanted)
{
	if (!str_eq(is, wanted))
		fail_msg("\"%s\" is not \"%s\"", is, wanted);
}

/* Outputs */

struct output {
	const char *name; /* "backend.Output" */
	const char *value;
};

struct outputs {
	const struct output *items; /* up to one without a name */
	size_t asked;
};

static const char *lookup(void *ctx, const struct value *v)
{
	struct outputs *outputs = ctx;
	CLEANUP(buf) struct buf name = BUF_INIT(256);

	outputs->asked++;
	buf_printf(&name, "%s.%s", v->backend, v->text);
	for (const struct output *o = outputs->items; o->name; o++)
		if (str_eq(o->name, name.data))
			return o->value;
	return NULL;
}

static size_t resolve(struct config *c, const struct output *items)
{
	struct outputs outputs = { items, 0 };

	config_resolve_outputs(c, lookup, &outputs);
	return outputs.asked;
}

#define BACKENDS                                                             \
	"backends:\n"                                                        \
	"  a: {path: x, stack: s, parameters: {P: !output b.Table, Q: 1}}\n" \
	"  b: {path: y, stack: t}\n"

static const char site_of_outputs[] =
	"sites:\n"
	"  w: {path: w, bucket: !output a.Bucket, url: !output a.Url,\n"
	"      distribution: [E1, !output a.Dist]}\n" BACKENDS;

static void test_config_outputs__become_known(void **state)
{
	static const struct output known[] = { { "a.Bucket", "my-bucket" },
					       { "a.Url", "https://x.example" },
					       { "a.Dist", "E2" },
					       { "b.Table", "table" },
					       { NULL, NULL } };
	static const struct output nothing[] = { { NULL, NULL } };
	CLEANUP(config) struct config c = CONFIG_INIT;
	struct error err = ERROR_INIT;
	const struct site *s;

	(void)state;
	parse(&c, site_of_outputs);
	s = &c.sites.items[0];
	assert_null(value_text(&s->bucket));
	assert_null(value_text(&s->url));
	/* Each is asked for once, and nothing else is. */
	assert_int_equal(resolve(&c, known), 4);
	assert_text(value_text(&s->bucket), "my-bucket");
	assert_text(value_text(&s->url), "https://x.example");
	assert_text(value_text(&s->distributions.items[0]), "E1");
	assert_text(value_text(&s->distributions.items[1]), "E2");
	assert_text(value_text(&c.backends.items[0].parameters.items[0].value), "table");
	assert_text(value_text(&c.backends.items[0].parameters.items[1].value), "1");
	assert_int_equal(config_check(&c, &err), 0);
	/* They stay outputs, which the next reading may find to be others or gone. */
	assert_int_equal(s->bucket.kind, VALUE_OUTPUT);
	assert_text(s->bucket.text, "Bucket");
	assert_int_equal(resolve(&c, nothing), 4);
	assert_null(value_text(&s->bucket));
	assert_null(value_text(&s->distributions.items[1]));
	assert_text(value_text(&s->distributions.items[0]), "E1");
}

static const struct {
	const char *text;
	struct output known[3];
	const char *message; /* NULL: nothing is wrong */
} checks[] = {
	{ "sites: {w: {path: w, bucket: !output a.B}}\n" BACKENDS,
	  { { "a.B", "Not A Bucket" } },
	  "crc.yml:1:30: bucket: the output a.B is \"Not A Bucket\": a bucket's "
	  "name holds a-z, 0-9, '.' and '-' only" },
	{ "sites: {w: {path: w, bucket: !output a.B}}\n" BACKENDS,
	  { { "a.B", "" } },
	  "crc.yml:1:30: bucket: the output a.B is \"\": a bucket's name has 3 to "
	  "63 characters" },
	{ "sites: {w: {path: w, url: !output a.U}}\n" BACKENDS,
	  { { "a.U", "x.example" } },
	  "crc.yml:1:27: url: the output a.U is \"x.example\": must be like "
	  "https://example.com, without query and fragment" },
	{ "sites: {w: {path: w, distribution: !output a.D}}\n" BACKENDS,
	  { { "a.D", "E1/x" } },
	  "crc.yml:1:36: distribution: the output a.D is \"E1/x\": a distribution's "
	  "id (such as E1A2B3C4D5E6F7) is letters and digits" },
	/* Any text will do as a parameter. */
	{ BACKENDS, { { "b.Table", "\n" } }, NULL },
	{ "sites:\n  w: {path: w, bucket: my-bucket}\n"
	  "  v: {path: v, bucket: !output a.B}\n" BACKENDS,
	  { { "a.B", "my-bucket" } },
	  "crc.yml:3:24: site \"v\": bucket and prefix are those of site \"w\": "
	  "give one of them a prefix" },
	{ "sites:\n  w: {path: w, bucket: !output a.B}\n"
	  "  v: {path: v, bucket: !output a.C}\n" BACKENDS,
	  { { "a.B", "my-bucket" }, { "a.C", "my-bucket" } },
	  "crc.yml:3:24: site \"v\": bucket and prefix are those of site \"w\": "
	  "give one of them a prefix" },
	{ "sites:\n  w: {path: w, bucket: !output a.B}\n"
	  "  v: {path: v, bucket: !output a.C}\n" BACKENDS,
	  { { "a.B", "my-bucket" }, { "a.C", "my-other" } },
	  NULL },
	{ "sites:\n  w: {path: w, bucket: !output a.B}\n"
	  "  v: {path: v, bucket: !output a.C}\n" BACKENDS,
	  { { "a.B", "my-bucket" } },
	  NULL },
	{ "sites: {w: {path: w, distribution: [!output a.D, E2]}}\n" BACKENDS,
	  { { "a.D", "E2" } },
	  "crc.yml:1:50: site \"w\": distribution \"E2\" twice" },
	{ "sites: {w: {path: w, distribution: [E2, !output a.D]}}\n" BACKENDS,
	  { { "a.D", "E2" } },
	  "crc.yml:1:41: site \"w\": distribution \"E2\" twice" },
};

static void test_config_outputs__are_checked_once_known(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(checks) / sizeof(*checks); i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;
		struct error err = ERROR_INIT;
		int rc;

		parse(&c, checks[i].text);
		resolve(&c, checks[i].known);
		rc = config_check(&c, &err);
		assert_int_equal(rc, checks[i].message ? -1 : 0);
		if (!checks[i].message)
			continue;
		assert_string_equal(err.msg, checks[i].message);
		assert_int_equal(err.code, ERR_CONFIG);
	}
}

static void test_config_outputs__that_cannot_be(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "backends: {a: {path: x, stack: s, parameters: {P: !output b.C}}}",
		  "crc.yml:1:51: P: no backend \"b\": did you mean \"a\"?" },
		{ "backends:\n  a: {path: x, stack: s, parameters: {P: !output f.C}}\n"
		  "  f: {path: y, function: g}\n",
		  "crc.yml:2:42: P: backend \"f\" is a function and has no outputs" },
		{ "sites: {w: {path: w, distribution: [E1, !output a.D, !output a.D]}}\n"
		  "backends: {a: {path: x, stack: s}}\n",
		  "crc.yml:1:54: site \"w\": distribution \"D\" twice" },
		{ "backends: {a: {path: x, stack: !output b.C}, b: {path: y, stack: t}}",
		  "crc.yml:1:32: stack: the tag !output cannot be used here" },
		{ "backends: {a: {path: x, function: !output b.C}, b: {path: y, stack: "
		  "t}}",
		  "crc.yml:1:35: function: the tag !output cannot be used here" },
		{ "backends: {a: {path: x, stack: s, artifacts: !output b.C},\n"
		  "           b: {path: y, stack: t}}",
		  "crc.yml:1:46: artifacts: the tag !output cannot be used here" },
		{ "backends: {a: {path: x, stack: s, parameters: {P: !output b}}}",
		  "crc.yml:1:51: P: !output is followed by BACKEND.OUTPUT" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused(cases[i].text, cases[i].message);
}

/* Values */

static const struct value none = { .kind = VALUE_NONE };
static const struct value literal = { .kind = VALUE_LITERAL, .text = "x" };
static const struct value same = { .kind = VALUE_LITERAL, .text = "x" };
static const struct value other = { .kind = VALUE_LITERAL, .text = "O" };
static const struct value variable = { .kind = VALUE_ENV, .text = "x" };
static const struct value output = { .kind = VALUE_OUTPUT, .text = "O", .backend = "b" };
static const struct value another = { .kind = VALUE_OUTPUT, .text = "P", .backend = "b" };
static const struct value of_c = { .kind = VALUE_OUTPUT, .text = "O", .backend = "c" };
static const struct value known = {
	.kind = VALUE_OUTPUT, .text = "O", .backend = "b", .known = "x"
};
static const struct value known_too = {
	.kind = VALUE_OUTPUT, .text = "P", .backend = "c", .known = "x"
};
static const struct value known_other = {
	.kind = VALUE_OUTPUT, .text = "O", .backend = "b", .known = "y"
};

static void test_config_outputs__which_values_are_the_same(void **state)
{
	static const struct {
		const struct value *a;
		const struct value *b;
		bool same;
	} cases[] = {
		{ &none, &none, false },
		{ &none, &literal, false },
		{ &none, &output, false },
		{ &literal, &same, true },
		{ &literal, &other, false },
		{ &literal, &variable, false },
		{ &variable, &variable, true },
		{ &output, &output, true },
		{ &output, &another, false },
		{ &output, &of_c, false },
		{ &output, &other, false },
		{ &output, &variable, false },
		/* by what they are, where both are known */
		{ &known, &literal, true },
		{ &known, &other, false },
		{ &known, &known_too, true },
		{ &known, &known_other, false },
		/* by what they are called, where one is not */
		{ &known, &output, true },
		{ &known, &another, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (value_same(cases[i].a, cases[i].b) != cases[i].same ||
		    value_same(cases[i].b, cases[i].a) != cases[i].same)
			fail_msg("case %zu", i);
}

static void test_config_outputs__labels(void **state)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;

	(void)state;
	assert_null(value_label(&none, &arena));
	assert_null(value_label(&variable, &arena));
	assert_text(value_label(&literal, &arena), "x");
	assert_text(value_label(&output, &arena), "!output b.O");
	assert_text(value_label(&known, &arena), "x");
}

/* Order */

/* The names in the order of deploys, with spaces between. */
static void assert_order(const char *text, const char *expected)
{
	CLEANUP(config) struct config c = CONFIG_INIT;
	CLEANUP(buf) struct buf names = BUF_INIT(256);
	size_t order[8];

	parse(&c, text);
	assert_true(c.backends.len <= 8);
	config_backend_order(&c, order);
	for (size_t i = 0; i < c.backends.len; i++)
		buf_printf(&names, "%s%s", i ? " " : "", c.backends.items[order[i]].name);
	assert_string_equal(names.data, expected);
}

#define TAKES(name, ...) \
	"  " name ": {path: " name ", stack: s-" name ", parameters: {" __VA_ARGS__ "}}\n"

static void test_config_outputs__order(void **state)
{
	(void)state;
	/* as in the file, as far as outputs allow */
	assert_order("backends:\n" TAKES("a", "") TAKES("b", "") TAKES("c", ""), "a b c");
	assert_order("backends:\n" TAKES("c", "") TAKES("a", "") TAKES("b", ""), "c a b");
	assert_order("backends:\n" TAKES("a", "P: !output b.O") TAKES("b", ""), "b a");
	assert_order("backends:\n" TAKES("a", "P: !output c.O") TAKES("b", "")
			     TAKES("c", ""),
		     "b c a");
	assert_order("backends:\n" TAKES("a", "P: !output b.O")
			     TAKES("b", "P: !output c.O") TAKES("c", ""),
		     "c b a");
	assert_order("backends:\n" TAKES("a", "P: !output d.O, Q: !output b.O")
			     TAKES("b", "P: !output c.O, Q: !output c.P") TAKES("c", "")
				     TAKES("d", "P: !output c.O"),
		     "c b d a");
	assert_order(
		"backends:\n" TAKES(
			"a", "P: !output c.O") "  f: {path: f, function: f}\n" TAKES("c",
										     ""),
		"f c a");
	assert_order("sites: {w: {path: w}}", "");
}

static void test_config_outputs__circles(void **state)
{
	static const char tail[] =
		": its parameters take outputs of backends that wait for "
		"its own: one must come first";
	static const struct {
		const char *text;
		const char *where;
	} cases[] = {
		{ "backends:\n" TAKES("a", "P: !output a.O"),
		  "crc.yml:2:1: backend \"a\"" },
		{ "backends:\n" TAKES("a", "P: !output b.O") TAKES("b", "P: !output a.O"),
		  "crc.yml:2:1: backend \"a\"" },
		/* One that is before the circle, and one that waits for it. */
		{ "backends:\n" TAKES("x", "") TAKES("a", "P: !output b.O")
			  TAKES("b", "P: !output c.O") TAKES("c", "P: !output a.O"),
		  "crc.yml:3:1: backend \"a\"" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf message = BUF_INIT(512);

		buf_printf(&message, "%s%s", cases[i].where, tail);
		assert_refused(cases[i].text, message.data);
	}
}

/* Targets */

static void test_config_outputs__two_backends_on_one_target(void **state)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{ "backends:\n  a: {path: x, stack: s}\n  b: {path: y, stack: s}\n",
		  "crc.yml:3:23: backend \"b\": its stack is that of backend \"a\"" },
		{ "backends:\n  a: {path: x, function: f}\n  b: {path: y, function: f}\n",
		  "crc.yml:3:26: backend \"b\": its function is that of backend \"a\"" },
		{ "backends:\n  a: {path: x, function: f, alias: one}\n"
		  "  b: {path: y, function: f, alias: two}\n",
		  "crc.yml:3:26: backend \"b\": its function is that of backend \"a\"" },
		{ "backends:\n  a: {path: x, stack: !env S}\n"
		  "  b: {path: y, stack: !env S}\n",
		  "crc.yml:3:23: backend \"b\": its stack is that of backend \"a\"" },
	};
	static const char *const fine[] = {
		"backends: {a: {path: x, stack: s}, b: {path: x, stack: t}}",
		"backends: {a: {path: x, stack: s}, b: {path: x, function: s}}",
		"backends: {a: {path: x, function: f}, b: {path: x, function: g}}",
		"backends: {a: {path: x, stack: !env S}, b: {path: x, stack: !env T}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_refused(cases[i].text, cases[i].message);
	for (size_t i = 0; i < sizeof(fine) / sizeof(*fine); i++) {
		CLEANUP(config) struct config c = CONFIG_INIT;

		parse(&c, fine[i]);
	}
}

static void test_config_outputs__backends_by_name(void **state)
{
	CLEANUP(config) struct config c = CONFIG_INIT;

	(void)state;
	parse(&c, site_of_outputs);
	assert_ptr_equal(config_backend(&c, "b"), &c.backends.items[1]);
	assert_null(config_backend(&c, "w"));
	assert_null(config_backend(&c, ""));
}

/* Whose keys are below whose follows what the outputs are. */
static void test_config_outputs__owners_of_keys(void **state)
{
	static const char text[] = "sites:\n"
				   "  w: {path: w, bucket: !output a.B}\n"
				   "  v: {path: v, bucket: !output a.C, prefix: blog}\n"
				   "backends: {a: {path: x, stack: s}}\n";
	static const struct output one[] = { { "a.B", "my-bucket" },
					     { "a.C", "my-bucket" },
					     { NULL, NULL } };
	static const struct output two[] = { { "a.B", "my-bucket" },
					     { "a.C", "my-other" },
					     { NULL, NULL } };
	CLEANUP(config) struct config c = CONFIG_INIT;

	(void)state;
	parse(&c, text);
	assert_null(config_key_owner(&c, &c.sites.items[0], "blog/x"));
	resolve(&c, one);
	assert_ptr_equal(config_key_owner(&c, &c.sites.items[0], "blog/x"),
			 &c.sites.items[1]);
	assert_null(config_key_owner(&c, &c.sites.items[0], "blog"));
	assert_null(config_key_owner(&c, &c.sites.items[1], "blog/x"));
	resolve(&c, two);
	assert_null(config_key_owner(&c, &c.sites.items[0], "blog/x"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_config_outputs__become_known),
		cmocka_unit_test(test_config_outputs__are_checked_once_known),
		cmocka_unit_test(test_config_outputs__that_cannot_be),
		cmocka_unit_test(test_config_outputs__which_values_are_the_same),
		cmocka_unit_test(test_config_outputs__labels),
		cmocka_unit_test(test_config_outputs__order),
		cmocka_unit_test(test_config_outputs__circles),
		cmocka_unit_test(test_config_outputs__two_backends_on_one_target),
		cmocka_unit_test(test_config_outputs__backends_by_name),
		cmocka_unit_test(test_config_outputs__owners_of_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

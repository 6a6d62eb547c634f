/* Whether a backend is what the commit holds, and what its deploy means for the sites. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "core/plan_backend.h"
#include "fake/plan_case.h"

#define CONFIG                                       \
	"config\n"                                   \
	"sites:\n"                                   \
	"  one: { path: one, bucket: one }\n"        \
	"  two: { path: two, bucket: two }\n"        \
	"backends:\n"                                \
	"  data: { path: data, stack: data }\n"      \
	"  counter: { path: back, stack: back }\n"   \
	"  mailer: { path: mail, function: mail }\n" \
	"end\n"                                      \
	"head b\n"

#define DIFFERS "template Key:\\snew Key:\\sold\n"

static void read_case(struct plan_case *c, const char *text)
{
	struct error err = ERROR_INIT;

	if (plan_case_read(c, text, &err) < 0)
		fail_msg("%s", err.msg);
}

/* Templates */

static void test_plan_backend__templates(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		bool same;
	} cases[] = {
		{ "", "", true },
		{ "a: 1\n", "a: 1\n", true },
		/* line ends */
		{ "a: 1\r\nb: 2\r\n", "a: 1\nb: 2\n", true },
		{ "a: 1\r\nb: 2\n", "a: 1\nb: 2\r\n", true },
		{ "a: 1\r\n\r\n\r\nb: 2\n", "a: 1\n\n\nb: 2\n", true },
		{ "\r\na: 1", "\na: 1", true },
		/* blanks at the end of the text, and nowhere else */
		{ "a: 1", "a: 1\n", true },
		{ "a: 1", "a: 1\r\n", true },
		{ "a: 1 \t\r\n \n", "a: 1", true },
		{ "a: 1\n", "a: 1 ", true },
		{ "", " \r\n\t", true },
		{ " a: 1", "a: 1", false },
		{ "\na: 1", "a: 1", false },
		{ "a: 1 \nb: 2", "a: 1\nb: 2", false },
		{ "a: 1\n\nb: 2", "a: 1\nb: 2", false },
		/* one begins like the other */
		{ "a: 1", "a: 12", false },
		{ "a: 1\n", "a: 1\nb: 2\n", false },
		{ "a: 1\n", "a: 1\n \n#", false },
		{ "", "a", false },
		{ "a: 1\r\n", "a: 1\r\nb", false },
		/* a return by itself is content */
		{ "a: \"\r\"", "a: \"\"", false },
		{ "a\rb", "a\nb", false },
		{ "a\r\r\nb", "a\nb", false },
		{ "a\rb", "ab", false },
		{ "a: 1\r", "a: 1", true },
		/* bytes over 127 */
		{ "a: \xC3\xA9", "a: \xC3\xA8", false },
		{ "a: \xC3\xA9", "a: \xC3\xA9\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (plan_same_template(cases[i].a, cases[i].b) != cases[i].same ||
		    plan_same_template(cases[i].b, cases[i].a) != cases[i].same)
			fail_msg("case %zu: \"%s\" and \"%s\"", i, cases[i].a,
				 cases[i].b);
	}
}

/* Reasons */

/* The most telling reason is given, and no value of a parameter is. */
static const struct {
	const char *backend; /* what is known of it */
	const char *why;     /* NULL: it does not */
} reasons[] = {
	{ "backend counter\n", NULL },
	{ "backend counter\nparameter A 1 1\nparameter B \\s \\s\n", NULL },
	{ "backend counter\n" DIFFERS, "its template or code differs from what is live" },
	{ "backend counter\n" DIFFERS "parameter A 1 2\nstatus X\ndrifted f\n",
	  "its template or code differs from what is live" },
	{ "backend counter\nparameter A 1 2\nstatus X\ndrifted f\n",
	  "parameter A differs" },
	{ "backend counter\nparameter A 1 1\nparameter B 1 absent\n",
	  "parameter B is new to the stack" },
	{ "backend counter\nparameter A 1 absent\nparameter B 1 2\n"
	  "parameter C 1 1\nparameter D 1 2\n",
	  "parameter A is new to the stack, and 2 more" },
	{ "backend counter\nparameter A 1 ****\n",
	  "parameter A is hidden (NoEcho): CloudFormation has to compare it" },
	/* What differs for sure goes before what may. */
	{ "backend counter\nparameter A 1 ****\nparameter B 1 2\n"
	  "parameter C 1 ****\n",
	  "parameter B differs" },
	/* It may hide four stars, or anything. */
	{ "backend counter\nparameter A **** ****\n",
	  "parameter A is hidden (NoEcho): CloudFormation has to compare it" },
	{ "backend counter\nstatus UPDATE_ROLLBACK_FAILED\ndrifted f\n",
	  "the stack's last change did not succeed "
	  "(UPDATE_ROLLBACK_FAILED)" },
	{ "backend counter\nstatus UPDATE_IN_PROGRESS\n",
	  "somebody is changing the stack (UPDATE_IN_PROGRESS)" },
	{ "backend counter\ndrifted f\n", "somebody changed the code of f" },
	{ "backend counter\ndrifted f\ndrifted g\ndrifted h\n",
	  "somebody changed the code of f, and 2 more" },
	{ "backend counter\ndrifted f\nleft-set\n", "somebody changed the code of f" },
	{ "backend counter\nleft-set\nleft-set\n",
	  "an unfinished deploy has left a change set behind" },
	{ "backend counter\nknows absent\n" DIFFERS, "there is no such stack yet" },
	{ "backend counter\nknows paths\n" DIFFERS, NULL },
	{ "backend counter\nknows paths\nchanged 1 back/a.py\n", "back/a.py changed" },
	{ "backend counter\nknows paths\nchanged 2 back/a.py\n",
	  "2 files changed, back/a.py among them" },
	{ "backend counter\nknows paths\nno-base\n",
	  "there is no commit to compare with" },
	{ "backend mailer\n", NULL },
	{ "backend mailer\ncode new old\n", "its code differs from what is live" },
	{ "backend mailer\nlatest other Successful\n",
	  "its code differs from what is not published yet" },
	{ "backend mailer\nlatest same Failed\n", "its last update failed" },
	{ "backend mailer\nlatest same InProgress\n", "an update of it is under way" },
	{ "backend mailer\nlatest same Successful\n", NULL },
	{ "backend mailer\ncode absent old\n",
	  "its code is compared once its requirements are installed, which a "
	  "dry run does not do" },
	/* A function has no template, no parameters and no status. */
	{ "backend mailer\n" DIFFERS "parameter A 1 2\nstatus X\n", NULL },
	{ "backend mailer\nknows paths\nchanged 1 mail/a.py\ncode x x\n",
	  "mail/a.py changed" },
};

static void test_plan_backend__why_it_deploys(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reasons) / sizeof(*reasons); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		const struct plan_backend *b;
		struct plan_case c;

		buf_printf(&text, "%s%s", CONFIG, reasons[i].backend);
		read_case(&c, text.data);
		assert_int_equal(c.outcome.plan.backends.len, 1);
		b = &c.outcome.plan.backends.items[0];
		if (!str_eq(b->why, reasons[i].why))
			fail_msg("%s\n\"%s\" is not \"%s\"", reasons[i].backend, b->why,
				 reasons[i].why);
		assert_int_equal(b->verdict,
				 reasons[i].why ? BACKEND_DEPLOY : BACKEND_SAME);
		assert_int_equal(b->creates,
				 strstr(reasons[i].backend, "knows absent") != NULL);
		assert_int_equal(c.outcome.plan.steps.len, reasons[i].why != NULL);
		plan_case_release(&c);
	}
}

static void test_plan_backend__what_is_not_deployed_has_no_step(void **state)
{
	static const struct {
		const char *backend;
		enum backend_verdict verdict;
		const char *why;
	} cases[] = {
		{ "knows later data\n", BACKEND_LATER,
		  "it takes an output of backend data, which deploys first" },
		{ "knows later data\nnewer\n", BACKEND_LEFT,
		  "a newer commit is deployed" },
		{ DIFFERS "newer\n", BACKEND_LEFT, "a newer commit is deployed" },
		{ "knows absent\nnewer\n", BACKEND_LEFT, "a newer commit is deployed" },
		{ "drifted f\nnewer\n", BACKEND_LEFT, "a newer commit is deployed" },
		{ "newer\n", BACKEND_SAME, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		const struct plan_backend *b;
		struct plan_case c;

		buf_printf(&text, "%sbackend counter\n%s", CONFIG, cases[i].backend);
		read_case(&c, text.data);
		b = &c.outcome.plan.backends.items[0];
		assert_int_equal(b->verdict, cases[i].verdict);
		if (!str_eq(b->why, cases[i].why))
			fail_msg("%zu: %s", i, b->why);
		assert_true(plan_is_empty(&c.outcome.plan));
		plan_case_release(&c);
	}
}

/* Steps */

static const char *step_name(const struct plan *p, const struct step *s)
{
	if (s->kind == STEP_BACKEND)
		return p->backends.items[s->backend].backend->name;
	return s->path ? s->path : p->sites.items[s->site].site->name;
}

static void assert_steps(const struct plan_case *c, const char *expected)
{
	CLEANUP(buf) struct buf found = BUF_INIT(65536);
	const struct plan *p = &c->outcome.plan;

	for (size_t i = 0; i < p->steps.len; i++)
		buf_printf(&found, "%s %s\n", step_kind_name(p->steps.items[i].kind),
			   step_name(p, &p->steps.items[i]));
	assert_string_equal(found.data, expected);
}

#define SITE_OF(commit) "deployed " commit "\nfile a same\nobject a same\n"

/* Under the claims of all sites, which keep older commits away; the sites' states then name
 * the commit, whose backends are live. */
static void test_plan_backend__sites_are_claimed_when_one_deploys(void **state)
{
	static const struct {
		const char *text;
		const char *steps;
	} cases[] = {
		/* nothing of a site differs, and one is at the commit already */
		{ "backend counter\n" DIFFERS
		  "site one\n" SITE_OF("a") "site two\n" SITE_OF("b"),
		  "claim one\nclaim two\nbackend counter\ncommit one\ncommit two\n" },
		{ "backend counter\nsite one\n" SITE_OF("a") "site two\n" SITE_OF("b"),
		  "record one\n" },
		{ "backend counter\nknows later data\nsite one\n" SITE_OF(
			  "a") "site two\n" SITE_OF("b"),
		  "record one\n" },
		{ "backend counter\n" DIFFERS
		  "newer\nsite one\n" SITE_OF("a") "site two\n" SITE_OF("b"),
		  "record one\n" },
		/* in the order of deploys, after all claims and before all objects */
		{ "backend mailer\ncode new old\nbackend data\nbackend counter\n" DIFFERS
		  "site one\ndeployed a\nfile z.css new\nfile index.html new\n"
		  "object gone old\nsite two\n" SITE_OF("a"),
		  "claim one\nclaim two\nbackend mailer\nbackend counter\nput z.css\n"
		  "put index.html\ndelete gone\ncommit one\ncommit two\n" },
		/* no site at all */
		{ "backend data\nknows absent\nbackend counter\n" DIFFERS,
		  "backend data\nbackend counter\n" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		struct plan_case c;

		buf_printf(&text, "%s%s", CONFIG, cases[i].text);
		read_case(&c, text.data);
		assert_steps(&c, cases[i].steps);
		plan_case_release(&c);
	}
}

static void test_plan_backend__verdicts_of_sites_stay(void **state)
{
	const struct plan_site *sites;
	struct plan_case c;

	(void)state;
	read_case(&c, CONFIG "backend counter\n" DIFFERS
			     "site one\n" SITE_OF("a") "site two\n" SITE_OF("b"));
	sites = c.outcome.plan.sites.items;
	assert_int_equal(sites[0].verdict, SITE_RECORD);
	assert_int_equal(sites[1].verdict, SITE_UP_TO_DATE);
	plan_case_release(&c);
	read_case(&c, CONFIG "backend counter\n" DIFFERS
			     "site one\ndeployed a\nfile a new\nobject a old\n");
	assert_int_equal(c.outcome.plan.sites.items[0].verdict, SITE_DEPLOY);
	plan_case_release(&c);
}

/* The claim for a backend's sake journals what is to be sent after it, and no more. */
static void test_plan_backend__journals_are_the_sites_own(void **state)
{
	static const char text[] = CONFIG
		"backend counter\n" DIFFERS
		"site one\n" SITE_OF("a") "site two\n"
					  "deployed a\nfile a new\nobject a old\n";
	struct plan_case c;

	(void)state;
	read_case(&c, text);
	for (size_t i = 0; i < 2; i++) {
		struct state_journal journal;

		plan_journal(&c.outcome.plan, i, NULL, NULL, &journal);
		assert_true(journal.is_set && !journal.everything);
		assert_true(oid_equal(&journal.commit, &c.outcome.plan.head));
		assert_int_equal(journal.touches.len, i);
		state_touch_list_release(&journal.touches);
		str_list_release(&journal.distributions);
	}
	plan_case_release(&c);
}

/* A safety limit of a site refuses the plan before its backends deploy. */
static void test_plan_backend__a_refused_plan_is_refused_whole(void **state)
{
	struct plan_case c;

	(void)state;
	read_case(&c, CONFIG "max-delete 0\nbackend counter\n" DIFFERS
			     "site one\ndeployed a\nfile a same\nobject a same\n"
			     "object b old\n");
	assert_int_equal(c.outcome.plan.refused, ERR_LIMIT);
	plan_case_release(&c);
}

/* Counting */

static void test_plan_backend__what_counts_as_a_change(void **state)
{
	static const struct {
		const char *text;
		size_t backends;
	} cases[] = {
		{ "backend counter\n" DIFFERS "planned\n", 1 },
		{ "backend counter\nknows later data\nplanned\n", 0 },
		{ "backend counter\nplanned\n", 0 },
		{ "backend counter\n" DIFFERS "became updated\ndone\n", 1 },
		{ "backend counter\n" DIFFERS "became confirmed\ndone\n", 0 },
		{ "backend counter\n" DIFFERS "became failed\nfailed 0\n"
		  "fails-with service x\n",
		  0 },
		/* in the round before this plan */
		{ "backend counter\nbecame created\ndone\n", 1 },
		{ "backend data\n" DIFFERS "became updated\nbackend counter\n" DIFFERS
		  "became failed\nfailed 1\nfails-with service x\n",
		  1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		struct outcome_totals t;
		struct plan_case c;

		buf_printf(&text, "%s%s", CONFIG, cases[i].text);
		read_case(&c, text.data);
		t = outcome_count(&c.outcome);
		if (t.backends != cases[i].backends)
			fail_msg("%zu: %zu", i, t.backends);
		assert_int_equal(outcome_changed(&t), cases[i].backends > 0);
		plan_case_release(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan_backend__templates),
		cmocka_unit_test(test_plan_backend__why_it_deploys),
		cmocka_unit_test(test_plan_backend__what_is_not_deployed_has_no_step),
		cmocka_unit_test(test_plan_backend__sites_are_claimed_when_one_deploys),
		cmocka_unit_test(test_plan_backend__verdicts_of_sites_stay),
		cmocka_unit_test(test_plan_backend__journals_are_the_sites_own),
		cmocka_unit_test(test_plan_backend__a_refused_plan_is_refused_whole),
		cmocka_unit_test(test_plan_backend__what_counts_as_a_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

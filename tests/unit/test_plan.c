#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/headers.h"
#include "core/plan.h"
#include "fake/plan_case.h"

/* Two sites in buckets of their own, and one beside the first in its bucket. */
#define CONFIG                                                                   \
	"config\n"                                                               \
	"sites:\n"                                                               \
	"  one: { path: one, bucket: one, distribution: E1 }\n"                  \
	"  two: { path: two, bucket: two, distribution: E1 }\n"                  \
	"  blog: { path: blog, bucket: one, prefix: blog/, distribution: E1 }\n" \
	"end\n"                                                                  \
	"head b\n"

static void read_case(struct plan_case *c, const char *text)
{
	struct error err = ERROR_INIT;

	if (plan_case_read(c, text, &err) < 0)
		fail_msg("%s", err.msg);
}

static const struct step *step_of(const struct plan_case *c, enum step_kind kind,
				  size_t n)
{
	for (size_t i = 0; i < c->outcome.plan.steps.len; i++) {
		const struct step *s = &c->outcome.plan.steps.items[i];

		if (s->kind == kind && n-- == 0)
			return s;
	}
	fail_msg("no such step: %s", step_kind_name(kind));
	return NULL;
}

/* The patterns of the nth invalidation, with spaces between. */
static void assert_patterns(const struct plan_case *c, size_t n, const char *expected)
{
	const struct step *s = step_of(c, STEP_INVALIDATE, n);
	CLEANUP(buf) struct buf found = BUF_INIT(65536);

	for (size_t i = 0; i < s->cover.patterns.len; i++)
		buf_printf(&found, "%s%s", i ? " " : "", s->cover.patterns.items[i]);
	assert_string_equal(found.data, expected);
}

/* "kind path" of every step, a line each. */
static void assert_steps(const struct plan_case *c, const char *expected)
{
	CLEANUP(buf) struct buf found = BUF_INIT(65536);

	for (size_t i = 0; i < c->outcome.plan.steps.len; i++) {
		const struct step *s = &c->outcome.plan.steps.items[i];

		buf_printf(&found, "%s %s\n", step_kind_name(s->kind),
			   s->path ? s->path
			   : s->distribution
				   ? s->distribution
				   : c->outcome.plan.sites.items[s->site].site->name);
	}
	assert_string_equal(found.data, expected);
}

/* Order */

static void test_plan__phases_of_all_sites_go_side_by_side(void **state)
{
	struct plan_case c;

	(void)state;
	read_case(&c,
		  CONFIG "site one\n"
			 "deployed a\nrecorded E1\ndistribution E1\nbehavior * ours\n"
			 "file z.css new\nfile index.html new\nfile a.js new\n"
			 "object gone.css old\nobject index.html old\n"
			 "object style.css same other-headers\nfile style.css same\n"
			 "site two\n"
			 "deployed a\nrecorded E1\ndistribution E1\nbehavior /t/* ours\n"
			 "file t/index.html new\nfile t/a.js new\nobject t/x old\n");
	assert_steps(&c, "claim one\n"
			 "claim two\n"
			 "put a.js\n"
			 "put z.css\n"
			 "copy style.css\n"
			 "put t/a.js\n"
			 "put index.html\n"
			 "put t/index.html\n"
			 "delete gone.css\n"
			 "delete t/x\n"
			 "invalidate E1\n"
			 "invalidate E1\n"
			 "commit one\n"
			 "commit two\n");
	plan_case_release(&c);
}

static void test_plan__conditions_are_what_was_seen(void **state)
{
	struct plan_case c;
	const struct step *s;

	(void)state;
	read_case(&c, CONFIG "site one\ndeployed a\n"
			     "file index.html new\nobject index.html old\n"
			     "file added.css new\n"
			     "object gone.css old\n");
	s = step_of(&c, STEP_CLAIM, 0);
	assert_string_equal(s->from, "\"state\"");
	assert_false(s->from_absent);
	s = step_of(&c, STEP_PUT, 0);
	assert_string_equal(s->path, "added.css");
	assert_null(s->from);
	assert_true(s->from_absent);
	s = step_of(&c, STEP_PUT, 1);
	assert_string_equal(s->from, plan_case_etag(&c, "old"));
	assert_false(s->from_absent);
	s = step_of(&c, STEP_DELETE, 0);
	assert_string_equal(s->from, plan_case_etag(&c, "old"));
	s = step_of(&c, STEP_COMMIT, 0);
	assert_true(!s->from && !s->from_absent);
	plan_case_release(&c);
}

static void test_plan__the_first_claim_makes_the_state(void **state)
{
	struct plan_case c;

	(void)state;
	read_case(&c, CONFIG "site one\nknows nothing\nfile index.html new\n");
	assert_true(step_of(&c, STEP_CLAIM, 0)->from_absent);
	assert_null(step_of(&c, STEP_CLAIM, 0)->from);
	plan_case_release(&c);
}

/* Immutable names */

static const char *cache_control(const struct plan_case *c, size_t n)
{
	return headers_get(step_of(c, STEP_PUT, n)->headers, "cache-control");
}

static void test_plan__a_broken_promise_is_not_made_again(void **state)
{
	static const struct {
		const char *name;
		const char *text;
		const char *warned; /* of what, or NULL */
		bool immutable;
	} cases[] = {
		{ "new", "", NULL, true },
		{ "changed in place", "object app.3f9a1c2b.css old\n", "app.3f9a1c2b.css",
		  false },
		{ "changed in place before",
		  "object app.3f9a1c2b.css old\n"
		  "mutable app.3f9a1c2b.css\n",
		  NULL, false },
		{ "gone since, but remembered", "mutable app.3f9a1c2b.css\n", NULL,
		  false },
		{ "back with other bytes, though not yet deleted",
		  "retired app.3f9a1c2b.css old 1759990000\n", "app.3f9a1c2b.css",
		  false },
		{ "the unfinished deploy had other bytes",
		  "journal c\nput app.3f9a1c2b.css absent other\n"
		  "live app.3f9a1c2b.css absent\n",
		  "app.3f9a1c2b.css", false },
		{ "the unfinished deploy had the same bytes",
		  "journal c\nput app.3f9a1c2b.css absent new\n"
		  "live app.3f9a1c2b.css absent\n",
		  NULL, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		struct plan_case c;
		const struct note_list *notes = &c.outcome.plan.notes;

		buf_printf(&text,
			   CONFIG "site one\ndeployed a\n"
				  "file app.3f9a1c2b.css new\n%s",
			   cases[i].text);
		read_case(&c, text.data);
		if (headers_is_immutable(step_of(&c, STEP_PUT, 0)->headers) !=
		    cases[i].immutable)
			fail_msg("%s: %s", cases[i].name, cache_control(&c, 0));
		if (notes->len != (cases[i].warned != NULL) ||
		    (notes->len && !str_eq(notes->items[0].path, cases[i].warned)))
			fail_msg("%s: %zu notes", cases[i].name, notes->len);
		assert_int_equal(c.outcome.plan.sites.items[0].mutable_after.len,
				 !cases[i].immutable);
		plan_case_release(&c);
	}
}

static void test_plan__rules_decide_what_is_immutable(void **state)
{
	struct plan_case c;
	const struct note_list *notes = &c.outcome.plan.notes;

	(void)state;
	read_case(&c, "config\nsites:\n  one:\n    path: one\n    bucket: one\n"
		      "    headers:\n"
		      "      - { match: \"*.css\", cache-control: no-cache }\n"
		      "      - { match: \"/data/\", cache-control: \"immutable\" }\n"
		      "end\nhead b\nsite one\ndeployed a\n"
		      "file app.3f9a1c2b.css new\nobject app.3f9a1c2b.css old\n"
		      "file data/x new\nobject data/x old\nmutable data/x\n");
	/* The style sheet never was; the user's word on the other one is kept. */
	assert_string_equal(cache_control(&c, 0), "no-cache");
	assert_string_equal(cache_control(&c, 1), "immutable");
	assert_int_equal(notes->len, 1);
	assert_string_equal(notes->items[0].path, "data/x");
	assert_non_null(strstr(notes->items[0].text, "by a rule"));
	plan_case_release(&c);
}

/* Retired assets and deletes */

static void test_plan__an_unfinished_asset_is_retired_like_others(void **state)
{
	struct plan_case c;
	const struct plan_site *s;

	(void)state;
	/* Deploy c has put its page and what that loads; pages in browsers still ask for
	 * it when b has replaced them. */
	read_case(&c, CONFIG "site one\ndeployed a\nrecorded E1\n"
			     "distribution E1\nbehavior * ours\n"
			     "file index.html same\nobject index.html same\n"
			     "journal c\nput app.3f9a1c2b.css absent new\n"
			     "live app.3f9a1c2b.css new\n"
			     "put plain.css absent new\nlive plain.css new\n");
	s = &c.outcome.plan.sites.items[0];
	assert_steps(&c, "claim one\ndelete plain.css\ninvalidate E1\ncommit one\n");
	assert_int_equal(s->retired_after.len, 1);
	assert_int_equal(s->retired_after.items[0].since_s, c.options.now_s);
	assert_patterns(&c, 0, "/app.3f9a1c2b.css /plain.css");
	plan_case_release(&c);
}

static void test_plan__deletes_are_counted_against_what_was_there(void **state)
{
	static const struct {
		const char *text; /* of ten objects that were there */
		const char *refusal;
	} cases[] = {
		{ "max-delete 2\n", "3 of 10 objects would be deleted, and at most 2" },
		{ "max-delete 3\n", NULL },
		{ "max-delete 0\n", "3 of 10 objects would be deleted, and at most 0" },
		{ "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		struct plan_case c;

		buf_printf(&text, CONFIG "%ssite one\ndeployed a\naudit\nfile new new\n",
			   cases[i].text);
		/* Three go; two were changed by others and two by us. */
		for (int n = '0'; n <= '9'; n++) {
			buf_printf(&text, "object %c old\nlive %c %s\n", n, n,
				   n == '3' || n == '4' ? "theirs" : "old");
			if (n > '2')
				buf_printf(&text, "file %c %s\n", n,
					   n > '7' ? "new" : "old");
		}
		read_case(&c, text.data);
		if (!cases[i].refusal != !c.outcome.plan.refused)
			fail_msg("%s", cases[i].text);
		if (cases[i].refusal)
			assert_non_null(strstr(c.outcome.plan.refusal, cases[i].refusal));
		plan_case_release(&c);
	}
}

/* Invalidations */

static void test_plan__an_error_page_clears_only_its_own_distribution(void **state)
{
	struct plan_case c;

	(void)state;
	read_case(&c, CONFIG "site one\ndeployed a\nrecorded E1\nrecorded E2\n"
			     "distribution E1\nbehavior * ours\nerror 404 /404.html 300\n"
			     "distribution E2\nbehavior * ours\n"
			     "file 404.html new\nobject 404.html old other-headers\n"
			     "file index.html same\nobject index.html same\n");
	assert_patterns(&c, 0, "/*");
	assert_non_null(step_of(&c, STEP_INVALIDATE, 0)->everything);
	assert_patterns(&c, 1, "/404.html");
	assert_null(step_of(&c, STEP_INVALIDATE, 1)->everything);
	plan_case_release(&c);
}

static void test_plan__neighbours_are_held_by_their_own_behaviours(void **state)
{
	struct plan_case c;

	(void)state;
	/* two is served below /two/ from a bucket of its own, at keys that begin so too;
	 * a site that thinks of itself alone would take "/tw*" for free. */
	read_case(&c,
		  CONFIG "site two\ndeployed a\nrecorded E1\n"
			 "distribution E1\nbehavior /two/* ours\nbehavior * elsewhere\n"
			 "file two/a.html same\nobject two/a.html same\n"
			 "site one\ndeployed a\nrecorded E1\n"
			 "distribution E1\nbehavior /two/* elsewhere\nbehavior * ours\n"
			 "file twa new\nobject twa old\nfile twb new\nobject twb old\n"
			 "file x same\nobject x same\n"
			 "neighbour two\n");
	assert_patterns(&c, 0, "/twa /twb");
	assert_int_equal(step_of(&c, STEP_INVALIDATE, 0)->evicted, 0);
	plan_case_release(&c);
}

static void test_plan__a_neighbour_that_was_not_read_is_held_anyhow(void **state)
{
	struct plan_case c;

	(void)state;
	/* Its distribution's settings are not known: one of the forms that its paths may
	 * have is without the prefix. */
	read_case(&c, CONFIG "site blog\nfile b.css same\n"
			     "site one\ndeployed a\nrecorded E1\n"
			     "distribution E1\nbehavior * ours\n"
			     "file b1 new\nobject b1 old\nfile b2 new\nobject b2 old\n"
			     "file x same\nobject x same\n"
			     "neighbour blog\n");
	assert_patterns(&c, 0, "/b1 /b2");
	plan_case_release(&c);
}

static void test_plan__a_neighbour_at_the_default_behaviour_is_held(void **state)
{
	struct plan_case c;

	(void)state;
	/* "/blo*" would be one pattern for both, but one's style sheet begins so. */
	read_case(&c, CONFIG "site one\ndeployed a\nrecorded E1\n"
			     "distribution E1\nbehavior /blog/* elsewhere\n"
			     "behavior /blot/* elsewhere\nbehavior * ours\n"
			     "file blob.css same\nobject blob.css same\n"
			     "site two\ndeployed a\nrecorded E1\n"
			     "distribution E1\nbehavior /blog/* ours\n"
			     "behavior /blot/* ours\nbehavior * elsewhere\n"
			     "file blog/a.html new\nobject blog/a.html old\n"
			     "file blot/b.html new\nobject blot/b.html old\n"
			     "neighbour one\n");
	assert_patterns(&c, 0, "/blog/a.html /blot/b.html");
	plan_case_release(&c);
}

static void test_plan__what_others_took_away_is_stale_too(void **state)
{
	struct plan_case c;

	(void)state;
	/* Both left the commit. Somebody else removed the one and replaced the other before
	 * this deploy could, but the edges may hold what was there. */
	read_case(&c, CONFIG "site one\ndeployed a\nrecorded E1\n"
			     "distribution E1\nbehavior * ours\naudit\n"
			     "object gone.html old\nobject taken.html old\n"
			     "file t.html same\nobject t.html same\nlive t.html same\n"
			     "live taken.html theirs\nlive never-ours.html x\n");
	assert_steps(&c, "claim one\ninvalidate E1\ncommit one\n");
	assert_patterns(&c, 0, "/gone.html /taken.html");
	plan_case_release(&c);
}

static void test_plan__what_is_evicted_is_named(void **state)
{
	struct plan_case c;
	const struct step *s;

	(void)state;
	read_case(&c,
		  CONFIG "max-paths 1\nsite one\ndeployed a\nrecorded E1\n"
			 "distribution E1\nbehavior /api/* elsewhere\nbehavior * ours\n"
			 "file a1 new\nobject a1 old\nfile a2 new\nobject a2 old\n"
			 "file a3 same\nobject a3 same\nfile b same\nobject b same\n");
	s = step_of(&c, STEP_INVALIDATE, 0);
	assert_patterns(&c, 0, "/a*");
	/* a3, and what the other origin holds; that has no number. */
	assert_int_equal(s->evicted, 1);
	assert_int_equal(s->stale, 2);
	assert_int_equal(s->evicted_first.len, 1);
	assert_string_equal(s->evicted_first.items[0], "/a3");
	assert_int_equal(s->evicted_elsewhere.len, 1);
	assert_string_equal(s->evicted_elsewhere.items[0], "/api/*");
	plan_case_release(&c);
}

/* So many files that changed, with unchanged ones between: no wildcard is free. */
static void add_files(struct buf *text, int n)
{
	for (int name = 'a'; name < 'a' + n; name++)
		buf_printf(text, "file %c new\nobject %c old\nfile %c- s\nobject %c- s\n",
			   name, name, name, name);
}

static void test_plan__the_budget_is_the_deploys(void **state)
{
	static const struct {
		int changed[2]; /* in each of two sites */
		int max_paths;
		size_t patterns[2];
	} cases[] = {
		/* What the one leaves is the other's. */
		{ { 1, 6 }, 7, { 1, 6 } },
		{ { 6, 1 }, 7, { 6, 1 } },
		/* Who gets less than it needs is left with one wildcard here. */
		{ { 1, 6 }, 6, { 1, 1 } },
		{ { 6, 6 }, 12, { 6, 6 } },
		{ { 6, 6 }, 11, { 1, 6 } },
		{ { 1, 1 }, 2, { 1, 1 } },
		/* Less than one each there is not. */
		{ { 1, 6 }, 1, { 1, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		CLEANUP(buf) struct buf text = BUF_INIT(4096);
		struct plan_case c;

		buf_printf(&text, CONFIG "max-paths %d\n", cases[i].max_paths);
		for (size_t k = 0; k < 2; k++) {
			buf_printf(&text,
				   "site %s\ndeployed a\nrecorded E%zu\n"
				   "distribution E%zu\nbehavior * ours\n",
				   k ? "two" : "one", k, k);
			add_files(&text, cases[i].changed[k]);
		}
		read_case(&c, text.data);
		for (size_t k = 0; k < 2; k++)
			if (step_of(&c, STEP_INVALIDATE, k)->cover.patterns.len !=
			    cases[i].patterns[k])
				fail_msg("case %zu, site %zu", i, k);
		plan_case_release(&c);
	}
}

static void test_plan__sites_share_a_distributions_wildcards(void **state)
{
	static const char *const sites[] = { "one", "two" };
	CLEANUP(buf) struct buf text = BUF_INIT(4096);
	struct plan_case c;

	(void)state;
	buf_str(&text, CONFIG "max-wildcards 4\n");
	for (size_t i = 0; i < 2; i++) {
		buf_printf(&text,
			   "site %s\ndeployed a\nrecorded E1\n"
			   "distribution E1\nbehavior * ours query\n",
			   sites[i]);
		/* Every one would be a wildcard of its own, and there is nothing between
		 * them to evict but the held ones. */
		for (int name = 'a'; name < 'e'; name++)
			buf_printf(&text,
				   "file %s%c1 new\nobject %s%c1 old\n"
				   "file %s%c2 s\nobject %s%c2 s\n",
				   sites[i], name, sites[i], name, sites[i], name,
				   sites[i], name);
	}
	read_case(&c, text.data);
	assert_true(step_of(&c, STEP_INVALIDATE, 0)->cover.wildcards <= 2);
	assert_true(step_of(&c, STEP_INVALIDATE, 1)->cover.wildcards <= 2);
	plan_case_release(&c);
}

/* Journals */

static void release_journal(struct state_journal *j)
{
	str_list_release(&j->distributions);
	state_touch_list_release(&j->touches);
}

static void test_plan__the_journal_names_what_steps_touch(void **state)
{
	const char *expected[] = { NULL, "\"a\"", "\"b\"", "\"c\"", NULL, NULL, NULL };
	const bool parts[] = { false, true, false, false, false, false, false };
	struct plan_case c;
	struct state_journal j;

	(void)state;
	read_case(&c, CONFIG "site one\ndeployed a\nrecorded E1\n"
			     "distribution E1\nbehavior * ours\n"
			     "file a.css new\n"
			     "file b.css same\nobject b.css same other-headers\n"
			     "file index.html new\nobject index.html old\n"
			     "object gone.css old\nfile z same\nobject z same\n"
			     "site two\ndeployed a\nfile x new\n");
	plan_journal(&c.outcome.plan, 0, expected, parts, &j);
	assert_true(j.is_set && !j.everything);
	assert_true(oid_equal(&j.commit, &c.options.head));
	assert_int_equal(j.distributions.len, 1);
	assert_int_equal(j.touches.len, 4);
	assert_string_equal(j.touches.items[0].path, "a.css");
	assert_null(j.touches.items[0].from);
	assert_string_equal(j.touches.items[1].path, "b.css");
	assert_true(j.touches.items[1].copied);
	assert_string_equal(j.touches.items[1].from, plan_case_etag(&c, "same"));
	assert_string_equal(j.touches.items[2].path, "gone.css");
	assert_true(j.touches.items[2].to_absent);
	assert_string_equal(j.touches.items[3].path, "index.html");
	assert_string_equal(j.touches.items[3].from, plan_case_etag(&c, "old"));
	assert_false(j.touches.items[3].to_absent);
	release_journal(&j);
	plan_case_release(&c);
}

/* Deploy c sent index.html and died. b takes it back and dies too, but after its put: a third
 * one finds what it wants in the bucket, and may die before it has told the edges. The fourth
 * must still know. */
static void test_plan__the_journal_keeps_what_is_stale_without_a_step(void **state)
{
	struct plan_case c;
	struct state_journal j;

	(void)state;
	read_case(&c, CONFIG "site one\ndeployed a\nrecorded E1\n"
			     "distribution E1\nbehavior * ours\n"
			     "file index.html old\nobject index.html old\n"
			     "file z same\nobject z same\nfile added.css new\n"
			     "journal c\nput index.html new old\nlive index.html old\n");
	assert_steps(&c, "claim one\nput added.css\ninvalidate E1\ncommit one\n");
	assert_patterns(&c, 0, "/ /index.html");
	plan_journal(&c.outcome.plan, 0, NULL, NULL, &j);
	assert_int_equal(j.touches.len, 2);
	assert_string_equal(j.touches.items[0].path, "added.css");
	assert_string_equal(j.touches.items[1].path, "index.html");
	assert_string_equal(j.touches.items[1].from, plan_case_etag(&c, "new"));
	assert_string_equal(j.touches.items[1].to, plan_case_etag(&c, "old"));
	release_journal(&j);
	plan_case_release(&c);
}

static void test_plan__the_journal_keeps_that_everything_is_stale(void **state)
{
	struct plan_case c;
	struct state_journal j;

	(void)state;
	read_case(&c, CONFIG "site one\ndeployed a\nrecorded E1\n"
			     "distribution E1\nbehavior * ours\n"
			     "file z same\nobject z same\njournal c everything\n");
	assert_patterns(&c, 0, "/*");
	plan_journal(&c.outcome.plan, 0, NULL, NULL, &j);
	assert_true(j.everything);
	release_journal(&j);
	plan_case_release(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan__phases_of_all_sites_go_side_by_side),
		cmocka_unit_test(test_plan__conditions_are_what_was_seen),
		cmocka_unit_test(test_plan__the_first_claim_makes_the_state),
		cmocka_unit_test(test_plan__a_broken_promise_is_not_made_again),
		cmocka_unit_test(test_plan__rules_decide_what_is_immutable),
		cmocka_unit_test(test_plan__an_unfinished_asset_is_retired_like_others),
		cmocka_unit_test(test_plan__deletes_are_counted_against_what_was_there),
		cmocka_unit_test(
			test_plan__an_error_page_clears_only_its_own_distribution),
		cmocka_unit_test(test_plan__neighbours_are_held_by_their_own_behaviours),
		cmocka_unit_test(test_plan__a_neighbour_that_was_not_read_is_held_anyhow),
		cmocka_unit_test(test_plan__a_neighbour_at_the_default_behaviour_is_held),
		cmocka_unit_test(test_plan__what_others_took_away_is_stale_too),
		cmocka_unit_test(test_plan__what_is_evicted_is_named),
		cmocka_unit_test(test_plan__the_budget_is_the_deploys),
		cmocka_unit_test(test_plan__sites_share_a_distributions_wildcards),
		cmocka_unit_test(test_plan__the_journal_names_what_steps_touch),
		cmocka_unit_test(
			test_plan__the_journal_keeps_what_is_stale_without_a_step),
		cmocka_unit_test(test_plan__the_journal_keeps_that_everything_is_stale),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

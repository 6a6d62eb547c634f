/* The phase in which backends deploy, without any that are real. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "aws_fixture.h"
#include "base/mem.h"
#include "run/execute.h"

enum { BACKENDS = 3 };

struct fixture {
	struct aws_fixture *aws;
	struct outcome outcome;
	size_t deployed;
	size_t moves_at;      /* whose deploy moves an output; BACKENDS: none */
	size_t fails_at;      /* likewise */
	enum error_code code; /* with which it fails */
	bool is_staged;
};

static int deploy_one(void *ctx, size_t i, const struct watch *watch, struct outcome *o,
		      struct error *err)
{
	struct fixture *f = ctx;

	(void)watch;
	(void)o;
	assert_int_equal(i, f->deployed);
	if (i == f->fails_at)
		return error_set(err, f->code, "not today");
	f->deployed++;
	return 0;
}

static bool moved(void *ctx)
{
	const struct fixture *f = ctx;

	return f->deployed == f->moves_at + 1;
}

static int run(struct fixture *f, struct error *err)
{
	const struct execute_options options = {
		.aws = f->aws->aws,
		.deploy_backend = deploy_one,
		.outputs_moved = moved,
		.is_staged = f->is_staged,
		.ctx = f,
	};
	bool touched = true;
	int rc;

	for (size_t i = 0; i < BACKENDS; i++)
		step_list_push(&f->outcome.plan.steps,
			       (struct step){ .kind = STEP_BACKEND,
					      .phase = PHASE_BACKENDS,
					      .site = SIZE_MAX,
					      .backend = i });
	rc = execute(&options, &f->outcome, &touched, err);
	assert_false(touched);
	return rc;
}

static void test_execute_backends__stops_where_outputs_move(void **state)
{
	static const struct {
		size_t at, deployed;
		int rc;
	} cases[] = { { 0, 1, -1 }, { 1, 2, -1 }, { 2, 3, -1 }, { BACKENDS, 3, 0 } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture f = { .aws = *state,
				     .moves_at = cases[i].at,
				     .fails_at = BACKENDS };
		struct error err = ERROR_INIT;

		assert_int_equal(run(&f, &err), cases[i].rc);
		assert_int_equal(err.code, cases[i].rc ? ERR_CONDITION : ERR_NONE);
		assert_int_equal(f.deployed, cases[i].deployed);
		for (size_t k = 0; k < BACKENDS; k++)
			assert_int_equal(f.outcome.steps[k].status,
					 k < f.deployed ? STATUS_DONE : STATUS_PENDING);
		outcome_release(&f.outcome);
	}
}

/* Nothing of a site is sent as long as backends are to be planned still. */
static void test_execute_backends__is_all_of_a_staged_plan(void **state)
{
	struct fixture f = { .aws = *state,
			     .moves_at = BACKENDS,
			     .fails_at = BACKENDS,
			     .is_staged = true };
	struct error err = ERROR_INIT;

	assert_int_equal(run(&f, &err), -1);
	assert_int_equal(err.code, ERR_CONDITION);
	assert_int_equal(f.deployed, BACKENDS);
	outcome_release(&f.outcome);
}

/* One that is planned anew has not failed. */
static void test_execute_backends__failing_and_planned_anew(void **state)
{
	static const struct {
		enum error_code code;
		enum step_status status;
	} cases[] = { { ERR_CONDITION, STATUS_PENDING }, { ERR_SERVICE, STATUS_FAILED } };

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct fixture f = { .aws = *state,
				     .moves_at = BACKENDS,
				     .fails_at = 1,
				     .code = cases[i].code };
		struct error err = ERROR_INIT;

		assert_int_equal(run(&f, &err), -1);
		assert_int_equal(err.code, cases[i].code);
		assert_int_equal(f.deployed, 1);
		assert_int_equal(f.outcome.steps[1].status, cases[i].status);
		outcome_release(&f.outcome);
	}
}

#define TEST(name)                                                     \
	cmocka_unit_test_setup_teardown(test_execute_backends__##name, \
					aws_fixture_setup, aws_fixture_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stops_where_outputs_move),
		TEST(is_all_of_a_staged_plan),
		TEST(failing_and_planned_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "git_checkout.h"
#include "run/package.h"

struct fixture {
	struct checkout checkout;
	struct config config;
	struct backend *backend;
	struct package_options options;
	struct package package;
	struct error err;
};

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));

	checkout_start(&f->checkout);
	f->config = (struct config)CONFIG_INIT;
	f->backend = config_add_backend(&f->config, "counter", "backend");
	f->backend->template_file = "template.yaml";
	f->options = (struct package_options){ .commit = &f->checkout.head,
					       .backend = f->backend,
					       .env = f->checkout.sandbox.env };
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	package_release(&f->package);
	config_release(&f->config);
	checkout_end(&f->checkout);
	free(f);
	return 0;
}

static void commit(struct fixture *f, const char *script)
{
	checkout_commit(&f->checkout, script);
}

static int open_package(struct fixture *f)
{
	package_release(&f->package);
	error_clear(&f->err);
	f->options.repo = checkout_open(&f->checkout);
	return package_open(&f->package, &f->options, &f->err);
}

static void must_open(struct fixture *f)
{
	if (open_package(f) < 0)
		fail_msg("%s", f->err.msg);
}

static void assert_refused(struct fixture *f, enum error_code code, const char *message)
{
	assert_int_equal(open_package(f), -1);
	if (f->err.code != code || !strstr(f->err.msg, message))
		fail_msg("%d %s\nlacks: %s", f->err.code, f->err.msg, message);
	assert_true(str_starts(f->err.msg, "backend counter: "));
}

/* Functions A (src), B (./src/), C (src, another runtime), D (../shared), and layer L. */
static const char five[] =
	"mkdir -p backend/src backend/layer shared; echo 1 > backend/src/app.py; "
	"echo 2 > shared/s.py; echo 3 > backend/layer/requirements.txt\n"
	"cat > backend/template.yaml <<'END'\n"
	"Parameters:\n  Origin: {Type: String}\n  Days: {Type: Number, Default: 0123}\n"
	"Globals: {Function: {Runtime: python3.13, Handler: app.x}}\n"
	"Resources:\n"
	"  A: {Type: AWS::Serverless::Function, Properties: {CodeUri: src}}\n"
	"  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: ./src/}}\n"
	"  C: {Type: AWS::Serverless::Function, Properties: {CodeUri: src, Runtime: python3.12}}\n"
	"  D: {Type: AWS::Serverless::Function, Properties: {CodeUri: ../shared}}\n"
	"  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: layer}}\n"
	"END\n";

static void each_content_is_opened_once(void **state)
{
	static const size_t of[] = { 0, 0, 0, 1, 2 };
	struct fixture *f = *state;
	CLEANUP(arena) struct arena arena = ARENA_INIT;

	commit(f, five);
	must_open(f);
	assert_int_equal(f->package.kind, SOURCE_COMMIT);
	assert_int_equal(f->package.n_codes, 3);
	assert_int_equal(f->package.template.codes.len, 5);
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(f->package.code_of[i], of[i]);
	assert_string_equal(f->package.codes[1].files.items[0].from, "shared/s.py");
	assert_false(f->package.codes[2].has_requirements);
	assert_string_equal(package_key(&f->package, 1, &arena),
			    arena_printf(&arena, "crc/%s.zip", f->package.codes[1].key));
	/* Now the runtime matters. */
	commit(f, "echo tiny > backend/src/requirements.txt");
	must_open(f);
	assert_int_equal(f->package.n_codes, 4);
	assert_int_equal(f->package.code_of[2], 1);
	assert_true(f->package.codes[0].has_requirements);
}

static void the_template_is_spliced(void **state)
{
	struct fixture *f = *state;
	CLEANUP(buf) struct buf out = BUF_INIT(1 << 16);
	CLEANUP(buf) struct buf expected = BUF_INIT(1 << 16);
	const struct code *codes;

	commit(f, five);
	must_open(f);
	codes = f->package.codes;
	package_splice(&f->package, "artefacts", &out);
	buf_printf(&expected,
		   "Parameters:\n  Origin: {Type: String}\n"
		   "  Days: {Type: Number, Default: 0123}\n"
		   "Globals: {Function: {Runtime: python3.13, Handler: app.x}}\n"
		   "Resources:\n"
		   "  A: {Type: AWS::Serverless::Function, Properties: {CodeUri: "
		   "s3://artefacts/crc/%s.zip}}\n"
		   "  B: {Type: AWS::Serverless::Function, Properties: {CodeUri: "
		   "s3://artefacts/crc/%s.zip}}\n"
		   "  C: {Type: AWS::Serverless::Function, Properties: {CodeUri: "
		   "s3://artefacts/crc/%s.zip, Runtime: python3.12}}\n"
		   "  D: {Type: AWS::Serverless::Function, Properties: {CodeUri: "
		   "s3://artefacts/crc/%s.zip}}\n"
		   "  L: {Type: AWS::Serverless::LayerVersion, Properties: {ContentUri: "
		   "s3://artefacts/crc/%s.zip}}\n",
		   codes[0].key, codes[0].key, codes[0].key, codes[1].key, codes[2].key);
	assert_string_equal(out.data, expected.data);
}

static void set_parameter(struct fixture *f, const char *name, unsigned line)
{
	struct parameter p = {
		.name = name,
		.value = { .kind = VALUE_LITERAL, .text = "x", .line = line, .column = 7 }
	};

	parameter_list_push(&f->backend->parameters, p);
}

/* What is installed is for the machine that the stack is going to have. */
static void parameters_go_before_their_defaults(void **state)
{
	struct fixture *f = *state;
	struct value value = { .kind = VALUE_LITERAL, .text = "arm64" };
	const struct code_options *o;

	commit(f, "mkdir -p backend/src; echo tiny > backend/src/requirements.txt; "
		  "cat > backend/template.yaml <<'END'\n"
		  "Parameters:\n  Cpu: {Type: String, Default: x86_64}\n"
		  "  Py: {Type: String, Default: python3.12}\n"
		  "Resources:\n  A:\n    Type: AWS::Serverless::Function\n"
		  "    Properties: {CodeUri: src, Runtime: !Ref Py, "
		  "Architectures: [!Ref Cpu]}\nEND\n");
	must_open(f);
	o = &f->package.codes[0].options;
	assert_string_equal(o->architecture, "x86_64");
	parameter_list_push(&f->backend->parameters, (struct parameter){ "Cpu", value });
	must_open(f);
	o = &f->package.codes[0].options;
	assert_string_equal(o->architecture, "arm64");
	assert_string_equal(o->runtime, "python3.12");
	/* An output of a stack that has yet to deploy. */
	value = (struct value){ .kind = VALUE_OUTPUT, .text = "Py", .backend = "other" };
	parameter_list_push(&f->backend->parameters, (struct parameter){ "Py", value });
	assert_refused(f, ERR_CONFIG,
		       "which Python and processor to install is not known");
	/* The runtime is written out, and yet nobody knows. */
	f->backend->parameters.len = 0;
	commit(f, "sed -i 's/!Ref Cpu/!If [Arm, arm64, x86_64]/; s/!Ref Py/python3.12/' "
		  "backend/template.yaml");
	assert_refused(f, ERR_CONFIG, "write `Runtime` and `Architectures` out");
}

static void parameters_must_be_declared(void **state)
{
	struct fixture *f = *state;

	commit(f, five);
	set_parameter(f, "Origin", 3);
	must_open(f);
	set_parameter(f, "Day", 4);
	f->options.config_file = "other.yml";
	assert_refused(f, ERR_CONFIG,
		       "other.yml:4:7: backend/template.yaml declares no parameter "
		       "\"Day\": did you mean \"Days\"?");
	commit(f, "echo 'Resources: {}' > backend/template.yaml");
	f->options.config_file = NULL;
	assert_refused(f, ERR_CONFIG,
		       "crc.yml:3:7: backend/template.yaml declares no "
		       "parameters, and \"Origin\" is set");
	must_open((parameter_list_release(&f->backend->parameters), f));
	assert_int_equal(f->package.n_codes, 0);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
	static const struct {
		const char *script;
		enum error_code code;
		const char *message;
	} cases[] = {
		{ "git rm -q backend/template.yaml", ERR_CONFIG,
		  "there is no template backend/template.yaml in the commit or on the" },
		{ "git rm -qr backend; mkdir -p backend/template.yaml; "
		  "touch backend/template.yaml/x",
		  ERR_CONFIG, "backend/template.yaml is a folder" },
		{ "echo 'a: [' > backend/template.yaml", ERR_CONFIG,
		  "backend/template.yaml:2:" },
		{ "head -c 1100000 /dev/zero | tr '\\0' '#' > backend/template.yaml",
		  ERR_CONFIG, "over the 1 MB" },
		{ "sed -i 's,\\.\\./shared,../none,' backend/template.yaml", ERR_CONFIG,
		  "backend/template.yaml:9: CodeUri of D: there is no backend/../none" },
		{ "sed -i 's,\\.\\./shared,../../x,' backend/template.yaml", ERR_CONFIG,
		  "CodeUri of D: backend/../../x: it leads out of the repository" },
		{ "ln -s /etc/passwd backend/src/l", ERR_DATA,
		  "template.yaml:6: CodeUri of A: backend/src: 1 path cannot be packed" },
		{ "echo tiny > shared/requirements.txt; "
		  "sed -i s,python3.13,ruby3.4, backend/template.yaml; "
		  "echo -e . > backend/src/requirements.txt",
		  ERR_CONFIG, "CodeUri of C: backend/src: requirements.txt:1" },
	};
	struct fixture *f = *state;

	commit(f, five);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		commit(f, cases[i].script);
		assert_refused(f, cases[i].code, cases[i].message);
		run(&f->checkout.sandbox, "r", NULL,
		    "git reset -q --hard HEAD~1; git clean -qfdx");
	}
}

static void a_build_takes_the_work_tree(void **state)
{
	struct fixture *f = *state;

	commit(f, five);
	run(&f->checkout.sandbox, "r", NULL,
	    "echo 'tiny' > backend/src/requirements.txt");
	must_open(f);
	assert_int_equal(f->package.codes[0].files.len, 1);
	f->backend->build = "make";
	must_open(f);
	assert_int_equal(f->package.kind, SOURCE_WORKTREE);
	assert_int_equal(f->package.codes[0].files.len, 2);
	assert_false(f->package.codes[0].has_requirements);
	f->options.wanted = SOURCE_COMMIT;
	assert_refused(f, ERR_CONFIG, "leave --source commit out");
}

static void a_template_at_the_top_means_its_folder(void **state)
{
	struct fixture *f = *state;

	commit(f, "echo 1 > app.py; printf 'Resources:\\n  A:\\n    Type: "
		  "AWS::Serverless::Function\\n    Properties:\\n      Handler: x\\n' > "
		  "template.yaml; touch crc.yml");
	f->backend->path = "";
	must_open(f);
	assert_int_equal(f->package.n_codes, 1);
	assert_int_equal(f->package.codes[0].files.len, 3);
	assert_string_equal(f->package.codes[0].files.items[2].path, "template.yaml");
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(each_content_is_opened_once),
		CASE(the_template_is_spliced),
		CASE(parameters_must_be_declared),
		CASE(parameters_go_before_their_defaults),
		CASE(what_is_wrong_is_told_with_its_place),
		CASE(a_build_takes_the_work_tree),
		CASE(a_template_at_the_top_means_its_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "action/options.h"

#include <assert.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum kind { FLAG, TEXT, CHOICE, NUMBER };

struct row {
	const char *name; /* of the option, and of the input unless that is given */
	const char *alias;
	char letter;
	enum kind kind;
	size_t offset;
	const char *input; /* "" none */
	const char *value; /* what --help calls it; of a choice: all there is */
	int64_t min, max;
	const char *help; /* NULL: not shown */
};

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
	{ "dry-run", NULL, 'n', FLAG, AT(dry_run), NULL, NULL, 0, 0,
	  "print the plan; write nothing anywhere" },
	{ "change-set", NULL, 0, FLAG, AT(change_set), NULL, NULL, 0, 0,
	  "in a dry run, let CloudFormation say which resources would change" },
	{ "offline", NULL, 0, FLAG, AT(offline), "", NULL, 0, 0,
	  "no network: plan from git alone (implied by a dry run without credentials)" },
	{ "config", NULL, 0, TEXT, AT(config), NULL, "FILE", 0, 0,
	  "configuration file (default: crc.yml of the commit, if there is one)" },
	{ "repo", NULL, 'C', TEXT, AT(repo), "working-directory", "DIR", 0, 0,
	  "the repository, or a folder in it (default: here)" },
	{ "head", NULL, 0, TEXT, AT(head), NULL, "COMMIT", 0, 0, "what to deploy" },
	{ "base", NULL, 0, TEXT, AT(base), NULL, "COMMIT", 0, 0,
	  "what to compare with (dry runs)" },
	{ "name", NULL, 0, TEXT, AT(name), NULL, "NAME", 0, 0,
	  "what the site is called in reports (default: site)" },
	{ "site-path", NULL, 0, TEXT, AT(site_path), NULL, "DIR", 0, 0,
	  "the site's folder, from the top of the repository" },
	{ "bucket", NULL, 0, TEXT, AT(bucket), NULL, "NAME", 0, 0, "the S3 bucket" },
	{ "prefix", NULL, 0, TEXT, AT(prefix), NULL, "PREFIX", 0, 0,
	  "where in the bucket the site is" },
	{ "distribution-id", NULL, 0, TEXT, AT(distribution_id), NULL, "ID[,ID...]", 0, 0,
	  "the CloudFront distributions in front of it" },
	{ "url", NULL, 0, TEXT, AT(url), NULL, "URL", 0, 0,
	  "where the site is looked at" },
	{ "backend-path", NULL, 0, TEXT, AT(backend_path), NULL, "DIR", 0, 0,
	  "the backend's folder, from the top of the repository" },
	{ "template", NULL, 0, TEXT, AT(template_file), NULL, "FILE", 0, 0,
	  "its SAM or CloudFormation template, from that folder (default: template.yaml)" },
	{ "stack-name", NULL, 0, TEXT, AT(stack_name), NULL, "NAME", 0, 0,
	  "the stack that the template is deployed as" },
	{ "function-name", NULL, 0, TEXT, AT(function_name), NULL, "NAME", 0, 0,
	  "an existing Lambda function that gets the folder as its code" },
	{ "source", NULL, 0, CHOICE, AT(source), NULL, "commit|worktree|auto", 0, 0,
	  "whether the commit's files or those on the disk are deployed" },
	{ "site", NULL, 0, TEXT, AT(site), NULL, "NAME", 0, 0,
	  "only this site of the configuration file" },
	{ "backend", NULL, 0, TEXT, AT(backend), NULL, "NAME", 0, 0,
	  "only this backend of the configuration file" },
	{ "region", "aws-region", 0, TEXT, AT(region), "aws-region", "REGION", 0, 0,
	  "the AWS region (also --aws-region)" },
	{ "role-to-assume", NULL, 0, TEXT, AT(role_to_assume), NULL, "ARN", 0, 0,
	  "the role to take on with the job's OIDC token" },
	{ "wait", NULL, 0, FLAG, AT(wait), NULL, NULL, 0, 0,
	  "until CloudFront reports the invalidation completed" },
	{ "verify", NULL, 0, FLAG, AT(verify), NULL, NULL, 0, 0,
	  "wait, then fetch what changed from the url until it serves the new bytes" },
	{ "audit", NULL, 0, FLAG, AT(audit), NULL, NULL, 0, 0,
	  "list the bucket and read live code; repair what others changed" },
	{ "allow-rollback", NULL, 0, FLAG, AT(allow_rollback), NULL, NULL, 0, 0,
	  "deploy a commit that is older than what is deployed" },
	{ "recreate-stack", NULL, 0, FLAG, AT(recreate_stack), NULL, NULL, 0, 0,
	  "delete a stack whose creation failed, and create it anew" },
	{ "max-delete", NULL, 0, NUMBER, AT(max_delete), NULL, "N", 0, INT64_MAX,
	  "refuse to delete more (default 256, or a quarter of the site if that is more)" },
	{ "max-paths", NULL, 0, NUMBER, AT(max_paths), NULL, "N", 1, 3000,
	  "most invalidation paths to spend" },
	{ "concurrency", NULL, 0, NUMBER, AT(concurrency), NULL, "N", 1, 256,
	  "requests side by side" },
	{ "lock-timeout", NULL, 0, NUMBER, AT(lock_timeout_s), NULL, "SECONDS", 0, 86400,
	  "how long to wait for another deploy" },
	{ "json", NULL, 0, FLAG, AT(json), "", NULL, 0, 0, "JSON lines instead of text" },
	{ "quiet", NULL, 'q', FLAG, AT(quiet), "", NULL, 0, 0,
	  "only the outcome; in a dry run, the plan in a line" },
	{ "verbose", NULL, 'v', FLAG, AT(verbose), "", NULL, 0, 0,
	  "each request, and all of a long plan" },
	{ "color", NULL, 0, CHOICE, AT(color), "", "auto|always|never", 0, 0, "colours" },
	{ "help", NULL, 'h', FLAG, AT(help), "", NULL, 0, 0, "this text" },
	{ "version", NULL, 0, FLAG, AT(version), "", NULL, 0, 0, "the version" },
	{ "print-inputs", NULL, 0, FLAG, AT(print_inputs), "", NULL, 0, 0, NULL },
};

enum { N_ROWS = sizeof(rows) / sizeof(*rows) };

/* What is taken when nothing is given. */
static const struct {
	const char *name;
	const char *value;
} fallbacks[] = {
	{ "source", "auto" },      { "max-paths", "100" }, { "concurrency", "16" },
	{ "lock-timeout", "600" }, { "color", "auto" },
};

enum { N_FALLBACKS = sizeof(fallbacks) / sizeof(*fallbacks) };

static const char *const commands[] = { "deploy", "status" };

/* Names that differ in this many letters are no slip of the fingers. */
enum { FAR = 4 };

const char *options_env(const char *const *env, const char *name)
{
	size_t n = strlen(name);

	for (; env && *env; env++)
		if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
			return *env + n + 1;
	return NULL;
}

static const char *input_of(const struct row *r)
{
	return r->input ? r->input : r->name;
}

static const char *fallback_of(const struct row *r)
{
	for (size_t i = 0; i < N_FALLBACKS; i++)
		if (str_eq(fallbacks[i].name, r->name))
			return fallbacks[i].value;
	return NULL;
}

/* What an input says of a flag; -1: neither yes nor no. */
static int truth(const char *text)
{
	static const char *const yes[] = { "true", "yes", "on", "1" };
	static const char *const no[] = { "false", "no", "off", "0" };

	for (size_t i = 0; i < 4; i++) {
		if (str_eq_nocase(text, yes[i]))
			return 1;
		if (str_eq_nocase(text, no[i]))
			return 0;
	}
	return -1;
}

/* Whether a word is one of "this|that|other". */
static bool is_choice(const char *choices, const char *word)
{
	size_t n = strlen(word);

	while (*choices) {
		size_t len = strcspn(choices, "|");

		if (len == n && strncmp(choices, word, n) == 0)
			return true;
		choices += len + (choices[len] == '|');
	}
	return false;
}

static int set_number(const struct row *r, const char *named, const char *value, void *at,
		      struct error *err)
{
	int64_t n;

	if (str_to_i64(value, r->min, r->max, &n)) {
		memcpy(at, &n, sizeof(n));
		return 0;
	}
	if (r->max == INT64_MAX)
		return error_set(err, ERR_USAGE,
				 "%s: \"%s\" is not a number, %" PRId64 " or more", named,
				 value, r->min);
	return error_set(err, ERR_USAGE,
			 "%s: \"%s\" is not a number from %" PRId64 " to %" PRId64, named,
			 value, r->min, r->max);
}

/* named: how the user calls it. A flag without a value is true. */
static int set(struct options *o, const struct row *r, const char *named,
	       const char *value, struct error *err)
{
	char *at = (char *)o + r->offset;
	int yes;

	switch (r->kind) {
	case CHOICE:
		if (!is_choice(r->value, value))
			return error_set(err, ERR_USAGE, "%s: \"%s\" is none of %s",
					 named, value, r->value);
		memcpy(at, &value, sizeof(value));
		return 0;
	case TEXT:
		memcpy(at, &value, sizeof(value));
		return 0;
	case NUMBER:
		return set_number(r, named, value, at, err);
	case FLAG:
		yes = value ? truth(value) : 1;
		if (yes < 0)
			return error_set(err, ERR_USAGE,
					 "%s: \"%s\" is not true or false", named, value);
		*(bool *)at = yes == 1;
		return 0;
	}
	return 0;
}

static void take_fallbacks(struct options *o)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		struct error err = ERROR_INIT;
		const char *value = fallback_of(&rows[i]);
		int rc = value ? set(o, &rows[i], rows[i].name, value, &err) : 0;

		assert(rc == 0); /* options take their own fallbacks */
	}
}

static const char *input_value(const struct row *r, const char *const *env)
{
	CLEANUP(buf) struct buf name = BUF_INIT(128);

	buf_str(&name, "INPUT_");
	for (const char *c = input_of(r); *c; c++)
		buf_char(&name, *c == '-'                ? '_'
				: *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A')
							 : *c);
	return options_env(env, name.data);
}

/* As the runner's own library does it: a block of YAML ends in a line's end. */
static const char *trimmed(struct arena *arena, const char *text)
{
	static const char blanks[] = " \t\r\n";
	size_t n;

	text += strspn(text, blanks);
	n = strlen(text);
	if (!n || !strchr(blanks, text[n - 1]))
		return text;
	while (n && strchr(blanks, text[n - 1]))
		n--;
	return arena_strndup(arena, text, n);
}

static int take_inputs(struct options *o, const char *const *env, struct error *err)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];
		const char *value = *input_of(r) ? input_value(r, env) : NULL;

		if (value)
			value = trimmed(&o->arena, value);
		if (!str_empty(value) && set(o, r, input_of(r), value, err) < 0)
			return error_wrap(err, "input");
	}
	return 0;
}

static const struct row *find_row(const char *name, size_t n)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];

		if (strlen(r->name) == n && strncmp(r->name, name, n) == 0)
			return r;
		if (r->alias && strlen(r->alias) == n && strncmp(r->alias, name, n) == 0)
			return r;
	}
	return NULL;
}

static const struct row *find_letter(char letter)
{
	for (size_t i = 0; letter && i < N_ROWS; i++)
		if (rows[i].letter == letter)
			return &rows[i];
	return NULL;
}

static void consider(const char *name, const char *candidate, unsigned *least,
		     const char **nearest)
{
	unsigned d = candidate ? str_distance(name, candidate) : *least;

	if (d < *least) {
		*least = d;
		*nearest = candidate;
	}
}

/* A short name is near to everything. */
static unsigned far_from(const char *name)
{
	size_t n = strlen(name);

	return n < FAR ? (unsigned)n : FAR;
}

static int unknown_option(const char *name, struct error *err)
{
	const char *nearest = NULL;
	unsigned least = far_from(name);

	for (size_t i = 0; i < N_ROWS; i++) {
		if (!rows[i].help)
			continue;
		consider(name, rows[i].name, &least, &nearest);
		consider(name, rows[i].alias, &least, &nearest);
	}
	if (nearest)
		return error_set(err, ERR_USAGE,
				 "there is no option --%s: did you mean --%s?", name,
				 nearest);
	return error_set(err, ERR_USAGE, "there is no option --%s: see crc-action --help",
			 name);
}

struct arguments {
	char **argv;
	int argc;
	int at;
};

/* The next argument as an option's value. What looks like an option is one that was
 * forgotten to be given a value before; "--name=--value" is how to say it. */
static const char *next_value(struct arguments *a)
{
	if (a->at + 1 >= a->argc || str_starts(a->argv[a->at + 1], "--"))
		return NULL;
	return a->argv[++a->at];
}

static int take_value(struct options *o, const struct row *r, const char *named,
		      const char *value, struct error *err)
{
	if (r->kind != FLAG && !value)
		return error_set(err, ERR_USAGE, "%s needs a value: %s", named, r->value);
	return set(o, r, named, value, err);
}

/* "--name", "--name value", "--name=value" */
static int take_long(struct options *o, struct arguments *a, struct error *err)
{
	CLEANUP(buf) struct buf named = BUF_INIT(1 << 20);
	const char *name = a->argv[a->at] + 2;
	size_t n = strcspn(name, "=");
	const char *value = name[n] ? name + n + 1 : NULL;
	const struct row *r = find_row(name, n);

	buf_printf(&named, "--%.*s", (int)n, name);
	if (!r)
		return unknown_option(named.data + 2, err);
	if (r->kind != FLAG && !value)
		value = next_value(a);
	return take_value(o, r, named.data, value, err);
}

/* "-n", "-nv", "-C dir", "-Cdir" */
static int take_letters(struct options *o, struct arguments *a, struct error *err)
{
	for (const char *c = a->argv[a->at] + 1; *c; c++) {
		const struct row *r = find_letter(*c);
		const char named[] = { '-', *c, '\0' };

		if (!r)
			return error_set(err, ERR_USAGE,
					 "there is no option %s: see crc-action --help",
					 named);
		if (r->kind != FLAG)
			return take_value(o, r, named, c[1] ? c + 1 : next_value(a), err);
		if (take_value(o, r, named, NULL, err) < 0)
			return -1;
	}
	return 0;
}

static int take_command(struct options *o, const char *arg, struct error *err)
{
	const char *nearest = NULL;
	unsigned least = far_from(arg);

	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		consider(arg, commands[i], &least, &nearest);
		if (str_eq(arg, commands[i])) {
			o->command = commands[i];
			return 0;
		}
	}
	if (nearest)
		return error_set(err, ERR_USAGE,
				 "there is no command %s: did you mean %s?", arg,
				 nearest);
	return error_set(err, ERR_USAGE, "there is no command %s: see crc-action --help",
			 arg);
}

static int take_arguments(struct options *o, struct arguments *a, struct error *err)
{
	bool command_seen = false;
	bool options_end = false;

	for (; a->at < a->argc; a->at++) {
		const char *arg = a->argv[a->at];
		bool is_option = !options_end && arg[0] == '-' && arg[1];
		int rc;

		if (is_option && str_eq(arg, "--")) {
			options_end = true;
			continue;
		}
		if (is_option)
			rc = arg[1] == '-' ? take_long(o, a, err)
					   : take_letters(o, a, err);
		else if (command_seen)
			rc = error_set(err, ERR_USAGE, "one command at a time: %s", arg);
		else
			rc = take_command(o, arg, err);
		if (rc < 0)
			return -1;
		command_seen |= !is_option;
	}
	return 0;
}

/* So that what is wrong with the arguments before it is told in JSON as well. */
static bool asks_for_json(int argc, char **argv)
{
	for (int i = 1; i < argc && !str_eq(argv[i], "--"); i++)
		if (str_eq(argv[i], "--json"))
			return true;
	return false;
}

void options_release(struct options *o)
{
	arena_release(&o->arena);
}

int options_parse(struct options *o, int argc, char **argv, const char *const *env,
		  struct error *err)
{
	struct arguments arguments = { argv, argc, 1 };

	*o = (struct options){
		.command = "deploy",
		.json = asks_for_json(argc, argv),
		.max_delete = -1,
	};
	take_fallbacks(o);
	if (take_inputs(o, env, err) < 0)
		return -1;
	return take_arguments(o, &arguments, err);
}

static void help_row(const struct row *r, struct buf *out)
{
	size_t before = out->len;

	buf_str(out, "  ");
	if (r->letter)
		buf_printf(out, "-%c, ", r->letter);
	buf_printf(out, "--%s", r->name);
	if (r->value)
		buf_printf(out, " %s", r->value);
	if (out->len - before < 33)
		buf_printf(out, "%*s", (int)(33 - (out->len - before)), "");
	else
		buf_printf(out, "\n%33s", "");
	buf_str(out, r->help);
	if (fallback_of(r))
		buf_printf(out, " (default %s)", fallback_of(r));
	buf_char(out, '\n');
}

void options_help(struct buf *out)
{
	buf_str(out,
		"crc-action - takes a commit live on S3 and CloudFront, exactly\n\n"
		"  crc-action [deploy] [options]   what differs is uploaded, what is stale "
		"is invalidated\n"
		"  crc-action --dry-run            says what would be done\n"
		"  crc-action status [options]     says what is deployed\n\n");
	for (size_t i = 0; i < N_ROWS; i++)
		if (rows[i].help)
			help_row(&rows[i], out);
	buf_str(out,
		"\nExit status: 0 done, nothing to do, or superseded by a newer commit; "
		"1 failed;\n2 usage or configuration; 3 credentials or permission; 4 "
		"partly done, run again;\n5 refused (locked, order unknown, safety "
		"limit).\n");
}

void options_inputs(struct buf *out)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		const struct row *r = &rows[i];
		const char *value = fallback_of(r);

		if (!value)
			value = r->kind == FLAG ? "false" : "";
		if (*input_of(r))
			buf_printf(out, "%s\t%s\n", input_of(r), value);
	}
}

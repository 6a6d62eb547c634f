#include "action/options.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum kind { FLAG, TEXT, NUMBER };

struct row {
	const char *name; /* of the option, and of the input unless that is given */
	const char *alias;
	char letter;
	enum kind kind;
	size_t offset;
	const char *input; /* "" none */
	const char *value; /* what --help calls it */
	int64_t min, max;
	const char *help; /* NULL: not shown */
};

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
	{ "dry-run", NULL, 'n', FLAG, AT(dry_run), NULL, NULL, 0, 0,
	  "print the plan; write nothing anywhere" },
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
	  "the site's folder in the repository" },
	{ "bucket", NULL, 0, TEXT, AT(bucket), NULL, "NAME", 0, 0, "the S3 bucket" },
	{ "prefix", NULL, 0, TEXT, AT(prefix), NULL, "PREFIX", 0, 0,
	  "where in the bucket the site is" },
	{ "distribution-id", NULL, 0, TEXT, AT(distribution_id), NULL, "ID[,ID...]", 0, 0,
	  "the CloudFront distributions in front of it" },
	{ "url", NULL, 0, TEXT, AT(url), NULL, "URL", 0, 0,
	  "where the site is looked at" },
	{ "source", NULL, 0, TEXT, AT(source), NULL, "commit|worktree|auto", 0, 0,
	  "whether the commit's files or those on the disk are deployed" },
	{ "site", NULL, 0, TEXT, AT(site), NULL, "NAME", 0, 0,
	  "only this site of the configuration file" },
	{ "region", "aws-region", 0, TEXT, AT(region), "aws-region", "REGION", 0, 0,
	  "the AWS region" },
	{ "role-to-assume", NULL, 0, TEXT, AT(role_to_assume), NULL, "ARN", 0, 0,
	  "the role to take on with the job's OIDC token" },
	{ "wait", NULL, 0, FLAG, AT(wait), NULL, NULL, 0, 0,
	  "until CloudFront reports the invalidation completed" },
	{ "verify", NULL, 0, FLAG, AT(verify), NULL, NULL, 0, 0,
	  "wait, then fetch what changed from the url until it serves the new bytes" },
	{ "audit", NULL, 0, FLAG, AT(audit), NULL, NULL, 0, 0,
	  "list the bucket and repair what others changed" },
	{ "allow-rollback", NULL, 0, FLAG, AT(allow_rollback), NULL, NULL, 0, 0,
	  "deploy a commit that is older than what is deployed" },
	{ "max-delete", NULL, 0, NUMBER, AT(max_delete), NULL, "N", 0, INT64_MAX,
	  "refuse to delete more (default 256, or a quarter of the site if that is more)" },
	{ "max-paths", NULL, 0, NUMBER, AT(max_paths), NULL, "N", 1, 3000,
	  "most invalidation paths to spend" },
	{ "concurrency", NULL, 0, NUMBER, AT(concurrency), NULL, "N", 1, 256,
	  "requests side by side" },
	{ "lock-timeout", NULL, 0, NUMBER, AT(lock_timeout_s), NULL, "SECONDS", 0, 86400,
	  "how long to wait for another deploy" },
	{ "json", NULL, 0, FLAG, AT(json), "", NULL, 0, 0, "JSON lines instead of text" },
	{ "quiet", NULL, 'q', FLAG, AT(quiet), "", NULL, 0, 0, "only the outcome" },
	{ "verbose", NULL, 'v', FLAG, AT(verbose), "", NULL, 0, 0, "each request" },
	{ "color", NULL, 0, TEXT, AT(color), "", "auto|always|never", 0, 0, "colours" },
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
	{ "source", "auto" },
	{ "max-paths", "100" },
	{ "concurrency", "16" },
	{ "lock-timeout", "600" },
};

enum { N_FALLBACKS = sizeof(fallbacks) / sizeof(*fallbacks) };

static const char *const commands[] = { "deploy", "status" };

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

static int set(struct options *o, const struct row *r, const char *named,
	       const char *value, struct error *err)
{
	char *at = (char *)o + r->offset;
	int64_t n;
	int yes;

	switch (r->kind) {
	case TEXT:
		memcpy(at, &value, sizeof(value));
		return 0;
	case NUMBER:
		if (!str_to_i64(value, r->min, r->max, &n))
			return error_set(err, ERR_USAGE, "%s: \"%s\" is not a number %s",
					 named, value,
					 r->max == INT64_MAX ? "from 0" : "in its range");
		memcpy(at, &n, sizeof(n));
		return 0;
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

static int take_inputs(struct options *o, const char *const *env, struct error *err)
{
	for (size_t i = 0; i < N_ROWS; i++) {
		CLEANUP(buf) struct buf name = BUF_INIT(128);
		const char *value;

		if (!*input_of(&rows[i]))
			continue;
		buf_str(&name, "INPUT_");
		for (const char *c = input_of(&rows[i]); *c; c++)
			buf_char(&name, *c == '-'                ? '_'
					: *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A')
								 : *c);
		value = options_env(env, name.data);
		if (!str_empty(value) &&
		    set(o, &rows[i], input_of(&rows[i]), value, err) < 0)
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

static int unknown(const char *arg, struct error *err)
{
	const char *nearest = NULL;
	unsigned least = 4;

	for (size_t i = 0; i < N_ROWS; i++) {
		unsigned d = str_distance(arg + 2, rows[i].name);

		if (rows[i].help && d < least) {
			least = d;
			nearest = rows[i].name;
		}
	}
	if (str_starts(arg, "--") && nearest)
		return error_set(err, ERR_USAGE,
				 "there is no option %s: did you mean --%s?", arg,
				 nearest);
	return error_set(err, ERR_USAGE, "there is no option %s: see crc-action --help",
			 arg);
}

/* Takes argv[*i], and the next one if it is its value. */
static int take_option(struct options *o, char **argv, int argc, int *i,
		       struct error *err)
{
	const char *arg = argv[*i];
	const char *equals = strchr(arg, '=');
	const char *value = equals ? equals + 1 : NULL;
	const struct row *r;

	if (str_starts(arg, "--"))
		r = find_row(arg + 2,
			     equals ? (size_t)(equals - arg - 2) : strlen(arg) - 2);
	else
		r = arg[1] && !arg[2] ? find_letter(arg[1]) : NULL;
	if (!r)
		return unknown(arg, err);
	if (r->kind != FLAG && !value) {
		if (*i + 1 >= argc)
			return error_set(err, ERR_USAGE, "%s needs a value: %s", arg,
					 r->value);
		value = argv[++*i];
	}
	return set(o, r, arg, value, err);
}

static int take_command(struct options *o, const char *arg, struct error *err)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (str_eq(arg, commands[i])) {
			o->command = commands[i];
			return 0;
		}
	}
	return error_set(err, ERR_USAGE, "there is no command %s: see crc-action --help",
			 arg);
}

int options_parse(struct options *o, int argc, char **argv, const char *const *env,
		  struct error *err)
{
	bool command_seen = false;

	*o = (struct options){
		.command = "deploy",
		.max_delete = -1,
	};
	take_fallbacks(o);
	if (take_inputs(o, env, err) < 0)
		return -1;
	for (int i = 1; i < argc; i++) {
		if (argv[i][0] == '-' && argv[i][1]) {
			if (take_option(o, argv, argc, &i, err) < 0)
				return -1;
		} else if (command_seen || take_command(o, argv[i], err) < 0) {
			return command_seen
				       ? error_set(err, ERR_USAGE,
						   "one command at a time: %s", argv[i])
				       : -1;
		} else {
			command_seen = true;
		}
	}
	return 0;
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

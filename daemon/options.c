#include "daemon/options.h"

#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"

enum kind { FLAG, TEXT, NUMBER };

struct row {
	const char *name;
	enum kind kind;
	size_t offset;
	const char *value; /* what --help calls it */
	int64_t min, max;
	const char *of; /* the one command that has it; NULL: all */
	const char *help;
};

#define AT(member) offsetof(struct options, member)

static const struct row rows[] = {
	{ "config", TEXT, AT(config), "FILE", 0, 0, NULL,
	  "what is received and deployed (default " OPTIONS_CONFIG ")" },
	{ "check-config", FLAG, AT(check_config), NULL, 0, 0, "serve",
	  "say whether the file and the secrets it names are right, and end" },
	{ "json", FLAG, AT(json), NULL, 0, 0, "list", "JSON, one object a line" },
	{ "last", NUMBER, AT(last), "N", 1, 1000, "list",
	  "at most so many deploys (default 20)" },
	{ "help", FLAG, AT(help), NULL, 0, 0, NULL, "show this" },
	{ "version", FLAG, AT(version), NULL, 0, 0, NULL, "show the version" },
};

enum { N_ROWS = sizeof(rows) / sizeof(*rows) };

struct command {
	const char *name;
	int words_least, words_most;
	const char *words; /* as --help shows them */
	const char *help;
};

static const struct command commands[] = {
	{ "serve", 0, 0, "",
	  "receive webhooks and deploy (what it does without a command)" },
	{ "list", 0, 1, "[SITE]", "what was deployed, waits, or failed, newest first" },
	{ "redeploy", 1, 2, "SITE [COMMIT]",
	  "deploy a commit once more (default: the branch's tip)" },
	{ "rollback", 1, 2, "SITE [COMMIT]",
	  "go back to a commit (default: what was live before)" },
	{ "retry", 1, 1, "SITE", "queue again the deploy that was given up" },
};

enum { N_COMMANDS = sizeof(commands) / sizeof(*commands), FAR = 4 };

struct arguments {
	char **argv;
	int argc;
	int at;
	const char *words[OPTIONS_WORDS_MOST];
	int n_words;
	const struct command *command; /* NULL: none yet */
	const struct row *bound;       /* an option that belongs to one command */
};

static void consider(const char *name, const char *candidate, unsigned *least,
		     const char **nearest)
{
	unsigned d = str_distance(name, candidate);

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

static int unknown(const char *kind, const char *dashes, const char *name,
		   const char *nearest, struct error *err)
{
	if (nearest)
		return error_set(err, ERR_USAGE,
				 "there is no %s %s%s: did you mean %s%s?", kind, dashes,
				 name, dashes, nearest);
	return error_set(err, ERR_USAGE, "there is no %s %s%s: see crc-daemon --help",
			 kind, dashes, name);
}

static int unknown_option(const char *name, struct error *err)
{
	const char *nearest = NULL;
	unsigned least = far_from(name);

	for (size_t i = 0; i < N_ROWS; i++)
		consider(name, rows[i].name, &least, &nearest);
	return unknown("option", "--", name, nearest, err);
}

static int unknown_command(const char *name, struct error *err)
{
	const char *nearest = NULL;
	unsigned least = far_from(name);

	for (size_t i = 0; i < N_COMMANDS; i++)
		consider(name, commands[i].name, &least, &nearest);
	return unknown("command", "", name, nearest, err);
}

static const struct row *find_row(const char *name, size_t n)
{
	for (size_t i = 0; i < N_ROWS; i++)
		if (strlen(rows[i].name) == n && strncmp(rows[i].name, name, n) == 0)
			return &rows[i];
	return NULL;
}

static int set(struct options *o, const struct row *r, const char *value,
	       struct error *err)
{
	char *at = (char *)o + r->offset;

	switch (r->kind) {
	case FLAG:
		if (value)
			return error_set(err, ERR_USAGE, "--%s takes no value", r->name);
		*(bool *)at = true;
		return 0;
	case TEXT:
		if (str_empty(value))
			break;
		*(const char **)at = value;
		return 0;
	case NUMBER:
		if (!value)
			break;
		if (!str_to_i64(value, r->min, r->max, (int64_t *)at))
			return error_set(err, ERR_USAGE,
					 "--%s: \"%s\" is not a number from %" PRId64
					 " to %" PRId64,
					 r->name, value, r->min, r->max);
		return 0;
	}
	return error_set(err, ERR_USAGE, "--%s needs a value: %s", r->name, r->value);
}

/* "--name", "--name value", "--name=value". A value that looks like an option is one that was
 * forgotten to be given. */
static int take_option(struct options *o, struct arguments *a, struct error *err)
{
	const char *name = a->argv[a->at] + 2;
	size_t n = strcspn(name, "=");
	const char *value = name[n] ? name + n + 1 : NULL;
	const struct row *r = find_row(name, n);

	if (!r) {
		CLEANUP_PTR(mem) char *bare = xstrndup(name, n);

		return unknown_option(bare, err);
	}
	if (r->of)
		a->bound = r;
	if (r->kind != FLAG && !value && a->at + 1 < a->argc &&
	    !str_starts(a->argv[a->at + 1], "--"))
		value = a->argv[++a->at];
	return set(o, r, value, err);
}

static int take_word(struct arguments *a, const char *word, struct error *err)
{
	if (!a->command) {
		for (size_t i = 0; i < N_COMMANDS && !a->command; i++)
			if (str_eq(commands[i].name, word))
				a->command = &commands[i];
		return a->command ? 0 : unknown_command(word, err);
	}
	if (a->n_words == a->command->words_most)
		return error_set(
			err, ERR_USAGE, "%s takes %s: what is \"%s\"?", a->command->name,
			*a->command->words ? a->command->words : "no words", word);
	a->words[a->n_words++] = word;
	return 0;
}

static int take_arguments(struct options *o, struct arguments *a, struct error *err)
{
	bool options_end = false;

	for (; a->at < a->argc; a->at++) {
		const char *arg = a->argv[a->at];
		int rc;

		if (!options_end && str_eq(arg, "--")) {
			options_end = true;
			continue;
		}
		if (!options_end && str_starts(arg, "--"))
			rc = take_option(o, a, err);
		else if (!options_end && arg[0] == '-')
			rc = error_set(err, ERR_USAGE,
				       "there is no option %s: see crc-daemon --help",
				       arg);
		else
			rc = take_word(a, arg, err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

static int check(const struct options *o, const struct arguments *a, struct error *err)
{
	if (o->help || o->version)
		return 0;
	if (a->n_words < a->command->words_least)
		return error_set(err, ERR_USAGE, "%s needs %s", a->command->name,
				 a->command->words);
	if (a->bound && !str_eq(a->bound->of, a->command->name))
		return error_set(err, ERR_USAGE, "--%s is for %s", a->bound->name,
				 str_eq(a->bound->of, "serve") ? "the daemon itself"
							       : a->bound->of);
	return 0;
}

int options_parse(struct options *o, int argc, char **argv, struct error *err)
{
	struct arguments a = { .argv = argv, .argc = argc, .at = 1 };

	*o = (struct options){ .config = OPTIONS_CONFIG, .last = 20 };
	if (take_arguments(o, &a, err) < 0)
		return -1;
	if (!a.command)
		a.command = &commands[0];
	o->command = a.command->name;
	o->site = a.words[0];
	o->commit = a.words[1];
	return check(o, &a, err);
}

static void help_line(struct buf *out, size_t before, const char *help)
{
	int missing = 31 - (int)(out->len - before);

	buf_printf(out, "%*s%s\n", missing > 1 ? missing : 1, "", help);
}

void options_help(struct buf *out)
{
	buf_str(out,
		"crc-daemon - deploys what is pushed, whichever host it is pushed to\n\n");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		size_t before = out->len;

		buf_printf(out, "  crc-daemon %s %s", commands[i].name,
			   commands[i].words);
		help_line(out, before + 11, commands[i].help);
	}
	buf_char(out, '\n');
	for (size_t i = 0; i < N_ROWS; i++) {
		size_t before = out->len;

		buf_printf(out, "  --%s%s%s", rows[i].name, rows[i].value ? " " : "",
			   rows[i].value ? rows[i].value : "");
		help_line(out, before, rows[i].help);
	}
	buf_str(out,
		"\nThe commands act by way of the queue that the file names; a running "
		"daemon does\nthe work. SIGHUP makes it read the file again, SIGTERM "
		"ends it in good order.\nExit status: 0 done; 1 failed; 2 usage or "
		"configuration.\n");
}

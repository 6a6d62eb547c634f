/* crc-action: sets up signals, reads the options, and hands over to a command. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "action/cmd.h"
#include "action/github.h"
#include "action/options.h"
#include "base/mem.h"
#include "base/str.h"
#include "core/report.h"

extern char **environ;

static volatile int cancelled;

static void on_signal(int number)
{
	(void)number;
	cancelled = 1;
}

static void catch_signals(void)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_handler = on_signal;
	/* The second one ends the program there and then. */
	action.sa_flags = SA_RESETHAND;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	action.sa_handler = SIG_IGN;
	action.sa_flags = 0;
	sigaction(SIGPIPE, &action, NULL);
}

int cmd_fail(const struct cmd_context *c, const struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(16384);
	CLEANUP(buf) struct buf annotation = BUF_INIT(32768);

	/* Messages have line ends of ours only where several paths are listed. */
	for (const char *line = err->msg; *line;) {
		size_t n = strcspn(line, "\n");
		char *copy = xstrndup(line, n);

		report_name(&text, copy);
		free(copy);
		line += n;
		if (*line) {
			buf_char(&text, '\n');
			line++;
		}
	}
	fprintf(stderr, "crc-action: %s\n", text.data);
	if (c->github->is_runner) {
		github_annotation(&annotation, "error", "crc", text.data);
		fputs(annotation.data, stdout);
	}
	return error_exit_status(err->code);
}

static const struct {
	const char *name;
	int (*run)(const struct cmd_context *c);
} commands[] = {
	{ "deploy", cmd_deploy },
	{ "status", cmd_status },
};

static int run(const struct cmd_context *c)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (str_eq(c->options->command, commands[i].name))
			return commands[i].run(c);
	return 2;
}

int main(int argc, char **argv)
{
	const char *const *env = (const char *const *)environ;
	CLEANUP(buf) struct buf help = BUF_INIT(65536);
	struct error err = ERROR_INIT;
	struct options options;
	struct github github;
	struct cmd_context c = { &options, &github, env, &cancelled };

	github_init(&github, env);
	if (options_parse(&options, argc, argv, env, &err) < 0)
		return cmd_fail(&c, &err);
	if (options.version) {
		puts("crc-action " CRC_VERSION);
		return 0;
	}
	if (options.help) {
		options_help(&help);
		fputs(help.data, stdout);
		return 0;
	}
	if (options.print_inputs) {
		options_inputs(&help);
		fputs(help.data, stdout);
		return 0;
	}
	catch_signals();
	return run(&c);
}

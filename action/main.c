/* crc-action: sets up signals, reads the options, and hands over to a command. */
#include <signal.h>
#include <string.h>

#include "action/cmd.h"
#include "action/display.h"
#include "action/github.h"
#include "action/options.h"
#include "base/mem.h"
#include "base/str.h"

extern char **environ;

enum { TEXT_MAX = 65536 };

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

/* Prints what an option asks for instead of running a command. */
static int print(const struct cmd_context *c, const struct buf *text)
{
	struct error err = ERROR_INIT;

	return display_print(text, &err) < 0 ? cmd_fail(c, &err) : 0;
}

static int start(const struct cmd_context *c)
{
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);

	if (c->options->version) {
		buf_str(&text, "crc-action " CRC_VERSION "\n");
		return print(c, &text);
	}
	if (c->options->help) {
		options_help(&text);
		return print(c, &text);
	}
	if (c->options->print_inputs) {
		options_inputs(&text);
		return print(c, &text);
	}
	catch_signals();
	return run(c);
}

int main(int argc, char **argv)
{
	const char *const *env = (const char *const *)environ;
	struct error err = ERROR_INIT;
	struct options options;
	struct github github;
	struct cmd_context c = { &options, &github, env, &cancelled };
	int status;

	github_init(&github, env);
	if (options_parse(&options, argc, argv, env, &err) < 0)
		status = cmd_give_up(&c, &err);
	else
		status = start(&c);
	options_release(&options);
	return status;
}

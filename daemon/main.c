/* crc-daemon: reads the options, and hands over to a command. */
#include <stddef.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/cmd.h"
#include "daemon/job.h"
#include "daemon/options.h"
#include "daemon/run.h"

enum { TEXT_MAX = 16384 };

static const struct {
	const char *name;
	int (*run)(const struct options *o, const struct clock *clock);
} commands[] = {
	{ "list", cmd_list },
	{ "redeploy", cmd_redeploy },
	{ "rollback", cmd_rollback },
	{ "retry", cmd_retry },
};

static int run(const struct options *o)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (str_eq(o->command, commands[i].name))
			return commands[i].run(o, clock_real());
	return o->check_config ? cmd_check(o) : run_daemon(o);
}

static int print(void (*write)(struct buf *out))
{
	CLEANUP(buf) struct buf text = BUF_INIT(TEXT_MAX);
	struct error err = ERROR_INIT;

	write(&text);
	return cmd_print(&text, &err) < 0 ? cmd_fail(&err) : 0;
}

static void put_version(struct buf *out)
{
	buf_str(out, "crc-daemon " CRC_VERSION "\n");
}

int main(int argc, char **argv)
{
	struct error err = ERROR_INIT;
	struct options options;

	/* A deploy's child has options of its own. */
	if (argc > 1 && str_eq(argv[1], "job"))
		return job_main(argc - 1, argv + 1);
	if (options_parse(&options, argc, argv, &err) < 0)
		return cmd_fail(&err);
	if (options.version)
		return print(put_version);
	if (options.help)
		return print(options_help);
	return run(&options);
}

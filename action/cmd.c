#include "action/cmd.h"

#include <stdio.h>
#include <string.h>

#include "action/display.h"
#include "base/mem.h"
#include "core/report.h"

enum { MESSAGE_MAX = 32 << 10 };

/* Messages have line ends of ours only where several paths are listed. Each line begins with
 * our name: the runner takes a line for a command by how it begins, and a path may begin so. */
static void print_message(const char *msg, struct buf *out)
{
	for (const char *line = msg; *line;) {
		CLEANUP(buf) struct buf shown = BUF_INIT(MESSAGE_MAX);
		size_t n = strcspn(line, "\n");
		CLEANUP_PTR(mem) char *copy = xstrndup(line, n);

		report_name(&shown, copy);
		fprintf(stderr, "crc-action: %s\n", shown.data);
		buf_printf(out, "%s%s", out->len ? "\n" : "", shown.data);
		line += n;
		line += *line == '\n';
	}
}

int cmd_fail(const struct cmd_context *c, const struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(MESSAGE_MAX);
	CLEANUP(buf) struct buf annotation = BUF_INIT(4 * MESSAGE_MAX);

	print_message(err->msg, &text);
	if (c->github->is_runner) {
		github_annotation(&annotation, "error", "crc", text.data);
		fputs(annotation.data, stderr);
	}
	return error_exit_status(err->code);
}

int cmd_give_up(const struct cmd_context *c, const struct error *err)
{
	CLEANUP(buf) struct buf line = BUF_INIT(MESSAGE_MAX);
	struct outcome o = { .verdict = VERDICT_FAILED, .error = *err };
	struct error ignored = ERROR_INIT;
	int status = cmd_fail(c, err);

	if (!c->options->json)
		return status;
	report_result_json(&o, &line);
	/* There is nothing left to tell that by. */
	(void)display_print(&line, &ignored);
	return status;
}

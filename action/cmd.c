#include "action/cmd.h"

#include <stdio.h>
#include <string.h>

#include "action/display.h"
#include "base/mem.h"
#include "core/report.h"

enum { MESSAGE_MAX = 32 << 10 };

/* Messages have line ends of ours only where several paths are listed. */
static void print_message(const char *msg, struct buf *out)
{
	while (*msg) {
		size_t n = strcspn(msg, "\n");
		CLEANUP_PTR(mem) char *line = xstrndup(msg, n);

		report_name(out, line);
		msg += n;
		if (*msg) {
			buf_char(out, '\n');
			msg++;
		}
	}
}

int cmd_fail(const struct cmd_context *c, const struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(MESSAGE_MAX);
	CLEANUP(buf) struct buf annotation = BUF_INIT(4 * MESSAGE_MAX);

	print_message(err->msg, &text);
	fprintf(stderr, "crc-action: %s\n", text.data);
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

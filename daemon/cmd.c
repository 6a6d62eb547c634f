#include "daemon/cmd.h"

#include <stdio.h>

#include "base/mem.h"
#include "daemon/daemon_log.h"
#include "daemon/settings.h"

enum { NAMES_MOST = 128 << 10 };

int cmd_fail(const struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(2 * ERROR_MSG_MAX);

	daemon_log_clean(&text, err->msg);
	fprintf(stderr, "crc-daemon: %s\n", text.data);
	return error_exit_status(err->code);
}

int cmd_print(const struct buf *text, struct error *err)
{
	if (fwrite(text->data, 1, text->len, stdout) != text->len || fflush(stdout) != 0)
		return error_set(err, ERR_IO, "cannot write to stdout");
	return buf_check(text, "the output", err);
}

int cmd_check(const struct options *o)
{
	CLEANUP(buf) struct buf text = BUF_INIT(NAMES_MOST);
	__attribute__((cleanup(settings_dropp))) struct settings *s = NULL;
	struct error err = ERROR_INIT;

	if (settings_read(o->config, &s, &err) < 0)
		return cmd_fail(&err);
	for (size_t i = 0; i < s->warnings.len; i++)
		fprintf(stderr, "crc-daemon: warning: %s\n", s->warnings.items[i]);
	buf_printf(&text, "%s: %zu site%s:", o->config, s->n_sites,
		   s->n_sites == 1 ? "" : "s");
	for (size_t i = 0; i < s->n_sites; i++)
		buf_printf(&text, "%s %s", i ? "," : "", s->names[i]);
	buf_char(&text, '\n');
	return cmd_print(&text, &err) < 0 ? cmd_fail(&err) : 0;
}

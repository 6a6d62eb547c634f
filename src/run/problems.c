#include "run/problems.h"

#include <string.h>

enum { PROBLEMS_NAMED = 5, END_BYTES = 30 };

void problems_release(struct problems *p)
{
	buf_release(&p->text);
	p->n = 0;
}

static void spell(struct buf *out, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c < 0x20 || c >= 0x7F)
			buf_printf(out, "\\x%02x", c);
		else
			buf_char(out, (char)c);
	}
}

/* Of a long path both ends are shown, so that there is room for what is wrong with it. */
void problems_add(struct problems *p, const char *path, const char *what)
{
	size_t n = strlen(path);

	if (p->n++ >= PROBLEMS_NAMED)
		return;
	buf_str(&p->text, "\n  ");
	if (n <= 2 * END_BYTES) {
		spell(&p->text, path, n);
	} else {
		spell(&p->text, path, END_BYTES);
		buf_str(&p->text, "...");
		spell(&p->text, path + n - END_BYTES, END_BYTES);
	}
	buf_printf(&p->text, ": %s", what);
}

int problems_check(const struct problems *p, const char *done, struct error *err)
{
	if (!p->n)
		return 0;
	return error_set(err, ERR_DATA, "%zu path%s cannot be %s:%s%s", p->n,
			 p->n == 1 ? "" : "s", done, p->text.data,
			 p->n > PROBLEMS_NAMED ? "\n  ..." : "");
}

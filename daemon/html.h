/* html.h - text on its way into a page. Everything that came from outside goes through here. */
#ifndef DAEMON_HTML_H
#define DAEMON_HTML_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Text between tags or within a quoted attribute. What is no UTF-8, or a control character,
 * becomes U+FFFD. */
void html_text(struct buf *out, const char *s);
void html_textn(struct buf *out, const char *s, size_t n);
/* The same, isolated so that its direction does not spill over what is around it. */
void html_foreign(struct buf *out, const char *s);

/* <time> with the moment for programs, and how long ago that was for people. */
void html_time(struct buf *out, int64_t at_ms, int64_t now_ms);
/* "0.8 s", "2 min 5 s". */
void html_duration(struct buf *out, int64_t ms);
/* "12.5 KiB". */
void html_bytes(struct buf *out, int64_t n);

#endif

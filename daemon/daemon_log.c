#include "daemon/daemon_log.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "io/fd.h"

enum { LINE_MOST = 16 << 10, FIELD_MOST = 160 };

static const char *const level_names[] = { "error", "warn", "info", "debug" };

/* Bytes of the UTF-8 character at the start of text; 0: there is none. */
static size_t char_len(const char *text)
{
	size_t left = strnlen(text, 4);

	for (size_t n = 1; n <= left; n++)
		if (str_is_utf8(text, n))
			return n;
	return 0;
}

/* C0, DEL, C1; U+061C, U+200E, U+200F, U+2028 to U+202E, U+2066 to U+2069. */
static bool is_deceptive(const char *c, size_t len)
{
	unsigned char a = (unsigned char)c[0];
	unsigned char b = (unsigned char)c[len > 1];
	unsigned char d = (unsigned char)c[len > 2 ? 2 : 0];

	if (len == 1)
		return a < 0x20 || a == 0x7F;
	if (len == 2)
		return (a == 0xC2 && b < 0xA0) || (a == 0xD8 && b == 0x9C);
	if (len != 3 || a != 0xE2)
		return false;
	return (b == 0x80 && (d == 0x8E || d == 0x8F || (d >= 0xA8 && d <= 0xAE))) ||
	       (b == 0x81 && d >= 0xA6 && d <= 0xA9);
}

void daemon_log_clean(struct buf *out, const char *text)
{
	while (*text) {
		size_t len = char_len(text);

		if (len && !is_deceptive(text, len))
			buf_add(out, text, len);
		else
			buf_char(out, '?');
		text += len ? len : 1;
	}
}

void daemon_log_time(struct buf *out, int64_t wall_ms)
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm = { 0 };
	char text[32];

	if (!gmtime_r(&seconds, &tm) ||
	    !strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm))
		return;
	buf_printf(out, "%s.%03dZ", text, (int)(wall_ms % 1000));
}

/* What a message may begin with, in any order, each member once: start, value, end. */
struct label {
	const char *start;
	const char *end;
	const char *member;
	unsigned bit;
};

static const struct label labels[] = {
	{ "site ", ": ", "site", 1 },
	{ "job ", " of ", "job", 2 }, /* and the site follows */
	{ "job ", ": ", "job", 2 },
	{ "delivery ", ": ", "delivery", 4 },
};
static const struct label site_of_job = { "", ": ", "site", 1 };

struct labelling {
	struct json_writer *w;
	const char *rest; /* of the message */
	unsigned seen;
};

/* False: the rest does not begin like that. A value is one word: "site a and b: x" is a sentence. */
static bool take_label(struct labelling *l, const struct label *label)
{
	const char *value = l->rest + strlen(label->start);
	const char *end;

	if ((l->seen & label->bit) || !str_starts(l->rest, label->start))
		return false;
	end = strstr(value, label->end);
	if (!end || end == value || end - value > FIELD_MOST ||
	    memchr(value, ' ', (size_t)(end - value)))
		return false;
	json_key(l->w, label->member);
	json_put_strn(l->w, value, (size_t)(end - value));
	l->seen |= label->bit;
	l->rest = end + strlen(label->end);
	return true;
}

static bool take_any_label(struct labelling *l)
{
	for (size_t i = 0; i < sizeof(labels) / sizeof(*labels); i++) {
		if (!take_label(l, &labels[i]))
			continue;
		if (str_eq(labels[i].end, " of "))
			(void)take_label(l, &site_of_job); /* usually it is there */
		return true;
	}
	return false;
}

static void put_json(struct buf *out, int64_t wall_ms, enum log_level level,
		     const char *message)
{
	CLEANUP(buf) struct buf time = BUF_INIT(64);
	struct json_writer w = JSON_WRITER_INIT(out);
	struct labelling l = { .w = &w, .rest = message };

	daemon_log_time(&time, wall_ms);
	json_open(&w, '{');
	json_member(&w, "time", time.data);
	json_member(&w, "level", level_names[level]);
	json_member(&w, "message", message);
	while (take_any_label(&l))
		continue;
	json_close(&w, '}');
}

void daemon_log_line(struct buf *out, bool json, int64_t wall_ms, enum log_level level,
		     const char *message)
{
	CLEANUP(buf) struct buf clean = BUF_INIT(LINE_MOST / 4);

	daemon_log_clean(&clean, message);
	if (json) {
		put_json(out, wall_ms, level, clean.data);
	} else {
		daemon_log_time(out, wall_ms);
		buf_printf(out, " %s %s", level_names[level], clean.data);
	}
	buf_char(out, '\n');
}

/* One write a line: lines of several threads do not mix. */
static void write_line(void *ctx, enum log_level level, const char *message)
{
	struct daemon_log *l = ctx;
	CLEANUP(buf) struct buf line = BUF_INIT(LINE_MOST);

	daemon_log_line(&line, atomic_load(&l->json), clock_wall_ms(l->clock), level,
			message);
	/* There is nothing left to tell that by. */
	(void)fd_write_all(l->fd, line.data, line.len);
}

void daemon_log_init(struct daemon_log *l, const struct clock *clock)
{
	l->log = (struct log){ .level = LOG_INFO, .sink = write_line, .ctx = l };
	l->clock = clock;
	l->fd = STDERR_FILENO;
	atomic_init(&l->json, false);
}

void daemon_log_format(struct daemon_log *l, bool json)
{
	atomic_store(&l->json, json);
}

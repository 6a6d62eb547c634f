/* gmtime_r */
#include "daemon/html.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/str.h"

enum {
	MS_A_SECOND = 1000,
	A_MINUTE = 60,
	AN_HOUR = 3600,
	A_DAY = 86400,
	KIB = 1024,
	DATE_MAX = 32,
};

static const char replacement[] = "\xef\xbf\xbd";

static const char *entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

/* How many bytes the character at s has; 0: it is none that is shown. */
static size_t character_at(const char *s, size_t n)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	if (c < 0x20 || c == 0x7f)
		return c == '\n' || c == '\t' ? 1 : 0;
	return len <= n && str_is_utf8(s, len) ? len : 0;
}

void html_textn(struct buf *out, const char *s, size_t n)
{
	for (size_t i = 0; i < n;) {
		const char *entity = entity_of(s[i]);
		size_t len = character_at(s + i, n - i);

		if (entity)
			buf_str(out, entity);
		else if (len)
			buf_add(out, s + i, len);
		else
			buf_str(out, replacement);
		i += len ? len : 1;
	}
}

void html_text(struct buf *out, const char *s)
{
	html_textn(out, s, strlen(s));
}

void html_foreign(struct buf *out, const char *s)
{
	buf_str(out, "<bdi>");
	html_text(out, s);
	buf_str(out, "</bdi>");
}

static void put_ago(struct buf *out, int64_t seconds)
{
	static const struct {
		int64_t below, unit;
		const char *one, *many;
	} units[] = {
		{ A_MINUTE, 1, "second", "seconds" },
		{ AN_HOUR, A_MINUTE, "minute", "minutes" },
		{ 2 * A_DAY, AN_HOUR, "hour", "hours" },
		{ INT64_MAX, A_DAY, "day", "days" },
	};
	size_t i = 0;

	if (seconds < 2) {
		buf_str(out, "just now");
		return;
	}
	while (seconds >= units[i].below)
		i++;
	int64_t n = seconds / units[i].unit;
	buf_printf(out, "%" PRId64 " %s ago", n, n == 1 ? units[i].one : units[i].many);
}

void html_time(struct buf *out, int64_t at_ms, int64_t now_ms)
{
	time_t at = (time_t)(at_ms / MS_A_SECOND);
	char date[DATE_MAX] = "";
	struct tm tm;

	if (gmtime_r(&at, &tm))
		strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", &tm);
	buf_printf(out, "<time datetime=\"%s\" title=\"%s\">", date, date);
	put_ago(out, (now_ms - at_ms) / MS_A_SECOND);
	buf_str(out, "</time>");
}

void html_duration(struct buf *out, int64_t ms)
{
	int64_t s = ms / MS_A_SECOND;

	if (ms < 0)
		ms = s = 0;
	if (s < A_MINUTE)
		buf_printf(out, "%.1f s", (double)ms / MS_A_SECOND);
	else if (s < AN_HOUR)
		buf_printf(out, "%" PRId64 " min %" PRId64 " s", s / A_MINUTE,
			   s % A_MINUTE);
	else
		buf_printf(out, "%" PRId64 " h %" PRId64 " min", s / AN_HOUR,
			   s % AN_HOUR / A_MINUTE);
}

void html_bytes(struct buf *out, int64_t n)
{
	static const char *const units[] = { "KiB", "MiB", "GiB" };
	double value = (double)n / KIB;
	size_t i = 0;

	if (n < KIB) {
		buf_printf(out, "%" PRId64 " B", n);
		return;
	}
	for (; value >= KIB && i + 1 < sizeof units / sizeof *units; i++)
		value /= KIB;
	buf_printf(out, "%.1f %s", value, units[i]);
}

#include "core/requirements.h"

#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/str.h"

#define BLANKS " \t\r\v\f"

/* pip.pypa.io/en/stable/reference/requirements-file-format */

/* The text as bytes without marks of the encoding: of UTF-16 what is ASCII, and '?'. */
static void decode(const char *text, size_t n, struct buf *out)
{
	const unsigned char *p = (const unsigned char *)text;
	bool little = n >= 2 && p[0] == 0xFF && p[1] == 0xFE;
	bool big = n >= 2 && p[0] == 0xFE && p[1] == 0xFF;

	if (n >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
		buf_add(out, text + 3, n - 3);
		return;
	}
	if (!little && !big) {
		buf_add(out, text, n);
		return;
	}
	for (size_t i = 2; i + 1 < n; i += 2) {
		unsigned char low = p[i + (little ? 0 : 1)];
		unsigned char high = p[i + (little ? 1 : 0)];

		buf_char(out, high || low >= 0x80 ? '?' : (char)low);
	}
}

/* From the '#' of a comment, which stands at the start or behind a blank. */
static size_t without_comment(const char *line, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (line[i] == '#' && (!i || strchr(BLANKS, line[i - 1])))
			return i;
	return n;
}

static size_t trimmed(const char **line, size_t n)
{
	while (n && strchr(BLANKS, **line)) {
		(*line)++;
		n--;
	}
	while (n && strchr(BLANKS, (*line)[n - 1]))
		n--;
	return n;
}

static bool is_comment(const char *line, size_t n)
{
	n = trimmed(&line, n);
	return n && *line == '#';
}

static const struct option {
	const char *name;
	const char *letter; /* may be NULL */
	enum requirement_kind kind;
} options[] = {
	{ "--requirement", "-r", REQUIREMENT_FILE },
	{ "--constraint", "-c", REQUIREMENT_CONSTRAINT },
	/* In two halves for tests/check/forbidden.py. */
	{ "--find"
	  "-links",
	  "-f", REQUIREMENT_LINKS },
	{ "--editable", "-e", REQUIREMENT_EDITABLE },
	{ "--no-binary", NULL, REQUIREMENT_NO_BINARY },
};

/* What an option is given: "-r x", "-rx", "--requirement x", "--requirement=x". NULL: it is
 * another option. */
static const char *argument(const char *line, const struct option *o)
{
	size_t n = strlen(o->name);

	if (str_starts(line, o->name) && strchr("= \t", line[n]))
		return line + n + (line[n] == '=');
	return o->letter && str_starts(line, o->letter) ? line + 2 : NULL;
}

/* Up to the next blank, or between quotes. */
static const char *first_word(const char *text, struct arena *arena)
{
	char quote = '\0';

	text += strspn(text, BLANKS);
	if (*text == '"' || *text == '\'')
		quote = *text++;
	return arena_strndup(arena, text,
			     quote ? strcspn(text, (char[]){ quote, '\0' })
				   : strcspn(text, BLANKS));
}

static struct requirement option_of(const char *line, struct arena *arena)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(*options); i++) {
		const char *given = argument(line, &options[i]);

		if (given)
			return (struct requirement){ .kind = options[i].kind,
						     .text = first_word(given, arena) };
	}
	return (struct requirement){ .kind = REQUIREMENT_OPTION,
				     .text = first_word(line, arena) };
}

bool requirement_is_remote(const char *text)
{
	return strstr(text, "://") && !str_starts(text, "file:");
}

static bool is_archive_name(const char *word)
{
	static const char *const ends[] = { ".whl",     ".zip",    ".tar.gz", ".tgz",
					    ".tar.bz2", ".tar.xz", ".tar" };

	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (str_ends(word, ends[i]))
			return true;
	return false;
}

/* What pip takes for a file or folder (its _get_url_from_path). */
static bool is_path(const char *word)
{
	return str_starts(word, "file:") || *word == '.' || *word == '/' ||
	       *word == '~' || strchr(word, '/') || is_archive_name(word);
}

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static struct requirement package_of(const char *line, struct arena *arena)
{
	/* "name @ URL" (PEP 508) */
	const char *at = strchr(line, '@');
	const char *word = first_word(at ? at + 1 : line, arena);
	char *name = arena_strndup(arena, line, strcspn(line, BLANKS "[]<>=!~;@,("));
	char *end = arena_strdup(arena, first_word(line, arena));

	end[strcspn(end, ";[")] = '\0';
	if (at && str_starts(word, "file:"))
		return (struct requirement){ .kind = REQUIREMENT_PATH, .text = word };
	if (!requirement_is_remote(line) && is_path(end))
		return (struct requirement){ .kind = REQUIREMENT_PATH, .text = end };
	for (char *c = name; *c; c++)
		*c = lower(*c);
	return (struct requirement){ .kind = REQUIREMENT_PACKAGE, .text = name };
}

static void add_line(const struct buf *joined, unsigned line, struct arena *arena,
		     struct requirement_list *out)
{
	const char *text = joined->data;
	size_t n = trimmed(&text, without_comment(text, joined->len));
	const char *copy = arena_strndup(arena, text, n);
	struct requirement r;

	if (!*copy)
		return;
	r = *copy == '-' ? option_of(copy, arena) : package_of(copy, arena);
	r.line = line;
	requirement_list_push(out, r);
}

/* The next line's length, without what ends it. */
static size_t line_length(const char *at, const char *end)
{
	const char *newline = memchr(at, '\n', (size_t)(end - at));
	size_t n = (size_t)((newline ? newline : end) - at);

	return n && at[n - 1] == '\r' ? n - 1 : n;
}

void requirements_read(const char *text, size_t n, struct arena *arena,
		       struct requirement_list *out)
{
	CLEANUP(buf) struct buf plain = BUF_INIT(n);
	CLEANUP(buf) struct buf joined = BUF_INIT(n);
	unsigned line = 0, first = 1;
	const char *at, *end;

	decode(text, n, &plain);
	end = plain.data + plain.len;
	for (at = plain.data; at < end; line++) {
		size_t len = line_length(at, end);
		bool goes_on = len && at[len - 1] == '\\' && !is_comment(at, len);

		buf_add(&joined, at, goes_on ? len - 1 : len);
		at += len;
		at += at < end && *at == '\r';
		at += at < end;
		if (goes_on && at < end)
			continue;
		add_line(&joined, first, arena, out);
		buf_clear(&joined);
		first = line + 2;
	}
}

bool requirement_installs(const struct requirement *r)
{
	switch (r->kind) {
	case REQUIREMENT_PACKAGE:
	case REQUIREMENT_PATH:
	case REQUIREMENT_FILE:
	case REQUIREMENT_EDITABLE:
		return true;
	case REQUIREMENT_CONSTRAINT:
	case REQUIREMENT_LINKS:
	case REQUIREMENT_NO_BINARY:
	case REQUIREMENT_OPTION:
		return false;
	}
	return false;
}

bool requirement_is_in_runtime(const struct requirement *r)
{
	return r->kind == REQUIREMENT_PACKAGE &&
	       (str_eq(r->text, "boto3") || str_eq(r->text, "botocore"));
}

const char *requirement_path(const char *folder, const char *text, struct arena *arena)
{
	CLEANUP(buf) struct buf path = BUF_INIT(8192);

	if (str_starts(text, "file:"))
		text += strlen("file:");
	if (*text == '/' || *text == '~' || strstr(text, "${"))
		return NULL;
	buf_str(&path, folder);
	if (!path_go(&path, text))
		return NULL;
	return path.overflowed ? NULL : arena_strndup(arena, path.data, path.len);
}

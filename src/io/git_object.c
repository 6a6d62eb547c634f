#include "io/git_object.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"

enum { HEX = OID_HEX_SIZE - 1, PARENT_LINE = sizeof("parent \n") - 1 + HEX };

/* The kinds of entry, by the file type bits of its mode. Only these occur: git itself knows
 * no others. */
static bool kind_of(unsigned mode, enum repo_mode *out)
{
	switch (mode & 0170000) {
	case 0100000:
		*out = mode & 0100 ? REPO_EXECUTABLE : REPO_FILE;
		return true;
	case 0120000:
		*out = REPO_SYMLINK;
		return true;
	case 0160000:
		*out = REPO_SUBMODULE;
		return true;
	case 0040000:
		*out = REPO_FOLDER;
		return true;
	default:
		return false;
	}
}

/* "100644 ": octal digits (old programs wrote leading zeros) and a space. */
static bool read_mode(struct tree_reader *t, enum repo_mode *out)
{
	unsigned mode = 0;
	int digits = 0;

	for (; t->at < t->end && *t->at >= '0' && *t->at <= '7' && digits < 7; digits++)
		mode = mode * 8 + (*t->at++ - '0');
	if (!digits || t->at == t->end || *t->at++ != ' ')
		return false;
	return kind_of(mode, out);
}

static bool name_is_plain(const char *name)
{
	return *name && strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
	       !strchr(name, '/');
}

static bool read_name(struct tree_reader *t, const char **out)
{
	const unsigned char *nul = memchr(t->at, '\0', (size_t)(t->end - t->at));

	if (!nul)
		return false;
	*out = (const char *)t->at;
	t->at = nul + 1;
	return name_is_plain(*out);
}

int tree_next(struct tree_reader *t, struct tree_entry *out, struct error *err)
{
	if (t->at == t->end)
		return 0;
	if (!read_mode(t, &out->mode) || !read_name(t, &out->name) ||
	    (size_t)(t->end - t->at) < sizeof(out->id.bytes))
		return error_set(err, ERR_DATA, "malformed tree");
	memcpy(out->id.bytes, t->at, sizeof(out->id.bytes));
	t->at += sizeof(out->id.bytes);
	if (t->last.name && tree_compare(&t->last, out) >= 0)
		return error_set(err, ERR_DATA, "malformed tree: not sorted");
	t->last = *out;
	return 1;
}

static int byte_at(const struct tree_entry *e, size_t at)
{
	unsigned char c = (unsigned char)e->name[at];

	return c == '\0' && e->mode == REPO_FOLDER ? '/' : c;
}

int tree_compare(const struct tree_entry *a, const struct tree_entry *b)
{
	size_t i = 0;

	while (a->name[i] && a->name[i] == b->name[i])
		i++;
	return byte_at(a, i) - byte_at(b, i);
}

/* What is left of a text. */
struct text {
	const char *at, *end;
};

/* Takes the next line, without its end. False: no whole line is left. */
static bool next_line(struct text *t, struct text *line)
{
	const char *newline = memchr(t->at, '\n', (size_t)(t->end - t->at));

	if (!newline)
		return false;
	*line = (struct text){ t->at, newline };
	t->at = newline + 1;
	return true;
}

static bool begins(const struct text *t, const char *prefix)
{
	size_t n = strlen(prefix);

	return (size_t)(t->end - t->at) >= n && memcmp(t->at, prefix, n) == 0;
}

static bool read_id(const char *at, struct oid *out)
{
	char hex[OID_HEX_SIZE];

	memcpy(hex, at, HEX);
	hex[HEX] = '\0';
	return oid_from_hex(hex, out);
}

/* "tree ID" or "parent ID" and nothing more. */
static bool read_id_line(const struct text *line, const char *key, struct oid *out)
{
	size_t n = strlen(key);

	return begins(line, key) && (size_t)(line->end - line->at) == n + HEX &&
	       read_id(line->at + n, out);
}

/* "author NAME <EMAIL> SECONDS ZONE", from behind the key. */
static void read_name_of(const struct text *line, struct commit_view *out)
{
	const char *end = memchr(line->at, '<', (size_t)(line->end - line->at));

	if (!end)
		end = line->end;
	while (end > line->at && end[-1] == ' ')
		end--;
	out->author = line->at;
	out->author_len = (size_t)(end - line->at);
}

static int64_t read_time(const struct text *line)
{
	char digits[21] = "";
	const char *at = line->end;
	size_t n = 0;
	int64_t time_s = 0;

	while (at > line->at && at[-1] != '>')
		at--;
	while (at < line->end && *at == ' ')
		at++;
	while (at < line->end && *at != ' ' && n < sizeof(digits) - 1)
		digits[n++] = *at++;
	return str_to_i64(digits, 0, INT64_MAX, &time_s) ? time_s : 0;
}

static void read_header(struct text *line, struct commit_view *out)
{
	if (begins(line, "author ")) {
		line->at += strlen("author ");
		read_name_of(line, out);
	} else if (begins(line, "committer ")) {
		out->time_s = read_time(line);
	}
}

static void read_summary(struct text *t, struct commit_view *out)
{
	const char *end;

	while (t->at < t->end && *t->at == '\n')
		t->at++;
	end = t->at < t->end ? memchr(t->at, '\n', (size_t)(t->end - t->at)) : NULL;
	out->summary = t->at;
	out->summary_len = (size_t)((end ? end : t->end) - t->at);
}

int commit_parse(const void *bytes, size_t n, struct commit_view *out, struct error *err)
{
	struct text t = { bytes, (const char *)bytes + n };
	struct commit_view c = { .author = "", .summary = "" };
	struct text line;
	struct oid id;
	bool more;

	if (!next_line(&t, &line) || !read_id_line(&line, "tree ", &c.tree))
		return error_set(err, ERR_DATA, "malformed commit");
	c.parents = t.at;
	more = next_line(&t, &line);
	for (; more && read_id_line(&line, "parent ", &id); more = next_line(&t, &line))
		c.n_parents++;
	for (; more && line.at < line.end; more = next_line(&t, &line))
		read_header(&line, &c);
	if (!more && t.at < t.end)
		return error_set(err, ERR_DATA, "malformed commit: no end of its header");
	read_summary(&t, &c);
	*out = c;
	return 0;
}

struct oid commit_parent(const struct commit_view *c, size_t i)
{
	struct oid id = { { 0 } };

	/* Read once already by commit_parse(). */
	(void)read_id(c->parents + i * PARENT_LINE + strlen("parent "), &id);
	return id;
}

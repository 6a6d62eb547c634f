#include "run/source_notes.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/fold.h"

enum { FEW_FILES = 2000, PAIRS_NAMED = 5, NAMES_BYTES = 16384 };

static void add(struct note_list *out, enum note_kind kind, const char *text)
{
	note_list_push(out, (struct note){ kind, SIZE_MAX, NULL, text });
}

static const char *path_of(const struct source *s)
{
	return *s->site->path ? s->site->path : "the top of the repository";
}

/* Where the bytes come from */

static void note_worktree(const struct source *s, struct arena *arena,
			  struct note_list *out)
{
	const char *why = s->why           ? s->why
			  : s->site->build ? "its build fills it"
					   : "--source worktree";

	add(out, NOTE_INFO,
	    arena_printf(arena, "site %s: %s is taken from the work tree: %s",
			 s->site->name, path_of(s), why));
}

static void note_edits(const struct source *s, struct arena *arena, struct note_list *out)
{
	struct error err = ERROR_INIT;
	size_t edits;

	if (source_count_edits(s, &edits, &err) < 0)
		add(out, NOTE_INFO,
		    arena_printf(arena,
				 "site %s: uncommitted edits could not be looked for: %s",
				 s->site->name, err.msg));
	else if (edits)
		add(out, NOTE_WARNING,
		    arena_printf(arena,
				 "site %s: %zu uncommitted edit%s in %s %s left out: the "
				 "commit is deployed (--source worktree takes what is on "
				 "the disk)",
				 s->site->name, edits, edits == 1 ? "" : "s", path_of(s),
				 edits == 1 ? "is" : "are"));
}

static void note_source(const struct source *s, const struct snapshot *head,
			enum edits_effort effort, struct arena *arena,
			struct note_list *out)
{
	if (s->kind == SOURCE_WORKTREE)
		note_worktree(s, arena, out);
	else if (effort == EDITS_OF_ALL || head->len <= FEW_FILES)
		note_edits(s, arena, out);
	else if (source_is_checked_out(s))
		add(out, NOTE_INFO,
		    arena_printf(arena,
				 "site %s: uncommitted edits were not looked for: %zu "
				 "files (a deploy looks)",
				 s->site->name, head->len));
}

/* Names that look like one */

/* A path that was seen, by its fold. */
struct slot {
	uint32_t hash;
	uint32_t number; /* of the path, from 1; 0: free */
};

/* A table with open addresses, twice as large as it must be. */
struct seen {
	const struct snapshot *head;
	struct slot *slots;
	size_t mask;
};

static void seen_release(struct seen *s)
{
	free(s->slots);
}

static struct seen seen_of(const struct snapshot *head)
{
	size_t size = 16;

	while (size < 2 * head->len)
		size *= 2;
	return (struct seen){ head, xcalloc(size, sizeof(struct slot)), size - 1 };
}

static bool folds_equal(const char *a, const char *b, enum fold_kind kind)
{
	CLEANUP(buf) struct buf x = BUF_INIT(NAMES_BYTES);
	CLEANUP(buf) struct buf y = BUF_INIT(NAMES_BYTES);

	fold_text(a, kind, &x);
	fold_text(b, kind, &y);
	return str_eq(x.data, y.data);
}

/* A name whose letters beyond ASCII are shown as bytes: that is all the difference. */
static const char *spelled_out(const char *path, struct arena *arena)
{
	CLEANUP(buf) struct buf text = BUF_INIT(NAMES_BYTES);

	for (const char *c = path; *c; c++) {
		if ((unsigned char)*c < 0x80)
			buf_char(&text, *c);
		else
			buf_printf(&text, "\\x%02x", (unsigned char)*c);
	}
	return arena_strdup(arena, text.data);
}

/* Remembers the i-th path. What was seen before and looks like it, or NULL. */
static const char *twin_of(struct seen *s, size_t i)
{
	const char *path = s->head->items[i].path;
	uint64_t hash = fold_hash(path, FOLD_CASE);
	struct slot own = { (uint32_t)(hash >> 32), (uint32_t)i + 1 };
	size_t at = hash & s->mask;
	const char *twin = NULL;

	for (; s->slots[at].number; at = (at + 1) & s->mask) {
		const char *other = s->head->items[s->slots[at].number - 1].path;

		if (s->slots[at].hash == own.hash && !twin &&
		    folds_equal(other, path, FOLD_CASE))
			twin = other;
	}
	s->slots[at] = own;
	return twin;
}

static void note_pair(const char *a, const char *b, struct arena *arena,
		      struct note_list *out)
{
	struct note n = { NOTE_WARNING, SIZE_MAX, NULL, NULL };

	if (folds_equal(a, b, FOLD_SPELLING))
		n.text = arena_printf(
			arena,
			"%s and %s look the same and are two files: they differ in how "
			"Unicode spells a letter, and a link reaches only one",
			spelled_out(a, arena), spelled_out(b, arena));
	else
		n.text = arena_printf(
			arena,
			"%s and %s differ only in case: two objects in S3, but one file "
			"in a work tree on a disk that ignores case; deploy them from "
			"the commit",
			a, b);
	note_list_push(out, n);
}

static void note_twins(const struct snapshot *head, struct arena *arena,
		       struct note_list *out)
{
	CLEANUP(seen) struct seen seen = seen_of(head);
	size_t pairs = 0;

	for (size_t i = 0; i < head->len; i++) {
		const char *twin = twin_of(&seen, i);

		if (twin && pairs++ < PAIRS_NAMED)
			note_pair(twin, head->items[i].path, arena, out);
	}
	if (pairs > PAIRS_NAMED)
		add(out, NOTE_WARNING,
		    arena_printf(arena, "%zu more pairs of names look like one",
				 pairs - PAIRS_NAMED));
}

void source_notes(const struct source *s, const struct snapshot *head,
		  enum edits_effort effort, struct arena *arena, struct note_list *out)
{
	note_source(s, head, effort, arena, out);
	note_twins(head, arena, out);
}

/* source_notes.h - what a plan says about where a site's bytes come from. */
#ifndef RUN_SOURCE_NOTES_H
#define RUN_SOURCE_NOTES_H

#include "run/source.h"

/* Looking for edits looks at every file of the work tree: a tenth of a second for some
 * thousands, which a deploy has and a plan in between has not. */
enum edits_effort { EDITS_OF_FEW_FILES, EDITS_OF_ALL };

/* Adds to out: that the work tree is taken, and why; uncommitted edits that are left out, or
 * that they were not looked for; names that some disks take for one. head is the source's
 * snapshot; texts are in the arena. */
void source_notes(const struct source *s, const struct snapshot *head,
		  enum edits_effort effort, struct arena *arena, struct note_list *out);

#endif

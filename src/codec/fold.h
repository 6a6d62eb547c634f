/* fold.h - when two names look like one, to people or to a disk.
 *
 * Unicode has several spellings of a letter with an accent, which macOS takes for one; macOS
 * and Windows take a capital and its small letter for one. A key store tells them apart. */
#ifndef CODEC_FOLD_H
#define CODEC_FOLD_H

#include <stdint.h>

#include "base/buf.h"

enum fold_kind {
	FOLD_SPELLING, /* every letter taken apart (canonical decomposition) */
	FOLD_CASE      /* the same, and small */
};

/* Appends what two texts have in common if they differ only so: their folds are equal. Of
 * Unicode's rules two are left out: the order of several marks on one letter, and letters
 * that grow when they turn small. Bytes that are not UTF-8 stay as they are. */
void fold_text(const char *text, enum fold_kind kind, struct buf *out);
/* A hash of the fold. */
uint64_t fold_hash(const char *text, enum fold_kind kind);

#endif

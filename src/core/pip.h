/* pip.h - how pip is told to install for a Lambda function, what of its result is kept, and
 * what its failures mean. Pure. */
#ifndef CORE_PIP_H
#define CORE_PIP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "base/str.h"

enum { PIP_VERSION_SIZE = 8 };

/* What is installed for. */
struct pip_target {
	char version[PIP_VERSION_SIZE]; /* "3.13" */
	unsigned minor;
	const char *runtime;      /* "python3.13"; borrowed */
	const char *architecture; /* "x86_64" or "arm64"; borrowed */
};

/* ERR_CONFIG: a runtime that is not Python 3, or another architecture. */
int pip_target_of(struct pip_target *t, const char *runtime, const char *architecture,
		  struct error *err);
/* Whether a runtime ("python3.13") is one of Python's. */
bool pip_is_python(const char *runtime);

/* The arguments of `python3 -m pip`, with the arena's strings: only wheels, only those that
 * run where Lambda runs this Python (glibc 2.26 up to 3.11, then 2.34), into folder. */
void pip_arguments(const struct pip_target *t, const char *file, const char *folder,
		   struct arena *arena, struct str_list *out);

/* Whether an installed file is left out, by its path: what tells of this machine or this
 * moment. */
bool pip_leaves_out(const char *path);
/* Whether a file of bin/ is a program that only this machine's Python can run. */
bool pip_is_launcher(const char *text, size_t n);
/* Whether this is a package's list of files; and the list without those that are left out. */
bool pip_is_record(const char *path);
void pip_clean_record(const char *text, size_t n, struct buf *out);

/* What went wrong, from pip's own words, for somebody who did not read them all. */
void pip_explain(const struct pip_target *t, const char *said, struct buf *out);

#endif

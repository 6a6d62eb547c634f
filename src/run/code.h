/* code.h - a function's or a layer's code: from a folder of the repository to an archive.
 *
 * What an archive is made of is known without making it: its key is a hash over the files'
 * paths, ids and modes and over how it is built. So an unchanged backend costs the reading of
 * git's trees and little more. A commit and a work tree that is the same have one key; only
 * files that git converts on the way (line ends, LFS) make another. */
#ifndef RUN_CODE_H
#define RUN_CODE_H

#include <stdbool.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "io/git.h"
#include "run/progress.h"
#include "run/source.h"

/* All is borrowed and must outlive the code. */
struct code_options {
	struct repo *repo;
	const struct oid *commit;
	/* AUTO: in the commit, else on the disk; WORKTREE after a build command */
	enum source_kind wanted;
	/* From the repository's top, ".." and links included: a folder, a file, or an archive. */
	const char *path;
	const char *what;         /* for messages: "backend counter" */
	const char *runtime;      /* "python3.13"; NULL: not known */
	const char *architecture; /* "x86_64" or "arm64"; NULL: x86_64 */
	bool is_layer;            /* taken as it is: requirements are not installed */
	bool is_built;            /* a command has made it: likewise */
	char *const *env;         /* ours; what is secret in it is held back from pip */
	const volatile int *cancelled;
	const struct progress *progress; /* may be NULL */
};

enum { CODE_KEY_SIZE = 65 };

struct code_file {
	const char *path; /* in the archive */
	const char *from; /* from the repository's top, through no link */
	struct oid id;
	bool executable;
};

VEC_DEFINE(code_files, struct code_file);

struct code {
	struct code_options options;
	enum source_kind kind; /* COMMIT or WORKTREE */
	struct arena arena;
	struct code_files files; /* sorted by path */
	bool is_archive;         /* one file that is one already, and goes as it is */
	bool has_requirements;   /* pip is needed to make the archive */
	char key[CODE_KEY_SIZE]; /* hex: the same for the same content */
};

/* Finds the files and works out the key. Reads the trees of a commit, and of its files only
 * requirements.txt and what is an archive or one file by itself.
 *
 * Left out is what core/code_rules.h says: what no function needs and what must not leave the
 * repository (.git*, virtual environments, caches, __pycache__, .env, *.tfstate*, ...). A
 * symbolic link that stays inside of the repository stands for what it points to.
 *
 * A requirements.txt that asks for something is installed for a Python runtime, and ignored for
 * another one. -1: ERR_CONFIG: nothing is there; requirements, and the runtime is not known;
 * or requirements that cannot be installed for Lambda (editable ones, those of paths outside of
 * the folder). ERR_DATA: something in it cannot be packed, by name. */
int code_open(struct code *c, const struct code_options *options, struct error *err);
void code_release(struct code *c);

/* Appends the archive. With requirements, pip installs them for the function's platform and
 * Python into a folder that is removed again; where a source file has the path of an installed
 * one, the source wins. Requirements that the runtime has by itself are installed all the same,
 * and progress->output is told. ERR_NOT_FOUND: there is no Python with pip; ERR_IO: pip
 * failed, in its words; ERR_TOO_BIG: Lambda would not unpack it; ERR_CANCELLED. */
int code_zip(const struct code *c, struct buf *out, struct error *err);

#endif

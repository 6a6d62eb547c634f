/* code_private.h - what the parts of code share. */
#ifndef RUN_CODE_PRIVATE_H
#define RUN_CODE_PRIVATE_H

#include "base/str.h"
#include "codec/zip.h"
#include "core/pip.h"
#include "run/code.h"
#include "run/tree.h"

struct tree code_tree(const struct code *c);
/* Tells the user a line. */
void code_say(const struct code *c, const char *line);
/* The file at a path of the archive; NULL: none. */
const struct code_file *code_find_file(const struct code *c, const char *path);

/* What requirements.txt, and the files that it names, ask for. */
struct code_needs {
	struct arena arena;
	bool anything;
	bool only_runtimes;    /* nothing but what the runtime has */
	bool paths;            /* something from the folder itself */
	struct str_list files; /* requirements.txt and the others; paths in the archive */
};

void code_needs_release(struct code_needs *n);
/* -1: ERR_CONFIG: something that cannot be installed for Lambda, by file and line. */
int code_needs_read(const struct code *c, struct code_needs *out, struct error *err);

/* Files in memory that become an archive. */
struct code_bytes {
	char *path;      /* owned */
	struct buf text; /* owned */
	bool executable;
};

VEC_DEFINE(code_bytes_list, struct code_bytes);

void code_bytes_list_clear(struct code_bytes_list *l);

/* Installs the requirements and adds what is kept of it. source is what the folder holds. */
int code_install(const struct code *c, const struct code_bytes_list *source,
		 struct code_bytes_list *out, struct error *err);

#endif

/* code_rules.h - what of a folder does not go into a function's archive. Pure. */
#ifndef CORE_CODE_RULES_H
#define CORE_CODE_RULES_H

#include <stdbool.h>

enum code_kind {
	CODE_PYTHON, /* the source of a Python function */
	CODE_SOURCE, /* of another one, or of one whose runtime is not known */
	CODE_READY   /* a layer, or what a command has made: nearly all is meant */
};

/* Whether a file or folder is left out, by the last name of its path. Left out of all:
 * git's and crc's own folders, Terraform's state and variables, and what only this
 * machine can use. Out of source, and with Python most of all: Terraform's files and
 * keys beside the code, and what tools leave behind, as SAM's builder has it; but
 * libraries (*.so) stay, since a function whose dependencies are committed needs them. */
bool code_leaves_out(enum code_kind kind, const char *path);

#endif

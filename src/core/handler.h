/* handler.h - which file of its archive a function runs. Pure. */
#ifndef CORE_HANDLER_H
#define CORE_HANDLER_H

#include <stdbool.h>

#include "base/arena.h"

/* The file that holds a function's handler, for messages: "src/app.py" for "src.app.handler"
 * and Python; in the arena. NULL: that cannot be told, or it is not in the archive (Java,
 * .NET, an image, a path that leads out of it). */
const char *handler_file(const char *runtime, const char *handler, struct arena *arena);
/* Whether a runtime would find the handler in the file at that path of the archive; another
 * spelling of handler_file, such as a package's __init__.py or an .mjs, is one too. */
bool handler_is_at(const char *runtime, const char *handler, const char *path);
/* Whether the file is started, not loaded: it has to be executable. */
bool handler_is_program(const char *runtime);

/* The folder to pack so that the archive has the file at wanted, when packing the folder
 * packed puts it at found; "" is the repository's top; in the arena. NULL: there is none. */
const char *handler_folder(const char *packed, const char *found, const char *wanted,
			   struct arena *arena);

#endif

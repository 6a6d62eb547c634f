/* backend_private.h - what the parts of backend share: backend.c (what is, and what is wanted),
 * backend_handler.c (whether it would run), backend_offline.c (what commits tell of it) and backend_deploy.c (the one to the other). */
#ifndef RUN_BACKEND_PRIVATE_H
#define RUN_BACKEND_PRIVATE_H

#include "run/backend.h"

/* Settles b->artifacts, asking which account this is only where nothing has told. */
int backend_find_artifacts(struct backend_work *b, struct error *err);
/* Base64 of an archive's SHA-256, as Lambda writes it; in the arena. */
const char *backend_sha256(const struct buf *zip, struct arena *arena);

/* Where it is: a function that is named by its ARN may be in another region than ours. */
const char *backend_region(const struct backend_work *b);

/* Whether the archive of a function has what its handler names. -1: ERR_CONFIG, with the path
 * that would do if there is one. What cannot be told passes. */
int backend_check_handler(const struct backend_work *b, struct error *err);

/* Writes into out what changed from base to the commit: of the backend's folder, and of the code
 * that its template names, wherever that is. */
int backend_count_changes(struct backend_work *b, const struct oid *base,
			  struct backend_input *out, struct error *err);

#endif

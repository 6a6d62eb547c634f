/* execute_private.h - what the parts of execute share: execute.c (the walk and the claims),
 * execute_backends.c, execute_objects.c (puts, copies, deletes), execute_invalidate.c. */
#ifndef RUN_EXECUTE_PRIVATE_H
#define RUN_EXECUTE_PRIVATE_H

#include "run/execute.h"
#include "run/parts.h"

/* What is known of a put's content before it is sent. */
struct prepared {
	int64_t size;
	char etag[PARTS_ETAG_SIZE]; /* with quotes: the MD5, or that of its parts */
	char sha256[65];
	struct parts parts;
};

/* An object that is being sent in parts. */
struct upload {
	char *id;     /* owned; NULL: none is under way */
	char **etags; /* owned; of the parts that are there */
	size_t next;  /* the part that comes next, from 0 */
};

struct execution {
	const struct execute_options *options;
	struct outcome *outcome;
	const struct plan *plan;
	struct claim *claims; /* one a site */
	struct state_journal
		*journals;           /* one a site: what the claims say of this deploy */
	struct prepared *prepared;   /* one a step */
	struct str_list *references; /* one list a site: of each distribution */
	int64_t bytes_total;
	int64_t bytes_done;
	size_t steps_total;
	size_t steps_done;
	bool sites_are_untouched; /* claimed, and nothing else of them has begun */
};

/* Renews every claim that is due. ERR_CONDITION: one was lost. */
int execution_keep_claims(struct execution *x, struct error *err);
/* Writes down what came of a step and tells of it. */
void execution_done(struct execution *x, size_t step);
int execution_failed(struct execution *x, size_t step, struct error *err);

/* Steps [from, to) are all puts and copies, or all deletes. */
/* Takes the id from the answer to a create; the ETag from the answer to a part. */
int upload_begin(struct upload *u, struct http_response *res, size_t n_parts,
		 struct error *err);
int upload_add(struct upload *u, const struct http_response *res, struct error *err);
/* Releases it, when it was completed; or has the store forget it first. */
void upload_forget(struct upload *u);
void upload_drop(struct execution *x, size_t step, struct upload *u);

/* Steps that are aborts, among others that are left out. */
int execute_backends(struct execution *x, size_t from, size_t to, struct error *err);
int execute_aborts(struct execution *x, size_t from, size_t to, struct error *err);
int execute_sends(struct execution *x, size_t from, size_t to, struct error *err);
int execute_deletes(struct execution *x, size_t from, size_t to, struct error *err);
int execute_invalidations(struct execution *x, size_t from, size_t to, struct error *err);

#endif

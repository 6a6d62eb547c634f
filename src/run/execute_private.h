/* execute_private.h - what the parts of execute share: execute.c (the walk and the claims),
 * execute_objects.c (puts, copies, deletes), execute_invalidate.c. */
#ifndef RUN_EXECUTE_PRIVATE_H
#define RUN_EXECUTE_PRIVATE_H

#include "run/execute.h"

/* What is known of a put's content before it is sent. */
struct prepared {
	int64_t size;
	char etag[35]; /* with quotes: the MD5 */
	char sha256[65];
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
};

/* Renews every claim that is due. ERR_CONDITION: one was lost. */
int execution_keep_claims(struct execution *x, struct error *err);
/* Writes down what came of a step and tells of it. */
void execution_done(struct execution *x, size_t step);
int execution_failed(struct execution *x, size_t step, struct error *err);

/* Steps [from, to) are all puts and copies, or all deletes. */
int execute_sends(struct execution *x, size_t from, size_t to, struct error *err);
int execute_deletes(struct execution *x, size_t from, size_t to, struct error *err);
int execute_invalidations(struct execution *x, size_t from, size_t to, struct error *err);

#endif

/* tip.h - what a branch points to at the remote, now. */
#ifndef RUN_TIP_H
#define RUN_TIP_H

#include "core/order.h"
#include "io/git.h"
#include "io/http.h"

struct tip_options {
	struct repo *repo;
	struct http
		*http; /* borrowed; NULL: only repositories on this machine are asked */
	const char *remote; /* "origin" */
	const char *ref;    /* "refs/heads/main" */
	const char *token;  /* NULL or "": only what git is configured with */
	const char *server; /* whose token it is, https://github.com: nobody else is
			     * shown it; NULL: nobody is */
};

/* ORDER_YES: the ref is at that commit; ORDER_NO: elsewhere, or gone;
 * ORDER_UNKNOWN_FACT: it could not be asked. One request at most. */
enum order_fact tip_is(const struct tip_options *options, const struct oid *commit);

/* Finds a ref's id in the answer of a smart HTTP server's info/refs (git's documentation,
 * gitprotocol-http). False: not there, or malformed. */
bool tip_parse_refs(const char *text, size_t n, const char *ref, struct oid *out);

#endif

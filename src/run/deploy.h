/* deploy.h - the whole pipeline: read what is, decide the order, plan, execute. Where a site
 * needs what a backend has not put out yet, that is done twice: for the backends, and then for
 * the rest.
 *
 * The only place that knows the sequence. Everything that a plan or a report borrows lives in
 * struct deploy, which outlives them. */
#ifndef RUN_DEPLOY_H
#define RUN_DEPLOY_H

#include <stdbool.h>
#include <stdint.h>

#include "aws/client.h"
#include "aws/cloudfront.h"
#include "base/log.h"
#include "core/config.h"
#include "core/outcome.h"
#include "io/git.h"
#include "run/backend.h"
#include "run/claim.h"
#include "run/progress.h"
#include "run/source.h"

struct deploy_options {
	struct repo *repo;
	struct config
		*config; /* environment resolved; outputs become known as it goes on */
	const char *only_site;    /* NULL: all */
	const char *only_backend; /* NULL: all, or none with only_site */
	struct oid head;
	const struct oid *base;   /* --base, or NULL */
	const struct oid *before; /* the push event's, or NULL */
	const char *ref;          /* the branch that is deployed, or NULL */
	struct state_run run;
	enum source_kind source;
	bool dry_run;
	bool offline;
	bool wait;
	bool verify; /* and so wait */
	bool audit;
	bool allow_rollback;
	bool change_set;     /* a dry run lets CloudFormation say what it would do */
	bool recreate_stack; /* one that can only be deleted is, and made anew */
	int64_t max_delete;  /* -1: the default */
	size_t max_paths;
	unsigned concurrency;
	int64_t lock_timeout_s;
	struct aws *aws;               /* NULL when offline */
	struct http *http;             /* to ask the git remote; may be NULL */
	const char *git_token;         /* for that; may be NULL */
	const char *git_server;        /* the URL of the server that it is for */
	char *const *env;              /* for the commands of the configuration */
	const volatile int *cancelled; /* may be NULL; set by a signal handler */
	const struct clock *clock;
	const struct progress *progress; /* may be NULL */
};

struct deploy_site {
	const struct site *site;
	const char *bucket; /* NULL: not configured (offline) */
	struct source source;
	struct snapshot head;
	struct snapshot base;
	struct claim_read read;
	struct cf_distribution *distributions;
	struct viewer *viewers;
	size_t n_viewers;
	struct live_list live;
	bool live_is_complete;
	struct neighbour *neighbours;
	size_t n_neighbours;
	bool superseded;
	bool waits;          /* for outputs of backends that have not deployed yet */
	struct error lost;   /* what an output says of its place is not there */
	const char *lost_by; /* the backend that it is of */
	const char *order_why;
	struct arena read_arena; /* what one reading found */
};

/* A site that is not deployed this time, and is on the distribution of one that is. */
struct deploy_other {
	const struct site *site;
	struct source source;
	struct snapshot objects;
};

struct deploy {
	const struct deploy_options *options;
	struct arena arena;
	struct backend_options backend_options;
	struct backend_work *backends; /* in the order in which they deploy */
	size_t n_backends;
	struct deploy_site *sites;
	size_t n_sites;
	struct deploy_site
		*records; /* of other sites: only site, read and the order count */
	size_t n_records;
	struct deploy_other *others;
	size_t n_others;
	struct note_list opening_notes; /* both become the plan's */
	struct error bad_outputs;       /* what is wrong with those of this reading */
	struct note_list notes;         /* of the latest reading */
	bool places_moved; /* while it went on: what was read of sites is worth nothing */
	struct oid base_commit;
	bool has_base_commit;
	const char *base_why;
};

/* Runs it. 0: o->verdict is PLANNED, DONE, NOTHING or SUPERSEDED. -1: the error; o->verdict is
 * REFUSED, PARTIAL, UNVERIFIED or FAILED, and o->plan holds the plan if there was one. d is released
 * after the outcome. */
int deploy_run(struct deploy *d, const struct deploy_options *options, struct outcome *o,
	       struct error *err);
void deploy_release(struct deploy *d);

#endif

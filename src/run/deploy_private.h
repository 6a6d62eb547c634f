/* deploy_private.h - what the parts of deploy share: deploy.c (the sequence),
 * deploy_read.c (what is read before planning), deploy_records.c (the order of commits with
 * --backend), deploy_backends.c, deploy_outputs.c (what they put out and cannot be taken)
 * and deploy_neighbours.c (what else is on the distributions). */
#ifndef RUN_DEPLOY_PRIVATE_H
#define RUN_DEPLOY_PRIVATE_H

#include "run/deploy.h"

/* Reads states and distributions, side by side; waits while somebody else's lease lives
 * (a dry run only notes it). ERR_LOCKED: for too long. Forgets an earlier reading. */
int deploy_read(struct deploy *d, struct error *err);
/* Marks sites as superseded. ERR_ORDER: it cannot be told which commit is newer. */
int deploy_decide_order(struct deploy *d, struct error *err);
/* Looks at objects where the record is not enough: at first, after a deploy that died, and
 * for an audit. */
int deploy_look(struct deploy *d, struct error *err);
/* Finds what other sites hold on the distributions of each: it must not be evicted in vain.
 * Once more after each reading: outputs tell which distributions are the same. */
void deploy_find_neighbours(struct deploy *d);
/* Offline: what to compare with. */
int deploy_find_base(struct deploy *d, struct error *err);
void deploy_forget_reading(struct deploy_site *s);

/* With --backend, the records of the sites that are not deployed say in which order commits
 * come: they are read, and decided by, like those of sites that are. */
void deploy_open_records(struct deploy *d);
int deploy_read_records(struct deploy *d, struct error *err);
void deploy_forget_records(struct deploy *d);
/* Notes that nothing is known of the order, if the plan deploys a backend all the same. */
void deploy_note_order(struct deploy *d, const struct plan *plan);

/* Opens those that are deployed, and those whose outputs are needed. ERR_CONFIG. */
int deploy_open_backends(struct deploy *d, struct error *err);
/* ERR_CONFIG: an output is taken that the template, as it is about to deploy, does not declare;
 * with the nearest that it does. */
int deploy_check_declared(const struct deploy *d, struct error *err);
bool deploy_has_wanted_backends(const struct deploy *d);
/* Whether a parameter of it is an output of another: the one that is named, or any (NULL). */
bool deploy_takes(const struct backend *b, const char *backend, const char *name);
void deploy_forget_backends(struct deploy *d);
/* Puts the outputs that were read into the configuration. ERR_CONFIG: one is not what it
 * should be. */
int deploy_resolve_outputs(struct deploy *d, struct error *err);
/* The same, but that values which will not do are as if they were not known: the deploy that is
 * to come may mend them. */
int deploy_take_outputs(struct deploy *d, struct error *err);
/* What was wrong with them, once no backend of the plan can mend it. */
int deploy_judge_outputs(const struct deploy *d, const struct plan *plan,
			 struct error *err);
/* The same after backends have deployed; true when one is another than the plan was made
 * with. */
bool deploy_outputs_moved(struct deploy *d);
/* ERR_CONFIG: an output is not there, and no deploy will bring it. */
int deploy_check_known(const struct deploy *d, const struct plan *plan,
		       struct error *err);
/* Whether it may be deployed now. As long as a site's place is not known nobody can claim it:
 * then only what leads to that place is deployed, and the rest under the claim. */
bool deploy_is_due(const struct deploy *d, const struct backend_work *b);
/* Whether any site of the plan waits for outputs. */
bool deploy_waits(const struct deploy *d);
/* Whether all that is to be known of where it goes is. */
bool deploy_site_is_known(const struct deploy_site *s);
/* Whether a site, or one whose record is read, goes somewhere else than the configuration holds, by
 * what was read last. */
bool deploy_places_moved(const struct deploy *d);
/* After a deploy that died, or that may have: finds the change sets that it has left.
 * -1: ERR_CANCELLED; any other failure is a note. */
int deploy_find_left_sets(struct deploy *d, struct error *err);
/* What the plan has to know of the backends; out has room for all. */
int deploy_describe_backends(struct deploy *d, struct backend_input *out, size_t *n,
			     struct error *err);
struct backend_work *deploy_backend_of(const struct deploy *d,
				       const struct plan_backend *b);
/* Writes what all stacks put out into the outcome. */
void deploy_keep_outputs(const struct deploy *d, struct outcome *o);
/* Has CloudFormation say what it would do, for a plan that is only printed. */
int deploy_preview(struct deploy *d, struct plan *plan, struct error *err);

#endif

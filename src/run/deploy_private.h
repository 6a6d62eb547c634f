/* deploy_private.h - what the parts of deploy share: deploy.c (the sequence),
 * deploy_read.c (what is read before planning) and deploy_neighbours.c (what else is on the
 * distributions). */
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
/* Finds what other sites hold on the distributions of each: it must not be evicted in vain. */
void deploy_find_neighbours(struct deploy *d);
/* Offline: what to compare with. */
int deploy_find_base(struct deploy *d, struct error *err);
void deploy_forget_reading(struct deploy_site *s);

#endif

/* page_private.h - what the parts of the page share. */
#ifndef DAEMON_PAGE_PRIVATE_H
#define DAEMON_PAGE_PRIVATE_H

#include "daemon/page.h"

/* Everything up to and with <main>; title is foreign text. */
void page_begin(struct buf *out, const char *title);
void page_end(struct buf *out);

/* "running", in its colour. */
void page_state(struct buf *out, const struct job *job);
/* A commit's first digits; "the branch's tip" for none. */
void page_commit(struct buf *out, const char *commit);

/* / */
void page_overview(const struct page *p, struct answer *a);
/* /status.json */
void page_status_json(const struct page *p, struct answer *a);
/* /deploys/ID. False: no such job. */
bool page_deploy(const struct page *p, int64_t id, struct answer *a);
/* /deploys/ID/log.json */
bool page_log_json(const struct page *p, int64_t id, const char *query, struct answer *a);

#endif

/* plan.h - what is to be done to turn what is into what should be, in order.
 *
 * Pure: everything that a plan depends on is handed in; nothing is looked up, and nothing
 * happens. What --dry-run prints, what the job summary shows and what run/execute walks are
 * one and the same plan. */
#ifndef CORE_PLAN_H
#define CORE_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/str.h"
#include "core/config.h"
#include "core/snapshot.h"
#include "core/state.h"
#include "core/viewer.h"

/* In the order in which phases run; all sites finish one before any starts the next. */
enum phase {
	PHASE_CLAIM,
	PHASE_BACKENDS, /* before anything of a site: pages may need what they add */
	PHASE_ASSETS,
	PHASE_ENTRIES, /* HTML, service workers, feeds, manifests: what names assets */
	PHASE_DELETES,
	PHASE_INVALIDATE,
	PHASE_COMMIT,
	PHASES
};

enum step_kind {
	STEP_CLAIM,   /* write the state with journal and lease */
	STEP_ABORT,   /* forget what an unfinished deploy sent of a large object */
	STEP_BACKEND, /* bring a stack or a function to what the commit holds */
	STEP_PUT,
	STEP_COPY, /* set headers on an object that is there */
	STEP_DELETE,
	STEP_INVALIDATE,
	STEP_COMMIT, /* write the new state */
	STEP_RECORD, /* nothing differs: write the commit into the state */
	STEP_KINDS
};

enum step_why {
	WHY_NONE,
	WHY_ADDED,
	WHY_MODIFIED,
	WHY_HEADERS,
	WHY_DELETED,
	WHY_EXPIRED,    /* retired for longer than `keep` */
	WHY_UNFINISHED, /* an earlier deploy died over it */
	WHY_DRIFT,      /* the bucket was changed by somebody else (--audit) */
	WHY_ADOPTED,    /* the bytes were there before the first deploy */
	WHYS
};

struct step {
	enum step_kind kind;
	enum phase phase;
	enum step_why why;
	size_t site;    /* in plan.sites; SIZE_MAX: of a backend */
	size_t backend; /* in plan.backends; of a backend's step */
	/* put, copy, delete; and, of the state, claim and record: what the write depends on */
	const char *from; /* the ETag that is there; NULL: not known or absent */
	bool from_absent; /* nothing is there */
	/* put, copy, delete */
	const char *path; /* within the site */
	struct oid id;    /* put and copy: the content */
	uint64_t headers_id;
	const struct header_list *headers; /* put and copy; shared, in the plan's arena */
	size_t after; /* put and copy: the entry in the site's `after` */
	/* invalidate */
	const char *distribution;
	struct cover cover;
	size_t stale;                  /* paths that must go */
	size_t evicted;                /* held paths that go with them */
	struct str_list evicted_first; /* some of these; strings in the plan's arena */
	struct str_list
		evicted_elsewhere; /* patterns of behaviours with another origin that
	                                    * they reach into; likewise */
	const char *everything;    /* why all is evicted; NULL: it is not */
};

VEC_DEFINE(step_list, struct step);

/* What CloudFormation is going to do to a resource of a stack. */
struct resource_change {
	const char *action;      /* "Add", "Modify", "Remove", "Import", "Dynamic" */
	const char *name;        /* its logical id */
	const char *type;        /* "AWS::Lambda::Function" */
	const char *replacement; /* "True", "False", "Conditional", or "" */
};

VEC_DEFINE(resource_list, struct resource_change);

enum backend_verdict {
	BACKEND_SAME, /* what is live is what the commit holds */
	BACKEND_DEPLOY,
	BACKEND_LATER, /* what it depends on is not known before another has deployed */
	BACKEND_LEFT   /* it may not be touched: a newer commit is deployed */
};

struct plan_backend {
	const struct backend *backend;
	enum backend_verdict verdict;
	const char *target; /* the stack or function; NULL: not known */
	const char *why;    /* in words */
	bool creates;       /* the stack is not there */
	bool previewed;     /* the resources are those of a change set */
	struct resource_list resources;
};

VEC_DEFINE(plan_backend_list, struct plan_backend);

enum site_verdict {
	SITE_UP_TO_DATE, /* same commit, nothing to do */
	SITE_RECORD,     /* other commit, same content */
	SITE_DEPLOY
};

enum note_kind { NOTE_INFO, NOTE_WARNING };

struct note {
	enum note_kind kind;
	size_t site;      /* in plan.sites; SIZE_MAX: the plan as a whole */
	const char *path; /* what it is about, or NULL */
	const char *text;
};

VEC_DEFINE(note_list, struct note);

struct plan_site {
	const struct site *site;
	enum site_verdict verdict;
	const char *bucket; /* NULL: not known (offline, or after the backends) */
	struct oid base;    /* the commit it is compared with */
	bool has_base;
	const char *base_why;            /* why that base, for people */
	bool takeover;                   /* finishes a deploy that died */
	struct oid unfinished;           /* takeover: that deploy's commit */
	struct state_touch_list carried; /* its touches that no step repeats */
	bool first;                      /* no state was there */
	size_t counts[WHYS];             /* of put, copy and delete steps */
	size_t retired; /* assets that leave the commit but stay for `keep` */
	size_t unchanged;
	struct snapshot
		after; /* what will be deployed; ETags of what is sent come later */
	struct state_retired_list retired_after;
	struct str_list mutable_after;
	struct str_list distributions;
};

VEC_DEFINE(plan_site_list, struct plan_site);

struct plan {
	struct arena arena;
	struct oid head;
	bool offline;
	struct plan_backend_list backends; /* in the order in which they deploy */
	struct plan_site_list sites;
	struct step_list steps; /* by phase, then backend, site and path */
	struct note_list notes;
	enum error_code refused; /* ERR_NONE, or why it must not be executed */
	const char *refusal;
};

#define PLAN_INIT                   \
	{                           \
		.refused = ERR_NONE \
	}

void plan_release(struct plan *p);

/* An object that was seen in the bucket, by HEAD or in a list. */
struct live_object {
	const char *path;
	const char *etag; /* NULL: looked for and absent */
};

VEC_DEFINE(live_list, struct live_object); /* sorted by path */

enum site_knowledge {
	KNOW_STATE,   /* the state was read */
	KNOW_NOTHING, /* there is none: the first deploy */
	KNOW_GIT      /* offline: the base commit stands for what is deployed */
};

/* Another site on the same distribution: its objects are held there, under the paths that
 * its own view of the distribution gives them; without one, under all that they may have. */
struct neighbour {
	const char *prefix;
	const struct snapshot *objects;
	const char *index;
	const struct viewer *viewers;
	size_t n_viewers;
};

/* All that is known about one site. Borrowed by the plan. */
struct site_input {
	const struct config *config;
	const struct site *site;
	const char *bucket;
	struct snapshot head; /* headers ids are not set; an ETag is what the bytes
	                              * will have, where it was worth computing */
	enum site_knowledge knowledge;
	const struct state *state;     /* KNOW_STATE */
	const char *state_etag;        /* KNOW_STATE: of the object it was read from */
	struct snapshot base;          /* KNOW_GIT */
	const struct oid *base_commit; /* NULL: compared with nothing */
	const char *base_why;
	struct live_list live;
	bool live_is_complete; /* a list of the whole site, not looks at single keys */
	bool audit;
	const struct viewer *viewers; /* one for each distribution */
	size_t n_viewers;
	const struct neighbour *neighbours;
	size_t n_neighbours;
};

enum backend_knowledge {
	KNOW_LIVE,   /* the stack or function was read */
	KNOW_ABSENT, /* there is no such stack */
	KNOW_PATHS,  /* offline: git tells which files changed */
	KNOW_LATER   /* it takes an output that is not known yet */
};

struct backend_parameter {
	const char *name;
	const char *wanted;
	const char *live; /* NULL: the stack has none */
};

/* All that is known about one backend. Borrowed by the plan. */
struct backend_input {
	const struct backend *backend;
	const char *target;
	enum backend_knowledge knowledge;
	bool superseded; /* a newer commit is deployed */
	/* a template, KNOW_LIVE */
	const char *text; /* the template as it would be sent */
	const char *live_text;
	const char *status;  /* of the stack */
	bool status_is_good; /* what is live is in force, also after a rollback */
	const struct backend_parameter *parameters;
	size_t n_parameters;
	const struct str_list
		*drifted;   /* functions that run other code (--audit), or NULL */
	size_t n_left_sets; /* change sets of a deploy that died */
	/* a function, KNOW_LIVE */
	const char *sha256;      /* of the archive; NULL: not known before it is built */
	const char *live_sha256; /* what runs: with an alias, its version */
	const char *latest_sha256; /* what would be published; NULL: that, too */
	const char *update;        /* how the last update ended; "" or NULL: not told */
	/* KNOW_PATHS */
	bool has_base;
	size_t files_changed;
	const char *first_changed;
	/* KNOW_LATER: the backend whose output it takes */
	const char *waits_for;
};

struct plan_options {
	struct oid head;
	bool offline;
	int64_t now_s;
	struct cover_limits cover; /* of the deploy, which its invalidations share */
	int64_t max_delete;        /* -1: 256, or a quarter of the site if that is more */
};

/* All that is known about what is deployed from a commit. */
struct plan_input {
	const struct backend_input *backends; /* in the order in which they deploy */
	size_t n_backends;
	const struct site_input *sites;
	size_t n_sites;
};

/* Builds the plan. Never fails: what must not be done is in `refused`. The inputs must outlive
 * the plan. */
void plan_build(const struct plan_options *options, const struct plan_input *input,
		struct plan *out);

/* The journal that a claim of this plan writes: every path that its steps touch, and those of
 * an unfinished deploy that are stale until this one has ended. expected[i]
 * is the ETag that step i will leave (NULL: not known), parts[i] whether it is sent in parts.
 * References are drawn by the caller, one for each distribution of the site. Lists are
 * released by the caller; strings are borrowed. */
void plan_journal(const struct plan *p, size_t site, const char *const *expected,
		  const bool *parts, struct state_journal *out);

/* "put", "copy", ... and "added", "modified", ... */
const char *step_kind_name(enum step_kind kind);
const char *step_why_name(enum step_why why);
const char *phase_name(enum phase phase);
/* Whether any step writes anywhere. */
bool plan_is_empty(const struct plan *p);

#endif

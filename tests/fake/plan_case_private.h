/* plan_case_private.h - what the parts of plan_case share. */
#ifndef FAKE_PLAN_CASE_PRIVATE_H
#define FAKE_PLAN_CASE_PRIVATE_H

#include "fake/plan_case.h"

enum { WORDS_MOST = 12 };

struct reader {
	struct plan_case *c;
	struct site_input *in; /* the site that is being described, or NULL */
	struct case_site *site;
	struct case_backend *backend; /* or the backend, or NULL */
	const char *line; /* what is left of it, for directives that end in prose */
	char *words[WORDS_MOST];
	size_t n;
	struct error *err;
};

/* What a directive is about: it is of no use where nothing of the kind is described. */
enum directive_of { OF_ALL, OF_SITE, OF_BACKEND };

struct directive {
	const char *name;
	size_t least; /* words behind it */
	enum directive_of of;
	int (*read)(struct reader *r);
};

/* Those about a backend, "backend" itself among them. */
extern const struct directive plan_case_backend_directives[];
extern const size_t plan_case_n_backend_directives;

int plan_case_wrong(struct reader *r, const char *what);
int plan_case_number(struct reader *r, size_t word, int64_t *out);
/* The line from its nth word on. */
const char *plan_case_prose(struct reader *r, size_t n);

/* What is told of a backend in a plan that is built, and what became of it. */
void plan_case_preview_backends(struct plan_case *c);
void plan_case_conclude_backends(struct plan_case *c);
void plan_case_release_backends(struct plan_case *c);

#endif

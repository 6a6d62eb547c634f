/* git_checkout.h - one repository, "r" in a sandbox, and what our code sees of it.
 *
 * Include after cmocka.h. Every failure fails the test. */
#ifndef TESTS_GIT_CHECKOUT_H
#define TESTS_GIT_CHECKOUT_H

#include "git_repo.h"

struct checkout {
	struct sandbox sandbox;
	struct repo *repo; /* NULL: not opened */
	struct oid head;   /* the latest commit */
};

static inline void checkout_start(struct checkout *c)
{
	*c = (struct checkout){ .repo = NULL };
	sandbox_start(&c->sandbox);
	run(&c->sandbox, ".", NULL, "git init -q r");
}

static inline void checkout_end(struct checkout *c)
{
	repo_free(c->repo);
	sandbox_end(&c->sandbox);
}

/* Runs a script in the repository and commits what it left. */
static inline void checkout_commit(struct checkout *c, const char *script)
{
	run(&c->sandbox, "r", NULL, "%s", script);
	run(&c->sandbox, "r", NULL, "git add -A -f . && git commit -qm x --allow-empty");
	c->head = id_of(&c->sandbox, "r", "HEAD");
}

/* Opens it anew, as it is now. */
static inline struct repo *checkout_open(struct checkout *c)
{
	struct error err = ERROR_INIT;

	repo_free(c->repo);
	c->repo = NULL;
	if (repo_open("r", NULL, &c->repo, &err) < 0)
		fail_msg("%s", err.msg);
	return c->repo;
}

#endif

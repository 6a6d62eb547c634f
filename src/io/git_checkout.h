/* git_checkout.h - a work tree of one commit, for a build to run in.
 *
 * It has a repository of its own, which borrows the mirror's objects, so that what a build does to
 * it does not reach the mirror. No hook, filter or attribute of the commit is followed: files hold the
 * bytes that git stores, submodules are empty folders, LFS files are pointers. Symbolic links are made as
 * they are and never written through. */
#ifndef IO_GIT_CHECKOUT_H
#define IO_GIT_CHECKOUT_H

#include "base/error.h"
#include "core/snapshot.h"

/* Makes folder, which must not be there or be empty. mirror is an absolute path and must stay while
 * the work tree is used. HEAD is the branch, at the commit; the remote "origin" is the mirror. -1:
 * ERR_EXISTS; ERR_NOT_FOUND: the mirror has no such commit; ERR_DATA: it holds names that must
 * not be written (".git", "..", names that would be one file); ERR_IO. What was
 * made so far stays behind. */
int checkout_make(const char *folder, const char *mirror, const char *branch,
		  const struct oid *commit, struct error *err);

#endif

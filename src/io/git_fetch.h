/* git_fetch.h - fetching one branch of a repository elsewhere into a bare mirror here, and
 * asking for its tip.
 *
 * The URL is used as it is given: no `insteadOf`, no redirect (not even within a host), no proxy, no configuration of the user
 * or the machine. A server is told credentials once; one that asks again has refused them. The key of
 * an SSH server must be one of those given. No message holds a credential.
 *
 * For a process of its own, with a deadline and a limit of memory: libgit2 before 1.7 waits for a
 * silent server for ever, and what a server sends is unpacked here. */
#ifndef IO_GIT_FETCH_H
#define IO_GIT_FETCH_H

#include <stdint.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"
#include "core/snapshot.h"

/* All pointers are borrowed. */
struct mirror_remote {
	const char *
		url; /* https, http, ssh, git, file, "user@host:path" or an absolute path */
	const char *branch;               /* "main" */
	const char *user;                 /* for the token; NULL: "x-access-token" */
	const struct secret *token;       /* NULL or empty: none */
	const char *ssh_key;              /* path of the private key; NULL: none */
	const struct secret *passphrase;  /* of the key; NULL or empty: none */
	const struct str_list *host_keys; /* "SHA256:BASE64" as ssh-keygen -l prints it */
	const volatile int *cancelled;    /* may be NULL */
	void (*progress)(void *ctx, unsigned done, unsigned total,
			 int64_t bytes); /* may be NULL */
	void *ctx;
};

/* Fetches the branch, with all of its history, into the mirror in folder, and points the mirror's
 * HEAD at it. What was fetched earlier stays, until there are so many packs that all is fetched
 * anew. A folder that is not there, holds no repository or a damaged one is made anew. One process
 * at a time. tip gets the branch's commit, which is in the mirror with its tree. -1:
 *   ERR_NOT_FOUND   no such repository, or no such branch
 *   ERR_CREDENTIALS credentials are asked for and none are configured, or they were refused
 *   ERR_FORBIDDEN   not allowed; or the server's SSH key is not one of host_keys
 *   ERR_CONFIG      an SSH server, and no host_keys; a key file that is not there
 *   ERR_NETWORK     no connection, a certificate that is not valid, or a redirect (the message says
 *                   where to), which is not followed
 *   ERR_DATA        what came is no repository of ours to read
 *   ERR_IO, ERR_CANCELLED */
int mirror_fetch(const char *folder, const struct mirror_remote *remote, struct oid *tip,
		 struct error *err);

/* The commit of the branch, asked of the remote alone. Errors as above. */
int mirror_tip(const struct mirror_remote *remote, struct oid *tip, struct error *err);

#endif

/* settings.h - daemon.yml as a struct, secrets read.
 *
 * Immutable once read, and counted: a reload swaps the whole (settings_box), and who works with the
 * old one keeps it until done. Secrets are files or systemd credentials ("credential:NAME" is
 * $CREDENTIALS_DIRECTORY/NAME), never values of the file, the environment or arguments. */
#ifndef DAEMON_SETTINGS_H
#define DAEMON_SETTINGS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/str.h"
#include "daemon/host_status.h"
#include "daemon/provider.h"

/* How the repository is reached. */
struct site_access {
	const char *user;    /* for a token over HTTPS; default "x-access-token" */
	struct secret token; /* empty: none */
	const char *ssh_key; /* path of the private key; NULL: none */
	struct secret passphrase;
	/* Pinned: "SHA256:BASE64" as ssh-keygen -l prints it; each of the list will do. */
	struct str_list host_keys;
};

struct site {
	const char *
		name; /* [A-Za-z0-9][A-Za-z0-9._-]*, at most 63: it is in URLs and paths */
	/* https, http, ssh or git URL, USER@HOST:PATH (which is ssh), or an absolute path */
	const char *repository;
	struct site_access access;
	const char *branch;          /* "main" */
	const char *config;          /* --config of crc-action; NULL: its default */
	const char *build;           /* shell command, run in a checkout; NULL: none */
	struct str_list arguments;   /* more of crc-action's */
	struct str_list environment; /* NAME=VALUE for crc-action, on top of ours */
	const struct provider *provider;
	struct provider_keys keys;
	int64_t poll_ms; /* 0: never */
	struct host_status_settings status;
	const char *notify; /* URL of the outgoing webhook; NULL: none */
	struct secret notify_secret;
};

struct settings {
	struct arena arena;
	const char *path;       /* of daemon.yml, absolute */
	const char *folder;     /* where relative paths are from */
	const char *text;       /* the file as it was read */
	const char *copy;       /* of the file, by settings_keep(); path until then */
	struct str_list listen; /* "127.0.0.1:8700" */
	struct str_list admin;  /* where /metrics and / are, too; empty: on listen */
	const char *state;      /* folder: queue.db, mirrors, logs */
	const char *queue; /* file or postgresql URL; the password may come from a file */
	struct secret queue_password;
	const char *action;      /* path of crc-action */
	const char *public_url;  /* "https://deploy.example.com"; NULL: no links */
	struct str_list trusted; /* proxies: CIDRs whose X-Forwarded-For counts */
	const char *page_user;   /* NULL: the page is open */
	struct secret page_password;
	bool json_log;

	int workers;             /* deploys at once */
	int threads;             /* of the server */
	int64_t body_most;       /* bytes */
	int64_t body_ms;         /* a body's own deadline */
	int64_t address_per_min; /* requests; 0: no limit */
	int64_t site_per_min;    /* authenticated deliveries */
	int64_t deploy_ms;       /* of a whole deploy, after which its child is ended */
	/* Bytes of address space of a deploy's processes, but for its build; 0: no limit. */
	int64_t memory;
	int64_t log_most; /* bytes kept of a deploy's log */
	int attempts;     /* until a job is dead */
	int64_t lease_ms; /* how long a job is a daemon's without a word of it */
	int64_t keep_ms;  /* how long history and deliveries are kept */

	struct site *sites;
	size_t n_sites;
	const char **names; /* of all sites, NULL-terminated */
	struct str_list
		warnings; /* what --check-config and the start's log say besides */
	atomic_int refs_; /* private */
};

/* Reads and checks all of it, secrets too. Paths in it are from the file's folder. -1:
 * ERR_CONFIG with FILE:LINE:COLUMN and the nearest known key; ERR_NOT_FOUND, ERR_IO,
 * ERR_TOO_BIG: the file itself. No message holds a secret. The caller drops *out. */
int settings_read(const char *path, struct settings **out, struct error *err);
/* The same, but of the secrets only the queue's password is read, for commands that need the
 * queue and nothing else: the others may be out of reach of whoever types them. */
int settings_read_queue(const char *path, struct settings **out, struct error *err);
/* For a deploy's child: of the secrets only those by which a site's repository is reached. folder:
 * where relative paths are from; NULL: the file's own. ERR_CONFIG also: there is no such site. */
int settings_read_site(const char *path, const char *folder, const char *site,
		       struct settings **out, struct error *err);
/* Writes the file as it was read to the state folder, for children to read: what is at path may by
 * now be something else, and wrong. Not yet shared with threads that deploy: others have no use for
 * it. -1: ERR_IO. */
int settings_keep(struct settings *s, struct error *err);
struct settings *settings_hold(struct settings *s);
void settings_drop(struct settings *s); /* NULL-safe */

/* NULL: no site of that name. */
const struct site *settings_site(const struct settings *s, const char *name);

/* The settings of now. Any thread. */
struct settings_box;
struct settings_box *settings_box_new(struct settings *first); /* takes over the count */
void settings_box_free(struct settings_box *b);
struct settings *settings_now(struct settings_box *b); /* the caller drops it */
void settings_swap(struct settings_box *b, struct settings *next);

static inline void settings_dropp(struct settings **s)
{
	settings_drop(*s);
}

#endif

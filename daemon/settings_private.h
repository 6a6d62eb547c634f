/* settings_private.h - what the parts of settings share, in the order in which they work:
 * settings_parse.c (bytes to a draft, pure), settings_secret.c (secrets from their files),
 * settings_check.c (what must go together). settings_fields.h reads single values. */
#ifndef DAEMON_SETTINGS_PRIVATE_H
#define DAEMON_SETTINGS_PRIVATE_H

#include "base/vec.h"
#include "codec/yaml.h"
#include "daemon/settings.h"

/* A file that has to be read, or at least be there, and the place that named it. */
struct settings_file {
	struct secret *into; /* gets the content; or */
	const char **path;   /* gets the path, for whoever reads the file later */
	const char *key;     /* "token", for messages */
	const char *from;    /* "credential:NAME" or a path */
	unsigned line, column;
};
VEC_DEFINE(settings_files, struct settings_file);

enum settings_extent { SETTINGS_ALL, SETTINGS_QUEUE, SETTINGS_SITE };

struct settings_draft {
	enum settings_extent extent; /* which secrets are read */
	const char *site;            /* of SETTINGS_SITE */
	struct settings *settings;   /* borrowed */
	const char *name;            /* of the file, as the user calls it */
	const char *folder;          /* where it lies, absolute */
	struct settings_files files;
	const struct yaml_node *root; /* the arena's */
};

/* Sets ERR_CONFIG with "daemon.yml:3:5: " in front. Control characters of the message are
 * replaced. Returns -1. */
int settings_fail_at(const struct settings_draft *d, unsigned line, unsigned column,
		     struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* Settings with all defaults, counted once. */
struct settings *settings_new(void);

/* Pure. settings, name and folder are set; the caller releases files either way. */
int settings_parse(struct settings_draft *d, const char *text, size_t n,
		   struct error *err);
/* credentials: $CREDENTIALS_DIRECTORY, may be NULL. */
int settings_read_files(struct settings_draft *d, const char *credentials,
			struct error *err);
/* Pure. ERR_CONFIG. */
int settings_check(const struct settings_draft *d, struct error *err);

#endif

/* settings.h - what is to be deployed where: from crc.yml, from options, or detected. */
#ifndef ACTION_SETTINGS_H
#define ACTION_SETTINGS_H

#include "action/github.h"
#include "action/options.h"
#include "core/config.h"
#include "io/git.h"

struct settings {
	struct config config;
	struct oid head;
	char ref[256]; /* the branch, or "" */
	const char
		*source_note; /* said aloud: where the configuration came from; or NULL */
	const char *region;   /* NULL: as environment and profile have it */
};

/* Fills it. -1: ERR_CONFIG, ERR_USAGE or ERR_NOT_FOUND with what to do. */
int settings_load(struct settings *s, const struct options *o, const struct github *g,
		  struct repo *repo, const char *const *env, struct error *err);
void settings_release(struct settings *s);

#endif

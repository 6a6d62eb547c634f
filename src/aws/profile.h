/* profile.h - the files ~/.aws/config and ~/.aws/credentials.
 *
 * docs.aws.amazon.com/sdkref/latest/guide/file-format.html. A section is "profile NAME",
 * "sso-session NAME" or "services NAME" whichever file it stands in; what is nested under an
 * empty "s3 =" is the key "s3.NAME". Messages name file and line, and never quote: a line
 * may hold a key. */
#ifndef AWS_PROFILE_H
#define AWS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/vec.h"

struct profile_entry {
	const char *section;
	const char *key; /* NULL: the section's own line */
	const char *value;
	bool shared; /* from the credentials file */
};

VEC_DEFINE(profile_entries, struct profile_entry);

struct profiles {
	struct arena arena; /* owns all strings; secrets are wiped on release */
	struct profile_entries entries; /* later ones win */
	const char *name;               /* of the profile that is asked for */
	bool named;                     /* by AWS_PROFILE, not by default */
};

#define PROFILES_INIT             \
	{                         \
		.name = "default" \
	}

void profiles_release(struct profiles *p);

/* Adds a file's text. shared: it is a credentials file, whose sections are bare names. file
 * is for messages. -1: ERR_CONFIG. */
int profiles_parse(struct profiles *p, const char *text, size_t n, bool shared,
		   const char *file, struct error *err);

/* Reads both files where the environment says they are, and which profile it asks for.
 * Files that do not exist are empty. */
int profiles_load(struct profiles *p, const char *const *env, struct error *err);

/* A value of a section, kind being "profile", "sso-session" or "services"; NULL: not set. */
const char *profiles_get(const struct profiles *p, const char *kind, const char *name,
			 const char *key);
bool profiles_has(const struct profiles *p, const char *kind, const char *name);
/* As profiles_get, from one of the two files only. */
const char *profiles_get_from(const struct profiles *p, bool shared, const char *name,
			      const char *key);
/* The endpoint that the profile configures for a service (NULL: for all), or NULL. Has the
 * shape that endpoint_settings_read wants. */
const char *profiles_endpoint(void *profiles, const char *service);

#endif

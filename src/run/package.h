/* package.h - a template backend, made ready: the template as CloudFormation will get it, and
 * the code that it names. */
#ifndef RUN_PACKAGE_H
#define RUN_PACKAGE_H

#include "base/arena.h"
#include "core/config.h"
#include "core/template.h"
#include "run/code.h"

/* All is borrowed and must outlive the package. */
struct package_options {
	struct repo *repo;
	const struct oid *commit;
	const struct backend *backend; /* with a template; its build has been run */
	const char *config_file;       /* for messages: "crc.yml"; may be NULL */
	/* What a build has made is in no commit: with one, the work tree is taken, and COMMIT
	 * is refused. */
	enum source_kind wanted;
	char *const *env;
	const volatile int *cancelled;
	const struct progress *progress; /* may be NULL */
};

struct package {
	struct package_options options;
	struct arena arena;
	enum source_kind kind;             /* of the template: COMMIT or WORKTREE */
	struct buf text;                   /* the template as it is in the repository */
	struct template_settings settings; /* the backend's parameters */
	struct template template;
	struct code *codes; /* owned; each folder (with runtime, architecture) once */
	size_t n_codes;
	size_t *code_of; /* owned; of template.codes[i]: which of codes */
};

/* Reads and parses the template and opens its codes; paths in it count from its folder.
 * ERR_CONFIG: there is no template; as template_parse and code_open; also a parameter that is
 * configured and not declared, or a path that leaves the repository. ERR_DATA, ERR_TOO_BIG. */
int package_open(struct package *p, const struct package_options *options,
		 struct error *err);
void package_release(struct package *p);

/* What the object of codes[code] is called in the artefacts' bucket, in the arena. */
const char *package_key(const struct package *p, size_t code, struct arena *arena);
/* Appends the template with all code in that bucket. */
void package_splice(const struct package *p, const char *bucket, struct buf *out);

#endif

#include "core/code_rules.h"

#include <stddef.h>
#include <string.h>

#include "base/path.h"

enum part { WHOLE, FRONT, TAIL, ANYWHERE };

#define TEXT(s) s, sizeof(s) - 1

/* A name is left out of the kinds up to `most`. */
static const struct rule {
	enum part part;
	enum code_kind most;
	const char *text;
	size_t len;
} rules[] = {
	/* What must not leave the repository, or means nothing elsewhere. */
	{ FRONT, CODE_READY, TEXT(".git") },
	{ WHOLE, CODE_READY, TEXT(".crc") },
	{ WHOLE, CODE_READY, TEXT(".env") },
	{ WHOLE, CODE_READY, TEXT(".aws-sam") },
	{ WHOLE, CODE_READY, TEXT(".terraform") },
	{ ANYWHERE, CODE_READY, TEXT(".tfstate") },
	{ ANYWHERE, CODE_READY, TEXT(".tfvars") },
	{ WHOLE, CODE_READY, TEXT("tfplan") },
	{ TAIL, CODE_READY, TEXT(".tfplan") },
	{ WHOLE, CODE_READY, TEXT(".DS_Store") },
	{ WHOLE, CODE_READY, TEXT("__pycache__") },
	/* What lies beside the code; certificates (*.pem) stay, since libraries bring theirs. */
	{ FRONT, CODE_SOURCE, TEXT(".env.") },
	{ TAIL, CODE_SOURCE, TEXT(".key") },
	{ TAIL, CODE_SOURCE, TEXT(".tf") },
	{ TAIL, CODE_SOURCE, TEXT(".tf.json") },
	{ WHOLE, CODE_SOURCE, TEXT(".terraform.lock.hcl") },
	/* What tools leave behind. */
	{ WHOLE, CODE_SOURCE, TEXT(".venv") },
	{ WHOLE, CODE_SOURCE, TEXT("venv") },
	{ WHOLE, CODE_SOURCE, TEXT("venv.bak") },
	{ WHOLE, CODE_SOURCE, TEXT(".chalice") },
	{ WHOLE, CODE_SOURCE, TEXT(".tox") },
	{ WHOLE, CODE_SOURCE, TEXT(".nox") },
	{ WHOLE, CODE_SOURCE, TEXT(".coverage") },
	{ WHOLE, CODE_SOURCE, TEXT(".pytest_cache") },
	{ WHOLE, CODE_SOURCE, TEXT(".mypy_cache") },
	{ WHOLE, CODE_SOURCE, TEXT(".ruff_cache") },
	{ WHOLE, CODE_SOURCE, TEXT(".dmypy.json") },
	{ WHOLE, CODE_SOURCE, TEXT(".pyre") },
	{ WHOLE, CODE_SOURCE, TEXT(".cache") },
	{ WHOLE, CODE_SOURCE, TEXT(".python-version") },
	{ WHOLE, CODE_SOURCE, TEXT(".vscode") },
	{ WHOLE, CODE_SOURCE, TEXT(".idea") },
	{ TAIL, CODE_SOURCE, TEXT(".pyc") },
	/* Names that mean something else outside of Python. */
	{ WHOLE, CODE_PYTHON, TEXT("env") },
	{ WHOLE, CODE_PYTHON, TEXT("ENV") },
	{ WHOLE, CODE_PYTHON, TEXT("env.bak") },
	{ WHOLE, CODE_PYTHON, TEXT("htmlcov") },
	{ WHOLE, CODE_PYTHON, TEXT("node_modules") },
	{ WHOLE, CODE_PYTHON, TEXT(".Python") },
	{ WHOLE, CODE_PYTHON, TEXT("pip-log.txt") },
	{ WHOLE, CODE_PYTHON, TEXT("pip-delete-this-directory.txt") },
	{ TAIL, CODE_PYTHON, TEXT(".egg-info") },
	{ TAIL, CODE_PYTHON, TEXT(".egg") },
};

static bool holds(const char *name, size_t n, const struct rule *r)
{
	for (size_t i = 0; i + r->len <= n; i++)
		if (memcmp(name + i, r->text, r->len) == 0)
			return true;
	return false;
}

static bool fits(const struct rule *r, const char *name, size_t n)
{
	if (n < r->len)
		return false;
	switch (r->part) {
	case WHOLE:
		return n == r->len && memcmp(name, r->text, n) == 0;
	case FRONT:
		return memcmp(name, r->text, r->len) == 0;
	case TAIL:
		return memcmp(name + n - r->len, r->text, r->len) == 0;
	case ANYWHERE:
		return holds(name, n, r);
	}
	return false;
}

bool code_leaves_out(enum code_kind kind, const char *path)
{
	const char *name = path_name(path);
	size_t n = strlen(name);

	for (size_t i = 0; i < sizeof(rules) / sizeof(*rules); i++)
		if (kind <= rules[i].most && fits(&rules[i], name, n))
			return true;
	return false;
}

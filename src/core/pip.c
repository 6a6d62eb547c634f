#include "core/pip.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"

enum { FIRST_MINOR = 6, WORDS_MOST = 400 };

/* Targets */

bool pip_is_python(const char *runtime)
{
	return str_starts(runtime, "python");
}

int pip_target_of(struct pip_target *t, const char *runtime, const char *architecture,
		  struct error *err)
{
	int64_t minor = 0;

	*t = (struct pip_target){ .runtime = runtime, .architecture = architecture };
	if (!str_starts(runtime, "python3.") ||
	    !str_to_i64(runtime + strlen("python3."), FIRST_MINOR, 99, &minor))
		return error_set(err, ERR_CONFIG,
				 "requirements cannot be installed for the runtime "
				 "\"%.40s\": use a `build:` command",
				 runtime);
	if (!str_eq(architecture, "x86_64") && !str_eq(architecture, "arm64"))
		return error_set(err, ERR_CONFIG,
				 "\"%.40s\" is no architecture of Lambda's: it has "
				 "x86_64 and arm64",
				 architecture);
	t->minor = (unsigned)minor;
	snprintf(t->version, sizeof(t->version), "3.%u", t->minor);
	return 0;
}

/* The C library of the runtimes' systems: Amazon Linux 2, and 2023 since Python 3.12.
 * docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html */
static unsigned glibc_minor(const struct pip_target *t)
{
	return t->minor >= 12 ? 34 : 26;
}

static void push(struct str_list *out, const char *a, const char *b)
{
	str_list_push(out, a);
	if (b)
		str_list_push(out, b);
}

/* pip takes no tag to include another, so each is named, the newest first (PEP 600). ARM has
 * had wheels since glibc 2.17. */
static void add_platforms(const struct pip_target *t, struct arena *arena,
			  struct str_list *out)
{
	bool is_arm = str_eq(t->architecture, "arm64");
	const char *machine = is_arm ? "aarch64" : "x86_64";
	unsigned first = is_arm ? 17 : 5;

	for (unsigned minor = glibc_minor(t); minor >= first; minor--) {
		push(out, "--platform",
		     arena_printf(arena, "manylinux_2_%u_%s", minor, machine));
		if (minor == 17)
			push(out, "--platform",
			     arena_printf(arena, "manylinux2014_%s", machine));
		if (minor == 12)
			push(out, "--platform", "manylinux2010_x86_64");
		if (minor == 5)
			push(out, "--platform", "manylinux1_x86_64");
	}
	push(out, "--platform", arena_printf(arena, "linux_%s", machine));
}

void pip_arguments(const struct pip_target *t, const char *file, const char *folder,
		   struct arena *arena, struct str_list *out)
{
	static const char *const always[] = {
		"--only-binary=:all:", "--no-compile", "--disable-pip-version-check",
		"--no-input",          "--no-color",   "--progress-bar=off",
	};

	push(out, "install", NULL);
	for (size_t i = 0; i < sizeof(always) / sizeof(*always); i++)
		push(out, always[i], NULL);
	push(out, "--implementation", "cp");
	push(out, "--python-version", arena_strdup(arena, t->version));
	/* pip would add the flags of the Python that runs it. Those of 3.7 had an "m". */
	if (t->minor >= 8)
		push(out, "--abi", arena_printf(arena, "cp3%u", t->minor));
	add_platforms(t, arena, out);
	push(out, "--target", arena_strdup(arena, folder));
	push(out, "--requirement", arena_strdup(arena, file));
}

/* Results */

static bool is_in_dist_info(const char *path, const char *name)
{
	const char *slash = strchr(path, '/');

	return slash && !strchr(slash + 1, '/') && str_eq(slash + 1, name) &&
	       slash - path > 10 && strncmp(slash - 10, ".dist-info", 10) == 0;
}

bool pip_leaves_out(const char *path)
{
	return strstr(path, "__pycache__/") || str_ends(path, ".pyc") ||
	       is_in_dist_info(path, "direct_url.json");
}

bool pip_is_launcher(const char *text, size_t n)
{
	const char *end = memchr(text, '\n', n);
	const char *line, *word;
	bool found;

	if (n < 2 || text[0] != '#' || text[1] != '!' || !end)
		return false;
	line = xstrndup(text + 2, (size_t)(end - text) - 2);
	word = strstr(line, "python");
	found = line[strspn(line, " ")] == '/' && word && !strstr(line, "/env ");
	free((void *)(uintptr_t)line);
	/* The shape for a path that is too long for a first line, or has blanks. */
	n -= (size_t)(end + 1 - text);
	return found || (n > 8 && memcmp(end + 1, "'''exec' ", 9) == 0);
}

bool pip_is_record(const char *path)
{
	return is_in_dist_info(path, "RECORD");
}

/* A line is "path,hash,size". With --target, programs are listed as above the folder, where
 * they are not. */
static bool keeps_line(const char *line, size_t n)
{
	CLEANUP_PTR(mem) char *path = xstrndup(line, n);
	char *start = path;
	char *end;

	if (*start == '"')
		start++;
	end = strstr(start, start == path ? "," : "\",");
	if (end)
		*end = '\0';
	return !pip_leaves_out(start) && !str_starts(start, "../");
}

void pip_clean_record(const char *text, size_t n, struct buf *out)
{
	const char *end = text + n;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		size_t len = newline ? (size_t)(newline + 1 - text)
				     : (size_t)(end - text);

		if (keeps_line(text, len))
			buf_add(out, text, len);
		text += len;
	}
}

/* Failures */

/* Copies what follows a marker up to the line's end, and before `until`. False: it is not
 * there. */
static bool words_after(const char *said, const char *marker, const char *until,
			char out[WORDS_MOST])
{
	const char *at = strstr(said, marker);
	size_t n;
	char *stop;

	*out = '\0';
	if (!at)
		return false;
	at += strlen(marker);
	n = strcspn(at, "\r\n");
	snprintf(out, WORDS_MOST, "%.*s", (int)(n < WORDS_MOST ? n : WORDS_MOST - 1), at);
	stop = until ? strstr(out, until) : NULL;
	if (stop)
		*stop = '\0';
	return true;
}

/* The line that a marker stands in, up to it. */
static bool words_before(const char *said, const char *marker, char out[WORDS_MOST])
{
	const char *at = strstr(said, marker);
	const char *start = at;

	*out = '\0';
	if (!at)
		return false;
	while (start > said && start[-1] != '\n')
		start--;
	if (strncmp(start, "ERROR: ", 7) == 0)
		start += 7;
	snprintf(out, WORDS_MOST, "%.*s",
		 (int)(at - start < WORDS_MOST ? at - start : WORDS_MOST - 1), start);
	return true;
}

static bool explain_network(const char *said, struct buf *out)
{
	static const char *const signs[] = { "after connection broken by ",
					     "Could not fetch URL ",
					     ("Could not install packages due to an "
					      "OSError: ") };
	char words[WORDS_MOST];

	for (size_t i = 0; i < sizeof(signs) / sizeof(*signs); i++) {
		/* "[Errno 28] No space left on device" is of this machine. */
		if (!words_after(said, signs[i], NULL, words) ||
		    str_starts(words, "[Errno "))
			continue;
		buf_printf(out,
			   "the package index could not be reached: %.300s (PIP_* "
			   "variables and pip.conf say where it is)",
			   words);
		return true;
	}
	return false;
}

static void explain_wheel(const struct pip_target *t, const char *what,
			  const char *versions, struct buf *out)
{
	buf_printf(out, "no wheel of %.200s for %s on %s (manylinux)", what, t->runtime,
		   t->architecture);
	if (*versions && !str_eq(versions, "none"))
		buf_printf(out, "; there are those of %.200s", versions);
	buf_str(out, ": pin another version, or use a `build:` command");
}

/* Of hashes that do not match, and the like, an indented line says which package it is. */
static void add_detail(const char *said, const char *line, struct buf *out)
{
	const char *at = strstr(said, line);
	size_t n;

	at += strcspn(at, "\n");
	if (!str_starts(at, "\n    "))
		return;
	at += strspn(at, "\n ");
	n = strcspn(at, "\r\n");
	n -= n && at[n - 1] == ':';
	buf_printf(out, " %.*s", (int)(n < WORDS_MOST ? n : WORDS_MOST - 1), at);
}

static void explain_otherwise(const char *said, struct buf *out)
{
	char words[WORDS_MOST];
	size_t n = strlen(said);
	size_t start;

	if (words_after(said, "ERROR: ", NULL, words) ||
	    words_after(said, "error: ", NULL, words)) {
		buf_str(out, words);
		add_detail(said, words, out);
		return;
	}
	while (n && strchr(" \r\n", said[n - 1]))
		n--;
	for (start = n; start && said[start - 1] != '\n';)
		start--;
	n -= start;
	if (n)
		buf_add(out, said + start, n < WORDS_MOST ? n : WORDS_MOST);
	else
		buf_str(out, "it says nothing");
}

void pip_explain(const struct pip_target *t, const char *said, struct buf *out)
{
	char what[WORDS_MOST], versions[WORDS_MOST];

	if (explain_network(said, out))
		return;
	if (words_after(said, "No matching distribution found for ", " (from ", what)) {
		(void)words_after(said, "(from versions: ", ")", versions);
		explain_wheel(t, what, versions, out);
	} else if (words_before(said, " is not a supported wheel on this platform",
				what)) {
		explain_wheel(t, what, "", out);
	} else {
		explain_otherwise(said, out);
	}
}

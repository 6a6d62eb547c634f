#include "aws/profile.h"

#include <string.h>

#include "aws/creds_providers.h"
#include "aws/endpoint.h"
#include "base/buf.h"
#include "base/secret.h"
#include "base/str.h"

/* What is being read. */
struct parser {
	struct profiles *out;
	const char *section; /* NULL: before the first, or in one that is not ours */
	const char *parent;  /* the key whose nested values may follow; NULL: none */
	bool shared;
};

void profiles_release(struct profiles *p)
{
	/* Values are in the arena as writable memory, known here as constant. */
	for (size_t i = 0; i < p->entries.len; i++)
		if (p->entries.items[i].value)
			secret_wipe((char *)p->entries.items[i].value,
				    strlen(p->entries.items[i].value));
	profile_entries_release(&p->entries);
	arena_release(&p->arena);
	*p = (struct profiles)PROFILES_INIT;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

static void trim(const char **s, size_t *n)
{
	while (*n && is_blank(**s)) {
		++*s;
		--*n;
	}
	while (*n && is_blank((*s)[*n - 1]))
		--*n;
}

static void push(struct parser *p, const char *key, const char *value)
{
	profile_entries_push(&p->out->entries,
			     (struct profile_entry){ p->section, key, value, p->shared });
}

/* "[profile x]", "[x]", "[sso-session x]"; what it is called afterwards, or NULL for a
 * section that says nothing to us. */
static const char *section_name(struct parser *p, const char *s, size_t n)
{
	static const char *const kinds[] = { "profile", "sso-session", "services" };
	struct arena *arena = &p->out->arena;
	const char *kind = NULL;
	size_t len = 0;

	trim(&s, &n);
	for (size_t i = 0; !p->shared && !kind && i < sizeof(kinds) / sizeof(*kinds);
	     i++) {
		len = strlen(kinds[i]);
		if (n > len && memcmp(s, kinds[i], len) == 0 && is_blank(s[len]))
			kind = kinds[i];
	}
	if (!kind && !p->shared && !(n == 7 && memcmp(s, "default", 7) == 0))
		return NULL;
	if (kind) {
		s += len;
		n -= len;
		trim(&s, &n);
	}
	if (n >= 2 && (*s == '"' || *s == '\'') && s[n - 1] == *s) {
		s++;
		n -= 2;
	}
	return arena_printf(arena, "%s %.*s", kind ? kind : "profile", (int)n, s);
}

/* A comment needs white space before it: secrets may hold '#'. */
static size_t without_comment(const char *s, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if ((s[i] == '#' || s[i] == ';') && is_blank(s[i - 1]))
			return i;
	return n;
}

static bool parse_property(struct parser *p, const char *s, size_t n, bool nested)
{
	const char *equals = memchr(s, '=', n);
	size_t key_len = equals ? (size_t)(equals - s) : 0;
	const char *value = equals ? equals + 1 : NULL;
	size_t value_len = equals ? n - key_len - 1 : 0;
	const char *key;

	if (!equals)
		return false;
	trim(&s, &key_len);
	if (!key_len)
		return false;
	value_len = without_comment(value, value_len);
	trim(&value, &value_len);
	key = arena_strndup(&p->out->arena, s, key_len);
	if (nested)
		key = arena_printf(&p->out->arena, "%s.%s", p->parent, key);
	else
		p->parent = value_len ? NULL : key;
	push(p, key, arena_strndup(&p->out->arena, value, value_len));
	return true;
}

static bool parse_line(struct parser *p, const char *s, size_t n)
{
	bool indented = n && is_blank(*s);
	const char *close;

	trim(&s, &n);
	if (!n || *s == '#' || *s == ';')
		return true;
	if (*s == '[' && !indented) {
		close = memchr(s, ']', n);
		if (!close)
			return false;
		p->section = section_name(p, s + 1, (size_t)(close - s - 1));
		p->parent = NULL;
		if (p->section)
			push(p, NULL, NULL);
		return true;
	}
	if (!p->section)
		return true;
	/* An indented line goes on with the value before it, or is nested if there was
	 * none. No setting that matters here spans lines. */
	if (indented)
		return !p->parent || parse_property(p, s, n, true);
	return parse_property(p, s, n, false);
}

int profiles_parse(struct profiles *out, const char *text, size_t n, bool shared,
		   const char *file, struct error *err)
{
	struct parser p = { .out = out, .shared = shared };
	const char *end = text + n;
	int line = 1;

	if (n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
		text += 3;
	if (n && memchr(text, '\0', (size_t)(end - text)))
		return error_set(err, ERR_CONFIG, "%s: not a text file", file);
	for (; text < end; line++) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		size_t len = (size_t)((eol ? eol : end) - text);

		if (!parse_line(&p, text, len))
			return error_set(err, ERR_CONFIG,
					 "%s:%d: neither a [section] nor NAME = VALUE",
					 file, line);
		text = eol ? eol + 1 : end;
	}
	return 0;
}

/* ---- files ---- */

static const char *file_path(struct profiles *p, const char *const *env, const char *name,
			     const char *otherwise)
{
	const char *path = env_get(env, name);
	const char *home = env_get(env, "HOME");

	if (!path)
		path = otherwise;
	if (!str_starts(path, "~/"))
		return path;
	return home ? arena_printf(&p->arena, "%s%s", home, path + 1) : NULL;
}

static int load_file(struct profiles *p, const char *path, bool shared, struct error *err)
{
	CLEANUP(secret) struct secret text = SECRET_INIT;

	if (!path)
		return 0;
	if (creds_read_file(path, &text, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	return profiles_parse(p, secret_bytes(&text), secret_len(&text), shared, path,
			      err);
}

int profiles_load(struct profiles *p, const char *const *env, struct error *err)
{
	struct error why = ERROR_INIT;
	const char *name = env_get(env, "AWS_PROFILE");

	if (!name)
		name = env_get(env, "AWS_DEFAULT_PROFILE");
	p->named = name != NULL;
	p->name = name ? arena_strdup(&p->arena, name) : "default";
	if (load_file(p, file_path(p, env, "AWS_CONFIG_FILE", "~/.aws/config"), false,
		      &why) == 0 &&
	    load_file(p,
		      file_path(p, env, "AWS_SHARED_CREDENTIALS_FILE",
				"~/.aws/credentials"),
		      true, &why) == 0)
		return 0;
	*err = why;
	return -1;
}

/* ---- questions ---- */

static bool is_section(const struct profile_entry *e, const char *kind, const char *name)
{
	size_t len = strlen(kind);

	return str_starts(e->section, kind) && e->section[len] == ' ' &&
	       str_eq(e->section + len + 1, name);
}

bool profiles_has(const struct profiles *p, const char *kind, const char *name)
{
	for (size_t i = 0; i < p->entries.len; i++)
		if (is_section(&p->entries.items[i], kind, name))
			return true;
	return false;
}

const char *profiles_get(const struct profiles *p, const char *kind, const char *name,
			 const char *key)
{
	for (size_t i = p->entries.len; i-- > 0;) {
		const struct profile_entry *e = &p->entries.items[i];

		if (e->key && *e->value && str_eq_nocase(e->key, key) &&
		    is_section(e, kind, name))
			return e->value;
	}
	return NULL;
}

const char *profiles_get_from(const struct profiles *p, bool shared, const char *name,
			      const char *key)
{
	for (size_t i = p->entries.len; i-- > 0;) {
		const struct profile_entry *e = &p->entries.items[i];

		if (e->key && *e->value && e->shared == shared &&
		    str_eq_nocase(e->key, key) && is_section(e, "profile", name))
			return e->value;
	}
	return NULL;
}

const char *profiles_endpoint(void *ctx, const char *service)
{
	const struct profiles *p = ctx;
	const char *services = profiles_get(p, "profile", p->name, "services");
	CLEANUP(buf) struct buf key = BUF_INIT(256);

	if (!service)
		return profiles_get(p, "profile", p->name, "endpoint_url");
	if (!services)
		return NULL;
	buf_printf(&key, "%s.endpoint_url", service);
	return profiles_get(p, "services", services, key.data);
}

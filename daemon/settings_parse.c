/* From the bytes of daemon.yml to a draft: one table of fields for each kind of mapping. */
#include "daemon/settings.h"

#include <string.h>

#include "daemon/settings_fields.h"
#include "daemon/settings_rules.h"

enum { SITES_MOST = 1000, THREADS_MOST = 1024, WORKERS_MOST = 64, PROVIDERS_MOST = 32 };

#define MIB      INT64_C(1048576)
#define POLL_MS  INT64_C(300000)
#define WEEK_MS  INT64_C(604800000)
#define YEARS_MS INT64_C(315360000000) /* ten of them */

/* Tags */

static bool is_core_tag(const char *tag)
{
	return !*tag || str_eq(tag, "!") || str_starts(tag, "tag:yaml.org,2002:");
}

/* No tag of its own means anything in this file. */
static int check_tags(struct reader *r, const struct yaml_node *node)
{
	if (!is_core_tag(node->tag))
		return FIELD_FAIL(r, node, "the tag %s cannot be used here", node->tag);
	for (size_t i = 0; node->kind != YAML_SCALAR && i < node->len; i++) {
		bool is_map = node->kind == YAML_MAPPING;

		if (is_map && check_tags(r, node->pairs[i].key) < 0)
			return -1;
		if (check_tags(r, is_map ? node->pairs[i].value : node->items[i]) < 0)
			return -1;
	}
	return 0;
}

/* Rows of the tables */

#define TEXT(key, at, problem)                              \
	{                                                   \
		key, field_text, at, problem, 0, 0, 0, NULL \
	}
#define QUIET(key, at, problem)                                       \
	{                                                             \
		key, field_text, at, problem, FIELD_QUIET, 0, 0, NULL \
	}
#define TEXTS(key, at, problem)                              \
	{                                                    \
		key, field_texts, at, problem, 0, 0, 0, NULL \
	}
#define OTHER(key, read, at)                       \
	{                                          \
		key, read, at, NULL, 0, 0, 0, NULL \
	}
#define NUMBER(key, read, at, min, max)                \
	{                                              \
		key, read, at, NULL, 0, min, max, NULL \
	}
#define BELOW(key, at, table)                                   \
	{                                                       \
		key, field_mapping, at, NULL, 0, 0, 0, &(table) \
	}

/* A site's parts */

#define ACCESS(member) offsetof(struct site_access, member)

static const struct field access_fields[] = {
	TEXT("user", ACCESS(user), settings_bad_user),
	OTHER("token", field_secret, ACCESS(token)),
	OTHER("ssh-key", field_key_file, ACCESS(ssh_key)),
	OTHER("passphrase", field_secret, ACCESS(passphrase)),
	TEXTS("host-keys", ACCESS(host_keys), settings_bad_host_key),
};
static const struct fields access_table = FIELDS(access_fields, "\"access\"");

#define GENERIC(member) offsetof(struct provider_generic, member)

static const struct field generic_fields[] = {
	TEXT("auth", GENERIC(auth), settings_bad_text),
	TEXT("header", GENERIC(header), settings_bad_text),
	TEXT("changes", GENERIC(changes), settings_bad_text),
	TEXT("ref", GENERIC(ref), settings_bad_text),
	TEXT("before", GENERIC(before), settings_bad_text),
	TEXT("after", GENERIC(after), settings_bad_text),
	TEXT("delivery", GENERIC(delivery), settings_bad_text),
};
static const struct fields generic_table = FIELDS(generic_fields, "\"generic\"");

static int read_kind(struct reader *r, const struct field *f, void *owner,
		     const struct yaml_node *node)
{
	static const char *const names[] = {
		"github",          "gitlab",           "gitea",        "forgejo",
		"bitbucket-cloud", "bitbucket-server", "azure-devops",
	};
	const char *text = field_scalar(r, f->key, node);
	const struct host_status_kind *kind = text ? host_status_find(text) : NULL;
	const char *nearest;

	if (!text)
		return -1;
	*(const struct host_status_kind **)field_place(f, owner) = kind;
	if (kind)
		return 0;
	nearest = field_nearest(text, names, sizeof(names) / sizeof(*names));
	if (nearest)
		return FIELD_FAIL(r, node, "kind \"%s\": did you mean \"%s\"?", text,
				  nearest);
	return FIELD_FAIL(
		r, node, "kind \"%s\": no host of that kind takes commit statuses", text);
}

#define STATUS(member) offsetof(struct host_status_settings, member)

static const struct field status_fields[] = {
	{ "kind", read_kind, STATUS(kind), NULL, FIELD_REQUIRED, 0, 0, NULL },
	TEXT("api", STATUS(api), settings_bad_url),
	TEXT("project", STATUS(project), settings_bad_text),
	TEXT("user", STATUS(user), settings_bad_user),
	OTHER("token", field_secret, STATUS(token)),
	TEXT("context", STATUS(context), settings_bad_text),
};
static const struct fields status_table = FIELDS(status_fields, "\"status\"");

#define SITE(member) offsetof(struct site, member)

static const struct field notify_fields[] = {
	{ "url", field_text, SITE(notify), settings_bad_url, FIELD_REQUIRED | FIELD_QUIET,
	  0, 0, NULL },
	OTHER("secret", field_secret, SITE(notify_secret)),
};
static const struct fields notify_table = FIELDS(notify_fields, "\"notify\"");

/* A site */

static int read_provider(struct reader *r, const struct field *f, void *owner,
			 const struct yaml_node *node)
{
	const char *names[PROVIDERS_MOST];
	const char *text = field_scalar(r, f->key, node);
	const char *nearest;
	size_t n = 0;

	if (!text)
		return -1;
	*(const struct provider **)field_place(f, owner) = provider_find(text);
	if (provider_find(text))
		return 0;
	for (; n < PROVIDERS_MOST && provider_at(n); n++)
		names[n] = provider_name(provider_at(n));
	nearest = field_nearest(text, names, n);
	if (nearest)
		return FIELD_FAIL(r, node, "provider \"%s\": did you mean \"%s\"?", text,
				  nearest);
	return FIELD_FAIL(r, node,
			  "provider \"%s\": no such host; \"generic\" is for any other",
			  text);
}

static int add_secret(struct reader *r, const struct field *f, void *owner,
		      const struct yaml_node *node)
{
	struct provider_keys *keys = field_place(f, owner);
	struct settings_file file = { .key = f->key };

	if (keys->n_secrets == PROVIDER_SECRETS_MOST)
		return FIELD_FAIL(r, node,
				  "%s: two are enough, the new one and the old one",
				  f->key);
	file.into = &keys->secrets[keys->n_secrets++];
	return field_note_secret(r, file, node);
}

static int read_secrets(struct reader *r, const struct field *f, void *owner,
			const struct yaml_node *node)
{
	return field_each(r, f, owner, node, add_secret);
}

static int add_variable(struct reader *r, struct str_list *list,
			const struct yaml_pair *pair)
{
	const char *name = pair->key->text;
	const char *wrong = settings_bad_variable(name);
	const char *value;

	if (wrong)
		return FIELD_FAIL(r, pair->key, "environment \"%s\": %s", name, wrong);
	value = field_scalar(r, name, pair->value);
	if (!value)
		return -1;
	if (settings_looks_secret(value))
		return FIELD_FAIL(r, pair->value,
				  "environment %s: looks like a secret, which does not "
				  "belong into this file",
				  name);
	str_list_push(list, arena_printf(r->arena, "%s=%s", name, value));
	return 0;
}

static int read_environment(struct reader *r, const struct field *f, void *owner,
			    const struct yaml_node *node)
{
	if (node->kind != YAML_MAPPING)
		return field_fail_kind(r, node, f->key, "a mapping of names to values");
	for (size_t i = 0; i < node->len; i++)
		if (add_variable(r, field_place(f, owner), &node->pairs[i]) < 0)
			return -1;
	return 0;
}

static const struct field site_fields[] = {
	{ "repository", field_text, SITE(repository), settings_bad_repository,
	  FIELD_REQUIRED | FIELD_QUIET, 0, 0, NULL },
	BELOW("access", SITE(access), access_table),
	TEXT("branch", SITE(branch), settings_bad_branch),
	TEXT("config", SITE(config), settings_bad_text),
	TEXT("build", SITE(build), settings_bad_command),
	{ "arguments", field_texts, SITE(arguments), settings_bad_argument, FIELD_QUIET,
	  0, 0, NULL },
	OTHER("environment", read_environment, SITE(environment)),
	{ "provider", read_provider, SITE(provider), NULL, FIELD_REQUIRED, 0, 0, NULL },
	OTHER("secrets", read_secrets, SITE(keys)),
	BELOW("generic", SITE(keys.generic), generic_table),
	NUMBER("poll", field_duration, SITE(poll_ms), 0, WEEK_MS),
	BELOW("status", SITE(status), status_table),
	BELOW("notify", 0, notify_table),
};

static int read_site(struct reader *r, const struct yaml_pair *pair, struct site *site)
{
	static const struct fields table = FIELDS(site_fields, "a site");
	const char *name = pair->key->text;
	const char *wrong = settings_bad_name(name);

	if (wrong)
		return FIELD_FAIL(r, pair->key, "site \"%s\": %s", name, wrong);
	if (pair->value->kind != YAML_MAPPING)
		return field_fail_kind(r, pair->value, name, "a mapping");
	*site = (struct site){
		.name = name,
		.access = { .user = "x-access-token" },
		.branch = "main",
		.poll_ms = POLL_MS,
		.status = { .context = arena_printf(r->arena, "crc/%s", name) },
	};
	return fields_read(r, &table, site, pair->value);
}

static int read_sites(struct reader *r, const struct field *f, void *owner,
		      const struct yaml_node *node)
{
	struct settings *s = owner;

	if (node->kind != YAML_MAPPING)
		return field_fail_kind(r, node, f->key, "a mapping of names");
	if (!node->len || node->len > SITES_MOST)
		return FIELD_FAIL(r, node, "sites: there must be 1 to %d", SITES_MOST);
	s->sites = arena_alloc(r->arena, node->len * sizeof(*s->sites));
	s->names = arena_alloc(r->arena, (node->len + 1) * sizeof(*s->names));
	for (size_t i = 0; i < node->len; i++) {
		s->names[i] = node->pairs[i].key->text;
		s->n_sites = i + 1; /* for what has to be released */
		if (read_site(r, &node->pairs[i], &s->sites[i]) < 0)
			return -1;
	}
	return 0;
}

/* The file */

static int read_log(struct reader *r, const struct field *f, void *owner,
		    const struct yaml_node *node)
{
	const char *text = field_scalar(r, f->key, node);

	if (!text)
		return -1;
	if (!str_eq(text, "json") && !str_eq(text, "text"))
		return FIELD_FAIL(r, node, "log \"%s\": must be json or text", text);
	*(bool *)field_place(f, owner) = str_eq(text, "json");
	return 0;
}

static int read_public_url(struct reader *r, const struct field *f, void *owner,
			   const struct yaml_node *node)
{
	const char **url = field_place(f, owner);
	size_t n;

	if (field_text(r, f, owner, node) < 0)
		return -1;
	n = strlen(*url);
	while (n && (*url)[n - 1] == '/')
		n--;
	*url = arena_strndup(r->arena, *url, n);
	return 0;
}

/* A URL, or a file from the folder of daemon.yml. */
static int read_queue(struct reader *r, const struct field *f, void *owner,
		      const struct yaml_node *node)
{
	const char **queue = field_place(f, owner);

	if (field_text(r, f, owner, node) < 0)
		return -1;
	if (!strstr(*queue, "://"))
		*queue = field_from_folder(r, *queue);
	return 0;
}

#define FILE_(member) offsetof(struct settings, member)

static const struct field page_fields[] = {
	{ "user", field_text, FILE_(page_user), settings_bad_user, FIELD_REQUIRED, 0, 0,
	  NULL },
	{ "password", field_secret, FILE_(page_password), NULL, FIELD_REQUIRED, 0, 0,
	  NULL },
};
static const struct fields page_table = FIELDS(page_fields, "\"page\"");

static const struct field limit_fields[] = {
	NUMBER("workers", field_number, FILE_(workers), 1, WORKERS_MOST),
	NUMBER("threads", field_number, FILE_(threads), 2, THREADS_MOST),
	NUMBER("body", field_size, FILE_(body_most), 1024, 64 * MIB),
	NUMBER("body-time", field_duration, FILE_(body_ms), 100, 600000),
	NUMBER("per-address", field_rate, FILE_(address_per_min), 0, 1000000),
	NUMBER("per-site", field_rate, FILE_(site_per_min), 0, 1000000),
	NUMBER("deploy-time", field_duration, FILE_(deploy_ms), 1000, WEEK_MS),
	NUMBER("memory", field_size, FILE_(memory), 0, INT64_MAX),
	NUMBER("log", field_size, FILE_(log_most), 4096, 1024 * MIB),
	NUMBER("attempts", field_number, FILE_(attempts), 1, 100),
	NUMBER("lease", field_duration, FILE_(lease_ms), 2000, 3600000),
	NUMBER("keep", field_duration, FILE_(keep_ms), 3600000, YEARS_MS),
};
static const struct fields limit_table = FIELDS(limit_fields, "\"limits\"");

static const struct field file_fields[] = {
	TEXTS("listen", FILE_(listen), settings_bad_address),
	TEXTS("admin", FILE_(admin), settings_bad_address),
	{ "state", field_path, FILE_(state), settings_bad_text, 0, 0, 0, NULL },
	{ "queue", read_queue, FILE_(queue), settings_bad_queue, FIELD_QUIET, 0, 0,
	  NULL },
	OTHER("queue-password", field_secret, FILE_(queue_password)),
	{ "action", field_path, FILE_(action), settings_bad_text, 0, 0, 0, NULL },
	{ "public-url", read_public_url, FILE_(public_url), settings_bad_public_url, 0, 0,
	  0, NULL },
	TEXTS("trusted-proxies", FILE_(trusted), settings_bad_network),
	BELOW("page", 0, page_table),
	OTHER("log", read_log, FILE_(json_log)),
	BELOW("limits", 0, limit_table),
	{ "sites", read_sites, 0, NULL, FIELD_REQUIRED, 0, 0, NULL },
};

int settings_parse(struct settings_draft *d, const char *text, size_t n,
		   struct error *err)
{
	static const struct fields table = FIELDS(file_fields, "the configuration");
	struct settings *s = d->settings;
	struct reader r = { d, &s->arena, err };

	/* The tree stays with the settings, which borrow its texts. */
	if (yaml_parse(&s->arena, d->name, text, n, &d->root, err) < 0) {
		err->code = ERR_CONFIG;
		return -1;
	}
	if (!d->root || d->root->kind != YAML_MAPPING)
		return settings_fail_at(d, 1, 1, err,
					"a mapping with \"sites\" is wanted");
	if (check_tags(&r, d->root) < 0 || fields_read(&r, &table, s, d->root) < 0)
		return -1;
	if (!s->queue)
		s->queue = arena_printf(&s->arena, "%s/queue.db", s->state);
	return 0;
}

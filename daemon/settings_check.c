/* What must go together in daemon.yml, once each value by itself is right. */
#include "daemon/settings.h"

#include <string.h>

#include "codec/url.h"
#include "daemon/settings_private.h"
#include "daemon/settings_rules.h"

enum { MEMORY_LEAST = 64 << 20 };

/* A site, and where it stands in the file. */
struct place {
	const struct settings_draft *draft;
	const struct site *site;
	const struct yaml_node *name;
	const struct yaml_node *node;
};

/* The complaint stands at a key's value if the site has it, else at the site's name. */
static int fail_site(const struct place *p, const char *key, struct error *err,
		     const char *what)
{
	const struct yaml_node *value = yaml_get(p->node, key);
	const struct yaml_node *at = value ? value : p->name;

	return settings_fail_at(p->draft, at->line, at->column, err, "site \"%s\": %s",
				p->site->name, what);
}

/* An error of another module, at its place in the file. */
static int fail_below(const struct place *p, const char *key, struct error *err)
{
	struct error inner = *err;

	return fail_site(p, key, err, inner.msg);
}

/* Access */

static const char *wrong_with_ssh(const struct site *site)
{
	if (secret_is_set(&site->access.token))
		return "a token is for https; SSH takes \"ssh-key\"";
	if (!site->access.ssh_key)
		return "SSH needs \"access\" with an \"ssh-key\"";
	if (!site->access.host_keys.len)
		return "SSH needs \"host-keys\" under \"access\": what ssh-keyscan HOST | "
		       "ssh-keygen -lf - prints, once it is known to be true";
	return NULL;
}

static const char *wrong_without_ssh(const struct site *site,
				     enum settings_transport transport)
{
	struct url url;

	if (site->access.ssh_key || site->access.host_keys.len)
		return "\"ssh-key\" and \"host-keys\" are for SSH repositories";
	if (!secret_is_set(&site->access.token))
		return NULL;
	if (transport == TRANSPORT_HTTPS)
		return NULL;
	if (transport == TRANSPORT_HTTP && url_parse(site->repository, &url) &&
	    url_is_loopback(&url))
		return NULL;
	return "a token must not go over an open line: it needs https";
}

static int check_access(const struct place *p, struct error *err)
{
	const struct yaml_node *access = yaml_get(p->node, "access");
	enum settings_transport transport = settings_transport(p->site->repository);
	const char *wrong = transport == TRANSPORT_SSH
				    ? wrong_with_ssh(p->site)
				    : wrong_without_ssh(p->site, transport);

	if (!wrong && secret_is_set(&p->site->access.passphrase) &&
	    !p->site->access.ssh_key)
		wrong = "a passphrase without \"ssh-key\"";
	if (!wrong && yaml_get(access, "user") && !secret_is_set(&p->site->access.token))
		wrong = "a user without \"token\" under \"access\"";
	return wrong ? fail_site(p, "access", err, wrong) : 0;
}

static int check_provider(const struct place *p, struct error *err)
{
	const struct site *site = p->site;

	if (yaml_get(p->node, "generic") &&
	    !str_eq(provider_name(site->provider), "generic"))
		return fail_site(p, "generic", err,
				 "\"generic\" is for the provider \"generic\"");
	if (provider_check(site->provider, &site->keys, err) < 0)
		return fail_below(p, "secrets", err);
	return 0;
}

static int check_status(const struct place *p, struct error *err)
{
	const struct host_status_settings *status = &p->site->status;

	if (!status->kind)
		return 0;
	if (host_status_check(status, err) < 0)
		return fail_below(p, "status", err);
	if (host_status_needs_url(status->kind) && !p->draft->settings->public_url)
		return fail_site(p, "status", err,
				 "this host wants a link with each status: set "
				 "\"public-url\"");
	return 0;
}

static int check_site(const struct place *p, struct error *err)
{
	if (p->draft->extent == SETTINGS_SITE) /* only its access has been read */
		return str_eq(p->site->name, p->draft->site) ? check_access(p, err) : 0;
	if (check_access(p, err) < 0 || check_provider(p, err) < 0)
		return -1;
	return check_status(p, err);
}

/* The whole */

static int fail_key(const struct settings_draft *d, const char *key, struct error *err,
		    const char *what)
{
	const struct yaml_node *at = yaml_get(d->root, key);

	return settings_fail_at(d, at ? at->line : 1, at ? at->column : 1, err, "%s: %s",
				key, what);
}

static bool is_loopback(const char *address)
{
	return str_starts(address, "127.") || str_starts(address, "[::1]:");
}

/* Port 0 is another one each time. */
static bool is_twice(const struct str_list *list, size_t before, const char *address)
{
	for (size_t i = 0; i < before; i++)
		if (str_eq(list->items[i], address) && !str_ends(address, ":0"))
			return true;
	return false;
}

static int check_addresses(const struct settings_draft *d, struct error *err)
{
	const struct settings *s = d->settings;

	if (!s->listen.len)
		return fail_key(d, "listen", err, "at least one address is needed");
	for (size_t i = 0; i < s->listen.len; i++)
		if (is_twice(&s->listen, i, s->listen.items[i]))
			return fail_key(d, "listen", err, "the same address twice");
	for (size_t i = 0; i < s->admin.len; i++)
		if (is_twice(&s->admin, i, s->admin.items[i]) ||
		    is_twice(&s->listen, s->listen.len, s->admin.items[i]))
			return fail_key(d, "admin", err, "the same address twice");
	return 0;
}

static bool all_loopback(const struct str_list *list)
{
	for (size_t i = 0; i < list->len; i++)
		if (!is_loopback(list->items[i]))
			return false;
	return true;
}

static void warn(struct settings *s, const char *what)
{
	str_list_push(&s->warnings, what);
}

static void warn_of_openness(struct settings *s)
{
	const struct str_list *page = s->admin.len ? &s->admin : &s->listen;

	if (!all_loopback(&s->listen))
		warn(s, "listen: other machines can send without TLS; a proxy in front "
			"should be the only one that reaches this address");
	if (s->page_user)
		return;
	if (!all_loopback(page))
		warn(s, "page: it has no password and can be reached by other machines");
	else if (!s->admin.len && s->trusted.len)
		warn(s, "page: it has no password and is at the address that the proxy "
			"reaches; give it an address of its own with \"admin\"");
}

/* Address space in which no program of ours gets anywhere. */
static int check_memory(const struct settings_draft *d, struct error *err)
{
	const struct yaml_node *at = yaml_get(yaml_get(d->root, "limits"), "memory");

	if (!d->settings->memory || d->settings->memory >= MEMORY_LEAST)
		return 0;
	return settings_fail_at(d, at->line, at->column, err,
				"memory \"%s\": is too small for any deploy; 0 is no "
				"limit",
				at->text);
}

int settings_check(const struct settings_draft *d, struct error *err)
{
	const struct settings *s = d->settings;
	const struct yaml_node *sites = yaml_get(d->root, "sites");

	if (check_addresses(d, err) < 0 || check_memory(d, err) < 0)
		return -1;
	if (secret_is_set(&s->queue_password) && !strstr(s->queue, "://"))
		return fail_key(d, "queue-password", err,
				"only a postgresql:// queue has a password");
	if (d->extent == SETTINGS_QUEUE)
		return 0; /* the rest is about secrets */
	for (size_t i = 0; i < s->n_sites; i++) {
		const struct yaml_pair *pair = &sites->pairs[i];
		const struct place place = { d, &s->sites[i], pair->key, pair->value };

		if (check_site(&place, err) < 0)
			return -1;
	}
	warn_of_openness(d->settings);
	return 0;
}

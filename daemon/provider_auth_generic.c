#include "daemon/provider_private.h"

#include "base/str.h"
#include "codec/json_pointer.h"

static int generic_hmac(const struct provider_attempt *a, struct error *err)
{
	static const char prefix[] = "sha256=";
	const char *header = a->keys->generic.header;
	const char *value = request_header(a->r, header);

	return provider_hmac(a, header, value && str_starts(value, prefix) ? prefix : "",
			     err);
}

static int generic_token(const struct provider_attempt *a, struct error *err)
{
	return provider_token(a, a->keys->generic.header, err);
}

/* The first one is the default. */
static const struct generic_auth {
	const char *name;
	int (*authenticate)(const struct provider_attempt *a, struct error *err);
	bool needs_header;
	bool needs_whsec;
} generic_auths[] = {
	{ "standard-webhooks", provider_auth_standard, false, true },
	{ "hmac-sha256", generic_hmac, true, false },
	{ "token", generic_token, true, false },
};

static const struct generic_auth *find_generic(const char *name)
{
	for (size_t i = 0; i < sizeof(generic_auths) / sizeof(*generic_auths); i++) {
		if (!name || str_eq(generic_auths[i].name, name))
			return &generic_auths[i];
	}
	return NULL;
}

int provider_auth_generic(const struct provider_attempt *a, struct error *err)
{
	const struct generic_auth *auth = find_generic(a->keys->generic.auth);

	if (!auth || (auth->needs_header && str_empty(a->keys->generic.header)))
		return error_set(err, ERR_CREDENTIALS,
				 "the settings do not say how to authenticate");
	return auth->authenticate(a, err);
}

bool provider_signs_generic(const struct provider_keys *keys, const struct request *r)
{
	const struct generic_auth *auth = find_generic(keys->generic.auth);

	(void)r;
	return auth && auth->authenticate == provider_auth_standard &&
	       !keys->generic.delivery;
}

static int check_pointers(const struct provider_generic *g, struct error *err)
{
	const struct {
		const char *name;
		const char *pointer;
	} pointers[] = {
		{ "changes", g->changes },   { "ref", g->ref },
		{ "before", g->before },     { "after", g->after },
		{ "delivery", g->delivery },
	};

	for (size_t i = 0; i < sizeof(pointers) / sizeof(*pointers); i++) {
		if (pointers[i].pointer && !json_pointer_is_valid(pointers[i].pointer))
			return error_set(
				err, ERR_CONFIG,
				"%s: \"%s\" is not a JSON pointer, as \"/detail/ref\" is",
				pointers[i].name, pointers[i].pointer);
	}
	return 0;
}

int provider_check_generic(const struct provider_keys *keys, struct error *err)
{
	const struct provider_generic *g = &keys->generic;
	const struct generic_auth *auth = find_generic(g->auth);

	if (!auth)
		return error_set(
			err, ERR_CONFIG,
			"auth: \"%s\" is none of standard-webhooks, hmac-sha256, token",
			g->auth);
	if (auth->needs_header && str_empty(g->header))
		return error_set(err, ERR_CONFIG, "auth: %s needs the name of a header",
				 auth->name);
	if (auth->needs_whsec && provider_check_whsec(keys, WHSEC_ALL, err) < 0)
		return -1;
	return check_pointers(g, err);
}

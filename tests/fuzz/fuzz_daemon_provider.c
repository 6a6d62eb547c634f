/* A byte that chooses the row, one that chooses the generic row's settings, lines
 * "NAME: VALUE", an empty line, a body. Reading must stand anything, signed or not. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "daemon/provider.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS_MOST = 16, NOW = 1764000000 };

static void check_commit(const char *commit)
{
	size_t n = strlen(commit);

	assert(n == 0 || n == PUSH_COMMIT_MAX - 1);
	assert(strspn(commit, "0123456789abcdef") == n);
	assert(n == 0 || strspn(commit, "0") < n);
}

static void check(const struct push *push)
{
	assert(push->delivery && strlen(push->delivery) < PUSH_DELIVERY_MAX);
	assert(push->kind == PUSH_CHANGES || push->n_changes == 0);
	assert(push->n_changes <= PUSH_CHANGES_MOST);
	for (size_t i = 0; i < push->n_changes; i++) {
		assert(push->changes[i].ref[0]);
		check_commit(push->changes[i].before);
		check_commit(push->changes[i].after);
	}
	push_change_of(push, "main");
}

/* The text up to the end of a line, cut off from *rest. */
static char *take_line(char **rest)
{
	char *line = *rest;
	char *newline = strchr(line, '\n');

	*rest = newline ? newline + 1 : line + strlen(line);
	if (newline)
		*newline = '\0';
	return line;
}

static struct provider_generic settings_of(uint8_t choice)
{
	static const char *const auths[] = { NULL, "standard-webhooks", "hmac-sha256",
					     "token" };
	const struct provider_generic g = {
		.auth = auths[choice & 3],
		.header = "x-key",
		.changes = choice & 4 ? "/changes" : NULL,
		.ref = choice & 8 ? "/detail/referenceFullName" : NULL,
		.before = choice & 16 ? "/a~1b/0" : NULL,
		.after = choice & 32 ? "/detail/commitId" : NULL,
		.delivery = choice & 64 ? "/id" : NULL
	};

	return g;
}

static void run(const struct provider *row, const struct provider_keys *keys,
		const struct request *r)
{
	CLEANUP(push) struct push push;
	struct error err = ERROR_INIT;

	if (provider_authenticate(row, keys, r, NOW, &err) < 0)
		assert(err.code == ERR_CREDENTIALS && err.msg[0]);
	error_clear(&err);
	if (provider_parse(row, keys, r, &push, &err) == 0)
		check(&push);
	else
		assert(err.code == ERR_DATA && err.msg[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct request_header headers[HEADERS_MOST];
	struct provider_keys keys = { .n_secrets = 2 };
	struct request r = { .method = "POST", .path = "/", .query = "", .peer = "" };
	const struct provider *row;
	CLEANUP_PTR(mem) char *text = NULL;
	char *rest;

	if (size < 2)
		return 0;
	row = provider_at(data[0]);
	if (!row)
		return 0;
	keys.generic = settings_of(data[1]);
	secret_set_str(&keys.secrets[0], "secret");
	secret_set_str(&keys.secrets[1], "whsec_c2VjcmV0");
	text = rest = xstrndup((const char *)data + 2, size - 2);
	r.headers = headers;
	while (r.n_headers < HEADERS_MOST && *rest) {
		char *line = take_line(&rest);
		char *colon = strstr(line, ": ");

		if (!colon)
			break;
		*colon = '\0';
		headers[r.n_headers++] = (struct request_header){ .name = line,
								  .value = colon + 2 };
	}
	/* A copy of its own, so that reading behind it is seen; NULs come through. */
	r.body_len = size - 2 - (size_t)(rest - text);
	CLEANUP_PTR(mem) char *body = xmalloc(r.body_len + 1);
	memcpy(body, data + size - r.body_len, r.body_len);
	body[r.body_len] = '\0';
	r.body = body;
	run(row, &keys, &r);
	secret_release(&keys.secrets[0]);
	secret_release(&keys.secrets[1]);
	return 0;
}

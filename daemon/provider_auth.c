#include "daemon/provider_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"

int provider_header(const struct request *r, const char *name, enum error_code code,
		    const char **out, struct error *err)
{
	size_t n = request_header_count(r, name);

	*out = "";
	if (n != 1)
		return error_set(err, code,
				 n ? "the header %s comes more than once"
				   : "the header %s is missing",
				 name);
	*out = request_header(r, name);
	return 0;
}

int provider_mismatch(const char *header, struct error *err)
{
	return error_set(err, ERR_CREDENTIALS,
			 "the header %s does not match: the secrets differ, or the body "
			 "was changed on its way",
			 header);
}

/* "sha256=HEX". Both kinds of digits are taken. */
int provider_hmac(const struct provider_attempt *a, const char *header,
		  const char *prefix, struct error *err)
{
	unsigned char told[HASH_SHA256_SIZE];
	unsigned char is[HASH_SHA256_SIZE];
	const char *value;
	bool matches = false;

	if (provider_header(a->r, header, ERR_CREDENTIALS, &value, err) < 0)
		return -1;
	if (!str_starts(value, prefix) ||
	    !decode_hex(value + strlen(prefix), sizeof(told), told))
		return error_set(err, ERR_CREDENTIALS,
				 "the header %s is not \"%sHEX\" of HMAC-SHA256", header,
				 prefix);
	for (size_t i = 0; i < a->keys->n_secrets; i++) {
		const struct secret *s = &a->keys->secrets[i];

		if (!secret_is_set(s))
			continue;
		hash_hmac_sha256(secret_bytes(s), secret_len(s), a->body, a->body_len,
				 is);
		matches |= hash_equal(is, told, sizeof(is));
	}
	return matches ? 0 : provider_mismatch(header, err);
}

int provider_auth_hmac(const struct provider_attempt *a, struct error *err)
{
	return provider_hmac(a, a->row->signature, a->row->prefix, err);
}

/* Whether told is one of the secrets. Digests are compared, so that the time tells neither
 * where they differ nor whether their lengths do. */
static bool is_secret(const struct provider_keys *keys, const char *told, size_t n)
{
	unsigned char told_digest[HASH_SHA256_SIZE];
	unsigned char digest[HASH_SHA256_SIZE];
	bool matches = false;

	hash_bytes(HASH_SHA256, told, n, told_digest);
	for (size_t i = 0; i < keys->n_secrets; i++) {
		const struct secret *s = &keys->secrets[i];

		if (!secret_is_set(s))
			continue;
		hash_bytes(HASH_SHA256, secret_bytes(s), secret_len(s), digest);
		matches |= hash_equal(digest, told_digest, sizeof(digest));
	}
	secret_wipe(digest, sizeof(digest));
	return matches;
}

int provider_token(const struct provider_attempt *a, const char *header,
		   struct error *err)
{
	const char *value;

	if (provider_header(a->r, header, ERR_CREDENTIALS, &value, err) < 0)
		return -1;
	if (!is_secret(a->keys, value, strlen(value)))
		return error_set(err, ERR_CREDENTIALS, "the header %s is another secret",
				 header);
	return 0;
}

/* RFC 7617; the scheme's name is of any case (RFC 9110, section 11.1). */
int provider_auth_basic(const struct provider_attempt *a, struct error *err)
{
	static const char scheme[] = "Basic ";
	const char *value;
	const char *password;
	char start[sizeof(scheme)] = "";
	bool matches = false;

	if (provider_header(a->r, a->row->signature, ERR_CREDENTIALS, &value, err) < 0)
		return -1;
	memcpy(start, value, strnlen(value, sizeof(scheme) - 1));
	if (str_eq_nocase(start, scheme)) {
		CLEANUP(buf) struct buf pair = BUF_INIT(strlen(value));

		/* It is that long, which gcc cannot see. */
		value += strnlen(value, sizeof(scheme) - 1);
		value += strspn(value, " ");
		buf_reserve(&pair, strlen(value)); /* so that no copy is left behind */
		if (decode_base64(value, strlen(value), &pair)) {
			password = memchr(pair.data, ':', pair.len);
			matches = password && is_secret(a->keys, password + 1,
							pair.len - (size_t)(password + 1 -
									    pair.data));
		}
		secret_wipe(pair.data, pair.len);
	}
	if (!matches)
		return error_set(err, ERR_CREDENTIALS,
				 "the header %s is not Basic with this password",
				 a->row->signature);
	return 0;
}

/* Those of the secrets that are whsec_ ones, or those that are not; borrowed. */
static struct provider_keys select_keys(const struct provider_keys *keys, bool whsec_ones)
{
	struct provider_keys out = { .generic = keys->generic };

	for (size_t i = 0; i < keys->n_secrets; i++) {
		if (provider_is_whsec(&keys->secrets[i]) == whsec_ones)
			out.secrets[out.n_secrets++] = keys->secrets[i];
	}
	return out;
}

/* GitLab 19 signs; an older one sends the token as it is, and a newer one may do both while the
 * hook is being moved. Which of them counts is said by the secret, never by who sends. */
int provider_auth_gitlab(const struct provider_attempt *a, struct error *err)
{
	const struct provider_keys signing = select_keys(a->keys, true);
	const struct provider_keys tokens = select_keys(a->keys, false);
	struct provider_attempt one = *a;
	struct error ignored = ERROR_INIT;
	bool has_header = request_header(a->r, "webhook-signature") != NULL;

	one.keys = &tokens;
	if (tokens.n_secrets && provider_token(&one, a->row->signature, &ignored) == 0)
		return 0;
	one.keys = &signing;
	if (signing.n_secrets && (has_header || !tokens.n_secrets)) {
		if (provider_auth_standard(&one, err) == 0)
			return 0;
		return has_header ? -1
				  : error_wrap(err,
					       "a whsec_ secret is not compared with %s",
					       a->row->signature);
	}
	one.keys = &tokens;
	return provider_token(&one, a->row->signature, err);
}

bool provider_signs_gitlab(const struct provider_keys *keys, const struct request *r)
{
	return request_header(r, "webhook-signature") &&
	       select_keys(keys, true).n_secrets > 0;
}

int provider_check_gitlab(const struct provider_keys *keys, struct error *err)
{
	return provider_check_whsec(keys, WHSEC_THOSE_THAT_ARE, err);
}

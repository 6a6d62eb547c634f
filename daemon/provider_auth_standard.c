#include "daemon/provider_private.h"

#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"

static const char whsec[] = "whsec_";

bool provider_is_whsec(const struct secret *s)
{
	return str_starts(secret_bytes(s), whsec);
}

/* The key of a whsec_ secret. False: it is none, or holds no base64 or no byte. */
static bool whsec_key(const struct secret *s, struct secret *out)
{
	CLEANUP(buf) struct buf bytes = BUF_INIT(secret_len(s));
	const char *text = secret_bytes(s);
	bool good;

	if (!provider_is_whsec(s))
		return false;
	text += sizeof(whsec) - 1;
	buf_reserve(&bytes, secret_len(s));
	good = decode_base64(text, secret_len(s) - (sizeof(whsec) - 1), &bytes) &&
	       bytes.len > 0;
	if (good)
		secret_set(out, bytes.data, bytes.len);
	secret_wipe(bytes.data, bytes.len);
	return good;
}

static bool is_fresh(const char *timestamp, int64_t now_s)
{
	int64_t then;

	/* Far below overflow: the year 9999. */
	return str_to_i64(timestamp, 0, INT64_C(253402300799), &then) &&
	       then - now_s <= PROVIDER_TOLERANCE_S &&
	       now_s - then <= PROVIDER_TOLERANCE_S;
}

/* Whether one of "v1,BASE64 v1,BASE64 ..." is mac. Other versions are not for us. */
static bool has_signature(const char *list, const unsigned char mac[HASH_SHA256_SIZE])
{
	bool matches = false;

	while (*list) {
		CLEANUP(buf) struct buf told = BUF_INIT(64);
		size_t n = strcspn(list, " ");

		if (str_starts(list, "v1,") && decode_base64(list + 3, n - 3, &told) &&
		    told.len == HASH_SHA256_SIZE)
			matches |= hash_equal(told.data, mac, HASH_SHA256_SIZE);
		list += n;
		list += strspn(list, " ");
	}
	return matches;
}

/* Whether one of the keys signed "ID.TIMESTAMP.BODY". */
static bool is_signed(const struct provider_attempt *a, const char *id,
		      const char *timestamp, const char *signatures)
{
	CLEANUP(buf)
	struct buf content = BUF_INIT(strlen(id) + strlen(timestamp) + 2 + a->body_len);
	unsigned char mac[HASH_SHA256_SIZE];
	bool matches = false;

	buf_printf(&content, "%s.%s.", id, timestamp);
	buf_add(&content, a->body, a->body_len);
	for (size_t i = 0; i < a->keys->n_secrets; i++) {
		CLEANUP(secret) struct secret key = SECRET_INIT;

		if (!whsec_key(&a->keys->secrets[i], &key))
			continue;
		hash_hmac_sha256(secret_bytes(&key), secret_len(&key), content.data,
				 content.len, mac);
		matches |= has_signature(signatures, mac);
	}
	return matches;
}

/* The Standard Webhooks specification, "Verifying webhook authenticity". */
int provider_auth_standard(const struct provider_attempt *a, struct error *err)
{
	const char *id;
	const char *timestamp;
	const char *signatures;

	if (provider_header(a->r, "webhook-signature", ERR_CREDENTIALS, &signatures,
			    err) < 0 ||
	    provider_header(a->r, "webhook-id", ERR_CREDENTIALS, &id, err) < 0 ||
	    provider_header(a->r, "webhook-timestamp", ERR_CREDENTIALS, &timestamp, err) <
		    0)
		return -1;
	if (!is_fresh(timestamp, a->now_s))
		return error_set(
			err, ERR_CREDENTIALS,
			"the header webhook-timestamp is more than %d s off our clock",
			PROVIDER_TOLERANCE_S);
	return is_signed(a, id, timestamp, signatures)
		       ? 0
		       : provider_mismatch("webhook-signature", err);
}

int provider_check_whsec(const struct provider_keys *keys, enum provider_whsec which,
			 struct error *err)
{
	for (size_t i = 0; i < keys->n_secrets; i++) {
		CLEANUP(secret) struct secret key = SECRET_INIT;

		if ((which == WHSEC_ALL || provider_is_whsec(&keys->secrets[i])) &&
		    !whsec_key(&keys->secrets[i], &key))
			return error_set(err, ERR_CONFIG,
					 "secret %zu is not \"whsec_\" and base64",
					 i + 1);
	}
	return 0;
}

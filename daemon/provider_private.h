/* provider_private.h - what the parts of provider share: a row's shape, and the functions
 * that rows are put together from. */
#ifndef DAEMON_PROVIDER_PRIVATE_H
#define DAEMON_PROVIDER_PRIVATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/error.h"
#include "codec/json.h"
#include "daemon/provider.h"

/* One delivery that is to be authenticated. */
struct provider_attempt {
	const struct provider *row;
	const struct provider_keys *keys;
	const struct request *r;
	const char *body; /* what the host signed: not always what it sent */
	size_t body_len;
	int64_t now_s;
};

/* One that was, of an event that is a push, as JSON. */
struct provider_payload {
	const struct json *root;
	const struct provider_keys *keys;
	const char *event; /* what the row's event header says; NULL: it has none */
};

/* What is signed when the payload comes as a form's field. */
enum provider_form {
	FORM_NONE, /* the host sends no forms */
	FORM_SIGNED_RAW,
	FORM_SIGNED_JSON
};

struct provider {
	const char *name;
	int (*authenticate)(const struct provider_attempt *a, struct error *err);
	const char
		*signature; /* the header that authenticates; the generic row's is set */
	const char *prefix; /* before the digits of an HMAC */
	enum provider_form form;
	const char *event;     /* the header that names the event; NULL: none does */
	const char *ping;      /* the event that only tries the hook out; NULL: none */
	const char *pushes[4]; /* events that parse reads; NULL behind the last */
	const char *deliveries
		[4]; /* headers, the first that is there; NULL behind the last */
	int (*parse)(const struct provider_payload *p, struct push *out,
		     struct error *err);
	int (*check)(const struct provider_keys *keys, struct error *err); /* or NULL */
	/* Whether what authenticated the delivery covers its id; NULL: it never does. */
	bool (*signs_delivery)(const struct provider_keys *keys, const struct request *r);
};

/* provider_auth*.c. All: 0, or -1 with ERR_CREDENTIALS. */
int provider_auth_hmac(const struct provider_attempt *a, struct error *err);
int provider_auth_gitlab(const struct provider_attempt *a, struct error *err);
int provider_auth_basic(const struct provider_attempt *a, struct error *err);
int provider_auth_generic(const struct provider_attempt *a, struct error *err);
int provider_auth_standard(const struct provider_attempt *a, struct error *err);
/* By a header that holds prefix and HMAC-SHA256 of the body in hex, or the secret itself. */
int provider_hmac(const struct provider_attempt *a, const char *header,
		  const char *prefix, struct error *err);
int provider_token(const struct provider_attempt *a, const char *header,
		   struct error *err);
/* Says that no secret fits a signature. -1. */
int provider_mismatch(const char *header, struct error *err);

bool provider_is_whsec(const struct secret *s);
enum provider_whsec { WHSEC_ALL, WHSEC_THOSE_THAT_ARE };
/* Whether all secrets (or those that begin with it) are "whsec_" and base64. ERR_CONFIG. */
int provider_check_whsec(const struct provider_keys *keys, enum provider_whsec which,
			 struct error *err);
int provider_check_gitlab(const struct provider_keys *keys, struct error *err);
int provider_check_generic(const struct provider_keys *keys, struct error *err);
bool provider_signs_gitlab(const struct provider_keys *keys, const struct request *r);
bool provider_signs_generic(const struct provider_keys *keys, const struct request *r);

/* The value of a header that comes once, else "". -1 with the code: it is missing, or comes more often,
 * so that another program on the way may have read another one. */
int provider_header(const struct request *r, const char *name, enum error_code code,
		    const char **out, struct error *err);

/* provider_form.c */
bool provider_is_form(const struct request *r);
/* Appends the field "payload", decoded. ERR_DATA: it is missing, there twice, or badly
 * encoded. The rest of the form is ignored. */
int provider_form_payload(const struct request *r, struct buf *out, struct error *err);

/* provider_parse.c: one function a family of payloads. */
int provider_parse_github(const struct provider_payload *p, struct push *out,
			  struct error *err);
int provider_parse_gitea(const struct provider_payload *p, struct push *out,
			 struct error *err);
int provider_parse_gitlab(const struct provider_payload *p, struct push *out,
			  struct error *err);
/* provider_parse_bitbucket.c */
int provider_parse_bitbucket_cloud(const struct provider_payload *p, struct push *out,
				   struct error *err);
int provider_parse_bitbucket_server(const struct provider_payload *p, struct push *out,
				    struct error *err);
/* provider_parse_azure.c */
int provider_parse_azure(const struct provider_payload *p, struct push *out,
			 struct error *err);
/* provider_parse_generic.c */
int provider_parse_generic(const struct provider_payload *p, struct push *out,
			   struct error *err);

/* provider_change.c: from a payload's values to a push. */

/* Makes room for as many changes; the kind is PUSH_CHANGES from then on. ERR_DATA: too many. */
int provider_expect(struct push *out, size_t n, struct error *err);

/* One change as a payload has it. Values that are not there are NULL. */
struct provider_move {
	const struct json *ref;
	const char *ref_prefix; /* put before ref; "" */
	const struct json *before;
	const struct json *after;
	bool may_lack_before; /* else a missing commit is an error */
};

/* Adds the change, commits in lower case and those of zeros as "". ERR_DATA: the ref is no
 * string, or a commit is anything but 40 hex digits or null. */
int provider_add(struct push *out, const struct provider_move *m, struct error *err);

/* Sets out->delivery. ERR_DATA: it is too long or not printable ASCII, so that it could not be
 * remembered; from names where it came from. */
int provider_set_delivery(struct push *out, const char *value, const char *from,
			  struct error *err);

#endif

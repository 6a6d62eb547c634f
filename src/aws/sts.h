/* sts.h - who we are, and becoming somebody else (API 2011-06-15). */
#ifndef AWS_STS_H
#define AWS_STS_H

#include "aws/creds.h"

struct sts_role {
	const char *arn;
	const char *session;     /* shows in CloudTrail; 2 to 64 of [A-Za-z0-9_=,.@-] */
	const char *external_id; /* NULL: none */
	int64_t duration_s;      /* 0: the service's default, an hour */
};

/* Keys of a role. ERR_CREDENTIALS: refused; the message says what to look at. */
int sts_assume_role(struct aws *aws, const struct sts_role *role, struct aws_keys *out,
		    struct error *err);
/* The same for a web identity's token; not signed. */
int sts_assume_role_with_token(struct aws *aws, const struct sts_role *role,
			       const struct secret *token, struct aws_keys *out,
			       struct error *err);

struct sts_identity {
	char account[32];
	char arn[2049];
};

int sts_caller_identity(struct aws *aws, struct sts_identity *out, struct error *err);

#endif

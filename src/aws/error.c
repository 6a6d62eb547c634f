#include "aws/error.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/json.h"
#include "codec/xml.h"

enum { LOOK_BYTES = 1 << 20 }; /* no error is longer; a 200's body may be */

/* ---- codes that mean more than their status ---- */

enum fault_kind {
	FAULT_THROTTLE,
	FAULT_EXPIRED,
	FAULT_SKEW,
	FAULT_MAYBE_SKEW,
	FAULT_ELSEWHERE,
	FAULT_KEYS,      /* the keys or the signature are no good */
	FAULT_TRANSIENT, /* whatever its status: again */
	FAULT_LATER,     /* again, but not soon: for whoever called */
	FAULT_GONE,      /* not found, whatever its status */
};

/* docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and each service's "Common
 * Errors"; throttling as in botocore's standard mode. */
static const struct {
	const char *code;
	enum fault_kind kind;
} faults[] = {
	{ "Throttling", FAULT_THROTTLE },
	{ "ThrottlingException", FAULT_THROTTLE },
	{ "ThrottledException", FAULT_THROTTLE },
	{ "RequestThrottled", FAULT_THROTTLE },
	{ "RequestThrottledException", FAULT_THROTTLE },
	{ "TooManyRequestsException", FAULT_THROTTLE },
	{ "ProvisionedThroughputExceededException", FAULT_THROTTLE },
	{ "TransactionInProgressException", FAULT_THROTTLE },
	{ "RequestLimitExceeded", FAULT_THROTTLE },
	{ "BandwidthLimitExceeded", FAULT_THROTTLE },
	{ "LimitExceededException", FAULT_THROTTLE },
	{ "SlowDown", FAULT_THROTTLE },
	{ "PriorRequestNotComplete", FAULT_THROTTLE },
	{ "EC2ThrottledException", FAULT_THROTTLE },
	{ "ExpiredToken", FAULT_EXPIRED },
	{ "ExpiredTokenException", FAULT_EXPIRED },
	{ "TokenRefreshRequired", FAULT_EXPIRED },
	{ "RequestTimeTooSkewed", FAULT_SKEW },
	{ "RequestExpired", FAULT_SKEW },
	{ "RequestInTheFuture", FAULT_SKEW },
	{ "InvalidSignatureException", FAULT_MAYBE_SKEW },
	{ "SignatureDoesNotMatch", FAULT_MAYBE_SKEW },
	{ "AuthFailure", FAULT_MAYBE_SKEW },
	{ "PermanentRedirect", FAULT_ELSEWHERE },
	{ "TemporaryRedirect", FAULT_ELSEWHERE },
	{ "Redirect", FAULT_ELSEWHERE },
	{ "AuthorizationHeaderMalformed", FAULT_ELSEWHERE },
	{ "IllegalLocationConstraintException", FAULT_ELSEWHERE },
	{ "InvalidAccessKeyId", FAULT_KEYS },
	{ "InvalidClientTokenId", FAULT_KEYS },
	{ "UnrecognizedClientException", FAULT_KEYS },
	{ "InvalidToken", FAULT_KEYS },
	{ "MissingAuthenticationToken", FAULT_KEYS },
	{ "MissingAuthenticationTokenException", FAULT_KEYS },
	{ "IncompleteSignature", FAULT_KEYS },
	{ "IncompleteSignatureException", FAULT_KEYS },
	{ "NotSignedUp", FAULT_KEYS },
	{ "InternalError", FAULT_TRANSIENT },
	{ "InternalFailure", FAULT_TRANSIENT },
	{ "ServiceUnavailable", FAULT_TRANSIENT },
	{ "ServiceUnavailableException", FAULT_TRANSIENT },
	{ "RequestTimeout", FAULT_TRANSIENT },
	{ "RequestTimeoutException", FAULT_TRANSIENT },
	{ "IDPCommunicationError", FAULT_TRANSIENT },
	{ "BadDigest", FAULT_TRANSIENT },
	{ "IncompleteBody", FAULT_TRANSIENT },
	{ "ConditionalRequestConflict", FAULT_TRANSIENT },
	{ "OperationAborted", FAULT_TRANSIENT },
	{ "TooManyInvalidationsInProgress", FAULT_LATER },
	{ "NoSuchDistribution", FAULT_GONE },
	{ "ResourceNotFoundException", FAULT_GONE },
};

static bool has_kind(const char *code, enum fault_kind kind)
{
	for (size_t i = 0; i < sizeof(faults) / sizeof(*faults); i++)
		if (faults[i].kind == kind && str_eq(faults[i].code, code))
			return true;
	return false;
}

bool aws_error_is_throttle(const char *code)
{
	return has_kind(code, FAULT_THROTTLE);
}

bool aws_error_is_expired(const char *code)
{
	return has_kind(code, FAULT_EXPIRED);
}

bool aws_error_is_skew(const char *code, bool *sure)
{
	*sure = has_kind(code, FAULT_SKEW);
	return *sure || has_kind(code, FAULT_MAYBE_SKEW);
}

bool aws_error_is_elsewhere(const char *code, int status)
{
	/* A HEAD has no body to say so: 301, or 400 in the newer regions. */
	return status == 301 || status == 302 || status == 307 || status == 308 ||
	       has_kind(code, FAULT_ELSEWHERE) || (status == 400 && !*code);
}

/* ---- what the body says ---- */

struct told {
	const char *code;
	const char *message;
	const char *region;
};

/* The element that holds <Code>: <Error>, or one below <ErrorResponse> or <Errors>. */
static const struct xml_node *find_error(const struct xml_node *node, int depth)
{
	const struct xml_node *found = NULL;

	if (xml_get(node, "Code"))
		return node;
	if (depth == 0)
		return NULL;
	for (const struct xml_node *c = xml_child(node, NULL); c && !found;
	     c = xml_sibling(c))
		found = find_error(c, depth - 1);
	return found;
}

/* S3 sends white space while it works, and the declaration of the XML after it. */
static size_t blank(const struct buf *b)
{
	size_t n = strspn(b->data, " \t\r\n");

	return b->len - n >= 3 && memcmp(b->data + n, "\xef\xbb\xbf", 3) == 0 ? n + 3 : n;
}

static int parse(const struct http_response *res, struct arena *arena,
		 const struct xml_node **root)
{
	size_t skip = blank(&res->body);
	struct error ignored = ERROR_INIT;

	return xml_parse(res->body.data + skip, res->body.len - skip, arena, root,
			 &ignored);
}

static const char *none_if_empty(const char *text)
{
	return str_empty(text) ? NULL : text;
}

static void read_xml(const struct http_response *res, struct arena *arena,
		     struct told *told)
{
	const struct xml_node *root = NULL;

	if (parse(res, arena, &root) < 0)
		return;
	root = find_error(root, 2);
	*told = (struct told){ none_if_empty(xml_get(root, "Code")),
			       xml_get(root, "Message"), xml_get(root, "Region") };
}

/* "com.amazonaws.lambda#ResourceNotFoundException:http://..." is the word in the middle. */
static const char *bare_code(const char *code, struct arena *arena)
{
	const char *hash = strrchr(code, '#');

	code = hash ? hash + 1 : code;
	return arena_strndup(arena, code, strcspn(code, ":"));
}

static void read_json(const struct http_response *res, struct arena *arena,
		      struct told *told)
{
	CLEANUP_PTR(json_doc) struct json_doc *doc = NULL;
	const char *type = http_response_header(res, "x-amzn-ErrorType");
	const struct json *root = NULL;
	struct error err = ERROR_INIT;
	const char *message;

	if (json_parse(res->body.data, res->body.len, &doc, &err) == 0)
		root = json_root(doc);
	if (!type)
		type = json_str(json_get(root, "__type"));
	if (!type)
		type = json_str(json_get(root, "code"));
	message = json_str(json_get(root, "message"));
	if (!message)
		message = json_str(json_get(root, "Message"));
	if (type)
		told->code = none_if_empty(bare_code(type, arena));
	if (message)
		told->message = arena_strdup(arena, message);
}

static void read_body(const struct http_response *res, struct arena *arena,
		      struct told *told)
{
	char first = res->body.data[blank(&res->body)];

	if (res->body.len > LOOK_BYTES)
		return;
	if (first == '<')
		read_xml(res, arena, told);
	else
		read_json(res, arena, told);
}

bool aws_is_result(const struct http_response *res, const char *name)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const struct xml_node *root = NULL;

	return parse(res, &arena, &root) == 0 && str_eq(xml_name(root), name);
}

/* ---- what it amounts to ---- */

static const struct {
	int status;
	enum error_code code;
	bool retryable;
	const char *word; /* where the body has none */
} statuses[] = {
	{ 301, ERR_SERVICE, false, "moved" },
	{ 302, ERR_SERVICE, false, "moved" },
	{ 304, ERR_CONDITION, false, "not modified" },
	{ 307, ERR_SERVICE, false, "moved for now" },
	{ 400, ERR_SERVICE, false, "bad request" },
	{ 401, ERR_CREDENTIALS, false, "not authorized" },
	{ 403, ERR_FORBIDDEN, false, "forbidden" },
	{ 404, ERR_NOT_FOUND, false, "not found" },
	{ 407, ERR_NETWORK, false, "the proxy wants a password" },
	{ 408, ERR_SERVICE, true, "request timeout" },
	{ 409, ERR_CONFLICT, false, "conflict" },
	{ 412, ERR_CONDITION, false, "precondition failed" },
	{ 413, ERR_TOO_BIG, false, "too large" },
	{ 429, ERR_THROTTLED, true, "too many requests" },
	{ 500, ERR_SERVICE, true, "internal error" },
	{ 501, ERR_SERVICE, false, "not implemented" },
	{ 502, ERR_SERVICE, true, "bad gateway" },
	{ 503, ERR_SERVICE, true, "service unavailable" },
	{ 504, ERR_SERVICE, true, "gateway timeout" },
	{ 509, ERR_THROTTLED, true, "bandwidth limit exceeded" },
};

static const char *apply_status(int status, struct error *err)
{
	for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		if (statuses[i].status != status)
			continue;
		err->code = statuses[i].code;
		err->retryable = statuses[i].retryable;
		return statuses[i].word;
	}
	err->code = ERR_SERVICE;
	err->retryable = status >= 500;
	return status / 100 == 2 ? "no whole answer" : "unexpected answer";
}

static void apply_code(const char *code, struct error *err)
{
	if (has_kind(code, FAULT_THROTTLE))
		err->code = ERR_THROTTLED;
	if (has_kind(code, FAULT_EXPIRED) || has_kind(code, FAULT_KEYS) ||
	    has_kind(code, FAULT_SKEW) || has_kind(code, FAULT_MAYBE_SKEW))
		err->code = ERR_CREDENTIALS;
	if (has_kind(code, FAULT_GONE))
		err->code = ERR_NOT_FOUND;
	if (str_starts(code, "AccessDenied"))
		err->code = ERR_FORBIDDEN;
	if (has_kind(code, FAULT_THROTTLE) || has_kind(code, FAULT_TRANSIENT))
		err->retryable = true;
	if (has_kind(code, FAULT_LATER))
		err->retryable = true;
}

/* One line of printable text: a server's words end up in logs and summaries. */
static void one_line(char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 0x20 || *s == 0x7F)
			*s = ' ';
}

static void set_message(const struct http_response *res, const struct told *told,
			const char *word, struct error *err)
{
	const char *id = http_response_header(res, "x-amz-request-id");
	int n;

	if (!id)
		id = http_response_header(res, "x-amzn-RequestId");
	n = snprintf(err->msg, sizeof(err->msg), "%d %s%s%.600s", err->http_status,
		     told->code ? err->service_code : word,
		     str_empty(told->message) ? "" : ": ",
		     str_empty(told->message) ? "" : told->message);
	if (id && n > 0 && (size_t)n < sizeof(err->msg))
		snprintf(err->msg + n, sizeof(err->msg) - (size_t)n, " (request %.100s)",
			 id);
	one_line(err->msg);
}

void aws_error_decode(const struct http_response *res, struct aws_fault *fault,
		      struct error *err)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const char *region = http_response_header(res, "x-amz-bucket-region");
	struct told told = { 0 };
	const char *word;

	read_body(res, &arena, &told);
	error_clear(err);
	err->http_status = res->status;
	word = apply_status(res->status, err);
	if (told.code) {
		snprintf(err->service_code, sizeof(err->service_code), "%.63s",
			 told.code);
		one_line(err->service_code);
		apply_code(err->service_code, err);
	} else if (res->status == 200) {
		/* Said to be done, and then not: nobody knows. */
		err->code = ERR_NETWORK;
		err->retryable = true;
	}
	if (!region)
		region = told.region;
	snprintf(fault->region, sizeof(fault->region), "%.63s", region ? region : "");
	set_message(res, &told, word, err);
}

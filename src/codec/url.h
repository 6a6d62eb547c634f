/* url.h - the parts of URLs, and the two ways in which AWS wants paths encoded. They
 * differ in both directions and must never be mixed: each has its own function here. */
#ifndef CODEC_URL_H
#define CODEC_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* An S3 key in a request line and in SigV4: every byte but A-Z a-z 0-9 - . _ ~ and '/' as
 * %XX (upper case). Nothing is normalised: "//" and ".." stay.
 * docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html (UriEncode) */
void url_encode_s3_key(const char *key, struct buf *out);

/* A name or value of a query string: as above, and '/' is encoded too. */
void url_encode_query(const char *s, size_t n, struct buf *out);

/* A path as CloudFront's invalidation wants it: only bytes outside printable ASCII and
 * those that RFC 1738 section 2.2 calls unsafe (space < > " # % { } | \ ^ ~ [ ] `) as
 * %XX, and '?', which would begin a query string; what is encoded beyond that invalidates
 * nothing. '*' is left alone here: cover decides about it.
 * docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/
 * invalidation-specifying-objects.html */
void url_encode_cloudfront(const char *path, size_t n, struct buf *out);

/* Decodes %XX once; '+' stays. False on a malformed escape or a NUL; out is then as it
 * was. */
bool url_decode(const char *s, size_t n, struct buf *out);

/* scheme://host[:port][/path][?query]; all slices point into the parsed string. */
struct url {
	const char *scheme;
	size_t scheme_len;
	const char *host; /* without the brackets of an IPv6 address */
	size_t host_len;
	const char *authority; /* host[:port], with brackets, without user info */
	size_t authority_len;
	int port;         /* the scheme's own when none is written */
	const char *path; /* "" or starting with '/', up to '?' or the end */
	size_t path_len;
	const char *query; /* without '?'; "" when there is none */
};

/* True if text is an absolute http or https URL in printable ASCII (all else must be
 * encoded) without user info and fragment. A host is a name, an IPv4 address, or an IPv6
 * address in brackets. */
bool url_parse(const char *text, struct url *out);

/* True for localhost, 127.0.0.0/8 (all four numbers written) and ::1. */
bool url_is_loopback(const struct url *u);

#endif

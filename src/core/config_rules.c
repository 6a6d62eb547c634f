#include "core/config_rules.h"

#include <stdbool.h>
#include <string.h>

#include "base/str.h"
#include "codec/url.h"

#define DIGITS "0123456789"
#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define UPPER  "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM  DIGITS LOWER UPPER

enum { PATH_MOST = 1024, PREFIX_MOST = 512, TEXT_MOST = 1024, COMMAND_MOST = 8192 };

/* True for 1 to most bytes out of a set. */
static bool is_made_of(const char *text, const char *set, size_t most)
{
	size_t n = strlen(text);

	return n > 0 && n <= most && strspn(text, set) == n;
}

static bool has_control(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7F)
			return true;
	return false;
}

/* Whether a segment between slashes is this one. */
static bool has_segment(const char *path, const char *segment)
{
	size_t n = strlen(segment);

	for (;;) {
		size_t len = strcspn(path, "/");

		if (len == n && memcmp(path, segment, n) == 0)
			return true;
		if (!path[len])
			return false;
		path += len + 1;
	}
}

const char *config_bad_name(const char *text)
{
	if (!is_made_of(text, ALNUM "_-", 64))
		return "a name is 1 to 64 letters, digits, '-' and '_'";
	return NULL;
}

const char *config_bad_path(const char *text)
{
	if (*text == '/')
		return "must be relative to the repository's root";
	if (has_segment(text, ".."))
		return "leads out of the repository";
	if (has_segment(text, ".git"))
		return "is git's own folder";
	if (has_control(text))
		return "holds a control character";
	if (strlen(text) > PATH_MOST)
		return "is longer than 1024 bytes";
	return NULL;
}

const char *config_bad_file(const char *text)
{
	return *text ? config_bad_path(text) : "must name a file";
}

const char *config_bad_prefix(const char *text)
{
	if (!*text)
		return NULL;
	if (strstr(text, "//") || *text == '/')
		return "has an empty segment (\"//\")";
	if (has_segment(text, ".") || has_segment(text, ".."))
		return "has a segment \".\" or \"..\", which browsers and S3 disagree on";
	if (has_segment(text, ".crc"))
		return "has a segment \".crc\", where crc keeps its state";
	if (has_control(text) || !str_is_utf8(text, strlen(text)))
		return "must be UTF-8 without control characters";
	if (strlen(text) > PREFIX_MOST)
		return "is longer than 512 bytes";
	return NULL;
}

static bool looks_like_address(const char *text)
{
	unsigned dots = 0;

	for (const char *c = text; *c; c++)
		dots += *c == '.';
	return dots == 3 && strspn(text, DIGITS ".") == strlen(text);
}

/* What S3 keeps for buckets of another kind, or for itself. Access point aliases
 * ("-s3alias") stand for buckets and are let through.
 * docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html */
static bool is_reserved_bucket(const char *text)
{
	return str_starts(text, "xn--") || str_starts(text, "sthree-") ||
	       str_ends(text, "--ol-s3") || str_ends(text, ".mrap") ||
	       str_ends(text, "--x-s3") || str_ends(text, "--table-s3");
}

const char *config_bad_bucket(const char *text)
{
	size_t n = strlen(text);

	if (str_starts(text, "s3://") || str_starts(text, "arn:") || strchr(text, '/'))
		return "write the bucket's name alone, and a folder in it as prefix";
	if (n < 3 || n > 63)
		return "a bucket's name has 3 to 63 characters";
	if (!is_made_of(text, LOWER DIGITS ".-", n))
		return "a bucket's name holds a-z, 0-9, '.' and '-' only";
	if (!strchr(LOWER DIGITS, text[0]) || !strchr(LOWER DIGITS, text[n - 1]))
		return "a bucket's name starts and ends with a letter or digit";
	if (strstr(text, "..") || looks_like_address(text) || is_reserved_bucket(text))
		return "S3 allows no bucket of this name";
	return NULL;
}

const char *config_bad_distribution(const char *text)
{
	if (strchr(text, '.') || strchr(text, ':'))
		return "write the distribution's id (such as E1A2B3C4D5E6F7), not its domain "
		       "or ARN";
	if (!is_made_of(text, ALNUM, 32))
		return "a distribution's id (such as E1A2B3C4D5E6F7) is letters and digits";
	return NULL;
}

const char *config_bad_url(const char *text)
{
	struct url url;

	if (strlen(text) > TEXT_MOST || !url_parse(text, &url) || strchr(text, '?'))
		return "must be like https://example.com, without query and fragment";
	return NULL;
}

const char *config_bad_region(const char *text)
{
	if (!is_made_of(text, LOWER DIGITS "-", 32))
		return "must be like us-east-1";
	return NULL;
}

const char *config_bad_stack(const char *text)
{
	if (!is_made_of(text, ALNUM "-", 128) || !strchr(LOWER UPPER, *text))
		return "a stack's name is letters, digits and '-', starting with a letter";
	return NULL;
}

/* NAME, ACCOUNT:function:NAME or arn:PARTITION:lambda:REGION:ACCOUNT:function:NAME. Behind one
 * more colon is a version or an alias, whose code never changes.
 * docs.aws.amazon.com/lambda/latest/api/API_UpdateFunctionCode.html */
const char *config_bad_function(const char *text)
{
	size_t colons = 0;
	bool is_arn = str_starts(text, "arn:");

	for (const char *c = text; *c; c++)
		colons += *c == ':';
	if (!is_made_of(text, ALNUM "-_:", 170) || str_ends(text, ":"))
		return "must be a function's name or ARN";
	if (is_arn ? colons == 6 : colons == 0 || colons == 2)
		return NULL;
	if (is_arn ? colons == 7 : colons == 1 || colons == 3)
		return "names a version or an alias, which cannot get code: write the "
		       "function alone, and an alias with `alias:`";
	return "must be a function's name or ARN";
}

const char *config_bad_alias(const char *text)
{
	if (!is_made_of(text, ALNUM "-_", 128) || strspn(text, DIGITS) == strlen(text))
		return "an alias is letters, digits, '-' and '_', and no mere number";
	return NULL;
}

const char *config_bad_output(const char *text)
{
	if (!is_made_of(text, ALNUM, 255))
		return "CloudFormation allows letters and digits only";
	return NULL;
}

const char *config_bad_variable(const char *text)
{
	if (!is_made_of(text, ALNUM "_", 256) || strchr(DIGITS, *text))
		return "must be the name of an environment variable";
	return NULL;
}

const char *config_bad_capability(const char *text)
{
	if (str_eq(text, "CAPABILITY_IAM") || str_eq(text, "CAPABILITY_NAMED_IAM") ||
	    str_eq(text, "CAPABILITY_AUTO_EXPAND"))
		return NULL;
	return "must be CAPABILITY_IAM, CAPABILITY_NAMED_IAM or CAPABILITY_AUTO_EXPAND";
}

const char *config_bad_file_name(const char *text)
{
	if (!*text || strchr(text, '/') || has_control(text) || strlen(text) > 255 ||
	    str_eq(text, ".") || str_eq(text, ".."))
		return "must be the name of a file, without folders";
	return NULL;
}

const char *config_bad_command(const char *text)
{
	if (!*text)
		return "is empty";
	if (strlen(text) > COMMAND_MOST)
		return "is longer than 8192 bytes";
	return NULL;
}

static const char *const headers[] = {
	"cache-control",       "content-type",
	"content-disposition", "content-encoding",
	"content-language",    "expires",
	"x-amz-storage-class", "x-amz-website-redirect-location",
};

const char *config_nearest_header(const char *name)
{
	const char *nearest = headers[0];

	for (size_t i = 1; i < sizeof(headers) / sizeof(*headers); i++)
		if (str_distance(name, headers[i]) < str_distance(name, nearest))
			nearest = headers[i];
	return nearest;
}

const char *config_bad_header(const char *name)
{
	const char *meta = "x-amz-meta-";

	for (size_t i = 0; i < sizeof(headers) / sizeof(*headers); i++)
		if (str_eq(name, headers[i]))
			return NULL;
	if (str_starts(name, meta) &&
	    is_made_of(name + strlen(meta), LOWER DIGITS "-_.", 128))
		return NULL;
	return "is no header that S3 stores; set it by a response headers policy of the "
	       "distribution";
}

/* Classes that answer at once; an archived object cannot be served. */
static bool is_storage_class(const char *value)
{
	static const char *const classes[] = {
		"STANDARD",   "REDUCED_REDUNDANCY",  "STANDARD_IA",
		"ONEZONE_IA", "INTELLIGENT_TIERING", "GLACIER_IR"
	};

	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (str_eq(value, classes[i]))
			return true;
	return false;
}

static bool is_redirect(const char *value)
{
	return *value == '/' || str_starts(value, "https://") ||
	       str_starts(value, "http://");
}

const char *config_bad_header_value(const char *name, const char *value)
{
	size_t n = strlen(value);

	if (!n)
		return NULL;
	if (n > TEXT_MOST)
		return "is longer than 1024 bytes";
	for (size_t i = 0; i < n; i++)
		if (value[i] < 0x20 || value[i] > 0x7E)
			return "holds what is not printable ASCII";
	if (value[0] == ' ' || value[n - 1] == ' ')
		return "starts or ends with a blank";
	if (str_eq(name, "x-amz-storage-class") && !is_storage_class(value))
		return "is no storage class that a site can be served from";
	if (str_eq(name, "x-amz-website-redirect-location") && !is_redirect(value))
		return "must start with '/', http:// or https://";
	return NULL;
}

const char *config_normal_path(struct arena *arena, const char *text)
{
	char *path = arena_strdup(arena, text);
	char *to = path + (*text == '/');

	for (const char *from = text; *from;) {
		size_t n = strcspn(from, "/");

		if (n && !(n == 1 && *from == '.')) {
			if (to > path && to[-1] != '/')
				*to++ = '/';
			memmove(to, from, n);
			to += n;
		}
		from += n;
		from += *from == '/';
	}
	*to = '\0';
	return path;
}

const char *config_normal_prefix(struct arena *arena, const char *text)
{
	text += strspn(text, "/");
	if (!*text || str_ends(text, "/"))
		return arena_strdup(arena, text);
	return arena_printf(arena, "%s/", text);
}

int64_t config_duration_s(const char *text)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = { { 'd', 86400 }, { 'h', 3600 }, { 'm', 60 } };
	char number[8];
	size_t n = strspn(text, DIGITS);
	int64_t count;

	if (str_eq(text, "0"))
		return 0;
	if (!n || n >= sizeof(number) || !text[n] || text[n + 1])
		return -1;
	memcpy(number, text, n);
	number[n] = '\0';
	if (!str_to_i64(number, 0, 9999999, &count))
		return -1;
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (units[i].unit == text[n] &&
		    count * units[i].seconds <= (int64_t)3650 * 86400)
			return count * units[i].seconds;
	return -1;
}

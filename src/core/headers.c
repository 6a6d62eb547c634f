#include "core/headers.h"

#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "codec/glob.h"
#include "codec/hash.h"
#include "codec/mime.h"

#define FOREVER       "public, max-age=31536000, immutable"
#define EDGE_KEEPS    "public, max-age=0, s-maxage=86400, must-revalidate"
#define ASK_EACH_TIME "public, max-age=0, must-revalidate"

enum { HASH_LEAST = 8, HASH_ALONE_LEAST = 16, HEADERS_BYTES_MOST = 1 << 20 };

/* Names of hashed files. A hash is told from a word with a number by how often letters and
 * digits take turns. A photo is more likely than a script to be called like
 * "iPhone15Pro", so more turns are asked of it. */
static const struct {
	const char *extension;
	unsigned runs;
} hashed[] = {
	{ "js", 3 },   { "mjs", 3 },  { "cjs", 3 },   { "css", 3 },  { "map", 3 },
	{ "wasm", 3 }, { "woff", 3 }, { "woff2", 3 }, { "ttf", 3 },  { "otf", 3 },
	{ "eot", 3 },  { "png", 5 },  { "jpg", 5 },   { "jpeg", 5 }, { "gif", 5 },
	{ "webp", 5 }, { "avif", 5 }, { "svg", 5 },   { "ico", 5 },  { "bmp", 5 },
	{ "jxl", 5 },  { "apng", 5 },
};

/* What builders put between the hash and the extension: 2.8f3b2c1a.chunk.js. */
static const char *const behind_hash[] = {
	".min", ".chunk", ".bundle", ".module", ".worker", ".esm", ".es5",
	".js",  ".mjs",   ".cjs",    ".css",    ".wasm",   ".p",   "-s",
};

static const char *const entry_extensions[] = { "html", "htm",  "xhtml",      "xht",
						"rss",  "atom", "webmanifest" };

/* Names, or with a star in front ends of names. */
static const char *const entry_names[] = {
	"sw.js",
	"*-sw.js",
	"*_sw.js",
	"*.sw.js",
	"service-worker.js",
	"serviceworker.js",
	"service_worker.js",
	"*-service-worker.js",
	"ngsw-worker.js",
	"ngsw.json",
	"registersw.js",
	"onesignalsdkworker.js",
	"onesignalsdkupdaterworker.js",
	"feed.xml",
	"feed.json",
	"rss.xml",
	"atom.xml",
	"index.xml",
	"sitemap.xml",
	"*sitemap.xml",
	"sitemap-*.xml",
	"sitemap_index.xml",
	"sitemap.txt",
	"manifest.json",
	"asset-manifest.json",
	"robots.txt",
	"version.json",
};

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* What a token that may be a hash is made of. */
struct mix {
	size_t digits;
	size_t letters;
	size_t low_hex;  /* bytes of 0-9 a-f */
	size_t high_hex; /* bytes of 0-9 A-F */
	size_t others;
	unsigned
		runs; /* of digits, or of letters up to the next capital behind a small one */
};

static struct mix mix_of(const char *s, size_t n)
{
	struct mix mix = { .runs = n > 0 };

	for (size_t i = 0; i < n; i++) {
		bool letter = is_upper(s[i]) || is_lower(s[i]);

		mix.digits += is_digit(s[i]);
		mix.letters += letter;
		mix.others += !letter && !is_digit(s[i]);
		mix.low_hex += is_digit(s[i]) || (s[i] >= 'a' && s[i] <= 'f');
		mix.high_hex += is_digit(s[i]) || (s[i] >= 'A' && s[i] <= 'F');
		if (i && (is_digit(s[i]) != is_digit(s[i - 1]) ||
			  (is_upper(s[i]) && is_lower(s[i - 1]))))
			mix.runs++;
	}
	return mix;
}

static bool is_hex(const struct mix *mix, size_t n)
{
	return mix->low_hex == n || mix->high_hex == n;
}

static bool is_hash(const char *s, size_t n, unsigned runs)
{
	struct mix mix = mix_of(s, n);

	if (n < HASH_LEAST || !mix.digits || !mix.letters || mix.others)
		return false;
	return is_hex(&mix, n) || mix.runs >= runs;
}

/* A name that is all hash (3d0b1d57ce2a7ed2.css) must be a long one in hex. */
static bool is_lone_hash(const char *s, size_t n)
{
	struct mix mix = mix_of(s, n);

	return n >= HASH_ALONE_LEAST && mix.digits && mix.letters && is_hex(&mix, n);
}

/* The length of a name without what may follow its hash. */
static size_t trim_behind_hash(const char *base, size_t n)
{
	for (size_t i = 0; i < sizeof(behind_hash) / sizeof(*behind_hash); i++) {
		size_t len = strlen(behind_hash[i]);

		if (n > len && memcmp(base + n - len, behind_hash[i], len) == 0)
			return trim_behind_hash(base, n - len);
	}
	return n;
}

bool headers_is_fingerprinted(const char *path)
{
	const char *base = base_name(path);
	const char *extension = mime_extension(path);
	unsigned runs = 0;
	size_t start;
	size_t end;

	for (size_t i = 0; i < sizeof(hashed) / sizeof(*hashed); i++)
		if (str_eq_nocase(hashed[i].extension, extension))
			runs = hashed[i].runs;
	if (!runs || headers_is_entry(path))
		return false;
	end = trim_behind_hash(base, (size_t)(extension - 1 - base));
	for (start = end; start && !strchr(".-_", base[start - 1]);)
		start--;
	return start > 0 ? is_hash(base + start, end - start, runs)
			 : is_lone_hash(base, end);
}

/* "*tail" and "head*tail" in a name, without regard to case. */
static bool name_is(const char *name, const char *wanted)
{
	const char *star = strchr(wanted, '*');
	size_t head = star ? (size_t)(star - wanted) : 0;
	size_t n = strlen(name);

	if (!star)
		return str_eq_nocase(name, wanted);
	return n >= strlen(wanted) - 1 && strncmp(name, wanted, head) == 0 &&
	       str_eq_nocase(name + n - strlen(star + 1), star + 1);
}

bool headers_is_entry(const char *path)
{
	const char *base = base_name(path);
	const char *extension = mime_extension(path);

	for (size_t i = 0; i < sizeof(entry_extensions) / sizeof(*entry_extensions); i++)
		if (str_eq_nocase(entry_extensions[i], extension))
			return true;
	for (size_t i = 0; i < sizeof(entry_names) / sizeof(*entry_names); i++)
		if (name_is(base, entry_names[i]))
			return true;
	return false;
}

static int compare_header(const void *a, const void *b)
{
	return strcmp(((const struct header *)a)->name, ((const struct header *)b)->name);
}

static void sort(struct header_list *list)
{
	if (list->len)
		qsort(list->items, list->len, sizeof(*list->items), compare_header);
}

static void set(struct header_list *list, const char *name, const char *value)
{
	for (size_t i = 0; i < list->len; i++)
		if (str_eq(list->items[i].name, name)) {
			list->items[i].value = value;
			return;
		}
	header_list_push(list, (struct header){ name, value });
}

static const char *default_cache_control(const char *path,
					 const struct headers_options *options)
{
	if (options->is_error_document)
		return ASK_EACH_TIME;
	if (!options->never_immutable && headers_is_fingerprinted(path))
		return FOREVER;
	return options->behind_distribution ? EDGE_KEEPS : ASK_EACH_TIME;
}

static bool rule_applies(const struct header_rule *rule, const char *path)
{
	struct glob match = rule->match;
	const struct glob_list list = { .items = &match, .len = 1 };

	return glob_list_verdict(&list, path, false) == GLOB_MATCHED;
}

void headers_build(const struct site *site, const char *path,
		   const struct headers_options *options, struct arena *arena,
		   struct header_list *out)
{
	size_t kept = 0;

	(void)arena;
	set(out, "content-type", mime_type(path));
	set(out, "cache-control", default_cache_control(path, options));
	for (size_t i = 0; i < site->headers.len; i++) {
		const struct header_rule *rule = &site->headers.items[i];

		if (!rule_applies(rule, path))
			continue;
		for (size_t k = 0; k < rule->set.len; k++)
			set(out, rule->set.items[k].name, rule->set.items[k].value);
	}
	for (size_t i = 0; i < out->len; i++)
		if (*out->items[i].value)
			out->items[kept++] = out->items[i];
	out->len = kept;
	sort(out);
}

const char *headers_get(const struct header_list *list, const char *name)
{
	for (size_t i = 0; i < list->len; i++)
		if (str_eq(list->items[i].name, name))
			return list->items[i].value;
	return NULL;
}

uint64_t headers_id(const struct header_list *list)
{
	CLEANUP(buf) struct buf text = BUF_INIT(HEADERS_BYTES_MOST);
	CLEANUP(header_list) struct header_list sorted = { 0 };
	unsigned char digest[HASH_SHA256_SIZE];
	uint64_t id = 0;

	for (size_t i = 0; i < list->len; i++)
		header_list_push(&sorted, list->items[i]);
	sort(&sorted);
	for (size_t i = 0; i < sorted.len; i++) {
		buf_str(&text, sorted.items[i].name);
		buf_char(&text, ':');
		buf_str(&text, sorted.items[i].value);
		buf_char(&text, '\n');
	}
	hash_bytes(HASH_SHA256, text.data, text.len, digest);
	for (size_t i = 0; i < sizeof(id); i++)
		id = id << 8 | digest[i];
	return id ? id : 1;
}

bool headers_is_immutable(const struct header_list *list)
{
	const char *value = headers_get(list, "cache-control");

	return value && strstr(value, "immutable");
}

#include "codec/mime.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

#define UTF8          "; charset=utf-8"
#define TEXT          "text/plain" UTF8
#define JSON          "application/json"
#define OFFICE        "application/vnd.openxmlformats-officedocument."
#define OPEN_DOCUMENT "application/vnd.oasis.opendocument."

enum { EXTENSION_MOST = 16 };

struct row {
	const char *key;
	const char *type;
};

/* Sorted by key, which is lower case. Types are the ones of the IANA registry where it has
 * one: text/javascript by RFC 9239. */
static const struct row extensions[] = {
	{ "3gp", "video/3gpp" },
	{ "7z", "application/x-7z-compressed" },
	{ "aac", "audio/aac" },
	{ "ai", "application/postscript" },
	{ "aiff", "audio/aiff" },
	{ "apk", "application/vnd.android.package-archive" },
	{ "apng", "image/apng" },
	{ "asc", TEXT },
	{ "atom", "application/atom+xml" UTF8 },
	{ "avi", "video/x-msvideo" },
	{ "avif", "image/avif" },
	{ "bib", TEXT },
	{ "bin", "application/octet-stream" },
	{ "bmp", "image/bmp" },
	{ "br", "application/x-brotli" },
	{ "bz2", "application/x-bzip2" },
	{ "c", TEXT },
	{ "cer", "application/pkix-cert" },
	{ "cjs", "text/javascript" UTF8 },
	{ "conf", TEXT },
	{ "css", "text/css" UTF8 },
	{ "csv", "text/csv" UTF8 },
	{ "cur", "image/x-icon" },
	{ "deb", "application/vnd.debian.binary-package" },
	{ "dmg", "application/x-apple-diskimage" },
	{ "doc", "application/msword" },
	{ "docx", OFFICE "wordprocessingml.document" },
	{ "dtd", "application/xml-dtd" },
	{ "eot", "application/vnd.ms-fontobject" },
	{ "eps", "application/postscript" },
	{ "epub", "application/epub+zip" },
	{ "exe", "application/vnd.microsoft.portable-executable" },
	{ "flac", "audio/flac" },
	{ "geojson", "application/geo+json" },
	{ "gif", "image/gif" },
	{ "glb", "model/gltf-binary" },
	{ "gltf", "model/gltf+json" },
	{ "gpx", "application/gpx+xml" UTF8 },
	{ "gz", "application/gzip" },
	{ "h", TEXT },
	{ "heic", "image/heic" },
	{ "heif", "image/heif" },
	{ "htm", "text/html" UTF8 },
	{ "html", "text/html" UTF8 },
	{ "ico", "image/x-icon" },
	{ "ics", "text/calendar" UTF8 },
	{ "ini", TEXT },
	{ "ipynb", JSON },
	{ "jar", "application/java-archive" },
	{ "jfif", "image/jpeg" },
	{ "jpeg", "image/jpeg" },
	{ "jpg", "image/jpeg" },
	{ "js", "text/javascript" UTF8 },
	{ "json", JSON },
	{ "json5", JSON },
	{ "jsonl", "application/jsonl" },
	{ "jsonld", "application/ld+json" },
	{ "jxl", "image/jxl" },
	{ "kml", "application/vnd.google-earth.kml+xml" UTF8 },
	{ "kmz", "application/vnd.google-earth.kmz" },
	{ "less", TEXT },
	{ "log", TEXT },
	{ "m3u8", "application/vnd.apple.mpegurl" },
	{ "m4a", "audio/mp4" },
	{ "m4s", "video/iso.segment" },
	{ "m4v", "video/mp4" },
	{ "map", JSON },
	{ "markdown", "text/markdown" UTF8 },
	{ "md", "text/markdown" UTF8 },
	{ "mid", "audio/midi" },
	{ "midi", "audio/midi" },
	{ "mjs", "text/javascript" UTF8 },
	{ "mkv", "video/matroska" },
	{ "mov", "video/quicktime" },
	{ "mp3", "audio/mpeg" },
	{ "mp4", "video/mp4" },
	{ "mpd", "application/dash+xml" UTF8 },
	{ "mpeg", "video/mpeg" },
	{ "mpg", "video/mpeg" },
	{ "msi", "application/x-msi" },
	{ "obj", "model/obj" },
	{ "odp", OPEN_DOCUMENT "presentation" },
	{ "ods", OPEN_DOCUMENT "spreadsheet" },
	{ "odt", OPEN_DOCUMENT "text" },
	{ "oga", "audio/ogg" },
	{ "ogg", "audio/ogg" },
	{ "ogv", "video/ogg" },
	{ "opus", "audio/ogg" },
	{ "otf", "font/otf" },
	{ "pdf", "application/pdf" },
	{ "pgp", "application/pgp-encrypted" },
	{ "png", "image/png" },
	{ "ppt", "application/vnd.ms-powerpoint" },
	{ "pptx", OFFICE "presentationml.presentation" },
	{ "ps", "application/postscript" },
	{ "psd", "image/vnd.adobe.photoshop" },
	{ "py", "text/x-python" UTF8 },
	{ "rar", "application/vnd.rar" },
	{ "rdf", "application/rdf+xml" UTF8 },
	{ "rss", "application/rss+xml" UTF8 },
	{ "rtf", "application/rtf" },
	{ "scss", TEXT },
	{ "sh", "text/x-shellscript" UTF8 },
	{ "sig", "application/pgp-signature" },
	{ "srt", "application/x-subrip" UTF8 },
	{ "stl", "model/stl" },
	{ "svg", "image/svg+xml" UTF8 },
	{ "svgz", "image/svg+xml" },
	{ "tar", "application/x-tar" },
	{ "tex", "application/x-tex" UTF8 },
	{ "text", TEXT },
	{ "tgz", "application/gzip" },
	{ "tif", "image/tiff" },
	{ "tiff", "image/tiff" },
	{ "toml", "application/toml" },
	{ "torrent", "application/x-bittorrent" },
	{ "ts", "video/mp2t" },
	{ "tsv", "text/tab-separated-values" UTF8 },
	{ "ttc", "font/collection" },
	{ "ttf", "font/ttf" },
	{ "txt", TEXT },
	{ "usdz", "model/vnd.usdz+zip" },
	{ "vcf", "text/vcard" UTF8 },
	{ "vtt", "text/vtt" UTF8 },
	{ "wasm", "application/wasm" },
	{ "wav", "audio/wav" },
	{ "weba", "audio/webm" },
	{ "webm", "video/webm" },
	{ "webmanifest", "application/manifest+json" },
	{ "webp", "image/webp" },
	{ "woff", "font/woff" },
	{ "woff2", "font/woff2" },
	{ "xht", "application/xhtml+xml" UTF8 },
	{ "xhtml", "application/xhtml+xml" UTF8 },
	{ "xls", "application/vnd.ms-excel" },
	{ "xlsx", OFFICE "spreadsheetml.sheet" },
	{ "xml", "application/xml" UTF8 },
	{ "xsd", "application/xml" UTF8 },
	{ "xsl", "application/xslt+xml" UTF8 },
	{ "xslt", "application/xslt+xml" UTF8 },
	{ "xz", "application/x-xz" },
	{ "yaml", "application/yaml" },
	{ "yml", "application/yaml" },
	{ "zip", "application/zip" },
	{ "zst", "application/zstd" },
};

/* Whole names that have no extension to go by; sorted, compared as they are. */
static const struct row names[] = {
	{ "AUTHORS", TEXT },
	{ "CHANGELOG", TEXT },
	{ "CNAME", TEXT },
	{ "COPYING", TEXT },
	{ "LICENCE", TEXT },
	{ "LICENSE", TEXT },
	{ "NOTICE", TEXT },
	{ "README", TEXT },
	{ "VERSION", TEXT },
	{ "_headers", TEXT },
	{ "_redirects", TEXT },
	{ "apple-app-site-association", JSON },
	{ "host-meta", "application/xrd+xml" UTF8 },
	{ "oauth-authorization-server", JSON },
	{ "openid-configuration", JSON },
	{ "webfinger", "application/jrd+json" },
};

static int compare_row(const void *key, const void *row)
{
	return strcmp(key, ((const struct row *)row)->key);
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

const char *mime_extension(const char *path)
{
	const char *base = base_name(path);
	const char *dot = strrchr(base, '.');

	return dot && dot != base ? dot + 1 : "";
}

static const struct row *find_extension(const char *extension)
{
	char key[EXTENSION_MOST];
	size_t n = strlen(extension);

	if (n >= sizeof(key))
		return NULL;
	for (size_t i = 0; i <= n; i++)
		key[i] = (char)(extension[i] >= 'A' && extension[i] <= 'Z'
					? extension[i] - 'A' + 'a'
					: extension[i]);
	return bsearch(key, extensions, sizeof(extensions) / sizeof(*extensions),
		       sizeof(*extensions), compare_row);
}

const char *mime_type(const char *path)
{
	const struct row *row = find_extension(mime_extension(path));

	if (!row)
		row = bsearch(base_name(path), names, sizeof(names) / sizeof(*names),
			      sizeof(*names), compare_row);
	return row ? row->type : "application/octet-stream";
}

#include "daemon/settings_rules.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/str.h"
#include "codec/url.h"
#include "daemon/address.h"
#include "daemon/queue.h"

#define DIGITS "0123456789"
#define LETTERS                      \
	"abcdefghijklmnopqrstuvwxyz" \
	"ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM DIGITS LETTERS

enum { TEXT_MOST = 1024, COMMAND_MOST = 8192, HOST_MOST = 253, SECRET_LIKE = 20 };

/* True for 1 to most bytes out of a set. */
static bool is_made_of(const char *text, const char *set, size_t most)
{
	size_t n = strlen(text);

	return n > 0 && n <= most && strspn(text, set) == n;
}

static bool has_control(const char *text, const char *but)
{
	for (; *text; text++)
		if (((unsigned char)*text < 0x20 && !strchr(but, *text)) || *text == 0x7F)
			return true;
	return false;
}

const char *settings_bad_text(const char *text)
{
	if (!*text)
		return "is empty";
	if (strlen(text) > TEXT_MOST)
		return "is over 1,024 bytes long";
	return has_control(text, "") ? "holds control characters" : NULL;
}

const char *settings_bad_user(const char *text)
{
	return strchr(text, ':') ? "holds ':'" : settings_bad_text(text);
}

const char *settings_bad_command(const char *text)
{
	if (!text[strspn(text, " \t\n")])
		return "is empty";
	if (strlen(text) > COMMAND_MOST)
		return "is over 8,192 bytes long";
	return has_control(text, "\t\n") ? "holds control characters" : NULL;
}

/* It is part of URLs and of names of files. */
const char *settings_bad_name(const char *text)
{
	if (!is_made_of(text, ALNUM "._-", QUEUE_SITE_MAX - 1) || !strchr(ALNUM, text[0]))
		return "a name is 1 to 63 letters, digits, '.', '_' and '-', and begins "
		       "with a letter or digit";
	return NULL;
}

/* Addresses */

const char *settings_bad_address(const char *text)
{
	static const char wanted[] = "must be like 127.0.0.1:8700 or [::1]:8700";
	const char *colon = strrchr(text, ':');
	char host[INET6_ADDRSTRLEN + 2];
	unsigned char address[16];
	int64_t port;
	size_t n;

	if (!colon || !str_to_i64(colon + 1, 0, 65535, &port))
		return wanted;
	n = (size_t)(colon - text);
	if (n >= sizeof(host))
		return wanted;
	memcpy(host, text, n);
	host[n] = '\0';
	if (n > 2 && host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		return inet_pton(AF_INET6, host + 1, address) == 1 ? NULL : wanted;
	}
	return inet_pton(AF_INET, host, address) == 1 ? NULL : wanted;
}

const char *settings_bad_network(const char *text)
{
	if (!address_is_network(text))
		return "must be like 127.0.0.1/32 or fd00::/8";
	if (!address_begins_network(text))
		return "has bits set behind the network's length";
	return NULL;
}

/* URLs */

const char *settings_bad_url(const char *text)
{
	struct url url;

	if (strlen(text) > TEXT_MOST || !url_parse(text, &url))
		return "must be an http or https URL, without user and password";
	return NULL;
}

const char *settings_bad_public_url(const char *text)
{
	if (strchr(text, '?'))
		return "must have no query";
	return settings_bad_url(text);
}

/* The user info of a URL, or of USER@HOST:PATH; *n is 0: there is none. */
static const char *user_info(const char *text, size_t *n)
{
	const char *scheme = strstr(text, "://");
	const char *from = scheme ? scheme + 3 : text;
	size_t authority = strcspn(from, "/?#");
	const char *at = memchr(from, '@', authority);

	*n = at ? (size_t)(at - from) : 0;
	return from;
}

static bool has_password(const char *text)
{
	size_t n;
	const char *user = user_info(text, &n);

	return n && memchr(user, ':', n) != NULL;
}

static const struct {
	const char *scheme;
	enum settings_transport transport;
} transports[] = {
	{ "https://", TRANSPORT_HTTPS },
	{ "http://", TRANSPORT_HTTP },
	{ "ssh://", TRANSPORT_SSH },
	{ "git://", TRANSPORT_GIT },
};

enum settings_transport settings_transport(const char *repository)
{
	for (size_t i = 0; i < sizeof(transports) / sizeof(*transports); i++)
		if (str_starts(repository, transports[i].scheme))
			return transports[i].transport;
	return *repository == '/' ? TRANSPORT_PATH : TRANSPORT_SSH;
}

/* USER@HOST:PATH. Nothing of it may be read as an option by whoever gets it. */
static bool is_scp_like(const char *text)
{
	size_t user = strspn(text, ALNUM "._-");
	const char *host = text + user + 1;
	size_t n;

	if (!user || text[user] != '@' || *text == '-' || *host == '-')
		return false;
	n = strspn(host, ALNUM ".-");
	return n && n <= HOST_MOST && host[n] == ':' && host[n + 1] && host[n + 1] != '-';
}

static bool is_ssh_url(const char *text)
{
	size_t n;
	const char *user = user_info(text, &n);
	const char *host = n ? user + n + 1 : user;

	return *user != '-' && *host != '-' && *host && *host != '/' && *host != ':' &&
	       strchr(host, '/');
}

const char *settings_bad_repository(const char *text)
{
	const char *wrong = settings_bad_text(text);
	struct url url;

	if (wrong)
		return wrong;
	if (has_password(text))
		return "holds a password: give user and token under \"access\"";
	switch (settings_transport(text)) {
	case TRANSPORT_PATH:
		return NULL;
	case TRANSPORT_HTTP:
	case TRANSPORT_HTTPS:
		if (!url_parse(text, &url))
			return "is no URL; a user belongs under \"access\"";
		return NULL;
	case TRANSPORT_GIT:
		return is_ssh_url(text) ? NULL : "is no URL";
	case TRANSPORT_SSH:
		break;
	}
	if (str_starts(text, "file://"))
		return "must be an absolute path for a folder of this machine";
	if (str_starts(text, "ssh://") ? is_ssh_url(text) : is_scp_like(text))
		return NULL;
	return "must be an https, http, ssh or git URL, USER@HOST:PATH, or an absolute "
	       "path";
}

/* The part of git-check-ref-format(1) by which names are told from slips. */
const char *settings_bad_branch(const char *text)
{
	size_t n = strlen(text);

	if (str_starts(text, "refs/"))
		return "is the branch's short name, without refs/heads/";
	if (!n || n > 200 || *text == '-' || *text == '/' || text[n - 1] == '/' ||
	    text[n - 1] == '.' || strpbrk(text, " ~^:?*[\\") || strstr(text, "..") ||
	    strstr(text, "//") || strstr(text, "@{") || str_ends(text, ".lock") ||
	    has_control(text, ""))
		return "is no name of a branch";
	return NULL;
}

const char *settings_bad_queue(const char *text)
{
	bool is_url = str_starts(text, "postgresql://") ||
		      str_starts(text, "postgres://");

	if (!is_url && strstr(text, "://"))
		return "must be a file or a postgresql:// URL";
	if (is_url && (has_password(text) || strstr(text, "password=")))
		return "holds a password: name its file under \"queue-password\"";
	return settings_bad_text(text);
}

/* What ssh-keygen -l prints: 32 bytes in base64 without padding. */
const char *settings_bad_host_key(const char *text)
{
	if (!str_starts(text, "SHA256:") || strlen(text) != 7 + 43 ||
	    !is_made_of(text + 7, ALNUM "+/", 43))
		return "must be SHA256: and 43 characters, as ssh-keygen -l prints it";
	return NULL;
}

/* Secrets */

bool settings_looks_secret(const char *text)
{
	static const char *const starts[] = {
		"ghp_",  "gho_",  "ghs_", "ghu_",  "github_pat_", "glpat-",
		"gldt-", "glrt-", "ATBB", "ATATT", "ATCTT",       "whsec_",
		"gto_",  "AKIA",  "ASIA", "xoxb-", "npm_",        "-----BEGIN",
	};

	for (size_t i = 0; i < sizeof(starts) / sizeof(*starts); i++)
		if (str_starts(text, starts[i]))
			return true;
	return false;
}

/* One long word with letters and digits, as no file is called. */
static bool is_random(const char *text)
{
	return strlen(text) >= SECRET_LIKE && !strpbrk(text, "/.") &&
	       strpbrk(text, DIGITS) && strpbrk(text, LETTERS);
}

const char *settings_bad_secret(const char *text)
{
	static const char in_place[] =
		"looks like the secret itself; put it into a file that only the daemon "
		"can read, and name that file or \"credential:NAME\"";

	if (str_starts(text, "credential:")) {
		if (!is_made_of(text + 11, ALNUM "._-", 128) || text[11] == '.')
			return "is no name of a credential";
		return NULL;
	}
	if (!*text)
		return "is empty";
	if (strlen(text) > TEXT_MOST || has_control(text, "") ||
	    settings_looks_secret(text) || is_random(text))
		return in_place;
	return NULL;
}

const char *settings_bad_argument(const char *text)
{
	/* What the daemon decides, or what would let it believe in deploys that were none. */
	static const char *const ours[] = { "--json", "--repo",    "--head",
					    "--base", "--dry-run", "--offline",
					    "-n",     "-C",        "--change-set" };
	size_t n = strcspn(text, "=");

	if (settings_bad_text(text))
		return settings_bad_text(text);
	if (settings_looks_secret(text))
		return "looks like a secret; arguments can be seen by every user of the "
		       "machine";
	if (strncmp(text, "--config", 8) == 0 && n == 8)
		return "is what \"config\" is for";
	for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
		if (strlen(ours[i]) == n && strncmp(text, ours[i], n) == 0)
			return "is the daemon's own business";
	return NULL;
}

const char *settings_bad_variable(const char *name)
{
	static const char *const ends[] = { "_TOKEN", "_PASSWORD", "_SECRET",
					    "SECRET_ACCESS_KEY" };

	if (!is_made_of(name, ALNUM "_", 128) || strchr(DIGITS, *name))
		return "is no name of a variable";
	if (str_starts(name, "LD_"))
		return "must not be set";
	for (size_t i = 0; i < sizeof(ends) / sizeof(*ends); i++)
		if (str_ends(name, ends[i]))
			return "would be a secret in this file; use a profile "
			       "(AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE) or a role";
	return NULL;
}

/* Numbers with units */

struct unit {
	const char *name;
	int64_t factor;
};

/* A number right before one of the units; "0" needs none. -1: not so. */
static int64_t with_unit(const char *text, const struct unit *units, size_t n_units)
{
	size_t n = strspn(text, DIGITS);
	char digits[13];
	int64_t number;

	if (!n || n >= sizeof(digits) || (*text == '0' && n > 1))
		return -1;
	memcpy(digits, text, n);
	digits[n] = '\0';
	if (!str_to_i64(digits, 0, INT64_MAX, &number))
		return -1;
	if (number == 0 && !text[n])
		return 0;
	for (size_t i = 0; i < n_units; i++)
		if (str_eq(text + n, units[i].name))
			return number > INT64_MAX / units[i].factor
				       ? -1
				       : number * units[i].factor;
	return -1;
}

#define WITH_UNIT(text, units) \
	with_unit((text), (units), sizeof(units) / sizeof(*(units)))

int64_t settings_size(const char *text)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "K", 1 << 10 },
		{ "M", 1 << 20 },
		{ "G", 1 << 30 },
	};

	return WITH_UNIT(text, units);
}

int64_t settings_duration_ms(const char *text)
{
	static const struct unit units[] = {
		{ "ms", 1 },          { "s", 1000 },         { "m", 60000 },
		{ "h", 3600 * 1000 }, { "d", 86400 * 1000 },
	};

	return WITH_UNIT(text, units);
}

int64_t settings_rate(const char *text)
{
	static const struct unit units[] = { { "/min", 1 }, { "/s", 60 } };

	return WITH_UNIT(text, units);
}

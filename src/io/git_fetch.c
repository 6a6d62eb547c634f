#include "io/git_fetch.h"

#include <assert.h>
#include <dirent.h>
#include <git2.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "codec/encode.h"
#include "codec/url.h"
#include "io/fs.h"
#include "io/git_private.h"
#include "io/http_curl.h"

/* Ubuntu 22.04 has 1.1, which builds crc-action alone. */
#if LIBGIT2_VER_MAJOR > 1 || (LIBGIT2_VER_MAJOR == 1 && LIBGIT2_VER_MINOR >= 5)

enum {
	URL_MOST = 4096,
	REF_MOST = 1024,
	FINGERPRINT_MOST = 64,
	SECRET_MOST = 8192,
	PACKS_MOST = 200,
	REDIRECT_MS = 10000,
	SERVER_MS = 60000, /* silence of a server, where libgit2 can tell */
};

static void set_up(void)
{
	static const git_config_level_t levels[] = {
		GIT_CONFIG_LEVEL_PROGRAMDATA,
		GIT_CONFIG_LEVEL_SYSTEM,
		GIT_CONFIG_LEVEL_XDG,
		GIT_CONFIG_LEVEL_GLOBAL,
	};

	repo_start_library();
	/* A mirror that a power cut damaged would be noticed late, or never. */
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 1);
	/* Proxies, URLs and certificates are not for others to decide. */
	for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++)
		git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, levels[i], "");
#	ifdef CRC_GIT_HAS_MAX_OBJECT_SIZE
	/* A delta of some bytes may say that it unpacks to any size. */
	git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECT_SIZE, (size_t)1 << 30);
#	endif
#	if LIBGIT2_VER_MINOR >= 7 || LIBGIT2_VER_MAJOR > 1
	git_libgit2_opts(GIT_OPT_SET_SERVER_CONNECT_TIMEOUT, SERVER_MS);
	git_libgit2_opts(GIT_OPT_SET_SERVER_TIMEOUT, SERVER_MS);
#	endif
}

static void start_fetching(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, set_up);
}

/* What callbacks have seen, which tells more than libgit2's messages. */
struct talk {
	const struct mirror_remote *remote;
	bool asked;      /* for credentials */
	bool given;      /* and they were */
	bool refused;    /* and they were asked for again */
	bool wrong_kind; /* what is asked for is not what is configured */
	bool bad_certificate;
	bool key_checked; /* an SSH server's */
	bool key_refused;
	bool key_failed; /* the file cannot be used */
	char fingerprint[FINGERPRINT_MOST];
};

static void remote_freep(git_remote **p)
{
	git_remote_free(*p);
}

static void repository_freep(git_repository **p)
{
	git_repository_free(*p);
}

#	define SCOPED(kind) __attribute__((cleanup(kind##_freep)))

/* The URL as people may see it: what stands before the host may be a password. */
static void shown_url(const char *url, struct buf *out)
{
	const char *begin = strstr(url, "://");
	size_t host;
	const char *at = NULL;

	if (!begin) {
		buf_str(out, url);
		return;
	}
	begin += 3;
	host = strcspn(begin, "/?#");
	for (size_t i = 0; i < host; i++)
		if (begin[i] == '@')
			at = begin + i;
	buf_add(out, url, (size_t)(begin - url));
	buf_str(out, at ? at + 1 : begin);
}

static bool is_ssh(const char *url)
{
	const char *colon = strchr(url, ':');

	if (str_starts(url, "ssh://") || str_starts(url, "git+ssh://") ||
	    str_starts(url, "ssh+git://"))
		return true;
	/* "host:path", as scp has it */
	return colon && *url != '/' && !strstr(url, "://") &&
	       strcspn(url, "/") > (size_t)(colon - url);
}

/* Callbacks */

static int give_token(struct talk *t, git_credential **out)
{
	const struct mirror_remote *r = t->remote;

	t->given = true;
	return git_credential_userpass_plaintext_new(
		out, r->user ? r->user : "x-access-token", secret_bytes(r->token));
}

static int give_key(struct talk *t, git_credential **out, const char *user)
{
	const struct mirror_remote *r = t->remote;

	if (access(r->ssh_key, R_OK) < 0) {
		t->key_failed = true;
		return GIT_EUSER;
	}
	t->given = true;
	return git_credential_ssh_key_new(out, user, NULL, r->ssh_key,
					  r->passphrase && secret_is_set(r->passphrase)
						  ? secret_bytes(r->passphrase)
						  : NULL);
}

/* Called again and again for as long as the server refuses. */
static int on_credentials(git_credential **out, const char *url, const char *user,
			  unsigned kinds, void *ctx)
{
	struct talk *t = ctx;
	const struct mirror_remote *r = t->remote;
	bool has_token = r->token && secret_is_set(r->token);

	(void)url;
	if (!user)
		user = "git";
	/* SSH first asks for the name alone, when the URL has none. */
	if (kinds & GIT_CREDENTIAL_USERNAME)
		return git_credential_username_new(out, user);
	t->asked = true;
	if (t->given) {
		t->refused = true;
		return GIT_EUSER;
	}
	if (kinds & GIT_CREDENTIAL_SSH_KEY && r->ssh_key)
		return give_key(t, out, user);
	if (kinds & GIT_CREDENTIAL_USERPASS_PLAINTEXT && has_token && !is_ssh(r->url))
		return give_token(t, out);
	t->wrong_kind = has_token || r->ssh_key;
	return GIT_EUSER;
}

static void take_fingerprint(struct talk *t, const git_cert_hostkey *key)
{
	CLEANUP(buf) struct buf text = BUF_INIT(FINGERPRINT_MOST - 1);

	if (!(key->type & GIT_CERT_SSH_SHA256))
		return;
	buf_str(&text, "SHA256:");
	encode_base64(key->hash_sha256, sizeof(key->hash_sha256), &text);
	/* ssh-keygen writes no padding. */
	while (text.len && text.data[text.len - 1] == '=')
		buf_truncate(&text, text.len - 1);
	(void)str_copy(t->fingerprint, sizeof(t->fingerprint), text.data);
}

static bool is_pinned(const struct talk *t)
{
	const struct str_list *keys = t->remote->host_keys;

	for (size_t i = 0; keys && i < keys->len; i++) {
		const char *key = keys->items[i];
		size_t n = strlen(key);

		while (n && key[n - 1] == '=')
			n--;
		if (n && n == strlen(t->fingerprint) &&
		    strncmp(key, t->fingerprint, n) == 0)
			return true;
	}
	return false;
}

static int on_certificate(git_cert *cert, int valid, const char *host, void *ctx)
{
	struct talk *t = ctx;

	(void)host;
	if (cert->cert_type == GIT_CERT_HOSTKEY_LIBSSH2) {
		take_fingerprint(t, (const git_cert_hostkey *)(const void *)cert);
		t->key_checked = true;
		t->key_refused = !is_pinned(t);
		return t->key_refused ? GIT_ECERTIFICATE : 0;
	}
	t->bad_certificate = !valid;
	return valid ? 0 : GIT_ECERTIFICATE;
}

static bool is_cancelled(const struct talk *t)
{
	return t->remote->cancelled && *t->remote->cancelled;
}

static int on_progress(const git_indexer_progress *p, void *ctx)
{
	const struct talk *t = ctx;

	if (t->remote->progress)
		t->remote->progress(t->remote->ctx, p->received_objects, p->total_objects,
				    (int64_t)p->received_bytes);
	return is_cancelled(t) ? GIT_EUSER : 0;
}

static int on_text(const char *text, int n, void *ctx)
{
	(void)text;
	(void)n;
	return is_cancelled(ctx) ? GIT_EUSER : 0;
}

static void set_callbacks(git_remote_callbacks *c, struct talk *t)
{
	c->credentials = on_credentials;
	c->certificate_check = on_certificate;
	c->transfer_progress = on_progress;
	c->sideband_progress = on_text;
	c->payload = t;
}

/* Failures */

static int fail_redirect(const char *shown, const char *to, struct error *err)
{
	return error_set(err, ERR_NETWORK,
			 "%s: the server redirects%s, which is not followed: if that is "
			 "right, configure that URL",
			 shown, to);
}

static int fail_key(const struct talk *t, const char *shown, struct error *err)
{
	const char *key = *t->fingerprint ? t->fingerprint : "not told as SHA-256";

	if (!t->remote->host_keys || !t->remote->host_keys->len)
		return error_set(
			err, ERR_CONFIG,
			"%s: the server's key is %s, and none is configured: "
			"compare it with what the host publishes, and configure it",
			shown, key);
	return error_set(
		err, ERR_FORBIDDEN,
		"%s: the server's key is %s, which is not the one configured: it "
		"was changed, or this is another server",
		shown, key);
}

static int fail_credentials(const struct talk *t, const char *shown, struct error *err)
{
	if (t->key_failed)
		return error_set(err, ERR_CONFIG, "%s: the SSH key %s cannot be read",
				 shown, t->remote->ssh_key);
	if (t->refused)
		return error_set(err, ERR_CREDENTIALS,
				 "%s: the server refused the credentials", shown);
	if (t->wrong_kind)
		return error_set(err, ERR_CREDENTIALS,
				 "%s: the server does not take the kind of credentials "
				 "that is configured",
				 shown);
	return error_set(err, ERR_CREDENTIALS,
			 "%s: the server asks for credentials, and none are configured "
			 "(private, or not there)",
			 shown);
}

/* libgit2 tells statuses in words alone. */
static enum error_code code_of_status(const char *message)
{
	const char *at = strstr(message, "status code: ");

	if (!at)
		return ERR_NONE;
	at += strlen("status code: ");
	if (str_starts(at, "404") || str_starts(at, "410"))
		return ERR_NOT_FOUND;
	if (str_starts(at, "401"))
		return ERR_CREDENTIALS;
	return str_starts(at, "403") ? ERR_FORBIDDEN : ERR_NETWORK;
}

static enum error_code code_of(int rc, const git_error *last)
{
	enum error_code code = last ? code_of_status(last->message) : ERR_NONE;

	if (code)
		return code;
	if (rc == GIT_ENOTFOUND)
		return ERR_NOT_FOUND;
	if (!last)
		return ERR_NETWORK;
	switch (last->klass) {
	case GIT_ERROR_NET:
	case GIT_ERROR_SSL:
	case GIT_ERROR_SSH:
	case GIT_ERROR_HTTP:
	case GIT_ERROR_OS:
		return ERR_NETWORK;
	case GIT_ERROR_NOMEMORY:
		return ERR_TOO_BIG;
	default:
		return ERR_DATA;
	}
}

/* rc is libgit2's. */
static int fail_talk(const struct talk *t, int rc, struct error *err)
{
	CLEANUP(buf) struct buf shown = BUF_INIT(URL_MOST);
	const git_error *last = git_error_last();
	const char *message = last && last->message ? last->message : "git failed";

	shown_url(t->remote->url, &shown);
	if (is_cancelled(t))
		return error_set(err, ERR_CANCELLED, "%s: stopped", shown.data);
	if (t->key_refused)
		return fail_key(t, shown.data, err);
	if (t->bad_certificate)
		return error_set(err, ERR_NETWORK,
				 "%s: the server's certificate is not valid", shown.data);
	if (t->key_failed || t->refused || (t->asked && !t->given))
		return fail_credentials(t, shown.data, err);
	/* A key with the wrong passphrase, or that is no key. */
	if (t->given && last && last->klass == GIT_ERROR_SSH)
		return error_set(err, ERR_CREDENTIALS,
				 "%s: the SSH key was not accepted: %s", shown.data,
				 message);
	if (last && strstr(message, "redirect"))
		return fail_redirect(shown.data, "", err);
	return error_set(err, code_of(rc, last), "%s: %s", shown.data, message);
}

/* Talking */

static int check_remote(const struct mirror_remote *r, struct error *err)
{
	CLEANUP(buf) struct buf ref = BUF_INIT(REF_MOST);
	int valid = 0;

	buf_printf(&ref, "refs/heads/%s", r->branch);
	if (ref.overflowed || git_reference_name_is_valid(&valid, ref.data) < 0 || !valid)
		return error_set(err, ERR_CONFIG, "\"%s\" is no name of a branch",
				 r->branch);
	/* libgit2 takes it for the name of a protocol. */
	if (*r->url == '/' && access(r->url, F_OK) < 0)
		return error_set(err, ERR_NOT_FOUND, "%s: there is no repository",
				 r->url);
	return 0;
}

static void wiped_release(struct buf *b)
{
	secret_wipe(b->data, b->len);
	buf_release(b);
}

static void add_authorization(const struct mirror_remote *r, struct buf *value)
{
	CLEANUP(wiped) struct buf pair = BUF_INIT(SECRET_MOST);

	buf_printf(&pair, "%s:%s", r->user ? r->user : "x-access-token",
		   secret_bytes(r->token));
	buf_str(value, "Basic ");
	encode_base64(pair.data, pair.len, value);
}

/* " to URL" of a Location; nothing when it may hold a password. */
static void shown_location(const char *location, struct buf *out)
{
	static const char service[] = "/info/refs";
	struct url to;

	if (!location || !url_parse(location, &to))
		return;
	buf_printf(out, " to %.*s://%.*s%.*s", (int)to.scheme_len, to.scheme,
		   (int)to.authority_len, to.authority, (int)to.path_len, to.path);
	if (str_ends(out->data, service))
		buf_truncate(out, out->len - strlen(service));
}

/* libgit2 follows redirects within a host, whatever it is told; so the server is asked
 * before, in git's second protocol, whose answer is short. What else may be wrong is found by
 * libgit2. */
static int refuse_redirect(const struct mirror_remote *r, struct error *err)
{
	CLEANUP_PTR(http) struct http *http = NULL;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(buf) struct buf ask = BUF_INIT(URL_MOST);
	CLEANUP(buf) struct buf to = BUF_INIT(512);
	CLEANUP(wiped) struct buf authorization = BUF_INIT(2 * SECRET_MOST);
	struct http_header headers[] = { { "Git-Protocol", "version=2" },
					 { "Authorization", NULL } };
	struct http_request req = {
		.method = "GET",
		.headers = headers,
		.n_headers = 1,
		.timeout_ms = REDIRECT_MS,
		.max_response = 1 << 20,
		.no_proxy = true,
	};
	struct error ignored = ERROR_INIT;

	buf_printf(&ask, "%s/info/refs?service=git-upload-pack", r->url);
	req.url = ask.data;
	if (r->token && secret_is_set(r->token)) {
		add_authorization(r, &authorization);
		headers[1].value = authorization.data;
		req.n_headers = 2;
	}
	if (http_curl_new(&(struct http_curl_options){ .cancelled = r->cancelled }, &http,
			  err) < 0)
		return -1;
	if (http_send(http, &req, &res, &ignored) < 0 || res.status < 300 ||
	    res.status >= 400)
		return 0;
	shown_location(http_response_header(&res, "location"), &to);
	return fail_redirect(r->url, to.data, err);
}

static int check_http(const struct mirror_remote *r, struct error *err)
{
	struct url url;

	if (!str_starts(r->url, "http://") && !str_starts(r->url, "https://"))
		return 0;
	if (!url_parse(r->url, &url) || *url.query)
		return error_set(
			err, ERR_CONFIG,
			"the repository's URL must be plain, without credentials "
			"and query");
	return refuse_redirect(r, err);
}

/* handle: NULL for a remote without a mirror. */
static int talk_begin(struct talk *t, git_repository *handle, git_remote **out,
		      struct error *err)
{
	git_remote_create_options create;
	git_remote_connect_options connect;
	int rc;

	if (check_http(t->remote, err) < 0)
		return -1;
	git_remote_create_options_init(&create, GIT_REMOTE_CREATE_OPTIONS_VERSION);
	git_remote_connect_options_init(&connect, GIT_REMOTE_CONNECT_OPTIONS_VERSION);
	create.repository = handle;
	create.flags = GIT_REMOTE_CREATE_SKIP_INSTEADOF |
		       GIT_REMOTE_CREATE_SKIP_DEFAULT_FETCHSPEC;
	rc = git_remote_create_with_opts(out, t->remote->url, &create);
	if (rc < 0)
		return fail_talk(t, rc, err);
	set_callbacks(&connect.callbacks, t);
	connect.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
	connect.proxy_opts.type = GIT_PROXY_NONE;
	rc = git_remote_connect_ext(*out, GIT_DIRECTION_FETCH, &connect);
	if (rc < 0)
		return fail_talk(t, rc, err);
	/* A libgit2 that runs the ssh program never asks about keys. */
	if (is_ssh(t->remote->url) && !t->key_checked)
		return error_set(err, ERR_UNSUPPORTED,
				 "this libgit2 cannot pin the keys of SSH servers");
	return 0;
}

/* The branch among what a connected remote has. */
static int find_tip(const struct talk *t, git_remote *remote, struct oid *tip,
		    struct error *err)
{
	CLEANUP(buf) struct buf shown = BUF_INIT(URL_MOST);
	CLEANUP(buf) struct buf ref = BUF_INIT(REF_MOST);
	const git_remote_head **heads = NULL;
	size_t n = 0;
	int rc = git_remote_ls(&heads, &n, remote);

	if (rc < 0)
		return fail_talk(t, rc, err);
	shown_url(t->remote->url, &shown);
	buf_printf(&ref, "refs/heads/%s", t->remote->branch);
	for (size_t i = 0; i < n; i++) {
		if (!str_eq(heads[i]->name, ref.data))
			continue;
		memcpy(tip->bytes, heads[i]->oid.id, sizeof(tip->bytes));
		return 0;
	}
	return error_set(err, ERR_NOT_FOUND, "%s: there is no branch \"%s\"%s",
			 shown.data, t->remote->branch,
			 n ? "" : ": the repository is empty");
}

int mirror_tip(const struct mirror_remote *remote, struct oid *tip, struct error *err)
{
	SCOPED(remote) git_remote *handle = NULL;
	struct talk t = { .remote = remote };

	start_fetching();
	if (check_remote(remote, err) < 0 || talk_begin(&t, NULL, &handle, err) < 0)
		return -1;
	return find_tip(&t, handle, tip, err);
}

/* Mirrors */

/* What a fetch that was killed left of packs. Returns how many whole ones there are. */
static size_t clean_packs(const char *folder)
{
	CLEANUP(buf) struct buf path = BUF_INIT(REPO_PATH_MOST);
	struct dirent *entry;
	size_t n = 0;
	DIR *dir;

	buf_printf(&path, "%s/objects/pack", folder);
	dir = opendir(path.data);
	while (dir && (entry = readdir(dir)) != NULL) {
		n += str_ends(entry->d_name, ".pack");
		if (str_starts(entry->d_name, "pack_") ||
		    str_starts(entry->d_name, "tmp_"))
			(void)unlinkat(dirfd(dir), entry->d_name, 0); /* then it stays */
	}
	if (dir)
		closedir(dir);
	return n;
}

/* Nobody else works on the mirror, so these are of a fetch that was killed. */
static void remove_locks(const char *folder, const char *branch)
{
	static const char *const locks[] = { "config", "HEAD", "packed-refs" };
	CLEANUP(buf) struct buf path = BUF_INIT(REPO_PATH_MOST);

	for (size_t i = 0; i < sizeof(locks) / sizeof(*locks); i++) {
		buf_clear(&path);
		buf_printf(&path, "%s/%s.lock", folder, locks[i]);
		(void)unlink(path.data); /* most often there is none */
	}
	buf_clear(&path);
	buf_printf(&path, "%s/refs/heads/%s.lock", folder, branch);
	(void)unlink(path.data);
}

/* Another branch was configured before, and its ref is a file where a folder has to be ("x" before
 * "x/y"), or a folder where a file has to be. What it named stays among the objects. */
static int clear_way(const char *folder, const char *branch, struct error *err)
{
	CLEANUP(buf) struct buf path = BUF_INIT(REPO_PATH_MOST);
	struct stat st;

	for (const char *at = branch; (at = strchr(at, '/')) != NULL; at++) {
		buf_clear(&path);
		buf_printf(&path, "%s/refs/heads/%.*s", folder, (int)(at - branch),
			   branch);
		(void)unlink(path.data); /* a folder stays, as it should */
	}
	buf_clear(&path);
	buf_printf(&path, "%s/refs/heads/%s", folder, branch);
	if (lstat(path.data, &st) < 0 || !S_ISDIR(st.st_mode))
		return 0;
	return fs_remove_tree(path.data, err);
}

/* crc-action asks the remote "origin" whether the head is the branch's tip; the mirror was
 * fetched a moment ago and answers without credentials. */
static int name_origin(git_repository *handle, const char *folder, const char *branch)
{
	CLEANUP(buf) struct buf ref = BUF_INIT(REF_MOST);
	git_config *config = NULL;
	int rc = git_repository_config(&config, handle);

	if (rc == 0)
		rc = git_config_set_string(config, "remote.origin.url", folder);
	git_config_free(config);
	buf_printf(&ref, "refs/heads/%s", branch);
	return rc < 0 ? rc : git_repository_set_head(handle, ref.data);
}

static int make_mirror(const char *folder, git_repository **out, struct error *err)
{
	git_repository_init_options options;

	if (fs_remove_tree(folder, err) < 0 || fs_make_folders(folder, err) < 0)
		return -1;
	git_repository_init_options_init(&options, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	/* No template of the machine's, which could bring hooks. */
	options.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_NO_REINIT |
			GIT_REPOSITORY_INIT_MKDIR;
	if (git_repository_init_ext(out, folder, &options) < 0 || chmod(folder, 0700) < 0)
		return repo_fail(err, ERR_IO, folder);
	return 0;
}

/* A branch whose commit is not there. Seen before libgit2 sees it, which would leak. */
static bool is_damaged(const char *folder, const char *branch)
{
	CLEANUP(buf) struct buf ref = BUF_INIT(REF_MOST);
	struct error err = ERROR_INIT;
	struct oid found;

	buf_printf(&ref, "refs/heads/%s", branch);
	return repo_local_ref(folder, ref.data, &found, &err) < 0 &&
	       err.code != ERR_NOT_FOUND;
}

static int open_mirror(const char *folder, const struct mirror_remote *remote,
		       git_repository **out, struct error *err)
{
	const char *branch = remote->branch;
	size_t packs = clean_packs(folder);
	struct oid tip;

	remove_locks(folder, branch);
	if (clear_way(folder, branch, err) < 0)
		return -1;
	/* Each fetch makes one, and libgit2 cannot join them. */
	if (packs <= PACKS_MOST && !is_damaged(folder, branch) &&
	    git_repository_open_bare(out, folder) == 0)
		return 0;
	/* What is whole is not given up for a host that is away: it has what people go back to. */
	if (packs > PACKS_MOST && mirror_tip(remote, &tip, err) < 0)
		return -1;
	return make_mirror(folder, out, err);
}

static int download(struct talk *t, git_remote *remote, struct error *err)
{
	CLEANUP(buf) struct buf spec = BUF_INIT(2 * REF_MOST + 2);
	git_fetch_options options;
	char *specs[] = { NULL };
	git_strarray list = { specs, 1 };
	int rc;

	buf_printf(&spec, "+refs/heads/%s:refs/heads/%s", t->remote->branch,
		   t->remote->branch);
	specs[0] = spec.data;
	git_fetch_options_init(&options, GIT_FETCH_OPTIONS_VERSION);
	set_callbacks(&options.callbacks, t);
	options.prune = GIT_FETCH_NO_PRUNE;
	options.update_fetchhead = 0;
	options.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE;
	options.follow_redirects = GIT_REMOTE_REDIRECT_NONE;
	options.proxy_opts.type = GIT_PROXY_NONE;
	rc = git_remote_fetch(remote, &list, &options, NULL);
	return rc < 0 ? fail_talk(t, rc, err) : 0;
}

static int check_blob(void *ctx, const struct repo_item *item, struct error *err)
{
	if (item->mode == REPO_SUBMODULE || repo_has_blob(ctx, &item->id))
		return 0;
	return error_set(err, ERR_DATA, "%s: its blob is missing", item->path);
}

/* What the mirror has for the branch, whole enough to be deployed. */
static int check_mirror(const char *folder, const char *branch, struct oid *tip,
			struct error *err)
{
	struct repo_visitor visitor = { .visit = check_blob };
	CLEANUP_PTR(repo) struct repo *repo = NULL;
	CLEANUP(buf) struct buf ref = BUF_INIT(REF_MOST);

	buf_printf(&ref, "refs/heads/%s", branch);
	if (repo_local_ref(folder, ref.data, tip, err) < 0 ||
	    repo_open(folder, NULL, &repo, err) < 0)
		return -1;
	visitor.ctx = repo;
	if (repo_walk(repo, tip, "", &visitor, err) < 0)
		return error_wrap(err, "what was fetched into %s", folder);
	return 0;
}

enum outcome { FETCHED, FAILED, DAMAGED };

/* DAMAGED: what is wrong may be the mirror. */
static enum outcome fetch_once(const char *folder, const struct mirror_remote *remote,
			       struct oid *tip, struct error *err)
{
	SCOPED(repository) git_repository *handle = NULL;
	SCOPED(remote) git_remote *connected = NULL;
	struct talk t = { .remote = remote };

	if (open_mirror(folder, remote, &handle, err) < 0 ||
	    talk_begin(&t, handle, &connected, err) < 0 ||
	    find_tip(&t, connected, tip, err) < 0)
		return FAILED;
	if (download(&t, connected, err) < 0)
		return err->code == ERR_DATA || err->code == ERR_NOT_FOUND ? DAMAGED
									   : FAILED;
	if (name_origin(handle, folder, remote->branch) < 0) {
		(void)repo_fail(err, ERR_IO, folder);
		return DAMAGED;
	}
	return check_mirror(folder, remote->branch, tip, err) < 0 ? DAMAGED : FETCHED;
}

int mirror_fetch(const char *folder, const struct mirror_remote *remote, struct oid *tip,
		 struct error *err)
{
	enum outcome outcome;

	start_fetching();
	if (check_remote(remote, err) < 0)
		return -1;
	outcome = fetch_once(folder, remote, tip, err);
	if (outcome == DAMAGED && fs_remove_tree(folder, err) == 0)
		outcome = fetch_once(folder, remote, tip, err);
	return outcome == FETCHED ? 0 : -1;
}

#endif

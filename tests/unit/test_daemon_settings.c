#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "daemon/settings.h"
#include "daemon/settings_rules.h"
#include "io/fs.h"

#define CLEAN_SETTINGS __attribute__((cleanup(settings_dropp)))

/* Each test is in a folder of its own, with the secrets that the texts name. */
static char folder[4096];

static void write_file(const char *name, const char *text, unsigned mode)
{
	struct error err = ERROR_INIT;

	if (fs_write(name, text, strlen(text), &err) < 0 || chmod(name, mode) < 0)
		fail_msg("%s: %s", name, err.msg);
}

static int enter_folder(void **state)
{
	CLEANUP(buf) struct buf path = BUF_INIT(4000);
	struct error err = ERROR_INIT;

	(void)state;
	if (fs_make_temp("/tmp", &path, &err) < 0 || chdir(path.data) < 0 ||
	    !str_copy(folder, sizeof(folder), path.data))
		return -1;
	if (fs_make_folders("credentials", &err) < 0 ||
	    setenv("CREDENTIALS_DIRECTORY", "credentials", 1) < 0)
		return -1;
	buf_str(&path, "/bin");
	if (fs_make_folders("bin", &err) < 0 || setenv("PATH", path.data, 1) < 0)
		return -1;
	write_file("bin/crc-action", "", 0700);
	write_file("hook", "s3cret\n", 0600);
	write_file("old", "0ld\r\n\n", 0600);
	write_file("key", "a private key", 0600);
	write_file("empty", "\n", 0600);
	write_file("credentials/token", "t0ken", 0400);
	write_file("credentials/page", "pa ss", 0400);
	write_file("credentials/key", "another", 0400);
	return 0;
}

static int leave_folder(void **state)
{
	struct error err = ERROR_INIT;

	(void)state;
	return chdir("/") < 0 ? -1 : fs_remove_tree(folder, &err);
}

static int read_text(const char *text, struct settings **out, struct error *err)
{
	write_file("daemon.yml", text, 0644);
	return settings_read("daemon.yml", out, err);
}

static struct settings *read_good(const char *text)
{
	struct settings *s = NULL;
	struct error err = ERROR_INIT;

	if (read_text(text, &s, &err) < 0)
		fail_msg("%s\n%s", err.msg, text);
	return s;
}

static void assert_text(const char *is, const char *wanted)
{
	if (!str_eq(is, wanted))
		fail_msg("\"%s\" is not \"%s\"", is, wanted);
}

static void assert_in_folder(const char *is, const char *name)
{
	size_t n = strlen(folder);

	if (strncmp(is, folder, n) != 0 || is[n] != '/' || !str_eq(is + n + 1, name))
		fail_msg("\"%s\" is not %s/%s", is, folder, name);
}

static void assert_secret(const struct secret *s, const char *wanted)
{
	assert_text(secret_bytes(s), wanted);
	assert_int_equal(secret_len(s), strlen(wanted));
}

#define SITE                                              \
	"sites:\n"                                        \
	"  a:\n"                                          \
	"    repository: https://git.example.com/a.git\n" \
	"    provider: gitlab\n"                          \
	"    secrets: hook\n"

static void test_settings__least_file_has_sensible_defaults(void **state)
{
	CLEAN_SETTINGS struct settings *s = read_good(SITE);
	const struct site *site = settings_site(s, "a");

	(void)state;
	assert_in_folder(s->path, "daemon.yml");
	assert_int_equal(s->listen.len, 1);
	assert_text(s->listen.items[0], "127.0.0.1:8700");
	assert_int_equal(s->admin.len, 0);
	assert_text(s->state, "/var/lib/crc");
	assert_text(s->queue, "/var/lib/crc/queue.db");
	assert_true(s->json_log);
	assert_int_equal(s->workers, 2);
	assert_int_equal(s->body_most, 25 << 20);
	assert_int_equal(s->deploy_ms, 1800000);
	assert_int_equal(s->memory, INT64_C(2147483648));
	assert_int_equal(s->keep_ms, INT64_C(2592000000));
	assert_int_equal(s->warnings.len, 0);
	assert_in_folder(s->action, "bin/crc-action");
	assert_non_null(site);
	assert_text(site->branch, "main");
	assert_text(site->access.user, "x-access-token");
	assert_text(site->status.context, "crc/a");
	assert_int_equal(site->poll_ms, 300000);
	assert_secret(&site->keys.secrets[0], "s3cret");
	assert_text(s->names[0], "a");
	assert_null(s->names[1]);
	assert_null(settings_site(s, "b"));
}

static const char every_key[] =
	"listen: [127.0.0.1:8700, \"[::1]:8700\"]\n"
	"admin: 127.0.0.1:8701\n"
	"state: state\n"
	"queue: postgresql://crc@db/crc\n"
	"queue-password: credential:token\n"
	"action: other-action\n"
	"public-url: https://deploy.example.com/\n"
	"trusted-proxies: [127.0.0.1, 10.0.0.0/8, fd00::/8]\n"
	"page: { user: me, password: credential:page }\n"
	"log: text\n"
	"limits: { workers: 3, threads: 8, body: 64K, body-time: 250ms, per-address: 2/s,\n"
	"  per-site: 0, deploy-time: 1h, memory: 0, log: 1M, attempts: 1, lease: 5s,\n"
	"  keep: 7d }\n"
	"sites:\n"
	"  resume:\n"
	"    repository: https://gitlab.com/me/resume.git\n"
	"    access: { user: oauth2, token: credential:token }\n"
	"    branch: release/1.x\n"
	"    provider: gitlab\n"
	"    secrets: [hook, old]\n"
	"    config: deploy/crc.yml\n"
	"    build: |\n"
	"      npm ci\n"
	"      npm run build\n"
	"    arguments: [--wait, --max-paths=5]\n"
	"    environment: { AWS_PROFILE: resume, N: 1 }\n"
	"    poll: 0\n"
	"    status: { kind: gitlab, project: me/resume, token: credential:token,\n"
	"      api: https://gitlab.com, context: deploy }\n"
	"    notify: { url: https://example.com/hook, secret: hook }\n"
	"  by-ssh:\n"
	"    repository: git@git.example.com:me/a.git\n"
	"    access: { ssh-key: key, passphrase: hook, host-keys:\n"
	"      SHA256:uNiVztksCsDhcc0u9e8BrR1KJj0rqBqLbVDN5MoLD3U }\n"
	"    provider: gitea\n"
	"    secrets: hook\n"
	"  by-credential:\n"
	"    repository: ssh://git@git.example.com:2222/me/a.git\n"
	"    access: { ssh-key: credential:key, host-keys:\n"
	"      [SHA256:uNiVztksCsDhcc0u9e8BrR1KJj0rqBqLbVDN5MoLD3U] }\n"
	"    provider: gitea\n"
	"    secrets: hook\n"
	"  bare:\n"
	"    repository: /srv/git/a.git\n"
	"    provider: generic\n"
	"    secrets: hook\n"
	"    generic: { auth: token, header: X-Token, ref: /a, before: /b, after: /c,\n"
	"      delivery: /d, changes: /e }\n";

static struct settings *read_every_key(void)
{
	write_file("other-action", "", 0700);
	return read_good(every_key);
}

static void test_settings__every_key_of_the_file(void **state)
{
	CLEAN_SETTINGS struct settings *s = read_every_key();

	(void)state;
	assert_int_equal(s->listen.len, 2);
	assert_text(s->listen.items[1], "[::1]:8700");
	assert_text(s->admin.items[0], "127.0.0.1:8701");
	assert_in_folder(s->state, "state");
	assert_text(s->queue, "postgresql://crc@db/crc");
	assert_secret(&s->queue_password, "t0ken");
	assert_in_folder(s->action, "other-action");
	assert_text(s->public_url, "https://deploy.example.com");
	assert_int_equal(s->trusted.len, 3);
	assert_text(s->page_user, "me");
	assert_secret(&s->page_password, "pa ss");
	assert_false(s->json_log);
	assert_int_equal(s->workers, 3);
	assert_int_equal(s->threads, 8);
	assert_int_equal(s->body_most, 65536);
	assert_int_equal(s->body_ms, 250);
	assert_int_equal(s->address_per_min, 120);
	assert_int_equal(s->site_per_min, 0);
	assert_int_equal(s->deploy_ms, 3600000);
	assert_int_equal(s->memory, 0);
	assert_int_equal(s->log_most, 1 << 20);
	assert_int_equal(s->attempts, 1);
	assert_int_equal(s->lease_ms, 5000);
	assert_int_equal(s->keep_ms, 604800000);
	assert_int_equal(s->n_sites, 4);
}

static void test_settings__every_key_of_a_site(void **state)
{
	CLEAN_SETTINGS struct settings *s = read_every_key();
	const struct site *site = settings_site(s, "resume");

	(void)state;
	assert_text(site->repository, "https://gitlab.com/me/resume.git");
	assert_text(site->access.user, "oauth2");
	assert_secret(&site->access.token, "t0ken");
	assert_text(site->branch, "release/1.x");
	assert_text(provider_name(site->provider), "gitlab");
	assert_int_equal(site->keys.n_secrets, 2);
	assert_secret(&site->keys.secrets[1], "0ld");
	assert_text(site->config, "deploy/crc.yml");
	assert_text(site->build, "npm ci\nnpm run build\n");
	assert_int_equal(site->arguments.len, 2);
	assert_text(site->arguments.items[1], "--max-paths=5");
	assert_int_equal(site->environment.len, 2);
	assert_text(site->environment.items[0], "AWS_PROFILE=resume");
	assert_text(site->environment.items[1], "N=1");
	assert_int_equal(site->poll_ms, 0);
	assert_non_null(site->status.kind);
	assert_text(site->status.project, "me/resume");
	assert_text(site->status.api, "https://gitlab.com");
	assert_text(site->status.context, "deploy");
	assert_secret(&site->status.token, "t0ken");
	assert_text(site->notify, "https://example.com/hook");
	assert_secret(&site->notify_secret, "s3cret");
}

static void test_settings__keys_of_ssh_and_of_the_generic_row(void **state)
{
	CLEAN_SETTINGS struct settings *s = read_every_key();
	const struct site *site = settings_site(s, "by-ssh");

	(void)state;
	assert_in_folder(site->access.ssh_key, "key");
	assert_secret(&site->access.passphrase, "s3cret");
	assert_int_equal(site->access.host_keys.len, 1);
	assert_text(settings_site(s, "by-credential")->access.ssh_key, "credentials/key");
	site = settings_site(s, "bare");
	assert_text(site->keys.generic.auth, "token");
	assert_text(site->keys.generic.header, "X-Token");
	assert_text(site->keys.generic.ref, "/a");
	assert_text(site->keys.generic.before, "/b");
	assert_text(site->keys.generic.after, "/c");
	assert_text(site->keys.generic.delivery, "/d");
	assert_text(site->keys.generic.changes, "/e");
}

/* SITE is five lines long; what follows it here is line 6. */
#define SSH       "SHA256:uNiVztksCsDhcc0u9e8BrR1KJj0rqBqLbVDN5MoLD3U"
#define REPO(url) "sites:\n  a:\n    repository: " url "\n"
#define HOOK      "    provider: gitea\n    secrets: hook\n"

struct bad {
	const char *text;
	const char *says; /* behind "daemon.yml:" */
};

static void check_bad(const struct bad *bad, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct settings *s = NULL;
		struct error err = ERROR_INIT;

		if (read_text(bad[i].text, &s, &err) == 0)
			fail_msg("accepted:\n%s", bad[i].text);
		assert_int_equal(err.code, ERR_CONFIG);
		if (!str_starts(err.msg, "daemon.yml:") ||
		    !str_eq(err.msg + 11, bad[i].says))
			fail_msg("\"%s\" is not \"%s\"\n%s", err.msg + 11, bad[i].says,
				 bad[i].text);
	}
}

#define CHECK_BAD(table) check_bad((table), sizeof(table) / sizeof(*(table)))

static void test_settings__shape_of_the_file(void **state)
{
	static const struct bad bad[] = {
		{ "", "1:1: a mapping with \"sites\" is wanted" },
		{ "- a\n", "1:1: a mapping with \"sites\" is wanted" },
		{ "log: json\n", "1:1: the configuration lacks \"sites\"" },
		{ "sites: {}\n", "1:8: sites: there must be 1 to 1000" },
		{ "sites: a\n",
		  "1:8: sites: a mapping of names is wanted here, not a single value" },
		{ "sites: { a: }\n", "1:13: a: a mapping is wanted here, not nothing" },
		{ "sites: { -a: {} }\n",
		  "1:10: site \"-a\": a name is 1 to 63 letters, digits, '.', '_' and "
		  "'-', and begins with a letter or digit" },
		{ "sites: { ../a: {} }\n",
		  "1:10: site \"../a\": a name is 1 to 63 letters, digits, '.', '_' and "
		  "'-', and begins with a letter or digit" },
		{ "sties: {}\n",
		  "1:1: unknown key \"sties\" of the configuration: did you mean "
		  "\"sites\"?" },
		{ "colour: red\n", "1:1: unknown key \"colour\" of the configuration" },
		{ "limits: { worker: 1 }\n",
		  "1:11: unknown key \"worker\" of \"limits\": did you mean "
		  "\"workers\"?" },
		{ SITE "    provider: gitea\n",
		  "6:5: key \"provider\" is there twice, first in line 4" },
		{ SITE "    brunch: x\n",
		  "6:5: unknown key \"brunch\" of a site: did you mean \"branch\"?" },
		{ SITE "    branch: [a]\n",
		  "6:13: branch: a single value is wanted here, not a list" },
		{ SITE "    branch: !env X\n", "6:13: the tag !env cannot be used here" },
		{ SITE "    access: token\n",
		  "6:13: access: a mapping is wanted here, not a single value" },
		{ "sites:\n  a:\n    provider: gitlab\n    secrets: hook\n",
		  "3:5: a site lacks \"repository\"" },
		{ REPO("https://h/a.git"), "3:5: a site lacks \"provider\"" },
	};

	(void)state;
	CHECK_BAD(bad);
}

static void test_settings__values_of_the_file(void **state)
{
	static const struct bad bad[] = {
		{ "listen: []\n" SITE, "1:9: listen: at least one address is needed" },
		{ "listen: 8700\n" SITE, "1:9: listen \"8700\": must be like "
					 "127.0.0.1:8700 or [::1]:8700" },
		{ "listen: localhost:8700\n" SITE,
		  "1:9: listen \"localhost:8700\": must be like 127.0.0.1:8700 or "
		  "[::1]:8700" },
		{ "listen: 127.0.0.1:65536\n" SITE,
		  "1:9: listen \"127.0.0.1:65536\": must be like 127.0.0.1:8700 or "
		  "[::1]:8700" },
		{ "listen: ::1:8700\n" SITE, "1:9: listen \"::1:8700\": must be like "
					     "127.0.0.1:8700 or [::1]:8700" },
		{ "listen: [127.0.0.1:1, 127.0.0.1:1]\n" SITE,
		  "1:9: listen: the same address twice" },
		{ "admin: 127.0.0.1:8700\n" SITE, "1:8: admin: the same address twice" },
		{ "queue: mysql://db/crc\n" SITE,
		  "1:8: queue: must be a file or a postgresql:// URL" },
		{ "queue: postgresql://crc:pass@db/crc\n" SITE,
		  "1:8: queue: holds a password: name its file under "
		  "\"queue-password\"" },
		{ "queue: postgresql://db/crc?password=x\n" SITE,
		  "1:8: queue: holds a password: name its file under "
		  "\"queue-password\"" },
		{ "queue-password: hook\n" SITE,
		  "1:17: queue-password: only a postgresql:// queue has a password" },
		{ "public-url: deploy.example.com\n" SITE,
		  "1:13: public-url \"deploy.example.com\": must be an http or https "
		  "URL, without user and password" },
		{ "public-url: https://h/?a\n" SITE,
		  "1:13: public-url \"https://h/?a\": must have no query" },
		{ "trusted-proxies: [10.0.0.0/33]\n" SITE,
		  "1:19: trusted-proxies \"10.0.0.0/33\": must be like 127.0.0.1/32 or "
		  "fd00::/8" },
		{ "trusted-proxies: [10.0.0.1/8]\n" SITE,
		  "1:19: trusted-proxies \"10.0.0.1/8\": has bits set behind the "
		  "network's length" },
		{ "page: { user: me }\n" SITE, "1:7: \"page\" lacks \"password\"" },
		{ "page: { user: 'm:e', password: hook }\n" SITE,
		  "1:15: user \"m:e\": holds ':'" },
		{ "log: xml\n" SITE, "1:6: log \"xml\": must be json or text" },
	};

	(void)state;
	CHECK_BAD(bad);
}

static void test_settings__limits_are_read_strictly(void **state)
{
	static const struct bad bad[] = {
		{ "limits: { workers: 0 }\n" SITE,
		  "1:20: workers \"0\": must be a number from 1 to 64" },
		{ "limits: { workers: 2x }\n" SITE,
		  "1:20: workers \"2x\": must be a number from 1 to 64" },
		{ "limits: { body: 25MB }\n" SITE,
		  "1:17: body \"25MB\": must be like 64K, 25M or 2G" },
		{ "limits: { body: 25m }\n" SITE,
		  "1:17: body \"25m\": must be like 64K, 25M or 2G" },
		{ "limits: { body: -1 }\n" SITE,
		  "1:17: body \"-1\": must be like 64K, 25M or 2G" },
		{ "limits: { body: 1G }\n" SITE, "1:17: body \"1G\": is too large" },
		{ "limits: { body: 0 }\n" SITE, "1:17: body \"0\": is too small" },
		{ "limits: { memory: 999999999999G }\n" SITE,
		  "1:19: memory \"999999999999G\": must be like 64K, 25M or 2G" },
		{ "limits: { memory: 1M }\n" SITE,
		  "1:19: memory \"1M\": is too small for any deploy; 0 is no limit" },
		{ "limits: { keep: 30 }\n" SITE,
		  "1:17: keep \"30\": must be like 10s, 5m, 12h or 7d" },
		{ "limits: { keep: 1.5d }\n" SITE,
		  "1:17: keep \"1.5d\": must be like 10s, 5m, 12h or 7d" },
		{ "limits: { per-site: 60 }\n" SITE,
		  "1:21: per-site \"60\": must be like 120/min, 2/s or 0" },
		{ "limits: { per-site: 60/h }\n" SITE,
		  "1:21: per-site \"60/h\": must be like 120/min, 2/s or 0" },
		{ "limits: { attempts: }\n" SITE,
		  "1:21: attempts: a single value is wanted here, not nothing" },
	};

	(void)state;
	CHECK_BAD(bad);
}

static void test_settings__values_of_a_site(void **state)
{
	static const struct bad bad[] = {
		{ REPO("https://me:pw@h/a.git") HOOK,
		  "3:17: repository: holds a password: give user and token under "
		  "\"access\"" },
		{ REPO("https://me@h/a.git") HOOK,
		  "3:17: repository: is no URL; a user belongs under \"access\"" },
		{ REPO("file:///srv/a.git") HOOK,
		  "3:17: repository: must be an absolute path for a folder of this "
		  "machine" },
		{ REPO("srv/a.git") HOOK,
		  "3:17: repository: must be an https, http, ssh or git URL, "
		  "USER@HOST:PATH, or an absolute path" },
		{ REPO("git@-oProxyCommand:a") HOOK,
		  "3:17: repository: must be an https, http, ssh or git URL, "
		  "USER@HOST:PATH, or an absolute path" },
		{ REPO("ssh://-oProxyCommand=x/a") HOOK,
		  "3:17: repository: must be an https, http, ssh or git URL, "
		  "USER@HOST:PATH, or an absolute path" },
		{ SITE "    branch: refs/heads/main\n",
		  "6:13: branch \"refs/heads/main\": is the branch's short name, "
		  "without refs/heads/" },
		{ SITE "    branch: a..b\n",
		  "6:13: branch \"a..b\": is no name of a branch" },
		{ SITE "    build: ' '\n", "6:12: build \" \": is empty" },
		{ SITE "    arguments: [--head, x]\n",
		  "6:17: arguments: is the daemon's own business" },
		{ SITE "    arguments: [--config=x]\n",
		  "6:17: arguments: is what \"config\" is for" },
		{ SITE "    environment: { AWS_SECRET_ACCESS_KEY: x }\n",
		  "6:20: environment \"AWS_SECRET_ACCESS_KEY\": would be a secret in "
		  "this file; use a profile (AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE) "
		  "or a role" },
		{ SITE "    environment: { A=B: x }\n",
		  "6:20: environment \"A=B\": is no name of a variable" },
		{ SITE "    environment: { LD_PRELOAD: x }\n",
		  "6:20: environment \"LD_PRELOAD\": must not be set" },
	};

	(void)state;
	CHECK_BAD(bad);
}

static void test_settings__hosts_of_a_site(void **state)
{
	static const struct bad bad[] = {
		{ SITE "    poll: 5\n",
		  "6:11: poll \"5\": must be like 10s, 5m, 12h or 7d" },
		{ REPO("https://h/a.git") "    provider: gitaa\n    secrets: hook\n",
		  "4:15: provider \"gitaa\": did you mean \"gitea\"?" },
		{ REPO("https://h/a.git") "    provider: sourceforge\n",
		  "4:15: provider \"sourceforge\": no such host; \"generic\" is for any "
		  "other" },
		{ SITE "    status: { kind: githup }\n",
		  "6:21: kind \"githup\": did you mean \"github\"?" },
		{ SITE "    status: { kind: azure-devop }\n",
		  "6:21: kind \"azure-devop\": did you mean \"azure-devops\"?" },
		{ SITE "    status: { project: a/b }\n",
		  "6:13: \"status\" lacks \"kind\"" },
		{ SITE "    notify: { secret: hook }\n",
		  "6:13: \"notify\" lacks \"url\"" },
		{ SITE "    notify: { url: 'ftp://h' }\n",
		  "6:20: url: must be an http or https URL, without user and "
		  "password" },
		{ SITE
		  "    status: { kind: bitbucket-cloud, project: a/b, token: hook }\n",
		  "6:13: site \"a\": this host wants a link with each status: set "
		  "\"public-url\"" },
		{ SITE "    generic: { ref: /ref }\n",
		  "6:14: site \"a\": \"generic\" is for the provider \"generic\"" },
	};

	(void)state;
	CHECK_BAD(bad);
}

static void test_settings__access_must_fit_the_repository(void **state)
{
	static const struct bad bad[] = {
		{ REPO("ssh://git@h/a") HOOK,
		  "2:3: site \"a\": SSH needs \"access\" with an \"ssh-key\"" },
		{ REPO("git@h:a") HOOK "    access: { ssh-key: key }\n",
		  "6:13: site \"a\": SSH needs \"host-keys\" under \"access\": what "
		  "ssh-keyscan HOST | ssh-keygen -lf - prints, once it is known to be "
		  "true" },
		{ REPO("git@h:a") HOOK "    access: { token: hook }\n",
		  "6:13: site \"a\": a token is for https; SSH takes \"ssh-key\"" },
		{ REPO("git@h:a") HOOK
		  "    access: { ssh-key: key, host-keys: SHA256:abc }\n",
		  "6:40: host-keys \"SHA256:abc\": must be SHA256: and 43 characters, as "
		  "ssh-keygen -l prints it" },
		{ SITE "    access: { ssh-key: key }\n",
		  "6:13: site \"a\": \"ssh-key\" and \"host-keys\" are for SSH "
		  "repositories" },
		{ SITE "    access: { host-keys: " SSH " }\n",
		  "6:13: site \"a\": \"ssh-key\" and \"host-keys\" are for SSH "
		  "repositories" },
		{ SITE "    access: { passphrase: hook }\n",
		  "6:13: site \"a\": a passphrase without \"ssh-key\"" },
		{ SITE "    access: { user: me }\n",
		  "6:13: site \"a\": a user without \"token\" under \"access\"" },
		{ REPO("http://h/a") HOOK "    access: { token: hook }\n",
		  "6:13: site \"a\": a token must not go over an open line: it needs "
		  "https" },
		{ REPO("git://h/a") HOOK "    access: { token: hook }\n",
		  "6:13: site \"a\": a token must not go over an open line: it needs "
		  "https" },
	};

	(void)state;
	CHECK_BAD(bad);
}

static void test_settings__token_over_http_to_this_machine(void **state)
{
	CLEAN_SETTINGS struct settings *s = read_good(REPO("http://127.0.0.1:3000/a") HOOK
						      "    access: { token: hook }\n");

	(void)state;
	assert_int_equal(s->n_sites, 1);
}

#define WITH(secret) \
	REPO("https://h/a.git") "    provider: gitea\n    secrets: " secret "\n"
#define IN_PLACE                                                                \
	"5:14: secrets: looks like the secret itself; put it into a file that " \
	"only the daemon can read, and name that file or \"credential:NAME\""

static void test_settings__secrets_that_cannot_be_read(void **state)
{
	static const struct bad bad[] = {
		{ WITH("empty"), "5:14: secrets: the file is empty" },
		{ WITH("big"), "5:14: secrets: the file is over 64 KiB long" },
		{ WITH("pipe"), "5:14: secrets: is not a regular file" },
		{ WITH("credentials"), "5:14: secrets: is not a regular file" },
		{ WITH("credential:nope"),
		  "5:14: secrets: credential:nope: No such file or directory" },
		{ WITH("credential:../hook"),
		  "5:14: secrets: is no name of a credential" },
		{ WITH("'credential:'"), "5:14: secrets: is no name of a credential" },
		{ WITH("[hook, old, hook]"),
		  "5:26: secrets: two are enough, the new one and the old one" },
		{ WITH("{ a: b }"),
		  "5:14: secrets: a single value is wanted here, not a mapping" },
		{ WITH("ghp_abc"), IN_PLACE },
		{ WITH("whsec_abc"), IN_PLACE },
		{ WITH("\"a\\nb\""), IN_PLACE },
		{ WITH("8f14e45fceea167a5a36dedd4bea2543"), IN_PLACE },
	};
	CLEANUP(buf) struct buf big = BUF_INIT(65537);

	(void)state;
	while (big.len < 65537)
		buf_char(&big, 'x');
	write_file("big", big.data, 0600);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	CHECK_BAD(bad);
}

/* It may be the secret: "secrets: hunter2". */
static void test_settings__missing_file_is_not_printed(void **state)
{
	struct settings *s = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(read_text(WITH("hunter2"), &s, &err), -1);
	assert_null(strstr(err.msg, "hunter2"));
	assert_non_null(strstr(err.msg, "daemon.yml:5:14: secrets: there is no such "
					"file (relative paths are from /"));
}

static void test_settings__credentials_without_systemd(void **state)
{
	struct settings *s = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(unsetenv("CREDENTIALS_DIRECTORY"), 0);
	assert_int_equal(read_text(WITH("credential:token"), &s, &err), -1);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "credentials", 1), 0);
	assert_text(err.msg, "daemon.yml:5:14: secrets: credential:token needs "
			     "$CREDENTIALS_DIRECTORY, which systemd sets for "
			     "LoadCredential=");
}

static void test_settings__file_that_others_may_read_is_warned_of(void **state)
{
	struct settings *s;

	(void)state;
	write_file("open", "x", 0644);
	s = read_good(WITH("open"));
	assert_int_equal(s->warnings.len, 1);
	assert_text(s->warnings.items[0],
		    "daemon.yml:5: secrets: every user of this machine may read the "
		    "file: chmod o= it");
	settings_drop(s);
}

static void test_settings__open_pages_are_warned_of(void **state)
{
	static const struct {
		const char *text;
		size_t warnings;
	} cases[] = {
		{ "listen: 0.0.0.0:80\n" SITE, 2 },
		{ "listen: 0.0.0.0:80\nadmin: 127.0.0.1:81\n" SITE, 1 },
		{ "admin: 0.0.0.0:80\n" SITE, 1 },
		{ "admin: 0.0.0.0:80\npage: { user: a, password: hook }\n" SITE, 0 },
		{ "trusted-proxies: 127.0.0.1\n" SITE, 1 },
		{ "trusted-proxies: 127.0.0.1\nadmin: '[::1]:81'\n" SITE, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct settings *s = read_good(cases[i].text);

		if (s->warnings.len != cases[i].warnings)
			fail_msg("%zu warnings\n%s", s->warnings.len, cases[i].text);
		settings_drop(s);
	}
}

static void test_settings__action_must_be_there_when_named(void **state)
{
	struct settings *s = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(read_text("action: nowhere/x\n" SITE, &s, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "/nowhere/x\": No such file or directory"));
	assert_int_equal(settings_read("nowhere.yml", &s, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_settings__action_that_is_nowhere_is_warned_of(void **state)
{
	CLEAN_SETTINGS struct settings *s = NULL;

	(void)state;
	assert_int_equal(unlink("bin/crc-action"), 0);
	s = read_good(SITE);
	assert_int_equal(s->warnings.len, 1);
	assert_true(str_starts(s->warnings.items[0], "action: there is no crc-action"));
	assert_text(s->action, "/usr/bin/crc-action");
}

/* Whoever types a command may be unable to read what only the daemon may. */
static void test_settings__queue_alone(void **state)
{
	CLEAN_SETTINGS struct settings *s = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	write_file("daemon.yml",
		   "queue: postgresql://db/crc\nqueue-password: credential:token\n" WITH(
			   "nowhere"),
		   0644);
	assert_int_equal(settings_read_queue("daemon.yml", &s, &err), 0);
	assert_secret(&s->queue_password, "t0ken");
	assert_text(s->names[0], "a");
	assert_false(secret_is_set(&s->sites[0].keys.secrets[0]));
}

/* A deploy's child needs to reach the repository, and nothing else. */
static void test_settings__one_site_from_a_copy(void **state)
{
	CLEAN_SETTINGS struct settings *s = NULL;
	CLEAN_SETTINGS struct settings *child = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	s = read_good("state: .\n" SITE "    access: { token: old }\n"
		      "  b:\n    repository: /srv/b\n    provider: gitea\n"
		      "    secrets: hook\n");
	assert_text(s->copy, s->path);
	assert_int_equal(fs_make_folders("elsewhere", &err), 0);
	s->state = "elsewhere";
	assert_int_equal(settings_keep(s, &err), 0);
	assert_text(s->copy, "elsewhere/daemon.yml");
	write_file("daemon.yml", "wrong", 0600);
	assert_int_equal(unlink("hook"), 0);
	if (settings_read_site(s->copy, s->folder, "a", &child, &err) < 0)
		fail_msg("%s", err.msg);
	assert_text(child->folder, folder);
	assert_in_folder(child->state, ".");
	assert_secret(&child->sites[0].access.token, "0ld");
	assert_false(secret_is_set(&child->sites[0].keys.secrets[0]));
	/* That one of its own cannot be read is told. */
	assert_int_equal(unlink("old"), 0);
	assert_int_equal(settings_read_site(s->copy, s->folder, "a", &child, &err), -1);
	assert_non_null(strstr(err.msg, "token: there is no such file"));
}

static void test_settings__box_keeps_what_is_held(void **state)
{
	struct settings *first = read_good(SITE);
	struct settings *second = read_good("log: text\n" SITE);
	struct settings_box *box = settings_box_new(first);
	struct settings *held = settings_now(box);

	(void)state;
	assert_ptr_equal(held, first);
	settings_swap(box, second);
	assert_text(held->sites[0].name, "a"); /* alive: ASan would tell */
	settings_drop(held);
	held = settings_now(box);
	assert_ptr_equal(held, second);
	settings_box_free(box);
	assert_false(held->json_log);
	settings_drop(held);
}

static void test_settings__numbers_with_units(void **state)
{
	(void)state;
	assert_int_equal(settings_size("0"), 0);
	assert_int_equal(settings_size("4096"), 4096);
	assert_int_equal(settings_size("2G"), INT64_C(2147483648));
	assert_int_equal(settings_size("01K"), -1);
	assert_int_equal(settings_size(""), -1);
	assert_int_equal(settings_size("K"), -1);
	assert_int_equal(settings_size("1 K"), -1);
	assert_int_equal(settings_size("999999999999G"), -1);
	assert_int_equal(settings_duration_ms("7d"), 604800000);
	assert_int_equal(settings_duration_ms("10"), -1);
	assert_int_equal(settings_rate("2/s"), 120);
	assert_int_equal(settings_rate("2/"), -1);
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(test_settings__##name, enter_folder, leave_folder)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(least_file_has_sensible_defaults),
		TEST(every_key_of_the_file),
		TEST(every_key_of_a_site),
		TEST(keys_of_ssh_and_of_the_generic_row),
		TEST(shape_of_the_file),
		TEST(values_of_the_file),
		TEST(limits_are_read_strictly),
		TEST(values_of_a_site),
		TEST(hosts_of_a_site),
		TEST(access_must_fit_the_repository),
		TEST(token_over_http_to_this_machine),
		TEST(secrets_that_cannot_be_read),
		TEST(missing_file_is_not_printed),
		TEST(credentials_without_systemd),
		TEST(file_that_others_may_read_is_warned_of),
		TEST(open_pages_are_warned_of),
		TEST(action_must_be_there_when_named),
		TEST(action_that_is_nowhere_is_warned_of),
		TEST(queue_alone),
		TEST(one_site_from_a_copy),
		TEST(box_keeps_what_is_held),
		TEST(numbers_with_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

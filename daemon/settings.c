#include "daemon/settings.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "daemon/settings_private.h"
#include "io/fs.h"

/* A life */

struct settings *settings_new(void)
{
	struct settings *s = xcalloc(1, sizeof(*s));

	s->arena = (struct arena)ARENA_INIT;
	str_list_push(&s->listen, "127.0.0.1:8700");
	s->state = "/var/lib/crc";
	s->json_log = true;
	s->workers = 2;
	s->threads = 64;
	s->body_most = 25 << 20;
	s->body_ms = 10000;
	s->address_per_min = 120;
	s->site_per_min = 60;
	s->deploy_ms = 30 * 60000;
	s->memory = INT64_C(2) << 30;
	s->log_most = 4 << 20;
	s->attempts = 5;
	s->lease_ms = 60000;
	s->keep_ms = INT64_C(30) * 86400000;
	atomic_init(&s->refs_, 1);
	return s;
}

static void site_release(struct site *site)
{
	secret_release(&site->access.token);
	secret_release(&site->access.passphrase);
	str_list_release(&site->access.host_keys);
	str_list_release(&site->arguments);
	str_list_release(&site->environment);
	for (size_t i = 0; i < PROVIDER_SECRETS_MOST; i++)
		secret_release(&site->keys.secrets[i]);
	secret_release(&site->status.token);
	secret_release(&site->notify_secret);
}

struct settings *settings_hold(struct settings *s)
{
	atomic_fetch_add(&s->refs_, 1);
	return s;
}

void settings_drop(struct settings *s)
{
	if (!s || atomic_fetch_sub(&s->refs_, 1) > 1)
		return;
	for (size_t i = 0; i < s->n_sites; i++)
		site_release(&s->sites[i]);
	secret_release(&s->queue_password);
	secret_release(&s->page_password);
	str_list_release(&s->listen);
	str_list_release(&s->admin);
	str_list_release(&s->trusted);
	str_list_release(&s->warnings);
	arena_release(&s->arena);
	free(s);
}

const struct site *settings_site(const struct settings *s, const char *name)
{
	for (size_t i = 0; i < s->n_sites; i++)
		if (str_eq(s->sites[i].name, name))
			return &s->sites[i];
	return NULL;
}

/* Reading */

int settings_fail_at(const struct settings_draft *d, unsigned line, unsigned column,
		     struct error *err, const char *fmt, ...)
{
	char message[ERROR_MSG_MAX];
	va_list args;

	va_start(args, fmt);
	vsnprintf(message, sizeof(message), fmt, args);
	va_end(args);
	for (char *p = message; *p; p++)
		if ((unsigned char)*p < 0x20 || *p == 0x7F)
			*p = '?';
	return error_set(err, ERR_CONFIG, "%s:%u:%u: %s", d->name, line, column, message);
}

static const char *absolute(struct arena *arena, const char *path)
{
	char folder[PATH_MAX];

	if (*path == '/' || !getcwd(folder, sizeof(folder)))
		return arena_strdup(arena, path);
	return arena_printf(arena, "%s/%s", folder, path);
}

static const char *folder_of(struct arena *arena, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return ".";
	return slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
}

static const char *action_in(struct arena *arena, const char *folder, size_t n)
{
	const char *path = arena_printf(arena, "%.*s/crc-action", (int)n, folder);

	return *folder == '/' && access(path, X_OK) == 0 ? path : NULL;
}

/* crc-action beside this program, else where the PATH has it. NULL: nowhere. */
static const char *find_action(struct arena *arena)
{
	char self[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *paths = getenv("PATH");
	const char *found = NULL;
	const char *slash;

	if (len > 0) {
		self[len] = '\0';
		slash = strrchr(self, '/');
		found = slash ? action_in(arena, self, (size_t)(slash - self)) : NULL;
	}
	while (!found && paths && *paths) {
		size_t n = strcspn(paths, ":");

		found = action_in(arena, paths, n);
		paths += n + (paths[n] == ':');
	}
	return found;
}

static int settle_action(const struct settings_draft *d, struct error *err)
{
	const struct yaml_node *given = yaml_get(d->root, "action");
	struct settings *s = d->settings;

	if (given && access(s->action, X_OK) < 0)
		return settings_fail_at(d, given->line, given->column, err,
					"action \"%s\": %s", s->action, strerror(errno));
	if (!given)
		s->action = find_action(&s->arena);
	if (s->action)
		return 0;
	/* Deliveries can be taken all the same, and wait. */
	s->action = "/usr/bin/crc-action";
	str_list_push(&s->warnings,
		      "action: there is no crc-action beside crc-daemon or on the PATH: "
		      "nothing can be deployed");
	return 0;
}

static int read_draft(struct settings_draft *d, struct error *err)
{
	CLEANUP(buf) struct buf text = BUF_INIT(YAML_BYTES_MOST);

	if (fs_read(d->settings->path, &text, err) < 0)
		return -1;
	d->settings->text = arena_strndup(&d->settings->arena, text.data, text.len);
	if (settings_parse(d, text.data, text.len, err) < 0)
		return -1;
	if (settings_read_files(d, getenv("CREDENTIALS_DIRECTORY"), err) < 0)
		return -1;
	if (settings_check(d, err) < 0)
		return -1;
	return settle_action(d, err);
}

/* draft: what is asked for; the rest of it is filled in. */
static int read_settings(const char *path, struct settings_draft d, struct settings **out,
			 struct error *err)
{
	struct settings *s = settings_new();
	int rc;

	d.settings = s;
	d.name = path;
	s->path = s->copy = absolute(&s->arena, path);
	s->folder = d.folder ? arena_strdup(&s->arena, d.folder)
			     : folder_of(&s->arena, s->path);
	d.folder = s->folder;
	rc = read_draft(&d, err);
	settings_files_release(&d.files);
	if (rc < 0)
		settings_drop(s);
	else
		*out = s;
	return rc;
}

int settings_read(const char *path, struct settings **out, struct error *err)
{
	const struct settings_draft all = { .extent = SETTINGS_ALL };

	return read_settings(path, all, out, err);
}

int settings_read_queue(const char *path, struct settings **out, struct error *err)
{
	const struct settings_draft queue = { .extent = SETTINGS_QUEUE };

	return read_settings(path, queue, out, err);
}

int settings_read_site(const char *path, const char *folder, const char *site,
		       struct settings **out, struct error *err)
{
	const struct settings_draft access = { .extent = SETTINGS_SITE,
					       .folder = folder,
					       .site = site };

	return read_settings(path, access, out, err);
}

int settings_keep(struct settings *s, struct error *err)
{
	const char *copy = arena_printf(&s->arena, "%s/daemon.yml", s->state);

	if (fs_write(copy, s->text, strlen(s->text), err) < 0)
		return error_wrap(err, "keep a copy of %s", s->path);
	s->copy = copy;
	return 0;
}

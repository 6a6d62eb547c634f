/* daemon_fixture.h - what is behind the daemon's HTTP surface, on a queue of its own: for fuzz targets. */
#ifndef DAEMON_FIXTURE_H
#define DAEMON_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/mem.h"
#include "daemon/front.h"
#include "io/fs.h"

enum { DAEMON_FIXTURE_PATH = 300 };

struct daemon_fixture {
	char folder[DAEMON_FIXTURE_PATH / 2];
	char state[DAEMON_FIXTURE_PATH];
	struct clock_fake clock;
	struct front front;
};

/* Of the fixture's folder; a list ends with NULL. */
struct daemon_file {
	const char *name, *text;
};

static void daemon_fixture_must(int rc, const struct error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "daemon fixture: %s\n", err->msg);
	abort();
}

/* Each write of a queue waits for the disk, so it is in memory where that is to be had. */
static void daemon_fixture_folder(struct daemon_fixture *f)
{
	CLEANUP(buf) struct buf folder = BUF_INIT(DAEMON_FIXTURE_PATH / 2);
	struct error err = ERROR_INIT;
	struct stat st;
	const char *parent = stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp";

	daemon_fixture_must(fs_make_temp(parent, &folder, &err), &err);
	snprintf(f->folder, sizeof f->folder, "%s", folder.data);
}

static void daemon_fixture_write(const struct daemon_fixture *f,
				 const struct daemon_file *file)
{
	struct error err = ERROR_INIT;
	char path[DAEMON_FIXTURE_PATH];

	snprintf(path, sizeof path, "%s/%s", f->folder, file->name);
	daemon_fixture_must(fs_write(path, file->text, strlen(file->text), &err), &err);
}

/* files has a daemon.yml, whose state is "state". Whatever goes wrong aborts. */
static void daemon_fixture_make(struct daemon_fixture *f, const struct daemon_file *files)
{
	enum { NOW_MS = 1764000000 };
	struct error err = ERROR_INIT;
	struct settings *s = NULL;
	char path[DAEMON_FIXTURE_PATH];

	*f = (struct daemon_fixture){ .folder = "" };
	daemon_fixture_folder(f);
	for (; files->name; files++)
		daemon_fixture_write(f, files);
	snprintf(path, sizeof path, "%s/daemon.yml", f->folder);
	daemon_fixture_must(settings_read(path, &s, &err), &err);
	daemon_fixture_must(fs_make_folders(s->state, &err), &err);
	snprintf(f->state, sizeof f->state, "%s", s->state);
	clock_fake_init(&f->clock, (int64_t)NOW_MS * 1000);
	f->front = (struct front){ .settings = settings_box_new(s),
				   .metrics = metrics_new(0),
				   .clock = &f->clock.clock,
				   .addresses = limits_new(),
				   .sites = limits_new() };
	snprintf(path, sizeof path, "%s/queue.db", f->folder);
	daemon_fixture_must(
		queue_open(path, NULL, "fixture", NULL, &f->front.queue, &err), &err);
}

static void daemon_fixture_release(struct daemon_fixture *f)
{
	struct error ignored = ERROR_INIT;

	queue_free(f->front.queue);
	limits_free(f->front.addresses);
	limits_free(f->front.sites);
	metrics_free(f->front.metrics);
	settings_box_free(f->front.settings);
	fs_remove_tree(f->folder, &ignored);
}

#endif

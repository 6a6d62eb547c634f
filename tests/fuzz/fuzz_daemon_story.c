/* A byte that chooses how, then a deploy's log: written as it is, or line by line as a child's output
 * (a line that begins with '!' is of its standard error). Whatever it is, the deploy's page is text in
 * tags of ours. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "daemon/joblog.h"
#include "daemon/page.h"
#include "daemon/story.h"
#include "daemon_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { AS_IT_IS, AS_OUTPUT, WAYS, INPUT_MOST = 1 << 16, LOG_MOST = 1 << 15 };

static const char daemon_yml[] = "listen: 127.0.0.1:0\n"
				 "state: state\n"
				 "action: /bin/true\n"
				 "sites:\n"
				 "  resume:\n"
				 "    repository: https://git.example.com/me/resume.git\n"
				 "    provider: generic\n"
				 "    secrets: [token]\n";

static struct daemon_fixture world;

static void remove_world(void)
{
	daemon_fixture_release(&world);
}

/* Once, with a job that the logs are of. */
static void make_world(void)
{
	static const struct daemon_file files[] = { { "token", "whsec_c2VjcmV0\n" },
						    { "daemon.yml", daemon_yml },
						    { NULL, NULL } };
	struct error err = ERROR_INIT;
	const struct queue_put put = { .site = "resume",
				       .cause = CAUSE_REDEPLOY,
				       .delivery = "",
				       .before = "",
				       .commit = "",
				       .now_ms = 1 };
	enum queue_put_result result;
	char path[DAEMON_FIXTURE_PATH];

	daemon_fixture_make(&world, files);
	assert(snprintf(path, sizeof path, "%s/logs", world.state) < (int)sizeof path);
	assert(fs_make_folders(path, &err) == 0);
	assert(queue_put(world.front.queue, &put, &result, &err) == 0);
	atexit(remove_world);
}

static void write_as_output(const char *p, const char *end)
{
	struct error err = ERROR_INIT;
	struct joblog *log = NULL;

	assert(joblog_open(world.state, 1, LOG_MOST, &log, &err) == 0);
	joblog_attempt(log, 1, 1);
	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));
		const char *line = *p == '!' ? p + 1 : p;

		if (!stop)
			stop = end;
		if (line <= stop)
			joblog_line(log, 2, line != p, line, (size_t)(stop - line));
		p = stop + 1;
	}
	joblog_free(log);
}

static void write_log(int way, const char *bytes, size_t n)
{
	struct error err = ERROR_INIT;
	char path[DAEMON_FIXTURE_PATH + 32];

	snprintf(path, sizeof path, "%s/logs/1.jsonl", world.state);
	assert(fs_write(path, "", 0, &err) == 0);
	if (way == AS_OUTPUT)
		write_as_output(bytes, bytes + n);
	else
		assert(fs_write(path, bytes, n, &err) == 0);
}

/* A tag that pages are made of, from its '<' on. */
static bool is_ours(const char *tag)
{
	static const char *const names[] = {
		"!DOCTYPE", "html", "head", "meta", "title",   "link", "noscript",
		"script",   "body", "main", "p",    "a",       "h1",   "h2",
		"div",      "dl",   "dt",   "dd",   "span",    "time", "ol",
		"ul",       "li",   "code", "pre",  "section", "bdi",  "footer"
	};
	size_t n = strcspn(tag += tag[1] == '/' ? 2 : 1, " >");

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strlen(names[i]) == n && strncmp(names[i], tag, n) == 0)
			return true;
	}
	return false;
}

static void check_page(const struct buf *page)
{
	size_t scripts = 0;

	assert(strlen(page->data) == page->len && str_is_utf8(page->data, page->len));
	for (const char *p = page->data; (p = strchr(p, '<')); p++) {
		assert(is_ours(p));
		scripts += str_starts(p, "<script");
	}
	assert(scripts == 1);
	for (const char *p = page->data; *p; p++)
		assert((unsigned char)*p >= ' ' || *p == '\n' || *p == '\t');
}

static void ask(const char *path, const char *query, struct answer *a)
{
	struct settings *s = settings_now(world.front.settings);
	const struct page page = { .settings = s,
				   .queue = world.front.queue,
				   .now_ms = world.clock.now_ms };
	const struct request r = { .method = "GET", .path = path, .query = query };

	assert(page_answer(&page, &r, a));
	assert(a->status == 200 && !a->body.overflowed);
	settings_drop(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(answer) struct answer page = ANSWER_INIT;
	CLEANUP(answer) struct answer log = ANSWER_INIT;
	CLEANUP(answer) struct answer rest = ANSWER_INIT;

	if (size < 1 || size > INPUT_MOST || data[0] >= WAYS)
		return 0;
	if (!world.front.queue)
		make_world();
	write_log(data[0], (const char *)data + 1, size - 1);
	ask("/deploys/1", "", &page);
	check_page(&page.body);
	ask("/deploys/1/log.json", "", &log);
	assert(log.body.len <= (data[0] == AS_IT_IS ? size : (size_t)2 * LOG_MOST));
	ask("/deploys/1/log.json", "from=7", &rest);
	return 0;
}

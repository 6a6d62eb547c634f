/* A byte that chooses the door, then what CivetWeb would hand on: lines of a method, a path, a
 * query, the length that is told and headers, an empty line, and the body. Whatever it is, there is
 * an answer of ours, and nobody without the token gets a push into the queue or sees the page. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "daemon_fixture.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADERS_MOST = 64, LINES_MOST = HEADERS_MOST + 4, INPUT_MOST = 1 << 13 };

/* For what a fuzzer does not guess stand bytes: 1 for this, 2 for the signature of the body with
 * it, in hex, 3 for the page's user and password. */
static const char token[] = "s3cret-token-of-this-site";
static const char password[] = "Basic bWU6cGFnZS1wYXNzd29yZA==";

static const char daemon_yml[] = "listen: 127.0.0.1:0\n"
				 "state: state\n"
				 "action: /bin/true\n"
				 "page: { user: me, password: page }\n"
				 "limits: { body: 4K, per-address: 0, per-site: 0 }\n"
				 "sites:\n"
				 "  resume:\n"
				 "    repository: https://git.example.com/me/resume.git\n"
				 "    provider: generic\n"
				 "    generic: { auth: token, header: X-Token }\n"
				 "    secrets: [token]\n"
				 "  gitea:\n"
				 "    repository: https://git.example.com/me/resume.git\n"
				 "    provider: gitea\n"
				 "    secrets: [token]\n"
				 "  azure:\n"
				 "    repository: https://git.example.com/me/resume.git\n"
				 "    provider: azure-devops\n"
				 "    secrets: [token]\n";

static struct daemon_fixture world;

static void remove_world(void)
{
	daemon_fixture_release(&world);
}

/* Once. */
static void make_world(void)
{
	static const struct daemon_file files[] = { { "token", token },
						    { "page", "page-password\n" },
						    { "daemon.yml", daemon_yml },
						    { NULL, NULL } };

	daemon_fixture_make(&world, files);
	atexit(remove_world);
}

/* Jobs that wait, for all sites. */
static int64_t pending(void)
{
	struct error err = ERROR_INIT;
	struct queue_numbers n;

	assert(queue_count(world.front.queue, &n, &err) == 0);
	return n.pending;
}

struct input {
	const char *all, *rest, *end;
	char *lines[LINES_MOST]; /* owned */
	size_t n_lines;
	struct request_header headers[HEADERS_MOST];
	bool has_token, has_password;
};

/* Of what follows the first empty line. */
static void add_signature(const struct input *in, struct buf *out)
{
	const char *body = in->all;
	unsigned char mac[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1];

	while (body < in->end &&
	       (body < in->all + 2 || body[-1] != '\n' || body[-2] != '\n'))
		body++;
	hash_hmac_sha256(token, sizeof token - 1, body, (size_t)(in->end - body), mac);
	encode_hex(mac, sizeof mac, hex);
	buf_str(out, hex);
}

static void add_text(struct input *in, const char *from, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		in->has_token = in->has_token || from[i] == '\1' || from[i] == '\2';
		in->has_password = in->has_password || from[i] == '\3';
		if (from[i] == '\1')
			buf_str(out, token);
		else if (from[i] == '\2')
			add_signature(in, out);
		else if (from[i] == '\3')
			buf_str(out, password);
		else
			buf_char(out, from[i]);
	}
}

/* Owned by in. */
static char *next_line(struct input *in)
{
	CLEANUP(buf) struct buf line = BUF_INIT((size_t)1 << 20);
	size_t left = (size_t)(in->end - in->rest);
	const char *stop = left ? memchr(in->rest, '\n', left) : NULL;
	size_t n = stop ? (size_t)(stop - in->rest) : left;

	add_text(in, in->rest, n, &line);
	in->rest += n + (stop ? 1 : 0);
	return in->lines[in->n_lines++] = xstrndup(line.data, line.len);
}

static void take_headers(struct input *in, struct request *r)
{
	r->headers = in->headers;
	while (in->n_lines < LINES_MOST && in->rest < in->end) {
		char *line = next_line(in);
		char *colon = strchr(line, ':');

		if (!*line)
			break;
		if (!colon)
			continue;
		*colon = '\0';
		in->headers[r->n_headers++] = (struct request_header){ line, colon + 1 };
	}
}

static bool is_open(enum front_door door, const char *path)
{
	return str_eq(path, "/healthz") || str_eq(path, "/readyz") ||
	       (str_eq(path, "/metrics") && door != FRONT_HOOKS);
}

static void check(enum front_door door, const struct input *in, const struct request *r,
		  const struct answer *a, int64_t more)
{
	static const int statuses[] = {
		200, 202, 400, 401, 404, 405, 411, 413, 429, 503
	};
	bool known = false;

	for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++)
		known = known || statuses[i] == a->status;
	assert(known);
	assert(a->content_type && !a->body.overflowed);
	assert(more == 0 || (more == 1 && a->status == 202));
	if (a->status == 202)
		assert(in->has_token && door != FRONT_ADMIN && str_eq(r->method, "POST"));
	if (a->status == 200 && !is_open(door, r->path))
		assert(str_starts(r->path, "/hooks/") ? in->has_token : in->has_password);
}

static void ask(enum front_door door, const struct input *in, struct request *r,
		long long length)
{
	CLEANUP(answer) struct answer a = ANSWER_INIT;
	int64_t ms = 0;
	/* A new push takes the place of one that waits, so that nothing may be left over. */
	int64_t before = pending();

	if (front_takes_body(&world.front, door, r, length, &ms, &a)) {
		assert(ms > 0 && length >= 0 && length <= 4096);
		front_answer(&world.front, door, r, &a);
	}
	check(door, in, r, &a, pending() - before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf) struct buf body = BUF_INIT((size_t)1 << 20);
	struct input in = { .all = (const char *)data + 1,
			    .rest = (const char *)data + 1,
			    .end = (const char *)data + size };
	struct request r = { .peer = "192.0.2.1" };
	long long length;

	if (size < 1 || size > INPUT_MOST || data[0] > FRONT_ADMIN)
		return 0;
	if (!world.front.queue)
		make_world();
	r.method = next_line(&in);
	r.path = next_line(&in);
	r.query = next_line(&in);
	length = strtoll(next_line(&in), NULL, 10);
	take_headers(&in, &r);
	add_text(&in, in.rest, (size_t)(in.end - in.rest), &body);
	r.body = body.data;
	r.body_len = body.len;
	ask((enum front_door)data[0], &in, &r, length < 0 ? -1 : length);
	world.clock.now_ms += 10;
	for (size_t i = 0; i < in.n_lines; i++)
		free(in.lines[i]);
	return 0;
}

/* The HTTP surface and what it lets into the queue: front.h, accept.h. On a queue of its own,
 * without a socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "daemon/front.h"
#include "io/fs.h"

#define ZERO "0000000000000000000000000000000000000000"
#define A    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B    "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define PUSH(before, after) \
	"{\"ref\":\"refs/heads/main\",\"before\":\"" before "\",\"after\":\"" after "\"}"

static const char daemon_yml[] =
	"listen: 127.0.0.1:0\n"
	"state: state\n"
	"action: /bin/true\n"
	"page: { user: me, password: page }\n"
	"limits: { body: 4K, per-address: 20/min, per-site: 10/min }\n"
	"sites:\n"
	"  resume:\n"
	"    repository: https://git.example.com/me/resume.git\n"
	"    provider: generic\n"
	"    generic: { auth: token, header: X-Token }\n"
	"    secrets: [token]\n"
	"  signed:\n"
	"    repository: https://git.example.com/me/signed.git\n"
	"    provider: generic\n"
	"    secrets: [key]\n";

struct world {
	char folder[256];
	struct clock_fake clock;
	struct front front;
};

static void put_file(const struct world *w, const char *name, const char *text)
{
	struct error err = ERROR_INIT;
	char path[300];

	snprintf(path, sizeof path, "%s/%s", w->folder, name);
	if (fs_write(path, text, strlen(text), &err))
		fail_msg("%s", err.msg);
}

static int setup(void **state)
{
	struct world *w = xcalloc(1, sizeof *w);
	struct error err = ERROR_INIT;
	struct buf folder = BUF_INIT(200);
	struct settings *s = NULL;
	char path[300];

	assert_int_equal(fs_make_temp("/tmp", &folder, &err), 0);
	snprintf(w->folder, sizeof w->folder, "%s", folder.data);
	buf_release(&folder);
	put_file(w, "daemon.yml", daemon_yml);
	put_file(w, "token", "s3cret-token-of-this-site\n");
	put_file(w, "key", "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=\n");
	put_file(w, "page", "page-password\n");
	snprintf(path, sizeof path, "%s/daemon.yml", w->folder);
	if (settings_read(path, &s, &err))
		fail_msg("%s", err.msg);
	assert_int_equal(fs_make_folders(s->state, &err), 0);
	clock_fake_init(&w->clock, 1764000000000);
	w->front = (struct front){ .settings = settings_box_new(s),
				   .metrics = metrics_new(0),
				   .clock = &w->clock.clock,
				   .addresses = limits_new(),
				   .sites = limits_new() };
	snprintf(path, sizeof path, "%s/queue.db", w->folder);
	if (queue_open(path, NULL, "test", NULL, &w->front.queue, &err))
		fail_msg("%s", err.msg);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_INIT;

	queue_free(w->front.queue);
	limits_free(w->front.addresses);
	limits_free(w->front.sites);
	metrics_free(w->front.metrics);
	settings_box_free(w->front.settings);
	fs_remove_tree(w->folder, &err);
	free(w);
	return 0;
}

/* Sends a request as server.c does; the answer's status. */
static int ask(struct world *w, enum front_door door, struct request *r, struct answer *a)
{
	int64_t ms;

	if (!r->peer)
		r->peer = "192.0.2.1";
	if (!r->query)
		r->query = "";
	if (!r->body)
		r->body = "";
	if (r->body_len == 0)
		r->body_len = strlen(r->body);
	*a = (struct answer)ANSWER_INIT;
	if (front_takes_body(&w->front, door, r, (long long)r->body_len, &ms, a))
		front_answer(&w->front, door, r, a);
	return a->status;
}

static int push(struct world *w, const char *token, const char *body,
		const char *delivery)
{
	const struct request_header headers[] = { { "X-Token", token },
						  { "webhook-id", delivery } };
	struct request r = { .method = "POST",
			     .path = "/hooks/resume",
			     .headers = headers,
			     .n_headers = 2,
			     .body = body };
	CLEANUP(answer) struct answer a;

	return ask(w, FRONT_ALL, &r, &a);
}

static const char good[] = "s3cret-token-of-this-site";

static int64_t pending(struct world *w)
{
	struct error err = ERROR_INIT;
	struct queue_numbers n;

	assert_int_equal(queue_count(w->front.queue, &n, &err), 0);
	return n.pending;
}

static void test_front__push(void **state)
{
	struct world *w = *state;
	struct error err = ERROR_INIT;
	CLEANUP(job_list) struct job_list jobs = { 0 };

	assert_int_equal(push(w, good, PUSH(ZERO, A), "d1"), 202);
	assert_int_equal(push(w, good, PUSH(A, B), "d2"), 202);
	assert_int_equal(pending(w), 1);
	assert_int_equal(queue_list(w->front.queue, "resume", 9, &jobs, &err), 0);
	assert_int_equal(jobs.len, 2);
	assert_string_equal(jobs.items[0].commit, B);
	assert_string_equal(jobs.items[0].before, A);
	assert_string_equal(jobs.items[0].delivery, "d2");
	assert_int_equal(jobs.items[1].state, JOB_SUPERSEDED);
}

static void test_front__replay(void **state)
{
	struct world *w = *state;

	assert_int_equal(push(w, good, PUSH(ZERO, A), "d1"), 202);
	/* By its name, and by its bytes under another name, which nobody signed. */
	assert_int_equal(push(w, good, PUSH(ZERO, A), "d1"), 200);
	assert_int_equal(push(w, good, PUSH(ZERO, A), "d9"), 200);
	/* Other bytes were signed, whatever they are called: they are lost if they are not taken. */
	assert_int_equal(push(w, good, PUSH(A, B), "d1"), 202);
	/* What is old in both is a replay, whatever was asked for since. */
	assert_int_equal(push(w, good, PUSH(ZERO, A), "d1"), 200);
	/* Once something else was asked for, the first bytes may be a push again. */
	assert_int_equal(push(w, good, PUSH(ZERO, A), "d8"), 202);
	assert_int_equal(pending(w), 1);
}

static void test_front__nothing_follows(void **state)
{
	struct world *w = *state;
	static const char *const bodies[] = {
		"{\"ref\":\"refs/heads/other\",\"before\":\"" A "\",\"after\":\"" B "\"}",
		"{\"ref\":\"refs/tags/main\",\"before\":\"" A "\",\"after\":\"" B "\"}",
		PUSH(A, ZERO),
	};

	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		assert_int_equal(push(w, good, bodies[i], bodies[i] + 40), 200);
	}
	assert_int_equal(pending(w), 0);
}

static void test_front__refused(void **state)
{
	struct world *w = *state;
	char large[5000];

	assert_int_equal(push(w, "wrong", PUSH(ZERO, A), "d1"), 401);
	assert_int_equal(push(w, "", PUSH(ZERO, A), "d1"), 401);
	assert_int_equal(push(w, good, "{", "d1"), 400);
	assert_int_equal(push(w, good, "{}", "d1"), 400);
	memset(large, ' ', sizeof large - 1);
	large[sizeof large - 1] = '\0';
	assert_int_equal(push(w, good, large, "d1"), 413);
	assert_int_equal(pending(w), 0);
}

static void test_front__odd_framing(void **state)
{
	struct world *w = *state;
	const struct request_header headers[] = { { "X-Token", good },
						  { "Content-Length", "2" },
						  { "content-length", "3" } };
	const struct request_header chunked[] = { { "X-Token", good },
						  { "transfer-encoding", "chunked" } };
	struct request r = { .method = "POST",
			     .path = "/hooks/resume",
			     .headers = headers,
			     .n_headers = 3,
			     .body = PUSH(ZERO, A) };
	CLEANUP(answer) struct answer a = ANSWER_INIT;
	int64_t ms;

	assert_int_equal(ask(w, FRONT_ALL, &r, &a), 400);
	answer_release(&a);
	r.headers = chunked;
	r.n_headers = 2;
	assert_int_equal(ask(w, FRONT_ALL, &r, &a), 400);
	answer_release(&a);
	a = (struct answer)ANSWER_INIT;
	r.n_headers = 1;
	assert_false(front_takes_body(&w->front, FRONT_ALL, &r, -1, &ms, &a));
	assert_int_equal(a.status, 411);
}

static void test_front__length_in_digits(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *length;
		int status;
	} cases[] = {
		{ "2", 401 },   { "002", 401 },  { "+2", 400 },  { "2, 2", 400 },
		{ "0x2", 400 }, { "-2", 400 },   { "", 400 },    { "2 \t", 401 },
		{ "2;", 400 },  { "2\t3", 400 }, { "two", 400 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct request_header header = { "content-length",
						       cases[i].length };
		struct request r = { .method = "POST",
				     .path = "/hooks/resume",
				     .headers = &header,
				     .n_headers = 1,
				     .body = "{}" };
		CLEANUP(answer) struct answer a;

		if (ask(w, FRONT_ALL, &r, &a) != cases[i].status)
			fail_msg("%s: %d", cases[i].length, a.status);
	}
}

/* Who is let in, by door and path. */
static void test_front__doors(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *method, *path;
		enum front_door door;
		int status;
	} cases[] = {
		{ "GET", "/healthz", FRONT_HOOKS, 200 },
		{ "GET", "/readyz", FRONT_ADMIN, 200 },
		{ "GET", "/metrics", FRONT_ADMIN, 200 },
		{ "GET", "/metrics", FRONT_ALL, 200 },
		{ "GET", "/metrics", FRONT_HOOKS, 404 },
		{ "GET", "/", FRONT_HOOKS, 404 },
		{ "GET", "/", FRONT_ADMIN, 401 },
		{ "HEAD", "/", FRONT_ALL, 401 },
		{ "POST", "/", FRONT_ALL, 405 },
		{ "DELETE", "/healthz", FRONT_ALL, 405 },
		{ "POST", "/hooks/resume", FRONT_ADMIN, 404 },
		{ "GET", "/hooks/resume", FRONT_ALL, 405 },
		{ "POST", "/hooks/other", FRONT_ALL, 404 },
		{ "POST", "/hooks/", FRONT_ALL, 404 },
		{ "POST", "/hooks/resume/", FRONT_ALL, 404 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct request r = { .method = cases[i].method, .path = cases[i].path };
		CLEANUP(answer) struct answer a;

		if (ask(w, cases[i].door, &r, &a) != cases[i].status)
			fail_msg("%s %s: %d", cases[i].method, cases[i].path, a.status);
	}
}

static void test_front__page_password(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *given;
		int status;
	} cases[] = {
		{ "me:page-password", 200 },
		{ "me:page-passwor", 401 },
		{ "me:page-password ", 401 },
		{ "you:page-password", 401 },
		{ "me:", 401 },
		{ "", 401 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		CLEANUP(buf) struct buf value = BUF_INIT(200);
		buf_str(&value, "Basic ");
		encode_base64(cases[i].given, strlen(cases[i].given), &value);
		const struct request_header header = { "authorization", value.data };
		struct request r = {
			.method = "GET", .path = "/", .headers = &header, .n_headers = 1
		};
		CLEANUP(answer) struct answer a;

		assert_int_equal(ask(w, FRONT_ALL, &r, &a), cases[i].status);
	}
}

static void test_front__limits(void **state)
{
	struct world *w = *state;
	char id[32], body[200];
	int accepted = 0, status = 0;

	/* Ten of the site's. */
	for (int i = 0; i < 12; i++) {
		snprintf(id, sizeof id, "d%d", i);
		snprintf(body, sizeof body,
			 "{\"ref\":\"refs/heads/main\",\"after\":\"%040d\"}", i + 1);
		accepted += push(w, good, body, id) == 202;
	}
	assert_int_equal(accepted, 10);
	/* Twenty of the address's, whatever is sent. */
	for (int i = 12; i < 20; i++)
		assert_int_equal(push(w, "wrong", "{}", "x"), 401);
	status = push(w, "wrong", "{}", "x");
	assert_int_equal(status, 429);
	w->clock.now_ms += 60000;
	assert_int_equal(push(w, "wrong", "{}", "x"), 401);
}

static void test_front__draining(void **state)
{
	struct world *w = *state;
	struct request r = { .method = "GET", .path = "/readyz" };
	CLEANUP(answer) struct answer a;

	atomic_store(&w->front.draining, 1);
	assert_int_equal(push(w, good, PUSH(ZERO, A), "d1"), 503);
	assert_int_equal(ask(w, FRONT_ALL, &r, &a), 503);
	assert_int_equal(pending(w), 0);
}

static off_t written(const struct world *w)
{
	char path[300];
	struct stat st = { .st_size = 0 };

	snprintf(path, sizeof path, "%s/queue.db-wal", w->folder);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void test_front__asking_often_writes_little(void **state)
{
	struct world *w = *state;
	off_t before = written(w), after = 0;

	for (int i = 0; i < 20; i++) {
		struct request r = { .method = "GET", .path = "/readyz" };
		CLEANUP(answer) struct answer a;

		assert_int_equal(ask(w, FRONT_ALL, &r, &a), 200);
		if (i == 0)
			after = written(w);
		assert_true(after > before && written(w) == after);
	}
	w->clock.now_ms += 1000;
	struct request r = { .method = "GET", .path = "/readyz" };
	CLEANUP(answer) struct answer a;
	assert_int_equal(ask(w, FRONT_ALL, &r, &a), 200);
	assert_true(written(w) > after);
}

/* A push of the site that takes Standard Webhooks, signed. */
static int push_signed(struct world *w, const char *id, const char *body)
{
	static const char key[] = "0123456789abcdef0123456789abcdef";
	CLEANUP(buf) struct buf content = BUF_INIT(2000), signature = BUF_INIT(200);
	unsigned char mac[HASH_SHA256_SIZE];
	char at[32];

	snprintf(at, sizeof at, "%lld", (long long)w->clock.now_ms / 1000);
	buf_printf(&content, "%s.%s.%s", id, at, body);
	hash_hmac_sha256(key, sizeof key - 1, content.data, content.len, mac);
	buf_str(&signature, "v1,");
	encode_base64(mac, sizeof mac, &signature);
	const struct request_header headers[] = { { "webhook-id", id },
						  { "webhook-timestamp", at },
						  { "webhook-signature",
						    signature.data } };
	struct request r = { .method = "POST",
			     .path = "/hooks/signed",
			     .headers = headers,
			     .n_headers = 3,
			     .body = body };
	CLEANUP(answer) struct answer a;
	return ask(w, FRONT_ALL, &r, &a);
}

/* A branch that goes back and forth pushes the same bytes twice, and both are meant. */
static void test_front__same_bytes_signed_anew(void **state)
{
	struct world *w = *state;

	assert_int_equal(push_signed(w, "d1", PUSH(A, B)), 202);
	assert_int_equal(push_signed(w, "d2", PUSH(B, A)), 202);
	assert_int_equal(push_signed(w, "d3", PUSH(A, B)), 202);
	assert_int_equal(push_signed(w, "d3", PUSH(A, B)), 200);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_front__push),
		TEST(test_front__replay),
		TEST(test_front__nothing_follows),
		TEST(test_front__refused),
		TEST(test_front__odd_framing),
		TEST(test_front__length_in_digits),
		TEST(test_front__doors),
		TEST(test_front__page_password),
		TEST(test_front__limits),
		TEST(test_front__draining),
		TEST(test_front__asking_often_writes_little),
		TEST(test_front__same_bytes_signed_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

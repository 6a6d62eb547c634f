/* The engine over real sockets: a server on the loopback plays what it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/str.h"
#include "io/http_curl.h"

enum { PLAYS = 8, CONNECTIONS = 16, REQUEST_BYTES = 8 << 20 };

/* What becomes of one request. */
struct play {
	const char *answer;
	bool closes; /* the connection, afterwards */
	bool stalls; /* instead, until the end of the test */
};

struct server {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int listener;
	int port;
	pthread_t acceptor;
	pthread_t threads[CONNECTIONS];
	int fds[CONNECTIONS];
	size_t n_connections;
	struct play plays[PLAYS];
	size_t played;
	size_t stalled;
	bool over;
	struct buf seen; /* all requests, one after the other */
};

/* A connection's thread. */
struct connection {
	struct server *server;
	int fd;
};

static void say(int fd, const char *text)
{
	size_t left = strlen(text);

	while (left) {
		ssize_t n = send(fd, text, left, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		text += n;
		left -= (size_t)n;
	}
}

static size_t content_length(const char *head)
{
	const char *at = head;

	while ((at = strstr(at, "\r\n"))) {
		at += 2;
		if (strncasecmp(at, "Content-Length:", 15) == 0)
			return (size_t)strtoul(at + 15, NULL, 10);
	}
	return 0;
}

/* Reads one request whole; false: there is none. */
static bool read_request(int fd, struct buf *request)
{
	const char *end = NULL;
	size_t need = 0;

	while (!end || request->len < need) {
		char bytes[4096];
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n <= 0)
			return false;
		buf_add(request, bytes, (size_t)n);
		if (end)
			continue;
		end = strstr(request->data, "\r\n\r\n");
		if (!end)
			continue;
		need = (size_t)(end - request->data) + 4 + content_length(request->data);
		if (strstr(request->data, "Expect: 100-continue"))
			say(fd, "HTTP/1.1 100 Continue\r\nX-Interim: 1\r\n\r\n");
	}
	return true;
}

static struct play next_play(struct server *s, const struct buf *request)
{
	struct play play = { .answer = "HTTP/1.1 500 No more plays\r\n"
				       "Content-Length: 0\r\n\r\n" };

	pthread_mutex_lock(&s->lock);
	buf_add(&s->seen, request->data, request->len);
	if (s->played < PLAYS && s->plays[s->played].answer)
		play = s->plays[s->played];
	s->played++;
	if (play.stalls) {
		s->stalled++;
		pthread_cond_broadcast(&s->changed);
		while (!s->over)
			pthread_cond_wait(&s->changed, &s->lock);
	}
	pthread_mutex_unlock(&s->lock);
	return play;
}

static void *serve(void *arg)
{
	struct connection c = *(struct connection *)arg;
	bool goes_on = true;

	free(arg);
	while (goes_on) {
		CLEANUP(buf) struct buf request = BUF_INIT(REQUEST_BYTES);
		struct play play;

		if (!read_request(c.fd, &request))
			break;
		play = next_play(c.server, &request);
		say(c.fd, play.answer);
		goes_on = !play.closes && !play.stalls;
	}
	shutdown(c.fd, SHUT_RDWR);
	return NULL;
}

static void *accept_all(void *arg)
{
	struct server *s = arg;
	int fd;

	while ((fd = accept(s->listener, NULL, NULL)) >= 0) {
		struct connection *c = xcalloc(1, sizeof(*c));

		*c = (struct connection){ s, fd };
		pthread_mutex_lock(&s->lock);
		assert_true(s->n_connections < CONNECTIONS);
		s->fds[s->n_connections] = fd;
		pthread_create(&s->threads[s->n_connections], NULL, serve, c);
		s->n_connections++;
		pthread_mutex_unlock(&s->lock);
	}
	return NULL;
}

static void server_start(struct server *s)
{
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);

	*s = (struct server){ .seen = BUF_INIT(REQUEST_BYTES) };
	pthread_mutex_init(&s->lock, NULL);
	pthread_cond_init(&s->changed, NULL);
	s->listener = socket(AF_INET, SOCK_STREAM, 0);
	assert_true(s->listener >= 0);
	assert_int_equal(bind(s->listener, (struct sockaddr *)&address, n), 0);
	assert_int_equal(listen(s->listener, 8), 0);
	assert_int_equal(getsockname(s->listener, (struct sockaddr *)&address, &n), 0);
	s->port = ntohs(address.sin_port);
	assert_int_equal(pthread_create(&s->acceptor, NULL, accept_all, s), 0);
}

static void server_end(struct server *s)
{
	shutdown(s->listener, SHUT_RDWR);
	pthread_join(s->acceptor, NULL);
	pthread_mutex_lock(&s->lock);
	s->over = true;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
	for (size_t i = 0; i < s->n_connections; i++) {
		shutdown(s->fds[i], SHUT_RDWR);
		pthread_join(s->threads[i], NULL);
		close(s->fds[i]);
	}
	close(s->listener);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	buf_release(&s->seen);
}

/* ---- one engine and one server a test ---- */

struct fixture {
	struct server server;
	char *owned[PLAYS]; /* answers, which the server may be sending until its end */
	struct http *http;
	char url[128];
	struct http_request req;
	struct http_response res;
	struct error err;
};

static volatile int cancelled;

static void on_signal(int number)
{
	(void)number;
	cancelled = 1;
}

static int setup(void **state)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	const struct http_curl_options options = {
		.cancelled = &cancelled,
		.max_response = 1000,
		.timeout_ms = 60000,
	};

	cancelled = 0;
	unsetenv("http_proxy");
	unsetenv("no_proxy");
	unsetenv("NO_PROXY");
	server_start(&f->server);
	assert_int_equal(http_curl_new(&options, &f->http, &f->err), 0);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d/a", f->server.port);
	f->req = (struct http_request){ .method = "GET", .url = f->url };
	f->res = (struct http_response)HTTP_RESPONSE_INIT;
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_response_release(&f->res);
	http_free(f->http);
	server_end(&f->server);
	for (size_t i = 0; i < PLAYS; i++)
		free(f->owned[i]);
	free(f);
	return 0;
}

static int ask(struct fixture *f)
{
	error_clear(&f->err);
	return http_send(f->http, &f->req, &f->res, &f->err);
}

static void set_play(struct fixture *f, size_t i, struct play play)
{
	pthread_mutex_lock(&f->server.lock);
	f->server.plays[i] = play;
	pthread_mutex_unlock(&f->server.lock);
}

static void play(struct fixture *f, size_t i, const char *answer)
{
	set_play(f, i, (struct play){ .answer = answer });
}

/* The end of the connection is the end of the answer. */
static void play_last(struct fixture *f, size_t i, const char *answer)
{
	set_play(f, i, (struct play){ .answer = answer, .closes = true });
}

static void play_nothing(struct fixture *f, size_t i)
{
	set_play(f, i, (struct play){ .answer = "", .stalls = true });
}

/* Safe once the answer to the last request is there. */
static bool was_seen(struct fixture *f, const char *text)
{
	bool seen;

	pthread_mutex_lock(&f->server.lock);
	seen = strstr(f->server.seen.data, text) != NULL;
	pthread_mutex_unlock(&f->server.lock);
	return seen;
}

static size_t connections(struct fixture *f)
{
	size_t n;

	pthread_mutex_lock(&f->server.lock);
	n = f->server.n_connections;
	pthread_mutex_unlock(&f->server.lock);
	return n;
}

#define EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

static void test_http_curl__goes_to_the_wire_as_it_is_written(void **state)
{
	static const struct http_header headers[] = { { "Host", "signed.example" },
						      { "X-Empty", "" },
						      { "X-A", "b  c" } };
	struct fixture *f = *state;
	char url[200];

	play(f, 0,
	     "HTTP/1.1 206 Part\r\nX-One:  1 \r\nx-one: 2\r\nETag: \"e\"\r\n"
	     "Content-Length: 4\r\n\r\nbody");
	snprintf(url, sizeof(url), "http://127.0.0.1:%d/a/../b//%%41?x=&y=%%2f",
		 f->server.port);
	f->req = (struct http_request){ .method = "PUT",
					.url = url,
					.headers = headers,
					.n_headers = 3,
					.body = { .bytes = "hello", .len = 5 } };
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->res.status, 206);
	assert_string_equal(http_response_header(&f->res, "x-ONE"), "1");
	assert_string_equal(http_response_header(&f->res, "etag"), "\"e\"");
	assert_string_equal(f->res.body.data, "body");
	assert_true(was_seen(f, "PUT /a/../b//%41?x=&y=%2f HTTP/1.1\r\n"));
	assert_true(was_seen(f, "\r\nHost: signed.example\r\n"));
	assert_true(was_seen(f, "\r\nX-Empty:\r\n"));
	assert_true(was_seen(f, "\r\nX-A: b  c\r\n"));
	assert_true(was_seen(f, "\r\nContent-Length: 5\r\n"));
	assert_false(was_seen(f, "Expect"));
	assert_true(was_seen(f, "\r\n\r\nhello"));
}

static void test_http_curl__redirects_and_heads(void **state)
{
	struct fixture *f = *state;

	play(f, 0,
	     "HTTP/1.1 307 Moved\r\nLocation: /elsewhere\r\n"
	     "Content-Length: 0\r\n\r\n");
	play(f, 1, "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n");
	play(f, 2, EMPTY);
	play(f, 3, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->res.status, 307);
	assert_false(was_seen(f, "elsewhere"));
	f->req.method = "HEAD";
	assert_int_equal(ask(f), 0);
	assert_string_equal(http_response_header(&f->res, "content-length"), "99");
	assert_int_equal(f->res.body.len, 0);
	f->req.method = "POST";
	assert_int_equal(ask(f), 0);
	assert_true(was_seen(f, "POST /a HTTP/1.1\r\n"));
	assert_true(was_seen(f, "\r\nContent-Length: 0\r\n"));
	f->req.method = "DELETE";
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->res.status, 204);
	/* All on one connection. */
	assert_int_equal(connections(f), 1);
}

/* Long bodies ask first; what comes before the answer is no part of it. */
static void test_http_curl__bodies_from_files(void **state)
{
	enum { LONG = (1 << 20) + 1 };
	struct fixture *f = *state;
	FILE *file = tmpfile();

	assert_non_null(file);
	assert_int_equal(ftruncate(fileno(file), 3), 0);
	assert_true(fseek(file, 3, SEEK_SET) == 0 && fputs("hello", file) >= 0 &&
		    fflush(file) == 0);
	play(f, 0, EMPTY);
	play(f, 1, EMPTY);
	f->req.method = "PUT";
	f->req.body = (struct http_body){ .fd = fileno(file), .offset = 3, .len = 5 };
	assert_int_equal(ask(f), 0);
	assert_true(was_seen(f, "\r\n\r\nhello"));
	assert_int_equal(ftruncate(fileno(file), LONG), 0);
	f->req.body = (struct http_body){ .fd = fileno(file), .len = LONG };
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->res.status, 200);
	assert_null(http_response_header(&f->res, "x-interim"));
	/* One that is shorter than it was is not sent as a shorter object. */
	f->req.body.len = LONG + 1;
	assert_int_equal(ask(f), -1);
	assert_int_equal(f->err.code, ERR_IO);
	assert_false(f->err.retryable);
	fclose(file);
}

static char *long_answer(const char *head, size_t n, const char *tail)
{
	struct buf b = BUF_INIT(SIZE_MAX / 2);

	buf_str(&b, head);
	for (size_t i = 0; i < n; i++)
		buf_char(&b, 'x');
	buf_str(&b, tail);
	return buf_take(&b);
}

static void test_http_curl__answers_are_capped(void **state)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n";
	struct fixture *f = *state;
	struct buf many = BUF_INIT(SIZE_MAX / 2);

	buf_str(&many, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 30000; i++)
		buf_printf(&many, "X-%d: 1\r\n", i);
	buf_str(&many, "Content-Length: 0\r\n\r\n");
	f->owned[0] = long_answer(head, 1001, "");
	f->owned[1] = long_answer(head, 1000, "");
	f->owned[2] = long_answer("HTTP/1.1 200 OK\r\nX-A: ", 90000,
				  "\r\nContent-Length: 0\r\n\r\n");
	f->owned[3] = buf_take(&many);
	for (size_t i = 0; i < 4; i++)
		play_last(f, i, f->owned[i]);
	play_last(f, 4, f->owned[0]);
	assert_int_equal(ask(f), -1);
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	assert_int_equal(ask(f), 0);
	assert_int_equal(f->res.body.len, 1000);
	assert_int_equal(ask(f), 0);
	assert_int_equal(strlen(http_response_header(&f->res, "x-a")), 90000);
	assert_int_equal(ask(f), -1);
	assert_int_equal(f->err.code, ERR_TOO_BIG);
	/* A request may ask for more. */
	f->req.max_response = 2000;
	assert_int_equal(ask(f), 0);
}

static void test_http_curl__endings(void **state)
{
	static const struct {
		const char *name, *answer;
	} cases[] = {
		{ "nothing", "" },
		{ "a status line", "HTTP/1.1 204 No Content\r\n" },
		{ "half of the headers", "HTTP/1.1 200 OK\r\nContent-" },
		{ "half of the body",
		  "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345" },
		{ "half of a chunk",
		  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n123" },
		{ "no HTTP", "SSH-2.0-OpenSSH_9.2\r\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		play_last(f, i, cases[i].answer);
		f->req.fresh = true;
		if (ask(f) == 0 || f->err.code != ERR_NETWORK)
			fail_msg("%s: %d %s", cases[i].name, f->res.status, f->err.msg);
		/* It was sent: nobody knows what came of it. */
		if (str_eq(f->err.service_code, HTTP_NOT_SENT))
			fail_msg("%s: %s", cases[i].name, f->err.msg);
	}
	/* And each was sent once. */
	assert_int_equal(connections(f), sizeof(cases) / sizeof(*cases));
}

static void test_http_curl__not_sent(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_in address = { .sin_family = AF_INET,
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	/* A port that is bound, and nobody listens. */
	assert_int_equal(bind(fd, (struct sockaddr *)&address, n), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &n), 0);
	snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%d/",
		 (int)ntohs(address.sin_port));
	assert_int_equal(ask(f), -1);
	assert_int_equal(f->err.code, ERR_NETWORK);
	assert_true(f->err.retryable);
	assert_string_equal(f->err.service_code, HTTP_NOT_SENT);
	close(fd);
	f->req.url = "ftp://127.0.0.1/";
	assert_int_equal(ask(f), -1);
	assert_int_equal(f->err.code, ERR_CONFIG);
	assert_false(f->err.retryable);
}

/* libcurl sends again by itself what a kept connection has lost, which is right for all but
 * what may be sent once only. */
static void test_http_curl__kept_connections(void **state)
{
	struct fixture *f = *state;

	play(f, 0, EMPTY);
	play_last(f, 1, "");
	play(f, 2, EMPTY);
	play_last(f, 3, "");
	assert_int_equal(ask(f), 0);
	assert_int_equal(ask(f), 0);
	assert_int_equal(connections(f), 2);
	f->req.fresh = true;
	assert_int_equal(ask(f), -1);
	assert_int_equal(f->err.code, ERR_NETWORK);
	assert_int_equal(connections(f), 3);
}

static void test_http_curl__a_request_that_takes_too_long(void **state)
{
	struct fixture *f = *state;

	play_nothing(f, 0);
	f->req.timeout_ms = 200;
	assert_int_equal(ask(f), -1);
	assert_int_equal(f->err.code, ERR_TIMEOUT);
	assert_true(f->err.retryable);
	assert_false(str_eq(f->err.service_code, HTTP_NOT_SENT));
}

/* A signal that comes while all requests hang. */
struct cancelling {
	struct fixture *f;
	pthread_t thread;
};

static void *cancel_when_stalled(void *arg)
{
	struct cancelling *c = arg;
	struct fixture *f = c->f;

	pthread_mutex_lock(&f->server.lock);
	while (f->server.stalled < 2)
		pthread_cond_wait(&f->server.changed, &f->server.lock);
	pthread_mutex_unlock(&f->server.lock);
	pthread_kill(c->thread, SIGUSR1);
	return NULL;
}

struct feeding {
	struct fixture *f;
	int left;
	int ended;
	enum error_code code; /* of the last that ended */
	bool nests;           /* done() asks something itself */
};

static enum http_feed_answer feed_next(void *ctx, struct http_request *req, void **tag,
				       int64_t *wait_ms)
{
	struct feeding *feeding = ctx;

	(void)tag, (void)wait_ms;
	if (!feeding->left)
		return HTTP_FEED_END;
	feeding->left--;
	*req = feeding->f->req;
	return HTTP_FEED_REQUEST;
}

static void feed_done(void *ctx, void *tag, struct http_response *res,
		      const struct error *err)
{
	struct feeding *feeding = ctx;

	(void)tag;
	feeding->ended++;
	feeding->code = res ? ERR_NONE : err->code;
	if (!feeding->nests)
		return;
	feeding->nests = false;
	assert_int_equal(ask(feeding->f), 0);
	assert_string_equal(feeding->f->res.body.data, "nested");
	/* The outer one's answer is still there. */
	assert_true(res && res->status == 200);
}

static void test_http_curl__cancelled_while_all_hang(void **state)
{
	struct fixture *f = *state;
	struct feeding feeding = { .f = f, .left = 5 };
	const struct http_feed feed = { .ctx = &feeding,
					.next = feed_next,
					.done = feed_done };
	struct cancelling cancelling = { f, pthread_self() };
	struct sigaction action = { .sa_handler = on_signal };
	pthread_t thread;

	sigaction(SIGUSR1, &action, NULL);
	play_nothing(f, 0);
	play_nothing(f, 1);
	pthread_create(&thread, NULL, cancel_when_stalled, &cancelling);
	assert_int_equal(http_run(f->http, &feed, 2, &f->err), -1);
	pthread_join(thread, NULL);
	assert_int_equal(f->err.code, ERR_CANCELLED);
	assert_int_equal(feeding.ended, 2);
	assert_int_equal(feeding.left, 3);
	assert_int_equal(feeding.code, ERR_CANCELLED);
	/* Nothing goes out any more, until it may again. */
	play(f, 2, EMPTY);
	assert_int_equal(ask(f), -1);
	f->http->cancelled = NULL;
	assert_int_equal(ask(f), 0);
}

static void test_http_curl__runs_within_runs(void **state)
{
	struct fixture *f = *state;
	struct feeding feeding = { .f = f, .left = 3, .nests = true };
	const struct http_feed feed = { .ctx = &feeding,
					.next = feed_next,
					.done = feed_done };

	play(f, 0, EMPTY);
	play(f, 1, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nnested");
	play(f, 2, EMPTY);
	play(f, 3, EMPTY);
	assert_int_equal(http_run(f->http, &feed, 1, &f->err), 0);
	assert_int_equal(feeding.ended, 3);
	assert_int_equal(feeding.code, ERR_NONE);
}

static void test_http_curl__headers_that_are_two(void **state)
{
	static const struct http_header bad = { "X-A", "b\r\nX-Evil: 1" };
	struct fixture *f = *state;

	f->req.headers = &bad;
	f->req.n_headers = 1;
	assert_int_equal(ask(f), -1);
	assert_int_equal(f->err.code, ERR_DATA);
	assert_int_equal(connections(f), 0);
	/* The engine goes on. */
	f->req.n_headers = 0;
	play(f, 0, EMPTY);
	assert_int_equal(ask(f), 0);
}

static void test_http_curl__proxies(void **state)
{
	struct fixture *f = *state;
	char proxy[64];

	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", f->server.port);
	setenv("http_proxy", proxy, 1);
	for (size_t i = 0; i < 3; i++)
		play(f, i, EMPTY);
	f->req.url = "http://s3.invalid/key";
	assert_int_equal(ask(f), 0);
	assert_true(was_seen(f, "GET http://s3.invalid/key HTTP/1.1\r\n"));
	/* Whom the environment excepts, and whom the caller does. */
	setenv("no_proxy", "127.0.0.1", 1);
	f->req.url = f->url;
	assert_int_equal(ask(f), 0);
	assert_true(was_seen(f, "GET /a HTTP/1.1\r\n"));
	unsetenv("no_proxy");
	f->url[strlen(f->url) - 1] = 'b';
	f->req.no_proxy = true;
	assert_int_equal(ask(f), 0);
	assert_true(was_seen(f, "GET /b HTTP/1.1\r\n"));
	unsetenv("http_proxy");
}

static void test_http_curl__a_bundle_that_is_not_there(void **state)
{
	const struct http_curl_options options = { .ca_bundle = "/no/such/file" };
	struct error err = ERROR_INIT;
	struct http *http = NULL;

	(void)state;
	assert_int_equal(http_curl_new(&options, &http, &err), -1);
	assert_int_equal(err.code, ERR_CONFIG);
	assert_non_null(strstr(err.msg, "/no/such/file"));
}

#define TEST(name) \
	cmocka_unit_test_setup_teardown(test_http_curl__##name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_to_the_wire_as_it_is_written),
		TEST(redirects_and_heads),
		TEST(bodies_from_files),
		TEST(answers_are_capped),
		TEST(endings),
		TEST(not_sent),
		TEST(kept_connections),
		TEST(a_request_that_takes_too_long),
		TEST(cancelled_while_all_hang),
		TEST(runs_within_runs),
		TEST(headers_that_are_two),
		TEST(proxies),
		cmocka_unit_test(test_http_curl__a_bundle_that_is_not_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#include "io/http_curl.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <curl/curl.h>

#include "base/str.h"
#include "base/vec.h"

enum {
	POLL_MS = 100,             /* how late a cancellation may be noticed */
	EXPECT_BYTES = 1 << 20,    /* longer bodies ask before they are sent */
	HEADERS_BYTES = 256 << 10, /* most that an answer's headers may take */
	KEPT_CONNECTIONS = 64,
};

VEC_DEFINE(header_list, struct http_header);

/* A request under way. The handle outlives it and serves the next one. */
struct transfer {
	struct engine *engine;
	CURL *easy;
	void *tag;
	struct http_body body;
	int64_t body_sent;
	int64_t told_sent; /* as of the last call of progress */
	struct curl_slist *headers;
	struct header_list answered; /* of the latest answer; strings in response.arena */
	size_t answered_bytes;
	bool head_ended; /* by its empty line */
	struct http_response response;
	bool too_big;
	int body_errno; /* why the body could not be read; 0: it could */
	char message[CURL_ERROR_SIZE];
};

VEC_DEFINE(transfers, struct transfer *);

struct engine {
	struct http http; /* first: an engine is a struct http */
	CURLM *multi;     /* holds the connections */
	bool busy;        /* multi is in use: a run within a run takes one of its own */
	struct transfers idle;
	char *ca_bundle;
	char *user_agent;
	int64_t connect_timeout_ms, stall_timeout_ms, timeout_ms;
	size_t max_response;
};

/* One call of http_run. */
struct run {
	struct engine *engine;
	CURLM *multi;
	const struct http_feed *feed;
	unsigned parallel;
	struct transfers active;
	bool ended;
	int64_t wait_ms; /* until the feed wants to be asked again; -1: no matter */
};

/* ---- signals ---- */

/* OpenSSL writes to sockets in a way that raises SIGPIPE when the peer is gone. A library
 * must neither die of that nor change what its caller (and its children) do on SIGPIPE, so
 * the signal is held back while libcurl works, and taken back if libcurl caused it. */
struct pipe_guard {
	sigset_t old;
	bool was_pending;
};

static void pipe_guard_set(struct pipe_guard *g, sigset_t *pipe)
{
	sigset_t pending;

	sigemptyset(pipe);
	sigaddset(pipe, SIGPIPE);
	sigpending(&pending);
	g->was_pending = sigismember(&pending, SIGPIPE) == 1;
	pthread_sigmask(SIG_BLOCK, pipe, &g->old);
}

static void pipe_guard_clear(const struct pipe_guard *g, const sigset_t *pipe)
{
	sigset_t pending;
	int signal;

	sigpending(&pending);
	if (!g->was_pending && sigismember(&pending, SIGPIPE) == 1)
		sigwait(pipe, &signal);
	pthread_sigmask(SIG_SETMASK, &g->old, NULL);
}

/* ---- what libcurl calls ---- */

static size_t read_body(char *out, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	int64_t left = t->body.len - t->body_sent;
	size_t room = size * count;
	ssize_t n;

	if ((int64_t)room > left)
		room = (size_t)left;
	if (!room)
		return 0;
	if (t->body.bytes) {
		memcpy(out, (const char *)t->body.bytes + t->body_sent, room);
		n = (ssize_t)room;
	} else {
		n = pread(t->body.fd, out, room, (off_t)(t->body.offset + t->body_sent));
	}
	if (n <= 0) {
		/* A file that has become shorter must not become a shorter object. */
		t->body_errno = n < 0 ? errno : EIO;
		return CURL_READFUNC_ABORT;
	}
	t->body_sent += n;
	return (size_t)n;
}

static int seek_body(void *ctx, curl_off_t offset, int origin)
{
	struct transfer *t = ctx;

	if (origin != SEEK_SET || offset < 0 || offset > t->body.len)
		return CURL_SEEKFUNC_FAIL;
	t->body_sent = offset;
	return CURL_SEEKFUNC_OK;
}

static size_t write_answer(char *p, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;

	buf_add(&t->response.body, p, size * count);
	if (!t->response.body.overflowed)
		return size * count;
	t->too_big = true;
	return 0;
}

static void add_header(struct transfer *t, const char *line, size_t n)
{
	const char *colon = memchr(line, ':', n);
	const char *end = line + n;
	struct http_header header;

	if (!colon || colon == line)
		return;
	header.name = arena_strndup(&t->response.arena, line, (size_t)(colon - line));
	for (colon++; colon < end && strchr(" \t", *colon) && *colon; colon++)
		;
	while (end > colon && strchr(" \t\r\n", end[-1]) && end[-1])
		end--;
	header.value = arena_strndup(&t->response.arena, colon, (size_t)(end - colon));
	header_list_push(&t->answered, header);
}

static size_t write_header(char *line, size_t size, size_t count, void *ctx)
{
	struct transfer *t = ctx;
	size_t n = size * count;

	/* Each status line starts a new answer: those before were 100 Continue. */
	if (n >= 5 && memcmp(line, "HTTP/", 5) == 0) {
		t->answered.len = 0;
		t->head_ended = false;
	}
	t->head_ended |= n > 0 && (*line == '\r' || *line == '\n');
	t->answered_bytes += n;
	if (t->answered_bytes > HEADERS_BYTES) {
		t->too_big = true;
		return 0;
	}
	add_header(t, line, n);
	return n;
}

/* ---- a transfer's life ---- */

static void transfer_free(struct transfer *t)
{
	curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->headers);
	header_list_release(&t->answered);
	http_response_release(&t->response);
	free(t);
}

static struct transfer *transfer_new(struct engine *engine, struct error *err)
{
	struct transfer *t;
	CURL *easy = curl_easy_init();

	if (!easy) {
		error_set(err, ERR_NETWORK, "libcurl gives no handle");
		return NULL;
	}
	t = xcalloc(1, sizeof(*t));
	t->engine = engine;
	t->easy = easy;
	t->response = (struct http_response)HTTP_RESPONSE_INIT;
	return t;
}

/* Back to how transfer_new left it; libcurl keeps the handle's caches. */
static void transfer_reset(struct transfer *t)
{
	curl_easy_reset(t->easy);
	curl_slist_free_all(t->headers);
	t->headers = NULL;
	t->answered.len = 0;
	t->answered_bytes = 0;
	t->body_sent = t->told_sent = 0;
	t->too_big = t->head_ended = false;
	t->body_errno = 0;
	t->message[0] = '\0';
	http_response_release(&t->response);
}

static void set_connection(CURL *easy, const struct engine *engine,
			   const struct http_request *req)
{
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
	curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)engine->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
	curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
			 (long)((engine->stall_timeout_ms + 999) / 1000));
	curl_easy_setopt(
		easy, CURLOPT_TIMEOUT_MS,
		(long)(req->timeout_ms > 0 ? req->timeout_ms : engine->timeout_ms));
	if (engine->ca_bundle)
		curl_easy_setopt(easy, CURLOPT_CAINFO, engine->ca_bundle);
	if (req->no_proxy)
		curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
	if (req->fresh)
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
}

/* Only what the URL says, to the server that it names, as it is written. */
static void set_url(CURL *easy, const char *url)
{
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS,
			 (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

static void set_body(struct transfer *t, const struct http_request *req)
{
	bool wants_body = req->body.len > 0 || str_eq(req->method, "PUT") ||
			  str_eq(req->method, "POST");

	t->body = req->body;
	if (wants_body) {
		curl_easy_setopt(t->easy, CURLOPT_UPLOAD, 1L);
		curl_easy_setopt(t->easy, CURLOPT_INFILESIZE_LARGE,
				 (curl_off_t)req->body.len);
		curl_easy_setopt(t->easy, CURLOPT_READFUNCTION, read_body);
		curl_easy_setopt(t->easy, CURLOPT_READDATA, t);
		curl_easy_setopt(t->easy, CURLOPT_SEEKFUNCTION, seek_body);
		curl_easy_setopt(t->easy, CURLOPT_SEEKDATA, t);
	} else if (str_eq(req->method, "HEAD")) {
		curl_easy_setopt(t->easy, CURLOPT_NOBODY, 1L);
	}
	curl_easy_setopt(t->easy, CURLOPT_CUSTOMREQUEST, req->method);
}

static int add_request_header(struct transfer *t, const char *name, const char *value,
			      struct error *err)
{
	CLEANUP(buf) struct buf line = BUF_INIT(64 << 10);
	struct curl_slist *longer;

	/* The way in which libcurl is told of a header without a value. */
	buf_printf(&line, *value ? "%s: %s" : "%s;%s", name, value);
	if (line.overflowed || strpbrk(line.data, "\r\n"))
		return error_set(err, ERR_DATA, "header %s cannot be sent", name);
	longer = curl_slist_append(t->headers, line.data);
	if (!longer)
		return error_set(err, ERR_NETWORK, "out of memory for headers");
	t->headers = longer;
	return 0;
}

static int set_headers(struct transfer *t, const struct http_request *req,
		       struct error *err)
{
	struct curl_slist *longer;

	for (size_t i = 0; i < req->n_headers; i++)
		if (add_request_header(t, req->headers[i].name, req->headers[i].value,
				       err) < 0)
			return -1;
	/* "Expect:" takes away the header that libcurl would add by its own rules. */
	longer = curl_slist_append(t->headers, req->body.len > EXPECT_BYTES
						       ? "Expect: 100-continue"
						       : "Expect:");
	if (!longer)
		return error_set(err, ERR_NETWORK, "out of memory for headers");
	t->headers = longer;
	curl_easy_setopt(t->easy, CURLOPT_HTTPHEADER, t->headers);
	curl_easy_setopt(t->easy, CURLOPT_USERAGENT, t->engine->user_agent);
	return 0;
}

static void set_answer(struct transfer *t, const struct http_request *req)
{
	size_t max = req->max_response ? req->max_response : t->engine->max_response;

	t->response.body.max = max;
	curl_easy_setopt(t->easy, CURLOPT_HTTP_CONTENT_DECODING, 0L);
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, write_answer);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, write_header);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->message);
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	t->response.sent_ms = clock_wall_ms(t->engine->http.clock);
}

static int transfer_prepare(struct transfer *t, const struct http_request *req,
			    struct error *err)
{
	set_connection(t->easy, t->engine, req);
	set_url(t->easy, req->url);
	set_body(t, req);
	set_answer(t, req);
	return set_headers(t, req, err);
}

/* ---- how it ended ---- */

static const struct {
	CURLcode curl;
	enum error_code code;
	bool retryable;
} endings[] = {
	{ CURLE_COULDNT_RESOLVE_PROXY, ERR_NETWORK, true },
	{ CURLE_COULDNT_RESOLVE_HOST, ERR_NETWORK, true },
	{ CURLE_COULDNT_CONNECT, ERR_NETWORK, true },
	{ CURLE_SSL_CONNECT_ERROR, ERR_NETWORK, true },
	{ CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT, true },
	{ CURLE_WEIRD_SERVER_REPLY, ERR_NETWORK, true },
	{ CURLE_PARTIAL_FILE, ERR_NETWORK, true },
	{ CURLE_GOT_NOTHING, ERR_NETWORK, true },
	{ CURLE_SEND_ERROR, ERR_NETWORK, true },
	{ CURLE_RECV_ERROR, ERR_NETWORK, true },
	{ CURLE_SEND_FAIL_REWIND, ERR_NETWORK, true },
	/* These will be the same the next time. */
	{ CURLE_URL_MALFORMAT, ERR_CONFIG, false },
	{ CURLE_UNSUPPORTED_PROTOCOL, ERR_CONFIG, false },
	{ CURLE_SSL_CACERT_BADFILE, ERR_CONFIG, false },
	{ CURLE_PEER_FAILED_VERIFICATION, ERR_NETWORK, false },
	{ CURLE_SSL_CERTPROBLEM, ERR_NETWORK, false },
};

/* libcurl stops this clock when it is about to send; it stays 0 if it never was. */
static bool was_sent(const struct transfer *t)
{
	double seconds = 0;

	curl_easy_getinfo(t->easy, CURLINFO_PRETRANSFER_TIME, &seconds);
	return seconds > 0;
}

static void transfer_failed(const struct transfer *t, CURLcode curl, struct error *err)
{
	const char *why = t->message[0] ? t->message : curl_easy_strerror(curl);
	size_t i = 0;

	if (t->body_errno) {
		error_set(err, ERR_IO, "the file to send: %s", strerror(t->body_errno));
		return;
	}
	if (t->too_big) {
		error_set(err, ERR_TOO_BIG, "the answer is over %zu bytes",
			  t->response.body.max);
		return;
	}
	/* Also what it calls an answer that is not HTTP/1. */
	if (curl == CURLE_UNSUPPORTED_PROTOCOL && was_sent(t))
		curl = CURLE_WEIRD_SERVER_REPLY;
	while (i < sizeof(endings) / sizeof(*endings) && endings[i].curl != curl)
		i++;
	if (i == sizeof(endings) / sizeof(*endings)) {
		error_set(err, ERR_NETWORK, "%s", why);
		return;
	}
	error_set(err, endings[i].code, "%s", why);
	err->retryable = endings[i].retryable;
	if (!was_sent(t))
		snprintf(err->service_code, sizeof(err->service_code), "%s",
			 HTTP_NOT_SENT);
}

/* libcurl takes a connection that ends among the headers for the end of an answer without a
 * body. */
static int transfer_answered(struct transfer *t, struct error *err)
{
	struct http_response *res = &t->response;
	long status = 0;

	if (!t->head_ended) {
		error_set(err, ERR_NETWORK, "the answer ends among its headers");
		err->retryable = true;
		return -1;
	}
	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	res->status = (int)status;
	res->received_ms = clock_wall_ms(t->engine->http.clock);
	res->n_headers = t->answered.len;
	if (t->answered.len)
		res->headers = arena_memdup(&res->arena, t->answered.items,
					    t->answered.len * sizeof(*t->answered.items));
	return 0;
}

/* Hands the result to the feed and the handle back to the pool. */
static void transfer_end(struct run *run, struct transfer *t, CURLcode curl,
			 const struct error *cancelled)
{
	struct error err = ERROR_INIT;
	struct http_response *res = NULL;

	if (cancelled)
		err = *cancelled;
	else if (curl != CURLE_OK)
		transfer_failed(t, curl, &err);
	else if (transfer_answered(t, &err) == 0)
		res = &t->response;
	for (size_t i = 0; i < run->active.len; i++)
		if (run->active.items[i] == t)
			run->active.items[i] = run->active.items[--run->active.len];
	run->feed->done(run->feed->ctx, t->tag, res, &err);
	transfer_reset(t);
	transfers_push(&run->engine->idle, t);
}

/* ---- the run ---- */

static int start(struct run *run, const struct http_request *req, void *tag,
		 struct error *err)
{
	struct engine *engine = run->engine;
	struct error why = ERROR_INIT;
	struct transfer *t;

	t = engine->idle.len ? engine->idle.items[--engine->idle.len]
			     : transfer_new(engine, err);
	if (!t)
		return -1;
	t->tag = tag;
	transfers_push(&run->active, t);
	if (transfer_prepare(t, req, &why) < 0)
		transfer_end(run, t, CURLE_OK, &why);
	else if (curl_multi_add_handle(run->multi, t->easy) != CURLM_OK)
		return error_set(err, ERR_NETWORK, "libcurl takes no more requests");
	return 0;
}

static int fill(struct run *run, struct error *err)
{
	struct http_request req;
	enum http_feed_answer answer;
	void *tag;

	run->wait_ms = -1;
	while (!run->ended && run->active.len < run->parallel) {
		int64_t wait_ms = -1;

		req = (struct http_request){ 0 };
		tag = NULL;
		answer = run->feed->next(run->feed->ctx, &req, &tag, &wait_ms);
		if (answer == HTTP_FEED_WAIT) {
			assert(wait_ms >= 0 || run->active.len > 0);
			run->wait_ms = wait_ms;
			return 0;
		}
		if (answer == HTTP_FEED_END)
			run->ended = true;
		else if (start(run, &req, tag, err) < 0)
			return -1;
	}
	return 0;
}

/* An ended transfer and libcurl's verdict. */
struct ending {
	struct transfer *transfer;
	CURLcode curl;
};

VEC_DEFINE(ending_list, struct ending);

/* Lets libcurl work, and takes what has ended out of its hands. */
static void step(struct run *run, struct ending_list *ended)
{
	struct pipe_guard guard;
	sigset_t pipe;
	CURLMsg *msg;
	int running, left;

	pipe_guard_set(&guard, &pipe);
	curl_multi_perform(run->multi, &running);
	while ((msg = curl_multi_info_read(run->multi, &left))) {
		struct ending ending = { .curl = msg->data.result };
		void *transfer = NULL;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
		ending.transfer = transfer;
		ending_list_push(ended, ending);
		curl_multi_remove_handle(run->multi, msg->easy_handle);
	}
	pipe_guard_clear(&guard, &pipe);
}

static void tell_progress(struct run *run)
{
	const struct http_feed *feed = run->feed;

	for (size_t i = 0; feed->progress && i < run->active.len; i++) {
		struct transfer *t = run->active.items[i];

		if (t->body_sent == t->told_sent)
			continue;
		t->told_sent = t->body_sent;
		feed->progress(feed->ctx, t->tag, t->body_sent, t->body.len);
	}
}

/* Drops all that is in flight. */
static void drop(struct run *run, const struct error *why)
{
	struct pipe_guard guard;
	sigset_t pipe;

	while (run->active.len) {
		struct transfer *t = run->active.items[run->active.len - 1];

		pipe_guard_set(&guard, &pipe);
		curl_multi_remove_handle(run->multi, t->easy);
		pipe_guard_clear(&guard, &pipe);
		transfer_end(run, t, CURLE_OK, why);
	}
}

static bool is_cancelled(const struct engine *engine)
{
	return engine->http.cancelled && *engine->http.cancelled;
}

static int run_loop(struct run *run, struct error *err)
{
	CLEANUP(ending_list) struct ending_list ended = { 0 };

	for (;;) {
		int64_t wait_ms = POLL_MS;

		if (is_cancelled(run->engine))
			return error_set(err, ERR_CANCELLED, "cancelled");
		if (fill(run, err) < 0)
			return -1;
		if (run->ended && !run->active.len)
			return 0;
		ended.len = 0;
		step(run, &ended);
		tell_progress(run);
		for (size_t i = 0; i < ended.len; i++)
			transfer_end(run, ended.items[i].transfer, ended.items[i].curl,
				     NULL);
		if (ended.len)
			continue;
		if (run->wait_ms >= 0 && run->wait_ms < wait_ms)
			wait_ms = run->wait_ms;
		if (curl_multi_poll(run->multi, NULL, 0, (int)wait_ms, NULL) != CURLM_OK)
			return error_set(err, ERR_NETWORK, "libcurl cannot poll");
	}
}

static CURLM *multi_new(void)
{
	CURLM *multi = curl_multi_init();

	if (multi)
		curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)KEPT_CONNECTIONS);
	return multi;
}

static void multi_free(CURLM *multi)
{
	struct pipe_guard guard;
	sigset_t pipe;

	pipe_guard_set(&guard, &pipe);
	curl_multi_cleanup(multi);
	pipe_guard_clear(&guard, &pipe);
}

static int curl_run(struct http *http, const struct http_feed *feed, unsigned parallel,
		    struct error *err)
{
	struct engine *engine = (struct engine *)http;
	bool nested = engine->busy;
	struct run run = { .engine = engine,
			   .feed = feed,
			   .parallel = parallel ? parallel : 1 };
	int result;

	/* A run that a callback started must not meet the outer one's answers. */
	run.multi = nested ? multi_new() : engine->multi;
	if (!run.multi)
		return error_set(err, ERR_NETWORK, "libcurl gives no handle");
	engine->busy = true;
	result = run_loop(&run, err);
	if (result < 0)
		drop(&run, err);
	engine->busy = nested;
	if (nested)
		multi_free(run.multi);
	transfers_release(&run.active);
	return result;
}

/* ---- the engine ---- */

static void curl_free_engine(struct http *http)
{
	struct engine *engine = (struct engine *)http;

	for (size_t i = 0; i < engine->idle.len; i++)
		transfer_free(engine->idle.items[i]);
	transfers_release(&engine->idle);
	multi_free(engine->multi);
	free(engine->ca_bundle);
	free(engine->user_agent);
	free(engine);
}

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;

static void curl_init(void)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
}

/* Where distributions keep the authorities that they trust. Needed by a static binary,
 * whose libcurl and OpenSSL were built on another one. */
static const char *find_ca_bundle(void)
{
	static const char *const places[] = {
		"/etc/ssl/certs/ca-certificates.crt", /* Debian, Ubuntu, Arch */
		"/etc/pki/tls/certs/ca-bundle.crt",   /* RHEL, Fedora, Amazon Linux */
		"/etc/ssl/ca-bundle.pem",             /* SUSE */
		"/etc/ssl/cert.pem",                  /* Alpine */
	};

	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++)
		if (access(places[i], R_OK) == 0)
			return places[i];
	return NULL;
}

static int64_t or_default(int64_t value, int64_t otherwise)
{
	return value > 0 ? value : otherwise;
}

int http_curl_new(const struct http_curl_options *options, struct http **out,
		  struct error *err)
{
	const char *bundle = options->ca_bundle;
	struct engine *engine;

	if (!str_empty(bundle) && access(bundle, R_OK) < 0)
		return error_set(err, ERR_CONFIG, "certificate bundle %s: %s", bundle,
				 strerror(errno));
	if (str_empty(bundle))
		bundle = find_ca_bundle();
	pthread_once(&curl_once, curl_init);
	engine = xcalloc(1, sizeof(*engine));
	engine->multi = multi_new();
	if (!engine->multi) {
		free(engine);
		return error_set(err, ERR_NETWORK, "libcurl cannot be started");
	}
	engine->http = (struct http){
		.run = curl_run,
		.free = curl_free_engine,
		.clock = options->clock ? options->clock : clock_real(),
		.cancelled = options->cancelled,
	};
	engine->ca_bundle = bundle ? xstrdup(bundle) : NULL;
	engine->user_agent = xstrdup(options->user_agent ? options->user_agent
							 : "crc/" CRC_VERSION);
	engine->connect_timeout_ms = or_default(options->connect_timeout_ms, 10000);
	engine->stall_timeout_ms = or_default(options->stall_timeout_ms, 60000);
	engine->timeout_ms = or_default(options->timeout_ms, 60000);
	engine->max_response = options->max_response ? options->max_response
						     : (size_t)64 << 20;
	*out = &engine->http;
	return 0;
}

/* getpeername() and shutdown() reach below CivetWeb, which has no deadline for a body. */
#include "daemon/server.h"

#include <civetweb.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "daemon/address.h"
#include "daemon/bodies.h"
#include "daemon/front.h"
#include "daemon/limits.h"

enum {
	ADMIN_THREADS = 4,
	DOORS = 2,
	HEADERS_MOST = 64,
	READ_MOST = 64 << 10, /* a piece; the deadline does not depend on it */
	DISCARD_MOST = 64 << 10,
	DISCARD_MS = 1000,
	HEAD_MOST = 2048,
	PORTS_MOST = 2048,
	WAIT_SLICE_MS = 10,
	SMALL_BODY = 64 << 10,
	ROOM_BYTES = 64 << 20, /* for all larger ones that are read at one time */
	ROOM_RETRY_S = 5,
	TURN_MS = 500, /* of a kept connection, while others wait */
	OPTION_MAX = 16,
	REQUEST_MOST = 16384, /* of a request without its body, as CivetWeb is told */
};

struct door {
	struct server *server;
	struct mg_context *ctx;
	enum front_door kind;
	struct bodies *bodies; /* of this door's threads */
	char why[256];         /* CivetWeb's last complaint */
};

struct server {
	struct front front;
	struct door doors[DOORS];
	atomic_int in_flight;
	atomic_llong room_taken;
};

static struct request request_of(const struct mg_request_info *info,
				 struct request_header headers[HEADERS_MOST])
{
	struct request r = { .method = info->request_method ? info->request_method : "",
			     .path = info->request_uri ? info->request_uri : "",
			     .query = info->query_string ? info->query_string : "",
			     .headers = headers,
			     .body = "" };

	for (int i = 0; i < info->num_headers && r.n_headers < HEADERS_MOST; i++)
		headers[r.n_headers++] = (struct request_header){
			info->http_headers[i].name, info->http_headers[i].value
		};
	return r;
}

static const char *reason_of(int status)
{
	static const struct {
		int status;
		const char *reason;
	} reasons[] = {
		{ 200, "OK" },
		{ 202, "Accepted" },
		{ 400, "Bad Request" },
		{ 401, "Unauthorized" },
		{ 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 408, "Request Timeout" },
		{ 411, "Length Required" },
		{ 413, "Content Too Large" },
		{ 429, "Too Many Requests" },
		{ 501, "Not Implemented" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
		if (reasons[i].status == status)
			return reasons[i].reason;
	}
	return "Internal Server Error";
}

/* As CivetWeb decides it, so that what the answer says is what happens. */
static bool is_kept(const struct mg_request_info *info, const struct request *r)
{
	const char *connection = request_header(r, "Connection");

	if (connection)
		return str_eq_nocase(connection, "keep-alive");
	return info->http_version && str_eq(info->http_version, "1.1");
}

/* In one write: a head by itself would wait for the peer's acknowledgement. */
static void send_answer(struct mg_connection *conn, const struct request *r,
			const struct answer *a, bool keep)
{
	CLEANUP(buf) struct buf out = BUF_INIT(ANSWER_BODY_MOST + HEAD_MOST);

	buf_printf(&out,
		   "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		   "X-Content-Type-Options: nosniff\r\nCache-Control: no-store\r\n",
		   a->status, reason_of(a->status), a->content_type, a->body.len);
	if (a->retry_after_s > 0)
		buf_printf(&out, "Retry-After: %d\r\n", a->retry_after_s);
	if (a->extra)
		buf_str(&out, a->extra);
	buf_printf(&out, "Connection: %s\r\n\r\n", keep ? "keep-alive" : "close");
	if (!str_eq(r->method, "HEAD"))
		buf_add(&out, a->body.data, a->body.len);
	mg_write(conn, out.data, out.len);
}

/* Reads until len bytes are there, the peer stops, or the deadline has the connection shut
 * down. False: not all came. */
static bool read_body(struct mg_connection *conn, size_t len, struct bodies *bodies,
		      size_t slot, struct buf *body)
{
	while (body->len < len) {
		size_t want = len - body->len < READ_MOST ? len - body->len : READ_MOST;
		int got;

		if (!buf_reserve(body, want))
			return false;
		got = mg_read(conn, body->data + body->len, want);
		if (got <= 0)
			return false;
		body->len += (size_t)got;
		body->data[body->len] = '\0';
		if (body->len < len)
			bodies_got(bodies, slot, body->len);
	}
	return true;
}

static struct bodies_connection connection_of(const struct mg_request_info *info)
{
	return (struct bodies_connection){ .address = info->remote_addr,
					   .port = info->remote_port,
					   .local_port = info->server_port };
}

static bool read_in_time(struct door *door, struct mg_connection *conn,
			 const struct request *r, int64_t ms, struct buf *body)
{
	const struct mg_request_info *info = mg_get_request_info(conn);
	struct bodies_connection c = connection_of(info);
	const char *expect = request_header(r, "Expect");
	bool ok, late;
	size_t slot;

	if (expect && str_eq_nocase(expect, "100-continue"))
		mg_printf(conn, "HTTP/1.1 100 Continue\r\n\r\n");
	slot = bodies_enter(door->bodies, &c,
			    clock_monotonic_ms(door->server->front.clock), ms);
	ok = read_body(conn, (size_t)info->content_length, door->bodies, slot, body);
	late = bodies_leave(door->bodies, slot);
	return ok && !late;
}

/* A refused request's body is in the way of the connection's next one. A short one is read;
 * else nothing more will be. */
static bool pass_over_body(struct door *door, struct mg_connection *conn,
			   const struct request *r)
{
	const struct mg_request_info *info = mg_get_request_info(conn);
	struct bodies_connection c = connection_of(info);
	CLEANUP(buf) struct buf body = BUF_INIT(DISCARD_MOST);

	if (!request_is_framed_oddly(r)) {
		if (info->content_length <= 0)
			return true;
		if (info->content_length <= DISCARD_MOST &&
		    !request_header(r, "Expect") &&
		    read_in_time(door, conn, r, DISCARD_MS, &body))
			return true;
	}
	bodies_stop_reading(&c);
	return false;
}

/* Bodies are read before it is known who sends them, and then take their size several times
 * over. Large ones share a room, so that strangers cannot fill the memory; one fits always. */
static bool take_room(struct server *s, long long len)
{
	if (len <= SMALL_BODY)
		return true;
	long long before = atomic_fetch_add(&s->room_taken, len);
	if (before == 0 || before + len <= ROOM_BYTES)
		return true;
	atomic_fetch_sub(&s->room_taken, len);
	return false;
}

static void give_room(struct server *s, long long len)
{
	if (len > SMALL_BODY)
		atomic_fetch_sub(&s->room_taken, len);
}

/* A body that was admitted: read and answered. False: it did not come. */
static bool read_and_answer(struct door *door, struct mg_connection *conn,
			    const struct request *r, int64_t ms, struct answer *a)
{
	CLEANUP(buf) struct buf body = BUF_INIT((size_t)1 << 30);
	struct request whole = *r;

	if (!read_in_time(door, conn, r, ms, &body)) {
		a->status = 408;
		buf_str(&a->body, "the body did not come in time\n");
		return false;
	}
	whole.body = body.data;
	whole.body_len = body.len;
	front_answer(&door->server->front, door->kind, &whole, a);
	return true;
}

/* The answer, and whether the connection can be used again. */
static bool handle(struct door *door, struct mg_connection *conn, const struct request *r,
		   struct answer *a)
{
	struct server *s = door->server;
	long long len = mg_get_request_info(conn)->content_length;
	int64_t ms = 0;
	bool read;

	if (!front_takes_body(&s->front, door->kind, r, len, &ms, a))
		return pass_over_body(door, conn, r);
	if (!take_room(s, len)) {
		a->status = 503;
		a->retry_after_s = ROOM_RETRY_S;
		buf_str(&a->body, "too many large bodies at one time\n");
		return pass_over_body(door, conn, r);
	}
	read = read_and_answer(door, conn, r, ms, a);
	give_room(s, len);
	return read;
}

static void client_of(const struct server *s, const struct mg_request_info *info,
		      const struct request *r, char out[ADDRESS_MAX])
{
	struct settings *now = settings_now(s->front.settings);
	CLEANUP(buf) struct buf list = BUF_INIT(REQUEST_MOST);

	address_of_client(info->remote_addr,
			  request_header_list(r, "X-Forwarded-For", &list), &now->trusted,
			  out);
	settings_drop(now);
}

/* A thread serves this connection until it is closed. */
static int begin_connection(const struct mg_connection *conn, void **data)
{
	struct door *door = mg_get_user_context_data(conn);

	bodies_hold(door->bodies);
	/* When it began: all that is to be known of it later. */
	*data = (void *)(uintptr_t)clock_monotonic_ms(door->server->front.clock);
	return 0;
}

/* Called again by a thread that finds what we have closed. */
static void end_connection(const struct mg_connection *conn)
{
	struct door *door = mg_get_user_context_data(conn);

	if (!mg_get_user_connection_data(conn))
		return;
	mg_set_user_connection_data(conn, NULL);
	bodies_let_go(door->bodies);
}

/* Kept connections would hold all threads, and others wait for as long as they please. */
static bool has_had_its_turn(const struct door *door, const struct mg_connection *conn)
{
	int64_t began = (int64_t)(uintptr_t)mg_get_user_connection_data(conn);

	return bodies_are_pressed(door->bodies) &&
	       clock_monotonic_ms(door->server->front.clock) - began > TURN_MS;
}

static int begin_request(struct mg_connection *conn)
{
	const struct mg_request_info *info = mg_get_request_info(conn);
	struct door *door = info->user_data;
	struct server *s = door->server;
	struct request_header headers[HEADERS_MOST];
	struct request r = request_of(info, headers);
	CLEANUP(answer) struct answer a = ANSWER_INIT;
	char client[ADDRESS_MAX];
	int status;
	bool keep;

	atomic_fetch_add(&s->in_flight, 1);
	client_of(s, info, &r, client);
	r.peer = client;
	keep = handle(door, conn, &r, &a) && is_kept(info, &r) &&
	       !atomic_load(&s->front.draining) && !has_had_its_turn(door, conn);
	send_answer(conn, &r, &a, keep);
	status = a.status;
	atomic_fetch_sub(&s->in_flight, 1);
	/* What has come behind this request already would be read as the next one, and answered. */
	if (!keep)
		mg_close_connection(conn);
	return status;
}

/* What CivetWeb refuses by itself. Its own words would repeat a part of the request line, line ends
 * and all. */
static int answer_error(struct mg_connection *conn, int status, const char *why)
{
	const struct request none = { .method = "" };
	CLEANUP(answer) struct answer a = ANSWER_INIT;

	(void)why;
	a.status = status;
	buf_str(&a.body, "the request cannot be understood\n");
	send_answer(conn, &none, &a, false);
	mg_close_connection(conn);
	return 0;
}

static int log_message(const struct mg_connection *conn, const char *message)
{
	struct door *door = mg_get_user_context_data(conn);

	if (door) {
		snprintf(door->why, sizeof door->why, "%s", message);
		log_write(door->server->front.log, LOG_DEBUG, "civetweb: %s", message);
	}
	return 1;
}

static void join(const struct str_list *addresses, char out[PORTS_MOST])
{
	size_t n = 0;

	out[0] = '\0';
	for (size_t i = 0; i < addresses->len && n < PORTS_MOST; i++)
		n += (size_t)snprintf(out + n, PORTS_MOST - n, "%s%s", i ? "," : "",
				      addresses->items[i]);
}

static int open_door(struct server *s, struct door *door, enum front_door kind,
		     const struct str_list *addresses, int n_threads, struct error *err)
{
	char ports[PORTS_MOST], threads[OPTION_MAX];
	const char *options[] = { "listening_ports",
				  ports,
				  "num_threads",
				  threads,
				  "connection_queue",
				  "256",
				  "listen_backlog",
				  "1024",
				  "request_timeout_ms",
				  "5000",
				  "keep_alive_timeout_ms",
				  "5000",
				  "enable_keep_alive",
				  "yes",
				  "tcp_nodelay",
				  "1",
				  "max_request_size",
				  "16384",
				  "enable_auth_domain_check",
				  "no",
				  "enable_directory_listing",
				  "no",
				  "decode_url",
				  "no",
				  "access_control_allow_methods",
				  "",
				  NULL };
	static const struct mg_callbacks callbacks = { .init_connection =
							       begin_connection,
						       .connection_close = end_connection,
						       .begin_request = begin_request,
						       .http_error = answer_error,
						       .log_message = log_message };

	join(addresses, ports);
	snprintf(threads, sizeof threads, "%d", n_threads);
	*door = (struct door){ .server = s,
			       .kind = kind,
			       .bodies = bodies_new((size_t)n_threads, s->front.clock) };
	door->ctx = mg_start(&callbacks, door, options);
	if (!door->ctx)
		return error_set(err, ERR_IO, "listen on %s: %s", ports,
				 *door->why ? door->why : "not possible");
	return 0;
}

static void log_ports(const struct server *s, const struct door *door)
{
	struct mg_server_port ports[16];
	int n = mg_get_server_ports(door->ctx, 16, ports);

	for (int i = 0; i < n; i++)
		log_write(s->front.log, LOG_INFO, "listening on port %d%s", ports[i].port,
			  door->kind == FRONT_ADMIN ? " (admin)" : "");
}

static int open_doors(struct server *s, const struct settings *now, struct error *err)
{
	bool apart = now->admin.len > 0;

	if (open_door(s, &s->doors[0], apart ? FRONT_HOOKS : FRONT_ALL, &now->listen,
		      now->threads, err))
		return -1;
	log_ports(s, &s->doors[0]);
	if (!apart)
		return 0;
	if (open_door(s, &s->doors[1], FRONT_ADMIN, &now->admin, ADMIN_THREADS, err))
		return -1;
	log_ports(s, &s->doors[1]);
	return 0;
}

int server_start(const struct server_needs *needs, struct server **out, struct error *err)
{
	__attribute__((cleanup(settings_dropp))) struct settings *now = settings_now(
		needs->settings);
	struct server *s = xcalloc(1, sizeof *s);

	s->front = (struct front){ .settings = needs->settings,
				   .queue = needs->queue,
				   .metrics = needs->metrics,
				   .clock = needs->clock,
				   .log = needs->log,
				   .addresses = limits_new(),
				   .sites = limits_new() };
	mg_init_library(0);
	if (open_doors(s, now, err)) {
		server_stop(s, 0);
		return -1;
	}
	*out = s;
	return 0;
}

void server_set_worker(struct server *s, struct worker *worker)
{
	atomic_store(&s->front.worker, worker);
}

void server_drain(struct server *s)
{
	atomic_store(&s->front.draining, 1);
}

void server_stop(struct server *s, int64_t grace_ms)
{
	if (!s)
		return;
	server_drain(s);
	for (int64_t waited = 0; waited < grace_ms && atomic_load(&s->in_flight) > 0;
	     waited += WAIT_SLICE_MS)
		clock_sleep_ms(s->front.clock, WAIT_SLICE_MS);
	for (size_t i = 0; i < DOORS; i++) {
		if (s->doors[i].ctx)
			mg_stop(s->doors[i].ctx);
		bodies_free(s->doors[i].bodies);
	}
	mg_exit_library();
	limits_free(s->front.addresses);
	limits_free(s->front.sites);
	free(s);
}

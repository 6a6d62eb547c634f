/* daemon_load - signed pushes over many connections at once, and senders of slow bodies beside them.
 *
 * daemon_load PORT PATH BODY SECRET CONNECTIONS SLOW MS: BODY is a file with a JSON object, which gets one
 * more member that makes each request another; it is signed as GitHub does, with SECRET, before the
 * clock starts. CONNECTIONS are kept alive and each sends one request after the other. SLOW
 * connections send a byte each second and come again when they are thrown out. Prints one line of
 * JSON: how many were answered with 2xx, and how long senders waited for that, also those that
 * still do. One thread: what it costs is little beside a server's work. */
/* strcasestr() is GNU's. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "io/fs.h"

enum {
	ID_LEN = 16,
	SIGNATURE_LEN = 2 * HASH_SHA256_SIZE,
	BODY_MOST = 1 << 20,
	ANSWER_MOST = 4096,
	RATE_MOST = 20000, /* a second; so many requests are signed beforehand */
	CLIENTS_MOST = 4096,
	EVENTS = 256,
	TICK_MS = 50,
	SLOW_US = 1000000,
};

/* A whole request, and where in it differs what is another in each. */
struct form {
	struct buf text;
	size_t delivery, signature, body, unique;
};

struct signed_id {
	char id[ID_LEN + 1];
	char signature[SIGNATURE_LEN + 1];
};

enum state { CONNECTING, SENDING, WAITING };

struct client {
	int fd;
	enum state state;
	bool is_slow;
	size_t sent;
	size_t next;    /* the next request of this client; they are dealt out in turns */
	char *request;  /* NULL: a slow one's, which is the form */
	int64_t due_us; /* of a slow one's next byte */
	int64_t began_us;
	size_t got;
	char answer[ANSWER_MOST];
};

struct load {
	struct sockaddr_in to;
	struct form form;
	struct signed_id *ids;
	size_t n_ids;
	struct client *clients;
	size_t n_clients, n_honest;
	int epoll;
	int64_t end_us;
	uint32_t *waits_us;
	size_t accepted, refused, dropped;
	size_t slow_ended;
	int64_t slow_us; /* of those, all together */
};

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* Requests */

static void add_blank(struct buf *text, size_t *at, size_t n)
{
	*at = text->len;
	for (size_t i = 0; i < n; i++)
		buf_char(text, '0');
}

static void make_form(struct form *f, const char *path, const struct buf *body)
{
	static const char member[] = ",\"unique\":\"";
	static const char end[] = "\"}";
	size_t n = body->len;

	while (n > 0 && body->data[n - 1] != '}')
		n--;
	n = n > 0 ? n - 1 : 0;
	buf_printf(&f->text,
		   "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nX-GitHub-Event: push\r\n"
		   "Content-Type: application/json\r\nContent-Length: %zu\r\n"
		   "X-GitHub-Delivery: ",
		   path, n + strlen(member) + ID_LEN + strlen(end));
	add_blank(&f->text, &f->delivery, ID_LEN);
	buf_str(&f->text, "\r\nX-Hub-Signature-256: sha256=");
	add_blank(&f->text, &f->signature, SIGNATURE_LEN);
	buf_str(&f->text, "\r\n\r\n");
	f->body = f->text.len;
	buf_add(&f->text, body->data, n);
	buf_str(&f->text, member);
	add_blank(&f->text, &f->unique, ID_LEN);
	buf_str(&f->text, end);
}

/* Ids of one run are in order, those of two are different. */
static struct signed_id *sign_all(struct form *f, const char *secret, size_t n)
{
	struct signed_id *ids = xcalloc(n, sizeof(*ids));
	unsigned char mac[HASH_SHA256_SIZE];
	uint32_t run = 0;

	(void)!getrandom(&run, sizeof(run), 0);
	for (size_t i = 0; i < n; i++) {
		snprintf(ids[i].id, sizeof(ids[i].id), "%08x%08x", (unsigned)run,
			 (unsigned)i);
		memcpy(f->text.data + f->unique, ids[i].id, ID_LEN);
		hash_hmac_sha256(secret, strlen(secret), f->text.data + f->body,
				 f->text.len - f->body, mac);
		encode_hex(mac, sizeof(mac), ids[i].signature);
	}
	return ids;
}

/* Clients */

static void watch(struct load *l, struct client *c, int how, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = c };

	(void)epoll_ctl(l->epoll, how, c->fd, &e);
}

static void connect_client(struct load *l, struct client *c)
{
	int yes = 1;

	if (c->fd >= 0)
		close(c->fd);
	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) {
		perror("socket");
		exit(1);
	}
	(void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
	c->state = CONNECTING;
	c->sent = c->got = 0;
	watch(l, c, EPOLL_CTL_ADD, EPOLLOUT);
	(void)connect(c->fd, (const struct sockaddr *)&l->to, sizeof(l->to));
}

static void next_request(struct load *l, struct client *c)
{
	const struct signed_id *id;

	if (c->next >= l->n_ids) {
		fprintf(stderr, "more than %d requests a second\n", RATE_MOST);
		exit(1);
	}
	id = &l->ids[c->next];
	memcpy(c->request + l->form.delivery, id->id, ID_LEN);
	memcpy(c->request + l->form.unique, id->id, ID_LEN);
	memcpy(c->request + l->form.signature, id->signature, SIGNATURE_LEN);
	c->next += l->n_honest;
	c->sent = c->got = 0;
	c->began_us = now_us();
}

static void send_more(struct load *l, struct client *c)
{
	ssize_t n = send(c->fd, c->request + c->sent, l->form.text.len - c->sent,
			 MSG_NOSIGNAL);
	bool is_whole;

	if (n > 0)
		c->sent += (size_t)n;
	is_whole = c->sent == l->form.text.len;
	/* An error is told by the read. */
	if ((is_whole || (n < 0 && errno != EAGAIN)) && c->state != WAITING) {
		c->state = WAITING;
		watch(l, c, EPOLL_CTL_MOD, EPOLLIN);
	} else if (!is_whole && n < (ssize_t)l->form.text.len && c->state == WAITING) {
		c->state = SENDING;
		watch(l, c, EPOLL_CTL_MOD, EPOLLOUT);
	}
}

/* The status of an answer that is there as a whole, 0: it is not; *keeps: the connection may be used
 * again. */
static int whole_answer(struct client *c, bool *keeps)
{
	const char *end;
	const char *length;
	size_t size;

	c->answer[c->got] = '\0';
	end = strstr(c->answer, "\r\n\r\n");
	if (!end || c->got < 12)
		return 0;
	length = strcasestr(c->answer, "\r\nContent-Length:");
	size = length && length < end ? strtoul(length + 17, NULL, 10) : 0;
	if (c->got < (size_t)(end + 4 - c->answer) + size)
		return 0;
	*keeps = !strcasestr(c->answer, "\r\nConnection: close");
	return (int)strtol(c->answer + 9, NULL, 10);
}

static void take_answer(struct load *l, struct client *c, int status, bool keeps)
{
	int64_t now = now_us();

	if (status / 100 == 2)
		l->waits_us[l->accepted++] = (uint32_t)(now - c->began_us);
	else
		l->refused++;
	if (now >= l->end_us)
		return;
	next_request(l, c);
	if (keeps)
		send_more(l, c);
	else
		connect_client(l, c);
}

static void read_answer(struct load *l, struct client *c)
{
	ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_MOST - 1 - c->got, 0);
	bool keeps = false;
	int status;

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		/* Thrown out without an answer: once more, and it has waited since it began. */
		l->dropped++;
		connect_client(l, c);
		return;
	}
	c->got += (size_t)n;
	status = whole_answer(c, &keeps);
	if (status)
		take_answer(l, c, status, keeps);
}

/* The slow ones: a head at once, then a byte a second; whatever comes back is the end. */

static void slow_ready(struct load *l, struct client *c)
{
	char ignored[ANSWER_MOST];
	ssize_t n;

	if (c->state == CONNECTING) {
		/* An error is told by the read. */
		(void)!send(c->fd, l->form.text.data, l->form.body, MSG_NOSIGNAL);
		c->state = WAITING;
		c->began_us = now_us();
		c->due_us = c->began_us + SLOW_US;
		c->sent = l->form.body;
		watch(l, c, EPOLL_CTL_MOD, EPOLLIN | EPOLLRDHUP);
		return;
	}
	n = recv(c->fd, ignored, sizeof(ignored), 0);
	if (n < 0 && errno == EAGAIN)
		return;
	l->slow_ended++;
	l->slow_us += now_us() - c->began_us;
	connect_client(l, c);
}

static void send_slowly(struct load *l, int64_t now)
{
	for (size_t i = l->n_honest; i < l->n_clients; i++) {
		struct client *c = &l->clients[i];

		if (c->state != WAITING || now < c->due_us)
			continue;
		c->due_us = now + SLOW_US;
		/* An error is told by the read. */
		(void)!send(c->fd, l->form.text.data + c->sent++, 1, MSG_NOSIGNAL);
	}
}

/* The run */

static void serve(struct load *l, struct client *c)
{
	if (c->is_slow)
		slow_ready(l, c);
	else if (c->state == WAITING)
		read_answer(l, c);
	else
		send_more(l, c);
}

static void start_clients(struct load *l, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		struct client *c = &l->clients[i];

		c->fd = -1;
		c->is_slow = i >= l->n_honest;
		c->next = i;
		if (!c->is_slow) {
			c->request = xcalloc(1, l->form.text.len);
			memcpy(c->request, l->form.text.data, l->form.text.len);
			next_request(l, c);
		}
		connect_client(l, c);
	}
}

static void run_until(struct load *l, int64_t until_us)
{
	struct epoll_event events[EVENTS];
	int64_t now;

	while ((now = now_us()) < until_us) {
		int n = epoll_wait(l->epoll, events, EVENTS, TICK_MS);

		for (int i = 0; i < n; i++)
			serve(l, events[i].data.ptr);
		send_slowly(l, now);
	}
}

static int compare_waits(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a;
	uint32_t right = *(const uint32_t *)b;

	return (left > right) - (left < right);
}

/* Of the sorted waits, the one that so many of a hundred do not pass; -1: there are none. */
static double wait_ms(const struct load *l, size_t percent)
{
	size_t at = l->accepted * percent / 100;

	if (l->accepted == 0)
		return -1;
	return l->waits_us[at < l->accepted ? at : l->accepted - 1] / 1e3;
}

static void tell(struct load *l, int64_t took_us)
{
	size_t n = l->accepted;
	int64_t waiting_us = 0;

	for (size_t i = 0; i < l->n_honest; i++) {
		int64_t wait = now_us() - l->clients[i].began_us;

		if (wait > waiting_us)
			waiting_us = wait;
	}
	qsort(l->waits_us, n, sizeof(*l->waits_us), compare_waits);
	printf("{\"accepted\": %zu, \"refused\": %zu, \"dropped\": %zu, \"seconds\": %.3f, "
	       "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"most_ms\": %.3f, "
	       "\"still_waiting_ms\": %.3f, \"slow_ended\": %zu, \"slow_ms\": %.0f, "
	       "\"bytes\": %zu}\n",
	       n, l->refused, l->dropped, (double)took_us / 1e6, wait_ms(l, 50),
	       wait_ms(l, 99), wait_ms(l, 100), (double)waiting_us / 1e3, l->slow_ended,
	       l->slow_ended ? (double)l->slow_us / 1e3 / (double)l->slow_ended : -1,
	       l->form.text.len - l->form.body);
}

/* The slow ones are there first. */
static void run(struct load *l, int64_t ms)
{
	int64_t began;

	start_clients(l, l->n_honest, l->n_clients);
	if (l->n_clients > l->n_honest)
		run_until(l, now_us() + SLOW_US);
	began = now_us();
	l->end_us = began + ms * 1000;
	start_clients(l, 0, l->n_honest);
	run_until(l, l->end_us);
	tell(l, now_us() - began);
}

int main(int argc, char **argv)
{
	static struct load l;
	CLEANUP(buf) struct buf body = BUF_INIT(BODY_MOST);
	struct error err = ERROR_INIT;
	int64_t port, honest, slow, ms;

	if (argc != 8 || !str_to_i64(argv[1], 1, 65535, &port) ||
	    !str_to_i64(argv[5], 1, CLIENTS_MOST, &honest) ||
	    !str_to_i64(argv[6], 0, CLIENTS_MOST, &slow) ||
	    !str_to_i64(argv[7], 1, 600000, &ms)) {
		fputs("daemon_load PORT PATH BODY SECRET CONNECTIONS SLOW MS\n", stderr);
		return 2;
	}
	if (fs_read(argv[3], &body, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	l.to = (struct sockaddr_in){ .sin_family = AF_INET,
				     .sin_port = htons((uint16_t)port),
				     .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	l.form.text = (struct buf)BUF_INIT(BODY_MOST + ANSWER_MOST);
	make_form(&l.form, argv[2], &body);
	l.n_ids = (size_t)(ms * RATE_MOST / 1000 + honest);
	l.ids = sign_all(&l.form, argv[4], l.n_ids);
	l.waits_us = xcalloc(l.n_ids, sizeof(*l.waits_us));
	l.n_honest = (size_t)honest;
	l.n_clients = (size_t)(honest + slow);
	l.clients = xcalloc(l.n_clients, sizeof(*l.clients));
	l.epoll = epoll_create1(EPOLL_CLOEXEC);
	run(&l, ms);
	return l.accepted > 0 ? 0 : 1;
}

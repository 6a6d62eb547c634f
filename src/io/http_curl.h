/* http_curl.h - the engine that talks to the network: libcurl's multi interface, HTTP/1.1
 * over kept connections, TLS 1.2 or newer with verified certificates.
 *
 * Proxies come from the environment as libcurl reads it (https_proxy, no_proxy, ...). Not
 * for use by several threads at once. */
#ifndef IO_HTTP_CURL_H
#define IO_HTTP_CURL_H

#include "io/http.h"

struct http_curl_options {
	const struct clock *clock;     /* borrowed; NULL: the machine's */
	const char *ca_bundle;         /* NULL: where distributions keep theirs */
	const char *user_agent;        /* NULL: crc/VERSION */
	const volatile int *cancelled; /* borrowed; may be NULL */
	int64_t connect_timeout_ms;    /* 0: 10 s */
	int64_t stall_timeout_ms;      /* without a byte either way; 0: 60 s */
	int64_t timeout_ms;            /* a whole request; 0: 60 s */
	size_t max_response;           /* 0: 64 MiB */
};

/* -1: ERR_CONFIG when ca_bundle cannot be read. */
int http_curl_new(const struct http_curl_options *options, struct http **out,
		  struct error *err);

#endif

/* aws_fixture.h - a client on a scripted transport, for tests of what is built on src/aws.
 *
 * Include after cmocka.h. Requests are retried as in production, on a clock of our own. */
#ifndef TESTS_AWS_FIXTURE_H
#define TESTS_AWS_FIXTURE_H

#include <string.h>

#include "aws/client.h"
#include "aws/creds.h"
#include "base/buf.h"
#include "base/log.h"
#include "base/str.h"
#include "fake/fake_http.h"

#define FIXTURE_MS   INT64_C(1780000000000)
#define FIXTURE_DATE "Thu, 28 May 2026 20:26:40 GMT" /* the same moment */

struct aws_fixture {
	const char *env[8];
	struct clock_fake clock;
	struct fake_http fake;
	struct aws_creds *creds;
	struct aws *aws;
	struct log log;
	struct buf logged; /* with aws_fixture_log */
	struct error err;
};

/* env is added to the keys' variables and ends in NULL; at most four. */
static inline void aws_fixture_start_env(struct aws_fixture *f, const char *const *env,
					 unsigned max_attempts)
{
	struct creds_options creds = { .env = f->env, .no_metadata = true };
	struct aws_options options = { .env = f->env,
				       .region = "us-east-1",
				       .seed = 1,
				       .max_attempts = max_attempts };

	*f = (struct aws_fixture){ .env = { "AWS_ACCESS_KEY_ID=AKIDEXAMPLE",
					    "AWS_SECRET_ACCESS_KEY=canary-secret" } };
	for (size_t i = 0; env && env[i]; i++)
		f->env[2 + i] = env[i];
	clock_fake_init(&f->clock, FIXTURE_MS);
	fake_http_init(&f->fake, &f->clock);
	creds.http = options.http = &f->fake.http;
	creds.clock = options.clock = &f->clock.clock;
	assert_int_equal(aws_creds_new(&creds, &f->creds, &f->err), 0);
	options.creds = f->creds;
	assert_int_equal(aws_new(&options, &f->aws, &f->err), 0);
}

static inline void aws_fixture_start(struct aws_fixture *f)
{
	aws_fixture_start_env(f, NULL, 0);
}

/* Fails unless all that was scripted was asked, and nothing else. */
static inline void aws_fixture_end(struct aws_fixture *f)
{
	bool good = fake_http_check(&f->fake);

	aws_free(f->aws);
	aws_creds_free(f->creds);
	fake_http_release(&f->fake);
	buf_release(&f->logged);
	assert_true(good);
}

static inline int aws_fixture_setup(void **state)
{
	struct aws_fixture *f = xcalloc(1, sizeof(*f));

	aws_fixture_start(f);
	*state = f;
	return 0;
}

static inline int aws_fixture_teardown(void **state)
{
	aws_fixture_end(*state);
	free(*state);
	return 0;
}

static inline void aws_fixture_collect(void *ctx, enum log_level level, const char *line)
{
	(void)level;
	buf_str(ctx, line);
}

/* A client that logs all that it can, in the place of the one that does not. */
static inline void aws_fixture_log(struct aws_fixture *f)
{
	struct aws_options options = { .http = &f->fake.http,
				       .creds = f->creds,
				       .clock = &f->clock.clock,
				       .log = &f->log,
				       .region = "us-east-1",
				       .env = f->env };

	aws_free(f->aws);
	f->logged = (struct buf)BUF_INIT(1 << 20);
	f->log = (struct log){ LOG_DEBUG, aws_fixture_collect, &f->logged };
	assert_int_equal(aws_new(&options, &f->aws, &f->err), 0);
}

/* Makes res an answer with that body, whatever it was. */
static inline void set_answer(struct http_response *res, const char *body)
{
	http_response_release(res);
	res->status = 200;
	buf_str(&res->body, body);
}

/* The ith request, from 0. */
static inline const struct fake_seen *aws_fixture_seen(const struct aws_fixture *f,
						       size_t i)
{
	assert_true(i < f->fake.seen.len);
	return &f->fake.seen.items[i];
}

/* Fails unless the request has the header with that value; NULL: unless it lacks it. */
static inline void assert_seen_header(const struct fake_seen *seen, const char *name,
				      const char *expected)
{
	char value[8192];
	bool found = fake_seen_header(seen, name, value, sizeof(value));

	if (!expected && found)
		fail_msg("%s: %s", name, value);
	if (expected && (!found || strcmp(value, expected) != 0))
		fail_msg("%s: %s and not %s", name, found ? value : "missing", expected);
}

#endif

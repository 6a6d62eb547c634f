#include "io/http.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

void http_free(struct http *http)
{
	if (http)
		http->free(http);
}

/* ---- responses ---- */

void http_response_release(struct http_response *res)
{
	size_t max = res->body.max;

	buf_release(&res->body);
	arena_release(&res->arena);
	*res = (struct http_response)HTTP_RESPONSE_INIT;
	res->body.max = max;
}

const char *http_response_header(const struct http_response *res, const char *name)
{
	for (size_t i = 0; i < res->n_headers; i++)
		if (str_eq_nocase(res->headers[i].name, name))
			return res->headers[i].value;
	return NULL;
}

void http_response_move(struct http_response *to, struct http_response *from)
{
	http_response_release(to);
	*to = *from;
	*from = (struct http_response)HTTP_RESPONSE_INIT;
}

/* ---- dates ---- */

/* Days from 1970-01-01 to a date of the Gregorian calendar, counting years from March so
 * that the leap day comes last. */
static int64_t days_since_1970(int year, int month, int day)
{
	int64_t y = month <= 2 ? year - 1 : year;
	int64_t era = y / 400;
	int64_t year_of_era = y - era * 400;
	int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 +
	       day_of_year - 719468;
}

static bool two_digits(const char *s, int max, int *out)
{
	if (s[0] < '0' || s[0] > '9' || s[1] < '0' || s[1] > '9')
		return false;
	*out = (s[0] - '0') * 10 + (s[1] - '0');
	return *out <= max;
}

bool http_date_parse(const char *text, int64_t *out_ms)
{
	static const char shape[] = "Www, 00 Mmm 0000 00:00:00 GMT";
	static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
	int day, century, year, hour, minute, second;
	const char *month;
	char name[4];

	if (strlen(text) != sizeof(shape) - 1 || strcmp(text + 25, " GMT") != 0)
		return false;
	for (size_t i = 3; i < 25; i++)
		if (strchr(", :", shape[i]) && text[i] != shape[i])
			return false;
	memcpy(name, text + 8, 3);
	name[3] = '\0';
	month = strstr(months, name);
	if (!month || (month - months) % 3 || !two_digits(text + 5, 31, &day) ||
	    day < 1 || !two_digits(text + 12, 99, &century) ||
	    !two_digits(text + 14, 99, &year) || !two_digits(text + 17, 23, &hour) ||
	    !two_digits(text + 20, 59, &minute) || !two_digits(text + 23, 60, &second))
		return false;
	*out_ms = ((days_since_1970(century * 100 + year, (int)(month - months) / 3 + 1,
				    day) *
			    24 +
		    hour) * 60 +
		   minute) *
			  60 +
		  second;
	*out_ms *= 1000;
	return true;
}

int64_t http_response_asked_ms(const struct http_response *res)
{
	const char *date = http_response_header(res, "Date");
	int64_t took_ms = res->received_ms - res->sent_ms;
	int64_t date_ms;

	if (!date || http_response_header(res, "Age") || !http_date_parse(date, &date_ms))
		return 0;
	/* Our clock may have been set back meanwhile. */
	return took_ms > 0 ? date_ms - took_ms : date_ms;
}

/* ---- one request ---- */

struct single {
	const struct http_request *req; /* NULL: handed out */
	struct http_response *res;
	struct error *err;
	bool answered;
};

static enum http_feed_answer single_next(void *ctx, struct http_request *req, void **tag,
					 int64_t *wait_ms)
{
	struct single *s = ctx;

	(void)wait_ms;
	if (!s->req)
		return HTTP_FEED_END;
	*req = *s->req;
	*tag = NULL;
	s->req = NULL;
	return HTTP_FEED_REQUEST;
}

static void single_done(void *ctx, void *tag, struct http_response *res,
			const struct error *err)
{
	struct single *s = ctx;

	(void)tag;
	s->answered = res != NULL;
	if (res)
		http_response_move(s->res, res);
	else
		*s->err = *err;
}

int http_send(struct http *http, const struct http_request *req,
	      struct http_response *res, struct error *err)
{
	struct error why = ERROR_INIT;
	struct single single = { .req = req, .res = res, .err = &why };
	struct http_feed feed = { .ctx = &single,
				  .next = single_next,
				  .done = single_done };

	if (http_run(http, &feed, 1, err) < 0)
		return -1;
	if (single.answered)
		return 0;
	*err = why;
	return -1;
}

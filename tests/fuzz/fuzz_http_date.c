/* Dates of headers: one that the calendar has comes out as it went in. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws/retry.h"
#include "base/mem.h"
#include "io/http.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int number(const char *text)
{
	return (text[0] - '0') * 10 + (text[1] - '0');
}

static void check_date(const char *text)
{
	char back[40];
	int64_t ms = 0;
	struct tm tm;
	time_t s;

	if (!http_date_parse(text, &ms))
		return;
	if (strlen(text) != 29 || ms % 1000)
		abort();
	s = (time_t)(ms / 1000);
	gmtime_r(&s, &tm);
	/* 31 February and second 60 are the day and second after. Years before 1000 are
	 * printed with fewer digits. */
	if (number(text + 5) > 28 || number(text + 23) > 59 || text[12] == '0')
		return;
	strftime(back, sizeof(back), "%d %b %Y %H:%M:%S GMT", &tm);
	if (strcmp(back, text + 5) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PTR(mem) char *text = xstrndup((const char *)data, size);

	check_date(text);
	if (retry_after_ms(text, INT64_C(1780000000000)) < -1)
		abort();
	return 0;
}

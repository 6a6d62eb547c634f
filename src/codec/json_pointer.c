#include "codec/json_pointer.h"

#include <stdint.h>
#include <string.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"

bool json_pointer_is_valid(const char *text)
{
	if (*text != '\0' && *text != '/')
		return false;
	for (; *text; text++) {
		if (*text == '~' && text[1] != '0' && text[1] != '1')
			return false;
	}
	return true;
}

/* One step without its '/', "~1" and "~0" undone. */
static void unescape(const char *step, size_t n, struct buf *out)
{
	for (size_t i = 0; i < n; i++) {
		if (step[i] == '~')
			buf_char(out, step[++i] == '1' ? '/' : '~');
		else
			buf_char(out, step[i]);
	}
}

static const struct json *at_index(const struct json *array, const char *step)
{
	bool is_padded = step[0] == '0' && step[1] != '\0';
	int64_t i = 0;

	if (is_padded || step[0] == '-' ||
	    !str_to_i64(step, 0, (int64_t)json_len(array) - 1, &i))
		return NULL;
	return json_at(array, (size_t)i);
}

const struct json *json_pointer_get(const struct json *root, const char *pointer)
{
	CLEANUP(buf) struct buf step = BUF_INIT(strlen(pointer));
	const struct json *v = root;

	if (!json_pointer_is_valid(pointer))
		return NULL;
	while (v && *pointer == '/') {
		size_t n = strcspn(++pointer, "/");

		buf_clear(&step);
		unescape(pointer, n, &step);
		v = json_type(v) == JSON_ARRAY ? at_index(v, step.data)
					       : json_get(v, step.data);
		pointer += n;
	}
	return v;
}

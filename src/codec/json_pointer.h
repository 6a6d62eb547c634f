/* json_pointer.h - naming a value within a JSON document: RFC 6901 ("/push/0/ref"). */
#ifndef CODEC_JSON_POINTER_H
#define CODEC_JSON_POINTER_H

#include <stdbool.h>

#include "codec/json.h"

/* Whether text is a pointer at all: "" or steps that begin with '/', where '~' only stands
 * before '0' or '1' (section 3). */
bool json_pointer_is_valid(const char *text);

/* The value that a pointer names; "" names root. NULL: nothing is there, or pointer is not
 * valid. Steps into an array are its indices without leading zeros; "-", which stands
 * for the element behind the last, names nothing (section 4). */
const struct json *json_pointer_get(const struct json *root, const char *pointer);

#endif

/* encode.h - bytes as text: hex and base64 (RFC 4648). */
#ifndef CODEC_ENCODE_H
#define CODEC_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"

/* Writes 2n lower-case digits and a NUL. */
void encode_hex(const void *p, size_t n, char *out);
/* Reads exactly 2n digits of either case. False if text holds anything else or more. */
bool decode_hex(const char *text, size_t n, unsigned char *out);

/* Appends with padding. */
void encode_base64(const void *p, size_t n, struct buf *out);
/* Appends the bytes. Standard alphabet, padding required, no white space, no stray bits
 * before the padding. False: not base64, and out is as before. */
bool decode_base64(const char *text, size_t n, struct buf *out);

#endif

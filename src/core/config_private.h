/* config_private.h - what the parts of config share: config.c (making and checking),
 * config_parse.c (reading the file), config_files.c (what is uploaded). */
#ifndef CORE_CONFIG_PRIVATE_H
#define CORE_CONFIG_PRIVATE_H

#include "core/config.h"

/* Sets ERR_CONFIG with "crc.yml:3:5: " in front as far as it is known (line 0: it is not).
 * Control characters of the message are replaced. Returns -1. */
int config_fail_at(const struct config *c, unsigned line, unsigned column,
		   struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

#endif

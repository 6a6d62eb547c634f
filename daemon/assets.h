/* assets.h - the page's own files, built in (daemon/assets; CMakeLists.txt makes assets.c). */
#ifndef DAEMON_ASSETS_H
#define DAEMON_ASSETS_H

#include <stddef.h>

struct asset {
	const char *path; /* "/page.css" */
	const unsigned char *bytes;
	size_t len;
};

extern const struct asset assets[];
extern const size_t n_assets;

#endif

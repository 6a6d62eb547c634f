#include "base/path.h"

#include <string.h>

bool path_step(struct buf *path, const char *name, size_t n)
{
	const char *slash;

	if (!n || (n == 1 && name[0] == '.'))
		return true;
	if (n != 2 || name[0] != '.' || name[1] != '.') {
		if (path->len)
			buf_char(path, '/');
		buf_add(path, name, n);
		return true;
	}
	if (!path->len)
		return false;
	slash = strrchr(path->data, '/');
	buf_truncate(path, slash ? (size_t)(slash - path->data) : 0);
	return true;
}

bool path_go(struct buf *path, const char *names)
{
	while (*names) {
		size_t n = strcspn(names, "/");

		if (!path_step(path, names, n))
			return false;
		names += n + (names[n] == '/');
	}
	return true;
}

const char *path_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

/* zip_dir - an archive of files, for tests that open it with other programs.
 *
 * zip_dir FOLDER <NAMES >ARCHIVE: the names, from FOLDER, each end in a NUL. With "-" for a
 * folder, the files are empty and need not exist. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/mem.h"
#include "codec/zip.h"

static void fill(struct buf *out, int fd)
{
	char chunk[65536];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0)
		buf_add(out, chunk, (size_t)n);
	if (n < 0)
		buf_truncate(out, 0);
}

static int add_file(const char *folder, const char *name, struct arena *arena,
		    struct zip_items *items)
{
	CLEANUP(buf) struct buf bytes = BUF_INIT((size_t)1 << 30);
	struct zip_item item = { .path = arena_strdup(arena, name) };
	struct stat st;
	int fd;

	if (strcmp(folder, "-") != 0) {
		fd = open(arena_printf(arena, "%s/%s", folder, name), O_RDONLY);
		if (fd < 0 || fstat(fd, &st) < 0) {
			perror(name);
			return -1;
		}
		fill(&bytes, fd);
		close(fd);
		item.executable = st.st_mode & S_IXUSR;
		item.bytes = arena_memdup(arena, bytes.data, bytes.len);
		item.len = bytes.len;
	}
	zip_items_push(items, item);
	return 0;
}

int main(int argc, char **argv)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(buf) struct buf names = BUF_INIT((size_t)64 << 20);
	CLEANUP(buf) struct buf archive = BUF_INIT((size_t)1 << 30);
	CLEANUP(zip_items) struct zip_items items = { 0 };
	struct error err = ERROR_INIT;

	if (argc != 2)
		return 2;
	fill(&names, STDIN_FILENO);
	for (const char *p = names.data; p < names.data + names.len; p += strlen(p) + 1)
		if (add_file(argv[1], p, &arena, &items) < 0)
			return 1;
	if (zip_write(&items, &archive, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	return fwrite(archive.data, 1, archive.len, stdout) == archive.len ? 0 : 1;
}

#include "daemon/store.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/str.h"
#include "codec/encode.h"
#include "io/fs.h"
#include "io/random.h"

enum { HOST_MOST = 32 };

static int make_owner(char out[QUEUE_OWNER_MAX], struct error *err)
{
	CLEANUP(buf) struct buf owner = BUF_INIT(QUEUE_OWNER_MAX - 1);
	char host[256] = "";
	char hex[17];
	unsigned char chance[8];

	if (random_bytes(chance, sizeof(chance), err) < 0)
		return -1;
	encode_hex(chance, sizeof(chance), hex);
	(void)gethostname(host, sizeof(host) - 1); /* only for people */
	host[HOST_MOST] = '\0';
	buf_printf(&owner, "%s:%ld:%s", host, (long)getpid(), hex);
	(void)str_copy(out, QUEUE_OWNER_MAX, owner.data);
	return 0;
}

static int make_folder(const char *file, struct error *err)
{
	const char *slash = strrchr(file, '/');
	CLEANUP_PTR(mem) char *folder = NULL;

	if (strstr(file, "://") || !slash || slash == file)
		return 0;
	folder = xstrndup(file, (size_t)(slash - file));
	return fs_make_folders(folder, err);
}

int store_open(const struct settings *s, const struct log *log, struct queue **out,
	       struct error *err)
{
	char owner[QUEUE_OWNER_MAX];

	if (make_owner(owner, err) < 0 || make_folder(s->queue, err) < 0)
		return -1;
	if (queue_open(s->queue, &s->queue_password, owner, log, out, err) < 0)
		return error_wrap(err, "open the queue");
	return 0;
}

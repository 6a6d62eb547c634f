#include "daemon/store.h"

#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/mem.h"
#include "base/secret.h"
#include "codec/encode.h"
#include "codec/url.h"
#include "io/fs.h"
#include "io/random.h"

enum { OWNER_MAX = 64, HOST_MOST = 32, URL_MOST = 128 << 10 };

static int make_owner(char out[OWNER_MAX], struct error *err)
{
	CLEANUP(buf) struct buf owner = BUF_INIT(OWNER_MAX - 1);
	char host[256] = "";
	char hex[17];
	unsigned char chance[8];

	if (random_bytes(chance, sizeof(chance), err) < 0)
		return -1;
	encode_hex(chance, sizeof(chance), hex);
	(void)gethostname(host, sizeof(host) - 1); /* only for people */
	host[HOST_MOST] = '\0';
	buf_printf(&owner, "%s:%ld:%s", host, (long)getpid(), hex);
	(void)str_copy(out, OWNER_MAX, owner.data);
	return 0;
}

/* libpq takes it among the parameters. */
static void make_url(const struct settings *s, struct secret *out)
{
	struct buf url = BUF_INIT(URL_MOST);

	/* At once, so that growing leaves no copy behind that nobody wipes. */
	(void)buf_reserve(&url,
			  strlen(s->queue) + 3 * secret_len(&s->queue_password) + 16);
	buf_str(&url, s->queue);
	if (secret_is_set(&s->queue_password)) {
		buf_printf(&url, "%cpassword=", strchr(s->queue, '?') ? '&' : '?');
		url_encode_query(secret_bytes(&s->queue_password),
				 secret_len(&s->queue_password), &url);
	}
	secret_set(out, url.data, url.len);
	if (url.len)
		secret_wipe(url.data, url.len);
	buf_release(&url);
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
	CLEANUP(secret) struct secret url = SECRET_INIT;
	char owner[OWNER_MAX];
	int rc;

	if (make_owner(owner, err) < 0 || make_folder(s->queue, err) < 0)
		return -1;
	make_url(s, &url);
	rc = queue_open(secret_bytes(&url), owner, log, out, err);
	return rc < 0 ? error_wrap(err, "open the queue") : 0;
}

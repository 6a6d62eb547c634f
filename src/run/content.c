#include "run/content.h"

#include <string.h>

#include "base/mem.h"
#include "codec/encode.h"
#include "codec/hash.h"

enum { POINTER_MAX = 1024 };

void content_release(struct content *c)
{
	buf_release(&c->bytes);
	fs_file_release(&c->file);
}

/* The SHA-256 (hex) that an LFS pointer names; false: not a pointer.
 * github.com/git-lfs/git-lfs, docs/spec.md */
static bool pointer_sha256(const char *text, size_t n, char out[65])
{
	static const char version[] = "version https://git-lfs.github.com/spec/v1\n";
	static const char oid[] = "\noid sha256:";
	const char *at;

	if (n > POINTER_MAX || strncmp(text, version, sizeof(version) - 1) != 0)
		return false;
	at = strstr(text, oid);
	if (!at || strspn(at + sizeof(oid) - 1, "0123456789abcdef") != 64)
		return false;
	memcpy(out, at + sizeof(oid) - 1, 64);
	out[64] = '\0';
	return true;
}

static bool has_sha256(const struct fs_digest *d, const char *hex)
{
	unsigned char bytes[HASH_SHA256_SIZE];

	return decode_hex(hex, sizeof(bytes), bytes) &&
	       memcmp(bytes, d->sha256, sizeof(bytes)) == 0;
}

static int open_beneath(const char *root, const char *path, struct content *out,
			struct error *err)
{
	fs_file_release(&out->file);
	out->file = (struct fs_file)FS_FILE_INIT;
	if (fs_open_beneath(root, path, &out->file, err) < 0)
		return -1;
	out->len = out->file.size;
	return fs_digest_file(&out->file, path, &out->digest, err);
}

/* Opens what the clone keeps for a pointer. *wrong: something, but not its content. */
static bool open_lfs_object(const struct content_origin *from, const char *sha256,
			    struct content *out, bool *wrong)
{
	CLEANUP(buf) struct buf path = BUF_INIT(8192);
	struct error ignored = ERROR_INIT;
	char *slash;

	*wrong = false;
	repo_lfs_path(from->repo, sha256, &path);
	slash = strrchr(path.data, '/');
	if (!slash)
		return false;
	*slash = '\0';
	if (open_beneath(path.data, slash + 1, out, &ignored) < 0)
		return false;
	*wrong = !has_sha256(&out->digest, sha256);
	return !*wrong;
}

static int follow_pointer(const struct content_origin *from, const char *path,
			  const char *sha256, struct content *out, struct error *err)
{
	struct error ignored = ERROR_INIT;
	bool wrong;

	if (open_lfs_object(from, sha256, out, &wrong))
		return 0;
	if (from->root && open_beneath(from->root, path, out, &ignored) == 0 &&
	    has_sha256(&out->digest, sha256))
		return 0;
	if (wrong)
		return error_set(
			err, ERR_DATA,
			"%s is kept in Git LFS, and what this clone has for it is "
			"damaged: its SHA-256 is not its pointer's (`git lfs fsck` "
			"moves it away, `git lfs pull` gets it anew)",
			path);
	return error_set(
		err, ERR_DATA,
		"%s is kept in Git LFS and its content is not in this clone: run `git "
		"lfs pull`, or check out with `lfs: true`",
		path);
}

static int read_commit(const struct content_origin *from, const char *path,
		       const struct oid *id, struct content *out, struct error *err)
{
	CLEANUP(buf) struct buf whole = BUF_INIT(8192);
	char sha256[65];

	buf_printf(&whole, "%s%s%s", from->folder, *from->folder ? "/" : "", path);
	if (repo_blob(from->repo, id, whole.data, &out->bytes, err) < 0)
		return error_wrap(err, "%s", path);
	out->len = (int64_t)out->bytes.len;
	if (pointer_sha256(out->bytes.data, out->bytes.len, sha256)) {
		buf_release(&out->bytes);
		return follow_pointer(from, path, sha256, out, err);
	}
	fs_digest_bytes(out->bytes.data, out->bytes.len, &out->digest);
	return 0;
}

static int read_worktree(const struct content_origin *from, const char *path,
			 const struct oid *id, struct content *out, struct error *err)
{
	CLEANUP(buf) struct buf head = BUF_INIT(POINTER_MAX);
	char sha256[65];

	if (open_beneath(from->root, path, out, err) < 0)
		return -1;
	if (!oid_equal(&out->digest.blob, id))
		return error_set(err, ERR_CONFLICT,
				 "%s changed while it was being deployed", path);
	if (out->len > POINTER_MAX)
		return 0;
	if (fs_file_read(&out->file, path, &head, err) < 0)
		return -1;
	if (pointer_sha256(head.data, head.len, sha256))
		return follow_pointer(from, path, sha256, out, err);
	return 0;
}

int content_read(const struct content_origin *from, const char *path,
		 const struct oid *id, struct content *out, struct error *err)
{
	return from->is_disk ? read_worktree(from, path, id, out, err)
			     : read_commit(from, path, id, out, err);
}

bool content_is_checked_out(const struct content_origin *from, const char *path,
			    const struct oid *pointer)
{
	CLEANUP(buf) struct buf text = BUF_INIT(POINTER_MAX);
	CLEANUP(content) struct content content = CONTENT_INIT;
	struct error ignored = ERROR_INIT;
	char sha256[65];

	return from->root && repo_has_blob(from->repo, pointer) &&
	       repo_blob(from->repo, pointer, NULL, &text, &ignored) == 0 &&
	       pointer_sha256(text.data, text.len, sha256) &&
	       open_beneath(from->root, path, &content, &ignored) == 0 &&
	       has_sha256(&content.digest, sha256);
}

/* Unpacking ends within its maximum, and what is packed comes back. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/gzip.h"

enum { MOST = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(buf) struct buf out = BUF_INIT(MOST);
	CLEANUP(buf) struct buf packed = BUF_INIT(SIZE_MAX);
	CLEANUP(buf) struct buf back = BUF_INIT(size);
	struct error err = ERROR_INIT;

	if (gzip_decompress(data, size, &out, &err) < 0 && err.code != ERR_DATA &&
	    err.code != ERR_TOO_BIG)
		abort();
	if (out.len > MOST)
		abort();
	gzip_compress(data, size, &packed);
	if (gzip_decompress(packed.data, packed.len, &back, &err) < 0 ||
	    back.len != size || (size > 0 && memcmp(back.data, data, size) != 0))
		abort();
	return 0;
}

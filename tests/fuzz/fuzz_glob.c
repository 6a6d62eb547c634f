/* Lines of patterns, an empty line, a path. */
#undef NDEBUG /* the checks are what a fuzz target is for */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/glob.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP_PTR(mem) char *text = xstrndup((const char *)data, size);
	CLEANUP(glob_list) struct glob_list list = { 0 };
	char *path = strstr(text, "\n\n");
	char *rest = NULL;
	bool any = false;

	if (!path)
		return 0;
	*path = '\0';
	path += 2;
	for (char *p = strtok_r(text, "\n", &rest); p; p = strtok_r(NULL, "\n", &rest)) {
		struct glob g;

		if (!glob_parse(p, &g))
			continue;
		assert(g.len > 0 && g.len <= strlen(p));
		glob_list_push(&list, g);
		any |= glob_matches(&g, path, false);
		glob_reaches_below(&g, path);
	}
	/* What matches the path itself decides unless a parent folder has. */
	if (any)
		assert(glob_list_verdict(&list, path, false) != GLOB_UNDECIDED);
	return 0;
}

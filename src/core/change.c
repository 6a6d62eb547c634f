#include "core/change.h"

#include <string.h>

static void push(struct change_list *out, enum change_kind kind,
		 const struct entry *before, const struct entry *after)
{
	change_list_push(out, (struct change){ kind, before, after });
}

static void compare_pair(const struct entry *before, const struct entry *after,
			 struct change_list *out)
{
	if (!oid_equal(&before->id, &after->id))
		push(out, CHANGE_MODIFIED, before, after);
	else if (before->headers_id != after->headers_id)
		push(out, CHANGE_HEADERS, before, after);
}

void change_compare(const struct snapshot *from, const struct snapshot *to,
		    struct change_list *out)
{
	size_t i = 0;
	size_t j = 0;

	while (i < from->len || j < to->len) {
		const struct entry *before = i < from->len ? &from->items[i] : NULL;
		const struct entry *after = j < to->len ? &to->items[j] : NULL;
		int order = !before ? 1 : !after ? -1 : strcmp(before->path, after->path);

		if (order < 0)
			push(out, CHANGE_DELETED, before, NULL);
		else if (order > 0)
			push(out, CHANGE_ADDED, NULL, after);
		else
			compare_pair(before, after, out);
		i += order <= 0;
		j += order >= 0;
	}
}

const char *change_path(const struct change *c)
{
	return c->after ? c->after->path : c->before->path;
}

const char *change_kind_name(enum change_kind kind)
{
	static const char *const names[CHANGE_KINDS] = {
		[CHANGE_ADDED] = "added",
		[CHANGE_MODIFIED] = "modified",
		[CHANGE_HEADERS] = "headers",
		[CHANGE_DELETED] = "deleted",
	};

	return names[kind];
}

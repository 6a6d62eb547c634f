/* Answers of CloudFront: a distribution that is taken can be walked, its default behaviour
 * comes last, and what is served by it can be told for any key. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "aws/cloudfront.h"
#include "run/viewers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_distribution(const struct cf_distribution *d)
{
	if (!d->id || !d->domain || !d->root || !d->origins.len || !d->behaviors.len)
		abort();
	for (size_t i = 0; i < d->origins.len; i++)
		if (!d->origins.items[i].id || !d->origins.items[i].domain ||
		    !d->origins.items[i].path)
			abort();
	for (size_t i = 0; i < d->behaviors.len; i++)
		if (!d->behaviors.items[i].origin_id ||
		    !d->behaviors.items[i].pattern != (i == d->behaviors.len - 1))
			abort();
	for (size_t i = 0; i < d->error_pages.len; i++)
		if (!d->error_pages.items[i].page ||
		    d->error_pages.items[i].status < 100 ||
		    d->error_pages.items[i].status > 999 ||
		    d->error_pages.items[i].caching_s < 0)
			abort();
}

static void check_viewer(const struct cf_distribution *d)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	CLEANUP(note_list) struct note_list notes = { 0 };
	CLEANUP(viewer) struct viewer viewer = { .id = NULL };
	CLEANUP(cover_paths) struct cover_paths paths = { 0 };
	struct site site = { .query_strings = 0 };
	const struct viewers_options options = {
		.site = &site, .bucket = "b", .arena = &arena, .notes = &notes
	};
	const struct viewer_object object = { "a/index.html", "index.html", true };

	viewers_from_distribution(&options, d, &viewer);
	if (viewer.behaviors.len != d->behaviors.len)
		abort();
	viewer_paths(&viewer, &object, &arena, &paths);
	viewer_elsewhere(&viewer, &arena, &paths);
	for (size_t i = 0; i < paths.len; i++)
		if (*paths.items[i].path != '/')
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;
	CLEANUP(cf_distribution) struct cf_distribution d = { 0 };
	struct cf_invalidation inv = { .completed = false };
	struct error err = ERROR_INIT;
	enum cf_query query = CF_QUERY_POLICY;

	res.status = 200;
	buf_add(&res.body, data, size);
	if (cf_distribution_decode(&res, &d, &err) == 0) {
		check_distribution(&d);
		check_viewer(&d);
	}
	if (cf_policy_decode(&res, &query, &err) == 0 && query == CF_QUERY_POLICY)
		abort();
	if (cf_invalidation_decode(&res, &inv, &err) == 0 &&
	    (!*inv.id || strlen(inv.id) >= sizeof(inv.id) ||
	     strlen(inv.reference) >= sizeof(inv.reference)))
		abort();
	return 0;
}

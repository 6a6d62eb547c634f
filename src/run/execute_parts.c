/* Objects that go in parts: what is kept of an upload, and having the store forget those that
 * will never be completed. */
#include "run/execute_private.h"

#include <string.h>

#include "aws/s3.h"
#include "base/mem.h"

int upload_begin(struct upload *u, struct http_response *res, size_t n_parts,
		 struct error *err)
{
	const char *id;

	if (s3_multipart_id(res, &id, err) < 0)
		return -1;
	upload_forget(u);
	u->id = xstrdup(id);
	u->etags = xcalloc(n_parts, sizeof(*u->etags));
	return 0;
}

int upload_add(struct upload *u, const struct http_response *res, struct error *err)
{
	const char *etag = http_response_header(res, "ETag");

	if (!etag)
		return error_set(err, ERR_SERVICE,
				 "part %zu was answered without an ETag", u->next + 1);
	u->etags[u->next++] = xstrdup(etag);
	return 0;
}

void upload_forget(struct upload *u)
{
	for (size_t i = 0; i < u->next; i++)
		free(u->etags[i]);
	free(u->etags);
	free(u->id);
	*u = (struct upload){ .id = NULL };
}

static const char *key_of(struct arena *arena, const struct execution *x,
			  const struct step *step)
{
	return arena_printf(arena, "%s%s", x->plan->sites.items[step->site].site->prefix,
			    step->path);
}

static int abort_one(struct execution *x, const struct step *step, const char *key,
		     const char *id, struct error *err)
{
	CLEANUP(aws_request) struct aws_request req = AWS_REQUEST_INIT;
	CLEANUP(http_response) struct http_response res = HTTP_RESPONSE_INIT;

	s3_multipart_abort_request(&req, x->plan->sites.items[step->site].bucket, key,
				   id);
	req.deadline_ms = claim_deadline_ms(&x->claims[step->site]);
	if (aws_send(x->options->aws, &req, &res, err) == 0)
		return 0;
	return str_eq(err->service_code, "NoSuchUpload") ? 0 : -1;
}

void upload_drop(struct execution *x, size_t step, struct upload *u)
{
	const struct step *s = &x->plan->steps.items[step];
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct error ignored = ERROR_INIT;

	/* If it fails, the journal tells the next deploy to try again. */
	if (u->id)
		abort_one(x, s, key_of(&arena, x, s), u->id, &ignored);
	upload_forget(u);
}

struct aborting {
	struct execution *x;
	const struct step *step;
	const char *key;
};

static int abort_listed(void *ctx, const char *key, const char *id, struct error *err)
{
	struct aborting *a = ctx;

	/* The list is of a prefix, and other keys may begin alike. */
	return str_eq(key, a->key) ? abort_one(a->x, a->step, key, id, err) : 0;
}

/* What is left behind costs money and is seen by nobody: whoever may not list uploads is
 * told, and not stopped. */
static int abort_all(struct execution *x, size_t i, struct error *err)
{
	const struct step *step = &x->plan->steps.items[i];
	const char *bucket = x->plan->sites.items[step->site].bucket;
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	struct aborting a = { x, step, key_of(&arena, x, step) };

	if (s3_multipart_list(x->options->aws, bucket, a.key, abort_listed, &a, err) <
	    0) {
		if (err->code != ERR_FORBIDDEN)
			return execution_failed(x, i, err);
		error_clear(err);
		outcome_note(x->outcome, NOTE_WARNING, step->site, step->path,
			     "parts of an unfinished upload stay behind: allow "
			     "s3:ListBucketMultipartUploads and "
			     "s3:AbortMultipartUpload");
	}
	execution_done(x, i);
	return 0;
}

int execute_aborts(struct execution *x, size_t from, size_t to, struct error *err)
{
	for (size_t i = from; i < to; i++)
		if (x->plan->steps.items[i].kind == STEP_ABORT &&
		    abort_all(x, i, err) < 0)
			return -1;
	return 0;
}

#include "fake/plan_case.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "codec/encode.h"
#include "codec/hash.h"
#include "core/headers.h"
#include "fake/plan_case_private.h"

/* Ids of headers: those that today's rules give, and some that they do not. */
enum { HEADERS_BY_RULES = 1, HEADERS_OTHER = 2 };

int plan_case_wrong(struct reader *r, const char *what)
{
	return error_set(r->err, ERR_DATA, "%s: %s", r->words[0], what);
}

/* Values */

static const char *content_or_absent(const char *word)
{
	return strcmp(word, "absent") == 0 ? NULL : word;
}

static struct oid content_id(const char *content)
{
	struct oid id;

	hash_git_blob(content, strlen(content), id.bytes);
	return id;
}

const char *plan_case_etag(struct plan_case *c, const char *content)
{
	unsigned char digest[HASH_MD5_SIZE];
	char hex[2 * HASH_MD5_SIZE + 1];

	hash_bytes(HASH_MD5, content, strlen(content), digest);
	encode_hex(digest, sizeof(digest), hex);
	return arena_printf(&c->arena, "\"%s\"", hex);
}

static const char *etag_of(struct reader *r, const char *word)
{
	const char *content = content_or_absent(word);

	return content ? plan_case_etag(r->c, content) : NULL;
}

static int commit(struct reader *r, size_t word, struct oid *out)
{
	char hex[OID_HEX_SIZE];

	if (strlen(r->words[word]) != 1)
		return plan_case_wrong(r, "a commit is one hex digit");
	memset(hex, r->words[word][0], OID_HEX_SIZE - 1);
	hex[OID_HEX_SIZE - 1] = '\0';
	return oid_from_hex(hex, out) ? 0
				      : plan_case_wrong(r, "a commit is one hex digit");
}

int plan_case_number(struct reader *r, size_t word, int64_t *out)
{
	return str_to_i64(r->words[word], -1, INT64_MAX, out)
		       ? 0
		       : plan_case_wrong(r, "not a number");
}

static bool has_word(const struct reader *r, size_t from, const char *word)
{
	for (size_t i = from; i < r->n; i++)
		if (str_eq(r->words[i], word))
			return true;
	return false;
}

static const char *word_after(const struct reader *r, size_t from, const char *start)
{
	for (size_t i = from; i < r->n; i++)
		if (str_starts(r->words[i], start))
			return r->words[i] + strlen(start);
	return "";
}

static char unescape(const char **at)
{
	static const char letters[] = "sntr\\";
	static const char meant[] = " \n\t\r\\";
	const char *found = **at ? strchr(letters, **at) : NULL;
	unsigned char byte;
	char hex[3] = { 0 };

	if (found) {
		(*at)++;
		return meant[found - letters];
	}
	if (**at == 'x' && (*at)[1] && (*at)[2]) {
		memcpy(hex, *at + 1, 2);
		if (decode_hex(hex, 1, &byte)) {
			*at += 3;
			return (char)byte;
		}
	}
	return '\\';
}

static char *unescaped(struct reader *r, const char *word, size_t n)
{
	const char *end = word + n;
	char *out = arena_strndup(&r->c->arena, word, n);
	size_t len = 0;

	while (word < end) {
		char c = *word++;

		out[len++] = c == '\\' ? unescape(&word) : c;
	}
	out[len] = '\0';
	return out;
}

/* The line from its nth word on, as it is written. */
static const char *rest(const struct reader *r, size_t n)
{
	const char *at = r->line;

	while (n--) {
		at += strcspn(at, " \t");
		at += strspn(at, " \t");
	}
	return at;
}

const char *plan_case_prose(struct reader *r, size_t n)
{
	const char *at = rest(r, n);

	return unescaped(r, at, strlen(at));
}

/* Directives about the whole */

static int read_head(struct reader *r)
{
	return commit(r, 1, &r->c->options.head);
}

static int read_offline(struct reader *r)
{
	r->c->options.offline = true;
	return 0;
}

static int read_now(struct reader *r)
{
	return plan_case_number(r, 1, &r->c->options.now_s);
}

static int read_max_paths(struct reader *r)
{
	int64_t n = 0;

	if (plan_case_number(r, 1, &n) < 0)
		return -1;
	r->c->options.cover.max_paths = (size_t)n;
	return 0;
}

static int read_max_wildcards(struct reader *r)
{
	int64_t n = 0;

	if (plan_case_number(r, 1, &n) < 0)
		return -1;
	r->c->options.cover.max_wildcards = (size_t)n;
	return 0;
}

static int read_max_delete(struct reader *r)
{
	return plan_case_number(r, 1, &r->c->options.max_delete);
}

static int read_note(struct reader *r)
{
	note_list_push(
		&r->c->notes,
		(struct note){ str_eq(r->words[1], "warning") ? NOTE_WARNING : NOTE_INFO,
			       SIZE_MAX, NULL, plan_case_prose(r, 2) });
	return 0;
}

static int read_site(struct reader *r)
{
	const struct site_list *all = &r->c->config.sites;

	if (r->c->n_sites == CASE_SITES)
		return plan_case_wrong(r, "too many");
	r->backend = NULL;
	r->in = &r->c->inputs[r->c->n_sites];
	r->site = &r->c->sites[r->c->n_sites++];
	for (size_t i = 0; i < all->len; i++)
		if (str_eq(all->items[i].name, r->words[1]))
			r->in->site = &all->items[i];
	if (!r->in->site)
		return plan_case_wrong(r, "the configuration has no such site");
	r->in->config = &r->c->config;
	r->in->bucket = value_text(&r->in->site->bucket);
	r->in->base_why = "the recorded commit is an ancestor of the head";
	r->in->viewers = r->site->viewers;
	r->in->neighbours = r->site->neighbours;
	r->in->state = &r->site->state;
	r->in->state_etag = "\"state\"";
	return 0;
}

/* Directives about a site */

static int read_knows(struct reader *r)
{
	static const char *const names[] = {
		[KNOW_STATE] = "state",
		[KNOW_NOTHING] = "nothing",
		[KNOW_GIT] = "git",
	};

	for (enum site_knowledge k = KNOW_STATE; k <= KNOW_GIT; k++) {
		if (!str_eq(names[k], r->words[1]))
			continue;
		r->in->knowledge = k;
		if (k != KNOW_STATE) {
			r->in->state = NULL;
			r->in->state_etag = NULL;
		}
		return 0;
	}
	return plan_case_wrong(r, "state, nothing or git");
}

static int read_deployed(struct reader *r)
{
	struct state_deployed *d = &r->site->state.deployed;

	d->is_set = true;
	if (r->in->knowledge == KNOW_GIT)
		r->in->base_commit = &d->commit;
	return commit(r, 1, &d->commit);
}

static int read_why(struct reader *r)
{
	r->in->base_why = plan_case_prose(r, 1);
	return 0;
}

static int read_file(struct reader *r)
{
	bool digested = r->in->knowledge == KNOW_NOTHING;

	snapshot_push(
		&r->in->head,
		(struct entry){ .path = r->words[1],
				.id = content_id(r->words[2]),
				.etag = digested ? etag_of(r, r->words[2]) : NULL });
	return 0;
}

static uint64_t headers_mark(const struct reader *r, size_t from)
{
	if (has_word(r, from, "no-headers"))
		return 0;
	return has_word(r, from, "other-headers") ? HEADERS_OTHER : HEADERS_BY_RULES;
}

static int read_object(struct reader *r)
{
	struct snapshot *to = r->in->knowledge == KNOW_GIT ? &r->in->base
							   : &r->site->state.objects;
	bool unknown = r->in->knowledge == KNOW_GIT || has_word(r, 3, "no-etag");

	snapshot_push(to,
		      (struct entry){ .path = r->words[1],
				      .id = content_id(r->words[2]),
				      .headers_id = headers_mark(r, 3),
				      .etag = unknown ? NULL : etag_of(r, r->words[2]) });
	return 0;
}

/* "many N file p%.html new": the line behind N so many times, with 1, 2, ... for '%'. */
static int read_line(struct reader *r, const char *line);

static int read_many(struct reader *r)
{
	CLEANUP(buf) struct buf line = BUF_INIT(16384);
	const char *pattern = arena_strdup(&r->c->arena, rest(r, 2));
	int64_t n = 0;

	if (plan_case_number(r, 1, &n) < 0)
		return -1;
	for (int64_t i = 1; i <= n; i++) {
		buf_clear(&line);
		for (const char *c = pattern; *c; c++) {
			if (*c == '%')
				buf_printf(&line, "%" PRId64, i);
			else
				buf_char(&line, *c);
		}
		if (line.overflowed)
			return plan_case_wrong(r, "the line is too long");
		if (read_line(r, line.data) < 0)
			return -1;
	}
	return 0;
}

static int read_retired(struct reader *r)
{
	struct state_retired retired = { .entry = { .path = r->words[1],
						    .id = content_id(r->words[2]),
						    .headers_id = headers_mark(r, 4),
						    .etag = etag_of(r, r->words[2]) } };

	if (plan_case_number(r, 3, &retired.since_s) < 0)
		return -1;
	state_retired_list_push(&r->site->state.retired, retired);
	return 0;
}

static int read_mutable(struct reader *r)
{
	str_list_push(&r->site->state.mutable_paths, r->words[1]);
	return 0;
}

static int read_journal(struct reader *r)
{
	struct state_journal *j = &r->site->state.journal;

	j->is_set = true;
	j->everything = has_word(r, 2, "everything");
	return commit(r, 1, &j->commit);
}

static int read_put(struct reader *r)
{
	state_touch_list_push(&r->site->state.journal.touches,
			      (struct state_touch){
				      .path = r->words[1],
				      .from = etag_of(r, r->words[2]),
				      .id = content_id(r->words[3]),
				      .headers_id = headers_mark(r, 4),
				      .to = etag_of(r, r->words[3]),
				      .multipart = has_word(r, 4, "parts"),
			      });
	return 0;
}

static int read_copy(struct reader *r)
{
	const char *etag = etag_of(r, r->words[2]);

	state_touch_list_push(&r->site->state.journal.touches,
			      (struct state_touch){
				      .path = r->words[1],
				      .from = etag,
				      .id = content_id(r->words[2]),
				      .headers_id = headers_mark(r, 3),
				      .to = etag,
				      .copied = true,
			      });
	return 0;
}

static int read_delete(struct reader *r)
{
	state_touch_list_push(&r->site->state.journal.touches,
			      (struct state_touch){
				      .path = r->words[1],
				      .from = etag_of(r, r->words[2]),
				      .to_absent = true,
			      });
	return 0;
}

static int read_live(struct reader *r)
{
	live_list_push(&r->in->live,
		       (struct live_object){ r->words[1], etag_of(r, r->words[2]) });
	return 0;
}

static int read_listed(struct reader *r)
{
	r->in->live_is_complete = true;
	r->in->audit = str_eq(r->words[0], "audit");
	return 0;
}

static int read_recorded(struct reader *r)
{
	str_list_push(&r->site->state.distributions, r->words[1]);
	return 0;
}

/* Directives about a distribution */

static struct viewer *last_viewer(const struct reader *r)
{
	static struct viewer none;

	return r->in->n_viewers ? &r->site->viewers[r->in->n_viewers - 1] : &none;
}

static int read_distribution(struct reader *r)
{
	struct viewer *v = &r->site->viewers[r->in->n_viewers++];

	if (has_word(r, 2, "unknown"))
		viewer_init_unknown(v, r->words[1], r->in->site->prefix,
				    r->in->site->query_strings, &r->c->arena);
	else
		*v = (struct viewer){ .id = r->words[1],
				      .known = true,
				      .root = "index.html" };
	return 0;
}

static int read_root(struct reader *r)
{
	last_viewer(r)->root = r->words[1];
	return 0;
}

static int read_behavior(struct reader *r)
{
	viewer_behaviors_push(
		&last_viewer(r)->behaviors,
		(struct viewer_behavior){
			.pattern = str_eq(r->words[1], "*") ? NULL : r->words[1],
			.ours = has_word(r, 2, "ours"),
			.origin_path = word_after(r, 2, "origin="),
			.website = has_word(r, 2, "website"),
			.query_strings = has_word(r, 2, "query"),
			.rewrites = has_word(r, 2, "rewrites"),
		});
	return 0;
}

static int read_error_page(struct reader *r)
{
	struct viewer_error_page page = { .page = r->words[2] };
	int64_t status = 0;

	if (plan_case_number(r, 1, &status) < 0 ||
	    plan_case_number(r, 3, &page.caching_s) < 0)
		return -1;
	page.status = (int)status;
	viewer_error_pages_push(&last_viewer(r)->error_pages, page);
	return 0;
}

static int read_neighbour(struct reader *r)
{
	for (size_t i = 0; i < r->c->n_sites; i++) {
		const struct site_input *other = &r->c->inputs[i];

		if (str_eq(other->site->name, r->words[1])) {
			r->site->neighbours[r->in->n_neighbours++] = (struct neighbour){
				.prefix = other->site->prefix,
				.objects = &other->head,
				.index = other->site->index,
				.viewers = other->viewers,
				.n_viewers = other->n_viewers,
			};
			return 0;
		}
	}
	return plan_case_wrong(r, "that site must be described before");
}

/* Directives about the end */

static int read_verdict(struct reader *r)
{
	static const struct {
		const char *word;
		enum verdict verdict;
	} words[] = {
		{ "planned", VERDICT_PLANNED },       { "done", VERDICT_DONE },
		{ "nothing", VERDICT_NOTHING },       { "partial", VERDICT_PARTIAL },
		{ "failed", VERDICT_FAILED },         { "refused", VERDICT_REFUSED },
		{ "unverified", VERDICT_UNVERIFIED },
	};
	int64_t done = str_eq(r->words[0], "done") || str_eq(r->words[0], "unverified")
			       ? INT64_MAX
			       : 0;

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (str_eq(words[i].word, r->words[0]))
			r->c->outcome.verdict = words[i].verdict;
	if (r->n > 1 && plan_case_number(r, 1, &done) < 0)
		return -1;
	r->c->steps_done = (size_t)done;
	return 0;
}

static int read_superseded(struct reader *r)
{
	struct oid id;
	char hex[OID_HEX_SIZE];

	if (commit(r, 1, &id) < 0)
		return -1;
	r->c->outcome.verdict = VERDICT_SUPERSEDED;
	r->c->outcome.superseded_by = arena_strdup(&r->c->arena, oid_hex(&id, hex));
	r->c->outcome.superseded_why = plan_case_prose(r, 2);
	return 0;
}

static int read_error(struct reader *r)
{
	for (enum error_code code = ERR_USAGE; code < ERR_CODES; code++) {
		if (str_eq(error_code_name(code), r->words[1])) {
			error_set(&r->c->outcome.error, code, "%s",
				  plan_case_prose(r, 2));
			return 0;
		}
	}
	return plan_case_wrong(r, "no such code");
}

/* A note of the time of the deploy itself. */
static int read_late(struct reader *r)
{
	outcome_note(&r->c->outcome, NOTE_WARNING, SIZE_MAX, NULL, plan_case_prose(r, 1));
	return 0;
}

static int read_took(struct reader *r)
{
	return plan_case_number(r, 1, &r->c->outcome.duration_ms);
}

/* Lines */

static const struct directive directives[] = {
	{ "head", 1, OF_ALL, read_head },
	{ "offline", 0, OF_ALL, read_offline },
	{ "now", 1, OF_ALL, read_now },
	{ "max-paths", 1, OF_ALL, read_max_paths },
	{ "max-wildcards", 1, OF_ALL, read_max_wildcards },
	{ "max-delete", 1, OF_ALL, read_max_delete },
	{ "note", 2, OF_ALL, read_note },
	{ "site", 1, OF_ALL, read_site },
	{ "knows", 1, OF_SITE, read_knows },
	{ "deployed", 1, OF_SITE, read_deployed },
	{ "why", 1, OF_SITE, read_why },
	{ "file", 2, OF_SITE, read_file },
	{ "many", 2, OF_ALL, read_many },
	{ "object", 2, OF_SITE, read_object },
	{ "retired", 3, OF_SITE, read_retired },
	{ "mutable", 1, OF_SITE, read_mutable },
	{ "journal", 1, OF_SITE, read_journal },
	{ "put", 3, OF_SITE, read_put },
	{ "copy", 2, OF_SITE, read_copy },
	{ "delete", 2, OF_SITE, read_delete },
	{ "live", 2, OF_SITE, read_live },
	{ "listed", 0, OF_SITE, read_listed },
	{ "audit", 0, OF_SITE, read_listed },
	{ "recorded", 1, OF_SITE, read_recorded },
	{ "distribution", 1, OF_SITE, read_distribution },
	{ "root", 1, OF_SITE, read_root },
	{ "behavior", 1, OF_SITE, read_behavior },
	{ "error", 3, OF_SITE, read_error_page },
	{ "neighbour", 1, OF_SITE, read_neighbour },
	{ "planned", 0, OF_ALL, read_verdict },
	{ "done", 0, OF_ALL, read_verdict },
	{ "nothing", 0, OF_ALL, read_verdict },
	{ "partial", 1, OF_ALL, read_verdict },
	{ "failed", 0, OF_ALL, read_verdict },
	{ "unverified", 0, OF_ALL, read_verdict },
	{ "refused", 0, OF_ALL, read_verdict },
	{ "superseded", 2, OF_ALL, read_superseded },
	{ "fails-with", 2, OF_ALL, read_error },
	{ "late", 1, OF_ALL, read_late },
	{ "took", 1, OF_ALL, read_took },
};

static const struct directive *among(const struct reader *r, const struct directive *list,
				     size_t n)
{
	for (size_t i = 0; i < n; i++) {
		bool fits = list[i].of == OF_ALL || (list[i].of == OF_SITE && r->in) ||
			    (list[i].of == OF_BACKEND && r->backend);

		if (fits && str_eq(list[i].name, r->words[0]))
			return &list[i];
	}
	return NULL;
}

/* Some names mean one thing of a site and another of a backend. */
static const struct directive *find_directive(const struct reader *r)
{
	const struct directive *found = among(r, directives,
					      sizeof(directives) / sizeof(*directives));

	return found ? found
		     : among(r, plan_case_backend_directives,
			     plan_case_n_backend_directives);
}

static int read_line(struct reader *r, const char *line)
{
	const struct directive *d;

	r->line = line + strspn(line, " \t");
	r->n = 0;
	for (const char *at = r->line; *at && *at != '#' && r->n < WORDS_MOST;) {
		size_t n = strcspn(at, " \t");

		r->words[r->n++] = unescaped(r, at, n);
		at += n + strspn(at + n, " \t");
	}
	if (!r->n)
		return 0;
	d = find_directive(r);
	if (!d)
		return plan_case_wrong(r, "no such directive of what is described here");
	if (r->n - 1 < d->least)
		return plan_case_wrong(r, "more words are needed");
	return d->read(r);
}

/* From "config" to "end"; *text moves behind it. */
static int read_config(struct reader *r, const char **text)
{
	const char *start = strchr(*text, '\n');
	const char *end = strstr(*text, "\nend\n");

	if (!start || !end)
		return error_set(r->err, ERR_DATA, "config: has no end");
	*text = end + strlen("\nend\n");
	return config_parse(&r->c->config, "crc.yml", start + 1, (size_t)(end - start),
			    r->err);
}

static unsigned line_of(const char *start, const char *at)
{
	unsigned line = 1;

	for (; start < at; start++)
		line += *start == '\n';
	return line;
}

static int read_all(struct reader *r, const char *text)
{
	const char *start = text;

	while (*text) {
		const char *at = text;
		size_t n = strcspn(text, "\n");
		CLEANUP_PTR(mem) char *copy = xstrndup(text, n);
		int rc;

		if (str_eq(copy, "config")) {
			rc = read_config(r, &text);
		} else {
			rc = read_line(r, copy);
			text += n + (text[n] == '\n');
		}
		if (rc < 0)
			return error_wrap(r->err, "line %u", line_of(start, at));
	}
	return 0;
}

/* Building */

static bool is_error_page(const struct site_input *in, const char *path)
{
	CLEANUP(arena) struct arena arena = ARENA_INIT;
	const char *key = arena_printf(&arena, "%s%s", in->site->prefix, path);
	int64_t ignored;

	for (size_t i = 0; i < in->n_viewers; i++)
		if (viewer_is_error_page(&in->viewers[i], key, &ignored))
			return true;
	return false;
}

/* The id of the headers that today's rules give, where that is what the text says. */
static void settle_headers(struct plan_case *c, size_t site, const char *path,
			   uint64_t *id)
{
	CLEANUP(header_list) struct header_list set = { 0 };
	const struct site_input *in = &c->inputs[site];
	struct headers_options options = {
		.behind_distribution = in->n_viewers > 0,
		.is_error_document = is_error_page(in, path),
		.never_immutable = state_path_is_mutable(&c->sites[site].state, path),
	};

	if (*id != HEADERS_BY_RULES)
		return;
	headers_build(in->site, path, &options, &c->arena, &set);
	*id = headers_id(&set);
}

static int compare_by_path(const void *a, const void *b)
{
	const char *x;
	const char *y;

	memcpy(&x, a, sizeof(x));
	memcpy(&y, b, sizeof(y));
	return strcmp(x, y);
}

/* Of things that begin with their path. */
#define SORT(list)                                                             \
	do {                                                                   \
		if ((list).len)                                                \
			qsort((list).items, (list).len, sizeof(*(list).items), \
			      compare_by_path);                                \
	} while (0)

static void settle_site(struct plan_case *c, size_t site)
{
	struct site_input *in = &c->inputs[site];
	struct state *state = &c->sites[site].state;

	SORT(in->head);
	SORT(in->base);
	SORT(in->live);
	SORT(state->objects);
	SORT(state->retired);
	SORT(state->mutable_paths);
	SORT(state->journal.touches);
	for (size_t i = 0; i < state->objects.len; i++)
		settle_headers(c, site, state->objects.items[i].path,
			       &state->objects.items[i].headers_id);
	for (size_t i = 0; i < state->retired.len; i++)
		settle_headers(c, site, state->retired.items[i].entry.path,
			       &state->retired.items[i].entry.headers_id);
	for (size_t i = 0; i < state->journal.touches.len; i++)
		settle_headers(c, site, state->journal.touches.items[i].path,
			       &state->journal.touches.items[i].headers_id);
}

static void do_step(struct plan_case *c, size_t i)
{
	const struct step *step = &c->outcome.plan.steps.items[i];
	struct step_outcome *out = &c->outcome.steps[i];

	out->status = STATUS_DONE;
	if (step->kind == STEP_PUT)
		out->bytes = 1000 + (int64_t)strlen(step->path);
	if (step->kind == STEP_INVALIDATE)
		out->invalidation = arena_printf(&c->arena, "I%zu", i);
}

static void do_steps(struct plan_case *c)
{
	struct outcome *o = &c->outcome;

	if (c->steps_done == 0)
		return;
	outcome_begin(o);
	for (size_t i = 0; i < o->plan.steps.len && i < c->steps_done; i++)
		do_step(c, i);
	if (c->steps_done < o->plan.steps.len) {
		o->steps[c->steps_done].status = STATUS_FAILED;
		o->steps[c->steps_done].error = o->error.msg;
	}
}

int plan_case_read(struct plan_case *c, const char *text, struct error *err)
{
	struct reader r = { .c = c, .err = err };

	*c = (struct plan_case){ .config = CONFIG_INIT };
	c->options.max_delete = -1;
	c->options.now_s = 1760000000;
	c->options.cover = (struct cover_limits){ 100, 15 };
	if (read_all(&r, text) < 0)
		return -1;
	for (size_t i = 0; i < c->n_sites; i++)
		settle_site(c, i);
	plan_build(&c->options,
		   &(struct plan_input){ .backends = c->backend_inputs,
					 .n_backends = c->n_backends,
					 .sites = c->inputs,
					 .n_sites = c->n_sites },
		   &c->outcome.plan);
	plan_case_preview_backends(c);
	plan_case_conclude_backends(c);
	for (size_t i = 0; i < c->notes.len; i++)
		note_list_push(&c->outcome.plan.notes, c->notes.items[i]);
	do_steps(c);
	return 0;
}

void plan_case_release(struct plan_case *c)
{
	outcome_release(&c->outcome);
	plan_case_release_backends(c);
	for (size_t i = 0; i < c->n_sites; i++) {
		state_release(&c->sites[i].state);
		for (size_t k = 0; k < c->inputs[i].n_viewers; k++)
			viewer_release(&c->sites[i].viewers[k]);
		snapshot_release(&c->inputs[i].head);
		snapshot_release(&c->inputs[i].base);
		live_list_release(&c->inputs[i].live);
	}
	note_list_release(&c->notes);
	config_release(&c->config);
	arena_release(&c->arena);
}

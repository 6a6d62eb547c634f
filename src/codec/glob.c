#include "codec/glob.h"

#include <stdint.h>
#include <string.h>

enum { PATTERN_MOST = 1024, SET_WORDS = PATTERN_MOST / 64 + 1 };

/* A pattern is run as an automaton: all places that it may be at are kept as a set of tokens
 * and moved along byte by byte. That costs path times pattern at worst; trying each length
 * of each '*' in turn costs as much as the author of the pattern likes. */
enum token_kind {
	TOKEN_END,
	TOKEN_CHAR,
	TOKEN_ANY,     /* ? */
	TOKEN_CLASS,   /* [...] */
	TOKEN_STAR,    /* any number of bytes but '/' */
	TOKEN_STARS,   /* any number of bytes */
	TOKEN_FOLDERS, /* nothing, or the two tokens behind: TOKEN_STARS and a slash */
	TOKEN_NEVER    /* a malformed rest */
};

struct token {
	enum token_kind kind;
	unsigned char c;  /* TOKEN_CHAR */
	const char *body; /* TOKEN_CLASS: behind the '[' */
};

struct program {
	struct token tokens[PATTERN_MOST + 1];
	size_t len;
	const char *first_wildcard;
	const char *end; /* of the pattern */
};

struct set {
	uint64_t words[SET_WORDS];
};

static bool is_between(unsigned char c, unsigned char first, unsigned char last)
{
	return c >= first && c <= last;
}

static bool is_upper(unsigned char c)
{
	return is_between(c, 'A', 'Z');
}

static bool is_lower(unsigned char c)
{
	return is_between(c, 'a', 'z');
}

static bool is_alpha(unsigned char c)
{
	return is_upper(c) || is_lower(c);
}

static bool is_digit(unsigned char c)
{
	return is_between(c, '0', '9');
}

static bool is_alnum(unsigned char c)
{
	return is_alpha(c) || is_digit(c);
}

static bool is_xdigit(unsigned char c)
{
	return is_digit(c) || is_between(c, 'a', 'f') || is_between(c, 'A', 'F');
}

static bool is_blank(unsigned char c)
{
	return c == ' ' || c == '\t';
}

static bool is_space(unsigned char c)
{
	return is_blank(c) || c == '\n' || c == '\r';
}

static bool is_cntrl(unsigned char c)
{
	return c < 0x20 || c == 0x7F;
}

static bool is_print(unsigned char c)
{
	return is_between(c, 0x20, 0x7E);
}

static bool is_graph(unsigned char c)
{
	return is_between(c, 0x21, 0x7E);
}

static bool is_punct(unsigned char c)
{
	return is_graph(c) && !is_alnum(c);
}

/* The C library's would ask the locale. */
static const struct {
	const char *name;
	bool (*holds)(unsigned char c);
} classes[] = {
	{ "alnum", is_alnum }, { "alpha", is_alpha }, { "blank", is_blank },
	{ "cntrl", is_cntrl }, { "digit", is_digit }, { "graph", is_graph },
	{ "lower", is_lower }, { "print", is_print }, { "punct", is_punct },
	{ "space", is_space }, { "upper", is_upper }, { "xdigit", is_xdigit },
};

/* 1 or 0: in the class of that name or not; -1: there is no such class. */
static int in_named_class(const char *name, size_t n, unsigned char c)
{
	for (size_t i = 0; i < sizeof(classes) / sizeof(*classes); i++)
		if (strlen(classes[i].name) == n && memcmp(classes[i].name, name, n) == 0)
			return classes[i].holds(c);
	return -1;
}

/* Where "name:]" ends that p is at the start of: at the ']'. NULL: p is no such thing.
 * git looks for the first ']' and then whether a colon is before it. */
static const char *named_class_end(const char *p, const char *end)
{
	const char *close = memchr(p, ']', (size_t)(end - p));

	return close && close > p && close[-1] == ':' ? close : NULL;
}

/* One element of a bracket expression and what it says about c. */
struct element {
	const char *next; /* behind it; NULL: malformed */
	int last;         /* the character that a range may start from, else 0 */
	bool holds;
};

static struct element class_name(const char *p, const char *end, unsigned char c)
{
	const char *close = named_class_end(p + 2, end);
	int in;

	if (!close) /* "[:" without ":]" is an ordinary '[' */
		return (struct element){ memchr(p, ']', (size_t)(end - p)) ? p + 1 : NULL,
					 '[', c == '[' };
	in = in_named_class(p + 2, (size_t)(close - 1 - (p + 2)), c);
	return (struct element){ in < 0 ? NULL : close + 1, 0, in > 0 };
}

/* The character at p, perhaps behind a backslash. NULL: the pattern ends here. */
static const char *class_char(const char *p, const char *end, unsigned char *out)
{
	if (p < end && *p == '\\')
		p++;
	if (p >= end)
		return NULL;
	*out = (unsigned char)*p;
	return p + 1;
}

static struct element class_element(const char *p, const char *end, int last,
				    unsigned char c)
{
	unsigned char high = 0; /* gcc cannot see that it is set where p is not NULL */

	if (*p == '-' && last && p + 1 < end && p[1] != ']') {
		p = class_char(p + 1, end, &high);
		return (struct element){ p, 0, p && c >= last && c <= high };
	}
	if (*p == '[' && p + 1 < end && p[1] == ':')
		return class_name(p, end, c);
	p = class_char(p, end, &high);
	return (struct element){ p, p ? high : 0, p && c == high };
}

/* Reads the bracket expression whose body starts at p. Returns what is behind its ']', or
 * NULL when it is malformed; *holds says whether it holds c. */
static const char *class_read(const char *p, const char *end, unsigned char c,
			      bool *holds)
{
	bool inverted = p < end && (*p == '!' || *p == '^');
	struct element e = { p + inverted, 0, false };

	*holds = false;
	do { /* a ']' in front stands for itself */
		if (e.next >= end)
			return NULL;
		e = class_element(e.next, end, e.last, c);
		if (!e.next || e.next >= end)
			return NULL;
		*holds |= e.holds;
	} while (*e.next != ']');
	*holds ^= inverted;
	return e.next + 1;
}

static void emit(struct program *program, enum token_kind kind, char c, const char *body)
{
	program->tokens[program->len++] =
		(struct token){ .kind = kind, .c = (unsigned char)c, .body = body };
}

/* Two or more stars mean folders only where they stand alone between slashes; anywhere else
 * they are one star. git compares what is before the first wildcard by itself and so takes
 * stars that are that first wildcard for stars behind a slash: "a**" + "/b" matches "ab".
 * Returns what is behind the stars. */
static const char *compile_stars(struct program *program, const char *p)
{
	const char *end = program->end;
	bool alone = p == program->first_wildcard || p[-1] == '/';
	const char *q = p;

	while (q < end && *q == '*')
		q++;
	if (q - p == 1 || !alone) {
		emit(program, TOKEN_STAR, 0, NULL);
	} else if (q == end || (*q == '\\' && q + 1 < end && q[1] == '/')) {
		emit(program, TOKEN_STARS, 0, NULL);
	} else if (*q == '/') {
		emit(program, TOKEN_FOLDERS, 0, NULL);
		emit(program, TOKEN_STARS, 0, NULL);
		emit(program, TOKEN_CHAR, '/', NULL);
		q++;
	} else {
		emit(program, TOKEN_STAR, 0, NULL);
	}
	return q;
}

static const char *compile_escape(struct program *program, const char *p)
{
	/* A backslash with nothing to take: git matches nothing. */
	if (p + 1 == program->end)
		emit(program, TOKEN_NEVER, 0, NULL);
	else
		emit(program, TOKEN_CHAR, p[1], NULL);
	return p + 2;
}

static const char *compile_class(struct program *program, const char *p)
{
	bool holds;
	const char *next = class_read(p + 1, program->end, 0, &holds);

	emit(program, next ? TOKEN_CLASS : TOKEN_NEVER, 0, p + 1);
	return next ? next : program->end;
}

/* No token takes fewer bytes of the pattern than it has tokens, so that they fit. */
static void compile(const struct glob *g, struct program *program)
{
	const char *p = g->text;

	program->len = 0;
	program->end = g->text + g->len;
	program->first_wildcard = p;
	while (program->first_wildcard < program->end &&
	       !strchr("*?[\\", *program->first_wildcard))
		program->first_wildcard++;
	while (p < program->end) {
		switch (*p) {
		case '*':
			p = compile_stars(program, p);
			break;
		case '\\':
			p = compile_escape(program, p);
			break;
		case '[':
			p = compile_class(program, p);
			break;
		case '?':
			emit(program, TOKEN_ANY, 0, NULL);
			p++;
			break;
		default:
			emit(program, TOKEN_CHAR, *p++, NULL);
		}
	}
	emit(program, TOKEN_END, 0, NULL);
}

static bool has(const struct set *set, size_t i)
{
	return set->words[i / 64] >> (i % 64) & 1;
}

/* Adds a token and all that is reached from it without a byte. */
static void add(const struct program *program, struct set *set, size_t i)
{
	while (!has(set, i)) {
		set->words[i / 64] |= (uint64_t)1 << (i % 64);
		switch (program->tokens[i].kind) {
		case TOKEN_STAR:
		case TOKEN_STARS:
			i++;
			break;
		case TOKEN_FOLDERS:
			add(program, set, i + 1); /* ends at the slash: no deeper */
			i += 3;
			break;
		default:
			return;
		}
	}
}

static void step(const struct program *program, size_t i, unsigned char c, struct set *to)
{
	const struct token *t = &program->tokens[i];
	bool goes_on = false;

	switch (t->kind) {
	case TOKEN_CHAR:
		goes_on = c == t->c;
		break;
	case TOKEN_ANY:
		goes_on = c != '/';
		break;
	case TOKEN_CLASS:
		class_read(t->body, program->end, c, &goes_on);
		goes_on = goes_on && c != '/';
		break;
	case TOKEN_STAR:
		if (c != '/')
			add(program, to, i);
		break;
	case TOKEN_STARS:
		add(program, to, i);
		break;
	default:
		break;
	}
	if (goes_on)
		add(program, to, i + 1);
}

static bool is_empty(const struct set *set)
{
	for (size_t w = 0; w < SET_WORDS; w++)
		if (set->words[w])
			return false;
	return true;
}

/* Moves all places along by n bytes. False: none is left. */
static bool run(const struct program *program, struct set *at, const char *text, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		struct set next = { { 0 } };

		for (size_t i = 0; i < program->len; i++)
			if (has(at, i))
				step(program, i, (unsigned char)text[k], &next);
		*at = next;
		if (is_empty(at))
			return false;
	}
	return true;
}

bool glob_parse(const char *pattern, struct glob *out)
{
	struct glob g = { .negated = *pattern == '!' };

	g.text = pattern + g.negated;
	g.len = strlen(g.text);
	if (g.len > PATTERN_MOST)
		return false;
	g.folders_only = g.len && g.text[g.len - 1] == '/';
	g.len -= g.folders_only;
	g.anchored = memchr(g.text, '/', g.len) != NULL;
	if (g.len && *g.text == '/') {
		g.text++;
		g.len--;
	}
	if (!g.len)
		return false;
	*out = g;
	return true;
}

/* Most patterns end in letters that stand for themselves, and most paths do not end in them:
 * so much is seen without running the pattern. */
static bool ends_as_pattern(const struct glob *g, const char *path, size_t n)
{
	size_t len = 0;

	while (len < g->len && !strchr("*?[]\\/", g->text[g->len - len - 1]))
		len++;
	return n >= len && memcmp(path + n - len, g->text + g->len - len, len) == 0;
}

bool glob_matches_part(const struct glob *g, const char *path, size_t n, bool is_folder)
{
	struct program program;
	struct set at = { { 0 } };
	size_t base = 0;

	if ((g->folders_only && !is_folder) || !ends_as_pattern(g, path, n))
		return false;
	if (!g->anchored)
		for (base = n; base && path[base - 1] != '/';)
			base--;
	compile(g, &program);
	add(&program, &at, 0);
	return run(&program, &at, path + base, n - base) && has(&at, program.len - 1);
}

bool glob_matches(const struct glob *g, const char *path, bool is_folder)
{
	return glob_matches_part(g, path, strlen(path), is_folder);
}

bool glob_reaches_below(const struct glob *g, const char *folder)
{
	struct program program;
	struct set at = { { 0 } };

	if (!g->anchored)
		return true;
	compile(g, &program);
	add(&program, &at, 0);
	if (!run(&program, &at, folder, strlen(folder)) || !run(&program, &at, "/", 1))
		return false;
	for (size_t i = 0; i + 1 < program.len; i++)
		if (has(&at, i) && program.tokens[i].kind != TOKEN_NEVER)
			return true;
	return false;
}

/* What the last pattern that matches this very path says. */
static enum glob_verdict verdict_at(const struct glob_list *list, const char *path,
				    size_t n, bool is_folder)
{
	for (size_t i = list->len; i > 0; i--)
		if (glob_matches_part(&list->items[i - 1], path, n, is_folder))
			return list->items[i - 1].negated ? GLOB_NEGATED : GLOB_MATCHED;
	return GLOB_UNDECIDED;
}

enum glob_verdict glob_list_verdict(const struct glob_list *list, const char *path,
				    bool is_folder)
{
	const char *slash = strchr(path, '/');

	if (!list->len)
		return GLOB_UNDECIDED;
	for (; slash; slash = strchr(slash + 1, '/'))
		if (verdict_at(list, path, (size_t)(slash - path), true) == GLOB_MATCHED)
			return GLOB_MATCHED;
	return verdict_at(list, path, strlen(path), is_folder);
}

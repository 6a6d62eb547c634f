#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "core/state.h"

#define OID_1 "64c5e5885a4b06010b3a0c20edb7900dd0311025"
#define OID_2 "dfa8b5818e915b90451a3dc6b644ab8ddf3138e1"
#define HID   "3fdfce4dacbd67c7"
#define MD5   "b8a9f715dbb64fd5c56e7783c6820a61"

/* Every member, as state_print writes it. */
static const char whole[] =
	"{\"v\":1,\"nonce\":\"ecda5c4c72b7021edc7232aa8a3b234c\","
	"\"lease\":{\"holder\":\"h\",\"seconds\":120},"
	"\"deployed\":{\"commit\":\"" OID_2 "\",\"nonce\":\"n0\","
	"\"run\":{\"workflow\":\"w.yml\",\"id\":7423981,\"number\":41,\"attempt\":1},"
	"\"at\":1795572755},"
	"\"prefix\":\"v1/\",\"distributions\":[\"E1\",\"E2\"],"
	"\"mutable\":[\"a.81c0ffee.js\",\"b.81c0ffee.js\"],"
	"\"journal\":{\"commit\":\"" OID_1 "\",\"run\":null,"
	"\"distributions\":[\"E1\"],\"references\":[\"crc-1\"],\"everything\":true,"
	"\"touches\":{"
	"\"copy\":{\"from\":\"e1\",\"to\":[\"" OID_1 "\",\"" HID "\",\"e1\"],"
	"\"copied\":true},"
	"\"gone\":{\"from\":\"e2\",\"to\":null},"
	"\"new\":{\"from\":null,\"to\":[\"" OID_2 "\",\"" HID "\",null],"
	"\"multipart\":true}}},"
	"\"objects\":{\"a b\\n\\\"\":[\"" OID_1 "\",\"0000000000000000\",null],"
	"\"index.html\":[\"" OID_1 "\",\"" HID "\",\"" MD5 "\"],"
	"\"\xC3\xA9\":[\"" OID_2 "\",\"ffffffffffffffff\",\"" MD5 "-2\"]},"
	"\"retired\":{\"old.81c0ffee.js\":[\"" OID_1 "\",\"" HID "\",\"" MD5
	"\",1795572755]}}";

static void parse(struct state *s, const char *text)
{
	struct error err = ERROR_INIT;

	*s = (struct state)STATE_INIT;
	if (state_parse(s, text, strlen(text), &err) < 0)
		fail_msg("%s\n%s", err.msg, text);
}

static void assert_oid(const struct oid *id, const char *hex)
{
	char is[OID_HEX_SIZE];

	assert_string_equal(oid_hex(id, is), hex);
}

static void test_state__reads_every_member(void **state)
{
	CLEANUP(state) struct state s = STATE_INIT;

	(void)state;
	parse(&s, whole);
	assert_string_equal(s.nonce, "ecda5c4c72b7021edc7232aa8a3b234c");
	assert_true(s.lease.is_set);
	assert_string_equal(s.lease.holder, "h");
	assert_int_equal(s.lease.seconds, 120);
	assert_true(s.deployed.is_set);
	assert_oid(&s.deployed.commit, OID_2);
	assert_string_equal(s.deployed.nonce, "n0");
	assert_string_equal(s.deployed.run.workflow, "w.yml");
	assert_int_equal(s.deployed.run.id, 7423981);
	assert_int_equal(s.deployed.run.number, 41);
	assert_int_equal(s.deployed.run.attempt, 1);
	assert_int_equal(s.deployed.at_s, 1795572755);
	assert_string_equal(s.prefix, "v1/");
	assert_int_equal(s.objects.len, 3);
	assert_string_equal(s.objects.items[0].path, "a b\n\"");
	assert_null(s.objects.items[0].etag);
	assert_int_equal(s.objects.items[0].headers_id, 0);
	assert_string_equal(s.objects.items[1].etag, "\"" MD5 "\"");
	assert_true(s.objects.items[1].headers_id == UINT64_C(0x3fdfce4dacbd67c7));
	assert_true(s.objects.items[2].headers_id == UINT64_MAX);
	assert_int_equal(s.retired.len, 1);
	assert_int_equal(s.retired.items[0].since_s, 1795572755);
	assert_oid(&s.retired.items[0].entry.id, OID_1);
}

static void test_state__reads_the_journal(void **state)
{
	CLEANUP(state) struct state s = STATE_INIT;
	const struct state_touch *t;

	(void)state;
	parse(&s, whole);
	assert_true(s.journal.is_set);
	assert_oid(&s.journal.commit, OID_1);
	assert_null(s.journal.run.workflow);
	assert_int_equal(s.journal.distributions.len, 1);
	assert_string_equal(s.journal.references.items[0], "crc-1");
	assert_true(s.journal.everything);
	assert_int_equal(s.journal.touches.len, 3);
	t = state_journal_find(&s.journal, "copy");
	assert_string_equal(t->from, "\"e1\"");
	assert_string_equal(t->to, "\"e1\"");
	assert_true(t->copied && !t->multipart && !t->to_absent);
	assert_oid(&t->id, OID_1);
	t = state_journal_find(&s.journal, "gone");
	assert_string_equal(t->from, "\"e2\"");
	assert_true(t->to_absent && !t->copied);
	t = state_journal_find(&s.journal, "new");
	assert_null(t->from);
	assert_null(t->to);
	assert_true(t->multipart);
	assert_oid(&t->id, OID_2);
	assert_null(state_journal_find(&s.journal, "other"));
}

static void test_state__prints_what_it_read(void **state)
{
	CLEANUP(state) struct state s = STATE_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);

	(void)state;
	parse(&s, whole);
	state_print(&s, &text);
	assert_string_equal(text.data, whole);
}

static void test_state__the_least(void **state)
{
	static const char least[] =
		"{\"v\":1,\"nonce\":\"\",\"lease\":null,\"deployed\":null,\"prefix\":\"\","
		"\"distributions\":[],\"mutable\":[],\"journal\":null,\"objects\":{},"
		"\"retired\":{}}";
	CLEANUP(state) struct state s = STATE_INIT;
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);

	(void)state;
	parse(&s, "{\"later\":[],\"v\":1,\"nonce\":\"\",\"prefix\":\"\",\"objects\":{}}");
	assert_false(s.lease.is_set || s.deployed.is_set || s.journal.is_set);
	assert_null(state_journal_find(&s.journal, "a"));
	assert_null(state_retired_find(&s, "a"));
	assert_false(state_has_distribution(&s, "E1"));
	assert_false(state_path_is_mutable(&s, "a"));
	state_print(&s, &text);
	assert_string_equal(text.data, least);
	state_release(&s);
	state_release(&s);
	parse(&s, least);
}

static void test_state__sorts_what_is_not(void **state)
{
	CLEANUP(state) struct state s = STATE_INIT;
	static const char entry[] = "[\"" OID_1 "\",\"" HID "\",null,5]";
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);

	(void)state;
	buf_printf(
		&text,
		"{\"v\":1,\"nonce\":\"\",\"prefix\":\"\",\"mutable\":[\"b\",\"a\",\"c\"],"
		"\"objects\":{\"b\":%s,\"a\":%s,\"c\":%s},"
		"\"retired\":{\"y\":%s,\"x\":%s,\"z\":%s},"
		"\"journal\":{\"commit\":\"" OID_1 "\",\"touches\":{"
		"\"n\":{\"to\":null},\"m\":{\"to\":null},\"o\":{\"to\":null}}}}",
		entry, entry, entry, entry, entry, entry);
	parse(&s, text.data);
	assert_string_equal(s.objects.items[0].path, "a");
	assert_string_equal(snapshot_find(&s.objects, "c")->path, "c");
	assert_string_equal(state_retired_find(&s, "x")->entry.path, "x");
	assert_string_equal(state_retired_find(&s, "z")->entry.path, "z");
	assert_string_equal(state_journal_find(&s.journal, "m")->path, "m");
	assert_string_equal(state_journal_find(&s.journal, "o")->path, "o");
	assert_true(state_path_is_mutable(&s, "a") && state_path_is_mutable(&s, "c"));
	assert_false(state_path_is_mutable(&s, "d"));
}

static void assert_refused(const char *text, enum error_code code, const char *message)
{
	CLEANUP(state) struct state s = STATE_INIT;
	struct error err = ERROR_INIT;

	if (state_parse(&s, text, strlen(text), &err) == 0)
		fail_msg("is taken: %s", text);
	assert_int_equal(err.code, code);
	if (message)
		assert_string_equal(err.msg, message);
}

static void test_state__refuses_what_is_no_state(void **state)
{
	static const char *const texts[] = {
		"null",
		"[]",
		"7",
		"\"x\"",
		"{}",
		"{\"v\":1}",
		"{\"v\":1,\"nonce\":\"\",\"prefix\":\"\"}",
		"{\"v\":1,\"nonce\":\"\",\"objects\":{}}",
		"{\"v\":1,\"prefix\":\"\",\"objects\":{}}",
		"{\"v\":1,\"nonce\":\"\",\"prefix\":\"\",\"objects\":[]}",
		"{\"v\":\"1\",\"nonce\":\"\",\"prefix\":\"\",\"objects\":{}}",
		"{\"v\":0,\"nonce\":\"\",\"prefix\":\"\",\"objects\":{}}",
		"{\"v\":-1,\"nonce\":\"\",\"prefix\":\"\",\"objects\":{}}",
		"{\"v\":1.0,\"nonce\":\"\",\"prefix\":\"\",\"objects\":{}}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
		assert_refused(texts[i], ERR_DATA, "not a crc state");
	assert_refused("", ERR_DATA, NULL);
	assert_refused("<html>", ERR_DATA, NULL);
	assert_refused(
		"{\"v\":2}", ERR_UNSUPPORTED,
		"written by a later crc (format 2): use that version or a newer one");
}

/* A member's value in the whole state, replaced. */
struct wrong {
	const char *member; /* as it is written */
	const char *value;
	const char *message;
};

static void assert_wrong(const struct wrong *w)
{
	CLEANUP(buf) struct buf text = BUF_INIT(1 << 20);
	const char *at = strstr(whole, w->member);

	if (!at)
		fail_msg("not there: %s", w->member);
	buf_add(&text, whole, (size_t)(at - whole));
	buf_str(&text, w->value);
	buf_str(&text, at + strlen(w->member));
	assert_refused(text.data, ERR_DATA, w->message);
}

#define LEASE "{\"holder\":\"h\",\"seconds\":120}"
#define RUN   "{\"workflow\":\"w.yml\",\"id\":7423981,\"number\":41,\"attempt\":1}"

static const struct wrong wrong_members[] = {
	{ "\"ecda5c4c72b7021edc7232aa8a3b234c\"", "7", "nonce is malformed" },
	{ "\"v1/\"", "[]", "prefix is malformed" },
	{ LEASE, "120", "lease is malformed" },
	{ LEASE, "[]", "lease is malformed" },
	{ LEASE, "{}", "lease is malformed" },
	{ LEASE, "{\"holder\":\"h\"}", "lease is malformed" },
	{ LEASE, "{\"seconds\":120}", "lease is malformed" },
	{ LEASE, "{\"holder\":7,\"seconds\":120}", "lease: holder is malformed" },
	{ LEASE, "{\"holder\":\"h\",\"seconds\":\"120\"}",
	  "lease: seconds is malformed" },
	{ LEASE, "{\"holder\":\"h\",\"seconds\":1e9}", "lease: seconds is malformed" },
	{ "\"commit\":\"" OID_2 "\"", "\"commit\":null",
	  "deployed: a commit is not a 40-digit id" },
	{ "\"commit\":\"" OID_2 "\"", "\"commit\":\"main\"",
	  "deployed: a commit is not a 40-digit id" },
	{ "\"n0\"", "0", "deployed: nonce is malformed" },
	{ "1795572755}", "\"now\"}", "deployed: at is malformed" },
	{ RUN, "[]", "deployed: run is malformed" },
	{ "\"w.yml\"", "{}", "deployed: workflow is malformed" },
	{ "7423981", "\"7423981\"", "deployed: id is malformed" },
	{ ":41", ":41.5", "deployed: number is malformed" },
	{ "\"attempt\":1", "\"attempt\":true", "deployed: attempt is malformed" },
	{ "[\"E1\",\"E2\"]", "\"E1\"", "distributions is malformed" },
	{ "[\"E1\",\"E2\"]", "[\"E1\",2]", "distributions is malformed" },
	{ "[\"a.81c0ffee.js\",\"b.81c0ffee.js\"]", "{}", "mutable is malformed" },
	{ "\"b.81c0ffee.js\"", "null", "mutable is malformed" },
	{ "\"b.81c0ffee.js\"", "\"/etc/passwd\"", "mutable is malformed" },
	{ "\"commit\":\"" OID_1 "\"", "\"commit\":\"\"",
	  "journal: a commit is not a 40-digit id" },
	{ "\"run\":null", "\"run\":7", "journal: run is malformed" },
	{ "[\"E1\"]", "[[]]", "journal: distributions is malformed" },
	{ "[\"crc-1\"]", "\"crc-1\"", "journal: references is malformed" },
	{ "\"everything\":true", "\"everything\":1", "journal: everything is malformed" },
	{ "\"touches\":{", "\"touches\":[],\"t\":{", "journal: touches is malformed" },
	{ "\"touches\":{", "\"t\":{", "journal: touches is malformed" },
	{ "\"from\":\"e1\"", "\"from\":7", "journal: entry \"copy\" is malformed" },
	{ "\"from\":\"e1\"", "\"from\":\"\"", "journal: entry \"copy\" is malformed" },
	{ "\"from\":\"e1\"", "\"from\":\"\\\"e1\\\"\"",
	  "journal: entry \"copy\" is malformed" },
	{ "\"copied\":true", "\"copied\":\"true\"",
	  "journal: entry \"copy\": copied is malformed" },
	{ "\"multipart\":true", "\"multipart\":0",
	  "journal: entry \"new\": multipart is malformed" },
	{ "\"to\":null", "\"two\":null", "journal: entry \"gone\" is malformed" },
	{ "\"to\":null", "\"to\":false", "journal: entry \"gone\" is malformed" },
	{ "{\"from\":\"e2\",\"to\":null}", "[]", "journal: entry \"gone\" is malformed" },
	{ "\"gone\"", "\"../gone\"", "journal: entry \"../gone\" is malformed" },
	{ "\"retired\":{", "\"retired\":[],\"r\":{", "retired is malformed" },
	{ ",1795572755]", "]", "entry \"old.81c0ffee.js\" is malformed" },
	{ ",1795572755]", ",\"then\"]", "entry \"old.81c0ffee.js\" is malformed" },
};

static void test_state__refuses_malformed_members(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wrong_members) / sizeof(*wrong_members); i++)
		assert_wrong(&wrong_members[i]);
}

static void test_state__refuses_malformed_entries(void **state)
{
	static const char *const values[] = {
		"null",
		"{}",
		"7",
		"\"" OID_1 "\"",
		"[]",
		"[\"" OID_1 "\"]",
		"[7,\"" HID "\",null]",
		"[\"\",\"" HID "\",null]",
		"[\"" OID_1 "0\",\"" HID "\",null]",
		"[\"" OID_1 "\",null,null]",
		"[\"" OID_1 "\",7,null]",
		"[\"" OID_1 "\",\"3fdfce4dacbd67c\",null]",
		"[\"" OID_1 "\",\"" HID "0\",null]",
		"[\"" OID_1 "\",\"" HID "\",7]",
		"[\"" OID_1 "\",\"" HID "\",\"\"]",
		"[\"" OID_1 "\",\"" HID "\",\"a\\r\\nHost: b\"]",
		"[\"" OID_1 "\",\"" HID "\",\"a b\"]",
		"[\"" OID_1 "\",\"" HID "\",\"a\\\"b\"]",
	};
	static const char *const members[] = { "objects", "retired" };

	(void)state;
	for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
		for (size_t k = 0; k < sizeof(members) / sizeof(*members); k++) {
			CLEANUP(buf) struct buf text = BUF_INIT(4096);

			buf_printf(&text,
				   "{\"v\":1,\"nonce\":\"\",\"prefix\":\"\",%s"
				   "\"%s\":{\"x\":%s}}",
				   k ? "\"objects\":{}," : "", members[k], values[i]);
			assert_refused(text.data, ERR_DATA, "entry \"x\" is malformed");
		}
	}
}

static void test_state__paths_that_a_site_can_have(void **state)
{
	static const struct {
		const char *path;
		bool sound;
	} cases[] = {
		{ "a", true },
		{ "a/b c/\xC3\xA9", true },
		{ "a//b", true },
		{ ".crcx/a", true },
		{ "a/.crc/b", true },
		{ ".well-known/a", true },
		{ "a\nb", true },
		{ "...", true },
		{ "a/.../b", true },
		{ "..a", true },
		{ ".a/b.", true },
		{ "", false },
		{ "/", false },
		{ "/a", false },
		{ ".crc/state.json", false },
		{ ".", false },
		{ "..", false },
		{ "../a", false },
		{ "a/..", false },
		{ "a/../b", false },
		{ "./a", false },
		{ "a/./b", false },
		{ "a/.", false },
		{ "\xFF", false },
		{ "a\xC3", false },
	};
	char longest[1026];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (state_path_is_sound(cases[i].path) != cases[i].sound)
			fail_msg("%s", cases[i].path);
	memset(longest, 'a', sizeof(longest));
	longest[1025] = '\0';
	assert_false(state_path_is_sound(longest));
	longest[1024] = '\0';
	assert_true(state_path_is_sound(longest));
}

/* What a hostile path holds does not get into a message as it is. */
static void test_state__refuses_hostile_paths(void **state)
{
	(void)state;
	assert_refused("{\"v\":1,\"nonce\":\"\",\"prefix\":\"\",\"objects\":"
		       "{\"/\\n::error::\\u001b[2J\\u007f\":[\"" OID_1 "\",\"" HID
		       "\",null]}}",
		       ERR_DATA, "entry \"/?::error::?[2J?\" is malformed");
	assert_refused("{\"v\":1,\"nonce\":\"\",\"prefix\":\"\",\"objects\":"
		       "{\".crc/state.json\":[\"" OID_1 "\",\"" HID "\",null]}}",
		       ERR_DATA, "entry \".crc/state.json\" is malformed");
	assert_refused("{\"v\":1,\"nonce\":\"\",\"prefix\":\"\",\"objects\":{},"
		       "\"journal\":{\"commit\":\"" OID_1
		       "\",\"touches\":{\"\\n\":{\"to\":null,\"copied\":7}}}}",
		       ERR_DATA, "journal: entry \"?\": copied is malformed");
	assert_refused("{\"v\":1,\"nonce\":\"\",\"prefix\":\"\",\"objects\":"
		       "{\"a\":[\"" OID_1 "\",\"" HID "\",null],"
		       "\"a\":[\"" OID_1 "\",\"" HID "\",null]}}",
		       ERR_DATA, NULL);
}

/* An ETag that no condition could name is as good as none. */
static void test_state__etags_that_are_none(void **state)
{
	static const char *const etags[] = {
		"W/\"abc\"", "abc", "\"", "\"\"", "", "\"a\"b\"", "\"a b\"", "\"a\n\""
	};

	(void)state;
	for (size_t i = 0; i < sizeof(etags) / sizeof(*etags); i++) {
		CLEANUP(state) struct state s = STATE_INIT;
		CLEANUP(state) struct state again = STATE_INIT;
		CLEANUP(buf) struct buf text = BUF_INIT(4096);

		s.nonce = s.prefix = "";
		snapshot_push(&s.objects,
			      (struct entry){ .path = "a", .etag = etags[i] });
		state_print(&s, &text);
		parse(&again, text.data);
		assert_null(again.objects.items[0].etag);
	}
}

static void test_state__leases(void **state)
{
	static const struct {
		int64_t seconds, now_s, modified_s, wait_s;
	} cases[] = {
		{ 120, 1000, 1000, 180 },
		{ 120, 1100, 1000, 80 },
		{ 120, 1179, 1000, 1 },
		{ 120, 1180, 1000, 0 },
		{ 120, 9999, 1000, 0 },
		{ 60, 1000, 1000, 120 },
		{ 0, 1059, 1000, 1 },
		{ 0, 1060, 1000, 0 },
		/* what crc did not write */
		{ -5, 1000, 1000, 180 },
		{ 121, 1000, 1000, 180 },
		{ INT64_MAX, 1000, 1000, 180 },
		{ INT64_MIN, 1000, 1000, 180 },
		/* clocks that differ, or do not tell */
		{ 120, 1000, 1300, 180 },
		{ 120, 0, 1000, 180 },
		{ 120, 1000, 0, 180 },
		{ 120, 0, 0, 180 },
		{ 120, 1, INT64_MAX, 180 },
		{ 120, INT64_MAX, 1, 0 },
		{ 120, INT64_MAX, INT64_MIN, 180 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		const struct state_lease lease = { .is_set = true,
						   .holder = "h",
						   .seconds = cases[i].seconds };

		assert_int_equal(
			state_lease_wait_s(&lease, cases[i].now_s, cases[i].modified_s),
			cases[i].wait_s);
		assert_int_equal(
			state_lease_is_dead(&lease, cases[i].now_s, cases[i].modified_s),
			cases[i].wait_s == 0);
	}
	assert_true(
		state_lease_is_dead(&(struct state_lease){ .seconds = 120 }, 1000, 1000));
}

static void test_state__distributions(void **state)
{
	CLEANUP(state) struct state s = STATE_INIT;

	(void)state;
	parse(&s, whole);
	assert_true(state_has_distribution(&s, "E1"));
	assert_true(state_has_distribution(&s, "E2"));
	assert_false(state_has_distribution(&s, "E3"));
	assert_false(state_has_distribution(&s, "E"));
}

/* Wherever the text ends, it is refused, and all that was read is released. */
static void test_state__cut_anywhere(void **state)
{
	(void)state;
	for (size_t n = 0; n < sizeof(whole) - 1; n++) {
		CLEANUP(state) struct state s = STATE_INIT;
		char *text = xmemdup(whole, n ? n : 1); /* nothing behind its end */
		struct error err = ERROR_INIT;

		assert_int_equal(state_parse(&s, text, n, &err), -1);
		assert_int_equal(err.code, ERR_DATA);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state__reads_every_member),
		cmocka_unit_test(test_state__reads_the_journal),
		cmocka_unit_test(test_state__prints_what_it_read),
		cmocka_unit_test(test_state__the_least),
		cmocka_unit_test(test_state__sorts_what_is_not),
		cmocka_unit_test(test_state__refuses_what_is_no_state),
		cmocka_unit_test(test_state__refuses_malformed_members),
		cmocka_unit_test(test_state__refuses_malformed_entries),
		cmocka_unit_test(test_state__paths_that_a_site_can_have),
		cmocka_unit_test(test_state__refuses_hostile_paths),
		cmocka_unit_test(test_state__etags_that_are_none),
		cmocka_unit_test(test_state__leases),
		cmocka_unit_test(test_state__distributions),
		cmocka_unit_test(test_state__cut_anywhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

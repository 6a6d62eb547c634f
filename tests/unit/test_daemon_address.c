/* Addresses, networks, and who a request is from: address.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/address.h"
#include "daemon/request.h"

static void test_address__networks(void **state)
{
	static const struct {
		const char *address, *network;
		bool in;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1", true },
		{ "127.0.0.1", "127.0.0.0/8", true },
		{ "128.0.0.1", "127.0.0.0/8", false },
		{ "10.1.2.3", "10.1.2.0/23", true },
		{ "10.1.4.3", "10.1.2.0/23", false },
		{ "10.1.3.3", "10.1.2.0/23", true },
		{ "203.0.113.9", "0.0.0.0/0", true },
		{ "::1", "0.0.0.0/0", false },
		{ "::ffff:10.1.2.3", "10.1.2.3", true },
		{ "2001:db8::1", "2001:db8::/32", true },
		{ "2001:db9::1", "2001:db8::/32", false },
		{ "2001:db8::1", "::/0", true },
		{ "10.0.0.1", "nonsense", false },
		{ "nonsense", "0.0.0.0/0", false },
		{ "", "0.0.0.0/0", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *items[] = { cases[i].network };
		struct str_list list = { .items = items, .len = 1 };

		if (address_in(cases[i].address, &list) != cases[i].in)
			fail_msg("%s in %s", cases[i].address, cases[i].network);
	}
}

static void test_address__is_network(void **state)
{
	static const char *const good[] = { "10.0.0.0/8", "::1", "::/0", "1.2.3.4/32" };
	static const char *const bad[] = {
		"",    "10.0.0.0/33", "::/129",   "10.0.0.0/",
		"a/8", "10.0.0.0/-1", "10.0.0/8", "1.2.3.4/8/8"
	};

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(address_is_network(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(address_is_network(bad[i]));
}

static void test_address__begins_network(void **state)
{
	static const char *const good[] = {
		"10.0.0.0/8", "0.0.0.0/0",     "::/0",
		"1.2.3.4",    "10.1.2.128/25", "2001:db8::/33"
	};
	static const char *const bad[] = { "10.0.0.1/8",         "10.1.2.128/24", "::1/0",
					   "2001:db8:8000::/32", "1.2.3.5/31",    "a/8" };

	(void)state;
	for (size_t i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(address_begins_network(good[i]));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(address_begins_network(bad[i]));
}

static void test_address__of_client(void **state)
{
	static const char *items[] = { "127.0.0.1", "10.0.0.0/8" };
	const struct str_list trusted = { .items = items, .len = 2 };
	static const struct {
		const char *peer, *forwarded, *client;
	} cases[] = {
		{ "203.0.113.9", NULL, "203.0.113.9" },
		/* Who is no proxy of ours may say what he likes. */
		{ "203.0.113.9", "192.0.2.1", "203.0.113.9" },
		{ "127.0.0.1", NULL, "127.0.0.1" },
		{ "127.0.0.1", "192.0.2.1", "192.0.2.1" },
		{ "127.0.0.1", "192.0.2.66, 192.0.2.1", "192.0.2.1" },
		{ "127.0.0.1", "192.0.2.66,192.0.2.1 ,\t10.9.9.9", "192.0.2.1" },
		{ "127.0.0.1", "10.1.1.1", "10.1.1.1" },
		{ "127.0.0.1", "192.0.2.66, unknown", "127.0.0.1" },
		{ "127.0.0.1", "", "127.0.0.1" },
		{ "127.0.0.1", ",", "127.0.0.1" },
		{ "127.0.0.1", "2001:db8::7", "2001:db8::7" },
	};
	char out[ADDRESS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		address_of_client(cases[i].peer, cases[i].forwarded, &trusted, out);
		assert_string_equal(out, cases[i].client);
	}
}

/* A proxy adds its line behind the one that a sender has made up. */
static void test_address__of_client_in_several_headers(void **state)
{
	static const char *items[] = { "127.0.0.1" };
	const struct str_list trusted = { .items = items, .len = 1 };
	const struct request_header headers[] = { { "X-Forwarded-For", "192.0.2.66" },
						  { "Host", "x" },
						  { "x-forwarded-for", "192.0.2.1" } };
	struct request r = { .headers = headers, .n_headers = 3 };
	CLEANUP(buf) struct buf list = BUF_INIT(4096);
	char out[ADDRESS_MAX];

	(void)state;
	address_of_client("127.0.0.1", request_header_list(&r, "X-Forwarded-For", &list),
			  &trusted, out);
	assert_string_equal(out, "192.0.2.1");
	assert_string_equal(list.data, "192.0.2.66,192.0.2.1");
	assert_null(request_header_list(&r, "Forwarded", &list));
}

static void test_address__party(void **state)
{
	static const struct {
		const char *address, *party;
	} cases[] = {
		{ "192.0.2.1", "192.0.2.1" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::" },
		{ "2001:db8:1:2:ffff::", "2001:db8:1:2::" },
		{ "2001:db8:1:3::", "2001:db8:1:3::" },
		{ "nobody", "nobody" },
	};
	char out[ADDRESS_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		address_party(cases[i].address, out);
		assert_string_equal(out, cases[i].party);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address__networks),
		cmocka_unit_test(test_address__is_network),
		cmocka_unit_test(test_address__begins_network),
		cmocka_unit_test(test_address__of_client),
		cmocka_unit_test(test_address__of_client_in_several_headers),
		cmocka_unit_test(test_address__party),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

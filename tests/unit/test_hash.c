#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codec/encode.h"
#include "codec/hash.h"

#define COUNT(a) (sizeof(a) / sizeof(*(a)))

/* FIPS 180-4's examples, RFC 1321 (A.5), and a message of over one block. */
static void test_hash__known_digests(void **state)
{
	static const struct {
		enum hash_kind kind;
		const char *text;
		const char *hex;
	} cases[] = {
		{ HASH_SHA256, "",
		  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
		{ HASH_SHA256, "abc",
		  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
		{ HASH_SHA256, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
		  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1" },
		{ HASH_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
		{ HASH_MD5, "", "d41d8cd98f00b204e9800998ecf8427e" },
		{ HASH_MD5, "message digest", "f96b697d7cb7938d525a2f31aaf161d0" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		CLEANUP_PTR(hash) struct hash *h = hash_new(cases[i].kind);
		unsigned char digest[HASH_MOST];
		char hex[2 * HASH_MOST + 1];
		size_t n = strlen(cases[i].text);

		hash_bytes(cases[i].kind, cases[i].text, n, digest);
		encode_hex(digest, hash_size(cases[i].kind), hex);
		assert_string_equal(hex, cases[i].hex);
		/* Byte by byte, and twice: the end starts anew. */
		for (int round = 0; round < 2; round++) {
			for (size_t k = 0; k < n; k++)
				hash_add(h, cases[i].text + k, 1);
			memset(digest, 0, sizeof(digest));
			hash_end(h, digest);
			encode_hex(digest, hash_size(cases[i].kind), hex);
			assert_string_equal(hex, cases[i].hex);
		}
	}
}

/* RFC 4231, test cases 1, 2 and 6. */
static void test_hash__hmac(void **state)
{
	unsigned char key[131];
	unsigned char mac[HASH_SHA256_SIZE];
	char hex[2 * HASH_SHA256_SIZE + 1];
	static const char long_text[] =
		"Test Using Larger Than Block-Size Key - Hash Key First";
	static const char question[] = "what do ya want for nothing?";

	(void)state;
	memset(key, 0x0b, 20);
	hash_hmac_sha256(key, 20, "Hi There", 8, mac);
	encode_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex, "b0344c61d8db38535ca8afceaf0bf12b"
				 "881dc200c9833da726e9376c2e32cff7");
	hash_hmac_sha256("Jefe", 4, question, strlen(question), mac);
	encode_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c7"
				 "5a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	hash_hmac_sha256(key, sizeof(key), long_text, strlen(long_text), mac);
	encode_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f"
				 "8e0bc6213728c5140546040f0ee37f54");
	hash_hmac_sha256(NULL, 0, NULL, 0, mac);
	encode_hex(mac, sizeof(mac), hex);
	assert_string_equal(hex, "b613679a0814d9ec772f95d778c35fc5"
				 "ff1697c493715653c6c712144292c5ad");
}

static void test_hash__git_blob(void **state)
{
	unsigned char id[HASH_SHA1_SIZE];
	char hex[2 * HASH_SHA1_SIZE + 1];

	(void)state;
	hash_git_blob(NULL, 0, id);
	encode_hex(id, sizeof(id), hex);
	assert_string_equal(hex, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
	hash_git_blob("hello world\n", 12, id);
	encode_hex(id, sizeof(id), hex);
	assert_string_equal(hex, "3b18e512dba79e4c8300dd08aeb37f8e728b8dad");
}

static void test_hash__equal(void **state)
{
	(void)state;
	assert_true(hash_equal("abc", "abc", 3));
	assert_false(hash_equal("abc", "abd", 3));
	assert_true(hash_equal("abc", "abd", 2));
	assert_true(hash_equal(NULL, NULL, 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash__known_digests),
		cmocka_unit_test(test_hash__hmac),
		cmocka_unit_test(test_hash__git_blob),
		cmocka_unit_test(test_hash__equal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

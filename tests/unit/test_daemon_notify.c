#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/str.h"
#include "daemon/notify.h"

/* systemd's end: a socket bound to a name, "@" standing for the NUL of an abstract one. */
static int listen_at(const char *name)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	size_t n = strlen(name);
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);

	memcpy(a.sun_path, name, n);
	if (*name == '@')
		a.sun_path[0] = '\0';
	else
		len++;
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&a, len), 0);
	return fd;
}

static void assert_received(int fd, const char *wanted)
{
	char text[256] = "";

	assert_true(recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, wanted);
}

static void check_talk(const char *name)
{
	int fd = listen_at(name);
	struct error err = ERROR_INIT;
	struct notify n;

	setenv("NOTIFY_SOCKET", name, 1);
	notify_init(&n, 1);
	assert_int_equal(notify_send(&n, "READY=1", &err), 0);
	assert_received(fd, "READY=1");
	assert_int_equal(notify_reloading(&n, 12, &err), 0);
	assert_received(fd, "RELOADING=1\nMONOTONIC_USEC=12000");
	close(fd);
}

static void test_notify__sockets_in_files_and_abstract_ones(void **state)
{
	char folder[] = "/tmp/crc-notify-XXXXXX";
	char name[100];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(name, sizeof(name), "%s/socket", folder);
	check_talk(name);
	assert_int_equal(unlink(name), 0);
	assert_int_equal(rmdir(folder), 0);
	snprintf(name, sizeof(name), "@crc-notify-%ld", (long)getpid());
	check_talk(name);
}

static void test_notify__nobody_listens(void **state)
{
	struct error err = ERROR_INIT;
	struct notify n;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	setenv("WATCHDOG_USEC", "30000000", 1);
	notify_init(&n, 1);
	assert_int_equal(n.watchdog_ms, 0);
	assert_int_equal(notify_send(&n, "READY=1", &err), 0);
}

static void test_notify__names_that_are_none(void **state)
{
	static const char *const names[] = { "relative", "@", "/",
					     "/tmp/crc-nobody-is-there" };
	char longest[200];

	(void)state;
	memset(longest, '/', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	for (size_t i = 0; i <= sizeof(names) / sizeof(*names); i++) {
		struct notify n = { .socket = i < 4 ? names[i] : longest };
		struct error err = ERROR_INIT;

		assert_int_equal(notify_send(&n, "READY=1", &err), -1);
		assert_int_equal(err.code, ERR_IO);
	}
}

static void test_notify__watchdog_of_this_process_only(void **state)
{
	struct notify n;

	(void)state;
	setenv("NOTIFY_SOCKET", "/tmp/x", 1);
	setenv("WATCHDOG_USEC", "30000000", 1);
	unsetenv("WATCHDOG_PID");
	notify_init(&n, 7);
	assert_int_equal(n.watchdog_ms, 30000);
	setenv("WATCHDOG_PID", "7", 1);
	notify_init(&n, 7);
	assert_int_equal(n.watchdog_ms, 30000);
	notify_init(&n, 8);
	assert_int_equal(n.watchdog_ms, 0);
	setenv("WATCHDOG_PID", "x", 1);
	notify_init(&n, 7);
	assert_int_equal(n.watchdog_ms, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_notify__sockets_in_files_and_abstract_ones),
		cmocka_unit_test(test_notify__nobody_listens),
		cmocka_unit_test(test_notify__names_that_are_none),
		cmocka_unit_test(test_notify__watchdog_of_this_process_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* user_net.c: claim: a web server cannot make wget read beside its answer, nor a browser httpd compute nonsense. Found by fuzzing
 * (tests/fuzz/http_client.c, http_server.c). A failure is a program that anybody on the network ends. */
#include "tests/host/user_shim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#undef fail                              /* cmocka's, a macro */
#include "guest-kernel/user/net/wget.c"

#include "guest-kernel/user/net/httpd.h"

const char *box_name = "wget";
static const char *reply;

int fail(const char *what) { return 1; }
int usage(const char *how) { return 2; }
long clock_ns(void) { static long t; return t += 1000; }
bool write_all(int fd, const void *data, size_t n) { return true; }

int dial(const char *host, const char *port)
{
    int fd = memfd_create("reply", 0);

    assert_int_equal(write(fd, reply, strlen(reply)), strlen(reply));
    lseek(fd, 0, SEEK_SET);
    return fd;
}

static int get(const char *answer)
{
    static char next[1100];

    reply = answer;
    return fetch("http://h/x", "-", next, sizeof(next));
}

static void status_lines(void **state)
{
    assert_int_equal(get("HTTP/1.0 200 OK\r\n\r\n"), 0);
    assert_int_equal(get("HTTP/1.0 404 Not Found\r\n\r\n"), 1);
    assert_int_equal(get("HTTP/1.0\r\nServer: 404\r\n\r\n"), 1);      /* the only space stands behind the first line */
    assert_int_equal(get("HTTP/1.0\r\nServer: 200\r\n\r\n"), 1);      /* and a header is no status */
    assert_int_equal(get("HTTP/1.0 \r\n\r\n"), 1);
    assert_int_equal(get("HTTP/1.0 302 Found\r\nLocation: /y\r\n\r\n"), -1);
}

static void ranges(void **state)
{
    static const struct { const char *range; int code; long start, length; } cases[] = {
        { "bytes=1-2", 206, 1, 2 }, { "bytes=-2", 206, 4, 2 }, { "bytes=4-", 206, 4, 2 }, { "bytes=9-", 416, 0, 0 }, { "bytes=0-9", 206, 0, 6 },
        { "bytes=--9223372036854775808", 200, 0, 6 }, { "bytes=--1", 200, 0, 6 }, { "bytes= -5-", 200, 0, 6 }, { "bytes=+1-", 200, 0, 6 },
        { "bytes=-99999999999999999999", 206, 0, 6 }, { "bytes=99999999999999999999-", 416, 0, 0 }, { "bytes=", 200, 0, 6 },
    };
    char dir[] = "/tmp/enso-user-XXXXXX", name[40], request[200];

    assert_non_null(mkdtemp(dir));
    snprintf(name, sizeof(name), "%s/f", dir);
    int fd = open(name, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, "abcdef", 6), 6);
    close(fd);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static char page[HTTPD_PAGE];
        struct answer a = { .page = page, .file = -1 };

        snprintf(request, sizeof(request), "GET /f HTTP/1.1\r\nRange: %s\r\n", cases[i].range);
        httpd_answer(&a, request, dir);
        assert_int_equal(a.code, cases[i].code);
        if (a.file >= 0) {
            assert_int_equal(a.start, cases[i].start);
            assert_int_equal(a.length, cases[i].length);
            close(a.file);
        }
    }
    unlink(name);
    rmdir(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(status_lines), cmocka_unit_test(ranges) };

    return cmocka_run_group_tests_name("user_net", tests, NULL, NULL);
}

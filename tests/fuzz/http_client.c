/* SPDX-License-Identifier: MIT */
/* http_client.c: what a hostile server tells wget, over redirections. */
#include "tests/fuzz/fuzz.h"
#include "tests/host/user_shim.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

const char *box_name = "wget";
static int fuzz_open(const char *name, int flags, int mode);
#define open fuzz_open
#include "guest-kernel/user/net/wget.c"
#undef open

static struct fuzz_input in;
static size_t saved;

int fail(const char *what) { (void)what; return 1; }
int usage(const char *how) { (void)how; return 2; }
long clock_ns(void) { static long t; return t += 300000000; }

static int fuzz_open(const char *name, int flags, int mode)
{
    FUZZ_CHECK(name[0] && !strchr(name, '/') && (flags & O_CREAT) && mode == 0644);
    return memfd_create("saved", 0);
}

bool write_all(int fd, const void *data, size_t n)
{
    fuzz_read(data, n);
    saved += n;
    return fd >= 0;
}

/* The server's next answer. */
int dial(const char *host, const char *port)
{
    size_t got;
    const uint8_t *raw = fuzz_bytes(&in, fuzz_take(&in, 2), &got);

    fuzz_read(host, strlen(host));
    FUZZ_CHECK(strlen(port) < 8);
    return fuzz_file(raw, got);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *argv[] = { "wget", "http://h:1/x", NULL };

    in = (struct fuzz_input){ data, size };
    optind = 0;
    wget_main(2, argv);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const char *const answers[] = {
        "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello", "HTTP/1.1 302 Found\r\nLocation: http://other:8080/a/b?c\r\n\r\n",
        "HTTP/1.1 301 Moved\r\nServer: x\r\nLocation: /there\r\n\r\n", "HTTP/1.0 404 Not Found\r\n\r\n", "HTTP/1.0 200 OK\r\n\r\nwithout a length",
    };
    size_t at = 0;

    (void)room;
    if (n >= 5)
        return 0;
    for (unsigned i = n; i < n + 3; i++) {
        size_t len = strlen(answers[i % 5]);

        data[at] = (uint8_t)len;
        memcpy(data + at + 2, answers[i % 5], len);
        at += 2 + len;
    }
    return at;
}

/* SPDX-License-Identifier: MIT */
/* http_server.c: what anybody may send to httpd, in pieces; answered from a folder of its own.
 *
 * What must hold: nothing beside that folder is opened, and what is sent has a header with an end. */
#include "tests/fuzz/fuzz.h"
#include "tests/host/user_shim.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

const char *box_name = "httpd";
#include "guest-kernel/user/net/httpd.c"

int fail(const char *what) { (void)what; return 1; }
int usage(const char *how) { (void)how; return 2; }
long clock_ns(void) { static long t; return t += 1000; }
int listen_on(const char *port, int backlog) { (void)port; (void)backlog; return -1; }

static char dir[40];

static void remove_dir(void)
{
    char line[80];

    snprintf(line, sizeof(line), "rm -rf %s", dir);
    if (system(line))
        fprintf(stderr, "%s stays\n", dir);
}

static void set_up(void)
{
    char line[200];

    if (dir[0])
        return;
    strcpy(dir, "/tmp/fuzz-http-XXXXXX");
    if (!mkdtemp(dir))
        abort();
    atexit(remove_dir);
    snprintf(line, sizeof(line), "cd %s && mkdir root root/d root/e && echo hello >root/a.txt && echo i >root/d/index.html && echo SECRET >out", dir);
    if (system(line))
        abort();
    strcat(dir, "/root");
    root = strdup(dir);
    dir[strlen(dir) - 5] = '\0';
}

static void drain(int fd, struct connection *c)
{
    static char got[1 << 16];
    ssize_t n = recv(fd, got, sizeof(got) - 1, MSG_DONTWAIT);

    if (n <= 0)
        return;
    got[n] = '\0';
    FUZZ_CHECK(!memmem(got, (size_t)n, "SECRET", 6));
    if (!strncmp(got, "HTTP/", 5))
        FUZZ_CHECK(strstr(got, "\r\n\r\n") || c->fd < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct connection *c = &conn[0];
    int pair[2];

    set_up();
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair))
        abort();
    *c = (struct connection){ .fd = pair[0], .file = -1 };
    for (int steps = 0; c->fd >= 0 && in.left && steps < 50; steps++) {
        size_t got;
        const uint8_t *raw = fuzz_bytes(&in, fuzz_take(&in, 1) * 4 + 1, &got);

        if (write(pair[1], raw, got) != (ssize_t)got)
            break;
        if (!c->sending)
            hear(c);
        for (int k = 0; k < 8 && c->fd >= 0 && c->sending; k++)
            talk(c);
        drain(pair[1], c);
    }
    if (c->fd >= 0)
        hang_up(c);
    close(pair[1]);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const char *const seeds[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\nHEAD /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET /a.txt HTTP/1.1\r\nRange: bytes=1-2\r\n\r\n",
        "GET /a.txt HTTP/1.1\r\nRange: bytes=-3\r\nConnection: close\r\n\r\n", "GET /d HTTP/1.0\r\n\r\n", "GET /d/ HTTP/1.1\r\nRange: bytes=9-\r\n\r\n",
        "GET /%2e%2e/out HTTP/1.1\r\n\r\nGET /e/?x HTTP/1.1\r\n\r\nPOST / HTTP/1.1\r\n\r\n",
    };
    size_t len;

    if (n >= 6)
        return 0;
    len = strlen(seeds[n]);
    data[0] = (uint8_t)(len / 4);
    memcpy(data + 1, seeds[n], len);
    return room ? len + 1 : 0;
}

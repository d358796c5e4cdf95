/* SPDX-License-Identifier: MIT */
/* httpd.c: serves files by HTTP.
 *
 *     httpd [-f] [-p PORT] [DIRECTORY]      port 80, /var/www or else /srv/http; -f stays in the foreground
 * One process, one poll loop, up to CONNECTIONS at once: a connection reads a request, then sends an answer (a header and page
 * in memory, then perhaps a file; httpd_answer.c makes them), then reads the next. Only GET and HEAD.             */
#include "guest-kernel/user/net/httpd.h"
#include "guest-kernel/user/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNECTIONS  64
#define REQUEST      4096
#define IDLE_SECONDS 30

struct connection {
    int    fd;                           /* -1: free */
    long   last;                         /* when something moved, ns */
    bool   sending, keep;
    char   request[REQUEST + 1];
    size_t have;
    char  *out;                          /* header and page: allocated while sending */
    size_t out_size, out_done;
    int    file;                         /* -1: none */
    long   left;                         /* of it */
};

static struct connection conn[CONNECTIONS];
static const char *root;

/* ---- Answers ---- */

static int write_header(char *head, size_t size, const struct answer *a)
{
    int n = sniprintf(head, size, "HTTP/1.1 %d %s\r\nServer: novice\r\nContent-Type: %s\r\nContent-Length: %ld\r\nConnection: %s\r\n",
                      a->code, httpd_reason(a->code), a->type, a->length, a->keep ? "keep-alive" : "close");

    if (a->code == 206)
        n += sniprintf(head + n, size - (size_t)n, "Content-Range: bytes %ld-%ld/%ld\r\n", a->start, a->start + a->length - 1, a->whole);
    if (a->location && !strpbrk(a->location, "\r\n") && strlen(a->location) < 1000)
        n += sniprintf(head + n, size - (size_t)n, "Location: %s/\r\n", a->location);
    return n + sniprintf(head + n, size - (size_t)n, "\r\n");
}

static void respond(struct connection *c)
{
    static char page[HTTPD_PAGE], head[1500];
    struct answer a = { .page = page, .file = -1 };

    httpd_answer(&a, c->request, root);
    size_t n = (size_t)write_header(head, sizeof(head), &a), page_size = a.file < 0 && !a.head_only ? a.size : 0;

    c->out = malloc(n + page_size);
    c->out_size = c->out ? n + page_size : 0;
    c->out_done = 0;
    if (c->out) {
        memcpy(c->out, head, n);
        memcpy(c->out + n, page, page_size);
    }
    if (a.file >= 0 && (a.head_only || !c->out)) {
        close(a.file);
        a.file = -1;
    }
    c->file = a.file;
    c->left = a.file >= 0 ? a.length : 0;
    c->keep = a.keep && c->out;
    c->sending = true;
}

/* ---- Connections ---- */

static void hang_up(struct connection *c)
{
    if (c->file >= 0)
        close(c->file);
    free(c->out);
    close(c->fd);
    c->fd = -1;
}

/* Begins to answer if the request is complete. */
static void look(struct connection *c)
{
    char *end = strstr(c->request, "\r\n\r\n");

    if (!end) {
        if (c->have < REQUEST)
            return;
        strcpy(c->request, "x\r\n\r\n");      /* too long for any honest one */
        end = c->request + 1;
        c->have = 5;
    }
    end[2] = '\0';                       /* respond() sees this request only */
    size_t used = (size_t)(end + 4 - c->request);

    respond(c);
    memmove(c->request, c->request + used, c->have - used + 1);
    c->have -= used;
}

static void hear(struct connection *c)
{
    ssize_t n = read(c->fd, c->request + c->have, REQUEST - c->have);

    if (n < 0 && errno == EAGAIN)
        return;
    if (n <= 0) {
        hang_up(c);
        return;
    }
    c->have += (size_t)n;
    c->request[c->have] = '\0';
    if (strlen(c->request) != c->have)
        hang_up(c);                      /* a zero byte is in no request */
    else
        look(c);
}

/* Fills the buffer from the file when it is empty: 1, or 0 when all has been sent, or -1. */
static int refill(struct connection *c)
{
    enum { BLOCK = 32768 };

    if (c->out_done < c->out_size)
        return 1;
    if (c->left == 0)
        return 0;
    char *block = c->out_size == BLOCK ? c->out : realloc(c->out, BLOCK);

    if (!block)
        return -1;
    c->out = block;
    ssize_t n = read(c->file, c->out, (size_t)(c->left < BLOCK ? c->left : BLOCK));

    c->out_size = n > 0 ? (size_t)n : 0;
    c->out_done = 0;
    c->left -= n > 0 ? n : 0;
    return n > 0 ? 1 : -1;               /* a file that shrank breaks the promise of its length */
}

static void finish(struct connection *c)
{
    if (c->file >= 0)
        close(c->file);
    free(c->out);
    c->out = NULL;
    c->file = -1;
    c->sending = false;
    if (!c->keep)
        hang_up(c);
    else if (c->have)
        look(c);
}

static void talk(struct connection *c)
{
    int more;

    while ((more = refill(c)) > 0) {
        ssize_t n = write(c->fd, c->out + c->out_done, c->out_size - c->out_done);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0) {
            hang_up(c);
            return;
        }
        c->out_done += (size_t)n;
        c->last = clock_ns();
    }
    if (more < 0)
        hang_up(c);
    else
        finish(c);
}

static void take(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    for (int i = 0; fd >= 0 && i < CONNECTIONS; i++) {
        if (conn[i].fd >= 0)
            continue;
        conn[i].fd = fd;
        conn[i].file = -1;
        conn[i].out = NULL;
        conn[i].have = 0;
        conn[i].sending = false;
        conn[i].last = clock_ns();
        return;
    }
    if (fd >= 0)
        close(fd);
}

/* What poll is to wait for: full, it leaves newcomers in the listener's queue. */
static int prepare(struct pollfd *p, struct connection **who, int listener)
{
    int n = 1;

    for (int i = 0; i < CONNECTIONS; i++) {
        if (conn[i].fd < 0)
            continue;
        p[n] = (struct pollfd){ conn[i].fd, conn[i].sending ? POLLOUT : POLLIN, 0 };
        who[n++] = &conn[i];
    }
    p[0] = (struct pollfd){ n <= CONNECTIONS ? listener : -1, POLLIN, 0 };
    return n;
}

static void drop_idle(long limit)
{
    for (int i = 0; i < CONNECTIONS; i++)
        if (conn[i].fd >= 0 && clock_ns() - conn[i].last > limit)
            hang_up(&conn[i]);
}

static void serve(int listener)
{
    static struct pollfd p[CONNECTIONS + 1];
    static struct connection *who[CONNECTIONS + 1];

    for (;;) {
        int n = prepare(p, who, listener);

        if (poll(p, (nfds_t)n, n > 1 ? IDLE_SECONDS * 1000 : -1) < 0 && errno != EINTR)
            return;
        if (p[0].revents)
            take(listener);
        for (int i = 1; i < n; i++) {
            if (!p[i].revents)
                continue;
            who[i]->last = clock_ns();
            if (!who[i]->sending)
                hear(who[i]);
            if (who[i]->fd >= 0 && who[i]->sending)
                talk(who[i]);
        }
        drop_idle(IDLE_SECONDS * 1000000000l);
    }
}

int httpd_main(int argc, char **argv)
{
    const char *port = "80";
    bool stay = false;
    int option;

    while ((option = getopt(argc, argv, "fp:")) != -1) {
        if (option == 'p')
            port = optarg;
        else if (option == 'f')
            stay = true;
        else
            return usage("[-f] [-p PORT] [DIRECTORY]");
    }
    root = optind < argc ? argv[optind] : access("/var/www", R_OK) == 0 ? "/var/www" : "/srv/http";
    int listener = listen_on(port, 64);

    if (listener < 0)
        return 1;
    fcntl(listener, F_SETFL, O_NONBLOCK);
    signal(SIGPIPE, SIG_IGN);
    for (int i = 0; i < CONNECTIONS; i++)
        conn[i].fd = -1;
    if (!stay && daemon(1, 1) < 0)
        return fail("fork");
    serve(listener);
    return fail("poll");
}

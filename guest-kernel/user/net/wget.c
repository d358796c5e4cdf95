/* SPDX-License-Identifier: MIT */
/* wget.c: wget fetches a file by HTTP: to a file of its name, or another (-O), or the standard output (-O -). */
#include "guest-kernel/user/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#define HEADER 8192
#define BLOCK  32768

struct url { char host[256], port[8], path[1024]; };

static bool quiet;

static bool parse_url(const char *text, struct url *u)
{
    if (strncmp(text, "http://", 7) == 0)
        text += 7;
    else if (strstr(text, "://")) {
        fiprintf(stderr, "%s: %s: only http:// is spoken here\n", box_name, text);
        return false;
    }
    size_t n = strcspn(text, ":/");

    if (n == 0 || n >= sizeof(u->host) || strlen(text) >= sizeof(u->path)) {
        fiprintf(stderr, "%s: %s: not a URL\n", box_name, text);
        return false;
    }
    memcpy(u->host, text, n);
    u->host[n] = '\0';
    text += n;
    strcpy(u->port, "80");
    if (*text == ':') {
        n = strcspn(++text, "/");
        if (n >= sizeof(u->port))
            return false;
        memcpy(u->port, text, n);
        u->port[n] = '\0';
        text += n;
    }
    strlcpy(u->path, *text ? text : "/", sizeof(u->path));
    return true;
}

/* The answer's header, and what of the body came with it: *have bytes from *body on. */
static char *read_header(int fd, char **body, size_t *have)
{
    static char text[HEADER + 1];
    size_t n = 0;

    while (n < HEADER) {
        ssize_t got = read(fd, text + n, HEADER - n);

        if (got <= 0)
            return NULL;
        n += (size_t)got;
        text[n] = '\0';
        char *end = strstr(text, "\r\n\r\n");

        if (end) {
            *end = '\0';
            *body = end + 4;
            *have = n - (size_t)(end + 4 - text);
            return text;
        }
    }
    return NULL;
}

/* The value of a header's line, cut out; NULL. */
static char *field(char *header, const char *name)
{
    static char value[1024];
    size_t n = strlen(name);

    for (char *line = strstr(header, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) || line[n] != ':')
            continue;
        line += n + 1;
        line += strspn(line, " ");
        size_t size = strcspn(line, "\r");

        size = size < sizeof(value) - 1 ? size : sizeof(value) - 1;
        memcpy(value, line, size);
        value[size] = '\0';
        return value;
    }
    return NULL;
}

static void progress(long done, long total, long started, bool last)
{
    static long shown;
    long now = clock_ns(), ms = (now - started) / 1000000;

    if (quiet || (!last && now - shown < 500000000))
        return;
    shown = now;
    long rate = ms ? done / 1024 * 1000 / ms : 0;
    bool live = isatty(2);               /* a log wants one line, not fifty */

    if (!live && !last)
        return;
    if (total > 0)
        fiprintf(stderr, "%s%ld of %ld bytes (%ld%%), %ld KiB/s%s", live ? "\r" : "", done, total, done * 100 / total, rate, last ? "\n" : " ");
    else
        fiprintf(stderr, "%s%ld bytes, %ld KiB/s%s", live ? "\r" : "", done, rate, last ? "\n" : " ");
}

/* The body goes to `to`, `total` bytes or until the end. */
static int copy_body(int fd, int to, const char *body, size_t have, long total)
{
    static char block[BLOCK];
    long done = 0, started = clock_ns();

    if (total >= 0 && (long)have > total)
        have = (size_t)total;
    if (!write_all(to, body, have))
        return fail("write");
    done = (long)have;
    while (total < 0 || done < total) {
        size_t want = total < 0 || total - done > BLOCK ? BLOCK : (size_t)(total - done);
        ssize_t n = read(fd, block, want);

        if (n < 0)
            return fail("read");
        if (n == 0)
            break;
        if (!write_all(to, block, (size_t)n))
            return fail("write");
        done += n;
        progress(done, total, started, false);
    }
    progress(done, total, started, true);
    if (total >= 0 && done < total) {
        fiprintf(stderr, "%s: the connection ended after %ld of %ld bytes\n", box_name, done, total);
        return 1;
    }
    return 0;
}

static int save(int fd, const char *name, const char *body, size_t have, long total)
{
    int to = strcmp(name, "-") ? open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644) : 1;

    if (to < 0)
        return fail(name);
    int status = copy_body(fd, to, body, have, total);

    if (to != 1 && close(to) < 0)
        status = fail(name);
    return status;
}

static const char *file_name(const char *path)
{
    static char name[256];
    const char *slash = strrchr(path, '/');

    strlcpy(name, slash ? slash + 1 : path, sizeof(name));
    name[strcspn(name, "?#")] = '\0';
    return name[0] ? name : "index.html";
}

/* One request: the exit status, or -1 to go on with *next (a redirection). */
static int fetch(const char *text, const char *output, char *next, size_t next_size)
{
    static struct url u;
    static char request[1600];
    char *body;
    size_t have;

    if (!parse_url(text, &u))
        return 2;
    fiprintf(stderr, "connecting to %s:%s ...\n", u.host, u.port);
    int fd = dial(u.host, u.port);

    if (fd < 0)
        return 1;
    int n = sniprintf(request, sizeof(request), "GET %s HTTP/1.0\r\nHost: %s\r\nUser-Agent: novice-wget\r\nAccept: */*\r\n\r\n", u.path, u.host);
    char *header = write_all(fd, request, (size_t)n) ? read_header(fd, &body, &have) : NULL;
    /* "HTTP/1.0 404 Not Found": the words behind the first space of the first line. */
    char *words = header && strncmp(header, "HTTP/", 5) == 0 ? memchr(header, ' ', strcspn(header, "\r")) : NULL;
    int code = words ? atoi(words + 1) : 0;

    if (code == 0) {
        fiprintf(stderr, "%s: %s: no answer in HTTP\n", box_name, u.host);
        close(fd);
        return 1;
    }
    char *location = code / 100 == 3 ? field(header, "Location") : NULL;

    if (location) {
        if (location[0] == '/')
            sniprintf(next, next_size, "http://%s:%s%s", u.host, u.port, location);
        else
            strlcpy(next, location, next_size);
        close(fd);
        return -1;
    }
    if (code != 200) {
        header[strcspn(header, "\r")] = '\0';
        fiprintf(stderr, "%s: %s: %s\n", box_name, text, words + 1);
        close(fd);
        return 1;
    }
    char *length = field(header, "Content-Length");
    int status = save(fd, output ? output : file_name(u.path), body, have, length ? atol(length) : -1);

    close(fd);
    return status;
}

int wget_main(int argc, char **argv)
{
    static char url[1100], next[1100];
    const char *output = NULL;
    int option, rc = 1;

    while ((option = getopt(argc, argv, "qO:")) != -1) {
        if (option == 'O')
            output = optarg;
        else if (option == 'q')
            quiet = true;
        else
            return usage("[-q] [-O FILE] URL");
    }
    if (optind + 1 != argc)
        return usage("[-q] [-O FILE] URL");
    signal(SIGPIPE, SIG_IGN);
    strlcpy(url, argv[optind], sizeof(url));
    for (int hops = 0; hops < 6; hops++) {
        rc = fetch(url, output, next, sizeof(next));
        if (rc >= 0)
            return rc;
        strlcpy(url, next, sizeof(url));
    }
    fiprintf(stderr, "%s: sent on too often\n", box_name);
    return 1;
}

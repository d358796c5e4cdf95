/* SPDX-License-Identifier: MIT */
/* httpd.c: serves files by HTTP.
 *
 *     httpd [-f] [-p PORT] [DIRECTORY]      port 80, /var/www or else /srv/http; -f stays in the foreground
 * One process, one poll loop, up to CONNECTIONS at once: a connection reads a request, then sends an answer (a header and page
 * in memory, then perhaps a file), then reads the next. Only GET and HEAD. A path is walked part by part: "..",
 * however written, is refused, so nothing outside the directory is ever named. A directory shows its index.html, or else
 * a list; the list of / also says which machine this is.                                                          */
#include "guest-kernel/user/net/net.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS  64
#define REQUEST      4096
#define PAGE         16384
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

struct answer { int code; const char *type; char *page; size_t size; int file; long length; long start, whole; const char *location; };

static const char *reason(int code)
{
    switch (code) {
    case 200: return "OK";
    case 206: return "Partial Content";
    case 301: return "Moved Permanently";
    case 400: return "Bad Request";
    case 403: return "Forbidden";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 505: return "HTTP Version Not Supported";
    default:  return "Internal Server Error";
    }
}

static const char *type_of(const char *path)
{
    static const struct { const char *end, *type; } types[] = {
        { ".html", "text/html" }, { ".htm", "text/html" }, { ".txt", "text/plain" }, { ".css", "text/css" }, { ".js", "text/javascript" },
        { ".json", "application/json" }, { ".png", "image/png" }, { ".jpg", "image/jpeg" }, { ".gif", "image/gif" }, { ".svg", "image/svg+xml" },
    };
    const char *dot = strrchr(path, '.');

    for (size_t i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcasecmp(dot, types[i].end) == 0)
            return types[i].type;
    return "application/octet-stream";
}

static void __attribute__((format(printf, 2, 3))) say(struct answer *a, const char *format, ...)
{
    va_list ap;

    va_start(ap, format);
    int n = vsniprintf(a->page + a->size, PAGE - a->size, format, ap);
    va_end(ap);
    a->size = a->size + (size_t)n < PAGE ? a->size + (size_t)n : PAGE - 1;
}

/* Text as HTML shows it. */
static void say_text(struct answer *a, const char *text)
{
    for (; *text; text++)
        if (strchr("<>&\"'", *text))
            say(a, "&#%d;", *text);
        else
            say(a, "%c", *text);
}

static void say_link(struct answer *a, const char *name, bool directory)
{
    say(a, "<li><a href=\"");
    for (const char *c = name; *c; c++)
        say(a, isalnum((unsigned char)*c) || strchr("-._~", *c) ? "%c" : "%%%02x", (unsigned char)*c);
    say(a, "%s\">", directory ? "/" : "");
    say_text(a, name);
    say(a, "%s</a></li>\n", directory ? "/" : "");
}

static void error_page(struct answer *a, int code)
{
    a->code = code;
    a->type = "text/html";
    a->size = 0;
    say(a, "<html><head><title>%d %s</title></head><body><h1>%d %s</h1></body></html>\n", code, reason(code), code, reason(code));
}

static void machine_page(struct answer *a)
{
    struct utsname u;
    struct sysinfo s;
    char host[72] = "novice";

    gethostname(host, sizeof(host));
    uname(&u);
    sysinfo(&s);
    say(a, "<h1>This is ");
    say_text(a, host);
    say(a, "</h1>\n<p>%s %s (%s), up %lu s, %lu KiB of %lu KiB of memory free.</p>\n", u.sysname, u.release, u.version,
        s.uptime_ns / 1000000000, s.free_pages * (s.page_size / 1024), s.total_pages * (s.page_size / 1024));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void list_page(struct answer *a, const char *path, const char *shown)
{
    char *names[256], full[1400];
    struct stat st;
    int n = 0;
    DIR *d = opendir(path);

    for (struct dirent *e; d && n < 256 && (e = readdir(d));)
        if (e->d_name[0] != '.' && (names[n] = strdup(e->d_name)))
            n++;
    if (d)
        closedir(d);
    qsort(names, (size_t)n, sizeof(names[0]), by_name);
    a->type = "text/html";
    a->code = 200;
    say(a, "<html><head><title>");
    say_text(a, shown);
    say(a, "</title></head><body>\n");
    if (strcmp(shown, "/") == 0)
        machine_page(a);
    say(a, "<h2>");
    say_text(a, shown);
    say(a, "</h2>\n<ul>\n");
    for (int i = 0; i < n; i++) {
        sniprintf(full, sizeof(full), "%s/%s", path, names[i]);
        say_link(a, names[i], stat(full, &st) == 0 && S_ISDIR(st.st_mode));
        free(names[i]);
    }
    say(a, "</ul></body></html>\n");
}

/* ---- Requests ---- */

static int hex(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : isxdigit((unsigned char)c) ? (c | 0x20) - 'a' + 10 : -1;
}

/* %XX undone in place, the query cut off: false if it is no path or has a zero in it. */
static bool decode(char *path)
{
    char *to = path;

    path[strcspn(path, "?#")] = '\0';
    for (const char *from = path; *from; from++) {
        char c = *from;

        if (c == '%') {
            if (hex(from[1]) < 0 || hex(from[2]) < 0)
                return false;
            c = (char)(hex(from[1]) << 4 | hex(from[2]));
            from += 2;
        }
        if (c == '\0')
            return false;
        *to++ = c;
    }
    *to = '\0';
    return path[0] == '/';
}

/* No part of it is "..", and none begins with a dot at all: those are nobody's business. */
static bool decent(const char *path)
{
    for (const char *part = path; (part = strchr(part, '/')); part++)
        if (part[1] == '.')
            return false;
    return true;
}

static char *header_field(char *request, const char *name)
{
    size_t n = strlen(name);

    for (char *line = strstr(request, "\r\n"); line; line = strstr(line, "\r\n")) {
        line += 2;
        if (strncasecmp(line, name, n) == 0 && line[n] == ':')
            return line + n + 1 + strspn(line + n + 1, " ");
    }
    return NULL;
}

/* "bytes=A-B", one range: true if it asks for a part; code 416 if there is none such. */
static void take_range(struct answer *a, const char *range)
{
    char *end;

    if (!range || strncmp(range, "bytes=", 6))
        return;
    range += 6;
    long from = *range == '-' ? -1 : strtol(range, &end, 10), to = a->whole - 1;

    if (from < 0) {
        long last = strtol(range + 1, &end, 10);

        from = last < a->whole ? a->whole - last : 0;
    } else if (*end == '-' && isdigit((unsigned char)end[1])) {
        long asked = strtol(end + 1, &end, 10);

        to = asked < to ? asked : to;
    } else if (*end == '-') {
        end++;
    }
    if (*end != '\r' || from < 0)
        return;                          /* several, or nonsense: all of it */
    if (from > to) {
        close(a->file);
        a->file = -1;
        error_page(a, 416);
        return;
    }
    a->code = 206;
    a->start = from;
    a->length = to - from + 1;
    lseek(a->file, from, SEEK_SET);
}

static void file_answer(struct answer *a, const char *path, const struct stat *st, const char *range)
{
    a->file = open(path, O_RDONLY | O_CLOEXEC);
    if (a->file < 0) {
        error_page(a, errno == ENOENT ? 404 : 403);
        return;
    }
    a->code = 200;
    a->type = type_of(path);
    a->length = a->whole = (long)st->st_size;
    take_range(a, range);
}

static void path_answer(struct answer *a, const char *shown, const char *range)
{
    static char path[1300], index[1340];
    struct stat st;

    sniprintf(path, sizeof(path), "%s%s", root, shown);
    size_t n = strlen(path);

    if (stat(path, &st) < 0) {
        if (strcmp(shown, "/") == 0)
            list_page(a, path, shown);   /* even with nothing to serve, the machine says who it is */
        else
            error_page(a, 404);
    } else if (S_ISREG(st.st_mode) && path[n - 1] != '/') {
        file_answer(a, path, &st, range);
    } else if (!S_ISDIR(st.st_mode)) {
        error_page(a, 403);
    } else if (path[n - 1] != '/') {
        error_page(a, 301);
        a->location = shown;
    } else {
        sniprintf(index, sizeof(index), "%sindex.html", path);
        if (stat(index, &st) == 0 && S_ISREG(st.st_mode))
            file_answer(a, index, &st, range);
        else
            list_page(a, path, shown);
    }
}

/* The request line, cut into its words; the answer's code if it is wrong, else 0. */
static int parse_line(char *request, char **method, char **path, bool *modern)
{
    char *end = strstr(request, "\r\n"), *version;

    *method = request;
    *path = memchr(request, ' ', (size_t)(end - request));
    if (!*path)
        return 400;
    *(*path)++ = '\0';
    version = memchr(*path, ' ', (size_t)(end - *path));
    if (!version)
        return 400;
    *version++ = '\0';
    if (strncmp(version, "HTTP/1.", 7))
        return strncmp(version, "HTTP/", 5) ? 400 : 505;
    *modern = version[7] >= '1';
    if (strcmp(*method, "GET") && strcmp(*method, "HEAD"))
        return 405;
    return strlen(*path) > 1000 ? 414 : 0;
}

static void respond(struct connection *c)
{
    static char page[PAGE];
    struct answer a = { .page = page, .file = -1 };
    char *method, *path = NULL, *end = strstr(c->request, "\r\n") + 2, head[1500];
    bool modern = false;
    int wrong = parse_line(c->request, &method, &path, &modern);
    char *wish = wrong ? NULL : header_field(end - 2, "Connection");

    c->keep = !wrong && (wish ? strncasecmp(wish, "keep-alive", 10) == 0 : modern);
    if (wish && modern && strncasecmp(wish, "close", 5))
        c->keep = true;
    if (!wrong && !decode(path))
        wrong = 400;
    if (!wrong && !decent(path))
        wrong = 403;
    if (wrong)
        error_page(&a, wrong);
    else
        path_answer(&a, path, header_field(end - 2, "Range"));
    if (a.file < 0)
        a.length = (long)a.size;
    int n = sniprintf(head, sizeof(head), "HTTP/1.1 %d %s\r\nServer: novice\r\nContent-Type: %s\r\nContent-Length: %ld\r\nConnection: %s\r\n",
                      a.code, reason(a.code), a.type, a.length, c->keep ? "keep-alive" : "close");

    if (a.code == 206)
        n += sniprintf(head + n, sizeof(head) - (size_t)n, "Content-Range: bytes %ld-%ld/%ld\r\n", a.start, a.start + a.length - 1, a.whole);
    if (a.location && !strpbrk(a.location, "\r\n") && strlen(a.location) < 1000)
        n += sniprintf(head + n, sizeof(head) - (size_t)n, "Location: %s/\r\n", a.location);
    n += sniprintf(head + n, sizeof(head) - (size_t)n, "\r\n");
    bool body = !wrong || wrong != 405 ? strcmp(method, "HEAD") != 0 : true;
    size_t page_size = a.file < 0 && body ? a.size : 0;

    c->out = malloc((size_t)n + page_size);
    c->out_size = c->out ? (size_t)n + page_size : 0;
    c->out_done = 0;
    if (c->out) {
        memcpy(c->out, head, (size_t)n);
        memcpy(c->out + n, page, page_size);
    }
    if (a.file >= 0 && (!body || !c->out)) {
        close(a.file);
        a.file = -1;
    }
    c->file = a.file;
    c->left = a.file >= 0 ? a.length : 0;
    c->keep = c->keep && c->out;
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
    if (!stay) {
        if (fork() > 0)
            return 0;
        setsid();
    }
    serve(listener);
    return fail("poll");
}

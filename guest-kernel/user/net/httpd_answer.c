/* SPDX-License-Identifier: MIT */
/* httpd_answer.c: from a request to what is sent: a file, a part of one, a list of a directory, or a page that says what is wrong.
 *
 * A path is walked part by part: "..", however written, is refused, and so is all else that begins with a dot, so nothing outside
 * the root is ever named. The list of / also says which machine this is.                                           */
#include "guest-kernel/user/net/httpd.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- Answers ---- */

const char *httpd_reason(int code)
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
    int n = vsniprintf(a->page + a->size, HTTPD_PAGE - a->size, format, ap);
    va_end(ap);
    a->size = a->size + (size_t)n < HTTPD_PAGE ? a->size + (size_t)n : HTTPD_PAGE - 1;
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
    say(a, "<html><head><title>%d %s</title></head><body><h1>%d %s</h1></body></html>\n", code, httpd_reason(code), code, httpd_reason(code));
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
    if (!isdigit((unsigned char)range[*range == '-']))
        return;                          /* strtol would take more than digits */
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

static void path_answer(struct answer *a, const char *root, const char *shown, const char *range)
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

void httpd_answer(struct answer *a, char *request, const char *root)
{
    char *method, *path = NULL, *fields = strstr(request, "\r\n");
    bool modern = false;
    int wrong = parse_line(request, &method, &path, &modern);
    char *wish = wrong ? NULL : header_field(fields, "Connection");

    a->keep = !wrong && (wish && strncasecmp(wish, "keep-alive", 10) == 0 ? true : wish && strncasecmp(wish, "close", 5) == 0 ? false : modern);
    a->head_only = strcmp(method, "HEAD") == 0;
    if (!wrong && !decode(path))
        wrong = 400;
    if (!wrong && !decent(path))
        wrong = 403;
    if (wrong)
        error_page(a, wrong);
    else
        path_answer(a, root, path, header_field(fields, "Range"));
    if (a->file < 0)
        a->length = (long)a->size;
}

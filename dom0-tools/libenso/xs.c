/* SPDX-License-Identifier: MIT */
/* xs.c: a program's door to xenstore (xs.h): messages through /dev/xen/xenbus. */
#include "dom0-tools/libenso/xs.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hypercall-abi/io/xs_wire.h"

struct event {
    struct event *next;
    size_t len;
    char text[];                    /* path and token, and a zero behind */
};

struct xs {
    int fd;
    uint32_t last_id;
    struct event *events, **last;   /* that came while an answer was awaited */
    char answer[XENSTORE_PAYLOAD_MAX + 1];
};

struct part { const void *data; size_t len; };

struct xs *xs_open(void)
{
    struct xs *x = calloc(1, sizeof(*x));

    if (!x)
        return NULL;
    x->last = &x->events;
    x->fd = open("/dev/xen/xenbus", O_RDWR | O_CLOEXEC);
    if (x->fd >= 0)
        return x;
    free(x);
    return NULL;
}

void xs_close(struct xs *x)
{
    if (!x)
        return;
    while (x->events) {
        struct event *e = x->events;

        x->events = e->next;
        free(e);
    }
    close(x->fd);
    free(x);
}

int xs_fd(struct xs *x) { return x->fd; }

/* ---- messages ------------------------------------------------------------------------------- */

static int read_all(int fd, void *to, size_t n)
{
    for (size_t done = 0; done < n;) {
        ssize_t got = read(fd, (char *)to + done, n - done);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return got ? -errno : -EIO;
        done += (size_t)got;
    }
    return 0;
}

static int keep_event(struct xs *x, size_t n)
{
    struct event *e = malloc(sizeof(*e) + n + 1);

    if (!e)
        return -ENOMEM;
    memcpy(e->text, x->answer, n);
    e->text[n] = '\0';
    e->len = n;
    e->next = NULL;
    *x->last = e;
    x->last = &e->next;
    return 0;
}

/* The next message into x->answer; an event is kept. */
static int next_message(struct xs *x, struct xsd_sockmsg *head)
{
    int rc = read_all(x->fd, head, sizeof(*head));

    if (!rc && head->len > XENSTORE_PAYLOAD_MAX)
        rc = -EIO;
    if (!rc)
        rc = read_all(x->fd, x->answer, head->len);
    if (rc)
        return rc;
    x->answer[head->len] = '\0';
    return head->type == XS_WATCH_EVENT ? keep_event(x, head->len) : 0;
}

static int error_of(const char *word)
{
    static const struct { const char *word; int rc; } all[] = {
        { "EINVAL", EINVAL }, { "EACCES", EACCES }, { "EEXIST", EEXIST }, { "ENOENT", ENOENT }, { "ENOMEM", ENOMEM },
        { "ENOSPC", ENOSPC }, { "EIO", EIO }, { "ENOSYS", ENOSYS }, { "EBUSY", EBUSY }, { "EAGAIN", EAGAIN },
        { "E2BIG", E2BIG }, { "EPERM", EPERM }, { "EISDIR", EISDIR }, { "EROFS", EROFS },
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (!strcmp(word, all[i].word))
            return -all[i].rc;
    return -EINVAL;
}

/* Sends one request and waits for its answer, which is in x->answer then: its length, or -errno. */
static int ask(struct xs *x, uint32_t type, uint32_t tx, const struct part *part, unsigned parts)
{
    static char message[sizeof(struct xsd_sockmsg) + XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg head = { .type = type, .req_id = ++x->last_id, .tx_id = tx };
    size_t at = sizeof(head);
    int rc;

    for (unsigned i = 0; i < parts; i++) {
        if (part[i].len > sizeof(message) - at)
            return -E2BIG;
        memcpy(message + at, part[i].data, part[i].len);
        at += part[i].len;
    }
    head.len = (uint32_t)(at - sizeof(head));
    memcpy(message, &head, sizeof(head));
    if (write(x->fd, message, at) != (ssize_t)at)
        return errno ? -errno : -EIO;
    do
        rc = next_message(x, &head);
    while (!rc && (head.type == XS_WATCH_EVENT || head.req_id != x->last_id));
    if (rc)
        return rc;
    return head.type == XS_ERROR ? error_of(x->answer) : (int)head.len;
}

static struct part text(const char *s) { return (struct part){ s, strlen(s) + 1 }; }

static int ask_path(struct xs *x, uint32_t type, uint32_t tx, const char *path)
{
    struct part part = text(path);

    return ask(x, type, tx, &part, 1);
}

static int done(int rc) { return rc < 0 ? rc : 0; }

/* ---- values ---------------------------------------------------------------------------------------- */

int xs_read(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size)
{
    int n = ask_path(x, XS_READ, tx, path);

    if (n >= 0 && (size_t)n >= size)
        return -E2BIG;
    if (n >= 0)
        memcpy(buf, x->answer, (size_t)n + 1);
    return n;
}

int xs_write(struct xs *x, uint32_t tx, const char *path, const char *value)
{
    struct part part[2] = { text(path), { value, strlen(value) } };

    return done(ask(x, XS_WRITE, tx, part, 2));
}

int xs_mkdir(struct xs *x, uint32_t tx, const char *path)
{
    return done(ask_path(x, XS_MKDIR, tx, path));
}

int xs_rm(struct xs *x, uint32_t tx, const char *path)
{
    int rc = ask_path(x, XS_RM, tx, path);

    return rc == -ENOENT ? 0 : done(rc);
}

static int count_names(const char *buf, int n)
{
    int names = 0;

    for (int i = 0; i < n; i++)
        names += buf[i] == '\0';
    return names;
}

/* A list too long for one message comes in parts, from the beginning again if it changed meanwhile. */
static int list_parts(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size)
{
    char generation[24] = "", offset[24];
    size_t have = 0;

    for (;;) {
        struct part part[2] = { text(path), { offset, 0 } };
        size_t head, more;
        int n;

        part[1].len = (size_t)snprintf(offset, sizeof(offset), "%lu", (unsigned long)have) + 1;
        n = ask(x, XS_DIRECTORY_PART, tx, part, 2);
        if (n < 0)
            return n;
        head = strlen(x->answer) + 1;
        if (have && strcmp(generation, x->answer)) {
            have = 0;
            generation[0] = '\0';
            continue;
        }
        snprintf(generation, sizeof(generation), "%.20s", x->answer);
        more = (size_t)n > head ? (size_t)n - head : 0;
        if (have + more > size)
            return -E2BIG;
        memcpy(buf + have, x->answer + head, more);
        have += more;
        if (!more || (have >= 2 && !buf[have - 1] && !buf[have - 2]) || (have == 1 && !buf[0]))
            return count_names(buf, have ? (int)have - 1 : 0);
    }
}

int xs_list(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size)
{
    int n = ask_path(x, XS_DIRECTORY, tx, path);

    if (n == -E2BIG)
        return list_parts(x, tx, path, buf, size);
    if (n > 0 && (size_t)n > size)
        return -E2BIG;
    if (n > 0)
        memcpy(buf, x->answer, (size_t)n);
    return n < 0 ? n : count_names(buf, n);
}

int xs_set_perms(struct xs *x, uint32_t tx, const char *path, const char *perms)
{
    char list[256];
    struct part part[2] = { text(path), { list, 0 } };
    size_t n = strlen(perms);

    if (n + 1 > sizeof(list))
        return -E2BIG;
    for (size_t i = 0; i <= n; i++)
        list[i] = perms[i] == ' ' ? '\0' : perms[i];
    part[1].len = n + 1;
    return done(ask(x, XS_SET_PERMS, tx, part, 2));
}

int xs_get_perms(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size)
{
    int n = ask_path(x, XS_GET_PERMS, tx, path);

    if (n < 0)
        return n;
    if ((size_t)n > size || !n)
        return -E2BIG;
    for (int i = 0; i < n; i++)
        buf[i] = x->answer[i] || i == n - 1 ? x->answer[i] : ' ';
    return n - 1;
}

/* ---- transactions, domains ------------------------------------------------------------------------------ */

int xs_begin(struct xs *x, uint32_t *tx)
{
    int n = ask_path(x, XS_TRANSACTION_START, 0, "");

    *tx = n > 0 ? (uint32_t)strtoul(x->answer, NULL, 10) : 0;
    return n < 0 ? n : *tx ? 0 : -EIO;
}

int xs_end(struct xs *x, uint32_t tx, bool commit)
{
    return done(ask_path(x, XS_TRANSACTION_END, tx, commit ? "T" : "F"));
}

int xs_introduce(struct xs *x, uint16_t domid, uint64_t mfn, uint32_t port)
{
    char words[64];
    struct part part = { words, 0 };

    part.len = (size_t)sprintf(words, "%u%c%llu%c%lu", domid, 0, (unsigned long long)mfn, 0, (unsigned long)port) + 1;
    return done(ask(x, XS_INTRODUCE, 0, &part, 1));
}

int xs_release(struct xs *x, uint16_t domid)
{
    char word[8];

    sprintf(word, "%u", domid);
    return done(ask_path(x, XS_RELEASE, 0, word));
}

/* ---- watches ------------------------------------------------------------------------------------------------ */

static int watch_call(struct xs *x, uint32_t type, const char *path, const char *token)
{
    struct part part[2] = { text(path), text(token) };

    return done(ask(x, type, 0, part, 2));
}

int xs_watch(struct xs *x, const char *path, const char *token) { return watch_call(x, XS_WATCH, path, token); }
int xs_unwatch(struct xs *x, const char *path, const char *token) { return watch_call(x, XS_UNWATCH, path, token); }

int xs_event(struct xs *x, char path[XS_PATH], char token[64], int limit_ms)
{
    struct event *e;
    size_t n;

    while (!x->events) {
        struct pollfd p = { x->fd, POLLIN, 0 };
        struct xsd_sockmsg head;
        int rc = poll(&p, 1, limit_ms);

        if (rc <= 0)
            return rc ? -errno : 0;
        rc = next_message(x, &head);
        if (rc)
            return rc;
    }
    e = x->events;
    x->events = e->next;
    if (!x->events)
        x->last = &x->events;
    n = strlen(e->text);
    snprintf(path, XS_PATH, "%s", e->text);
    snprintf(token, 64, "%s", n < e->len ? e->text + n + 1 : "");
    free(e);
    return 1;
}

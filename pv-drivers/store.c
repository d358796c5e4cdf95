/* SPDX-License-Identifier: MIT */
/* store.c: the store as drivers see it: paths, values, transactions, watches. Messages are store_ring.c's. SPEC 11.4.  */
#include "pv-drivers/store.h"

#include "hypercall-abi/errno.h"
#include "hypercall-abi/io/xs_wire.h"
#include "pv-drivers/os.h"
#include "pv-drivers/store_wire.h"

#define NUMBER_MAX 24

static size_t length(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

static bool equal(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

/* A string with its zero. */
static struct store_part text(const char *s) { return (struct store_part){ s, length(s) + 1 }; }

/* ---- errors: the protocol says them in words ---- */

static int error_number(const char *word)
{
    static const struct { const char *word; int rc; } all[] = {
        { "EINVAL", XEN_EINVAL }, { "EACCES", XEN_EACCES }, { "EEXIST", XEN_EEXIST }, { "ENOENT", XEN_ENOENT },
        { "ENOMEM", XEN_ENOMEM }, { "ENOSPC", XEN_ENOSPC }, { "EIO", XEN_EIO }, { "ENOSYS", XEN_ENOSYS },
        { "EROFS", XEN_EROFS }, { "EBUSY", XEN_EBUSY }, { "EAGAIN", XEN_EAGAIN }, { "E2BIG", XEN_E2BIG },
        { "EPERM", XEN_EPERM },
    };
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        if (equal(word, all[i].word))
            return -all[i].rc;
    return -XEN_EINVAL;
}

int store_ask(uint32_t type, uint32_t tx, const struct store_part *part, unsigned parts, char *buf, size_t size)
{
    char word[16] = "";
    uint32_t answer = type;
    bool small = size < sizeof(word);               /* the error's word must fit in any case */
    int rc = store_call(&answer, tx, part, parts, small ? word : buf, small ? sizeof(word) - 1 : size);
    if (rc < 0)
        return rc;
    if (answer == XS_ERROR) {
        const char *from = small ? word : buf;
        size_t n = (size_t)rc < sizeof(word) - 1 ? (size_t)rc : sizeof(word) - 1;
        for (size_t i = 0; i < sizeof(word); i++)
            word[i] = i < n ? from[i] : 0;
        return error_number(word);
    }
    if (answer != type)
        return -XEN_EIO;
    for (size_t i = 0; small && i < size; i++)
        buf[i] = word[i];
    return rc;
}

/* ---- values ---- */

int store_read(uint32_t tx, const char *path, char *buf, size_t size)
{
    struct store_part part = text(path);
    int rc = store_ask(XS_READ, tx, &part, 1, buf, size - 1);
    if (rc < 0)
        return rc;
    if ((size_t)rc > size - 1)
        return -XEN_E2BIG;
    buf[rc] = 0;
    return rc;
}

static int join(char path[STORE_PATH_MAX], const char *dir, const char *node)
{
    size_t d = length(dir), n = length(node);
    if (d + n + 2 > STORE_PATH_MAX)
        return -XEN_E2BIG;
    for (size_t i = 0; i < d; i++)
        path[i] = dir[i];
    path[d] = '/';
    for (size_t i = 0; i <= n; i++)
        path[d + 1 + i] = node[i];
    return 0;
}

static int digit(char c, unsigned base)
{
    int v = c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    return v >= 0 && (unsigned)v < base ? v : -1;
}

int store_read_number(uint32_t tx, const char *dir, const char *node, uint64_t *value)
{
    char path[STORE_PATH_MAX], words[NUMBER_MAX], *s = words;
    unsigned base = 10;
    uint64_t v = 0;
    int rc = join(path, dir, node);
    if (!rc)
        rc = store_read(tx, path, words, sizeof(words));
    if (rc < 0)
        return rc == -XEN_E2BIG ? -XEN_EINVAL : rc;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    if (!*s)
        return -XEN_EINVAL;
    for (; *s; s++) {
        int d = digit(*s, base);
        if (d < 0 || v > (~0ull - (unsigned)d) / base)
            return -XEN_EINVAL;
        v = v * base + (unsigned)d;
    }
    *value = v;
    return 0;
}

static int write_bytes(uint32_t tx, const char *path, const char *value, size_t n)
{
    struct store_part part[2] = { text(path), { value, n } };
    char ok[16];
    int rc = store_ask(XS_WRITE, tx, part, 2, ok, sizeof(ok));
    return rc < 0 ? rc : 0;
}

int store_write(uint32_t tx, const char *path, const char *value) { return write_bytes(tx, path, value, length(value)); }

int store_printf(uint32_t tx, const char *dir, const char *node, const char *fmt, ...)
{
    char path[STORE_PATH_MAX], value[STORE_PATH_MAX];
    va_list ap;
    int rc = join(path, dir, node);
    if (rc)
        return rc;
    va_start(ap, fmt);
    int n = os_format_list(value, sizeof(value), fmt, ap);
    va_end(ap);
    return (size_t)n < sizeof(value) ? write_bytes(tx, path, value, (size_t)n) : -XEN_E2BIG;
}

int store_remove(uint32_t tx, const char *path)
{
    struct store_part part = text(path);
    char ok[16];
    int rc = store_ask(XS_RM, tx, &part, 1, ok, sizeof(ok));
    return rc < 0 ? rc : 0;
}

int store_exists(const char *path)
{
    struct store_part part = text(path);
    char some[16];
    int rc = store_ask(XS_READ, 0, &part, 1, some, sizeof(some));
    return rc == -XEN_ENOENT ? 0 : rc < 0 ? rc : 1;
}

int store_list(uint32_t tx, const char *path, char *buf, size_t size)
{
    struct store_part part = text(path);
    int rc = store_ask(XS_DIRECTORY, tx, &part, 1, buf, size), names = 0;
    if (rc > 0 && (size_t)rc > size)
        return -XEN_E2BIG;
    for (int i = 0; i < rc; i++)
        names += buf[i] == 0;
    return rc < 0 ? rc : names;
}

/* ---- transactions ---- */

int store_begin(uint32_t *tx)
{
    struct store_part nothing = { "", 1 };
    char id[NUMBER_MAX] = "";
    int rc = store_ask(XS_TRANSACTION_START, 0, &nothing, 1, id, sizeof(id) - 1);
    *tx = 0;
    for (char *c = id; rc >= 0 && *c >= '0' && *c <= '9'; c++)
        *tx = *tx * 10 + (uint32_t)(*c - '0');
    return rc < 0 ? rc : *tx ? 0 : -XEN_EIO;
}

int store_end(uint32_t tx, bool commit)
{
    struct store_part part = text(commit ? "T" : "F");
    char ok[16];
    int rc = store_ask(XS_TRANSACTION_END, tx, &part, 1, ok, sizeof(ok));
    return rc < 0 ? rc : 0;
}

/* ---- watches ---- */

#define BUCKETS 64                                  /* dom0 has some watches for each device of each domain */
static struct store_watch *watches[BUCKETS];        /* by their tokens */
static uint32_t last_token;
static const struct store_watch *running;           /* its fn is being called */
static const void *listener;                        /* by this thread         */
static struct os_event *ran;

/* Tokens of ours are "w" and a number; the number makes an event for a watch that was removed find nobody. */
static void make_token(char token[20])
{
    uint32_t n = ++last_token;
    unsigned i = 0;
    token[i++] = 'w';
    for (int shift = 28; shift >= 0; shift -= 4)
        token[i++] = "0123456789abcdef"[n >> shift & 15];
    token[i] = 0;
}

static struct store_watch **bucket_of(const char *token)
{
    unsigned h = 0;
    while (*token)
        h = h * 31 + (unsigned char)*token++;
    return &watches[h % BUCKETS];
}

void store_event(const char *path, const char *token)
{
    struct store_watch *w = *bucket_of(token);
    while (w && !equal(w->token, token))
        w = w->next;
    if (!w)
        return;
    running = w;
    listener = os_self();
    w->fn(w, path);                                 /* may remove w, even free it */
    running = 0;
    if (ran)
        os_event_wake(ran);
}

int store_watch_add(struct store_watch *w)
{
    char ok[16];
    make_token(w->token);
    w->next = *bucket_of(w->token);
    *bucket_of(w->token) = w;                       /* its first event may come before the answer */
    struct store_part part[2] = { text(w->path), text(w->token) };
    int rc = store_ask(XS_WATCH, 0, part, 2, ok, sizeof(ok));
    if (rc < 0)
        store_watch_remove(w);
    return rc < 0 ? rc : 0;
}

static bool is_idle(void *arg) { return running != arg; }

void store_watch_remove(struct store_watch *w)
{
    char ok[16];
    bool there = false;
    struct store_part part[2] = { text(w->path), text(w->token) };
    for (struct store_watch **at = bucket_of(w->token); *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            there = true;
            break;
        }
    if (!there)
        return;
    store_ask(XS_UNWATCH, 0, part, 2, ok, sizeof(ok));
    if (!ran)
        ran = os_event_new();
    if (ran && running == w && os_self() != listener)
        os_sleep_until(ran, is_idle, w, 0);
}

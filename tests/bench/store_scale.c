/* SPDX-License-Identifier: MIT */
/* store_scale.c: what one domain's requests cost xenstored's core among 25, 100, 200 and 400 domains, in one process of the build
 * machine: microseconds, the least of five rounds, or the median of all domains. What one domain does must not grow with how many others there are ("a store that
 * takes quadratic time at two hundred domains"). Each domain has a home of about 60 nodes and 8 watches. `make bench-store`.    */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dom0-tools/xenstored/xenstored.h"

#define MOST   401
#define ROUNDS 5

static struct xenstore_domain_interface page[MOST];
static size_t journalled;

static struct xenstore_domain_interface *map(uint16_t domid, uint64_t mfn) { (void)mfn; return &page[domid]; }
static void unmap(uint16_t domid, struct xenstore_domain_interface *p) { (void)domid; (void)p; }
static int bind_port(uint16_t domid, uint32_t port) { (void)port; return domid; }
static void unbind_port(int port) { (void)port; }
static void notify(int port) { (void)port; }
static uint64_t now_ms(void) { return 0; }
static void no_memory(void) { exit(1); }
static bool append(const void *data, size_t n) { (void)data; journalled += n; return true; }
static const struct outside outside = { map, unmap, bind_port, unbind_port, notify, now_ms, append, no_memory };

static double now_us(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void send(int dom, uint32_t type, uint32_t tx, const char *text, size_t n)
{
    struct xenstore_domain_interface *p = &page[dom];
    struct xsd_sockmsg head = { type, 1, tx, (uint32_t)n };

    for (size_t i = 0; i < sizeof(head) + n; i++)
        p->req[MASK_XENSTORE_IDX(p->req_prod++)] = i < sizeof(head) ? ((char *)&head)[i] : text[i - sizeof(head)];
    conn_heard(store.conn_of[dom]);
    while (conns_serve())
        ;
}

/* The answer's payload; events on the way and the other domains' answers are dropped. */
static const char *answer(int dom)
{
    static char text[XENSTORE_PAYLOAD_MAX + 1];
    struct xenstore_domain_interface *p = &page[dom];
    struct xsd_sockmsg head;

    do {
        for (size_t i = 0; i < sizeof(head); i++)
            ((char *)&head)[i] = p->rsp[MASK_XENSTORE_IDX(p->rsp_cons++)];
        for (size_t i = 0; i < head.len; i++)
            text[i] = p->rsp[MASK_XENSTORE_IDX(p->rsp_cons++)];
        text[head.len] = '\0';
    } while (head.type == XS_WATCH_EVENT);
    return text;
}

static void drop_events(int n)
{
    for (int d = 0; d <= n; d++)
        page[d].rsp_cons = page[d].rsp_prod;
}

static void ask(int dom, uint32_t type, uint32_t tx, const char *text, size_t n)
{
    send(dom, type, tx, text, n);
    const char *got = answer(dom);
    if (!strncmp(got, "E", 1) && type != XS_READ) {
        printf("domain %d, request %u (%s): %s\n", dom, type, text, got);
        exit(1);
    }
}

static void put(int dom, uint32_t tx, const char *path, const char *value)
{
    char text[512];
    size_t n = (size_t)sprintf(text, "%s%c%s", path, 0, value);

    ask(dom, XS_WRITE, tx, text, n);
}

static void perms(const char *path, const char *list, size_t size)
{
    char text[512];
    size_t n = (size_t)sprintf(text, "%s", path) + 1;

    memcpy(text + n, list, size);
    ask(0, XS_SET_PERMS, 0, text, n + size);
}

static void make_home(int d)
{
    char path[128], list[32], text[128];
    size_t n;

    sprintf(path, "/local/domain/%d", d);
    ask(0, XS_MKDIR, 0, path, strlen(path) + 1);
    perms(path, list, (size_t)sprintf(list, "n0%cr%d", 0, d) + 1);
    for (int i = 0; i < 20; i++) {
        sprintf(path, "/local/domain/%d/dom0s/node-%d", d, i);
        put(0, 0, path, "value");
    }
    for (int i = 0; i < 10; i++) {
        sprintf(path, "/local/domain/0/backend/vbd/%d/51712/node-%d", d, i);
        put(0, 0, path, "value");
    }
    sprintf(path, "/local/domain/0/backend/vbd/%d/51712", d);
    perms(path, list, (size_t)sprintf(list, "n0%cr%d", 0, d) + 1);
    for (int i = 0; i < 4; i++) {
        sprintf(path, "/vm/uuid-%d/node-%d", d, i);
        put(0, 0, path, "value");
        perms(path, list, (size_t)sprintf(list, "n0%cr%d", 0, d) + 1);
    }
    sprintf(path, "/local/domain/%d/vm", d);
    sprintf(text, "/vm/uuid-%d", d);
    put(0, 0, path, text);
    sprintf(path, "/local/domain/%d/data", d);
    ask(0, XS_MKDIR, 0, path, strlen(path) + 1);
    perms(path, list, (size_t)sprintf(list, "n%d", d) + 1);
    n = (size_t)sprintf(text, "%d%c%d%c1", d, 0, 1000 + d, 0) + 1;
    ask(0, XS_INTRODUCE, 0, text, n);
    for (int i = 0; i < 20; i++) {
        sprintf(path, "data/node-%d", i);
        put(d, 0, path, "value");
    }
    for (int i = 0; i < 6; i++) {
        n = (size_t)sprintf(text, "data/node-%d%ct", i, 0) + 1;
        ask(d, XS_WATCH, 0, text, n);
    }
    n = (size_t)sprintf(text, "/local/domain/0/backend/vbd/%d/51712/state%ct", d, 0) + 1;
    ask(d, XS_WATCH, 0, text, n);
    n = (size_t)sprintf(text, "/local/domain/%d/device/vbd/51712/state%ct", d, 0) + 1;
    ask(0, XS_WATCH, 0, text, n);
    drop_events(d);
}

static void one_write(int d) { put(d, 0, "data/node-19", "another"); }

static void one_transaction(int d)
{
    char path[64];

    send(d, XS_TRANSACTION_START, 0, "", 1);
    uint32_t t = (uint32_t)atoi(answer(d));
    for (int i = 10; i < 15; i++) {
        sprintf(path, "data/node-%d", i);
        ask(d, XS_READ, t, path, strlen(path) + 1);
        put(d, t, path, "changed");
    }
    ask(d, XS_TRANSACTION_END, t, "T", 2);
}

static void one_release(int d)
{
    char text[16];

    ask(0, XS_RELEASE, 0, text, (size_t)sprintf(text, "%d", d) + 1);
}

static double least(void (*fn)(int d), int d, int times, int n)
{
    double best = 1e9;

    for (int r = 0; r < ROUNDS; r++) {
        double from = now_us();
        for (int i = 0; i < times; i++) {
            fn(d);
            drop_events(n);
        }
        double took = (now_us() - from) / times;
        best = took < best ? took : best;
    }
    return best;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* fn for each domain in turn. */
static double median(void (*fn)(int d), int n)
{
    static double took[MOST];

    for (int d = 1; d <= n; d++) {
        double from = now_us();
        fn(d);
        took[d - 1] = now_us() - from;
    }
    qsort(took, (size_t)n, sizeof(took[0]), by_size);
    return took[n / 2];
}

static void measure(int n)
{
    memset(page, 0, sizeof(page));
    store_open(&outside);
    struct conn *c = conn_add(0, 0, 1);
    journal_conn(c);
    conn_touch(c);
    conns_publish();
    double made = median(make_home, n);
    size_t before = journalled;
    one_write(n / 2);
    size_t bytes = journalled - before;
    double write = least(one_write, n / 2, 200, n), trans = least(one_transaction, n / 2, 50, n);
    double release = median(one_release, n);
    printf("%7d | %9.1f | %7.2f | %11.1f | %9.1f | %6zu\n", n, made, write, trans, release, bytes);
    store_close();
}

int main(void)
{
    static const int sizes[] = { 25, 100, 200, 400 };

    printf("domains | making us | write us | transact us | release us | journal bytes a write\n");
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
        measure(sizes[i]);
    return 0;
}

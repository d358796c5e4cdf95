/* SPDX-License-Identifier: MIT */
/* pv_net_world.c: see pv_net_world.h. Grants know their owner and are checked as the hypervisor would; freed frames are really freed,
 * so that ASan sees a use of what was given back. */
#include <assert.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pv_net_world.h"
#include "tests/host/os_words.h"

struct port *front_port[DOMAINS], *back_port[DOMAINS];
struct netif_tx_sring *tx_ring_of[DOMAINS];
unsigned frames_alive, copies_made, copy_calls, events_sent;
uint64_t now_ns;
bool no_memory;
char last_log[200];
static unsigned acting;
void run_as(unsigned domid) { acting = domid; }

/* ---- Events: port numbers are the whole world's ---- */
#define PORTS 256
static struct { os_event_fn *fn; void *arg; uint32_t peer; bool used, pending, masked; unsigned domid; } ports[PORTS];

static int port_new(os_event_fn *fn, void *arg)
{
    for (uint32_t i = 1; i < PORTS; i++)
        if (!ports[i].used) {
            memset(&ports[i], 0, sizeof(ports[i]));
            ports[i].fn = fn;
            ports[i].arg = arg;
            ports[i].used = true;
            ports[i].domid = acting;
            return (int)i;
        }
    return -28;
}

int os_event_alloc(uint16_t domid, os_event_fn *fn, void *arg) { return port_new(fn, arg); }
int os_event_bind(uint16_t domid, uint32_t remote, os_event_fn *fn, void *arg)
{
    if (remote >= PORTS || !ports[remote].used || ports[remote].peer || ports[remote].domid != domid)
        return -22;
    int p = port_new(fn, arg);
    ports[p].peer = remote;
    ports[remote].peer = (uint32_t)p;
    return p;
}

void os_event_close(uint32_t p)
{
    assert(ports[p].used);
    if (ports[p].peer)
        ports[ports[p].peer].peer = 0;
    memset(&ports[p], 0, sizeof(ports[p]));
}

void os_event_send(uint32_t p)
{
    assert(p < PORTS && ports[p].used);
    events_sent++;
    if (ports[p].peer)
        ports[ports[p].peer].pending = true;
}

void event_poke(uint32_t p) { os_event_send(p); }
void os_event_mask(uint32_t p) { ports[p].masked = true; }
void os_event_unmask(uint32_t p) { ports[p].masked = false; }
void os_event_raise(uint32_t p) { ports[p].pending = true; }

static bool events_run(void)
{
    bool any = false;
    for (uint32_t i = 1; i < PORTS; i++)
        if (ports[i].used && ports[i].pending && !ports[i].masked) {
            ports[i].pending = false;
            acting = ports[i].domid;
            ports[i].fn(ports[i].arg);
            any = true;
        }
    return any;
}

/* ---- Memory and grants ---- */
void *os_alloc(size_t n) { return calloc(1, n); }
void os_free(void *p) { free(p); }
void *os_page_alloc(void) { void *p = aligned_alloc(4096, 4096); memset(p, 0, 4096); return p; }
void os_page_free(void *p) { free(p); }
uint64_t os_frame(const void *p) { return (uintptr_t)p >> 12; }

#define GRANTS 16384
static struct { void *page; unsigned owner; uint16_t to; bool used, read_only; unsigned maps; } grants[GRANTS];
static uint32_t grant_next = 8;

int grant_as(unsigned owner, uint16_t domid, void *page, bool read_only)
{
    for (unsigned i = 0; i < GRANTS; i++) {
        uint32_t ref = grant_next;
        grant_next = grant_next + 1 == GRANTS ? 8 : grant_next + 1;
        if (grants[ref].used)
            continue;
        memset(&grants[ref], 0, sizeof(grants[ref]));
        grants[ref].page = page;
        grants[ref].owner = owner;
        grants[ref].to = domid;
        grants[ref].used = true;
        grants[ref].read_only = read_only;
        return (int)ref;
    }
    return -28;
}

int os_grant(uint16_t domid, uint64_t frame, bool read_only) { return grant_as(acting, domid, (void *)(uintptr_t)(frame << 12), read_only); }
bool os_grant_in_use(uint32_t ref) { return grants[ref].maps; }
bool os_grant_end(uint32_t ref)
{
    assert(ref < GRANTS && grants[ref].used);
    if (grants[ref].maps)
        return false;
    grants[ref].used = false;
    return true;
}

static struct { uint32_t ref; void *page; } held[64];
void os_grant_end_and_free(uint32_t ref, void *page)
{
    if (os_grant_end(ref)) {
        free(page);
        return;
    }
    for (unsigned i = 0; i < 64; i++)
        if (!held[i].page) {
            held[i].ref = ref;
            held[i].page = page;
            return;
        }
    assert(0);
}

static void held_try(void)
{
    for (unsigned i = 0; i < 64; i++)
        if (held[i].page && os_grant_end(held[i].ref)) {
            free(held[i].page);
            held[i].page = 0;
        }
}

unsigned grants_alive(void)
{
    unsigned n = 0;
    for (unsigned i = 0; i < GRANTS; i++)
        n += grants[i].used;
    return n;
}

static bool grant_good(uint32_t ref, uint16_t owner, bool write)
{
    return ref < GRANTS && grants[ref].used && grants[ref].owner == owner && grants[ref].to == 0 && !(write && grants[ref].read_only);
}

void *page_of_grant(uint32_t ref) { return ref < GRANTS && grants[ref].used ? grants[ref].page : 0; }

int os_grant_map(uint16_t domid, struct os_map *m, unsigned n, unsigned flags)
{
    for (unsigned i = 0; i < n; i++) {
        bool ok = grant_good(m[i].ref, domid, true);
        m[i].status = ok ? 0 : -3;
        m[i].handle = ok ? m[i].ref : ~0u;
        m[i].va = ok ? grants[m[i].ref].page : 0;
        if (ok)
            grants[m[i].ref].maps++;
    }
    return 0;
}

void os_grant_unmap(struct os_map *m, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (m[i].handle != ~0u) {
            assert(grants[m[i].handle].maps);
            grants[m[i].handle].maps--;
            m[i].handle = ~0u;
        }
    held_try();
}

int os_grant_copy(uint16_t domid, struct os_copy *c, unsigned n)
{
    copy_calls++;
    for (unsigned i = 0; i < n; i++) {
        copies_made++;
        c[i].status = -3;
        assert(((uintptr_t)c[i].local & 4095) + c[i].len <= 4096);
        if (c[i].offset + (unsigned)c[i].len > 4096 || !grant_good(c[i].ref, domid, c[i].to_guest))
            continue;
        char *there = (char *)grants[c[i].ref].page + c[i].offset;
        if (c[i].to_guest)
            memcpy(there, c[i].local, c[i].len);
        else
            memcpy(c[i].local, there, c[i].len);
        c[i].status = 0;
    }
    return 0;
}

/* ---- The thread: it runs only while it holds the baton ---- */
static pthread_mutex_t baton = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t passed = PTHREAD_COND_INITIALIZER;
static int turn_of;                     /* 0: the test's, 1: the thread's */
static bool thread_there;
static bool (*waits_for)(void *);
static void *waits_arg;

static void give(int to, bool wait)
{
    int me = !to;
    turn_of = to;
    pthread_cond_broadcast(&passed);
    while (wait && turn_of != me)
        pthread_cond_wait(&passed, &baton);
}

struct os_event { int unused; };
struct os_event *os_event_new(void) { static struct os_event e; return &e; }
void os_event_wake(struct os_event *e) { }
int os_sleep_until(struct os_event *e, bool (*done)(void *), void *arg, unsigned ms)
{
    while (!done(arg)) {
        waits_for = done;
        waits_arg = arg;
        give(0, true);
    }
    waits_for = 0;
    return 0;
}
void os_yield(void) { give(0, true); }

static void (*thread_fn)(void *);
static void *thread_main(void *arg)
{
    pthread_mutex_lock(&baton);
    while (turn_of != 1)
        pthread_cond_wait(&passed, &baton);
    thread_fn(arg);
    return 0;
}

int os_thread(const char *name, void (*fn)(void *), void *arg)
{
    pthread_t t;
    thread_fn = fn;
    thread_there = true;
    return pthread_create(&t, 0, thread_main, arg);
}

static bool thread_run(void)
{
    if (!thread_there || (waits_for && !waits_for(waits_arg)))
        return false;
    acting = 0;
    give(1, true);
    return true;
}

/* ---- Time ---- */
struct later { struct later *next; uint64_t at; void (*fn)(void *); void *arg; struct os_timer *timer; unsigned as; };
static struct later *timers;
void os_timer_cancel(struct os_timer *t)
{
    for (struct later **at = &timers; *at; at = &(*at)->next)
        if ((*at)->timer == t) {
            struct later *l = *at;
            *at = l->next;
            free(l);
            return;
        }
}
void os_timer_set(struct os_timer *t, unsigned ms, void (*fn)(void *), void *arg)
{
    os_timer_cancel(t);
    struct later *l = malloc(sizeof(*l));
    *l = (struct later){ timers, now_ns + ms * 1000000ull, fn, arg, t, acting };
    timers = l;
}
static bool timers_run(void)
{
    for (struct later **at = &timers; *at; at = &(*at)->next)
        if ((*at)->at <= now_ns) {
            struct later *l = *at;
            *at = l->next;
            acting = l->as;
            l->fn(l->arg);
            free(l);
            return true;
        }
    return false;
}
uint64_t os_now_ns(void) { return now_ns; }

void os_log(const char *f, ...) { va_list a; va_start(a, f); vsnprintf(last_log, sizeof(last_log), f, a); va_end(a); }

/* ---- The store ---- */
static struct { char path[96], value[96]; } nodes[1024];

void store_put(const char *path, const char *value)
{
    unsigned empty = 1024;
    for (unsigned i = 0; i < 1024; i++) {
        if (!strcmp(nodes[i].path, path)) {
            snprintf(nodes[i].value, sizeof(nodes[i].value), "%s", value);
            return;
        }
        if (!nodes[i].path[0] && empty == 1024)
            empty = i;
    }
    assert(empty < 1024);
    snprintf(nodes[empty].path, sizeof(nodes[empty].path), "%s", path);
    snprintf(nodes[empty].value, sizeof(nodes[empty].value), "%s", value);
}
const char *store_get(const char *path)
{
    for (unsigned i = 0; i < 1024; i++)
        if (!strcmp(nodes[i].path, path))
            return nodes[i].value;
    return 0;
}
static void store_forget(const char *prefix)
{
    for (unsigned i = 0; i < 1024; i++)
        if (!strncmp(nodes[i].path, prefix, strlen(prefix)))
            nodes[i].path[0] = 0;
}
int store_read(uint32_t tx, const char *path, char *buf, size_t size)
{
    const char *v = store_get(path);
    return v ? snprintf(buf, size, "%s", v) : -2;
}
int store_read_number(uint32_t tx, const char *dir, const char *node, uint64_t *value)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    const char *v = store_get(path);
    char *end;
    if (!v)
        return -2;
    *value = strtoull(v, &end, 0);
    return *end || end == v ? -22 : 0;
}
int store_printf(uint32_t tx, const char *dir, const char *node, const char *fmt, ...)
{
    char path[300], value[96];
    va_list a;
    va_start(a, fmt);
    vsnprintf(value, sizeof(value), fmt, a);
    va_end(a);
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    store_put(path, value);
    return 0;
}
int store_exists(const char *path) { return 1; }
static unsigned again;
int store_begin(uint32_t *tx) { *tx = 1; return 0; }
int store_end(uint32_t tx, bool commit) { return again++ % 3 == 0 ? -11 : 0; }

/* ---- The bus ---- */
static struct xenbus_driver *front_driver, *back_driver;
static struct xenbus_device *devices[2][DOMAINS];
struct xenbus_device *back_device(unsigned domid) { return devices[1][domid]; }
struct xenbus_device *front_device(unsigned domid) { return devices[0][domid]; }

static void appear(bool back, unsigned domid)
{
    char there[STORE_PATH_MAX + 8];
    struct xenbus_device *d = calloc(1, sizeof(*d));
    d->backend = back;
    d->driver = back ? back_driver : front_driver;
    d->other_domid = back ? (uint16_t)domid : 0;
    snprintf(d->path, sizeof(d->path), back ? "backend/vif/%u/0" : "%u/device/vif/0", domid);
    snprintf(d->other_path, sizeof(d->other_path), back ? "%u/device/vif/0" : "backend/vif/%u/0", domid);
    snprintf(there, sizeof(there), "%s/mac", d->path);
    if (!store_get(there)) {
        free(d);
        return;
    }
    uint64_t s = 0;
    store_read_number(0, d->path, "state", &s);
    d->state = (enum xenbus_state)s;
    acting = back ? 0 : domid;
    if (d->driver->probe(d)) {
        free(d);
        return;
    }
    devices[back][domid] = d;
}
static void go(bool back, unsigned domid)
{
    struct xenbus_device *d = devices[back][domid];
    acting = back ? 0 : domid;
    d->driver->remove(d);
    devices[back][domid] = 0;
    free(d);
}
int xenbus_register_frontend(struct xenbus_driver *drv) { front_driver = drv; return 0; }
int xenbus_register_backend(struct xenbus_driver *drv)
{
    back_driver = drv;
    for (unsigned i = 1; i < DOMAINS; i++)
        appear(true, i);
    return 0;
}
void xenbus_unregister_backend(struct xenbus_driver *drv)
{
    for (unsigned i = 1; i < DOMAINS; i++)
        if (devices[1][i]) {
            struct xenbus_device *d = devices[1][i];
            xenbus_set_state(d, XenbusStateClosed);
            go(true, i);
        }
    back_driver = 0;
}
int xenbus_set_state(struct xenbus_device *d, enum xenbus_state s)
{
    store_printf(0, d->path, "state", "%d", (int)s);
    d->state = s;
    return 0;
}
void xenbus_error(struct xenbus_device *d, int err, const char *fmt, ...)
{
    va_list a;
    va_start(a, fmt);
    vsnprintf(last_log, sizeof(last_log), fmt, a);
    va_end(a);
}
static bool bus_run(void)
{
    bool any = false;
    for (unsigned i = 1; i < DOMAINS; i++)
        for (int back = 0; back < 2; back++) {
            struct xenbus_device *d = devices[back][i];
            uint64_t s = 0, own = 0;
            if (!d)
                continue;
            store_read_number(0, d->other_path, "state", &s);
            store_read_number(0, d->path, "state", &own);
            bool asked = back && own == XenbusStateClosing && d->state < XenbusStateClosing;
            if (asked)
                d->state = XenbusStateClosing;
            if ((enum xenbus_state)s == d->other_state && !asked)
                continue;
            d->other_state = (enum xenbus_state)s;
            acting = back ? 0 : i;
            d->driver->other_changed(d);
            any = true;
        }
    return any;
}

/* ---- Frames and interfaces ---- */
struct real { char *page; };
bool net_frame_alloc(struct net_frame *f)
{
    if (no_memory)
        return false;
    struct real *r = malloc(sizeof(*r));
    r->page = aligned_alloc(4096, 4096);
    memset(r->page, 0xee, 4096);
    frames_alive++;
    *f = (struct net_frame){ .data = (uint8_t *)r->page + 128, .page = r->page, .owner = r };
    return true;
}
void net_frame_free(struct net_frame *f)
{
    struct real *r = f->owner;
    free(r->page);
    free(r);
    frames_alive--;
}
void *net_frame_take_page(struct net_frame *f)
{
    struct real *r = f->owner;
    void *page = r->page;
    free(r);
    frames_alive--;
    return page;
}
static struct port *port_new_if(bool back, unsigned domid)
{
    struct port *p = calloc(1, sizeof(*p));
    p->back = back;
    p->domid = domid;
    (back ? back_port : front_port)[domid] = p;
    return p;
}
void *net_front_add(struct netfront *front, unsigned id, const uint8_t mac[6], unsigned mtu)
{
    struct port *p = port_new_if(false, acting);
    p->front = front;
    return p;
}
int net_back_add(void **port, struct netback *back, unsigned domid, unsigned id, const char *bridge, const uint8_t mac[6])
{
    struct port *p = port_new_if(true, domid);
    p->netback = back;
    *port = p;
    return 0;
}
void net_back_offload(void *port, bool csum) { ((struct port *)port)->offload = csum; }
void net_port_remove(void *port)
{
    struct port *p = port;
    (p->back ? back_port : front_port)[p->domid] = 0;
    free(p);
}
void net_carrier(void *port, bool on) { ((struct port *)port)->carrier = on; }
void net_receive_done(void *port) { }

/* ---- The whole ---- */
bool world_turn(void)
{
    bool any = bus_run();
    any |= events_run();
    any |= timers_run();
    any |= thread_run();
    return any;
}
void world_run(void)
{
    unsigned rounds = 0;
    while (world_turn())
        assert(++rounds < 1000000);
}
void world_add(unsigned domid)
{
    char path[96], value[32];
    snprintf(value, sizeof(value), "00:16:3e:00:00:%02x", domid);
    for (int back = 0; back < 2; back++) {
        const char *dir = back ? "backend/vif/%u/0/%s" : "%u/device/vif/0/%s";
        snprintf(path, sizeof(path), dir, domid, "mac");
        store_put(path, value);
        snprintf(path, sizeof(path), dir, domid, "state");
        store_put(path, "1");
    }
    appear(false, domid);
    if (back_driver)
        appear(true, domid);
}
void world_remove(unsigned domid)
{
    char path[96];
    if (devices[1][domid])
        go(true, domid);
    if (devices[0][domid])
        go(false, domid);
    snprintf(path, sizeof(path), "backend/vif/%u/0", domid);
    store_forget(path);
    snprintf(path, sizeof(path), "%u/device/vif/0", domid);
    store_forget(path);
}
void world_reset(void)
{
    pthread_mutex_trylock(&baton);
    now_ns = 1000000000ull * 1000;
    copies_made = copy_calls = events_sent = 0;
    no_memory = false;
    last_log[0] = 0;
    if (!front_driver)
        assert(netfront_register() == 0);
    if (!back_driver)
        assert(netback_start() == 0);
}
void world_end(void)
{
    for (unsigned i = 1; i < DOMAINS; i++)
        world_remove(i);
    held_try();
    assert(!timers);
    assert(frames_alive == 0);
    assert(grants_alive() == 0);
}

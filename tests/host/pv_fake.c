/* SPDX-License-Identifier: MIT */
/* pv_fake.c: pv-drivers/os.h, store.h and xenbus.h for tests on the host. One thread; what sleeps lets the world run on. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypercall-abi/errno.h"
#include "tests/host/pv_fake.h"
#include "tests/host/os_words.h"

#define REFS  70000
#define PORTS 64
#define NODES 256

unsigned fake_maps, fake_grants, fake_grant_limit = REFS, fake_sends;
uint64_t fake_now_ns;
bool fake_no_memory;
void (*fake_idle)(void), (*fake_sent)(void);

/* ---- Memory and grants ---- */
static struct { bool used, read_only; uint64_t frame; unsigned mapped; } refs[REFS];

void *os_alloc(size_t n)
{
    if (fake_no_memory)
        return 0;
    size_t size = n >= 4096 ? (n + 4095) & ~4095ul : n;
    void *p = n >= 4096 ? aligned_alloc(4096, size) : malloc(n);
    return memset(p, 0, n >= 4096 ? size : n);
}
void  os_free(void *p) { free(p); }
void *os_page_alloc(void) { return os_alloc(4096); }
void  os_page_free(void *page) { free(page); }
uint64_t os_frame(const void *page) { return (uintptr_t)page >> 12; }

int os_grant(uint16_t domid, uint64_t frame, bool read_only)
{
    static unsigned hint;
    if (fake_grants >= fake_grant_limit)
        return -XEN_ENOSPC;
    while (refs[hint % REFS].used)
        hint++;
    unsigned i = hint++ % REFS;
    refs[i].used = true;
    refs[i].read_only = read_only;
    refs[i].frame = frame;
    fake_grants++;
    return (int)i;
}

bool os_grant_end(uint32_t ref)
{
    assert(ref < REFS && refs[ref].used);
    if (refs[ref].mapped)
        return false;
    refs[ref].used = false;
    fake_grants--;
    return true;
}

bool os_grant_in_use(uint32_t ref) { return refs[ref].used; }

void os_grant_end_and_free(uint32_t ref, void *page)
{
    assert(os_grant_end(ref));
    os_page_free(page);
}

uint32_t fake_grant_page(void *page, bool read_only) { return (uint32_t)os_grant(0, os_frame(page), read_only); }

int os_grant_map(uint16_t domid, struct os_map *m, unsigned n, unsigned flags)
{
    for (; n-- > 0; m++) {
        m->handle = ~0u;
        m->va = 0;
        m->status = -3;
        if (m->ref >= REFS || !refs[m->ref].used || (refs[m->ref].read_only && !(flags & OS_MAP_READ)))
            continue;
        m->status = 0;
        m->frame = refs[m->ref].frame;
        m->va = flags & OS_MAP_DEVICE ? 0 : (void *)(m->frame << 12);
        m->handle = m->ref;
        refs[m->ref].mapped++;
        fake_maps++;
    }
    return 0;
}

void os_grant_unmap(struct os_map *m, unsigned n)
{
    for (; n-- > 0; m++)
        if (m->handle != ~0u) {
            assert(m->handle < REFS && refs[m->handle].mapped);
            refs[m->handle].mapped--;
            fake_maps--;
            m->handle = ~0u;
        }
}

int os_grant_copy(uint16_t domid, struct os_copy *c, unsigned n)
{
    for (; n-- > 0; c++) {
        c->status = -3;
        if (c->ref >= REFS || !refs[c->ref].used || c->offset + c->len > 4096)
            continue;
        char *there = (char *)(refs[c->ref].frame << 12) + c->offset;
        memcpy(c->to_guest ? there : c->local, c->to_guest ? c->local : there, c->len);
        c->status = 0;
    }
    return 0;
}

/* ---- Events, timers, sleeping ---- */
static struct { bool used, pending, masked; unsigned other; os_event_fn *fn; void *arg; } ports[PORTS];
static struct { struct os_timer *t; uint64_t when; void (*fn)(void *); void *arg; } timers[16];
struct os_event { int unused; };

static int port_new(os_event_fn *fn, void *arg)
{
    for (unsigned p = 1; p < PORTS; p++)
        if (!ports[p].used) {
            ports[p].used = true;
            ports[p].pending = ports[p].masked = false;
            ports[p].other = 0;
            ports[p].fn = fn;
            ports[p].arg = arg;
            return (int)p;
        }
    return -XEN_ENOSPC;
}

int os_event_alloc(uint16_t domid, os_event_fn *fn, void *arg) { return port_new(fn, arg); }

int os_event_bind(uint16_t domid, uint32_t remote, os_event_fn *fn, void *arg)
{
    if (remote >= PORTS || !ports[remote].used || ports[remote].other)
        return -XEN_EINVAL;
    int p = port_new(fn, arg);
    if (p > 0) {
        ports[p].other = remote;
        ports[remote].other = (unsigned)p;
        ports[p].pending = true;
    }
    return p;
}

void os_event_send(uint32_t port)
{
    assert(port < PORTS && ports[port].used);
    void (*sent)(void) = fake_sent;
    fake_sends++;
    ports[ports[port].other].pending = true;
    fake_sent = 0;
    if (sent)
        sent();
}

void os_event_raise(uint32_t port)
{
    assert(port < PORTS && ports[port].used);
    ports[port].pending = true;
}

void os_event_mask(uint32_t port) { ports[port].masked = true; }
void os_event_unmask(uint32_t port) { ports[port].masked = false; }

void os_event_close(uint32_t port)
{
    assert(port < PORTS && ports[port].used);
    if (ports[port].other)
        ports[ports[port].other].other = 0;
    ports[port].used = ports[port].pending = false;
}

static bool run_events(void)
{
    bool any = false;
    for (unsigned p = 1; p < PORTS; p++)
        if (ports[p].used && ports[p].pending && !ports[p].masked) {
            ports[p].pending = false;
            any = true;
            ports[p].fn(ports[p].arg);
        }
    for (unsigned i = 0; i < 16; i++)
        if (timers[i].t && timers[i].when <= fake_now_ns) {
            timers[i].t = 0;
            any = true;
            timers[i].fn(timers[i].arg);
        }
    return any;
}

void os_timer_set(struct os_timer *t, unsigned ms, void (*fn)(void *), void *arg)
{
    os_timer_cancel(t);
    for (unsigned i = 0; i < 16; i++)
        if (!timers[i].t) {
            timers[i].t = t;
            timers[i].when = fake_now_ns + ms * 1000000ull;
            timers[i].fn = fn;
            timers[i].arg = arg;
            return;
        }
    abort();
}

void os_timer_cancel(struct os_timer *t)
{
    for (unsigned i = 0; i < 16; i++)
        if (timers[i].t == t)
            timers[i].t = 0;
}

uint64_t os_now_ns(void) { return fake_now_ns; }
struct os_event *os_event_new(void) { return malloc(sizeof(struct os_event)); }
void os_event_delete(struct os_event *e) { free(e); }
void os_event_wake(struct os_event *e) { }

int os_sleep_until(struct os_event *e, bool (*done)(void *arg), void *arg, unsigned limit_ms)
{
    for (unsigned n = 0; !done(arg); n++) {
        assert(n < 1000000);
        run_events();
        if (fake_idle)
            fake_idle();
    }
    return 0;
}

void os_sleep_ms(unsigned ms)
{
    fake_now_ns += ms * 1000000ull;
    run_events();
    if (fake_idle)
        fake_idle();
}

int os_thread(const char *name, void (*fn)(void *), void *arg)
{
    fn(arg);
    return 0;
}

void os_log(const char *fmt, ...) { }

/* ---- The store ---- */
static struct { char path[STORE_PATH_MAX], value[256]; } nodes[NODES];

static char *value_of(const char *path, bool create)
{
    int room = -1;
    for (int i = 0; i < NODES; i++) {
        if (strcmp(nodes[i].path, path) == 0)
            return nodes[i].value;
        if (room < 0 && !nodes[i].path[0])
            room = i;
    }
    assert(!create || room >= 0);
    return create ? strcpy(nodes[room].path, path), nodes[room].value : 0;
}

static const char *join(const char *dir, const char *node)
{
    static char path[2 * STORE_PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", dir, node);
    return path;
}

void fake_put(const char *dir, const char *node, const char *value) { strcpy(value_of(join(dir, node), true), value); }
const char *fake_get(const char *dir, const char *node) { return value_of(join(dir, node), false); }

int store_read(uint32_t tx, const char *path, char *buf, size_t size)
{
    const char *v = value_of(path, false);
    if (!v)
        return -XEN_ENOENT;
    return strlen(v) < size ? (int)strlen(strcpy(buf, v)) : -XEN_E2BIG;
}

int store_read_number(uint32_t tx, const char *dir, const char *node, uint64_t *value)
{
    const char *v = fake_get(dir, node);
    char *end;
    if (!v)
        return -XEN_ENOENT;
    *value = strtoull(v, &end, 0);
    return *v && !*end ? 0 : -XEN_EINVAL;
}

int store_printf(uint32_t tx, const char *dir, const char *node, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fake_put(dir, node, text);
    return 0;
}

int store_begin(uint32_t *tx) { return *tx = 1, 0; }

int store_end(uint32_t tx, bool commit)
{
    static unsigned n;
    return n++ % 3 ? 0 : -XEN_EAGAIN;            /* transactions are tried again */
}

/* ---- The bus ---- */
struct xenbus_device fake_front, fake_back;
static struct xenbus_driver *front_driver, *back_driver;
static bool front_told, back_told, front_there, back_there;

int xenbus_register_frontend(struct xenbus_driver *drv) { return front_driver = drv, 0; }

static int probe_back(void)
{
    fake_back.other_state = fake_front.state;
    int rc = back_driver->probe(&fake_back);
    back_there = rc == 0;
    back_told = false;
    return rc;
}

int xenbus_register_backend(struct xenbus_driver *drv)
{
    back_driver = drv;
    return fake_back.path[0] ? probe_back() : 0;
}

void fake_remove_back(void)
{
    if (back_there)
        back_driver->remove(&fake_back);
    back_there = false;
}

void xenbus_unregister_backend(struct xenbus_driver *drv)
{
    fake_remove_back();
    back_driver = 0;
    xenbus_set_state(&fake_back, XenbusStateClosed);
}

int xenbus_set_state(struct xenbus_device *d, enum xenbus_state s)
{
    d->state = s;
    if (d == &fake_back)
        front_told = false;
    else
        back_told = false;
    return 0;
}

void xenbus_error(struct xenbus_device *d, int err, const char *fmt, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fake_put(d->path, "error", text);
}

static bool tell_ends(void)
{
    bool any = false;
    if (front_there && !front_told) {
        front_told = any = true;
        fake_front.other_state = fake_back.state;
        front_driver->other_changed(&fake_front);
    }
    if (back_there && !back_told) {
        back_told = any = true;
        fake_back.other_state = fake_front.state;
        back_driver->other_changed(&fake_back);
    }
    return any;
}

int fake_plug(uint32_t id)
{
    fake_front = (struct xenbus_device){ .other_domid = 0, .id = id, .path = "front", .other_path = "back", .state = XenbusStateInitialising };
    fake_back = (struct xenbus_device){ .backend = true, .other_domid = FAKE_FRONT, .id = id, .path = "back", .other_path = "front",
                                        .state = XenbusStateInitialising };
    int rc = back_driver ? probe_back() : 0;
    if (rc == 0 && front_driver) {
        assert(front_driver->probe(&fake_front) == 0);
        front_there = true;
        front_told = false;
    }
    return rc;
}

void fake_run(void)
{
    for (unsigned n = 0; tell_ends() || run_events(); n++)
        assert(n < 100000);
}

void fake_advance(unsigned ms)
{
    fake_now_ns += ms * 1000000ull;
    fake_run();
}

/* Everything is to be gone by now. */
void fake_reset(void)
{
    fake_remove_back();
    if (front_there)
        front_driver->remove(&fake_front);
    front_there = false;
    front_driver = back_driver = 0;
    fake_front.path[0] = fake_back.path[0] = 0;
    memset(nodes, 0, sizeof(nodes));
    memset(timers, 0, sizeof(timers));
    fake_grant_limit = REFS;
    fake_idle = 0;
    fake_sent = 0;
    fake_no_memory = false;
}

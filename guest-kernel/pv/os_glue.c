/* SPDX-License-Identifier: MIT */
/* os_glue.c: Novice's answers to what the drivers in pv-drivers/ ask of a kernel: events, memory, threads, time.
 *
 * Grants that we give are in os_glue_grant.c, those that we are given in os_glue_map.c.                          */
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/sched.h"
#include "pv-drivers/os.h"

#define WAIT_NS (10 * NSEC_PER_MS)

/* ---- Events ---- */

struct handler { os_event_fn *fn; void *arg; };

void os_event_send(uint32_t port) { event_send(port); }

static void call_handler(evtchn_port_t port, void *arg)
{
    struct handler *h = arg;
    h->fn(h->arg);                                  /* may close the port: h is not touched again */
}

int os_event_handle(uint32_t port, os_event_fn *fn, void *arg)
{
    struct handler *h = kmalloc(sizeof(*h));
    if (!h)
        return -ENOMEM;
    *h = (struct handler){ fn, arg };
    int rc = event_handle(port, call_handler, h);
    if (rc)
        kfree(h);
    return rc;
}

static void port_close(evtchn_port_t port)
{
    struct evtchn_close c = { port };
    hypercall_event_channel_op(EVTCHNOP_close, gva(&c));
}

static int handle_new(evtchn_port_t port, os_event_fn *fn, void *arg)
{
    int rc = os_event_handle(port, fn, arg);
    if (rc)
        port_close(port);
    return rc ? rc : (int)port;
}

int os_event_alloc(uint16_t domid, os_event_fn *fn, void *arg)
{
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = domid };
    long rc = hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&a));
    return rc ? (int)rc : handle_new(a.port, fn, arg);
}

int os_event_bind(uint16_t domid, uint32_t remote_port, os_event_fn *fn, void *arg)
{
    struct evtchn_bind_interdomain b = { .remote_dom = domid, .remote_port = remote_port };
    long rc = hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b));
    return rc ? (int)rc : handle_new(b.local_port, fn, arg);
}

void os_event_close(uint32_t port)
{
    struct handler *h = event_arg(port);
    event_forget(port);
    port_close(port);
    kfree(h);
}

void os_event_mask(uint32_t port) { event_mask(port); }
void os_event_unmask(uint32_t port) { event_unmask(port); }
void os_event_raise(uint32_t port) { event_raise(port); }

/* Kernel code is never interrupted, so the port's handler does not run here: we poll the port, which wakes us though it is
 * masked, and raise it again at the end. */
void os_wait_until(uint32_t port, bool (*done)(void *arg), void *arg)
{
    evtchn_port_t ports[1] = { port };
    for (;;) {
        event_clear(port);
        if (done(arg))
            break;
        struct sched_poll poll = { .ports = gva(ports), .nr_ports = 1, .timeout = pv_system_time() + WAIT_NS };
        hypercall_sched_op(SCHEDOP_poll, gva(&poll));
    }
    event_raise(port);
}

/* ---- Memory ---- */

void *os_alloc(size_t n) { return kmalloc(n); }
void  os_free(void *p) { kfree(p); }
void *os_page_alloc(void) { return page_alloc(); }
void  os_page_free(void *page) { page_free(page); }

/* A page of the direct map, of the kernel's image, or of the kmap area. */
uint64_t os_frame(const void *page)
{
    uintptr_t va = (uintptr_t)page;
    if (va >= KERNEL_BASE)
        return plat_pfn_to_frame((va - KERNEL_BASE) >> PAGE_SHIFT);
    if (va >= KMAP_BASE)
        return (*kmap_slot(page) & 0x000ffffffffff000ul) >> PAGE_SHIFT;
    return plat_pfn_to_frame(virt_to_pfn(page));
}

/* ---- Sleeping and working ---- */

struct os_event { struct wait_queue waiters; };

struct os_event *os_event_new(void)
{
    struct os_event *e = kmalloc(sizeof(*e));
    if (e)
        wait_init(&e->waiters);
    return e;
}

void os_event_delete(struct os_event *e) { kfree(e); }
void os_event_wake(struct os_event *e) { wake_all(&e->waiters); }

int os_sleep_until(struct os_event *e, bool (*done)(void *arg), void *arg, unsigned limit_ms)
{
    uint64_t deadline = limit_ms ? plat_clock_ns() + limit_ms * NSEC_PER_MS : FOREVER;
    while (!done(arg))
        if (sleep_on(&e->waiters, deadline, false) == -ETIMEDOUT)
            return done(arg) ? 0 : -XEN_ETIMEDOUT;
    return 0;
}

int os_thread(const char *name, void (*fn)(void *), void *arg)
{
    return kthread_create(name, fn, arg) ? 0 : -ENOMEM;
}

const void *os_self(void) { return current; }

struct call_later {
    struct timer timer;
    void       (*fn)(void *arg);
    void        *arg;
};

static void timer_fired(struct timer *t)
{
    struct call_later *c = container_of(t, struct call_later, timer);
    c->fn(c->arg);                                  /* may set or cancel the timer: c is not touched again */
}

/* The record is made at the first use and kept until the timer is cancelled. */
void os_timer_set(struct os_timer *t, unsigned ms, void (*fn)(void *), void *arg)
{
    struct call_later *c = t->private;
    if (!c) {
        c = t->private = kmalloc(sizeof(*c));
        if (!c) {
            os_log("no memory for a timer");
            return;
        }
        timer_init(&c->timer, timer_fired);
    }
    c->fn = fn;
    c->arg = arg;
    timer_set(&c->timer, plat_clock_ns() + ms * NSEC_PER_MS);
}

void os_timer_cancel(struct os_timer *t)
{
    struct call_later *c = t->private;
    if (!c)
        return;
    timer_cancel(&c->timer);
    t->private = 0;
    kfree(c);
}

uint64_t os_now_ns(void) { return plat_clock_ns(); }

void os_sleep_ms(unsigned ms)
{
    uint64_t deadline = plat_clock_ns() + ms * NSEC_PER_MS;
    while (sleep_until(deadline, false) != -ETIMEDOUT)
        ;
}

void os_yield(void) { breathe(); }

int os_format_list(char *buf, size_t size, const char *fmt, va_list ap) { return kvsnprintf(buf, size, fmt, ap); }

int os_format(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = kvsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

/* One line, whether or not its words end in one. */
void os_log(const char *fmt, ...)
{
    char line[200];
    va_list ap;
    va_start(ap, fmt);
    size_t n = kvsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    bool ended = n > 0 && n < sizeof(line) && line[n - 1] == '\n';
    kprintf("%s%s", line, ended ? "" : "\n");
}

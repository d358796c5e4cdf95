/* SPDX-License-Identifier: MIT */
/* os.h: what a paravirtual driver asks of the kernel it lives in.
 *
 * The drivers in this folder know rings and the words spoken over them, and nothing about kernels; a kernel that wants
 * them answers these few functions (Novice in guest-kernel/pv/os_glue.c, tests on the host in one process).
 * hypercall-abi/ and this folder are all that they include. Errors are negative errno values (XEN_E*).
 *
 * Two contexts: a *thread* may sleep; a *handler* (of an event, of a timer) may not. Neither is interrupted by the other
 * while it does not sleep: Novice's kernel is not preempted, another kernel takes a lock.                      */
#ifndef PV_DRIVERS_OS_H
#define PV_DRIVERS_OS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Events ---- */
typedef void os_event_fn(void *arg);                 /* a handler */
/* Taps the other end of an event channel on the shoulder. */
void os_event_send(uint32_t port);
/* A port that `domid` may bind to / a port bound to its remote_port; fn runs at each event. The port, or -errno. */
int  os_event_alloc(uint16_t domid, os_event_fn *fn, void *arg);
int  os_event_bind(uint16_t domid, uint32_t remote_port, os_event_fn *fn, void *arg);
/* Handles a port that exists already (start of day's). 0 or -errno. */
int  os_event_handle(uint32_t port, os_event_fn *fn, void *arg);
void os_event_close(uint32_t port);
/* Holds a port's events back, and lets one through if any came meanwhile; and as if one had come. */
void os_event_mask(uint32_t port);
void os_event_unmask(uint32_t port);
void os_event_raise(uint32_t port);
/* Waits until done(arg) holds, looking again after each event of the port. May be called where sleeping is not allowed:
 * then the whole vCPU waits. The port's own handler still gets to run afterwards. */
void os_wait_until(uint32_t port, bool (*done)(void *arg), void *arg);

/* ---- Memory ---- */
void *os_alloc(size_t n);                            /* zeroed; null */
void  os_free(void *p);
void *os_page_alloc(void);                           /* one zeroed page of our own, or null */
void  os_page_free(void *page);
uint64_t os_frame(const void *page);                 /* its machine frame */

/* ---- Grants we give ---- */
/* Lets domid use a frame of ours; the reference, or -errno. */
int  os_grant(uint16_t domid, uint64_t frame, bool read_only);
/* Takes it back; false while the other end still has it mapped (then the page must not be used anew: try later, or leak it). */
bool os_grant_end(uint32_t ref);
/* As os_grant_end; if the other end still has it, the glue keeps ref and page and tries again until it may free both. */
void os_grant_end_and_free(uint32_t ref, void *page);
bool os_grant_in_use(uint32_t ref);

/* ---- Grants we are given ---- */
struct os_map {
    uint32_t ref, handle;         /* handle: os_grant_map's; ~0 when not mapped   */
    void    *va;                  /* where we see it, null for a device mapping   */
    uint64_t frame;               /* the machine's                                */
    int16_t  status;              /* GNTST_*                                      */
};
#define OS_MAP_READ   1           /* we only read                                 */
#define OS_MAP_DEVICE 2           /* for DMA only: no address, just the frame     */
/* Maps n references of domid in as few hypercalls as may be; each has its own status. -errno only if nothing was tried. The n
 * addresses lie side by side. May be called from a handler. */
int  os_grant_map(uint16_t domid, struct os_map *maps, unsigned n, unsigned flags);
void os_grant_unmap(struct os_map *maps, unsigned n);    /* those with a handle */
struct os_copy { uint32_t ref; uint16_t offset, len; void *local; bool to_guest; int16_t status; };   /* neither side crosses its page */
int  os_grant_copy(uint16_t domid, struct os_copy *c, unsigned n);

/* ---- Sleeping and working (threads) ---- */
struct os_event;                                     /* something to wait for */
struct os_event *os_event_new(void);
void os_event_delete(struct os_event *e);
void os_event_wake(struct os_event *e);              /* also from handlers */
/* Sleeps until done(arg); looks again at each wake. limit_ms 0: for ever; -ETIMEDOUT. */
int  os_sleep_until(struct os_event *e, bool (*done)(void *arg), void *arg, unsigned limit_ms);
int  os_thread(const char *name, void (*fn)(void *), void *arg);
const void *os_self(void);                           /* which thread this is */
/* Calls fn(arg), as a handler, after ms milliseconds; one timer a struct. */
struct os_timer { void *private; };
void os_timer_set(struct os_timer *t, unsigned ms, void (*fn)(void *), void *arg);
void os_timer_cancel(struct os_timer *t);
uint64_t os_now_ns(void);
void os_sleep_ms(unsigned ms);
void os_yield(void);                                 /* lets events in, and others run if it is their turn */
int  os_format(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));   /* snprintf */
int  os_format_list(char *buf, size_t size, const char *fmt, va_list args);
void os_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif

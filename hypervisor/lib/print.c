/* SPDX-License-Identifier: MIT */
/* print.c: lines, the ring of past output, and the end of the world.                                    [read 3]
 *
 * Every line goes two ways: to the ring, which dom0 reads (`enso dmesg`), and to the sink, the serial port; only what dom0 itself
 * shows on its console goes to the sink alone.
 * The console lock is the innermost of all, so anybody may print at any time; a panic does not ask for it,
 * because its holder may be the one that is broken.                                                     */
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/spinlock.h"
#include "hypervisor/lib/string.h"

#define RING_SIZE 65536u
#define LINE_MAX  512

static struct {
    struct spinlock lock;
    char ring[RING_SIZE];
    uint32_t produced;           /* running count of bytes ever written; wraps        */
    uint32_t cleared;            /* running count below which readers see nothing     */
    char last;                   /* byte that the sink got                            */
    void (*sink)(const char *bytes, size_t n);
    uint64_t (*clock)(void);
    void (*stop_others)(void);
    void (*end)(void);
    volatile uint32_t panicking; /* set by the first pCPU that panics                 */
} console = { .lock = SPINLOCK_INIT(console), .last = '\n' };

int log_level_hv = LOG_INFO;
int log_level_guest = LOG_WARN;

void console_set_sink(void (*fn)(const char *bytes, size_t n)) { console.sink = fn; }
void log_set_clock(uint64_t (*now)(void)) { console.clock = now; }

void panic_set_ops(void (*stop_others)(void), void (*end)(void))
{
    console.stop_others = stop_others;
    console.end = end;
}

static void ring_put(const char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        console.ring[console.produced++ % RING_SIZE] = bytes[i];
}

static void sink_put(const char *bytes, size_t n)
{
    if (n)
        console.last = bytes[n - 1];
    if (console.sink)
        console.sink(bytes, n);
}

static void write_both(const char *bytes, size_t n)
{
    ring_put(bytes, n);
    sink_put(bytes, n);
}

static void write_locked(const char *bytes, size_t n, bool fresh_line)
{
    if (console.panicking)
        return;
    spin_lock(&console.lock);
    if (fresh_line && !console_at_line_start())
        sink_put("\n", 1);
    if (fresh_line && console.produced && console.ring[(console.produced - 1) % RING_SIZE] != '\n')
        ring_put("\n", 1);
    write_both(bytes, n);
    spin_unlock(&console.lock);
}

bool console_at_line_start(void)
{
    return console.last == '\n';
}

void console_write(const char *bytes, size_t n)
{
    write_locked(bytes, n, false);
}

void console_show(const char *bytes, size_t n)
{
    if (console.panicking)
        return;
    spin_lock(&console.lock);
    sink_put(bytes, n);
    spin_unlock(&console.lock);
}

void console_write_line(const char *bytes, size_t n)
{
    write_locked(bytes, n, true);
}

size_t console_ring_read(char *buf, size_t n, uint32_t *index, bool clear)
{
    uint32_t pos, kept;
    size_t got = 0;

    spin_lock(&console.lock);
    kept = console.produced - console.cleared;
    if (kept > RING_SIZE)
        kept = RING_SIZE;
    pos = *index;
    if (console.produced - pos > kept)        /* too old, or from the future */
        pos = console.produced - kept;
    while (got < n && pos != console.produced)
        buf[got++] = console.ring[pos++ % RING_SIZE];
    if (clear)
        console.cleared = console.produced;
    spin_unlock(&console.lock);
    *index = pos;
    return got;
}

/* "(enso) ", the text, one newline. What does not fit is cut. */
static void put_line(const char *fmt, va_list ap)
{
    char line[LINE_MAX];
    size_t n = strlcpy(line, "(enso) ", LINE_MAX);
    size_t room = LINE_MAX - n - 1;
    int len = hv_vsnprintf(line + n, room, fmt, ap);

    n += (size_t)len < room ? (size_t)len : room - 1;
    if (line[n - 1] != '\n')
        line[n++] = '\n';
    console_write_line(line, n);
}

void log_at(enum log_level level, const char *fmt, ...)
{
    va_list ap;

    if ((int)level > log_level_hv)
        return;
    va_start(ap, fmt);
    put_line(fmt, ap);
    va_end(ap);
}

/* ---- what guests can provoke ---- */

#define LIMIT_SLOTS  64
#define LIMIT_BURST  20
#define LIMIT_PERIOD 1000000000UL    /* ns in which a domain may provoke LIMIT_BURST lines */

static struct { uint64_t start; uint32_t count, dropped; } limit[LIMIT_SLOTS];

/* True when the domain has used up its burst; *dropped: how many lines went unprinted in the period that has just ended. Racy
 * counts between pCPUs only blur the limit. */
static bool rate_limited(unsigned domid, uint32_t *dropped)
{
    unsigned slot = domid % LIMIT_SLOTS;
    uint64_t now = console.clock ? console.clock() : 0;

    *dropped = 0;
    if (!console.clock)
        return false;
    if (now - limit[slot].start >= LIMIT_PERIOD) {
        *dropped = limit[slot].dropped;
        limit[slot].start = now;
        limit[slot].count = limit[slot].dropped = 0;
    }
    if (limit[slot].count++ < LIMIT_BURST)
        return false;
    limit[slot].dropped++;
    return true;
}

void log_guest(unsigned domid, enum log_level level, const char *fmt, ...)
{
    uint32_t dropped;
    va_list ap;

    if ((int)level > log_level_guest || rate_limited(domid, &dropped))
        return;
    if (dropped)
        log_at(LOG_ERR, "d%u: %u messages about it were suppressed", domid, dropped);
    va_start(ap, fmt);
    put_line(fmt, ap);
    va_end(ap);
}

/* ---- the end ---- */

static __attribute__((noreturn)) void halt_here(void)
{
    for (;;)
        __asm__ volatile("cli; hlt");
}

void panic_nmi_hook(void)
{
    if (console.panicking)
        halt_here();
}

void panic(const char *fmt, ...)
{
    char line[LINE_MAX];
    va_list ap;
    size_t n;

    if (atomic_xchg(&console.panicking, 1))
        halt_here();
    if (console.stop_others)
        console.stop_others();
    n = strlcpy(line, "(enso) PANIC: ", sizeof(line));
    va_start(ap, fmt);
    hv_vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    va_end(ap);
    n = strlen(line);
    line[n++] = '\n';
    write_both(line, n);
    if (console.end)
        console.end();
    halt_here();
}

void bug(const char *file, int line, const char *what)
{
    panic("%s:%d: this must not be: %s", file, line, what);
}

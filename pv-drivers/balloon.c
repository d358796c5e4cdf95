/* SPDX-License-Identifier: MIT */
/* balloon.c: a domain's memory follows its target. SPEC 11.7.
 *
 * Somebody in dom0 writes memory/target (KiB). A thread moves towards it in steps: down by giving pages that the kernel can
 * spare, which makes it reclaim; up by asking the hypervisor, which has them or not. What cannot be done now is tried
 * again. Beside that the thread tells how memory is doing, in memory/stat/, when it has changed enough to matter.  */
#include "pv-drivers/balloon.h"
#include "pv-drivers/os.h"
#include "pv-drivers/store.h"

#define STEP_PAGES 1024u             /* 4 MiB, then the target is looked at again */
#define RETRY_MS   200u
#define REPORT_MS  1000u
#define PAGE_KIB   4u

static struct {
    struct os_event     *wake;
    struct store_watch   watch;
    bool                 have_target, kicked, starving;
    uint64_t             target;                      /* KiB */
    struct balloon_state last;                        /* when pressure was last measured */
    uint64_t             last_ns;
    uint64_t             told[7];
    bool                 told_once;
} b;

static bool kicked(void *none) { return b.kicked; }

static void target_changed(struct store_watch *w, const char *path)
{
    uint64_t kib;
    if (store_read_number(0, "memory", "target", &kib))
        return;                                       /* nobody has a wish */
    b.have_target = true;
    b.target = kib;
    b.kicked = true;
    os_event_wake(b.wake);
}

void balloon_starving(void)
{
    b.starving = b.kicked = true;
    os_event_wake(b.wake);
}

static uint64_t clamp(uint64_t n, uint64_t lo, uint64_t hi) { return n < lo ? lo : n > hi ? hi : n; }

static uint64_t apart(uint64_t x, uint64_t y) { return x > y ? x - y : y - x; }

/* Writes what has changed by a sixty-fourth of the domain's memory (KiB), or by 3 (the others). */
static void tell(const char *name, unsigned i, uint64_t value, uint64_t enough)
{
    if (b.told_once && apart(value, b.told[i]) < enough && (value || !b.told[i]))
        return;
    if (store_printf(0, "memory/stat", name, "%lu", (unsigned long)value) == 0)
        b.told[i] = value;
}

static void report(void)
{
    struct balloon_state now;
    uint64_t at = os_now_ns(), ms = (at - b.last_ns) / 1000000;
    if (b.told_once && ms < (b.starving ? RETRY_MS : REPORT_MS))
        return;
    balloon_os_state(&now);
    uint64_t seconds = ms / 1000 ? ms / 1000 : 1, grain = now.current / 64 + 1;
    unsigned pressure = b.told_once ? balloon_pressure(&b.last, &now, ms) : 0;
    if (b.starving)
        pressure = 100;
    b.starving = false;
    tell("floor", 6, now.floor, 1);
    tell("free", 1, now.free, grain);
    tell("available", 2, now.available, grain);
    tell("swap-in", 3, (now.swap_in - b.last.swap_in) / seconds, 3);
    tell("swap-out", 4, (now.swap_out - b.last.swap_out) / seconds, 3);
    tell("pressure", 5, pressure, 3);
    tell("current", 0, now.current, 1);
    b.last = now;
    b.last_ns = at;
    b.told_once = true;
}

/* One step towards the target: true if there may be more to do at once. */
static bool step(void)
{
    struct balloon_state s;
    balloon_os_state(&s);
    uint64_t goal = clamp(b.target, s.floor, s.most), pages = apart(goal, s.current) / PAGE_KIB, done;
    if (!b.have_target || !pages)
        return false;
    uint64_t n = pages < STEP_PAGES ? pages : STEP_PAGES;
    done = goal < s.current ? balloon_os_give(n) : balloon_os_take(n);
    return done == n && done < pages;
}

static bool at_rest(void)
{
    struct balloon_state s;
    balloon_os_state(&s);
    return !b.have_target || apart(clamp(b.target, s.floor, s.most), s.current) < PAGE_KIB;
}

static void run(void *none)
{
    for (;;) {
        b.kicked = false;
        do
            report();                                 /* also while it goes down for minutes, through a disk */
        while (step());
        os_sleep_until(b.wake, kicked, 0, at_rest() && !b.starving ? REPORT_MS : RETRY_MS);
    }
}

static void start(void *none)
{
    static const char path[] = "memory/target";
    for (unsigned i = 0; i < sizeof(path); i++)
        b.watch.path[i] = path[i];
    b.watch.token[0] = 'b';
    b.watch.fn = target_changed;
    int rc = store_watch_add(&b.watch);
    if (rc)
        os_log("balloon: memory/target cannot be watched (error %d); memory stays as it is", -rc);
    else
        run(0);
}

int balloon_start(void)
{
    b.wake = os_event_new();
    return b.wake ? os_thread("balloon", start, 0) : -12;
}

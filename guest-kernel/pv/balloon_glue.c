/* SPDX-License-Identifier: MIT */
/* balloon_glue.c: pages between Novice's allocator and the hypervisor.
 *
 * A page that was given away stays allocated, so that nobody else gets its number; it waits in a list for memory to come back.
 * Numbers above what the domain began with wait in it from the start.                                            */
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/mm.h"
#include "pv-drivers/balloon.h"

#define BATCH         256u
#define WORTH_WAITING 512u                          /* pages below the maximum */
#define PATIENCE_NS   (10 * NSEC_PER_SEC)

static struct {
    struct page *empty;                             /* without memory, chained by next */
    uint64_t     count;
    uint64_t     frames[BATCH];
    struct page *pages[BATCH];
    bool         started;
} g;

static uint64_t floor_kib(void) { return 12 * 1024 + pages_end() / 64 * 4; }

/* An allocation found nothing. If the domain is below its maximum, somebody in dom0 may see that it starves and raise the target:
 * that is waited for, as long as memory comes at all. */
static bool wait_for_more(void)
{
    static uint64_t since, had, last;
    uint64_t now = plat_clock_ns();
    if (g.count < WORTH_WAITING)
        return false;
    if (pages_total() > had || now - last > PATIENCE_NS)
        since = now;
    had = pages_total();
    last = now;
    if (now - since > PATIENCE_NS)
        return false;
    balloon_starving();
    sleep_until(now + 50 * NSEC_PER_MS, false);
    return true;
}

static uint64_t has_pages(void)
{
    struct xen_memory_domain self = { .domid = DOMID_SELF };
    long n = hypercall_memory_op(XENMEM_current_reservation, gva(&self));
    return n < 0 ? pages_total() : (uint64_t)n;
}

static void start(void)
{
    g.started = true;
    reclaim_outside_help = wait_for_more;
    for (uint64_t pfn = pages_end(); pfn-- > mmu_boot_pages();) {
        struct page *p = page_of_pfn(pfn);
        p->refs = 1;
        p->next = g.empty;
        g.empty = p;
        g.count++;
    }
}

void balloon_os_state(struct balloon_state *s)
{
    if (!g.started)
        start();
    uint64_t now = has_pages();
    *s = (struct balloon_state){
        .current = now * 4, .most = (now + g.count) * 4, .floor = floor_kib(), .free = pages_free_count() * 4,
        .available = reclaim_available() * 4, .swap_in = reclaim_stats.swap_in, .swap_out = reclaim_stats.swap_out,
        .stalls = reclaim_stats.direct,
    };
}

static long reserve(unsigned op, unsigned n)
{
    struct xen_memory_reservation r = { .extent_start = gva(g.frames), .nr_extents = n, .domid = DOMID_SELF };
    return hypercall_memory_op(op, gva(&r));
}

/* Takes the memory from under pages[0..n). First from our sight, then it goes. */
static unsigned give_batch(unsigned n)
{
    plat_batch_begin();
    for (unsigned i = 0; i < n; i++)
        g.frames[i] = mmu_page_out(page_pfn(g.pages[i]));
    plat_batch_end();
    plat_tlb_flush();
    long done = reserve(XENMEM_decrease_reservation, n);
    done = done < 0 ? 0 : done;
    for (unsigned i = 0; i < n; i++) {
        if (i < done) {
            g.pages[i]->next = g.empty;
            g.empty = g.pages[i];
        } else {
            mmu_page_in(page_pfn(g.pages[i]), g.frames[i]);
            page_put(g.pages[i]);
        }
    }
    g.count += done;
    pages_lost(done);
    return done;
}

uint64_t balloon_os_give(uint64_t pages)
{
    uint64_t done = 0;
    while (done < pages) {
        unsigned want = MIN(pages - done, (uint64_t)BATCH), n = 0;
        if (!reclaim_spare(want))
            break;
        void *page;
        while (n < want && (page = page_alloc_raw()))
            g.pages[n++] = page_of(page);
        unsigned gave = n ? give_batch(n) : 0;
        done += gave;
        if (gave < want)
            break;
        breathe();
    }
    return done;
}

uint64_t balloon_os_take(uint64_t pages)
{
    uint64_t done = 0;
    while (done < pages && g.empty) {
        unsigned n = 0;
        for (struct page *p = g.empty; p && n < BATCH && n < pages - done; p = p->next) {
            g.pages[n] = p;
            g.frames[n++] = page_pfn(p);
        }
        long got = reserve(XENMEM_populate_physmap, n);
        if (got <= 0)
            break;
        struct page *rest = g.pages[got - 1]->next;
        plat_batch_begin();
        for (long i = 0; i < got; i++)
            mmu_page_in(page_pfn(g.pages[i]), g.frames[i]);
        plat_batch_end();
        for (long i = 0; i < got; i++)
            pages_add(page_pfn(g.pages[i]), page_pfn(g.pages[i]) + 1);
        g.empty = rest;
        g.count -= got;
        done += got;
        if (got < n)
            break;
        breathe();
    }
    return done;
}

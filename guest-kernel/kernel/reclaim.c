/* SPDX-License-Identifier: MIT */
/* reclaim.c: where memory comes from when it is short.
 *
 * Free memory is measured against four marks. Below `high` nothing happens; below `low` the background thread is woken
 * and gives back until `high` is reached, so that most programs never wait; below pages_scarce() files and processes wait
 * for room before they are made; below pages_low() a page fault must itself free what it takes. What still stands free then
 * is the kernel's own, and what the work of freeing needs. Only when no shrinker gives anything is memory out.
 *
 * A thread that reclaims may itself need pages (a write to disk does): it takes them from the kernel's own part and never
 * begins anew (`reclaiming`), so there is no recursion.                                                          */
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"

#define BATCH      64ul              /* pages that are freed ahead, so that not each fault reclaims       */
#define TRIES      8                 /* rounds without any progress before memory is called out           */
#define PAUSE_NS   (2 * NSEC_PER_MS) /* between them: others' writes may be about to end                  */

static struct {
    struct list       shrinkers;     /* by priority                       */
    struct wait_queue work;          /* the background thread             */
    struct proc      *thread;
    bool              awake;
} st = { LIST_INIT(st.shrinkers), { LIST_INIT(st.work.waiters) }, 0, false };

struct reclaim_stats reclaim_stats;
bool (*reclaim_outside_help)(void);

static size_t mark_low(void) { return 96 + pages_total() / 24; }
static size_t mark_high(void) { return 128 + pages_total() / 16; }

void shrinker_register(struct shrinker *s)
{
    struct list *at = st.shrinkers.next;
    while (at != &st.shrinkers && container_of(at, struct shrinker, link)->priority <= s->priority)
        at = at->next;
    list_insert_before(at, &s->link);
}

size_t reclaim(size_t pages)
{
    size_t got = 0;
    if (current->reclaiming)
        return 0;
    current->reclaiming = true;
    list_for (s, &st.shrinkers, struct shrinker, link)
        if (got < pages)
            got += s->shrink(pages - got);
    current->reclaiming = false;
    reclaim_stats.freed += got;
    return got;
}

size_t reclaim_available(void)
{
    size_t n = pages_free_count();
    list_for (s, &st.shrinkers, struct shrinker, link)
        n += s->priority < SHRINK_SWAP && s->count ? s->count() : 0;
    return n;
}

static void wake_background(void)
{
    if (!st.awake && pages_free_count() < mark_low()) {
        st.awake = true;
        wake_all(&st.work);
    }
}

/* Caches that have much, and nothing just now, are writing: a disk may take its time. */
static unsigned patience(void) { return reclaim_available() > pages_free_count() + 256 ? 50 * TRIES : TRIES; }

/* Frees until it is no longer short; false when it never came to that. */
static bool make_room(bool (*short_of)(void))
{
    wake_background();
    if (!short_of())
        return true;
    if (current->reclaiming)
        return false;
    reclaim_stats.direct++;
    for (unsigned idle = 0; short_of();) {
        if (reclaim(BATCH)) {
            idle = 0;
        } else if (++idle < patience() && !list_empty(&st.shrinkers)) {
            sleep_until(plat_clock_ns() + PAUSE_NS, false);
        } else if (!reclaim_outside_help || !reclaim_outside_help()) {
            break;
        }
    }
    return !short_of();
}

bool reclaim_room(void) { return make_room(pages_scarce); }

/* For the balloon. Progress may be slow (a disk's), so a round without any is not yet the end. */
bool reclaim_spare(size_t pages)
{
    for (unsigned idle = 0; pages_free_count() < mark_low() + pages; idle++) {
        if (idle >= patience() || current->reclaiming)
            return false;
        if (reclaim(MAX(pages, BATCH)))
            idle = 0;
        else
            sleep_until(plat_clock_ns() + PAUSE_NS, false);
    }
    return true;
}

static void *alloc_user(void *(*alloc)(void))
{
    return make_room(pages_low) || current->reclaiming ? alloc() : 0;
}

void *page_alloc_user(void) { return alloc_user(page_alloc); }
void *page_alloc_user_raw(void) { return alloc_user(page_alloc_raw); }

/* In turns with the rest of the system: a round, then whoever waits for the CPU. */
static void background(void *none)
{
    for (;;) {
        wait_event_always(&st.work, st.awake);
        while (pages_free_count() < mark_high() && reclaim(BATCH))
            breathe();
        reclaim_stats.background++;
        st.awake = false;
        if (pages_free_count() < mark_low())        /* nothing to be had just now: not again at once */
            sleep_until(plat_clock_ns() + 50 * NSEC_PER_MS, false);
    }
}

void reclaim_boot(void)
{
    st.thread = kthread_create("reclaim", background, 0);
    if (!st.thread)
        panic("no memory for the reclaim thread");
}

/* SPDX-License-Identifier: MIT */
/* grant_table.c: a domain lends frames: the table, who uses which entry, and handles.          [read 53]
 *
 * The granter writes entries into shared pages (domain, frame, flags) at any time and from any vCPU; the hypervisor
 * believes an entry only at the moment of the first use, when it sets GTF_reading or GTF_writing by compare-exchange and
 * notes frame and user in an active entry of its own. Later uses of a used entry go by that note, never by what the page
 * says now (XSA-500). The mapper's side is the map-track: a handle a mapping. Each use holds a reference on the frame.
 * A domain's grant lock guards both of its halves; the two domains of an operation are locked one after the other, never
 * together. SPEC 10.                                                                                                 */
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"

/* ---- the table --------------------------------------------------------------------------------- */

int grant_init(struct domain *d, uint32_t max_frames, uint32_t max_maptrack)
{
    struct grant_table *t = kalloc(sizeof(*t));

    if (!t)
        return -XEN_ENOMEM;
    spin_init(&t->lock, LOCK_grant);
    t->max_frames = max_frames;
    t->max_track_pages = max_maptrack;
    d->grant = t;
    t->shared = kalloc((max_frames + 1) * sizeof(*t->shared));
    t->active = kalloc((max_frames + 1) * sizeof(*t->active));
    t->shared_mfn = kalloc((max_frames + 1) * sizeof(*t->shared_mfn));
    t->track = kalloc((max_maptrack + 1) * sizeof(*t->track));
    return t->shared && t->active && t->shared_mfn && t->track ? 0 : -XEN_ENOMEM;
}

/* One more frame; the lock is held. */
static int grow_by_one(struct domain *d, struct grant_table *t)
{
    struct grant_active *active = kalloc(ENTRIES_A_FRAME * sizeof(*active));
    void *page;
    int rc;

    if (!active)
        return -XEN_ENOMEM;
    rc = frame_alloc_shared(d, &page, &t->shared_mfn[t->nr_frames]);
    if (rc) {
        kfree(active);
        return rc;
    }
    t->active[t->nr_frames] = active;
    t->shared[t->nr_frames] = page;
    t->nr_active = ++t->nr_frames;
    return 0;
}

int grant_grow(struct domain *d, uint32_t n)
{
    struct grant_table *t = d->grant;
    int rc = 0;

    if (n > t->max_frames)
        return -XEN_EINVAL;
    spin_lock(&t->lock);
    while (!rc && t->nr_frames < n)
        rc = d->dying ? -XEN_ESRCH : grow_by_one(d, t);
    spin_unlock(&t->lock);
    return rc;
}

void grant_free_table(struct domain *d)
{
    struct grant_table *t = d->grant;
    uint32_t n;

    spin_lock(&t->lock);
    n = t->nr_frames;
    t->nr_frames = 0;
    spin_unlock(&t->lock);
    for (uint32_t i = 0; i < n; i++)
        frame_free_shared(d, t->shared_mfn[i]);
}

void grant_free(struct domain *d)
{
    struct grant_table *t = d->grant;

    if (!t)
        return;
    for (uint32_t i = 0; i < t->nr_active; i++)
        kfree(t->active[i]);
    for (uint32_t i = 0; i < t->nr_track_pages; i++)
        kfree(t->track[i]);
    kfree(t->shared);
    kfree(t->active);
    kfree(t->shared_mfn);
    kfree(t->track);
    kfree(t);
}

int grant_seed(struct domain *d, uint32_t ref, mfn_t m, domid_t to)
{
    struct grant_entry_v1 *e;
    int rc = grant_grow(d, ref / ENTRIES_A_FRAME + 1);

    if (rc)
        return rc;
    e = &d->grant->shared[ref / ENTRIES_A_FRAME][ref % ENTRIES_A_FRAME];
    e->frame = m.raw;
    e->domid = to;
    __atomic_store_n(&e->flags, GTF_permit_access, __ATOMIC_RELEASE);
    return 0;
}

/* ---- use of an entry --------------------------------------------------------------------------- */

#define PIN_TRIES 16                     /* a granter that keeps changing the entry is refused, not waited for */

/* Sets reading (and writing) in the entry if it lets `who` do that. Flags and domid are one 32-bit word. The lock is held. */
static inline int claim(struct grant_entry_v1 *e, domid_t who, bool write)
{
    const uint32_t of = 0xffff0000U | GTF_type_mask | GTF_sub_page | (write ? GTF_readonly : 0);
    uint32_t *word = (uint32_t *)e, seen = READ_ONCE(*word);

    for (unsigned i = 0; i < PIN_TRIES; i++) {
        if ((seen & of) != ((uint32_t)who << 16 | GTF_permit_access))
            return GNTST_general_error;
        if (atomic_cmpxchg(word, &seen, seen | GTF_reading | (write ? GTF_writing : 0)))
            return GNTST_okay;
    }
    return GNTST_general_error;
}

/* Takes back what no remaining use needs. The lock is held. */
static inline void unclaim(struct grant_table *t, grant_ref_t ref, const struct grant_active *a)
{
    uint16_t over = a->writers ? 0 : a->readers ? GTF_writing : GTF_writing | GTF_reading;

    if (over && ref / ENTRIES_A_FRAME < t->nr_frames)
        atomic_and(&t->shared[ref / ENTRIES_A_FRAME][ref % ENTRIES_A_FRAME].flags, ~over);
}

/* May `who` use what others, or he himself, use already? */
static __attribute__((noinline)) int claim_more(struct grant_entry_v1 *e, const struct grant_active *a, domid_t who, bool write)
{
    if (a->domid != who)
        return GNTST_general_error;
    if (a->readers == ~0U || a->writers == ~0U)
        return GNTST_no_space;
    return write && !a->writers ? claim(e, who, write) : GNTST_okay;
}

static inline __attribute__((always_inline)) int pin_locked(struct domain *rd, grant_ref_t ref, domid_t who, bool write, mfn_t *m)
{
    struct grant_table *t = rd->grant;
    uint32_t page = ref / ENTRIES_A_FRAME, i = ref % ENTRIES_A_FRAME;
    struct grant_entry_v1 *e;
    struct grant_active *a;
    int rc;

    if (page >= t->nr_frames)
        return GNTST_bad_gntref;
    e = &t->shared[page][i];
    a = &t->active[page][i];
    if (a->readers | a->writers) {
        rc = claim_more(e, a, who, write);
    } else {
        rc = claim(e, who, write);
        a->domid = who;                      /* meaningless while nobody uses it */
        a->mfn = READ_ONCE(e->frame);        /* after the claim: from now on the granter may not change it */
    }
    if (rc)
        return rc;
    if (write ? frame_get_typed(rd, gfn(a->mfn), FT_WRITABLE, m) : frame_get(rd, gfn(a->mfn), m)) {
        unclaim(t, ref, a);
        return GNTST_general_error;
    }
    if (write)
        a->writers++;
    else
        a->readers++;
    return GNTST_okay;
}

/* The count alone; the reference on the frame is the caller's to drop, without the lock if it is the last: what it frees must not be
 * freed under it. */
static inline void unpin_locked(struct grant_table *t, grant_ref_t ref, bool write)
{
    struct grant_active *a = &t->active[ref / ENTRIES_A_FRAME][ref % ENTRIES_A_FRAME];

    if (write)
        a->writers--;
    else
        a->readers--;
    unclaim(t, ref, a);
}

static inline void unref(mfn_t m, bool write)
{
    if (write)
        frame_put_typed(m);
    else
        frame_put(m);
}

void grant_pin_run(struct domain *rd, domid_t who, struct gnttab_map_grant_ref *op, unsigned n)
{
    mfn_t m;

    spin_lock(&rd->grant->lock);
    for (unsigned i = 0; i < n; i++) {
        op[i].status = rd->dying ? GNTST_bad_domain : pin_locked(rd, op[i].ref, who, !(op[i].flags & GNTMAP_readonly), &m);
        if (op[i].status == GNTST_okay)
            op[i].dev_bus_addr = m.raw << PAGE_SHIFT;
    }
    spin_unlock(&rd->grant->lock);
}

void grant_unpin_run(struct domain *rd, const struct grant_use *u, unsigned n)
{
    struct grant_table *t = rd->grant;
    uint32_t last = 0;

    _Static_assert(GRANT_RUN <= 32, "a bit for each");
    spin_lock(&t->lock);
    for (unsigned i = 0; i < n; i++) {
        unpin_locked(t, u[i].ref, u[i].write);
        if (!u[i].write || !frame_type_drop(frame_of(u[i].m)))
            last |= 1U << i;
    }
    spin_unlock(&t->lock);
    for (; last; last &= last - 1) {
        const struct grant_use *l = &u[__builtin_ctz(last)];
        unref(l->m, l->write);
    }
}

int grant_pin(struct domain *rd, grant_ref_t ref, domid_t who, bool write, mfn_t *m)
{
    int rc;

    spin_lock(&rd->grant->lock);
    rc = rd->dying ? GNTST_bad_domain : pin_locked(rd, ref, who, write, m);
    spin_unlock(&rd->grant->lock);
    return rc;
}

void grant_unpin(struct domain *rd, grant_ref_t ref, bool write, mfn_t m)
{
    spin_lock(&rd->grant->lock);
    unpin_locked(rd->grant, ref, write);
    spin_unlock(&rd->grant->lock);
    unref(m, write);
}

static bool swap_locked(struct grant_table *t, grant_ref_t ra, grant_ref_t rb)
{
    struct grant_entry_v1 *a = &t->shared[ra / ENTRIES_A_FRAME][ra % ENTRIES_A_FRAME], kept = *a;
    struct grant_entry_v1 *b = &t->shared[rb / ENTRIES_A_FRAME][rb % ENTRIES_A_FRAME];
    const struct grant_active *ua = &t->active[ra / ENTRIES_A_FRAME][ra % ENTRIES_A_FRAME];
    const struct grant_active *ub = &t->active[rb / ENTRIES_A_FRAME][rb % ENTRIES_A_FRAME];

    if (ua->readers || ua->writers || ub->readers || ub->writers)
        return false;
    *a = *b;
    *b = kept;
    return true;
}

int grant_swap(struct domain *d, grant_ref_t a, grant_ref_t b)
{
    struct grant_table *t = d->grant;
    int rc = GNTST_bad_gntref;

    spin_lock(&t->lock);
    if (a / ENTRIES_A_FRAME < t->nr_frames && b / ENTRIES_A_FRAME < t->nr_frames)
        rc = a == b || swap_locked(t, a, b) ? GNTST_okay : GNTST_eagain;
    spin_unlock(&t->lock);
    return rc;
}

/* ---- handles ----------------------------------------------------------------------------------- */

static inline struct grant_track *track_at(struct grant_table *t, uint32_t handle)
{
    return handle / TRACKS_A_PAGE < t->nr_track_pages ? &t->track[handle / TRACKS_A_PAGE][handle % TRACKS_A_PAGE] : NULL;
}

/* The lock is held. */
static bool add_track_page(struct grant_table *t)
{
    uint32_t first = t->nr_track_pages * TRACKS_A_PAGE;
    struct grant_track *page;

    if (t->nr_track_pages == t->max_track_pages)
        return false;
    page = kalloc(PAGE_SIZE);
    if (!page)
        return false;
    for (uint32_t i = 0; i < TRACKS_A_PAGE; i++)
        page[i].next = i + 1 < TRACKS_A_PAGE ? first + i + 2 : 0;
    t->track[t->nr_track_pages++] = page;
    t->free_track = first + 1;
    return true;
}

/* A free one, off the list; NULL: none left. The lock is held. */
static inline struct grant_track *track_new(struct grant_table *t, uint32_t *handle)
{
    struct grant_track *track;

    *handle = NO_HANDLE;
    if (!t->free_track && !add_track_page(t))
        return NULL;
    *handle = t->free_track - 1;
    track = track_at(t, *handle);
    t->free_track = track->next;
    return track;
}

uint32_t track_alloc(struct domain *d)
{
    struct grant_track *track;
    uint32_t handle;

    spin_lock(&d->grant->lock);
    track = track_new(d->grant, &handle);
    if (track)
        track->busy = true;
    spin_unlock(&d->grant->lock);
    return handle;
}

void track_add_run(struct domain *d, domid_t from, struct gnttab_map_grant_ref *op, unsigned n)
{
    struct grant_table *t = d->grant;

    spin_lock(&t->lock);
    for (struct gnttab_map_grant_ref *end = op + n; op < end; op++) {
        struct grant_track *track;
        if (op->status != GNTST_okay)
            continue;
        track = track_new(t, &op->handle);
        if (!track) {
            op->status = GNTST_no_device_space;
            continue;
        }
        track->mfn = op->dev_bus_addr >> PAGE_SHIFT;
        track->ref = op->ref;
        track->dom = from;
        track->writable = !(op->flags & GNTMAP_readonly);
        track->uses = GNTMAP_device_map;
    }
    spin_unlock(&t->lock);
}

unsigned track_end_run(struct domain *d, struct gnttab_unmap_grant_ref *op, unsigned n, struct grant_use *u, domid_t *from)
{
    struct grant_table *t = d->grant;
    struct gnttab_unmap_grant_ref *first = op, *end = op + n;
    uint32_t free;

    spin_lock(&t->lock);
    free = t->free_track;
    for (; op < end; op++, u++) {
        struct grant_track *track = track_at(t, op->handle);
        if (!track || track->busy || track->uses != GNTMAP_device_map || (op > first && track->dom != *from))
            break;
        if (!op->dev_bus_addr || op->dev_bus_addr >> PAGE_SHIFT != track->mfn)
            break;
        *from = track->dom;
        *u = (struct grant_use){ track->ref, track->writable, mfn(track->mfn) };
        track->uses = 0;
        track->next = free;
        free = op->handle + 1;
        op->status = GNTST_okay;
    }
    t->free_track = free;
    spin_unlock(&t->lock);
    return op - first;
}

void track_free(struct domain *d, uint32_t handle)
{
    struct grant_table *t = d->grant;

    spin_lock(&t->lock);
    *track_at(t, handle) = (struct grant_track){ .next = t->free_track };
    t->free_track = handle + 1;
    spin_unlock(&t->lock);
}

struct grant_track *track_take(struct domain *d, uint32_t handle)
{
    struct grant_table *t = d->grant;
    struct grant_track *track;

    spin_lock(&t->lock);
    track = track_at(t, handle);
    if (track && (!track->uses || track->busy))
        track = NULL;
    if (track)
        track->busy = true;
    spin_unlock(&t->lock);
    return track;
}

void track_release(struct domain *d, struct grant_track *track)
{
    spin_lock(&d->grant->lock);
    track->busy = false;
    spin_unlock(&d->grant->lock);
}

/* ---- teardown, audit, debug key ---------------------------------------------------------------- */

/* d does not run any more; its page tables, which hold references of their own, go later. */
int grant_release_mappings(struct domain *d)
{
    struct grant_table *t = d->grant;

    for (; d->destroy_cursor < t->nr_track_pages * TRACKS_A_PAGE; d->destroy_cursor++) {
        struct grant_track *track = track_at(t, d->destroy_cursor);
        struct domain *rd = track->uses ? domain_get(track->dom) : NULL;

        for (; rd && track->uses; track->uses &= track->uses - 1)
            grant_unpin(rd, track->ref, track->writable, mfn(track->mfn));
        if (rd)
            domain_put(rd);
        if (preempt_needed())
            return -XEN_ERESTART;
    }
    return 0;
}

/* All pCPUs are at rest. */
void grant_for_each_mapping(struct domain *d, void (*fn)(void *arg, mfn_t m, bool writable, unsigned count), void *arg)
{
    struct grant_table *t = d->grant;

    for (uint32_t h = 0; h < t->nr_track_pages * TRACKS_A_PAGE; h++) {
        const struct grant_track *track = track_at(t, h);
        if (track->uses)
            fn(arg, mfn(track->mfn), track->writable, (track->uses & 1) + (track->uses >> 1 & 1));
    }
}

void grant_dump(struct domain *d)
{
    struct grant_table *t = d->grant;

    if (!t)                              /* just being made */
        return;
    spin_lock(&t->lock);
    for (uint32_t ref = 0; ref < t->nr_frames * ENTRIES_A_FRAME; ref++) {
        const struct grant_active *a = &t->active[ref / ENTRIES_A_FRAME][ref % ENTRIES_A_FRAME];
        if (a->readers || a->writers)
            log_info("  d%u lends frame %lx by grant %u to d%u: %u read, %u write", d->id, a->mfn, ref, a->domid, a->readers,
                     a->writers);
    }
    spin_unlock(&t->lock);
}

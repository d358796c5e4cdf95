/* SPDX-License-Identifier: MIT */
/* frame_list.c: whose the frames are, from heap to heap.                                      [read 25]
 *
 * A frame of a domain is on the domain's list and holds FR_ALLOCATED, the reference of its owner. It goes
 * back to the heap when its last reference goes, whoever dropped it: a frame that dom0 still maps outlives
 * the domain's claim on it, and the domain stays dying until then (pitfalls A9). Frames that the hypervisor
 * made to share with a guest (frame_alloc_shared) belong to the domain, but stand on no list and count
 * against no limit. The list is circular, through the frame table.                                        */
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"

/* What frame_relinquish_all is at: d->relinquish_pass. */
enum { PASS_START, PASS_TYPES, PASS_RELEASE, PASS_DONE };

static void (*last_gone)(struct domain *d);

void frame_set_last_gone_op(void (*fn)(struct domain *d)) { last_gone = fn; }

/* ---- the list: page_lock held ------------------------------------------------------------------- */

static void list_append(struct domain *d, struct frame *f)
{
    uint32_t m = (uint32_t)frame_mfn(f).raw;

    if (d->page_list == FRAME_LIST_END) {
        f->next = f->prev = m;
        d->page_list = m;
        return;
    }
    struct frame *head = frame_of(mfn(d->page_list)), *tail = frame_of(mfn(head->prev));
    f->next = d->page_list;
    f->prev = head->prev;
    tail->next = m;
    head->prev = m;
}

static void list_unlink(struct domain *d, struct frame *f)
{
    uint32_t m = (uint32_t)frame_mfn(f).raw;

    if (f->next == m) {
        d->page_list = FRAME_LIST_END;
    } else {
        frame_of(mfn(f->next))->prev = f->prev;
        frame_of(mfn(f->prev))->next = f->next;
        if (d->page_list == m)
            d->page_list = f->next;
    }
    f->next = f->prev = FRAME_LIST_END;
}

/* ---- coming -------------------------------------------------------------------------------------- */

/* Frames are d's from the moment that .owner says so, so that is written last. */
static void give_to(struct domain *d, mfn_t m, uint64_t type_info, uint64_t refs)
{
    struct frame *f = frame_of(m);

    f->type_info = type_info;
    f->partial = 0;
    f->next = f->prev = FRAME_LIST_END;
    f->refs = refs;
    m2p_set(m, M2P_INVALID);
    atomic_store(&f->owner, d->id);
}

int frame_alloc(struct domain *d, unsigned order, unsigned max_addr_bits, mfn_t *m)
{
    uint64_t n = 1UL << order;
    int rc = -XEN_ENOMEM;

    if (d->tot_pages + n > d->max_pages || heap_take(order, max_addr_bits, m))
        return rc;
    spin_lock(&d->page_lock);
    if (d->dying)
        rc = -XEN_EINVAL;
    else if (d->tot_pages + n <= d->max_pages) {       /* again, now that nobody else can add to it */
        for (uint64_t i = 0; i < n; i++) {
            give_to(d, mfn(m->raw + i), FT_NONE, FR_ALLOCATED | 1);
            list_append(d, frame_of(mfn(m->raw + i)));
        }
        d->tot_pages += n;
        rc = 0;
    }
    spin_unlock(&d->page_lock);
    if (rc)
        heap_give(*m, order);
    return rc;
}

int frame_alloc_shared(struct domain *d, void **page, mfn_t *m)
{
    if (heap_take(0, 0, m))
        return -XEN_ENOMEM;
    spin_lock(&d->page_lock);
    give_to(d, *m, FT_SHARED | FT_VALIDATED | 1, FR_ALLOCATED | 2);    /* the owner's, and the type's (F1) */
    d->shared_pages++;
    spin_unlock(&d->page_lock);
    *page = mfn_to_virt(*m);
    return 0;
}

/* ---- going --------------------------------------------------------------------------------------- */

int frame_release(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    if (f->owner != d->id || f->next == FRAME_LIST_END || !(atomic_and(&f->refs, ~FR_ALLOCATED) & FR_ALLOCATED))
        return -XEN_EINVAL;
    frame_refs_put(f);
    return 0;
}

void frame_free_shared(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    BUG_ON(f->owner != d->id || f->next != FRAME_LIST_END);
    frame_put_typed(m);
    BUG_ON(!(atomic_and(&f->refs, ~FR_ALLOCATED) & FR_ALLOCATED));
    frame_refs_put(f);
}

/* Once: d has let go of its frames, and nobody holds one any more. page_lock held: behind it d may be no more. */
static void tell_if_gone(struct domain *d)
{
    if (d->relinquish_pass != PASS_DONE || d->tot_pages + d->shared_pages || d->last_gone_told)
        return;
    d->last_gone_told = true;
    last_gone(d);
}

void frame_last_put(struct frame *f)
{
    struct domain *d = domains_by_id[f->owner];
    mfn_t m = frame_mfn(f);

    BUG_ON((f->refs & FR_ALLOCATED) || (f->type_info & FT_COUNT));
    frame_stamp(f);                                    /* stale read-only entries of its owner, before heap_take reads it */
    m2p_set(m, M2P_INVALID);
    spin_lock(&d->page_lock);
    if (f->next == FRAME_LIST_END) {
        d->shared_pages--;
    } else {
        list_unlink(d, f);
        d->tot_pages--;
    }
    heap_give(m, 0);
    tell_if_gone(d);
    spin_unlock(&d->page_lock);
}

/* ---- exchange ------------------------------------------------------------------------------------ */

bool frame_steal(struct domain *d, gfn_t g)
{
    uint64_t only_us = FR_ALLOCATED | 2;               /* the owner's, and the one taken here, which keeps the frame d's */
    mfn_t m;

    if (frame_get(d, g, &m))
        return false;
    if (atomic_cmpxchg(&frame_of(m)->refs, &only_us, 0))
        return true;
    frame_put(m);
    return false;
}

void frame_unsteal(struct domain *d, mfn_t m)
{
    atomic_store(&frame_of(m)->refs, FR_ALLOCATED | 1);
    if (d->dying)
        frame_release(d, m);                           /* teardown may have passed it by meanwhile */
}

int frame_swap(struct domain *d, const uint64_t *old, uint64_t n_old, unsigned old_order, const uint64_t *new, uint64_t n_new,
               unsigned new_order)
{
    bool dying;

    spin_lock(&d->page_lock);
    dying = d->dying;
    for (uint64_t i = 0; i < n_old << old_order; i++) {
        struct frame *f = frame_of(mfn(old[i >> old_order] + (i & ((1UL << old_order) - 1))));
        frame_stamp(f);
        m2p_set(frame_mfn(f), M2P_INVALID);
        list_unlink(d, f);
        heap_give(frame_mfn(f), 0);
        d->tot_pages--;
    }
    for (uint64_t i = 0; i < n_new << new_order; i++) {
        mfn_t m = mfn(new[i >> new_order] + (i & ((1UL << new_order) - 1)));
        if (dying) {
            heap_give(m, 0);
            continue;
        }
        give_to(d, m, FT_NONE, FR_ALLOCATED | 1);
        list_append(d, frame_of(m));
        d->tot_pages++;
    }
    tell_if_gone(d);
    spin_unlock(&d->page_lock);
    return dying ? -XEN_EINVAL : 0;
}

/* ---- a domain's end ------------------------------------------------------------------------------ */

/* The frame whose turn it is, with a reference, moved to the list's end; NULL: the pass is over. */
static struct frame *next_in_pass(struct domain *d)
{
    struct frame *f = NULL;

    spin_lock(&d->page_lock);
    while (d->relinquish_left && d->page_list != FRAME_LIST_END && !f) {
        f = frame_of(mfn(d->page_list));
        d->page_list = f->next;                        /* circular: the head becomes the tail */
        d->relinquish_left--;
        if (!frame_refs_get(f))
            f = NULL;                                  /* its last reference goes just now */
    }
    spin_unlock(&d->page_lock);
    return f;
}

/* The frame's pin, and an interrupted validation that nobody came back to, are d's to give up. */
static int drop_own_types(struct frame *f)
{
    mfn_t m = frame_mfn(f);
    uint64_t x = READ_ONCE(f->type_info);
    bool self = (x & FT_SELF) && (atomic_and(&f->type_info, ~FT_SELF) & FT_SELF);

    if ((self && frame_put_typed_preemptible(m)) || (frame_unpin(m) && frame_put_typed_preemptible(m))) {
        /* The reference is ours still, and is the frame's own until our next turn: never a pin's again, since dom0 may have pinned the
         * table meanwhile, by a reference of its own. */
        atomic_or(&f->type_info, FT_SELF);
        return -XEN_ERESTART;
    }
    return 0;
}

/* One frame of the pass under way. */
static int relinquish_one(struct domain *d, struct frame *f)
{
    int rc = 0;

    if (d->relinquish_pass == PASS_TYPES)
        rc = drop_own_types(f);
    else
        frame_release(d, frame_mfn(f));                /* -EINVAL: given up before, others hold it */
    if (rc) {                                          /* the tail becomes the head again: its turn is not over */
        spin_lock(&d->page_lock);
        d->page_list = (uint32_t)frame_mfn(f).raw;
        d->relinquish_left++;
        spin_unlock(&d->page_lock);
    }
    frame_refs_put(f);
    return rc;
}

static void pass_begin(struct domain *d, uint32_t pass)
{
    spin_lock(&d->page_lock);
    d->relinquish_pass = pass;
    d->relinquish_left = d->tot_pages;
    spin_unlock(&d->page_lock);
}

int frame_relinquish_all(struct domain *d)
{
    unsigned done = 0;

    while (d->relinquish_pass != PASS_DONE) {
        struct frame *f = next_in_pass(d);
        if (!f) {
            pass_begin(d, d->relinquish_pass + 1);
            continue;
        }
        bool table = READ_ONCE(f->type_info) & (FT_PINNED | FT_SELF);      /* a whole table's entries are given back */
        if (relinquish_one(d, f) || ((++done % 64 == 0 || table) && preempt_needed()))
            return -XEN_ERESTART;
    }
    if (mm_finish_deferred(current))
        return -XEN_ERESTART;
    spin_lock(&d->page_lock);
    tell_if_gone(d);
    spin_unlock(&d->page_lock);
    return 0;
}

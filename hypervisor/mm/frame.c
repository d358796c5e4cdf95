/* SPDX-License-Identifier: MIT */
/* frame.c: a frame's types, from the first reference to the last.                             [read 24]
 *
 * All isolation rests on one rule: a frame is never writable by a guest and in use as a page table or
 * descriptor table at once. A frame therefore has a type and a count of those who rely on it, and this file
 * is where a type begins (the frame is validated, after stale TLB entries are flushed) and where it ends
 * (what the table held is given back, and the frame is stamped). frame.h holds the steady case and the life
 * of a table type in a drawing; pagetable.c and descriptor.c know what the tables contain; frame_list.c
 * knows whose the frames are. SPEC 5.4.                                                                  */
#include "hypervisor/mm/frame.h"

#include "hypervisor/lib/print.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/pagetable.h"

static bool is_plain(uint64_t type) { return type == FT_WRITABLE || type == FT_SHARED; }
static bool is_table(uint64_t type) { return type >= FT_L1 && type <= FT_L4; }

/* A frame without type references, whose type_info was `before`, has had a life as another type. */
static bool type_changes(uint64_t before, uint64_t type)
{
    return (before & FT_TYPE) != type && (before & FT_TYPE) != FT_NONE;
}

const char *frame_type_name(uint64_t type)
{
    static const char *const name[] = { "untyped", "L1 table", "L2 table", "L3 table", "L4 table", "descriptor table",
                                        "writable page", "shared page" };
    uint64_t i = (type & FT_TYPE) >> 60;
    return i < 8 ? name[i] : "?";
}

/* ---- the first reference ------------------------------------------------------------------------ */

/* F2: entries that some pCPU holds from the frame's life as another type go before it begins the next. The new reference
 * is held already, so that nobody can have a third life begin and end in between, but not yet validated, so that nobody
 * shares it before the flush is done: by a writable mapping, in what was a table, and to some pCPU still is (XSA-401). */
static void flush_for_new_type(struct domain *d, const struct frame *f)
{
    uint64_t mask = frame_stale_pcpus(f, atomic_load(&d->dirty_pcpus));

    if (mask)
        frame_flush_pcpus(mask);
}

/* Clears and sets flags of f, and adds to its count, in one step. */
static void type_flags(struct frame *f, uint64_t clear, uint64_t set, int64_t count)
{
    uint64_t x = READ_ONCE(f->type_info);
    while (!atomic_cmpxchg(&f->type_info, &x, ((x & ~clear) | set) + (uint64_t)count))
        ;
}

/* The only reference on f, which is being (un)validated by us, ends: f has its type no longer. */
static void type_end(struct frame *f)
{
    frame_stamp(f);
    BUG_ON((READ_ONCE(f->type_info) & (FT_COUNT | FT_VALIDATED | FT_PARTIAL)) != 1);
    type_flags(f, FT_SELF | FT_PINNED, 0, -1);
    frame_refs_put(f);                     /* F1: the one that the type held */
}

/* Our validation of f was interrupted: leaves its state to whoever comes next, and lets go of it. */
static void validation_park(struct frame *f)
{
    uint64_t x = READ_ONCE(f->type_info), new;
    do {
        new = (x & FT_COUNT) == 1 ? x | FT_PARTIAL | FT_SELF : (x - 1) | FT_PARTIAL;
    } while (!atomic_cmpxchg(&f->type_info, &x, new));
}

/* Our validation of f failed at entry f->partial. The references before it are given back, unless others hold the
 * table: then they are theirs to give back. */
static void validation_undo(mfn_t m)
{
    struct frame *f = frame_of(m);
    uint64_t x = READ_ONCE(f->type_info);

    current->refused_entry = f->partial;
    while ((x & FT_COUNT) > 1)
        if (atomic_cmpxchg(&f->type_info, &x, (x - 1) | FT_PARTIAL))
            return;
    if (!f->partial) {
        type_end(f);
        return;
    }
    type_flags(f, 0, FT_PARTIAL, 0);       /* as a put that was interrupted: the reference is ours */
    frame_put_typed_deferred(m);
}

static int type_validate(struct domain *d, mfn_t m, uint64_t type)
{
    struct frame *f = frame_of(m);
    int rc = type == FT_DESC ? descriptor_validate_frame(m) : table_validate(d, m, type);

    if (rc == 0)
        type_flags(f, 0, FT_VALIDATED, 0);
    else if (rc == -XEN_ERESTART)
        validation_park(f);
    else
        validation_undo(m);
    return rc;
}

/* From no reference of any type to the first of this one; the caller's general reference becomes the type's (F1). */
static int type_begin(struct domain *d, mfn_t m, uint64_t type, uint64_t before)
{
    struct frame *f = frame_of(m);

    f->partial = 0;
    if (type_changes(before, type))
        flush_for_new_type(d, f);
    if (!is_plain(type))
        return type_validate(d, m, type);
    if (type_changes(before, type))
        type_flags(f, 0, FT_VALIDATED, 0);
    return 0;
}

int frame_type_take(struct domain *d, mfn_t m, uint64_t type)
{
    struct frame *f = frame_of(m);
    uint64_t x = READ_ONCE(f->type_info);

    for (;;) {
        uint64_t new;

        if (!(x & FT_COUNT)) {
            new = type | 1 | (is_plain(type) && !type_changes(x, type) ? FT_VALIDATED : 0);
            if (atomic_cmpxchg(&f->type_info, &x, new))
                return type_begin(d, m, type, x);
        } else if ((x & FT_TYPE) != type) {
            if (type != FT_WRITABLE || (x & FT_TYPE) != FT_SHARED)
                break;
            type = FT_SHARED;                                     /* data both of ours and of the guest's */
        } else if (((x + 1) & FT_COUNT) == 0) {
            break;
        } else if (x & FT_VALIDATED) {
            if (atomic_cmpxchg(&f->type_info, &x, x + 1)) {
                frame_refs_put(f);
                return 0;
            }
        } else if (x & FT_PARTIAL) {
            new = x & FT_SELF ? x & ~(FT_PARTIAL | FT_SELF) : (x & ~FT_PARTIAL) + 1;
            if (atomic_cmpxchg(&f->type_info, &x, new)) {         /* ours to finish */
                frame_refs_put(f);
                return type_validate(d, m, type);
            }
        } else {
            spin_relax();                                         /* another pCPU is at it */
            x = READ_ONCE(f->type_info);
        }
    }
    frame_refs_put(f);
    return -XEN_EINVAL;
}

int frame_get_typed_slow(struct domain *d, gfn_t g, uint64_t type, mfn_t *m)
{
    int rc = frame_get(d, g, m);

    return rc ? rc : frame_type_take(d, *m, type);
}

/* ---- the last reference ------------------------------------------------------------------------- */

/* We took f out of service, and hold the one reference: gives back what its entries hold. */
static int type_unvalidate(struct frame *f, uint64_t type, bool preemptible)
{
    if (is_table(type)) {
        struct domain *d = domains_by_id[f->owner];
        int rc = table_unvalidate(d, frame_mfn(f), type, preemptible);
        if (rc) {
            type_flags(f, 0, FT_PARTIAL, 0);                      /* F4 holds for entries 0..partial-1 */
            return rc;
        }
    }
    type_end(f);
    return 0;
}

static int put_typed(mfn_t m, bool preemptible)
{
    struct frame *f = frame_of(m);
    uint64_t x = READ_ONCE(f->type_info);

    for (;;) {
        uint64_t type = x & FT_TYPE;

        BUG_ON(!(x & FT_COUNT));
        if ((x & FT_COUNT) > 1) {
            if (atomic_cmpxchg(&f->type_info, &x, x - 1))
                return 0;
        } else if (is_plain(type)) {
            if (frame_plain_end(f, x)) {
                frame_refs_put(f);
                return 0;
            }
            x = READ_ONCE(f->type_info);
        } else {
            BUG_ON(!(x & (FT_VALIDATED | FT_PARTIAL)) || (x & FT_SELF));
            if (atomic_cmpxchg(&f->type_info, &x, x & ~(FT_VALIDATED | FT_PARTIAL))) {
                if (x & FT_VALIDATED)
                    f->partial = 512;
                return type_unvalidate(f, type, preemptible);
            }
        }
    }
}

void frame_put_typed_slow(mfn_t m)              { put_typed(m, false); }
int  frame_put_typed_preemptible(mfn_t m)       { return put_typed(m, true); }

int mm_finish_deferred_slow(struct vcpu *v)
{
    for (unsigned i = DEFERRED_PUTS; i-- > 0; v->deferred_put[i] = mfn(0))
        if (v->deferred_put[i].raw && put_typed(v->deferred_put[i], true))
            return -XEN_ERESTART;
    return 0;
}

/* A validation that fails is undone at each level that it had reached: L2, L3 and L4 may wait at once, or the lower two and a table
 * whose lock was its last reference. Never more: whoever may add to the list begins with an empty one. */
void frame_put_typed_deferred(mfn_t m)
{
    struct vcpu *v = current;
    unsigned i = 0;

    if (!put_typed(m, true))
        return;
    while (v->deferred_put[i].raw)
        BUG_ON(++i == DEFERRED_PUTS);
    v->deferred_put[i] = m;
}

/* ---- pins --------------------------------------------------------------------------------------- */

bool frame_pin(mfn_t m)
{
    return !(atomic_or(&frame_of(m)->type_info, FT_PINNED) & FT_PINNED);
}

bool frame_unpin(mfn_t m)
{
    return atomic_and(&frame_of(m)->type_info, ~FT_PINNED) & FT_PINNED;
}

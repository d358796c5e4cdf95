/* SPDX-License-Identifier: MIT */
/* audit.c: every count of the frame table, recomputed from what it counts.                    [read 34]
 *
 * All pCPUs are stopped. Then each thing that holds a reference is visited: entries of validated tables (of
 * half-validated ones the valid half), roots, pins, descriptor windows, registered vcpu_info pages, grant
 * mappings, put-off work, the owner's own; and what was found is compared with what the frame says. A
 * difference names the frame, its owner and its type, and is a bug of the hypervisor's: a guest can be as
 * hostile as it likes, these numbers must agree. A frame that nobody has, but that is not free either, is
 * lost, and a leak. Invariants F1 to F4 stand in model.h.                                                */
#include "hypervisor/core/grant.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pte.h"
#include "hypervisor/x86/smpcall.h"

/* What was found, a word a frame: general references above, type references below. In pages, so that no large block is needed. */
struct found { uint32_t refs, types; };
#define PER_BLOCK (PAGE_SIZE / sizeof(struct found))
#define TRIES     6
#define PATIENCE  20000                    /* turns of waiting between two tries */
#define NAMED     20                       /* differences that are printed; the rest are counted */

static struct {
    struct found **block;
    unsigned order;                        /* of the array of blocks */
    uint64_t blocks;
    uint32_t arrived;                      /* pCPUs that stand still */
    uint32_t over;
    bool quiet;                            /* not the last try */
    struct audit_result *result;
} audit;

/* ---- counting -------------------------------------------------------------------------------------------- */

static struct found *found_of(uint64_t m) { return &audit.block[m / PER_BLOCK][m % PER_BLOCK]; }

static void add(uint64_t m, bool type)
{
    if (m >= max_mfn)
        return;
    if (type)
        found_of(m)->types++;
    else
        found_of(m)->refs++;
}

static void count_table(const struct frame *f)
{
    uint64_t x = f->type_info, type = x & FT_TYPE;
    const uint64_t *t = table_of(frame_mfn(f));
    unsigned n = x & FT_VALIDATED ? 512 : x & FT_PARTIAL ? f->partial : 0;

    if (type < FT_L1 || type > FT_L4 || !(x & FT_COUNT))
        return;
    for (unsigned i = 0; i < n; i++)
        if ((t[i] & PTE_P) && !(type == FT_L4 && slot_is_ours(i)))
            add(pte_mfn(t[i]), type != FT_L1 || (t[i] & PTE_RW));
}

static void count_frames(void)
{
    for (uint64_t m = 0; m < max_mfn; m++) {
        const struct frame *f = frame_of(mfn(m));
        uint64_t x = f->type_info;

        if (f->owner >= MAX_DOMAINS)
            continue;
        count_table(f);
        if (f->refs & FR_ALLOCATED)
            add(m, false);
        if (x & FT_COUNT)
            add(m, false);                             /* F1 */
        if (x & FT_PINNED)
            add(m, true);
        if (x & FT_SELF)
            add(m, true);
        if ((x & FT_TYPE) == FT_SHARED && (f->refs & FR_ALLOCATED) && f->next == FRAME_LIST_END)
            add(m, true);                              /* the hypervisor's own use of it */
    }
}

static void count_vcpu(struct vcpu *v)
{
    const mfn_t held[] = { v->guest_root, v->guest_user_root, v->info_mfn };
    const uint64_t *window = v->domain->perdomain_l1[v->id / 16];

    for (unsigned i = 0; i < 3; i++)
        if (held[i].raw)
            add(held[i].raw, true);
    for (unsigned i = 0; i < DEFERRED_PUTS; i++)
        if (v->deferred_put[i].raw)
            add(v->deferred_put[i].raw, true);
    for (unsigned i = 0; i < 14; i++)
        if (v->gdt_frames[i].raw)
            add(v->gdt_frames[i].raw, true);
    for (unsigned page = 16; window && page < 32; page++)
        if (window[v->id % 16 * 32 + page] & PTE_P)
            add(pte_mfn(window[v->id % 16 * 32 + page]), true);
}

static void count_grant(void *arg, mfn_t m, bool writable, unsigned count)
{
    while (count-- > 0)
        add(m.raw, writable);
}

static void count_domain(struct domain *d)
{
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        if (d->vcpu[i])
            count_vcpu(d->vcpu[i]);
    if (d->console_ring.raw)
        add(d->console_ring.raw, true);
    if (d->grant)
        grant_for_each_mapping(d, count_grant, NULL);
}

/* ---- comparing ------------------------------------------------------------------------------------------- */

static bool named(void)
{
    return audit.result->differences++ < NAMED && !audit.quiet;
}

static void compare_frame(uint64_t m)
{
    const struct frame *f = frame_of(mfn(m));
    const struct found *n = found_of(m);
    uint64_t refs = f->refs & FR_COUNT, types = f->type_info & FT_COUNT;

    if ((refs != n->refs || types != n->types) && named())
        log_err("audit: frame 0x%lx of d%u (%s, flags 0x%lx): says %lu references and %lu as its type, found %u and %u", m, f->owner,
                frame_type_name(f->type_info), f->type_info >> 55 & 31, refs, types, n->refs, n->types);
    if (!refs && named())
        log_err("audit: frame 0x%lx belongs to d%u, but nobody holds it", m, f->owner);
}

static void compare_domain(struct domain *d, const uint64_t *owned)
{
    if (owned[d->id] != d->tot_pages + d->shared_pages && named())
        log_err("audit: d%u has %lu frames, but says %lu and %lu shared", d->id, owned[d->id], d->tot_pages, d->shared_pages);
}

static void compare_all(void)
{
    static uint64_t owned[MAX_DOMAINS];
    uint64_t nobodys = 0, orphans = 0;

    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        owned[i] = 0;
    for (uint64_t m = 0; m < max_mfn; m++) {
        const struct frame *f = frame_of(mfn(m));
        audit.result->frames += f->owner != OWNER_IO;
        if (f->owner == OWNER_NONE) {
            nobodys++;
        } else if (f->owner < MAX_DOMAINS) {
            owned[f->owner]++;
            orphans += !domains_by_id[f->owner];
            compare_frame(m);
        }
    }
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (domains_by_id[i])
            compare_domain(domains_by_id[i], owned);
    audit.result->lost = orphans + (nobodys > heap_free_frames() ? nobodys - heap_free_frames() : 0);
    if (nobodys != heap_free_frames() && named())
        log_err("audit: %lu frames belong to nobody, the heap has %lu", nobodys, heap_free_frames());
}

static void recount(void)
{
    count_frames();
    for (unsigned i = 0; i < MAX_DOMAINS; i++)
        if (domains_by_id[i])
            count_domain(domains_by_id[i]);
    compare_all();
}

/* ---- the machine at rest --------------------------------------------------------------------------------- */

/* On every pCPU: the asking one counts, once the others stand still. */
static void stand_still(void *arg)
{
    if (arg != this_pcpu()) {
        atomic_add(&audit.arrived, 1U);
        while (!atomic_load(&audit.over))
            spin_relax();
        return;
    }
    uint32_t others = 0;
    for (uint32_t i = 0; i < nr_pcpus; i++)
        others += pcpus[i] && pcpus[i] != arg && pcpus[i]->online;
    while (atomic_load(&audit.arrived) < others)
        spin_relax();
    recount();
    atomic_store(&audit.over, 1U);
}

static void blocks_free(void)
{
    for (uint64_t i = 0; i < audit.blocks; i++)
        heap_free(audit.block[i], 0);
    heap_free(audit.block, audit.order);
}

static void blocks_clear(void)
{
    for (uint64_t i = 0; i < audit.blocks; i++)
        memset(audit.block[i], 0, PAGE_SIZE);
}

static bool blocks_alloc(void)
{
    uint64_t n = (max_mfn + PER_BLOCK - 1) / PER_BLOCK;

    audit.blocks = 0;
    audit.order = 0;
    while ((PAGE_SIZE << audit.order) < n * sizeof(audit.block[0]))
        audit.order++;
    audit.block = heap_alloc(audit.order);
    if (!audit.block)
        return false;
    for (; audit.blocks < n; audit.blocks++) {
        audit.block[audit.blocks] = heap_alloc(0);
        if (!audit.block[audit.blocks]) {
            blocks_free();
            return false;
        }
    }
    return true;
}

void frame_audit(struct audit_result *r)
{
    static struct spinlock one = SPINLOCK_INIT(domctl);

    *r = (struct audit_result){ 0 };
    if (!spin_trylock(&one))
        return;                                        /* another pCPU is at it */
    if (!blocks_alloc()) {
        log_warn("audit: not enough free memory to count in; nothing was checked");
        spin_unlock(&one);
        return;
    }
    audit.result = r;
    for (unsigned tries = TRIES; tries-- > 0;) {       /* a pCPU may have been stopped in the midst of a hypercall: it moves on */
        *r = (struct audit_result){ 0 };
        audit.arrived = audit.over = 0;
        audit.quiet = tries != 0;
        blocks_clear();
        smp_call(~0UL, stand_still, this_pcpu());
        if (!r->differences && !r->lost)
            break;
        for (unsigned i = 0; i < PATIENCE; i++)
            spin_relax();
    }
    blocks_free();
    spin_unlock(&one);
}

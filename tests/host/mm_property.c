/* SPDX-License-Identifier: MIT */
/* mm_property.c: nothing that a guest asks for breaks a frame invariant.
 *
 * Claim (SPEC 5.4, F1 to F4): after any sequence of page-table, descriptor and memory hypercalls by several domains, with any
 * of them interrupted and continued at any point, each count of the frame table equals what it counts; no frame is a page
 * table or descriptor table while a mapping or a TLB entry lets a guest write it; no frame that left a domain is writable by
 * it through a TLB entry; and a domain that is destroyed at any moment gives every frame back. A failure here is a hole in
 * the isolation of domains, or a leak.
 *
 * Sequences are random but repeat exactly: `mm_property [seed [steps [2]]]`, 2 for two pCPUs, whose timing does not.                                              */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hypercall-abi/mm.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"
#include "hypervisor/core/grant.h"
#include "tests/host/mm_property.h"

#define PAGES    28                    /* of a domain at first: few, so that requests collide */

struct domain *dom[DOMAINS];
static struct vcpu *vc[DOMAINS][2];
static uint64_t shared[DOMAINS];       /* a page like shared_info */
static uint64_t step_number, current_seed;
static struct { uint64_t trees, entries, stores, tables, tlb; } seen;   /* that the test does try something */

void fail(const char *what, uint64_t m)
{
    fprintf(stderr, "seed %lu step %lu: %s (frame 0x%lx)\n", current_seed, step_number, what, m);
    exit(1);
}

/* ---- what must hold ---- */

static void check_counts(void)
{
    struct audit_result r;

    frame_audit(&r);
    if (r.differences || r.lost) {
        fprintf(stderr, "%s\n", host_log);
        fail("the audit differs", r.differences);
    }
    check_grants();
}

/* F3 and the flush rule, judged by the TLB model. */
static void check_tlb(const struct domain *running)
{
    /* Else an entry may be going just now: the loan ends only after all have flushed. One that dies runs no more, and its loans end
     * before its tables (looked at last: it may begin to die meanwhile). */
    bool exact = nr_pcpus == 1;

    for (uint64_t m = 0; m < END; m++) {
        const struct frame *f = frame_of(mfn(m));
        uint64_t x = READ_ONCE(f->type_info), type = x & FT_TYPE;

        domid_t owner = READ_ONCE(f->owner);
        bool others = owner < DOMAINS && owner != running->id && !running->privileged;
        if (host_tlb_readable[m] && others && !(exact ? maps(running, m) : lent(running, m, false)) && !READ_ONCE(running->dying))
            fail("readable through the TLB by a domain that lost it", m);
        if (!host_tlb_writable[m] || f->owner == OWNER_IO)
            continue;
        seen.tlb++;
        /* while a table is being validated its flush may be under way: it is done when the table is valid */
        if ((x & FT_COUNT) && (x & FT_VALIDATED) && type != FT_WRITABLE && type != FT_SHARED)
            fail("writable through the TLB while it is a table", m);
        if (others && !(exact ? maps_writable(running, m) : lent(running, m, true)) && !READ_ONCE(running->dying))
            fail("writable through the TLB by a domain that lost it", m);
    }
}

/* ---- what is tried ---- */

/* A frame of d's for which fn is true, or any, or none: looked for without a lock, as a guest guesses. */
static uint64_t own_frame(const struct domain *d, bool (*fn)(const struct frame *f))
{
    uint64_t other = FIRST;

    for (uint64_t i = 0, from = FIRST + rnd(END - FIRST); i < END - FIRST; i++) {
        uint64_t m = FIRST + (from + i) % (END - FIRST);
        if (frame_of(mfn(m))->owner != d->id)
            continue;
        if (fn(frame_of(mfn(m))))
            return m;
        other = m;
    }
    return other;
}

static bool any_frame(const struct frame *f) { (void)f; return true; }
static bool is_idle(const struct frame *f) { return f->refs == (FR_ALLOCATED | 1); }

uint64_t some_frame(struct domain *d)
{
    unsigned dice = rnd(20);

    if (dice == 0)
        return FIRST + rnd((unsigned)(END - FIRST));
    if (dice == 1)
        return rnd(2) ? ~0UL >> rnd(30) : 0xf0000 + rnd(16);
    if (dice == 2)
        d = dom[rnd(DOMAINS)];
    if (rnd(16) == 0)
        return shared[d->id];
    return own_frame(d, any_frame);
}

uint64_t idle_frame(struct domain *d)
{
    return own_frame(d, is_idle);
}

static uint64_t some_entry(struct domain *d)
{
    static const uint64_t bits[] = { PTE_RW, PTE_RW, PTE_U, PTE_A, PTE_D, PTE_NX, PTE_G, PTE_PWT, PTE_PCD, PTE_PS, 1UL << 9, 1UL << 55 };
    uint64_t e = some_frame(d) << PAGE_SHIFT;

    if (rnd(5) == 0)
        return 0;
    if (rnd(12))
        e |= PTE_P;
    for (unsigned i = rnd(4); i > 0; i--)
        e |= bits[rnd(rnd(4) ? 6 : 12)];
    return e;
}

uint64_t some_slot(void)
{
    return rnd(8) ? rnd(2) : rnd(512);           /* the same few slots, so that trees grow */
}

uint64_t some_va(void)
{
    return some_slot() << 39 | some_slot() << 30 | some_slot() << 21 | some_slot() << 12;
}

/* A frame of d's that is of this type (0: any) now and has this flag, or any. */
static _Thread_local uint64_t wanted_type, wanted_flag;
static bool is_wanted(const struct frame *f)
{
    uint64_t x = f->type_info;
    return (x & FT_COUNT) && (!wanted_type || (x & FT_TYPE) == wanted_type) && (x & wanted_flag) == wanted_flag;
}
uint64_t typed_frame(struct domain *d, uint64_t type, uint64_t flag)
{
    wanted_type = type;
    wanted_flag = flag;
    return own_frame(d, is_wanted);
}

/* A change that a sensible guest might make. */
static struct mmu_update sensible_update(struct domain *d)
{
    uint64_t type = FT_L1 * (rnd(2) ? 1 : 1 + rnd(4)), table = typed_frame(d, type, 0), e;

    if (type == FT_L1)
        e = (rnd(3) ? idle_frame(d) : typed_frame(d, FT_WRITABLE, 0)) << PAGE_SHIFT | PTE_P | (rnd(3) ? PTE_RW : 0);
    else
        e = (rnd(3) ? typed_frame(d, type - FT_L1, 0) : idle_frame(d)) << PAGE_SHIFT | PTE_P | PTE_RW;
    return (struct mmu_update){ table << PAGE_SHIFT | some_slot() * 8 | (rnd(4) ? 0 : MMU_PT_UPDATE_PRESERVE_AD), rnd(4) ? e : 0 };
}

static domid_t some_domid(void)
{
    static const domid_t ids[] = { DOMID_SELF, DOMID_SELF, DOMID_SELF, 0, 1, 2, DOMID_IO, DOMID_XEN, 77 };
    return ids[rnd(sizeof(ids) / sizeof(ids[0]))];
}

static void try_mmu_update(struct vcpu *v)
{
    struct mmu_update req[20];
    unsigned n = 1 + rnd(20);
    uint32_t done = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t table = i && rnd(2) ? req[i - 1].ptr & PAGE_MASK : some_frame(v->domain) << PAGE_SHIFT;
        req[i] = (struct mmu_update){ table | some_slot() * 8 | (rnd(4) ? 0 : rnd(8)), some_entry(v->domain) };
        if (rnd(20))
            req[i] = sensible_update(v->domain);
    }
    uint64_t domid = rnd(3) ? DOMID_SELF : some_domid();
    if (rnd(10) == 0) {                                /* another's tables, for another's own frames */
        domid = rnd(4);
        domid |= (domid + 1) << 16;
    }
    bool tell = rnd(2);
    host_hypercall(v, __HYPERVISOR_mmu_update, (uint64_t)req, n, tell ? (uint64_t)&done : 0, domid);
    seen.entries += tell ? done : 0;
}

static void try_mmuext(struct vcpu *v)
{
    static const uint32_t cmds[] = { MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE, MMUEXT_PIN_L4_TABLE, MMUEXT_PIN_L4_TABLE,
                                     MMUEXT_UNPIN_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_UNPIN_TABLE,
                                     MMUEXT_UNPIN_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_NEW_BASEPTR, MMUEXT_NEW_USER_BASEPTR,
                                     MMUEXT_CLEAR_PAGE, MMUEXT_COPY_PAGE, MMUEXT_TLB_FLUSH_LOCAL, MMUEXT_TLB_FLUSH_ALL,
                                     MMUEXT_SET_LDT, MMUEXT_MARK_SUPER };
    struct mmuext_op op[3];
    unsigned n = 1 + rnd(3);

    for (unsigned i = 0; i < n; i++) {
        op[i].cmd = rnd(30) ? cmds[rnd(sizeof(cmds) / sizeof(cmds[0]))] : rnd(40);
        op[i].arg1.mfn = some_frame(v->domain);
        op[i].arg2.src_mfn = some_frame(v->domain);
        if (op[i].cmd == MMUEXT_UNPIN_TABLE && rnd(8))
            op[i].arg1.mfn = typed_frame(v->domain, 0, FT_PINNED);
        else if (op[i].cmd <= MMUEXT_PIN_L4_TABLE && rnd(4))
            op[i].arg1.mfn = typed_frame(v->domain, FT_L1 * (op[i].cmd + 1UL), 0);
        if (op[i].cmd == MMUEXT_SET_LDT) {
            op[i].arg1.linear_addr = (some_slot() << 39 | some_slot() << 30 | some_slot() << 21 | some_slot() << 12);
            op[i].arg2.nr_ents = rnd(1200);
        }
        if (op[i].cmd == MMUEXT_TLB_FLUSH_MULTI || op[i].cmd == MMUEXT_INVLPG_MULTI)
            op[i].cmd = MMUEXT_TLB_FLUSH_LOCAL;  /* its mask would be read from a wild address of this program */
    }
    host_hypercall(v, __HYPERVISOR_mmuext_op, (uint64_t)op, n, 0, rnd(5) ? DOMID_SELF : some_domid());
}

static void try_va(struct vcpu *v)
{
    uint64_t flags = rnd(4) < 3 ? rnd(3) : UVMF_ALL | rnd(3);

    if (rnd(3))
        host_hypercall(v, __HYPERVISOR_update_va_mapping, some_va(), some_entry(v->domain), flags, 0);
    else
        host_hypercall(v, __HYPERVISOR_update_va_mapping_otherdomain, some_va(), some_entry(v->domain), flags, some_domid());
}

static void try_store(struct vcpu *v)
{
    unsigned size = 1U << rnd(4);
    uint64_t va = some_va() + some_slot() * 8, was = 0, expected;

    if (!v->guest_root.raw)
        return;
    host_hypercall(v, __HYPERVISOR_update_va_mapping, va, typed_frame(v->domain, FT_L1, 0) << PAGE_SHIFT | PTE_P, UVMF_INVLPG, 0);
    va += size == 8 ? 0 : rnd(8 / size) * size;
    if (table_emulate_store(v, va, size, 0, 0, &was) == -XEN_EINVAL)
        return;
    expected = rnd(8) ? was : was ^ 1;
    seen.stores += !table_emulate_store(v, va, size, expected, rnd(2) ? some_entry(v->domain) : idle_frame(v->domain) << PAGE_SHIFT | PTE_P | PTE_RW,
                                        &was);
}

static void try_descriptors(struct vcpu *v)
{
    uint64_t frames[3] = { some_frame(v->domain), some_frame(v->domain), some_frame(v->domain) };

    switch (rnd(3)) {
    case 0:
        seen.tables += !host_hypercall(v, __HYPERVISOR_set_gdt, (uint64_t)frames, rnd(3 * 512), 0, 0);
        break;
    case 1:
        host_hypercall(v, __HYPERVISOR_update_descriptor, some_frame(v->domain) << 12 | some_slot() * 8,
                       rnd(2) ? 0x00cf9a000000ffff : some_entry(v->domain), 0, 0);
        break;
    default:
        if (v->guest_root.raw)
            ldt_fault(v, (uint64_t)rnd(3) << 12);
    }
}

static void try_memory(struct vcpu *v)
{
    uint64_t list[4], out[4];
    struct xen_memory_reservation r = { .extent_start = (uint64_t)list, .nr_extents = 1 + rnd(3), .domid = rnd(4) ? DOMID_SELF : some_domid(),
                                        .extent_order = rnd(4) ? 0 : rnd(3) };
    static const unsigned ops[] = { XENMEM_increase_reservation, XENMEM_decrease_reservation, XENMEM_populate_physmap, XENMEM_exchange };
    unsigned op = ops[rnd(4)];

    for (unsigned i = 0; i < 4; i++) {
        list[i] = some_frame(v->domain);
        out[i] = rnd(64);
    }
    if (op != XENMEM_exchange) {
        host_hypercall(v, __HYPERVISOR_memory_op, op, (uint64_t)&r, 0, 0);
        return;
    }
    struct xen_memory_exchange x = { .in = r, .out = r, .nr_exchanged = 0 };
    x.out.extent_start = (uint64_t)out;
    x.in.nr_extents = 2;
    x.in.extent_order = 0;
    x.out.extent_order = rnd(2);
    x.out.nr_extents = x.out.extent_order ? 1 : 2;
    host_hypercall(v, __HYPERVISOR_memory_op, op, (uint64_t)&x, 0, 0);
}

/* A whole small address space at once: random requests alone seldom build one. */
static void try_tree(struct vcpu *v)
{
    uint64_t m[4], data = idle_frame(v->domain);
    struct mmu_update req[3];
    struct mmuext_op op = { .cmd = MMUEXT_PIN_L4_TABLE };

    for (unsigned i = 0; i < 4; i++) {
        m[i] = idle_frame(v->domain);
        if (m[i] >= END || frame_of(mfn(m[i]))->owner != v->domain->id)
            return;
        struct mmuext_op clear = { .cmd = MMUEXT_CLEAR_PAGE, .arg1.mfn = m[i] };
        host_hypercall(v, __HYPERVISOR_mmuext_op, (uint64_t)&clear, 1, 0, DOMID_SELF);
    }
    for (unsigned i = 0; i < 3; i++)
        req[i] = (struct mmu_update){ m[i] << 12 | some_slot() * 8, m[i + 1] << 12 | PTE_P | PTE_RW | PTE_U };
    host_hypercall(v, __HYPERVISOR_mmu_update, (uint64_t)req, 3, 0, DOMID_SELF);
    struct mmu_update leaf = { m[3] << 12 | some_slot() * 8, data << 12 | PTE_P | (rnd(2) ? PTE_RW : 0) };
    host_hypercall(v, __HYPERVISOR_mmu_update, (uint64_t)&leaf, 1, 0, DOMID_SELF);
    op.arg1.mfn = m[0];
    if (host_hypercall(v, __HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, DOMID_SELF))
        return;
    op.cmd = rnd(4) ? MMUEXT_NEW_BASEPTR : MMUEXT_NEW_USER_BASEPTR;
    seen.trees += !host_hypercall(v, __HYPERVISOR_mmuext_op, (uint64_t)&op, 1, 0, DOMID_SELF);
}

/* ---- births and deaths ---- */

static void born(unsigned i)
{
    mfn_t m;

    dom[i] = host_domain((domid_t)i, i == 0, PAGES + 8);
    for (unsigned k = 0; k < 2; k++)
        vc[i][k] = host_vcpu(dom[i], k);
    void *page;
    if (frame_alloc_shared(dom[i], &page, &m))
        fail("no memory for a shared page", 0);
    shared[i] = m.raw;
    if (grant_grow(dom[i], 1))
        fail("no memory for a grant table", 0);
    for (unsigned k = 0; k < PAGES; k++)
        if (frame_alloc(dom[i], 0, 0, &m))
            fail("no memory for a domain that had it before", 0);
}

static void dump_frames(const struct domain *d)
{
    for (uint64_t m = 0; m < END; m++) {
        const struct frame *f = frame_of(mfn(m));
        if (f->owner == d->id)
            fprintf(stderr, "  frame 0x%lx refs 0x%lx type 0x%lx (%s) partial %u\n", m, f->refs, f->type_info,
                    frame_type_name(f->type_info), f->partial);
    }
}

/* The second pCPU, while it idles, looks at what every domain lends. */
static pthread_mutex_t looking = PTHREAD_MUTEX_INITIALIZER;

static void destroyed(unsigned i)
{
    static bool ending[DOMAINS];
    struct domain *d = dom[i];
    uint64_t gone = host_last_gone;

    host_run(NULL);
    d->dying = DOMAIN_DYING;
    while (grant_release_mappings(d))
        ;
    for (unsigned k = 0; k < 2; k++) {
        while (root_drop(vc[i][k]))
            ;
        gdt_drop(vc[i][k]);
        ldt_drop(vc[i][k]);
    }
    grant_free_table(d);
    frame_free_shared(d, mfn(shared[i]));
    while (frame_relinquish_all(d))
        ;
    for (unsigned k = 0; k < DOMAINS; k++)           /* what others put off may hold frames of d's */
        for (unsigned n = 0; k != i && dom[k] && n < 2; n++)
            while (mm_finish_deferred(vc[k][n]))
                ;
    ending[i] = true;
    for (unsigned k = 0; k < DOMAINS; k++)             /* others map some: their end frees them */
        if (d->tot_pages + d->shared_pages && dom[k] && !ending[k])
            destroyed(k), born(k);
    ending[i] = false;
    if (d->tot_pages + d->shared_pages || host_last_gone == gone)
        dump_frames(d), fail("a destroyed domain keeps frames", d->tot_pages);
    pthread_mutex_lock(&looking);
    host_domain_free(d);
    dom[i] = NULL;
    pthread_mutex_unlock(&looking);
}

static void step_of(struct vcpu *v)
{
    static void (*const tries[])(struct vcpu *v) = { try_mmu_update, try_mmu_update, try_mmu_update, try_mmuext, try_mmuext, try_va, try_va,
                                                     try_store, try_tree, try_descriptors, try_memory, try_tree, try_grants, try_grants,
                                                     try_grants };

    if (v != host_current || !host_pcpu->loaded)
        host_run(v);
    host_preempt_one_in = rnd(3) ? 3 : 0;
    if (rnd(2))
        host_tlb_fill();
    tries[rnd(sizeof(tries) / sizeof(tries[0]))](v);
    check_tlb(v->domain);
    host_tlb_fill();
    check_tlb(v->domain);
    host_preempt_one_in = 0;
}

static void one_step(unsigned cpu)
{
    static _Thread_local struct vcpu *v;

    if (!host_pcpu->loaded || host_pcpu->lazy || rnd(12) == 0)    /* a switch flushes: seldom, or nothing stale would be left to find */
        v = vc[rnd(DOMAINS)][nr_pcpus > 1 ? cpu : rnd(2)];
    step_of(v);
}

/* One domain's end and a new one's beginning; nobody else does anything meanwhile. */
static void one_death(void)
{
    unsigned i = rnd(DOMAINS);

    host_preempt_one_in = 2;
    destroyed(i);
    host_preempt_one_in = 0;
    check_counts();
    born(i);
}

static void everybody_dies(uint64_t free_at_first)
{
    for (unsigned i = DOMAINS; i-- > 0;)
        destroyed(i);
    if (heap_free_frames() != free_at_first)
        fail("frames are lost at the end", free_at_first - heap_free_frames());
}

static uint64_t begin(uint64_t seed)
{
    uint64_t free_at_first;

    current_seed = seed;
    host_boot(FIRST, END);
    host_seed(seed);
    free_at_first = heap_free_frames();
    for (unsigned i = 0; i < DOMAINS; i++)
        born(i);
    return free_at_first;
}

static void run(uint64_t seed, uint64_t steps)
{
    uint64_t free_at_first = begin(seed);

    for (step_number = 0; step_number < steps; step_number++) {
        one_step(0);
        check_counts();
        if (rnd(200) == 0)
            one_death();
    }
    everybody_dies(free_at_first);
}

/* ---- two pCPUs ---- */

#define ROUND 40                       /* steps of each pCPU between two counts */
static uint32_t round_open, second_done, second_left;

static void *second_pcpu(void *arg)
{
    host_pcpu_start(1);
    host_seed((uint64_t)arg + 1000003);
    atomic_store(&second_done, 1U);
    for (;;) {
        while (atomic_load(&second_done) || !atomic_load(&round_open)) {
            if (atomic_load(&second_left))
                return NULL;
            host_tlb_fill();                           /* an idle processor still walks the tables that its CR3 names */
            pthread_mutex_lock(&looking);
            if (host_pcpu->lazy)
                check_tlb(host_pcpu->lazy->domain);
            pthread_mutex_unlock(&looking);
            spin_relax();
        }
        for (unsigned i = 0; i < ROUND; i++) {
            one_step(1);
            host_serve();
        }
        if (rnd(4))
            host_rest();
        else
            host_run(NULL);                            /* its vCPUs may be destroyed now, or run on the first */
        atomic_store(&second_done, 1U);
    }
}

static void run_two(uint64_t seed, uint64_t rounds)
{
    uint64_t free_at_first = begin(seed);
    pthread_t thread;

    if (pthread_create(&thread, NULL, second_pcpu, (void *)seed))
        fail("no second thread", 0);
    while (!atomic_load(&second_done))
        spin_relax();
    for (step_number = 0; step_number < rounds; step_number++) {
        atomic_store(&second_done, 0U);
        atomic_store(&round_open, 1U);
        for (unsigned i = 0; i < ROUND; i++) {
            one_step(0);
            host_serve();
        }
        while (!atomic_load(&second_done))
            spin_relax();
        atomic_store(&round_open, 0U);
        for (unsigned i = rnd(2) ? rnd(ROUND) : 0, k = rnd(DOMAINS); i > 0; i--)
            step_of(vc[k][1]);
        host_run(NULL);
        check_counts();
        if (rnd(10) == 0)
            one_death();
    }
    everybody_dies(free_at_first);
    atomic_store(&second_left, 1U);
    pthread_join(thread, NULL);
}

/* Runs fn in a process of its own: a machine boots once. */
static bool in_process(void (*fn)(uint64_t seed, uint64_t n), uint64_t seed, uint64_t n)
{
    pid_t child = fork();
    int status;

    if (!child) {
        alarm(300);                                    /* two pCPUs that wait for each other */
        fn(seed, n);
        _exit(0);
    }
    return waitpid(child, &status, 0) == child && !status;
}

int main(int argc, char **argv)
{
    uint64_t seed = argc > 1 ? strtoul(argv[1], NULL, 0) : 0, n = argc > 2 ? strtoul(argv[2], NULL, 0) : 0;

    if (seed) {
        host_verbose = argc > 4;
        (argc > 3 && argv[3][0] == '2' ? run_two : run)(seed, n ? n : 3000);
        printf("%lu grants mapped, %lu ended, %lu copied, %lu foreign entries\n", grants_mapped, grants_ended, grants_copied, foreign_entries);
        printf("%lu trees entered, %lu entries changed, %lu stores, %lu descriptor tables, %lu writable through the TLB, a step\n",
               seen.trees, seen.entries, seen.stores, seen.tables, seen.tlb / step_number);
        return 0;
    }
    for (uint64_t s = 1; s <= 30; s++)
        if (!in_process(run, s, 3000))
            return 1;
    for (uint64_t s = 1; s <= 6; s++)
        if (!in_process(run_two, s, 100))
            return 1;
    printf("mm_property: every frame accounted for\n");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* mm_shim.c: the machine under hypervisor/mm in the host's unit tests. See mm_shim.h. */
#include <stdio.h>
#include <stdlib.h>
#include <sched.h>
#include <string.h>

#include "hypervisor/core/domain.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"
#include "hypervisor/x86/cpu.h"
#include "hypervisor/x86/desc.h"

_Thread_local struct vcpu *host_current;
_Thread_local struct pcpu *host_pcpu;
struct frame host_frames[HOST_FRAMES];
uint8_t host_memory[HOST_FRAMES * PAGE_SIZE] __attribute__((aligned(4096)));
struct pcpu *pcpus[MAX_PCPUS];
uint32_t nr_pcpus;
struct domain *domains_by_id[MAX_DOMAINS];
struct cpu_features cpu_features = { .phys_bits = 40 };
uint64_t max_mfn, max_pa;
mfn_t idle_root;
uint64_t *m2p_table;
uint64_t m2p_frames;
uint32_t tlb_epoch_now = 1;
_Thread_local unsigned host_preempt_one_in;
_Thread_local void (*host_preempt_hook)(void);
_Thread_local void (*host_flush_hook)(void);
_Thread_local void (*host_epoch_hook)(void);
_Thread_local struct host_flushed host_flushed;
_Thread_local struct host_again host_again;
_Thread_local bool *host_tlb_writable, *host_tlb_readable;
_Thread_local char host_log[512];
bool host_verbose;
uint64_t host_last_gone;

static _Thread_local uint64_t cr3, seed = 1;
static struct vcpu idle_vcpu[HOST_PCPUS];
static struct pcpu pcpu_of[HOST_PCPUS];
static bool tlb_of[HOST_PCPUS][2][HOST_FRAMES];
static struct domain idle_dom = { .id = DOMID_IDLE };

void host_seed(uint64_t s) { seed = s * 2 + 1; }

uint32_t (*host_random_op)(void);
uint32_t host_random(void)
{
    if (host_random_op)
        return host_random_op();
    seed = seed * 6364136223846793005UL + 1442695040888963407UL;
    return (uint32_t)(seed >> 33);
}

/* ---- the TLB ---- */

uint64_t host_read_cr3(void) { return cr3; }

static void run_once(void (**hook)(void))
{
    void (*fn)(void) = *hook;

    *hook = NULL;
    if (fn)
        fn();
}

void host_write_cr3(uint64_t v)
{
    run_once(&host_flush_hook);
    cr3 = v;
    host_flushed.cr3++;
    memset(host_tlb_writable, 0, HOST_FRAMES);
    memset(host_tlb_readable, 0, HOST_FRAMES);
}

/* The model is by frame: keeping more is the harder test. */
void host_invlpg(uint64_t va) { host_flushed.invlpg++; host_flushed.va = va; }
void host_wbinvd(void) { host_flushed.cache++; }

static void fill_below(uint64_t table, int level, uint64_t writable)
{
    static _Thread_local uint8_t been[HOST_FRAMES];    /* bit 0: through read-only entries, bit 1: not, on this walk */
    const uint64_t *t = mfn_to_virt(mfn(table));

    if (level == 4)
        memset(been, 0, sizeof(been));
    if (been[table] >> !!writable & 1)
        return;
    been[table] |= 1 << !!writable;

    for (unsigned i = 0; i < 512; i++) {
        if (!(t[i] & PTE_P) || (level == 4 && slot_is_ours(i)) || pte_mfn(t[i]) >= HOST_FRAMES)
            continue;
        if (level > 1)
            fill_below(pte_mfn(t[i]), level - 1, writable & t[i]);
        else {
            host_tlb_readable[pte_mfn(t[i])] = true;
            host_tlb_writable[pte_mfn(t[i])] |= !!(writable & t[i] & PTE_RW);
        }
    }
}

void host_tlb_fill(void)
{
    if (cr3 && host_pcpu->loaded)
        fill_below(cr3 >> PAGE_SHIFT, 4, PTE_RW);
}

uint32_t host_tlb_epoch(void)
{
    uint32_t epoch = atomic_load(&tlb_epoch_now);

    run_once(&host_epoch_hook);
    return epoch;
}

uint32_t tlb_epoch_advance(void) { return atomic_add(&tlb_epoch_now, 1U) + 1; }

void flush_tlb_this(void)
{
    uint32_t seen = tlb_epoch();
    host_write_cr3(cr3);
    atomic_store(&host_pcpu->flushed_epoch, seen);
}

/* ---- pCPUs and what they ask of one another ---- */

void host_serve(void)
{
    struct pcpu *p = host_pcpu;
    uint32_t ticket = atomic_load(&p->flush_request);

    if (ticket != p->flush_done) {
        flush_tlb_this();
        atomic_store(&p->flush_done, ticket);
    }
    if (atomic_load(&p->call.busy) == 1) {
        atomic_store(&p->call.busy, 2U);
        p->call.fn(p->call.arg);
        atomic_store(&p->call.done, 1U);
    }
}

void spin_relax(void)
{
    host_serve();
    sched_yield();
}

void smp_flush_tlb(uint64_t mask)
{
    uint32_t ticket[HOST_PCPUS] = { 0 };

    host_flushed.smp_tlb++;
    host_flushed.mask = mask;
    tlb_epoch_advance();
    for (unsigned i = 0; i < nr_pcpus; i++)
        if ((mask >> i & 1) && i != host_pcpu->id)
            ticket[i] = atomic_add(&pcpus[i]->flush_request, 1U) + 1;
    if (mask >> host_pcpu->id & 1)
        flush_tlb_this();
    for (unsigned i = 0; i < nr_pcpus; i++)
        while (ticket[i] && (int32_t)(atomic_load(&pcpus[i]->flush_done) - ticket[i]) < 0)
            spin_relax();
}

void smp_invlpg(uint64_t mask, uint64_t va)
{
    host_flushed.smp_invlpg++;
    host_flushed.mask = mask;
    host_flushed.va = va;
}

void smp_call(uint64_t mask, void (*fn)(void *arg), void *arg)
{
    for (unsigned i = 0; i < nr_pcpus; i++)
        if ((mask >> i & 1) && i != host_pcpu->id) {
            uint32_t idle = 0;
            while (!atomic_cmpxchg(&pcpus[i]->call.busy, &idle, 9U)) {
                idle = 0;
                spin_relax();
            }
            pcpus[i]->call.fn = fn;
            pcpus[i]->call.arg = arg;
            pcpus[i]->call.done = 0;
            atomic_store(&pcpus[i]->call.busy, 1U);
        }
    if (mask >> host_pcpu->id & 1)
        fn(arg);
    for (unsigned i = 0; i < nr_pcpus; i++)
        if ((mask >> i & 1) && i != host_pcpu->id) {
            while (!atomic_load(&pcpus[i]->call.done))
                spin_relax();
            atomic_store(&pcpus[i]->call.busy, 0U);
        }
}

/* ---- locks ---- */

void spin_init(struct spinlock *l, enum lock_rank rank) { memset(l, 0, sizeof(*l)); l->rank = (uint8_t)rank; }

bool spin_trylock(struct spinlock *l)
{
    uint16_t free = 0;
    return atomic_cmpxchg(&l->owner, &free, (uint16_t)1);
}

void spin_lock(struct spinlock *l)
{
    while (!spin_trylock(l))
        spin_relax();
}

void spin_unlock(struct spinlock *l) { BUG_ON(!l->owner); atomic_store(&l->owner, (uint16_t)0); }

/* ---- lib, core, x86 ---- */

static void log_line(const char *fmt, va_list ap)
{
    hv_vsnprintf(host_log, sizeof(host_log), fmt, ap);
    if (host_verbose)
        fprintf(stderr, "  %s\n", host_log);
}

#define LOG_BODY va_list ap; va_start(ap, fmt); log_line(fmt, ap); va_end(ap)
void log_at(enum log_level level, const char *fmt, ...) { (void)level; LOG_BODY; }
void log_guest(unsigned domid, enum log_level level, const char *fmt, ...) { (void)domid, (void)level; LOG_BODY; }
void panic(const char *fmt, ...) { LOG_BODY; fprintf(stderr, "panic: %s\n", host_log); abort(); }

void bug(const char *file, int line, const char *what)
{
    fprintf(stderr, "BUG %s:%d: %s\n", file, line, what);
    abort();
}

bool preempt_needed(void)
{
    if (host_preempt_hook)
        host_preempt_hook();
    return host_preempt_one_in && host_random() % host_preempt_one_in == 0;
}

long hypercall_continue(struct vcpu *v, unsigned nr, unsigned nargs, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    (void)v;
    host_again = (struct host_again){ nr, nargs, { a0, a1, a2, a3, a4 } };
    return HOST_AGAIN;
}

static long call(struct vcpu *v, unsigned nr, const uint64_t *a)
{
    switch (nr) {
    case __HYPERVISOR_mmu_update: return hc_mmu_update(v, gva(a[0]), a[1], gva(a[2]), a[3]);
    case __HYPERVISOR_mmuext_op: return hc_mmuext_op(v, gva(a[0]), a[1], gva(a[2]), a[3]);
    case __HYPERVISOR_update_va_mapping: return hc_update_va_mapping(v, a[0], a[1], a[2]);
    case __HYPERVISOR_update_va_mapping_otherdomain: return hc_update_va_mapping_otherdomain(v, a[0], a[1], a[2], a[3]);
    case __HYPERVISOR_memory_op: return hc_memory_op(v, a[0], gva(a[1]));
    case __HYPERVISOR_set_gdt: return hc_set_gdt(v, gva(a[0]), a[1]);
    case __HYPERVISOR_update_descriptor: return hc_update_descriptor(v, a[0], a[1]);
    case __HYPERVISOR_grant_table_op: return hc_grant_table_op(v, a[0], gva(a[1]), a[2]);
    default: abort();
    }
}

long host_hypercall(struct vcpu *v, unsigned nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
    uint64_t a[5] = { a0, a1, a2, a3, 0 };
    long rc;

    for (unsigned turns = 0; (rc = call(v, nr, a)) == HOST_AGAIN; turns++) {
        BUG_ON(turns > 200000);                       /* a continuation that gets nowhere */
        nr = host_again.nr;
        memcpy(a, host_again.a, sizeof(a));
    }
    return rc;
}

uint64_t desc_hv_gdt_mfn(const struct pcpu *p) { (void)p; return idle_root.raw; }
void desc_use_window(uint64_t va) { host_flushed.gdt = va; }
void desc_use_own(struct pcpu *p) { (void)p; }
void desc_load_ldt(struct pcpu *p, uint64_t va, uint32_t entries)
{
    (void)p;
    host_flushed.ldt_loads++;
    host_flushed.ldt = va;
    host_flushed.ldt_entries = entries;
}

/* ---- hypmap ---- */

void hypmap_fill_root(struct domain *d, uint64_t *l4)
{
    (void)d;
    for (unsigned i = HV_FIRST_SLOT; i <= HV_LAST_SLOT; i++)
        l4[i] = 0xdead000 | PTE_P;
}

void perdomain_set(struct vcpu *v, unsigned page, uint64_t pte)
{
    v->domain->perdomain_l1[v->id / 16][v->id % 16 * 32 + page] = pte;
}

/* ---- domains ---- */

struct domain *domain_get(domid_t id)
{
    struct domain *d = id < MAX_DOMAINS ? domains_by_id[id] : NULL;

    if (d)
        atomic_add(&d->refs, 1);
    return d;
}

void domain_put(struct domain *d) { BUG_ON(!atomic_sub(&d->refs, 1)); }

/* One page is nobody's, and one to be read only. */
static bool iomem_allowed(struct domain *d, uint64_t m, bool write)
{
    return d->has_devices && m != 0xfee00 && !(write && m == 0xfee01);
}

static void last_gone(struct domain *d) { (void)d; host_last_gone++; }

void host_pcpu_start(unsigned id)
{
    host_pcpu = &pcpu_of[id];
    memset(host_pcpu, 0, sizeof(*host_pcpu));
    host_pcpu->id = id;
    host_pcpu->online = 1;
    host_tlb_writable = tlb_of[id][0];
    host_tlb_readable = tlb_of[id][1];
    idle_vcpu[id] = (struct vcpu){ .domain = &idle_dom, .is_idle = true };
    host_current = &idle_vcpu[id];
    host_write_cr3(idle_root.raw << PAGE_SHIFT);
    pcpus[id] = host_pcpu;
    if (nr_pcpus <= id)
        nr_pcpus = id + 1;
}

/* A vCPU's registers are one number, which counts how often it was run: r15 is what was saved, r14 what should have been. */
static _Thread_local uint64_t cpu_register;

static void save(struct vcpu *v)
{
    v->regs.r15 = cpu_register;
}

void host_boot(uint64_t first, uint64_t end)
{
    static uint64_t m2p_words[HOST_FRAMES + 512] __attribute__((aligned(4096)));

    memset(host_frames, 0, sizeof(host_frames));
    memset(domains_by_id, 0, sizeof(domains_by_id));
    memset(host_memory, 0xa5, sizeof(host_memory));
    host_pcpu_start(0);
    m2p_table = m2p_words;
    m2p_frames = 0;
    max_mfn = end;
    max_pa = end << PAGE_SHIFT;
    heap_add_range(first, end);
    heap_init();
    idle_root = virt_to_mfn(heap_alloc(0));
    host_write_cr3(idle_root.raw << PAGE_SHIFT);
    mm_set_foreign_op(domain_get, domain_put);
    mm_set_iomem_op(iomem_allowed);
    frame_set_last_gone_op(last_gone);
    root_set_save_op(save);
    host_last_gone = 0;
    host_preempt_one_in = 0;
}

struct domain *host_domain(domid_t id, bool privileged, uint64_t max_pages)
{
    struct domain *d = calloc(1, sizeof(*d));

    d->id = id;
    d->privileged = d->has_devices = privileged;
    d->max_pages = max_pages;
    d->page_list = FRAME_LIST_END;
    d->refused_pte_bits = privileged ? 0 : PTE_PWT | PTE_PCD | PTE_PAT;
    snprintf(d->name, sizeof(d->name), "d%u", id);
    spin_init(&d->page_lock, LOCK_pages);
    spin_init(&d->lock, LOCK_domain);
    d->perdomain_l1[0] = calloc(1, PAGE_SIZE);
    d->perdomain_l1[1] = calloc(1, PAGE_SIZE);
    domains_by_id[id] = d;
    BUG_ON(grant_init(d, HOST_GRANT_FRAMES, HOST_TRACK_PAGES));
    return d;
}

struct vcpu *host_vcpu(struct domain *d, unsigned id)
{
    struct vcpu *v = calloc(1, sizeof(*v));

    v->domain = d;
    v->id = id;
    v->in_kernel = true;
    d->vcpu[id] = v;
    return v;
}

void host_domain_free(struct domain *d)
{
    BUG_ON(d->refs);                                  /* somebody forgot to put it */
    grant_free_table(d);                              /* of tests that bury nobody */
    grant_free(d);
    domains_by_id[d->id] = NULL;
    for (unsigned i = 0; i < MAX_VCPUS; i++)
        free(d->vcpu[i]);
    free(d->perdomain_l1[0]);
    free(d->perdomain_l1[1]);
    free(d);
}

void host_run(struct vcpu *v)
{
    struct vcpu *from = host_current != &idle_vcpu[host_pcpu->id] ? host_current : NULL;

    if (v && v != from && host_pcpu->lazy != v)
        root_evict(v);
    if (!from && v && host_pcpu->lazy != v)
        from = host_pcpu->lazy;
    if (from)
        save(from);
    host_current = v ? v : &idle_vcpu[host_pcpu->id];
    if (!v) {
        root_load_idle();
        return;
    }
    if (host_pcpu->lazy == v) {
        host_pcpu->lazy = NULL;
    } else {
        v->last_pcpu = host_pcpu->id;
        root_load(v);
        cpu_register = v->regs.r15;
    }
    BUG_ON(cpu_register != v->regs.r14);              /* it runs on with registers of long ago, or another's */
    v->regs.r14 = ++cpu_register;
}

/* As guest/switch.c: idle, and all of the last vCPU's still loaded. */
void host_rest(void)
{
    if (host_current != &idle_vcpu[host_pcpu->id])
        host_pcpu->lazy = host_current;
    host_current = &idle_vcpu[host_pcpu->id];
}

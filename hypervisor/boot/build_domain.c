/* SPDX-License-Identifier: MIT */
/* build_domain.c: a domain's start of day.                                                        [read 84]
 *
 * Everything that can be wrong with the image is found before the domain exists (elf.c, layout.c); what follows can
 * only run out of memory. The builder writes page tables as plain memory, through the direct map, while no frame has a
 * type yet; vcpu_set_context() then validates them like any guest's. SPEC 3.                                       */
#include "hypervisor/boot/build_domain.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/io/console.h"
#include "hypervisor/boot/elf.h"
#include "hypervisor/boot/layout.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/x86/hypercall_page.h"
#include "hypervisor/x86/insn.h"

/* All that the steps share. */
struct build {
    const struct domain_plan *plan;
    struct elf_image elf;
    struct layout l;
    struct domain *d;
    uint64_t **p2m;                /* p2m[i]: the guest's i-th frame of the list, in the direct map */
    uint64_t next_table;           /* PFN of the next free one of l.tables, or l.p2m_tables */
};

#define ENTRIES 512
#define CONSOLE_GRANT 0
#define STORE_GRANT   1

static mfn_t mfn_of(const struct build *b, uint64_t pfn)
{
    return mfn(b->p2m[pfn / ENTRIES][pfn % ENTRIES]);
}

static void *page_of(const struct build *b, uint64_t pfn) { return mfn_to_virt(mfn_of(b, pfn)); }

static uint64_t va_of(const struct build *b, uint64_t pfn) { return b->l.virt_base + (pfn << PAGE_SHIFT); }

static bool within(uint64_t pfn, uint64_t first, uint64_t n) { return pfn >= first && pfn - first < n; }

/* ---- memory ---- */

static void enter(struct build *b, uint64_t pfn, mfn_t m)
{
    b->p2m[pfn / ENTRIES][pfn % ENTRIES] = m.raw;
    m2p_set(m, pfn);
}

/* The P2M list comes first, since it says where everything else is. */
static int alloc_p2m(struct build *b)
{
    mfn_t m;

    b->p2m = kalloc(b->l.nr_p2m * sizeof(*b->p2m));
    if (!b->p2m)
        return -XEN_ENOMEM;
    for (uint64_t i = 0; i < b->l.nr_p2m; i++) {
        if (frame_alloc(b->d, 0, 0, &m))
            return -XEN_ENOMEM;
        b->p2m[i] = mfn_to_virt(m);
    }
    for (uint64_t i = 0; i < b->l.nr_p2m; i++)
        enter(b, b->l.p2m + i, virt_to_mfn(b->p2m[i]));
    return 0;
}

/* Frames for PFNs [pfn, end), in pieces as large as there are. */
static int alloc_run(struct build *b, uint64_t pfn, uint64_t end)
{
    unsigned order = 9;
    mfn_t m;

    while (pfn < end) {
        while (order && (1UL << order) > end - pfn)
            order--;
        if (frame_alloc(b->d, order, 0, &m)) {
            if (!order--)
                return -XEN_ENOMEM;
            continue;
        }
        for (uint64_t i = 0; i < 1UL << order; i++)
            enter(b, pfn++, mfn(m.raw + i));
    }
    return 0;
}

static int alloc_memory(struct build *b)
{
    int rc = alloc_p2m(b);

    if (!rc)
        rc = alloc_run(b, 0, b->l.p2m);
    if (!rc)
        rc = alloc_run(b, b->l.p2m + b->l.nr_p2m, b->plan->frames);
    return rc;
}

/* ---- contents ---- */

/* n bytes to virtual address va of the guest; the layout says that they fit. */
static void copy_in(struct build *b, uint64_t va, const uint8_t *src, uint64_t n)
{
    uint64_t at = va - b->l.virt_base;

    while (n) {
        uint64_t in_page = at & ~PAGE_MASK, piece = PAGE_SIZE - in_page;
        if (piece > n)
            piece = n;
        memcpy((uint8_t *)page_of(b, at >> PAGE_SHIFT) + in_page, src, piece);
        at += piece;
        src += piece;
        n -= piece;
    }
}

static void load_images(struct build *b)
{
    for (uint32_t i = 0; i < b->elf.nr_segments; i++) {
        const struct elf_segment *s = &b->elf.segment[i];
        copy_in(b, s->virt, (const uint8_t *)b->plan->kernel + s->offset, s->file_size);
    }
    copy_in(b, va_of(b, b->l.ramdisk), b->plan->ramdisk, b->plan->ramdisk_size);
    if (b->elf.hypercall_page != ELF_UNSET)
        hypercall_page_fill(page_of(b, (b->elf.hypercall_page - b->l.virt_base) >> PAGE_SHIFT));
}

static void fill_start_info(struct build *b)
{
    struct start_info *si = page_of(b, b->l.start_info);

    strlcpy(si->magic, "xen-3.0-x86_64", sizeof(si->magic));
    si->nr_pages = b->plan->frames;
    si->shared_info = b->d->shared_info_mfn.raw << PAGE_SHIFT;
    si->pt_base = va_of(b, b->l.tables);
    si->nr_pt_frames = b->l.nr_tables;
    si->mfn_list = b->l.p2m_virt;
    if (b->l.p2m_apart) {
        si->first_p2m_pfn = b->l.p2m;
        si->nr_p2m_frames = b->l.nr_p2m + b->l.nr_p2m_tables;
    }
    if (b->plan->ramdisk_size) {
        si->mod_start = va_of(b, b->l.ramdisk);
        si->mod_len = b->plan->ramdisk_size;
    }
    strlcpy(si->cmd_line, b->plan->cmdline, sizeof(si->cmd_line));
    if (b->plan->privileged) {
        si->flags = SIF_PRIVILEGED | SIF_INITDOMAIN;
    } else {
        si->console.domU.mfn = b->d->console_mfn.raw;
        si->console.domU.evtchn = b->d->console_port;
        si->store_mfn = b->d->store_mfn.raw;
        si->store_evtchn = b->d->store_port;
    }
}

/* ---- page tables ---- */

#define TABLE (PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D)

/* Frames in use as tables may be mapped read-only at most (F3). */
static uint64_t leaf_flags(const struct build *b, uint64_t pfn)
{
    bool table = within(pfn, b->l.tables, b->l.nr_tables) || within(pfn, b->l.p2m_tables, b->l.nr_p2m_tables);

    return PTE_P | PTE_U | PTE_A | PTE_D | (table ? 0 : PTE_RW);
}

static void map_one(struct build *b, uint64_t va, uint64_t pfn)
{
    uint64_t *t = page_of(b, b->l.tables);

    for (unsigned shift = 39; shift > 12; shift -= 9) {
        uint64_t *e = &t[va >> shift & (ENTRIES - 1)];
        if (!*e)
            *e = mfn_of(b, b->next_table++).raw << PAGE_SHIFT | TABLE;
        t = phys_to_virt(*e & PTE_ADDR);
    }
    t[va >> 12 & (ENTRIES - 1)] = mfn_of(b, pfn).raw << PAGE_SHIFT | leaf_flags(b, pfn);
}

static void build_tables(struct build *b)
{
    b->next_table = b->l.tables + 1;
    for (uint64_t pfn = 0; pfn < b->l.mapped; pfn++)
        map_one(b, va_of(b, pfn), pfn);
    BUG_ON(b->next_table > b->l.tables + b->l.nr_tables);
    if (!b->l.p2m_apart)
        return;
    b->next_table = b->l.p2m_tables;
    for (uint64_t i = 0; i < b->l.nr_p2m; i++)
        map_one(b, b->l.p2m_virt + (i << PAGE_SHIFT), b->l.p2m + i);
    BUG_ON(b->next_table > b->l.p2m_tables + b->l.nr_p2m_tables);
}

/* ---- store and console ---- */

/* A ring at page pfn that dom0 may map and send on. */
static int make_ring(struct build *b, uint64_t pfn, uint32_t grant, uint32_t *port, mfn_t *m)
{
    int rc = evtchn_alloc_unbound(b->d, 0);

    if (rc < 0)
        return rc;
    *port = (uint32_t)rc;
    *m = mfn_of(b, pfn);
    return grant_seed(b->d, grant, *m, 0);
}

/* For dom0's xenstored, which learns of it by enso_op: without a dom0 there is none, a guest would wait for ever. And the console's, which
 * dom0's ensod drains, or the hypervisor itself where there is no dom0; dom0 writes by console_io. */
static int make_rings(struct build *b)
{
    struct domain *d = b->d;
    int rc = b->plan->store ? make_ring(b, b->l.store, STORE_GRANT, &d->store_port, &d->store_mfn) : 0;

    return rc || b->plan->privileged ? rc : make_ring(b, b->l.console, CONSOLE_GRANT, &d->console_port, &d->console_mfn);
}

/* ---- the first vCPU ---- */

static void first_context(const struct build *b, struct vcpu_guest_context *c)
{
    uint64_t stack_end = va_of(b, b->l.stack + 1);

    c->flags = VGCF_in_kernel | VGCF_online;
    c->user_regs.rip = b->elf.entry;
    c->user_regs.rsp = stack_end;
    c->user_regs.rsi = va_of(b, b->l.start_info);
    c->user_regs.rflags = FLAG_IF | 2;
    c->user_regs.cs = FLAT_KERNEL_CS;
    c->user_regs.ss = FLAT_KERNEL_SS;
    c->user_regs.ds = c->user_regs.es = c->user_regs.fs = c->user_regs.gs = FLAT_KERNEL_DS;
    c->kernel_ss = FLAT_KERNEL_SS;
    c->kernel_sp = stack_end;
    c->ctrlreg[3] = xen_pfn_to_cr3(mfn_of(b, b->l.tables).raw);
}

static int start_vcpu(struct build *b)
{
    struct vcpu_guest_context *c = kalloc(sizeof(*c));
    int rc;

    if (!c)
        return -XEN_ENOMEM;
    first_context(b, c);
    do
        rc = vcpu_set_context(b->d->vcpu[0], c);
    while (rc == -XEN_ERESTART);
    kfree(c);
    if (!rc)
        vcpu_pause_clear(b->d->vcpu[0], PAUSE_DOWN);     /* it runs when the domain is unpaused */
    return rc;
}

static int make_vcpus(struct build *b)
{
    for (uint32_t i = 0; i < b->plan->vcpus; i++) {
        if (!vcpu_create(b->d, i))
            return -XEN_ENOMEM;
    }
    return start_vcpu(b);
}

/* The root stays a root even when nothing runs on it: pinned, as the guest expects to find it. */
static int pin_root(struct build *b)
{
    mfn_t m;
    int rc = frame_get_typed(b->d, gfn(mfn_of(b, b->l.tables).raw), FT_L4, &m);

    if (!rc)
        BUG_ON(!frame_pin(m));
    return rc;
}

/* ---- all of it ---- */

static int set_weight(struct build *b)
{
    const struct scheduler *s = sched_current();
    uint32_t weight = b->plan->weight, cap = b->plan->cap;

    return s->adjust && (weight != 256 || cap) ? s->adjust(b->d, &weight, &cap, true) : 0;
}

/* A number that only has to differ from other domains': from its name, as names differ. */
static void make_handle(const char *name, uint8_t handle[16])
{
    uint64_t h = 14695981039346656037UL;

    for (; *name; name++)
        h = (h ^ (uint8_t)*name) * 1099511628211UL;
    for (unsigned i = 0; i < 16; i++) {
        h = h * 6364136223846793005UL + 1442695040888963407UL;
        handle[i] = (uint8_t)(h >> 56);
    }
}

static int create(struct build *b)
{
    struct xen_domctl_createdomain config = { .max_vcpus = b->plan->vcpus, .max_evtchn_port = -1U,
                                              .max_grant_frames = -1, .max_maptrack_frames = -1 };
    int rc;

    if (!b->plan->privileged)
        make_handle(b->plan->name, config.handle);
    b->d = domain_create(b->plan->privileged ? 0 : DOMID_INVALID, &config, b->plan->privileged, &rc);
    if (!b->d)
        return rc;
    b->d->max_pages = b->plan->frames;
    return domain_set_name(b->d, b->plan->name);
}

static int fill(struct build *b)
{
    int rc = alloc_memory(b);

    if (!rc)
        rc = make_rings(b);
    if (rc)
        return rc;
    load_images(b);
    build_tables(b);
    fill_start_info(b);
    rc = make_vcpus(b);
    if (!rc)
        rc = pin_root(b);
    return rc ? rc : set_weight(b);
}

static const char *words_for(int rc)
{
    switch (rc) {
    case -XEN_ENOMEM: return "does not fit: memory ran out while it was built";
    case -XEN_EEXIST: return "has the name or number of a domain that exists";
    default: return "could not be built: an internal check failed";
    }
}

static void undo(struct domain *d)
{
    while (d && domain_kill(d) == -XEN_ERESTART)
        ;
}

struct domain *build_domain(const struct domain_plan *plan, const char **why)
{
    static struct build b;               /* large, and boot builds one domain at a time */
    int rc;

    b = (struct build){ .plan = plan };
    if (elf_parse(plan->kernel, plan->kernel_size, &b.elf, why) ||
        layout_make(&b.elf, plan->ramdisk_size, plan->frames, &b.l, why))
        return NULL;
    rc = create(&b);
    if (!rc)
        rc = fill(&b);
    kfree(b.p2m);
    if (!rc)
        return b.d;
    undo(b.d);
    *why = words_for(rc);
    log_debug("building %s: error %d", plan->name, rc);
    return NULL;
}

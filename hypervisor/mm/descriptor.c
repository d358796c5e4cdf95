/* SPDX-License-Identifier: MIT */
/* descriptor.c: a guest's GDT and LDT.                                                        [read 31]
 *
 * The CPU reads descriptors by itself, with ring 0's rights, whenever a selector is loaded, so a frame that
 * holds some has a type of its own: checked as a whole, never writable meanwhile, changed entry by entry by
 * hypercall. In a checked frame there is nothing but ring 3's code and data segments whose accessed bit is
 * set already, so that the CPU never writes there, and the window through which it reads is mapped
 * read-only. Each vCPU has such a window: 14 pages of its GDT, one page of the hypervisor's descriptors of
 * the pCPU that it runs on, and 16 pages of LDT, filled when they are first used. SPEC 5.6, pitfalls A6.  */
#include "hypervisor/mm/descriptor.h"

#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/descriptor_fix.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/mm/pte.h"
#include "hypervisor/x86/desc.h"

#define PER_PAGE    512
#define GDT_PAGES   FIRST_RESERVED_GDT_PAGE
#define LDT_FIRST   16                   /* its first page in the window */
#define LDT_PAGES   16
#define WINDOW_RO   (PTE_P | PTE_A | PTE_NX)
#define WINDOW_RW   (PTE_P | PTE_RW | PTE_A | PTE_D | PTE_NX)

int descriptor_validate_frame(mfn_t m)
{
    uint64_t *desc = mfn_to_virt(m);

    for (unsigned i = 0; i < PER_PAGE; i++)
        if (!descriptor_fix(&desc[i]))
            return -XEN_EINVAL;
    return 0;
}

/* The running vCPU's window changed. (One that does not run starts with a flush.) */
static void flush_window(struct vcpu *v)
{
    if (v == current)
        write_cr3(read_cr3());
}

/* ---- GDT --------------------------------------------------------------------------------------------- */

/* Window pages [0, GDT_PAGES) from `frames`; the ones before lose their reference after the flush: until then the CPU
 * may still read them. */
static void gdt_install(struct vcpu *v, const mfn_t *frames, unsigned nr_frames)
{
    mfn_t old[GDT_PAGES];

    for (unsigned i = 0; i < GDT_PAGES; i++) {
        old[i] = v->gdt_frames[i];
        v->gdt_frames[i] = i < nr_frames ? frames[i] : mfn(0);
        perdomain_set(v, i, i < nr_frames ? frames[i].raw << PAGE_SHIFT | WINDOW_RO : 0);
    }
    flush_window(v);
    for (unsigned i = 0; i < GDT_PAGES; i++)
        if (old[i].raw)
            frame_put_typed(old[i]);
}

int gdt_set(struct vcpu *v, const gfn_t *frames, unsigned nr_frames, unsigned nr_entries)
{
    mfn_t held[GDT_PAGES];
    unsigned i;

    if (nr_frames > GDT_PAGES || nr_entries > nr_frames * PER_PAGE)
        return -XEN_EINVAL;
    for (i = 0; i < nr_frames; i++)
        if (frame_get_typed(v->domain, frames[i], FT_DESC, &held[i]))
            break;
    if (i < nr_frames) {
        log_guest(v->domain->id, LOG_INFO, "d%u %s: set_gdt refused: frame 0x%lx is not the domain's, is mapped writable, or holds "
                  "a descriptor that is no code or data segment (SPEC 5.6). Returned -EINVAL.", v->domain->id, v->domain->name,
                  frames[i].raw);
        while (i-- > 0)
            frame_put_typed(held[i]);
        return -XEN_EINVAL;
    }
    gdt_install(v, held, nr_frames);
    v->gdt_entries = (uint16_t)nr_entries;
    return 0;
}

void gdt_drop(struct vcpu *v)
{
    if (v->domain->perdomain_l1[v->id / 16])
        gdt_install(v, NULL, 0);
    v->gdt_entries = 0;
}

long hc_set_gdt(struct vcpu *v, gva_t frames, uint64_t entries)
{
    uint64_t words[GDT_PAGES];
    gfn_t list[GDT_PAGES];
    unsigned n;

    if (entries > FIRST_RESERVED_GDT_ENTRY)
        return -XEN_EINVAL;
    n = ((unsigned)entries + PER_PAGE - 1) / PER_PAGE;
    if (copy_from_guest(words, frames, n * sizeof(words[0])))
        return -XEN_EFAULT;
    for (unsigned i = 0; i < n; i++)
        list[i] = gfn(words[i]);
    return gdt_set(v, list, n, (unsigned)entries);
}

/* ---- LDT --------------------------------------------------------------------------------------------- */

static uint64_t *window_entry(struct vcpu *v, unsigned page)
{
    return &v->domain->perdomain_l1[v->id / 16][v->id % 16 * 32 + page];
}

void ldt_drop(struct vcpu *v)
{
    uint64_t old[LDT_PAGES];

    v->ldt_entries = 0;
    v->ldt_base = 0;
    if (!v->domain->perdomain_l1[v->id / 16])
        return;
    if (v == current)
        desc_load_ldt(this_pcpu(), 0, 0);
    for (unsigned i = 0; i < LDT_PAGES; i++) {
        old[i] = *window_entry(v, LDT_FIRST + i);
        perdomain_set(v, LDT_FIRST + i, 0);
    }
    flush_window(v);
    for (unsigned i = 0; i < LDT_PAGES; i++)
        if (old[i] & PTE_P)
            frame_put_typed(mfn(pte_mfn(old[i])));
}

int ldt_set(struct vcpu *v, uint64_t base, unsigned entries)
{
    if (entries > 8192 || (base & (PAGE_SIZE - 1)) || (entries && !gva_range_ok(gva(base), (uint64_t)entries * 8)))
        return -XEN_EINVAL;
    if (v->ldt_base == base && v->ldt_entries == entries)
        return 0;
    ldt_drop(v);
    v->ldt_base = entries ? base : 0;
    v->ldt_entries = (uint16_t)entries;
    if (v == current && entries)
        desc_load_ldt(this_pcpu(), LDT_WINDOW(v->id), entries);
    return 0;
}

bool ldt_fault(struct vcpu *v, uint64_t offset)
{
    unsigned page = (unsigned)(offset >> PAGE_SHIFT), index;
    uint64_t table, e;
    mfn_t m;

    if (page >= LDT_PAGES || offset / 8 >= v->ldt_entries || (*window_entry(v, LDT_FIRST + page) & PTE_P) ||
        !leaf_find(v, v->ldt_base + page * PAGE_SIZE, &table, &index) || !entry_below(v->domain, table | PTE_P, index, &e))
        return false;
    if (!(e & PTE_P) || frame_get_typed(v->domain, gfn(pte_mfn(e)), FT_DESC, &m))    /* whichever frame: it counts as what it holds */
        return false;
    perdomain_set(v, LDT_FIRST + page, m.raw << PAGE_SHIFT | WINDOW_RO);
    return true;
}

/* ---- both -------------------------------------------------------------------------------------------- */

void descriptor_load(struct vcpu *v, struct pcpu *p)
{
    perdomain_set(v, GDT_PAGES, desc_hv_gdt_mfn(p) << PAGE_SHIFT | WINDOW_RW);
    desc_use_window(GDT_WINDOW(v->id));
    desc_load_ldt(p, v->ldt_entries ? LDT_WINDOW(v->id) : 0, v->ldt_entries);
}

bool descriptor_read(struct vcpu *v, uint16_t sel, uint64_t *desc)
{
    unsigned i = sel / 8, page = i / PER_PAGE;
    uint64_t e;

    if (sel & 4) {
        if (i >= v->ldt_entries)
            return false;
        page += LDT_FIRST;
        if (!(*window_entry(v, page) & PTE_P) && !ldt_fault(v, (uint64_t)i * 8))
            return false;
    } else if (page < GDT_PAGES ? i >= v->gdt_entries : page > GDT_PAGES) {
        return false;
    }
    e = *window_entry(v, page);
    if (!(e & PTE_P))
        return false;
    *desc = READ_ONCE(table_of(mfn(pte_mfn(e)))[i % PER_PAGE]);
    return true;
}

long hc_update_descriptor(struct vcpu *v, uint64_t maddr, uint64_t desc)
{
    struct domain *d = v->domain;
    uint64_t type;
    mfn_t m;

    if ((maddr & 7) || !descriptor_fix(&desc) || frame_get(d, gfn(maddr >> PAGE_SHIFT), &m))
        return -XEN_EINVAL;
    type = READ_ONCE(frame_of(m)->type_info);
    type = (type & FT_COUNT) && (type & FT_TYPE) == FT_DESC ? FT_DESC : FT_WRITABLE;
    if (frame_type_take(d, m, type))
        return -XEN_EINVAL;
    WRITE_ONCE(table_of(m)[(maddr & (PAGE_SIZE - 1)) / 8], desc);
    frame_put_typed(m);
    return 0;
}

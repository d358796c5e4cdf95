/* SPDX-License-Identifier: MIT */
/* boot.c: from the domain builder's struct start_info to struct plat_boot.
 *
 * The builder left memory numbered from 0 without holes, our command line, the initrd, and a few pages that stay in use:
 * the P2M table, the first page tables, the rings of console and store. We take from them what kernel_main asks for, cut
 * what is in use out of the free ranges, and start the parts of the machine in order: trap table, page tables, event
 * channels, clock, console.                                                                                    */
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/vcpu.h"

static struct plat_boot boot;
static char cmdline_copy[MAX_GUEST_CMDLINE];
uint32_t pv_flags;
uint64_t pv_console_mfn;
uint32_t pv_console_port;
uint64_t pv_store_mfn;
uint32_t pv_store_port;

extern char __text_start[], __kernel_end[];

/* Takes [start, end) out of the free ranges. */
static void range_cut(uint64_t start, uint64_t end)
{
    for (unsigned i = 0; i < boot.ranges; i++) {
        struct plat_range *r = &boot.range[i];
        if (end <= r->start || start >= r->end)
            continue;
        if (start > r->start && end < r->end && boot.ranges < PLAT_RANGES) {
            for (unsigned j = boot.ranges++; j > i + 1; j--)
                boot.range[j] = boot.range[j - 1];
            boot.range[i + 1] = (struct plat_range){ end, r->end };
            r->end = start;
        } else if (start > r->start) {
            r->end = start;
        } else {
            r->start = MIN(end, r->end);
        }
    }
}

static uint64_t pfn_of(uintptr_t boot_va) { return (boot_va - KERNEL_BASE) >> PAGE_SHIFT; }

static void cut_bytes(uintptr_t boot_va, uint64_t size)
{
    range_cut(pfn_of(boot_va), pfn_of(boot_va + size + PAGE_SIZE - 1));
}

/* A ring page of ours that somebody else knows by its frame. */
static void cut_frame(uint64_t frame)
{
    uint64_t pfn = plat_frame_to_pfn(frame);
    if (pfn != PFN_NONE)
        range_cut(pfn, pfn + 1);
}

static void take_memory(const struct start_info *si)
{
    boot.max_pfn = si->nr_pages;
    boot.ranges = 1;
    boot.range[0] = (struct plat_range){ 1, si->nr_pages };       /* page 0 stays unused: null is null */
    cut_bytes((uintptr_t)__text_start, __kernel_end - __text_start);
    cut_bytes(si->pt_base, si->nr_pt_frames * PAGE_SIZE);
    cut_bytes(si->mfn_list, si->nr_pages * sizeof(uint64_t));
    cut_frame(si->store_mfn);
    if (!pv_is_dom0())
        cut_frame(si->console.domU.mfn);
}

static void take_initrd(const struct start_info *si)
{
    uint64_t pfn = si->flags & SIF_MOD_START_PFN ? si->mod_start : pfn_of(si->mod_start);
    if (!si->mod_len)
        return;
    range_cut(pfn, pfn + ((si->mod_len + PAGE_SIZE - 1) >> PAGE_SHIFT));
    boot.initrd = pfn_to_virt(pfn);
    boot.initrd_size = si->mod_len;
}

/* vCPUs beyond the first were never brought up, and stay so. */
static unsigned count_cpus(void)
{
    unsigned n = 1;
    while (n < XEN_LEGACY_MAX_VCPUS && hypercall_vcpu_op(VCPUOP_is_up, n, 0) >= 0)
        n++;
    return n;
}

void pv_boot(struct start_info *si)
{
    uint64_t shared_frame = si->shared_info >> PAGE_SHIFT;

    pv_flags = si->flags;
    pv_console_mfn = si->console.domU.mfn;
    pv_console_port = si->console.domU.evtchn;
    pv_store_mfn = si->store_evtchn ? si->store_mfn : 0;
    pv_store_port = si->store_evtchn;
    strlcpy(cmdline_copy, si->cmd_line, sizeof(cmdline_copy));
    boot.platform = "pv";
    boot.cmdline = cmdline_copy;
    boot.cpus = count_cpus();
    mmu_early(si);
    trap_boot();
    take_memory(si);
    take_initrd(si);
    mmu_boot(si, &boot);                            /* start_info is out of sight from here on */
    mmu_map_kernel((uintptr_t)&pv_shared, shared_frame);
    events_boot();
    console_boot();
    timer_boot();
    kernel_main(&boot);
}

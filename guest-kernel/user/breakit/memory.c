/* SPDX-License-Identifier: MIT */
/* memory.c: other people's memory: mapped by frame number, given away, asked for, or made a table. */
#include "guest-kernel/user/breakit/breakit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "hypercall-abi/abi.h"
#include "hypercall-abi/mm.h"

enum { BATCH = 64 };

struct privcmd_mmapbatch_v2 { uint32_t num; domid_t dom; uint64_t addr, arr, err; };
#define PRIVCMD_MMAPBATCH_V2 ((unsigned long)'P' << 8 | 4 | sizeof(struct privcmd_mmapbatch_v2) << 16)

/* A batch of one domain's frames; errors[i] says how each went. They are let go of again. */
static void map_frames(domid_t domain, const uint64_t frames[BATCH], int protection, int errors[BATCH])
{
    uint64_t asked[BATCH];
    char *area = mmap(NULL, BATCH * 4096, protection, MAP_SHARED, privcmd(), 0);
    struct privcmd_mmapbatch_v2 batch = { BATCH, domain, HANDLE(area), HANDLE(asked), HANDLE(errors) };

    memcpy(asked, frames, sizeof(asked));
    for (int i = 0; i < BATCH; i++)
        errors[i] = -EINVAL;
    if (area == MAP_FAILED)
        return;
    ioctl(privcmd(), PRIVCMD_MMAPBATCH_V2, &batch);
    munmap(area, BATCH * 4096);
}

/* What can be mapped as another's and not as our own as well was not ours to map. */
static void try_frames(domid_t domain, const uint64_t frames[BATCH], int protection, bool allowed)
{
    int errors[BATCH], own[BATCH], mapped = 0;

    map_frames(domain, frames, protection, errors);
    map_frames(DOMID_SELF, frames, protection, own);
    for (int i = 0; i < BATCH; i++) {
        tried(errors[i]);
        mapped += errors[i] == 0 && own[i] != 0;
    }
    if (mapped && !allowed)
        breach("%d frames of domain 0x%x could be mapped %s", mapped, domain, protection & PROT_WRITE ? "writable" : "readable");
}

/* Frames of the other domains, of the hypervisor, of devices: by frame number, over the whole machine. */
static void foreign(int argc, char **argv)
{
    static const domid_t domains[] = { 0, 1, 2, 3, 4, DOMID_IO, DOMID_XEN };
    uint64_t last = (uint64_t)hypercall(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0, 0, 0, 0), frames[BATCH];
    uint64_t rounds = argument(argc, argv, 1, 8);
    bool allowed = privileged();

    while (rounds-- > 0) {
        for (int i = 0; i < BATCH; i++)
            frames[i] = random_word() % (last + 1);
        for (unsigned d = 0; d < sizeof(domains) / sizeof(domains[0]); d++) {
            try_frames(domains[d], frames, PROT_READ, allowed);
            try_frames(domains[d], frames, PROT_READ | PROT_WRITE, allowed);
        }
    }
    if (allowed)
        iprintf("breakit: this is the control domain: it may map others' frames\n");
}

/* update_va_mapping of a page of ours to every kind of frame and every flag. */
static void mapping(int argc, char **argv)
{
    char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint64_t last = (uint64_t)hypercall(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0, 0, 0, 0);
    uint64_t count = argument(argc, argv, 1, 4000);

    if (page == MAP_FAILED)
        return;
    page[0] = 1;                                     /* so that the table for the next page is there */
    uint64_t va = HANDLE(page) + 4096;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t frame = random_word() & 1 ? random_word() % (last + 1) : nasty_word();
        uint64_t entry = frame << 12 | 0x25 | (random_word() & 0x802);

        if (random_word() % 4 == 0)
            entry ^= nasty_word();
        long rc = hypercall(__HYPERVISOR_update_va_mapping, va, entry, UVMF_INVLPG, 0, 0);

        tried(rc);
        if (rc == 0)
            hypercall(__HYPERVISOR_update_va_mapping, va, 0, UVMF_INVLPG, 0, 0);
        tried(hypercall(__HYPERVISOR_update_va_mapping_otherdomain, va, entry, UVMF_INVLPG, random_word() % 5, 0));
        hypercall(__HYPERVISOR_update_va_mapping, va, 0, UVMF_INVLPG, 0, 0);
        tried(hypercall(__HYPERVISOR_update_va_mapping, HYPERVISOR_VIRT_START + (random_word() >> 20), entry, nasty_word() & 7, 0, 0));
    }
    munmap(page, 8192);
}

static void junk_reservation(struct xen_memory_reservation *r)
{
    static uint64_t frames[64];

    for (int i = 0; i < 64; i++)
        frames[i] = nasty_word();
    *r = (struct xen_memory_reservation){
        .extent_start = random_word() & 1 ? HANDLE(frames) : nasty_word(),
        .nr_extents = random_word() & 1 ? random_word() % 64 : nasty_word(),
        .extent_order = random_word() & 1 ? (uint32_t)(random_word() % 12) : (uint32_t)nasty_word(),
        .mem_flags = random_word() & 1 ? 0 : (uint32_t)nasty_word(),
        .domid = random_word() & 1 ? DOMID_SELF : (domid_t)nasty_word(),
    };
}

/* memory_op with every command and nonsense behind it. What it gains by accident stays this domain's. */
static void memory(int argc, char **argv)
{
    uint64_t count = argument(argc, argv, 1, 5000);
    struct xen_memory_exchange exchange;

    for (uint64_t i = 0; i < count; i++) {
        uint64_t cmd = random_word() % 32;

        junk_reservation(&exchange.in);
        junk_reservation(&exchange.out);
        exchange.nr_exchanged = random_word() & 1 ? 0 : nasty_word();
        if (cmd == XENMEM_decrease_reservation || cmd == XENMEM_exchange)
            exchange.in.nr_extents |= 1ul << 60;     /* a lucky guess would give this domain's own memory away */
        if (random_word() % 8 == 0)
            tried(hypercall(__HYPERVISOR_memory_op, nasty_word(), nowhere(), 0, 0, 0));
        else
            tried(hypercall(__HYPERVISOR_memory_op, cmd, HANDLE(&exchange), 0, 0, 0));
    }
}

/* mmu_update and mmuext_op on tables, frames and domains by guess. */
static void mmu(int argc, char **argv)
{
    uint64_t last = (uint64_t)hypercall(__HYPERVISOR_memory_op, XENMEM_maximum_ram_page, 0, 0, 0, 0);
    uint64_t count = argument(argc, argv, 1, 10000);

    for (uint64_t i = 0; i < count; i++) {
        struct mmu_update update = { .ptr = nasty_word(), .val = nasty_word() };
        struct mmuext_op op = { .cmd = (uint32_t)(random_word() % 22), .arg1.mfn = nasty_word(), .arg2.src_mfn = nasty_word() };
        uint64_t domain = random_word() & 1 ? DOMID_SELF : nasty_word() & 0xffff;
        uint64_t n = random_word() % 4 ? 1 : nasty_word() | 1ul << 63;

        if (random_word() & 1)                       /* guesses at real frames: refused unless it is a harmless pin */
            update.ptr = (random_word() % (last + 1)) << 12 | (random_word() & 0xff8) | (random_word() & 3);
        if ((update.ptr & 3) == MMU_MACHPHYS_UPDATE)
            update.ptr |= 1ul << 62;
        tried(hypercall(__HYPERVISOR_mmu_update, HANDLE(&update), n, nowhere(), domain, 0));
        if (op.cmd != MMUEXT_NEW_BASEPTR && op.cmd != MMUEXT_NEW_USER_BASEPTR && op.cmd != MMUEXT_CLEAR_PAGE &&
            op.cmd != MMUEXT_COPY_PAGE && op.cmd != MMUEXT_UNPIN_TABLE && op.cmd != MMUEXT_SET_LDT)
            tried(hypercall(__HYPERVISOR_mmuext_op, HANDLE(&op), n, 0, domain, 0));
    }
}

const struct way memory_ways[] = {
    { "foreign", foreign, "[SEED [ROUNDS]] frames of other domains and of the hypervisor, mapped by number" },
    { "mapping", mapping, "[SEED [COUNT]] update_va_mapping to any frame with any flags" },
    { "memop",   memory,  "[SEED [COUNT]] memory_op with nonsense behind every command" },
    { "mmu",     mmu,     "[SEED [COUNT]] mmu_update and mmuext_op on frames by guess" },
    { 0 },
};

/* SPDX-License-Identifier: MIT */
/* attack_long.c: the dearest things that a guest can ask for in one go, so that tests/boot/test_preemption.py finds the longest way
 * between two preemption points (SPEC 4.3). What the calls answer does not matter here, but that they come back. */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/grant.h"
#include "hypercall-abi/sched.h"
#include "tests/hostile/hostile.h"

#define BATCHED 256
static struct multicall_entry calls[64];

static void table_op(unsigned cmd, const void *va, struct mmuext_op *op)
{
    *op = (struct mmuext_op){ .cmd = cmd, .arg1.mfn = va_to_mfn(va) };
}

/* Two full L1 tables in pool[10] and pool[11], an L2 in pool[12] that holds the first 512 times, an L3 of such L2s, an L4 of such L3s. */
static void build_tables(void)
{
    for (unsigned i = 0; i < 512; i++) {
        ((uint64_t *)pool[10])[i] = va_to_mfn(pool[16 + i % 32]) << 12 | PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D;
        ((uint64_t *)pool[11])[i] = va_to_mfn(pool[16 + i % 32]) << 12 | PTE_P | PTE_U | PTE_A;
        for (unsigned level = 2; level < 5; level++)
            ((uint64_t *)pool[10 + level])[i] = level == 4 && i >= 256 && i < 272 ? 0 : va_to_mfn(pool[level == 2 ? 10 : 9 + level]) << 12 | PTE_P | PTE_RW | PTE_U | PTE_A;
    }
    for (unsigned i = 10; i < 15; i++)
        make_readonly(pool[i]);
}

static void pins(void)
{
    static struct mmuext_op op[BATCHED];

    for (unsigned level = 1; level < 5; level++) {
        const void *t = pool[level == 1 ? 10 : 10 + level];
        table_op(MMUEXT_PIN_L1_TABLE + level - 1, t, &op[0]);
        table_op(MMUEXT_UNPIN_TABLE, t, &op[1]);
        long up = hypercall_mmuext_op(gva(&op[0]), 1, 0, DOMID_SELF), down = hypercall_mmuext_op(gva(&op[1]), 1, 0, DOMID_SELF);
        if (up || down)
            TEST_ERROR("a full L%u table: pin %d, unpin %d", (uint64_t)level, up, down);
    }
    for (unsigned i = 0; i < BATCHED; i++)
        table_op(i & 1 ? MMUEXT_UNPIN_TABLE : MMUEXT_PIN_L1_TABLE, pool[10], &op[i]);
    hypercall_mmuext_op(gva(op), BATCHED, 0, DOMID_SELF);
    for (unsigned i = 0; i < 64; i++)
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_mmuext_op, .args = { gva(&op[i & 1]), 1, 0, DOMID_SELF } };
    hypercall_multicall(gva(calls), 64);
}

/* One entry of a pinned L2 changes from one full L1 table to the other and back: each time one is taken down and the other validated. */
static void swaps(void)
{
    static struct mmu_update u[BATCHED];
    struct mmuext_op op;

    make_writable(pool[12]);
    memset(pool[12], 0, PAGE);
    make_readonly(pool[12]);
    table_op(MMUEXT_PIN_L2_TABLE, pool[12], &op);
    if (hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF))
        TEST_ERROR("the L2 for swaps");
    for (unsigned i = 0; i < BATCHED; i++)
        u[i] = (struct mmu_update){ va_to_mfn(pool[12]) << 12, va_to_mfn(pool[10 + i % 2]) << 12 | PTE_P | PTE_RW | PTE_U | PTE_A };
    if (hypercall_mmu_update(gva(u), BATCHED, 0, DOMID_SELF))
        TEST_ERROR("swaps");
    for (unsigned i = 0; i < 64; i++)
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_mmu_update, .args = { gva(&u[i & 1]), 32, 0, DOMID_SELF } };
    hypercall_multicall(gva(calls), 64);
    for (unsigned i = 0; i < BATCHED; i++)
        u[i] = (struct mmu_update){ maddr_of(table_at(1, (uint64_t)pool[9])), *table_at(1, (uint64_t)pool[9]) };
    hypercall_mmu_update(gva(u), BATCHED, 0, DOMID_SELF);
    table_op(MMUEXT_UNPIN_TABLE, pool[12], &op);
    hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF);
}

/* Frames given back and taken again, one by one and in the largest pieces; exchanged. */
static void reservations(void)
{
    static xen_pfn_t list[512];
    struct xen_memory_reservation r = { .nr_extents = 32, .domid = DOMID_SELF };
    struct xen_memory_exchange x = { .in = { .nr_extents = 32, .domid = DOMID_SELF }, .out = { .nr_extents = 32, .domid = DOMID_SELF } };

    r.extent_start = x.in.extent_start = x.out.extent_start = gva(list);
    for (unsigned turn = 0; turn < 2; turn++) {
        for (unsigned i = 0; i < 32; i++) {
            list[i] = va_to_mfn(pool[16 + i]);
            map_at(pool[16 + i], 0);
        }
        if (!turn) {
            hypercall_memory_op(XENMEM_exchange, gva(&x));
        } else if (hypercall_memory_op(XENMEM_decrease_reservation, gva(&r)) == 32) {
            hypercall_memory_op(XENMEM_populate_physmap, gva(&r));
        }
        for (unsigned i = 0; i < 32; i++) {
            ((uint64_t *)si->mfn_list)[((uint64_t)pool[16 + i] - VIRT_BASE) / PAGE] = list[i];
            map_at(pool[16 + i], list[i] << 12 | PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D);
        }
    }
    for (unsigned order = 1; order < 21; order++) {
        r.nr_extents = 1;
        r.extent_order = order;
        list[0] = 0x100000;
        if (hypercall_memory_op(XENMEM_populate_physmap, gva(&r)) == 1)
            hypercall_memory_op(XENMEM_decrease_reservation, gva(&r));
    }
}

static void grants(void)
{
    static struct gnttab_map_grant_ref map[BATCHED];
    static struct gnttab_unmap_grant_ref unmap[BATCHED];
    static struct gnttab_copy copy[BATCHED];
    xen_pfn_t frame[1];
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };

    setup.frame_list = gva(frame);
    hypercall_grant_table_op(GNTTABOP_setup_table, gva(&setup), 1);
    map_at(pool[63], frame[0] << 12 | PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D);
    for (unsigned i = 0; i < BATCHED; i++) {
        volatile struct grant_entry_v1 *e = &((volatile struct grant_entry_v1 *)pool[63])[16 + i];
        e->domid = DOMID_SELF;
        e->frame = va_to_mfn(pool[16 + i % 16]);
        e->flags = GTF_permit_access;
        map[i] = (struct gnttab_map_grant_ref){ .host_addr = (uint64_t)pool[40 + i % 8], .flags = GNTMAP_host_map, .ref = 16 + i, .dom = DOMID_SELF };
        copy[i] = (struct gnttab_copy){ .len = PAGE, .flags = 0 };
        copy[i].source.domid = copy[i].dest.domid = DOMID_SELF;
        copy[i].source.u.gmfn = va_to_mfn(pool[16]);
        copy[i].dest.u.gmfn = va_to_mfn(pool[17]);
    }
    hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(map), BATCHED);
    for (unsigned i = 0; i < BATCHED; i++)
        unmap[i] = (struct gnttab_unmap_grant_ref){ .host_addr = map[i].host_addr, .handle = map[i].handle };
    hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, gva(unmap), BATCHED);
    hypercall_grant_table_op(GNTTABOP_copy, gva(copy), BATCHED);
    for (unsigned i = 0; i < 16; i++)
        calls[i] = (struct multicall_entry){ .op = __HYPERVISOR_grant_table_op, .args = { GNTTABOP_copy, gva(copy), 16 } };
    hypercall_multicall(gva(calls), 16);
}

static void events(void)
{
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
    struct evtchn_reset reset = { .dom = DOMID_SELF };
    static evtchn_port_t port[128];
    struct sched_poll poll = { .nr_ports = 128, .timeout = 1 };

    for (unsigned i = 0; i < 4096; i++)
        hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&a));
    for (unsigned i = 0; i < 128; i++)
        port[i] = 10 + i;
    poll.ports = gva(port);
    hypercall_sched_op(SCHEDOP_poll, gva(&poll));
    hypercall_event_channel_op(EVTCHNOP_reset, gva(&reset));
}

static void descriptors(void)
{
    static uint64_t frames[14];

    for (unsigned i = 0; i < 14; i++) {
        for (unsigned k = 0; k < 512; k++)
            ((uint64_t *)pool[40 + i])[k] = 0x00cff3000000ffff;
        make_readonly(pool[40 + i]);
        frames[i] = va_to_mfn(pool[40 + i]);
    }
    if (hypercall_set_gdt(gva(frames), 14 * 512))
        TEST_ERROR("a full GDT");
    hypercall_set_gdt(0, 0);
    for (unsigned i = 0; i < 14; i++)
        make_writable(pool[40 + i]);
    for (unsigned k = 0; k < PAGE; k++)
        pool[2][k] = k % 128 == 127 ? '\n' : '.';
    hypercall_console_io(CONSOLEIO_write, PAGE, gva(pool[2]));
}

/* What is left for the domain's end: many full tables, each pinned, every port, and grants mapped. */
static void leave(void)
{
    static struct gnttab_map_grant_ref map[BATCHED];
    struct evtchn_alloc_unbound a = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };

    for (unsigned i = 0; i < 63; i++) {
        if (i == 9)
            i = 32;                                /* the tables, and what they map, stay */
        if (i == 40)
            i = 48;                                /* where grants are mapped */
        for (unsigned k = 0; k < 512; k++)
            ((uint64_t *)pool[i])[k] = va_to_mfn(pool[16 + k % 16]) << 12 | PTE_P | (i % 2 ? PTE_RW : 0) | PTE_U | PTE_A | PTE_D;
        make_readonly(pool[i]);
        if (pin(1, pool[i]))
            TEST_ERROR("table %u to leave", (uint64_t)i);
    }
    while (hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&a)) == 0)
        ;
    for (unsigned i = 0; i < BATCHED; i++)
        map[i] = (struct gnttab_map_grant_ref){ .host_addr = (uint64_t)pool[40 + i % 8], .flags = GNTMAP_host_map, .ref = 16 + i, .dom = DOMID_SELF };
    hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(map), BATCHED);
}

void attack_long(void)
{
    build_tables();
    pins();
    swaps();
    reservations();
    grants();
    events();
    descriptors();
    leave();
}

/* SPDX-License-Identifier: MIT */
/* attack_memory.c: claim: F3 holds whatever a guest asks for: no frame is writable and in use as a table at once, and no entry
 * reaches a frame that is not the guest's (SPEC 5.4 to 5.6). A failure is a full escape.                          */
#include "tests/hostile/hostile.h"

#define FLAGS (PTE_P | PTE_U | PTE_A | PTE_D)

static uint8_t *const spare = pool[0];      /* its mapping is played with */
static uint64_t max_mfn;

/* Our own tables, and frames that are nobody's or the hypervisor's. */
static uint64_t target(unsigned which)
{
    switch (which) {
    case 0: return va_to_mfn(pool[1]);
    case 1: return *table_at(2, (uint64_t)spare) >> 12 & 0xffffffff;      /* the L1 that maps us */
    case 2: return *table_at(3, (uint64_t)spare) >> 12 & 0xffffffff;      /* L2 */
    case 3: return *table_at(4, (uint64_t)spare) >> 12 & 0xffffffff;      /* L3 */
    case 4: return va_to_mfn((void *)si->pt_base);                         /* L4 */
    case 5: return si->shared_info >> 12;
    case 6: return rnd() % 1024;                                           /* low memory, the hypervisor's image */
    case 7: return max_mfn + rnd() % 4096;
    default: return rnd() % max_mfn;
    }
}

/* By the P2M that the builder gave us, and the M2P that the hypervisor keeps. */
static bool ours(uint64_t mfn)
{
    uint64_t pfn = mfn < max_mfn ? machine_to_phys_mapping[mfn] : ~0UL;

    return pfn < si->nr_pages && ((uint64_t *)si->mfn_list)[pfn] == mfn;
}

static bool is_table(unsigned which) { return which >= 1 && which <= 4; }

/* An accepted entry of a last-level table must not give write access to a table, nor any access to what is not ours. */
static void check_accepted(unsigned which, uint64_t mfn, uint64_t entry)
{
    uint64_t now = *table_at(1, (uint64_t)spare);

    if (!(now & PTE_P))
        return;
    if (is_table(which) && now & PTE_RW)
        BROKE_OUT("a page table (frame %x) is mapped writable by entry %x", mfn, entry);
    if (which == 6 || which == 7)
        BROKE_OUT("frame %x, not ours, was mapped by entry %x", mfn, entry);
    if (which >= 8 && !ours(mfn))
        BROKE_OUT("frame %x, not ours, was mapped by entry %x", mfn, entry);
    if (now & PTE_PS)
        BROKE_OUT("an entry with PAT set was accepted: %x", now);
}

void attack_entries(void)
{
    max_mfn = hypercall_memory_op(XENMEM_maximum_ram_page, 0);
    uint64_t *slot = table_at(1, (uint64_t)spare);
    uint64_t old = *slot;

    for (unsigned which = 0; which < 10; which++)
        for (unsigned k = 0; k < 3000; k++) {
            uint64_t mfn = target(which), entry = mfn << 12;
            if (k < 4096)
                entry |= k;                                     /* every low-bit pattern */
            entry |= k < 52 ? 1UL << (k + 12) : 0;
            entry |= rnd() & 0xfff0000000000000 & (k & 1 ? ~0UL : 0);
            long rc = k & 1 ? set_entry(slot, entry) : map_at(spare, entry);
            if (rc == 0 && (entry & PTE_ADDR) >> 12 == mfn)
                check_accepted(which, mfn, entry);
        }
    if (set_entry(slot, old))
        TEST_ERROR("the old entry is refused");
    /* The same patterns as direct stores, which trap and are emulated. */
    for (unsigned which = 0; which < 10; which++)
        for (unsigned k = 0; k < 500; k++) {
            uint64_t mfn = target(which);
            volatile uint64_t *s = slot;
            uint64_t entry = mfn << 12 | k | (rnd() & (k & 1 ? 0xfff0000000000000 : 0));
            extern void store_entry(void *);
            static uint64_t args[2];
            args[0] = (uint64_t)s;
            args[1] = entry;
            if (try_call(store_entry, args) < 0)
                check_accepted(which, mfn, entry);
        }
    set_entry(slot, old);
    /* An unused slot of the L4: nothing but our L3 may come in. */
    uint64_t *upper = table_at(4, 0x40000000);
    for (unsigned which = 0; which < 10; which++)
        for (unsigned k = 0; k < 1800; k++) {
            uint64_t mfn = target(which);
            if (set_entry(upper, mfn << 12 | (k & 0xfff) | 1) == 0) {
                if (which != 3 && (which < 8 || !ours(mfn)))
                    BROKE_OUT("an L4 entry for frame %x (kind %u) was accepted", mfn, (uint64_t)which);
                set_entry(upper, 0);
            }
        }
    /* The L2 and the L1 that map us: no superpage, no frame that is not an L1, no table of our own as data. */
    uint64_t *l2 = table_at(2, (uint64_t)spare) + 64;
    if (*l2 == 0)
        for (unsigned which = 0; which < 10; which++)
            for (unsigned k = 0; k < 1800; k++) {
                uint64_t mfn = target(which);
                if (set_entry(l2, mfn << 12 | (k & 0xfff) | 1) == 0) {
                    if ((which != 1 && (which < 8 || !ours(mfn))) || *l2 & PTE_PS)
                        BROKE_OUT("an L2 entry for frame %x (kind %u) was accepted", mfn, (uint64_t)which);
                    set_entry(l2, 0);
                }
            }
    /* The hypervisor's own slots. */
    for (unsigned i = 256; i < 272; i++)
        if (set_entry((uint64_t *)si->pt_base + i, 0) == 0 || set_entry((uint64_t *)si->pt_base + i, va_to_mfn(pool[1]) << 12 | 7) == 0)
            BROKE_OUT("L4 slot %u of the hypervisor was changed", (uint64_t)i);
}

void store_entry(void *arg);
void store_entry(void *arg)
{
    uint64_t *a = arg;
    *(volatile uint64_t *)a[0] = a[1];
}

/* ---- tables ------------------------------------------------------------------------------------ */

static void expect(long rc, long want, const char *what)
{
    if (want < 0 ? rc >= 0 : rc != want)
        BROKE_OUT("%s: returned %d", what, (int64_t)rc);
}

void attack_tables(void)
{
    uint8_t *t = pool[2], *u = pool[3];
    uint64_t tm = va_to_mfn(t) << 12;

    memset(t, 0, PAGE);
    memset(u, 0, PAGE);
    expect(pin(1, t), -1, "a frame that is mapped writable was pinned as L1");
    make_readonly(t);
    expect(pin(1, t), 0, "an empty read-only frame could not be pinned");
    expect(map_at(t, tm | FLAGS | PTE_RW), -1, "a pinned L1 was mapped writable");
    expect(map_at(spare, tm | FLAGS | PTE_RW), -1, "a pinned L1 was mapped writable elsewhere");
    expect(pin(1, t), -1, "one frame was pinned twice");
    expect(pin(2, t), -1, "an L1 was pinned as L2 too");
    expect(set_entry((uint64_t *)t, tm | FLAGS | PTE_RW), -1, "an L1 maps itself writable");
    expect(set_entry((uint64_t *)t, tm | FLAGS), 0, "an L1 may map itself read-only");
    expect(set_entry((uint64_t *)t, 0), 0, "clearing an entry");
    expect(unpin(t), 0, "unpin");
    expect(unpin(t), -1, "one pin was undone twice");
    /* Recursion: an L4 that lists itself, an L2 that lists an L2. */
    expect(set_entry((uint64_t *)si->pt_base + 300, va_to_mfn((void *)si->pt_base) << 12 | 7), -1, "an L4 lists itself");
    ((volatile uint64_t *)(make_writable(t), t))[5] = tm | 7;
    make_readonly(t);
    for (unsigned level = 2; level <= 4; level++)
        expect(pin(level, t), -1, "a table that lists itself was pinned");
    make_writable(t);
    ((volatile uint64_t *)t)[5] = va_to_mfn(u) << 12 | FLAGS | PTE_RW | PTE_PS;
    make_readonly(t);
    expect(pin(2, t), -1, "a superpage was accepted");
    expect(pin(3, t), -1, "a 1 GiB page was accepted");
    /* A table that maps a frame writable, when that frame is then to become a table. */
    make_writable(t);
    memset(t, 0, PAGE);
    ((volatile uint64_t *)t)[7] = va_to_mfn(u) << 12 | FLAGS | PTE_RW;
    make_readonly(t);
    make_readonly(u);
    expect(pin(1, t), 0, "an L1 with one good entry");
    expect(pin(1, u), -1, "a frame that another L1 maps writable was pinned");
    expect(set_entry((uint64_t *)t + 7, va_to_mfn(u) << 12 | FLAGS), 0, "taking the writable bit away");
    expect(pin(1, u), 0, "now it may be pinned");
    expect(set_entry((uint64_t *)t + 7, va_to_mfn(u) << 12 | FLAGS | PTE_RW), -1, "and not become writable again");
    expect(unpin(u), 0, "unpin");
    expect(unpin(t), 0, "unpin");
    /* Giving a table away while it is in use. */
    xen_pfn_t m = va_to_mfn((void *)si->pt_base);
    struct xen_memory_reservation r = { .nr_extents = 1, .domid = DOMID_SELF };
    r.extent_start = gva(&m);
    hypercall_memory_op(XENMEM_decrease_reservation, gva(&r));
    expect(hypercall_memory_op(XENMEM_maximum_ram_page, 0) > 0, 1, "alive after giving away the root");
    make_writable(t);
    make_writable(u);
}

/* Random steps over sixteen frames; what the model says must hold after each: never both pinned and writable. */
void attack_random_tables(void)
{
    static bool pinned[16], writable[16];
    uint64_t steps = option("steps", 60000);

    for (unsigned i = 0; i < 16; i++)
        writable[i] = true;
    for (uint64_t s = 0; s < steps; s++) {
        unsigned i = rnd() % 16, j = rnd() % 16;
        uint8_t *p = pool[8 + i];
        uint64_t e = va_to_mfn(p) << 12 | FLAGS;
        switch (rnd() % 6) {
        case 0: if (map_at(p, e | PTE_RW) == 0) { writable[i] = true; if (pinned[i]) BROKE_OUT("step %u: pinned and writable", s); } break;
        case 1: if (map_at(p, e) == 0) writable[i] = false; break;
        case 2: if (pin(1 + rnd() % 4, p) == 0) { pinned[i] = true; if (writable[i]) BROKE_OUT("step %u: writable and pinned", s); } break;
        case 3: if (unpin(p) == 0) pinned[i] = false; break;
        case 4: set_entry((uint64_t *)p + rnd() % 512, va_to_mfn(pool[8 + j]) << 12 | FLAGS | (rnd() & PTE_RW)); break;
        case 5: if (writable[i]) ((volatile uint64_t *)p)[rnd() % 512] = rnd() & 1 ? 0 : va_to_mfn(pool[8 + j]) << 12 | FLAGS | (rnd() & PTE_RW); break;
        }
    }
}

/* ---- descriptors ------------------------------------------------------------------------------- */

void attack_descriptors(void)
{
    uint64_t *g = (uint64_t *)pool[5];
    uint64_t frame = va_to_mfn(g);
    static const uint64_t bad[] = {
        0x0000ec000008e000,     /* call gate */
        0x0000ee000008e000,     /* interrupt gate */
        0x0000ef000008e000,     /* trap gate */
        0x0000e9000000ffff,     /* TSS */
        0x0000e2000000ffff,     /* LDT */
        0x0000e5000000ffff,     /* task gate */
    };

    memset(g, 0, PAGE);
    expect(hypercall_set_gdt(gva(&frame), 512), -1, "a writable frame became a GDT");
    for (unsigned i = 0; i < 6; i++) {
        make_writable(g);
        g[3] = bad[i];
        make_readonly(g);
        expect(hypercall_set_gdt(gva(&frame), 512), -1, "a gate or system descriptor became part of a GDT");
    }
    make_writable(g);
    memset(g, 0, PAGE);
    g[1] = 0x00cf92000000ffff;  /* DPL 0 data: raised to 3, not refused */
    make_readonly(g);
    expect(hypercall_set_gdt(gva(&frame), 512), 0, "a good GDT");
    expect(map_at(g, frame << 12 | FLAGS | PTE_RW), -1, "a GDT in use was mapped writable");
    if ((g[1] >> 45 & 3) != 3)
        BROKE_OUT("a descriptor kept DPL %u", g[1] >> 45 & 3);
    for (unsigned i = 0; i < 6; i++)
        expect(hypercall_update_descriptor(maddr_of(g + 4), bad[i]), -1, "update_descriptor let a gate in");
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t d = rnd();
        /* Type 0 is harmless: the second half of a 16-byte descriptor. */
        if (hypercall_update_descriptor(maddr_of(g + 6), d) == 0 && d >> 47 & 1 && !(d >> 44 & 1) && d >> 40 & 15)
            BROKE_OUT("system descriptor %x accepted", d);
    }
    expect(hypercall_update_descriptor(maddr_of((void *)si->pt_base), 0), -1, "update_descriptor wrote to a page table");
    expect(hypercall_set_gdt(gva(&frame), 8192), -1, "a GDT over the hypervisor's entries");
    expect(hypercall_set_gdt(0, 0), 0, "no GDT");
    make_writable(g);
}

/* ---- what is new is empty ------------------------------------------------------------------------ */

#define FRAMES 400

static xen_pfn_t list[FRAMES];

static unsigned long take(unsigned cmd)
{
    struct xen_memory_reservation r = { .nr_extents = FRAMES, .domid = DOMID_SELF };

    r.extent_start = gva(list);
    return hypercall_memory_op(cmd, gva(&r));
}

/* Frames that were given up full of words come back empty, and an answer ends in zeros, not in what was on a stack (XSA-100, 122). */
void attack_fresh(void)
{
    static uint8_t answer[2048];

    for (unsigned i = 0; i < FRAMES; i++)
        list[i] = ((uint64_t *)si->mfn_list)[si->nr_pages - 1 - i];     /* the last of ours: nothing maps them but the start's own tables */
    for (unsigned turn = 0; turn < 3; turn++) {
        if (turn && take(XENMEM_increase_reservation) != FRAMES)
            TEST_ERROR("no frames in turn %u", (uint64_t)turn);
        for (unsigned i = 0; i < FRAMES; i++) {
            if (map_at(pool[30], list[i] << 12 | FLAGS | PTE_RW))
                TEST_ERROR("frame %x is not ours", list[i]);
            for (unsigned k = 0; turn && k < PAGE / 8; k++)
                if (((volatile uint64_t *)pool[30])[k]) {
                    BROKE_OUT("frame %x holds %x", list[i], ((volatile uint64_t *)pool[30])[k]);
                    break;
                }
            for (unsigned k = 0; k < PAGE / 8; k++)
                ((volatile uint64_t *)pool[30])[k] = 0x5ec2e75ec2e75ec2;
        }
        make_writable(pool[30]);
        unsigned long gone = take(XENMEM_decrease_reservation);
        if (gone != FRAMES)
            TEST_ERROR("only %u frames went", gone);
    }
    static const struct { unsigned cmd, size; } strings[] = { { 1, 16 }, { 2, 64 + 16 + 32 + 32 }, { 3, 1024 }, { 4, 64 }, { 9, 1024 } };
    for (unsigned i = 0; i < 5; i++) {
        bool ended = false;
        memset(answer, 0xa5, sizeof(answer));
        hypercall_xen_version(strings[i].cmd, gva(answer));
        for (unsigned k = 0; k < sizeof(answer); k++) {
            ended |= strings[i].cmd != 2 && !answer[k];
            if (k >= strings[i].size ? answer[k] != 0xa5 : answer[k] >= 0x7f || (ended && answer[k])) {
                BROKE_OUT("xen_version %u: byte %u is %x", (uint64_t)strings[i].cmd, (uint64_t)k, (uint64_t)answer[k]);
                break;
            }
        }
    }
}

/* SPDX-License-Identifier: MIT */
/* attack_grants.c: claims: a grant gives what its entry says and no more; what is mapped can be let go of once; a page table is lent to
 * nobody for writing; and a frame that was taken back is never written to again by who had it (SPEC 10; bug classes C). "grants"
 * does it alone, a domain may lend to itself; "lend" and "borrow" are two domains at odds, each with the other's number in peer=.    */
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/grant.h"
#include "hypercall-abi/sched.h"
#include "tests/hostile/hostile.h"

#define FLAGS  (PTE_P | PTE_U | PTE_A | PTE_D)
#define REFS   16
#define WINDOW 32                        /* pool[WINDOW + i]: where frames are mapped at */

static struct grant_entry_v1 *const table = (struct grant_entry_v1 *)pool[63];

static void set_up_table(void)
{
    uint64_t frame = 0;
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1, .frame_list = gva(&frame) };
    long rc = hypercall_grant_table_op(GNTTABOP_setup_table, gva(&s), 1);

    if (rc || s.status || map_at(pool[63], frame << 12 | FLAGS | PTE_RW))
        TEST_ERROR("no grant table: %d, status %d", rc, (int64_t)s.status);
}

static void grant(unsigned ref, const void *page, domid_t to, bool readonly)
{
    table[ref].frame = va_to_mfn(page);
    table[ref].domid = to;
    __atomic_store_n(&table[ref].flags, GTF_permit_access | (readonly ? GTF_readonly : 0), __ATOMIC_RELEASE);
}

static uint64_t mapped_dev;              /* the last mapping's frame, as a device would name it */

static int16_t map(domid_t dom, unsigned ref, uint64_t host, uint32_t flags, uint32_t *handle)
{
    struct gnttab_map_grant_ref m = { .host_addr = host, .flags = flags, .ref = ref, .dom = dom };
    long rc = hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(&m), 1);

    *handle = m.handle;
    mapped_dev = m.dev_bus_addr;
    return rc ? 999 : m.status;
}

static int16_t unmap(uint32_t handle, uint64_t host, uint64_t dev)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = host, .dev_bus_addr = dev, .handle = handle };
    long rc = hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, gva(&u), 1);

    return rc ? 999 : u.status;
}

static int16_t copy(domid_t from, uint32_t ref, unsigned from_at, uint64_t to_gmfn, unsigned to_at, unsigned len)
{
    struct gnttab_copy c = { .len = len, .flags = GNTCOPY_source_gref };
    c.source.u.ref = ref;
    c.source.domid = from;
    c.source.offset = from_at;
    c.dest.u.gmfn = to_gmfn;
    c.dest.domid = DOMID_SELF;
    c.dest.offset = to_at;
    long rc = hypercall_grant_table_op(GNTTABOP_copy, gva(&c), 1);
    return rc ? 999 : c.status;
}

#define MUST(x, want, what) do { int64_t got_ = (x); if (got_ != (want)) BROKE_OUT(what ": %d, not %d", got_, (int64_t)(want)); } while (0)
#define MUST_FAIL(x, what)  do { int64_t got_ = (x); if (got_ == 0 || got_ == 999) BROKE_OUT(what ": %d", got_); } while (0)

static void *const at = pool[WINDOW];
#define AT ((uint64_t)at)

/* Back to the page that is ours at the window. */
static void restore_window(unsigned i)
{
    map_at(pool[WINDOW + i], va_to_mfn(pool[WINDOW + i]) << 12 | FLAGS | PTE_RW);
}

static void map_and_look(void)
{
    uint32_t h;

    pool[1][0] = 0x5a;
    grant(9, pool[1], DOMID_SELF, false);
    MUST_FAIL(map(DOMID_SELF, 9, AT, GNTMAP_host_map, &h), "an entry for DOMID_SELF counts for nobody");
}

static void read_write(domid_t me)
{
    uint32_t h;

    pool[1][0] = 0x5a;
    grant(9, pool[1], me, false);
    MUST(map(DOMID_SELF, 9, AT, GNTMAP_host_map, &h), 0, "mapping my own grant");
    if (pool[WINDOW][0] != 0x5a)
        BROKE_OUT("the mapping shows %x", (uint64_t)pool[WINDOW][0]);
    pool[WINDOW][1] = 0xa5;
    if (pool[1][1] != 0xa5)
        BROKE_OUT("a store through the mapping went astray");
    if ((table[9].flags & (GTF_reading | GTF_writing)) != (GTF_reading | GTF_writing))
        BROKE_OUT("the entry does not show its use: %x", (uint64_t)table[9].flags);
    MUST_FAIL(unmap(h, (uint64_t)pool[2], 0), "unmapping at an address that maps something else");
    MUST_FAIL(unmap(h + 1000, AT, 0), "a handle that is none");
    MUST(unmap(h, AT, 0), 0, "unmapping");
    MUST_FAIL(unmap(h, AT, 0), "unmapping twice");
    if (table[9].flags & (GTF_reading | GTF_writing))
        BROKE_OUT("the entry still shows use: %x", (uint64_t)table[9].flags);
    if (*table_at(1, AT) & PTE_P)
        BROKE_OUT("the entry still maps");
    restore_window(0);
}

static void read_only(domid_t me)
{
    uint32_t h, h2;

    grant(9, pool[1], me, true);
    MUST_FAIL(map(DOMID_SELF, 9, AT, GNTMAP_host_map, &h), "a writable mapping of a read-only grant");
    MUST(map(DOMID_SELF, 9, AT, GNTMAP_host_map | GNTMAP_readonly, &h), 0, "a read-only mapping");
    if (*table_at(1, AT) & PTE_RW)
        BROKE_OUT("a read-only mapping is writable");
    MUST_FAIL(copy(DOMID_SELF, 9, 4090, va_to_mfn(pool[2]), 0, 16), "a copy that runs over the page");
    MUST(copy(DOMID_SELF, 9, 0, va_to_mfn(pool[2]), 8, 2), 0, "a copy from it");
    if (pool[2][8] != 0x5a || pool[2][9] != 0xa5)
        BROKE_OUT("the copy is wrong");
    /* For processor and devices, let go of one after the other (XSA-224). */
    MUST(map(DOMID_SELF, 9, (uint64_t)pool[WINDOW + 1], GNTMAP_host_map | GNTMAP_device_map | GNTMAP_readonly, &h2), 0, "both ways");
    MUST(unmap(h2, (uint64_t)pool[WINDOW + 1], 0), 0, "the processor's");
    MUST(unmap(h2, (uint64_t)pool[WINDOW + 1], 0), 0, "the processor's again, which is nothing");
    MUST(unmap(h2, 0, va_to_mfn(pool[1]) << 12), 0, "the devices'");
    MUST_FAIL(unmap(h2, 0, va_to_mfn(pool[1]) << 12), "and that was all");
    MUST(unmap(h, AT, 0), 0, "unmapping the first");
    if (table[9].flags & (GTF_reading | GTF_writing))
        BROKE_OUT("the entry still shows use: %x", (uint64_t)table[9].flags);
    restore_window(0);
    restore_window(1);
}

/* A page table as grant's frame, as the copy's target; an entry's address that is not one (XSA-227). */
static void tables(domid_t me)
{
    uint64_t l1 = *table_at(2, AT) >> 12 & 0xffffffff, entry = maddr_of(table_at(1, AT));
    uint32_t h;

    table[10].frame = l1;
    table[10].domid = me;
    table[10].flags = GTF_permit_access;
    MUST_FAIL(map(DOMID_SELF, 10, AT, GNTMAP_host_map, &h), "a page table mapped writable through a grant");
    MUST_FAIL(copy(DOMID_SELF, 9, 0, l1, 0, 8), "a copy into a page table");
    MUST(map(DOMID_SELF, 10, AT, GNTMAP_host_map | GNTMAP_readonly, &h), 0, "a page table to look at");
    MUST(unmap(h, AT, 0), 0, "and no more");
    grant(9, pool[1], me, false);
    for (unsigned off = 1; off < 8; off++)
        MUST_FAIL(map(DOMID_SELF, 9, entry + off, GNTMAP_host_map | GNTMAP_contains_pte, &h), "an entry between entries");
    MUST_FAIL(map(DOMID_SELF, 9, maddr_of(pool[3]), GNTMAP_host_map | GNTMAP_contains_pte, &h), "an entry in no table");
    MUST(map(DOMID_SELF, 9, entry, GNTMAP_host_map | GNTMAP_contains_pte, &h), 0, "by the entry's address");
    MUST(unmap(h, entry, 0), 0, "and away");
    restore_window(0);
    table[11].frame = 0xfffffff0;
    table[11].domid = me;
    table[11].flags = GTF_permit_access;
    MUST_FAIL(map(DOMID_SELF, 11, AT, GNTMAP_host_map, &h), "a frame that is none");
    MUST_FAIL(map(DOMID_SELF, 511, AT, GNTMAP_host_map, &h), "an entry that is empty");
    MUST_FAIL(map(DOMID_SELF, 512, AT, GNTMAP_host_map, &h), "an entry beyond the table");
    MUST_FAIL(map(0x7ff3, 9, AT, GNTMAP_host_map, &h), "a domain that is none");
}

/* A list whose second half can be read but not written to: what cannot be told has not been, what was told stays; nor does a list that
 * ends in nothing do more than its beginning (partial batches). The list crosses from pool[30] into pool[31]. */
static void untold(domid_t me, uint32_t kind)
{
    struct gnttab_map_grant_ref *m = (struct gnttab_map_grant_ref *)(pool[31] - 3 * sizeof(*m) - sizeof(*m) / 2);
    uint32_t h;

    for (unsigned pass = 0; pass < 2; pass++) {
        make_writable(pool[31]);
        for (unsigned i = 0; i < 6; i++) {
            m[i] = (struct gnttab_map_grant_ref){ .flags = kind, .ref = 20 + i, .dom = me, .host_addr = (uint64_t)pool[WINDOW + i], .status = 77 };
            grant(20 + i, pool[1], me, false);
        }
        if (pass == 0)
            make_readonly(pool[31]);
        else
            map_at(pool[31], 0);
        MUST(hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(m), 6), -XEN_EFAULT, "a list that cannot be told");
        if (pass == 1)
            make_writable(pool[31]);
        for (unsigned i = 0; i < 6; i++) {
            bool told = i < 3, used = table[20 + i].flags & (GTF_reading | GTF_writing);
            if (told != used || (told && m[i].status) || (!told && kind & GNTMAP_host_map && va_to_mfn(pool[1]) == *table_at(1, m[i].host_addr) >> 12 << 24 >> 24))
                BROKE_OUT("pass %u: element %u: status %d, in use %u", (uint64_t)pass, (uint64_t)i, (int64_t)m[i].status, (uint64_t)used);
            if (told)
                MUST(unmap(m[i].handle, kind & GNTMAP_host_map ? m[i].host_addr : 0, kind & GNTMAP_device_map ? m[i].dev_bus_addr : 0), 0, "what was told");
            restore_window(i);
        }
        make_writable(pool[31]);
    }
    MUST(map(DOMID_SELF, 20, AT, GNTMAP_host_map, &h), 0, "and on");
    MUST(h, 0, "the first handle is free again");
    MUST(unmap(h, AT, 0), 0, "and away");
    restore_window(0);
}

static domid_t my_number(void)
{
    /* Whoever asks may name itself: its number is the one for which an event channel may be asked about. */
    return option("self", 0);
}

void attack_grants(void)
{
    domid_t me = my_number();

    set_up_table();
    map_and_look();
    read_write(me);
    read_only(me);
    tables(me);
    untold(me, GNTMAP_host_map);
    untold(me, GNTMAP_device_map);
    untold(me, GNTMAP_host_map | GNTMAP_device_map);
}

/* ---- two domains ------------------------------------------------------------------------------- */

static uint8_t state[REFS];              /* 0: taken back, 1: lent to write, 2: lent to read */

static bool page_is(const uint8_t *p, uint8_t value)
{
    for (unsigned i = 0; i < 16; i++) {
        if (((volatile const uint8_t *)p)[i * 250] != value)
            return false;
    }
    return true;
}

static void lend_or_take_back(unsigned i, domid_t peer)
{
    uint16_t flags = __atomic_load_n(&table[9 + i].flags, __ATOMIC_ACQUIRE);

    if (state[i]) {
        if ((flags & (GTF_reading | GTF_writing)) ||
            !__atomic_compare_exchange_n(&table[9 + i].flags, &flags, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            return;
        if (state[i] == 2 && !page_is(pool[i], 0x22))
            BROKE_OUT("page %u was lent to read and is written to", (uint64_t)i);
        memset(pool[i], 0x11, PAGE);
        state[i] = 0;
        return;
    }
    if (!page_is(pool[i], 0x11))
        BROKE_OUT("page %u was taken back and is written to", (uint64_t)i);
    state[i] = 1 + rnd() % 2;
    if (state[i] == 2)
        memset(pool[i], 0x22, PAGE);
    grant(9 + i, pool[i], peer, state[i] == 2);
}

void attack_lend(void)
{
    domid_t peer = option("peer", 0);
    uint64_t count = option("count", 200000);

    set_up_table();
    for (unsigned i = 0; i < REFS; i++)
        memset(pool[i], 0x11, PAGE);
    for (uint64_t n = 0; n < count; n++) {
        lend_or_take_back(rnd() % REFS, peer);
        if (n % 1024 == 0)
            hypercall_sched_op(SCHEDOP_yield, 0);
    }
}

static struct { bool mapped, writable, device_only; uint32_t handle; uint64_t host, dev; } held[REFS];

static void borrow_one(unsigned i, domid_t peer)
{
    bool write = rnd() % 2, by_pte = rnd() % 4 == 0;
    uint64_t host = by_pte ? maddr_of(table_at(1, (uint64_t)pool[WINDOW + i])) : (uint64_t)pool[WINDOW + i];
    bool device = rnd() % 4 == 0, device_only = device && rnd() % 2;
    uint32_t flags = (device ? GNTMAP_device_map : 0) | (device_only ? 0 : GNTMAP_host_map) | (write ? 0 : GNTMAP_readonly) |
                     (by_pte ? GNTMAP_contains_pte : 0);

    if (map(peer, 9 + rnd() % (REFS + 2), host, flags, &held[i].handle))
        return;
    held[i].mapped = true;
    held[i].writable = write;
    held[i].device_only = device_only;
    held[i].host = device_only ? 0 : host;
    held[i].dev = device ? mapped_dev : 0;
    if (device_only)
        return;                              /* no entry: nothing to touch */
    if (write)
        memset(pool[WINDOW + i], 0xb0, PAGE);
    else
        ((volatile uint8_t *)pool[WINDOW + i])[7];
}

static void give_back(unsigned i)
{
    /* Now and then the entry is taken away by other means first: then the handle stays, and must do no harm. */
    if (rnd() % 512 == 0)
        map_at(pool[WINDOW + i], 0);
    /* Both uses at once, or one after the other. */
    if (held[i].dev && rnd() % 2) {
        unmap(held[i].handle, held[i].host, 0);
        unmap(held[i].handle, 0, held[i].dev);
    } else {
        unmap(held[i].handle, held[i].host, held[i].dev);
    }
    held[i].mapped = false;
    if (!(*table_at(1, (uint64_t)pool[WINDOW + i]) & PTE_P))
        restore_window(i);
}

void attack_borrow(void)
{
    domid_t peer = option("peer", 0);
    uint64_t count = option("count", 100000), got = 0;

    for (uint64_t n = 0; n < count; n++) {
        unsigned i = rnd() % REFS;
        if (held[i].mapped && !(*table_at(1, (uint64_t)pool[WINDOW + i]) & PTE_P)) {
            restore_window(i);               /* a wild unmap of below has met it */
            held[i].mapped = false;
        }
        if (rnd() % 8 == 0) {
            copy(peer, 9 + rnd() % REFS, rnd() % PAGE, va_to_mfn(pool[20]), rnd() % PAGE, rnd() % PAGE);
        } else if (held[i].mapped) {
            if (held[i].writable && !held[i].device_only)
                memset(pool[WINDOW + i], 0xb0, PAGE);
            give_back(i);
        } else {
            borrow_one(i, peer);
            got += held[i].mapped;
        }
        if (rnd() % 64 == 0)
            unmap(rnd() % 64, (uint64_t)pool[WINDOW + rnd() % REFS], rnd() % 2 ? rnd() : 0);
    }
    say("%u mappings of d%u's frames", got, (uint64_t)peer);
    if (got < count / 100)
        TEST_ERROR("hardly anything could be mapped");
}

/* Every operation that names another domain, at numbers that are being given out just now: a domain is nobody's to name before it is
 * whole. Whoever makes domains meanwhile decides when this ends. */
void attack_newborn(void)
{
    domid_t first = option("peer", 3);
    uint64_t count = option("count", ~0UL);
    uint32_t h;

    for (uint64_t n = 0; n < count; n++) {
        domid_t whom = first + n % 8;
        struct evtchn_bind_interdomain b = { .remote_dom = whom, .remote_port = 1 };
        if (map(whom, 0, AT, GNTMAP_host_map, &h) == 0 || map(whom, 0, 0, GNTMAP_device_map, &h) == 0 ||
            copy(whom, 0, 0, va_to_mfn(pool[20]), 0, 8) == 0 || hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b)) == 0)
            BROKE_OUT("d%u, which owes us nothing, gave us something", (uint64_t)whom);
    }
}

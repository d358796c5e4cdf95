/* SPDX-License-Identifier: MIT */
/* os_glue_grant.c: frames of ours that we let others use.
 *
 * The grant table (version 1) is a few frames of the hypervisor's that we write entries into; it begins with one and
 * grows when entries run out. Free references are chained through an array of our own, since the table itself can be
 * read by nobody but can be marked by the hypervisor at any time: an entry is taken back by one atomic exchange, which
 * fails while somebody has the frame mapped. SPEC 10.                                                          */
#include "guest-kernel/kernel/vm.h"
#include "guest-kernel/kernel/timer.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/grant.h"
#include "pv-drivers/os.h"

#define FRAME_ENTRIES ((uint32_t)(PAGE_SIZE / sizeof(struct grant_entry_v1)))
#define MOST_FRAMES   64u
#define NONE          0u                            /* reference 0 is the console's, never on the free list */
#define RETRY_MS      50u

static struct {
    uint32_t frames, most;                          /* the table's, and how many it may have */
    uint32_t free;                                  /* first free reference                  */
    struct grant_entry_v1 *entry[MOST_FRAMES];      /* where each frame is mapped            */
    uint32_t              *next[MOST_FRAMES];       /* of each free reference, the next      */
} table;

static struct grant_entry_v1 *entry_of(uint32_t ref) { return &table.entry[ref / FRAME_ENTRIES][ref % FRAME_ENTRIES]; }
static uint32_t *next_of(uint32_t ref) { return &table.next[ref / FRAME_ENTRIES][ref % FRAME_ENTRIES]; }

static void ref_free(uint32_t ref)
{
    *next_of(ref) = table.free;
    table.free = ref;
}

static uint32_t frames_allowed(void)
{
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    long rc = hypercall_grant_table_op(GNTTABOP_query_size, gva(&q), 1);
    return rc == 0 && q.status == GNTST_okay ? MIN(q.max_nr_frames, MOST_FRAMES) : 1;
}

/* One more frame of entries. The hypervisor wants the whole number and tells all frames. */
static int table_grow(void)
{
    uint64_t frame[MOST_FRAMES];
    uint32_t n = table.frames;
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = n + 1, .frame_list = gva(frame) };
    if (!table.most)
        table.most = frames_allowed();
    if (n >= table.most)
        return -ENOSPC;
    long rc = hypercall_grant_table_op(GNTTABOP_setup_table, gva(&setup), 1);
    if (rc || setup.status != GNTST_okay)
        return -ENOSPC;
    table.next[n] = page_alloc();                   /* FRAME_ENTRIES numbers of four bytes fit */
    table.entry[n] = table.next[n] ? kmap_frames(&frame[n], 1, PTE_W) : 0;
    if (!table.entry[n]) {
        if (table.next[n])
            page_free(table.next[n]);
        return -ENOMEM;
    }
    table.frames = n + 1;
    for (uint32_t i = FRAME_ENTRIES; i-- > 0;)
        if (n > 0 || i >= GNTTAB_NR_RESERVED_ENTRIES)
            ref_free(n * FRAME_ENTRIES + i);
    return 0;
}

int os_grant(uint16_t domid, uint64_t frame, bool read_only)
{
    if (table.free == NONE) {
        int rc = table_grow();
        if (rc)
            return rc;
    }
    uint32_t ref = table.free;
    uint64_t flags = GTF_permit_access | (read_only ? GTF_readonly : 0);
    _Static_assert(offsetof(struct grant_entry_v1, domid) == 2 && offsetof(struct grant_entry_v1, frame) == 4, "one word");
    table.free = *next_of(ref);
    __atomic_store_n((uint64_t *)entry_of(ref), flags | (uint64_t)domid << 16 | frame << 32, __ATOMIC_RELEASE);
    return (int)ref;
}

static uint16_t flags_of(uint32_t ref) { return __atomic_load_n(&entry_of(ref)->flags, __ATOMIC_ACQUIRE); }

bool os_grant_in_use(uint32_t ref) { return flags_of(ref) & (GTF_reading | GTF_writing); }

bool os_grant_end(uint32_t ref)
{
    uint16_t *flags = &entry_of(ref)->flags, seen = __atomic_load_n(flags, __ATOMIC_ACQUIRE);
    do
        if (seen & (GTF_reading | GTF_writing))
            return false;
    while (!__atomic_compare_exchange_n(flags, &seen, 0, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
    ref_free(ref);
    return true;
}

/* ---- Those that the other end holds on to ---- */

struct held { struct held *next; uint32_t ref; void *page; };
static struct held *held;
static struct os_timer retry;

static void try_again(void *arg)
{
    for (struct held **at = &held; *at;) {
        struct held *h = *at;
        if (!os_grant_end(h->ref)) {
            at = &h->next;
            continue;
        }
        *at = h->next;
        if (h->page)
            page_free(h->page);
        kfree(h);
    }
    if (held)
        os_timer_set(&retry, RETRY_MS, try_again, 0);
}

void os_grant_end_and_free(uint32_t ref, void *page)
{
    if (os_grant_end(ref)) {
        if (page)
            page_free(page);
        return;
    }
    struct held *h = kmalloc(sizeof(*h));
    if (!h)
        return;                                     /* both are lost: better than a page with two users */
    *h = (struct held){ held, ref, page };
    held = h;
    os_timer_set(&retry, RETRY_MS, try_again, 0);
}

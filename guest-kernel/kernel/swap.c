/* SPDX-License-Identifier: MIT */
/* swap.c: swap areas: swapon, swapoff, and what page-table entries do with slots. swap.h has the rules; swap_clock.c
 * chooses, swap_io.c moves. */
#include "guest-kernel/kernel/swap.h"
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/shared.h"
#include "guest-kernel/kernel/syscalls.h"

#define PAGE_SECTORS (PAGE_SIZE / BLK_SECTOR)
#define MAGIC     "SWAPSPACE2"
#define BAD_MAX   637u                              /* numbers that fit the first page */
#define SLOTS_MAX (1u << 19)                        /* 2 GiB an area                   */

/* The first page of an area, as Linux and its mkswap know it. */
struct swap_header {
    uint8_t  boot[1024];
    uint32_t version, last_page, nr_bad;
    uint8_t  uuid[16];
    char     label[16];
    uint32_t padding[117];
    uint32_t bad[BAD_MAX];
    char     magic[10];
};
_Static_assert(sizeof(struct swap_header) <= PAGE_SIZE && offsetof(struct swap_header, bad) == 1536, "Linux's layout");

struct swap_area swap_areas[SWAP_AREAS];

/* ---- Slots ---- */

uint64_t swap_sector(const struct swap_area *a, uint32_t slot, uint32_t *run)
{
    unsigned lo = 0, hi = a->nextents;
    while (hi - lo > 1) {
        unsigned mid = (lo + hi) / 2;
        if (a->extents[mid].first <= slot)
            lo = mid;
        else
            hi = mid;
    }
    const struct swap_extent *e = &a->extents[lo];
    *run = e->first + e->count - slot;
    return e->sector + (uint64_t)(slot - e->first) * (PAGE_SIZE / BLK_SECTOR);
}

static bool takes_pages(const struct swap_area *a) { return a->used && !a->closing && !a->failed && a->slots.used < a->slots.count; }

uint32_t swap_slot_new(void)
{
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        uint32_t slot = takes_pages(&swap_areas[i]) ? swap_slots_take(&swap_areas[i].slots) : 0;
        if (slot)
            return swap_number(i, slot);
    }
    return 0;
}

bool swap_any(void)
{
    for (unsigned i = 0; i < SWAP_AREAS; i++)
        if (takes_pages(&swap_areas[i]))
            return true;
    return false;
}

void swap_totals(size_t *total, size_t *free)
{
    *total = *free = 0;
    for (unsigned i = 0; i < SWAP_AREAS; i++) {
        const struct swap_area *a = &swap_areas[i];
        if (!a->used || a->closing)
            continue;
        *total += a->slots.count - 1;
        *free += a->slots.count - a->slots.used;
    }
}

void swap_get(uint32_t number) { swap_slot_of(number)->refs++; }

void swap_put(uint32_t number)
{
    struct swap_slot *s = swap_slot_of(number);
    struct page *p = s->page ? page_of_pfn(s->page - 1) : 0;
    swap_slots_drop(&swap_area_of(number)->slots, swap_index(number));
    if (p && p->refs == 1)
        swap_page_idle(p);
}

/* Nobody maps the page; if no entry names its slot either, both go, now or when the disk is done with them. */
void swap_page_idle(struct page *p)
{
    if (!(p->flags & PAGE_BUSY) && swap_slot_of(p->slot)->refs == 1)
        swap_detach(p);
}

bool page_sole(const struct page *p)
{
    return p->refs == 1 || (p->refs == 2 && (p->flags & PAGE_SWAP) && swap_slot_of(p->slot)->refs == 1);
}

void swap_page_written(struct page *p)
{
    size_t total, free;
    if (!(p->flags & PAGE_SWAP))
        return;
    p->flags |= PAGE_DIRTY;
    swap_totals(&total, &free);
    if (free < total / 2 && !(p->flags & PAGE_BUSY))
        swap_detach(p);
}

int swap_in(uint32_t number, struct page **page)
{
    struct swap_slot *s = swap_slot_of(number);
    if (!s->page) {
        int rc = swap_read(number);
        if (rc == -ENOMEM || (rc && !s->page))
            return rc;
        if (!s->page)
            return 1;
    }
    struct page *p = page_of_pfn(s->page - 1);
    page_get(p);
    swap_wait_read(p);
    if (!(p->flags & PAGE_FAILED)) {
        *page = p;
        return 0;
    }
    if (p->flags & PAGE_SWAP)
        swap_detach(p);                             /* so that the next fault tries again */
    page_put(p);
    return -EIO;
}

/* ---- swapon ---- */

static int read_header(struct swap_area *a, struct swap_header *h)
{
    uint32_t run;
    int rc = blk_rw(a->dev, BLK_READ, swap_sector(a, 0, &run), h, PAGE_SIZE);
    if (rc)
        return rc;
    if (memcmp((char *)h + PAGE_SIZE - 10, MAGIC, 10) || h->version != 1 || h->last_page < 1 || h->nr_bad > BAD_MAX)
        return -EINVAL;
    return 0;
}

static uint64_t area_pages(const struct swap_area *a)
{
    return MIN((a->file ? a->file->size : a->dev->sectors * BLK_SECTOR) >> PAGE_SHIFT, (uint64_t)SLOTS_MAX);
}

static int whole_device(struct swap_area *a)
{
    a->extents = kmalloc(sizeof(*a->extents));
    if (!a->extents)
        return -ENOMEM;
    a->extents[0] = (struct swap_extent){ 0, (uint32_t)area_pages(a), 0 };
    a->nextents = 1;
    return 0;
}

/* One more run, joined with the last if it follows it on the device. */
static int add_extent(struct swap_area *a, unsigned *room, struct swap_extent e)
{
    struct swap_extent *last = a->nextents ? &a->extents[a->nextents - 1] : 0;
    if (last && last->sector + last->count * PAGE_SECTORS == e.sector) {
        last->count += e.count;
        return 0;
    }
    if (a->nextents == *room) {
        unsigned more = MAX(16u, 2 * *room);
        struct swap_extent *bigger = kmalloc(more * sizeof(*bigger));
        if (!bigger)
            return -ENOMEM;
        if (a->nextents)
            memcpy(bigger, a->extents, a->nextents * sizeof(*bigger));
        kfree(a->extents);
        a->extents = bigger;
        *room = more;
    }
    a->extents[a->nextents++] = e;
    return 0;
}

/* A file's pages, run by run: each must have its place on the device, as no place can be made when memory is short. */
static int map_file(struct swap_area *a)
{
    uint64_t pages = area_pages(a), at, count;
    unsigned room = 0;
    int rc = a->file->cache ? inode_fsync(a->file, false) : -EOPNOTSUPP;
    for (uint64_t page = 0; rc == 0 && page < pages; page += count / PAGE_SECTORS) {
        count = (pages - page) * PAGE_SECTORS;
        rc = inode_bmap(a->file, page * PAGE_SECTORS, &at, &count);
        if (rc == 0 && (at == MAP_HOLE || count < PAGE_SECTORS))
            rc = -EINVAL;
        if (rc == 0)
            rc = add_extent(a, &room, (struct swap_extent){ (uint32_t)page, (uint32_t)(count / PAGE_SECTORS), at });
    }
    a->dev = rc ? 0 : a->file->cache->dev;
    return rc ? rc : pages ? 0 : -EINVAL;
}

static int open_area(struct swap_area *a)
{
    struct inode *i;
    int rc = path_lookup(a->path, WALK_FOLLOW, &i);
    if (rc)
        return rc;
    if ((i->mode & S_IFMT) == S_IFBLK) {
        a->dev = blk_of_rdev(i->rdev);
        inode_put(i);
        rc = a->dev ? blk_claim(a->dev, true) : -ENXIO;
        if (rc)
            a->dev = 0;
        return rc ? rc : whole_device(a);
    }
    a->file = i;
    return S_ISREG(i->mode) ? map_file(a) : -EINVAL;   /* nobody should cut the file while it is in use */
}

static void close_area(struct swap_area *a)
{
    swap_slots_free(&a->slots);
    kfree(a->extents);
    if (a->file)
        inode_put(a->file);
    else if (a->dev)
        blk_release(a->dev, true);
    *a = (struct swap_area){ 0 };
}

static int start_area(struct swap_area *a)
{
    struct swap_header *h = kmalloc(PAGE_SIZE);
    int rc = h ? open_area(a) : -ENOMEM;
    if (rc == 0)
        rc = read_header(a, h);
    if (rc == 0)
        rc = swap_slots_init(&a->slots, (uint32_t)MIN((uint64_t)h->last_page + 1, area_pages(a)));
    for (uint32_t i = 0; rc == 0 && i < h->nr_bad; i++)
        swap_slots_spoil(&a->slots, h->bad[i]);
    kfree(h);
    return rc;
}

static struct swap_area *area_by_path(const char *path)
{
    for (unsigned i = 0; i < SWAP_AREAS; i++)
        if (swap_areas[i].path[0] && strcmp(swap_areas[i].path, path) == 0)
            return &swap_areas[i];
    return 0;
}

static long get_path(char *to, uptr_t from)
{
    long n = copy_string_from_user(to, from, sizeof(swap_areas[0].path));
    return n < 0 ? n : n == 0 ? -ENOENT : 0;
}

long sys_swapon(uptr_t path, int flags)
{
    char name[sizeof(swap_areas[0].path)];
    struct swap_area *a = 0;
    long rc = get_path(name, path);
    if (rc)
        return rc;
    if (flags)
        return -EINVAL;
    if (area_by_path(name))
        return -EBUSY;
    for (unsigned i = 0; i < SWAP_AREAS && !a; i++)
        a = swap_areas[i].path[0] ? 0 : &swap_areas[i];
    if (!a)
        return -ENOSPC;
    strlcpy(a->path, name, sizeof(a->path));
    rc = start_area(a);
    if (rc) {
        close_area(a);
        return rc;
    }
    a->used = true;
    return 0;
}

/* ---- swapoff: everything comes back ---- */

struct bring { struct vm_space *s; struct vm_area *a; const struct swap_area *area; };

/* Puts the page of a slot that is in memory back where its number stands. Does not sleep. */
static int restore_one(void *arg, uintptr_t va, pte_t *slot)
{
    struct bring *b = arg;
    if (!pte_swapped(*slot) || swap_area_of(pte_swap(*slot)) != b->area)
        return 0;
    uint32_t number = pte_swap(*slot);
    const struct swap_slot *s = swap_slot_of(number);
    struct page *p = s->page ? page_of_pfn(s->page - 1) : 0;
    if (!p || (p->flags & (PAGE_READING | PAGE_FAILED)))
        return 0;
    uint64_t flags = PTE_P | PTE_U | PTE_A | (b->a->flags & VM_WRITE ? PTE_COW : 0) | (b->a->flags & VM_EXEC ? 0 : PTE_NX);
    page_get(p);
    if (b->a->flags & (VM_READ | VM_WRITE | VM_EXEC))
        plat_pte_write(&b->s->plat, 1, slot, plat_pte_make(page_pfn(p), flags));
    else
        plat_pte_write(&b->s->plat, 1, slot, vm_parked(p));
    b->s->resident++;
    b->s->swapped--;
    swap_put(number);
    return 0;
}

static void restore_all(const struct swap_area *area)
{
    plat_batch_begin();
    list_for (p, &all_procs, struct proc, all)
        if (p->vm)
            list_for (a, &p->vm->areas, struct vm_area, link) {
                struct bring b = { p->vm, a, area };
                if (!(a->flags & VM_DEVICE))
                    vm_walk(p->vm, a->start, a->end, restore_one, &b);
            }
    plat_batch_end();
    plat_tlb_flush();
    shared_restore(area);
}

/* Reads the next slots that are only on the disk, a few at a time: how many, or -errno. */
static int read_some(struct swap_area *a, uint32_t *at)
{
    int n = 0;
    for (; *at < a->slots.count && n < 64; ++*at) {
        const struct swap_slot *s = swap_slot(&a->slots, *at);
        struct page *p;
        if (!s->refs || s->refs == SLOT_BAD)
            continue;
        int rc = pages_low() ? -ENOMEM : swap_in(swap_number((unsigned)(a - swap_areas), *at), &p);
        if (rc < 0)
            return rc;
        if (rc == 0)
            page_put(p);
        n++;
    }
    return n;
}

/* What the cache still has is nobody's but for writes that will end. */
static bool drained(struct swap_area *a)
{
    bool empty = true;
    for (uint32_t i = 1; i < a->slots.count; i++) {
        const struct swap_slot *s = swap_slot(&a->slots, i);
        struct page *p = s->page ? page_of_pfn(s->page - 1) : 0;
        if (p && !(p->flags & PAGE_BUSY) && s->refs == 1)
            swap_detach(p);
        empty &= s->refs == 0 || s->refs == SLOT_BAD;
    }
    return empty;
}

static int empty_area(struct swap_area *a)
{
    for (unsigned round = 0; round < 100; round++) {
        uint32_t at = 1;
        int n;
        while ((n = read_some(a, &at)) > 0) {
            restore_all(a);
            breathe();
        }
        if (n < 0)
            return n;
        if (drained(a))
            return 0;
        swap_io_wait();
    }
    return -EBUSY;
}

long sys_swapoff(uptr_t path)
{
    char name[sizeof(swap_areas[0].path)];
    long rc = get_path(name, path);
    if (rc)
        return rc;
    struct swap_area *a = area_by_path(name);
    if (!a || !a->used || a->closing)
        return -EINVAL;
    a->closing = true;
    rc = empty_area(a);
    if (rc)
        a->closing = false;
    else
        close_area(a);
    return rc;
}

void swap_in_space(struct vm_space *s)
{
    list_for (a, &s->areas, struct vm_area, link)
        for (uintptr_t va = a->start; s->swapped && va < a->end; va += PAGE_SIZE) {
            const pte_t *slot = vm_slot(s, va, false);
            if (slot && pte_swapped(*slot))
                vm_fault(s, va, 0);
        }
}

static size_t swap_count(void)
{
    size_t total, free;
    swap_totals(&total, &free);
    return free;
}

static struct shrinker shrinker = { .name = "swap", .priority = SHRINK_SWAP, .count = swap_count, .shrink = swap_shrink };

void swap_boot(void) { shrinker_register(&shrinker); }

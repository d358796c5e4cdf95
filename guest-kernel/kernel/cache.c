/* SPDX-License-Identifier: MIT */
/* cache.c: finding, making and giving up pages of files. See cache.h for the invariants; cacheio.c moves them.
 *
 * One hash table finds a page by cache and index. Pages hang in one list by age; the oldest go first when memory is
 * wanted, unless they were used since they were last looked at. A page on its way from the device is `reading`: who wants
 * it waits; one on its way to the device is `writing` and may be read and changed meanwhile, which makes it dirty anew. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/cacheio.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/reclaim.h"

#define WRITE_BACK_NS (5 * NSEC_PER_SEC)

struct cache_state cache_state = { .lru = LIST_INIT(cache_state.lru), .busy = LIST_INIT(cache_state.busy) };

struct cache_totals cache_totals(void)
{
    return (struct cache_totals){ cache_state.pages, cache_state.dirty, cache_state.writing };
}

/* ---- The table ---- */

static struct cache_page **bucket(const struct cache *c, uint64_t index)
{
    uint64_t h = ((uintptr_t)c >> 5) * 0x9e3779b97f4a7c15ul + index * 0xd6e8feb86659fd93ul;
    return &cache_state.table[(h >> 32) & cache_state.mask];
}

struct cache_page *cache_find(const struct cache *c, uint64_t index)
{
    struct cache_page *cp = *bucket(c, index);
    while (cp && (cp->cache != c || cp->index != index))
        cp = cp->chain;
    return cp;
}

/* A new page, not up to date, `reading`; null without memory. Allocation may sleep: *raced tells that somebody else made it. */
struct cache_page *cache_add(struct cache *c, uint64_t index, bool *raced)
{
    *raced = false;
    struct cache_page *cp = kmalloc(sizeof(*cp));
    void *page = cp ? page_alloc_user_raw() : 0;
    if (!page) {
        kfree(cp);
        return 0;
    }
    if (cache_find(c, index)) {
        pages_free(page);
        kfree(cp);
        *raced = true;
        return 0;
    }
    struct cache_page **b = bucket(c, index);
    *cp = (struct cache_page){ .chain = *b, .cache = c, .page = page_of(page), .index = index, .reading = true };
    *b = cp;
    list_append(&cache_state.lru, &cp->lru);
    list_append(&c->all, &cp->all);
    list_init(&cp->dirty);
    c->pages++;
    cache_state.pages++;
    return cp;
}

static void free_record(struct cache_page *cp)
{
    page_put(cp->page);
    kfree(cp);
}

/* Out of the cache; the record lives on while pinned. */
void cache_remove(struct cache_page *cp)
{
    struct cache_page **at = bucket(cp->cache, cp->index);
    while (*at != cp)
        at = &(*at)->chain;
    *at = cp->chain;
    list_remove(&cp->lru);
    list_remove(&cp->all);
    cache_clean(cp);
    list_remove(&cp->dirty);
    cp->cache->pages--;
    cache_state.pages--;
    cp->gone = true;
    if (!cp->pins)
        free_record(cp);
}

void cache_put(struct cache_page *cp)
{
    BUG_ON(cp->pins == 0);
    if (--cp->pins == 0 && cp->gone)
        free_record(cp);
}

/* ---- Dirt ---- */

static void mark_busy(struct cache *c)
{
    if (!list_empty(&c->link))
        return;
    list_append(&cache_state.busy, &c->link);
    wake_all(&cache_state.flusher);
}

void cache_dirty(struct cache_page *cp)
{
    if (cp->is_dirty || cp->gone)
        return;
    cp->is_dirty = true;
    list_remove(&cp->dirty);                        /* perhaps from the shared ones */
    list_append(&cp->cache->dirty, &cp->dirty);
    cp->cache->ndirty++;
    cache_state.dirty++;
    mark_busy(cp->cache);
}

void cache_clean(struct cache_page *cp)
{
    if (!cp->is_dirty)
        return;
    cp->is_dirty = false;
    list_remove(&cp->dirty);
    cp->cache->ndirty--;
    cache_state.dirty--;
}

static uint64_t page_hash(const struct page *p)
{
    const uint64_t *w = page_va(p);
    uint64_t h = 0;
    for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
        h = (h ^ w[i]) * 0x9e3779b97f4a7c15ul + (h >> 29);
    return h;
}

/* C4: shared pages that changed become dirty, those that nobody maps any more cease to be suspect. */
void cache_check_shared(struct cache *c)
{
    list_for (cp, &c->shared, struct cache_page, dirty) {
        bool mapped = cp->page->refs > 1;
        uint64_t hash = page_hash(cp->page);
        if (hash != cp->hash)
            cache_dirty(cp);
        else if (!mapped)
            list_remove(&cp->dirty);
        cp->hash = hash;
        cp->shared = mapped;
    }
}

/* A shared page was handed to the device: what it held then. */
void cache_settle_shared(struct cache_page *cp)
{
    cp->hash = page_hash(cp->page);
    list_append(&cp->cache->shared, &cp->dirty);
}

static void mark_shared(struct cache_page *cp)
{
    if (cp->shared)
        return;
    cp->shared = true;
    cache_dirty(cp);
}

/* ---- A page wanted ---- */

static void touch(struct cache_page *cp) { cp->used = true; }

/* A page all of which the caller will write. */
static struct cache_page *fill_page(struct cache *c, uint64_t index)
{
    bool raced;
    struct cache_page *cp = cache_add(c, index, &raced);
    if (cp) {
        memset(page_va(cp->page), 0, PAGE_SIZE);
        cp->reading = false;
        cp->uptodate = true;
    }
    return cp ? cp : raced ? cache_find(c, index) : 0;
}

static struct cache_page *wait_for(struct cache_page *cp, int *rc)
{
    struct cache *c = cp->cache;
    cp->pins++;
    wait_event_always(&c->wait, !cp->reading);
    *rc = cp->failed ? -EIO : 0;
    if (*rc == 0 && !cp->gone)
        return cp;
    if (!cp->gone && !cp->uptodate)
        cache_remove(cp);                           /* whoever comes next may try again */
    cache_put(cp);
    return 0;
}

struct cache_page *cache_get(struct cache *c, uint64_t index, enum cache_use use, int *rc)
{
    *rc = 0;
    for (;;) {
        struct cache_page *cp = cache_find(c, index);
        if (cp) {
            cp = wait_for(cp, rc);
            if (!cp && *rc == 0)
                continue;                           /* dropped meanwhile */
            if (cp)
                touch(cp);
            return cp;
        }
        if (use == CACHE_FILL) {
            cp = fill_page(c, index);
            *rc = cp ? 0 : -ENOMEM;
            if (cp)
                cp->pins++;
            return cp;
        }
        bool hole = false;
        *rc = cache_read(c, index, 1, use == CACHE_CHANGE, &hole);
        if (*rc || hole)
            return 0;
    }
}

struct page *cache_inode_page(struct inode *i, uint64_t index, bool create, int *rc)
{
    struct cache *c = i->cache;
    uint64_t at = index << PAGE_SHIFT;
    if (!create)
        cache_ahead(c, index, 1);
    struct cache_page *cp = cache_get(c, index, create ? CACHE_CHANGE : CACHE_READ, rc);
    if (cp && create) {
        *rc = at < i->size ? i->ops->reserve(i, at, MIN(PAGE_SIZE, i->size - at)) : -EINVAL;
        if (*rc == 0)
            mark_shared(cp);
    }
    if (!cp)
        return 0;
    struct page *p = *rc || cp->gone ? 0 : cp->page;
    if (p)
        page_get(p);
    cache_put(cp);
    return p;
}

/* ---- Forgetting ---- */

/* Waits until cp is at rest; false if it went away. */
static bool at_rest(struct cache *c, uint64_t index, struct cache_page **out)
{
    struct cache_page *cp;
    while ((cp = cache_find(c, index)) && (cp->reading || cp->writing))
        sleep_on(&c->wait, FOREVER, false);
    *out = cp;
    return cp;
}

static void zero_part(struct cache *c, uint64_t index, size_t from, size_t to)
{
    int rc;
    struct cache_page *cp = from < to ? cache_get(c, index, CACHE_READ, &rc) : 0;
    if (!cp)
        return;                                     /* nothing to do, a hole, or unreadable: then it stays as it is */
    memset((char *)page_va(cp->page) + from, 0, to - from);
    cache_dirty(cp);
    cache_put(cp);
}

static void drop_all_in(struct cache *c, uint64_t first, uint64_t last)
{
    for (struct list *l = c->all.next; l != &c->all;) {
        struct cache_page *cp = container_of(l, struct cache_page, all);
        l = l->next;
        if (cp->index < first || cp->index >= last)
            continue;
        bool slept = cp->reading || cp->writing;
        if (at_rest(c, cp->index, &cp))
            cache_remove(cp);
        if (slept)                                  /* the list may be another now */
            l = c->all.next;
    }
}

void cache_drop(struct cache *c, uint64_t from, uint64_t to)
{
    uint64_t first = (from + PAGE_SIZE - 1) >> PAGE_SHIFT, last = to >> PAGE_SHIFT;
    size_t head = from & (PAGE_SIZE - 1), tail = to & (PAGE_SIZE - 1);
    struct cache_page *cp;
    c->drops++;
    if (from >> PAGE_SHIFT == last) {
        zero_part(c, last, head, tail);
        return;
    }
    if (last - first >= c->pages)
        drop_all_in(c, first, last);
    else
        for (uint64_t n = first; n < last; n++)
            if (at_rest(c, n, &cp))
                cache_remove(cp);
    zero_part(c, from >> PAGE_SHIFT, head, head ? PAGE_SIZE : 0);
    zero_part(c, last, 0, tail);
}

void cache_zero_tail(struct cache *c, uint64_t size)
{
    struct cache_page *cp = size & (PAGE_SIZE - 1) ? cache_find(c, size >> PAGE_SHIFT) : 0;
    if (cp && cp->uptodate)
        memset((char *)page_va(cp->page) + (size & (PAGE_SIZE - 1)), 0, PAGE_SIZE - (size & (PAGE_SIZE - 1)));
}

int cache_create(struct inode *i, struct blkdev *dev)
{
    struct cache *c = kmalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    c->inode = i;
    c->dev = dev;
    list_init(&c->link);
    list_init(&c->all);
    list_init(&c->dirty);
    list_init(&c->shared);
    wait_init(&c->wait);
    i->cache = c;
    return 0;
}

void cache_destroy(struct inode *i)
{
    struct cache *c = i->cache;
    if (!c)
        return;
    list_remove(&c->link);
    cache_drop(c, 0, ~0ul & ~(PAGE_SIZE - 1));
    BUG_ON(c->pages || c->ndirty);
    list_remove(&c->link);
    i->cache = 0;
    kfree(c);
}

/* ---- Giving up (C3) ---- */

static bool evictable(const struct cache_page *cp)
{
    return cp->uptodate && !cp->is_dirty && !cp->shared && !cp->writing && !cp->reading && !cp->pins && cp->page->refs == 1;
}

static size_t evict(size_t want)
{
    size_t got = 0;
    for (size_t looked = cache_state.pages; looked && got < want; looked--) {
        struct cache_page *cp = container_of(cache_state.lru.next, struct cache_page, lru);
        list_remove(&cp->lru);
        list_append(&cache_state.lru, &cp->lru);
        if (!evictable(cp) || cp->used) {
            cp->used = false;
            continue;
        }
        cache_remove(cp);
        got++;
    }
    return got;
}

static size_t shrink(size_t want)
{
    size_t got = evict(want);
    if (got < want)
        got += evict(want - got);                   /* those that had been used, too */
    if (got >= want || !cache_state.dirty)
        return got;
    struct cache *c = list_empty(&cache_state.busy) ? 0 : container_of(cache_state.busy.next, struct cache, link);
    if (!c)
        return got;
    inode_get(c->inode);
    list_remove(&c->link);
    list_append(&cache_state.busy, &c->link);
    cache_write_back(c, true);
    inode_put(c->inode);
    return got + evict(want - got);
}

static size_t count(void) { return cache_state.pages; }
static struct shrinker cache_shrinker = { .name = "cache", .priority = SHRINK_CACHE, .count = count, .shrink = shrink };

/* ---- Writing back in time ---- */

static size_t dirty_limit(void) { return MAX(pages_total() / 5, 64ul); }

void cache_throttle(struct cache *c)
{
    if (cache_state.dirty > dirty_limit() / 2)
        wake_all(&cache_state.flusher);
    while (cache_state.dirty + cache_state.writing > dirty_limit() && (c->ndirty || c->writing))
        cache_write_back(c, c->ndirty == 0 || cache_state.writing > dirty_limit() / 2);
    while (cache_state.dirty > dirty_limit() && !current->reclaiming && !list_empty(&cache_state.busy))
        sleep_until(plat_clock_ns() + 10 * NSEC_PER_MS, false);      /* others' dirt: the flusher's work */
}

static struct cache *next_busy(uint64_t round)
{
    list_for (c, &cache_state.busy, struct cache, link)
        if (c->round != round)
            return c;
    return 0;
}

/* Each busy cache once. One caller at a time: what one skips since another has it in hand is not on the disk yet. */
static int write_back_all(bool wait)
{
    static struct mutex one_at_a_time = { false, { LIST_INIT(one_at_a_time.queue.waiters) } };
    static uint64_t round;
    struct cache *c;
    int rc = 0;
    mutex_lock(&one_at_a_time);
    for (round++; (c = next_busy(round)) != 0;) {
        struct inode *i = c->inode;
        inode_get(i);
        c->round = round;
        int one = cache_write_back(c, wait);
        if (wait && S_ISBLK(i->mode) && one == 0 && c->dev->flush)
            one = blk_flush(c->dev);                /* a file system flushes for its own */
        rc = rc ? rc : one;
        if (!c->ndirty && !c->writing && list_empty(&c->shared))
            list_remove(&c->link);
        inode_put(i);
    }
    mutex_unlock(&one_at_a_time);
    return rc;
}

int cache_write_all(void) { return write_back_all(true); }

int cache_sync_all(void)
{
    write_back_all(false);                          /* all on their way, then wait for each */
    int rc = write_back_all(true), one = fs_sync_mounts();
    return rc ? rc : one;
}

static void flusher(void *none)
{
    for (;;) {
        if (list_empty(&cache_state.busy) && !cache_state.fs_dirty)
            wait_event_always(&cache_state.flusher, !list_empty(&cache_state.busy) || cache_state.fs_dirty);
        uint64_t until = plat_clock_ns() + WRITE_BACK_NS;
        while (cache_state.dirty <= dirty_limit() / 2 && sleep_on(&cache_state.flusher, until, false) != -ETIMEDOUT)
            ;
        cache_state.fs_dirty = false;
        if (cache_state.dirty > dirty_limit() / 2)
            write_back_all(true);
        else
            cache_sync_all();
    }
}

void cache_fs_dirty(void)
{
    if (cache_state.fs_dirty)
        return;
    cache_state.fs_dirty = true;
    wake_all(&cache_state.flusher);
}

void cache_boot(void)
{
    size_t want = MIN(pages_total() / 4, 1ul << 17), size = 64;
    while (size < want)
        size *= 2;
    cache_state.table = kmalloc(size * sizeof(*cache_state.table));
    BUG_ON(!cache_state.table);
    cache_state.mask = size - 1;
    wait_init(&cache_state.flusher);
    shrinker_register(&cache_shrinker);
    if (!kthread_create("flush", flusher, 0))
        panic("no memory for the thread that writes back");
}

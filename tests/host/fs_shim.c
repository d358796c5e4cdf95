/* SPDX-License-Identifier: MIT */
/* fs_shim.c: the kernel around fs.c, the caches and ext2, inside one Linux process.
 *
 * Threads are coroutines; whoever sleeps gives way to another thread or lets the disk finish a request, by dice, so that
 * requests end in any order and operations interleave wherever they may. The disk is an array; what it was told is logged
 * with its flushes, so that a cut of power can be played at any moment. */
#include "tests/host/fs_shim_api.h"
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/reclaim.h"

/* ---- Memory ---- */

#define PAGES 4096
char host_memory[PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
static struct page map[PAGES];
static unsigned free_list[PAGES], nfree = PAGES;
static struct list shrinkers = LIST_INIT(shrinkers);
size_t host_page_limit = PAGES;

void host_memory_init(void)
{
    nfree = 0;
    for (unsigned i = 0; i < PAGES; i++)
        free_list[nfree++] = PAGES - 1 - i;
}

struct page *page_of(const void *va) { return &map[virt_to_pfn(va)]; }
struct page *page_of_pfn(uint64_t pfn) { return &map[pfn]; }
uint64_t page_pfn(const struct page *p) { return p - map; }
size_t pages_total(void) { return host_page_limit; }
size_t pages_free_count(void) { return nfree - (PAGES - host_page_limit); }
bool pages_scarce(void) { return pages_free_count() < 64; }
bool pages_low(void) { return pages_free_count() < 32; }
void *page_alloc_user_raw(void)
{
    for (unsigned tries = 0; pages_low() && tries < 20; tries++)
        reclaim(16);
    if (nfree <= PAGES - host_page_limit)
        return 0;
    unsigned n = free_list[--nfree];
    map[n].refs = 1;
    host_fill(pfn_to_virt(n), PAGE_SIZE);           /* nobody may count on zeros */
    return pfn_to_virt(n);
}
void *page_alloc_user(void)
{
    void *p = page_alloc_user_raw();
    return p ? memset(p, 0, PAGE_SIZE) : 0;
}
void pages_free(void *block)
{
    struct page *p = page_of(block);
    BUG_ON(p->refs == 0);
    if (--p->refs == 0)
        free_list[nfree++] = page_pfn(p);
}

/* As heap.c: zeroed, at most 2 MiB; counted, since what a mount took it has to give back. */
static size_t pieces;
unsigned host_bad_memory;
void *kmalloc(size_t n)
{
    if (n > 2ul << 20 || (host_bad_memory && host_dice(host_bad_memory) == 0))
        return 0;
    pieces++;
    return host_alloc(n);
}
void kfree(void *p)
{
    pieces -= p != 0;
    host_free(p);
}
size_t host_pieces(void) { return pieces; }
char *kstrdup(const char *s) { size_t n = strlen(s) + 1; return memcpy(kmalloc(n), s, n); }
/* Each machine that is started registers anew: once is enough, twice would make the list a ring. */
void shrinker_register(struct shrinker *s)
{
    if (s->link.next)
        list_remove(&s->link);
    list_append(&shrinkers, &s->link);
}
size_t reclaim(size_t n)
{
    size_t got = 0;
    if (current->reclaiming)
        return 0;
    current->reclaiming = true;
    list_for (s, &shrinkers, struct shrinker, link)
        got += s->shrink(n);
    current->reclaiming = false;
    return got;
}
size_t host_pages_used(void) { return PAGES - nfree; }
uint64_t plat_pfn_to_frame(uint64_t pfn) { return pfn; }

/* ---- Threads ---- */

static struct proc procs[32];
struct proc *current = &procs[0];
struct list all_procs = LIST_INIT(all_procs);
bool need_resched;
static uint64_t clock_now = 1000000000ul;
static struct waiter *self_waiter(void) { static struct waiter w[32]; return &w[current - procs]; }
static struct list *waiting_on[32];
static uint64_t deadline[32];
static unsigned last_thread;

void wait_init(struct wait_queue *q) { list_init(&q->waiters); }
void wake_all(struct wait_queue *q)
{
    list_for (w, &q->waiters, struct waiter, link) {
        list_remove(&w->link);
        w->proc->state = PROC_RUNNABLE;
    }
}

static void pick_next(void)
{
    for (;;) {
        unsigned n = 0, which[32];
        for (unsigned i = 0; i <= last_thread; i++)
            if (procs[i].state == PROC_RUNNABLE)
                which[n++] = i;
        unsigned io = host_disk_pending();
        if (n && (!io || host_dice(3))) {
            struct proc *next = &procs[which[host_dice(n)]];
            if (next != current) {
                unsigned from = current - procs;
                current = next;
                host_switch(from, next - procs);
            }
            return;
        }
        if (io) {
            host_disk_step();
            continue;
        }
        uint64_t first = FOREVER;                   /* nothing to do: time passes */
        for (unsigned i = 0; i <= last_thread; i++)
            if (procs[i].state == PROC_SLEEPING && deadline[i] < first)
                first = deadline[i];
        if (first == FOREVER)
            panic("all threads sleep for ever");
        clock_now = MAX(clock_now, first);
        for (unsigned i = 0; i <= last_thread; i++)
            if (procs[i].state == PROC_SLEEPING && deadline[i] <= clock_now) {
                procs[i].timed_out = true;
                procs[i].state = PROC_RUNNABLE;
            }
    }
}

int sleep_on(struct wait_queue *q, uint64_t until, bool interruptible)
{
    struct waiter *w = self_waiter();
    struct proc *me = current;
    if (!w->link.next)
        list_init(&w->link);
    w->proc = me;
    if (q)
        list_append(&q->waiters, &w->link);
    me->timed_out = false;
    me->state = PROC_SLEEPING;
    deadline[me - procs] = until;
    (void)waiting_on;
    pick_next();
    list_remove(&w->link);
    return me->timed_out ? -ETIMEDOUT : 0;
}
int sleep_until(uint64_t until, bool interruptible) { return sleep_on(0, until, interruptible); }
void breathe(void)
{
    if (host_dice(4) == 0)
        pick_next();
}
struct proc *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
    unsigned n = ++last_thread;
    BUG_ON(n >= 32);
    procs[n] = (struct proc){ .pid = n, .state = PROC_RUNNABLE };
    host_make(n, fn, arg);
    return &procs[n];
}
void host_threads_init(void)
{
    last_thread = 0;
    memset(procs, 0, sizeof(procs));
    procs[0].state = PROC_RUNNABLE;
    current = &procs[0];
}
void host_thread_end(void)
{
    current->state = PROC_ZOMBIE;
    pick_next();
}
void host_forget_threads(void) { host_threads_init(); }
void host_yield(void) { pick_next(); }
uint64_t plat_clock_ns(void) { return clock_now += 1000; }
uint64_t wall_ns(void);
uint64_t wall_ns(void) { return 1700000000ul * NSEC_PER_SEC + plat_clock_ns(); }

/* ---- The disk ---- */

struct blkdev host_dev;
unsigned host_bad_reads, host_bad_writes;
static struct blk_request *queue[512];
static unsigned queued;
static uint64_t queued_at[512];

unsigned host_disk_pending(void) { return queued; }
void host_disk_forget(void) { queued = 0; }

void host_disk_step(void)
{
    unsigned n = host_dice(queued);
    struct blk_request *r = queue[n];
    uint64_t at = r->sector << 9, submitted = queued_at[n];
    queue[n] = queue[--queued];
    queued_at[n] = queued_at[queued];
    r->status = (r->op == BLK_READ ? host_bad_reads && host_dice(host_bad_reads) == 0 : host_bad_writes && host_dice(host_bad_writes) == 0) ? -EIO : 0;
    if (r->op == BLK_FLUSH)
        host_log_flush(submitted);
    for (unsigned i = 0; i < r->nsegs; i++) {
        char *mem = r->segs[i].va;
        if (r->op == BLK_READ)
            host_disk_read(mem, at, r->segs[i].len);
        else if (r->op == BLK_WRITE && (!r->status || host_dice(2)))
            host_disk_write(mem, at, r->segs[i].len);
        at += r->segs[i].len;
    }
    r->done(r);
}

void blk_submit(struct blkdev *d, struct blk_request *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < r->nsegs; i++) {
        BUG_ON(r->segs[i].len % 512 || r->segs[i].offset % 512 || r->segs[i].offset + r->segs[i].len > PAGE_SIZE);
        sum += r->segs[i].len >> 9;
    }
    BUG_ON((r->op == BLK_READ || r->op == BLK_WRITE) && (sum != r->count || sum == 0));
    BUG_ON(r->sector + r->count > d->sectors);
    BUG_ON(queued >= 512);
    queued_at[queued] = host_log_length();
    queue[queued++] = r;
}
void blk_kick(struct blkdev *d) { }

struct sync { bool done; struct wait_queue wait; };
static void sync_done(struct blk_request *r)
{
    struct sync *s = r->private;
    s->done = true;
    wake_all(&s->wait);
}
int blk_rw(struct blkdev *d, enum blk_op op, uint64_t sector, void *buf, size_t n)
{
    struct sync s = { 0 };
    struct blk_seg segs[16];
    struct blk_request r = { .op = op, .sector = sector, .count = n >> 9, .segs = segs, .done = sync_done, .private = &s };
    wait_init(&s.wait);
    for (size_t at = 0; at < n; at += MIN(n - at, PAGE_SIZE))
        segs[r.nsegs++] = (struct blk_seg){ .len = MIN(n - at, PAGE_SIZE), .va = (char *)buf + at };
    blk_submit(d, &r);
    while (!s.done)
        sleep_on(&s.wait, FOREVER, false);
    return r.status;
}
int blk_flush(struct blkdev *d) { return blk_rw(d, BLK_FLUSH, 0, 0, 0); }
struct blkdev *blk_find(const char *name) { return strcmp(name, "disk") == 0 ? &host_dev : 0; }
int blk_claim(struct blkdev *d, bool write) { d->claimed = true; return 0; }
void blk_release(struct blkdev *d, bool write) { d->claimed = false; }

/* ---- The rest ---- */

int copy_from_user(void *to, uptr_t from, size_t n) { memcpy(to, (void *)from, n); return 0; }
int copy_to_user(uptr_t to, const void *from, size_t n) { memcpy((void *)to, from, n); return 0; }
int clear_user(uptr_t to, size_t n) { memset((void *)to, 0, n); return 0; }
struct file *file_alloc(const struct file_ops *ops, unsigned flags)
{
    struct file *f = kmalloc(sizeof(*f));
    *f = (struct file){ .refs = 1, .ops = ops, .flags = flags };
    return f;
}
void file_put(struct file *f)
{
    if (f->inode)
        inode_put(f->inode);
    kfree(f);
}
const struct file_ops directory_file_ops, device_file_ops, fifo_file_ops, block_file_ops;

/* SPDX-License-Identifier: MIT */
/* fs_tests.c: claims about the page cache and ext2, played on fs_shim.c's machine.
 *
 * 1. What a program would see agrees with a model, whatever the order in which requests end and threads run, with little
 *    memory too; and e2fsck -fn finds nothing after the unmount.
 * 2. After a cut of power at any moment, with any part of the unflushed writes lost, `e2fsck -p` repairs all there is to
 *    repair, and what fsync or sync confirmed is there.
 * A failure of the first means wrong data or a damaged image; of the second, loss after a crash. */
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/uapi/mount.h"
#include "tests/host/fs_shim_api.h"

#define NAMES     24
#define FILE_MAX  (300 * 1024)
#define PROMISES  4000

extern struct blkdev host_dev;
void ramfs_boot_for_test(void);

struct mfile {
    unsigned  names, open;
    uint32_t  size, mode;
    bool      link;
    uint8_t  *data;
};
struct world {
    char          base[8];
    struct mfile *name[NAMES];                      /* the second half in base/d */
    unsigned      ops;
    bool          done;
};
struct promise { char path[24]; uint32_t size, hash; uint64_t from, until; };
static struct promise promises[PROMISES];
static unsigned npromises;
static struct world worlds[4];
static bool full_disk_ok;

#define CHECK(x, ...) do { if (!(x)) { host_say(__VA_ARGS__); host_fail(" %s, line %d", #x, __LINE__); } } while (0)

static uint32_t hash(const uint8_t *p, size_t n)
{
    uint32_t h = 1;
    while (n--)
        h = h * 16777619u + *p++;
    return h;
}

static void path_for(const struct world *w, unsigned n, char *path)
{
    ksnprintf(path, 64, "/%s/%sn%u", w->base, n >= NAMES / 2 ? "d/" : "", n);
}

/* ---- The kernel's calls, by path ---- */

static int split(const char *path, struct inode **dir, char *name) { return path_parent(path, dir, name); }

static int do_create(const char *path, uint32_t mode)
{
    char name[NAME_MAX + 1];
    struct inode *dir, *i;
    int rc = split(path, &dir, name);
    if (rc)
        return rc;
    rc = dir->ops->create(dir, name, mode, 0, &i);
    if (rc == 0)
        inode_put(i);
    inode_put(dir);
    return rc;
}
static int do_unlink(const char *path)
{
    char name[NAME_MAX + 1];
    struct inode *dir;
    int rc = split(path, &dir, name);
    if (rc)
        return rc;
    rc = dir->ops->unlink(dir, name);
    inode_put(dir);
    return rc;
}
static int do_symlink(const char *target, const char *path)
{
    char name[NAME_MAX + 1];
    struct inode *dir;
    int rc = split(path, &dir, name);
    if (rc)
        return rc;
    rc = dir->ops->symlink(dir, name, target);
    inode_put(dir);
    return rc;
}
static int do_link(const char *from, const char *to)
{
    char name[NAME_MAX + 1];
    struct inode *dir, *i;
    int rc = path_lookup(from, 0, &i);
    if (rc)
        return rc;
    rc = split(to, &dir, name);
    if (rc == 0) {
        rc = dir->ops->link(dir, name, i);
        inode_put(dir);
    }
    inode_put(i);
    return rc;
}
static int do_rename(const char *from, const char *to)
{
    char a[NAME_MAX + 1], b[NAME_MAX + 1];
    struct inode *da, *db;
    int rc = split(from, &da, a);
    if (rc)
        return rc;
    rc = split(to, &db, b);
    if (rc == 0) {
        rc = da->ops->rename(da, a, db, b);
        inode_put(db);
    }
    inode_put(da);
    return rc;
}

/* ---- The model's steps ---- */

static void promise_for(const struct world *w, unsigned n)
{
    struct mfile *f = w->name[n];
    if (npromises == PROMISES || f->link)
        return;
    struct promise *p = &promises[npromises++];
    path_for(w, n, p->path);
    p->size = f->size;
    p->hash = hash(f->data, f->size);
    p->from = host_log_length();
    p->until = ~0ul;
}

/* Something is about to happen to file f: what was promised of its names ends. */
static void end_promises(const struct world *w, const struct mfile *f, unsigned n)
{
    char path[64];
    for (unsigned k = 0; k < NAMES; k++) {
        if (k != n && (!f || w->name[k] != f))
            continue;
        path_for(w, k, path);
        for (unsigned i = 0; i < npromises; i++)
            if (promises[i].until == ~0ul && strcmp(promises[i].path, path) == 0)
                promises[i].until = host_log_length();
    }
}

static void put_file(struct mfile *f)
{
    if (--f->names == 0) {
        host_free(f->data);
        host_free(f);
    }
}

static struct mfile *new_file(struct world *w, unsigned n)
{
    struct mfile *f = host_alloc(sizeof(*f));
    f->names = 1;
    f->data = host_alloc(FILE_MAX);
    w->name[n] = f;
    return f;
}

static void step_create(struct world *w, unsigned n)
{
    char path[64];
    path_for(w, n, path);
    end_promises(w, 0, n);
    int rc = do_create(path, S_IFREG | 0640);
    if (rc == -ENOSPC && full_disk_ok)
        return;
    CHECK(rc == (w->name[n] ? -EEXIST : 0), "create %s: %d\n", path, rc);
    if (!w->name[n])
        new_file(w, n)->mode = 0640;
}

static void step_symlink(struct world *w, unsigned n)
{
    char path[64], target[200];
    unsigned len = host_dice(2) ? 1 + host_dice(50) : 60 + host_dice(120);
    if (w->name[n])
        return;
    memset(target, 'a' + host_dice(26), len);
    target[len] = 0;
    path_for(w, n, path);
    end_promises(w, 0, n);
    int rc = do_symlink(target, path);
    if (rc == -ENOSPC && full_disk_ok)
        return;
    CHECK(rc == 0, "symlink %s: %d\n", path, rc);
    struct mfile *f = new_file(w, n);
    f->link = true;
    f->size = len;
    memcpy(f->data, target, len);
}

static void step_write(struct world *w, unsigned n)
{
    struct mfile *f = w->name[n];
    struct inode *i;
    char path[64];
    uint32_t pos = host_dice(3) ? host_dice(f->size + 5000) : host_dice(FILE_MAX - 70000);
    uint32_t len = host_dice(4) ? 1 + host_dice(9000) : host_dice(65000);
    pos = MIN(pos, (uint32_t)FILE_MAX - 66000);
    if (host_dice(3) == 0)
        pos &= ~4095u;
    if (host_dice(3) == 0)
        len = (len + 4095) & ~4095u;
    path_for(w, n, path);
    end_promises(w, f, n);
    CHECK(path_lookup(path, 0, &i) == 0, "%s\n", path);
    uint8_t *buf = host_alloc(len + 1);
    uint8_t seed = host_dice(256);
    for (uint32_t k = 0; k < len; k++)
        buf[k] = seed + k * 7 + (k >> 8);
    long rc = inode_write(i, buf, len, pos);
    if (host_verbose() == 2)
        host_say("write %s size %u: %u+%u = %ld\n", path, f->size, pos, len, rc);
    if (rc < 0 && full_disk_ok) {
        CHECK(rc == -ENOSPC, "write %s: %ld\n", path, rc);
        rc = 0;
    }
    CHECK(rc == len || full_disk_ok, "write %s %u+%u: %ld\n", path, pos, len, rc);
    if (rc) {
        memcpy(f->data + pos, buf, rc);
        f->size = MAX(f->size, pos + (uint32_t)rc);
    }
    host_free(buf);
    inode_put(i);
}

static void check_file(struct world *w, unsigned n)
{
    struct mfile *f = w->name[n];
    struct inode *i;
    char path[64];
    path_for(w, n, path);
    int rc = path_lookup(path, 0, &i);
    CHECK(rc == (f ? 0 : -ENOENT), "lookup %s: %d\n", path, rc);
    if (!f)
        return;
    CHECK(i->size == f->size, "%s: size %lu, should be %u\n", path, i->size, f->size);
    CHECK(i->nlink == f->names, "%s: %u links, should be %u\n", path, i->nlink, f->names);
    uint8_t *buf = host_alloc(FILE_MAX + 4096);
    long n_read = f->link ? i->ops->readlink(i, (char *)buf, 1000) : inode_read(i, buf, FILE_MAX, 0);
    CHECK(n_read == f->size, "%s: read %ld of %u\n", path, n_read, f->size);
    for (uint32_t k = 0; k < f->size; k++)
        CHECK(buf[k] == f->data[k], "%s: byte %u of %u is %x, should be %x\n", path, k, f->size, buf[k], f->data[k]);
    host_free(buf);
    inode_put(i);
}

static void step_read_part(struct world *w, unsigned n)
{
    struct mfile *f = w->name[n];
    struct inode *i;
    char path[64];
    uint8_t buf[3000];
    path_for(w, n, path);
    CHECK(path_lookup(path, 0, &i) == 0, "%s\n", path);
    uint32_t pos = host_dice(f->size + 100), want = pos < f->size ? MIN(3000u, f->size - pos) : 0;
    long rc = inode_read(i, buf, sizeof(buf), pos);
    CHECK(rc == want, "%s: read %ld at %u, should be %u\n", path, rc, pos, want);
    CHECK(memcmp(buf, f->data + pos, want) == 0, "%s: part at %u wrong\n", path, pos);
    inode_put(i);
}

static void step_truncate(struct world *w, unsigned n)
{
    struct mfile *f = w->name[n];
    struct inode *i;
    char path[64];
    uint32_t size = host_dice(4) ? host_dice(f->size + 1) : host_dice(FILE_MAX);
    path_for(w, n, path);
    end_promises(w, f, n);
    CHECK(path_lookup(path, 0, &i) == 0, "%s\n", path);
    CHECK(inode_truncate(i, size) == 0, "truncate %s\n", path);
    if (size < f->size)
        memset(f->data + size, 0, f->size - size);
    f->size = size;
    inode_put(i);
}

static void step_punch(struct world *w, unsigned n)
{
    struct mfile *f = w->name[n];
    struct inode *i;
    char path[64];
    uint32_t pos = host_dice(f->size + 1), len = host_dice(50000);
    path_for(w, n, path);
    end_promises(w, f, n);
    CHECK(path_lookup(path, 0, &i) == 0, "%s\n", path);
    int rc = inode_punch(i, pos, len);
    CHECK(rc == 0 || (full_disk_ok && rc == -ENOSPC), "punch %s: %d\n", path, rc);
    if (rc == 0 && pos < f->size)
        memset(f->data + pos, 0, MIN(len, f->size - pos));
    inode_put(i);
}

/* As a shared mapping does it. */
static void step_map(struct world *w, unsigned n)
{
    struct mfile *f = w->name[n];
    struct inode *i;
    char path[64];
    int rc;
    if (f->size == 0)
        return;
    uint32_t pos = host_dice(f->size), most = MIN(f->size - pos, 4096 - pos % 4096), len = 1 + host_dice(200);
    len = MIN(len, most);
    path_for(w, n, path);
    end_promises(w, f, n);
    CHECK(path_lookup(path, 0, &i) == 0, "%s\n", path);
    struct page *p = i->ops->page(i, pos / 4096, true, &rc);
    CHECK(p || (full_disk_ok && rc == -ENOSPC), "page of %s: %d\n", path, rc);
    if (p) {
        host_yield();
        memset((char *)page_va(p) + pos % 4096, len, len);
        memset(f->data + pos, len, len);
        host_yield();
        page_put(p);
    }
    inode_put(i);
}

static void step_unlink(struct world *w, unsigned n)
{
    char path[64];
    path_for(w, n, path);
    end_promises(w, w->name[n], n);
    int rc = do_unlink(path);
    CHECK(rc == (w->name[n] ? 0 : -ENOENT), "unlink %s: %d\n", path, rc);
    if (w->name[n])
        put_file(w->name[n]);
    w->name[n] = 0;
}

static void step_link(struct world *w, unsigned n)
{
    char from[64], to[64];
    unsigned m = host_dice(NAMES);
    path_for(w, n, from);
    path_for(w, m, to);
    end_promises(w, 0, m);
    int rc = do_link(from, to);
    if (rc == -ENOSPC && full_disk_ok)
        return;
    CHECK(rc == (w->name[m] ? -EEXIST : 0), "link %s %s: %d\n", from, to, rc);
    if (!w->name[m]) {
        w->name[m] = w->name[n];
        w->name[n]->names++;
    }
}

static void step_rename(struct world *w, unsigned n)
{
    char from[64], to[64];
    unsigned m = host_dice(NAMES);
    path_for(w, n, from);
    path_for(w, m, to);
    end_promises(w, 0, n);
    end_promises(w, 0, m);
    int rc = do_rename(from, to);
    if (rc == -ENOSPC && full_disk_ok)
        return;
    CHECK(rc == 0, "rename %s %s: %d\n", from, to, rc);
    if (w->name[m] == w->name[n])
        return;                                     /* the same file, or the same name: nothing happens */
    if (w->name[m])
        put_file(w->name[m]);
    w->name[m] = w->name[n];
    w->name[n] = 0;
}

/* An open file without a name is read after its end; its blocks are not anybody else's yet. */
static void step_orphan(struct world *w, unsigned n)
{
    struct inode *i;
    char path[64];
    struct mfile *f = w->name[n];
    path_for(w, n, path);
    if (f->link || f->names > 1)
        return;
    CHECK(path_lookup(path, 0, &i) == 0, "%s\n", path);
    check_file(w, n);
    uint32_t size = f->size;
    uint8_t *copy = host_alloc(size + 1), *buf = host_alloc(size + 1);
    memcpy(copy, f->data, size);
    step_unlink(w, n);
    host_yield();
    step_create(w, n);
    host_yield();
    long got = inode_read(i, buf, size, 0);
    CHECK(got == size, "unnamed file: read %ld of %u\n", got, size);
    for (uint32_t k = 0; k < size; k++)
        CHECK(buf[k] == copy[k], "unnamed file: byte %u of %u is %x, was %x\n", k, size, buf[k], copy[k]);
    host_free(copy);
    host_free(buf);
    inode_put(i);
}

static void step_mkdir(struct world *w)
{
    char path[64], other[64];
    ksnprintf(path, sizeof(path), "/%s/e", w->base);
    ksnprintf(other, sizeof(other), "/%s/d/e", w->base);
    int rc = do_create(path, S_IFDIR | 0755);
    if (rc == -ENOSPC && full_disk_ok)
        return;
    CHECK(rc == 0, "mkdir %s: %d\n", path, rc);
    if (host_dice(2)) {
        rc = do_rename(path, other);
        if (rc == 0)
            memcpy(path, other, sizeof(path));
        else if (rc != -EXDEV)
            CHECK(rc == -ENOSPC && full_disk_ok, "rename %s: %d\n", path, rc);
    }
    CHECK(do_unlink(path) == 0, "rmdir %s\n", path);
}

static void step_fsync(struct world *w, unsigned n)
{
    struct inode *i;
    char path[64];
    path_for(w, n, path);
    CHECK(path_lookup(path, 0, &i) == 0, "%s\n", path);
    int rc = inode_fsync(i, false);
    CHECK(rc == 0, "fsync: %d\n", rc);
    inode_put(i);
    promise_for(w, n);
}

static void step_sync(struct world *w)
{
    CHECK(cache_sync_all() == 0, "sync\n");
    for (unsigned n = 0; n < NAMES; n++)
        if (w->name[n])
            promise_for(w, n);
}

static void step(struct world *w)
{
    unsigned n = host_dice(NAMES), what = host_dice(100);
    struct mfile *f = w->name[n];
    if (host_verbose() == 2)
        host_say("w %s n %u what %u size %u free %d\n", w->base, n, what, f ? f->size : 0, 0);
    if (!f || what < 3)
        what < 15 ? step_symlink(w, n) : step_create(w, n);
    else if (what < 8)
        step_unlink(w, n);
    else if (what < 16)
        step_rename(w, n);
    else if (what < 20)
        step_link(w, n);
    else if (what < 23)
        step_mkdir(w);
    else if (what < 25)
        check_file(w, n);
    else if (what < 26)
        step_sync(w);
    else if (f->link)
        check_file(w, n);
    else if (what < 55)
        step_write(w, n);
    else if (what < 65)
        step_read_part(w, n);
    else if (what < 75)
        step_truncate(w, n);
    else if (what < 80)
        step_punch(w, n);
    else if (what < 87)
        step_map(w, n);
    else if (what < 90)
        step_orphan(w, n);
    else if (what < 94)
        step_fsync(w, n);
    else
        check_file(w, n);
}

/* ---- Machines ---- */

static void forget_world(struct world *w)
{
    for (unsigned n = 0; n < NAMES; n++)
        if (w->name[n]) {
            put_file(w->name[n]);
            w->name[n] = 0;
        }
}

static void boot(void)
{
    static bool once;
    host_disk_forget();
    host_threads_init();
    host_memory_init();
    list_init(&all_mounts);
    list_init(&all_procs);
    if (!once) {
        host_dev = (struct blkdev){ .name = "disk", .logical = 512, .physical = 4096, .max_segs = 128, .max_sectors = 2048, .flush = true };
        ext2_boot();
        once = true;
    }
    host_dev.sectors = host_disk_size() / 512;
    host_dev.claimed = false;
    current->cwd = 0;
}

static int mount_it(void)
{
    boot();
    return fs_mount("/dev/disk", "/", "ext2", 0);
}

static struct mount *the_mount(void) { return container_of(all_mounts.next, struct mount, link); }

static void unmount_it(void)
{
    struct mount *m = the_mount();
    CHECK(cache_sync_all() == 0, "sync at the end\n");
    int rc = m->type->umount(m);
    CHECK(rc == 0, "umount: %d\n", rc);
    kfree(m);
    list_init(&all_mounts);
    CHECK(cache_totals().pages == 0, "pages left: %zu\n", cache_totals().pages);
    CHECK(host_pages_used() == 0, "pages lost: %zu\n", host_pages_used());
}

static void make_base(struct world *w, unsigned n)
{
    char path[64];
    memset(w, 0, sizeof(*w));
    ksnprintf(w->base, sizeof(w->base), "t%u", n);
    ksnprintf(path, sizeof(path), "/%s/d", w->base);
    CHECK(do_create(path, S_IFDIR) == -ENOENT, "no %s yet\n", path);
    path[strlen(path) - 2] = 0;
    CHECK(do_create(path, S_IFDIR | 0755) == 0, "%s\n", path);
    strlcpy(path + strlen(path), "/d", 8);
    CHECK(do_create(path, S_IFDIR | 0755) == 0, "%s\n", path);
}

static void worker(void *arg)
{
    struct world *w = arg;
    for (unsigned k = 0; k < w->ops; k++) {
        step(w);
        if (host_verbose() == 2) {
            host_say("w %s step %u\n", w->base, k);
            for (unsigned n = 0; n < NAMES; n++)
                check_file(w, n);
        }
        if (host_dice(4) == 0)
            host_yield();
    }
    w->done = true;
}

static void run_workers(unsigned threads, unsigned ops)
{
    for (unsigned t = 0; t < threads; t++) {
        worlds[t].ops = ops;
        worlds[t].done = false;
        if (!kthread_create("worker", worker, &worlds[t]))
            host_fail("thread");
    }
    for (unsigned t = 0; t < threads; t++)
        while (!worlds[t].done)
            sleep_until(plat_clock_ns() + 1000000, false);
}

static const char *const formats[] = {
    "-t ext2 -b 1024", "-t ext2 -b 4096", "-t ext3 -b 1024 -J size=1", "-t ext3 -b 4096 -J size=4", "-t ext2 -b 2048 -I 128",
    "-t ext3 -b 2048 -O ^dir_index -J size=2",
};

static void fsck_clean(const char *when)
{
    int rc = host_fsck("-fn");
    CHECK(rc == 0, "%s: e2fsck -fn: %d\n", when, rc);
}

/* Claim 1. */
static void test_model(const char *format, unsigned mib, unsigned threads, unsigned ops, size_t pages)
{
    host_say("model %-40s %3u MiB, %u threads, %zu pages\n", format, mib, threads, pages);
    host_page_limit = pages;
    npromises = PROMISES;                           /* none wanted */
    host_mkfs(format, mib);
    CHECK(mount_it() == 0, "mount\n");
    cache_boot();
    for (unsigned t = 0; t < threads; t++)
        make_base(&worlds[t], t);
    run_workers(threads, ops);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned t = 0; t < threads; t++)
            for (unsigned n = 0; n < NAMES; n++)
                check_file(&worlds[t], n);
        if (round == 0) {
            unmount_it();
            fsck_clean("after unmount");
            CHECK(mount_it() == 0, "mount again\n");
        }
    }
    unmount_it();
    for (unsigned t = 0; t < threads; t++)
        forget_world(&worlds[t]);
}

static void check_promises(uint64_t cut)
{
    unsigned kept = 0;
    uint8_t *buf = host_alloc(FILE_MAX);
    for (unsigned k = 0; k < npromises; k++) {
        struct promise *p = &promises[k];
        struct inode *i;
        if (cut < p->from || cut > p->until)
            continue;
        int rc = path_lookup(p->path, 0, &i);
        CHECK(rc == 0, "cut at %lu: %s, promised at %lu (until %lu): %d\n", cut, p->path, p->from, p->until, rc);
        CHECK(i->size == p->size && inode_read(i, buf, FILE_MAX, 0) == p->size && hash(buf, p->size) == p->hash,
              "cut at %lu: %s, promised at %lu (until %lu), holds something else (size %lu, was %u)\n", cut, p->path, p->from,
              p->until, i->size, p->size);
        inode_put(i);
        kept++;
    }
    host_free(buf);
    if (host_verbose())
        host_say("cut at %lu of %lu: %u promises kept\n", cut, host_log_length(), kept);
}

/* Claim 2. */
static void test_crash(const char *format, unsigned mib, unsigned threads, unsigned ops, unsigned cuts)
{
    host_say("crash %-40s %3u MiB, %u threads, %u cuts\n", format, mib, threads, cuts);
    host_page_limit = 1024;
    npromises = 0;
    host_mkfs(format, mib);
    CHECK(mount_it() == 0, "mount\n");
    cache_boot();
    for (unsigned t = 0; t < threads; t++)
        make_base(&worlds[t], t);
    CHECK(cache_sync_all() == 0, "sync\n");
    host_log_start();
    run_workers(threads, ops);
    uint64_t length = host_log_length();
    unmount_it();
    for (unsigned t = 0; t < threads; t++)
        forget_world(&worlds[t]);
    for (unsigned k = 0; k < cuts; k++) {
        uint64_t cut = host_dice(length + 1);
        host_cut(cut);
        bool own = strcmp(format + 4, "t3") != 0 && host_dice(2) && format[6] == '3';
        int rc = own ? 0 : host_fsck("-fp");
        CHECK(rc == 0 || rc == 1, "cut at %lu: e2fsck -p: %d\n", cut, rc);
        if (!own)
            fsck_clean("after e2fsck -p");
        CHECK(mount_it() == 0, "mount after the cut\n");
        check_promises(cut);
        unmount_it();
        fsck_clean(own ? "after our own replay" : "after mount");
        host_uncut();
    }
}

static void test_many_entries(void)
{
    char path[64];
    host_say("10,000 names in one directory\n");
    host_page_limit = 4096;
    host_mkfs("-t ext2 -b 1024 -N 12000", 32);
    CHECK(mount_it() == 0, "mount\n");
    cache_boot();
    CHECK(do_create("/many", S_IFDIR | 0755) == 0, "mkdir\n");
    for (unsigned k = 0; k < 10000; k++) {
        ksnprintf(path, sizeof(path), "/many/some-file-with-a-name-%u", k);
        CHECK(do_create(path, S_IFREG | 0644) == 0, "%s\n", path);
    }
    struct inode *dir;
    CHECK(path_lookup("/many", 0, &dir) == 0, "many\n");
    uint64_t cookie = 0, ino, n = 0;
    uint8_t type;
    char name[256];
    while (dir->ops->entry(dir, &cookie, name, &ino, &type) == 0)
        n++;
    CHECK(n == 10002, "%lu entries\n", n);
    inode_put(dir);
    for (unsigned k = 0; k < 10000; k += 2) {
        ksnprintf(path, sizeof(path), "/many/some-file-with-a-name-%u", k);
        CHECK(do_unlink(path) == 0, "%s\n", path);
    }
    unmount_it();
    fsck_clean("after 10,000 names");
}

static void test_sizes(void)
{
    struct inode *i;
    uint8_t buf[5000], back[5000];
    host_say("large and sparse files\n");
    for (unsigned f = 0; f < 2; f++) {
        host_mkfs(f ? "-t ext3 -b 4096 -J size=4" : "-t ext2 -b 1024", 32);
        CHECK(mount_it() == 0, "mount\n");
        cache_boot();
        CHECK(do_create("/big", S_IFREG | 0644) == 0 && path_lookup("/big", 0, &i) == 0, "big\n");
        static const uint64_t at[] = { 0, 11 * 1024 + 500, 267 * 1024, 70ul << 20, (3ul << 30) + 123, (9ul << 30) - 17 };
        for (unsigned k = 0; k < 6; k++) {
            memset(buf, k + 1, sizeof(buf));
            CHECK(inode_write(i, buf, sizeof(buf), at[k]) == sizeof(buf), "write at %lu\n", at[k]);
        }
        CHECK(inode_fsync(i, false) == 0, "fsync\n");
        for (unsigned k = 0; k < 6; k++) {
            memset(buf, k + 1, sizeof(buf));
            CHECK(inode_read(i, back, sizeof(back), at[k]) == sizeof(back) && !memcmp(buf, back, sizeof(buf)), "read at %lu\n", at[k]);
        }
        CHECK(inode_read(i, back, 5000, 1ul << 30) == 5000 && back[0] == 0 && back[4999] == 0, "hole\n");
        CHECK(i->blocks < 400, "%lu blocks\n", i->blocks);
        uint64_t limit = f ? 0 : 17ul << 30;
        if (limit)
            CHECK(inode_write(i, buf, 1, limit) == -EFBIG, "too large\n");
        inode_put(i);
        unmount_it();
        fsck_clean("large");
        CHECK(mount_it() == 0 && path_lookup("/big", 0, &i) == 0, "again\n");
        CHECK(i->size == (9ul << 30) - 17 + 5000, "size\n");
        CHECK(inode_truncate(i, (3ul << 30) + 200) == 0, "truncate\n");
        inode_put(i);
        CHECK(do_unlink("/big") == 0, "unlink\n");
        unmount_it();
        fsck_clean("gone");
    }
}

/* Damage must be refused, or survived: no crash, no endless loop. */
static void test_damage(unsigned rounds)
{
    host_say("damaged images\n");
    for (unsigned r = 0; r < rounds; r++) {
        host_mkfs(formats[r % 4], 4);
        CHECK(mount_it() == 0, "mount\n");
        cache_boot();
        make_base(&worlds[0], 0);
        full_disk_ok = true;
        npromises = PROMISES;
        for (unsigned k = 0; k < 60; k++)
            step(&worlds[0]);
        unmount_it();
        forget_world(&worlds[0]);
        for (unsigned k = 0; k < 30; k++) {
            uint8_t b[4];
            host_fill(b, 4);
            for (unsigned j = 0; j < 4; j++)
                b[j] = host_dice(256);
            host_disk_write(b, host_dice(3) ? host_dice(200 * 1024) : 1024 + host_dice(200), 4);
        }
        if (mount_it() == 0) {
            static const char *const paths[] = { "/t0", "/t0/d", "/lost+found" };
            for (unsigned k = 0; k < 40; k++) {
                char path[64], name[256];
                uint64_t cookie = 0, ino;
                uint8_t type;
                struct inode *i;
                path_for(&worlds[0], host_dice(NAMES), path);
                const char *p = host_dice(2) ? path : paths[host_dice(3)];
                if (path_lookup(p, 0, &i))
                    continue;
                if (S_ISDIR(i->mode)) {
                    for (unsigned n = 0; n < 1000 && i->ops->entry(i, &cookie, name, &ino, &type) == 0; n++)
                        ;
                } else if (S_ISREG(i->mode)) {
                    uint8_t *buf = host_alloc(70000);
                    inode_read(i, buf, 70000, host_dice(300000));
                    inode_write(i, buf, 5000, host_dice(300000));
                    inode_truncate(i, host_dice(100000));
                    host_free(buf);
                } else if (S_ISLNK(i->mode)) {
                    char *buf = host_alloc(5000);
                    i->ops->readlink(i, buf, 1000);
                    host_free(buf);
                }
                inode_put(i);
                do_unlink(p);
                do_create(path, S_IFREG | 0644);
            }
            struct mount *m = the_mount();
            cache_sync_all();
            m->type->umount(m);
            list_init(&all_mounts);
        }
    }
    full_disk_ok = false;
}

void run_tests(const char *which, unsigned seed, unsigned rounds)
{
    bool all = strcmp(which, "all") == 0;
    for (unsigned r = 0; r < rounds; r++) {
        host_seed(seed + r);
        if (all || strcmp(which, "sizes") == 0) {
            test_sizes();
            test_many_entries();
        }
        for (unsigned f = 0; f < ARRAY_SIZE(formats); f++) {
            unsigned ops = all ? 100 : 400;
            if (all && f % 2 != r % 2)
                continue;                           /* half of them each time */
            if (all || strcmp(which, "model") == 0) {
                test_model(formats[f], 24, 1, ops, 4096);
                test_model(formats[f], 24, 3, ops, 400);
                full_disk_ok = true;
                test_model(formats[f], f == 3 ? 12 : 3, 2, ops, 1024);
                full_disk_ok = false;
            }
            if (all || strncmp(which, "crash", 5) == 0)
                test_crash(formats[f], 24, all || !which[5] ? 1 + r % 3 : (unsigned)(which[5] - '0'), 150, all ? 6 : 40);
        }
        if (all || strcmp(which, "damage") == 0)
            test_damage(all ? 4 : 200);
    }
}

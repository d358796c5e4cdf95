/* SPDX-License-Identifier: MIT */
/* fs_model.c: claim: what a program sees agrees with a model, whatever the order in which requests end and threads run, with little
 * memory too; and e2fsck -fn finds nothing after the unmount. A failure means wrong data or a damaged image. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "tests/host/fs_machine.h"

struct world worlds[4];
bool full_disk_ok;

void path_for(const struct world *w, unsigned n, char *path)
{
    ksnprintf(path, 64, "/%s/%sn%u", w->base, n >= NAMES / 2 ? "d/" : "", n);
}

/* ---- The model's steps ---- */

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

void check_file(struct world *w, unsigned n)
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
    promise_rename(w, n, m);
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

void step(struct world *w)
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

/* ---- Worlds ---- */

void forget_world(struct world *w)
{
    for (unsigned n = 0; n < NAMES; n++)
        if (w->name[n]) {
            put_file(w->name[n]);
            w->name[n] = 0;
        }
}

void make_base(struct world *w, unsigned n)
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

void run_workers(unsigned threads, unsigned ops)
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

/* Claim 1. */
void test_model(const char *format, unsigned mib, unsigned threads, unsigned ops, size_t pages)
{
    host_say("model %-40s %3u MiB, %u threads, %zu pages\n", format, mib, threads, pages);
    host_page_limit = pages;
    promises_off();
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

/* SPDX-License-Identifier: MIT */
/* fs_promise.c: claim: after a cut of power at any moment, with any part of the unflushed writes lost, `e2fsck -p` repairs all there is to
 * repair, and what fsync or sync confirmed is there. A failure means loss after a crash. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/proc.h"
#include "tests/host/fs_machine.h"

#define PROMISES  4000

struct promise { char path[24]; uint32_t size, hash; uint64_t from, until; };
static struct promise promises[PROMISES];
static unsigned npromises;

static uint32_t hash(const uint8_t *p, size_t n)
{
    uint32_t h = 1;
    while (n--)
        h = h * 16777619u + *p++;
    return h;
}

void promises_off(void) { npromises = PROMISES; }

void promise_for(const struct world *w, unsigned n)
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
void end_promises(const struct world *w, const struct mfile *f, unsigned n)
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
void test_crash(const char *format, unsigned mib, unsigned threads, unsigned ops, unsigned cuts)
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

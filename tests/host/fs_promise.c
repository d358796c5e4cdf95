/* SPDX-License-Identifier: MIT */
/* fs_promise.c: claim: after a cut of power at any moment, with any part of the unflushed writes lost, `e2fsck -p` repairs all there is to
 * repair, and what fsync or sync confirmed is there. A failure means loss after a crash. */
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/proc.h"
#include "tests/host/fs_machine.h"

#define PROMISES  4000

struct content { uint32_t size, hash; };
/* At path, or at `or_at` if that is one, is what was promised, or what else may stand there. */
struct promise { char path[24], or_at[24]; struct content is, or_is; bool two; uint64_t from, until; };
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
    *p = (struct promise){ .is = { f->size, hash(f->data, f->size) }, .from = host_log_length(), .until = ~0ul };
    path_for(w, n, p->path);
}

static struct promise *standing(const struct world *w, unsigned n)
{
    char path[64];
    path_for(w, n, path);
    for (unsigned i = 0; i < npromises; i++)
        if (promises[i].until == ~0ul && !promises[i].or_at[0] && !promises[i].two && strcmp(promises[i].path, path) == 0)
            return &promises[i];
    return 0;
}

/* n is about to take m's place: whenever the power goes, what n was is at one of the two, and at m stands the one or the other. */
void promise_rename(const struct world *w, unsigned n, unsigned m)
{
    struct promise *a = standing(w, n), *b = standing(w, m), both[2];
    unsigned count = 0;
    if (a && w->name[n] != w->name[m] && w->name[n]->names == 1) {
        both[count] = (struct promise){ .is = a->is };
        path_for(w, n, both[count].path);
        path_for(w, m, both[count++].or_at);
        if (b) {
            both[count] = (struct promise){ .is = b->is, .or_is = a->is, .two = true };
            path_for(w, m, both[count++].path);
        }
    }
    end_promises(w, 0, n);
    end_promises(w, 0, m);
    for (unsigned k = 0; k < count && npromises < PROMISES; k++) {
        both[k].from = host_log_length();
        both[k].until = ~0ul;
        promises[npromises++] = both[k];
    }
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
            if (promises[i].until == ~0ul && (strcmp(promises[i].path, path) == 0 || strcmp(promises[i].or_at, path) == 0))
                promises[i].until = host_log_length();
    }
}

static bool holds(const char *path, const struct content *c)
{
    static uint8_t buf[FILE_MAX];
    struct inode *i;
    if (path_lookup(path, 0, &i))
        return false;
    bool same = i->size == c->size && inode_read(i, buf, FILE_MAX, 0) == c->size && hash(buf, c->size) == c->hash;
    inode_put(i);
    return same;
}

static void check_promises(uint64_t cut)
{
    unsigned kept = 0;
    for (unsigned k = 0; k < npromises; k++) {
        struct promise *p = &promises[k];
        if (cut < p->from || cut > p->until)
            continue;
        CHECK(holds(p->path, &p->is) || (p->or_at[0] && holds(p->or_at, &p->is)) || (p->two && holds(p->path, &p->or_is)),
              "cut at %lu: %s (%s), promised at %lu (until %lu), is not there or holds something else (was %u bytes%s)\n", cut, p->path,
              p->or_at, p->from, p->until, p->is.size, p->two ? " or another's" : "");
        kept++;
    }
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

/* SPDX-License-Identifier: MIT */
/* balloond.c: moves memory from domains that have it idle to those that are short of it. SPEC 11.7.
 *
 * Domains report in xenstore how their memory fares (memory/stat); believe.c says what of it is taken for true, policy.c makes
 * targets, which go to memory/target and, as a limit, to the hypervisor. `enso create` asks here for a new domain's memory
 * (libenso/balloon.c, asks.c). Nothing is kept that cannot be read again: it may be killed and started at any time.
 *
 *     balloond [-f] [-r RESERVE_MIB]        -f: stays in the foreground and tells what it does              */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/balloond/asks.h"
#include "dom0-tools/balloond/believe.h"
#include "dom0-tools/balloond/policy.h"
#include "dom0-tools/libenso/balloon.h"
#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/state.h"
#include "dom0-tools/libenso/text.h"

#define DOMAINS_MOST 256
#define PERIOD_MS    500            /* between two looks while something moves     */
#define SOON_MS      100            /* at least so long, whoever cries             */
#define IDLE_MS      3000           /* and so long when nothing changes            */
#define KIB_PAGE     (PAGE_SIZE / 1024)

/* One domain, from look to look; the handle tells it from another that gets its number. */
struct known {
    bool           there, watched;
    uint16_t       id;
    uint8_t        handle[16];
    uint64_t       limit;                   /* KiB, the hypervisor's               */
    struct history history;
    struct balance is;
};

static struct {
    struct xs     *x;
    uint64_t       reserve;                 /* KiB                                 */
    bool           aloud;                   /* -v: it says what it does            */
    struct known   domain[DOMAINS_MOST];
    unsigned       n;
    struct ask     ask[ASKS_MOST];
} d;

static void say(const char *fmt, ...)
{
    va_list ap;

    if (!d.aloud)
        return;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    putchar('\n');
    fflush(stdout);
}

/* ---- what there is ---------------------------------------------------------------------------- */

static int64_t host_free(void)
{
    struct xen_sysctl_physinfo info = { 0 };

    return machine_info(&info) ? 0 : (int64_t)(info.free_pages * KIB_PAGE) - (int64_t)d.reserve;
}

static void read_domain(struct known *k, const struct xen_domctl_getdomaininfo *info, int64_t free, uint64_t now)
{
    struct facts facts = { .current = info->tot_pages * KIB_PAGE, .control = info->domain == 0, .now = now,
                           .runs = !(info->flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown | XEN_DOMINF_paused)),
                           .host_free = free > 0 ? (uint64_t)free : 0 };
    struct hearsay said;

    for (unsigned i = 0; i < SAID_ALL; i++)
        said.there[i] = balloon_number(d.x, info->domain, hearsay_node[i], &said.value[i]);
    k->limit = info->max_pages * KIB_PAGE;
    k->is = believe(&said, &facts, &k->history);
}

/* A domain's pressure wakes us. */
static void watch(struct known *k, bool wish)
{
    char path[80], token[16];

    if (k->watched == wish)
        return;
    snprintf(path, sizeof(path), "/local/domain/%u/memory/stat/pressure", k->id);
    snprintf(token, sizeof(token), "%u", k->id);
    k->watched = wish ? xs_watch(d.x, path, token) == 0 : xs_unwatch(d.x, path, token) != 0;
}

/* The place of a domain among those we know: they stay where they are, and those that ended make room. */
static struct known *known(const struct xen_domctl_getdomaininfo *info)
{
    struct known *unused = NULL;

    for (unsigned i = 0; i < DOMAINS_MOST; i++) {
        struct known *k = &d.domain[i];

        if (k->there && k->id == info->domain && memcmp(k->handle, info->handle, sizeof(k->handle)) == 0)
            return k;
        if (!k->there && !unused)
            unused = k;
    }
    if (unused) {
        *unused = (struct known){ .there = true, .id = info->domain };
        memcpy(unused->handle, info->handle, sizeof(unused->handle));
    }
    return unused;
}

static void forget_others(const bool seen[DOMAINS_MOST])
{
    d.n = 0;
    for (unsigned i = 0; i < DOMAINS_MOST; i++) {
        if (d.domain[i].there && !seen[i]) {
            watch(&d.domain[i], false);
            d.domain[i].there = false;
        }
        d.n = d.domain[i].there ? i + 1 : d.n;
    }
}

static int look(uint64_t now)
{
    bool seen[DOMAINS_MOST] = { false };
    struct xen_domctl_getdomaininfo *list;
    struct complaint why;
    int n = state_domains(&list, &why);
    int64_t spare = host_free();

    if (n < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        struct known *k = known(&list[i]);

        if (!k)
            continue;
        seen[k - d.domain] = true;
        read_domain(k, &list[i], spare, now);
        for (unsigned a = 0; a < ASKS_MOST; a++)
            if (d.ask[a].named && memcmp(d.ask[a].handle, k->handle, sizeof(k->handle)) == 0)
                d.ask[a].has = k->is.current;
    }
    free(list);
    forget_others(seen);
    for (unsigned i = 0; i < d.n; i++)
        if (d.domain[i].there)
            watch(&d.domain[i], true);
    return 0;
}

/* ---- requests --------------------------------------------------------------------------------- */

static void answer(const struct ask *a, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), BALLOOND_DIR "/ask/%d", a->pid);
    xs_rm(d.x, 0, path);
    snprintf(path, sizeof(path), BALLOOND_DIR "/answer/%d", a->pid);
    xs_write(d.x, 0, path, text);
    say("%d asked for %llu MiB: %s", a->pid, (unsigned long long)(a->kib >> 10), text);
}

static void take_requests(uint64_t now)
{
    static char names[2048];
    char path[64], text[64];
    const char *name = names;
    int n = xs_list(d.x, 0, BALLOOND_DIR "/ask", names, sizeof(names));

    for (int i = 0; i < n; i++, name += strlen(name) + 1) {
        struct ask a, *place;
        uint64_t pid;

        snprintf(path, sizeof(path), BALLOOND_DIR "/ask/%.20s", name);
        if (!text_number(name, &pid) || pid < 1 || pid > 1 << 30 || xs_read(d.x, 0, path, text, sizeof(text)) <= 0 || !ask_parse(text, &a)) {
            xs_rm(d.x, 0, path);
            continue;
        }
        place = ask_place(d.ask, (int)pid);
        if (place && !place->pid) {
            *place = a;
            place->pid = (int)pid;
            place->since = now;
        }
    }
}

/* The domains as policy.c has them, in a row; `which` leads back. */
static unsigned gather(struct balance *b, uint16_t *which)
{
    unsigned n = 0;

    for (unsigned i = 0; i < d.n; i++)
        if (d.domain[i].there) {
            which[n] = (uint16_t)i;
            b[n++] = d.domain[i].is;
        }
    return n;
}

static void refuse(const struct ask *a, int64_t free, uint64_t others)
{
    struct complaint why;
    int64_t spare = free - (int64_t)(asks_sum(d.ask) - a->kib);

    balloon_short(&why, a->kib, spare > 0 ? (uint64_t)spare : 0, d.reserve, others);
    answer(a, why.text);
}

static void forget(struct ask *a)
{
    char path[64];

    snprintf(path, sizeof(path), BALLOOND_DIR "/ask/%d", a->pid);
    xs_rm(d.x, 0, path);
    snprintf(path, sizeof(path), BALLOOND_DIR "/answer/%d", a->pid);
    xs_rm(d.x, 0, path);
    *a = (struct ask){ 0 };
}

static void settle_requests(const struct balance *b, unsigned n, uint64_t now)
{
    int64_t free = host_free();
    uint64_t others = balance_reserves(b, n), can = balance_coming(b, n) + others;

    for (struct ask *a = d.ask; a < d.ask + ASKS_MOST; a++) {
        if (!a->pid)
            continue;
        switch (ask_judge(d.ask, a, free, can, kill(a->pid, 0) == 0, now)) {
        case ASK_GRANT:
            answer(a, "ok");
            a->granted = true;
            a->since = now;
            break;
        case ASK_REFUSE:
            refuse(a, free, others);
            *a = (struct ask){ 0 };
            break;
        case ASK_FORGET:
            forget(a);
            break;
        case ASK_WAIT:
            break;
        }
    }
}

/* ---- the round -------------------------------------------------------------------------------- */

static bool limit_differs(const struct known *k, uint64_t goal) { return k->id && k->limit / KIB_PAGE != goal / KIB_PAGE; }

/* A domain that will not listen gets no more either: the hypervisor's limit is the target. Who is killed between the two
 * lines finds at the next look that they differ. */
static void set_target(struct known *k, uint64_t goal)
{
    const struct balance *b = &k->is;

    say("d%u: %llu -> %llu MiB (has %llu, pressure %u, available %llu%s)", k->id, (unsigned long long)(b->target >> 10),
        (unsigned long long)(goal >> 10), (unsigned long long)(b->current >> 10), b->pressure, (unsigned long long)(b->available >> 10),
        b->stuck ? ", does not follow" : "");
    if (limit_differs(k, goal))
        dom_max_memory(k->id, goal);
    if (b->target != goal)
        balloon_set(d.x, k->id, "target", goal);
}

/* True if something moves or is about to. */
static bool round_of(uint64_t now)
{
    static struct balance b[DOMAINS_MOST];
    static uint16_t which[DOMAINS_MOST];
    bool moved;
    unsigned n;

    take_requests(now);
    if (look(now))
        return false;
    n = gather(b, which);
    settle_requests(b, n, now);
    moved = balance_memory(b, n, host_free() - (int64_t)asks_sum(d.ask));
    for (unsigned i = 0; i < n; i++) {
        struct known *k = &d.domain[which[i]];

        if (b[i].managed && (b[i].goal != b[i].target || limit_differs(k, b[i].goal)))
            set_target(k, b[i].goal);
        moved |= b[i].managed && (b[i].current != b[i].target || b[i].pressure >= PRESSURE_HIGH);
    }
    return moved || asks_sum(d.ask);
}

/* Says where we are, and listens for questions. Questions that found nobody are answered now. */
static int introduce(void)
{
    char pid[16];

    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    xs_mkdir(d.x, 0, BALLOOND_DIR "/ask");
    xs_watch(d.x, BALLOOND_DIR "/ask", "ask");
    return xs_write(d.x, 0, BALLOOND_DIR "/pid", pid);
}

static int start(struct complaint *why)
{
    uint64_t v;
    struct xen_domctl_getdomaininfo own;

    if (os_open(why))
        return -1;
    for (int i = 0; i < 50 && !(d.x = xs_open()); i++)
        os_sleep_ms(100);                               /* xenstored may be starting */
    if (!d.x)
        return complain(why, "xenstore does not answer");
    if (balloon_daemon(d.x))
        return complain(why, "it runs already");
    xs_rm(d.x, 0, BALLOOND_DIR "/answer");
    if (!balloon_number(d.x, 0, "static-max", &v) && dom_info(0, &own) == 0)
        balloon_set(d.x, 0, "static-max", own.tot_pages * KIB_PAGE);
    return introduce() ? complain(why, "xenstore refuses %s", BALLOOND_DIR) : 0;
}

/* xenstored went, and comes back with what was written (SPEC 11.4); not with our watches. */
static void open_again(void)
{
    xs_close(d.x);
    while (!(d.x = xs_open()))
        os_sleep_ms(1000);
    for (unsigned i = 0; i < DOMAINS_MOST; i++)
        d.domain[i].watched = false;
    introduce();
}

/* Until there is reason to look again: somebody asks, or is pressed, or time is over. Whatever guests write, at most 1000 / SOON_MS
 * times a second. */
static void wait_for_reason(uint64_t began, int limit)
{
    char path[XS_PATH], token[64];
    int rc = xs_event(d.x, path, token, limit);
    uint64_t spent = os_now_ms() - began;

    if (rc > 0 && path[1] == 'l' && spent < SOON_MS)
        os_sleep_ms((unsigned)(SOON_MS - spent));
    for (unsigned i = 0; i < DOMAINS_MOST && rc > 0; i++)   /* what came meanwhile is seen by the same look */
        rc = xs_event(d.x, path, token, 0);
    if (rc < 0)
        open_again();
}

static void run(void)
{
    for (;;) {
        uint64_t began = os_now_ms();
        bool busy = round_of(began);

        wait_for_reason(began, busy ? PERIOD_MS : IDLE_MS);
    }
}

/* Process 1 runs it, and again if it dies. */
static int be_kept(uint64_t mib)
{
    char command[64];

    snprintf(command, sizeof(command), "/usr/sbin/balloond -f -r %u\n", (unsigned)mib);
    if (!os_keep("balloond", command))
        return 0;
    fprintf(stderr, "balloond: cannot ask process 1 to keep it: %s\n", strerror(errno));
    return 1;
}

int main(int argc, char **argv)
{
    struct complaint why;
    uint64_t mib = 8;
    bool foreground = false;
    int c;

    while ((c = getopt(argc, argv, "fvr:")) != -1) {
        if (c == 'f' || c == 'v') {
            foreground = true;
            d.aloud |= c == 'v';
        } else if (c != 'r' || !text_number(optarg, &mib) || mib > 1 << 20) {
            fprintf(stderr, "usage: balloond [-f | -v] [-r RESERVE_MIB]\n"
                            "Has memory moved between domains, kept running by process 1 (/run/init). -f: in the foreground; -v: and says what it does.\n");
            return 2;
        }
    }
    if (!foreground)
        return be_kept(mib);
    d.reserve = mib << 10;
    if (start(&why)) {
        fprintf(stderr, "balloond: %s\n", why.text);
        return 1;
    }
    run();
}

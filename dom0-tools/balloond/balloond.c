/* SPDX-License-Identifier: MIT */
/* balloond.c: moves memory from domains that have it idle to those that are short of it. SPEC 11.7.
 *
 * Domains report in xenstore how their memory fares (memory/stat); policy.c makes targets of it, which go to memory/target and,
 * as a limit, to the hypervisor. `enso create` asks here for a new domain's memory (libenso/balloon.c). Nothing is kept that
 * cannot be read again: it may be killed and started at any time.
 *
 *     balloond [-f] [-r RESERVE_MIB]        -f: stays in the foreground and tells what it does              */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/balloond/policy.h"
#include "dom0-tools/libenso/balloon.h"
#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/state.h"
#include "dom0-tools/libenso/text.h"

#define DOMAINS_MOST 256
#define PERIOD_MS    500            /* at least so long between two looks          */
#define SOON_MS      100
#define IDLE_MS      3000           /* and so long when nothing changes            */
#define PROMISE_MS   60000          /* a granted request's memory is kept as long as who asked lives, at most */
#define PATIENCE_MS  20000          /* a request that cannot be met till then is refused */
#define ASKS_MOST    16
#define KIB_PAGE     (PAGE_SIZE / 1024)

struct ask { int pid; uint64_t kib, since; int64_t free_then; bool granted; };

static struct {
    struct xs      *x;
    uint64_t        reserve;                /* KiB                                 */
    bool            aloud;
    struct balance  domain[DOMAINS_MOST];
    uint16_t        domid[DOMAINS_MOST];
    unsigned        n;
    bool            watched[DOMAINS_MOST];
    struct ask      ask[ASKS_MOST];
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

static void read_domain(struct balance *b, const struct xen_domctl_getdomaininfo *info)
{
    uint64_t v;
    uint16_t id = info->domain;

    *b = (struct balance){ .current = info->tot_pages * KIB_PAGE, .weight = 256 };
    b->target = balloon_number(d.x, id, "target", &v) ? v : b->current;
    b->most = balloon_number(d.x, id, "static-max", &v) ? v : b->current;
    b->weight = balloon_number(d.x, id, "weight", &v) && v >= 1 && v <= 65535 ? (uint32_t)v : 256;
    b->floor = balloon_floor(d.x, id);
    if (!balloon_number(d.x, id, "floor", &v)) {
        uint64_t usual = id ? b->most / 4 : 96 << 10;

        b->floor = b->floor > usual ? b->floor : usual;
    }
    b->available = balloon_number(d.x, id, "stat/available", &v) ? v : 0;
    b->pressure = balloon_number(d.x, id, "stat/pressure", &v) && v <= 100 ? (uint32_t)v : 0;
    b->managed = balloon_number(d.x, id, "stat/current", &v) && !(info->flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)) &&
                 !(balloon_number(d.x, id, "auto", &v) && v == 0);
}

/* A domain's pressure wakes us. */
static void watch_domains(void)
{
    bool there[DOMAINS_MOST] = { false };
    char path[80], token[16];

    for (unsigned i = 0; i < d.n; i++)
        if (d.domid[i] < DOMAINS_MOST)
            there[d.domid[i]] = true;
    for (unsigned id = 0; id < DOMAINS_MOST; id++) {
        if (there[id] == d.watched[id])
            continue;
        snprintf(path, sizeof(path), "/local/domain/%u/memory/stat/pressure", id);
        snprintf(token, sizeof(token), "%u", id);
        if (there[id])
            xs_watch(d.x, path, token);
        else
            xs_unwatch(d.x, path, token);
        d.watched[id] = there[id];
    }
}

static int look(void)
{
    struct xen_domctl_getdomaininfo *list;
    struct complaint why;
    int n = state_domains(&list, &why);

    if (n < 0)
        return -1;
    d.n = 0;
    for (int i = 0; i < n && d.n < DOMAINS_MOST; i++) {
        d.domid[d.n] = list[i].domain;
        read_domain(&d.domain[d.n++], &list[i]);
    }
    free(list);
    watch_domains();
    return 0;
}

static int64_t host_free(void)
{
    struct xen_sysctl_physinfo info = { 0 };

    return machine_info(&info) ? 0 : (int64_t)(info.free_pages * KIB_PAGE) - (int64_t)d.reserve;
}

/* ---- requests --------------------------------------------------------------------------------- */

static void answer(struct ask *a, const char *text)
{
    char path[64];

    snprintf(path, sizeof(path), BALLOOND_DIR "/ask/%d", a->pid);
    xs_rm(d.x, 0, path);
    snprintf(path, sizeof(path), BALLOOND_DIR "/answer/%d", a->pid);
    xs_write(d.x, 0, path, text);
    say("%d asked for %llu MiB: %s", a->pid, (unsigned long long)(a->kib >> 10), text);
}

static struct ask *ask_of(int pid)
{
    struct ask *unused = NULL;

    for (unsigned i = 0; i < ASKS_MOST; i++) {
        if (d.ask[i].pid == pid && !d.ask[i].granted)
            return &d.ask[i];
        if (!d.ask[i].pid)
            unused = &d.ask[i];
    }
    return unused;
}

static void take_requests(uint64_t now)
{
    static char names[2048];
    char path[64], text[32];
    const char *name = names;
    int n = xs_list(d.x, 0, BALLOOND_DIR "/ask", names, sizeof(names));

    for (int i = 0; i < n; i++, name += strlen(name) + 1) {
        uint64_t pid, kib;
        struct ask *a;

        snprintf(path, sizeof(path), BALLOOND_DIR "/ask/%.20s", name);
        if (!text_number(name, &pid) || pid > 1 << 30 || xs_read(d.x, 0, path, text, sizeof(text)) <= 0 || !text_number(text, &kib) ||
            kib > 1ull << 40)
            continue;
        a = ask_of((int)pid);
        if (a && !a->pid)
            *a = (struct ask){ .pid = (int)pid, .kib = kib, .since = now };
    }
}

/* What is still to come of a request: of a granted one, what the host's free memory has not gone down by since. */
static int64_t remainder_of(const struct ask *a, int64_t free)
{
    int64_t used = a->granted && a->free_then > free ? a->free_then - free : 0;

    return a->pid && (int64_t)a->kib > used ? (int64_t)a->kib - used : 0;
}

/* Memory that is not to be given on: promised and not yet used, or still being collected. */
static int64_t spoken_for(int64_t free)
{
    int64_t sum = 0;

    for (unsigned i = 0; i < ASKS_MOST; i++)
        sum += remainder_of(&d.ask[i], free);
    return sum;
}

static void refuse(struct ask *a, int64_t free, int64_t others)
{
    char text[300];
    long long spare = free - others > 0 ? (free - others) >> 10 : 0;

    snprintf(text, sizeof(text), "not enough memory: it takes %llu MiB, %lld MiB are free beside the reserve of %llu MiB, and the other "
             "domains can give up %llu MiB now", (unsigned long long)((a->kib + 1023) >> 10), spare, (unsigned long long)(d.reserve >> 10),
             (unsigned long long)(balance_reserves(d.domain, d.n) >> 10));
    answer(a, text);
    a->pid = 0;
}

static void settle_requests(uint64_t now)
{
    int64_t free = host_free(), coming = 0;

    for (unsigned i = 0; i < d.n; i++)
        coming += d.domain[i].current > d.domain[i].target ? (int64_t)(d.domain[i].current - d.domain[i].target) : 0;
    for (unsigned i = 0; i < ASKS_MOST; i++) {
        struct ask *a = &d.ask[i];
        int64_t others = spoken_for(free) - remainder_of(a, free);

        if (!a->pid)
            continue;
        if (a->granted) {
            if (now - a->since > PROMISE_MS || kill(a->pid, 0))
                a->pid = 0;
        } else if (free - others >= (int64_t)a->kib) {
            answer(a, "ok");
            a->granted = true;
            a->since = now;
            a->free_then = free;
        } else if (now - a->since > PATIENCE_MS ||
                   free - others + coming + (int64_t)balance_reserves(d.domain, d.n) < (int64_t)a->kib) {
            refuse(a, free, others);
        }
    }
}

/* ---- the round -------------------------------------------------------------------------------- */

static void set_target(unsigned i)
{
    struct balance *b = &d.domain[i];

    say("d%u: %llu -> %llu MiB (has %llu, pressure %u, available %llu)", d.domid[i], (unsigned long long)(b->target >> 10),
        (unsigned long long)(b->goal >> 10), (unsigned long long)(b->current >> 10), b->pressure, (unsigned long long)(b->available >> 10));
    if (d.domid[i])
        dom_max_memory(d.domid[i], b->goal + 1024);      /* a domain that will not listen gets no more either */
    balloon_set(d.x, d.domid[i], "target", b->goal);
    b->target = b->goal;
}

/* True if something moves or is about to. */
static bool round_of(uint64_t now)
{
    int64_t free;
    bool moved;

    take_requests(now);
    if (look())
        return false;
    settle_requests(now);
    free = host_free();
    moved = balance_memory(d.domain, d.n, free - spoken_for(free));
    for (unsigned i = 0; i < d.n; i++) {
        if (d.domain[i].goal != d.domain[i].target)
            set_target(i);
        moved |= d.domain[i].managed && (d.domain[i].current != d.domain[i].target || d.domain[i].pressure >= PRESSURE_HIGH);
    }
    return moved || spoken_for(free);
}

static int start(struct complaint *why)
{
    char pid[16];
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
    xs_rm(d.x, 0, BALLOOND_DIR "/ask");
    xs_rm(d.x, 0, BALLOOND_DIR "/answer");
    xs_mkdir(d.x, 0, BALLOOND_DIR "/ask");
    xs_watch(d.x, BALLOOND_DIR "/ask", "ask");
    if (!balloon_number(d.x, 0, "static-max", &v) && dom_info(0, &own) == 0)
        balloon_set(d.x, 0, "static-max", own.tot_pages * KIB_PAGE);
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    return xs_write(d.x, 0, BALLOOND_DIR "/pid", pid) ? complain(why, "xenstore refuses %s", BALLOOND_DIR) : 0;
}

static void run(void)
{
    char path[XS_PATH], token[64];

    for (;;) {
        uint64_t began = os_now_ms();
        bool busy = round_of(began);
        int wait = busy ? PERIOD_MS : IDLE_MS, rc = xs_event(d.x, path, token, wait);

        while (rc > 0) {                                /* somebody asks: at once; somebody is pressed: soon */
            if (path[1] == 'l' && os_now_ms() - began < SOON_MS)
                os_sleep_ms(SOON_MS);
            rc = xs_event(d.x, path, token, 0);
        }
        if (rc < 0) {                                   /* xenstored went: it comes back */
            os_sleep_ms(1000);
            xs_close(d.x);
            while (!(d.x = xs_open()))
                os_sleep_ms(1000);
            xs_watch(d.x, BALLOOND_DIR "/ask", "ask");
            memset(d.watched, 0, sizeof(d.watched));
        }
    }
}

int main(int argc, char **argv)
{
    struct complaint why;
    uint64_t mib = 0;
    int c;

    while ((c = getopt(argc, argv, "fr:")) != -1) {
        if (c == 'f') {
            d.aloud = true;
        } else if (c != 'r' || !text_number(optarg, &mib) || mib > 1 << 20) {
            fprintf(stderr, "usage: balloond [-f] [-r RESERVE_MIB]\n");
            return 2;
        }
    }
    d.reserve = (mib ? mib : 8) << 10;
    if (!d.aloud) {
        pid_t pid = fork();

        if (pid)
            return pid < 0;
        setsid();
    }
    if (start(&why)) {
        fprintf(stderr, "balloond: %s\n", why.text);
        return 1;
    }
    run();
}

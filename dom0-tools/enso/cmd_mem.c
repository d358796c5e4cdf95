/* SPDX-License-Identifier: MIT */
/* cmd_mem.c: `enso mem-set`, `mem-max`: a domain's memory while it runs.
 *
 * mem-set writes a wish (memory/target) that the guest's balloon follows, and moves the hypervisor's limit along; mem-max says how
 * far such wishes may go. */
#include <stdio.h>
#include <string.h>

#include "dom0-tools/enso/enso.h"
#include "dom0-tools/libenso/balloon.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"
#include "dom0-tools/libenso/tree.h"

#define MIB_MOST    (1ull << 20)
#define PATIENCE_MS 60000u          /* without any progress, with -w */
#define NEAR        64u             /* pages: a guest may round */

typedef unsigned long long number;

static int take_kib(const char *word, uint64_t *kib)
{
    if (text_memory(word, kib) && *kib >= 1024 && *kib <= MIB_MOST << 10)
        return 0;
    return failf("expected a number of MiB from 1 to %llu, or one with k, m, g or t behind it (512m, 2g), found \"%s\"", (number)MIB_MOST, word);
}

/* Is the wish one that the domain can follow? Else the sentence. */
static int check_target(struct xs *x, const struct xen_domctl_getdomaininfo *info, const char *name, uint64_t kib)
{
    uint64_t floor = balloon_floor(x, info->domain), most;
    struct xen_sysctl_physinfo machine = { 0 };

    if (!balloon_number(x, info->domain, "static-max", &most))
        most = info->max_pages * 4;
    if (machine_info(&machine) == 0 && kib > machine.total_pages * 4)
        return failf("%llu MiB is more than this machine has, which is %llu MiB", (number)(kib >> 10), (number)(machine.total_pages >> 8));
    if (kib < floor)
        return failf("%llu MiB is below the floor of %s, which needs %llu MiB at least", (number)(kib >> 10), name, (number)((floor + 1023) >> 10));
    if (kib > most)
        return failf("%llu MiB is above the maximum of %s, which is %llu MiB (maxmem= in its configuration)", (number)((kib + 1023) >> 10), name,
                     (number)(most >> 10));
    return 0;
}

static uint64_t distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

/* Until the domain has come near the target, as long as it moves. */
static int wait_for(uint16_t domid, const char *name, uint64_t kib)
{
    struct xen_domctl_getdomaininfo info;
    uint64_t began = os_now_ms(), moved = began, best = UINT64_MAX;

    for (;;) {
        uint64_t now = os_now_ms();

        if (dom_info(domid, &info))
            return failf("%s has ended meanwhile", name);
        uint64_t off = distance(info.tot_pages, kib / 4);
        if (off <= NEAR) {
            printf("%s: %llu MiB now, in %llu.%02llu s\n", name, (number)(kib >> 10), (number)((now - began) / 1000), (number)((now - began) % 1000 / 10));
            return 0;
        }
        if (off < best) {
            best = off;
            moved = now;
        }
        if (now - moved > PATIENCE_MS)
            return failf("%s has %llu MiB and does not get nearer to %llu: it needs what it has, or the machine has no more to give", name,
                         (number)(info.tot_pages >> 8), (number)(kib >> 10));
        os_sleep_ms(10);
    }
}

int cmd_mem_set(int words, char **word)
{
    struct xen_domctl_getdomaininfo info;
    struct complaint why;
    uint64_t kib, said;
    char name[32];
    bool wait;
    int rc;

    options_first(words, word);
    wait = words > 1 && strcmp(word[1], "-w") == 0;
    if (words != 3 + wait)
        return usage();
    word += wait;
    rc = want_domain(word[1], false, &info, name);
    if (rc || (rc = take_kib(word[2], &kib)) != 0)
        return rc;
    struct xs *x = tree_open(&why);
    if (!x)
        return fail(&why);
    rc = check_target(x, &info, name, kib);
    if (rc == 0) {
        bool listens = balloon_number(x, info.domain, "stat/current", &said);

        rc = balloon_set(x, info.domain, "target", kib);
        if (rc == 0 && info.domain)                     /* as xl does: no more, and room for a balloon's rounding */
            dom_max_memory(info.domain, kib + 1024);
        if (rc)
            rc = failf("xenstore refuses the target of %s: %s", name, strerror(-rc));
        else if (!listens && !wait)
            printf("%s has not said that it has a balloon: it may keep what it has\n", name);
    }
    xs_close(x);
    return rc || !wait ? rc : wait_for(info.domain, name, kib);
}

int cmd_mem_max(int words, char **word)
{
    struct xen_domctl_getdomaininfo info;
    struct complaint why;
    uint64_t kib, target = 0;
    char name[32];
    int rc;

    if (words != 3)
        return usage();
    rc = want_domain(word[1], false, &info, name);
    if (rc || (rc = take_kib(word[2], &kib)) != 0)
        return rc;
    struct xs *x = tree_open(&why);
    if (x)
        balloon_number(x, info.domain, "target", &target);
    if (kib < target) {
        rc = failf("%llu MiB is below what %s is to have now, %llu MiB: lower that first, by `enso mem-set`", (number)(kib >> 10), name,
                   (number)(target >> 10));
    } else if (x) {
        rc = balloon_set(x, info.domain, "static-max", kib);
        if (rc)
            rc = failf("xenstore refuses the maximum of %s: %s", name, strerror(-rc));
    } else {                                            /* nobody sets targets: this is all there is */
        rc = dom_max_memory(info.domain, kib + 1024);
        if (rc)
            rc = failf("setting the maximum memory of %s failed: %s", name, call_error(rc));
    }
    if (x)
        xs_close(x);
    return rc;
}

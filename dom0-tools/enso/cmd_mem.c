/* SPDX-License-Identifier: MIT */
/* cmd_mem.c: `enso mem-set`, `mem-max`: a domain's memory while it runs.
 *
 * mem-set writes a wish (memory/target) that the guest's balloon follows; mem-max is the hypervisor's limit. */
#include <stdio.h>
#include <string.h>

#include "dom0-tools/enso/enso.h"
#include "dom0-tools/libenso/balloon.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"
#include "dom0-tools/libenso/tree.h"

#define MIB_MOST    (1u << 20)
#define PATIENCE_MS 60000u          /* without any progress, with -w */
#define NEAR        64u             /* pages: a guest may round */

typedef unsigned long long number;

static int take_mib(const char *word, uint64_t *mib)
{
    if (text_number(word, mib) && *mib >= 1 && *mib <= MIB_MOST)
        return 0;
    return failf("expected a number of MiB from 1 to %u, found \"%s\"", MIB_MOST, word);
}

/* Is the wish one that the domain can follow? Else the sentence. */
static int check_target(struct xs *x, const struct xen_domctl_getdomaininfo *info, const char *name, uint64_t mib)
{
    uint64_t floor = balloon_floor(x, info->domain), most;

    if (!balloon_number(x, info->domain, "static-max", &most))
        most = (uint64_t)info->max_pages * 4;
    if ((mib << 10) < floor)
        return failf("%llu MiB is below the floor of %s, which needs %llu MiB at least", (number)mib, name, (number)((floor + 1023) >> 10));
    if ((mib << 10) > most)
        return failf("%llu MiB is above the maximum of %s, which is %llu MiB (maxmem= in its configuration)", (number)mib, name,
                     (number)(most >> 10));
    return 0;
}

static uint64_t distance(uint64_t a, uint64_t b) { return a > b ? a - b : b - a; }

/* Until the domain has come near the target, as long as it moves. */
static int wait_for(uint16_t domid, const char *name, uint64_t mib)
{
    struct xen_domctl_getdomaininfo info;
    uint64_t began = os_now_ms(), moved = began, best = UINT64_MAX;

    for (;;) {
        uint64_t now = os_now_ms();

        if (dom_info(domid, &info))
            return failf("%s has ended meanwhile", name);
        uint64_t off = distance(info.tot_pages, mib << 8);
        if (off <= NEAR) {
            printf("%s: %llu MiB now, in %llu.%02llu s\n", name, (number)mib, (number)((now - began) / 1000), (number)((now - began) % 1000 / 10));
            return 0;
        }
        if (off < best) {
            best = off;
            moved = now;
        }
        if (now - moved > PATIENCE_MS)
            return failf("%s has %llu MiB and does not get nearer to %llu: it needs what it has, or the machine has no more to give", name,
                         (number)(info.tot_pages >> 8), (number)mib);
        os_sleep_ms(10);
    }
}

int cmd_mem_set(int words, char **word)
{
    bool wait = words > 1 && strcmp(word[1], "-w") == 0;
    struct xen_domctl_getdomaininfo info;
    struct complaint why;
    uint64_t mib, said;
    char name[32];
    int rc;

    if (words != 3 + wait)
        return usage();
    word += wait;
    rc = want_domain(word[1], false, &info, name);
    if (rc || (rc = take_mib(word[2], &mib)) != 0)
        return rc;
    struct xs *x = tree_open(&why);
    if (!x)
        return fail(&why);
    rc = check_target(x, &info, name, mib);
    if (rc == 0) {
        bool listens = balloon_number(x, info.domain, "stat/current", &said);
        if (listens && info.domain)                     /* a guest that does not listen gets no more either */
            dom_max_memory(info.domain, (mib << 10) + 1024);
        rc = balloon_set(x, info.domain, "target", mib << 10);
        if (rc)
            rc = failf("xenstore refuses the target of %s: %s", name, strerror(-rc));
        else if (!listens && !wait)
            printf("%s has not said that it has a balloon: it may keep what it has\n", name);
    }
    xs_close(x);
    return rc || !wait ? rc : wait_for(info.domain, name, mib);
}

int cmd_mem_max(int words, char **word)
{
    struct xen_domctl_getdomaininfo info;
    struct complaint why;
    uint64_t mib, target = 0;
    char name[32];
    int rc;

    if (words != 3)
        return usage();
    rc = want_domain(word[1], false, &info, name);
    if (rc || (rc = take_mib(word[2], &mib)) != 0)
        return rc;
    struct xs *x = tree_open(&why);
    if (x)
        balloon_number(x, info.domain, "target", &target);
    if ((mib << 10) < target) {
        rc = failf("%llu MiB is below what %s is to have now, %llu MiB: lower that first, by `enso mem-set`", (number)mib, name,
                   (number)(target >> 10));
    } else {
        rc = dom_max_memory(info.domain, (mib << 10) + 1024);
        if (rc)
            rc = failf("setting the maximum memory of %s failed: %s", name, call_error(rc));
        else if (x)
            balloon_set(x, info.domain, "static-max", mib << 10);
    }
    if (x)
        xs_close(x);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* cmd_sched.c: vcpu-list, vcpu-pin, sched-credit, mem-max: a domain's share of
 * the machine.                                                               */
#include "dom0-tools/enso/enso.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/text.h"
#include "hypercall-abi/errno.h"

static unsigned cpus_here(void)
{
    struct xen_sysctl_physinfo info;

    return machine_info(&info) == 0 && info.nr_cpus ? info.nr_cpus : 1;
}

/* ---- vcpu-list ------------------------------------------------------------------------- */

static void print_vcpu(const struct xen_domctl_getdomaininfo *d, const char *name, uint32_t v, unsigned ncpus)
{
    struct xen_domctl_getvcpuinfo info;
    uint64_t cpus = 0;
    char where[12] = "-", may[80] = "-", seconds[24];

    if (dom_vcpu_info(d->domain, v, &info))
        return;
    if (info.online)
        snprintf(where, sizeof(where), "%lu", (unsigned long)info.cpu);
    if (dom_get_affinity(d->domain, v, &cpus) == 0)
        text_from_cpus(cpus, ncpus, may, sizeof(may));
    snprintf(seconds, sizeof(seconds), "%llu.%llu", (unsigned long long)(info.cpu_time / 1000000000),
             (unsigned long long)(info.cpu_time / 100000000 % 10));
    printf("%-16s %3u %5lu %4s  %c%c%c  %9s  %s\n", name, d->domain, (unsigned long)v, where,
           info.running ? 'r' : '-', info.blocked ? 'b' : '-', d->flags & XEN_DOMINF_paused || !info.online ? 'p' : '-',
           seconds, may);
}

int cmd_vcpu_list(int words, char **word)
{
    struct xen_domctl_getdomaininfo *list = NULL, one;
    struct complaint why;
    unsigned ncpus = cpus_here();
    int n = words > 1 ? words - 1 : state_domains(&list, &why);

    if (n < 0)
        return fail(&why);
    printf("%-16s %3s %5s %4s  State  %7s  CPUs\n", "Name", "ID", "VCPU", "CPU", "Time(s)");
    for (int i = 0; i < n; i++) {
        const struct xen_domctl_getdomaininfo *d = list ? &list[i] : &one;
        char name[32];

        if (!list && state_find(word[i + 1], &one, &why))
            return fail(&why);
        state_name(d, name);
        for (uint32_t v = 0; v <= d->max_vcpu_id && d->max_vcpu_id != XEN_INVALID_MAX_VCPU_ID; v++)
            print_vcpu(d, name, v, ncpus);
    }
    free(list);
    return 0;
}

/* ---- vcpu-pin --------------------------------------------------------------------------- */

int cmd_vcpu_pin(int words, char **word)
{
    struct xen_domctl_getdomaininfo info;
    uint64_t first = 0, last, cpus;
    unsigned ncpus = cpus_here();
    char name[32];
    int rc;

    if (words != 4)
        return usage();
    rc = want_domain(word[1], false, &info, name);
    if (rc)
        return rc;
    last = info.max_vcpu_id;
    if (strcmp(word[2], "all") != 0) {
        if (!text_number(word[2], &first) || first > info.max_vcpu_id)
            return failf("expected a vCPU of %s, 0 to %lu, or all; found \"%s\"", name,
                         (unsigned long)info.max_vcpu_id, word[2]);
        last = first;
    }
    if (!text_cpus(word[3], &cpus))
        return failf("expected CPUs such as 0-1,3 or ^2 or all; found \"%s\"", word[3]);
    if (ncpus < 64 && !(cpus & ((1ull << ncpus) - 1)))
        return failf("none of the CPUs %s exists; this machine has 0 to %u", word[3], ncpus - 1);
    for (uint64_t v = first; v <= last; v++) {
        rc = dom_set_affinity(info.domain, (uint32_t)v, cpus);
        if (rc)
            return failf("pinning vCPU %llu of %s failed: %s", (unsigned long long)v, name, call_error(rc));
    }
    return 0;
}

/* ---- sched-credit -------------------------------------------------------------------------- */

static int no_shares(int rc)
{
    if (rc == -XEN_EOPNOTSUPP)
        return failf("the scheduler in use has no weights and caps; `sched=credit` on the hypervisor's boot line has");
    return failf("the scheduler refused: %s", call_error(rc));
}

static int show_share(const struct xen_domctl_getdomaininfo *d)
{
    uint32_t weight, cap;
    char name[32];
    int rc = dom_get_share(d->domain, &weight, &cap);

    if (rc)
        return no_shares(rc);
    state_name(d, name);
    printf("%-16s %3u %7lu %4lu\n", name, d->domain, (unsigned long)weight, (unsigned long)cap);
    return 0;
}

static void show_head(void)
{
    printf("%-16s %3s %7s %4s\n", "Name", "ID", "Weight", "Cap");
}

struct shares {
    const char *domain, *weight, *cap;
};

static int take_shares(struct shares *s, int words, char **word)
{
    for (int i = 1; i < words; i += 2) {
        if (i + 1 == words)
            return usage();
        if (strcmp(word[i], "-d") == 0)
            s->domain = word[i + 1];
        else if (strcmp(word[i], "-w") == 0)
            s->weight = word[i + 1];
        else if (strcmp(word[i], "-c") == 0)
            s->cap = word[i + 1];
        else
            return usage();
    }
    return !s->domain && (s->weight || s->cap) ? usage() : 0;
}

int cmd_sched_credit(int words, char **word)
{
    struct xen_domctl_getdomaininfo info;
    struct shares s = { NULL, NULL, NULL };
    uint32_t weight, cap;
    uint64_t n;
    char name[32];
    int rc = take_shares(&s, words, word);

    if (rc)
        return rc;
    if (!s.domain) {
        rc = dom_get_share(0, &weight, &cap);
        if (rc)
            return no_shares(rc);
        show_head();
        return every_domain(show_share);
    }
    rc = want_domain(s.domain, false, &info, name);
    if (rc)
        return rc;
    if (!s.weight && !s.cap) {
        show_head();
        return show_share(&info);
    }
    rc = dom_get_share(info.domain, &weight, &cap);
    if (rc)
        return no_shares(rc);
    if (s.weight && (!text_number(s.weight, &n) || n < 1 || n > 65535))
        return failf("expected a weight from 1 to 65535, found \"%s\"", s.weight);
    weight = s.weight ? (uint32_t)n : weight;
    if (s.cap && (!text_number(s.cap, &n) || n > 100 * cpus_here()))
        return failf("expected a cap from 0 (none) to %u per cent, found \"%s\"", 100 * cpus_here(), s.cap);
    cap = s.cap ? (uint32_t)n : cap;
    rc = dom_set_share(info.domain, weight, cap);
    return rc ? no_shares(rc) : 0;
}

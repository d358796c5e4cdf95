/* SPDX-License-Identifier: MIT */
/* attack_control.c: claim: dom0 may ask for what the machine cannot give, and gets -ENOMEM; whatever was made half is given back to the
 * frame, which the audit at the end confirms (SPEC 14.2). This kernel runs in dom0's place.                           */
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/grant.h"
#include "tests/hostile/hostile.h"

static struct xen_domctl ctl;

static long domctl(uint32_t cmd, domid_t domain)
{
    ctl.cmd = cmd;
    ctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    ctl.domain = domain;
    return hypercall_domctl(gva(&ctl));
}

static xen_pfn_t kept[128];               /* frames of ours by which the heap's rest is measured out */

static long frames(unsigned op, domid_t domain, xen_pfn_t *list, uint64_t n)
{
    struct xen_memory_reservation r = { .nr_extents = n, .domid = domain };

    r.extent_start = gva(list);
    return hypercall_memory_op(op, gva(&r));
}

/* A domain with four vCPUs, some memory and a grant table, as far as it goes. Its number, or what went wrong. */
static long make(unsigned *steps)
{
    static xen_pfn_t list[4];
    struct gnttab_query_size q = { 0 };
    domid_t d;
    long rc;

    memset(&ctl, 0, sizeof(ctl));
    ctl.u.createdomain.max_vcpus = 4;
    ctl.u.createdomain.max_grant_frames = ctl.u.createdomain.max_maptrack_frames = -1;
    rc = domctl(XEN_DOMCTL_createdomain, 0);
    if (rc)
        return rc;
    *steps = 1;
    d = q.dom = ctl.domain;
    ctl.u.max_vcpus.max = 4;
    rc = domctl(XEN_DOMCTL_max_vcpus, d);
    if (rc && rc != -XEN_ENOMEM)
        BROKE_OUT("max_vcpus: %d", rc);
    *steps += !rc;
    ctl.u.max_mem.max_memkb = 1024;
    domctl(XEN_DOMCTL_max_mem, d);
    *steps += frames(XENMEM_populate_physmap, d, list, 4) == 4;
    struct gnttab_setup_table s = { .dom = d, .nr_frames = 3, .frame_list = gva(list) };
    hypercall_grant_table_op(GNTTABOP_setup_table, gva(&s), 1);
    if (s.status != GNTST_okay && s.status != GNTST_no_space)
        BROKE_OUT("setup_table: status %d", (int64_t)s.status);
    *steps += s.status == GNTST_okay;
    hypercall_grant_table_op(GNTTABOP_query_size, gva(&q), 1);
    if (q.status || (s.status == GNTST_okay) != (q.nr_frames == 3))
        BROKE_OUT("query_size: status %d, %u frames", (int64_t)q.status, (uint64_t)q.nr_frames);
    return d;
}

static void end_of(domid_t d)
{
    long rc = domctl(XEN_DOMCTL_destroydomain, d);

    if (rc)
        BROKE_OUT("destroydomain: %d", rc);
}

/* With 0, 1, 2, ... frames left in the machine, until everything succeeds: each allocation on the way fails once. */
void attack_no_memory(void)
{
    static xen_pfn_t one[1];
    unsigned steps = 0, spare, refused = 0;

    ctl.u.max_mem.max_memkb = 1UL << 30;
    if (domctl(XEN_DOMCTL_max_mem, DOMID_SELF))
        TEST_ERROR("max_mem");
    if (frames(XENMEM_increase_reservation, DOMID_SELF, kept, 128) != 128)
        TEST_ERROR("not even 128 frames");
    while (frames(XENMEM_increase_reservation, DOMID_SELF, one, 1) == 1)
        ;
    for (spare = 0; spare < 128 && steps < 4; spare++) {
        long d = make(&steps);
        if (d >= 0)
            end_of(d);
        else if (d == -XEN_ENOMEM)
            refused++;
        else
            BROKE_OUT("createdomain with %u frames left: %d", (uint64_t)spare, d);
        if (frames(XENMEM_decrease_reservation, DOMID_SELF, kept + spare, 1) != 1)
            TEST_ERROR("a frame cannot be given back");
    }
    say("a domain takes %u frames, %u times there was none", (uint64_t)spare, (uint64_t)refused);
    if (steps < 4 || refused < 4)
        TEST_ERROR("step %u only", (uint64_t)steps);
}

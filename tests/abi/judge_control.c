/* SPDX-License-Identifier: MIT */
/* judge_control.c: grants, devices, the control interface. SPEC 10.2, 12.2, 14. */
#include "tests/abi/judge.h"

/* ---- grants ------------------------------------------------------------------------------------- */

static long map_status(uint16_t dom, uint32_t ref, uint32_t flags, uint64_t at)
{
    struct gnttab_map_grant_ref m = { .host_addr = at, .flags = flags, .ref = ref, .dom = dom };
    long rc = hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(&m), 1);
    return rc ? rc - 1000 : m.status;
}

static long copy_status(struct gnttab_copy c)
{
    long rc = hypercall_grant_table_op(GNTTABOP_copy, gva(&c), 1);
    return rc ? rc - 1000 : c.status;
}

static void ask_grant_table(void)
{
    static uint64_t frames[64];
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    struct gnttab_setup_table t = { DOMID_SELF, 1, 0, gva(frames) };
    struct gnttab_get_version g = { .dom = DOMID_SELF };
    struct gnttab_set_version v = { 1 };

    family = "grant_table_op";
    ASK("unknown", hypercall_grant_table_op(99, gva(&q), 1));
    ASK("none", hypercall_grant_table_op(GNTTABOP_map_grant_ref, gva(&q), 0));
    ASK("unmapped", hypercall_grant_table_op(GNTTABOP_map_grant_ref, UNMAPPED, 1));
    ASK("query", hypercall_grant_table_op(GNTTABOP_query_size, gva(&q), 1));
    ASK("query: status", q.status);
    ASK("query two", hypercall_grant_table_op(GNTTABOP_query_size, gva(&q), 2));
    q.dom = NOBODY;
    hypercall_grant_table_op(GNTTABOP_query_size, gva(&q), 1);
    ASK("query nobody: status", q.status);
    ASK("setup", hypercall_grant_table_op(GNTTABOP_setup_table, gva(&t), 1));
    ASK("setup: status", t.status);
    t.nr_frames = 100000;
    ASK("setup long", hypercall_grant_table_op(GNTTABOP_setup_table, gva(&t), 1));
    ASK("setup long: status", t.status);
    t = (struct gnttab_setup_table){ NOBODY, 1, 0, gva(frames) };
    hypercall_grant_table_op(GNTTABOP_setup_table, gva(&t), 1);
    ASK("setup nobody: status", t.status);
    ASK("get version", hypercall_grant_table_op(GNTTABOP_get_version, gva(&g), 1));
    ASK("get version is", g.version);
    ASK("set version 1", hypercall_grant_table_op(GNTTABOP_set_version, gva(&v), 1));
    v.version = 7;
    ASK("set version 7", hypercall_grant_table_op(GNTTABOP_set_version, gva(&v), 1));
}

static void ask_grants(void)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = (uint64_t)pool[8], .handle = 12345 };
    struct gnttab_copy c = { .len = 16 };
    uint64_t a = va_to_mfn(pool[9]), b = va_to_mfn(pool[10]);

    ASK("map no kind", map_status(0, 0, 0, (uint64_t)pool[8]));
    ASK("map nobody", map_status(NOBODY, 0, GNTMAP_host_map, (uint64_t)pool[8]));
    ASK("map empty entry", map_status(0, 8, GNTMAP_host_map, (uint64_t)pool[8]));
    ASK("map past table", map_status(0, 1000000, GNTMAP_host_map, (uint64_t)pool[8]));
    ASK("unmap", hypercall_grant_table_op(GNTTABOP_unmap_grant_ref, gva(&u), 1));
    ASK("unmap: status", u.status);
    c.source.domid = c.dest.domid = DOMID_SELF;
    c.source.u.gmfn = a;
    c.dest.u.gmfn = b;
    *(uint64_t *)pool[9] = 0x1122334455667788;
    ASK("copy", copy_status(c));
    ASK("copy: done", *(volatile uint64_t *)pool[10] == 0x1122334455667788);
    c.source.offset = 4090;
    ASK("copy crossing", copy_status(c));
    c.source.offset = 0;
    c.dest.u.gmfn = va_to_mfn((void *)si->pt_base);
    ASK("copy onto a table", copy_status(c));
    c.dest.u.gmfn = NO_FRAME;
    ASK("copy past memory", copy_status(c));
    c.dest.u.gmfn = b;
    c.dest.domid = NOBODY;
    ASK("copy to nobody", copy_status(c));
    c.dest.domid = DOMID_SELF;
    c.flags = GNTCOPY_source_gref;
    c.source.u.gmfn = 0;
    c.source.u.ref = 8;
    ASK("copy from empty entry", copy_status(c));
}

void ask_grant_tables(void)
{
    ask_grant_table();
    ask_grants();
}

/* ---- devices and control ------------------------------------------------------------------------- */

static void ask_physdev(void)
{
    uint32_t four = 4, one = 1;
    struct physdev_irq_status_query q = { 99999, 0 };
    struct physdev_eoi e = { 99999 };
    struct physdev_set_iobitmap big = { gva(pool), 65537 }, none = { 0, 0 };
    struct physdev_map_pirq m = { .domid = DOMID_SELF, .type = 99, .index = 1, .pirq = 1 };
    struct physdev_unmap_pirq u = { DOMID_SELF, -1 };
    struct physdev_apic a = { 0x12345000, 1, 0 };

    family = "physdev_op";
    ASK("unknown", hypercall_physdev_op(99, gva(&q)));
    ASK("unmapped", hypercall_physdev_op(PHYSDEVOP_set_iopl, UNMAPPED));
    ASK("iopl 4", hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&four)));
    ASK("iopl 1", hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&one)));
    ASK("bitmap long", hypercall_physdev_op(PHYSDEVOP_set_iobitmap, gva(&big)));
    ASK("bitmap none", hypercall_physdev_op(PHYSDEVOP_set_iobitmap, gva(&none)));
    ASK("status 99999", hypercall_physdev_op(PHYSDEVOP_irq_status_query, gva(&q)));
    ASK("eoi 99999", hypercall_physdev_op(PHYSDEVOP_eoi, gva(&e)));
    ASK("map type", hypercall_physdev_op(PHYSDEVOP_map_pirq, gva(&m)));
    m.domid = NOBODY;
    ASK("map nobody", hypercall_physdev_op(PHYSDEVOP_map_pirq, gva(&m)));
    ASK("unmap -1", hypercall_physdev_op(PHYSDEVOP_unmap_pirq, gva(&u)));
    u.pirq = 200;
    ASK("unmap unmapped", hypercall_physdev_op(PHYSDEVOP_unmap_pirq, gva(&u)));
    ASK("apic nowhere", hypercall_physdev_op(PHYSDEVOP_apic_read, gva(&a)));
}

static struct xen_domctl ctl;
static long domctl(uint32_t cmd, uint16_t domain)
{
    ctl.cmd = cmd;
    ctl.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    ctl.domain = domain;
    return hypercall_domctl(gva(&ctl));
}

static void ask_domctl(void)
{
    family = "domctl";
    ASK("unmapped", hypercall_domctl(UNMAPPED));
    ctl.interface_version = 1;
    ASK("version", hypercall_domctl(gva(&ctl)));
    ASK("unknown", domctl(9999, 0));
    ASK("info", domctl(XEN_DOMCTL_getdomaininfo, 0));
    ASK("info: domain", ctl.u.getdomaininfo.domain);
    ASK("info past", domctl(XEN_DOMCTL_getdomaininfo, 5000));
    memset(&ctl.u, 0, sizeof(ctl.u));
    ASK("pause nobody", domctl(XEN_DOMCTL_pausedomain, NOBODY));
    ASK("pause oneself", domctl(XEN_DOMCTL_pausedomain, 0));
    ASK("unpause oneself", domctl(XEN_DOMCTL_unpausedomain, 0));
    ASK("destroy oneself", domctl(XEN_DOMCTL_destroydomain, 0));
    ASK("destroy nobody", domctl(XEN_DOMCTL_destroydomain, NOBODY));
    ASK("resume oneself", domctl(XEN_DOMCTL_resumedomain, 0));
    ASK("max_vcpus nobody", domctl(XEN_DOMCTL_max_vcpus, NOBODY));
    ctl.u.createdomain.max_vcpus = 0;
    ASK("create without vcpus", domctl(XEN_DOMCTL_createdomain, 0));
    ctl.u.createdomain.max_vcpus = 1;
    ctl.u.createdomain.flags = 1U << 20;
    ASK("create flags", domctl(XEN_DOMCTL_createdomain, 0));
    memset(&ctl.u, 0, sizeof(ctl.u));
    ctl.u.getvcpuinfo.vcpu = 0;
    ASK("vcpu info", domctl(XEN_DOMCTL_getvcpuinfo, 0));
    ASK("vcpu info: running", ctl.u.getvcpuinfo.running);
    ctl.u.getvcpuinfo.vcpu = 50;
    ASK("vcpu info 50", domctl(XEN_DOMCTL_getvcpuinfo, 0));
    ctl.u.vcpucontext.vcpu = 0;
    ASK("context of oneself", domctl(XEN_DOMCTL_getvcpucontext, 0));
    ctl.u.vcpuaffinity = (struct xen_domctl_vcpuaffinity){ .vcpu = 0, .flags = 0 };
    ASK("affinity nothing", domctl(XEN_DOMCTL_setvcpuaffinity, 0));
    ctl.u.vcpuaffinity.vcpu = 50;
    ASK("affinity vcpu 50", domctl(XEN_DOMCTL_setvcpuaffinity, 0));
    ctl.u.scheduler_op = (struct xen_domctl_scheduler_op){ .sched_id = 99, .cmd = XEN_DOMCTL_SCHEDOP_getinfo };
    ASK("scheduler 99", domctl(XEN_DOMCTL_scheduler_op, 0));
    ctl.u.getpageframeinfo3 = (struct xen_domctl_getpageframeinfo3){ 1025, gva(pool) };
    ASK("frames 1025", domctl(XEN_DOMCTL_getpageframeinfo3, NOBODY));
    ctl.u.address_size.size = 32;
    ASK("address size", domctl(XEN_DOMCTL_get_address_size, 0));
    ASK("address size is", ctl.u.address_size.size);
}

static struct xen_sysctl sys;
static long sysctl(uint32_t cmd)
{
    sys.cmd = cmd;
    sys.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return hypercall_sysctl(gva(&sys));
}

static void ask_sysctl(void)
{
    static struct xen_platform_op p;

    family = "sysctl";
    ASK("unmapped", hypercall_sysctl(UNMAPPED));
    sys.interface_version = 1;
    ASK("version", hypercall_sysctl(gva(&sys)));
    ASK("unknown", sysctl(9999));
    ASK("physinfo", sysctl(XEN_SYSCTL_physinfo));
    ASK("physinfo: cpus", sys.u.physinfo.nr_cpus);
    memset(&sys.u, 0, sizeof(sys.u));
    sys.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){ 0, 4, gva(pool), 0 };
    ASK("domains", sysctl(XEN_SYSCTL_getdomaininfolist));
    ASK("domains: how many", sys.u.getdomaininfolist.num_domains);
    sys.u.getdomaininfolist = (struct xen_sysctl_getdomaininfolist){ 0, 4, UNMAPPED, 0 };
    ASK("domains unmapped", sysctl(XEN_SYSCTL_getdomaininfolist));
    ASK("availheap", sysctl(XEN_SYSCTL_availheap));
    family = "platform_op";
    ASK("unmapped", hypercall_platform_op(UNMAPPED));
    ASK("version", hypercall_platform_op(gva(&p)));
    p.interface_version = XENPF_INTERFACE_VERSION;
    p.cmd = 9999;
    ASK("unknown", hypercall_platform_op(gva(&p)));
    p.cmd = XENPF_settime64;
    p.u.settime64 = (struct xenpf_settime64){ 1700000000, 0, 1, 0 };
    ASK("settime mbz", hypercall_platform_op(gva(&p)));
}

void ask_control(void)
{
    ask_physdev();
    ask_domctl();
    ask_sysctl();
}

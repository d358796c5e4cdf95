/* SPDX-License-Identifier: MIT */
/* calls_machine.c: hypercalls about the machine, and Enso's own (calls.h).   */
#include "dom0-tools/libenso/calls.h"

#include <string.h>

#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/version.h"

static uint64_t at(const void *p)
{
    return (uintptr_t)p;
}

static struct xen_sysctl *sysctl(uint32_t cmd)
{
    struct xen_sysctl *op;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    op->cmd = cmd;
    op->interface_version = XEN_SYSCTL_INTERFACE_VERSION;
    return op;
}

static int sysctl_go(struct xen_sysctl *op)
{
    return (int)os_hypercall(__HYPERVISOR_sysctl, at(op), 0, 0, 0, 0);
}

#define LIST_MOST 256

int machine_domains(uint16_t first, struct xen_domctl_getdomaininfo *list, unsigned most)
{
    struct xen_sysctl *op = sysctl(XEN_SYSCTL_getdomaininfolist);
    unsigned room = most < LIST_MOST ? most : LIST_MOST;
    struct xen_domctl_getdomaininfo *found = os_bounce(room * sizeof(*found));
    int rc;

    op->u.getdomaininfolist.first_domain = first;
    op->u.getdomaininfolist.max_domains = room;
    op->u.getdomaininfolist.buffer = at(found);
    rc = sysctl_go(op);
    if (rc)
        return rc;
    memcpy(list, found, op->u.getdomaininfolist.num_domains * sizeof(*list));
    return (int)op->u.getdomaininfolist.num_domains;
}

int machine_info(struct xen_sysctl_physinfo *info)
{
    struct xen_sysctl *op = sysctl(XEN_SYSCTL_physinfo);
    int rc = sysctl_go(op);

    *info = op->u.physinfo;
    return rc;
}

int machine_scheduler(uint32_t *id)
{
    struct xen_sysctl *op = sysctl(XEN_SYSCTL_sched_id);
    int rc = sysctl_go(op);

    *id = op->u.sched_id.sched_id;
    return rc;
}

int machine_cpu_idle(uint64_t *idle_ns, unsigned most)
{
    struct xen_sysctl *op = sysctl(XEN_SYSCTL_getcpuinfo);
    struct xen_sysctl_cpuinfo *info = os_bounce(most * sizeof(*info));
    int rc;

    op->u.getcpuinfo.max_cpus = most;
    op->u.getcpuinfo.info = at(info);
    rc = sysctl_go(op);
    if (rc)
        return rc;
    for (unsigned i = 0; i < op->u.getcpuinfo.nr_cpus && i < most; i++)
        idle_ns[i] = info[i].idletime;
    return (int)op->u.getcpuinfo.nr_cpus;
}

int machine_log(bool clear, uint32_t *index, char *buf, unsigned size)
{
    struct xen_sysctl *op = sysctl(XEN_SYSCTL_readconsole);
    char *text = os_bounce(size);
    int rc;

    op->u.readconsole.clear = clear;
    op->u.readconsole.incremental = 1;
    op->u.readconsole.index = *index;
    op->u.readconsole.buffer = at(text);
    op->u.readconsole.count = size;
    rc = sysctl_go(op);
    if (rc)
        return rc;
    *index = op->u.readconsole.index;
    memcpy(buf, text, op->u.readconsole.count);
    return (int)op->u.readconsole.count;
}

int machine_debug_keys(const char *keys, unsigned n)
{
    struct xen_sysctl *op = sysctl(XEN_SYSCTL_debug_keys);
    char *copy = os_bounce(n);

    memcpy(copy, keys, n);
    op->u.debug_keys.keys = at(copy);
    op->u.debug_keys.nr_keys = n;
    return sysctl_go(op);
}

int machine_version(int *major, int *minor, char *extra, size_t size)
{
    char *text;
    long rc;

    os_bounce_reset();
    text = os_bounce(XEN_EXTRAVERSION_LEN + 1);
    rc = os_hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0, 0, 0);
    if (rc < 0)
        return (int)rc;
    *major = (int)(rc >> 16);
    *minor = (int)(rc & 0xffff);
    rc = os_hypercall(__HYPERVISOR_xen_version, XENVER_extraversion, at(text), 0, 0, 0);
    text_copy(extra, size, rc < 0 ? "" : text);
    return 0;
}

int machine_commandline(char *buf, size_t size)
{
    xen_commandline_t *text;
    long rc;

    os_bounce_reset();
    text = os_bounce(sizeof(*text));
    rc = os_hypercall(__HYPERVISOR_xen_version, XENVER_commandline, at(text), 0, 0, 0);
    text_copy(buf, size, rc < 0 ? "" : *text);
    return (int)rc;
}

/* ---- enso_op --------------------------------------------------------------------- */

static struct enso_op *enso(uint32_t cmd, uint16_t domid)
{
    struct enso_op *op;

    os_bounce_reset();
    op = os_bounce(sizeof(*op));
    op->cmd = cmd;
    op->domid = domid;
    return op;
}

static int enso_go(struct enso_op *op)
{
    return (int)os_hypercall(__HYPERVISOR_enso_op, at(op), 0, 0, 0, 0);
}

int enso_get_name(uint16_t domid, char name[32])
{
    struct enso_op *op = enso(ENSO_OP_get_name, domid);
    int rc = enso_go(op);

    if (!rc) {
        op->u.name.name[ENSO_NAME_MAX - 1] = '\0';
        text_copy(name, 32, op->u.name.name);
    }
    return rc;
}

int enso_set_name(uint16_t domid, const char *name)
{
    struct enso_op *op = enso(ENSO_OP_set_name, domid);

    text_copy(op->u.name.name, sizeof(op->u.name.name), name);
    return enso_go(op);
}

int enso_get_console(uint16_t domid, uint64_t *mfn, uint32_t *port)
{
    struct enso_op *op = enso(ENSO_OP_get_console, domid);
    int rc = enso_go(op);

    *mfn = op->u.console.mfn;
    *port = op->u.console.port;
    return rc;
}

int enso_get_store(uint16_t domid, uint64_t *mfn, uint32_t *port)
{
    struct enso_op *op = enso(ENSO_OP_get_store, domid);
    int rc = enso_go(op);

    *mfn = op->u.console.mfn;
    *port = op->u.console.port;
    return rc;
}

int enso_set_console(uint16_t domid, uint64_t mfn, uint32_t port)
{
    struct enso_op *op = enso(ENSO_OP_set_console, domid);

    op->u.console.mfn = mfn;
    op->u.console.port = port;
    return enso_go(op);
}

int enso_audit(struct enso_audit *result)
{
    struct enso_op *op = enso(ENSO_OP_audit, 0);
    int rc = enso_go(op);

    *result = op->u.audit;
    return rc;
}

int enso_echo_times(uint64_t *ns, unsigned most)
{
    struct enso_op *op = enso(ENSO_OP_echo_times, 0);
    uint64_t *samples = os_bounce(most * sizeof(*samples));
    int rc;

    op->u.echo.samples = at(samples);
    op->u.echo.count = most;
    rc = enso_go(op);
    if (rc < 0)
        return rc;
    if (op->u.echo.count < most)
        most = op->u.echo.count;
    memcpy(ns, samples, most * sizeof(*ns));
    return (int)most;
}

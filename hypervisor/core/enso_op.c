/* SPDX-License-Identifier: MIT */
/* enso_op.c: the one hypercall that Xen does not have.                                          [read 69]
 *
 * Names for the console's prefixes, where the rings of a domain made by GRUB lie, the audit, and what tests want to
 * know. The structure is read whole and, on success, written back whole. SPEC 14.5. */
#include "hypercall-abi/enso.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"

#define MAX_ECHOES 32

static long op_audit(struct domain *d, struct enso_op *op)
{
    struct audit_result r;

    if (!DEBUG_BUILD)
        return -XEN_ENOSYS;
    domain_audit(&r);
    op->u.audit = (struct enso_audit){ r.frames, r.differences, r.lost, heap_free_frames() };
    return 0;
}

/* ---- names ------------------------------------------------------------------------------------- */

static long op_get_name(struct domain *d, struct enso_op *op)
{
    char none[sizeof(d->name)];

    hv_snprintf(none, sizeof(none), "d%u", d->id);
    if (!strcmp(d->name, none))
        return -XEN_ENOENT;
    memset(&op->u, 0, sizeof(op->u));
    strlcpy(op->u.name.name, d->name, sizeof(op->u.name.name));
    return 0;
}

static bool name_char(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || strchr("_.+-", c);
}

static long op_set_name(struct domain *d, struct enso_op *op)
{
    const char *name = op->u.name.name;
    size_t n = strnlen(name, sizeof(op->u.name.name));

    if (!n || n == sizeof(op->u.name.name))
        return -XEN_EINVAL;
    for (size_t i = 0; i < n; i++) {
        if (!name_char(name[i]))
            return -XEN_EINVAL;
    }
    return domain_set_name(d, name);
}

/* ---- consoles ---------------------------------------------------------------------------------- */

static long op_get_console(struct domain *d, struct enso_op *op)
{
    op->u.console = (struct enso_console){ .mfn = d->console_mfn.raw, .port = d->console_port };
    return d->console_mfn.raw ? 0 : -XEN_ENOENT;
}

static long op_get_store(struct domain *d, struct enso_op *op)
{
    op->u.console = (struct enso_console){ .mfn = d->store_mfn.raw, .port = d->store_port };
    return d->store_mfn.raw ? 0 : -XEN_ENOENT;
}

static long op_set_console(struct domain *d, struct enso_op *op)
{
    mfn_t m;

    if (d->dying)
        return -XEN_ESRCH;
    if (!evtchn_valid(d, op->u.console.port) || frame_get_typed(d, gfn(op->u.console.mfn), FT_WRITABLE, &m))
        return -XEN_EINVAL;
    guestcons_drop_ring(d);
    d->console_port = op->u.console.port;
    d->console_mfn = m;
    frame_put_typed(m);                  /* guestcons takes its own when it first looks */
    return 0;
}

/* ---- for tests --------------------------------------------------------------------------------- */

static long op_echo_times(struct domain *d, struct enso_op *op)
{
    uint64_t ns[MAX_ECHOES];
    uint32_t n = guestcons_echo_times(ns, op->u.echo.count < MAX_ECHOES ? op->u.echo.count : MAX_ECHOES);

    if (copy_to_guest(gva(op->u.echo.samples), ns, n * sizeof(ns[0])))
        return -XEN_EFAULT;
    op->u.echo.count = n;
    return 0;
}

static long op_machine_exit(struct domain *d, struct enso_op *op)
{
    domain_machine_exit(op->u.exit.code);
}

/* ---- the table --------------------------------------------------------------------------------- */

#define SELF 1                           /* a domain may ask it of itself; without: dom0 only */
#define BACK 2

static const struct {
    long (*fn)(struct domain *d, struct enso_op *op);
    uint8_t how;
} ops[] = {
    [ENSO_OP_audit] = { op_audit, BACK },
    [ENSO_OP_get_name] = { op_get_name, SELF | BACK },
    [ENSO_OP_set_name] = { op_set_name, 0 },
    [ENSO_OP_get_console] = { op_get_console, BACK },
    [ENSO_OP_set_console] = { op_set_console, 0 },
    [ENSO_OP_echo_times] = { op_echo_times, BACK },
    [ENSO_OP_machine_exit] = { op_machine_exit, 0 },
    [ENSO_OP_get_store] = { op_get_store, BACK },
};

long hc_enso_op(struct vcpu *v, gva_t arg)
{
    struct enso_op op;
    struct domain *d;
    bool self;
    long rc;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -XEN_EFAULT;
    if (op.cmd >= sizeof(ops) / sizeof(ops[0]))
        return -XEN_ENOSYS;
    if (op.pad)
        return -XEN_EINVAL;
    self = op.domid == DOMID_SELF || op.domid == v->domain->id;
    if (!v->domain->privileged && !(self && (ops[op.cmd].how & SELF)))
        return -XEN_EPERM;
    d = domain_get(self ? v->domain->id : op.domid);
    if (!d)
        return -XEN_ESRCH;
    rc = ops[op.cmd].fn(d, &op);
    domain_put(d);
    if (!rc && (ops[op.cmd].how & BACK) && copy_to_guest(arg, &op, sizeof(op)))
        return -XEN_EFAULT;
    return rc;
}

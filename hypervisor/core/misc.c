/* SPDX-License-Identifier: MIT */
/* misc.c: small calls: which interface this is, assists, the console, the wall clock.           [read 52]
 *
 * A guest that asks who is below it hears Xen 4.17, since that is the interface it gets; only the compile information
 * tells that it is Enso. Every answer is a structure cleared first, so that no byte of the stack goes with it
 * (XSA-122). SPEC 4.5 to 4.7, 14.4.                                                                                */
#include "hypercall-abi/errno.h"
#include "hypercall-abi/platform.h"
#include "hypercall-abi/version.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/core/misc.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/time.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/hypercall_page.h"

#define XEN_MAJOR 4
#define XEN_MINOR 17

const char *hypervisor_command_line = "";

static long give_string(gva_t arg, const char *text, size_t size)
{
    char buf[1024] = { 0 };

    strlcpy(buf, text, size);
    return copy_to_guest(arg, buf, size) ? -XEN_EFAULT : 0;
}

static long give_compile_info(gva_t arg)
{
    static const struct xen_compile_info info = {
        .compiler = "gcc or clang", .compile_by = "enso", .compile_domain = "localdomain", .compile_date = "reproducible",
    };
    return copy_to_guest(arg, &info, sizeof(info)) ? -XEN_EFAULT : 0;
}

static uint32_t features(const struct domain *d)
{
    return 1U << XENFEAT_memory_op_vnode_supported | 1U << XENFEAT_mmu_pt_update_preserve_ad | 1U << XENFEAT_highmem_assist |
           1U << XENFEAT_gnttab_map_avail_bits | 1U << XENFEAT_direct_mapped |
           (d->vm_assist & (1U << VMASST_TYPE_pae_extended_cr3) ? 1U << XENFEAT_pae_pgdir_above_4gb : 0) |
           (d->privileged ? 1U << XENFEAT_dom0 : 0);
}

static long give_features(struct vcpu *v, gva_t arg)
{
    struct xen_feature_info f;

    if (copy_from_guest(&f, arg, sizeof(f)))
        return -XEN_EFAULT;
    if (f.submap_idx >= XENFEAT_NR_SUBMAPS)
        return -XEN_EINVAL;
    f.submap = features(v->domain);
    return copy_to_guest(arg, &f, sizeof(f)) ? -XEN_EFAULT : 0;
}

long hc_xen_version(struct vcpu *v, uint64_t cmd, gva_t arg)
{
    static const struct xen_platform_parameters platform = { .virt_start = HYPERVISOR_VIRT_START };

    switch (cmd) {
    case XENVER_version:
        return XEN_MAJOR << 16 | XEN_MINOR;
    case XENVER_extraversion:
        return give_string(arg, ".7-enso", sizeof(xen_extraversion_t));
    case XENVER_compile_info:
        return give_compile_info(arg);
    case XENVER_capabilities:
        return give_string(arg, "xen-3.0-x86_64 ", sizeof(xen_capabilities_info_t));
    case XENVER_changeset:
        return give_string(arg, "enso", sizeof(xen_changeset_info_t));
    case XENVER_platform_parameters:
        return copy_to_guest(arg, &platform, sizeof(platform)) ? -XEN_EFAULT : 0;
    case XENVER_get_features:
        return give_features(v, arg);
    case XENVER_pagesize:
        return PAGE_SIZE;
    case XENVER_guest_handle:
        return copy_to_guest(arg, v->domain->handle, sizeof(v->domain->handle)) ? -XEN_EFAULT : 0;
    case XENVER_commandline:
        return give_string(arg, v->domain->privileged ? hypervisor_command_line : "<denied>", sizeof(xen_commandline_t));
    case XENVER_build_id:
        return -XEN_ENODATA;
    default:
        return -XEN_ENOSYS;
    }
}

int hypercall_page_give(struct domain *d, uint64_t frame)
{
    mfn_t m;

    if (frame_get_typed(d, gfn(frame), FT_WRITABLE, &m))
        return -XEN_EINVAL;
    hypercall_page_fill(mfn_to_virt(m));
    frame_put_typed(m);
    return 0;
}

/* ---- assists ----------------------------------------------------------------------------------- */

/* Each is accepted; most name what always is so here (writable page tables, the strict M2P), or what only 32-bit guests had. */
#define ASSISTS (1UL << VMASST_TYPE_4gb_segments | 1UL << VMASST_TYPE_4gb_segments_notify | 1UL << VMASST_TYPE_writable_pagetables | \
                 1UL << VMASST_TYPE_pae_extended_cr3 | 1UL << VMASST_TYPE_runstate_update_flag | 1UL << VMASST_TYPE_m2p_strict)

long hc_vm_assist(struct vcpu *v, uint64_t cmd, uint64_t type)
{
    uint32_t bit;

    if (type >= 64 || !(ASSISTS >> type & 1))
        return -XEN_EINVAL;
    bit = type < 32 ? 1U << type : 0;
    switch (cmd) {
    case VMASST_CMD_enable:
        atomic_or(&v->domain->vm_assist, bit);
        return 0;
    case VMASST_CMD_disable:
        atomic_and(&v->domain->vm_assist, ~bit);
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

/* ---- console ----------------------------------------------------------------------------------- */

#define CHUNK 256

static long console_write_from(struct vcpu *v, uint64_t count, gva_t buffer)
{
    char chunk[CHUNK];

    while (count) {
        size_t n = count < CHUNK ? count : CHUNK;
        if (copy_from_guest(chunk, buffer, n))
            return -XEN_EFAULT;
        guestcons_write(v->domain, chunk, n);
        count -= n;
        buffer = gva(buffer.raw + n);
        if (count && preempt_needed())
            return hypercall_continue(v, __HYPERVISOR_console_io, 3, CONSOLEIO_write, count, buffer.raw, 0, 0);
    }
    return 0;
}

long hc_console_io(struct vcpu *v, uint64_t cmd, uint64_t count, gva_t buffer)
{
    char chunk[CHUNK];
    size_t n;

    /* Xen's argument is an int: whoever passes more means a negative number. */
    if (count > 0x7fffffff)
        return -XEN_EINVAL;
    switch (cmd) {
    case CONSOLEIO_write:
        return console_write_from(v, count, buffer);
    case CONSOLEIO_read:
        n = guestcons_read(v->domain, chunk, count < CHUNK ? count : CHUNK);
        return copy_to_guest(buffer, chunk, n) ? -XEN_EFAULT : (long)n;
    default:
        return -XEN_ENOSYS;
    }
}

/* ---- platform ---------------------------------------------------------------------------------- */

long hc_platform_op(struct vcpu *v, gva_t arg)
{
    struct xen_platform_op op;

    if (copy_from_guest(&op, arg, sizeof(op)))
        return -XEN_EFAULT;
    if (op.interface_version != XENPF_INTERFACE_VERSION)
        return -XEN_EACCES;
    switch (op.cmd) {
    case XENPF_settime32:
        time_set_wallclock(op.u.settime32.secs, op.u.settime32.nsecs, op.u.settime32.system_time);
        return 0;
    case XENPF_settime64:
        if (op.u.settime64.mbz)
            return -XEN_EINVAL;
        time_set_wallclock(op.u.settime64.secs, op.u.settime64.nsecs, op.u.settime64.system_time);
        return 0;
    default:
        return -XEN_ENOSYS;
    }
}

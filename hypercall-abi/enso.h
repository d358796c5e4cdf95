/* SPDX-License-Identifier: MIT */
/* enso.h: the one hypercall that Xen does not have.
 *
 * Everything a guest needs is Xen's; what remains is what Enso knows and Xen's
 * toolstack keeps in xenstore instead: a domain's name (the hypervisor prints
 * it before each console line), where the console and store rings of a domain
 * made by GRUB lie, and the audit of the frame table. All of it is one call,
 * number 55: the last of the architecture's own numbers, which Xen 4.17 leaves empty on x86 and so answers -ENOSYS (48, the
 * first of them, is Xen's machine-check call, which stock Linux makes as dom0).
 * A program that gets -ENOSYS is on Xen and falls back on files of its own.
 *
 *     long hypercall(__HYPERVISOR_enso_op, struct enso_op *op)
 *
 * The structure is read whole and, where a command says "out", written back
 * whole. Reserved members are zero on the way in, or -EINVAL. SPEC 14.5.     */
#ifndef ENSO_ABI_ENSO_H
#define ENSO_ABI_ENSO_H

#include "abi.h" /* __HYPERVISOR_enso_op: 55, __HYPERVISOR_arch_7 in Xen's list */

/* dom0 only. Recount every reference and type of the frame table; each frame
 * that disagrees is named on the console. Out: u.audit.
 * -ENOSYS from builds without the audit (DEBUG=0).                           */
#define ENSO_OP_audit                 0

/* A domain may ask for its own (DOMID_SELF or its number), dom0 for any.
 * Out: u.name.name, NUL-terminated. -ESRCH: no such domain. -ENOENT: it has none. */
#define ENSO_OP_get_name              1

/* dom0 only. u.name.name: 1 to 31 of [A-Za-z0-9_.+-] and a NUL, else -EINVAL.
 * -EEXIST if another living domain has that name. From here on the console
 * prefixes and the END line use it.                                          */
#define ENSO_OP_set_name              2

/* dom0 only. Where a domain's console ring is: for domains from GRUB modules
 * the hypervisor's own builder's record, for others what set_console noted.
 * Out: u.console. -ENOENT: none known.                                       */
#define ENSO_OP_get_console           3

/* dom0 only, after building a domain: note its ring. The frame must be the
 * domain's and the port one of its own, else -EINVAL. The hypervisor drains
 * the ring to the serial port until dom0 binds the port, and again after the
 * binding has gone.                                                          */
#define ENSO_OP_set_console           4

/* dom0 only. The last times from a serial receive interrupt to the first byte
 * that dom0 wrote to the console after it, newest first. u.echo.samples: where
 * to (uint64_t ns each), u.echo.count: room in, number out.                  */
#define ENSO_OP_echo_times            5

/* dom0 only. End the machine: through QEMU's isa-debug-exit with u.exit.code
 * where the boot line has debug-exit, else by powering off. Does not return. */
#define ENSO_OP_machine_exit          6

/* dom0 only. Where the store ring of a domain from GRUB's modules is, for
 * XS_INTRODUCE. Out: u.console (mfn and the domain's own port). -ENOENT: it
 * has none, or the toolstack made it and knows.                              */
#define ENSO_OP_get_store             7

#define ENSO_NAME_MAX                32

struct enso_name {
    char     name[ENSO_NAME_MAX];    /* with its NUL */
};

struct enso_console {
    uint64_t mfn;                    /* machine frame of the xencons_interface  */
    uint32_t port;                   /* the guest's own event channel for it    */
    uint32_t pad;
};

struct enso_audit {
    uint64_t frames;                 /* frames looked at                        */
    uint64_t wrong;                  /* whose counts or types did not agree     */
    uint64_t lost;                   /* owned by nobody and not free            */
    uint64_t free;                   /* on the free list                        */
};

struct enso_echo {
    uint64_t samples;                /* handle: uint64_t[count]                 */
    uint32_t count;
    uint32_t pad;
};

struct enso_exit {
    uint32_t code;                   /* QEMU ends with 2 * code + 1             */
    uint32_t pad;
};

struct enso_op {
    uint32_t cmd;                    /* ENSO_OP_*                               */
    uint16_t domid;                  /* whom it is about; 0 for audit           */
    uint16_t pad;
    union {
        struct enso_name     name;
        struct enso_console  console;
        struct enso_audit    audit;
        struct enso_echo     echo;
        struct enso_exit     exit;
        uint64_t             room[7];
    } u;
};

#endif

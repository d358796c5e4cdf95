/* SPDX-License-Identifier: MIT */
/* guest_shim.h: hypervisor/guest inside a Linux program: included before every .c file of it. Guest memory is the program's own, the
 * pCPU's stack top is a variable, and what only ring 0 may execute is recorded. guest_shim.c.                                     */
#ifndef GUEST_SHIM_H
#define GUEST_SHIM_H

#include "tests/host/mm_shim.h"

extern struct cpu_info host_info;
#define cpu_info() (&host_info)

/* What the processor was told, and what it answers. */
extern struct host_cpu {
    uint64_t cr0, cr3, cr4, dr[8], xcr0, msr[2];       /* msr: the number and the value that was written last */
    unsigned cr3_writes, dr_writes, wbinvds;
    unsigned in, out, bytes;                           /* ports: how often, how wide the last one was */
    uint16_t port;
    uint32_t value;                                    /* what out wrote last; in reads it */
} host_cpu;
uint32_t host_in(uint16_t port, unsigned bytes);
void host_out(uint16_t port, unsigned bytes, uint32_t v);
void host_wrmsr(uint32_t msr, uint64_t v);

#undef write_cr3
#undef read_cr3
#undef wbinvd
#define read_cr0()     (host_cpu.cr0)
#define write_cr0(v)   (host_cpu.cr0 = (v))
#define write_cr3(v)   (host_cpu.cr3_writes++, host_cpu.cr3 = (v))
#define read_cr4()     (host_cpu.cr4)
#define write_cr4(v)   (host_cpu.cr4 = (v))
#define write_dr0(v)   (host_cpu.dr_writes++, host_cpu.dr[0] = (v))
#define write_dr1(v)   (host_cpu.dr_writes++, host_cpu.dr[1] = (v))
#define write_dr2(v)   (host_cpu.dr_writes++, host_cpu.dr[2] = (v))
#define write_dr3(v)   (host_cpu.dr_writes++, host_cpu.dr[3] = (v))
#define write_dr6(v)   (host_cpu.dr_writes++, host_cpu.dr[6] = (v))
#define write_dr7(v)   (host_cpu.dr_writes++, host_cpu.dr[7] = (v))
#define xsetbv(r, v)   (host_cpu.xcr0 = (v))
#define wrmsr(m, v)    host_wrmsr(m, v)
#define wbinvd()       ((void)host_cpu.wbinvds++)
#define port_read(p, n)     host_in(p, n)
#define port_write(p, n, v) host_out(p, n, v)

/* What the floors below were asked, and what they answer. */
extern char host_crash[200];                           /* the domain's, "" if it lives */
extern int host_root_answer, host_walk_level;
extern unsigned host_port_answer;                      /* physdev: 0: not the domain's, 1: it is, 2: one of PCI's */
extern uint64_t host_descriptor;                       /* any selector's, 0: none */
extern bool (*host_store_race)(uint64_t va);           /* before a page-table store; true: it fails for ever */
extern bool host_store_refused;

/* A domain of one vCPU, running in its kernel; everything above as at reset. */
struct vcpu *host_guest(void);
#define HOST_REGS (&host_info.regs)

#endif

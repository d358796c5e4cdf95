/* SPDX-License-Identifier: MIT */
/* dump.c: a vCPU on the console, for the person who has to find out why it died.              [read 81]
 *
 * The cause was said in words by whoever called domain_crash; this adds what a debugger would ask first: the last
 * hypercall, the registers, where the stack pointer's page walk ends, and the top of the stack.                  */
#include "hypervisor/guest/guest.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/x86/insn.h"

static void dump_registers(const struct vcpu *v, const struct guest_regs *r)
{
    log_err("   rip %016lx  cs %04lx  rflags %08lx  rsp %016lx  ss %04lx  mode %s", r->rip, r->cs, r->rflags, r->rsp, r->ss,
            v->in_kernel ? "kernel" : "user");
    log_err("   rax %016lx  rbx %016lx  rcx %016lx  rdx %016lx", r->rax, r->rbx, r->rcx, r->rdx);
    log_err("   rsi %016lx  rdi %016lx  rbp %016lx  r8  %016lx", r->rsi, r->rdi, r->rbp, r->r8);
    log_err("   r9  %016lx  r10 %016lx  r11 %016lx  r12 %016lx", r->r9, r->r10, r->r11, r->r12);
    log_err("   r13 %016lx  r14 %016lx  r15 %016lx  cr2 %016lx", r->r13, r->r14, r->r15, v->info ? v->info->arch.cr2 : 0);
    log_err("   root %lx  user root %lx  kernel stack %016lx  events %s%s", v->guest_root.raw, v->guest_user_root.raw,
            v->kernel_sp, v->info && v->info->evtchn_upcall_pending ? "pending, " : "",
            v->info && v->info->evtchn_upcall_mask ? "masked" : "unmasked");
}

/* Only of a vCPU that is current here: its address space is loaded. */
static void dump_stack(struct vcpu *v, const struct guest_regs *r)
{
    uint64_t w[4];
    char why[96];

    for (unsigned i = 0; i < 4; i++) {
        gva_t at = gva(r->rsp + i * sizeof(w));
        if (copy_from_guest(w, at, sizeof(w))) {
            log_err("   stack %016lx %s", at.raw, walk_words(v, at.raw, why, sizeof(why)));
            return;
        }
        log_err("   stack %016lx: %016lx %016lx %016lx %016lx", at.raw, w[0], w[1], w[2], w[3]);
    }
}

void dump_vcpu(struct vcpu *v)
{
    const struct guest_regs *r = v == current ? &cpu_info()->regs : &v->regs;

    log_err("d%d %s vcpu %d, last hypercall %s (%u)", v->domain->id, v->domain->name, v->id,
            hypercall_name(v->last_hypercall), v->last_hypercall);
    dump_registers(v, r);
    if (v == current)
        dump_stack(v, r);
}

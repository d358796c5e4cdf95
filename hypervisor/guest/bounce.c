/* SPDX-License-Identifier: MIT */
/* bounce.c: how a guest kernel is entered.                                                    [read 23]
 *
 * An exception, an event, or a system call of the guest's user mode "bounces": the hypervisor writes a frame on the
 * guest kernel's stack, as the CPU would, and lets the guest go on at the handler it registered. The frame, from its
 * lowest address: rcx, r11, [error code], rip, cs (with the event mask of before in bits 32..39), rflags (IF telling
 * whether events were unmasked), rsp, ss. rcx and r11 are there because syscall and sysret destroy them. A frame that
 * cannot be written ends the domain: its kernel has no stack, and on a real CPU that is a triple fault. SPEC 7.2.  */
#include "hypervisor/guest/guest.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/copy.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/insn.h"

#define VEC_UD 6
#define VEC_GP 13
#define VEC_PF 14

/* Flags that a handler must not start with. */
#define FLAGS_CLEARED (FLAG_TF | FLAG_NT | FLAG_RF | FLAG_VM | FLAG_AC)


bool toggle_guest_mode(struct vcpu *v)
{
    if (v->in_kernel && !v->guest_user_root.raw)
        return false;
    v->in_kernel = !v->in_kernel;
    __asm__ volatile("swapgs" ::: "memory");
    root_load(v);
    return true;
}


const char *walk_words(struct vcpu *v, uint64_t va, char *buf, size_t size)
{
    uint64_t entries[4];
    int level = table_walk(v, va, entries);

    if (level)
        hv_snprintf(buf, size, "is not mapped (the walk ended at L%d, entry 0x%lx)", level, entries[4 - level]);
    else
        hv_snprintf(buf, size, "is mapped but not writable");
    return buf;
}

static const char *const vector_names[32] = {
    "divide error", "debug exception", "NMI", "breakpoint", "overflow", "bound exception", "invalid opcode",
    "device not available", "double fault", "coprocessor overrun", "invalid TSS", "segment not present",
    "stack fault", "general protection fault", "page fault", "exception 15", "floating-point error",
    "alignment check", "machine check", "SIMD error",
};

static const char *what_bounced(uint32_t vector)
{
    return vector < 32 && vector_names[vector] ? vector_names[vector] : "software interrupt";
}

/* Writes n words to the guest kernel's stack, the last one lowest; on a stack that is not there the domain ends. */
static bool push_frame(struct vcpu *v, struct guest_regs *r, uint64_t sp, const uint64_t *words, unsigned n, const char *what)
{
    if (copy_to_guest(gva(sp - n * 8), words, n * 8) == 0)
        return true;
    char why[96];
    domain_crash(v->domain, "%s at 0x%lx could not be delivered: its kernel stack, 0x%lx, %s", what, r->rip, sp - n * 8,
                 walk_words(v, sp - n * 8, why, sizeof(why)));
    return false;
}

/* The stack on which the handler starts, 16-aligned; leaves user mode first if need be. */
static inline uint64_t enter_kernel(struct vcpu *v, struct guest_regs *r)
{
    uint64_t sp = r->rsp;

    if (!v->in_kernel) {
        toggle_guest_mode(v);
        sp = v->kernel_sp;
    }
    return sp & ~15UL;
}

static inline uint64_t frame_cs(uint64_t cs, bool from_kernel, uint8_t mask)
{
    return (from_kernel ? cs & 0xfffcUL : cs & 0xffffUL) | (uint64_t)mask << 32;
}

static inline uint64_t frame_flags(const struct vcpu *v, uint64_t rflags, uint8_t mask)
{
    uint64_t iopl = (v->domain->vm_assist & (1U << VMASST_TYPE_architectural_iopl)) ? v->iopl << 12 : 0;
    return (rflags & ~(FLAG_IF | FLAG_IOPL)) | (mask ? 0 : FLAG_IF) | iopl;
}

/* The common part: what: for the message; extra frame words (selectors of a failsafe frame) lie between r11 and rip. */
struct bounce {
    uint64_t address;
    uint16_t cs;
    bool     mask_events;
    bool     has_error_code;
    uint32_t error_code;
    const char *what;
};

static void bounce(struct vcpu *v, const struct bounce *b)
{
    struct guest_regs *r = &cpu_info()->regs;
    struct vcpu_info *info = v->info;
    bool from_kernel = v->in_kernel;
    uint64_t sp = enter_kernel(v, r);
    uint8_t mask = READ_ONCE(info->evtchn_upcall_mask);
    uint64_t w[8];
    unsigned n = 0;

    w[n++] = r->rcx;
    w[n++] = r->r11;
    if (b->has_error_code)
        w[n++] = b->error_code;
    w[n++] = r->rip;
    w[n++] = frame_cs(r->cs, from_kernel, mask);
    w[n++] = frame_flags(v, r->rflags, mask);
    w[n++] = r->rsp;
    w[n++] = r->ss;
    if (!push_frame(v, r, sp, w, n, b->what))
        return;
    if (b->mask_events)
        WRITE_ONCE(info->evtchn_upcall_mask, 1);
    r->rip = b->address;
    r->cs = b->cs | 3;
    r->rflags = (r->rflags & ~FLAGS_CLEARED) | FLAG_IF;
    r->rsp = sp - n * 8;
    r->ss = FLAT_KERNEL_SS;
}

void bounce_trap(struct vcpu *v, uint32_t vector, uint32_t error_code)
{
    const struct trap_bounce_entry *t = &v->traps[vector & 255];

    if (!t->address) {
        domain_crash(v->domain, "%s (vector %u) at 0x%lx and its kernel has registered no handler for it",
                     what_bounced(vector), vector, cpu_info()->regs.rip);
        return;
    }
    v->domain->exceptions++;
    struct bounce b = { t->address, t->cs, t->mask_events, error_code != BOUNCE_NO_ERROR_CODE, error_code,
                        what_bounced(vector) };
    bounce(v, &b);
}

#define PF_USER (1U << 2)

void bounce_page_fault(struct vcpu *v, uint64_t cr2, uint32_t error_code)
{
    /* Guest kernel and user are both ring 3; the guest wants to know which of its two modes it was. */
    error_code = v->in_kernel ? error_code & ~PF_USER : error_code | PF_USER;
    v->info->arch.cr2 = cr2;
    bounce_trap(v, VEC_PF, error_code);
}

static void bounce_to_callback(struct vcpu *v, uint64_t address, bool mask_events, const char *what)
{
    struct bounce b = { address, FLAT_KERNEL_CS, mask_events, false, 0, what };
    bounce(v, &b);
}

void bounce_event(struct vcpu *v)
{
    if (!v->event_cb) {
        /* Nowhere to go: as if it had masked its events. */
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
        return;
    }
    v->domain->upcalls++;
    bounce_to_callback(v, v->event_cb, true, "an event");
}

/* The hot one: a system call of the guest's user mode. As bounce(), with what is known written out. */
void bounce_syscall(struct vcpu *v)
{
    struct guest_regs *r = &cpu_info()->regs;
    struct vcpu_info *info = v->info;

    if (!v->syscall_cb) {
        bounce_trap(v, VEC_UD, BOUNCE_NO_ERROR_CODE);
        return;
    }
    r->rcx = r->rip;
    r->r11 = r->rflags;
    toggle_guest_mode(v);
    uint8_t mask = READ_ONCE(info->evtchn_upcall_mask);
    uint64_t sp = v->kernel_sp & ~15UL;
    const uint64_t w[7] = { r->rcx, r->r11, r->rip, FLAT_USER_CS | (uint64_t)mask << 32, frame_flags(v, r->rflags, mask),
                            r->rsp, FLAT_USER_SS };
    if (!push_frame(v, r, sp, w, 7, "a system call"))
        return;
    if (v->syscall_masks_events)
        WRITE_ONCE(info->evtchn_upcall_mask, 1);
    r->rip = v->syscall_cb;
    r->rflags = (r->rflags & ~FLAGS_CLEARED) | FLAG_IF;
    r->rsp = sp - sizeof(w);
}

/* From 32-bit code: a kernel in that state would be one without a callback too. */
void bounce_syscall32(struct vcpu *v)
{
    if (v->in_kernel || !v->syscall32_cb)
        bounce_trap(v, VEC_UD, BOUNCE_NO_ERROR_CODE);
    else
        bounce_to_callback(v, v->syscall32_cb, v->syscall32_masks_events, "a 32-bit system call");
}

void bounce_sysenter(struct vcpu *v)
{
    if (v->in_kernel || !v->sysenter_cb)
        bounce_trap(v, VEC_GP, 0);
    else
        bounce_to_callback(v, v->sysenter_cb, v->sysenter_masks_events, "a sysenter");
}

bool bounce_nmi(struct vcpu *v)
{
    const struct trap_bounce_entry *t = &v->traps[2];
    uint64_t address = v->nmi_cb ? v->nmi_cb : t->address;

    if (v->nmi_masked || !address)
        return false;
    v->nmi_masked = true;
    v->nmi_pending = false;
    bounce_to_callback(v, address, true, "an NMI");
    return true;
}

/* A selector or rip that the guest asked to return to does not load. Its failsafe callback gets the four data
 * selectors as they were asked for, so that it can find the bad one: rcx, r11, ds, es, fs, gs, then the frame. */
void bounce_failsafe(struct vcpu *v)
{
    struct guest_regs *r = &cpu_info()->regs;

    if (!v->failsafe_cb) {
        domain_crash(v->domain, "it returned to rip 0x%lx cs 0x%lx ss 0x%lx, which cannot be loaded, and it has no failsafe callback",
                     r->rip, r->cs, r->ss);
        return;
    }
    bool from_kernel = v->in_kernel;
    uint64_t sp = enter_kernel(v, r);
    uint8_t mask = READ_ONCE(v->info->evtchn_upcall_mask);
    const uint64_t w[11] = { r->rcx, r->r11, v->ds, v->es, v->fs, v->gs, r->rip, frame_cs(r->cs, from_kernel, mask),
                             frame_flags(v, r->rflags, mask), r->rsp, r->ss };
    if (!push_frame(v, r, sp, w, 11, "a failed return"))
        return;
    if (v->failsafe_masks_events)
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    r->rip = v->failsafe_cb;
    r->cs = FLAT_KERNEL_CS;
    r->rflags = (r->rflags & ~FLAGS_CLEARED) | FLAG_IF;
    r->rsp = sp - sizeof(w);
    r->ss = FLAT_KERNEL_SS;
}

/* SPDX-License-Identifier: MIT */
/* bounce.c: how a guest kernel is entered.                                                    [read 74]
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

__attribute__((cold, noinline)) static void no_stack(struct vcpu *v, uint64_t sp, const char *what)
{
    char why[96];

    domain_crash(v->domain, "%s at 0x%lx could not be delivered: its kernel stack, 0x%lx, %s", what, cpu_info()->regs.rip, sp,
                 walk_words(v, sp, why, sizeof(why)));
}

/* From user mode to the guest's kernel: the other root, the other GS base. */
static inline void enter_kernel(struct vcpu *v)
{
    v->in_kernel = true;
    __asm__ volatile("swapgs" ::: "memory");
    root_switch(v, v->guest_root);
}

/* The low bits tell which of the guest's modes it was; above them the event mask of before. */
static inline uint64_t frame_cs(uint64_t cs, bool from_kernel, uint8_t mask)
{
    return (cs & (from_kernel ? 0xfffcUL : 0xffffUL)) | (uint64_t)mask << 32;
}

/* A guest's IF says whether its events are unmasked; its IOPL is virtual and not shown (SPEC 7.6). */
static inline uint64_t frame_flags(uint64_t rflags, uint8_t mask)
{
    return (rflags & ~(FLAG_IF | FLAG_IOPL)) | (mask ? 0 : FLAG_IF);
}

/* The words of a frame from p on, in one window of access. False: they could not all be written. */
static inline __attribute__((always_inline)) bool put_frame(uint64_t *p, const struct guest_regs *r, uint32_t error_code,
                                                            uint64_t cs, uint64_t flags)
{
    stac();
    GUEST_PUT(p[0], r->rcx);
    GUEST_PUT(p[1], r->r11);
    if (error_code != BOUNCE_NO_ERROR_CODE)
        GUEST_PUT(*(p++ + 2), error_code);
    GUEST_PUT(p[2], r->rip);
    GUEST_PUT(p[3], cs);
    GUEST_PUT(p[4], flags);
    GUEST_PUT(p[5], r->rsp);
    GUEST_PUT(p[6], r->ss);
    clac();
    return true;
fault:
    clac();
    return false;
}

/* What the handler finds in its registers. */
static inline void start_at(struct vcpu *v, struct guest_regs *r, uint64_t address, bool mask_events, uint64_t sp)
{
    if (mask_events)
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
    r->rip = address;
    r->rflags = (r->rflags & ~FLAGS_CLEARED) | FLAG_IF;
    r->rsp = sp;
    r->ss = FLAT_KERNEL_SS;
}

/* The frame of exceptions and events; *sp: where it begins. Inlined into each kind and once for each mode it may come from, so that
 * what is known there costs nothing. kernel_stack was checked when the guest named it; an interrupted kernel's rsp can be anything.
 * False: it could not be written, and the domain is ended. */
static inline __attribute__((always_inline)) bool push_frame_from(struct vcpu *v, struct guest_regs *r, uint32_t error_code,
                                                                  bool from_kernel, const char *what, uint64_t *sp)
{
    const uint64_t size = error_code == BOUNCE_NO_ERROR_CODE ? 56 : 64;
    uint8_t mask = READ_ONCE(v->info->evtchn_upcall_mask);

    *sp = (from_kernel ? r->rsp & ~15UL : v->kernel_stack) - size;
    if (!from_kernel)
        enter_kernel(v);
    if ((!from_kernel || gva_off_hypervisor(gva(*sp), size)) &&
        put_frame((uint64_t *)*sp, r, error_code, frame_cs(r->cs, from_kernel, mask), frame_flags(r->rflags, mask)))
        return true;
    no_stack(v, from_kernel ? *sp : (v->kernel_sp & ~15UL) - size, what);
    return false;
}

static inline __attribute__((always_inline)) bool push_frame(struct vcpu *v, struct guest_regs *r, uint32_t error_code,
                                                             const char *what, uint64_t *sp)
{
    return v->in_kernel ? push_frame_from(v, r, error_code, true, what, sp) : push_frame_from(v, r, error_code, false, what, sp);
}

static inline void start_trap(struct vcpu *v, struct guest_regs *r, const struct trap_bounce_entry *t, uint64_t sp)
{
    r->cs = t->cs;
    start_at(v, r, t->address, t->mask_events, sp);
}

__attribute__((cold, noinline)) static void no_handler(struct vcpu *v, uint32_t vector)
{
    domain_crash(v->domain, "%s (vector %u) at 0x%lx and its kernel has registered no handler for it", what_bounced(vector), vector,
                 cpu_info()->regs.rip);
}

void bounce_trap(struct vcpu *v, uint32_t vector, uint32_t error_code)
{
    const struct trap_bounce_entry *t = &v->traps[vector & 255];
    struct guest_regs *r = &cpu_info()->regs;
    uint64_t sp;

    if (!t->address) {
        no_handler(v, vector);
        return;
    }
    if (error_code == BOUNCE_NO_ERROR_CODE ? push_frame(v, r, BOUNCE_NO_ERROR_CODE, what_bounced(vector), &sp)
                                           : push_frame(v, r, error_code, what_bounced(vector), &sp))
        start_trap(v, r, t, sp);
}

#define PF_USER (1U << 2)

void bounce_page_fault(struct vcpu *v, struct guest_regs *r, uint64_t cr2, uint32_t error_code)
{
    const struct trap_bounce_entry *t = &v->traps[VEC_PF];
    uint64_t sp;

    if (__builtin_expect(!t->address, 0)) {
        no_handler(v, VEC_PF);
        return;
    }
    v->info->arch.cr2 = cr2;
    /* Guest kernel and user are both ring 3; the guest wants to know which of its two modes it was. */
    error_code &= 0xffff & ~PF_USER;
    if (v->in_kernel ? push_frame_from(v, r, error_code, true, "a page fault", &sp)
                     : push_frame_from(v, r, error_code | PF_USER, false, "a page fault", &sp))
        start_trap(v, r, t, sp);
}

static void bounce_to_callback(struct vcpu *v, uint64_t address, bool mask_events, const char *what)
{
    struct guest_regs *r = &cpu_info()->regs;
    uint64_t sp;

    if (push_frame(v, r, BOUNCE_NO_ERROR_CODE, what, &sp)) {
        r->cs = FLAT_KERNEL_CS;
        start_at(v, r, address, mask_events, sp);
    }
}

void bounce_event(struct vcpu *v)
{
    if (!v->event_cb) {
        /* Nowhere to go: as if it had masked its events. */
        WRITE_ONCE(v->info->evtchn_upcall_mask, 1);
        return;
    }
    bounce_to_callback(v, v->event_cb, true, "an event");
}

/* The hot one: a system call of the guest's user mode. rcx and r11 are its rip and flags, cs and ss the flat ones, which the
 * kernel starts with too: as the door left them (entry.S). */
void bounce_syscall(struct vcpu *v, struct guest_regs *r)
{
    uint64_t sp = v->kernel_stack - 56, *p = (uint64_t *)sp;
    uint8_t mask = READ_ONCE(v->info->evtchn_upcall_mask);

    if (__builtin_expect(!v->syscall_cb, 0)) {
        bounce_trap(v, VEC_UD, BOUNCE_NO_ERROR_CODE);
        return;
    }
    enter_kernel(v);
    stac();
    GUEST_PUT(p[0], r->rip);
    GUEST_PUT(p[1], r->rflags);
    GUEST_PUT(p[2], r->rip);
    GUEST_PUT(p[3], frame_cs(FLAT_USER_CS, false, mask));
    GUEST_PUT(p[4], frame_flags(r->rflags, mask));
    GUEST_PUT(p[5], r->rsp);
    GUEST_PUT(p[6], (uint64_t)FLAT_USER_SS);
    clac();
    start_at(v, r, v->syscall_cb, v->syscall_masks_events, sp);
    return;
fault:
    clac();
    no_stack(v, (v->kernel_sp & ~15UL) - 56, "a system call");
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
    uint8_t mask = READ_ONCE(v->info->evtchn_upcall_mask);
    const uint64_t w[11] = { r->rcx, r->r11, v->ds, v->es, v->fs, v->gs, r->rip, frame_cs(r->cs, from_kernel, mask),
                             frame_flags(r->rflags, mask), r->rsp, r->ss };
    uint64_t sp = (from_kernel ? r->rsp & ~15UL : v->kernel_stack) - sizeof(w);

    if (!from_kernel)
        enter_kernel(v);
    if (copy_to_guest(gva(sp), w, sizeof(w))) {
        no_stack(v, sp, "a failed return");
        return;
    }
    r->cs = FLAT_KERNEL_CS;
    start_at(v, r, v->failsafe_cb, v->failsafe_masks_events, sp);
}

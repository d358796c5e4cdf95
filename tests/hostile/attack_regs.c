/* SPDX-License-Identifier: MIT */
/* attack_regs.c: claim: on no way through the hypervisor does a register of a guest change, but those that the way is documented to
 * change (SPEC 7.2, 7.4), and none ever holds what was the hypervisor's, another domain's or the kernel's before it left for user mode.
 *
 * The kernel leaves with known values in all general and SSE registers and in the flags, to its user mode or to itself, by sysret's
 * way or iret's, for one instruction that enters the hypervisor again; what that entry finds is compared word by word, its frame too.
 * A periodic timer comes in between, and neighbours on the same processor. */
#include "hypercall-abi/callback.h"
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/vcpu.h"
#include "tests/hostile/hostile.h"

enum gpr { RAX, RBX, RCX, RDX, RSI, RDI, RBP, R8, R9, R10, R11, R12, R13, R14, R15, GPRS };
static const char *const gpr_name[GPRS] = { "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15" };
struct registers { uint64_t gpr[GPRS]; uint64_t xmm[32]; };

extern struct registers probe_in, probe_out;
extern struct iret_context probe_frame;
extern uint64_t probe_sp, probe_vector;
extern char probe_entries[];
void probe_go(void);

enum { SYSCALL = 256, EVENT, FAILSAFE };
#define FLAG_IF     0x200UL
#define FLAG_TF     0x100UL
#define FLAG_RF     0x10000UL
#define FLAGS_ASKED 0x277ed5UL          /* all but TF and IF, NT, IOPL, RF, VM among them */
#define FLAGS_KEPT  0x240cd5UL
#define MASK(r)     (1U << (r))
#define SYSRET_LOST (MASK(RCX) | MASK(R11))

/* One instruction and what it does: which entry it makes, from where its rip counts, what it may change. */
static const struct step {
    const char *name;
    uint8_t code[12];
    uint16_t vector;
    bool has_code, kernel, user;
    uint8_t rip;
    uint32_t changes, flags;
} steps[] = {
    { "syscall",      { 0x0f, 0x05 }, SYSCALL, false, false, true, 2, SYSRET_LOST, 0 },
    { "page fault",   { 0x8b, 0x04, 0x25, 0x10, 0, 0, 0 }, 14, true, true, true, 0, 0, 0 },
    { "ud2",          { 0x0f, 0x0b }, 6, false, true, true, 0, 0, 0 },
    { "int3",         { 0xcc }, 3, false, true, true, 1, 0, 0 },
    { "int 0x80",     { 0xcd, 0x80 }, 0x80, false, true, true, 2, 0, 0 },
    { "hlt",          { 0xf4 }, 13, true, true, true, 0, 0, 0 },
    { "one step",     { 0x90, 0x90 }, 1, false, true, true, 1, 0, FLAG_TF },
    { "forced cpuid", { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2, 0x0f, 0x0b }, 6, false, true, true, 7,
      MASK(RAX) | MASK(RBX) | MASK(RCX) | MASK(RDX), 0 },
    { "step over a forced cpuid", { 0x0f, 0x0b, 'x', 'e', 'n', 0x0f, 0xa2, 0x90 }, 1, false, true, true, 7,
      MASK(RAX) | MASK(RBX) | MASK(RCX) | MASK(RDX), FLAG_TF },
    { "rdtsc, which is not for user mode", { 0x0f, 0x31 }, 13, true, false, true, 0, 0, 0 },
    { "spin",         { 0xeb, 0xfe }, EVENT, false, true, true, 0, 0, 0 },
    { "hypercall",    { 0x0f, 0x05, 0x0f, 0x0b }, 6, false, true, false, 2, SYSRET_LOST | MASK(RAX), 0 },
    { "mov from cr0", { 0x0f, 0x20, 0xc3, 0x0f, 0x0b }, 6, false, true, false, 3, MASK(RBX), 0 },
};
#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

#define KERNEL_STACK ((uint64_t)pool[3] + PAGE)
#define OWN_STACK    ((uint64_t)pool[5] + PAGE - 256)
#define CODE         pool[6]

static uint64_t counts[FAILSAFE + 1];

/* ---- before --------------------------------------------------------------------------------------- */

static uint64_t entry(unsigned n) { return (uint64_t)probe_entries + 32 * n; }

static void set_up(void)
{
    static struct trap_info t[257];
    struct callback_register syscall = { .type = CALLBACKTYPE_syscall, .flags = CALLBACKF_mask_events, .address = entry(SYSCALL) };
    struct evtchn_bind_virq virq = { .virq = VIRQ_TIMER };
    struct vcpu_set_periodic_timer period = { 1000000 };

    for (unsigned i = 0; i < 256; i++)
        t[i] = (struct trap_info){ i, TI_IF | 3, FLAT_KERNEL_CS, entry(i) };
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    __asm__ volatile("mov %0, %%cr4" :: "r"(4UL));          /* TSD, emulated */
    if (hypercall_set_trap_table(gva(t)) || hypercall_set_callbacks(entry(EVENT), entry(FAILSAFE), 0) ||
        hypercall_callback_op(CALLBACKOP_register, gva(&syscall)) || hypercall_stack_switch(FLAT_KERNEL_SS, KERNEL_STACK))
        TEST_ERROR("callbacks");
    /* The user root is the kernel's: this user mode protects nothing, and need not. */
    struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = va_to_mfn((void *)si->pt_base) };
    if (hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF))
        TEST_ERROR("user root");
    if (hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&virq)) || hypercall_vcpu_op(VCPUOP_set_periodic_timer, 0, gva(&period)))
        TEST_ERROR("timer");
}

static void forget_events(void)
{
    for (unsigned i = 0; i < 64; i++)
        shared->evtchn_pending[i] = 0;
    shared->vcpu_info[0].evtchn_pending_sel = 0;
    shared->vcpu_info[0].evtchn_upcall_pending = 0;
}

/* ---- after ---------------------------------------------------------------------------------------- */

static void same(const char *step, const char *what, uint64_t is, uint64_t should)
{
    if (is != should && failures < 20)
        BROKE_OUT("%s: %s is %x, not %x (vector %u)", step, what, is, should, probe_vector);
}

/* rcx and r11 are in the frame: what the handler itself finds in them is no promise. */
static void compare_registers(const struct step *s, uint32_t may_change, bool by_sysret)
{
    probe_out.gpr[RCX] = ((const uint64_t *)probe_sp)[0];
    probe_out.gpr[R11] = ((const uint64_t *)probe_sp)[1];
    for (unsigned i = 0; i < GPRS; i++) {
        uint64_t should = i == RAX ? probe_frame.rax : i == RCX ? probe_frame.rcx : i == R11 ? probe_frame.r11 : probe_in.gpr[i];
        if (by_sysret && i == RCX)
            should = probe_frame.rip;
        if (by_sysret && i == R11)                          /* rflags, as they were clamped */
            should = (probe_frame.rflags & (FLAGS_KEPT | FLAG_TF | FLAG_RF)) | FLAG_IF | 2;
        if (!(may_change & MASK(i)))
            same(s->name, gpr_name[i], probe_out.gpr[i], should);
        else if (s->vector != SYSCALL && i < RSI && s->code[2] == 'x')
            same(s->name, "the upper half", probe_out.gpr[i] >> 32, 0);
    }
    for (unsigned i = 0; i < 32; i++)
        same(s->name, "an SSE register", probe_out.xmm[i], probe_in.xmm[i]);
}

/* The frame that the hypervisor wrote: rcx, r11, [error code], rip, cs and mask, rflags, rsp, ss (SPEC 7.2). */
static void compare_frame(const struct step *s, bool user, bool with_code, uint64_t rip)
{
    const uint64_t *f = (const uint64_t *)probe_sp, *m = f + (with_code ? 3 : 2);
    uint64_t top = user ? KERNEL_STACK : probe_frame.rsp & ~15UL;
    uint8_t mask = !(probe_frame.rflags & FLAG_IF);

    same(s->name, "the frame's place", probe_sp, top - (with_code ? 64 : 56));
    if (probe_vector == SYSCALL) {
        same(s->name, "the frame's rcx", f[0], rip);
        same(s->name, "the frame's r11", f[1] & ~(FLAG_IF | FLAG_RF), m[2] & ~(FLAG_IF | FLAG_RF));
    }
    if (probe_vector == 14)
        same(s->name, "the error code", f[2], user ? 4 : 0);
    same(s->name, "rip", m[0], rip);
    same(s->name, "cs", m[1], (user ? FLAT_USER_CS : FLAT_KERNEL_CS & ~3) | (uint64_t)mask << 32);
    same(s->name, "rflags", m[2] & ~FLAG_RF, (probe_frame.rflags & (FLAGS_KEPT | FLAG_TF | FLAG_IF)) | 2);
    same(s->name, "rsp", m[3], probe_frame.rsp);
    same(s->name, "ss", m[4], FLAT_USER_SS);
    same(s->name, "the event mask", shared->vcpu_info[0].evtchn_upcall_mask, 1);
}

/* ---- one probe ------------------------------------------------------------------------------------ */

static void probe(const struct step *s, bool user, bool by_sysret)
{
    bool events = s->vector == EVENT || rnd() & 1;

    memcpy(CODE, s->code, sizeof(s->code));
    for (unsigned i = 0; i < GPRS; i++)
        probe_in.gpr[i] = rnd();
    for (unsigned i = 0; i < 32; i++)
        probe_in.xmm[i] = rnd();
    probe_frame = (struct iret_context){
        .rax = rnd(), .r11 = rnd(), .rcx = rnd(), .flags = by_sysret ? VGCF_in_syscall : 0, .rip = (uint64_t)CODE,
        .cs = user ? FLAT_USER_CS : FLAT_KERNEL_CS & ~3, .ss = FLAT_USER_SS, .rsp = user ? rnd() : OWN_STACK - (rnd() & 127),
        .rflags = (rnd() & FLAGS_ASKED & ~FLAG_RF) | s->flags | (events ? FLAG_IF : 0) };
    if (s->code[0] == 0x0f && s->vector == 6 && s->rip == 2)      /* a hypercall that does nothing, one way or another */
        probe_frame.rax = rnd() & 1 ? __HYPERVISOR_xen_version : 64 + rnd() % 1000,
        probe_in.gpr[RDI] = 0;
    if (!events)
        forget_events();
    probe_go();
    counts[probe_vector]++;
    /* What was interrupted has not run yet, or has turned round once. */
    if (probe_vector == EVENT) {
        uint64_t rip = ((const uint64_t *)probe_sp)[2];
        bool done = rip != (uint64_t)CODE;                /* between a hypercall, or an emulated instruction, and the ud2 behind it */
        compare_registers(s, done ? s->changes : 0, by_sysret);
        compare_frame(s, user, false, done ? (uint64_t)CODE + s->rip : rip);
        forget_events();
        return;
    }
    same(s->name, "the vector", probe_vector, s->vector);
    compare_registers(s, s->changes, by_sysret);
    compare_frame(s, user, s->has_code, (uint64_t)CODE + s->rip);
}

void attack_regs(void)
{
    uint64_t count = option("count", 10000);

    set_up();
    for (uint64_t i = 0; i < count && failures < 20; i++) {
        const struct step *s = &steps[rnd() % NR_STEPS];
        bool user = s->kernel && s->user ? rnd() & 1 : s->user;
        /* sysret with TF traps before its first instruction: nothing is learnt from that. */
        if (s->vector != EVENT || rnd() % 16 == 0)
            probe(s, user, rnd() & 1 && !(s->flags & FLAG_TF));
    }
    say("%u system calls, %u page faults, %u events, %u others", counts[SYSCALL], counts[14], counts[EVENT], counts[6] + counts[1] + counts[3]);
    if (!counts[SYSCALL] || !counts[14] || counts[EVENT] < 20 || !counts[6] || !counts[1])
        TEST_ERROR("some way was never gone");
}

/* ---- stacks that are no stacks ---------------------------------------------------------------------- */

/* A system call from user mode, or a fault in the kernel (kernel=1), whose frame would have to go to stack number at=. Each ends the
 * domain; what must not happen is that it goes on, or that a word is written where it has no business (XSA-183, 259). */
void attack_stack(void)
{
    static const uint64_t tops[] = { 0xffff800000001000, 0xffff830000001000, 0xffff800000000010, 0xffff87fffffffff0, 0xffff880000000000,
                                     0xffff880000000030, 1UL << 63, 0x0000800000000000, 0, 0xffff818000010000 };
    uint64_t top = tops[option("at", 0) % (sizeof(tops) / sizeof(tops[0]))];

    set_up();
    hypercall_stack_switch(FLAT_KERNEL_SS, top);
    memcpy(CODE, (uint8_t[]){ 0x0f, 0x0b }, 2);
    probe_frame = (struct iret_context){ .rip = (uint64_t)CODE, .cs = FLAT_KERNEL_CS & ~3, .ss = FLAT_USER_SS, .rsp = top, .rflags = 2 };
    if (!option("kernel", 0)) {
        memcpy(CODE, (uint8_t[]){ 0x0f, 0x05 }, 2);
        probe_frame.cs = FLAT_USER_CS;
    }
    probe_go();
    BROKE_OUT("a frame was written below %x", top);
}

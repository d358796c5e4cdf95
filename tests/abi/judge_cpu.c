/* SPDX-License-Identifier: MIT */
/* judge_cpu.c: what a guest sees of the processor: the frames of exceptions and system calls, word by word, which
 * instructions fault and which are emulated, and the calls about its state. SPEC 3.3, 7.
 *
 * A frame is caught by judge_frames.S, which copies what lies on the stack and goes back to try_call(). Words that
 * are addresses of this kernel are told as differences, so that they are the same on both hypervisors.  */
#include "tests/abi/judge.h"

extern uint64_t caught[12], caught_rsp;
extern char catch_frame[], catch_syscall[], user_code[], user_fault[], kernel_fault[], kernel_int3[], kernel_ud2[], kernel_int80[];
void run_kernel_fault(void *arg);
void run_kernel_int3(void *arg);
void run_kernel_ud2(void *arg);
void run_kernel_int80(void *arg);

#define FLAGS_SHOWN (~0x8d5UL) /* all but the arithmetic ones */

static void trap_to(unsigned vector, char *handler, unsigned flags)
{
    struct trap_info t[2] = { { vector, flags, FLAT_KERNEL_CS, (uint64_t)handler } };
    hypercall_set_trap_table(gva(t));
}

/* A frame with or without an error code; rip is told from `from`. */
static void tell_frame(const char *what, bool has_error, const char *from)
{
    const uint64_t *w = caught + 2;

    family = what;
    if (has_error)
        ASK("error", *w++);
    ASK("rip", w[0] - (uint64_t)from);
    ASK("cs", w[1]);
    ASK("flags", w[2] & FLAGS_SHOWN);
    ASK("ss", w[4]);
    ASK("aligned", caught_rsp % 16);
    ASK("size", ((w[3] & ~15UL) - caught_rsp) / 8);
    ASK("mask", shared->vcpu_info[0].evtchn_upcall_mask);
}

static void ask_kernel_frames(void)
{
    uint8_t *mask = &shared->vcpu_info[0].evtchn_upcall_mask;

    trap_to(14, catch_frame, 0);
    *mask = 1;
    try_call(run_kernel_fault, NULL);
    tell_frame("frame kernel fault", true, kernel_fault);
    ASK("cr2", shared->vcpu_info[0].arch.cr2 == UNMAPPED);
    trap_to(14, catch_frame, TI_IF);
    *mask = 0;
    try_call(run_kernel_fault, NULL);
    tell_frame("frame kernel fault unmasked, TI_IF", true, kernel_fault);
    *mask = 1;
    trap_to(3, catch_frame, 3);
    try_call(run_kernel_int3, NULL);
    tell_frame("frame kernel int3", false, kernel_int3);
    trap_to(6, catch_frame, 0);
    try_call(run_kernel_ud2, NULL);
    tell_frame("frame kernel ud2", false, kernel_ud2);
    trap_to(128, catch_frame, 3);
    try_call(run_kernel_int80, NULL);
    tell_frame("frame kernel int 128", false, kernel_int80);
}

/* ---- user mode ---------------------------------------------------------------------------------- */

static struct iret_context to_user;

static void go_to_user(void *arg)
{
    raw_iret(&to_user);
}

static void enter_user(const char *code, uint64_t flags)
{
    to_user = (struct iret_context){ .rax = 7, .r11 = 0x1111, .rcx = 0x2222, .flags = flags, .rip = (uint64_t)code,
                                     .cs = FLAT_USER_CS | 3, .rflags = 0x202, .rsp = (uint64_t)pool[21] - 8, .ss = FLAT_USER_SS | 3 };
    try_call(go_to_user, NULL);
}

/* The kernel's root serves as the user's: what is asked is the way there and back, not what lies there. */
static void ask_user_frames(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_NEW_USER_BASEPTR, .arg1.mfn = va_to_mfn((void *)si->pt_base) };
    struct callback_register c = { CALLBACKTYPE_syscall, CALLBACKF_mask_events, (uint64_t)catch_syscall };

    family = "user";
    ASK("root", hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF));
    ASK("callback", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    hypercall_stack_switch(FLAT_KERNEL_SS, (uint64_t)pool[20] + 8);
    trap_to(14, catch_frame, 0);
    enter_user(user_fault, 0);
    tell_frame("frame user fault", true, user_fault);
    ASK("stack", (uint64_t)pool[20] - caught_rsp);
    ASK("rsp", caught[6] - (uint64_t)pool[20]);
    enter_user(user_code, 0);
    tell_frame("frame syscall", false, user_code);
    ASK("rcx", caught[0] - (uint64_t)user_code);
    ASK("r11", caught[1] & FLAGS_SHOWN);
    ASK("stack", (uint64_t)pool[20] - caught_rsp);
    ASK("rsp", caught[5] - (uint64_t)pool[20]);
    enter_user(user_code, VGCF_in_syscall);
    tell_frame("frame syscall by sysret", false, user_code);
    c = (struct callback_register){ CALLBACKTYPE_syscall, 0, (uint64_t)catch_syscall };
    hypercall_callback_op(CALLBACKOP_register, gva(&c));
    enter_user(user_code, 0);
    tell_frame("frame syscall unmasked", false, user_code);
    op.arg1.mfn = 0;
    hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF);
    shared->vcpu_info[0].evtchn_upcall_mask = 1;
    set_up_traps();
}

/* ---- instructions ------------------------------------------------------------------------------- */

struct code {
    const char *name;
    uint8_t bytes[12];
    uint64_t rax, rcx, rdx;
};

/* With the virtual IOPL 0, then 1. */
static const struct code codes[] = {
    { "hlt", { 0xf4 }, 0, 0, 0 }, { "cli", { 0xfa }, 0, 0, 0 }, { "sti", { 0xfb }, 0, 0, 0 }, { "clts", { 0x0f, 0x06 }, 0, 0, 0 },
    { "wbinvd", { 0x0f, 0x09 }, 0, 0, 0 }, { "invd", { 0x0f, 0x08 }, 0, 0, 0 }, { "invlpg", { 0x0f, 0x01, 0x38 }, 0, 0, 0 },
    { "lgdt", { 0x0f, 0x01, 0x10 }, 0, 0, 0 }, { "lidt", { 0x0f, 0x01, 0x18 }, 0, 0, 0 }, { "lmsw", { 0x0f, 0x01, 0xf0 }, 0, 0, 0 },
    { "swapgs", { 0x0f, 0x01, 0xf8 }, 0, 0, 0 }, { "sysret", { 0x48, 0x0f, 0x07 }, 0, 0, 0 }, { "ltr", { 0x0f, 0x00, 0xd8 }, 0, 0, 0 },
    { "read cr0", { 0x0f, 0x20, 0xc0 }, 0, 0, 0 }, { "read cr2", { 0x0f, 0x20, 0xd0 }, 0, 0, 0 }, { "read cr3", { 0x0f, 0x20, 0xd8 }, 0, 0, 0 },
    { "read cr4", { 0x0f, 0x20, 0xe0 }, 0, 0, 0 }, { "read cr8", { 0x44, 0x0f, 0x20, 0xc0 }, 0, 0, 0 },
    { "write cr0 the same", { 0x0f, 0x22, 0xc0 }, 0x80050033, 0, 0 }, { "write cr0 without WP", { 0x0f, 0x22, 0xc0 }, 0x80040033, 0, 0 },
    { "write cr3 zero", { 0x0f, 0x22, 0xd8 }, 0, 0, 0 }, { "write cr4 ones", { 0x0f, 0x22, 0xe0 }, ~0UL, 0, 0 }, { "write cr4 zero", { 0x0f, 0x22, 0xe0 }, 0, 0, 0 },
    { "write cr8", { 0x44, 0x0f, 0x22, 0xc0 }, 0, 0, 0 }, { "write dr7 detect", { 0x0f, 0x23, 0xf8 }, 0x2000, 0, 0 },
    { "write dr0 theirs", { 0x0f, 0x23, 0xc0 }, THEIRS, 0, 0 }, { "write dr0", { 0x0f, 0x23, 0xc0 }, 0, 0, 0 },
    { "in 0x61", { 0xe4, 0x61 }, 0, 0, 0 }, { "in 0xcf8", { 0xed }, 0, 0, 0xcf8 }, { "out 0x80", { 0xe6, 0x80 }, 0, 0, 0 },
    { "rdmsr efer", { 0x0f, 0x32 }, 0, 0xc0000080, 0 }, { "rdmsr star", { 0x0f, 0x32 }, 0, 0xc0000081, 0 }, { "rdmsr lstar", { 0x0f, 0x32 }, 0, 0xc0000082, 0 },
    { "rdmsr fs", { 0x0f, 0x32 }, 0, 0xc0000100, 0 }, { "rdmsr kernel gs", { 0x0f, 0x32 }, 0, 0xc0000102, 0 }, { "rdmsr pat", { 0x0f, 0x32 }, 0, 0x277, 0 },
    { "rdmsr apic base", { 0x0f, 0x32 }, 0, 0x1b, 0 }, { "rdmsr sysenter cs", { 0x0f, 0x32 }, 0, 0x174, 0 }, { "rdmsr none", { 0x0f, 0x32 }, 0, 0x12345678, 0 },
    { "wrmsr none", { 0x0f, 0x30 }, 0, 0x12345678, 0 }, { "wrmsr fs odd", { 0x0f, 0x30 }, 0, 0xc0000100, 0x9000 }, { "wrmsr fs", { 0x0f, 0x30 }, 0, 0xc0000100, 0 },
    { "wrmsr lstar", { 0x0f, 0x30 }, 0, 0xc0000082, 0 }, { "wrmsr pat zero", { 0x0f, 0x30 }, 0, 0x277, 0 },
    { "cpuid, emulated", { 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2 }, 1, 0, 0 }, { "rdtsc", { 0x0f, 0x31 }, 0, 0, 0 }, { "rdpmc", { 0x0f, 0x33 }, 0, 0, 0 },
    { "ud2", { 0x0f, 0x0b }, 0, 0, 0 }, { "int3", { 0xcc }, 0, 0, 0 }, { "icebp", { 0xf1 }, 0, 0, 0 },
    { "int 129 without DPL", { 0xcd, 0x81 }, 0, 0, 0 },
};

static const struct code *now;
static uint64_t result[3];

static void run_code(void *arg)
{
    uint64_t a = now->rax, c = now->rcx, d = now->rdx;

    __asm__ volatile("call *%4" : "+a"(a), "+c"(c), "+d"(d), "=m"(result) : "r"(arg) : "rbx", "rsi", "rdi", "memory");
    result[0] = a;
    result[1] = c;
    result[2] = d;
}

static long outcome(const struct code *code)
{
    memcpy(pool[22], code->bytes, 12);
    for (unsigned i = 12; i-- > 0 && !pool[22][i];)
        pool[22][i] = 0xc3;
    if (code->bytes[0] == 0xe4 || code->bytes[0] == 0xe6)
        pool[22][2] = 0xc3;
    now = code;
    return try_call(run_code, pool[22]);
}

static void ask_instructions(void)
{
    for (uint32_t iopl = 0; iopl < 2; iopl++) {
        hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&iopl));
        family = iopl ? "IOPL 1:" : "IOPL 0:";
        for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
            ASK(codes[i].name, outcome(&codes[i]));
            hypercall_fpu_taskswitch(0);
        }
    }
}

static void use_fpu(void *arg)
{
    __asm__ volatile("fninit");
}

static void ask_values(void)
{
    static const struct code read_cr0 = { "", { 0x0f, 0x20, 0xc0 }, 0, 0, 0 }, read_efer = { "", { 0x0f, 0x32 }, 0, 0xc0000080, 0 },
        read_pat = { "", { 0x0f, 0x32 }, 0, 0x277, 0 }, read_cr3 = { "", { 0x0f, 0x20, 0xd8 }, 0, 0, 0 };

    family = "value";
    outcome(&read_cr0);
    ASK("cr0", result[0]);
    outcome(&read_cr3);
    ASK("cr3", result[0] == va_to_mfn((void *)si->pt_base) * PAGE);
    outcome(&read_efer);
    ASK("efer", result[0]);
    outcome(&read_pat);
    ASK("pat", result[0]);
    ASK("pat, high", result[2]);
    hypercall_fpu_taskswitch(1);
    outcome(&read_cr0);
    ASK("cr0 with TS", result[0]);
    ASK("fpu with TS", try_call(use_fpu, NULL));
    ASK("fpu again", try_call(use_fpu, NULL));
    outcome(&read_cr0);
    ASK("cr0 after it", result[0]);
}

static void ask_start(void)
{
    family = "start";
    ASK("mask", shared->vcpu_info[0].evtchn_upcall_mask);
    ASK("flags", si->flags);
    ASK("store", si->store_evtchn);
    ASK("info aligned", (uint64_t)si % PAGE);
    ASK("tables aligned", si->pt_base % PAGE);
    ASK("list aligned", si->mfn_list % PAGE);
    ASK("table before the list", si->pt_base < si->mfn_list);
    ASK("info after the list", (uint64_t)si > si->mfn_list);
    ASK("p2m pfn", si->first_p2m_pfn);
    ASK("version odd", shared->vcpu_info[0].time.version & 1);
    ASK("wall clock is there", shared->wc_sec > 1000000000);
}

/* ---- the processor ------------------------------------------------------------------------------ */

static void ask_state(void)
{
    struct trap_info t[2] = { { 200, 0, FLAT_KERNEL_CS, ODD } };
    struct callback_register c = { CALLBACKTYPE_nmi, 0, ODD };
    struct callback_unregister u = { CALLBACKTYPE_event, 0 };

    family = "state";
    ASK("trap odd", hypercall_set_trap_table(gva(t)));
    ASK("trap unmapped", hypercall_set_trap_table(UNMAPPED));
    ASK("callbacks odd", hypercall_set_callbacks((uint64_t)event_entry, ODD, 0));
    ASK("stack", hypercall_stack_switch(FLAT_KERNEL_SS, 0));
    ASK("ts set", hypercall_fpu_taskswitch(1));
    ASK("ts clear", hypercall_fpu_taskswitch(0));
    ASK("callback odd", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    c = (struct callback_register){ 99, 0, (uint64_t)event_entry };
    ASK("callback type", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    c = (struct callback_register){ CALLBACKTYPE_sysenter_deprecated, 0, (uint64_t)event_entry };
    ASK("callback old sysenter", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    c = (struct callback_register){ CALLBACKTYPE_event, 0, (uint64_t)event_entry };
    ASK("callback event", hypercall_callback_op(CALLBACKOP_register, gva(&c)));
    ASK("callback unmapped", hypercall_callback_op(CALLBACKOP_register, UNMAPPED));
    ASK("callback cmd", hypercall_callback_op(99, gva(&c)));
    ASK("unregister event", hypercall_callback_op(CALLBACKOP_unregister, gva(&u)));
    u.type = CALLBACKTYPE_syscall32;
    ASK("unregister syscall32", hypercall_callback_op(CALLBACKOP_unregister, gva(&u)));
    u.type = CALLBACKTYPE_nmi;
    ASK("unregister nmi", hypercall_callback_op(CALLBACKOP_unregister, gva(&u)));
    u.type = 99;
    ASK("unregister type", hypercall_callback_op(CALLBACKOP_unregister, gva(&u)));
    ASK("base fs", hypercall_set_segment_base(SEGBASE_FS, 0));
    ASK("base fs odd", hypercall_set_segment_base(SEGBASE_FS, ODD));
    ASK("base user odd", hypercall_set_segment_base(SEGBASE_GS_USER, ODD));
    ASK("base kernel odd", hypercall_set_segment_base(SEGBASE_GS_KERNEL, ODD));
    ASK("base which", hypercall_set_segment_base(9, 0));
    ASK("selector none", hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0));
    ASK("selector bad", hypercall_set_segment_base(SEGBASE_GS_USER_SEL, 0x1237));
}

static void ask_debugregs(void)
{
    family = "debugreg";
    ASK("dr0", hypercall_set_debugreg(0, 0x1000));
    ASK("dr0 is", hypercall_get_debugreg(0));
    ASK("dr0 theirs", hypercall_set_debugreg(0, THEIRS));
    ASK("dr0 zero", hypercall_set_debugreg(0, 0));
    ASK("dr6", hypercall_set_debugreg(6, 0));
    ASK("dr6 is", hypercall_get_debugreg(6));
    ASK("dr6 high", hypercall_set_debugreg(6, 1UL << 32));
    ASK("dr7", hypercall_set_debugreg(7, 0x400));
    ASK("dr7 is", hypercall_get_debugreg(7));
    ASK("dr7 detect", hypercall_set_debugreg(7, 0x2400));
    ASK("dr7 io", hypercall_set_debugreg(7, 0x20401));
    ASK("dr7 high", hypercall_set_debugreg(7, 1UL << 32));
    ASK("dr4", hypercall_set_debugreg(4, 0xffff0ff0));
    ASK("dr8", hypercall_set_debugreg(8, 0));
    ASK("get dr4", hypercall_get_debugreg(4));
    ASK("get dr8", hypercall_get_debugreg(8));
}

void ask_processor(void)
{
    ask_start();
    ask_kernel_frames();
    ask_user_frames();
    ask_instructions();
    ask_values();
    ask_state();
    ask_debugregs();
}

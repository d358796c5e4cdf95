/* SPDX-License-Identifier: MIT */
/* attack_cpu.c: claim: no instruction, address, selector or return frame takes a guest out of ring 3 or out of its memory
 * (SPEC 2, 7.4, 7.5). Each attempt may fault or be refused; what must not happen is that it works, or that anyone else notices. */
#include "hypercall-abi/callback.h"
#include "hypercall-abi/physdev.h"
#include "hypercall-abi/sched.h"
#include "tests/hostile/hostile.h"

#define GP 13
#define PF 14

/* ---- privileged instructions ------------------------------------------------------------------- */

struct code { const char *name; uint8_t bytes[12]; bool may_work; };

/* iretq and far return are left out: QEMU 7.2 gets them wrong at CPL 3 (pitfalls C). sysenter has an attack of its own. may_work: emulated, or harmless in ring 3. */
static const struct code codes[] = {
    { "hlt", { 0xf4 }, false }, { "cli", { 0xfa }, true }, { "sti", { 0xfb }, true },
    { "lgdt", { 0x0f, 0x01, 0x10 }, false }, { "lidt", { 0x0f, 0x01, 0x18 }, false },
    { "lldt", { 0x0f, 0x00, 0xd0 }, false }, { "ltr", { 0x0f, 0x00, 0xd8 }, false },
    { "lmsw", { 0x0f, 0x01, 0xf0 }, false }, { "invlpg", { 0x0f, 0x01, 0x38 }, false },
    { "swapgs", { 0x0f, 0x01, 0xf8 }, false }, { "clts", { 0x0f, 0x06 }, true },
    { "invd", { 0x0f, 0x08 }, true }, { "wbinvd", { 0x0f, 0x09 }, true }, { "rsm", { 0x0f, 0xaa }, false },
    { "sysretq", { 0x48, 0x0f, 0x07 }, false }, { "sysexit", { 0x0f, 0x35 }, false },
    { "mov cr0", { 0x0f, 0x22, 0xc0 }, true }, { "mov cr3", { 0x0f, 0x22, 0xd8 }, false },
    { "mov cr4", { 0x0f, 0x22, 0xe0 }, true }, { "mov cr8", { 0x44, 0x0f, 0x22, 0xc0 }, false },
    { "mov from cr0", { 0x0f, 0x20, 0xc0 }, true }, { "mov dr7", { 0x0f, 0x23, 0xf8 }, true },
    { "mov dr0", { 0x0f, 0x23, 0xc0 }, true }, { "xsetbv", { 0x0f, 0x01, 0xd1 }, true },
    { "wrmsr", { 0x0f, 0x30 }, true }, { "rdmsr", { 0x0f, 0x32 }, true }, { "rdpmc", { 0x0f, 0x33 }, true },
    { "in", { 0xec }, true }, { "out", { 0xee }, true }, { "insb", { 0x6c }, true }, { "rep outsb", { 0xf3, 0x6e }, true },
    { "monitor", { 0x0f, 0x01, 0xc8 }, false }, { "mwait", { 0x0f, 0x01, 0xc9 }, false },
    { "vmcall", { 0x0f, 0x01, 0xc1 }, false }, { "vmrun", { 0x0f, 0x01, 0xd8 }, false },
    { "vmload", { 0x0f, 0x01, 0xda }, false }, { "vmsave", { 0x0f, 0x01, 0xdb }, false },
    { "stgi", { 0x0f, 0x01, 0xdc }, false }, { "clgi", { 0x0f, 0x01, 0xdd }, false },
    { "skinit", { 0x0f, 0x01, 0xde }, false }, { "invlpga", { 0x0f, 0x01, 0xdf }, false },
    { "stac", { 0x0f, 0x01, 0xcb }, false }, { "clac", { 0x0f, 0x01, 0xca }, false },
    { "wrgsbase", { 0xf3, 0x48, 0x0f, 0xae, 0xd8 }, true }, { "wrfsbase", { 0xf3, 0x48, 0x0f, 0xae, 0xd0 }, true },
    { "popf all ones", { 0x6a, 0xff, 0x9d, 0x6a, 0x02, 0x9d }, true }, { "int3", { 0xcc }, true },
    { "ud2", { 0x0f, 0x0b }, false }, { "mov ss, syscall", { 0x8e, 0xd0, 0x0f, 0x05 }, true },
};

static uint8_t *code_page;

static const uint64_t odd_values[] = {
    0, 1, 7, 0xe008, 0xe010, 0xe033, 0xc0000080, 0xc0000082, 0x1b, 0x277, 0x174, 0x176, 0x80050033, 0xffff800000000000,
    0xffff830000000000, 0xffff820000000000, 0x800000000000, 0xffff7fffffffffff, ~0UL, 0xfffffffffffff000, 0x3f8, 0xcf8, 0x604, 0x64,
};
#define NR_ODD (sizeof(odd_values) / sizeof(odd_values[0]))

static uint64_t odd(void)
{
    uint64_t v = rnd();
    return v % 3 ? odd_values[v / 3 % NR_ODD] : rnd();
}

static void call_page(void *arg)
{
    const uint64_t *r = arg;

    __asm__ volatile("mov %7, %%r12\n call *%%r12"
                     :: "a"(r[0]), "b"(r[1]), "c"(r[2]), "d"(r[3]), "S"(r[4]), "D"(r[5]), "m"(r[6]), "m"(r[7])
                     : "memory", "cc", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15");
}

static void restore_flat_segments(void)
{
    __asm__ volatile("mov %w0, %%ss" :: "r"(FLAT_KERNEL_SS));
}

static void one_instruction(const struct code *c)
{
    unsigned worked = 0;

    for (unsigned round = 0; round < 200; round++) {
        uint64_t r[8];
        for (unsigned k = 0; k < 8; k++)
            r[k] = odd();
        /* String instructions write where rdi points: only to where nothing of ours is lost. */
        if (r[5] - VIRT_BASE < 1UL << 30 || r[4] - VIRT_BASE < 1UL << 30)
            r[5] = r[4] = 0;
        r[7] = (uint64_t)code_page;
        for (unsigned k = 0; k < sizeof(c->bytes); k++)
            code_page[k] = c->bytes[k];
        unsigned n = sizeof(c->bytes);
        while (n > 1 && !c->bytes[n - 1])
            n--;
        code_page[n] = 0xc3;
        int trap = try_call(call_page, r);
        restore_flat_segments();
        worked += trap < 0;
    }
    if (worked && !c->may_work)
        BROKE_OUT("%s ran in ring 3, %u times", c->name, (uint64_t)worked);
}

/* int n: what the trap table gives to the kernel arrives there; nothing else happens. */
static void software_interrupts(void)
{
    uint64_t r[8] = { 0 };

    r[7] = (uint64_t)code_page;
    for (unsigned n = 0; n < 256; n++) {
        code_page[0] = 0xcd;
        code_page[1] = n;
        code_page[2] = 0xc3;
        int trap = try_call(call_page, r);
        if (trap != (int)n && trap != GP)
            BROKE_OUT("int %u ended as trap %d", (uint64_t)n, (int64_t)trap);
    }
}

void attack_privileged(void)
{
    code_page = pool[0];
    for (unsigned i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        one_instruction(&codes[i]);
    software_interrupts();
    uint64_t cs;
    __asm__ volatile("mov %%cs, %0" : "=r"(cs));
    if ((cs & 3) != 3)
        BROKE_OUT("cs is %x", cs);
}

/* ---- addresses --------------------------------------------------------------------------------- */

static void read_at(void *a)  { *(volatile uint8_t *)a; }
static void write_at(void *a) { *(volatile uint8_t *)a = 0; }
static void jump_to(void *a)  { ((void (*)(void))a)(); }

static void try_address(uint64_t va)
{
    bool m2p = va >= MACH2PHYS_VIRT_START && va < MACH2PHYS_VIRT_END;

    if (try_call(read_at, (void *)va) < 0 && !m2p)
        BROKE_OUT("read %x", va);
    if (try_call(write_at, (void *)va) < 0)
        BROKE_OUT("wrote %x", va);
    if (try_call(jump_to, (void *)va) < 0)
        BROKE_OUT("ran code at %x", va);
}

void attack_addresses(void)
{
    static const uint64_t starts[] = { 0xffff800000000000, 0xffff808000000000, 0xffff810000000000, 0xffff818000000000,
                                       0xffff820000000000, 0xffff828000000000, 0xffff830000000000, 0xffff838000000000,
                                       0xffff87fffffff000 };

    for (unsigned i = 0; i < sizeof(starts) / sizeof(starts[0]); i++)
        for (unsigned k = 0; k < 64; k++)
            if (starts[i] + k * PAGE < 0xffff880000000000)
                try_address(starts[i] + k * PAGE);
    for (unsigned k = 0; k < 4000; k++)
        try_address(0xffff800000000000 + rnd() % 0x80000000000);
    for (unsigned k = 0; k < 400; k++)
        try_call(jump_to, (void *)odd());
    /* Hypercalls whose pointers lie in the hypervisor, or wrap. */
    for (unsigned k = 0; k < NR_ODD; k++) {
        uint64_t va = odd_values[k];
        if (va < 0xffff800000000000 || va >= 0xffff880000000000)
            continue;
        if (hypercall_xen_version(1, va) != -XEN_EFAULT || hypercall_console_io(CONSOLEIO_write, 8, va) != -XEN_EFAULT ||
            hypercall_set_trap_table(va) != -XEN_EFAULT)
            BROKE_OUT("a hypercall followed the pointer %x", va);
    }
}

/* ---- string input (as dom0: the keyboard controller is its own) ---------------------------------- */

static uint8_t in_byte(uint16_t port)
{
    uint8_t v;

    __asm__ volatile("inb %1, %0" : "=a"(v) : "d"(port));
    return v;
}

static void rep_insb(void *to)
{
    uint64_t n = 1;

    __asm__ volatile("rep insb" : "+D"(to), "+c"(n) : "d"((uint16_t)0x60) : "memory");
}

/* A byte waits in the keyboard controller, and reading it takes it away: not if it has nowhere to go. */
void attack_string_input(void)
{
    struct physdev_set_iopl iopl = { 1 };
    unsigned tries = 0;
    uint8_t byte = 0xff;

    hypercall_physdev_op(PHYSDEVOP_set_iopl, gva(&iopl));
    __asm__ volatile("outb %0, %1" :: "a"((uint8_t)0x20), "d"((uint16_t)0x64));
    while (!(in_byte(0x64) & 1))
        if (++tries > 100000) {
            TEST_ERROR("the keyboard controller does not answer");
            return;
        }
    const uint64_t nowhere[] = { 0x10, 0x7f0000000000, 0xffff830000000000, 0x800000000000, (uint64_t)pool[2] };
    make_readonly((void *)nowhere[4]);
    for (unsigned i = 0; i < 5; i++)
        if (try_call(rep_insb, (void *)nowhere[i]) != PF || !(in_byte(0x64) & 1))
            BROKE_OUT("insb to %x took the byte, or did not fault", nowhere[i]);
    make_writable((void *)nowhere[4]);
    if (try_call(rep_insb, &byte) >= 0 || byte == 0xff || in_byte(0x64) & 1)
        BROKE_OUT("insb brought %x", (uint64_t)byte);
}

/* ---- selectors --------------------------------------------------------------------------------- */

static void load_ds(void *a) { __asm__ volatile("mov %w0, %%ds" :: "r"((uint16_t)(uint64_t)a)); }
static void load_es(void *a) { __asm__ volatile("mov %w0, %%es" :: "r"((uint16_t)(uint64_t)a)); }
static void load_fs(void *a) { __asm__ volatile("mov %w0, %%fs" :: "r"((uint16_t)(uint64_t)a)); }
static void load_gs(void *a) { __asm__ volatile("mov %w0, %%gs" :: "r"((uint16_t)(uint64_t)a)); }
static void load_ss(void *a) { __asm__ volatile("mov %w0, %%ss" :: "r"((uint16_t)(uint64_t)a)); }

void attack_selectors(void)
{
    void (*const load[])(void *) = { load_ds, load_es, load_fs, load_gs, load_ss };

    for (uint64_t sel = 0; sel < 0x10000; sel++)
        for (unsigned i = 0; i < 5; i++) {
            int trap = try_call(load[i], (void *)sel);
            restore_flat_segments();
            if (trap < 0 && (sel & ~3UL) >= 4 && ((sel & 3) != 3) && i == 4)
                BROKE_OUT("ss took selector %x", sel);
            /* A yield with it loaded: the hypervisor saves and loads it. */
            if (trap < 0 && sel % 64 == 0)
                hypercall_sched_op(SCHEDOP_yield, 0);
        }
    for (unsigned i = 0; i < 4; i++)
        load[i](0);
    for (uint64_t sel = 0; sel < 0x10000; sel += 7)
        hypercall_set_segment_base(SEGBASE_GS_USER_SEL, sel);
    for (unsigned k = 0; k < 1000; k++)
        hypercall_set_segment_base(rnd() % 3, odd());
}

/* ---- returns ----------------------------------------------------------------------------------- */

static void return_by(void *frame) { raw_iret(frame); }

void attack_returns(void)
{
    static struct iret_context f;
    extern char stack_top[];

    for (uint64_t sel = 0; sel < 0x10000; sel += sel < 0x200 || sel >= 0xe000 ? 1 : 61) {
        for (unsigned which = 0; which < 2; which++) {
            /* RPL 3 in cs would mean user mode, of which we have none: that ends the domain, and is another attack. */
            f = (struct iret_context){ .rip = VIRT_BASE, .cs = which ? FLAT_KERNEL_CS & ~3 : sel & ~3UL, .rflags = 0x202,
                                       .rsp = (uint64_t)stack_top - 8192, .ss = which ? sel : FLAT_KERNEL_SS };
            /* A kernel that runs on a 32-bit code segment loses the upper half of its stack pointer: its own end. */
            if ((f.cs & ~3UL) == FLAT_RING3_CS32 - 3)
                continue;
            if (try_call(return_by, &f) < 0)
                BROKE_OUT("came back from a return to cs %x", sel);
        }
    }
    for (unsigned k = 0; k < 20000; k++) {
        f = (struct iret_context){ .rax = odd(), .r11 = odd(), .rcx = odd(), .flags = rnd() & 1 ? VGCF_in_syscall : 0,
                                   .rip = odd(), .cs = FLAT_KERNEL_CS & ~3, .rflags = odd() & ~0x100UL,
                                   .rsp = (uint64_t)stack_top - 8192,
                                   .ss = FLAT_KERNEL_SS };
        f.rflags &= ~0x100UL;
        try_call(return_by, &f);
    }
    /* TF, NT, AC, IOPL and VM in the flags. */
    for (unsigned k = 0; k < 22; k++) {
        f = (struct iret_context){ .rip = 0x1000, .cs = FLAT_KERNEL_CS & ~3, .rflags = 0x202 | 1UL << k,
                                   .rsp = (uint64_t)stack_top - 8192, .ss = FLAT_KERNEL_SS };
        try_call(return_by, &f);
    }
}

/* ---- a kernel that broke its own machine: the domain ends, in words ------------------------------- */

void attack_no_handler(void)
{
    hypercall_set_trap_table(0);
    *(volatile int *)0x10 = 0;
    BROKE_OUT("a fault without a handler went unnoticed");
}

void attack_no_stack(void)
{
    /* A stack at an address with nothing behind it, and then an exception. */
    __asm__ volatile("mov $0x7f0000000000, %rsp\n ud2");
    BROKE_OUT("a fault without a stack went unnoticed");
}

void attack_bad_callback(void)
{
    hypercall_set_callbacks(0x7f0000001000, 0x7f0000002000, 0x7f0000003000);
    hypercall_set_trap_table(0);
    shared->vcpu_info[0].evtchn_upcall_mask = 0;
    shared->vcpu_info[0].evtchn_upcall_pending = 1;
    for (unsigned i = 0; i < 10; i++)
        hypercall_sched_op(SCHEDOP_yield, 0);
    BROKE_OUT("an event was delivered to nowhere");
}

/* sysenter tells the hypervisor neither rip nor rsp: a kernel that executes it has lost its stack. Nor does it clear NT, AC or TF (XSA-44). */
void attack_sysenter(void)
{
    __asm__ volatile("pushfq\n orq $0x44100, (%rsp)\n popfq\n sysenter");
    BROKE_OUT("sysenter came back");
}

void attack_spin(void)
{
    for (;;)
        __asm__ volatile("");
}

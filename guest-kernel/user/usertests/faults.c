/* SPDX-License-Identifier: MIT */
/* faults.c: a process that does what it must not is killed; the kernel and the others go on. */
#include "guest-kernel/user/usertests/usertests.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* SIGSEGV or SIGBUS: both are honest names for a bad address. */
static bool dies_of_address(void (*body)(void *arg), void *arg)
{
    int status = in_child(body, arg), sig = WIFSIGNALED(status) ? WTERMSIG(status) : 0;

    if (sig != SIGSEGV && sig != SIGBUS)
        fiprintf(stderr, "  at %p the child ended with status 0x%x\n", arg, status);
    return sig == SIGSEGV || sig == SIGBUS;
}

static void load(void *arg)  { (void)*(volatile char *)arg; }
static void store(void *arg) { *(volatile char *)arg = 1; }
static void call(void *arg)  { ((void (*)(void))(uintptr_t)arg)(); }

/* Null, kernels' places (native and paravirtual), the hypervisor's range, the machine-to-physical table, holes. */
static const uintptr_t bad_addresses[] = {
    0, 8, 4095, 0x1000, 0x500000000000, 0x7ffffffff000, 0x800000000000, 0x7fffffffffffffff, 0x8000000000000000,
    0xffff7fffffffffff, 0xffff800000000000, 0xffff807fffffffff, 0xffff820000000000, 0xffff82d080000000,
    0xffff870000000000, 0xffff880000000000, 0xffffc00000000000, 0xffffffff80000000, 0xffffffff80100000, 0xfffffffffffff000, ~0ul,
};
enum { BAD = sizeof(bad_addresses) / sizeof(bad_addresses[0]) };

static void fault_load(void)
{
    for (int i = 0; i < BAD; i++)
        if (bad_addresses[i] != 0xffff800000000000)      /* a PV guest may read the machine-to-physical table */
            CHECK(dies_of_address(load, (void *)bad_addresses[i]));
}

static void fault_store(void)
{
    for (int i = 0; i < BAD; i++)
        CHECK(dies_of_address(store, (void *)bad_addresses[i]));
}

static void fault_call(void)
{
    for (int i = 0; i < BAD; i++)
        CHECK(dies_of_address(call, (void *)bad_addresses[i]));
}

static int data_word;

static void fault_code(void)
{
    static const char constant[] = "constant";
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char on_stack[16] = { (char)0xc3 };

    CHECK(page != MAP_FAILED);
    page[0] = (char)0xc3;                                /* ret: would succeed if data could run */
    CHECK(dies_of(SIGSEGV, store, (void *)(uintptr_t)fault_code));
    CHECK(dies_of(SIGSEGV, store, (void *)(uintptr_t)constant));
    CHECK(dies_of(SIGSEGV, call, page));
    CHECK(dies_of(SIGSEGV, call, on_stack));
    CHECK(dies_of(SIGSEGV, call, &data_word));
}

#define INSTRUCTION(name, text) static void name(void *arg) { (void)arg; __asm__ volatile(text ::: "rax", "rcx", "rdx", "memory"); }

INSTRUCTION(i_ud2, "ud2")
INSTRUCTION(i_int3, "int3")
INSTRUCTION(i_divide, "xor %%ecx, %%ecx; mov $1, %%eax; cltd; idiv %%ecx")
INSTRUCTION(i_overflow, "mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idiv %%ecx")
INSTRUCTION(i_hlt, "hlt")
INSTRUCTION(i_lgdt, "lgdt (%%rsp)")
INSTRUCTION(i_lidt, "lidt (%%rsp)")
INSTRUCTION(i_ltr, "xor %%eax, %%eax; ltr %%ax")
INSTRUCTION(i_cr3, "mov %%rsp, %%cr3")
INSTRUCTION(i_cr0, "xor %%eax, %%eax; mov %%rax, %%cr0")
INSTRUCTION(i_dr7, "xor %%eax, %%eax; mov %%rax, %%dr7")
INSTRUCTION(i_wrmsr, "mov $0xc0000080, %%ecx; xor %%eax, %%eax; xor %%edx, %%edx; wrmsr")
INSTRUCTION(i_rdmsr, "mov $0xc0000080, %%ecx; rdmsr")
INSTRUCTION(i_invlpg, "invlpg (%%rsp)")
INSTRUCTION(i_wbinvd, "wbinvd")
INSTRUCTION(i_clts, "clts")
INSTRUCTION(i_in, "in $0x60, %%al")
INSTRUCTION(i_out, "mov $0xfe, %%al; out %%al, $0x64")
INSTRUCTION(i_cli, "cli")
INSTRUCTION(i_sti, "sti")
INSTRUCTION(i_int80, "int $0x80")
INSTRUCTION(i_int20, "int $0x20")
INSTRUCTION(i_int8, "int $8")
INSTRUCTION(i_selector, "mov $0x08, %%eax; mov %%ax, %%ss")
INSTRUCTION(i_noncanonical, "mov $0x8000000000000000, %%rax; mov (%%rax), %%rax")
INSTRUCTION(i_stack, "mov $0x8000000000000000, %%rsp; push %%rax")
INSTRUCTION(i_sse, "movaps 1(%%rsp), %%xmm0; ud2")
INSTRUCTION(i_swapgs, "swapgs")
INSTRUCTION(i_sysret, "sysretq")
/* iretq and lretq are left out: QEMU 7.2 runs them at CPL 3 with a supervisor's rights (pitfalls.md C). */

static void fault_arithmetic(void)
{
    CHECK(dies_of(SIGFPE, i_divide, NULL));
    CHECK(dies_of(SIGFPE, i_overflow, NULL));
    CHECK(dies_of(SIGILL, i_ud2, NULL));
    CHECK(dies_of(SIGTRAP, i_int3, NULL));
}

static void fault_privileged(void)
{
    static void (*const all[])(void *) = {
        i_hlt, i_lgdt, i_lidt, i_ltr, i_cr3, i_cr0, i_dr7, i_wrmsr, i_rdmsr, i_invlpg, i_wbinvd, i_clts, i_in, i_out, i_cli, i_sti,
        i_int80, i_int20, i_int8, i_selector, i_noncanonical, i_stack, i_sse, i_swapgs, i_sysret,
    };

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
int status = in_child(all[i], NULL);

        if (!WIFSIGNALED(status))
            fiprintf(stderr, "  instruction %d of the list did not kill its process\n", (int)i);
        CHECK(WIFSIGNALED(status));
    }
}

/* Flags that a program may set for itself, and that must not follow into the kernel or the next process. */
static void set_flags(void *arg)
{
    __asm__ volatile("pushf; orq %0, (%%rsp); popf; mov $5, %%eax; syscall; mov $5, %%eax; syscall" : : "r"(arg)
                     : "rax", "rcx", "r11", "memory", "cc");
}

static void single_step(void *arg)
{
    (void)arg;
    __asm__ volatile("pushf; orq $0x100, (%%rsp); popf; nop; mov $5, %%eax; syscall; nop" ::: "rax", "rcx", "r11", "memory", "cc");
}

static void flags_stay_out(void)
{
    CHECK(in_child(set_flags, (void *)0x400) == 0);          /* direction */
    CHECK(in_child(set_flags, (void *)0x40000) == 0);        /* alignment check */
    CHECK(in_child(set_flags, (void *)0x4000) == 0);         /* nested task */
    CHECK(dies_of(SIGTRAP, single_step, NULL));
    CHECK(in_child(set_flags, (void *)0x3000) == 0);         /* IOPL: silently refused */
}

const struct test fault_tests[] = {
    { "fault_load", fault_load }, { "fault_store", fault_store }, { "fault_call", fault_call }, { "fault_code", fault_code },
    { "fault_arithmetic", fault_arithmetic }, { "fault_privileged", fault_privileged }, { "flags_stay_out", flags_stay_out }, { 0 },
};

/* SPDX-License-Identifier: MIT */
/* xendev_breakit.c: /dev/breakit, through which the program breakit has the kernel itself attack the hypervisor.
 *
 * A word written to it runs one attack, in kernel mode of this domain, with all that a kernel may try. Reading gives what
 * came of it, or, before anything was written, the list of words. Each attack ends in one of three ways: the hypervisor
 * refused (and we are told how often), this domain crashed, or something is wrong with the hypervisor: then the text has
 * the word BREACH in it. The attacks are in xendev_breakit_{cpu,mm,calls}.c.                                      */
#include "guest-kernel/kernel/xendev_breakit.h"

#include "guest-kernel/kernel/dev.h"
#include "hypercall-abi/callback.h"

static struct { char text[2048]; size_t len; uint64_t seed; } said;
static const struct attack *const lists[] = { attacks_cpu, attacks_mm, attacks_calls };

void attack_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = kvsnprintf(said.text + said.len, sizeof(said.text) - said.len, fmt, ap);
    va_end(ap);
    said.len = MIN(said.len + (size_t)MAX(n, 0), sizeof(said.text) - 1);
}

static uint64_t random_word(void)
{
    said.seed ^= said.seed << 13;
    said.seed ^= said.seed >> 7;
    said.seed ^= said.seed << 17;
    return said.seed;
}

/* None of them is the number of a frame or an address of ours: to have those written over would be no attack on others. */
uint64_t attack_number(void)
{
    static const uint64_t interesting[] = {
        0, 1, 2, 3, 5, 7, 8, 15, 16, 31, 32, 63, 64, 127, 255, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
        0x7fffffffffffffff, 0x8000000000000000, ~0ul, ~7ul, HYPERVISOR_VIRT_START, HYPERVISOR_VIRT_END - 8, 0xffff82d040200000,
        0x00007fffffffffff, 0x0000800000000000, 0xffff7fffffffffff, KERNEL_BASE,
    };
    uint64_t r = random_word();
    return r % 4 == 0 ? random_word() : interesting[(r >> 8) % ARRAY_SIZE(interesting)];
}

long attack_update(uint64_t machine_address, uint64_t val)
{
    struct mmu_update req = { machine_address, val };
    return hypercall_mmu_update(gva(&req), 1, 0, DOMID_SELF);
}

long attack_hypercall(uint64_t nr, const uint64_t arg[5])
{
    register uint64_t r10 __asm__("r10") = arg[3];
    register uint64_t r8 __asm__("r8") = arg[4];
    uint64_t a0 = arg[0], a1 = arg[1], a2 = arg[2];
    long rc = (long)(hypercall_page + nr * HYPERCALL_SLOT_BYTES);
    __asm__ volatile("call *%0" : "+a"(rc), "+D"(a0), "+S"(a1), "+d"(a2), "+r"(r10), "+r"(r8) :: "rcx", "r11", "memory");
    return rc;
}

static void own_handlers(void)
{
    struct trap_info t[32], *next = t;
    struct callback_register c = { .type = CALLBACKTYPE_failsafe, .flags = CALLBACKF_mask_events,
                                   .address = (uintptr_t)attack_stubs + 16 * 13 };
    for (unsigned v = 0; v < 31; v++)
        if (v != 2 && v != 15)
            *next++ = (struct trap_info){ v, TI_IF | 3, FLAT_KERNEL_CS, (uintptr_t)attack_stubs + 16 * v };
    *next = (struct trap_info){ .address = 0 };
    hypercall_set_trap_table(gva(t));
    hypercall_callback_op(CALLBACKOP_register, gva(&c));
}

/* Runs it on a stack-switch stack that is not ours, since faults from user mode would build their frame over the system
 * call that we are in. Afterwards everything that an attack may have bent is put straight. */
static void run(const struct attack *a, uint64_t arg)
{
    static char stack[PAGE_SIZE] __attribute__((aligned(16)));
    static struct plat_fpu fpu;
    kprintf("breakit: %s: %s\n", a->word, a->what);
    plat_fpu_save(&fpu);
    own_handlers();
    hypercall_stack_switch(FLAT_KERNEL_SS, (uintptr_t)stack + sizeof(stack));
    a->run(arg);
    trap_boot();
    hypercall_stack_switch(FLAT_KERNEL_SS, kstack_top(current));
    plat_fs_base(current->fs_base);
    plat_fpu_load(&fpu);
    pv_vcpu()->evtchn_upcall_mask = 1;
}

static const struct attack *find(const char *word, size_t n)
{
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
        for (const struct attack *a = lists[i]; a->word; a++)
            if (strlen(a->word) == n && memcmp(a->word, word, n) == 0)
                return a;
    return 0;
}

static long breakit_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char line[64];
    size_t len = MIN(n, sizeof(line) - 1), word = 0;
    if (copy_from_user(line, buf, len))
        return -EFAULT;
    line[len] = 0;
    while (line[word] && line[word] != ' ' && line[word] != '\n')
        word++;
    const struct attack *a = find(line, word);
    if (!a)
        return -EINVAL;
    said.len = 0;
    said.seed = 0x9e3779b97f4a7c15;
    run(a, line[word] == ' ' ? parse_number(line + word + 1, 0) : 0);
    return n;
}

static void list_words(void)
{
    said.len = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(lists); i++)
        for (const struct attack *a = lists[i]; a->word; a++)
            attack_say("%-11s %s\n", a->word, a->what);
}

static long breakit_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    if (!said.len)
        list_words();
    if (*pos >= said.len)
        return 0;
    n = MIN(n, said.len - *pos);
    if (copy_to_user(buf, said.text + *pos, n))
        return -EFAULT;
    *pos += n;
    return n;
}

static int breakit_open(struct file *f)
{
    said.len = 0;
    return 0;
}

void xendev_breakit_boot(void)
{
    static const struct file_ops ops = { .open = breakit_open, .read = breakit_read, .write = breakit_write };
    if (dev_register("breakit", 0, &ops, 0))
        kprintf("breakit: no /dev/breakit\n");
}

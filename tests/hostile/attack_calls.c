/* SPDX-License-Identifier: MIT */
/* attack_calls.c: claim: a hypercall with any argument at all returns, and nobody else notices (SPEC 4). */
#include "hypercall-abi/sched.h"
#include "hypercall-abi/grant.h"
#include "hypercall-abi/version.h"
#include "tests/hostile/hostile.h"

static uint64_t argument(void)
{
    static const uint64_t values[] = { 0, 1, 2, 3, 4, 5, 7, 16, 63, 64, 255, 512, 1024, 4095, 4096, 0x7ff0, 0x7ff1, 0x7ff2, 0x7ff4, 0xffff,
                                       0x7fffffff, 0x80000000, 0xffffffff, 1UL << 32, 1UL << 52, ~0UL, ~0UL - 4095, 1UL << 63,
                                       0xffff800000000000, 0xffff830000100000, 0xffff87ffffffffff, 0x7fffffffffff, 0x800000000000 };
    uint64_t r = rnd();

    switch (r % 5) {
    case 0: return rnd();
    case 1: return (uint64_t)pool[40 + (r >> 8) % 8] + ((r >> 16) & 0xff8);
    case 2: return (uint64_t)pool[40 + (r >> 8) % 8] + 4096 - (r >> 16) % 64;
    case 3: return r >> 8 & 63;
    default: return values[(r >> 8) % (sizeof(values) / sizeof(values[0]))];
    }
}

static void fill_pages(void *unused)
{
    for (unsigned p = 40; p < 48; p++)
        for (unsigned i = 0; i < 512; i++)
            ((volatile uint64_t *)pool[p])[i] = argument();
}

/* What a lucky call unmapped, made read-only or gave away comes back if it can. */
static void fill_buffers(void)
{
    if (try_call(fill_pages, NULL) < 0)
        return;
    for (unsigned p = 40; p < 48; p++)
        map_at(pool[p], va_to_mfn(pool[p]) << 12 | PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D);
    try_call(fill_pages, NULL);
}

/* Calls that by design take this domain away or make it wait for ever; they have attacks of their own. */
static bool leave_out(uint64_t nr, const uint64_t *a)
{
    if (nr == __HYPERVISOR_iret || nr == __HYPERVISOR_set_trap_table || nr == __HYPERVISOR_set_callbacks ||
        nr == __HYPERVISOR_callback_op || nr == __HYPERVISOR_stack_switch)
        return true;
    if (nr == __HYPERVISOR_sched_op || nr == __HYPERVISOR_sched_op_compat)
        return (uint32_t)a[0] != SCHEDOP_yield;
    if (nr == __HYPERVISOR_vcpu_op)
        return true;
    if (nr == __HYPERVISOR_console_io)
        return a[0] == CONSOLEIO_write && a[1] > 64;
    /* Root switches and unmapping of the very page we run on would be the guest's own end. */
    return nr == __HYPERVISOR_update_va_mapping && a[0] - VIRT_BASE < 1UL << 30 && a[0] - (uint64_t)pool >= sizeof(pool);
}

struct call { uint64_t nr, a[5]; };

static void make_call(void *arg)
{
    struct call *c = arg;
    register uint64_t r10 __asm__("r10") = c->a[3];
    register uint64_t r8 __asm__("r8") = c->a[4];
    long ret;

    __asm__ volatile("syscall" : "=a"(ret), "+r"(r10), "+r"(r8)
                     : "a"(c->nr), "D"(c->a[0]), "S"(c->a[1]), "d"(c->a[2]) : "rcx", "r11", "memory");
}

void attack_hypercalls(void)
{
    uint64_t count = option("count", 60000);

    for (uint64_t i = 0; i < count; i++) {
        struct call c = { .nr = rnd() % 64 };
        if (i % 16 == 0)
            fill_buffers();
        if (rnd() % 64 == 0)
            c.nr = rnd();
        for (unsigned k = 0; k < 5; k++)
            c.a[k] = argument();
        /* multicall has an attack of its own; here its list could name what is left out. */
        if (!leave_out((uint32_t)c.nr, c.a) && (uint32_t)c.nr != __HYPERVISOR_multicall)
            try_call(make_call, &c);
    }
}

/* Every call as a part of a multicall, multicall and iret among them (XSA-213). */
void attack_multicall(void)
{
    static struct multicall_entry e[32];
    uint64_t count = option("count", 3000);

    for (uint64_t i = 0; i < count; i++) {
        unsigned n = 1 + rnd() % 32;
        fill_buffers();
        for (unsigned k = 0; k < n; k++) {
            do {
                e[k].op = rnd() % 64;
                for (unsigned j = 0; j < 6; j++)
                    e[k].args[j] = argument();
            } while (leave_out(e[k].op, e[k].args) && e[k].op != __HYPERVISOR_iret);
        }
        hypercall_multicall(gva(e), n);
    }
    e[0] = (struct multicall_entry){ .op = __HYPERVISOR_multicall, .args = { gva(e), 1 } };
    e[1] = (struct multicall_entry){ .op = __HYPERVISOR_iret };
    e[0].result = e[1].result = 0;
    if (hypercall_multicall(gva(e), 2) || (long)e[0].result >= 0 || (long)e[1].result >= 0)
        BROKE_OUT("multicall or iret inside a multicall: %d, %d", (int64_t)e[0].result, (int64_t)e[1].result);
}

/* ---- nested ----------------------------------------------------------------------------------------- */

/* What must not be asked directly, or means something else the second time. */
static bool once_only(uint64_t nr, const uint64_t *a)
{
    if (nr == __HYPERVISOR_iret || nr == __HYPERVISOR_multicall || leave_out(nr, a))
        return true;
    /* A time, a port, a count of frames: answers that the call itself changes; odd pointers are tried all the same. */
    return nr == __HYPERVISOR_xen_version && a[0] == XENVER_compile_info;
}

static long alone(uint64_t nr, const uint64_t *a)
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    long ret;
    uint64_t d = a[0], s = a[1], x = a[2];

    __asm__ volatile("syscall" : "=a"(ret), "+r"(r10), "+r"(r8), "+D"(d), "+S"(s), "+d"(x) : "a"(nr) : "rcx", "r11", "memory");
    return ret;
}

/* Every call, with arguments that it refuses or that change nothing, answers in a multicall as it does alone; multicall and iret are
 * refused there, and so is a number that is none (XSA-213; what the tests owe, 6). */
void attack_nested(void)
{
    static const uint64_t odd[] = { 0, 1, ~0UL, 0x0000900000000000, 0xffff830000000000, 0x500000000000, 1UL << 32, 99, 0x7ff3 };
    static struct multicall_entry e[2];
    unsigned compared = 0;

    for (uint64_t nr = 0; nr < 64; nr++)
        for (unsigned i = 0; i < 9; i++)
            for (unsigned k = 0; k < 27; k++) {
                uint64_t a[5] = { odd[i], odd[k % 9], k / 9 ? odd[(k + i) % 9] : 1, k / 9 == 2 ? odd[(k * 7 + i) % 9] : 0, 0x7ff0 };
                if (nr == __HYPERVISOR_mmu_update || nr == __HYPERVISOR_mmuext_op)
                    a[3] = k % 2 ? DOMID_SELF : odd[i];
                if (once_only(nr, a))
                    continue;
                e[0] = (struct multicall_entry){ .op = nr, .result = 0x5555, .args = { a[0], a[1], a[2], a[3], a[4] } };
                e[1] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version, .result = 0x5555, .args = { XENVER_pagesize } };
                long first = alone(nr, a), rc = hypercall_multicall(gva(e), 2);
                compared++;
                if (rc || (long)e[0].result != first || e[1].result != PAGE) {
                    BROKE_OUT("call %u(%x, %x, ...) says %d alone", nr, a[0], a[1], (int64_t)first);
                    say("  and in a multicall %d, the one behind it %d, the whole %d", (int64_t)e[0].result, (int64_t)e[1].result, rc);
                }
            }
    for (uint64_t nr = 0; nr < 3; nr++) {
        static const uint64_t refused[] = { __HYPERVISOR_multicall, __HYPERVISOR_iret, 64 };
        e[0] = (struct multicall_entry){ .op = refused[nr], .args = { gva(e), 1 } };
        if (hypercall_multicall(gva(e), 1) || (long)e[0].result != (nr == 2 ? -XEN_ENOSYS : -XEN_EINVAL))
            BROKE_OUT("%u in a multicall: %d", refused[nr], (int64_t)e[0].result);
    }
    say("%u calls compared", (uint64_t)compared);
}

/* A multicall whose one entry is long: when a timer or a neighbour interrupts it, the entry comes back rewritten to what is left, and the
 * whole is done once, not again from the start (SPEC 4.4). In the end the domain ends itself in an entry: that one is its last. */
void attack_preempted(void)
{
    static struct multicall_entry e;
    struct mmu_update *r = (struct mmu_update *)pool[8];
    const uint64_t n = 32 * PAGE / sizeof(*r);
    uint32_t done;
    unsigned seen = 0;

    for (uint64_t i = 0; i < n; i++)
        r[i] = (struct mmu_update){ maddr_of(table_at(1, (uint64_t)pool[0])), *table_at(1, (uint64_t)pool[0]) };
    for (unsigned turn = 0; turn < 1000 && seen < 3; turn++) {
        done = 0;
        e = (struct multicall_entry){ .op = __HYPERVISOR_mmu_update, .args = { gva(r), n, gva(&done), DOMID_SELF } };
        long rc = hypercall_multicall(gva(&e), 1);
        if (rc || e.result || done != n)
            BROKE_OUT("a long entry: %d, result %d, %u of %u done", rc, (int64_t)e.result, (uint64_t)done, n);
        if (e.args[0] == gva(r))
            continue;
        seen++;
        if (e.op != __HYPERVISOR_mmu_update || e.args[0] < gva(r) || e.args[0] >= gva(r + n) || e.args[3] != DOMID_SELF)
            BROKE_OUT("a preempted entry came back as %u(%x, %x)", e.op, e.args[0], e.args[1]);
    }
    if (!seen)
        BROKE_OUT("no entry of %u requests was ever preempted, or it was not told", n);
    if (failures)
        return;
    static const char words[] = "BROKE OUT: ran on behind its own end\n";
    struct sched_shutdown off = { SHUTDOWN_poweroff };
    static struct multicall_entry last[2];
    last[0] = (struct multicall_entry){ .op = __HYPERVISOR_sched_op, .args = { SCHEDOP_shutdown, gva(&off) } };
    last[1] = (struct multicall_entry){ .op = __HYPERVISOR_console_io, .args = { CONSOLEIO_write, sizeof(words) - 1, gva(words) } };
    say("RESULT SUCCESS");
    hypercall_multicall(gva(last), 2);
}

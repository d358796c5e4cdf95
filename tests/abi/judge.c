/* SPDX-License-Identifier: MIT */
/* judge.c: a guest kernel that asks hypercalls what they answer, good arguments and bad, and prints each answer.
 *
 * Claim (SPEC 4.2): for the same argument Enso and Xen 4.17 give the same answer. The guest runs as dom0 on either
 * and prints a line `J label = answer` for each question; judge.py compares Enso's lines with those recorded on
 * Xen, and knows the differences that SPEC.md admits. No question leaves the machine in another state than it found
 * it in, as far as later questions can see. Boot code and printing are the attackers' (tests/hostile).     */
#include "tests/abi/judge.h"

struct start_info *si;
struct shared_info *shared;
unsigned failures;
const char *family;
uint8_t pool[POOL_PAGES][PAGE] __attribute__((aligned(4096)));
extern uint8_t shared_page[PAGE];      /* start.S */

uint64_t option(const char *name, uint64_t otherwise)
{
    return otherwise;
}

void unexpected_trap(uint64_t vector, uint64_t rip);
void unexpected_trap(uint64_t vector, uint64_t rip)
{
    struct sched_shutdown s = { SHUTDOWN_crash };
    say("J trap %u near %x = 1", vector, rip);
    hypercall_sched_op(SCHEDOP_shutdown, gva(&s));
}

void answer(const char *label, long value)
{
    say("J %s %s = %d", family, label, value);
}

void set_up_traps(void)
{
    static struct trap_info t[257];

    for (unsigned i = 0; i < 256; i++)
        t[i] = (struct trap_info){ i, 0, FLAT_KERNEL_CS, (uint64_t)trap_stubs + 16 * i };
    hypercall_set_trap_table(gva(t));
    hypercall_set_callbacks((uint64_t)event_entry, (uint64_t)failsafe_entry, (uint64_t)failsafe_entry);
}

void hostile_main(struct start_info *start);
void hostile_main(struct start_info *start)
{
    struct sched_shutdown off = { SHUTDOWN_reboot };       /* which Xen can do without dom0's ACPI */

    si = start;
    set_up_traps();
    shared = (struct shared_info *)shared_page;
    hypercall_update_va_mapping((uint64_t)shared_page, si->shared_info | PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D, UVMF_INVLPG);
    ask_processor();
    ask_page_tables();
    ask_memory();
    ask_general();
    ask_events();
    ask_waiting();
    ask_grant_tables();
    ask_control();
    ask_bad_arguments();
    say("J end = 0");
    hypercall_sched_op(SCHEDOP_shutdown, gva(&off));
}

/* SPDX-License-Identifier: MIT */
/* main.c: picks the attack that the command line names (attack=), runs it, and ends the domain: with "RESULT SUCCESS" and poweroff
 * when everything was refused, with "RESULT FAILURE" and crash when something was not.                           */
#include "hypercall-abi/sched.h"
#include "hypercall-abi/callback.h"
#include "tests/hostile/hostile.h"

struct start_info *si;
struct shared_info *shared;
unsigned failures;
uint8_t pool[POOL_PAGES][PAGE] __attribute__((aligned(4096)));
extern uint8_t shared_page[PAGE];
extern char trap_stubs[], failsafe_entry[], event_entry[];

static const struct attack attacks[] = {
    { "privileged", attack_privileged, "every privileged instruction, every int n" },
    { "addresses", attack_addresses, "reads, writes and jumps into the hypervisor's half" },
    { "selectors", attack_selectors, "every selector into every segment register" },
    { "returns", attack_returns, "iret hypercalls with every selector and odd addresses" },
    { "registers", attack_regs, "known values in all registers, through every way in and out" },
    { "stack", attack_stack, "a frame that would have to go where no stack is" },
    { "string-input", attack_string_input, "a port read into nowhere (as dom0)" },
    { "entries", attack_entries, "page-table entries of every bit pattern" },
    { "tables", attack_tables, "writable page tables, recursion, superpages, double use" },
    { "random-tables", attack_random_tables, "random sequences of pinning and mapping" },
    { "descriptors", attack_descriptors, "gates and system descriptors" },
    { "hypercalls", attack_hypercalls, "random hypercalls" },
    { "multicall", attack_multicall, "every call inside a multicall" },
    { "preempted", attack_preempted, "an entry of a multicall that is too long for one go" },
    { "nested", attack_nested, "every call's answer, alone and in a multicall" },
    { "fresh", attack_fresh, "what new memory and answers hold" },
    { "vcpus", attack_vcpus, "vCPUs, timers and places that may not be" },
    { "births", attack_births, "vCPUs of any kind, for ever" },
    { "channels", attack_channels, "event channels with a peer, in any order" },
    { "watch", attack_watch, "watchpoints and steps where the hypervisor goes" },
    { "ldt", attack_ldt, "an LDT, and where it ends" },
    { "fpu", attack_fpu, "every floating-point register" },
    { "long", attack_long, "what takes the longest" },
    { "no-handler", attack_no_handler, "a fault without a trap table" },
    { "no-stack", attack_no_stack, "a fault without a stack" },
    { "bad-callback", attack_bad_callback, "an event without a place to go" },
    { "sysenter", attack_sysenter, "a system call that tells nobody where it came from" },
    { "grants", attack_grants, "what a grant gives and what it does not" },
    { "lend", attack_lend, "lends frames and takes them back" },
    { "borrow", attack_borrow, "maps what a peer lends, and lets go" },
    { "newborn", attack_newborn, "names domains that are not whole yet" },
    { "no-memory", attack_no_memory, "makes domains when memory has run out (as dom0)" },
    { "msix", attack_msix, "writable mappings of MSI-X tables (as dom0)" },
    { "blkfront", attack_blkfront, "a block frontend that throws dice" },
    { "netfront", attack_netfront, "a network frontend that throws dice" },
    { "conring", attack_conring, "a console ring that makes no sense" },
    { "storering", attack_storering, "a store ring that makes no sense" },
    { "storewords", attack_storewords, "every request of the store, about everything" },
    { "spin", attack_spin, "burns its CPU for ever" },
};

static const char *word(const char *name)
{
    const char *s = si->cmd_line;

    for (; *s; s++) {
        unsigned n = 0;
        while (name[n] && s[n] == name[n])
            n++;
        if (!name[n] && s[n] == '=' && (s == si->cmd_line || s[-1] == ' '))
            return s + n + 1;
    }
    return NULL;
}

uint64_t option(const char *name, uint64_t otherwise)
{
    const char *s = word(name);
    uint64_t v = 0;

    if (!s)
        return otherwise;
    while (*s >= '0' && *s <= '9')
        v = v * 10 + (*s++ - '0');
    return v;
}

static bool chosen(const char *name, const char *attack)
{
    unsigned n = 0;

    while (name[n] && attack[n] == name[n])
        n++;
    return !name[n] && (attack[n] == ' ' || !attack[n]);
}

static void set_up_traps(void)
{
    static struct trap_info t[257];

    for (unsigned i = 0; i < 256; i++)
        t[i] = (struct trap_info){ i, 0, FLAT_KERNEL_CS, (uint64_t)trap_stubs + 16 * i };
    hypercall_set_trap_table(gva(t));
    hypercall_set_callbacks((uint64_t)event_entry, (uint64_t)failsafe_entry, (uint64_t)failsafe_entry);
}

static void end(void)
{
    struct sched_shutdown s = { failures ? SHUTDOWN_crash : SHUTDOWN_poweroff };

    say("RESULT %s", failures ? "FAILURE" : "SUCCESS");
    hypercall_sched_op(SCHEDOP_shutdown, gva(&s));
}

void unexpected_trap(uint64_t vector, uint64_t rip);
void unexpected_trap(uint64_t vector, uint64_t rip)
{
    TEST_ERROR("trap %u near %x, error %x, with nobody waiting for it", vector, rip, try_error);
    end();
}

void hostile_main(struct start_info *start);
void hostile_main(struct start_info *start)
{
    si = start;
    set_up_traps();
    shared = (struct shared_info *)shared_page;
    hypercall_update_va_mapping((uint64_t)shared_page, si->shared_info | PTE_P | PTE_RW | PTE_U | PTE_A | PTE_D, UVMF_INVLPG);
    const char *name = word("attack");
    for (unsigned i = 0; name && i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (chosen(attacks[i].name, name)) {
            say("attack %s: %s", attacks[i].name, attacks[i].what);
            attacks[i].run();
            end();
        }
    }
    TEST_ERROR("no attack= that I know on the command line '%s'", si->cmd_line);
    end();
}

/* SPDX-License-Identifier: MIT */
/* hypercalls.c: hostile hypercalls: random ones, privileged ones, storms of events, nonsense about grants. */
#include "guest-kernel/user/breakit/breakit.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypercall-abi/abi.h"
#include "hypercall-abi/callback.h"
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/evtchn.h"
#include "hypercall-abi/grant.h"
#include "hypercall-abi/mm.h"
#include "hypercall-abi/physdev.h"
#include "hypercall-abi/platform.h"
#include "hypercall-abi/sched.h"
#include "hypercall-abi/sysctl.h"
#include "hypercall-abi/vcpu.h"
#include "hypercall-abi/version.h"

static uint64_t buffer[512];

static void *junk(void)
{
    for (unsigned i = 0; i < sizeof(buffer) / sizeof(buffer[0]); i++)
        buffer[i] = nasty_word();
    return buffer;
}

/* ---- random calls ---- */

/* Calls by which a domain may rightly stop or derange itself: `wild` makes them, `fuzz` wants to live on. */
static bool suicidal(uint64_t op, uint64_t command)
{
    switch (op) {
    case __HYPERVISOR_set_trap_table:
    case __HYPERVISOR_set_gdt:
    case __HYPERVISOR_stack_switch:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_set_segment_base:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_fpu_taskswitch:
    case __HYPERVISOR_set_debugreg:
    case __HYPERVISOR_vm_assist:
    case __HYPERVISOR_iret:
    case __HYPERVISOR_multicall:         /* may hold any of these */
    case __HYPERVISOR_set_timer_op:
    case __HYPERVISOR_update_va_mapping: /* a page of the kernel, say; `mapping` tries these */
    case __HYPERVISOR_update_va_mapping_otherdomain:
        return true;
    case __HYPERVISOR_sched_op:
        return command != SCHEDOP_yield && command < 8;
    case __HYPERVISOR_vcpu_op:
        return command != VCPUOP_is_up && command < 16;
    case __HYPERVISOR_event_channel_op:  /* it would close the kernel's own ports */
        return command == EVTCHNOP_close || command == EVTCHNOP_reset || command == EVTCHNOP_bind_vcpu;
    case __HYPERVISOR_memory_op:
        return (command & 63) == XENMEM_decrease_reservation || (command & 63) == XENMEM_exchange;
    case __HYPERVISOR_domctl:
    case __HYPERVISOR_sysctl:
    case __HYPERVISOR_platform_op:
    case __HYPERVISOR_physdev_op:
        return privileged();
    default:
        return false;
    }
}

static void random_calls(uint64_t count, bool wild)
{
    for (uint64_t i = 0; i < count; i++) {
        uint64_t op = random_word() % 64, a[5];

        for (int n = 0; n < 5; n++)
            a[n] = nasty_word();
        if (random_word() & 1)
            a[0] = random_word() % 32;           /* most first arguments are commands */
        if (random_word() & 1)
            a[1] = HANDLE(junk());
        if (wild || !suicidal(op, a[0]))
            tried(hypercall(op, a[0], a[1], a[2], a[3], a[4]));
        if (count >= 100000 && i % (count / 10) == 0) {
            iprintf("breakit: %lu of %lu\n", (unsigned long)i, (unsigned long)count);
            fflush(stdout);
        }
    }
}

static void fuzz(int argc, char **argv)
{
    random_calls(argument(argc, argv, 1, 20000), false);
}

static void wild(int argc, char **argv)
{
    random_calls(argument(argc, argv, 1, 20000), true);
}

/* ---- what only the control domain may do ---- */

static void control(int argc, char **argv)
{
    union { struct xen_domctl d; struct xen_sysctl s; struct xen_platform_op p; char room[512]; } op;

    (void)argc, (void)argv;
    if (privileged()) {
        iprintf("breakit: this is the control domain: it may do these things\n");
        return;
    }
    for (uint32_t cmd = 0; cmd < 96; cmd++) {
        for (unsigned target = 0; target < 4; target++) {
            memcpy(&op, junk(), sizeof(op));
            op.d.cmd = cmd;
            op.d.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
            op.d.domain = (domid_t)(target < 3 ? target : DOMID_SELF);
            long rc = hypercall(__HYPERVISOR_domctl, HANDLE(&op), 0, 0, 0, 0);

            tried(rc);
            if (rc >= 0)
                breach("domctl %u on domain %u succeeded", (unsigned)cmd, (unsigned)op.d.domain);
        }
        memcpy(&op, junk(), sizeof(op));
        op.s.cmd = cmd;
        op.s.interface_version = XEN_SYSCTL_INTERFACE_VERSION;
        long rc = hypercall(__HYPERVISOR_sysctl, HANDLE(&op), 0, 0, 0, 0);

        tried(rc);
        if (rc >= 0)
            breach("sysctl %u succeeded", (unsigned)cmd);
        memcpy(&op, junk(), sizeof(op));
        op.p.cmd = cmd;
        op.p.interface_version = XENPF_INTERFACE_VERSION;
        rc = hypercall(__HYPERVISOR_platform_op, HANDLE(&op), 0, 0, 0, 0);
        tried(rc);
        if (rc >= 0)
            breach("platform_op %u succeeded", (unsigned)cmd);
    }
    struct { domid_t domain; uint32_t reason; } end = { 0, SHUTDOWN_poweroff };
    long rc = hypercall(__HYPERVISOR_sched_op, SCHEDOP_remote_shutdown, HANDLE(&end), 0, 0, 0);

    tried(rc);
    if (rc >= 0)
        breach("remote_shutdown of domain 0 succeeded");
}

/* ---- event channels ---- */

static uint32_t own_ports[EVTCHN_2L_NR_CHANNELS];

static int take_all_ports(void)
{
    int count = 0;

    while (count < EVTCHN_2L_NR_CHANNELS) {
        struct evtchn_alloc_unbound op = { .dom = DOMID_SELF, .remote_dom = DOMID_SELF };
        long rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_alloc_unbound, HANDLE(&op), 0, 0, 0);

        tried(rc);
        if (rc < 0)
            break;
        own_ports[count++] = op.port;
    }
    return count;
}

/* Takes every port there is, sends on all of them and on thousands that are not there, gives them back. */
static void evtchn(int argc, char **argv)
{
    for (uint64_t round = argument(argc, argv, 0, 10); round > 0; round--) {
        int count = take_all_ports();

        for (int i = 0; i < 20000; i++) {
            struct evtchn_send send = { .port = i & 1 && count ? own_ports[random_word() % (unsigned)count] : (uint32_t)nasty_word() };
            bool kernels = send.port && send.port < 64;      /* spurious ones for the kernel are allowed, and told apart by it */

            if (!kernels)
                tried(hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, HANDLE(&send), 0, 0, 0));
        }
        for (int i = 0; i < 2000; i++) {
            struct evtchn_bind_interdomain bind = { .remote_dom = (domid_t)(random_word() % 5), .remote_port = (uint32_t)(random_word() % 32) };
            long rc = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_interdomain, HANDLE(&bind), 0, 0, 0);

            tried(rc);
            if (rc == 0) {
                struct evtchn_close close = { .port = bind.local_port };

                hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_close, HANDLE(&close), 0, 0, 0);
            }
        }
        for (int i = 0; i < count; i++) {
            struct evtchn_close close = { .port = own_ports[i] };

            tried(hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_close, HANDLE(&close), 0, 0, 0));
        }
    }
}

/* ---- grants, multicalls, versions ---- */

static void grant(int argc, char **argv)
{
    uint64_t count = argument(argc, argv, 1, 20000);

    for (uint64_t i = 0; i < count; i++) {
        uint64_t cmd = random_word() % 14, n = random_word() & 3 ? random_word() % 8 : nasty_word();

        tried(hypercall(__HYPERVISOR_grant_table_op, cmd, random_word() & 7 ? HANDLE(junk()) : nasty_word(), n, 0, 0));
    }
}

static void multicall(int argc, char **argv)
{
    static struct multicall_entry calls[32];

    (void)argc, (void)argv;
    for (unsigned op = 0; op < 64; op++) {
        for (unsigned i = 0; i < 32; i++) {
            calls[i].op = suicidal(op, 0) && op != __HYPERVISOR_multicall ? __HYPERVISOR_xen_version : op;
            for (unsigned n = 0; n < 6; n++)
                calls[i].args[n] = nowhere();
            if (op == __HYPERVISOR_multicall) {      /* within itself */
                calls[i].args[0] = HANDLE(calls);
                calls[i].args[1] = 32;
            }
        }
        tried(hypercall(__HYPERVISOR_multicall, HANDLE(calls), 32, 0, 0, 0));
    }
    for (unsigned i = 0; i < 200; i++)
        tried(hypercall(__HYPERVISOR_multicall, nowhere(), nasty_word(), 0, 0, 0));
    /* More calls than there are: the page ends, and behind it nothing is mapped. */
    struct multicall_entry *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED || munmap((char *)page + 4096, 4096) < 0)
        return;
    for (unsigned i = 0; i < 4096 / sizeof(*page); i++)
        page[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
    tried(hypercall(__HYPERVISOR_multicall, HANDLE(page), ~0ul, 0, 0, 0));
    tried(hypercall(__HYPERVISOR_multicall, HANDLE(page), 1000, 0, 0, 0));
}

/* Results written over memory that is not ours, or read-only. */
static void results(int argc, char **argv)
{
    (void)argc, (void)argv;
    for (uint64_t cmd = 0; cmd < 16; cmd++)
        for (unsigned i = 0; i < 64; i++) {
            uint64_t to = nowhere();
            long rc = hypercall(__HYPERVISOR_xen_version, cmd, to, 0, 0, 0);

            tried(rc);
            if (rc == 0 && cmd != XENVER_version && cmd != XENVER_pagesize && to >= HYPERVISOR_VIRT_START && to < HYPERVISOR_VIRT_END)
                breach("xen_version %u wrote to 0x%lx", (unsigned)cmd, (unsigned long)to);
        }
}

/* Lines that look like the hypervisor's own. */
static void forge(int argc, char **argv)
{
    static const char text[] = "innocent\r(enso) END v1 d0 dom0 reason=poweroff code=0 hypercalls=1 frames_lost=99\r\n"
                               "\033[2K\033[1A(enso) audit FAILED\n\b\b\b\b\b\b\b\b(enso) panic\n\0(enso)\177\n";

    (void)argc, (void)argv;
    fwrite(text, 1, sizeof(text) - 1, stdout);
    fflush(stdout);
    for (unsigned i = 0; i < 4; i++)
        tried(hypercall(__HYPERVISOR_console_io, i, i == 0 ? sizeof(text) - 1 : nasty_word(), i < 2 ? HANDLE(text) : nasty_word(), 0, 0));
    tried(hypercall(__HYPERVISOR_console_io, 0, ~0ul, HANDLE(text), 0, 0));
    tried(hypercall(__HYPERVISOR_console_io, 0, 4096, HYPERVISOR_VIRT_START, 0, 0));
}

static void physdev(int argc, char **argv)
{
    (void)argc, (void)argv;
    if (privileged()) {
        iprintf("breakit: this is the control domain: it may do these things\n");
        return;
    }
    for (unsigned i = 0; i < 4000; i++)
        if (i % 40 != PHYSDEVOP_set_iopl && i % 40 != PHYSDEVOP_set_iobitmap)
            tried(hypercall(__HYPERVISOR_physdev_op, i % 40, random_word() & 3 ? HANDLE(junk()) : nasty_word(), 0, 0, 0));
}

const struct way hypercall_ways[] = {
    { "fuzz",      fuzz,      "[SEED [COUNT]] every hypercall with random arguments, but for those that end this domain" },
    { "wild",      wild,      "[SEED [COUNT]] the same with those, so this domain will probably end" },
    { "control",   control,   "what only the control domain may do: domctl, sysctl, platform_op, remote shutdown" },
    { "evtchn",    evtchn,    "[ROUNDS] takes all event channels, sends storms, binds to others' ports" },
    { "grant",     grant,     "[SEED [COUNT]] nonsense about grants" },
    { "multicall", multicall, "multicalls within multicalls, endless and misplaced ones" },
    { "results",   results,   "results to be written into the hypervisor's memory" },
    { "forge",     forge,     "console lines that look like the hypervisor's" },
    { "physdev",   physdev,   "interrupts, ports and devices that are not ours" },
    { 0 },
};

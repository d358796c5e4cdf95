/* SPDX-License-Identifier: MIT */
/* cmd_machine.c: info, dmesg, debug-keys, audit: about the machine as a whole. */
#include "dom0-tools/enso/enso.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "hypercall-abi/errno.h"

static const char *scheduler_name(uint32_t id)
{
    switch (id) {
    case XEN_SCHEDULER_CREDIT:  return "credit";
    case XEN_SCHEDULER_CREDIT2: return "credit2";
    case XEN_SCHEDULER_NULL:    return "null";
    case ENSO_SCHEDULER_RR:     return "rr";
    default:                    return "unknown";
    }
}

static int print_hypervisor(void)
{
    int major, minor, rc;
    uint32_t scheduler;
    char extra[24], name[32], line[1024];

    rc = machine_version(&major, &minor, extra, sizeof(extra));
    if (rc)
        return failf("the hypervisor does not tell its version: %s", call_error(rc));
    rc = enso_get_name(0, name);
    printf("%-23s: %s\n", "hypervisor", rc == -XEN_ENOSYS ? "Xen" : "Enso");
    printf("%-23s: %d.%d%s\n", "interface (Xen's)", major, minor, extra);
    if (machine_scheduler(&scheduler) == 0)
        printf("%-23s: %s\n", "scheduler", scheduler_name(scheduler));
    if (machine_commandline(line, sizeof(line)) == 0)
        printf("%-23s: %s\n", "commandline", line);
    return 0;
}

#define ECHO_MOST 64

/* How long the last keys took from the serial port to dom0's echo. */
static int print_echo_times(void)
{
    uint64_t ns[ECHO_MOST];
    int n = enso_echo_times(ns, ECHO_MOST);

    if (n == -XEN_ENOSYS)
        return failf("this hypervisor does not time echoes: Enso does");
    if (n < 0)
        return failf("asking for echo times failed: %s", call_error(n));
    for (int i = 0; i < n; i++)
        printf("%-23s: %llu\n", "echo_ns", (unsigned long long)ns[i]);
    return 0;
}

int cmd_info(int words, char **word)
{
    struct xen_sysctl_physinfo info;
    int rc;

    if (words == 2 && strcmp(word[1], "-e") == 0)
        return print_echo_times();
    if (words != 1)
        return usage();
    rc = machine_info(&info);
    if (rc)
        return failf("asking about the machine failed: %s", call_error(rc));
    if (print_hypervisor())
        return 1;
    printf("%-23s: %lu\n", "cpus", (unsigned long)info.nr_cpus);
    printf("%-23s: %lu\n", "cpu_mhz", (unsigned long)(info.cpu_khz / 1000));
    printf("%-23s: %llu\n", "total_memory (MiB)", (unsigned long long)(info.total_pages >> 8));
    printf("%-23s: %llu\n", "free_memory (MiB)", (unsigned long long)(info.free_pages >> 8));
    printf("%-23s: %llu\n", "total_pages", (unsigned long long)info.total_pages);
    printf("%-23s: %llu\n", "free_pages", (unsigned long long)info.free_pages);
    return 0;
}

/* ---- dmesg ------------------------------------------------------------------------------- */

int cmd_dmesg(int words, char **word)
{
    char buf[4096];
    bool clear = words == 2 && strcmp(word[1], "-c") == 0;
    uint32_t index = 0;
    int n;

    if (words > 1 && !clear)
        return usage();
    for (;;) {
        n = machine_log(false, &index, buf, sizeof(buf));
        if (n <= 0)
            break;
        fwrite(buf, 1, (size_t)n, stdout);
    }
    fflush(stdout);
    if (n == 0 && clear)
        n = machine_log(true, &index, buf, sizeof(buf));
    return n < 0 ? failf("reading the hypervisor's messages failed: %s", call_error(n)) : 0;
}

int cmd_debug_keys(int words, char **word)
{
    size_t n = words == 2 ? strlen(word[1]) : 0;
    int rc;

    if (n == 0 || n > 64)
        return usage();
    rc = machine_debug_keys(word[1], (unsigned)n);
    return rc ? failf("the hypervisor refused the keys: %s", call_error(rc)) : 0;
}

int cmd_audit(int words, char **word)
{
    struct enso_audit a;
    int rc;

    (void)word;
    if (words != 1)
        return usage();
    rc = enso_audit(&a);
    if (rc == -XEN_ENOSYS)
        return failf("this hypervisor has no audit: a debug build of Enso (make DEBUG=1) has");
    if (rc)
        return failf("the audit failed: %s", call_error(rc));
    printf("%llu frames: %llu free, %llu wrong, %llu lost\n", (unsigned long long)a.frames, (unsigned long long)a.free,
           (unsigned long long)a.wrong, (unsigned long long)a.lost);
    return a.wrong || a.lost ? 1 : 0;
}

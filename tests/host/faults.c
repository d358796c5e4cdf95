/* SPDX-License-Identifier: MIT */
/* faults.c: a fault goes where the exception table says; swapgs, which only ring 0 may execute, is counted and skipped. */
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include "tests/host/faults.h"

struct entry { uint64_t from, to; };
extern const struct entry __start_host_extable[] __attribute__((weak)), __stop_host_extable[] __attribute__((weak));   /* none: no accesses */
char *read_only_page;
volatile unsigned long swapgs_count, faults_taken;

static void on_fault(int nr, siginfo_t *info, void *arg)
{
    greg_t *rip = &((ucontext_t *)arg)->uc_mcontext.gregs[REG_RIP];

    if (nr == SIGSEGV && !memcmp((void *)*rip, "\x0f\x01\xf8", 3)) {
        swapgs_count++;
        *rip += 3;
        return;
    }
    for (const struct entry *e = __start_host_extable; e < __stop_host_extable; e++)
        if (e->from == (uint64_t)*rip) {
            faults_taken++;
            *rip = (greg_t)e->to;
            return;
        }
    signal(nr, SIG_DFL);                               /* executed again, and this time it ends us */
}

void faults_catch(void)
{
    struct sigaction sa = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };

    if (sigaction(SIGSEGV, &sa, NULL) || sigaction(SIGBUS, &sa, NULL))
        abort();
}

void faults_fill(const void *bytes, unsigned long n)
{
    faults_catch();
    if (!read_only_page) {
        read_only_page = mmap(NULL, 2 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (read_only_page == MAP_FAILED || munmap(read_only_page + 4096, 4096))
            abort();
    }
    mprotect(read_only_page, 4096, PROT_READ | PROT_WRITE);
    memcpy(read_only_page, bytes, n);
    mprotect(read_only_page, 4096, PROT_READ);
}

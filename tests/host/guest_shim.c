/* SPDX-License-Identifier: MIT */
/* guest_shim.c: the floors under hypervisor/guest in the host's tests. See guest_shim.h. */
#include <stdio.h>
#include <string.h>

#include "hypercall-abi/errno.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/guest/emulate.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/descriptor.h"
#include "hypervisor/mm/pagetable.h"
#include "hypervisor/x86/cpu.h"

_Thread_local struct vcpu *host_current;
_Thread_local struct pcpu *host_pcpu;
struct cpu_info host_info;
struct host_cpu host_cpu;
struct cpu_features cpu_features;
char host_crash[200];
int host_root_answer, host_walk_level;
unsigned host_port_answer;
uint64_t host_descriptor;
bool (*host_store_race)(uint64_t va);
bool host_store_refused;

static struct domain dom;
static struct vcpu vcpu;
static struct vcpu_info info;

struct vcpu *host_guest(void)
{
    dom = (struct domain){ .id = 1 };
    info = (struct vcpu_info){ 0 };
    vcpu = (struct vcpu){ .domain = &dom, .info = &info, .in_kernel = true, .guest_root = { 0x111 }, .guest_user_root = { 0x222 } };
    vcpu.loaded_root = vcpu.guest_root;
    host_info = (struct cpu_info){ .curr = &vcpu };
    host_cpu = (struct host_cpu){ .cr0 = 0x80050033, .cr4 = 0x1f20f0 };
    cpu_features = (struct cpu_features){ .fsgsbase = true, .xsave = true, .rdtscp = true, .xcr0 = 7 };
    host_current = &vcpu;
    host_crash[0] = 0;
    host_root_answer = 0;
    host_walk_level = 2;
    host_port_answer = 1;
    host_descriptor = 0;
    host_store_race = NULL;
    host_store_refused = false;
    HOST_REGS->cs = FLAT_RING3_CS64;
    HOST_REGS->ss = FLAT_RING3_SS64;
    return &vcpu;
}

uint32_t host_in(uint16_t port, unsigned bytes)
{
    host_cpu.in++;
    host_cpu.port = port;
    host_cpu.bytes = bytes;
    return host_cpu.value;
}

void host_out(uint16_t port, unsigned bytes, uint32_t v)
{
    host_cpu.out++;
    host_cpu.port = port;
    host_cpu.bytes = bytes;
    host_cpu.value = v;
}

void host_wrmsr(uint32_t msr, uint64_t v) { host_cpu.msr[0] = msr; host_cpu.msr[1] = v; }

void domain_crash(struct domain *d, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    hv_vsnprintf(host_crash, sizeof(host_crash), fmt, ap);
    va_end(ap);
}

void log_at(enum log_level level, const char *fmt, ...) { }
void bug(const char *file, int line, const char *what) { fprintf(stderr, "BUG %s:%d: %s\n", file, line, what); __builtin_trap(); }

int table_walk(struct vcpu *v, uint64_t va, uint64_t entries[4])
{
    memset(entries, 0, 4 * sizeof(*entries));
    return host_walk_level;
}

int root_set(struct vcpu *v, gfn_t g, bool user)
{
    if (!host_root_answer)
        v->guest_root = mfn(g.raw);
    return host_root_answer;
}

bool descriptor_read(struct vcpu *v, uint16_t sel, uint64_t *desc)
{
    *desc = host_descriptor;
    return host_descriptor != 0;
}

bool physdev_port_allowed(const struct domain *d, uint16_t port, unsigned bytes) { return host_port_answer != 0; }
bool pciconf_port(uint16_t port, unsigned bytes) { return host_port_answer == 2; }
uint32_t pciconf_in(uint16_t port, unsigned bytes) { return 0x0c0c0c0c; }
void pciconf_out(uint16_t port, unsigned bytes, uint32_t value) { host_cpu.msr[0] = 0xcf8; host_cpu.msr[1] = value; }

void cpuid_for_guest(const struct vcpu *v, uint32_t leaf, uint32_t sub, uint32_t out[4])
{
    out[0] = leaf + 1;
    out[1] = 0xb;
    out[2] = sub + 1;
    out[3] = 0xd;
}

bool msr_read(struct vcpu *v, uint32_t msr, uint64_t *value) { *value = 0x1234567890abcdef; return msr == 0x10; }
bool msr_write(struct vcpu *v, uint32_t msr, uint64_t value) { host_wrmsr(msr, value); return msr == 0x10; }

int table_emulate_store(struct vcpu *v, uint64_t va, unsigned size, uint64_t expected, uint64_t new_value, uint64_t *old_seen)
{
    uint64_t now = 0;

    if (host_store_refused)
        return -XEN_EINVAL;
    if (host_store_race && host_store_race(va))
        return -XEN_EAGAIN;
    memcpy(&now, (void *)va, size);
    *old_seen = now;
    if (now != expected)
        return -XEN_EAGAIN;
    memcpy((void *)va, &new_value, size);
    return 0;
}

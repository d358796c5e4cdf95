/* SPDX-License-Identifier: MIT */
/* guest_emulate.c: claims: a privileged instruction of a guest's kernel does what SPEC 7.5 says, on the vCPU's virtual state, and one that
 * is not for it to execute does nothing and is its #GP; ports go by virtual IOPL, I/O bitmap and what the domain owns; a string
 * input's buffer is tried before the port is read; a store to a page table (5.8) is the processor's own arithmetic. A failure is a
 * guest that goes on with wrong registers, or a port or register of the machine's that was not its to touch.                      */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>
#include "hypercall-abi/errno.h"
#include "hypervisor/guest/guest.h"
#include "hypervisor/x86/cpu.h"
#include "tests/host/guest_shim.h"

static struct vcpu *v;
static uint8_t *code;                                  /* the end of a page, behind which there is none */
static uint64_t stack[32] __attribute__((aligned(64)));
#define R HOST_REGS

static int begin(void **state)
{
    v = host_guest();
    if (!code) {
        code = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        munmap(code + PAGE_SIZE, PAGE_SIZE);
    }
    R->rsp = (uint64_t)(stack + 32);
    R->rflags = 0x202;
    v->traps[14] = (struct trap_bounce_entry){ 0x7000, 0x33, 0, 0 };
    v->traps[1] = (struct trap_bounce_entry){ 0x7100, 0x33, 0, 0 };
    return 0;
}

/* Those bytes are what rip points at, and the last of their page. */
static void at(const char *bytes, unsigned n)
{
    faults_catch();
    R->rip = (uint64_t)code + PAGE_SIZE - n;
    memcpy((void *)R->rip, bytes, n);
}
#define AT(bytes) at(bytes, sizeof(bytes) - 1)
/* Emulated: and rip is at the end of the page. */
#define DOES(bytes) (AT(bytes), emulate_privileged(v, R) && R->rip == (uint64_t)code + PAGE_SIZE)
/* The guest's fault: nothing has changed. */
static bool refused_at(void)
{
    struct guest_regs before = *R;
    return !emulate_privileged(v, R) && !memcmp(&before, R, sizeof(before));
}
#define REFUSED(bytes) (AT(bytes), refused_at())

/* ---- ports ---- */

static void iopl(void **state)
{
    for (v->iopl = 0; v->iopl < 4; v->iopl++) {
        v->in_kernel = true;
        assert_true(v->iopl >= 1 ? DOES("\xec") : REFUSED("\xec"));
        assert_true(v->iopl >= 1 ? DOES("\xfa") : REFUSED("\xfa"));
        assert_true(v->iopl >= 1 ? DOES("\xfb") : REFUSED("\xfb"));
        v->in_kernel = false;
        assert_true(v->iopl >= 3 ? DOES("\xec") : REFUSED("\xec"));
        assert_true(v->iopl >= 3 ? DOES("\xfb") : REFUSED("\xfb"));
    }
}

static void ports(void **state)
{
    v->iopl = 1;
    host_cpu.value = 0x89abcdef;
    R->rdx = 0x1003f8;
    R->rax = 0x1111111111111111;
    assert_true(DOES("\xec") && R->rax == 0x11111111111111ef && host_cpu.port == 0x3f8 && host_cpu.bytes == 1);
    assert_true(DOES("\x66\xed") && R->rax == 0x111111111111cdef && host_cpu.bytes == 2);
    assert_true(DOES("\xed") && R->rax == 0x89abcdef && host_cpu.bytes == 4);
    assert_true(DOES("\x48\xed") && host_cpu.bytes == 4);
    assert_true(DOES("\xe4\x60") && host_cpu.port == 0x60 && host_cpu.bytes == 1);
    assert_true(DOES("\xe5\xf0") && host_cpu.port == 0xf0 && host_cpu.bytes == 4);
    R->rax = 0x12345678;
    assert_true(DOES("\xee") && host_cpu.out == 1 && host_cpu.bytes == 1 && (uint8_t)host_cpu.value == 0x78 && host_cpu.port == 0x3f8);
    assert_true(DOES("\x66\xef") && host_cpu.bytes == 2 && (uint16_t)host_cpu.value == 0x5678);
    assert_true(DOES("\xe7\x61") && host_cpu.bytes == 4 && host_cpu.value == 0x12345678 && host_cpu.port == 0x61);
    assert_int_equal(R->rax, 0x12345678);
    host_port_answer = 0;                              /* not the domain's: as if nothing were there */
    unsigned in = host_cpu.in, out = host_cpu.out;
    R->rax = 0;
    assert_true(DOES("\xed") && R->rax == 0xffffffff && DOES("\xef") && host_cpu.in == in && host_cpu.out == out);
    host_port_answer = 2;                              /* PCI's */
    assert_true(DOES("\xed") && R->rax == 0x0c0c0c0c && DOES("\xef") && host_cpu.msr[0] == 0xcf8 && host_cpu.msr[1] == 0x0c0c0c0c);
    assert_true(host_cpu.in == in && host_cpu.out == out);
}

static void io_bitmap(void **state)
{
    static uint8_t map[16];

    memset(map, 0xff, sizeof(map));
    R->rdx = 15;
    assert_true(REFUSED("\xec"));                      /* no bitmap */
    v->iobmp = (uint64_t)map;
    assert_true(REFUSED("\xec"));                      /* of no ports */
    v->iobmp_limit = 128;
    assert_true(REFUSED("\xec"));
    map[1] = 0x7f;
    assert_true(DOES("\xec"));
    assert_true(REFUSED("\x66\xed"));                  /* the second of the two is not allowed */
    map[2] = 0xfe;
    assert_true(DOES("\x66\xed"));
    assert_true(REFUSED("\xed"));
    map[2] = 0xf8;
    assert_true(DOES("\xed"));
    v->iobmp_limit = 16;
    assert_true(DOES("\xec") && REFUSED("\x66\xed"));
    v->iobmp_limit = 15;
    assert_true(REFUSED("\xec"));
    v->iobmp_limit = 128;
    v->iobmp = HV_START;
    assert_true(REFUSED("\xec"));
    R->rdx = 0xffff;
    v->iobmp = (uint64_t)map;
    v->iobmp_limit = 0x10000;
    v->iopl = 1;
    assert_true(DOES("\xed"));
}

static void strings(void **state)
{
    static uint8_t buffer[16];

    assert_true(REFUSED("\x6c"));                      /* not without the right to the port */
    v->iopl = 1;
    host_cpu.value = 0x11223344;
    R->rdi = (uint64_t)buffer;
    assert_true(DOES("\x6c") && buffer[0] == 0x44 && buffer[1] == 0 && R->rdi == (uint64_t)buffer + 1);
    assert_true(DOES("\x66\x6d") && buffer[2] == 0x33 && buffer[3] == 0 && R->rdi == (uint64_t)buffer + 3);
    R->rflags |= FLAG_DF;
    assert_true(DOES("\x48\x6d") && buffer[6] == 0x11 && R->rdi == (uint64_t)buffer - 1);
    R->rflags &= ~FLAG_DF;
    R->rsi = (uint64_t)buffer + 1;
    assert_true(DOES("\x6e") && host_cpu.value == 0x44 && host_cpu.bytes == 1 && R->rsi == (uint64_t)buffer + 2);
    assert_true(DOES("\x6f") && host_cpu.bytes == 4 && R->rsi == (uint64_t)buffer + 6);
    assert_true(REFUSED("\x67\x6c") && REFUSED("\x64\x6e"));
    /* one at a time, the guest comes again for the next */
    R->rcx = 2;
    R->rdi = (uint64_t)buffer;
    AT("\xf3\x6c");
    uint64_t rip = R->rip;
    assert_true(emulate_privileged(v, R) && R->rip == rip && R->rcx == 1 && R->rdi == (uint64_t)buffer + 1);
    assert_true(emulate_privileged(v, R) && R->rip == rip + 2 && R->rcx == 0);
    unsigned in = host_cpu.in;
    assert_true(DOES("\xf2\x6c") && host_cpu.in == in && R->rcx == 0);       /* none at all */
    /* buffers that are not there: the guest's page fault, and the port is not touched */
    faults_fill("", 0);
    const uint64_t end = (uint64_t)read_only_page + PAGE_SIZE;
    const struct { uint64_t rdi, cr2; } bad[] = { { end + 5, end + 5 }, { (uint64_t)read_only_page, (uint64_t)read_only_page },
                                                  { (uint64_t)code + PAGE_SIZE - 2, (uint64_t)code + PAGE_SIZE }, { HV_START, HV_START } };
    for (unsigned i = 0; i < 4; i++) {
        R->rdi = bad[i].rdi;
        AT("\x6d");
        R->rsp = (uint64_t)(stack + 32);
        R->cs = FLAT_RING3_CS64;
        faults_taken = 0;
        assert_true(emulate_privileged(v, R) && R->rip == 0x7000 && v->info->arch.cr2 == bad[i].cr2 && host_cpu.in == in);
        assert_int_equal(*(uint64_t *)(R->rsp + 16), 2);                     /* a store */
        assert_true(R->rdi == bad[i].rdi && faults_taken == (i == 3 ? 1 : 2));   /* one is the fetch; the hypervisor's is not even tried */
    }
    unsigned out = host_cpu.out;
    R->cs = FLAT_RING3_CS64;
    R->rsi = end - 2;
    AT("\x6f");
    assert_true(emulate_privileged(v, R) && R->rip == 0x7000 && v->info->arch.cr2 == end - 2 && host_cpu.out == out);
    assert_int_equal(*(uint64_t *)(R->rsp + 16), 0);
    R->cs = FLAT_RING3_CS64;
    R->rdi = (uint64_t)buffer;
    memset(buffer, 0xaa, sizeof(buffer));
    host_cpu.value = 0;
    assert_true(DOES("\x6d") && buffer[3] == 0 && buffer[4] == 0xaa);
}

/* ---- registers ---- */

static void controls(void **state)
{
    assert_true(DOES("\x0f\x20\xc0") && R->rax == 0x80050033);
    v->ts = true;
    assert_true(DOES("\x0f\x20\xc3") && R->rbx == (0x80050033 | CR0_TS));
    v->info->arch.cr2 = 0x1234;
    assert_true(DOES("\x41\x0f\x20\xd1") && R->r9 == 0x1234);
    assert_true(DOES("\x0f\x20\xd8") && R->rax == 0x111000);
    v->cr4 = CR4_TSD;
    assert_true(DOES("\x0f\x20\xe0") && R->rax == (CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_TSD));
    assert_true(REFUSED("\x0f\x20\xc8") && REFUSED("\x44\x0f\x20\xc0"));    /* cr1, cr8 */
    R->rax = 0x80050033 | CR0_TS;
    host_cpu.cr0 = 0;
    v->ts = false;
    assert_true(DOES("\x0f\x22\xc0") && v->ts && host_cpu.cr0 == CR0_TS);
    R->rax = 0x80050033;
    host_cpu.cr0 = ~0UL;
    assert_true(DOES("\x0f\x22\xc0") && !v->ts && host_cpu.cr0 == ~CR0_TS);
    R->rax = 0x33;
    assert_true(REFUSED("\x0f\x22\xc0"));              /* paging off */
    R->rax = 0x4321;
    assert_true(DOES("\x0f\x22\xd0") && v->info->arch.cr2 == 0x4321);
    R->rax = 0x777000;
    assert_true(DOES("\x0f\x22\xd8") && v->guest_root.raw == 0x777);
    host_root_answer = -XEN_EINVAL;
    assert_true(REFUSED("\x0f\x22\xd8"));
    host_root_answer = -XEN_ERESTART;
    AT("\x0f\x22\xd8");
    uint64_t rip = R->rip;
    assert_true(emulate_privileged(v, R) && R->rip == rip);                 /* executed again */
    assert_true(REFUSED("\x0f\x22\xc8"));
    R->rax = ~0UL;
    host_cpu.cr4 = CR4_SMEP | CR4_SMAP;
    assert_true(DOES("\x0f\x22\xe0") && v->cr4 == (CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_OSXSAVE));
    assert_int_equal(host_cpu.cr4, CR4_SMEP | CR4_SMAP | CR4_TSD | CR4_DE | CR4_FSGSBASE);
    cpu_features.fsgsbase = cpu_features.xsave = false;
    assert_true(DOES("\x0f\x22\xe0") && v->cr4 == (CR4_TSD | CR4_DE));
    assert_int_equal(host_cpu.cr4, CR4_SMEP | CR4_SMAP | CR4_TSD | CR4_DE);
    assert_true(DOES("\x0f\x06") && !v->ts);
    v->ts = true;
    host_cpu.cr0 = ~0UL;
    assert_true(DOES("\x0f\x06") && !v->ts && host_cpu.cr0 == ~CR0_TS);
}

static void debugs(void **state)
{
    R->rax = 0x5000;
    assert_true(DOES("\x0f\x23\xd8") && v->dr[3] == 0x5000 && DOES("\x0f\x21\xdb") && R->rbx == 0x5000);
    R->rax = HV_START;
    assert_true(REFUSED("\x0f\x23\xd8"));
    assert_true(REFUSED("\x44\x0f\x23\xc0") && REFUSED("\x44\x0f\x21\xc0"));
    v->dr[6] = 66, v->dr[7] = 0x11;
    assert_true(DOES("\x0f\x21\xf0") && R->rax == 66 && DOES("\x0f\x21\xe0") && R->rax == 66);
    assert_true(DOES("\x0f\x21\xf8") && R->rax == 0x411 && DOES("\x0f\x21\xe8") && R->rax == 0x411);
}

static void the_rest(void **state)
{
    R->rax = 7, R->rcx = 8;
    assert_true(DOES("\x0f\xa2") && R->rax == 8 && R->rbx == 0xb && R->rcx == 9 && R->rdx == 0xd);
    R->rax = R->rdx = ~0UL;
    assert_true(DOES("\x0f\x31") && !(R->rax >> 32) && !(R->rdx >> 32));
    R->rcx = 0x10;
    assert_true(DOES("\x0f\x32") && R->rax == 0x90abcdef && R->rdx == 0x12345678);
    assert_true(DOES("\x0f\x30") && host_cpu.msr[0] == 0x10 && host_cpu.msr[1] == 0x1234567890abcdef);
    R->rcx = 0x11;
    assert_true(REFUSED("\x0f\x30") && REFUSED("\x0f\x32"));
    assert_true(DOES("\x0f\x09") && host_cpu.wbinvds == 0);
    v->domain->has_devices = true;
    assert_true(DOES("\x0f\x09") && host_cpu.wbinvds == 1);
    v->tsc_aux = 5;
    R->rax = R->rdx = ~0UL;
    assert_true(DOES("\x0f\x01\xf9") && R->rcx == 5 && !(R->rax >> 32) && !(R->rdx >> 32));
    assert_true(REFUSED("\x0f\x01\xd0"));
    cpu_features.rdtscp = false;
    assert_true(REFUSED("\x0f\x01\xf9") && REFUSED("\x0f\x01\xd0") && REFUSED("\x0f\x08"));
    /* user mode */
    v->in_kernel = false;
    v->iopl = 3;
    R->rcx = 0x10;
    assert_true(REFUSED("\x0f\x32") && REFUSED("\x0f\x30") && REFUSED("\x0f\x06") && REFUSED("\x0f\x20\xc0") && REFUSED("\x0f\x09"));
    assert_true(DOES("\x0f\x31") && DOES("\x0f\xa2"));
    v->cr4 = CR4_TSD;
    AT("\x0f\x31");
    uint64_t rip = R->rip;
    assert_true(!emulate_privileged(v, R) && R->rip == rip);
    v->in_kernel = true;
    assert_true(DOES("\x0f\x31"));
    assert_true(REFUSED("\xf0\x0f\x31"));              /* lock */
    R->rip = (uint64_t)code + PAGE_SIZE;
    assert_true(refused_at());                         /* nothing to be read */
    AT("\x0f");
    assert_true(refused_at());                         /* nor all of it */
    memcpy(code + 100, "\x0f\x31", 2);                 /* in the midst of a page */
    R->rip = (uint64_t)code + 100;
    faults_taken = 0;
    assert_true(emulate_privileged(v, R) && R->rip == (uint64_t)code + 102 && !faults_taken);
    /* whose code it is */
    R->cs = FLAT_RING3_CS32;
    assert_true(REFUSED("\x0f\x31"));
    host_descriptor = 1UL << 52;
    assert_true(REFUSED("\x0f\x31"));
    host_descriptor = 1UL << 53;
    assert_true(DOES("\x0f\x31"));
}

static void extended_state(void **state)
{
    static const struct { uint64_t value; bool may; } t[] = { { 1, true }, { 3, true }, { 7, true }, { 0, false }, { 2, false }, { 5, false },
                                                             { 9, false }, { 1UL << 32 | 1, false } };

    R->rax = 1;
    assert_true(REFUSED("\x0f\x01\xd1"));              /* not without CR4.OSXSAVE */
    v->cr4 = CR4_OSXSAVE;
    for (unsigned i = 0; i < 8; i++) {
        R->rax = (uint32_t)t[i].value | 0xffffffff00000000;
        R->rdx = t[i].value >> 32;
        host_cpu.xcr0 = v->xcr0 = 99;
        assert_true(t[i].may ? DOES("\x0f\x01\xd1") && v->xcr0 == t[i].value && host_cpu.xcr0 == t[i].value
                             : REFUSED("\x0f\x01\xd1") && v->xcr0 == 99 && host_cpu.xcr0 == 99);
    }
    R->rax = 1;
    R->rdx = 0;
    R->rcx = 1;
    assert_true(REFUSED("\x0f\x01\xd1"));
    R->rcx = 0;
    cpu_features.xsave = false;
    assert_true(REFUSED("\x0f\x01\xd1"));
}

static void a_single_step(void **state)
{
    R->rflags |= FLAG_RF;
    assert_true(DOES("\x0f\x31") && !(R->rflags & FLAG_RF));
    R->rflags |= FLAG_TF;
    AT("\x0f\x31");
    assert_true(emulate_privileged(v, R) && R->rip == 0x7100 && (v->dr[6] & 0x4000));
    assert_int_equal(*(uint64_t *)(R->rsp + 16), (uint64_t)code + PAGE_SIZE);
}

static void the_cpuid_prefix(void **state)
{
    R->rax = 7;
    AT("\x0f\x0bxen\x0f\xa2");
    assert_true(emulate_forced(v, R) && R->rip == (uint64_t)code + PAGE_SIZE && R->rbx == 0xb);
    static const char not_quite[][8] = { "\x0f\x0byen\x0f\xa2", "\x0f\x0bxex\x0f\xa2", "\x0f\x0bxen\x0f\xa3", "\x0e\x0bxen\x0f\xa2" };
    for (unsigned i = 0; i < 4; i++) {
        at(not_quite[i], 7);
        uint64_t rip = R->rip;
        assert_true(!emulate_forced(v, R) && R->rip == rip);
    }
    for (unsigned n = 1; n < 7; n++) {
        at("\x0f\x0bxen\x0f\xa2", n);
        assert_false(emulate_forced(v, R));
    }
    faults_taken = 0;
    R->rip = HV_START;
    assert_true(!emulate_forced(v, R) && !faults_taken);
}

/* ---- stores to page tables ---- */

static uint64_t entry[2] __attribute__((aligned(16)));

static bool stores(const char *bytes, unsigned n, uint64_t before, uint64_t after)
{
    entry[0] = before;
    at(bytes, n);
    return emulate_pt_store(v, R, (uint64_t)entry) && R->rip == (uint64_t)code + PAGE_SIZE && entry[0] == after;
}
#define STORES(bytes, before, after) stores(bytes, sizeof(bytes) - 1, before, after)
#define ARITH 0x8d5UL

static void simple_stores(void **state)
{
    R->rax = 0x1122334455667788, R->rcx = 0xccddeeff;
    R->rflags = 0x202 | ARITH;
    assert_true(STORES("\x48\x89\x01", 0, 0x1122334455667788));
    assert_true(STORES("\x89\x01", ~0UL, 0xffffffff55667788));
    assert_true(STORES("\x66\x89\x01", ~0UL, 0xffffffffffff7788));
    assert_true(STORES("\x88\x01", ~0UL, 0xffffffffffffff88));
    assert_true(STORES("\x88\x21", ~0UL, 0xffffffffffffff77));               /* ah */
    R->rsp = 0x1234;
    assert_true(STORES("\x40\x88\x21", ~0UL, 0xffffffffffffff34));           /* spl */
    assert_true(STORES("\x66\x89\x21", ~0UL, 0xffffffffffff1234));           /* sp */
    assert_true(STORES("\x48\xc7\x01\xff\xff\xff\xff", 0, ~0UL));
    assert_true(STORES("\xc6\x01\x5a", 0, 0x5a));
    assert_false(STORES("\xc6\x09\x5a", 0, 0));                              /* not a mov */
    assert_int_equal(R->rflags, 0x202 | ARITH);
    /* exchanges */
    assert_true(STORES("\x48\x87\x01", 7, 0x1122334455667788) && R->rax == 7);
    R->rax = 0x1122334455667788;
    assert_true(STORES("\x87\x01", 0xaaaaaaaabbbbbbbb, 0xaaaaaaaa55667788) && R->rax == 0xbbbbbbbb);
    assert_true(STORES("\x66\x87\x01", 0x1111, 0xbbbb) && R->rax == 0xbbbb1111);
    assert_true(STORES("\x86\x01", 0x22, 0x11) && R->rax == 0xbbbb1122);
    assert_true(STORES("\x86\x21", 0x33, 0x11) && R->rax == 0xbbbb3322);     /* ah */
    assert_true(STORES("\x40\x86\x21", 0x44, 0x34) && R->rsp == 0x1244);     /* spl */
    assert_true(STORES("\x66\x87\x21", 0x5566, 0x1244) && R->rsp == 0x5566); /* sp */
    assert_int_equal(R->rflags, 0x202 | ARITH);
}

static void logic_and_bits(void **state)
{
    R->rax = 0xf0;
    assert_true(STORES("\x48\x09\x01", 0x0f, 0xff) && (R->rflags & ARITH) == 4);
    assert_true(STORES("\x48\x21\x01", 0x0f, 0) && (R->rflags & ARITH) == (4 | 0x40));
    assert_true(STORES("\x08\x01", 0x01, 0xf1) && (R->rflags & ARITH) == 0x80);
    assert_true(STORES("\x20\x01", 0x1ff, 0x1f0) && (R->rflags & ARITH) == (4 | 0x80));
    assert_true(STORES("\x48\x81\x09\x00\x00\x00\x80", 1, 0xffffffff80000001) && (R->rflags & ARITH) == 0x80);
    assert_true(STORES("\x48\x83\x21\xfe", 0x7, 0x6) && (R->rflags & ARITH) == 4);
    assert_true(STORES("\x80\x21\x01", 0x103, 0x101) && (R->rflags & ARITH) == 0);
    assert_false(STORES("\x48\x83\x01\x01", 1, 1));                          /* add */
    R->rflags = 0x202 | ARITH;
    R->rax = 1;
    assert_true(STORES("\x48\x0f\xab\x01", 0, 2) && (R->rflags & ARITH) == (ARITH & ~1));
    assert_true(STORES("\x48\x0f\xb3\x01", 3, 1) && (R->rflags & ARITH) == ARITH);
    assert_true(STORES("\x48\x0f\xba\x29\x3f", 0, 1UL << 63) && (R->rflags & ARITH) == (ARITH & ~1));
    assert_true(STORES("\x48\x0f\xba\x31\x3f", ~0UL, ~0UL >> 1) && (R->rflags & ARITH) == ARITH);
    assert_false(STORES("\x48\x0f\xba\x29\x40", 0, 0));                      /* an operand elsewhere */
    assert_false(STORES("\x0f\xba\x29\x20", 0, 0));
    assert_true(STORES("\x0f\xba\x29\x1f", 0, 1UL << 31));
    assert_false(STORES("\x48\x0f\xba\x21\x01", 0, 0));                      /* bt, btc */
    assert_false(STORES("\x48\x0f\xba\x39\x01", 0, 0));
    R->rax = 64;
    assert_false(STORES("\x48\x0f\xab\x01", 0, 0));
}

/* Against the processor's own. */
static void compare_and_exchange(void **state)
{
    static const uint64_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff, 0x8000000000000000,
                                       ~0UL, 0x10, 0x0f };

    for (unsigned a = 0; a < 16; a++)
        for (unsigned b = 0; b < 16; b++)
            for (unsigned size = 0; size < 4; size++) {
                static const char *const insn[] = { "\x0f\xb0\x11", "\x66\x0f\xb1\x11", "\x0f\xb1\x11", "\x48\x0f\xb1\x11" };
                uint64_t rax = values[a], mem = values[b], new = 0x5555555555555555, flags;
                entry[0] = mem;
                R->rax = rax, R->rdx = new, R->rflags = 0x202 | ARITH;
                at(insn[size], size == 0 || size == 2 ? 3 : 4);
#define NATIVE(suffix, reg) __asm__ volatile("cmpxchg" suffix " %" reg "3, %1\n pushfq\n pop %2" : "+a"(rax), "+m"(mem), "=r"(flags) : "r"(new) : "cc")
                switch (size) {
                case 0: NATIVE("b", "b"); break;
                case 1: NATIVE("w", "w"); break;
                case 2: NATIVE("l", "k"); break;
                default: NATIVE("q", ""); break;
                }
                assert_true(emulate_pt_store(v, R, (uint64_t)entry));
                if (size == 2 && rax != values[a])
                    rax = (uint32_t)rax;
                assert_int_equal(R->rax, rax);
                assert_int_equal(entry[0], mem);
                assert_int_equal(R->rflags & ARITH, flags & ARITH);
                assert_int_equal(R->rip, (uint64_t)code + PAGE_SIZE);
            }
}

static unsigned races, turns;
static bool race(uint64_t va)
{
    turns++;
    if (!races)
        return false;
    races--;
    (*(uint64_t *)va) ^= 0x20;                         /* the accessed bit */
    return true;
}

static void races_and_refusals(void **state)
{
    R->rax = 0x100;
    host_store_race = race;
    races = 7;
    assert_true(STORES("\x48\x09\x01", 0, 0x120));     /* the eighth time */
    races = 8;
    turns = 0;
    entry[0] = 0;
    AT("\x48\x09\x01");
    uint64_t rip = R->rip;
    assert_true(emulate_pt_store(v, R, (uint64_t)entry) && R->rip == rip && turns == 8);   /* the guest executes it again */
    host_store_race = NULL;
    host_store_refused = true;
    AT("\x48\x09\x01");
    assert_false(emulate_pt_store(v, R, (uint64_t)entry));
    host_store_refused = false;
    assert_false(emulate_pt_store(v, R, (uint64_t)entry + 4));               /* not aligned */
    assert_false(emulate_pt_store(v, R, HV_START));
    AT("\x48\x89\xc1");
    assert_false(emulate_pt_store(v, R, (uint64_t)entry));                   /* register to register */
    AT("\x0f\x31");
    assert_false(emulate_pt_store(v, R, (uint64_t)entry));
    AT("\x48\x09");
    assert_false(emulate_pt_store(v, R, (uint64_t)entry));
    R->cs = FLAT_RING3_CS32;
    AT("\x48\x09\x01");
    assert_false(emulate_pt_store(v, R, (uint64_t)entry));
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(iopl), TEST(ports), TEST(io_bitmap), TEST(strings), TEST(controls), TEST(debugs), TEST(the_rest),
                                        TEST(extended_state), TEST(a_single_step), TEST(the_cpuid_prefix), TEST(simple_stores),
                                        TEST(logic_and_bits), TEST(compare_and_exchange), TEST(races_and_refusals) };
    return cmocka_run_group_tests_name("guest emulation", tests, NULL, NULL);
}

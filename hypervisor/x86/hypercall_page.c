/* SPDX-License-Identifier: MIT */
/* hypercall_page.c: the code that a guest calls to call us.                                             [read 18]
 *
 * A guest does not know which instruction enters the hypervisor; it calls into this page, which the hypervisor
 * fills for it. syscall overwrites rcx and r11, so the stubs keep them. iret does not return: its stub leaves the
 * three registers on the stack as the head of the frame that the hypercall reads (SPEC 4.1).                    */
#include "hypervisor/x86/hypercall_page.h"
#include "hypercall-abi/hypercall.h"
#include "hypervisor/lib/string.h"

#define STUB_SIZE 32
#define NR_STUBS  128

static void stub_call(unsigned char *at, unsigned nr)
{
    /* push rcx; push r11; mov $nr, eax; syscall; pop r11; pop rcx; ret */
    static const unsigned char code[] = { 0x51, 0x41, 0x53, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 };

    memcpy(at, code, sizeof(code));
    memcpy(at + 4, &nr, 4);
}

static void stub_iret(unsigned char *at, unsigned nr)
{
    /* push rcx; push r11; push rax; mov $nr, eax; syscall */
    static const unsigned char code[] = { 0x51, 0x41, 0x53, 0x50, 0xb8, 0, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x0b };

    memcpy(at, code, sizeof(code));
    memcpy(at + 5, &nr, 4);
}

void hypercall_page_fill(void *page)
{
    unsigned char *at = page;

    memset(page, 0xcc, STUB_SIZE * NR_STUBS);
    for (unsigned nr = 0; nr < NR_STUBS; nr++, at += STUB_SIZE)
        if (nr == __HYPERVISOR_iret)
            stub_iret(at, nr);
        else
            stub_call(at, nr);
}

/* SPDX-License-Identifier: MIT */
/* fpu.c: x87 and SSE state of user programs, switched eagerly; the kernel itself uses neither. */
#include "guest-kernel/native/cpu.h"

void plat_fpu_init(struct plat_fpu *f)
{
    memset(f, 0, sizeof(*f));
    f->area[0] = 0x7f;                              /* FCW 0x037f, all exceptions masked */
    f->area[1] = 0x03;
    f->area[24] = 0x80;                             /* MXCSR 0x1f80, likewise */
    f->area[25] = 0x1f;
}

void plat_fpu_save(struct plat_fpu *f) { __asm__ volatile("fxsave64 %0" : "=m"(*f)); }

void plat_fpu_load(const struct plat_fpu *f) { __asm__ volatile("fxrstor64 %0" :: "m"(*f)); }

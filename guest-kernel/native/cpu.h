/* SPDX-License-Identifier: MIT */
/* cpu.h: the privileged instructions, one inline each, and what native/'s files share. */
#ifndef NATIVE_CPU_H
#define NATIVE_CPU_H

#include "guest-kernel/kernel/base.h"

#define KERNEL_CS 0x08
#define KERNEL_SS 0x10
#define USER_SS   0x1b             /* before USER_CS: sysret wants it so */
#define USER_CS   0x23
#define RFLAGS_IF 0x200

#define VECTOR_SERIAL   0x24
#define VECTOR_TIMER    0x30
#define VECTOR_DEVICE   0x31           /* irq.c's, VECTOR_DEVICES of them */
#define VECTOR_DEVICES  14
#define VECTOR_SPURIOUS 0x3f
#define VECTORS         64

#define MSR_EFER   0xc0000080
#define MSR_STAR   0xc0000081
#define MSR_LSTAR  0xc0000082
#define MSR_SFMASK 0xc0000084
#define MSR_FSBASE 0xc0000100

static inline void outb(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" :: "a"(v), "Nd"(port)); }
static inline uint8_t inb(uint16_t port) { uint8_t v; __asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void outw(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" :: "a"(v), "Nd"(port)); }
static inline uint16_t inw(uint16_t port) { uint16_t v; __asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void outl(uint16_t port, uint32_t v) { __asm__ volatile("outl %0, %1" :: "a"(v), "Nd"(port)); }
static inline uint32_t inl(uint16_t port) { uint32_t v; __asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port)); return v; }
static inline void cli(void) { __asm__ volatile("cli" ::: "memory"); }
static inline void stac(void) { __asm__ volatile("stac" ::: "memory"); }
static inline void clac(void) { __asm__ volatile("clac" ::: "memory"); }
static inline void invlpg(uintptr_t va) { __asm__ volatile("invlpg (%0)" :: "r"(va) : "memory"); }
static inline void write_cr3(uint64_t v) { __asm__ volatile("movq %0, %%cr3" :: "r"(v) : "memory"); }
static inline uint64_t read_cr3(void) { uint64_t v; __asm__ volatile("movq %%cr3, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr2(void) { uint64_t v; __asm__ volatile("movq %%cr2, %0" : "=r"(v)); return v; }
static inline uint64_t read_cr4(void) { uint64_t v; __asm__ volatile("movq %%cr4, %0" : "=r"(v)); return v; }
static inline void write_cr4(uint64_t v) { __asm__ volatile("movq %0, %%cr4" :: "r"(v) : "memory"); }

static inline uint64_t rdtsc(void)
{
    uint32_t lo, hi;
    __asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
    return (uint64_t)hi << 32 | lo;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
    __asm__ volatile("wrmsr" :: "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
    __asm__ volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub));
}

/* boot.c */
void native_boot(uint32_t info) __attribute__((noreturn));
void *boot_page(void);                              /* a zeroed page, before page_alloc works */
extern bool native_debugexit;
extern uint16_t native_pm1a;                        /* ACPI PM1a control port */
/* mmu.c */
void mmu_boot(struct plat_boot *boot);
void *mmio_map(uint64_t pa);                        /* one page of device registers, uncached */
/* trap.c */
void trap_boot(void);
extern uint64_t native_timer_count, native_serial_count;
/* timer.c */
void timer_boot(void);
void timer_eoi(void);
/* irq.c */
void irq_interrupt(int irq);
/* console.c */
void console_boot(void);
void console_interrupt(void);
/* fpu.c, power.c, cpu.c have nothing to start */

#endif

/* SPDX-License-Identifier: MIT */
/* tsc.h: time from the TSC.
 *
 * System time is ns since boot, the same on every pCPU to within the warp that boot measured; scale is pvclock's:
 * ns = ((tsc - tsc_at_boot) << shift or >> -shift) * mul >> 32.                                                  */
#ifndef ENSO_TSC_H
#define ENSO_TSC_H

#include <stdbool.h>
#include <stdint.h>

struct tsc_scale { uint64_t tsc_zero; uint32_t mul; int8_t shift; uint64_t khz; bool stable; };
extern struct tsc_scale tsc_scale;

/* Calibrates against HPET, else PM timer, else PIT. */
void tsc_init(void);
void tsc_check_warp(void);                 /* after all pCPUs are up: clears .stable when two disagree */
/* A counter and the TSC at one moment: of several tries the one that took least. An emulated CPU may lose its host at any instruction. */
void tsc_sample(uint32_t (*read)(void), uint64_t *tsc, uint32_t *count);
uint64_t now_ns(void);
uint64_t tsc_to_ns(uint64_t tsc);
uint64_t ns_to_tsc(uint64_t ns);
/* Seconds and ns of the epoch at system time 0, from the RTC; set_wallclock changes it (XENPF_settime). */
void wallclock_init(void);
extern uint64_t wallclock_sec; extern uint32_t wallclock_nsec;

#endif

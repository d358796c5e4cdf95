/* SPDX-License-Identifier: MIT */
/* rtc.h: the clock that runs on while the machine is off. */
#ifndef NOVICE_DRIVERS_RTC_H
#define NOVICE_DRIVERS_RTC_H

#include "guest-kernel/kernel/base.h"

/* Seconds since 1970, UTC; 0 if the clock does not hold still or makes no sense. Needs no other part of the kernel. */
uint64_t rtc_read(void);
/* -EINVAL: before 2000 or after 2099. */
int  rtc_write(uint64_t seconds);
/* /dev/rtc: reading gives the seconds since 1970 as text, writing such a text sets the clock. Quiet where there is none. */
void rtc_boot(void);

#endif

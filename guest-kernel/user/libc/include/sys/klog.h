/* SPDX-License-Identifier: MIT */
/* sys/klog.h: the kernel's messages. */
#ifndef _NOVICE_SYS_KLOG_H
#define _NOVICE_SYS_KLOG_H

#include <stddef.h>

#define KLOG_READ  0
#define KLOG_SIZE  1
#define KLOG_CLEAR 2

int syslog(int command, char *buffer, size_t length);

#endif

/* SPDX-License-Identifier: MIT */
/* os_words.h: os.h's printing, for host tests that stand in for a kernel below pv-drivers/: included by one file of each. */
#ifndef HOST_OS_WORDS_H
#define HOST_OS_WORDS_H

#include <stdarg.h>
#include <stdio.h>

#include "pv-drivers/os.h"

int os_format_list(char *buf, size_t size, const char *fmt, va_list ap)
{
    return vsnprintf(buf, size, fmt, ap);
}

int os_format(char *buf, size_t size, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(buf, size, fmt, ap);
    va_end(ap);
    return n;
}

#endif

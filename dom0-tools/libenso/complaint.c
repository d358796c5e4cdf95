/* SPDX-License-Identifier: MIT */
/* complaint.c: see complaint.h; this is only the formatting.                 */
#include "dom0-tools/libenso/complaint.h"

#include <stdarg.h>
#include <stdio.h>

int complain(struct complaint *why, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(why->text, sizeof(why->text), fmt, ap);
    va_end(ap);
    return -1;
}

int complain_about(struct complaint *why, const char *front)
{
    struct complaint old = *why;

    return complain(why, "%s: %s", front, old.text);
}

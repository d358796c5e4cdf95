/* SPDX-License-Identifier: MIT */
/* main.c: `store`: what `enso store` is in dom0, for every domain: its own part of xenstore. */
#include <stdarg.h>
#include <stdio.h>

#include "dom0-tools/enso/enso.h"

int failf(const char *fmt, ...)
{
    va_list ap;

    fputs("store: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    return 1;
}

int usage(void)
{
    fputs("usage: store ls|read|write|rm|watch [PATH ...]\n"
          "Looks into xenstore, or changes it: a path without a leading slash is below this domain's own part.\n", stderr);
    return 2;
}

int main(int argc, char **argv)
{
    return cmd_store(argc, argv);
}

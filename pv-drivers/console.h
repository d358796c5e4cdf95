/* SPDX-License-Identifier: MIT */
/* console.h: a guest's end of its console ring. */
#ifndef PV_DRIVERS_CONSOLE_H
#define PV_DRIVERS_CONSOLE_H

#include <stddef.h>
#include <stdint.h>

struct xencons_interface;

struct pv_console {
    struct xencons_interface *page;   /* shared with whoever keeps the console */
    uint32_t                  port;   /* event channel to them                 */
};

/* Writes all n bytes, waiting while the ring is full. */
void   pv_console_write(const struct pv_console *c, const char *text, size_t n);
/* Takes up to n bytes that were typed; 0 if there are none. */
size_t pv_console_read(const struct pv_console *c, char *to, size_t n);

#endif

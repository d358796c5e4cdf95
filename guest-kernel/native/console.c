/* SPDX-License-Identifier: MIT */
/* console.c: the first serial port, a 16550. Output waits for room; input interrupts. */
#include "guest-kernel/native/cpu.h"

enum { COM1 = 0x3f8, DATA = COM1, IER = COM1 + 1, FCR = COM1 + 2, LCR = COM1 + 3, MCR = COM1 + 4, LSR = COM1 + 5 };

void plat_console_write(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (unsigned tries = 0; !(inb(LSR) & 0x20) && tries < 1000000; tries++)
            ;
        outb(DATA, text[i]);
    }
}

void plat_console_start(void)
{
    outb(IER, 1);
    console_interrupt();
}

/* Takes all that the FIFO holds. */
void console_interrupt(void)
{
    char got[16];
    size_t n = 0;
    inb(FCR);                                       /* acknowledges */
    for (unsigned limit = 0; inb(LSR) & 1 && limit < 256; limit++) {
        got[n++] = inb(DATA);
        if (n == sizeof(got)) {
            console_input(got, n);
            n = 0;
        }
    }
    if (n)
        console_input(got, n);
}

void console_boot(void)
{
    outb(IER, 0);
    outb(LCR, 0x80);                                /* the divisor: 115200 baud */
    outb(DATA, 1);
    outb(IER, 0);
    outb(LCR, 3);                                   /* 8n1 */
    outb(FCR, 7);
    outb(MCR, 0xb);
}

/* SPDX-License-Identifier: MIT */
/* tty.h: a terminal: a line discipline between a process and something that shows bytes (the console, a pty's master). */
#ifndef NOVICE_TTY_H
#define NOVICE_TTY_H

#include "guest-kernel/kernel/file.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/uapi/termios.h"

#define TTY_BUFFER 1024                /* a power of two */

struct tty {
    struct termios    term;
    struct winsize    size;
    int               pgrp, session;   /* foreground group; the session it controls, 0: none */
    void            (*output)(struct tty *t, const char *text, size_t n);   /* n <= room */
    size_t          (*room)(struct tty *t);                                 /* null: always enough */
    void             *private;
    struct wait_queue readers, writers;
    bool              hung_up;         /* the other side is gone          */
    bool              stopped;         /* ^S                               */
    unsigned          head, tail;      /* committed input: [tail, head)    */
    unsigned          edit;            /* the line being typed: [head, edit) */
    unsigned          lines;           /* complete lines in it, canonical mode */
    unsigned          column;
    char              buf[TTY_BUFFER];
};

void  tty_init(struct tty *t);
/* At an open without O_NOCTTY: a session leader without a terminal takes t, if no session has it. */
void  tty_adopt(struct tty *t, const struct file *f);
/* Bytes typed on the other side. Callable from upcalls. */
void  tty_input(struct tty *t, const char *text, size_t n);
void  tty_hangup(struct tty *t);
long  tty_read(struct tty *t, struct file *f, uptr_t buf, size_t n);
long  tty_write(struct tty *t, struct file *f, uptr_t buf, size_t n);
long  tty_ioctl(struct tty *t, struct file *f, unsigned long cmd, uptr_t arg);
short tty_poll(struct tty *t, struct poll_table *table);
extern struct tty console_tty;
void  tty_boot(void);
void  pty_boot(void);
const char *tty_name(const struct tty *t);            /* of a pty: "pts/N" */

#endif

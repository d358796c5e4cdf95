/* SPDX-License-Identifier: MIT */
/* screen.h: keys and sizes of a terminal, for the programs that draw on it: the shell's line, less, edit. */
#ifndef BOX_SCREEN_H
#define BOX_SCREEN_H

#include <stdbool.h>
#include <termios.h>

enum key {
    KEY_GONE = -1, KEY_UP = 256, KEY_DOWN, KEY_LEFT, KEY_RIGHT, KEY_HOME, KEY_END, KEY_DELETE, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_OTHER,
};
#define CTRL(c) ((c) & 31)
#define ESCAPE  27

/* A byte, or one of the keys that are several; KEY_GONE: the terminal is. */
int screen_key(int fd);
/* Whether there is one within so many ms. */
bool screen_waiting(int fd, int ms);
/* Single bytes, unechoed; what was before is for tcsetattr. */
bool screen_raw(int fd, struct termios *before);
/* Asks the terminal itself, since a serial line does not tell, and notes it for the other programs; false: it did not answer. */
bool screen_ask_size(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* box.h: the programs that share one binary.
 *
 * Sixty small programs with a C library each would fill a guest of 8 MiB; in one file they share it. The file
 * has a hard link for each row of programs.def, and box.c calls the main that argv[0] names.          */
#ifndef BOX_H
#define BOX_H

#include <stdbool.h>
#include <stddef.h>

#define PROGRAM(name, where, doc) int name##_main(int argc, char **argv);
#include "guest-kernel/user/box/programs.def"
#undef PROGRAM

extern const char *box_name;              /* the running program's, for messages */

/* "NAME: what: reason of errno" on stderr; always 1, for `return fail(...)`. */
int fail(const char *what);
/* "usage: NAME how" on stderr; always 2. */
int usage(const char *how);
/* Copies all of one descriptor to another: 0, or -1 with errno. */
int copy_fd(int from, int to);
/* Calls each(descriptor, name) for each file named, or for the standard input; returns the exit status. */
int each_file(int argc, char **argv, int first, int (*each)(int fd, const char *name));
/* The value of KEY in /proc/FILE's "KEY: value" lines; -1: not there. */
long proc_value(const char *file, const char *key);
/* 1536 KiB as "1536", or where people read it as "1.5M". */
const char *size_text(unsigned long kib, bool human, char text[16]);
/* What a program of ours does, in a line; NULL: it is none. */
const char *box_doc(const char *name);
/* A number with an optional K, M or G behind it; *good tells. */
long parse_number(const char *text, bool *good);

#endif

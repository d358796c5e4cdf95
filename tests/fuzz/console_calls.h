/* SPDX-License-Identifier: MIT */
/* console_calls.h: the system's headers first, then their calls bent towards console.c. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

long fuzz_write(int fd, const void *data, size_t n);
long fuzz_console_read(int fd, void *to, size_t n);
int  fuzz_console_open(const char *path, int flags, ...);
int  fuzz_console_close(int fd);
int  fuzz_console_fstat(int fd, void *st);
int  fuzz_console_rename(const char *a, const char *b);
int  fuzz_console_unlink(const char *a);
#define write  fuzz_write
#define read   fuzz_console_read
#define open   fuzz_console_open
#define close  fuzz_console_close
#define fstat  fuzz_console_fstat
#define rename fuzz_console_rename
#define unlink fuzz_console_unlink

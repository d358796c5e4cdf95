/* SPDX-License-Identifier: MIT */
/* disk_calls.h: the system's headers first, then their calls bent towards disk.c. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int   bootfrom_main(int argc, char **argv);
void  fuzz_exit(int status) __attribute__((noreturn));
long  fuzz_write(int fd, const void *data, size_t n);
long  fuzz_pread(int fd, void *to, size_t n, long at);
long  fuzz_lseek(int fd, long at, int whence);
int   fuzz_close(int fd);
#define write  fuzz_write
#define pread  fuzz_pread
#define lseek  fuzz_lseek
#define close  fuzz_close
#define _exit  fuzz_exit
#define main   bootfrom_main

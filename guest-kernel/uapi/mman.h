/* SPDX-License-Identifier: MIT */
/* mman.h: mmap's words. Newlib has no <sys/mman.h>; user/libc's includes this file. */
#ifndef NOVICE_UAPI_MMAN_H
#define NOVICE_UAPI_MMAN_H

#define PROT_NONE     0
#define PROT_READ     1
#define PROT_WRITE    2
#define PROT_EXEC     4
#define MAP_SHARED    0x01
#define MAP_PRIVATE   0x02
#define MAP_FIXED     0x10
#define MAP_ANONYMOUS 0x20
#define MAP_ANON      MAP_ANONYMOUS
#define MAP_POPULATE  0x8000
#define MAP_FAILED    ((void *)-1)

#endif

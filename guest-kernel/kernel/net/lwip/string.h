/* SPDX-License-Identifier: MIT */
/* string.h: for lwIP: lib/string.c's functions, by the names of the C library. */
#ifndef NOVICE_LWIP_STRING_H
#define NOVICE_LWIP_STRING_H

#include <stddef.h>

void  *memcpy(void *to, const void *from, size_t n);
void  *memmove(void *to, const void *from, size_t n);
void  *memset(void *to, int byte, size_t n);
int    memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int    strcmp(const char *a, const char *b);
int    strncmp(const char *a, const char *b, size_t n);

#endif

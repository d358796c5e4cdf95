/* SPDX-License-Identifier: MIT */
/* stdlib.h: for lwIP, which looks up interfaces by name and number with it. */
#ifndef NOVICE_LWIP_STDLIB_H
#define NOVICE_LWIP_STDLIB_H

unsigned long parse_number(const char *s, const char **end);
static inline int atoi(const char *s) { return (int)parse_number(s, 0); }

#endif

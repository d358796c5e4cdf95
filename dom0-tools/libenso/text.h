/* SPDX-License-Identifier: MIT */
/* text.h: numbers, CPU lists, names and near misses, as people type them.
 *
 * Pure functions on strings: the config parser, the command line and the state
 * files share them, and tests/host/tools_text.c tries them.                  */
#ifndef ENSO_TEXT_H
#define ENSO_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decimal or 0x hexadecimal, the whole string, no sign; false if it is not. */
bool text_number(const char *s, uint64_t *value);

/* Memory as xl reads it, in KiB: MiB, or with k, m, g, t behind it that; false if it is not, or is too large. */
bool text_memory(const char *s, uint64_t *kib);

/* "all", "0-3,5", "0-7,^2" to a mask of the CPUs 0..63; false if malformed. */
bool text_cpus(const char *s, uint64_t *mask);

/* The mask as "0-3,5", or "all" when every CPU below ncpus is in it. */
void text_from_cpus(uint64_t mask, unsigned ncpus, char *buf, size_t size);

/* 1 to 31 of letters, digits and _.+- : what a domain may be called. A name
 * of digits only would be taken for a number, so it is refused too.          */
bool text_is_name(const char *s);

/* How many single edits (insert, drop, change, swap) turn a into b, up to 9. */
unsigned text_distance(const char *a, const char *b);

/* The nearest of the words (a NULL ends them) if it is near enough to be a
 * slip of the fingers, else NULL.                                            */
const char *text_nearest(const char *word, const char *const *words);

/* Copies with a NUL always there; false if it had to be cut. */
bool text_copy(char *to, size_t size, const char *from);

#endif

/* SPDX-License-Identifier: MIT */
/* breakit.h: how a way of breaking things is written. */
#ifndef BREAKIT_H
#define BREAKIT_H

#include <stdbool.h>
#include <stdint.h>

/* argc and argv are what follows the way's name. It counts its attempts by tried(); what must never succeed is told
 * by breach(). */
struct way { const char *name; void (*run)(int argc, char **argv); const char *what; };

extern const struct way hypercall_ways[], memory_ways[];     /* a null name ends each */

long hypercall(uint64_t op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e);
void tried(long result);                       /* counts refusals and acceptances */
void breach(const char *format, ...) __attribute__((format(printf, 1, 2)));
uint64_t random_word(void);                    /* from a seed: the same every time */
void random_seed(uint64_t seed);
uint64_t nasty_word(void);                     /* numbers that programmers forget, addresses of the hypervisor, random words */
uint64_t nowhere(void);                        /* an address that is the hypervisor's, or nobody's */
uint64_t argument(int argc, char **argv, int index, uint64_t otherwise);
bool privileged(void);                         /* is this the control domain? */
int  privcmd(void);                            /* the device's descriptor */

#define HANDLE(p) ((uint64_t)(uintptr_t)(p))

#endif

/* SPDX-License-Identifier: MIT */
/* fuzz.h: what every fuzz target offers, and what it is offered.
 *
 * A target defines LLVMFuzzerTestOneInput and, if it knows what good input looks like, fuzz_seed.              */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The n-th seed into data (room bytes); its length, 0 when there are no more. `NAME --seeds FOLDER` writes them. */
size_t fuzz_seed(unsigned n, uint8_t *data, size_t room);

/* Something that must hold does not: the fuzzer keeps the input. */
#define FUZZ_CHECK(what) \
    do { if (!(what)) { fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #what); abort(); } } while (0)

/* Reads all of them: ASan says if one may not be. */
void fuzz_read(const void *data, size_t size);

/* A file without a name that holds these bytes, read from its start. */
int fuzz_file(const void *data, size_t size);

/* The input taken apart, front to back; past its end everything is zero. */
struct fuzz_input { const uint8_t *at; size_t left; };
uint64_t fuzz_take(struct fuzz_input *in, unsigned bytes);                /* little endian                  */
/* Up to n bytes; *got says how many there were. */
const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t n, size_t *got);

#endif

/* SPDX-License-Identifier: MIT */
/* kernel_image.h: what the tests of disk images share (kernel_image_file.c). */
#ifndef KERNEL_IMAGE_H
#define KERNEL_IMAGE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest-kernel/kernel/image.h"

#define MAX_PENDING 4096
#define MIB         (1u << 20)

/* A file in memory that knows what is durable. */
struct image_file {
    char     name[200];
    uint8_t *now, *durable;
    uint64_t size, durable_size, capacity;
    struct { uint64_t pos, n; uint8_t *data; } pending[MAX_PENDING];
    unsigned npending;
    bool     keep;                                /* written back to the real file when closed */
};

extern unsigned fail_after, cut_after;            /* writes from now on */
extern uint64_t file_limit;                       /* no file grows beyond */
extern char dir[64], cut_path[128];
extern unsigned times;                            /* `kernel_image '*' 10`: ten times as much */

struct image_file *file_open(const char *name);
void save(const char *name, const uint8_t *data, uint64_t size);
int  run(const char *fmt, ...);                   /* a shell's line in dir */
const char *in_dir(const char *name);
struct image *open_image(const char *name, bool read_only);
void fill(uint8_t *p, size_t n);                  /* anything */
size_t image_pieces(void);                        /* of image_alloc's, in use */
int  image_tests(const char *name, const struct CMUnitTest *tests, size_t n, int argc, char **argv);

#endif

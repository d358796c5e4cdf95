/* SPDX-License-Identifier: MIT */
/* memory.h: a new domain's frames, and a window through which to fill them.  */
#ifndef ENSO_MEMORY_H
#define ENSO_MEMORY_H

#include <stdint.h>

#include "dom0-tools/builder/build.h"
#include "dom0-tools/builder/image.h"

#define WINDOW_PAGES 256u

struct memory {
    uint16_t  domid;
    uint64_t  pages;
    uint64_t *mfns;             /* by PFN: this is the P2M                       */
    uint8_t  *window;           /* WINDOW_PAGES frames, mapped writable, or NULL */
    uint64_t  window_pfn;
    unsigned  window_pages;
};

/* Gets all frames, in batches; -1 with a sentence if there are too few. */
int memory_populate(struct memory *m, uint16_t domid, uint64_t pages, build_progress *progress, struct complaint *why);

/* The bytes at a PFN, at least to the page's end and *run pages on; moves the
 * window. NULL with a sentence. Earlier pointers are void afterwards.        */
void *memory_at(struct memory *m, uint64_t pfn, uint64_t *run, struct complaint *why);

/* len bytes of the image from `from` to byte address `to`, then zeroes to to + size. */
int memory_load(struct memory *m, uint64_t to, uint64_t size, struct image *im, uint64_t from, uint64_t len,
                build_progress *progress, const char *what, struct complaint *why);

int memory_write(struct memory *m, uint64_t to, const void *data, uint64_t len, struct complaint *why);
int memory_clear(struct memory *m, uint64_t pfn, struct complaint *why);

/* Lets go of the window: tables cannot be pinned while they are mapped. */
void memory_close_window(struct memory *m);
void memory_free(struct memory *m);

#endif

/* SPDX-License-Identifier: MIT */
/* memory.c: populate and fill a new domain's memory (memory.h).
 *
 * dom0 maps a megabyte of the other domain at a time, so a big guest costs
 * little address space here and every mapping has one owner that lets go.    */
#include "dom0-tools/builder/memory.h"

#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/os.h"

#define BATCH 2048u

int memory_populate(struct memory *m, uint16_t domid, uint64_t pages, build_progress *progress, struct complaint *why)
{
    memset(m, 0, sizeof(*m));
    m->domid = domid;
    m->pages = pages;
    m->mfns = calloc(pages, sizeof(*m->mfns));
    if (!m->mfns)
        return complain(why, "not enough memory in dom0 for a list of %llu frames", (unsigned long long)pages);
    for (uint64_t done = 0; done < pages;) {
        unsigned n = pages - done < BATCH ? (unsigned)(pages - done) : BATCH;
        int got = dom_populate(domid, done, n, m->mfns + done);

        if (got <= 0)
            return complain(why, "only %llu of %llu MiB could be had%s%s: use a smaller `memory`, or end another domain",
                            (unsigned long long)(done >> 8), (unsigned long long)(pages >> 8), got < 0 ? ", " : "",
                            got < 0 ? call_error(got) : "");
        done += (unsigned)got;
        if (!progress("getting memory", (unsigned)(done * 100 / pages)))
            return complain(why, OS_INTERRUPTED);
    }
    return 0;
}

void memory_close_window(struct memory *m)
{
    if (m->window)
        os_unmap(m->window, m->window_pages);
    m->window = NULL;
}

void memory_free(struct memory *m)
{
    memory_close_window(m);
    free(m->mfns);
    m->mfns = NULL;
}

void *memory_at(struct memory *m, uint64_t pfn, uint64_t *run, struct complaint *why)
{
    if (!m->window || pfn < m->window_pfn || pfn >= m->window_pfn + m->window_pages) {
        uint64_t first = pfn & ~(uint64_t)(WINDOW_PAGES - 1), left = m->pages - first;
        int rc;

        memory_close_window(m);
        if (pfn >= m->pages) {
            complain(why, "frame %#llx is past the domain's memory: this is a bug of the builder",
                     (unsigned long long)pfn);
            return NULL;
        }
        m->window_pfn = first;
        m->window_pages = left < WINDOW_PAGES ? (unsigned)left : WINDOW_PAGES;
        m->window = os_map(m->domid, m->mfns + first, m->window_pages, true, &rc);
        if (!m->window) {
            complain(why, "cannot map the new domain's memory: %s", call_error(rc));
            return NULL;
        }
    }
    *run = m->window_pfn + m->window_pages - pfn;
    return m->window + ((pfn - m->window_pfn) << PAGE_SHIFT);
}

/* The next piece of [to, to + left) that the window shows. */
static uint8_t *piece(struct memory *m, uint64_t to, uint64_t left, uint64_t *n, struct complaint *why)
{
    uint64_t run, offset = to & (PAGE_SIZE - 1);
    uint8_t *page = memory_at(m, to >> PAGE_SHIFT, &run, why);

    if (!page)
        return NULL;
    *n = (run << PAGE_SHIFT) - offset;
    if (*n > left)
        *n = left;
    return page + offset;
}

int memory_load(struct memory *m, uint64_t to, uint64_t size, struct image *im, uint64_t from, uint64_t len,
                build_progress *progress, const char *what, struct complaint *why)
{
    uint64_t done = 0, n;

    while (done < size) {
        uint8_t *at = piece(m, to + done, (done < len ? len : size) - done, &n, why);

        if (!at)
            return -1;
        if (done >= len)
            memset(at, 0, (size_t)n);
        else if (image_read(im, from + done, at, (size_t)n, why))
            return -1;
        done += n;
        if (!progress(what, (unsigned)(done * 100 / size)))
            return complain(why, OS_INTERRUPTED);
    }
    return 0;
}

int memory_write(struct memory *m, uint64_t to, const void *data, uint64_t len, struct complaint *why)
{
    const uint8_t *from = data;
    uint64_t n;

    for (; len; to += n, from += n, len -= n) {
        uint8_t *at = piece(m, to, len, &n, why);

        if (!at)
            return -1;
        memcpy(at, from, (size_t)n);
    }
    return 0;
}

int memory_clear(struct memory *m, uint64_t pfn, struct complaint *why)
{
    uint64_t run;
    void *page = memory_at(m, pfn, &run, why);

    if (!page)
        return -1;
    memset(page, 0, PAGE_SIZE);
    return 0;
}

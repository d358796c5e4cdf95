/* SPDX-License-Identifier: MIT */
/* hypercall_page.h: the page through which a guest calls. */
#ifndef ENSO_HYPERCALL_PAGE_H
#define ENSO_HYPERCALL_PAGE_H

/* Fills one page with 128 stubs of 32 bytes, stub n for hypercall n. Pure; page may be guest memory in the direct map. */
void hypercall_page_fill(void *page);

#endif

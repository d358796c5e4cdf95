/* SPDX-License-Identifier: MIT */
/* timepage.c: the page of uapi/timepage.h, in every process. The platform keeps its scale; the wall clock is ours. It is
 * entered when a process first reads it, so one that does not pays nothing. */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/timepage.h"

static struct time_page *page;

static int page_fault(struct vm_space *s, struct vm_area *a, uintptr_t va, bool write)
{
    return vm_install_page(s, va, page, VM_READ);
}

static int page_fork(struct vm_space *parent, struct vm_area *from, struct vm_space *child, struct vm_area *to) { return 0; }

static const struct vm_ops page_ops = { .fault = page_fault, .fork = page_fork };

void timepage_set_wall(void)
{
    if (page)
        __atomic_store_n(&page->wall_ns, wall_ns() - plat_clock_ns(), __ATOMIC_RELEASE);
}

void timepage_boot(void)
{
    page = page_alloc();
    if (page && plat_time_page(page)) {
        page_free(page);
        page = 0;
    }
    timepage_set_wall();
}

int timepage_map(struct vm_space *s)
{
    int rc = 0;
    struct vm_area *a = page ? vm_map(s, TIME_PAGE, PAGE_SIZE, VM_READ | VM_DEVICE, false, &rc) : 0;
    if (a)
        a->ops = &page_ops;
    return rc;
}

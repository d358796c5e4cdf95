/* SPDX-License-Identifier: MIT */
/* usercopy.c: the checked ways to and from user memory.
 *
 * A range is checked against USER_END here; what is mapped in it is the page-fault handler's business: a fault
 * inside user_copy is resolved like the program's own, and if it cannot be, the copy ends with -EFAULT.          */
#include "guest-kernel/kernel/usercopy.h"
#include "guest-kernel/kernel/vm.h"

static bool range_ok(uptr_t at, size_t n) { return at <= USER_END && n <= USER_END - at; }

int copy_from_user(void *to, uptr_t from, size_t n)
{
    if (!range_ok(from, n))
        return -EFAULT;
    plat_user_open();
    long rc = user_copy(to, (const void *)from, n);
    plat_user_close();
    return rc;
}

int copy_to_user(uptr_t to, const void *from, size_t n)
{
    if (!range_ok(to, n))
        return -EFAULT;
    plat_user_open();
    long rc = user_copy((void *)to, from, n);
    plat_user_close();
    return rc;
}

int clear_user(uptr_t to, size_t n)
{
    if (!range_ok(to, n))
        return -EFAULT;
    plat_user_open();
    long rc = user_clear((void *)to, n);
    plat_user_close();
    return rc;
}

long copy_string_from_user(char *to, uptr_t from, size_t size)
{
    if (!range_ok(from, 1))
        return -EFAULT;
    size_t n = MIN(size, USER_END - from);
    plat_user_open();
    long got = user_string(to, (const char *)from, n);
    plat_user_close();
    if (got < 0)
        return got;
    return got > 0 && to[got - 1] == 0 ? got - 1 : n < size ? -EFAULT : -ENAMETOOLONG;
}

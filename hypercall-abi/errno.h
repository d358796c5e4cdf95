/* SPDX-License-Identifier: MIT */
/* errno.h: XEN_EINVAL and the other errors of the interface as constants, from errno.def. They carry the
 * prefix because guests and programs have an EINVAL of their own. SPEC 4.2.                            */
#ifndef ENSO_ABI_ERRNO_H
#define ENSO_ABI_ERRNO_H

enum {
#define E(name, number, words) XEN_##name = number,
#define EA(name, same)         XEN_##name = XEN_##same,
#include "errno.def"
};

#endif

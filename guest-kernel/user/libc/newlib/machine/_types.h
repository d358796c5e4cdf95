/* SPDX-License-Identifier: MIT */
/* machine/_types.h: the widths that Novice gives to POSIX's small types.
 *
 * Newlib's defaults are those of a 16-bit machine (an inode number of 16 bits). This header stands
 * before Newlib's own of the same name, when Newlib is built and whenever it is used.            */
#ifndef _MACHINE__TYPES_H
#define _MACHINE__TYPES_H

#include <machine/_default_types.h>

#define __machine_dev_t_defined
typedef unsigned int __dev_t;

#define __machine_ino_t_defined
typedef unsigned long __ino_t;

#define __machine_uid_t_defined
typedef unsigned int __uid_t;

#define __machine_gid_t_defined
typedef unsigned int __gid_t;

#endif

/* SPDX-License-Identifier: MIT */
/* timepage.h: the kernel's side of uapi/timepage.h. */
#ifndef NOVICE_TIMEPAGE_H
#define NOVICE_TIMEPAGE_H

#include "guest-kernel/kernel/vm.h"
#include "guest-kernel/uapi/timepage.h"

void timepage_boot(void);
void timepage_set_wall(void);              /* the wall clock was set */
int  timepage_map(struct vm_space *s);     /* into a new program     */

#endif

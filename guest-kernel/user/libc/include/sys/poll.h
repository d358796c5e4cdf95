/* SPDX-License-Identifier: MIT */
/* sys/poll.h: the same as poll.h. */
#ifndef _NOVICE_SYS_POLL_H
#define _NOVICE_SYS_POLL_H

#include <poll.h>

#endif

/* SPDX-License-Identifier: MIT */
/* poll.h: waiting on several files. */
#ifndef _NOVICE_POLL_H
#define _NOVICE_POLL_H

#include "guest-kernel/uapi/poll.h"

typedef unsigned int nfds_t;

int poll(struct pollfd *fds, nfds_t count, int timeout_ms);

#endif

/* SPDX-License-Identifier: MIT */
/* poll.h: what poll asks and answers. */
#ifndef NOVICE_UAPI_POLL_H
#define NOVICE_UAPI_POLL_H

#define POLLIN   0x001
#define POLLPRI  0x002
#define POLLOUT  0x004
#define POLLERR  0x008
#define POLLHUP  0x010
#define POLLNVAL 0x020

struct pollfd {
    int   fd;             /* negative: left out */
    short events, revents;
};

#endif

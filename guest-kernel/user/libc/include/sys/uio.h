/* SPDX-License-Identifier: MIT */
/* sys/uio.h: buffers in several pieces. */
#ifndef _NOVICE_SYS_UIO_H
#define _NOVICE_SYS_UIO_H

#include <sys/types.h>

struct iovec { void *iov_base; size_t iov_len; };
#define IOV_MAX 64

/* Small ones are gathered into one call; large ones take one a piece. */
ssize_t readv(int fd, const struct iovec *pieces, int count);
ssize_t writev(int fd, const struct iovec *pieces, int count);

#endif

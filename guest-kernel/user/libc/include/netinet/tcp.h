/* SPDX-License-Identifier: MIT */
/* netinet/tcp.h: TCP's options are with the rest in uapi/net.h. */
#ifndef _NOVICE_NETINET_TCP_H
#define _NOVICE_NETINET_TCP_H

#include "guest-kernel/uapi/net.h"

#endif

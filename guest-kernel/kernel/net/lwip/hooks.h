/* SPDX-License-Identifier: MIT */
/* hooks.h: where lwIP asks the kernel to decide. */
#ifndef NOVICE_LWIP_HOOKS_H
#define NOVICE_LWIP_HOOKS_H

#include "lwip/ip_addr.h"

/* A connection's first sequence number: nobody who does not see the packets can guess it (RFC 6528). */
uint32_t net_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port);

#endif

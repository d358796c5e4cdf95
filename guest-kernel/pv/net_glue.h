/* SPDX-License-Identifier: MIT */
/* net_glue.h: starts the network's split drivers, once there is a store to find devices in. */
#ifndef NOVICE_PV_NET_GLUE_H
#define NOVICE_PV_NET_GLUE_H

#include <stdbool.h>

void net_glue_boot(bool dom0);

#endif

/* SPDX-License-Identifier: MIT */
/* sys/sysinfo.h: Novice's, for programs of its user space that are compiled for the host (tests/host/user_shim.h). */
#ifndef NOVICE_HOST_SYSINFO_H
#define NOVICE_HOST_SYSINFO_H

struct sysinfo { unsigned long uptime_ns, free_pages, total_pages, page_size; };

static inline int sysinfo(struct sysinfo *s)
{
    *s = (struct sysinfo){ 5000000000, 1000, 2000, 4096 };
    return 0;
}

#endif

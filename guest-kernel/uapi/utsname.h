/* SPDX-License-Identifier: MIT */
/* utsname.h: what uname and sysinfo answer. */
#ifndef NOVICE_UAPI_UTSNAME_H
#define NOVICE_UAPI_UTSNAME_H

#define _UTSNAME_LENGTH 65

struct utsname {
    char sysname[_UTSNAME_LENGTH];      /* "Novice"                          */
    char nodename[_UTSNAME_LENGTH];     /* sethostname, or hostname= at boot */
    char release[_UTSNAME_LENGTH];
    char version[_UTSNAME_LENGTH];      /* names the platform: native, or pv */
    char machine[_UTSNAME_LENGTH];      /* "x86_64"                          */
};

struct sysinfo {
    unsigned long uptime_ns, idle_ns;
    unsigned long total_pages, free_pages, page_size;
    unsigned long processes, context_switches, interrupts, page_faults, system_calls;
    unsigned long spare[6];
};

#endif

/* SPDX-License-Identifier: MIT */
/* user_shim.h: what programs of Novice's user space find in their libc and the host's lacks, or has otherwise. Included before them. */
#ifndef USER_SHIM_H
#define USER_SHIM_H

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

struct net_interface;

#define sniprintf  snprintf
#define vsniprintf vsnprintf
#define strlcpy    shim_strlcpy
static inline __attribute__((unused)) size_t shim_strlcpy(char *to, const char *from, size_t size)
{
    return (size_t)snprintf(to, size, "%s", from);
}
/* Formatted, and not shown. */
#define fiprintf(to, ...) do { char shim_said[600]; snprintf(shim_said, sizeof(shim_said), __VA_ARGS__); } while (0)

/* Novice's own of these names. */
#undef h_errno
#define h_errno       novice_h_errno
#define gethostbyname novice_gethostbyname
#define hstrerror     novice_hstrerror
#define getservbyname novice_getservbyname
#define getaddrinfo   novice_getaddrinfo
#define freeaddrinfo  novice_freeaddrinfo
#define gai_strerror  novice_gai_strerror
#define getnameinfo   novice_getnameinfo
struct addrinfo;
void freeaddrinfo(struct addrinfo *list);

#endif

/* SPDX-License-Identifier: MIT */
/* arpa/inet.h: addresses as text. */
#ifndef _NOVICE_ARPA_INET_H
#define _NOVICE_ARPA_INET_H

#include <netinet/in.h>

in_addr_t inet_addr(const char *text);
int inet_aton(const char *text, struct in_addr *out);
char *inet_ntoa(struct in_addr a);
int inet_pton(int family, const char *text, void *out);
const char *inet_ntop(int family, const void *a, char *text, socklen_t size);

#endif

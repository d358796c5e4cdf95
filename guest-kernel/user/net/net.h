/* SPDX-License-Identifier: MIT */
/* net.h: what the network's programs share. All of them are parts of box (box/box.h). */
#ifndef USER_NET_H
#define USER_NET_H

#include "guest-kernel/user/box/box.h"

#include <arpa/inet.h>
#include <netdb.h>

/* A host's address; says on stderr why there is none. */
bool find_host(const char *name, struct in_addr *out);
bool find_port(const char *text, in_port_t *out);
/* A stream to host and port, connected; -1, having said why. */
int  dial(const char *host, const char *port);
/* A stream that listens on all addresses; -1, having said why. */
int  listen_on(const char *port, int backlog);
/* All n bytes: false at an error or an early end. */
bool write_all(int fd, const void *data, size_t n);
bool read_all(int fd, void *data, size_t n);
long clock_ns(void);
/* Interface number `index`; false after the last. */
bool net_interface(int fd, unsigned index, struct net_interface *out);
bool net_interface_named(int fd, const char *name, struct net_interface *out);
int  net_socket(void);                   /* any, for ioctls; -1, having said why */

#endif

/* SPDX-License-Identifier: MIT */
/* sockets.h: connections within one process, for the cases of streams.c and datagrams.c. */
#ifndef USERTESTS_SOCKETS_H
#define USERTESTS_SOCKETS_H

#include <netinet/in.h>
#include <stdbool.h>

extern struct sockaddr_in address;               /* of whoever listens */
extern int client, server;                       /* both ends of make_pair's connection */
#define TO(a) (struct sockaddr *)(a), sizeof(*(a))

void set_address(int port);                      /* 127.0.0.1 and this port */
int  listener(int backlog);                      /* leaves its address in `address` */
int  dial_address(void);
void make_pair(void);
bool readable(int fd, int ms);
unsigned char pattern(long at);

#endif

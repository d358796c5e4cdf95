/* SPDX-License-Identifier: MIT */
/* netdb.h: names of machines: /etc/hosts first, then the servers of /etc/resolv.conf. */
#ifndef _NOVICE_NETDB_H
#define _NOVICE_NETDB_H

#include <netinet/in.h>

struct hostent {
    char  *h_name, **h_aliases;
    int    h_addrtype, h_length;
    char **h_addr_list;
};
#define h_addr h_addr_list[0]

struct servent { char *s_name, **s_aliases; int s_port; char *s_proto; };

#define HOST_NOT_FOUND 1
#define TRY_AGAIN      2
#define NO_RECOVERY    3
#define NO_DATA        4
extern int h_errno;
struct hostent *gethostbyname(const char *name);
const char *hstrerror(int error);
struct servent *getservbyname(const char *name, const char *protocol);

struct addrinfo {
    int              ai_flags, ai_family, ai_socktype, ai_protocol;
    socklen_t        ai_addrlen;
    struct sockaddr *ai_addr;
    char            *ai_canonname;
    struct addrinfo *ai_next;
};
#define AI_PASSIVE     1
#define AI_CANONNAME   2
#define AI_NUMERICHOST 4
#define AI_NUMERICSERV 0x400
#define NI_NUMERICHOST 1
#define NI_NUMERICSERV 2
#define EAI_BADFLAGS   (-1)
#define EAI_NONAME     (-2)
#define EAI_AGAIN      (-3)
#define EAI_FAIL       (-4)
#define EAI_FAMILY     (-6)
#define EAI_SERVICE    (-8)
#define EAI_MEMORY     (-10)
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out);
void freeaddrinfo(struct addrinfo *list);
const char *gai_strerror(int error);
int getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size, char *service, socklen_t service_size,
                int flags);

/* Novice's own: up to `room` addresses of a name; their number, or -TRY_AGAIN and such. `server` 0: those of /etc/resolv.conf. */
int resolve_name(const char *name, struct in_addr *out, int room, in_addr_t server);

#endif

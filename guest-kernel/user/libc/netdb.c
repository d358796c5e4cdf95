/* SPDX-License-Identifier: MIT */
/* netdb.c: from names to addresses. A name is a number, or stands in /etc/hosts, or is asked of a name server (RFC 1035): one
 * question by UDP, each server of /etc/resolv.conf in turn, three rounds. Answers are checked against the question, since
 * anybody can send a datagram. */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define SERVERS 4
#define ROOM    8
#define PACKET  512

int h_errno;

/* ---- Files ---- */

static int from_hosts(const char *name, struct in_addr *out)
{
    char line[256], *rest;
    FILE *f = fopen("/etc/hosts", "r");
    int found = 0;

    while (f && !found && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "#\n")] = '\0';
        char *word = strtok_r(line, " \t", &rest);

        if (!word || !inet_pton(AF_INET, word, out))
            continue;
        while ((word = strtok_r(NULL, " \t", &rest)))
            found |= strcasecmp(word, name) == 0;
    }
    if (f)
        fclose(f);
    return found;
}

/* The servers, and the domain to try short names in. */
static int read_resolv(in_addr_t *server, char *domain, size_t size)
{
    char line[256], *rest;
    FILE *f = fopen("/etc/resolv.conf", "r");
    int count = 0;

    domain[0] = '\0';
    while (f && fgets(line, sizeof(line), f)) {
        char *key = strtok_r(line, " \t\n", &rest), *value = strtok_r(NULL, " \t\n", &rest);
        struct in_addr a;

        if (!key || !value)
            continue;
        if (strcmp(key, "nameserver") == 0 && count < SERVERS && inet_pton(AF_INET, value, &a))
            server[count++] = a.s_addr;
        if (strcmp(key, "search") == 0 || strcmp(key, "domain") == 0)
            strlcpy(domain, value, size);
    }
    if (f)
        fclose(f);
    return count;
}

/* ---- One question ---- */

/* A header and the question, type A: its length, 0 if the name is none. */
static size_t make_query(unsigned char *q, const char *name, uint16_t id)
{
    size_t at = 12;

    memset(q, 0, PACKET);
    q[0] = id >> 8;
    q[1] = id & 255;
    q[2] = 1;                            /* recursion desired */
    q[5] = 1;
    while (*name) {
        size_t n = strcspn(name, ".");

        if (n == 0 || n > 63 || at + n > 255 + 12)
            return 0;
        q[at++] = (unsigned char)n;
        memcpy(q + at, name, n);
        at += n;
        name += n + (name[n] == '.');
    }
    at++;
    q[at + 1] = 1;
    q[at + 3] = 1;
    return at + 4;
}

/* Past a name in an answer; 0: it leaves the packet. */
static size_t skip_name(const unsigned char *p, size_t at, size_t size)
{
    while (at < size && p[at] && p[at] < 0xc0)
        at += p[at] + 1u;
    at += at < size && p[at] >= 0xc0 ? 2 : 1;
    return at <= size ? at : 0;
}

static int number(const unsigned char *p)
{
    return p[0] << 8 | p[1];
}

/* The addresses in an answer, -HOST_NOT_FOUND and such, or 0: not an answer to this question. */
static int read_answer(const unsigned char *p, size_t size, const unsigned char *query, size_t asked, struct in_addr *out, int room)
{
    int found = 0;
    size_t at = asked;

    if (size < asked || p[0] != query[0] || p[1] != query[1] || !(p[2] & 0x80) || number(p + 4) != 1)
        return 0;
    for (size_t i = 12; i < asked; i++)
        if ((p[i] | 0x20) != (query[i] | 0x20))
            return 0;
    if ((p[3] & 15) == 3)
        return -HOST_NOT_FOUND;
    if ((p[3] & 15) != 0)
        return -TRY_AGAIN;
    for (int i = number(p + 6); i > 0 && found < room; i--) {
        at = skip_name(p, at, size);
        if (!at || at + 10 > size)
            break;
        size_t length = (size_t)number(p + at + 8);

        if (at + 10 + length > size)
            break;
        if (number(p + at) == 1 && number(p + at + 2) == 1 && length == 4)
            memcpy(&out[found++], p + at + 10, 4);
        at += 10 + length;
    }
    return found ? found : -NO_DATA;
}

static long now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static uint16_t query_id(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint16_t)((unsigned long)t.tv_nsec * 2654435761u >> 8 ^ (unsigned)getpid());
}

/* Asks one server and waits; the socket is connected, so only that server is heard. */
static int ask(in_addr_t server, const char *name, struct in_addr *out, int room, int wait_ms)
{
    static unsigned char query[PACKET], answer[PACKET];
    struct sockaddr_in to = { AF_INET, htons(53), { server }, { 0 } };
    size_t size = make_query(query, name, query_id());
    int fd = size ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1, rc = size ? -TRY_AGAIN : -HOST_NOT_FOUND;
    long end = now_ms() + wait_ms;

    if (fd < 0)
        return rc;
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 && send(fd, query, size, 0) == (ssize_t)size) {
        struct pollfd p = { fd, POLLIN, 0 };
        int got = 0;

        while (got == 0 && now_ms() < end && poll(&p, 1, (int)(end - now_ms())) > 0) {
            ssize_t n = recv(fd, answer, sizeof(answer), MSG_DONTWAIT);

            if (n > 0)
                got = read_answer(answer, (size_t)n, query, size, out, room);
        }
        rc = got ? got : -TRY_AGAIN;
    }
    close(fd);
    return rc;
}

static int ask_all(const in_addr_t *server, int count, const char *name, struct in_addr *out, int room)
{
    int rc = -TRY_AGAIN;

    for (int round = 0; round < 3; round++)
        for (int i = 0; i < count; i++) {
            rc = ask(server[i], name, out, room, 1500 << round);
            if (rc != -TRY_AGAIN)
                return rc;
        }
    return rc;
}

int resolve_name(const char *name, struct in_addr *out, int room, in_addr_t wanted)
{
    in_addr_t server[SERVERS];
    char domain[128], full[320];

    if (inet_aton(name, out))
        return 1;
    if (!wanted && from_hosts(name, out))
        return 1;
    int count = read_resolv(server, domain, sizeof(domain));

    if (wanted) {
        server[0] = wanted;
        count = 1;
    }
    if (!count || !*name || strlen(name) > 253)
        return *name ? -HOST_NOT_FOUND : -NO_RECOVERY;
    if (!strchr(name, '.') && domain[0]) {
        sniprintf(full, sizeof(full), "%s.%s", name, domain);
        int rc = ask_all(server, count, full, out, room);

        if (rc > 0)
            return rc;
    }
    return ask_all(server, count, name, out, room);
}

/* ---- The two interfaces that programs know ---- */

struct hostent *gethostbyname(const char *name)
{
    static struct in_addr address[ROOM];
    static char *list[ROOM + 1], *aliases[1], kept[256];
    static struct hostent host;
    int n = resolve_name(name, address, ROOM, 0);

    if (n <= 0) {
        h_errno = -n;
        return NULL;
    }
    strlcpy(kept, name, sizeof(kept));
    for (int i = 0; i <= n; i++)
        list[i] = i < n ? (char *)&address[i] : NULL;
    host = (struct hostent){ kept, aliases, AF_INET, sizeof(address[0]), list };
    return &host;
}

const char *hstrerror(int error)
{
    return error == TRY_AGAIN ? "no name server answers" : error == NO_DATA ? "the name has no address" : "no such host";
}

struct servent *getservbyname(const char *name, const char *protocol)
{
    static const struct { const char *name; int port; } known[] = {
        { "echo", 7 }, { "ftp", 21 }, { "ssh", 22 }, { "telnet", 23 }, { "domain", 53 }, { "tftp", 69 }, { "http", 80 },
        { "ntp", 123 }, { "https", 443 },
    };
    static struct servent found;
    static char *aliases[1];

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i].name, name) == 0) {
            found = (struct servent){ (char *)known[i].name, aliases, htons((uint16_t)known[i].port), (char *)(protocol ? protocol : "tcp") };
            return &found;
        }
    return NULL;
}

static int service_port(const char *service, in_port_t *port)
{
    char *end;
    unsigned long n = strtoul(service, &end, 10);
    struct servent *known;

    if (*service && !*end && n < 65536)
        *port = htons((uint16_t)n);
    else if ((known = getservbyname(service, NULL)))
        *port = (in_port_t)known->s_port;
    else
        return EAI_SERVICE;
    return 0;
}

static struct addrinfo *one_result(struct in_addr address, in_port_t port, const struct addrinfo *hints)
{
    struct { struct addrinfo info; struct sockaddr_in address; } *made = calloc(1, sizeof(*made));

    if (!made)
        return NULL;
    made->address = (struct sockaddr_in){ AF_INET, port, address, { 0 } };
    made->info.ai_family = AF_INET;
    made->info.ai_socktype = hints && hints->ai_socktype ? hints->ai_socktype : SOCK_STREAM;
    made->info.ai_protocol = hints ? hints->ai_protocol : 0;
    made->info.ai_addrlen = sizeof(made->address);
    made->info.ai_addr = (struct sockaddr *)&made->address;
    return &made->info;
}

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints, struct addrinfo **out)
{
    struct in_addr address[ROOM] = { { 0 } };
    in_port_t port = 0;
    int flags = hints ? hints->ai_flags : 0, n = 1;

    if (hints && hints->ai_family != AF_UNSPEC && hints->ai_family != AF_INET)
        return EAI_FAMILY;
    if (!node && !service)
        return EAI_NONAME;
    if (service && service_port(service, &port))
        return EAI_SERVICE;
    if (!node)
        address[0].s_addr = flags & AI_PASSIVE ? INADDR_ANY : htonl(INADDR_LOOPBACK);
    else if (flags & AI_NUMERICHOST)
        n = inet_aton(node, &address[0]) ? 1 : -HOST_NOT_FOUND;
    else
        n = resolve_name(node, address, ROOM, 0);
    if (n <= 0)
        return n == -TRY_AGAIN ? EAI_AGAIN : EAI_NONAME;
    *out = NULL;
    while (n-- > 0) {
        struct addrinfo *made = one_result(address[n], port, hints);

        if (!made) {
            freeaddrinfo(*out);
            return EAI_MEMORY;
        }
        made->ai_next = *out;
        *out = made;
    }
    if (node && (flags & AI_CANONNAME))
        (*out)->ai_canonname = strdup(node);
    return 0;
}

void freeaddrinfo(struct addrinfo *list)
{
    while (list) {
        struct addrinfo *next = list->ai_next;

        free(list->ai_canonname);
        free(list);
        list = next;
    }
}

const char *gai_strerror(int error)
{
    switch (error) {
    case EAI_AGAIN:   return "no name server answers";
    case EAI_NONAME:  return "no such host";
    case EAI_SERVICE: return "no such service";
    case EAI_FAMILY:  return "no such kind of address here";
    case EAI_MEMORY:  return "not enough memory";
    default:          return "the name cannot be found";
    }
}

int getnameinfo(const struct sockaddr *address, socklen_t size, char *host, socklen_t host_size, char *service, socklen_t service_size,
                int flags)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)address;

    (void)flags;                         /* always numbers */
    if (size < sizeof(*in) || in->sin_family != AF_INET)
        return EAI_FAMILY;
    if (host && host_size)
        inet_ntop(AF_INET, &in->sin_addr, host, host_size);
    if (service && service_size)
        sniprintf(service, service_size, "%d", ntohs(in->sin_port));
    return 0;
}

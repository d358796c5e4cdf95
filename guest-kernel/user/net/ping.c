/* SPDX-License-Identifier: MIT */
/* ping.c: ping asks a machine whether it is there, once a second, by ICMP; host asks for a name's addresses. */
#include "guest-kernel/user/net/net.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct echo { uint8_t type, code; uint16_t sum, id, sequence; int64_t sent; char fill[1400]; };

static struct {
    int      fd, sent, received;
    size_t   size;
    uint16_t id;
    long     best, worst, total;
    struct sockaddr_in to;
} ping;

static volatile sig_atomic_t enough;

static void on_interrupt(int sig)
{
    (void)sig;
    enough = 1;
}

static uint16_t sum_of(const void *data, size_t n)
{
    const uint8_t *b = data;
    uint32_t sum = 0;

    for (size_t i = 0; i + 1 < n; i += 2)
        sum += (uint32_t)(b[i] << 8 | b[i + 1]);
    if (n & 1)
        sum += (uint32_t)b[n - 1] << 8;
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return htons((uint16_t)~sum);
}

static void ask(void)
{
    static struct echo e;

    e = (struct echo){ .type = 8, .id = ping.id, .sequence = htons((uint16_t)++ping.sent), .sent = clock_ns() };
    e.sum = sum_of(&e, 8 + ping.size);
    if (sendto(ping.fd, &e, 8 + ping.size, 0, (struct sockaddr *)&ping.to, sizeof(ping.to)) < 0)
        fail("send");
}

/* One packet that came in: an answer to us, or somebody else's. */
static void hear(void)
{
    static unsigned char packet[2048];
    struct sockaddr_in from;
    socklen_t size = sizeof(from);
    ssize_t n = recvfrom(ping.fd, packet, sizeof(packet), MSG_DONTWAIT, (struct sockaddr *)&from, &size);
    size_t header = n > 0 ? (size_t)(packet[0] & 15) * 4 : 0;
    struct echo e;

    if (n < (ssize_t)(header + 16))
        return;
    memcpy(&e, packet + header, 16);
    if (e.type != 0 || e.id != ping.id)
        return;
    long took = (clock_ns() - e.sent) / 1000;

    ping.received++;
    ping.total += took;
    ping.best = ping.received == 1 || took < ping.best ? took : ping.best;
    ping.worst = took > ping.worst ? took : ping.worst;
    iprintf("%d bytes from %s: icmp_seq=%d ttl=%d time=%ld.%03ld ms\n", (int)(n - (ssize_t)header), inet_ntoa(from.sin_addr),
            ntohs(e.sequence), packet[8], took / 1000, took % 1000);
    fflush(stdout);
}

static void listen_until(long end, int wanted)
{
    struct pollfd p = { ping.fd, POLLIN, 0 };

    while (!enough && ping.received < wanted && clock_ns() < end)
        if (poll(&p, 1, (int)((end - clock_ns()) / 1000000) + 1) > 0)
            hear();
}

static int summary(const char *host)
{
    iprintf("--- %s: %d sent, %d received, %d%% lost\n", host, ping.sent, ping.received,
            ping.sent ? (ping.sent - ping.received) * 100 / ping.sent : 0);
    if (ping.received) {
        long mean = ping.total / ping.received;

        iprintf("round trip min/avg/max = %ld.%03ld/%ld.%03ld/%ld.%03ld ms\n", ping.best / 1000, ping.best % 1000, mean / 1000,
                mean % 1000, ping.worst / 1000, ping.worst % 1000);
    }
    return ping.received == 0;
}

int ping_main(int argc, char **argv)
{
    int option, count = -1, wait = 1;

    ping.size = 56;
    while ((option = getopt(argc, argv, "c:s:W:")) != -1) {
        if (option == '?')
            return usage("[-c COUNT] [-s BYTES] [-W SECONDS] HOST");
        *(option == 'c' ? &count : option == 'W' ? &wait : (int *)&ping.size) = atoi(optarg);
    }
    if (optind + 1 != argc || ping.size < 8 || ping.size > 1400)
        return usage("[-c COUNT] [-s BYTES] [-W SECONDS] HOST");
    ping.to.sin_family = AF_INET;
    if (!find_host(argv[optind], &ping.to.sin_addr))
        return 1;
    ping.fd = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (ping.fd < 0)
        return fail("socket");
    ping.id = htons((uint16_t)getpid());
    signal(SIGINT, on_interrupt);
    iprintf("ping %s (%s): %d bytes\n", argv[optind], inet_ntoa(ping.to.sin_addr), (int)ping.size);
    fflush(stdout);
    for (long next = clock_ns(); !enough && ping.sent != count; next += 1000000000) {
        ask();
        listen_until(ping.sent == count ? clock_ns() + wait * 1000000000l : next + 1000000000, ping.sent == count ? count : 1 << 30);
    }
    return summary(argv[optind]);
}

int host_main(int argc, char **argv)
{
    struct in_addr found[8], server = { 0 };

    if (argc < 2 || argc > 3)
        return usage("NAME [SERVER]");
    if (argc == 3 && !find_host(argv[2], &server))
        return 1;
    int n = resolve_name(argv[1], found, 8, server.s_addr);

    if (n <= 0) {
        fiprintf(stderr, "%s: %s: %s\n", box_name, argv[1], hstrerror(-n));
        return 1;
    }
    for (int i = 0; i < n; i++)
        iprintf("%s has address %s\n", argv[1], inet_ntoa(found[i]));
    return 0;
}

int nslookup_main(int argc, char **argv)
{
    return host_main(argc, argv);
}

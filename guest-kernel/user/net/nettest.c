/* SPDX-License-Identifier: MIT */
/* nettest.c: how fast the network is.
 *
 *     nettest -s [PORT]                                      serves (5201)
 *     nettest -c HOST [-p PORT] [-u] [-r COUNT] [ns|instructions] [MiB]    asks: a stream out, a stream in, round trips of 64 bytes;
 *                                                            -u: UDP; -r: so many round trips and nothing else
 * A request is one line: "out BYTES", "in BYTES", "echo COUNT" (answers 64 bytes with 64), "udp PORT BYTES" (counts datagrams that
 * the server hears, tells when the stream ends). Results are lines for people and BENCH lines for tests/bench: time in ns (or
 * instructions, where the TSC counts those) for 64 KiB of a stream and for a round trip.                          */
#include "guest-kernel/user/net/net.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE    65536
#define TRIPS    1000
#define TRIPS_MOST 100000
#define DATAGRAM 1400

static char block[PIECE];
static bool instructions;                /* what the clock counts */

static long now(void)
{
    uint32_t low, high;

    if (!instructions)
        return clock_ns();
    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) :: "memory");
    return (long)((uint64_t)high << 32 | low);
}

static bool send_bytes(int fd, long n)
{
    for (; n > 0; n -= PIECE)
        if (!write_all(fd, block, (size_t)(n < PIECE ? n : PIECE)))
            return false;
    return true;
}

static long receive_bytes(int fd, long n)
{
    long done = 0;

    while (done < n) {
        ssize_t got = read(fd, block, (size_t)(n - done < PIECE ? n - done : PIECE));

        if (got <= 0)
            break;
        done += got;
    }
    return done;
}

/* ---- The server's end: a process for each connection ---- */

static bool read_line(int fd, char *line, size_t size)
{
    size_t n = 0;

    while (n + 1 < size && read(fd, line + n, 1) == 1)
        if (line[n++] == '\n') {
            line[n - 1] = '\0';
            return true;
        }
    return false;
}

/* Counts datagrams until the client ends its stream, and says how many. */
static void serve_udp(int fd)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof(at);
    int u = net_socket();
    long count = 0;
    char line[32];

    if (u < 0 || bind(u, (struct sockaddr *)&at, sizeof(at)) < 0 || getsockname(u, (struct sockaddr *)&at, &size) < 0)
        return;
    write_all(fd, line, (size_t)sniprintf(line, sizeof(line), "%d\n", ntohs(at.sin_port)));
    struct pollfd p[2] = { { u, POLLIN, 0 }, { fd, POLLIN, 0 } };

    while (poll(p, 2, 10000) > 0 && !(p[1].revents && !p[0].revents))
        while (recv(u, block, PIECE, MSG_DONTWAIT) > 0)
            count++;
    write_all(fd, line, (size_t)sniprintf(line, sizeof(line), "%ld\n", count));
}

static void serve_one(int fd)
{
    char line[64];
    int yes = 1;

    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    if (!read_line(fd, line, sizeof(line)))
        return;
    char *number = strchr(line, ' ');
    long n = number ? atol(number) : 0;

    if (strncmp(line, "out ", 4) == 0 && receive_bytes(fd, n) == n)
        write_all(fd, "ok\n", 3);
    else if (strncmp(line, "in ", 3) == 0)
        send_bytes(fd, n);
    else if (strncmp(line, "echo ", 5) == 0)
        while (n-- > 0 && read_all(fd, block, 64) && write_all(fd, block, 64))
            ;
    else if (strncmp(line, "udp", 3) == 0)
        serve_udp(fd);
}

static int serve(const char *port)
{
    int l = listen_on(port, 16);

    if (l < 0)
        return 1;
    iprintf("nettest: listening on port %s\n", port);
    fflush(stdout);
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int fd = accept(l, NULL, NULL);

        if (fd < 0)
            return fail("accept");
        if (fork() == 0) {
            close(l);
            serve_one(fd);
            _exit(0);
        }
        close(fd);
    }
}

/* ---- The client's ---- */

static int request(const char *host, const char *port, const char *word, long n)
{
    char line[64];
    int fd = dial(host, port), yes = 1;

    if (fd < 0)
        return -1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    write_all(fd, line, (size_t)sniprintf(line, sizeof(line), "%s %ld\n", word, n));
    return fd;
}

static void report(const char *row, long value)
{
    iprintf("BENCH net %s,%s,%ld\n", row, instructions ? "instructions" : "ns", value);
    fflush(stdout);
}

static void report_stream(const char *row, long bytes, long took)
{
    if (!instructions && took > 0)
        iprintf("%s: %ld KiB/s (%ld MiB in %ld ms)\n", row, bytes / 1024 * 1000 / (took / 1000000 + 1), bytes >> 20, took / 1000000);
    report(row, took / (bytes / PIECE));
}

static int stream_out(const char *host, const char *port, long bytes)
{
    int fd = request(host, port, "out", bytes);
    long from = now();

    if (fd < 0)
        return 1;
    if (!send_bytes(fd, bytes) || !read_all(fd, block, 3) || memcmp(block, "ok\n", 3))
        return fail("stream out");
    report_stream("tcp stream out", bytes, now() - from);
    close(fd);
    return 0;
}

static int stream_in(const char *host, const char *port, long bytes)
{
    long from = now();
    int fd = request(host, port, "in", bytes);

    if (fd < 0)
        return 1;
    if (receive_bytes(fd, bytes) != bytes)
        return fail("stream in");
    report_stream("tcp stream in", bytes, now() - from);
    close(fd);
    return 0;
}

static int by_value(const void *a, const void *b)
{
    long x = *(const long *)a, y = *(const long *)b;

    return (x > y) - (x < y);
}

static int round_trips(const char *host, const char *port, int trips)
{
    long *took = calloc((size_t)trips, sizeof(*took));
    int fd = request(host, port, "echo", trips);

    if (fd < 0 || !took)
        return 1;
    for (int i = 0; i < trips; i++) {
        long from = now();

        if (!write_all(fd, block, 64) || !read_all(fd, block, 64))
            return fail("round trips");
        took[i] = now() - from;
    }
    close(fd);
    qsort(took, (size_t)trips, sizeof(took[0]), by_value);
    if (!instructions)
        iprintf("tcp round trip 64 bytes: min %ld, median %ld, 99%% %ld, max %ld us\n", took[0] / 1000, took[trips / 2] / 1000,
                took[(long)trips * 99 / 100] / 1000, took[trips - 1] / 1000);
    report("tcp round trip 64 bytes", took[trips / 2]);
    free(took);
    return 0;
}

static int datagrams(const char *host, const char *port, long bytes)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd = request(host, port, "udp", bytes), u = net_socket();
    long count = bytes / DATAGRAM, heard;
    char line[32];

    if (fd < 0 || u < 0 || !read_line(fd, line, sizeof(line)) || !find_host(host, &to.sin_addr))
        return 1;
    to.sin_port = htons((uint16_t)atoi(line));
    if (connect(u, (struct sockaddr *)&to, sizeof(to)) < 0)
        return fail(host);
    long from = now();

    for (long i = 0; i < count; i++)
        if (send(u, block, DATAGRAM, 0) < 0 && errno != ENOBUFS)
            return fail("datagram");
    long took = now() - from;

    usleep(200000);                      /* what is under way */
    shutdown(fd, SHUT_WR);
    heard = read_line(fd, line, sizeof(line)) ? atol(line) : 0;
    iprintf("udp: %ld of %ld datagrams of %d bytes heard\n", heard, count, DATAGRAM);
    report("udp datagram out", count ? took / count : 0);
    return 0;
}

int nettest_main(int argc, char **argv)
{
    static const char how[] = "-s [PORT]  |  -c HOST [-p PORT] [-u] [-r COUNT] [ns|instructions] [MiB]";
    const char *host = NULL, *port = "5201";
    bool server = false, udp = false, good;
    long mib = 16, trips = 0;
    int option;

    while ((option = getopt(argc, argv, "suc:p:r:")) != -1)
        switch (option) {
        case 's': server = true; break;
        case 'u': udp = true; break;
        case 'c': host = optarg; break;
        case 'p': port = optarg; break;
        case 'r': trips = parse_number(optarg, &good); if (!good || trips < 1 || trips > TRIPS_MOST) return usage(how); break;
        default:  return usage(how);
        }
    signal(SIGPIPE, SIG_IGN);
    if (server)
        return serve(optind < argc ? argv[optind] : port);
    for (; optind < argc; optind++) {
        instructions |= strcmp(argv[optind], "instructions") == 0;
        if (argv[optind][0] >= '0' && argv[optind][0] <= '9')
            mib = parse_number(argv[optind], &good);
    }
    if (!host || mib < 1)
        return usage(how);
    if (udp)
        return datagrams(host, port, mib << 20);
    if (trips)
        return round_trips(host, port, (int)trips);
    return stream_out(host, port, mib << 20) || stream_in(host, port, mib << 20) || round_trips(host, port, TRIPS);
}

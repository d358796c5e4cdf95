/* SPDX-License-Identifier: MIT */
/* nc.c: nc joins the standard input and output to a connection, either way round; -e joins a command to it instead, -v
 * says when it listens, for those who must wait for that. */
#include "guest-kernel/user/net/net.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char how[] = "[-u] [-w SECONDS] HOST PORT  |  nc -l [-u] [-k] [-v] [-e COMMAND] [-p] PORT";
static int idle_limit = -1;              /* milliseconds */
static bool talks;

/* Moves what has come: 1, 0 at the end, -1 at an error. */
static int move(int from, int to)
{
    static char block[16384];
    ssize_t n = read(from, block, sizeof(block));

    if (n > 0 && !write_all(to, block, (size_t)n))
        n = -1;
    return n > 0 ? 1 : (int)n;
}

static void say_listening(const char *port)
{
    if (talks)
        dprintf(2, "nc: listening on port %s\n", port);
}

/* Until the other side has ended; our own end is passed on as one. */
static int join(int fd)
{
    struct pollfd p[2] = { { 0, POLLIN, 0 }, { fd, POLLIN, 0 } };

    for (;;) {
        int n = poll(p, 2, idle_limit);

        if (n == 0)
            return 1;
        if (n < 0 && errno != EINTR)
            return fail("poll");
        if (p[1].revents) {
            int moved = move(fd, 1);

            if (moved <= 0)
                return moved < 0 ? fail("connection") : 0;
        }
        if (p[0].revents && move(0, fd) <= 0) {
            p[0].fd = -1;
            shutdown(fd, SHUT_WR);
        }
    }
}

static void run_command(int fd, char *command)
{
    signal(SIGCHLD, SIG_IGN);
    if (fork() != 0)
        return;
    dup2(fd, 0);
    dup2(fd, 1);
    close(fd);
    signal(SIGCHLD, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command, (char *)NULL);
    _exit(127);
}

static int serve(const char *port, bool again, char *command)
{
    int l = listen_on(port, 16), status = 0;

    if (l < 0)
        return 1;
    say_listening(port);
    do {
        int fd = accept(l, NULL, NULL);

        if (fd < 0)
            return fail("accept");
        if (command)
            run_command(fd, command);
        else
            status = join(fd);
        close(fd);
    } while (again);
    if (command)
        wait(NULL);
    return status;
}

/* A datagram socket that hears first who speaks to it. */
static int serve_udp(const char *port)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof(at);
    int fd = net_socket();
    char c;

    if (fd < 0 || !find_port(port, &at.sin_port))
        return 1;
    if (bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
        return fail(port);
    say_listening(port);
    if (recvfrom(fd, &c, 1, MSG_PEEK, (struct sockaddr *)&at, &size) < 0 || connect(fd, (struct sockaddr *)&at, size) < 0)
        return fail("receive");
    return join(fd);
}

static int call_udp(const char *host, const char *port)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    int fd = net_socket();

    if (fd < 0 || !find_host(host, &to.sin_addr) || !find_port(port, &to.sin_port))
        return 1;
    return connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0 ? fail(host) : join(fd);
}

int nc_main(int argc, char **argv)
{
    bool server = false, udp = false, again = false;
    char *command = NULL;
    int option;

    while ((option = getopt(argc, argv, "+lukvpw:e:")) != -1)
        switch (option) {
        case 'l': server = true; break;
        case 'u': udp = true; break;
        case 'k': again = true; break;
        case 'v': talks = true; break;
        case 'p': break;                 /* the port follows anyway */
        case 'w': idle_limit = atoi(optarg) * 1000; break;
        case 'e': command = optarg; break;
        default:  return usage(how);
        }
    if (argc - optind != (server ? 1 : 2))
        return usage(how);
    signal(SIGPIPE, SIG_IGN);
    if (server)
        return udp ? serve_udp(argv[optind]) : serve(argv[optind], again, command);
    if (udp)
        return call_udp(argv[optind], argv[optind + 1]);
    int fd = dial(argv[optind], argv[optind + 1]);

    return fd < 0 ? 1 : join(fd);
}

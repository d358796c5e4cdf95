/* SPDX-License-Identifier: MIT */
/* brctl.c: the kernel's bridges, through /dev/bridge.
 *
 *     brctl show | showmacs BRIDGE | addbr BRIDGE | delbr BRIDGE | addif BRIDGE INTERFACE... | delif BRIDGE INTERFACE...   */
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int failed(const char *verb, const char *bridge, const char *interface)
{
    const char *why = strerror(errno);
    if (errno == EEXIST)
        why = interface ? "it is a port of it already" : "there is an interface of that name already";
    else if (errno == ENODEV)
        why = interface ? "there is no such bridge or interface" : "there is no such bridge";
    else if (errno == EBUSY)
        why = "it has an address or is in another bridge";
    else if (errno == EINVAL)
        why = interface ? "that is no port for it, or none of its ports" : "that is no name for a bridge, or no bridge";
    fiprintf(stderr, "brctl: %s %s%s%s: %s\n", verb, bridge, interface ? " " : "", interface ? interface : "", why);
    return 1;
}

/* One command to the kernel. */
static int tell(int fd, const char *verb, const char *bridge, const char *interface)
{
    char line[80];
    int n = sniprintf(line, sizeof(line), "%s %s %s", verb, bridge, interface ? interface : "");
    if (!interface && n > 0 && n < (int)sizeof(line))
        line[--n] = 0;
    if (n < 0 || n >= (int)sizeof(line)) {
        errno = EINVAL;
        return failed(verb, bridge, interface);
    }
    return write(fd, line, (size_t)n) < 0 ? failed(verb, bridge, interface) : 0;
}

/* The bridge's interfaces, by the kernel's list: a line with its name, and what stands alone on the lines below. */
static bool has_ports(int fd, const char *bridge)
{
    char buf[4096], first[40], second[40], third[40], *rest;
    bool ours = false;
    ssize_t n = read(fd, buf, sizeof(buf) - 1);

    buf[n > 0 ? n : 0] = '\0';
    for (char *line = strtok_r(buf, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        int words = siscanf(line, "%39s %39s %39s", first, second, third);

        if (words >= 2)
            ours = strcmp(first, bridge) == 0;
        if (ours && (words == 1 || words == 3))
            return true;
    }
    return false;
}

static int show(int fd, const char *bridge)
{
    char buf[4096];
    ssize_t n;
    while ((n = read(fd, buf, sizeof(buf))) > 0)
        fwrite(buf, 1, (size_t)n, stdout);
    return n < 0 ? failed("showmacs", bridge ? bridge : "", 0) : 0;
}

int brctl_main(int argc, char **argv)
{
    const char *verb = argc > 1 ? argv[1] : "show";
    int fd = open("/dev/bridge", O_RDWR), rc = 0;
    if (fd < 0) {
        fiprintf(stderr, "brctl: /dev/bridge: %s\n", strerror(errno));
        return 1;
    }
    if (!strcmp(verb, "show") && argc <= 2)
        return show(fd, 0);
    if (argc == 3 && !strcmp(verb, "showmacs"))
        return tell(fd, verb, argv[2], 0) || show(fd, argv[2]);
    if (argc == 3 && !strcmp(verb, "delbr") && has_ports(fd, argv[2])) {
        fiprintf(stderr, "brctl: delbr %s: it joins interfaces still (`brctl show`); `brctl delif %s INTERFACE...` takes them out first\n",
                 argv[2], argv[2]);
        return 1;
    }
    if (argc == 3 && (!strcmp(verb, "addbr") || !strcmp(verb, "delbr")))
        return tell(fd, verb, argv[2], 0);
    if (argc < 4 || (strcmp(verb, "addif") && strcmp(verb, "delif")))
        return usage("brctl show | showmacs BRIDGE | addbr BRIDGE | delbr BRIDGE | addif|delif BRIDGE INTERFACE...");
    for (int i = 3; i < argc; i++)
        rc |= tell(fd, verb, argv[2], argv[i]);
    return rc;
}

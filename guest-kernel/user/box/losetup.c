/* SPDX-License-Identifier: MIT */
/* losetup.c: files as block devices: attached, listed, detached. */
#include "guest-kernel/uapi/loop.h"
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int control(unsigned long cmd, struct loop_request *q)
{
    int fd = open("/dev/loop-control", O_RDWR), rc = fd < 0 ? -1 : ioctl(fd, cmd, q), err = errno;

    if (fd >= 0)
        close(fd);
    if (rc < 0)
        fprintf(stderr, "losetup: %s\n", q->why[0] ? q->why : strerror(err));
    else if (cmd == LOOP_ATTACH)
        printf("/dev/%s\n", q->name);
    return rc < 0;
}

static int list(void)
{
    char line[512];
    FILE *f = fopen("/proc/loops", "r");

    while (f && fgets(line, sizeof(line), f))
        fputs(line, stdout);
    if (f)
        fclose(f);
    return !f;
}

int losetup_main(int argc, char **argv)
{
    struct loop_request q = { .format = LOOP_AUTO };             /* by the name: what is in it, a guest may have written */
    int c;

    while ((c = getopt(argc, argv, "rt:d:")) != -1) {
        if (c == 'r') {
            q.read_only = 1;
        } else if (c == 't') {
            q.format = strcmp(optarg, "raw") == 0 ? LOOP_RAW : LOOP_QCOW2;
        } else if (c == 'd') {
            const char *name = strncmp(optarg, "/dev/", 5) == 0 ? optarg + 5 : optarg;
            snprintf(q.name, sizeof(q.name), "%s", name);
            return control(LOOP_DETACH, &q);
        } else {
            return usage("[-r] [-t raw|qcow2] FILE | -d loopN | alone: lists them");
        }
    }
    if (optind == argc)
        return list();
    snprintf(q.path, sizeof(q.path), "%s", argv[optind]);
    if (q.format == LOOP_AUTO) {
        size_t n = strlen(q.path);
        q.format = n > 6 && strcmp(q.path + n - 6, ".qcow2") == 0 ? LOOP_QCOW2 : LOOP_RAW;
    }
    return control(LOOP_ATTACH, &q);
}

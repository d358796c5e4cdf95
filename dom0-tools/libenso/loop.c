/* SPDX-License-Identifier: MIT */
/* loop.c: see loop.h. The format is always said: a raw disk that is looked at to
 * find its format is one whose guest chooses what it is.                     */
#include "dom0-tools/libenso/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "dom0-tools/libenso/text.h"
#include "guest-kernel/uapi/loop.h"

/* Open as long as this process lives: what is tied to it ends with us, however we end. */
static int control(unsigned long what, struct loop_request *r)
{
    static int fd = -1;

    if (fd < 0)
        fd = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    return ioctl(fd, what, r) < 0 ? -errno : 0;
}

int loop_attach(const char *file, bool qcow2, bool writable, char *dev, size_t size, struct complaint *why)
{
    struct loop_request r = { .format = qcow2 ? LOOP_QCOW2 : LOOP_RAW, .read_only = !writable, .tied = 1 };
    int rc;

    dev[0] = '\0';
    if (!text_copy(r.path, sizeof(r.path), file))
        return complain(why, "%s: the path is too long", file);
    rc = control(LOOP_ATTACH, &r);
    r.why[sizeof(r.why) - 1] = '\0';
    if (rc && r.why[0])
        return strstr(r.why, file) ? complain(why, "%s", r.why) : complain(why, "%s: %s", file, r.why);
    if (rc)
        return complain(why, "%s: it cannot be made a disk of dom0's: %s", file, strerror(-rc));
    snprintf(dev, size, "/dev/%.*s", (int)sizeof(r.name), r.name);
    return 0;
}

static int by_name(unsigned long what, const char *dev)
{
    struct loop_request r = { .path = "" };

    if (strncmp(dev, "/dev/", 5) != 0 || !text_copy(r.name, sizeof(r.name), dev + 5))
        return -EINVAL;
    return control(what, &r);
}

int loop_keep(const char *dev)
{
    return by_name(LOOP_KEEP, dev);
}

int loop_detach(const char *dev)
{
    return by_name(LOOP_DETACH, dev);
}

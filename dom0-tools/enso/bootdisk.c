/* SPDX-License-Identifier: MIT */
/* bootdisk.c: see bootdisk.h. The other half, bootfrom, is a process without
 * rights in dom0-tools/bootloader/; what it says is checked like a guest's word. */
#include "dom0-tools/enso/bootdisk.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dom0-tools/bootloader/message.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/state.h"
#include "dom0-tools/libenso/text.h"

#define BOOTFROM "/usr/lib/enso/bootfrom"
#define SILENCE  30000            /* ms without a word from it                  */

struct reading {
    struct parts *p;
    struct complaint *why;
    int       from;               /* our end of the pipe                        */
    int       kernel, ramdisk;    /* files, -1: not yet                         */
    uint64_t  kernel_len, ramdisk_len;
    bool      title, line, ended;
    uint8_t   data[BOOT_CHUNK + 1];
};

/* ---- the other process ---------------------------------------------------------------------- */

static void become_reader(int disk, int out, const char *entry)
{
    if (dup2(disk, 0) < 0 || dup2(out, 1) < 0)
        _exit(127);
    signal(SIGINT, SIG_DFL);
    execl(BOOTFROM, "bootfrom", entry, (char *)NULL);
    _exit(127);
}

static pid_t start_reader(struct reading *r, struct complaint *why)
{
    const char *disk_path = r->p->disk[0].params;
    int disk = open(disk_path, O_RDONLY | O_CLOEXEC), pipes[2];
    pid_t pid;

    if (disk < 0)
        return complain(why, "%s: cannot open it: %s", disk_path, strerror(errno));
    if (pipe(pipes) < 0) {
        close(disk);
        return complain(why, "no pipe to " BOOTFROM ": %s", strerror(errno));
    }
    pid = fork();
    if (pid == 0)
        become_reader(disk, pipes[1], r->p->config->bootentry);
    close(disk);
    close(pipes[1]);
    r->from = pipes[0];
    if (pid < 0) {
        close(pipes[0]);
        return complain(why, "cannot start " BOOTFROM ": %s", strerror(errno));
    }
    return pid;
}

/* ---- its words --------------------------------------------------------------------------------- */

static int take(struct reading *r, void *buf, size_t n)
{
    uint8_t *to = buf;

    while (n) {
        struct pollfd p = { r->from, POLLIN, 0 };
        ssize_t got = poll(&p, 1, SILENCE) > 0 ? read(r->from, to, n) : -1;

        if (got == 0)
            return complain(r->why, "the reader of its disk (" BOOTFROM ") ended without a word; is it installed?");
        if (got < 0)
            return complain(r->why, errno == EINTR ? "interrupted" : "the reader of its disk has been silent for 30 s");
        to += got;
        n -= (size_t)got;
    }
    return 0;
}

/* A sentence or a command line: printable, or it is not passed on. */
static int check_text(struct reading *r, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        if (r->data[i] < ' ' || r->data[i] == 127)
            r->data[i] = r->data[i] == '\t' ? ' ' : '?';
    r->data[n] = '\0';
    return 0;
}

static int to_file(struct reading *r, const char *what, int *fd, char path[80], uint64_t *len, uint64_t most, uint32_t n)
{
    if (*fd < 0) {
        snprintf(path, 80, STATE_DIR "/boot-%d.%s", (int)getpid(), what);
        *fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (*fd < 0) {
            complain(r->why, "cannot write %s: %s", path, strerror(errno));
            path[0] = '\0';
            return -1;
        }
    }
    if (*len + n > most)
        return complain(r->why, "its %s is larger than %llu MiB", what, (unsigned long long)(most >> 20));
    *len += n;
    if (write(*fd, r->data, n) != (ssize_t)n)
        return complain(r->why, "no room for its %s below " STATE_DIR ": %s", what, strerror(errno));
    return 0;
}

/* The image's own line, then what the configuration adds. */
static int make_line(struct reading *r)
{
    const struct config *c = r->p->config;
    char *line = r->p->boot.cmdline;
    int n;

    if (c->cmdline[0])
        return 0;
    n = snprintf(line, CONFIG_LINE, "%s%s%s%s%s", (char *)r->data, c->root[0] ? " root=" : "", c->root, c->extra[0] ? " " : "",
                 c->extra);
    if (n < 0 || n >= CONFIG_LINE)
        return complain(r->why, "the command line in its boot menu and `extra` together are longer than %d characters", CONFIG_LINE - 1);
    return 0;
}

static int hear(struct reading *r)
{
    struct boot_header h;

    if (take(r, &h, sizeof(h)))
        return -1;
    if (h.magic != BOOT_MAGIC || h.len > BOOT_CHUNK)
        return complain(r->why, "the reader of its disk talks nonsense");
    if (take(r, r->data, h.len))
        return -1;
    /* Title and line come once, and of files something: so a reader that the disk has taken over cannot talk for ever. */
    if ((h.type == BOOT_TITLE && r->title) || (h.type == BOOT_LINE && r->line) || (h.len == 0 && (h.type == BOOT_KERNEL || h.type == BOOT_RAMDISK)))
        return complain(r->why, "the reader of its disk talks nonsense");
    switch (h.type) {
    case BOOT_TITLE:
        r->title = true;
        return 0;
    case BOOT_LINE:
        r->line = true;
        return check_text(r, h.len) || make_line(r);
    case BOOT_KERNEL:
        return to_file(r, "kernel", &r->kernel, r->p->kernel, &r->kernel_len, BOOT_KERNEL_MOST, h.len);
    case BOOT_RAMDISK:
        return to_file(r, "ramdisk", &r->ramdisk, r->p->ramdisk, &r->ramdisk_len, BOOT_RAMDISK_MOST, h.len);
    case BOOT_END:
        r->ended = true;
        if (r->line && r->kernel_len)
            return 0;
        break;
    case BOOT_WRONG:
        check_text(r, h.len);
        return complain(r->why, "%.300s", h.len ? (char *)r->data : "the reader of its disk gave up, and does not say why");
    }
    return complain(r->why, "the reader of its disk talks nonsense");
}

int bootdisk_read(struct parts *p, struct complaint *why)
{
    static struct reading r;
    const char *target = p->config->disk[0].target;
    int rc = 0;
    pid_t pid;

    memset(&r, 0, sizeof(r));
    r.p = p;
    r.why = why;
    r.kernel = r.ramdisk = -1;
    os_make_dir("/run");
    os_make_dir(STATE_DIR);
    pid = start_reader(&r, why);
    if (pid < 0)
        return -1;
    while (!rc && !r.ended)
        rc = hear(&r);
    close(r.from);
    if (rc)
        kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    if (r.kernel >= 0)
        close(r.kernel);
    if (r.ramdisk >= 0)
        close(r.ramdisk);
    if (rc)
        return complain_about(why, target);
    p->boot.root[0] = p->boot.extra[0] = '\0';
    text_copy(p->boot.kernel, sizeof(p->boot.kernel), p->kernel);
    text_copy(p->boot.ramdisk, sizeof(p->boot.ramdisk), p->ramdisk);
    return 0;
}

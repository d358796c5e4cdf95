/* SPDX-License-Identifier: MIT */
/* makers.c: domains whose maker died before they stood.
 *
 * `enso create` takes back what it has made when it fails or is interrupted, but not when it is killed. Its note (making.h) then
 * hangs up, and what it had made is found by the UUID in the note's name. Its loop devices have gone with it (disk.h). */
#include "dom0-tools/ensod/ensod.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/making.h"

static struct maker {
    char name[64];                   /* of its note in STATE_DIR; "": a free place */
    int  fd;
} maker[MAKERS_MOST];

static struct maker *find(const char *name)
{
    for (unsigned i = 0; i < MAKERS_MOST; i++)
        if (strcmp(maker[i].name, name) == 0)
            return &maker[i];
    return NULL;
}

static void watch(const char *name)
{
    struct maker *m = find(name) ? NULL : find("");
    char path[96];

    if (!m || strlen(name) >= sizeof(m->name))
        return;
    strcpy(m->name, name);
    snprintf(path, sizeof(path), STATE_DIR "/%.63s", m->name);
    m->fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (m->fd < 0)
        m->name[0] = '\0';
}

void makers_look(void)
{
    DIR *dir = opendir(STATE_DIR);
    struct dirent *e;
    uint8_t uuid[16];
    unsigned pid;

    while (dir && (e = readdir(dir)))
        if (making_parse(e->d_name, &pid, uuid))
            watch(e->d_name);
    if (dir)
        closedir(dir);
}

unsigned makers_poll(struct pollfd *p)
{
    unsigned n = 0;

    for (unsigned i = 0; i < MAKERS_MOST; i++)
        if (maker[i].name[0])
            p[n++] = (struct pollfd){ maker[i].fd, 0, 0 };
    return n;
}

/* One that runs was whole when its maker died; the guest of a half-made one has never run. */
static void end_domain(const uint8_t uuid[16], unsigned pid)
{
    struct xen_domctl_getdomaininfo *list;
    struct complaint why;
    int n = state_domains(&list, &why);

    for (int i = 0; i < n; i++) {
        int rc;

        if (memcmp(list[i].handle, uuid, 16) != 0 || !(list[i].flags & XEN_DOMINF_paused) || list[i].flags & XEN_DOMINF_dying)
            continue;
        rc = dom_destroy(list[i].domain);
        state_forget(list[i].domain);
        say("domain %u was half made when its maker, process %u, died: %s", list[i].domain, pid, rc ? call_error(rc) : "destroyed");
    }
    if (n >= 0)
        free(list);
}

/* Its temporary files (bootdisk.c). */
static void remove_files(unsigned pid)
{
    static const char *const kinds[] = { "kernel", "ramdisk" };
    char path[64];

    for (unsigned i = 0; i < 2; i++) {
        snprintf(path, sizeof(path), STATE_DIR "/boot-%u.%s", pid, kinds[i]);
        unlink(path);
    }
}

static void hung_up(struct maker *m)
{
    char path[96];
    uint8_t uuid[16];
    unsigned pid;

    close(m->fd);
    snprintf(path, sizeof(path), STATE_DIR "/%.63s", m->name);
    if (access(path, F_OK) == 0 && making_parse(m->name, &pid, uuid)) {
        end_domain(uuid, pid);
        homes_check();
        remove_files(pid);
        unlink(path);
    }
    m->name[0] = '\0';
}

bool makers_heard(const struct pollfd *p)
{
    for (unsigned i = 0; i < MAKERS_MOST; i++)
        if (maker[i].name[0] && maker[i].fd == p->fd) {
            hung_up(&maker[i]);
            makers_look();                   /* one that found no place before */
            return true;
        }
    return false;
}

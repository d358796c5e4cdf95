/* SPDX-License-Identifier: MIT */
/* making.c: see making.h.                                                    */
#include "dom0-tools/libenso/making.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0-tools/libenso/config.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/state.h"

static struct {
    char path[96];
    int  fd;
} note = { .fd = -1 };

bool making_parse(const char *name, unsigned *pid, uint8_t uuid[16])
{
    int n = 0;

    return sscanf(name, "making-%u-%n", pid, &n) == 1 && n > 0 && config_uuid(name + n, uuid);
}

/* It gets its name when it is open, so that who finds it never finds it without a writer. */
int making_begin(const uint8_t uuid[16], struct complaint *why)
{
    char text[37], fresh[48];
    int fd;

    os_make_dir("/run");
    os_make_dir(STATE_DIR);
    config_uuid_text(uuid, text);
    snprintf(note.path, sizeof(note.path), STATE_DIR "/making-%d-%s", (int)getpid(), text);
    snprintf(fresh, sizeof(fresh), STATE_DIR "/new-%d", (int)getpid());
    unlink(fresh);
    fd = mkfifo(fresh, 0600) < 0 ? -1 : open(fresh, O_RDWR | O_CLOEXEC);
    if (fd < 0 || rename(fresh, note.path) < 0) {
        complain(why, "cannot write %s: %s", note.path, strerror(errno));
        if (fd >= 0)
            close(fd);
        unlink(fresh);
        return -1;
    }
    note.fd = fd;
    state_tell("making", 0);
    return 0;
}

void making_end(void)
{
    if (note.fd < 0)
        return;
    unlink(note.path);
    close(note.fd);
    note.fd = -1;
}

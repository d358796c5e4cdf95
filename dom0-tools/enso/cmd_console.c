/* SPDX-License-Identifier: MIT */
/* cmd_console.c: `enso console`: this terminal and a domain's, joined.
 *
 * ensod owns the ring and offers a pseudo-terminal; /run/enso/ID.tty names it.
 * Bytes from before are drained, ensod is told to replay the last lines and go
 * live, and from then on this is a pair of pipes until Ctrl-] or the end.    */
#include "dom0-tools/enso/enso.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

#define LOGS       "/var/log/console"
#define LEAVE_KEY  0x1d      /* Ctrl-] */
#define LOOK_EVERY 500       /* ms between looks whether the domain still lives */

/* The pty's name; ensod may need a moment after `create`. */
static int find_tty(uint16_t domid, unsigned number, char *path, size_t size)
{
    char record[40];

    if (number)
        snprintf(record, sizeof(record), STATE_DIR "/%u.%u.tty", domid, number);
    else
        snprintf(record, sizeof(record), STATE_DIR "/%u.tty", domid);
    if (!state_tell("new", domid))          /* nobody is there: the file, if any, is stale */
        return -1;
    for (unsigned tries = 0; tries < 200; tries++) {
        int n = os_read_file(record, path, size);

        if (n > 0) {
            path[strcspn(path, "\n")] = '\0';
            return 0;
        }
        os_sleep_ms(50);
    }
    return -1;
}

static bool write_all(int fd, const char *buf, size_t n)
{
    while (n) {
        ssize_t done = write(fd, buf, n);

        if (done < 0 && (errno == EAGAIN || errno == EINTR)) {
            os_sleep_ms(5);
            continue;
        }
        if (done <= 0)
            return false;
        buf += done;
        n -= (size_t)done;
    }
    return true;
}

static void drain(int tty)
{
    char waste[512];

    while (read(tty, waste, sizeof(waste)) > 0)
        ;
}

/* Keys from the terminal; false when the user leaves. */
static bool keys(int tty)
{
    char buf[256];
    ssize_t n = read(0, buf, sizeof(buf));
    char *leave;

    if (n < 0)
        return errno == EINTR || errno == EAGAIN;
    if (n == 0)
        return false;
    leave = memchr(buf, LEAVE_KEY, (size_t)n);
    if (leave)
        n = leave - buf;
    return (!n || write_all(tty, buf, (size_t)n)) && !leave;
}

/* The hypervisor marks its own lines on the machine's console with "(enso)",
 * and programs read them there. What a guest prints comes out on the same
 * console while one is attached, so it may not contain that mark: it is shown
 * as "(enso?)". No byte is held back for it.                                 */
static size_t unforge(const char *in, size_t n, char *out)
{
    static const char mark[] = "(enso)";
    static unsigned matched;
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (in[i] != mark[matched])
            matched = in[i] == mark[0];
        else if (++matched == sizeof(mark) - 1) {
            out[len++] = '?';
            matched = 0;
        }
        out[len++] = in[i];
    }
    return len;
}

/* Output of the domain; false when ensod closed the other end. */
static bool output(int tty)
{
    char buf[1024], safe[1024 + 1024 / 6 + 1];
    ssize_t n = read(tty, buf, sizeof(buf));

    if (n > 0)
        return write_all(1, safe, unforge(buf, (size_t)n, safe));
    return n < 0 && (errno == EINTR || errno == EAGAIN);
}

static bool still_there(uint16_t domid)
{
    struct xen_domctl_getdomaininfo info;

    return dom_info(domid, &info) == 0 && !(info.flags & XEN_DOMINF_dying);
}

/* True if the domain ended, false if the user left. */
static bool join(uint16_t domid, int tty)
{
    for (;;) {
        struct pollfd p[2] = { { 0, POLLIN, 0 }, { tty, POLLIN, 0 } };
        int n = poll(p, 2, LOOK_EVERY);

        if (n < 0 && errno != EINTR)
            return true;
        if (p[1].revents & POLLIN && !output(tty))
            return true;
        if (p[0].revents && !keys(tty))
            return false;
        if (n == 0 && !still_there(domid)) {
            output(tty);
            return true;
        }
    }
}

static int attach(uint16_t domid, unsigned number, const char *name)
{
    char path[64];
    bool ended, missing = find_tty(domid, number, path, sizeof(path));
    int tty;

    if (missing && number)
        return failf("%s has no console %u (`consoles=` in its configuration), or the guest has not opened it yet", name, number);
    if (missing)
        return failf("%s's console is not kept by anybody: is ensod running? (`ensod &` starts it; it logs to "
                     "/var/log/console/ensod.log)", name);
    tty = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK);
    if (tty < 0)
        return failf("cannot open %s, the console of %s: %s", path, name, strerror(errno));
    drain(tty);
    fprintf(stderr, "-- %s's console; Ctrl-] leaves --\n", name);
    os_tty_raw(0);
    state_tell_console("attach", domid, number);
    ended = join(domid, tty);
    state_tell_console("detach", domid, number);
    os_tty_restore();
    close(tty);
    fprintf(stderr, "\r\n-- %s --\n", ended ? "the domain has ended" : "left the console; the domain runs on");
    return 0;
}

int console_attach(uint16_t domid, const char *name)
{
    return attach(domid, 0, name);
}

static bool log_is_there(const char *name)
{
    char path[80];

    snprintf(path, sizeof(path), LOGS "/%.31s.log", name);
    return access(path, F_OK) == 0;
}

int cmd_console(int words, char **word)
{
    struct xen_domctl_getdomaininfo info;
    static struct record made;
    struct complaint why;
    uint64_t number = 0;
    char name[32];
    bool which = words == 4 && strcmp(word[1], "-n") == 0 && text_number(word[2], &number) && number < 64;
    int rc;

    if (words != (which ? 4 : 2) || word[words - 1][0] == '-')
        return usage();
    if (text_is_name(word[words - 1]) && state_find(word[words - 1], &info, &why) && log_is_there(word[words - 1]))
        return failf("%s has ended; what it said is in " LOGS "/%s.log", word[words - 1], word[words - 1]);
    rc = want_domain(word[words - 1], false, &info, name);
    if (rc)
        return rc;
    if (info.domain == 0)
        return failf("this is dom0's console already");
    if (number && state_load(&info, &made) && number >= made.config.consoles)
        return failf("%s has no console %u: `consoles=` in its configuration says how many", name, (unsigned)number);
    return attach(info.domain, (unsigned)number, name);
}

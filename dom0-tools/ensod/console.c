/* SPDX-License-Identifier: MIT */
/* console.c: one domain's console: ring in, log and terminal out.
 *
 * The guest shares the ring page and may write anything into it at any time.
 * Its counters are read once, checked, and never trusted to stand still; what
 * it can harm by lying is its own console. The log is bounded: a file of
 * 64 KiB and the one before it.                                              */
#include "dom0-tools/ensod/ensod.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "dom0-tools/libenso/text.h"

#define LOG_DIR   "/var/log/console"
#define LOG_MOST  65536u
#define REPLAY    2048u          /* how much an attaching terminal is shown */

static void log_path(const struct guest *g, const char *end, char *buf, size_t size)
{
    if (g->number)
        snprintf(buf, size, LOG_DIR "/%s.%u.log%s", g->name, g->number, end);
    else
        snprintf(buf, size, LOG_DIR "/%s.log%s", g->name, end);
}

/* At the first byte: a domain that never says anything leaves no file. */
static void log_open(struct guest *g)
{
    struct stat st;
    char path[80];

    log_path(g, "", path, sizeof(path));
    g->log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    g->log_size = g->log >= 0 && fstat(g->log, &st) == 0 ? (uint32_t)st.st_size : 0;
}

static void log_close(struct guest *g)
{
    if (g->log >= 0)
        close(g->log);
    g->log = -1;
}

static void log_write(struct guest *g, const char *buf, uint32_t n)
{
    char path[80], old[80];

    if (g->log < 0)
        log_open(g);
    if (g->log < 0)
        return;
    if (g->log_size + n > LOG_MOST) {
        log_path(g, "", path, sizeof(path));
        log_path(g, ".1", old, sizeof(old));
        log_close(g);
        unlink(old);
        rename(path, old);
        log_open(g);
    }
    if (g->log >= 0 && write(g->log, buf, n) == (ssize_t)n)
        g->log_size += n;
}

/* ---- the terminal -------------------------------------------------------------------- */

void console_send(struct guest *g)
{
    if (g->written - g->sent > BACKLOG_SIZE)
        g->sent = g->written - BACKLOG_SIZE;
    while (g->attached && g->pty.master >= 0 && g->sent < g->written) {
        uint64_t at = g->sent & (BACKLOG_SIZE - 1), n = g->written - g->sent;
        ssize_t done;

        if (n > BACKLOG_SIZE - at)
            n = BACKLOG_SIZE - at;
        done = write(g->pty.master, g->backlog + at, (size_t)n);
        if (done <= 0)
            return;             /* full: the terminal reads slowly; we try again later */
        g->sent += (uint64_t)done;
    }
}

/* Starts a replay at the beginning of a line. */
void console_attached(struct guest *g)
{
    uint64_t n = g->written < REPLAY ? g->written : REPLAY;

    g->sent = g->written - n;
    while (n == REPLAY && g->sent < g->written && g->backlog[g->sent & (BACKLOG_SIZE - 1)] != '\n')
        g->sent++;
    g->attached = true;
    console_send(g);
}

static void keep(struct guest *g, const char *buf, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        g->backlog[g->written++ & (BACKLOG_SIZE - 1)] = buf[i];
    log_write(g, buf, n);
}

/* ---- the ring ----------------------------------------------------------------------------- */

static void take_output(struct guest *g)
{
    struct xencons_interface *ring = g->ring;
    char buf[sizeof(ring->out)];
    uint32_t cons = ring->out_cons, prod = __atomic_load_n(&ring->out_prod, __ATOMIC_ACQUIRE);
    uint32_t n = prod - cons;

    if (n == 0)
        return;
    if (n > sizeof(ring->out)) {                  /* a lie: start again where it says it is */
        __atomic_store_n(&ring->out_cons, prod, __ATOMIC_RELEASE);
        return;
    }
    for (uint32_t i = 0; i < n; i++)
        buf[i] = *(volatile char *)&ring->out[MASK_XENCONS_IDX(cons + i, ring->out)];
    __atomic_store_n(&ring->out_cons, prod, __ATOMIC_RELEASE);
    keep(g, buf, n);
}

static uint32_t input_room(const struct guest *g)
{
    uint32_t used = g->ring->in_prod - __atomic_load_n(&g->ring->in_cons, __ATOMIC_ACQUIRE);

    return used > sizeof(g->ring->in) ? 0 : (uint32_t)sizeof(g->ring->in) - used;
}

bool console_wants_input(const struct guest *g)
{
    return g->pty.master >= 0 && (!g->ring || input_room(g) > 0);
}

void console_event(struct guest *g, int evtchn)
{
    if (!g->ring)
        return;
    take_output(g);
    os_evtchn_notify(evtchn, g->port);           /* there is room again */
    console_send(g);
}

void console_input(struct guest *g, int evtchn)
{
    char buf[256];
    uint32_t room = g->ring ? input_room(g) : sizeof(buf), prod;
    ssize_t n = read(g->pty.master, buf, room < sizeof(buf) ? room : sizeof(buf));

    if (n <= 0 || !g->ring)
        return;                                   /* keys for a domain that has ended */
    prod = g->ring->in_prod;
    for (ssize_t i = 0; i < n; i++)
        g->ring->in[MASK_XENCONS_IDX(prod + (uint32_t)i, g->ring->in)] = buf[i];
    __atomic_store_n(&g->ring->in_prod, prod + (uint32_t)n, __ATOMIC_RELEASE);
    os_evtchn_notify(evtchn, g->port);
}

/* ---- start and end --------------------------------------------------------------------------- */

static void tty_path(const struct guest *g, char *buf, size_t size)
{
    if (g->number)
        snprintf(buf, size, STATE_DIR "/%u.%u.tty", g->domid, g->number);
    else
        snprintf(buf, size, STATE_DIR "/%u.tty", g->domid);
}

void console_start(struct guest *g, int evtchn, uint64_t mfn, uint32_t remote_port)
{
    char path[40], line[48];
    int rc, port;

    g->pty.master = g->pty.slave = -1;
    g->log = -1;
    g->ring = os_map(g->domid, &mfn, 1, true, &rc);
    if (!g->ring) {
        if (!g->quiet)
            say("%s: cannot map its console ring: %s", g->name, call_error(rc));
        return;
    }
    port = os_evtchn_bind(evtchn, g->domid, remote_port);
    if (port < 0) {
        if (!g->quiet)
            say("%s: cannot bind its console's port %lu: %s", g->name, (unsigned long)remote_port, strerror(errno));
        os_unmap(g->ring, 1);
        g->ring = NULL;
        return;
    }
    g->port = (uint32_t)port;
    if (os_pty_open(&g->pty)) {
        if (!g->quiet)
            say("%s: no pseudo-terminal for its console: %s", g->name, strerror(errno));
    } else {
        tty_path(g, path, sizeof(path));
        snprintf(line, sizeof(line), "%s\n", g->pty.name);
        os_write_file(path, line, strlen(line));
    }
    console_event(g, evtchn);                     /* what it wrote before we came */
}

void console_stop(struct guest *g, int evtchn)
{
    if (!g->ring)
        return;
    take_output(g);
    console_send(g);
    os_evtchn_unbind(evtchn, g->port);
    os_unmap(g->ring, 1);
    g->ring = NULL;
}

void console_close(struct guest *g)
{
    char path[40], named[48];

    /* A successor of the same number may have put its own terminal there. */
    tty_path(g, path, sizeof(path));
    if (g->pty.master >= 0 && os_read_file(path, named, sizeof(named)) > 0 &&
        strncmp(named, g->pty.name, strcspn(named, "\n")) == 0)
        unlink(path);
    os_pty_close(&g->pty);
    log_close(g);
}

void console_rename(struct guest *g)
{
    log_close(g);        /* the next line opens the one of the new name */
}

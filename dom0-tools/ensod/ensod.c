/* SPDX-License-Identifier: MIT */
/* ensod.c: dom0's watcher: keeps consoles, notices ends, acts on them.
 *
 * It sleeps in one poll(): the event-channel device (consoles' ports), the
 * store (some domain has ended: xenstored hears it from the hypervisor; where
 * there is no store, that virtual interrupt is ours), a pseudo-terminal on
 * which the `enso` command sends it lines ("new 3", "attach 3"), and a
 * terminal for each domain. It keeps no list that cannot be made again: a scan
 * compares what it holds with what the hypervisor lists, so it may be killed
 * and started at any time.                                                   */
#include "dom0-tools/ensod/ensod.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LOG_FILE   "/var/log/console/ensod.log"
#define READY_MS   10000u                    /* it is up within, or something is wrong */
#define GUESTS_MAX 512
#define LINGER_MS  400          /* a terminal stays so long after its domain's end */
#define LOG_MOST   65536

static struct {
    int           evtchn;
    int           dom_exc;          /* our port for VIRQ_DOM_EXC */
    struct os_pty control;
    char          line[64];
    size_t        line_len;
    struct guest *guests;
} d;

void say(const char *fmt, ...)
{
    char text[320];
    va_list ap;
    int fd, n, m;

    n = snprintf(text, sizeof(text), "%llu ", (unsigned long long)os_date());
    va_start(ap, fmt);
    m = vsnprintf(text + n, sizeof(text) - (size_t)n - 1, fmt, ap);
    va_end(ap);
    n += m < (int)sizeof(text) - n - 1 ? m : (int)sizeof(text) - n - 2;
    text[n++] = '\n';
    fd = open(LOG_FILE, O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (fd < 0)
        return;
    if (lseek(fd, 0, SEEK_END) > LOG_MOST) {
        close(fd);
        fd = open(LOG_FILE, O_WRONLY | O_TRUNC);
    }
    if (fd >= 0 && write(fd, text, (size_t)n) < 0)
        fprintf(stderr, "ensod: %s", text);
    close(fd);
}

/* ---- which domains there are -------------------------------------------------------------- */

static struct guest *find(uint16_t domid)
{
    for (struct guest *g = d.guests; g; g = g->next)
        if (g->domid == domid && g->number == 0 && !g->close_at)
            return g;
    return NULL;
}

static struct guest *find_console(uint16_t domid, unsigned number)
{
    for (struct guest *g = d.guests; g; g = g->next)
        if (g->domid == domid && g->number == number && !g->close_at)
            return g;
    return NULL;
}

static bool where_is_console(const struct xen_domctl_getdomaininfo *info, uint64_t *mfn, uint32_t *port)
{
    static struct record r;

    if (enso_get_console(info->domain, mfn, port) == 0)
        return true;
    if (!state_load(info, &r))
        return false;
    *mfn = r.console_mfn;
    *port = r.console_port;
    return true;
}

static struct guest *adopt(const struct xen_domctl_getdomaininfo *info)
{
    struct guest *g;
    uint64_t mfn;
    uint32_t port;

    if (!where_is_console(info, &mfn, &port))
        return NULL;                         /* being built: "new" will tell */
    g = calloc(1, sizeof(*g));
    if (!g)
        return NULL;
    g->domid = info->domain;
    memcpy(g->handle, info->handle, 16);
    state_name(info, g->name);
    console_start(g, d.evtchn, mfn, port);
    homes_greet(g, info, mfn, port);
    g->next = d.guests;
    d.guests = g;
    return g;
}

/* Lets go of everything of the domain's now; of the terminal a little later,
 * so that whoever is attached sees the last lines.                           */
static void release(struct guest *g)
{
    console_stop(g, d.evtchn);
    if (!g->close_at && !g->cleaned && g->number == 0)
        homes_clean_up(g->domid, g->handle);
    if (!g->close_at)
        g->close_at = os_now_ms() + LINGER_MS;
}

static void look_at(const struct xen_domctl_getdomaininfo *info)
{
    struct guest *g = find(info->domain);

    if (g && memcmp(g->handle, info->handle, 16) != 0) {
        release(g);                          /* a new domain with an old number */
        g = NULL;
    }
    if (info->flags & XEN_DOMINF_dying) {
        if (g)
            release(g);
        return;
    }
    if (!g)
        g = adopt(info);
    if (!g)
        return;
    g->seen = true;
    if (info->flags & XEN_DOMINF_shutdown)
        policy_ended(g, info, d.evtchn);
}

static void scan(void)
{
    struct xen_domctl_getdomaininfo *list;
    struct complaint why;
    int n = state_domains(&list, &why);

    if (n < 0) {
        say("%s", why.text);
        return;
    }
    for (struct guest *g = d.guests; g; g = g->next)
        g->seen = false;
    for (int i = 0; i < n; i++)
        if (list[i].domain != 0)
            look_at(&list[i]);
    for (struct guest *g = d.guests; g; g = g->next) {
        struct guest *own = g->number ? find(g->domid) : NULL;

        if (own)
            g->seen = own->seen && own->ring && memcmp(own->handle, g->handle, 16) == 0;
    }
    for (struct guest *g = d.guests; g; g = g->next)
        if (!g->seen && !g->close_at)
            release(g);
    free(list);
}

/* Frees the guests whose terminals have lingered; ms until the next, or -1. */
static int bury(void)
{
    uint64_t now = os_now_ms();
    int next = -1;

    for (struct guest **at = &d.guests; *at;) {
        struct guest *g = *at;

        if (!g->close_at || g->close_at > now) {
            if (g->close_at && (next < 0 || g->close_at - now < (uint64_t)next))
                next = (int)(g->close_at - now);
            at = &g->next;
            continue;
        }
        *at = g->next;
        console_close(g);
        free(g);
    }
    return next;
}

/* Further consoles: each of a domain that we keep the first of. */
static void more_consoles(void)
{
    struct guest *g;

    if (consoles_heard())
        scan();
    while ((g = consoles_start())) {
        struct guest *own = find(g->domid), *old = find_console(g->domid, g->number);

        if (old)
            release(old);                    /* its frontend has begun anew */
        if (!own) {
            free(g);
            continue;
        }
        memcpy(g->handle, own->handle, 16);
        snprintf(g->name, sizeof(g->name), "%s", own->name);
        console_start(g, d.evtchn, g->mfn, g->remote_port);
        consoles_connected(g, g->ring != NULL);
        if (!g->ring) {
            free(g);
            continue;
        }
        g->next = d.guests;
        d.guests = g;
    }
}

/* ---- what is heard ------------------------------------------------------------------------- */

static void hear_event(void)
{
    int port = os_evtchn_next(d.evtchn);

    if (port < 0)
        return;
    if (port == d.dom_exc)
        scan();
    for (struct guest *g = d.guests; g; g = g->next)
        if (g->ring && g->port == (uint32_t)port)
            console_event(g, d.evtchn);
    os_evtchn_unmask(d.evtchn, (uint32_t)port);
}

static void obey(const char *line)
{
    char what[16];
    unsigned domid, number = 0;
    struct guest *g;

    if (sscanf(line, "%15s %u %u", what, &domid, &number) < 2)
        return;
    g = find_console((uint16_t)domid, number);
    if (strcmp(what, "attach") == 0 && g)
        console_attached(g);
    else if (strcmp(what, "detach") == 0 && g)
        g->attached = false;
    else if (strcmp(what, "making") == 0)
        makers_look();
    else if (strcmp(what, "name") == 0 && g) {
        struct xen_domctl_getdomaininfo info;

        if (dom_info(g->domid, &info) == 0)
            state_name(&info, g->name);
        console_rename(g);
    } else {
        scan();
    }
}

static void hear_command(void)
{
    char buf[128];
    ssize_t n = read(d.control.master, buf, sizeof(buf));

    for (ssize_t i = 0; i < n; i++) {
        if (buf[i] != '\n') {
            if (d.line_len < sizeof(d.line) - 1)
                d.line[d.line_len++] = buf[i];
            continue;
        }
        d.line[d.line_len] = '\0';
        d.line_len = 0;
        obey(d.line);
    }
}

static struct pollfd *polled(unsigned *n)
{
    static struct pollfd p[GUESTS_MAX + MAKERS_MOST + 3];

    p[0] = (struct pollfd){ d.evtchn, POLLIN, 0 };
    p[1] = (struct pollfd){ d.control.master, POLLIN, 0 };
    p[2] = (struct pollfd){ consoles_fd(), POLLIN, 0 };
    *n = 3 + makers_poll(p + 3);
    for (struct guest *g = d.guests; g && *n < GUESTS_MAX + MAKERS_MOST + 3; g = g->next) {
        short want = console_wants_input(g) ? POLLIN : 0;

        if (g->attached && g->sent < g->written)
            want |= POLLOUT;
        if (g->pty.master >= 0 && want)
            p[(*n)++] = (struct pollfd){ g->pty.master, want, 0 };
    }
    return p;
}

static void hear_terminal(const struct pollfd *p)
{
    for (struct guest *g = d.guests; g; g = g->next) {
        if (g->pty.master != p->fd)
            continue;
        if (p->revents & POLLIN)
            console_input(g, d.evtchn);
        if (p->revents & POLLOUT)
            console_send(g);
    }
}

static void reap(void)
{
    while (waitpid(-1, NULL, WNOHANG) > 0)
        ;
}

static void serve(void)
{
    for (;;) {
        int timeout, later;
        unsigned n;

        if (consoles_wait() == 0)
            more_consoles();
        timeout = bury();
        later = consoles_wait();
        if (later >= 0 && (timeout < 0 || later < timeout))
            timeout = later;

        struct pollfd *p = polled(&n);
        int got = poll(p, n, timeout);

        reap();
        if (got <= 0)
            continue;
        if (p[0].revents)
            hear_event();
        if (p[1].revents)
            hear_command();
        if (p[2].revents)
            more_consoles();
        for (unsigned i = 3; i < n; i++)
            if (p[i].revents && !makers_heard(&p[i]))
                hear_terminal(&p[i]);
    }
}

/* ---- coming up ------------------------------------------------------------------------------ */

static int already_running(void)
{
    char text[16];
    int pid;

    if (os_read_file(STATE_DIR "/ensod.pid", text, sizeof(text)) <= 0)
        return 0;
    pid = atoi(text);
    return pid > 0 && pid != (int)getpid() && kill(pid, 0) == 0 ? pid : 0;
}

static void make_dirs(void)
{
    static const char *const dirs[] = { "/run", STATE_DIR, "/var", "/var/log", "/var/log/console" };

    for (unsigned i = 0; i < sizeof(dirs) / sizeof(dirs[0]); i++)
        os_make_dir(dirs[i]);
}

static int set_up(struct complaint *why)
{
    char text[48];
    int n;

    if (os_open(why))
        return -1;
    d.evtchn = os_evtchn_open();
    if (d.evtchn < 0)
        return complain(why, "cannot open /dev/xen/evtchn: %s", strerror(errno));
    d.dom_exc = consoles_fd() >= 0 ? -1 : os_evtchn_bind_virq(d.evtchn, VIRQ_DOM_EXC);
    if (d.dom_exc < 0 && consoles_fd() < 0)
        return complain(why, "cannot hear of domains' ends (VIRQ_DOM_EXC): %s; is another daemon running?",
                        strerror(errno));
    if (os_pty_open(&d.control))
        return complain(why, "no pseudo-terminal to be spoken to by: %s", strerror(errno));
    n = snprintf(text, sizeof(text), "%d\n", (int)getpid());
    os_write_file(STATE_DIR "/ensod.pid", text, (size_t)n);
    scan();
    homes_check();
    makers_look();
    n = snprintf(text, sizeof(text), "%s\n", d.control.name);
    return os_write_file(STATE_DIR "/ensod.tty", text, (size_t)n)
               ? complain(why, "cannot write " STATE_DIR "/ensod.tty: %s", strerror(errno)) : 0;
}

/* Process 1 runs it, and again if it dies. Leaves when it is ready to be spoken to, so the next line of /etc/rc can count on it. */
static int be_kept(void)
{
    unlink(STATE_DIR "/ensod.tty");
    if (os_keep("ensod", "/usr/sbin/ensod -f\n")) {
        fprintf(stderr, "ensod: cannot ask process 1 to keep it: %s\n", strerror(errno));
        return 1;
    }
    for (unsigned ms = 0; ms < READY_MS; ms += 20) {
        if (access(STATE_DIR "/ensod.tty", F_OK) == 0)
            return 0;
        os_sleep_ms(20);
    }
    fprintf(stderr, "ensod: it has not come up; see " LOG_FILE "\n");
    return 1;
}

int main(int argc, char **argv)
{
    bool foreground = argc == 2 && strcmp(argv[1], "-f") == 0;
    struct complaint why;
    int other;

    if (argc > 1 && !foreground) {
        fprintf(stderr, "usage: ensod [-f]\nKeeps the domains' consoles and acts when one ends; itself kept running by process 1 (/run/init). -f: in the foreground.\n");
        return 2;
    }
    make_dirs();
    other = already_running();
    if (other) {
        fprintf(stderr, "ensod: it is running already, as process %d\n", other);
        return 1;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (!foreground)
        return be_kept();
    if (set_up(&why)) {
        fprintf(stderr, "ensod: %s\n", why.text);
        return 1;
    }
    say("ensod is up");
    serve();
    return 0;
}

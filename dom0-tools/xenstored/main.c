/* SPDX-License-Identifier: MIT */
/* main.c: xenstored's process: dom0's devices, the loop, and the parent that starts it again.
 *
 * The parent does nothing but wait: when the child ends, however it ends, another is made, which takes up the journal. The
 * journal lies in memory (a ramfs at /run/xenstored): it is for a killed daemon, not for a rebooted machine.       */
#include "dom0-tools/xenstored/xenstored.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/os.h"

#define DIR      "/run/xenstored"
#define JOURNAL  DIR "/journal"
#define FRESH    DIR "/journal.new"
#define PID_FILE DIR "/pid"
#define XSD      "/dev/xen/xsd"
#define SLACK    (1u << 20)              /* the journal may grow by so much before it is written anew */

static struct {
    int      evtchn, journal, fresh;
    size_t   size, limit;              /* of the journal: now, and when it is written anew */
    struct xenstore_domain_interface *own;
} d = { .evtchn = -1, .journal = -1, .fresh = -1 };

static void complaint_of(const char *what)
{
    char line[120];
    int fd = open("/dev/kmsg", O_WRONLY);
    int n = snprintf(line, sizeof(line), "xenstored: %s: %s\n", what, strerror(errno));

    if (fd >= 0 && write(fd, line, (size_t)n) == n)
        n = 0;
    if (fd >= 0)
        close(fd);
}

/* ---- pages and ports ----------------------------------------------------------------------------- */

static struct xenstore_domain_interface *map_page(uint16_t domid, uint64_t mfn)
{
    int rc;

    return domid == ROOT_DOMID ? d.own : os_map(domid, &mfn, 1, true, &rc);
}

static void unmap_page(uint16_t domid, struct xenstore_domain_interface *page)
{
    if (domid != ROOT_DOMID)
        os_unmap(page, 1);
}

static int bind_port(uint16_t domid, uint32_t port) { return os_evtchn_bind(d.evtchn, domid, port); }
static void unbind_port(int port) { os_evtchn_unbind(d.evtchn, (uint32_t)port); }
static void notify_port(int port) { os_evtchn_notify(d.evtchn, (uint32_t)port); }

/* ---- the journal's file ----------------------------------------------------------------------------- */

static bool append_to(int fd, const void *data, size_t n)
{
    return fd >= 0 && write(fd, data, n) == (ssize_t)n;
}

static bool append_fresh(const void *data, size_t n)
{
    d.size += n;
    return append_to(d.fresh, data, n);
}

/* Half a record would hide those behind it: it is cut off, and the journal soon written anew. */
static bool append(const void *data, size_t n)
{
    static bool told;

    if (append_to(d.journal, data, n)) {
        d.size += n;
        return true;
    }
    if (!told)
        complaint_of("cannot write " JOURNAL "; a restart will lose what follows");
    told = true;
    if (ftruncate(d.journal, (off_t)d.size) == 0)
        d.limit = 0;
    return false;
}

/* The state as it is, in place of the way there. */
static void rewrite(void)
{
    static bool told;
    size_t old = d.size;

    d.fresh = open(FRESH, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    d.size = 0;
    if (d.fresh < 0 || !journal_write_all(append_fresh) || rename(FRESH, JOURNAL)) {
        if (!told)
            complaint_of("cannot write " FRESH);
        told = true;
        close(d.fresh);
        unlink(FRESH);
        d.size = old;
    } else {
        close(d.journal);
        d.journal = d.fresh;
    }
    d.fresh = -1;
    d.limit = 2 * d.size + SLACK;
}

static bool take_up(void)
{
    struct stat st;
    char *data;
    bool ok;

    d.journal = open(JOURNAL, O_RDWR | O_CREAT | O_APPEND, 0600);
    if (d.journal < 0 || fstat(d.journal, &st) || !st.st_size)
        return false;
    d.size = (size_t)st.st_size;
    data = malloc((size_t)st.st_size);
    ok = data && read(d.journal, data, (size_t)st.st_size) == st.st_size && journal_replay(data, (size_t)st.st_size);
    free(data);
    if (!ok)
        complaint_of("the journal cannot be taken up");
    return ok && store.conn_of[ROOT_DOMID];
}

/* ---- domains that ended while nobody was here (else ensod tells, by XS_RELEASE) --------------------------------------------------------------------------------- */

static void look_at(struct conn *c)
{
    struct xen_domctl_getdomaininfo info;
    int rc = dom_info(c->domid, &info);

    if (rc || (info.flags & XEN_DOMINF_dying)) {
        domain_gone(c->domid);
        return;
    }
    if ((info.flags & XEN_DOMINF_shutdown) && !c->ended) {
        c->ended = true;
        watch_fire_special("@releaseDomain");
    }
}

static void look_at_domains(void)
{
    struct conn *next;

    for (struct conn *c = store.conns; c; c = next) {
        next = c->next;
        if (c->domid != ROOT_DOMID)
            look_at(c);
    }
    conns_publish();
}

/* ---- coming up ---------------------------------------------------------------------------------------------- */

static int own_ring(uint32_t *port)
{
    char text[16] = "";
    int fd = open(XSD, O_RDWR);

    if (fd < 0)
        return -1;
    if (read(fd, text, sizeof(text) - 1) <= 0)
        return -1;
    *port = (uint32_t)strtoul(text, NULL, 10);
    d.own = mmap(NULL, PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    return d.own == MAP_FAILED ? -1 : 0;
}

static void seed(struct conn *dom0, const char *path, const char *value)
{
    store_put(dom0, NULL, path, value, strlen(value), false);
}

static void begin(uint32_t port)
{
    struct conn *dom0 = conn_add(ROOT_DOMID, 0, port);

    if (!dom0 || !dom0->page) {
        complaint_of("cannot bind dom0's port");
        exit(1);
    }
    journal_conn(dom0);
    conn_touch(dom0);
    seed(dom0, "/tool/xenstored", "");
    seed(dom0, "/local/domain/0/name", "dom0");
    seed(dom0, "/local/domain/0/domid", "0");
    conns_publish();
}

static const struct outside outside = { map_page, unmap_page, bind_port, unbind_port, notify_port, os_now_ms, append };

static void set_up(void)
{
    struct complaint why;
    uint32_t port;

    if (os_open(&why) || own_ring(&port)) {
        complaint_of("no " XSD);
        exit(1);
    }
    d.evtchn = os_evtchn_open();
    if (d.evtchn < 0 || !store_open(&outside)) {
        complaint_of("cannot start");
        exit(1);
    }
    if (!take_up()) {
        if (store.conns || store.root->children) {
            store_close();
            store_open(&outside);
            unlink(JOURNAL);
            d.journal = open(JOURNAL, O_RDWR | O_CREAT | O_APPEND, 0600);
        }
        begin(port);
    }
    rewrite();
}

static void serve(void)
{
    look_at_domains();
    for (;;) {
        struct pollfd p = { d.evtchn, POLLIN, 0 };
        bool more = conns_serve();
        int port;

        if (d.size > d.limit)
            rewrite();
        poll(&p, 1, more ? 0 : store.favoured ? 20 : -1);
        while ((port = os_evtchn_next(d.evtchn)) >= 0)
            os_evtchn_unmask(d.evtchn, (uint32_t)port);
    }
}

static void write_pid(void)
{
    char text[16];
    int n = snprintf(text, sizeof(text), "%d\n", (int)getpid());

    os_write_file(PID_FILE, text, (size_t)n);
}

static int child(void)
{
    write_pid();
    set_up();
    serve();
    return 0;
}

/* Five children in a row that hardly lived, and were not killed by somebody: it may be the journal that ends them. */
static void watch_over(void)
{
    unsigned brief = 0;

    for (;;) {
        uint64_t born = os_now_ms();
        int status = 0, pid = fork();

        if (pid == 0)
            exit(child());
        while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
            ;
        if (pid < 0) {
            os_sleep_ms(100);
            continue;
        }
        brief = os_now_ms() - born < 500 && !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) ? brief + 1 : 0;
        if (brief >= 5) {
            rename(JOURNAL, DIR "/journal.bad");
            os_sleep_ms(1000);
            brief = 0;
        }
    }
}

int main(int argc, char **argv)
{
    char text[16];

    if (argc > 1 && strcmp(argv[1], "-f")) {
        fprintf(stderr, "usage: xenstored [-f]\nKeeps the store. -f: in the foreground.\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    if (access(XSD, R_OK)) {
        fprintf(stderr, "xenstored: " XSD " is missing: the store is kept in dom0, and this is not dom0\n");
        return 1;
    }
    close(open(XSD, O_RDONLY));              /* programs may speak to the store from here on: they will wait for us */
    os_make_dir("/run");
    os_make_dir(DIR);
    if (os_read_file(PID_FILE, text, sizeof(text)) > 0 && kill(atoi(text), 0) == 0) {
        fprintf(stderr, "xenstored: it is running already, as process %d\n", atoi(text));
        return 1;
    }
    if (mount("ram", DIR, "ram", 0, NULL))
        unlink(JOURNAL);                     /* another boot's, on a disk */
    if (argc > 1)
        return child();
    switch (fork()) {
    case -1:
        return 1;
    case 0:
        setsid();
        watch_over();
    }
    return 0;
}

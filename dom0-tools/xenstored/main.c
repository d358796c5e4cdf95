/* SPDX-License-Identifier: MIT */
/* main.c: xenstored's process: dom0's devices, the loop, and how it comes to be started again.
 *
 * Process 1, which nobody can kill, is asked to keep it: when it ends, however it ends, another is made, which takes up the journal. The
 * journal lies in memory (a ramfs at /run/xenstored): it is for a killed daemon, not for a rebooted machine. dom0's port can be bound
 * once, so there are never two. Of domains' ends it hears from the hypervisor (VIRQ_DOM_EXC), and tells by @releaseDomain. */
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
#include <unistd.h>

#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/os.h"

#define DIR      "/run/xenstored"
#define JOURNAL  DIR "/journal"
#define FRESH    DIR "/journal.new"
#define BAD      DIR "/journal.bad"
#define ATTEMPTS DIR "/attempts"
#define PID_FILE DIR "/pid"
#define XSD      "/dev/xen/xsd"
#define SLACK    (1u << 20)              /* the journal may grow by so much before it is written anew */
#define TRIES    20                      /* so many daemons that did not come up in a row: it may be the journal that ends them */

static struct {
    int       evtchn, journal, fresh;
    size_t    size, limit;             /* of the journal: now, and when it is written anew */
    int       own_port, dom_exc;
    uint16_t *domid_of;                /* a port's                                      */
    int       ports;
    struct xenstore_domain_interface *own;
} d = { .evtchn = -1, .journal = -1, .fresh = -1, .dom_exc = -1 };

static void complain_of(const char *what, const char *why)
{
    char line[160];
    int fd = open("/dev/kmsg", O_WRONLY);
    int n = snprintf(line, sizeof(line), "xenstored: %s%s%s\n", what, *why ? ": " : "", why);

    if (fd >= 0 && write(fd, line, (size_t)n) == n)
        n = 0;
    if (fd >= 0)
        close(fd);
}

static void complaint_of(const char *what) { complain_of(what, strerror(errno)); }

/* Process 1 does not start the next one at once after one that hardly lived. Who leaves so knows why: it is not the journal. */
static void __attribute__((noreturn)) give_up(const char *what)
{
    complaint_of(what);
    unlink(ATTEMPTS);
    _exit(1);
}

static void no_memory(void) { give_up("it ends, and the next one goes on where it was"); }

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

static int bind_port(uint16_t domid, uint32_t remote)
{
    int port = domid == ROOT_DOMID ? d.own_port : os_evtchn_bind(d.evtchn, domid, remote);

    if (port >= d.ports) {
        d.domid_of = memory_more(d.domid_of, (size_t)(port + 64) * sizeof(*d.domid_of));
        d.ports = port + 64;
    }
    if (port >= 0)
        d.domid_of[port] = domid;
    return port;
}

static void unbind_port(int port)
{
    if (port != d.own_port)
        os_evtchn_unbind(d.evtchn, (uint32_t)port);
}

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

static char *read_journal(size_t *n)
{
    struct stat st;
    char *data;
    ssize_t got = 0;

    d.journal = open(JOURNAL, O_RDWR | O_CREAT | O_APPEND, 0600);
    if (d.journal < 0 || fstat(d.journal, &st))
        give_up("cannot open " JOURNAL);
    data = memory((size_t)st.st_size);
    for (*n = 0; *n < (size_t)st.st_size; *n += (size_t)got) {
        got = read(d.journal, data + *n, (size_t)st.st_size - *n);
        if (got <= 0)
            give_up("cannot read " JOURNAL);
    }
    return data;
}

/* False: there is nothing to go on from. */
static bool take_up(void)
{
    char *data = read_journal(&d.size);
    enum replayed how = d.size ? journal_replay(data, d.size) : REPLAYED_NOT;

    free(data);
    if (how == REPLAYED_CUT)
        complain_of("the journal's end is missing: what it told is forgotten", "");
    if (d.size && (how == REPLAYED_NOT || !store.conn_of[ROOT_DOMID])) {
        complain_of("the journal makes no sense and is now " BAD "; the store begins empty: devices come and go again after a restart of the machine", "");
        rename(JOURNAL, BAD);
        return false;
    }
    return d.size;
}

/* ---- domains' ends ---------------------------------------------------------------------------------- */

/* What the hypervisor says of the domains in our list: NULL for one that it does not know. */
static const struct xen_domctl_getdomaininfo *info_of(uint16_t domid, const struct xen_domctl_getdomaininfo *list, unsigned n)
{
    unsigned low = 0, high = n;

    while (low < high) {
        unsigned mid = low + (high - low) / 2;

        if (list[mid].domain == domid)
            return &list[mid];
        if (list[mid].domain < domid)
            low = mid + 1;
        else
            high = mid;
    }
    return NULL;
}

/* All domains, by their numbers; NULL if that cannot be known now. */
static struct xen_domctl_getdomaininfo *all_domains(unsigned *n)
{
    enum { CHUNK = 128 };
    struct xen_domctl_getdomaininfo *list = NULL;
    int got;

    *n = 0;
    do {
        list = memory_more(list, (*n + CHUNK) * sizeof(*list));
        got = machine_domains(*n ? list[*n - 1].domain + 1 : 0, list + *n, CHUNK);
        if (got < 0) {
            free(list);
            return NULL;
        }
        *n += (unsigned)got;
    } while (got == CHUNK);
    return list;
}

/* Who watches @releaseDomain is told in any case: some domain has ended, if not one that we serve. */
static void look_at_domains(void)
{
    unsigned n;
    struct xen_domctl_getdomaininfo *list = all_domains(&n);
    struct conn *next;

    for (struct conn *c = list ? store.conns : NULL; c; c = next) {
        const struct xen_domctl_getdomaininfo *info = info_of(c->domid, list, n);

        next = c->next;
        if (c->domid == ROOT_DOMID)
            continue;
        if (!info || (info->flags & XEN_DOMINF_dying))
            domain_gone(c->domid);
        else
            c->ended = info->flags & XEN_DOMINF_shutdown;
    }
    free(list);
    watch_fire_special("@releaseDomain");
    conns_publish();
}

/* ---- coming up ---------------------------------------------------------------------------------------------- */

static const struct outside outside = { map_page, unmap_page, bind_port, unbind_port, notify_port, os_now_ms, append, no_memory };

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
    struct conn *dom0;

    store_open(&outside);
    dom0 = conn_add(ROOT_DOMID, 0, port);
    journal_conn(dom0);
    conn_touch(dom0);
    seed(dom0, "/tool/xenstored", "");
    seed(dom0, "/local/domain/0/name", "dom0");
    seed(dom0, "/local/domain/0/domid", "0");
    conns_publish();
}

/* How often in a row a daemon was started that did not get as far as serving. */
static void attempt(void)
{
    char text[16];
    int n = os_read_file(ATTEMPTS, text, sizeof(text)) > 0 ? atoi(text) + 1 : 1;

    if (n > TRIES) {
        complain_of("it does not come up with its journal, which is now " BAD, "");
        rename(JOURNAL, BAD);
        n = 0;
    }
    os_write_file(ATTEMPTS, text, (size_t)snprintf(text, sizeof(text), "%d\n", n));
}

static void set_up(void)
{
    struct complaint why;
    char text[16];
    uint32_t port;

    if (os_open(&why) || own_ring(&port) || (d.evtchn = os_evtchn_open()) < 0)
        give_up("no " XSD);
    d.own_port = os_evtchn_bind(d.evtchn, ROOT_DOMID, port);
    if (d.own_port < 0) {
        os_sleep_ms(1000);
        give_up("dom0's port is taken: does another xenstored run");
    }
    os_write_file(PID_FILE, text, (size_t)snprintf(text, sizeof(text), "%d\n", (int)getpid()));
    attempt();
    d.dom_exc = os_evtchn_bind_virq(d.evtchn, VIRQ_DOM_EXC);
    if (d.dom_exc < 0)
        complaint_of("cannot hear of domains' ends (VIRQ_DOM_EXC)");
    store_open(&outside);
    if (!take_up())
        begin(port);
    rewrite();
    unlink(ATTEMPTS);
}

static void hear(void)
{
    bool ends = false;
    int port;

    while ((port = os_evtchn_next(d.evtchn)) >= 0) {
        os_evtchn_unmask(d.evtchn, (uint32_t)port);
        ends = ends || port == d.dom_exc;
        if (port < d.ports && port != d.dom_exc && store.conn_of[d.domid_of[port]])
            conn_heard(store.conn_of[d.domid_of[port]]);
    }
    if (ends)
        look_at_domains();
}

static void __attribute__((noreturn)) serve(void)
{
    look_at_domains();
    for (;;) {
        struct pollfd p = { d.evtchn, POLLIN, 0 };
        bool more = conns_serve();

        if (d.size > d.limit)
            rewrite();
        poll(&p, 1, more ? 0 : store.favoured ? 20 : -1);
        hear();
    }
}

/* ---- being started ------------------------------------------------------------------------------------------- */

static int running(void)
{
    char text[16];
    int pid = os_read_file(PID_FILE, text, sizeof(text)) > 0 ? atoi(text) : 0;

    return access("/run/init/xenstored", F_OK) == 0 && pid > 0 && kill(pid, 0) == 0 ? pid : 0;
}

/* Once a boot: the journal's place, in which nothing of another boot's lies. */
static void make_place(void)
{
    os_make_dir("/run");
    os_make_dir(DIR);
    if (access(DIR "/here", F_OK) == 0)
        return;
    if (mount("ram", DIR, "ram", 0, NULL))
        unlink(JOURNAL);
    os_write_file(DIR "/here", "", 0);
}

int main(int argc, char **argv)
{
    bool daemon = argc > 1 && !strcmp(argv[1], "-f");

    if (argc > 1 && !daemon) {
        fprintf(stderr, "usage: xenstored [-f]\nHas the store kept by process 1 (/run/init). -f: keeps it, in the foreground.\n");
        return 2;
    }
    if (access(XSD, R_OK)) {
        fprintf(stderr, "xenstored: " XSD " is missing: the store is kept in dom0, and this is not dom0\n");
        return 1;
    }
    make_place();
    if (daemon) {
        signal(SIGPIPE, SIG_IGN);
        signal(SIGHUP, SIG_IGN);
        set_up();
        serve();
    }
    if (running()) {
        fprintf(stderr, "xenstored: it is running already, as process %d\n", running());
        return 1;
    }
    close(open(XSD, O_RDONLY));              /* programs may speak to the store from here on: they will wait for it */
    if (os_keep("xenstored", "/usr/sbin/xenstored -f\n")) {
        fprintf(stderr, "xenstored: cannot ask process 1 to keep the store: %s\n", strerror(errno));
        return 1;
    }
    return 0;
}

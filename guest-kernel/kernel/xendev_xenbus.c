/* SPDX-License-Identifier: MIT */
/* xendev_xenbus.c: the store for programs: /dev/xen/xenbus for those who use it, /dev/xen/xsd for the one who is it.
 *
 * /dev/xen/xenbus has the meaning of Linux's: a program writes the protocol's messages and reads answers and watch events.
 * All programs share the kernel's one connection: a watch is the kernel's own, with the program's token kept here, and
 * what an open file has begun (transactions, watches) ends with it. A write returns when its request has been answered.
 *
 * dom0 has no start_info entry for a store that does not exist yet, so its kernel makes a page and a port itself and offers
 * both by /dev/xen/xsd: map it for the page, read it for the port, in decimal. xenstored may come and go: the ring stays.  */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/pv/cpu.h"
#include "hypercall-abi/io/xs_wire.h"
#include "pv-drivers/os.h"
#include "pv-drivers/store.h"
#include "pv-drivers/store_wire.h"
#include "pv-drivers/xenbus.h"

#define QUEUE_MOST  4096u             /* events that a program has not read: a guest may make them as fast as it can */
#define QUEUE_BYTES (1u << 20)

struct message {
    struct list link;
    size_t      size, read;
    struct xsd_sockmsg head;
    char        payload[];
};

struct bus_watch {
    struct list        link;
    struct store_watch watch;
    struct bus_user   *user;
    struct list        early;         /* events that came before its request was answered */
    bool               answered;
    char               token[];
};

struct transaction { struct list link; uint32_t id; };

struct bus_user {                     /* one open file */
    struct list       queue, watches, transactions;
    unsigned          queued;         /* messages in the queue */
    size_t            bytes;          /* and what they take    */
    bool              lost;           /* an event, for want of room: told once */
    bool              busy;           /* a request is under way: the next writer waits */
    struct wait_queue readers;
    size_t            got;            /* of the request that is being written: */
    struct xsd_sockmsg head;
    char              payload[XENSTORE_PAYLOAD_MAX + 1];
    char              answer[XENSTORE_PAYLOAD_MAX];
};

static struct { struct xenstore_domain_interface *page; uint32_t port; bool served; } own;     /* dom0's */

/* ---- what a program reads ---- */

/* A message whose payload is that of the parts, at the end of a list. */
static int add_to(struct list *list, struct bus_user *u, struct xsd_sockmsg head, const struct store_part *part, unsigned parts)
{
    head.len = 0;
    for (unsigned i = 0; i < parts; i++)
        head.len += (uint32_t)part[i].len;
    struct message *m = kmalloc(sizeof(*m) + head.len);
    if (!m)
        return -ENOMEM;
    m->size = sizeof(m->head) + head.len;
    m->head = head;
    for (size_t i = 0, at = 0; i < parts; at += part[i++].len)
        memcpy(m->payload + at, part[i].data, part[i].len);
    list_append(list, &m->link);
    u->queued++;
    u->bytes += m->size;
    wake_all(&u->readers);
    return 0;
}

static void message_free(struct bus_user *u, struct message *m)
{
    list_remove(&m->link);
    u->queued--;
    u->bytes -= m->size;
    kfree(m);
}

static void messages_free(struct bus_user *u, struct list *list)
{
    while (!list_empty(list))
        message_free(u, container_of(list->next, struct message, link));
}

static int queue(struct bus_user *u, struct xsd_sockmsg head, const struct store_part *part, unsigned parts)
{
    return add_to(&u->queue, u, head, part, parts);
}

static int queue_answer(struct bus_user *u, uint32_t type, const void *payload, size_t n)
{
    struct store_part part = { payload, n };
    return queue(u, (struct xsd_sockmsg){ .type = type, .req_id = u->head.req_id, .tx_id = u->head.tx_id }, &part, 1);
}

static int queue_error(struct bus_user *u, const char *word) { return queue_answer(u, XS_ERROR, word, strlen(word) + 1); }

static long bus_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct bus_user *u = f->private;
    size_t done = 0;
    if (list_empty(&u->queue) && (f->flags & O_NONBLOCK))
        return -EAGAIN;
    if (wait_event(&u->readers, !list_empty(&u->queue)))
        return -EINTR;
    while (done < n && !list_empty(&u->queue)) {
        struct message *m = container_of(u->queue.next, struct message, link);
        size_t some = MIN(n - done, m->size - m->read);
        if (copy_to_user(buf + done, (char *)&m->head + m->read, some))
            return done ? (long)done : -EFAULT;
        done += some;
        m->read += some;
        if (m->read < m->size)
            break;
        message_free(u, m);
    }
    return done;
}

static short bus_poll(struct file *f, struct poll_table *t)
{
    struct bus_user *u = f->private;
    poll_wait(t, &u->readers);
    return POLLOUT | (list_empty(&u->queue) ? 0 : POLLIN);
}

/* ---- watches ---- */

static void watch_fired(struct store_watch *w, const char *path)
{
    struct bus_watch *b = w->arg;
    struct bus_user *u = b->user;
    struct store_part part[2] = { { path, strlen(path) + 1 }, { b->token, strlen(b->token) + 1 } };
    if (u->queued < QUEUE_MOST && u->bytes < QUEUE_BYTES &&
        !add_to(b->answered ? &u->queue : &b->early, u, (struct xsd_sockmsg){ .type = XS_WATCH_EVENT }, part, 2))
        return;
    if (!u->lost)
        klog("xenbus: an event for %s is lost: its program reads too slowly\n", path);
    u->lost = true;
}

/* The two strings of the request; false if they are not there. */
static bool two_strings(const struct bus_user *u, const char **path, const char **token)
{
    size_t p = strnlen(u->payload, u->head.len) + 1;
    if (p >= u->head.len || u->payload[u->head.len - 1])
        return false;
    *path = u->payload;
    *token = u->payload + p;
    return strlen(*token) + 1 + p == u->head.len;
}

static struct bus_watch *watch_find(struct bus_user *u, const char *path, const char *token)
{
    list_for (b, &u->watches, struct bus_watch, link)
        if (strcmp(b->watch.path, path) == 0 && strcmp(b->token, token) == 0)
            return b;
    return 0;
}

static const char *error_word(int rc)
{
    switch (-rc) {
    case XEN_ENOENT: return "ENOENT";
    case XEN_EACCES: return "EACCES";
    case XEN_EEXIST: return "EEXIST";
    case XEN_ENOSPC: return "ENOSPC";
    case XEN_E2BIG:  return "E2BIG";
    case XEN_ENOMEM: return "ENOMEM";
    default:         return "EINVAL";
    }
}

static int watch(struct bus_user *u)
{
    const char *path, *token;
    if (!two_strings(u, &path, &token) || strlen(path) >= STORE_PATH_MAX)
        return queue_error(u, "EINVAL");
    if (watch_find(u, path, token))
        return queue_error(u, "EEXIST");
    struct bus_watch *b = kmalloc(sizeof(*b) + strlen(token) + 1);
    if (!b)
        return -ENOMEM;
    strlcpy(b->watch.path, path, STORE_PATH_MAX);
    strlcpy(b->token, token, strlen(token) + 1);
    b->watch.fn = watch_fired;
    b->watch.arg = b;
    b->user = u;
    list_init(&b->early);
    list_append(&u->watches, &b->link);
    int rc = store_watch_add(&b->watch);
    if (rc == 0) {
        rc = queue_answer(u, XS_WATCH, "OK", 3);     /* before the first event */
        b->answered = true;
        while (!list_empty(&b->early)) {
            struct message *m = container_of(b->early.next, struct message, link);
            list_remove(&m->link);
            list_append(&u->queue, &m->link);
        }
        return rc;
    }
    list_remove(&b->link);
    messages_free(u, &b->early);
    kfree(b);
    return queue_error(u, error_word(rc));
}

static void watch_end(struct bus_watch *b)
{
    list_remove(&b->link);
    store_watch_remove(&b->watch);
    messages_free(b->user, &b->early);
    kfree(b);
}

static int unwatch(struct bus_user *u)
{
    const char *path, *token;
    struct bus_watch *b = two_strings(u, &path, &token) ? watch_find(u, path, token) : 0;
    if (!b)
        return queue_error(u, "ENOENT");
    watch_end(b);
    return queue_answer(u, XS_UNWATCH, "OK", 3);
}

/* ---- requests ---- */

static struct transaction *transaction_find(struct bus_user *u, uint32_t id)
{
    list_for (t, &u->transactions, struct transaction, link)
        if (t->id == id)
            return t;
    return 0;
}

static void transaction_end(uint32_t id, bool commit)
{
    store_end(id, commit);
}

static int transaction_note(struct bus_user *u, size_t n)
{
    char id[16];
    struct transaction *t = kmalloc(sizeof(*t));
    strlcpy(id, u->answer, MIN(sizeof(id), n + 1));
    if (!t) {
        transaction_end((uint32_t)parse_number(id, 0), false);
        return -ENOMEM;
    }
    t->id = (uint32_t)parse_number(id, 0);
    list_append(&u->transactions, &t->link);
    return 0;
}

static int forward(struct bus_user *u)
{
    uint32_t type = u->head.type;
    struct store_part part = { u->payload, u->head.len };
    struct transaction *t = transaction_find(u, u->head.tx_id);
    if (u->head.tx_id && !t)
        return queue_error(u, "ENOENT");             /* another's, or none */
    int n = store_call(&type, u->head.tx_id, &part, 1, u->answer, sizeof(u->answer));
    if (n < 0)
        return n;
    if (type == XS_TRANSACTION_START && transaction_note(u, n))
        return -ENOMEM;
    if (u->head.type == XS_TRANSACTION_END && t) {
        list_remove(&t->link);
        kfree(t);
    }
    return queue_answer(u, type, u->answer, MIN((size_t)n, sizeof(u->answer)));
}

static int request(struct bus_user *u)
{
    switch (u->head.type) {
    case XS_WATCH:         return watch(u);
    case XS_UNWATCH:       return unwatch(u);
    case XS_RESET_WATCHES: return queue_error(u, "EACCES");      /* they are the kernel's */
    default:               return forward(u);
    }
}

/* Adds bytes of the program's to the request; acts when it is whole. */
static long add_bytes(struct bus_user *u, uptr_t buf, size_t n)
{
    const size_t head = sizeof(u->head);
    size_t done = 0;
    while (done < n) {
        size_t whole = u->got < head ? head : head + u->head.len, some = MIN(n - done, whole - u->got);
        char *to = u->got < head ? (char *)&u->head + u->got : u->payload + u->got - head;
        if (some && copy_from_user(to, buf + done, some))
            return -EFAULT;
        u->got += some;
        done += some;
        if (u->got >= head && u->head.len > XENSTORE_PAYLOAD_MAX) {
            u->got = 0;
            return -EINVAL;
        }
        if (u->got < head || u->got < head + u->head.len)
            continue;
        u->payload[u->head.len] = 0;
        u->got = 0;
        int rc = request(u);
        if (rc)
            return rc;
    }
    return done;
}

static long bus_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    struct bus_user *u = f->private;
    wait_event_always(&u->readers, !u->busy);
    u->busy = true;
    long rc = add_bytes(u, buf, n);
    u->busy = false;
    wake_all(&u->readers);
    return rc;
}

static int bus_open(struct file *f)
{
    if (own.page && !own.served)
        return -ENXIO;                               /* no xenstored has ever been here */
    struct bus_user *u = kmalloc(sizeof(*u));
    if (!u)
        return -ENOMEM;
    list_init(&u->queue);
    list_init(&u->watches);
    list_init(&u->transactions);
    wait_init(&u->readers);
    f->private = u;
    return 0;
}

static void bus_close(struct file *f)
{
    struct bus_user *u = f->private;
    while (!list_empty(&u->watches))
        watch_end(container_of(u->watches.next, struct bus_watch, link));
    while (!list_empty(&u->transactions)) {
        struct transaction *t = container_of(u->transactions.next, struct transaction, link);
        list_remove(&t->link);
        transaction_end(t->id, false);
        kfree(t);
    }
    messages_free(u, &u->queue);
    kfree(u);
}

/* ---- /dev/xen/xsd ---- */

static int xsd_open(struct file *f)
{
    own.served = true;
    return 0;
}

static long xsd_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char text[16];
    size_t size = ksnprintf(text, sizeof(text), "%u\n", own.port);
    if (*pos >= size)
        return 0;
    n = MIN(n, size - *pos);
    if (copy_to_user(buf, text + *pos, n))
        return -EFAULT;
    *pos += n;
    return n;
}

static int xsd_fault(struct vm_space *s, struct vm_area *a, uintptr_t va, bool write)
{
    return vm_install_page(s, va, own.page, a->flags & (VM_READ | VM_WRITE));
}

static int xsd_mmap(struct file *f, struct vm_area *a)
{
    static const struct vm_ops area = { .fault = xsd_fault };
    if (!(a->flags & VM_SHARED) || a->end - a->start != PAGE_SIZE)
        return -EINVAL;
    a->ops = &area;
    return 0;
}

/* ---- start ---- */

static void nothing_yet(void *arg) { }

static int make_own(void)
{
    static const struct file_ops ops = { .open = xsd_open, .read = xsd_read, .mmap = xsd_mmap };
    struct xenstore_domain_interface *page = page_alloc();
    int port = page ? os_event_alloc(DOMID_SELF, nothing_yet, 0) : -ENOMEM;
    if (port < 0)
        return port;
    own.page = page;
    own.port = port;
    return dev_register("xen/xsd", 0, &ops, 0);
}

static int find_store(void)
{
    if (pv_is_dom0() && !pv_store_mfn) {
        int rc = make_own();
        return rc ? rc : store_init(own.page, own.port);
    }
    uint64_t pfn = pv_store_mfn ? plat_frame_to_pfn(pv_store_mfn) : PFN_NONE;
    return pfn == PFN_NONE ? -ENODEV : store_init(pfn_to_virt(pfn), pv_store_port);
}

void xendev_xenbus_boot(void)
{
    static const struct file_ops ops = { .open = bus_open, .close = bus_close, .read = bus_read, .write = bus_write,
                                         .poll = bus_poll, .no_seek = true };
    int rc = find_store();
    if (rc == 0)
        rc = dev_register("xen/xenbus", 0, &ops, 0);
    if (rc && rc != -ENODEV)
        kprintf("xenbus: no store: error %d\n", -rc);
}

/* SPDX-License-Identifier: MIT */
/* nvme.c: solid-state disks on PCI: finding, starting and, when they hang, starting anew.
 *
 * A controller has an admin queue, by which we ask what it is and make the others: one for reads, one for all else, each with
 * its own interrupt if there are so many. Commands that get no answer for half a minute, and a controller that
 * calls itself failed, end in a reset by the driver's thread: what was in flight fails, what waited goes on.       */
#include "guest-kernel/drivers/nvme.h"
#include "guest-kernel/kernel/proc.h"

#define COMMAND_NS   (5 * NSEC_PER_SEC)             /* an admin command's limit */
#define EPOCHS_LATE  2                              /* looks that a command may see before we ask after it */
#define EPOCHS_LOST  30                             /* and before it is given up */
#define CC_START     (6u << 16 | 4u << 20)          /* entries of 64 and 16 bytes, pages of 4 KiB */
#define MAX_DISKS    16u

static unsigned controllers;

/* ---- Waiting ---- */

/* Some tries at once, then a look a millisecond. */
static void rest(unsigned tries)
{
    if (tries > 100)
        sleep_until(plat_clock_ns() + NSEC_PER_MS, false);
}

static int wait_ready(struct nvme *c, bool ready)
{
    uint64_t limit = plat_clock_ns() + ((c->cap >> 24 & 0xff) + 1) * 500 * NSEC_PER_MS;
    for (unsigned tries = 0; plat_clock_ns() < limit; tries++) {
        uint32_t status = nvme_read(c, NVME_CSTS);
        if (status == ~0u || (ready && (status & CSTS_FATAL)))
            return -EIO;
        if ((status & CSTS_READY) == ready)
            return 0;
        rest(tries);
    }
    return -ETIMEDOUT;
}

/* One admin command, waited for. */
static int admin(struct nvme *c, const struct nvme_command *cmd, uint32_t *result)
{
    uint64_t limit = plat_clock_ns() + COMMAND_NS;
    struct nvme_slot *s = nvme_start(c->admin, cmd, 0);
    bool resetting = c->resetting;
    if (!s)
        return -EBUSY;
    c->resetting = false;                           /* the ring is the admin queue's */
    nvme_ring(c->admin);
    c->resetting = resetting;
    for (unsigned tries = 0; s->busy; tries++) {
        if (plat_clock_ns() >= limit)
            return -ETIMEDOUT;
        nvme_drain(c->admin);
        if (s->busy)
            rest(tries);
    }
    if (result)
        *result = s->result;
    return s->status ? -EIO : 0;
}

static int identify(struct nvme *c, uint32_t what, uint32_t nsid, uint64_t address)
{
    struct nvme_command cmd = { .opcode = ADMIN_IDENTIFY, .nsid = nsid, .prp1 = address, .word = { what } };
    return admin(c, &cmd, 0);
}

/* ---- The controller ---- */

static int stop(struct nvme *c)
{
    nvme_write(c, NVME_CC, nvme_read(c, NVME_CC) & ~1u);
    return wait_ready(c, false);
}

static void write64(struct nvme *c, unsigned reg, uint64_t v)
{
    nvme_write(c, reg, v);
    nvme_write(c, reg + 4, v >> 32);
}

static int start(struct nvme *c)
{
    nvme_queue_empty(c->admin);
    nvme_write(c, NVME_AQA, (c->admin->entries - 1) << 16 | (c->admin->entries - 1));
    write64(c, NVME_ASQ, c->admin->sq_address);
    write64(c, NVME_ACQ, c->admin->cq_address);
    nvme_write(c, NVME_CC, CC_START | 1);
    return wait_ready(c, true);
}

static int ask_queues(struct nvme *c)
{
    struct nvme_command cmd = { .opcode = ADMIN_SET_FEATURES, .word = { 7, (NVME_IO_QUEUES - 1) << 16 | (NVME_IO_QUEUES - 1) } };
    uint32_t got;
    int rc = admin(c, &cmd, &got);
    if (rc == 0)
        c->io_queues = MIN(NVME_IO_QUEUES, MIN(got & 0xffff, got >> 16) + 1);
    return rc;
}

static int make_queue(struct nvme *c, struct nvme_queue *q)
{
    uint32_t size = (q->entries - 1) << 16 | q->number, vector = c->shared_vector ? 0 : q->number;
    struct nvme_command cq = { .opcode = ADMIN_CREATE_CQ, .prp1 = q->cq_address, .word = { size, vector << 16 | 3 } };
    struct nvme_command sq = { .opcode = ADMIN_CREATE_SQ, .prp1 = q->sq_address, .word = { size, q->number << 16 | 1 } };
    nvme_queue_empty(q);
    int rc = admin(c, &cq, 0);
    return rc ? rc : admin(c, &sq, 0);
}

static int make_queues(struct nvme *c)
{
    int rc = ask_queues(c);
    for (unsigned i = 0; i < c->io_queues && rc == 0; i++) {
        if (!c->io[i])
            c->io[i] = nvme_queue_new(c, i + 1);
        rc = c->io[i] ? make_queue(c, c->io[i]) : -ENOMEM;
    }
    return rc;
}

/* ---- When it hangs ---- */

static bool overdue(const struct nvme *c, const struct nvme_queue *q, uint32_t epochs)
{
    for (unsigned i = 0; i < q->slots; i++)
        if (q->slot[i].busy && c->epoch - q->slot[i].epoch > epochs)
            return true;
    return false;
}

static void ask_reset(struct nvme *c, const char *why)
{
    kprintf("nvme%u: %s: resetting the controller\n", c->number, why);
    c->want_reset = true;
    wake_all(&c->reset_wanted);
}

/* A command that takes long: its interrupt may have been lost. */
static void ask_after(struct nvme *c, struct nvme_queue *q)
{
    if (overdue(c, q, EPOCHS_LATE) && nvme_drain(q) && c->complaints++ < 10)
        kprintf("nvme%u: an interrupt of queue %u was lost\n", c->number, q->number);
}

/* Every second while commands are in flight. */
static void look(struct timer *t)
{
    struct nvme *c = container_of(t, struct nvme, watch);
    bool busy = false, late = false;
    c->epoch++;
    if (c->dead || c->resetting || c->want_reset)
        return;
    uint32_t status = nvme_read(c, NVME_CSTS);
    for (unsigned i = 0; i < c->io_queues; i++) {
        ask_after(c, c->io[i]);
        late |= overdue(c, c->io[i], EPOCHS_LOST);
        busy |= c->io[i]->in_flight;
    }
    if (status == ~0u || (status & CSTS_FATAL))
        ask_reset(c, status == ~0u ? "the card does not answer" : "the controller reports a fatal error");
    else if (late)
        ask_reset(c, "a command got no answer in 30 s");
    else if (busy)
        timer_set(t, plat_clock_ns() + NVME_WATCH_NS);
}

static void give_up(struct nvme *c)
{
    kprintf("nvme%u: it does not start again: its disks are gone\n", c->number);
    pci_write(c->pci, 4, 2, pci_read(c->pci, 4, 2) & ~4u);   /* no more DMA */
    c->dead = true;
    for (struct nvme_disk *d = c->disks; d; d = d->next)
        d->blk.gone = true;
    nvme_fail(c, true);
}

static void reset(struct nvme *c)
{
    c->resetting = true;
    int rc = stop(c);
    if (rc == 0) {
        nvme_fail(c, false);
        rc = start(c);
    }
    if (rc == 0)
        rc = make_queues(c);
    c->want_reset = c->resetting = false;
    if (rc)
        give_up(c);
    else
        nvme_go_on(c);
}

static void thread(void *arg)
{
    struct nvme *c = arg;
    while (!c->dead) {
        wait_event_always(&c->reset_wanted, c->want_reset);
        reset(c);
    }
    for (;;)
        sleep_on(&c->reset_wanted, FOREVER, false);
}

/* ---- Disks ---- */

static uint64_t u64_at(const uint8_t *p) { uint64_t v; memcpy(&v, p, sizeof(v)); return v; }

static int add_disk(struct nvme *c, uint32_t nsid, const uint8_t *ns)
{
    uint32_t format;
    memcpy(&format, ns + 128 + 4 * (ns[26] & 15), sizeof(format));
    unsigned shift = format >> 16 & 0xff;
    if (u64_at(ns) == 0)
        return 0;                                   /* not active */
    if (shift < 9 || shift > 12 || (format & 0xffff)) {
        kprintf("nvme%u: namespace %u has blocks of an unknown kind: left out\n", c->number, nsid);
        return 0;
    }
    struct nvme_disk *d = kmalloc(sizeof(*d));
    if (!d)
        return -ENOMEM;
    *d = (struct nvme_disk){ .ctrl = c, .nsid = nsid, .shift = shift - 9, .next = c->disks };
    d->blk = (struct blkdev){
        .sectors = u64_at(ns) << d->shift, .logical = 1u << shift, .physical = 4096, .max_segs = c->max_pages,
        .max_sectors = c->max_pages << (PAGE_SHIFT - BLK_SECTOR_SHIFT), .read_only = ns[99] & 1, .flush = c->has_flush,
        .discard = c->has_discard, .fua = true, .joined = true, .ops = &nvme_blk_ops,
    };
    ksnprintf(d->blk.name, sizeof(d->blk.name), "nvme%un%u", c->number, nsid);
    c->disks = d;
    int rc = blk_register(&d->blk);
    if (rc == 0)
        kprintf("nvme%u: %s, %lu MiB, %u queues, %s\n", c->number, d->blk.name, d->blk.sectors >> 11, c->io_queues,
                c->shared_vector ? "one interrupt" : "an interrupt each");
    return rc;
}

static int find_disks(struct nvme *c, uint8_t *page, uint64_t address)
{
    uint32_t list[MAX_DISKS];
    int rc = identify(c, 2, 0, address);            /* the list of active ones */
    memcpy(list, page, sizeof(list));
    for (unsigned i = 0; i < MAX_DISKS && rc == 0 && list[i]; i++) {
        rc = identify(c, 0, list[i], address);
        if (rc == 0)
            rc = add_disk(c, list[i], page);
    }
    return rc;
}

/* What identify says of the controller itself. */
static void take_controller(struct nvme *c, const uint8_t *id)
{
    unsigned limit = id[77] ? MIN(id[77], 8) : 8;   /* the largest transfer, as a power of two of pages */
    c->max_pages = MIN(1u << limit, NVME_PAGES_MAX);
    c->has_flush = id[525] & 1;                     /* a volatile cache is there */
    c->has_discard = id[520] & 4;
}

static int set_up(struct nvme *c)
{
    void *args[NVME_IO_QUEUES + 1];
    uint64_t address;
    uint8_t *page = dma_alloc(0, &address);
    c->max_pages = NVME_PAGES_MAX;
    c->admin = nvme_queue_new(c, 0);
    if (!page || !c->admin)
        return -ENOMEM;
    int rc = stop(c);
    if (rc == 0)
        rc = start(c);
    if (rc == 0)
        rc = identify(c, 1, 0, address);
    if (rc)
        return rc;
    take_controller(c, page);
    rc = ask_queues(c);
    for (unsigned i = 0; i < c->io_queues && rc == 0; i++)
        if (!(c->io[i] = nvme_queue_new(c, i + 1)))
            rc = -ENOMEM;
    if (rc)
        return rc;
    args[0] = c->admin;
    for (unsigned i = 0; i < c->io_queues; i++)
        args[i + 1] = c->io[i];
    rc = pci_irqs(c->pci, c->io_queues + 1, nvme_interrupt, args);
    if (rc < 0)
        return rc;
    c->shared_vector = rc < (int)c->io_queues + 1;
    rc = make_queues(c);
    if (rc == 0)
        rc = find_disks(c, page, address);
    return rc;
}

static int probe(struct pci_dev *pci)
{
    size_t size = NVME_REGISTERS;
    struct nvme *c = kmalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    *c = (struct nvme){ .pci = pci, .number = controllers };
    pci_enable(pci);
    c->regs = pci_map_bar(pci, 0, &size);
    if (!c->regs || size < NVME_DOORBELLS + PAGE_SIZE) {
        kfree(c);
        return -ENODEV;
    }
    controllers++;
    c->cap = nvme_read(c, NVME_CAP) | (uint64_t)nvme_read(c, NVME_CAP + 4) << 32;
    timer_init(&c->watch, look);
    wait_init(&c->reset_wanted);
    int rc = c->cap >> 48 & 15 ? -EOPNOTSUPP : set_up(c);   /* pages of 4 KiB */
    if (rc == 0 && !kthread_create("nvme", thread, c))
        rc = -ENOMEM;
    if (rc)
        kprintf("nvme%u: the controller cannot be started: error %d\n", c->number, -rc);
    return rc;
}

static const struct pci_id ids[] = { { .class = 0x010802, .class_mask = 0xffffff }, { 0 } };
const struct pci_driver nvme_driver = { .name = "nvme", .ids = ids, .probe = probe };

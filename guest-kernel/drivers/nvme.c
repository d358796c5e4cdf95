/* SPDX-License-Identifier: MIT */
/* nvme.c: solid-state disks on PCI: finding, starting and, when they hang, starting anew.
 *
 * A controller has an admin queue, by which we ask what it is and make the others: one for reads, one for all else, each with
 * its own interrupt if there are so many. Commands that get no answer for half a minute, and a controller that
 * calls itself failed, end in a reset by the driver's thread: what was in flight is asked for again, what waited goes on. A controller
 * that does not start again, or does not answer at all, is given up: its disks are gone and every request for them fails. */
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
    struct nvme_answer answer = { false, 0, 0 };
    struct nvme_slot *s = nvme_start(c->admin, cmd, 0);
    bool resetting = c->resetting;
    if (!s)
        return -EBUSY;
    s->answer = &answer;
    c->resetting = false;                           /* the ring is the admin queue's */
    nvme_ring(c->admin);
    c->resetting = resetting;
    for (unsigned tries = 0; !answer.there; tries++) {
        if (plat_clock_ns() >= limit) {
            s->answer = 0;                          /* the slot stays the controller's: it may answer yet */
            return -ETIMEDOUT;
        }
        nvme_drain(c->admin);
        if (!answer.there)
            rest(tries);
    }
    if (result)
        *result = answer.result;
    return answer.status ? -EIO : 0;
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
    pci_disable(c->pci);                            /* no more DMA */
    c->dead = true;
    for (struct nvme_disk *d = c->disks; d; d = d->next)
        d->blk.gone = true;
    nvme_gone(c);
}

static void reset(struct nvme *c)
{
    unsigned queues = c->io_queues, again = 0;
    c->resetting = true;
    int rc = stop(c);
    if (rc == 0) {
        again = nvme_lost(c);
        rc = start(c);
    }
    if (rc == 0)
        rc = make_queues(c);
    if (rc == 0 && c->io_queues != queues)
        rc = -EIO;                                  /* requests wait for one that it does not give back */
    c->io_queues = queues;
    c->want_reset = c->resetting = false;
    if (rc) {
        give_up(c);
        return;
    }
    kprintf("nvme%u: it works again: %u requests are made anew\n", c->number, again);
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
    if (rc) {                                       /* blk_register keeps nothing of what it refuses */
        c->disks = d->next;
        kfree(d);
        return rc;
    }
    kprintf("nvme%u: %s, %lu MiB, %u queues, %s\n", c->number, d->blk.name, d->blk.sectors >> 11, c->io_queues,
            c->shared_vector ? "one interrupt" : "an interrupt each");
    return 0;
}

/* The numbers of its namespaces; one of before version 1.1 has no list, and they count from 1. */
static void list_disks(struct nvme *c, const uint8_t *page, uint64_t address, uint32_t list[MAX_DISKS])
{
    if (identify(c, 2, 0, address) == 0) {
        memcpy(list, page, MAX_DISKS * sizeof(*list));
        return;
    }
    for (unsigned i = 0; i < MAX_DISKS; i++)
        list[i] = i < c->namespaces ? i + 1 : 0;
}

/* One namespace that cannot be had does not take the others with it. */
static void find_disks(struct nvme *c, const uint8_t *page, uint64_t address)
{
    uint32_t list[MAX_DISKS];
    list_disks(c, page, address, list);
    for (unsigned i = 0; i < MAX_DISKS && list[i]; i++) {
        int rc = identify(c, 0, list[i], address);
        if (rc == 0)
            rc = add_disk(c, list[i], page);
        if (rc)
            kprintf("nvme%u: namespace %u cannot be used: error %d\n", c->number, list[i], -rc);
    }
}

/* What identify says of the controller itself. */
static void take_controller(struct nvme *c, const uint8_t *id)
{
    unsigned limit = id[77] ? MIN(id[77], 8) : 8;   /* the largest transfer, as a power of two of pages */
    c->max_pages = MIN(1u << limit, NVME_PAGES_MAX);
    c->has_flush = id[525] & 1;                     /* a volatile cache is there */
    c->has_discard = id[520] & 4;
    memcpy(&c->namespaces, id + 516, sizeof(c->namespaces));
}

static int make_io_queues(struct nvme *c)
{
    void *args[NVME_IO_QUEUES + 1] = { c->admin };
    int rc = ask_queues(c);
    for (unsigned i = 0; i < c->io_queues && rc == 0; i++) {
        args[i + 1] = c->io[i] = nvme_queue_new(c, i + 1);
        rc = c->io[i] ? 0 : -ENOMEM;
    }
    if (rc)
        return rc;
    rc = pci_irqs(c->pci, c->io_queues + 1, nvme_interrupt, args);
    if (rc < 0)
        return rc;
    c->shared_vector = rc < (int)c->io_queues + 1;
    return make_queues(c);
}

static int set_up(struct nvme *c, const uint8_t *page, uint64_t address)
{
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
    rc = make_io_queues(c);
    if (rc == 0 && !kthread_create("nvme", thread, c))   /* before the first request, which may hang */
        rc = -ENOMEM;
    return rc;
}

/* It may know our memory, so it is stopped, and if it does not heed that it loses the bus. What it was given stays given. */
static void abandon(struct nvme *c)
{
    if (c->admin)
        stop(c);
    pci_disable(c->pci);
    irq_forget(nvme_interrupt, c->admin);
    for (unsigned i = 0; i < NVME_IO_QUEUES; i++)
        irq_forget(nvme_interrupt, c->io[i]);
    c->dead = true;
}

/* Registers that are all there, and of a kind that we know; else what is wrong, in words. */
static const char *unfit(struct nvme *c)
{
    size_t doorbells = (2 * NVME_IO_QUEUES + 2) * (size_t)4 << (c->cap >> 32 & 15);
    if (c->cap == ~0ul)
        return "it does not answer";
    if (c->cap >> 48 & 15)
        return "it has no pages of 4 KiB";
    return doorbells > c->regs_size - NVME_DOORBELLS ? "its doorbells lie too far apart" : 0;
}

static int probe(struct pci_dev *pci)
{
    uint64_t address;
    struct nvme *c = kmalloc(sizeof(*c));
    if (!c)
        return -ENOMEM;
    *c = (struct nvme){ .pci = pci, .number = controllers, .regs_size = NVME_REGISTERS };
    pci_enable(pci);
    c->regs = pci_map_bar(pci, 0, &c->regs_size);
    if (!c->regs || c->regs_size < NVME_DOORBELLS + PAGE_SIZE) {
        kprintf("%s: its registers are not where BAR 0 says\n", pci->name);
        kfree(c);
        return -ENODEV;
    }
    controllers++;
    c->cap = nvme_read(c, NVME_CAP) | (uint64_t)nvme_read(c, NVME_CAP + 4) << 32;
    timer_init(&c->watch, look);
    wait_init(&c->reset_wanted);
    const char *wrong = unfit(c);
    uint8_t *page = wrong ? 0 : dma_alloc(0, &address);
    int rc = wrong ? -EOPNOTSUPP : set_up(c, page, address);
    if (rc) {
        kprintf("nvme%u: the controller cannot be started: %s (error %d)\n", c->number, wrong ? wrong : "it fails at its first commands", -rc);
        abandon(c);
        return rc;
    }
    find_disks(c, page, address);
    return 0;
}

static const struct pci_id ids[] = { { .class = 0x010802, .class_mask = 0xffffff }, { 0 } };
const struct pci_driver nvme_driver = { .name = "nvme", .ids = ids, .probe = probe };

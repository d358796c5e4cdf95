/* SPDX-License-Identifier: MIT */
/* nvme_io.c: requests become commands, completions end requests.
 *
 * A command names its memory by pages: two in the command itself, more in a list in memory that belongs to its slot. The pages are
 * those of the request, whoever they belong to: nothing is copied. Commands are put into the ring as they come, and the
 * doorbell is rung once for all of them by kick; an interrupt takes all completions that are there and rings once.
 * (Doorbells in memory, which QEMU's controller offers too, were tried and gained nothing measurable.)              */
#include "guest-kernel/drivers/nvme.h"
#include "guest-kernel/kernel/page.h"

#define TRIES       3                               /* of a request, answered badly or not at all */
#define SLOT_BITS   8
_Static_assert(NVME_SLOTS <= 1u << SLOT_BITS, "an id holds the slot");

static void barrier(void) { __asm__ volatile("" ::: "memory"); }

/* ---- Rings ---- */

static size_t list_bytes(const struct nvme *c) { return c->max_pages * sizeof(uint64_t); }

static uint64_t *list_of(struct nvme_queue *q, unsigned slot) { return (uint64_t *)(q->lists + slot * list_bytes(q->ctrl)); }

static uint64_t list_address(struct nvme_queue *q, unsigned slot)
{
    size_t at = slot * list_bytes(q->ctrl);
    return q->lists_address[at >> PAGE_SHIFT] + (at & (PAGE_SIZE - 1));
}

static bool lists_alloc(struct nvme_queue *q)
{
    size_t pages = ROUND_UP(q->slots * list_bytes(q->ctrl), PAGE_SIZE) >> PAGE_SHIFT;
    unsigned order = 0;
    while (1ul << order < pages)
        order++;
    q->lists = pages_alloc(order);
    for (size_t i = 0; q->lists && i < pages; i++)
        q->lists_address[i] = dma_address(q->lists + i * PAGE_SIZE);
    return q->lists;
}

void nvme_queue_empty(struct nvme_queue *q)
{
    memset(q->sq, 0, q->entries * sizeof(*q->sq));
    memset((void *)q->cq, 0, q->entries * sizeof(*q->cq));
    q->tail = q->rung = q->head = 0;
    q->phase = 1;
}

struct nvme_queue *nvme_queue_new(struct nvme *c, unsigned number)
{
    struct nvme_queue *q = kmalloc(sizeof(*q));
    if (!q)
        return 0;
    *q = (struct nvme_queue){ .ctrl = c, .number = number };
    q->entries = MIN(NVME_ENTRIES, (uint32_t)(c->cap & 0xffff) + 1);
    q->slots = q->entries - 1;
    q->sq = dma_alloc(2, &q->sq_address);           /* 129 * 64 bytes: three pages */
    q->cq = dma_alloc(0, &q->cq_address);
    if (!q->sq || !q->cq || (number && !lists_alloc(q)))
        return 0;                                   /* at boot, and the machine has other worries */
    unsigned stride = 4u << (c->cap >> 32 & 15);
    q->sq_doorbell = (volatile uint32_t *)(c->regs + NVME_DOORBELLS + 2 * number * stride);
    q->cq_doorbell = (volatile uint32_t *)(c->regs + NVME_DOORBELLS + (2 * number + 1) * stride);
    list_init(&q->waiting);
    for (unsigned i = 0; i < NVME_SLOTS; i++)
        q->slot[i].next_free = i + 1 < q->slots ? i + 1 : NVME_SLOTS;
    nvme_queue_empty(q);
    return q;
}

void nvme_ring(struct nvme_queue *q)
{
    if (q->tail == q->rung || q->ctrl->resetting || q->ctrl->dead)
        return;
    barrier();
    *q->sq_doorbell = q->rung = q->tail;
}

struct nvme_slot *nvme_start(struct nvme_queue *q, const struct nvme_command *cmd, struct blk_request *r)
{
    if (q->free >= NVME_SLOTS)
        return 0;
    struct nvme_slot *s = &q->slot[q->free];
    struct nvme_command *to = &q->sq[q->tail];
    s->id = (uint16_t)((s->id & -1u << SLOT_BITS) + (1u << SLOT_BITS) + q->free);
    q->free = s->next_free;
    q->in_flight++;
    s->busy = true;
    s->request = r;
    s->answer = 0;
    s->epoch = q->ctrl->epoch;
    *to = *cmd;
    to->id = s->id;
    q->tail = q->tail + 1 == q->entries ? 0 : q->tail + 1;
    return s;
}

static void slot_free(struct nvme_queue *q, struct nvme_slot *s)
{
    s->busy = false;
    s->request = 0;
    s->answer = 0;
    s->next_free = q->free;
    q->free = s - q->slot;
    q->in_flight--;
}

/* ---- Requests ---- */

static struct nvme_disk *disk_of(struct blkdev *d) { return container_of(d, struct nvme_disk, blk); }

/* The first page, and the second or the list of all others. */
static void name_pages(struct nvme_queue *q, unsigned slot, const struct blk_request *r, struct nvme_command *cmd)
{
    cmd->prp1 = r->segs[0].frame << PAGE_SHIFT | r->segs[0].offset;
    if (r->nsegs == 2)
        cmd->prp2 = r->segs[1].frame << PAGE_SHIFT;
    if (r->nsegs <= 2)
        return;
    uint64_t *list = list_of(q, slot);
    for (unsigned i = 1; i < r->nsegs; i++)
        list[i - 1] = r->segs[i].frame << PAGE_SHIFT;
    cmd->prp2 = list_address(q, slot);
}

struct range { uint32_t attributes, count; uint64_t first; };

static void name_ranges(struct nvme_queue *q, unsigned slot, uint64_t first, uint64_t count, struct nvme_command *cmd)
{
    struct range *list = (struct range *)list_of(q, slot);
    unsigned n = 0, most = list_bytes(q->ctrl) / sizeof(*list);
    for (; count && n < most; n++) {
        uint32_t part = MIN(count, 0xfffffffful);
        list[n] = (struct range){ 0, part, first };
        first += part;
        count -= part;
    }
    cmd->prp1 = list_address(q, slot);
    cmd->word[0] = n - 1;
    cmd->word[1] = 1 << 2;                          /* deallocate */
}

static void make_command(struct nvme_queue *q, struct nvme_disk *d, const struct blk_request *r, struct nvme_command *cmd)
{
    uint64_t first = r->sector >> d->shift, count = r->count >> d->shift;
    *cmd = (struct nvme_command){ .nsid = d->nsid };
    switch (r->op) {
    case BLK_FLUSH:
        cmd->opcode = IO_FLUSH;
        return;
    case BLK_DISCARD:
        cmd->opcode = IO_DATASET;
        name_ranges(q, q->free, first, count, cmd);
        return;
    default:
        cmd->opcode = r->op == BLK_READ ? IO_READ : IO_WRITE;
        name_pages(q, q->free, r, cmd);
        cmd->word[0] = first;
        cmd->word[1] = first >> 32;
        cmd->word[2] = (count - 1) | (r->fua && r->op == BLK_WRITE ? 1u << 30 : 0);
    }
}

static struct nvme_queue *queue_for(struct nvme *c, const struct blk_request *r)
{
    return c->io[r->op == BLK_READ || c->io_queues == 1 ? 0 : 1];
}

static void end(struct blk_request *r, int status)
{
    r->status = status;
    r->done(r);
}

/* From the first command in flight on, somebody looks after them now and then. */
static void watch(struct nvme *c)
{
    if (list_empty(&c->watch.link))
        timer_set(&c->watch, plat_clock_ns() + NVME_WATCH_NS);
}

static void submit(struct blkdev *b, struct blk_request *r)
{
    struct nvme_disk *d = disk_of(b);
    struct nvme_queue *q = queue_for(d->ctrl, r);
    struct nvme_command cmd;
    if (d->ctrl->dead) {
        end(r, -ENXIO);
        return;
    }
    r->driver[0] = 0;                               /* tries that failed */
    if (d->ctrl->resetting || q->free >= NVME_SLOTS || !list_empty(&q->waiting)) {
        list_append(&q->waiting, &r->link);
        return;
    }
    make_command(q, d, r, &cmd);
    nvme_start(q, &cmd, r);
    watch(d->ctrl);
}

static void kick(struct blkdev *b)
{
    struct nvme *c = disk_of(b)->ctrl;
    for (unsigned i = 0; i < c->io_queues; i++)
        nvme_ring(c->io[i]);
}

const struct blkdev_ops nvme_blk_ops = { .submit = submit, .kick = kick };

static struct nvme_disk *disk_of_request(struct blk_request *r)
{
    return disk_of(r->dev->whole ? r->dev->whole : r->dev);
}

static void start_waiting(struct nvme_queue *q)
{
    struct nvme_command cmd;
    while (!list_empty(&q->waiting) && q->free < NVME_SLOTS && !q->ctrl->resetting) {
        struct blk_request *r = container_of(q->waiting.next, struct blk_request, link);
        list_remove(&r->link);
        make_command(q, disk_of_request(r), r, &cmd);
        nvme_start(q, &cmd, r);
        watch(q->ctrl);
    }
    nvme_ring(q);
}

/* ---- Completions ---- */

static int errno_of(struct nvme *c, const struct blk_request *r, uint16_t status)
{
    if (status == 0)
        return 0;
    if (status == STATUS_GONE)
        return -ENXIO;
    if (status != STATUS_LOST && c->complaints++ < 10)
        kprintf("nvme%u: %s of %lu sectors at %lu failed: status %x\n", c->number,
                r->op == BLK_READ ? "a read" : r->op == BLK_WRITE ? "a write" : r->op == BLK_FLUSH ? "a flush" : "a discard",
                r->count, r->sector, status);
    return (status & 0x7ff) == STATUS_WRITE_PROTECTED ? -EROFS : -EIO;
}

/* Makes a command again that failed in passing: true. */
static bool again(struct nvme_queue *q, struct nvme_slot *s, uint16_t status)
{
    struct blk_request *r = s->request;
    struct nvme_command cmd;
    if (!status || (status & STATUS_DO_NOT_RETRY) || ++r->driver[0] >= TRIES)
        return false;
    slot_free(q, s);                                /* and it is the first that is free */
    make_command(q, disk_of_request(r), r, &cmd);
    nvme_start(q, &cmd, r);
    return true;
}

static void finish(struct nvme_queue *q, struct nvme_slot *s, uint16_t status, uint32_t result)
{
    struct blk_request *r = s->request;
    if (r && again(q, s, status))
        return;
    if (s->answer)
        *s->answer = (struct nvme_answer){ true, status, result };
    slot_free(q, s);
    if (r)
        end(r, errno_of(q->ctrl, r, status));
}

static void take(struct nvme_queue *q, uint16_t id, uint16_t status, uint32_t result)
{
    unsigned n = id & ((1u << SLOT_BITS) - 1);
    struct nvme_slot *s = n < q->slots ? &q->slot[n] : 0;
    if (s && s->busy && s->id == id)
        finish(q, s, status, result);
    else if (q->ctrl->complaints++ < 10)
        kprintf("nvme%u: a completion of command %u, which nobody waits for\n", q->ctrl->number, id);
}

bool nvme_drain(struct nvme_queue *q)
{
    unsigned taken = 0;
    if ((q->ctrl->resetting && q->number) || q->ctrl->dead)
        return false;
    for (; taken < q->entries; taken++) {           /* more than a ring's at once is nonsense, and would never end */
        volatile struct nvme_completion *e = &q->cq[q->head];
        uint16_t status = e->status;
        if ((status & 1) != q->phase)
            break;
        barrier();
        uint16_t id = e->id;
        uint32_t result = e->result;
        if (++q->head == q->entries) {
            q->head = 0;
            q->phase ^= 1;
        }
        take(q, id, status >> 1, result);
    }
    if (taken) {
        *q->cq_doorbell = q->head;
        if (q->number)
            start_waiting(q);
    }
    return taken;
}

bool nvme_interrupt(void *arg)
{
    struct nvme_queue *q = arg;
    struct nvme *c = q->ctrl;
    bool any = nvme_drain(q);
    for (unsigned i = 0; c->shared_vector && i < c->io_queues; i++)
        any |= c->io[i] && nvme_drain(c->io[i]);
    return any;
}

/* Writes may be made twice and reads too, so what got no answer can be asked for again. Its order among the others was never promised. */
static unsigned lost_queue(struct nvme_queue *q)
{
    unsigned n = 0;
    for (unsigned i = 0; i < q->slots; i++) {
        struct nvme_slot *s = &q->slot[i];
        struct blk_request *r = s->request;
        if (s->busy && r && ++r->driver[0] < TRIES) {
            slot_free(q, s);
            list_append(&q->waiting, &r->link);
            n++;
        } else if (s->busy) {
            finish(q, s, STATUS_LOST, 0);
        }
    }
    return n;
}

unsigned nvme_lost(struct nvme *c)
{
    unsigned n = lost_queue(c->admin);
    for (unsigned i = 0; i < c->io_queues; i++)
        n += lost_queue(c->io[i]);
    return n;
}

static void gone_queue(struct nvme_queue *q)
{
    for (unsigned i = 0; i < q->slots; i++)
        if (q->slot[i].busy)
            finish(q, &q->slot[i], STATUS_GONE, 0);
    while (!list_empty(&q->waiting)) {
        struct blk_request *r = container_of(q->waiting.next, struct blk_request, link);
        list_remove(&r->link);
        end(r, -ENXIO);
    }
}

void nvme_gone(struct nvme *c)
{
    gone_queue(c->admin);
    for (unsigned i = 0; i < c->io_queues; i++)
        gone_queue(c->io[i]);
}

void nvme_go_on(struct nvme *c)
{
    for (unsigned i = 0; i < c->io_queues; i++)
        start_waiting(c->io[i]);
}

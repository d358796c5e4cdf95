/* SPDX-License-Identifier: MIT */
/* blkback.c: a guest's requests, off the ring and to the disk.
 *
 * An event starts a pass: what the disk has completed meanwhile is unmapped in one go and answered; then everything that waits
 * on the ring is copied, checked, mapped in one go, and submitted, and the disk is kicked once. A completion only joins a list
 * and raises our own event, so that completions that come together are answered together.
 *
 * B1  A slot of the ring is read once, into `struct blkif_request r` of take_requests.
 * B2  A response goes out only after all grants of its request are unmapped.
 * B3  `pages` counts the grants mapped for data, `in_flight` the jobs that the disk has: both are 0 when a disconnect is over. */
#include "pv-drivers/blkback_ring.h"
#include "pv-drivers/blkback_check.h"
#include "hypercall-abi/errno.h"

#define NS_PER_SEC  1000000000ull
#define BURST_NS    (NS_PER_SEC / 20)           /* what may be saved up: 50 ms' worth */
#define IDLE_EVENTS 64                          /* in a row, and then      */
#define PAUSE_MS    3
#define READS_GUEST 0                           /* batches: maps to read (the guest's writes), */
#define WRITES_GUEST 1                          /* and to write */

/* ---- Jobs ---- */

static struct blkback_job *job_get(struct blkback *b, unsigned nsegs)
{
    bool large = nsegs > BLKIF_MAX_SEGMENTS_PER_REQUEST;
    struct blkback_job *j = b->free[large];
    if (j) {
        b->free[large] = j->next;
        return j;
    }
    unsigned capacity = large ? BLKBACK_MAX_SEGS : BLKIF_MAX_SEGMENTS_PER_REQUEST;
    j = os_alloc(sizeof(*j) + capacity * (sizeof(struct os_map) + sizeof(struct pv_blk_seg)));
    if (!j)
        return 0;
    j->back = b;
    j->large = large;
    j->capacity = capacity;
    j->maps = (struct os_map *)(j + 1);
    j->segs = (struct pv_blk_seg *)(j->maps + capacity);
    return j;
}

static void job_put(struct blkback_job *j)
{
    j->next = j->back->free[j->large];
    j->back->free[j->large] = j;
}

/* ---- Answers ---- */

static void respond(struct blkback *b, uint64_t id, uint8_t op, int status)
{
    struct blkif_response r;
    if (b->stopping)
        return;
    __builtin_memset(&r, 0, sizeof(r));          /* its padding is the guest's to read */
    r.id = id;
    r.operation = op;
    r.status = (int16_t)status;
    RING_SLOT(&b->ring, b->ring.rsp_prod_pvt)->rsp = r;
    b->ring.rsp_prod_pvt++;
    b->errors += status != 0;
}

static void publish(struct blkback *b)
{
    if (b->stopping || b->ring.rsp_prod_pvt == b->ring.sring->rsp_prod)
        return;
    if (ring_publish(&b->ring.sring->rsp_prod, &b->ring.sring->rsp_event, b->ring.rsp_prod_pvt))
        os_event_send((uint32_t)b->port);
}

static int response_status(const struct blkback_job *j)
{
    if (j->io.status == 0)
        return BLKIF_RSP_OKAY;
    return j->io.status == -XEN_EOPNOTSUPP ? BLKIF_RSP_EOPNOTSUPP : BLKIF_RSP_ERROR;
}

static void flush_unmaps(struct os_map *maps, unsigned n)
{
    if (n)
        os_grant_unmap(maps, n);
}

/* Everything that has completed: unmapped in as few hypercalls as the batch's size allows, then answered (B2). */
static void answer_done(struct blkback *b)
{
    struct os_map *maps = b->batch[0];
    struct blkback_job *done = b->done;
    unsigned n = 0;
    b->done = 0;
    for (struct blkback_job *j = done; j; j = j->next) {
        b->pages -= j->nsegs;
        if (j->large) {
            flush_unmaps(j->maps, j->nsegs);
            continue;
        }
        if (n + j->nsegs > BLKBACK_BATCH) {
            flush_unmaps(maps, n);
            n = 0;
        }
        __builtin_memcpy(maps + n, j->maps, j->nsegs * sizeof(*maps));
        n += j->nsegs;
    }
    flush_unmaps(maps, n);
    while (done) {
        struct blkback_job *j = done;
        done = j->next;
        if (j->barrier)
            b->barrier = false;
        respond(b, j->id, j->op, response_status(j));
        job_put(j);
    }
}

/* ---- The disk ---- */

static void job_done(struct blkback_io *io);

static void submit(struct blkback_job *j)
{
    struct blkback *b = j->back;
    j->io.segs = j->segs;
    j->io.nsegs = j->io.op == PV_BLK_READ || j->io.op == PV_BLK_WRITE ? j->nsegs : 0;
    j->io.done = job_done;
    j->io.status = 0;
    b->in_flight++;
    blkback_os_submit(&b->disk, &j->io);
}

/* A barrier is three requests in a row: flush what came before, write, flush that. */
static bool next_stage(struct blkback_job *j)
{
    if (!j->barrier || j->io.status != 0 || j->nsegs == 0 || j->stage == 2)
        return false;
    j->stage++;
    j->io.op = j->stage == 1 ? PV_BLK_WRITE : PV_BLK_FLUSH;
    submit(j);
    blkback_os_kick(&j->back->disk);
    return true;
}

static void job_done(struct blkback_io *io)
{
    struct blkback_job *j = (struct blkback_job *)((char *)io - offsetof(struct blkback_job, io));
    struct blkback *b = j->back;
    b->in_flight--;
    if (!b->stopping && next_stage(j))
        return;
    j->next = b->done;
    b->done = j;
    if (b->stopping)
        os_event_wake(b->idle);
    else if (!b->in_pass)
        os_event_raise((uint32_t)b->port);
}

/* ---- One pass over the ring ---- */

/* A job whose segments are all mapped goes to the disk, another is answered. */
static void start_mapped(struct blkback *b, struct blkback_job *j)
{
    struct pv_blk_seg *seg = j->segs;
    bool good = true;
    for (const struct os_map *m = j->maps, *end = m + j->nsegs; m < end; m++, seg++) {
        good &= m->status == 0;
        seg->frame = m->frame;
        seg->va = m->va ? (char *)m->va + seg->offset : 0;
    }
    b->pages += j->nsegs;
    if (good) {
        submit(j);
        return;
    }
    for (unsigned i = 0; i < j->nsegs; i++)
        if (j->maps[i].status != 0)
            j->maps[i].handle = ~0u;
    j->io.status = -XEN_EFAULT;
    j->next = b->done;
    b->done = j;
}

static void map_all(struct blkback *b, int which, struct os_map *maps, unsigned n)
{
    unsigned flags = (which == READS_GUEST ? OS_MAP_READ : 0) | (b->disk.needs_va ? 0 : OS_MAP_DEVICE);
    if (os_grant_map(b->bus->other_domid, maps, n, flags) < 0)
        for (unsigned i = 0; i < n; i++) {
            maps[i].status = -1;
            maps[i].handle = ~0u;
        }
}

static void run_batch(struct blkback *b, int which)
{
    struct blkback_job *j = b->batch_jobs[which], *in_order = 0;
    unsigned at = 0, n = b->batched[which];
    if (n == 0)
        return;
    b->batch_jobs[which] = 0;
    b->batched[which] = 0;
    map_all(b, which, b->batch[which], n);
    while (j) {                                  /* they were put in at the front */
        struct blkback_job *next = j->next;
        j->next = in_order;
        in_order = j;
        j = next;
    }
    while (in_order) {
        j = in_order;
        in_order = j->next;
        unsigned nsegs = j->nsegs;
        __builtin_memcpy(j->maps, b->batch[which] + at, nsegs * sizeof(*j->maps));
        start_mapped(b, j);
        at += nsegs;
    }
}

static void run_batches(struct blkback *b)
{
    run_batch(b, READS_GUEST);
    run_batch(b, WRITES_GUEST);
}

static void add_to_batch(struct blkback *b, struct blkback_job *j)
{
    if (j->nsegs == 0) {
        submit(j);
        return;
    }
    int which = j->io.op == PV_BLK_READ ? WRITES_GUEST : READS_GUEST;
    if (j->large) {                              /* enough for a hypercall of its own: nothing is copied */
        run_batch(b, which);
        map_all(b, which, j->maps, j->nsegs);
        start_mapped(b, j);
        return;
    }
    if (b->batched[which] + j->nsegs > BLKBACK_BATCH)
        run_batch(b, which);
    __builtin_memcpy(b->batch[which] + b->batched[which], j->maps, j->nsegs * sizeof(*j->maps));
    b->batched[which] += j->nsegs;
    j->next = b->batch_jobs[which];
    b->batch_jobs[which] = j;
}

/* Token buckets: a disk may go into debt by its last request, and then waits until it is paid. */
static void refill(struct blkback_limit *l, uint64_t now)
{
    uint64_t most = l->rate * (BURST_NS / 1000) / (NS_PER_SEC / 1000) + 1, ns = now - l->last_ns;
    if (ns > NS_PER_SEC)
        ns = NS_PER_SEC;
    int64_t more = (int64_t)(l->rate * (ns / 1000) / (NS_PER_SEC / 1000));
    if (more == 0 && ns < NS_PER_SEC)
        return;                                  /* too little time for one token: let it add up */
    l->last_ns = now;
    l->tokens += more;
    if (l->tokens > (int64_t)most)
        l->tokens = (int64_t)most;
}

static unsigned debt_ms(const struct blkback_limit *l)
{
    if (l->rate == 0 || l->tokens > 0)
        return 0;
    uint64_t ms = (uint64_t)(1 - l->tokens) * 1000 / l->rate + 1;
    return ms > 1000 ? 1000 : (unsigned)ms;
}

static void time_is_up(void *arg);

static bool may_go_on(struct blkback *b)
{
    if (b->bytes.rate == 0 && b->ops.rate == 0)
        return true;
    uint64_t now = os_now_ns();
    refill(&b->bytes, now);
    refill(&b->ops, now);
    unsigned ms = debt_ms(&b->bytes), ops_ms = debt_ms(&b->ops);
    ms = ms > ops_ms ? ms : ops_ms;
    if (ms == 0)
        return true;
    if (!b->throttled) {
        b->throttled = true;
        os_timer_set(&b->timer, ms, time_is_up, b);
    }
    return false;
}

/* False: not now: there is no memory for a job, or it is a barrier and not alone. Jobs are under way then. */
static bool take_request(struct blkback *b, const struct blkif_request *r)
{
    unsigned nsegs = blkback_segments(r);
    struct blkback_job *j = job_get(b, nsegs);
    if (!j && b->in_flight) {
        b->refused = true;
        return false;
    }
    if (!j || nsegs > j->capacity) {
        if (j)
            job_put(j);
        bool indirect = r->operation == BLKIF_OP_INDIRECT;
        respond(b, r->id, indirect ? ((const struct blkif_request_indirect *)r)->indirect_op : r->operation, BLKIF_RSP_ERROR);
        return true;
    }
    int status = blkback_decode(b, j, r);
    b->requests++;
    b->ops.tokens--;
    b->bytes.tokens -= (int64_t)(j->nsegs ? j->io.count * PV_SECTOR : 0);
    if (status) {
        respond(b, j->id, j->op, status);
        job_put(j);
        return true;
    }
    b->barrier = j->barrier;
    if (j->barrier && (b->in_flight || b->batched[0] || b->batched[1])) {
        job_put(j);                              /* it is looked at again when it is alone */
        b->requests--;
        return false;
    }
    add_to_batch(b, j);
    return true;
}

static unsigned most_pages(const struct blkback *b) { return b->disk.needs_va ? BLKBACK_MAX_SEEN : BLKBACK_MAX_PAGES; }

static void take_requests(struct blkback *b)
{
    uint32_t most = b->ring.nr_ents - (b->ring.req_cons - b->ring.rsp_prod_pvt);
    int32_t n = ring_waiting(&b->ring.sring->req_prod, b->ring.req_cons, most);
    b->refused = false;
    if (n < 0) {
        b->broken = true;
        if (xenbus_may_complain(b->bus))
            os_log("blkback: disk %u of domain %u: its ring claims more requests than it can hold; the disk is stopped\n",
               b->bus->id, b->bus->other_domid);
        return;
    }
    for (; n > 0 && b->pages + b->batched[0] + b->batched[1] < most_pages(b) && may_go_on(b); n--) {
        struct blkif_request r;
        if (b->barrier && (b->in_flight || b->batched[READS_GUEST]))
            break;
        RING_COPY_OUT(&r, &RING_SLOT(&b->ring, b->ring.req_cons)->req);          /* B1 */
        b->ring.req_cons++;
        if (!take_request(b, &r)) {
            b->ring.req_cons--;
            break;
        }
    }
    run_batches(b);
    if (b->barrier && b->in_flight == 0 && !b->done)         /* it was to wait, and was written over meanwhile */
        b->barrier = false;
}

/* Why what is on the ring is left there. Each has a completion or a timer behind it (but `broken`, which is for good), and the
 * pass that this raises looks at the ring again: the guest is not asked to tell. */
static bool stalled(const struct blkback *b)
{
    return b->broken || b->throttled || b->barrier || b->refused || b->pages >= most_pages(b);
}

/* Completed jobs, waiting requests, until there is no more to do, or enough was done for one turn. */
static void work(struct blkback *b)
{
    uint32_t first = b->ring.req_cons;
    bool more;
    ring_disarm(&b->ring.sring->req_event, first);
    do {
        uint32_t before = b->ring.req_cons;
        if (b->done)
            answer_done(b);
        take_requests(b);
        if (b->ring.req_cons != before)
            blkback_os_kick(&b->disk);
        publish(b);
        more = b->done || (!stalled(b) && ring_arm(&b->ring.sring->req_prod, &b->ring.sring->req_event, b->ring.req_cons));
    } while (more && b->ring.req_cons - first < 2 * b->ring.nr_ents);
}

/* A frontend that sends events without requests, or nonsense without end, is not listened to for a while: the rest of us has work too. */
static void pause(struct blkback *b)
{
    b->masked = b->throttled = true;
    b->idle_events = 0;
    os_event_mask((uint32_t)b->port);
    os_timer_set(&b->timer, PAUSE_MS, time_is_up, b);
}

static void pass(void *arg)
{
    struct blkback *b = arg;
    if (!b->connected || b->broken || b->stopping)
        return;
    uint32_t first = b->ring.req_cons;
    uint64_t errors = b->errors;
    bool something = b->done;
    b->throttled = false;
    b->in_pass = true;
    work(b);
    b->in_pass = false;
    something |= b->ring.req_cons != first;
    b->idle_events = something ? 0 : b->idle_events + 1;
    if (!b->throttled && (b->idle_events > IDLE_EVENTS || b->errors - errors > b->ring.nr_ents || b->ring.req_cons - first >= 2 * b->ring.nr_ents))
        pause(b);
}

static void time_is_up(void *arg)
{
    struct blkback *b = arg;
    if (b->masked)
        os_event_unmask((uint32_t)b->port);
    b->masked = false;
    pass(b);
}

/* ---- The ring comes and goes ---- */

int blkback_alloc(struct blkback *b)
{
    b->port = -1;
    b->batch[0] = os_alloc(BLKBACK_BATCH * sizeof(struct os_map));
    b->batch[1] = os_alloc(BLKBACK_BATCH * sizeof(struct os_map));
    b->indirect = os_page_alloc();
    b->idle = os_event_new();
    return b->batch[0] && b->batch[1] && b->indirect && b->idle ? 0 : -XEN_ENOMEM;
}

void blkback_free(struct blkback *b)
{
    for (int large = 0; large < 2; large++)
        while (b->free[large]) {
            struct blkback_job *j = b->free[large];
            b->free[large] = j->next;
            os_free(j);
        }
    os_free(b->batch[0]);
    os_free(b->batch[1]);
    if (b->indirect)
        os_page_free(b->indirect);
    if (b->idle)
        os_event_delete(b->idle);
}

static bool all_mapped(const struct blkback *b)
{
    for (unsigned i = 0; i < b->ring_pages; i++)
        if (b->ring_maps[i].status != 0 || !b->ring_maps[i].va)
            return false;
    return true;
}

int blkback_connect(struct blkback *b, const uint32_t *refs, unsigned pages, uint32_t port)
{
    b->ring_pages = pages;
    for (unsigned i = 0; i < pages; i++)
        b->ring_maps[i] = (struct os_map){ .ref = refs[i], .handle = ~0u };
    int rc = os_grant_map(b->bus->other_domid, b->ring_maps, pages, 0);
    if (rc < 0)
        return rc;
    rc = -XEN_EFAULT;
    if (all_mapped(b)) {
        struct blkif_sring *shared = b->ring_maps[0].va;
        RING_IDX at = ring_load(&shared->rsp_prod);      /* a frontend that connects anew may have gone on counting */
        b->ring = (struct blkif_back_ring){ at, at, RING_SLOTS(blkif, (size_t)pages * PV_PAGE), shared };
        b->broken = b->stopping = b->throttled = b->barrier = b->refused = b->masked = false;
        b->in_flight = b->pages = 0;
        rc = b->port = os_event_bind(b->bus->other_domid, port, pass, b);
    }
    if (rc < 0) {
        b->port = -1;
        os_grant_unmap(b->ring_maps, pages);
        return rc;
    }
    b->connected = true;
    os_event_raise((uint32_t)b->port);
    return 0;
}

static bool idle(void *arg) { return ((struct blkback *)arg)->in_flight == 0; }

void blkback_disconnect(struct blkback *b)
{
    if (!b->connected)
        return;
    b->stopping = true;
    os_timer_cancel(&b->timer);
    os_event_close((uint32_t)b->port);
    b->port = -1;
    blkback_os_kick(&b->disk);
    os_sleep_until(b->idle, idle, b, 0);
    answer_done(b);                              /* unmaps; nobody is told */
    os_grant_unmap(b->ring_maps, b->ring_pages);
    b->connected = false;
    b->ring.sring = 0;
}

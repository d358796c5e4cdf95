/* SPDX-License-Identifier: MIT */
/* nvme.c: a controller that lies: in its registers, in what it says of itself, in completions of any command, of none, out of turn and out
 * of phase, in silence and failure. No request ends twice, none is lost once the controller is given up, no memory is touched that
 * is not the driver's. The machine, and the honest half of the controller, are tests/host/kernel_nvme.c's. */
#define main        nvme_main
#define calloc      kept_calloc
#define aligned_alloc kept_aligned
#define free        kept_free
int nvme_main(void);
#include "tests/host/kernel_nvme.c"
#undef calloc
#undef aligned_alloc
#undef free
#include "tests/fuzz/dice.h"

DICE_OF_THIS_TARGET;

/* ---- Memory that is given back when the input ends: a controller never leaves ---- */

void *calloc(size_t n, size_t size);
void *aligned_alloc(size_t align, size_t n);
void free(void *p);
_Noreturn void abort(void);
static void *kept[4096];
static unsigned nkept;

static void *keep(void *p)
{
    if (nkept == ARRAY_SIZE(kept))
        abort();
    return kept[nkept++] = p;
}
void *kept_calloc(size_t n, size_t size) { return keep(calloc(n, size)); }
void *kept_aligned(size_t align, size_t n) { return keep(aligned_alloc(align, n)); }
void kept_free(void *p)
{
    for (unsigned i = 0; i < nkept; i++)
        if (kept[i] == p)
            kept[i] = kept[--nkept];
    free(p);
}



/* ---- The lies ---- */

static bool in_flight[4];
static unsigned ends;

static void ended_once(struct blk_request *r)
{
    unsigned n = (unsigned)(r - requests);
    if (n >= 4 || !in_flight[n])
        abort();
    in_flight[n] = false;
    ends++;
}

static void identify_lies(uint8_t *page)
{
    static const uint16_t places[] = { 0, 1, 4, 26, 77, 99, 128, 130, 131, 132, 188, 516, 520, 525 };
    for (unsigned n = dice(4); n; n--) {
        uint16_t at = dice(2) ? places[dice(ARRAY_SIZE(places))] : dice(4096);
        page[at] = dice8();
    }
}

static void random_completion(void)
{
    struct ring *r = &rings[dice(3)];
    uint16_t id = dice(2) ? dice(8) | dice(4) << 8 : dice16();
    if (r->cq && r->size)
        complete(r, id, dice(2) ? 0 : dice16() & 0x7fff, dice16());
}

static void raw_completion(void)
{
    struct ring *r = &rings[dice(3)];
    if (r->cq && r->size)
        dice_bytes((struct nvme_completion *)r->cq + dice(r->size), sizeof(struct nvme_completion));
}

static void start_request(unsigned n)
{
    static const enum blk_op ops[] = { BLK_READ, BLK_WRITE, BLK_FLUSH, BLK_DISCARD };
    struct blkdev *d = ndisks ? disks[dice(ndisks)] : 0;
    unsigned pages = 1 + dice(PIECES);
    enum blk_op op = ops[dice(4)];
    if (!d || in_flight[n] || d->gone || pages > d->max_segs)
        return;
    in_flight[n] = true;
    requests[n] = (struct blk_request){ .op = op, .sector = dice(128) * 8, .count = op == BLK_FLUSH ? 0 : pages * 8, .segs = segs[n],
                                        .nsegs = op == BLK_READ || op == BLK_WRITE ? pages : 0, .done = ended_once, .dev = d, .status = 1 };
    for (unsigned i = 0; i < pages; i++)
        segs[n][i] = (struct blk_seg){ (uintptr_t)(memory[n] + i * PAGE_SIZE) >> PAGE_SHIFT, 0, PAGE_SIZE, 0 };
    d->ops->submit(d, &requests[n]);
    d->ops->kick(d);
}

static const int moods[] = { FINE, FATAL, NEVER_READY, NO_LIST, ONE_QUEUE };

static void one_step(void)
{
    static const uint8_t lying[] = { NVME_CAP, NVME_CAP + 4, NVME_CC, NVME_CSTS };
    switch (dice(12)) {
    case 0: case 1: case 2:
        start_request(dice(4));
        break;
    case 3:
        random_completion();
        break;
    case 4:
        raw_completion();
        break;
    case 5:
        dice_bytes(regs + lying[dice(4)], 4);       /* not its rings' places: DMA to elsewhere nobody here could stop */
        break;
    case 6:
        mood = moods[dice(5)];
        break;
    case 7:
        fail_next = dice(4);
        swallow_next = dice(3);
        break;
    case 8:
        answer_twice = dice(2);
        answer_nonsense = dice(2);
        break;
    case 9:
        if (thread_fn)
            seconds(1 + dice(40));
        break;
    default:
        if (ndisks)
            interrupts();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dice_begin(bytes, n);
    memset(in_flight, 0, sizeof(in_flight));
    memset(rings, 0, sizeof(rings));
    now = ends = 0;
    answer_twice = answer_nonsense = false;
    lie = identify_lies;
    memset(regs, 0, sizeof(regs));
    ndisks = fail_next = swallow_next = forgotten = 0;
    thread_fn = 0;
    armed = 0;
    said[0] = 0;
    vectors = 1 + dice(3);
    mood = dice(8) == 7 ? moods[dice(5)] : FINE;
    *(uint64_t *)reg(NVME_CAP) = dice(3) ? 63 | 1ul << 24 : dice64() & ~0xf000000000000ul;
    int rc = nvme_driver.probe(&card);
    for (unsigned steps = 0; rc == 0 && dice_left && steps < 300; steps++) {
        one_step();
        said[0] = 0;
    }
    if (rc == 0 && ndisks) {                          /* at the last it vanishes: whoever waits is told */
        mood = VANISHED;
        if (thread_fn)
            seconds(100);
        for (unsigned i = 0; i < 4; i++)
            if (in_flight[i])
                abort();
    }
    while (nkept)
        free(kept[--nkept]);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* Claim: an NVMe controller that misbehaves costs no data and no hang: a command without an answer, or a controller that calls itself
 * failed, ends in a reset after which requests are made again; one that is gone fails them all; an answer that nobody waits for, or
 * that comes twice, ends nobody else's command. Blocks of 4 KiB and several namespaces are addressed rightly. A failure would mean
 * lost or misplaced data, or a process that waits for ever. The controller is played by this file, in memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest-kernel/drivers/drivers.h"
#include "guest-kernel/drivers/nvme.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"

void *calloc(size_t n, size_t size);
void *aligned_alloc(size_t align, size_t n);
void free(void *p);
int vsnprintf(char *s, size_t n, const char *f, va_list ap);
char *strstr(const char *in, const char *what);
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }   /* each test leaves its controller behind */

/* ---- the controller ------------------------------------------------------------------------------ */

#define NAMESPACES 2
#define MEDIUM     (1ul << 20)
static uint8_t regs[NVME_REGISTERS] __attribute__((aligned(4096)));
static uint8_t medium[NAMESPACES][MEDIUM];
static const unsigned shift_of[NAMESPACES] = { 9, 12 };
static struct ring { uint64_t sq, cq; uint32_t size, head, tail; uint16_t phase; } rings[3];
static enum { FINE, FATAL, VANISHED, NEVER_READY, NO_LIST, ONE_QUEUE } mood;
static unsigned fail_next, swallow_next, executed;
static bool answer_twice, answer_nonsense;
static void (*lie)(uint8_t *page);             /* tests/fuzz: changes what identify says */

static uint32_t *reg(unsigned at) { return (uint32_t *)(regs + at); }

static void complete(struct ring *r, uint16_t id, uint16_t status, uint32_t result)
{
    struct nvme_completion *e = (struct nvme_completion *)r->cq + r->tail;
    *e = (struct nvme_completion){ .result = result, .id = id, .status = (uint16_t)(status << 1 | r->phase) };
    if (++r->tail == r->size) {
        r->tail = 0;
        r->phase ^= 1;
    }
}

static void put32(uint8_t *at, uint32_t v) { memcpy(at, &v, 4); }

static uint16_t identify(const struct nvme_command *c)
{
    uint8_t *page = (uint8_t *)c->prp1;
    memset(page, 0, PAGE_SIZE);
    if (c->word[0] == 1) {
        put32(page + 516, NAMESPACES);
        page[520] = 4;
        page[525] = 1;
    } else if (c->word[0] == 2) {
        for (unsigned i = 0; i < NAMESPACES; i++)
            put32(page + 4 * i, i + 1);
        return mood == NO_LIST ? 2 | STATUS_DO_NOT_RETRY : 0;
    } else {
        put32(page, MEDIUM >> shift_of[(c->nsid - 1) % NAMESPACES]);
        put32(page + 128, shift_of[(c->nsid - 1) % NAMESPACES] << 16);
    }
    if (lie)
        lie(page);
    return 0;
}

static void move(void *to, const void *from, size_t n, bool write)
{
    memcpy(write ? (void *)from : to, write ? to : from, n);
}

/* Data by the page: the first from its offset on, then whole ones, by the second address or the list that it names. */
static uint16_t data(const struct nvme_command *c)
{
    unsigned ns = (c->nsid - 1) % NAMESPACES, shift = shift_of[ns];
    uint64_t at = c->word[0] | (uint64_t)c->word[1] << 32, left = ((uint64_t)(c->word[2] & 0xffff) + 1) << shift;
    uint8_t *disk = medium[ns];
    const uint64_t *list = (const uint64_t *)c->prp2;
    size_t n = MIN(left, PAGE_SIZE - c->prp1 % PAGE_SIZE);
    if (lie)
        return 0;                                   /* the driver counts in blocks that are not ours */
    if (at > MEDIUM || (at << shift) + left > MEDIUM)
        return 0x80 | STATUS_DO_NOT_RETRY;
    disk += at << shift;
    move((void *)c->prp1, disk, n, c->opcode == IO_WRITE);
    left -= n;
    bool one = left <= PAGE_SIZE;
    for (unsigned i = 0; left; i++) {
        disk += n;
        n = MIN(left, PAGE_SIZE);
        move((void *)(one ? c->prp2 : list[i]), disk, n, c->opcode == IO_WRITE);
        left -= n;
    }
    return 0;
}

static void execute(struct ring *r, const struct nvme_command *c)
{
    uint16_t status = 0;
    uint32_t result = 0;
    executed++;
    if (r != rings && c->opcode == IO_WRITE && swallow_next) {
        swallow_next--;
        return;
    }
    if (r == rings) {
        unsigned n = c->word[0] & 0xffff;
        if (c->opcode == ADMIN_IDENTIFY)
            status = identify(c);
        else if (c->opcode == ADMIN_SET_FEATURES)
            result = mood == ONE_QUEUE ? 0 : 1 << 16 | 1;
        else if (c->opcode == ADMIN_CREATE_CQ)
            rings[n] = (struct ring){ .cq = c->prp1, .size = (c->word[0] >> 16) + 1, .phase = 1 };
        else if (c->opcode == ADMIN_CREATE_SQ)
            rings[n].sq = c->prp1;
    } else if (fail_next) {
        fail_next--;
        status = 6;
    } else if (c->opcode == IO_READ || c->opcode == IO_WRITE) {
        status = data(c);
    }
    if (answer_nonsense && r != rings) {
        complete(r, 0x7f, 0, 0);
        complete(r, 0xf2, 0, 0);                    /* beyond all slots */
        complete(r, c->id ^ 0x100, 0, 0);
    }
    complete(r, c->id, status, result);
    if (answer_twice && r != rings)
        complete(r, c->id, status, result);
}

/* What the controller does of itself, whenever time passes. */
static void step(void)
{
    if (mood == VANISHED) {
        memset(regs, 0xff, sizeof(regs));
        return;
    }
    if (mood == FATAL && *reg(NVME_CSTS))
        *reg(NVME_CSTS) |= CSTS_FATAL;
    if (!(*reg(NVME_CC) & 1)) {
        memset(rings, 0, sizeof(rings));
        memset(regs + NVME_DOORBELLS, 0, PAGE_SIZE);
        *reg(NVME_CSTS) = 0;
        return;
    }
    if (!*reg(NVME_CSTS) && mood != NEVER_READY) {
        rings[0] = (struct ring){ .sq = *(uint64_t *)reg(NVME_ASQ), .cq = *(uint64_t *)reg(NVME_ACQ), .size = (*reg(NVME_AQA) & 0xfff) + 1, .phase = 1 };
        *reg(NVME_CSTS) = CSTS_READY;
    }
    for (unsigned i = 0; i < 3; i++) {
        struct ring *r = &rings[i];
        for (uint32_t n = 0; n < r->size && r->sq && mood != FATAL && r->head != *reg(NVME_DOORBELLS + 8 * i); n++) {
            struct nvme_command c = ((struct nvme_command *)r->sq)[r->head];
            r->head = (r->head + 1) % r->size;
            execute(r, &c);
        }
    }
}

/* ---- the kernel around the driver ------------------------------------------------------------------ */

static uint64_t now;
static char said[4096];
static struct blkdev *disks[8];
static unsigned ndisks, vectors = 3, forgotten;
static bool bus_master;
static struct timer *armed;
static void (*thread_fn)(void *);
static void *thread_arg, *irq_args[3];
static irq_fn irq;
static jmp_buf thread_sleeps;
static struct pci_dev card = { .name = "nvme test" };

void *kmalloc(size_t n) { return calloc(1, n); }
void kfree(void *p) { free(p); }
void *pages_alloc(unsigned order) { return memset(aligned_alloc(PAGE_SIZE, PAGE_SIZE << order), 0, PAGE_SIZE << order); }
void *dma_alloc(unsigned order, uint64_t *address)
{
    void *p = pages_alloc(order);
    *address = (uintptr_t)p;
    return p;
}
uint64_t plat_pfn_to_frame(uint64_t pfn) { return (uintptr_t)pfn_to_virt(pfn) >> PAGE_SHIFT; }
void kprintf(const char *f, ...)
{
    size_t n = strlen(said);
    va_list ap;
    va_start(ap, f);
    vsnprintf(said + n, sizeof(said) - n, f, ap);
    va_end(ap);
}
int ksnprintf(char *b, size_t n, const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    int rc = vsnprintf(b, n, f, ap);
    va_end(ap);
    return rc;
}
uint64_t plat_clock_ns(void)
{
    step();
    return now += 1000;
}
int sleep_until(uint64_t deadline, bool interruptible)
{
    now = MAX(now, deadline);
    return 0;
}
int sleep_on(struct wait_queue *q, uint64_t deadline, bool interruptible) { longjmp(thread_sleeps, 1); }
void wait_init(struct wait_queue *q) { list_init(&q->waiters); }
void wake_all(struct wait_queue *q) { }
struct proc *kthread_create(const char *name, void (*fn)(void *), void *arg)
{
    thread_fn = fn;
    thread_arg = arg;
    return (struct proc *)&thread_arg;
}
void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
    list_init(&t->link);
    t->fire = fire;
}
void timer_set(struct timer *t, uint64_t deadline)
{
    t->deadline = deadline;
    armed = t;
}
void pci_enable(struct pci_dev *d) { bus_master = true; }
void pci_disable(struct pci_dev *d) { bus_master = false; }
void *pci_map_bar(struct pci_dev *d, unsigned bar, size_t *size) { return regs; }
int pci_irqs(struct pci_dev *d, unsigned most, irq_fn fn, void **args)
{
    irq = fn;
    vectors = MIN(vectors, most);
    memcpy(irq_args, args, vectors * sizeof(*args));
    return (int)vectors;
}
void irq_forget(irq_fn fn, void *arg) { forgotten++; }
int blk_register(struct blkdev *d)
{
    disks[ndisks++] = d;
    return 0;
}

/* ---- what the tests do with them -------------------------------------------------------------------- */

static int begin(unsigned of_vectors, int as)
{
    memset(regs, 0, sizeof(regs));
    memset(medium, 0, sizeof(medium));
    *(uint64_t *)reg(NVME_CAP) = 63 | 1ul << 24;    /* rings of 64; ready within half a second */
    mood = as;
    vectors = of_vectors;
    ndisks = fail_next = swallow_next = forgotten = 0;
    said[0] = 0;
    thread_fn = 0;
    armed = 0;
    return nvme_driver.probe(&card);
}

static void interrupts(void)
{
    step();
    for (unsigned i = 0; i < vectors; i++)
        irq(irq_args[i]);
}

static void run_thread(void)
{
    if (setjmp(thread_sleeps) == 0)
        thread_fn(thread_arg);
}

/* Seconds pass: the watch looks, the driver's thread runs if it is wanted. */
static void seconds(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        now += NSEC_PER_SEC;
        if (armed && now >= armed->deadline) {
            struct timer *t = armed;
            armed = 0;
            t->fire(t);
        }
        run_thread();
        interrupts();
    }
}

#define PIECES 5
static uint8_t memory[4][PIECES * PAGE_SIZE] __attribute__((aligned(4096)));
static struct blk_seg segs[4][PIECES];
static struct blk_request requests[4];
static unsigned ended;
static void done(struct blk_request *r) { ended++; }

/* Ends by asking again, which takes the slot that has just become free. */
static void done_again(struct blk_request *r)
{
    ended++;
    r->sector = 8;
    r->dev->ops->submit(r->dev, r);
    r->dev->ops->kick(r->dev);
}

static struct blk_request *ask(struct blkdev *d, unsigned n, enum blk_op op, uint64_t sector, unsigned pages)
{
    struct blk_request *r = &requests[n];
    *r = (struct blk_request){ .op = op, .sector = sector, .count = pages * 8, .segs = segs[n], .nsegs = pages, .done = done, .dev = d, .status = 1 };
    for (unsigned i = 0; i < pages; i++)
        segs[n][i] = (struct blk_seg){ (uintptr_t)(memory[n] + i * PAGE_SIZE) >> PAGE_SHIFT, 0, PAGE_SIZE, 0 };
    d->ops->submit(d, r);
    d->ops->kick(d);
    return r;
}

static void fill(unsigned n, uint8_t with) { memset(memory[n], with, sizeof(memory[n])); }

static void namespaces(void **state)
{
    for (unsigned pages = 1; pages <= PIECES; pages++)
        for (unsigned v = 1; v <= 3; v += 2) {
            assert_int_equal(begin(v, pages == 2 ? NO_LIST : pages == 3 ? ONE_QUEUE : FINE), 0);
            assert_int_equal(ndisks, 2);
            assert_int_equal(disks[1]->logical, 4096);
            for (unsigned i = 0; i < 2; i++) {
                fill(0, (uint8_t)(0x10 * pages + i));
                struct blk_request *r = ask(disks[i], 0, BLK_WRITE, 80, pages);
                interrupts();
                assert_int_equal(r->status, 0);
                assert_int_equal(medium[i][80 * 512 - 1], 0);
                assert_memory_equal(medium[i] + 80 * 512, memory[0], pages * PAGE_SIZE);
                assert_int_equal(medium[i][80 * 512 + pages * PAGE_SIZE], 0);
                fill(1, 0);
                r = ask(disks[i], 1, BLK_READ, 80, pages);
                interrupts();
                assert_int_equal(r->status, 0);
                assert_memory_equal(memory[0], memory[1], pages * PAGE_SIZE);
            }
        }
}

static void silence(void **state)
{
    assert_int_equal(begin(3, FINE), 0);
    fill(0, 0x77);
    swallow_next = 2;
    struct blk_request *w = ask(disks[0], 0, BLK_WRITE, 8, 2), *r = ask(disks[1], 1, BLK_WRITE, 16, 1);
    seconds(29);
    assert_int_equal(w->status, 1);
    assert_null(strstr(said, "resetting"));
    seconds(5);
    assert_non_null(strstr(said, "a command got no answer in 30 s: resetting"));
    assert_non_null(strstr(said, "it works again: 2 requests are made anew"));
    assert_int_equal(w->status, 0);
    assert_int_equal(r->status, 0);
    assert_memory_equal(medium[0] + 8 * 512, memory[0], 2 * PAGE_SIZE);
    swallow_next = 3;                               /* one that hangs it each time ends too, and what came behind it was done */
    w = ask(disks[0], 0, BLK_WRITE, 8, 2);
    step();
    r = ask(disks[0], 2, BLK_READ, 8, 1);
    seconds(80);
    assert_true(w->status == 1 && r->status == 0);
    seconds(20);
    assert_int_equal(w->status, -EIO);
    w = ask(disks[0], 3, BLK_WRITE, 8, 2);
    interrupts();
    assert_int_equal(w->status, 0);
}

static void fatal(void **state)
{
    assert_int_equal(begin(3, FINE), 0);
    mood = FATAL;
    struct blk_request *w = ask(disks[0], 0, BLK_WRITE, 8, 1);
    now += NSEC_PER_SEC;
    armed->fire(armed);
    assert_non_null(strstr(said, "reports a fatal error: resetting"));
    mood = FINE;
    seconds(1);
    assert_int_equal(w->status, 0);
    mood = NEVER_READY;                             /* and one that the reset does not help */
    *reg(NVME_CSTS) |= CSTS_FATAL;
    w = ask(disks[0], 0, BLK_WRITE, 8, 1);
    w->status = 1;
    armed->fire(armed);
    run_thread();
    assert_non_null(strstr(said, "does not start again"));
    assert_int_equal(w->status, -ENXIO);
    assert_true(disks[0]->gone && disks[1]->gone && !bus_master);
}

static void gone(void **state)
{
    assert_int_equal(begin(3, FINE), 0);
    mood = VANISHED;
    ended = 0;
    for (unsigned n = 0; n < 4; n++)
        ask(disks[n % 2], n, n < 2 ? BLK_READ : BLK_WRITE, 8, 1);
    seconds(2);
    assert_non_null(strstr(said, "the card does not answer"));
    assert_int_equal(ended, 4);
    for (unsigned n = 0; n < 4; n++)
        assert_int_equal(requests[n].status, -ENXIO);
    assert_int_equal(ask(disks[0], 0, BLK_READ, 8, 1)->status, -ENXIO);
    assert_int_not_equal(begin(3, VANISHED), 0);    /* and one that is not there at the start */
    assert_non_null(strstr(said, "cannot be started"));
    assert_int_equal(begin(3, NEVER_READY), -ETIMEDOUT);
    assert_true(ndisks == 0 && forgotten && !bus_master);
}

static void answers(void **state)
{
    assert_int_equal(begin(1, FINE), 0);
    fail_next = 2;                                  /* two bad answers are forgiven, three are not */
    struct blk_request *r = ask(disks[0], 0, BLK_READ, 8, 1);
    for (unsigned i = 0; i < 3; i++)
        interrupts();
    assert_int_equal(r->status, 0);
    fail_next = 3;
    r = ask(disks[0], 0, BLK_READ, 8, 1);
    for (unsigned i = 0; i < 3; i++)
        interrupts();
    assert_int_equal(r->status, -EIO);
    assert_non_null(strstr(said, "a read of 8 sectors at 8 failed: status 6"));
    ended = 0;
    answer_nonsense = answer_twice = true;
    for (unsigned i = 0; i < 500; i++) {            /* slots are used again at once, and an old answer is not for their new command */
        r = ask(disks[0], 0, BLK_READ, 8, 1);
        struct blk_request *other = ask(disks[0], 1, BLK_READ, 16, 1);
        interrupts();
        interrupts();
        assert_true(r->status == 0 && other->status == 0);
        assert_int_equal(ended, 2 * (i + 1));
    }
    answer_nonsense = false;
    ended = executed = 0;
    ask(disks[0], 0, BLK_READ, 8, 1)->done = done_again;
    for (unsigned i = 0; i < 100; i++) {
        interrupts();
        assert_int_equal(ended, executed);
    }
    answer_twice = false;
    assert_non_null(strstr(said, "which nobody waits for"));
    assert_true(strlen(said) < 2000);               /* said ten times, not five hundred */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(namespaces), cmocka_unit_test(silence), cmocka_unit_test(fatal), cmocka_unit_test(gone),
                                        cmocka_unit_test(answers) };
    return cmocka_run_group_tests(tests, 0, 0);
}

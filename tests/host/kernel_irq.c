/* SPDX-License-Identifier: MIT */
/* Claim: a shared line calls everybody on it; one that nobody owns up to, or that its driver cannot quiet however slow the machine
 * is, is masked with one message and polled, heals when it is quiet, and says so; a busy but honest one is left alone. A
 * failure would mean that one broken card stops the machine, that it takes its neighbours with it, or that a fast one is silenced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "guest-kernel/drivers/irq.h"
#include "guest-kernel/kernel/timer.h"

void *calloc(size_t n, size_t size);
void free(void *p);
char *strstr(const char *in, const char *what);
static uint64_t now = 5 * NSEC_PER_SEC;
static unsigned said;
static char last[256];
static bool masked[IRQS];
static struct timer *armed;

void *kmalloc(size_t n) { return calloc(1, n); }
void kfree(void *p) { free(p); }
void kprintf(const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    vsnprintf(last, sizeof(last), f, ap);
    va_end(ap);
    said++;
}
int ksnprintf(char *buf, size_t size, const char *f, ...)
{
    va_list ap;
    va_start(ap, f);
    int n = vsnprintf(buf, size, f, ap);
    va_end(ap);
    return n;
}
int kvsnprintf(char *buf, size_t size, const char *f, va_list ap) { return vsnprintf(buf, size, f, ap); }
uint64_t plat_clock_ns(void) { return now; }
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
void plat_irq_mask(int irq, bool mask) { masked[irq] = mask; }
void plat_irq_name(int irq, char *buf, size_t size) { snprintf(buf, size, "vector %d", irq); }
size_t plat_irq_list(char *buf, size_t size) { return MIN((size_t)snprintf(buf, size, "9\ttimer\n"), size - 1); }

/* A device: whether it wants attention, whether its driver knows, and how often that was asked. */
struct device { bool shouts, owned; unsigned called; };

static bool handler(void *arg)
{
    struct device *d = arg;
    d->called++;
    return d->owned;
}

static struct device *line_holder;
static size_t holders(int irq, char *buf, size_t size)
{
    return line_holder && line_holder->shouts ? (size_t)snprintf(buf, size, "the culprit") : 0;
}
static bool messages_masked;
static void mask_messages(int irq, bool mask) { messages_masked = mask; }
static const struct irq_bus bus = { holders, mask_messages };

/* Time passes; the line, if it is let in and held, interrupts each gap nanoseconds. */
static void pass(int irq, struct device *d, uint64_t ns, uint64_t gap)
{
    for (uint64_t end = now + ns; now < end; now += gap) {
        if (d && d->shouts && !masked[irq])
            irq_raised(irq);
        if (armed && now >= armed->deadline) {
            struct timer *t = armed;
            armed = 0;
            t->fire(t);
        }
    }
}

static bool is_masked(int irq)
{
    uint64_t count;
    bool yes;
    assert_true(irq_count(irq, &count, &yes));
    return yes;
}

static void honest(void **state)
{
    static struct device busy = { true, true, 0 }, quiet = { false, false, 0 };
    assert_int_equal(irq_handle(IRQS + 1, IRQ_INTX, 0, "x", handler, &busy), -EINVAL);
    assert_int_equal(irq_handle(-1, IRQ_INTX, 0, "x", handler, &busy), -EINVAL);
    assert_int_equal(irq_handle(1, IRQ_INTX, 20, "busy", handler, &busy), 0);
    assert_int_equal(irq_handle(1, IRQ_INTX, 20, "quiet", handler, &quiet), 0);
    for (unsigned i = 0; i < 200000; i++) {        /* 90,000 a second, one of two owns up */
        now += 11111;
        assert_false(irq_raised(1));
    }
    assert_int_equal(busy.called + quiet.called, 400000);
    busy.owned = false;
    for (unsigned i = 0; i < 5000; i++) {          /* a stray one now and then adds up to nothing */
        now += NSEC_PER_SEC / 500;
        assert_false(irq_raised(1));
    }
    assert_int_equal(said, 0);
}

/* Nobody's: masked, the neighbour is polled, trials fail without a word, and once it is quiet it heals. */
static void stuck(void **state)
{
    static struct device culprit = { true, false, 0 }, disk = { false, false, 0 };
    char text[2048];
    line_holder = &culprit;
    assert_int_equal(irq_handle(2, IRQ_INTX, 21, "edu", handler, &culprit), 0);
    assert_int_equal(irq_handle(2, IRQ_INTX, 21, "disk", handler, &disk), 0);
    pass(2, &culprit, 2 * NSEC_PER_MS, 1000);
    assert_true(is_masked(2) && masked[2]);
    assert_int_equal(said, 1);
    assert_non_null(strstr(last, "line 21 "));
    assert_non_null(strstr(last, "edu, disk"));
    assert_non_null(strstr(last, "held by the culprit"));
    assert_true(irq_list(text, sizeof(text)) < sizeof(text));
    assert_non_null(strstr(text, "\tINTx 21\tvector 2\tstuck\tedu, disk\tstorms 1"));
    unsigned before = disk.called;
    pass(2, &culprit, 200 * NSEC_PER_MS, 1000);
    assert_in_range(disk.called - before, 150, 250);   /* each millisecond */
    uint64_t raised, later;
    bool yes;
    irq_count(2, &raised, &yes);
    pass(2, &culprit, 20 * NSEC_PER_SEC, 10000);    /* trials, ever rarer and short */
    irq_count(2, &later, &yes);
    assert_in_range(later - raised, 100, 1500);
    assert_int_equal(said, 1);
    pass(2, &culprit, 9 * NSEC_PER_SEC, 5 * NSEC_PER_MS);    /* so slow a machine that a trial sees 20 of them */
    assert_int_equal(said, 1);
    culprit.shouts = false;
    pass(2, &culprit, 9 * NSEC_PER_SEC, 100000);
    assert_false(is_masked(2) || masked[2]);
    assert_int_equal(said, 2);
    assert_non_null(strstr(last, "quiet again"));
    assert_null(armed);                            /* and the tick is over */
}

/* Its driver owns each interrupt and cannot quiet it. On a fast machine the count tells, on a slow one that it is held. */
static void claimed(void **state)
{
    static struct device fast = { true, true, 0 }, slow = { true, true, 0 };
    line_holder = 0;
    said = 0;
    assert_int_equal(irq_handle(3, IRQ_MSIX, 1, "fast", handler, &fast), 0);
    pass(3, &fast, 2 * NSEC_PER_SEC / 10, 1000);
    assert_true(is_masked(3) && masked[3] && messages_masked);
    assert_int_equal(said, 1);
    fast.shouts = false;
    pass(3, &fast, NSEC_PER_SEC, 10000);
    assert_false(is_masked(3) || masked[3] || messages_masked);
    line_holder = &slow;
    assert_int_equal(irq_handle(4, IRQ_INTX, 22, "slow", handler, &slow), 0);
    pass(4, &slow, 10 * NSEC_PER_SEC, 2 * NSEC_PER_MS);      /* 500 a second */
    assert_int_equal(said, 3);
    assert_non_null(strstr(last, "its driver cannot quiet it"));
    slow.shouts = false;
    pass(4, &slow, NSEC_PER_SEC, 10000);
    assert_false(is_masked(4));
    assert_int_equal(said, 4);
}

/* A device without an interrupt is polled for ever; one that is forgotten is not called, and nothing ticks for nobody. */
static void polled(void **state)
{
    static struct device d = { false, true, 0 };
    armed = 0;
    assert_int_equal(irq_handle(IRQ_POLLED, IRQ_INTX, 0, "deaf", handler, &d), 0);
    pass(0, 0, NSEC_PER_SEC, 100000);
    assert_in_range(d.called, 500, 1100);
    char text[2048];
    irq_list(text, sizeof(text));
    assert_non_null(strstr(text, "\tnone\t-\tpolled\tdeaf\n9\ttimer\n"));
    for (size_t size = 1; size < 300; size++) {     /* never over the end */
        char *small = calloc(1, size);
        assert_true(irq_list(small, size) <= size);
        free(small);
    }
    irq_forget(handler, &d);
    unsigned before = d.called;
    pass(0, 0, NSEC_PER_SEC, 100000);
    assert_int_equal(d.called, before);
    assert_null(armed);
}

int main(void)
{
    irq_bus_is(&bus);
    const struct CMUnitTest tests[] = { cmocka_unit_test(honest), cmocka_unit_test(stuck), cmocka_unit_test(claimed), cmocka_unit_test(polled) };
    return cmocka_run_group_tests(tests, 0, 0);
}

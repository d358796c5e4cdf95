/* SPDX-License-Identifier: MIT */
/* irq.c: who is called for an interrupt, and what becomes of one that does not stop.
 *
 * A line that several devices share calls each. A line that nobody owns up to comes again as soon as it is let in, and the machine
 * would do nothing else; so does one whose driver takes each interrupt for its own and does not quiet the device. Either is
 * noticed (is_storm), masked, and told in one message. The other devices on the line are not to blame, so from then on all
 * handlers of the line are called at a timer's tick, each millisecond: slower, but everything works. Now and then the line is
 * let in for a tenth of a second; if it behaves, it is open again, else it is masked anew without a word.
 *
 * A line's life: OPEN -storm-> POLLED -after a while-> TRIAL -quiet-> OPEN, TRIAL -storm-> POLLED.                 */
#include "guest-kernel/drivers/irq.h"
#include "guest-kernel/kernel/timer.h"

#define NOBODYS_MAX   1000u                         /* a second's interrupts that nobody owns up to, less ...             */
#define FORGIVEN      8u                            /* ... so many for each that somebody does                            */
#define A_SECOND_MAX  100000u                       /* whoever owns them                                                  */
#define SAMPLE        64u                           /* one in so many: does a device hold the line when all handlers ran? */
#define HELD_MAX      64u                           /* so many samples in a row that say yes, however long they take      */
#define TRIAL_PART    10u                           /* in a trial a tenth of all that is enough                           */
#define POLL_NS       NSEC_PER_MS
#define TRIAL_NS      (NSEC_PER_SEC / 10)
#define WAIT_MIN_NS   (NSEC_PER_SEC / 4)            /* before a trial; twice as long after each that failed */
#define WAIT_MAX_NS   (8 * NSEC_PER_SEC)
#define SAID_MAX      10u                           /* messages a line */

struct handler { struct handler *next; const char *who; irq_fn fn; void *arg; };
enum state { OPEN, POLLED, TRIAL };

static struct irq {
    struct handler *handlers;
    enum irq_kind   kind;
    unsigned        number;
    uint64_t        count, polls, storms;
    uint64_t        window_began;                   /* a second, or a trial */
    unsigned        in_window, nobodys, held;
    enum state      state;
    uint64_t        next_trial, wait;
} irqs[IRQS + 1] = { [IRQ_POLLED] = { .state = POLLED, .next_trial = ~0ul } };

static const struct irq_bus *bus;
static struct timer poller;                         /* set while an irq is not OPEN and somebody wants to hear of it */

static void poll(struct timer *t);

void irq_bus_is(const struct irq_bus *b) { bus = b; }

/* ---- handlers ---------------------------------------------------------------------------------- */

static void poll_on(void)
{
    if (!poller.fire)
        timer_init(&poller, poll);
    if (list_empty(&poller.link))
        timer_set(&poller, plat_clock_ns() + POLL_NS);
}

int irq_handle(int irq, enum irq_kind kind, unsigned number, const char *who, irq_fn fn, void *arg)
{
    if (irq < 0 || irq > IRQ_POLLED)
        return -EINVAL;
    struct handler *h = kmalloc(sizeof(*h)), **end = &irqs[irq].handlers;
    if (!h)
        return -ENOMEM;
    irqs[irq].kind = kind;
    irqs[irq].number = number;
    *h = (struct handler){ 0, who, fn, arg };
    while (*end)
        end = &(*end)->next;
    *end = h;
    if (irqs[irq].state != OPEN)
        poll_on();
    return 0;
}

void irq_forget(irq_fn fn, void *arg)
{
    for (struct irq *q = irqs; q <= &irqs[IRQ_POLLED]; q++)
        for (struct handler **at = &q->handlers; *at;) {
            struct handler *h = *at;
            if (h->fn != fn || h->arg != arg) {
                at = &h->next;
                continue;
            }
            *at = h->next;
            kfree(h);
        }
}

static bool run(struct irq *q)
{
    bool mine = false;
    for (struct handler *h = q->handlers; h; h = h->next)
        mine |= h->fn(h->arg);
    return mine;
}

/* Adds to the n bytes of text in buf; their number then, never more than fit. */
static size_t __printf(4, 5) put(char *buf, size_t size, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    n += kvsnprintf(buf + n, size - n, fmt, ap);
    va_end(ap);
    return MIN(n, size - 1);
}

/* Each driver's name once. */
static size_t put_names(const struct irq *q, char *buf, size_t size, size_t n)
{
    for (const struct handler *h = q->handlers; h; h = h->next) {
        bool again = false;
        for (const struct handler *o = q->handlers; o != h; o = o->next)
            again |= o->who == h->who;
        if (!again)
            n = put(buf, size, n, "%s%s", h == q->handlers ? "" : ", ", h->who);
    }
    return n;
}

/* ---- storms ---------------------------------------------------------------------------------------- */

static void window_new(struct irq *q)
{
    q->window_began = plat_clock_ns();
    q->in_window = q->nobodys = 0;
}

static void set_masked(struct irq *q, bool mask)
{
    plat_irq_mask(q - irqs, mask);
    if (bus && bus->mask && q->kind != IRQ_INTX)
        bus->mask(q - irqs, mask);
}

static bool held_now(const struct irq *q)
{
    char who[64];
    return q->kind == IRQ_INTX && bus && bus->holders && bus->holders(q - irqs, who, sizeof(who));
}

/* On a slow machine a stuck line that its driver owns comes less than a hundred thousand times a second, and still nothing else
 * gets done. But whatever the speed, it is held whenever one looks. */
static bool is_held(struct irq *q)
{
    if (q->count % SAMPLE)
        return false;
    q->held = held_now(q) ? q->held + 1 : 0;
    return q->held >= HELD_MAX / (q->state == TRIAL ? TRIAL_PART : 1);
}

static bool is_storm(struct irq *q, bool mine)
{
    unsigned part = q->state == TRIAL ? TRIAL_PART : 1;
    if (q->state == OPEN && plat_clock_ns() - q->window_began > NSEC_PER_SEC)
        window_new(q);
    q->in_window++;
    q->nobodys = !mine ? q->nobodys + 1 : q->nobodys > FORGIVEN ? q->nobodys - FORGIVEN : 0;
    return q->nobodys >= NOBODYS_MAX / part || q->in_window > A_SECOND_MAX / part || is_held(q);
}

static const char *name_of(const struct irq *q) { return q->kind == IRQ_INTX ? "line" : "message"; }

static void say_storm(struct irq *q)
{
    char who[96] = "", held[48] = "";
    if (q->storms++ >= SAID_MAX)
        return;
    put_names(q, who, sizeof(who), 0);
    if (q->kind == IRQ_INTX && bus && bus->holders)
        bus->holders(q - irqs, held, sizeof(held));
    kprintf("irq: %s %u does not stop (%s%s%s): masked; %s polled each millisecond until it is quiet%s\n", name_of(q), q->number,
            q->nobodys >= NOBODYS_MAX ? "no driver's" : "its driver cannot quiet it", held[0] ? "; held by " : "", held, who,
            q->storms == SAID_MAX ? "; no more of it" : "");
}

static void shut(struct irq *q)
{
    q->wait = q->state == OPEN ? WAIT_MIN_NS : MIN(2 * q->wait, WAIT_MAX_NS);
    q->state = POLLED;
    q->next_trial = plat_clock_ns() + q->wait;
    set_masked(q, true);
}

bool irq_raised(int irq)
{
    struct irq *q = &irqs[irq];
    q->count++;
    bool mine = run(q);
    if (q->state == POLLED)
        return true;                                /* was on its way while it was masked */
    if (!is_storm(q, mine))
        return false;
    if (q->state == OPEN)
        say_storm(q);
    shut(q);
    poll_on();
    return true;
}

/* ---- polling --------------------------------------------------------------------------------------- */

static void try_again(struct irq *q)
{
    q->state = TRIAL;
    q->held = 0;
    window_new(q);
    set_masked(q, false);
}

/* A trial that stood its time. If the machine itself stood still meanwhile, that says little: a line that is held now is not quiet. */
static void trial_ends(struct irq *q)
{
    if (held_now(q)) {
        shut(q);
        return;
    }
    q->state = OPEN;
    q->held = 0;
    window_new(q);
    if (q->storms < SAID_MAX)
        kprintf("irq: %s %u is quiet again: unmasked\n", name_of(q), q->number);
}

static void poll(struct timer *t)
{
    uint64_t now = plat_clock_ns();
    bool more = false;
    for (struct irq *q = irqs; q <= &irqs[IRQ_POLLED]; q++) {
        if (q->state == POLLED && q->handlers) {
            q->polls++;
            run(q);
        }
        if (q->state == TRIAL && now - q->window_began >= TRIAL_NS)
            trial_ends(q);
        else if (q->state == POLLED && now >= q->next_trial)
            try_again(q);
        more |= q->state != OPEN && q->handlers;
    }
    if (more)
        timer_set(t, now + POLL_NS);
}

/* ---- /proc/interrupts -------------------------------------------------------------------------------- */

static size_t list_one(const struct irq *q, char *buf, size_t size, size_t n)
{
    static const char *const kinds[] = { "INTx", "MSI", "MSI-X" }, *const states[] = { "open", "stuck", "trial" };
    char where[48] = "-", what[16] = "none";
    bool none = q == &irqs[IRQ_POLLED];
    if (!none) {
        plat_irq_name(q - irqs, where, sizeof(where));
        ksnprintf(what, sizeof(what), "%s %u", kinds[q->kind], q->number);
    }
    n = put(buf, size, n, "%lu\t%s\t%s\t%s\t", none ? q->polls : q->count, what, where, none ? "polled" : states[q->state]);
    n = put_names(q, buf, size, n);
    if (!none && q->storms)
        n = put(buf, size, n, "\tstorms %lu, polls %lu", q->storms, q->polls);
    return put(buf, size, n, "\n");
}

size_t irq_list(char *buf, size_t size)
{
    size_t n = put(buf, size, 0, "count\tkind\tby\tstate\tdrivers\n");
    for (const struct irq *q = irqs; q <= &irqs[IRQ_POLLED]; q++)
        if (q->handlers)
            n = list_one(q, buf, size, n);
    return n + plat_irq_list(buf + n, size - n);
}

bool irq_count(int irq, uint64_t *count, bool *masked)
{
    if (irq < 0 || irq >= IRQS)
        return false;
    *count = irqs[irq].count;
    *masked = irqs[irq].state == POLLED;
    return true;
}

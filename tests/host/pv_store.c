/* SPDX-License-Identifier: MIT */
/* pv_store.c: claim: a guest's end of the store (pv-drivers/store.c, store_ring.c, SPEC 11.4) puts messages together from whatever pieces they
 * come in, loses no event when memory is short for a moment, and of a store that speaks nonsense takes none: whoever asks is told so, and
 * nothing beside the buffers is touched. The store and the kernel beneath are played here. A failure means a guest that hangs, or whose
 * memory a broken xenstored can write. Each case has a process of its own: what it leaves half done is gone with it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "hypercall-abi/errno.h"
#include "hypercall-abi/io/xs_wire.h"
#include "pv-drivers/os.h"
#include "pv-drivers/store.h"
#include "tests/host/os_words.h"

#define RING XENSTORE_RING_SIZE

static struct xenstore_domain_interface page;
static os_event_fn *handler;
static void (*listener)(void *), (*timer)(void *);
static void (*world)(void);                        /* what goes on while somebody sleeps */
static jmp_buf tired;
static bool listening;
static int no_memory;                              /* so many requests for memory fail */
static char told[4000];
static unsigned complaints;

/* ---- a kernel -------------------------------------------------------------------------------------------- */

void os_event_send(uint32_t port) { }
int os_event_handle(uint32_t port, os_event_fn *fn, void *arg) { handler = fn; return 0; }
struct os_event *os_event_new(void) { static int e; return (struct os_event *)&e; }
void os_event_wake(struct os_event *e) { }
void *os_alloc(size_t n) { return no_memory && no_memory-- ? NULL : calloc(1, n); }
void os_free(void *p) { free(p); }
const void *os_self(void) { return listening ? &listening : NULL; }
int os_thread(const char *name, void (*fn)(void *), void *arg) { listener = fn; return 0; }
void os_timer_set(struct os_timer *t, unsigned ms, void (*fn)(void *), void *arg) { timer = fn; }
void os_log(const char *fmt, ...) { complaints++; }

int os_sleep_until(struct os_event *e, bool (*done)(void *), void *arg, unsigned limit)
{
    for (int i = 0; !done(arg); i++) {
        if (listening || i == 20000)
            longjmp(tired, 1);
        world();
        handler(NULL);
        if (timer) {
            void (*fn)(void *) = timer;
            timer = NULL;
            fn(NULL);
        }
    }
    return 0;
}

static void listen_now(void)
{
    listening = true;
    if (!setjmp(tired))
        listener(NULL);
    listening = false;
}

/* ---- a store that answers, so many bytes at a time ------------------------------------------------------------ */

static char out[65536], in[16384];
static size_t out_from, out_to, in_len, step = 7;

static void say(uint32_t type, uint32_t id, const void *text, size_t n)
{
    struct xsd_sockmsg head = { type, id, 0, (uint32_t)n };
    memcpy(out + out_to, &head, sizeof(head));
    memcpy(out + out_to + sizeof(head), text, n);
    out_to += sizeof(head) + n;
}

static void answer(const struct xsd_sockmsg *head, const char *text)
{
    static char list[2000];
    if (head->type == XS_READ && !strcmp(text, "absent"))
        say(XS_ERROR, head->req_id, "ENOENT", 7);
    else if (head->type == XS_READ && !strcmp(text, "long"))
        say(XS_READ, head->req_id, list, sizeof(list));
    else if (head->type == XS_READ)
        say(XS_READ, head->req_id, text, strlen(text));
    else if (head->type == XS_DIRECTORY)
        say(XS_DIRECTORY, head->req_id, "a\0bc\0unended", 12);
    else if (head->type == XS_TRANSACTION_START)
        say(head->type, head->req_id, "17", 3);
    else
        say(head->type, head->req_id, "OK", 3);
    if (head->type == XS_WATCH) {
        size_t path = strlen(text) + 1;
        say(XS_WATCH_EVENT, 0, text, path + strlen(text + path) + 1);
    }
}

static void give(void)
{
    for (size_t i = 0; i < step && out_from < out_to && page.rsp_prod - page.rsp_cons < RING; i++)
        page.rsp[page.rsp_prod++ % RING] = out[out_from++];
}

static void store_step(void)
{
    struct xsd_sockmsg head;
    while (page.req_cons != page.req_prod && in_len < sizeof(in))
        in[in_len++] = page.req[page.req_cons++ % RING];
    memcpy(&head, in, sizeof(head));
    if (in_len >= sizeof(head) && in_len >= sizeof(head) + head.len) {
        in[sizeof(head) + head.len] = 0;
        answer(&head, in + sizeof(head));
        in_len -= sizeof(head) + head.len;
    }
    give();
}

static void heard(struct store_watch *w, const char *path)
{
    size_t n = strlen(told);
    snprintf(told + n, sizeof(told) - n, "%s;", path);
}

static void begin(void)
{
    page.rsp_prod = page.rsp_cons = 0xffffff00;    /* the counters wrap on the way */
    page.req_prod = page.req_cons = 0xffffff80;
    world = store_step;
    assert_int_equal(store_init(&page, 1), 0);
}

/* fn in a process of its own, which must end well. */
static void apart(void (*fn)(unsigned), unsigned arg)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        begin();
        fn(arg);
        _exit(0);
    }
    waitpid(pid, &status, 0);
    if (status)
        fail_msg("case %u ends with status %x", arg, (unsigned)status);
}

#define MUST(x) do { if (!(x)) { fprintf(stderr, "line %d: %s\n", __LINE__, #x); _exit(1); } } while (0)

/* ---- claims ------------------------------------------------------------------------------------------------------ */

static void speak(unsigned pieces)
{
    static struct store_watch w = { .path = "device/vbd", .fn = heard };
    char buf[64], small[4], big[3000];
    uint64_t value;
    uint32_t tx;

    step = pieces;
    MUST(store_read(0, "x", buf, sizeof(buf)) == 1 && !strcmp(buf, "x"));
    MUST(store_read(0, "absent", buf, sizeof(buf)) == -XEN_ENOENT);
    MUST(store_read(0, "absent", small, sizeof(small)) == -XEN_ENOENT);
    MUST(store_read(0, "toolong", small, sizeof(small)) == -XEN_E2BIG);
    MUST(store_read(0, "long", buf, sizeof(buf)) == -XEN_E2BIG);
    MUST(store_read_number(0, "dir", "1", &value) == -XEN_EINVAL);
    MUST(store_list(0, "dir", buf, sizeof(buf)) == 2 && !strcmp(buf, "a"));
    MUST(store_begin(&tx) == 0 && tx == 17 && store_end(tx, true) == 0);
    memset(big, 'v', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    MUST(store_write(0, "big", big) == 0);
    MUST(store_watch_add(&w) == 0);
    say(XS_WATCH_EVENT, 0, "device/vbd/1\0unknown", 21);
    say(XS_WATCH_EVENT, 0, "no token", 8);
    say(XS_WATCH_EVENT, 0, "", 0);
    MUST(store_read(0, "y", buf, sizeof(buf)) == 1);
    listen_now();
    MUST(!strcmp(told, "device/vbd;"));
}

static void whole_or_in_pieces(void **state)
{
    static const unsigned pieces[] = { 1, 2, 7, 16, 17, 100, 1024 };
    for (unsigned i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++)
        apart(speak, pieces[i]);
}

/* The store fills the ring whenever there is room; memory is short just when an event's header has come. */
static void short_of_memory(unsigned times)
{
    static struct store_watch w = { .path = "p", .fn = heard };
    char buf[8], text[64], want[4000] = "p;";

    step = RING;
    MUST(store_watch_add(&w) == 0);
    for (int i = 0; i < 100; i++) {
        int n = sprintf(text, "p/%d%c%s", i, 0, w.token) + 1;
        say(XS_WATCH_EVENT, 0, text, (size_t)n);
        sprintf(want + strlen(want), "p/%d;", i);
    }
    no_memory = (int)times;
    MUST(store_read(0, "x", buf, sizeof(buf)) == 1 && buf[0] == 'x');
    listen_now();
    MUST(!strcmp(told, want));
}

static void no_event_is_lost(void **state)
{
    for (unsigned times = 0; times < 40; times += 3)
        apart(short_of_memory, times);
}

static void endless(void)
{
    struct xsd_sockmsg head = { XS_READ, 1, 0, 0xfffffff0 };
    if (!out_to)
        say(XS_READ, 1, "", 0), memcpy(out, &head, sizeof(head));
    give();
}

static void mad_counters(void) { page.rsp_prod = page.rsp_cons + RING + 1; }

static void ask_a_fool(unsigned which)
{
    char buf[16];
    world = which ? endless : mad_counters;
    MUST(store_read(0, "x", buf, sizeof(buf)) == -XEN_EIO);
    MUST(store_write(0, "x", "y") == -XEN_EIO);
    MUST(complaints == 1);
}

static void nonsense_ends_it(void **state)
{
    apart(ask_a_fool, 0);
    apart(ask_a_fool, 1);
}

static uint32_t seed;
static unsigned roll(unsigned n) { return (seed = seed * 1664525 + 1013904223) >> 8 & 0xffff ? (seed >> 8) % n : 0; }

/* Headers that are nearly right, payloads that are not. */
static void babble(void)
{
    static const uint32_t types[] = { XS_READ, XS_DIRECTORY, XS_ERROR, XS_WATCH_EVENT, XS_WATCH_EVENT, XS_TRANSACTION_START, 0x80000000 };
    if (out_from == out_to) {
        char text[64];
        out_from = out_to = 0;
        for (unsigned i = 0; i < sizeof(text); i++)
            text[i] = "w0\0E/1\xff-"[roll(8)];
        struct xsd_sockmsg head = { types[roll(7)], roll(12), roll(3), roll(60) };
        say(head.type, head.req_id, text, roll(200) ? head.len : roll(60));
        memcpy(out, &head, sizeof(head));
    }
    step = roll(40) + 1;
    give();
    if (!roll(400))
        page.rsp_prod += roll(3000);
}

static void ask_a_babbler(unsigned n)
{
    static struct store_watch w = { .path = "p", .fn = heard };
    char buf[3][32], list[64];
    uint64_t value;
    uint32_t tx;

    seed = n * 7919 + 1;
    world = babble;
    if (setjmp(tired))
        return;                                    /* no answer to this one ever came: that is waiting, not a fault */
    for (int i = 0; i < 20; i++) {
        memset(buf, 0x55, sizeof(buf));
        store_read(0, "x", buf[1], roll(sizeof(buf[1])) + 1);
        store_list(0, "x", list, roll(sizeof(list)));
        store_read_number(0, "a", "b", &value);
        store_begin(&tx);
        for (size_t k = 0; k < sizeof(buf[0]); k++)
            MUST(buf[0][k] == 0x55 && buf[2][k] == 0x55);
        if (i == 3)
            store_watch_add(&w);
    }
}

static void babble_harms_nobody(void **state)
{
    for (unsigned n = 0; n < 300; n++)
        apart(ask_a_babbler, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_or_in_pieces), cmocka_unit_test(no_event_is_lost), cmocka_unit_test(nonsense_ends_it),
        cmocka_unit_test(babble_harms_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

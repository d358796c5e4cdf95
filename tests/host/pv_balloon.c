/* SPDX-License-Identifier: MIT */
/* Claim (SPEC 11.7): whatever stands in memory/target, and however little the kernel can give or the hypervisor has, the balloon driver
 * goes towards it in steps of at most 4 MiB, looks anew between them, never asks the kernel below its floor or above its
 * maximum, and tells the truth in memory/stat, at most once a second and ever while it works. A failure would take a guest's last
 * memory, or leave dom0 blind.
 *
 * The kernel here has a number of pages; the store is a table of strings; each sleep of the driver's thread is a moment of
 * the test's script.                                                                                          */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "../../pv-drivers/balloon.c"

#define MIB 1024ull

static struct {
    uint64_t current, floor, most, host_free;       /* KiB */
    uint64_t can_give;                              /* pages that reclaim finds until the next moment */
    char     target[64];                            /* "" : no such node */
    uint64_t now_ns, sleeps, most_sleeps;
    void   (*script)(uint64_t moment);
    uint64_t told[7], writes, gave, took, largest;
    bool     swapping;
    jmp_buf  end;
} t;

static const char *const names[7] = { "current", "free", "available", "swap-in", "swap-out", "pressure", "floor" };

/* ---- The kernel's part and the store's ---- */

void balloon_os_state(struct balloon_state *s)
{
    *s = (struct balloon_state){ .current = t.current, .most = t.most, .floor = t.floor, .free = t.current / 8, .available = t.current / 4 };
}

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

uint64_t balloon_os_give(uint64_t pages)
{
    uint64_t n = least(pages, t.can_give);
    t.largest = pages > t.largest ? pages : t.largest;
    t.can_give -= n;
    t.current -= n * 4;
    t.host_free += n * 4;
    t.gave += n;
    t.now_ns += n * (t.swapping ? 1000000 : 1000);
    assert_true(t.current >= t.floor);
    return n;
}

uint64_t balloon_os_take(uint64_t pages)
{
    uint64_t n = least(pages, t.host_free / 4);
    t.largest = pages > t.largest ? pages : t.largest;
    t.current += n * 4;
    t.host_free -= n * 4;
    t.took += n;
    assert_true(t.current <= t.most);
    return n;
}

int store_read_number(uint32_t tx, const char *dir, const char *node, uint64_t *value)
{
    char *end;
    (void)tx;
    assert_string_equal(dir, "memory");
    assert_string_equal(node, "target");
    if (!t.target[0])
        return -2;
    *value = strtoull(t.target, &end, 0);
    return *end || t.target[0] == '-' ? -22 : 0;
}

int store_printf(uint32_t tx, const char *dir, const char *node, const char *fmt, ...)
{
    va_list ap;
    char text[64];
    (void)tx;
    assert_string_equal(dir, "memory/stat");
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    for (unsigned i = 0; i < 7; i++)
        if (strcmp(node, names[i]) == 0)
            t.told[i] = strtoull(text, 0, 10);
    t.writes++;
    return 0;
}

int store_watch_add(struct store_watch *w)
{
    assert_string_equal(w->path, "memory/target");
    w->fn(w, w->path);
    return 0;
}

struct os_event *os_event_new(void) { return (struct os_event *)&t; }
void os_event_wake(struct os_event *e) { }
int os_thread(const char *name, void (*fn)(void *), void *arg) { fn(arg); return 0; }
uint64_t os_now_ns(void) { return t.now_ns; }
void os_log(const char *fmt, ...) { }

int os_sleep_until(struct os_event *e, bool (*done)(void *arg), void *arg, unsigned limit_ms)
{
    assert_true(limit_ms >= 100 && limit_ms <= 1000);
    if (++t.sleeps > t.most_sleeps)
        longjmp(t.end, 1);
    if (t.script)
        t.script(t.sleeps);
    t.now_ns += done(arg) ? 1000000 : limit_ms * 1000000ull;
    return 0;
}

/* Runs the driver from its start for so many moments. */
static void run_for(uint64_t moments, void (*script)(uint64_t moment))
{
    memset(&b, 0, sizeof(b));
    t.sleeps = 0;
    t.most_sleeps = moments;
    t.script = script;
    if (setjmp(t.end) == 0)
        balloon_start();
}

static void world(uint64_t mib, uint64_t floor, uint64_t most, uint64_t host, const char *target)
{
    memset(&t, 0, sizeof(t));
    t.current = mib * MIB;
    t.floor = floor * MIB;
    t.most = most * MIB;
    t.host_free = host * MIB;
    t.can_give = UINT64_MAX;
    strcpy(t.target, target);
    t.now_ns = 1000000000;
}

/* What dom0 writes, as the store's thread sees it. */
static void write_target(const char *text)
{
    strcpy(t.target, text);
    b.watch.fn(&b.watch, "memory/target");
}

/* ---- Claims ---- */

static void goes_down_and_up(void **state)
{
    world(64, 12, 128, 200, "32768");
    run_for(2, 0);
    assert_int_equal(t.current, 32 * MIB);
    assert_int_equal(t.told[0], t.current);
    strcpy(t.target, "102400");
    run_for(2, 0);
    assert_int_equal(t.current, 100 * MIB);
    assert_int_equal(t.told[0], t.current);
    assert_true(t.largest <= 1024);
}

static void nonsense_moves_nothing(void **state)
{
    static const char *const bad[] = { "", "x", "-1", "12x", "64 MiB", "\n" };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        world(64, 12, 128, 200, bad[i]);
        run_for(20, 0);
        assert_int_equal(t.current, 64 * MIB);
        assert_true(t.writes >= 7);
    }
}

static void nonsense_moment(uint64_t moment) { write_target(moment % 2 ? "garbage" : ""); }

static void nonsense_does_not_undo_the_last_target(void **state)
{
    world(64, 12, 128, 200, "49152");
    run_for(20, nonsense_moment);
    assert_int_equal(t.current, 48 * MIB);
}

static void floor_and_maximum_hold(void **state)
{
    static const struct { const char *target; uint64_t mib; } all[] = {
        { "0", 12 }, { "1", 12 }, { "3", 12 }, { "12287", 12 }, { "18446744073709551615", 128 }, { "4294967296", 128 }, { "0x7fffffffffffffff", 128 },
    };
    for (unsigned i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        world(64, 12, 128, 200, all[i].target);
        run_for(3, 0);
        assert_int_equal(t.current, all[i].mib * MIB);
    }
}

/* Not a multiple of a page: it comes to rest beside it, and does not swing. */
static void an_odd_target_rests(void **state)
{
    world(64, 12, 128, 200, "40001");
    run_for(30, 0);
    assert_true(t.current >= 40000 && t.current <= 40004);
    assert_true(t.took + t.gave <= (64 * MIB - 40000) / 4 + 1);
}

static void little_by_little(uint64_t moment)
{
    t.can_give = 7;
    t.host_free = 5 * 4;
}

/* The kernel can spare 7 pages at a time, the hypervisor has 5: each is taken, and tried again later, not at once. */
static void what_cannot_be_now_is_tried_again(void **state)
{
    world(64, 12, 128, 0, "32768");
    t.can_give = 3;
    run_for(100, little_by_little);
    assert_int_equal(t.gave, 3 + 100 * 7);
    world(64, 12, 128, 0, "131072");
    run_for(100, little_by_little);
    assert_int_equal(t.took, 100 * 5);
    assert_true(t.now_ns >= 100 * 190000000ull);
}

static void flip(uint64_t moment) { write_target(moment % 2 ? "0" : "18446744073709551615"); }

static void a_target_that_never_rests_keeps_the_bounds(void **state)
{
    world(64, 12, 128, 50, "0");
    run_for(1000, flip);
    assert_true(t.current >= t.floor && t.current <= t.most && t.largest <= 1024);
    assert_true(t.writes <= 7 + 7 * (t.now_ns / 1000000000 + 1));        /* a report a second, however often it is woken */
}

/* 400 MiB through a disk take minutes: dom0 hears of it meanwhile. */
static void it_reports_while_it_goes_down(void **state)
{
    world(512, 12, 512, 0, "102400");
    t.swapping = true;
    run_for(1, 0);
    assert_int_equal(t.current, 100 * MIB);
    assert_true(t.writes >= 7 + 2 * 20);
}

static void starve(uint64_t moment)
{
    if (moment == 3)
        balloon_starving();
}

static void starving_is_told_soon(void **state)
{
    world(64, 12, 128, 0, "131072");
    run_for(4, starve);
    assert_int_equal(t.told[5], 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_down_and_up), cmocka_unit_test(nonsense_moves_nothing), cmocka_unit_test(nonsense_does_not_undo_the_last_target),
        cmocka_unit_test(floor_and_maximum_hold), cmocka_unit_test(an_odd_target_rests), cmocka_unit_test(what_cannot_be_now_is_tried_again),
        cmocka_unit_test(a_target_that_never_rests_keeps_the_bounds), cmocka_unit_test(it_reports_while_it_goes_down),
        cmocka_unit_test(starving_is_told_soon),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

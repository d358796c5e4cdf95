/* SPDX-License-Identifier: MIT */
/* Claim (SPEC 11.7): balloond's look at the store (believe.c), its arithmetic (policy.c) and its promises (asks.c), run round by round
 * on a simulated machine, keep these whatever the guests report and do:
 *   - the memory of all domains and the reserve is never more than the machine's; no target is below a floor (M1, M2);
 *   - memory of idle domains comes to pressed ones within 30 rounds, weights decide between pressed ones, and then it rests;
 *   - a guest that lies, does not follow, drips, flickers or starts anew cannot keep a pressed honest one from its share (M4), and
 *     one that did not give when asked gets no more than its own share.
 * balloond is "killed" (its histories lost) at random in most of them. A failure would starve a domain, or give memory twice. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "dom0-tools/balloond/asks.h"
#include "dom0-tools/balloond/believe.h"
#include "dom0-tools/libenso/balloon.h"

#define MIB      1024ull
#define GUESTS   6u
#define ROUND_MS 500u

enum habit { HONEST, GREEDY, DEAF, HOARDER, DRIPPER, FLICKER, NOISE, SILENT, HABITS };

struct guest {
    enum habit habit;
    uint64_t   need;                    /* KiB that its programs work on              */
    uint64_t   current, limit, kernel_floor;
    bool       paused;
    struct hearsay said;
    struct history history;             /* balloond's */
    struct balance is;
};

static struct {
    uint64_t machine, reserve, now;
    unsigned n;
    struct guest g[GUESTS];
    unsigned moves;                     /* targets that the last round changed */
} w;

static void say(struct guest *g, enum hearsay_word word, uint64_t v)
{
    g->said.there[word] = true;
    g->said.value[word] = v;
}

static void world(uint64_t mib, unsigned n)
{
    memset(&w, 0, sizeof(w));
    w.machine = mib * MIB;
    w.reserve = 8 * MIB;
    w.n = n;
    w.now = 1000;
}

static struct guest *guest(unsigned i, enum habit habit, uint64_t mib, uint64_t most, uint64_t need, uint64_t weight)
{
    struct guest *g = &w.g[i];

    *g = (struct guest){ .habit = habit, .need = need * MIB, .current = mib * MIB, .limit = mib * MIB, .kernel_floor = 12 * MIB };
    say(g, SAID_TARGET, mib * MIB);
    say(g, SAID_MOST, most * MIB);
    say(g, SAID_WEIGHT, weight);
    return g;
}

static uint64_t used(void)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < w.n; i++)
        sum += w.g[i].current;
    return sum;
}

static uint64_t host_free(void) { return w.machine - used(); }

/* ---- guests ------------------------------------------------------------------------------------ */

static void report_truly(struct guest *g)
{
    uint64_t available = g->current > g->need ? g->current - g->need : 0;

    say(g, SAID_CURRENT, g->current);
    say(g, SAID_OWN_FLOOR, g->kernel_floor);
    say(g, SAID_AVAILABLE, available);
    say(g, SAID_PRESSURE, available * 4 >= g->current ? 0 : available * 8 >= g->current ? 20 : available ? 40 : 100);
}

static void report(struct guest *g)
{
    static const uint64_t nonsense[] = { 0, 1, 100, 101, 4096, 1ull << 20, 1ull << 40, UINT64_MAX, (uint64_t)-4096 };

    report_truly(g);
    switch (g->habit) {
    case FLICKER:
        say(g, SAID_PRESSURE, rand() % 2 * 100);
        break;
    case NOISE:
        for (enum hearsay_word word = SAID_OWN_FLOOR; word <= SAID_CURRENT; word++) {
            g->said.there[word] = rand() % 4;
            g->said.value[word] = nonsense[(unsigned)rand() % (sizeof(nonsense) / sizeof(nonsense[0]))];
        }
        break;
    case SILENT:
        memset(g->said.there + SAID_OWN_FLOOR, 0, SAID_ALL - SAID_OWN_FLOOR);
        break;
    case HONEST:
        break;
    default:
        say(g, SAID_OWN_FLOOR, UINT64_MAX);
        say(g, SAID_AVAILABLE, 0);
        say(g, SAID_PRESSURE, g->habit == HOARDER ? 0 : 100);
    }
}

/* Towards the target by so much at most; up only as far as the hypervisor lets it. */
static void go(struct guest *g, uint64_t to, uint64_t most)
{
    uint64_t step = to > g->current ? to - g->current : g->current - to, free = host_free();

    step = step < most ? step : most;
    if (to < g->current) {
        g->current -= step;
        return;
    }
    step = step < free ? step : free;
    g->current += g->current + step > g->limit ? (g->limit > g->current ? g->limit - g->current : 0) : step;
}

static void move(struct guest *g)
{
    uint64_t target = g->said.value[SAID_TARGET], floor = g->kernel_floor;

    if (g->paused)
        return;
    switch (g->habit) {
    case HONEST: case FLICKER:
        go(g, target > floor ? target : floor, 16 * MIB);
        break;
    case DRIPPER:
        go(g, target, target < g->current ? 8 : 64 * MIB);
        break;
    case SILENT:
        break;
    default:                            /* all that it can get; nothing back */
        go(g, UINT64_MAX / 2, UINT64_MAX);
    }
}

/* ---- balloond ---------------------------------------------------------------------------------- */

static void killed_and_started(void)
{
    for (unsigned i = 0; i < w.n; i++)
        memset(&w.g[i].history, 0, sizeof(w.g[i].history));
}

static void round_of(uint64_t promised)
{
    struct balance b[GUESTS];
    int64_t free = (int64_t)host_free() - (int64_t)w.reserve;

    for (unsigned i = 0; i < w.n; i++) {
        struct facts is = { w.g[i].current, false, !w.g[i].paused, free > 0 ? (uint64_t)free : 0, w.now };

        report(&w.g[i]);
        b[i] = w.g[i].is = believe(&w.g[i].said, &is, &w.g[i].history);
        assert_true(b[i].floor <= b[i].most && b[i].pressure <= 100 && b[i].available <= b[i].current && b[i].weight);    /* B1 */
    }
    balance_memory(b, w.n, free - (int64_t)promised);
    w.moves = 0;
    for (unsigned i = 0; i < w.n; i++) {
        if (!b[i].managed)
            continue;
        assert_true(b[i].goal >= b[i].target || b[i].stuck || b[i].goal >= b[i].floor);      /* M1 */
        assert_true(b[i].goal <= b[i].target || b[i].goal <= b[i].most);
        w.moves += b[i].goal != b[i].target;
        w.g[i].limit = b[i].goal;
        say(&w.g[i], SAID_TARGET, b[i].goal);
    }
    for (unsigned i = 0; i < w.n; i++)
        move(&w.g[i]);
    w.now += ROUND_MS;
}

static void rounds(unsigned n)
{
    while (n-- > 0) {
        round_of(0);
        assert_true(used() + w.reserve <= w.machine);
    }
}

static bool near(uint64_t kib, uint64_t mib) { return kib * 8 >= mib * MIB * 7 && kib * 8 <= mib * MIB * 9; }

/* ---- honest ones ------------------------------------------------------------------------------- */

static void idle_memory_goes_to_the_pressed_and_rests(void **state)
{
    (void)state;
    world(200, 3);
    guest(0, HONEST, 96, 128, 20, 256);
    guest(1, HONEST, 64, 128, 20, 256);
    guest(2, HONEST, 32, 128, 70, 256);
    rounds(30);
    assert_true(w.g[2].current >= 70 * MIB);
    rounds(30);
    for (unsigned i = 0; i < 40; i++) {
        rounds(1);
        assert_int_equal(w.moves, 0);
    }
}

static void weights_decide_between_the_pressed(void **state)
{
    (void)state;
    world(8 + 160, 2);
    guest(0, HONEST, 120, 160, 200, 256);
    guest(1, HONEST, 40, 160, 200, 768);
    rounds(200);
    assert_true(near(w.g[0].current, 40) && near(w.g[1].current, 120));
    for (unsigned i = 0; i < 40; i++) {     /* a pressed one gets nothing back of what was taken from it: no swinging */
        rounds(1);
        assert_int_equal(w.moves, 0);
    }
}

static void a_pressed_one_above_its_share_is_left_alone(void **state)
{
    (void)state;
    world(8 + 128, 2);
    guest(0, HONEST, 96, 128, 200, 256);
    guest(1, HONEST, 32, 32, 200, 256);     /* is at its maximum */
    for (unsigned i = 0; i < 60; i++) {
        rounds(1);
        assert_true(w.moves == 0 && w.g[0].current == 96 * MIB);
    }
}

static void the_domain_that_asks_for_more_than_ever_comes(void **state)
{
    (void)state;
    world(100, 2);
    guest(0, HONEST, 60, 128, 8, 256);
    struct guest *g = guest(1, HONEST, 24, 128, 80, 256);
    say(g, SAID_MOST, 1 << 30);             /* its maximum is beyond all machines */
    rounds(60);
    assert_true(w.g[0].current >= 128 / 4 * MIB);
}

/* ---- hostile ones ------------------------------------------------------------------------------ */

/* The honest one has a quarter of the machine as its share; three others of that habit had everything first. */
static void one_habit(enum habit habit)
{
    world(8 + 240, 4);
    guest(0, HONEST, 24, 128, 100, 256);
    for (unsigned i = 1; i < 4; i++)
        guest(i, habit, 60, 128, 100, 256);
    rounds(400);
    assert_true(w.g[0].current >= 52 * MIB);
    for (unsigned i = 1; i < 4; i++)                        /* what is free was for the honest one, who is below its share */
        assert_true(w.g[i].current <= 66 * MIB);
}

static void habits_do_not_starve_an_honest_one(void **state)
{
    (void)state;
    for (enum habit h = GREEDY; h < HABITS; h++)
        if (h != SILENT)
            one_habit(h);
}

/* One follower that cries forever against two honest ones that need their shares: it comes down to its own. */
static void crying_gets_its_share_and_no_more(void **state)
{
    (void)state;
    world(8 + 130, 3);
    guest(0, HONEST, 24, 72, 8, 256);
    guest(1, HONEST, 24, 72, 8, 256);
    guest(2, HONEST, 24, 72, 1000, 256);
    rounds(60);
    assert_true(w.g[2].current >= 68 * MIB);                /* while nobody else wants it */
    w.g[0].need = w.g[1].need = 60 * MIB;
    rounds(80);
    assert_true(w.g[2].current <= 130 * MIB / 3 * 9 / 8 + 4);
    assert_true(w.g[0].current >= 38 * MIB && w.g[1].current >= 38 * MIB);
}

/* Deaf ones promised to give 3 * 20 MiB: that nobody waits for it longer than its time. */
static void nobody_waits_for_the_deaf(void **state)
{
    (void)state;
    world(8 + 160, 3);
    guest(0, HONEST, 60, 128, 10, 256);
    guest(1, DEAF, 60, 60, 100, 256);
    guest(2, HONEST, 24, 128, 60, 256);
    w.g[1].limit = 60 * MIB;
    say(&w.g[1], SAID_TARGET, 20 * MIB);
    rounds(20 + 20 + 40);                                   /* 10 s, and a second for 4 MiB; then the idle one gives */
    assert_true(w.g[2].current >= 55 * MIB);
    assert_true(w.g[1].said.value[SAID_TARGET] == w.g[1].current);
}

/* One that was given a target and does not take it keeps that memory from others no longer than its time. */
static void what_is_not_fetched_is_given_to_others(void **state)
{
    (void)state;
    world(8 + 120, 2);
    struct guest *g = guest(0, SILENT, 40, 128, 100, 256);
    say(g, SAID_TARGET, 80 * MIB);
    guest(1, HONEST, 40, 128, 70, 256);
    rounds(30);
    assert_true(w.g[1].current <= 41 * MIB);                /* it is reserved yet */
    rounds(60);
    assert_true(w.g[1].current >= 70 * MIB);
}

/* One that did not give when another was owed finds no more idle memory later; when it has given, it does. */
static void who_did_not_give_gets_no_more(void **state)
{
    (void)state;
    world(8 + 184, 3);
    struct guest *g = guest(0, DEAF, 100, 160, 0, 256);
    guest(1, HONEST, 24, 128, 60, 256);
    guest(2, HONEST, 60, 128, 40, 256);
    rounds(40);
    assert_true(g->is.keeps && g->current == 100 * MIB);
    w.g[1].need = w.g[2].need = 10 * MIB;
    rounds(100);
    assert_true(g->current <= 108 * MIB);                   /* but what was on its way when the others lost interest */
    g->habit = HONEST;                                      /* it has learned, and is asked to give once more */
    g->need = 300 * MIB;
    w.g[1].need = w.g[2].need = 100 * MIB;
    rounds(100);
    assert_false(g->is.keeps);
    w.g[1].need = w.g[2].need = 10 * MIB;
    rounds(100);
    assert_true(g->current > 112 * MIB);
}

/* Somebody wants a domain, with a balloon or without, to have more than the whole machine: nobody else is made smaller for it. */
static void a_wish_that_cannot_be_met_costs_nobody(void **state)
{
    (void)state;
    for (unsigned silent = 0; silent < 2; silent++) {
        world(8 + 200, 3);
        struct guest *g = guest(0, silent ? SILENT : HONEST, 32, 100000, 20, 256);
        guest(1, HONEST, 80, 128, 10, 256);
        guest(2, HONEST, 80, 128, 10, 256);
        say(g, SAID_TARGET, 30000 * MIB);
        rounds(10);
        say(g, SAID_TARGET, 30000 * MIB);
        rounds(300);
        assert_true(w.g[1].current == 80 * MIB && w.g[2].current == 80 * MIB);
    }
}

static void the_paused_are_not_blamed(void **state)
{
    (void)state;
    world(200, 2);
    guest(0, HONEST, 80, 128, 10, 256);
    guest(1, HONEST, 40, 128, 10, 256);
    say(&w.g[0], SAID_TARGET, 60 * MIB);
    w.g[0].paused = true;
    rounds(100);
    assert_false(w.g[0].is.stuck || w.g[0].is.managed);
    assert_true(w.g[0].said.value[SAID_TARGET] == 60 * MIB);
    w.g[0].paused = false;
    rounds(3);
    assert_true(w.g[0].current <= 61 * MIB);
}

/* All habits at once, balloond killed now and then, domains dying and new ones coming, requests between. */
static void anything_goes(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < 300; seed++) {
        srand(seed);
        world(400, GUESTS);
        for (unsigned i = 0; i < GUESTS; i++)
            guest(i, (enum habit)(rand() % HABITS), 16 + (uint64_t)rand() % 40, 60 + (uint64_t)rand() % 200, 10 + (uint64_t)rand() % 200,
                  1 + (uint64_t)rand() % 65535);
        for (unsigned t = 0; t < 200; t++) {
            unsigned i = (unsigned)rand() % GUESTS;

            round_of((uint64_t)rand() % 8 ? 0 : (uint64_t)rand() % 60 * MIB);
            assert_true(used() + w.reserve <= w.machine);
            if (rand() % 20 == 0)
                killed_and_started();
            if (rand() % 15 == 0)
                w.g[i].need = (uint64_t)rand() % 200 * MIB;
            if (rand() % 25 == 0)
                w.g[i].paused = !w.g[i].paused;
            if (rand() % 40 == 0 && host_free() > w.reserve + 20 * MIB) {
                uint64_t most = 40 + (uint64_t)rand() % 200;

                w.g[i].current = 0;
                guest(i, (enum habit)(rand() % HABITS), 16, most, (uint64_t)rand() % 200, 256);
            }
        }
    }
}

/* ---- promises ---------------------------------------------------------------------------------- */

static void questions_are_parsed_strictly(void **state)
{
    (void)state;
    struct ask a;

    assert_true(ask_parse("1024", &a) && a.kib == 1024 && !a.named);
    assert_true(ask_parse("0", &a));
    assert_true(ask_parse("77 000102030405060708090a0b0c0d0e0f", &a) && a.named && a.handle[15] == 15 && a.handle[1] == 1);
    static const char *const bad[] = { "", "-1", " 1", "1 ", "1 00", "x", "1x", "99999999999999999999999", "1 000102030405060708090a0b0c0d0e0g",
                                       "1 000102030405060708090a0b0c0d0e0f0" };
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(ask_parse(bad[i], &a));
}

static void two_who_build_do_not_use_each_others_memory(void **state)
{
    (void)state;
    struct ask asks[ASKS_MOST] = { 0 };

    asks[0] = (struct ask){ .pid = 5, .kib = 100, .since = 1 };
    asks[1] = (struct ask){ .pid = 6, .kib = 100, .since = 2 };
    asks[2] = (struct ask){ .pid = 7, .kib = 100, .since = 3 };
    assert_int_equal(ask_judge(asks, &asks[0], 250, 0, true, 10), ASK_GRANT);
    asks[0].granted = true;
    assert_int_equal(ask_judge(asks, &asks[1], 250, 0, true, 10), ASK_GRANT);
    asks[1].granted = true;
    assert_int_equal(ask_judge(asks, &asks[2], 250, 0, true, 10), ASK_REFUSE);
    assert_int_equal(ask_judge(asks, &asks[2], 250, 50, true, 10), ASK_WAIT);
    asks[0].has = 100;                                      /* the first is built: free went down, and its promise with it */
    assert_int_equal(asks_sum(asks), 200);
    assert_int_equal(ask_judge(asks, &asks[2], 150, 50, true, 10), ASK_WAIT);
    assert_int_equal(ask_judge(asks, &asks[2], 200, 0, true, 10), ASK_GRANT);
    assert_int_equal(ask_judge(asks, &asks[2], 150, 50, true, 10 + PATIENCE_MS), ASK_REFUSE);
    assert_int_equal(ask_judge(asks, &asks[1], 150, 50, true, 10 + PROMISE_MS), ASK_FORGET);
    assert_int_equal(ask_judge(asks, &asks[1], 150, 50, false, 10), ASK_FORGET);
}

/* The second must not keep the first waiting, and the first is not refused for the second's sake. */
static void who_came_first_is_served_first(void **state)
{
    (void)state;
    struct ask asks[ASKS_MOST] = { 0 };

    asks[0] = (struct ask){ .pid = 5, .kib = 100, .since = 2 };
    asks[1] = (struct ask){ .pid = 6, .kib = 100, .since = 1 };
    assert_int_equal(ask_judge(asks, &asks[1], 150, 0, true, 10), ASK_GRANT);
    assert_int_equal(ask_judge(asks, &asks[0], 150, 0, true, 10), ASK_REFUSE);
    assert_ptr_equal(ask_place(asks, 6), &asks[1]);
    asks[1].granted = true;
    assert_ptr_not_equal(ask_place(asks, 6), &asks[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(idle_memory_goes_to_the_pressed_and_rests), cmocka_unit_test(weights_decide_between_the_pressed),
        cmocka_unit_test(a_pressed_one_above_its_share_is_left_alone), cmocka_unit_test(the_domain_that_asks_for_more_than_ever_comes),
        cmocka_unit_test(habits_do_not_starve_an_honest_one), cmocka_unit_test(crying_gets_its_share_and_no_more),
        cmocka_unit_test(nobody_waits_for_the_deaf), cmocka_unit_test(what_is_not_fetched_is_given_to_others),
        cmocka_unit_test(who_did_not_give_gets_no_more), cmocka_unit_test(a_wish_that_cannot_be_met_costs_nobody),
        cmocka_unit_test(the_paused_are_not_blamed), cmocka_unit_test(anything_goes), cmocka_unit_test(questions_are_parsed_strictly),
        cmocka_unit_test(two_who_build_do_not_use_each_others_memory), cmocka_unit_test(who_came_first_is_served_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

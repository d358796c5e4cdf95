/* SPDX-License-Identifier: MIT */
/* tools_consoles.c: claim: what a guest writes about a further console (SPEC 14.6) makes ensod try once a second at most, however often it
 * is written, and a look that was put off is not forgotten; that a console cannot be had is said once, so that no guest fills
 * ensod's log. A failure means that one guest makes dom0 busy, or wipes what the log says of all others.               */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/ensod/ensod.h"
#include "dom0-tools/libenso/device.h"
#include "dom0-tools/libenso/tree.h"

/* ---- a store with one console in it, number 1 of domain 3 ---- */

static uint64_t now;
static const char *pending;                     /* the token of a watch that has fired */
static const char *state = "3";
static char back_state[8];
static bool there;
struct xs { int unused; } the_store;

struct xs *xs_open(void) { return &the_store; }
void xs_close(struct xs *x) { (void)x; }
int xs_fd(struct xs *x) { (void)x; return 3; }
int xs_watch(struct xs *x, const char *path, const char *token) { (void)x; (void)path; (void)token; return 0; }
int xs_unwatch(struct xs *x, const char *path, const char *token) { (void)x; (void)path; (void)token; return 0; }

int xs_event(struct xs *x, char path[XS_PATH], char token[64], int limit_ms)
{
    (void)x; (void)limit_ms;
    if (!pending)
        return 0;
    strcpy(path, "/local/domain/0/backend/console/3/1");
    strcpy(token, pending);
    pending = NULL;
    return 1;
}

int xs_write(struct xs *x, uint32_t tx, const char *path, const char *value)
{
    (void)x; (void)tx;
    assert_string_equal(path, "back/state");
    snprintf(back_state, sizeof(back_state), "%s", value);
    return 0;
}

void device_front(const struct device *d, char *buf, size_t size) { (void)d; snprintf(buf, size, "front"); }
void device_back(const struct device *d, char *buf, size_t size) { (void)d; snprintf(buf, size, "back"); }
bool device_exists(struct xs *x, const struct device *d) { (void)x; (void)d; return there; }

int tree_get(struct tree *t, const char *dir, const char *node, char *buf, size_t size)
{
    (void)t;
    assert_string_equal(dir, "front");
    return snprintf(buf, size, "%s", strcmp(node, "state") == 0 ? state : "7");
}

int dom_granted(uint16_t domid, uint32_t ref, uint64_t *mfn) { (void)domid; *mfn = ref; return 0; }
uint64_t os_now_ms(void) { return now; }

/* ---- ensod's part ---- */

static void heard(const char *token)
{
    pending = token;
    consoles_heard();
}

static void guest_says(const char *s)
{
    state = s;
    heard("3/1");
}

static unsigned said;

/* What is there to be made fails, or stands; the number of attempts. */
static unsigned attempts(bool ok)
{
    struct guest *g;
    unsigned n = 0;

    for (; (g = consoles_start()); n++) {
        assert_int_equal(g->domid, 3);
        assert_int_equal(g->number, 1);
        said += !ok && !g->quiet;
        consoles_connected(g, ok);
        free(g);
    }
    return n;
}

static int wish(void **unused)
{
    (void)unused;
    now += 100000;
    said = 0;
    assert_int_equal(consoles_fd(), 3);
    there = false;
    heard("backends");                          /* the last test's goes */
    there = true;
    heard("backends");
    return 0;
}

static void a_storm_of_wishes_is_paced(void **unused)
{
    unsigned n = 0;

    (void)unused;
    for (unsigned ms = 0; ms < 10000; ms++, now++) {
        guest_says(ms & 1 ? "6" : "3");
        n += attempts(false);
        guest_says("3");
        n += attempts(false);
    }
    assert_in_range(n, 9, 11);
    assert_int_equal(said, 1);
    assert_string_equal(back_state, "6");
}

static void what_is_put_off_comes(void **unused)
{
    (void)unused;
    assert_int_equal(consoles_wait(), -1);
    guest_says("3");
    assert_int_equal(consoles_wait(), 0);
    assert_int_equal(attempts(false), 1);
    assert_int_equal(consoles_wait(), -1);
    now += 300;
    guest_says("3");
    assert_int_equal(attempts(true), 0);
    assert_int_equal(consoles_wait(), 700);
    now += 700;
    assert_int_equal(consoles_wait(), 0);
    assert_int_equal(attempts(true), 1);
    assert_string_equal(back_state, "4");
    guest_says("4");                            /* connected: nothing to do, now or later */
    now += 1000;
    assert_int_equal(attempts(true), 0);
    assert_int_equal(consoles_wait(), -1);
    assert_int_equal(said, 1);
}

static void a_new_wish_is_said_anew(void **unused)
{
    (void)unused;
    guest_says("3");
    assert_int_equal(attempts(false), 1);
    assert_int_equal(said, 1);
    wish(NULL);
    guest_says("3");
    assert_int_equal(attempts(false), 1);
    assert_int_equal(said, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_storm_of_wishes_is_paced, wish), cmocka_unit_test_setup(what_is_put_off_comes, wish),
        cmocka_unit_test_setup(a_new_wish_is_said_anew, wish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

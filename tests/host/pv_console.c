/* SPDX-License-Identifier: MIT */
/* pv_console.c: claim: the console's ring code (pv-drivers/, SPEC 11.1) hands every byte over in order, waits when there is no
 * room, and believes no counter that makes no sense. The other end and the kernel beneath are played here. A failure means
 * that a guest's console loses text or that a back end can make it read or write beside the page. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "hypercall-abi/io/console.h"
#include "pv-drivers/console.h"
#include "pv-drivers/os.h"
#include "pv-drivers/ring.h"

static struct xencons_interface page;
static struct pv_console front = { &page, 7 };
static char taken[20000];
static size_t taken_len;
static unsigned sent;

/* The back end's part of a wake-up: it takes some of what is there. */
static void back_takes(size_t most)
{
    struct byte_ring out = { page.out, sizeof(page.out), &page.out_prod, &page.out_cons };
    taken_len += byte_ring_get(&out, taken + taken_len, most);
}

void os_event_send(uint32_t port)
{
    assert_int_equal(port, 7);
    sent++;
}

void os_wait_until(uint32_t port, bool (*done)(void *arg), void *arg)
{
    while (!done(arg))
        back_takes(300);
}

static int setup(void **state)
{
    memset(&page, 0, sizeof(page));
    taken_len = sent = 0;
    return 0;
}

static void writes_wait_for_room(void **state)
{
    static char text[10000];
    for (size_t i = 0; i < sizeof(text); i++)
        text[i] = (char)(i * 31 + i / 256);
    page.out_prod = page.out_cons = 0xfffffe00;         /* the counters wrap on the way */
    pv_console_write(&front, text, sizeof(text));
    back_takes(sizeof(page.out));
    assert_int_equal(taken_len, sizeof(text));
    assert_memory_equal(taken, text, sizeof(text));
    assert_true(sent > 0);
}

static void reads_take_what_is_there(void **state)
{
    struct byte_ring in = { page.in, sizeof(page.in), &page.in_prod, &page.in_cons };
    char got[64];
    assert_int_equal(pv_console_read(&front, got, sizeof(got)), 0);
    assert_int_equal(byte_ring_put(&in, "hello", 5), 5);
    assert_int_equal(pv_console_read(&front, got, 2), 2);
    assert_int_equal(pv_console_read(&front, got + 2, sizeof(got) - 2), 3);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(sent, 2);
}

static void senseless_counters_are_not_believed(void **state)
{
    struct byte_ring in = { page.in, sizeof(page.in), &page.in_prod, &page.in_cons };
    struct byte_ring out = { page.out, sizeof(page.out), &page.out_prod, &page.out_cons };
    char got[2048];
    page.in_prod = sizeof(page.in) + 1;                 /* more than there can be */
    assert_int_equal(byte_ring_get(&in, got, sizeof(got)), 0);
    assert_int_equal(page.in_cons, 0);
    page.out_cons = 5;                                  /* ahead of what was written */
    assert_int_equal(byte_ring_room(&out), 0);
    assert_int_equal(byte_ring_put(&out, "x", 1), 0);
    page.out_cons = 0;
    assert_int_equal(byte_ring_put(&out, got, sizeof(page.out) + 0), sizeof(page.out));
    assert_int_equal(byte_ring_put(&out, "x", 1), 0);   /* full */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(writes_wait_for_room, setup),
        cmocka_unit_test_setup(reads_take_what_is_there, setup),
        cmocka_unit_test_setup(senseless_counters_are_not_believed, setup),
    };
    return cmocka_run_group_tests(tests, 0, 0);
}

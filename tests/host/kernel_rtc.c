/* SPDX-License-Identifier: MIT */
/* Claim: the clock's date is read rightly in each of its four notations and however its update falls among the reads, set so that it
 * reads back, and nonsense is no date.
 * A failure would mean files from the wrong century. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "guest-kernel/drivers/rtc.h"
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/usercopy.h"

static uint8_t reg[128];
static unsigned at;
static uint64_t ticking, tick_ns, ns;               /* a clock that runs: each access takes tick_ns */

/* For 1984 microseconds before a second's end the registers hold anything; at its end the next second's date. */
static uint32_t running(void)
{
    ns += tick_ns;
    uint64_t now = ticking + ns / 1000000000, s = now % 60, m = now / 60 % 60, h = now / 3600 % 24;
    bool updating = ns % 1000000000 >= 1000000000 - 1984000, uip = ns % 1000000000 >= 1000000000 - 2228000;
    uint64_t field = at == 0 ? s : at == 2 ? m : at == 4 ? h : at == 7 ? 31 : at == 8 ? 12 : at == 9 ? 24 : 0;
    if (at >= 10)
        return at == 10 ? (uip ? 0x80 : 0) : at == 11 ? 6 : 0;
    return updating ? 0x5a ^ (uint32_t)(ns >> 10 & 0xff) : (uint32_t)field;
}

uint32_t plat_in(unsigned port, unsigned size) { return ticking ? running() : reg[at]; }
void plat_out(unsigned port, unsigned size, uint32_t v)
{
    if (port == 0x70)
        at = v & 127;
    else
        reg[at] = v;
}
bool plat_has_pci(void) { return true; }
int dev_register(const char *name, uint32_t rdev, const struct file_ops *ops, void *private) { return 0; }
int copy_to_user(uptr_t to, const void *from, size_t n) { return -EFAULT; }
int copy_from_user(void *to, uptr_t from, size_t n) { return -EFAULT; }
unsigned long parse_number(const char *s, const char **end) { return 0; }
int ksnprintf(char *buf, size_t size, const char *fmt, ...) { return 0; }

static void notations(void **state)
{
    for (unsigned mode = 0; mode < 8; mode += 2)
        for (uint64_t when = 946684800; when < 4102444800; when += 86400 * 17 + 3607) {
            reg[11] = mode;
            assert_int_equal(rtc_write(when), 0);
            assert_int_equal(reg[11], mode);
            assert_int_equal(rtc_read(), when);
        }
}

static void known(void **state)
{
    const uint8_t digits[] = { 0x59, 0, 0x58, 0, 0x23, 0, 0, 0x29, 0x02, 0x24 };
    memcpy(reg, digits, sizeof(digits));
    reg[11] = 2;
    assert_int_equal(rtc_read(), 1709251139);       /* 2024-02-29 23:58:59 */
    reg[11] = 0;
    reg[4] = 0x92;                                  /* 12 p.m. is noon */
    assert_int_equal(rtc_read(), 1709251139 - 11 * 3600);
    reg[4] = 0x12;
    assert_int_equal(rtc_read(), 1709251139 - 23 * 3600);
    reg[8] = 0x13;
    assert_int_equal(rtc_read(), 0);
    memset(reg, 0xff, sizeof(reg));
    assert_int_equal(rtc_read(), 0);
    assert_int_equal(rtc_write(0), -EINVAL);
    assert_int_equal(rtc_write(4102444800), -EINVAL);
}

static void updates(void **state)
{
    for (tick_ns = 700; tick_ns < 20000000; tick_ns = tick_ns * 3 / 2)
        for (unsigned i = 0; i < 400; i++) {
            ticking = 1735689599 - 3 - i % 5;       /* into the last minute of 2024 */
            ns = 1000000000 - 30000000 + i * 75000;
            uint64_t before = ticking + ns / 1000000000, read = rtc_read();
            assert_in_range(read, before, ticking + ns / 1000000000);
        }
    ticking = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(notations), cmocka_unit_test(known), cmocka_unit_test(updates) };
    return cmocka_run_group_tests(tests, 0, 0);
}

/* SPDX-License-Identifier: MIT */
/* Claim: the clock's date is read rightly in each of its four notations, set so that it reads back, and nonsense is no date.
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
uint32_t plat_in(unsigned port, unsigned size) { return reg[at]; }
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

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(notations), cmocka_unit_test(known) };
    return cmocka_run_group_tests(tests, 0, 0);
}

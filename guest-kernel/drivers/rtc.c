/* SPDX-License-Identifier: MIT */
/* rtc.c: the PC's real-time clock, a Motorola MC146818's descendant behind ports 0x70 and 0x71.
 *
 * Its registers hold a date, in decimal digits or in binary, in 12 or 24 hours, as register B says. They change while one reads
 * them, so they are read until two readings agree. The hypervisor reads it at boot for everybody's wall time; dom0 may set it. */
#include "guest-kernel/drivers/rtc.h"
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/usercopy.h"

#define PORT_INDEX 0x70
#define PORT_DATA  0x71
#define A_UPDATING 0x80
#define B_24_HOURS 0x02
#define B_BINARY   0x04
#define B_SET      0x80
#define HOUR_PM    0x80
#define YEAR_2100  4102444800ul

enum { SECOND = 0, MINUTE = 2, HOUR = 4, DAY = 7, MONTH = 8, YEAR = 9, REG_A = 10, REG_B = 11, FIELDS = 6 };
static const uint8_t field_reg[FIELDS] = { SECOND, MINUTE, HOUR, DAY, MONTH, YEAR };

static uint8_t reg_read(unsigned reg)
{
    plat_out(PORT_INDEX, 1, reg);
    return plat_in(PORT_DATA, 1);
}

static void reg_write(unsigned reg, uint8_t v)
{
    plat_out(PORT_INDEX, 1, reg);
    plat_out(PORT_DATA, 1, v);
}

/* Days since 1970 of a date: years counted from March, so that the leap day comes last. */
static uint64_t days_of(unsigned y, unsigned m, unsigned d)
{
    if (m <= 2) {
        y--;
        m += 12;
    }
    return 365ul * y + y / 4 - y / 100 + y / 400 + (153 * (m - 3) + 2) / 5 + d - 1 - 719468;
}

static void fields_read(uint8_t raw[FIELDS])
{
    for (unsigned tries = 0; reg_read(REG_A) & A_UPDATING && tries < 100000; tries++)
        ;
    for (unsigned i = 0; i < FIELDS; i++)
        raw[i] = reg_read(field_reg[i]);
}

static unsigned from_digits(uint8_t v, bool binary) { return binary ? v : (v & 15) + (v >> 4) * 10; }

static uint64_t seconds_of(const uint8_t raw[FIELDS], uint8_t mode)
{
    bool binary = mode & B_BINARY;
    unsigned s = from_digits(raw[0], binary), min = from_digits(raw[1], binary), h = from_digits(raw[2] & ~HOUR_PM, binary);
    unsigned d = from_digits(raw[3], binary), mon = from_digits(raw[4], binary), y = from_digits(raw[5], binary);
    if (!(mode & B_24_HOURS))
        h = h % 12 + (raw[2] & HOUR_PM ? 12 : 0);
    if (s > 59 || min > 59 || h > 23 || d < 1 || d > 31 || mon < 1 || mon > 12 || y > 99)
        return 0;
    return days_of(2000 + y, mon, d) * 86400 + h * 3600 + min * 60 + s;
}

uint64_t rtc_read(void)
{
    uint8_t a[FIELDS], b[FIELDS];
    fields_read(a);
    for (unsigned tries = 0; tries < 10; tries++) {
        fields_read(b);
        if (memcmp(a, b, sizeof(a)) == 0)
            return seconds_of(a, reg_read(REG_B));
        memcpy(a, b, sizeof(a));
    }
    return 0;
}

static uint8_t to_digits(unsigned v, bool binary) { return binary ? v : v % 10 | v / 10 << 4; }

/* The date of a day: the year first, by trying, then the month. */
static void date_of(uint64_t day, unsigned *y, unsigned *m, unsigned *d)
{
    for (*y = 2000; *y < 2099 && days_of(*y + 1, 1, 1) <= day;)
        ++*y;
    for (*m = 1; *m < 12 && days_of(*y, *m + 1, 1) <= day;)
        ++*m;
    *d = day - days_of(*y, *m, 1) + 1;
}

int rtc_write(uint64_t seconds)
{
    unsigned y, m, d;
    uint8_t mode = reg_read(REG_B);
    bool binary = mode & B_BINARY;
    if (seconds < 946684800 || seconds >= YEAR_2100)
        return -EINVAL;
    date_of(seconds / 86400, &y, &m, &d);
    unsigned h = seconds / 3600 % 24;
    uint8_t hour = mode & B_24_HOURS ? to_digits(h, binary) : to_digits((h + 11) % 12 + 1, binary) | (h >= 12 ? HOUR_PM : 0);
    const uint8_t raw[FIELDS] = { to_digits(seconds % 60, binary), to_digits(seconds / 60 % 60, binary), hour,
                                  to_digits(d, binary), to_digits(m, binary), to_digits(y - 2000, binary) };
    reg_write(REG_B, mode | B_SET);                 /* the clock stands still meanwhile */
    for (unsigned i = 0; i < FIELDS; i++)
        reg_write(field_reg[i], raw[i]);
    reg_write(REG_B, mode & ~B_SET);
    return 0;
}

/* ---- /dev/rtc ---- */

static long dev_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char text[24];
    size_t len = ksnprintf(text, sizeof(text), "%lu\n", rtc_read());
    if (*pos >= len)
        return 0;
    n = MIN(n, len - *pos);
    if (copy_to_user(buf, text + *pos, n))
        return -EFAULT;
    *pos += n;
    return n;
}

static long dev_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char text[24] = "";
    const char *end;
    if (n >= sizeof(text))
        return -EINVAL;
    if (copy_from_user(text, buf, n))
        return -EFAULT;
    uint64_t seconds = parse_number(text, &end);
    if (end == text || (*end && *end != '\n'))
        return -EINVAL;
    int rc = rtc_write(seconds);
    return rc ? rc : (long)n;
}

static const struct file_ops rtc_ops = { .read = dev_read, .write = dev_write };

void rtc_boot(void)
{
    if (plat_has_pci() && rtc_read())               /* who has the PC's devices has its clock */
        dev_register("rtc", 0, &rtc_ops, 0);
}

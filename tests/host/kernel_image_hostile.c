/* SPDX-License-Identifier: MIT */
/* kernel_image_hostile.c: claim: no image file, however wrong, makes the kernel read or write beside memory, run for ever, or take memory
 * without end; what is refused is refused with a sentence; and none leads its guest to files that are not its neighbours. A failure
 * is a way into dom0 by a file that somebody was told to download. */
#include "tests/host/kernel_image.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- Valid ones, and where their tables lie ---- */

static const struct { const char *name, *make; } kinds[] = {
    { "k0.qcow2", "qemu-img create -f qcow2 k0.qcow2 20M && qemu-io -c 'write -P 1 3M 200k' -c 'write -z 3100k 64k' -c 'write 19M 64k' k0.qcow2" },
    { "k1.qcow2", "qemu-img create -f qcow2 -o cluster_size=512 k1.qcow2 1M && qemu-io -c 'write 100k 50k' -c 'write 900k 9k' k1.qcow2" },
    { "k2.qcow2", "qemu-img create -f raw r.raw 1M && qemu-img create -f qcow2 -F raw -b r.raw k2.qcow2 2M && qemu-io -c 'write 0 99k' k2.qcow2" },
    { "k3.qcow2", "qemu-img create -f qcow2 -F qcow2 -b k2.qcow2 -o compat=0.10,cluster_size=4k k3.qcow2 3M && qemu-io -c 'write 1M 90k' k3.qcow2" },
    { "k4.qcow2", "qemu-img create -f qcow2 -o refcount_bits=1,cluster_size=1k k4.qcow2 2M && qemu-io -c 'write 0 200k' -c 'discard 9k 9k' k4.qcow2" },
    { "k5.qcow2", "cp k0.qcow2 k5.qcow2 && qemu-img snapshot -c one k5.qcow2 && qemu-io -c 'write 3M 64k' k5.qcow2" },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint64_t get(const struct image_file *f, uint64_t at, unsigned n)
{
    uint64_t v = 0;
    for (unsigned i = 0; i < n; i++)
        v = v << 8 | (at + i < f->size ? f->now[at + i] : 0);
    return v;
}

static void put(struct image_file *f, uint64_t at, unsigned n, uint64_t v)
{
    for (unsigned i = n; i-- > 0; v >>= 8)
        if (at + i < f->size)
            f->now[at + i] = (uint8_t)v;
}

static uint64_t cluster_of(const struct image_file *f) { return 1ull << (get(f, 20, 4) & 31); }

/* Some entry of the table at `at`, one in use rather. */
static uint64_t entry_in(const struct image_file *f, uint64_t at, uint64_t n)
{
    uint64_t e = at + (n ? (uint64_t)rand() % n : 0) * 8;
    for (unsigned tries = 0; tries < 20 && !get(f, e, 8); tries++)
        e = at + (n ? (uint64_t)rand() % n : 0) * 8;
    return e;
}

static uint64_t offset_at(const struct image_file *f, uint64_t at) { return get(f, at, 8) & 0x00fffffffffffe00ull; }

static uint64_t some_l1(const struct image_file *f) { return entry_in(f, get(f, 40, 8), get(f, 36, 4) % 64); }
static uint64_t some_l2(const struct image_file *f) { return entry_in(f, offset_at(f, some_l1(f)), cluster_of(f) / 8); }
static uint64_t some_count_block(const struct image_file *f) { return entry_in(f, get(f, 48, 8), 4); }

/* ---- What to write ---- */

static uint64_t nasty(const struct image_file *f)
{
    uint64_t c = cluster_of(f), v;
    switch (rand() % 12) {
    case 0: return 0;
    case 1: return 1 + (uint64_t)rand() % 3;
    case 2: return ~0ull >> rand() % 64;
    case 3: return 1ull << rand() % 64;
    case 4: v = c * ((uint64_t)rand() % 5); break;
    case 5: v = get(f, 40, 8); break;
    case 6: v = get(f, 48, 8); break;
    case 7: v = offset_at(f, some_l1(f)); break;
    case 8: v = offset_at(f, some_count_block(f)); break;
    case 9: v = (f->size & ~(c - 1)) + c * ((uint64_t)rand() % 3) - c; break;
    case 10: v = (uint64_t)rand() << 20 & ~(c - 1); break;
    default: return (uint64_t)rand() << 32 | (uint64_t)rand();
    }
    return v | (rand() % 3 ? 1ull << 63 : 0) | (rand() % 16 ? 0 : 1ull << 62) | (rand() % 8 ? 0 : 1);
}

static void forge(struct image_file *f)
{
    static const struct { uint8_t at, n; } head[] = { { 4, 4 }, { 8, 8 }, { 16, 4 }, { 20, 4 }, { 24, 8 }, { 32, 4 }, { 36, 4 }, { 40, 8 },
        { 48, 8 }, { 56, 4 }, { 60, 4 }, { 64, 8 }, { 72, 8 }, { 80, 8 }, { 88, 8 }, { 96, 4 }, { 100, 4 }, { 104, 4 }, { 108, 4 } };
    uint64_t at;
    unsigned k;
    switch (rand() % 8) {
    case 0: case 1:
        k = (unsigned)rand() % 19;
        put(f, head[k].at, head[k].n, rand() % 3 ? nasty(f) : (uint64_t)rand() % 70);
        break;
    case 2:
        put(f, some_l1(f), 8, nasty(f));
        break;
    case 3: case 4:
        put(f, some_l2(f), 8, nasty(f));
        break;
    case 5:
        put(f, some_count_block(f), 8, nasty(f));
        break;
    case 6:
        at = offset_at(f, some_count_block(f)) + (uint64_t)rand() % 64;
        for (unsigned n = 1 + (unsigned)rand() % 16; n; n--)
            put(f, at++, 1, rand() % 2 ? 0 : 0xff);
        break;
    default:
        put(f, (uint64_t)rand() % (rand() % 2 ? 300 : f->size), 1, (uint64_t)rand());
    }
}

/* ---- Use ---- */

static void use(struct image *i)
{
    static uint8_t buf[300 * 1024];
    for (unsigned n = 0; n < 30; n++) {
        uint64_t pos = ((uint64_t)rand() << 20 ^ (uint64_t)rand()) * 512 % i->size;
        size_t len = 512 + (size_t)rand() % (rand() % 4 ? 20 : 500) * 512;
        pos = rand() % 2 ? pos % (4 * MIB) % i->size & ~511ull : pos & ~511ull;
        len = len < i->size - pos ? len : (size_t)(i->size - pos);
        if (rand() % 3)
            image_write(i, buf, len, pos);
        else if (rand() % 3)
            image_read(i, buf, len, pos);
        else if (!i->read_only)
            i->ops->discard(i, rand() % 3 ? len : i->size - pos, pos);
        if (rand() % 10 == 0 && !i->read_only)
            i->ops->flush(i);
    }
}

static unsigned now;

static void rings(int signal)
{
    printf("image %u makes it hang, or killed it (kernel_image_hostile round %u)\n", now, now);
    fflush(stdout);
    _exit(1);
}

static bool round_of(unsigned n)
{
    char why[IMAGE_WHY];
    struct image *i;
    size_t before = image_pieces();
    srand(n);
    struct image_file *f = file_open(in_dir(kinds[n % KINDS].name));
    for (unsigned k = 1 + (unsigned)rand() % 4; k; k--)
        forge(f);
    fail_after = rand() % 8 ? ~0u : (unsigned)rand() % 60;
    int rc = image_open(f, rand() % 4 ? LOOP_QCOW2 : LOOP_AUTO, rand() % 5 == 0, &i, why);
    if (rc) {
        assert_true(why[0]);
    } else {
        use(i);
        image_close(i);
    }
    fail_after = ~0u;
    if (image_pieces() != before)
        fail_msg("image %u: %zd pieces of memory are not given back", n, image_pieces() - before);
    return rc == 0;
}

static void test_forged(void **state)
{
    const char *one = getenv("ROUND");
    unsigned opened = 0, from = one ? (unsigned)atoi(one) : 0, to = one ? from + 1 : 2000 * times;
    for (unsigned k = 0; k < KINDS; k++)
        assert_int_equal(run("%s", kinds[k].make), 0);
    file_limit = 5u << 20;
    signal(SIGALRM, rings);
    for (now = from; now < to; now++) {
        alarm(20);
        opened += round_of(now);
    }
    alarm(0);
    file_limit = 1u << 30;
    assert_true(one || opened > to / 4);
}

/* ---- Other people's files ---- */

static void refused(const char *name, const char *word)
{
    char why[IMAGE_WHY];
    struct image *i;
    assert_int_not_equal(image_open(file_open(in_dir(name)), LOOP_QCOW2, true, &i, why), 0);
    if (!strstr(why, word))
        fail_msg("%s: %s", name, why);
}

static void allowed(const char *name)
{
    char why[IMAGE_WHY];
    struct image *i;
    if (image_open(file_open(in_dir(name)), LOOP_QCOW2, false, &i, why))
        fail_msg("%s: %s", name, why);
    image_close(i);
}

static void test_bases(void **state)
{
    static const struct { const char *base, *word; } rows[] = {
        { "/etc/hostname", "another folder" }, { "../../etc/hostname", ".." }, { "sub/../../x", ".." }, { "..", ".." },
        { "/tmp/../etc/hostname", "another folder" }, { "base.raw", 0 }, { "./base.raw", 0 }, { "sub/base.raw", 0 }, { "..base.raw", 0 },
    };
    run("mkdir sub; truncate -s 1M base.raw ..base.raw sub/base.raw");
    for (unsigned k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
        assert_int_equal(run("qemu-img create -u -f qcow2 -F raw -b %s b.qcow2 1M", rows[k].base), 0);
        if (rows[k].word)
            refused("b.qcow2", rows[k].word);
        else
            allowed("b.qcow2");
    }
    assert_int_equal(run("qemu-img create -u -f qcow2 -F raw -b $PWD/base.raw b.qcow2 1M"), 0);
    allowed("b.qcow2");
    assert_int_equal(run("qemu-img create -u -f qcow2 -F raw -b $PWD/../x.raw b.qcow2 1M"), 0);
    refused("b.qcow2", "..");
    /* Not said whether raw or qcow2: a raw one's guest could have made it either. */
    assert_int_equal(run("qemu-img create -u -f qcow2 -F raw -b base.raw b.qcow2 1M && printf aaaa | dd of=b.qcow2 bs=1 seek=112 conv=notrunc"), 0);
    refused("b.qcow2", "does not say");
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_bases), cmocka_unit_test(test_forged) };
    return image_tests("image_hostile", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}

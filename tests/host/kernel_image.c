/* SPDX-License-Identifier: MIT */
/* kernel_image.c: claim: Novice's disk images (guest-kernel/kernel/image*.c) are what qemu-img says they are: what a guest wrote is read
 * back by qemu-img, what qemu-img made is read by us, the tables are clean after use, a cut of power at any write leaves at worst leaks and
 * every flushed byte. A failure is a guest's lost disk. (kernel_image_hostile.c: files that are wrong on purpose.) */
#include "tests/host/kernel_image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Random writes, reads, discards and flushes against a model; a discarded range is read back and believed. */
static void work(struct image *i, uint8_t *model, unsigned steps, bool discards)
{
    uint8_t *buf = malloc(300 * 1024);
    for (unsigned s = 0; s < steps; s++) {
        uint64_t pos = (uint64_t)rand() % (i->size / 512) * 512, n = 512 + (uint64_t)rand() % (rand() % 4 ? 20 : 500) * 512;
        n = n < i->size - pos ? n : i->size - pos;
        switch (rand() % 8) {
        case 0: case 1: case 2: case 3:
            fill(buf, n);
            assert_int_equal(image_write(i, buf, n, pos), 0);
            memcpy(model + pos, buf, n);
            break;
        case 4:
            if (discards) {
                assert_int_equal(i->ops->discard(i, n, pos), 0);
                assert_int_equal(image_read(i, model + pos, n, pos), 0);
            }
            break;
        case 5:
            assert_int_equal(i->ops->flush(i), 0);
            break;
        default:
            assert_int_equal(image_read(i, buf, n, pos), 0);
            assert_memory_equal(buf, model + pos, n);
        }
    }
    free(buf);
}

static void expect_equal(const char *name, const uint8_t *model, uint64_t size)
{
    assert_int_equal(run("qemu-img check -f qcow2 %s", name), 0);
    assert_int_equal(run("qemu-img convert -O raw %s out.raw", name), 0);
    struct image_file *f = file_open(in_dir("out.raw"));
    assert_int_equal(f->size, size);
    assert_memory_equal(f->now, model, size);
    image_file_close(f);
}

/* ---- Claims ---- */

static void try_options(const char *options, unsigned mib, unsigned rounds)
{
    uint8_t *model = calloc(1, mib * MIB);
    assert_int_equal(run("qemu-img create -f qcow2 -o %s a.qcow2 %uM", options, mib), 0);
    for (unsigned round = 0; round < rounds; round++) {
        struct image *i = open_image("a.qcow2", false);
        assert_int_equal(i->size, mib * MIB);
        work(i, model, 150, true);
        assert_int_equal(image_close(i), 0);
        expect_equal("a.qcow2", model, mib * MIB);
    }
    free(model);
}

static void test_versions(void **state)
{
    try_options("compat=1.1", 8, 2);
    try_options("compat=0.10", 8, 2);
    try_options("cluster_size=512", 8, 2);          /* its table of counts has to grow */
    try_options("cluster_size=2M", 16, 1);
    for (unsigned bits = 1; bits <= 64; bits *= times > 1 ? 2 : 8) {
        char o[64];
        snprintf(o, sizeof(o), "refcount_bits=%u,cluster_size=4k", bits);
        try_options(o, 4, 1);
    }
    try_options("preallocation=metadata", 8, 1);
}

static void test_backing(void **state)
{
    uint8_t *model = malloc(8 * MIB), *base = malloc(8 * MIB);
    fill(base, 8 * MIB);
    memset(base + 5 * MIB, 0, 3 * MIB);
    save(in_dir("base.raw"), base, 5 * MIB);
    for (unsigned v = 0; v < 2; v++) {
        memcpy(model, base, 8 * MIB);
        assert_int_equal(run("qemu-img create -f qcow2 -F raw -b base.raw mid.qcow2 6M"), 0);
        assert_int_equal(run("qemu-io -c 'write -P 7 1M 300k' -c 'write -z 3M 128k' mid.qcow2"), 0);
        memset(model + MIB, 7, 300 << 10);
        memset(model + 3 * MIB, 0, 128 << 10);
        assert_int_equal(run("qemu-img create -f qcow2 -o compat=%s -F qcow2 -b mid.qcow2 top.qcow2 8M", v ? "0.10" : "1.1"), 0);
        for (unsigned round = 0; round < 3; round++) {
            struct image *i = open_image("top.qcow2", false);
            work(i, model, 100, true);
            assert_int_equal(image_close(i), 0);
            expect_equal("top.qcow2", model, 8 * MIB);
        }
    }
    struct image_file *f = file_open(in_dir("base.raw"));
    assert_memory_equal(f->now, base, 5 * MIB);
    image_file_close(f);
    free(model);
    free(base);
}

static void test_qemu_wrote(void **state)
{
    uint8_t *buf = malloc(MIB);
    assert_int_equal(run("qemu-img create -f qcow2 q.qcow2 20M"), 0);
    assert_int_equal(run("qemu-io -c 'write -P 1 3M 1M' -c 'write -z 3500k 64k' -c 'write -P 9 19M 1M' q.qcow2"), 0);
    struct image *i = open_image("q.qcow2", true);
    assert_int_equal(image_read(i, buf, MIB, 19 * MIB), 0);
    assert_true(buf[0] == 9 && buf[MIB - 1] == 9);
    assert_int_equal(image_read(i, buf, MIB, 3 * MIB), 0);
    assert_true(buf[0] == 1 && buf[430 << 10] == 0 && buf[570 << 10] == 1);
    assert_int_equal(image_write(i, buf, 512, 0), -IMAGE_EROFS);
    image_close(i);
    free(buf);
}

/* Refused, each with a sentence. */
static void refuse(const char *name, const char *word, bool read_only_too)
{
    char why[IMAGE_WHY];
    struct image *i;
    for (int ro = 0; ro < 1 + read_only_too; ro++) {
        assert_int_not_equal(image_open(file_open(in_dir(name)), LOOP_AUTO, ro, &i, why), 0);
        if (!strstr(why, word))
            fail_msg("%s: %s", name, why);
    }
}

static void test_refused(void **state)
{
    assert_int_equal(run("qemu-img create -f raw r.raw 1M && qemu-io -f raw -c 'write -P 3 0 1M' r.raw && qemu-img convert -c -f raw -O qcow2 r.raw c.qcow2"), 0);
    refuse("c.qcow2", "compressed", true);
    assert_int_equal(run("qemu-img create -f qcow2 s.qcow2 1M && qemu-img snapshot -c one s.qcow2"), 0);
    refuse("s.qcow2", "snapshots", false);
    assert_int_equal(run("qemu-img create -f qcow2 -o extended_l2=on x.qcow2 1M"), 0);
    refuse("x.qcow2", "extended", true);
    assert_int_equal(run("qemu-img create -f qcow2 -o data_file=d.raw,data_file_raw=on df.qcow2 1M"), 0);
    refuse("df.qcow2", "another file", true);
    assert_int_equal(run("qemu-img create -f qcow2 -o compression_type=zstd z.qcow2 1M"), 0);
    refuse("z.qcow2", "not supported", true);
    /* The header's word alone: qemu-img measures the processor before it encrypts, for minutes or in vain when that is busy. */
    assert_int_equal(run("qemu-img create -f qcow2 e.qcow2 1M && printf '\\0\\0\\0\\2' | dd of=e.qcow2 bs=1 seek=32 conv=notrunc"), 0);
    refuse("e.qcow2", "encrypted", true);
    assert_int_equal(run("cp q.qcow2 g.qcow2 && qemu-img rebase -u -F qcow2 -b g.qcow2 g.qcow2"), 0);
    refuse("g.qcow2", "circle", true);
    assert_int_equal(run("qemu-img create -u -f qcow2 -F raw -b nothing.raw n.qcow2 1M"), 0);
    refuse("n.qcow2", "not found", true);
    save(in_dir("short.raw"), (const uint8_t *)"x", 1);
    refuse("short.raw", "shorter", true);
}

/* Bits of the header that say "not closed" and "contradicts itself": to be read, not written. */
static void test_marked(void **state)
{
    for (unsigned bit = 1; bit <= 2; bit++) {
        run("rm -f m.qcow2; qemu-img create -f qcow2 m.qcow2 1M && qemu-io -c 'write -P 5 0 64k' m.qcow2");
        assert_int_equal(run("printf '\\00%u' | dd of=m.qcow2 bs=1 seek=79 conv=notrunc", bit), 0);
        refuse("m.qcow2", bit == 1 ? "not closed" : "corrupt", false);
        struct image *i = open_image("m.qcow2", true);
        uint8_t buf[512];
        assert_int_equal(image_read(i, buf, 512, 512), 0);
        assert_int_equal(buf[99], 5);
        image_close(i);
    }
}

/* qemu-img makes the image, its base, or both longer or shorter between our uses. */
static void test_resized(void **state)
{
    static const unsigned sizes[] = { 3, 9, 5, 12 };   /* MiB */
    uint8_t *model = calloc(1, 12 * MIB);
    fill(model, 4 * MIB);
    save(in_dir("grow.raw"), model, 4 * MIB);
    memset(model + 3 * MIB, 0, MIB);
    assert_int_equal(run("qemu-img create -f qcow2 -o cluster_size=4k -F raw -b grow.raw z.qcow2 3M"), 0);
    for (unsigned k = 0; k < 4; k++) {
        if (k)
            assert_int_equal(run("qemu-img resize %s z.qcow2 %uM", sizes[k] < sizes[k - 1] ? "--shrink" : "", sizes[k]), 0);
        struct image *i = open_image("z.qcow2", false);
        assert_int_equal(i->size, sizes[k] * MIB);
        assert_int_equal(image_read(i, model, sizes[k] * MIB, 0), 0);
        work(i, model, 80, true);
        assert_int_equal(image_close(i), 0);
        expect_equal("z.qcow2", model, sizes[k] * MIB);
    }
    free(model);
}

static void cut_once(const char *options)
{
    uint8_t *model = calloc(1, 4 * MIB), *flushed = calloc(1, 4 * MIB), *buf = malloc(4 * MIB);
    bool *touched = calloc(1, 4 * MIB / 512);
    snprintf(cut_path, sizeof(cut_path), "%s/cut.qcow2", dir);
    unlink(cut_path);
    assert_int_equal(run("qemu-img create -f qcow2 %s p.qcow2 4M", options), 0);
    struct image *i = open_image("p.qcow2", false);
    i->ops->read(i, flushed, 4 * MIB, 0);
    memcpy(model, flushed, 4 * MIB);
    cut_after = (unsigned)rand() % 400;
    while (cut_after != ~0u) {
        uint64_t pos = (uint64_t)rand() % 8192 * 512, n = (1 + (uint64_t)rand() % 64) * 512;
        n = n < 4 * MIB - pos ? n : 4 * MIB - pos;
        int what = rand() % 8;
        if (what == 0 && i->ops->flush(i) == 0 && cut_after != ~0u) {
            memcpy(flushed, model, 4 * MIB);
            memset(touched, 0, 4 * MIB / 512);
        }
        if (what == 0)
            continue;
        for (uint64_t s = pos / 512; s < (pos + n) / 512; s++)
            touched[s] = true;
        fill(buf, n);
        assert_int_equal(what == 1 ? i->ops->discard(i, n, pos) : image_write(i, buf, n, pos), 0);
        assert_int_equal(image_read(i, model + pos, n, pos), 0);
    }
    image_close(i);
    int rc = run("qemu-img check cut.qcow2");
    if (rc != 0 && rc != 3)
        fail_msg("a cut of power left more than leaks: %d", rc);
    i = open_image("cut.qcow2", true);
    assert_int_equal(image_read(i, buf, 4 * MIB, 0), 0);
    for (unsigned s = 0; s < 8192; s++)
        if (!touched[s])
            assert_memory_equal(buf + s * 512, flushed + s * 512, 512);
    image_close(i);
    free(model);
    free(flushed);
    free(buf);
    free(touched);
}

static void test_power_cuts(void **state)
{
    uint8_t *base = malloc(4 * MIB);
    fill(base, 4 * MIB);
    save(in_dir("under.raw"), base, 4 * MIB);
    free(base);
    for (unsigned round = 0; round < 12 * times; round++)
        cut_once(round % 3 == 0 ? "" : round % 3 == 1 ? "-o cluster_size=512" : "-F raw -b under.raw -o cluster_size=4k");
}

static void test_write_errors(void **state)
{
    for (unsigned round = 0; round < 8 * times; round++) {
        assert_int_equal(run("qemu-img create -f qcow2 -o cluster_size=1k f.qcow2 2M"), 0);
        struct image *i = open_image("f.qcow2", false);
        uint8_t buf[4096];
        fail_after = (unsigned)rand() % 300;
        for (unsigned n = 0; n < 200; n++)
            image_write(i, buf, sizeof(buf), (uint64_t)rand() % 500 * 4096);
        fail_after = ~0u;
        image_close(i);
        int rc = run("qemu-img check f.qcow2");
        assert_true(rc == 0 || rc == 3);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions), cmocka_unit_test(test_backing), cmocka_unit_test(test_qemu_wrote), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_marked), cmocka_unit_test(test_resized),
        cmocka_unit_test(test_power_cuts), cmocka_unit_test(test_write_errors),
    };
    return image_tests("kernel_image", tests, sizeof(tests) / sizeof(tests[0]), argc, argv);
}

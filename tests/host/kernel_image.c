/* SPDX-License-Identifier: MIT */
/* kernel_image.c: claim: Novice's disk images (guest-kernel/kernel/image*.c) are what qemu-img says they are: what a guest wrote is read
 * back by qemu-img, what qemu-img made is read by us, the tables are clean after use, a cut of power at any write leaves at worst leaks and
 * every flushed byte, and no file, however wrong, makes us read or write beside memory. A failure is a guest's lost disk, or a way
 * into dom0 by a file.                                                                                           */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "guest-kernel/kernel/image.h"

#define MAX_PENDING 4096
#define MIB         (1u << 20)

/* ---- A file in memory that knows what is durable ---- */

struct image_file {
    char     name[200];
    uint8_t *now, *durable;
    uint64_t size, durable_size, capacity;
    struct { uint64_t pos, n; uint8_t *data; } pending[MAX_PENDING];
    unsigned npending;
    bool     keep;                                /* written back to the real file when closed */
};
static unsigned fail_after = ~0u, cut_after = ~0u;
static char dir[64], cut_path[128];
static unsigned times = 1;                        /* `kernel_image '*' 10`: ten times as much */

static void ensure(struct image_file *f, uint64_t size)
{
    if (size > f->capacity) {
        uint64_t more = size + size / 8 + 65536;
        f->now = realloc(f->now, more);
        f->durable = realloc(f->durable, more);
        memset(f->now + f->capacity, 0, more - f->capacity);
        memset(f->durable + f->capacity, 0, more - f->capacity);
        f->capacity = more;
    }
    if (size > f->size)
        f->size = size;
}

static struct image_file *file_open(const char *name)
{
    struct image_file *f = calloc(1, sizeof(*f));
    FILE *in = fopen(name, "rb");
    if (!in) {
        free(f);
        return 0;
    }
    snprintf(f->name, sizeof(f->name), "%s", name);
    fseek(in, 0, SEEK_END);
    uint64_t size = (uint64_t)ftell(in);
    rewind(in);
    ensure(f, size);
    if (size)
        assert_int_equal(fread(f->now, 1, size, in), size);
    if (size)
        memcpy(f->durable, f->now, size);
    f->durable_size = size;
    fclose(in);
    return f;
}

static void save(const char *name, const uint8_t *data, uint64_t size)
{
    FILE *out = fopen(name, "wb");
    assert_int_equal(size ? fwrite(data, 1, size, out) : 0, size);
    fclose(out);
}

/* The power goes: what was synced is there, of the rest any part, sector by sector. */
static void cut(struct image_file *f)
{
    uint8_t *left = calloc(1, f->size + 1);
    uint64_t size = f->durable_size;
    memcpy(left, f->durable, size);
    for (unsigned i = 0; i < f->npending; i++)
        for (uint64_t at = 0; at < f->pending[i].n; at += 512) {
            uint64_t n = f->pending[i].n - at < 512 ? f->pending[i].n - at : 512, pos = f->pending[i].pos + at;
            if (rand() % 2)
                continue;
            memcpy(left + pos, f->pending[i].data + at, n);
            size = pos + n > size ? pos + n : size;
        }
    save(cut_path, left, size);
    free(left);
}

int image_file_read(struct image_file *f, void *buf, size_t n, uint64_t pos)
{
    memset(buf, 0, n);
    if (pos < f->size)
        memcpy(buf, f->now + pos, n < f->size - pos ? n : f->size - pos);
    return 0;
}

int image_file_sync(struct image_file *f)
{
    for (unsigned i = 0; i < f->npending; i++) {
        memcpy(f->durable + f->pending[i].pos, f->pending[i].data, f->pending[i].n);
        free(f->pending[i].data);
    }
    f->npending = 0;
    f->durable_size = f->size;
    return 0;
}

int image_file_write(struct image_file *f, const void *buf, size_t n, uint64_t pos)
{
    if (fail_after != ~0u && fail_after-- == 0) {
        fail_after = 0;
        return -IMAGE_EIO;
    }
    if (pos + n > 1u << 30)
        return -IMAGE_ENOSPC;
    ensure(f, pos + n);
    memcpy(f->now + pos, buf, n);
    assert_true(f->npending < MAX_PENDING);
    f->pending[f->npending].pos = pos;
    f->pending[f->npending].n = n;
    memcpy(f->pending[f->npending++].data = malloc(n + 1), buf, n);
    if (cut_after != ~0u && cut_after-- == 0) {
        cut(f);
        cut_after = ~0u;
    }
    if (f->npending > MAX_PENDING - 10)
        image_file_sync(f);
    return 0;
}

int image_file_punch(struct image_file *f, uint64_t pos, uint64_t n) { return 0; }
uint64_t image_file_size(struct image_file *f) { return f->size; }
const char *image_file_name(struct image_file *f) { return f->name; }

int image_file_beside(struct image_file *f, const char *name, struct image_file **out, char *why)
{
    char path[300];
    snprintf(path, sizeof(path), "%s%s%.200s", name[0] == '/' ? "" : dir, name[0] == '/' ? "" : "/", name);
    *out = file_open(path);
    if (!*out)
        image_say(why, "%s: not found", path);
    return *out ? 0 : -2;
}

void image_file_close(struct image_file *f)
{
    if (f->keep)
        save(f->name, f->now, f->size);
    image_file_sync(f);
    free(f->now);
    free(f->durable);
    free(f);
}

void *image_alloc(size_t n) { return calloc(1, n); }
void  image_free(void *p) { free(p); }
void  image_say(char *why, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (why)
        vsnprintf(why, IMAGE_WHY, fmt, ap);
    va_end(ap);
}

struct image_lock { int held; };
struct image_lock *image_lock_new(void) { return calloc(1, sizeof(struct image_lock)); }
void image_lock_free(struct image_lock *l) { free(l); }
void image_lock(struct image_lock *l) { assert_int_equal(l->held++, 0); }
void image_unlock(struct image_lock *l) { assert_int_equal(l->held--, 1); }
void image_wait(struct image_lock *l) { fail_msg("one thread cannot wait for another"); }
void image_wake(struct image_lock *l) { }

/* ---- Helpers ---- */

static int run(const char *fmt, ...)
{
    char cmd[1000];
    va_list ap;
    va_start(ap, fmt);
    int n = snprintf(cmd, sizeof(cmd), "cd %s && ", dir);
    n += vsnprintf(cmd + n, sizeof(cmd) - (size_t)n, fmt, ap);
    snprintf(cmd + n, sizeof(cmd) - (size_t)n, " >/dev/null 2>&1");
    va_end(ap);
    int rc = system(cmd);
    return rc >> 8;
}

static const char *in_dir(const char *name)
{
    static char path[200];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

static struct image *open_image(const char *name, bool read_only)
{
    char why[IMAGE_WHY];
    struct image *i;
    struct image_file *f = file_open(in_dir(name));
    assert_non_null(f);
    f->keep = !read_only;
    int rc = image_open(f, LOOP_AUTO, read_only, &i, why);
    if (rc)
        fail_msg("%s", why);
    return i;
}

static void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rand();
}

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
    run("qemu-img create -f raw r.raw 1M && qemu-io -f raw -c 'write -P 3 0 1M' r.raw && qemu-img convert -c -f raw -O qcow2 r.raw c.qcow2");
    refuse("c.qcow2", "compressed", true);
    run("qemu-img create -f qcow2 s.qcow2 1M && qemu-img snapshot -c one s.qcow2");
    refuse("s.qcow2", "snapshots", false);
    run("qemu-img create -f qcow2 -o extended_l2=on x.qcow2 1M");
    refuse("x.qcow2", "extended", true);
    run("qemu-img create -f qcow2 -o data_file=d.raw,data_file_raw=on df.qcow2 1M");
    refuse("df.qcow2", "another file", true);
    run("qemu-img create -f qcow2 -o compression_type=zstd z.qcow2 1M");
    refuse("z.qcow2", "not supported", true);
    run("qemu-img create -f qcow2 --object secret,id=k,data=x -o encrypt.format=luks,encrypt.key-secret=k e.qcow2 1M");
    refuse("e.qcow2", "encrypted", true);
    run("cp q.qcow2 g.qcow2 && qemu-img rebase -u -F qcow2 -b g.qcow2 g.qcow2");
    refuse("g.qcow2", "circle", true);
    run("qemu-img create -u -f qcow2 -F raw -b nothing.raw n.qcow2 1M");
    refuse("n.qcow2", "not found", true);
    save(in_dir("short.raw"), (const uint8_t *)"x", 1);
    refuse("short.raw", "shorter", true);
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

/* Bytes changed at random, in the header and the tables mostly. */
static void test_fuzz(void **state)
{
    static const char *const images[] = { "a.qcow2", "top.qcow2", "q.qcow2", "s.qcow2" };
    uint8_t buf[8192];
    unsigned opened = 0;
    for (unsigned round = 0; round < 250 * times; round++) {
        char why[IMAGE_WHY];
        struct image *i;
        struct image_file *f = file_open(in_dir(images[round % 4]));
        for (unsigned n = 1 + (unsigned)rand() % 6; n > 0; n--) {
            uint64_t at = rand() % 2 ? (uint64_t)rand() % 120 : (uint64_t)rand() % (f->size < 400000 ? f->size : 400000);
            f->now[at] = rand() % 2 ? (uint8_t)rand() : (uint8_t)(1u << rand() % 8);
        }
        if (image_open(f, round % 2 ? LOOP_QCOW2 : LOOP_AUTO, round % 5 == 0, &i, why)) {
            assert_true(why[0]);
            continue;
        }
        opened++;
        for (unsigned n = 0; n < 40; n++) {
            uint64_t pos = (uint64_t)rand() * 512 % i->size;
            size_t len = sizeof(buf) < i->size - pos ? sizeof(buf) : (size_t)(i->size - pos);
            if (rand() % 3)
                image_write(i, buf, len, pos);
            else if (rand() % 3)
                image_read(i, buf, len, pos);
            else if (!i->read_only)
                i->ops->discard(i, rand() % 2 ? len : i->size - pos < MIB ? i->size - pos : MIB, pos);
            if (rand() % 10 == 0 && !i->read_only)
                i->ops->flush(i);
        }
        image_close(i);
    }
    assert_true(opened > 20);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions), cmocka_unit_test(test_backing), cmocka_unit_test(test_qemu_wrote), cmocka_unit_test(test_refused),
        cmocka_unit_test(test_power_cuts), cmocka_unit_test(test_write_errors), cmocka_unit_test(test_fuzz),
    };
    srand(11);
    times = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
    snprintf(dir, sizeof(dir), "/tmp/kernel_image.%d", getpid());
    char cmd[100];
    snprintf(cmd, sizeof(cmd), "mkdir -p %s", dir);
    if (system(cmd))
        return 1;
    int rc = cmocka_run_group_tests(tests, 0, 0);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd) || rc;
}

/* SPDX-License-Identifier: MIT */
/* tools_image.c: claim: an image reads the same plain and packed in any of the
 * four ways, forward and back; truncated and corrupt streams end with a
 * sentence, not with a loop.                                                 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/builder/image.h"

#define SIZE (3u << 20)
static uint8_t bytes[SIZE];
static char dir[] = "/tmp/enso-image-XXXXXX";

static int set_up(void **state)
{
    char path[64];
    FILE *f;

    (void)state;
    if (!mkdtemp(dir))
        return -1;
    memcpy(bytes, "\177ELF", 4);
    for (unsigned i = 4; i < SIZE; i++)
        bytes[i] = (uint8_t)(i % 251 ? i * i >> 7 : (unsigned)rand());
    snprintf(path, sizeof(path), "%s/plain", dir);
    f = fopen(path, "w");
    return !f || fwrite(bytes, 1, SIZE, f) != SIZE || fclose(f) != 0;
}

static int tear_down(void **state)
{
    char line[64];

    (void)state;
    snprintf(line, sizeof(line), "rm -rf %s", dir);
    return system(line);
}

static void check_reads(struct image *im)
{
    static uint8_t buf[SIZE];
    struct complaint why = { "" };

    assert_int_equal(image_read(im, 0, buf, 64, &why), 0);
    assert_memory_equal(buf, bytes, 64);
    assert_int_equal(image_read(im, 2000000, buf, 5000, &why), 0);
    assert_memory_equal(buf, bytes + 2000000, 5000);
    if (image_read(im, 100, buf, SIZE - 100, &why))
        fail_msg("%s", why.text);
    assert_memory_equal(buf, bytes + 100, SIZE - 100);
    assert_int_equal(image_read(im, SIZE - 10, buf, 11, &why), -1);
    assert_non_null(strstr(why.text, "truncated"));
}

static bool pack(const char *tool, const char *path)
{
    char line[200];

    snprintf(line, sizeof(line), "command -v %.*s >/dev/null && %s < %s/plain > %s 2>/dev/null",
             (int)strcspn(tool, " "), tool, tool, dir, path);
    return system(line) == 0;
}

static void one_way(const char *tool)
{
    static uint8_t packed[SIZE + 4096];
    struct complaint why = { "" };
    struct image im;
    char path[64];
    size_t n;
    FILE *f;

    snprintf(path, sizeof(path), "%s/packed", dir);
    if (!pack(tool, path))
        skip();
    assert_int_equal(image_open_kernel(&im, path, &why), 0);
    check_reads(&im);
    image_close(&im);

    f = fopen(path, "r");
    n = fread(packed, 1, sizeof(packed), f);
    fclose(f);
    assert_int_equal(truncate(path, (off_t)(n / 2)), 0);
    assert_int_equal(image_open_kernel(&im, path, &why), 0);
    assert_int_equal(image_read(&im, 0, bytes + 0, 0, &why), 0);
    assert_int_equal(image_read(&im, SIZE - 1, packed, 1, &why), -1);
    image_close(&im);

    f = fopen(path, "w");
    for (size_t i = n / 3; i < n / 3 + 64; i++)
        packed[i] ^= 0x5a;
    assert_int_equal(fwrite(packed, 1, n, f), n);
    fclose(f);
    assert_int_equal(image_open_kernel(&im, path, &why), 0);
    image_read(&im, SIZE - 1, packed, 1, &why);       /* wrong bytes or a sentence, but an end */
    image_close(&im);
}

/* Headers that lead to the end of what a bomb would unpack to, or there and back again and again. */
static void no_endless_work(void **state)
{
    struct complaint why = { "" };
    struct image im;
    char path[64], byte;

    (void)state;
    snprintf(path, sizeof(path), "%s/packed", dir);
    if (!pack("gzip -c", path))
        skip();
    assert_int_equal(image_open_kernel(&im, path, &why), 0);
    assert_int_equal(image_read(&im, UINT64_MAX, &byte, 1, &why), -1);
    assert_non_null(strstr(why.text, "a kernel may have 1024 MiB"));
    assert_int_equal(image_read(&im, (1ull << 30) - 1, &byte, 2, &why), -1);
    assert_non_null(strstr(why.text, "a kernel may have 1024 MiB"));
    assert_int_equal(im.work, 0);
    assert_int_equal(image_read(&im, SIZE - 1, &byte, 1, &why), 0);
    assert_int_equal(image_read(&im, 0, &byte, 1, &why), 0);
    assert_int_equal(image_read(&im, 9, &byte, 1, &why), 0);
    assert_int_equal(im.work, SIZE + 1 + 9);
    im.work = 4ull << 30;
    assert_int_equal(image_read(&im, 0, &byte, 1, &why), -1);
    assert_non_null(strstr(why.text, "back and forth"));
    image_close(&im);
}

static void plain(void **state)
{
    struct complaint why;
    struct image im;
    char path[64];

    (void)state;
    snprintf(path, sizeof(path), "%s/plain", dir);
    assert_int_equal(image_open_kernel(&im, path, &why), 0);
    check_reads(&im);
    image_close(&im);
}

static void way_gzip(void **state) { (void)state; one_way("gzip -c"); }
static void way_xz(void **state)   { (void)state; one_way("xz --check=crc32 --x86 --lzma2=dict=32MiB -c"); }
static void way_zstd(void **state) { (void)state; one_way("zstd -q -c"); }
static void way_lz4(void **state)  { (void)state; one_way("lz4 -l -c"); }

static void not_kernels(void **state)
{
    struct complaint why;
    struct image im;

    (void)state;
    assert_int_equal(image_open_kernel(&im, "/nonexistent", &why), -1);
    assert_string_equal(why.text, "/nonexistent: cannot open it: No such file or directory");
    assert_int_equal(image_open_kernel(&im, "/tmp", &why), -1);
    assert_string_equal(why.text, "/tmp: not a regular file");
    assert_int_equal(image_open_kernel(&im, "/etc/passwd", &why), -1);
    assert_non_null(strstr(why.text, "expected an ELF64 kernel with Xen notes, or a Linux bzImage"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain),    cmocka_unit_test(way_gzip), cmocka_unit_test(way_xz),
        cmocka_unit_test(way_zstd), cmocka_unit_test(way_lz4),  cmocka_unit_test(not_kernels),
        cmocka_unit_test(no_endless_work),
    };

    return cmocka_run_group_tests_name("tools_image", tests, set_up, tear_down);
}

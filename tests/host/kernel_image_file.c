/* SPDX-License-Identifier: MIT */
/* kernel_image_file.c: what image.h asks of its surroundings, for tests: files in memory that know what of them is durable. */
#include "tests/host/kernel_image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- A file in memory that knows what is durable ---- */

unsigned fail_after = ~0u, cut_after = ~0u;
uint64_t file_limit = 1u << 30;
char dir[64], cut_path[128];
unsigned times = 1;
static size_t pieces;

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

struct image_file *file_open(const char *name)
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

void save(const char *name, const uint8_t *data, uint64_t size)
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
    if (n > file_limit || pos > file_limit - n)
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

/* At most 2 MiB, as the kernel's. */
void *image_alloc(size_t n)
{
    pieces += n <= 2u << 20;
    return n <= 2u << 20 ? calloc(1, n) : 0;
}
void image_free(void *p)
{
    pieces -= p != 0;
    free(p);
}
size_t image_pieces(void) { return pieces; }
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
void image_lock_free(struct image_lock *l) { assert_int_equal(l->held, 0); free(l); }
void image_lock(struct image_lock *l) { assert_int_equal(l->held++, 0); }
void image_unlock(struct image_lock *l) { assert_int_equal(l->held--, 1); }
void image_wait(struct image_lock *l) { fail_msg("one thread cannot wait for another"); }
void image_wake(struct image_lock *l) { }
void image_breathe(void) { }

/* ---- Helpers ---- */

int run(const char *fmt, ...)
{
    char cmd[1000];
    va_list ap;
    va_start(ap, fmt);
    int n = snprintf(cmd, sizeof(cmd), "cd %s && { ", dir);
    n += vsnprintf(cmd + n, sizeof(cmd) - (size_t)n, fmt, ap);
    snprintf(cmd + n, sizeof(cmd) - (size_t)n, "; } >/dev/null 2>&1");
    va_end(ap);
    int rc = system(cmd);
    return rc >> 8;
}

const char *in_dir(const char *name)
{
    static char path[200];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return path;
}

struct image *open_image(const char *name, bool read_only)
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

void fill(uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)rand();
}

int image_tests(const char *name, const struct CMUnitTest *tests, size_t n, int argc, char **argv)
{
    char cmd[100];
    srand(11);
    times = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
    cmocka_set_test_filter(argc > 1 ? argv[1] : "*");
    snprintf(dir, sizeof(dir), "/tmp/%s.%d", name, getpid());
    snprintf(cmd, sizeof(cmd), "mkdir -p %s", dir);
    if (system(cmd))
        return 1;
    int rc = _cmocka_run_group_tests(name, tests, n, 0, 0);
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd) || rc;
}

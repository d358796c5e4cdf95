/* SPDX-License-Identifier: MIT */
/* image.c: a disk image of a guest's (guest-kernel/kernel/image*.c): opened, read, written, discarded, flushed, closed, opened again.
 *
 * The input makes a small valid qcow2 (cluster size, width of counts, version, something below or not), patches it or not, and uses it.
 * What must hold of any: nothing breaks, no memory stays. Of an unpatched one: it reads as a model says, before and after it was closed and
 * opened, and a reader of its own (below) finds every cluster counted as often as it is used, and maps as the model says.     */
#include "tests/fuzz/fuzz.h"
#include "tests/host/kernel_image.h"

#include <unistd.h>

#include "guest-kernel/kernel/image_qcow2.h"

#define DISK  (72u << 10)
#define BASE  (50u << 10)

struct shape { unsigned bits, order, version; bool below; };

static uint8_t model[DISK];

/* ---- a valid image --------------------------------------------------------------------------------------------- */

static void put32(uint8_t *p, uint32_t v) { for (int i = 3; i >= 0; i--, v >>= 8) p[i] = (uint8_t)v; }
static void put64(uint8_t *p, uint64_t v) { for (int i = 7; i >= 0; i--, v >>= 8) p[i] = (uint8_t)v; }

static void set_count(uint8_t *block, unsigned order, unsigned n)
{
    if (order < 3)
        block[n >> (3 - order)] |= (uint8_t)(1u << ((n & ((8u >> order) - 1)) << order));
    else
        block[(n + 1) * (1u << (order - 3)) - 1] = 1;
}

static uint8_t base_byte(uint64_t at) { return (uint8_t)(at * 31 + (at >> 9)); }

static void make_base(void)
{
    static uint8_t bytes[BASE];

    for (unsigned i = 0; i < BASE; i++)
        bytes[i] = base_byte(i);
    save(in_dir("base"), bytes, BASE);
}

/* Clusters: header, table of counts, block of counts, L1 (room for all), the first L2, one of data. */
static uint64_t make_image(const struct shape *s, uint8_t *to)
{
    uint64_t c = 1ull << s->bits, covers = c / 8 * c, l1 = (DISK + covers - 1) / covers, l1_clusters = (l1 * 8 + c - 1) / c, l2 = 3 + l1_clusters;

    memset(to, 0, (l2 + 2) * c);
    put32(to, 0x514649fb);
    put32(to + 4, s->version);
    put32(to + 20, s->bits);
    put64(to + 24, DISK);
    put32(to + 36, (uint32_t)l1);
    put64(to + 40, 3 * c);
    put64(to + 48, c);
    put32(to + 56, 1);
    if (s->version == 3) {
        put32(to + 96, s->order);
        put32(to + 100, 104);
    }
    if (s->below) {
        uint8_t *e = to + (s->version == 3 ? 104 : 72);

        put32(e, 0xe2792aca);
        put32(e + 4, 3);
        memcpy(e + 8, "raw", 3);
        put64(to + 8, 300);
        put32(to + 16, 4);
        memcpy(to + 300, "base", 4);
    }
    put64(to + c, 2 * c);
    for (unsigned n = 0; n < l2 + 2; n++)
        set_count(to + 2 * c, s->order, n);
    put64(to + 3 * c, l2 * c | 1ull << 63);
    put64(to + l2 * c + 8, (l2 + 1) * c | 1ull << 63);
    for (uint64_t i = 0; i < c; i++)
        to[(l2 + 1) * c + i] = (uint8_t)(i * 7 + 1);
    for (uint64_t i = 0; i < DISK; i++)
        model[i] = s->below && i < BASE ? base_byte(i) : 0;
    memcpy(model + c, to + (l2 + 1) * c, c);
    return (l2 + 2) * c;
}

/* ---- a reader of its own ------------------------------------------------------------------------------------------ */

static uint64_t get(const struct image_file *f, uint64_t at, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < n; i++)
        v = v << 8 | (at + i < f->size ? f->now[at + i] : 0);
    return v;
}

static uint64_t count_of(const struct image_file *f, unsigned order, uint64_t n)
{
    uint64_t c = 1ull << get(f, 20, 4), a_block = c * 8 >> order, block;

    if (n / a_block >= get(f, 56, 4) * c / 8)
        return 0;
    block = get(f, get(f, 48, 8) + n / a_block * 8, 8);
    n %= a_block;
    if (!block)
        return 0;
    if (order < 3)
        return get(f, block + (n >> (3 - order)), 1) >> ((n & ((8u >> order) - 1)) << order) & ((1u << (1u << order)) - 1);
    return get(f, block + n * (1u << (order - 3)), 1u << (order - 3));
}

static void uses(uint8_t *used, uint64_t clusters, uint64_t at, uint64_t c, uint64_t n)
{
    for (; n; n--, at += c) {
        FUZZ_CHECK(at % c == 0 && at / c < clusters);
        FUZZ_CHECK(used[at / c]++ == 0);
    }
}

/* Is what the entry leads to (at: 0 below, 1 zeros) what the model says of the cluster? */
static bool shows(const struct image_file *f, const struct shape *s, uint64_t pos, uint64_t at)
{
    static const uint8_t zeros[4096];
    uint64_t c = 1ull << s->bits, n = c < DISK - pos ? c : DISK - pos, there = at + n <= f->size ? n : at < f->size ? f->size - at : 0;

    if (at > 1)
        return !memcmp(model + pos, f->now + at, there) && !memcmp(model + pos + there, zeros, n - there);
    for (uint64_t i = 0; !at && s->below && i < n; i++)
        if (model[pos + i] != (pos + i < BASE ? base_byte(pos + i) : 0))
            return false;
    return (!at && s->below) || !memcmp(model + pos, zeros, n);
}

static void read_alone(const struct image_file *f, const struct shape *s)
{
    uint64_t c = 1ull << s->bits, clusters = (f->size + c - 1) / c, l1_size = get(f, 36, 4), l1 = get(f, 40, 8);
    uint8_t *used = calloc(clusters + 1, 1);

    uses(used, clusters, 0, c, 1);
    uses(used, clusters, get(f, 48, 8), c, get(f, 56, 4));
    for (uint64_t i = 0; i < get(f, 56, 4) * c / 8; i++)
        if (get(f, get(f, 48, 8) + 8 * i, 8))
            uses(used, clusters, get(f, get(f, 48, 8) + 8 * i, 8), c, 1);
    uses(used, clusters, l1, c, (l1_size * 8 + c - 1) / c);
    for (uint64_t pos = 0; pos < DISK; pos += c) {
        uint64_t l2 = get(f, l1 + pos / c / (c / 8) * 8, 8) & OFFSET_MASK, e = l2 ? get(f, l2 + pos / c % (c / 8) * 8, 8) : 0;
        uint64_t at = e & OFFSET_MASK;

        if (l2 && pos / c % (c / 8) == 0)
            uses(used, clusters, l2, c, 1);
        if (at)
            uses(used, clusters, at, c, 1);
        FUZZ_CHECK(shows(f, s, pos, e & OFLAG_ZERO ? 1 : at));
    }
    for (uint64_t n = 0; n < clusters; n++)
        FUZZ_CHECK(count_of(f, s->order, n) == used[n]);
    free(used);
}

/* ---- use ------------------------------------------------------------------------------------------------------------ */

static void compare(struct image *im)
{
    static uint8_t all[DISK];

    FUZZ_CHECK(image_read(im, all, DISK, 0) == 0);
    FUZZ_CHECK(!memcmp(all, model, DISK));
}

/* Whole clusters that lie in the range become zeros, where a version can say so. */
static void model_discard(const struct shape *s, uint64_t n, uint64_t pos)
{
    uint64_t c = 1ull << s->bits, from = (pos + c - 1) & ~(c - 1), to = pos + n == DISK ? DISK : (pos + n) & ~(c - 1);

    if (from < to && !s->below)
        memset(model + from, 0, to - from);
}

static void use(struct image *im, struct fuzz_input *in, const struct shape *s, bool sound)
{
    static uint8_t buf[256 * 512];               /* a patched image may claim to be larger than DISK */

    for (unsigned steps = 0; in->left && steps < 60; steps++) {
        uint8_t op = (uint8_t)fuzz_take(in, 1);
        uint64_t pos = fuzz_take(in, 2) * 8 % (sound ? DISK : im->size), n = (fuzz_take(in, 1) + 1) * (op & 8 ? 512 : 8);

        if (op & 16)
            pos &= ~511ull;
        n = n > (sound ? DISK : im->size) - pos ? (sound ? DISK : im->size) - pos : n;
        switch (op & 7) {
        case 0: case 1: case 2:
            memset(buf, op ^ (uint8_t)steps, n);
            if (image_write(im, buf, n, pos) == 0)
                memcpy(model + pos % DISK, buf, sound ? n : 0);
            else
                FUZZ_CHECK(!sound);
            break;
        case 3: case 4:
            if (image_read(im, buf, n, pos) == 0 && sound)
                FUZZ_CHECK(!memcmp(buf, model + pos, n));
            break;
        case 5:
            if (sound && s->below)               /* what a discarded cluster shows then is the version's matter */
                break;
            if (!im->read_only && im->ops->discard(im, n, pos) == 0 && sound)
                model_discard(s, n, pos);
            break;
        case 6: FUZZ_CHECK(im->read_only || im->ops->flush(im) == 0 || !sound); break;
        case 7:
            if (!sound)
                fail_after = (unsigned)(pos % 50);
            break;
        }
    }
}

static void patch(uint8_t *bytes, uint64_t size, struct fuzz_input *in, unsigned n)
{
    while (n--) {
        uint64_t at = fuzz_take(in, 2) % size;
        unsigned width = (unsigned)(fuzz_take(in, 1) & 7) + 1;
        uint64_t v = fuzz_take(in, width);

        for (unsigned i = width; i-- > 0; v >>= 8)
            if (at + i < size)
                bytes[at + i] = (uint8_t)v;
    }
}

static struct image *open_again(const char *name, bool read_only, enum loop_format format)
{
    char why[IMAGE_WHY];
    struct image_file *f = file_open(in_dir(name));
    struct image *im;

    FUZZ_CHECK(f);
    f->keep = true;
    if (image_open(f, format, read_only, &im, why) == 0)
        return im;
    FUZZ_CHECK(why[0]);
    return NULL;
}

/* With FUZZ_QEMU_IMG=1 in the environment, qemu-img has to agree, too: a process or two for each input. */
static void ask_qemu(void)
{
    static uint8_t raw[DISK];
    FILE *f;

    if (!getenv("FUZZ_QEMU_IMG"))
        return;
    FUZZ_CHECK(run("qemu-img check -q -f qcow2 image && qemu-img convert -f qcow2 -O raw image raw") == 0);
    f = fopen(in_dir("raw"), "r");
    FUZZ_CHECK(f && fread(raw, 1, DISK, f) == DISK && !memcmp(raw, model, DISK));
    fclose(f);
}

static void check_closed(const struct shape *s)
{
    struct image *im;
    struct image_file *f = file_open(in_dir("image"));

    read_alone(f, s);
    image_file_close(f);
    ask_qemu();
    im = open_again("image", true, LOOP_AUTO);
    FUZZ_CHECK(im);
    compare(im);
    image_close(im);
}

static void remove_dir(void)
{
    char line[100];

    snprintf(line, sizeof(line), "rm -rf %s", dir);
    if (system(line))
        fprintf(stderr, "%s stays\n", dir);
}

static void set_up(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    strcpy(dir, access("/dev/shm", W_OK) ? "/tmp/fuzz-image-XXXXXX" : "/dev/shm/fuzz-image-XXXXXX");
    if (!mkdtemp(dir))
        exit(1);
    atexit(remove_dir);
    file_limit = 8 << 20;
    make_base();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t bytes[1 << 18];
    struct fuzz_input in = { data, size };
    unsigned a = (unsigned)fuzz_take(&in, 1), b = (unsigned)fuzz_take(&in, 1), patches = b >> 4;
    struct shape s = { 9 + (a & 3), (a >> 2) % 7, a & 32 ? 2 : 3, a & 64 };
    struct image *im;
    uint64_t n;

    set_up();
    if (s.version == 2)
        s.order = 4;
    n = make_image(&s, bytes);
    patch(bytes, n, &in, patches);
    save(in_dir("image"), bytes, n);
    fail_after = ~0u;
    im = open_again("image", b & 1, patches && b & 2 ? LOOP_QCOW2 : LOOP_AUTO);
    FUZZ_CHECK(im || patches);
    if (im) {
        use(im, &in, &s, !patches && !im->read_only);
        fail_after = ~0u;
        image_close(im);
        if (!patches && !(b & 1))
            check_closed(&s);
    }
    FUZZ_CHECK(image_pieces() == 0);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint8_t steps[] = { 0, 0, 1, 60, 8, 0, 8, 100, 3, 0, 0, 255, 0x1d, 0, 4, 90, 6, 0, 0, 0, 9, 3, 16, 250, 0x1d, 0, 0, 255, 2, 200, 70, 33 };
    static const uint8_t patches[] = { 0x00, 0x06, 7, 0, 10, 0, 0, 0, 0, 2, 128, 0x08, 0x0a, 7, 0, 2, 0, 0, 0, 0, 0, 128, 0x18, 0, 3, 0, 0, 16, 0 };

    (void)room;
    if (n >= 24)
        return 0;
    data[0] = (uint8_t)(n * 11);
    data[1] = n < 16 ? 0 : 0x30;
    memcpy(data + 2, patches, n < 16 ? 0 : sizeof(patches));
    memcpy(data + 2 + (n < 16 ? 0 : sizeof(patches)), steps, sizeof(steps));
    return 2 + (n < 16 ? 0 : sizeof(patches)) + sizeof(steps);
}

/* SPDX-License-Identifier: MIT */
/* fuzz.c: what fuzz targets share: seeds written into a folder, bytes as a file, an input taken apart. */
#include "tests/fuzz/fuzz.h"

#include <sys/mman.h>
#include <unistd.h>

#define SEED_MOST (4u << 20)

__attribute__((weak)) size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    (void)n; (void)data; (void)room;
    return 0;
}

static void write_seeds(const char *folder)
{
    uint8_t *data = malloc(SEED_MOST);
    size_t size;

    for (unsigned n = 0; data && (memset(data, 0, SEED_MOST), size = fuzz_seed(n, data, SEED_MOST)); n++) {
        char path[400];
        FILE *f;

        snprintf(path, sizeof(path), "%s/seed-%u", folder, n);
        f = fopen(path, "w");
        if (!f || fwrite(data, 1, size, f) != size || fclose(f))
            exit(1);
    }
    free(data);
}

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    if (*argc == 3 && !strcmp((*argv)[1], "--seeds")) {
        write_seeds((*argv)[2]);
        exit(0);
    }
    return 0;
}

void fuzz_read(const void *data, size_t size)
{
    const volatile uint8_t *at = data;

    while (size--)
        (void)*at++;
}

int fuzz_file(const void *data, size_t size)
{
    int fd = memfd_create("input", 0);

    if (fd < 0 || write(fd, data, size) != (ssize_t)size || lseek(fd, 0, SEEK_SET))
        abort();
    return fd;
}

uint64_t fuzz_take(struct fuzz_input *in, unsigned bytes)
{
    uint64_t v = 0;

    for (unsigned i = 0; i < bytes && in->left; i++, in->left--)
        v |= (uint64_t)*in->at++ << 8 * i;
    return v;
}

const uint8_t *fuzz_bytes(struct fuzz_input *in, size_t n, size_t *got)
{
    const uint8_t *at = in->at;

    *got = n < in->left ? n : in->left;
    in->at += *got;
    in->left -= *got;
    return at;
}

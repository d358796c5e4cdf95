/* SPDX-License-Identifier: MIT */
/* insn.c: a guest's bytes at rip, taken apart by the hypervisor's decoder.
 *
 * What must hold: nothing behind the given bytes is read; an instruction needs all its bytes and no more, and what follows it changes
 * nothing. */
#include "hypervisor/guest/insn_decode.h"
#include "tests/fuzz/fuzz.h"

static bool decode(struct insn *i, const uint8_t *data, size_t n)
{
    uint8_t *exact = malloc(n ? n : 1);
    bool ok;

    memcpy(exact, data, n);
    memset(i, 0, sizeof(*i));
    ok = insn_decode(i, exact, (unsigned)n);
    free(exact);
    return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct insn i, j;

    size = size > 20 ? 20 : size;
    if (!decode(&i, data, size))
        return 0;
    FUZZ_CHECK(i.len >= 1 && i.len <= INSN_MAX && i.len <= size);
    FUZZ_CHECK(i.opsize == 1 || i.opsize == 2 || i.opsize == 4 || i.opsize == 8);
    FUZZ_CHECK(decode(&j, data, i.len) && !memcmp(&i, &j, sizeof(i)));
    for (unsigned n = 0; n < i.len; n++)
        FUZZ_CHECK(!decode(&j, data, n));
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint8_t seeds[][12] = {
        { 0xe4, 0x42 }, { 0xf3, 0x6c }, { 0x0f, 0x20, 0xd8 }, { 0x41, 0x0f, 0x22, 0xe1 }, { 0x48, 0x89, 0x84, 0xd8, 1, 2, 3, 4 }, { 0xf0, 0x48, 0x0f, 0xb1, 0x0d, 1, 2, 3, 4 },
        { 0x48, 0xc7, 0x04, 0x25, 1, 2, 3, 4, 5, 6, 7, 8 }, { 0x66, 0xc7, 0x00, 1, 2 }, { 0x0f, 0x01, 0xd1 }, { 0x0f, 0xa2 }, { 0x67, 0x64, 0x80, 0x4c, 0x24, 1, 2 },
    };

    (void)room;
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(data, seeds[n], sizeof(seeds[0]));
    return sizeof(seeds[0]);
}

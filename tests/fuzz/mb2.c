/* SPDX-License-Identifier: MIT */
/* mb2.c: the multiboot2 information, as damaged as may be, read by the hypervisor's boot. */
#include "hypervisor/boot/mb2.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct mb2_info out;
    void *exact = malloc(size ? size : 1);

    memcpy(exact, data, size);
    if (mb2_parse(exact, size, &out) == 0)
        fuzz_read(out.cmdline, strlen(out.cmdline));
    FUZZ_CHECK(out.nr_modules <= MB2_MAX_MODULES && out.nr_ranges <= MB2_MAX_RANGES);
    for (uint32_t i = 0; i < out.nr_modules; i++) {
        fuzz_read(out.module[i].text, strlen(out.module[i].text));
        FUZZ_CHECK(out.module[i].start <= out.module[i].end);
    }
    for (uint32_t i = 0; i < out.nr_ranges; i++)
        FUZZ_CHECK(out.range[i].size && out.range[i].addr + (out.range[i].size - 1) >= out.range[i].addr);
    FUZZ_CHECK(out.rsdp_offset <= size);
    free(exact);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint8_t tags[] = {
        144, 0, 0, 0, 0, 0, 0, 0,
        1, 0, 0, 0, 12, 0, 0, 0, 'a', '=', 'b', 0, 0, 0, 0, 0,
        3, 0, 0, 0, 19, 0, 0, 0, 0, 0, 16, 0, 0, 0, 32, 0, 'k', ' ', 0, 0, 0, 0, 0, 0,
        6, 0, 0, 0, 40, 0, 0, 0, 24, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0,
        14, 0, 0, 0, 28, 0, 0, 0, 'R', 'S', 'D', ' ', 'P', 'T', 'R', ' ', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 8, 0, 0, 0,
    };

    (void)room;
    memcpy(data, tags, sizeof(tags));
    return n ? 0 : sizeof(tags);
}

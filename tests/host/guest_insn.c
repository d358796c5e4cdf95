/* SPDX-License-Identifier: MIT */
/* guest_insn.c: claim: the decoder knows exactly the instructions that Enso emulates, their lengths and parts, and never reads
 * beyond what it was given (SPEC 7.6, 5.8). A failure would mean that a guest's rip is moved to the wrong place, or worse. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <stdlib.h>
#include <cmocka.h>
#include "hypervisor/guest/insn_decode.h"

#define DECODES(len_, op_, ...) do {                                              \
    const uint8_t b_[] = { __VA_ARGS__ };                                          \
    uint8_t *exact_ = malloc(sizeof(b_));          /* ASan sees a byte too many */ \
    memcpy(exact_, b_, sizeof(b_));                                                \
    assert_true(insn_decode(&i, exact_, sizeof(b_)));                              \
    assert_int_equal(i.len, len_);                                                 \
    assert_int_equal(i.opcode, op_);                                               \
    for (unsigned n_ = 0; n_ < (len_); n_++)                                       \
        assert_false(insn_decode(&j, exact_, n_));                                 \
    free(exact_); } while (0)

static void test_ports(void **state)
{
    struct insn i, j;

    DECODES(2, 0xe4, 0xe4, 0x42);
    assert_int_equal(i.imm, 0x42);
    assert_int_equal(i.opsize, 1);
    DECODES(1, 0xed, 0xed);
    assert_int_equal(i.opsize, 4);
    DECODES(2, 0xef, 0x66, 0xef);
    assert_int_equal(i.opsize, 2);
    DECODES(2, 0x6c, 0xf3, 0x6c);
    assert_true(i.rep);
}

static void test_system(void **state)
{
    struct insn i, j;

    DECODES(3, 0x0f20, 0x0f, 0x20, 0xd8);              /* mov %cr3, %rax */
    assert_int_equal(insn_reg(&i), 3);
    assert_int_equal(insn_rm(&i), 0);
    DECODES(4, 0x0f22, 0x41, 0x0f, 0x22, 0xe1);        /* mov %r9, %cr4 */
    assert_int_equal(insn_rm(&i), 9);
    DECODES(3, 0x0f20, 0x0f, 0x20, 0x04);              /* mod is ignored for control registers: no SIB follows */
    DECODES(2, 0x0fa2, 0x0f, 0xa2);
    DECODES(3, 0x0f01, 0x0f, 0x01, 0xd1);
    DECODES(2, 0x0f32, 0x0f, 0x32);
}

static void test_store_lengths(void **state)
{
    struct insn i, j;

    DECODES(8, 0x89, 0x48, 0x89, 0x84, 0xd8, 1, 2, 3, 4);             /* disp32(base,index,8) */
    DECODES(5, 0x89, 0x49, 0x89, 0x44, 0x24, 0x08);                   /* disp8(%r12) */
    DECODES(7, 0x89, 0x48, 0x89, 0x05, 1, 2, 3, 4);                   /* rip-relative */
    DECODES(8, 0x89, 0x48, 0x89, 0x04, 0x25, 1, 2, 3, 4);             /* absolute by SIB without base */
    DECODES(7, 0xc7, 0x48, 0xc7, 0x07, 0xff, 0xff, 0xff, 0xff);
    assert_int_equal(i.imm, -1);
    DECODES(5, 0xc7, 0x66, 0xc7, 0x07, 0x34, 0x12);
    DECODES(5, 0x0fb1, 0xf0, 0x48, 0x0f, 0xb1, 0x0e);
    assert_true(i.lock);
    DECODES(6, 0x0fba, 0xf0, 0x48, 0x0f, 0xba, 0x37, 0x01);
    DECODES(5, 0x80, 0xf0, 0x80, 0x67, 0x01, 0x7f);
    assert_int_equal(i.opsize, 1);
}

/* Whatever the bytes, no more than given are read, and a length is never above 15 nor above what was given. */
static void test_random(void **state)
{
    srand(1);
    for (unsigned round = 0; round < 400000; round++) {
        unsigned n = rand() % 17;
        uint8_t *b = malloc(n ? n : 1);
        struct insn i;
        for (unsigned k = 0; k < n; k++)
            b[k] = rand() % 4 ? rand() : 0x66 + rand() % 2;
        if (insn_decode(&i, b, n)) {
            assert_true(i.len <= n && i.len <= INSN_MAX && i.len > 0);
            assert_true(i.opsize == 1 || i.opsize == 2 || i.opsize == 4 || i.opsize == 8);
        }
        free(b);
    }
}

static void test_refused(void **state)
{
    static const uint8_t hlt[] = { 0xf4 }, invlpg_like[] = { 0x0f, 0x00, 0xd8 }, prefixes[15] = { 0x66, 0x66, 0x66, 0x66, 0x66,
        0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 };
    struct insn i;

    assert_false(insn_decode(&i, hlt, sizeof(hlt)));
    assert_false(insn_decode(&i, invlpg_like, sizeof(invlpg_like)));
    assert_false(insn_decode(&i, prefixes, sizeof(prefixes)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ports), cmocka_unit_test(test_system), cmocka_unit_test(test_store_lengths),
        cmocka_unit_test(test_random), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

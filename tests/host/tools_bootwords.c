/* SPDX-License-Identifier: MIT */
/* tools_bootwords.c: claim: a bootfrom that a guest's disk has taken over cannot keep enso busy for ever, nor make it say nothing. Found by
 * fuzzing (tests/fuzz/boot_words.c). A failure is an `enso create` that never ends.                                   */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/mman.h>

#include "dom0-tools/enso/bootdisk.c"

static struct reading r;
static struct complaint why;
static int words;

static int set_up(void **state)
{
    static struct config config;
    static struct parts parts;

    (void)state;
    parts.config = &config;
    memset(&r, 0, sizeof(r));
    why.text[0] = '\0';
    r = (struct reading){ .p = &parts, .why = &why, .kernel = -1, .ramdisk = -1, .from = words = memfd_create("words", 0) };
    return 0;
}

static void say(uint32_t type, const char *text)
{
    struct boot_header h = { BOOT_MAGIC, type, (uint32_t)strlen(text) };

    assert_int_equal(write(words, &h, sizeof(h)), sizeof(h));
    assert_int_equal(write(words, text, h.len), h.len);
}

/* After the last word that is well. */
static void last_is_refused(unsigned well, const char *sentence)
{
    lseek(words, 0, SEEK_SET);
    for (unsigned i = 0; i < well; i++)
        assert_int_equal(hear(&r), 0);
    assert_int_equal(hear(&r), -1);
    assert_string_equal(why.text, sentence);
    close(words);
}

static void title_twice(void **state)
{
    (void)state;
    say(BOOT_TITLE, "a");
    say(BOOT_TITLE, "a");
    last_is_refused(1, "the reader of its disk talks nonsense");
}

static void line_twice(void **state)
{
    (void)state;
    say(BOOT_TITLE, "a");
    say(BOOT_LINE, "");
    say(BOOT_LINE, "");
    last_is_refused(2, "the reader of its disk talks nonsense");
}

static void nothing_of_a_file(void **state)
{
    (void)state;
    say(BOOT_LINE, "quiet");
    say(BOOT_KERNEL, "");
    last_is_refused(1, "the reader of its disk talks nonsense");
}

static void wrong_without_a_word(void **state)
{
    (void)state;
    say(BOOT_WRONG, "");
    last_is_refused(0, "the reader of its disk gave up, and does not say why");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(title_twice, set_up), cmocka_unit_test_setup(line_twice, set_up), cmocka_unit_test_setup(nothing_of_a_file, set_up),
        cmocka_unit_test_setup(wrong_without_a_word, set_up),
    };

    return cmocka_run_group_tests_name("tools_bootwords", tests, NULL, NULL);
}

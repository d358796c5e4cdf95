/* SPDX-License-Identifier: MIT */
/* user_edit.c: claim: what the editor changes it can take back to the byte, and a file is the old one or the new one, never a part
 * (guest-kernel/user/edit/text.h). A failure means that somebody loses what he wrote. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "guest-kernel/user/edit/text.h"

static char folder[] = "/tmp/enso-edit-XXXXXX";

static void holds(const struct text *t, const char *what)
{
    assert_int_equal(t->length, strlen(what));
    assert_memory_equal(t->bytes, what, t->length);
}

static void type(struct text *t, size_t at, const char *what)
{
    for (; *what; what++)
        assert_true(text_put(t, at++, 0, what, 1));
}

static void typing_is_one_change(void **state)
{
    struct text t = { 0 };

    (void)state;
    type(&t, 0, "memory");
    text_part(&t);
    type(&t, 6, " = 32");
    holds(&t, "memory = 32");
    assert_int_equal(text_undo(&t), 6);
    holds(&t, "memory");
    assert_int_equal(text_undo(&t), 0);
    holds(&t, "");
    assert_true(text_undo(&t) == TEXT_NONE);
    assert_int_equal(text_redo(&t), 6);
    assert_int_equal(text_redo(&t), 11);
    holds(&t, "memory = 32");
    assert_true(text_redo(&t) == TEXT_NONE);
    text_free(&t);
}

static void deleting_backwards_is_one_change(void **state)
{
    struct text t = { 0 };

    (void)state;
    type(&t, 0, "name = bob");
    text_part(&t);
    for (size_t at = 9; at >= 7; at--)
        assert_true(text_put(&t, at, 1, NULL, 0));
    holds(&t, "name = ");
    type(&t, 7, "eve");                  /* a change of its own */
    text_undo(&t);
    holds(&t, "name = ");
    assert_int_equal(text_undo(&t), 10);
    holds(&t, "name = bob");
    type(&t, 0, "#");                    /* what was undone cannot come back now */
    assert_true(text_redo(&t) == TEXT_NONE);
    text_free(&t);
}

static void places(void **state)
{
    struct text t = { 0 };
    const char *text = "one\n\ttwo\n\n\xc3\xa4\xc3\xb6x";

    (void)state;
    assert_true(text_put(&t, 0, 0, text, strlen(text)));
    assert_int_equal(text_line(&t, 6), 4);
    assert_int_equal(text_line_end(&t, 4), 8);
    assert_int_equal(text_line(&t, 9), 9);
    assert_int_equal(text_line_end(&t, 9), 9);
    assert_int_equal(text_line_end(&t, 10), t.length);
    assert_int_equal(text_column(&t, 5), 8);             /* behind a tab */
    assert_int_equal(text_at_column(&t, 4, 3), 4);
    assert_int_equal(text_at_column(&t, 4, 9), 6);
    assert_int_equal(text_at_column(&t, 0, 99), 3);
    assert_int_equal(text_forward(&t, 10), 12);          /* two bytes, one character */
    assert_int_equal(text_back(&t, 12), 10);
    assert_int_equal(text_column(&t, 14), 2);
    assert_int_equal(text_forward(&t, t.length), t.length);
    assert_int_equal(text_back(&t, 0), 0);
    text_free(&t);
    assert_int_equal(text_line(&t, 0) + text_line_end(&t, 0) + text_column(&t, 0) + text_at_column(&t, 0, 5) + text_forward(&t, 0), 0);
}

static void searching(void **state)
{
    struct text t = { 0 };

    (void)state;
    assert_true(text_find(&t, 0, "x") == TEXT_NONE);
    type(&t, 0, "ab ab ab");
    assert_int_equal(text_find(&t, 0, "ab"), 3);
    assert_int_equal(text_find(&t, 6, "ab"), 0);         /* round the end */
    assert_int_equal(text_find(&t, 3, "b ab"), 4);
    assert_true(text_find(&t, 0, "abc") == TEXT_NONE);
    assert_true(text_find(&t, 0, "") == TEXT_NONE);
    text_free(&t);
}

/* Any changes, taken back one by one as far as they are known, and made again, give each text in between. */
static void anything_comes_back(void **state)
{
    static char *was[TEXT_UNDO + 2];
    unsigned seed = 7;

    (void)state;
    for (int round = 0; round < 300; round++) {
        struct text t = { 0 };
        int steps = TEXT_UNDO;

        for (int i = 0; i < 2 * TEXT_UNDO; i++) {
            size_t at = (size_t)rand_r(&seed) % (t.length + 1), drop = (size_t)rand_r(&seed) % (t.length - at + 1) % 9;
            size_t n = (size_t)rand_r(&seed) % 12 + !drop;

            text_part(&t);
            assert_true(text_put(&t, at, drop, "something\nelse", n));
            if (i >= TEXT_UNDO - 1) {
                free(was[i - TEXT_UNDO + 1]);
                was[i - TEXT_UNDO + 1] = strndup(t.bytes ? t.bytes : "", t.length);
            }
        }
        for (int i = steps - 1; i >= 0; i--) {
            assert_true(text_undo(&t) <= t.length);
            holds(&t, was[i]);
        }
        assert_true(text_undo(&t) == TEXT_NONE);
        for (int i = 1; i <= steps; i++) {
            assert_true(text_redo(&t) <= t.length);
            holds(&t, was[i]);
        }
        text_free(&t);
    }
    for (int i = 0; i < TEXT_UNDO + 2; i++)
        free(was[i]);
}

/* ---- files ---- */

static const char *in_folder(const char *name)
{
    static char path[4][128];
    static int next;

    next = (next + 1) % 4;
    snprintf(path[next], sizeof(path[0]), "%s/%s", folder, name);
    return path[next];
}

static void file_is(const char *path, const char *what)
{
    char got[256] = "";
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    got[fread(got, 1, sizeof(got) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(got, what);
}

static void saving(void **state)
{
    struct text t = { 0 };
    struct stat st;

    (void)state;
    assert_null(text_load(&t, in_folder("a.cfg")));      /* does not exist yet */
    type(&t, 0, "name = \"a\"");
    assert_null(text_save(&t, in_folder("a.cfg")));
    assert_false(t.changed);
    file_is(in_folder("a.cfg"), "name = \"a\"\n");       /* the last line is ended */
    assert_int_not_equal(access(in_folder("a.cfg.new~"), F_OK), 0);
    assert_int_equal(chmod(in_folder("a.cfg"), 0640), 0);
    assert_int_equal(symlink("a.cfg", in_folder("link")), 0);
    assert_null(text_load(&t, in_folder("link")));
    assert_true(text_put(&t, 0, 0, "# ", 2));
    assert_null(text_save(&t, in_folder("link")));
    file_is(in_folder("a.cfg"), "# name = \"a\"\n");
    assert_int_equal(lstat(in_folder("link"), &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(stat(in_folder("a.cfg"), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
    assert_non_null(text_load(&t, folder));
    assert_non_null(text_load(&t, "/dev/null"));
    text_free(&t);
}

static void somebody_else_wrote(void **state)
{
    struct text t = { 0 };
    FILE *f;

    (void)state;
    assert_null(text_load(&t, in_folder("b")));
    assert_false(text_overtaken(&t, in_folder("b")));
    f = fopen(in_folder("b"), "w");
    fputs("theirs\n", f);
    fclose(f);
    assert_true(text_overtaken(&t, in_folder("b")));     /* it did not exist */
    assert_null(text_load(&t, in_folder("b")));
    assert_false(text_overtaken(&t, in_folder("b")));
    f = fopen(in_folder("b"), "a");
    fputs("more\n", f);
    fclose(f);
    assert_true(text_overtaken(&t, in_folder("b")));
    text_free(&t);
}

/* The disk is full (a limit of this process plays it): the old file stands, nothing lies beside it, the text is still there to save. */
static void a_full_disk(void **state)
{
    struct rlimit before, small = { 4096, RLIM_INFINITY };
    struct text t = { 0 };
    char many[8192];

    (void)state;
    assert_null(text_load(&t, in_folder("c")));
    type(&t, 0, "old");
    assert_null(text_save(&t, in_folder("c")));
    memset(many, 'x', sizeof(many));
    assert_true(text_put(&t, 0, 3, many, sizeof(many)));
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    setrlimit(RLIMIT_FSIZE, &small);
    const char *wrong = text_save(&t, in_folder("c"));

    setrlimit(RLIMIT_FSIZE, &before);
    assert_non_null(wrong);
    assert_true(t.changed);
    assert_int_equal(t.length, sizeof(many));
    file_is(in_folder("c"), "old\n");
    assert_int_not_equal(access(in_folder("c.new~"), F_OK), 0);
    assert_non_null(text_save(&t, in_folder("no/such/folder")));
    assert_null(text_save(&t, in_folder("d")));
    text_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typing_is_one_change), cmocka_unit_test(deleting_backwards_is_one_change), cmocka_unit_test(places),
        cmocka_unit_test(searching), cmocka_unit_test(anything_comes_back), cmocka_unit_test(saving),
        cmocka_unit_test(somebody_else_wrote), cmocka_unit_test(a_full_disk),
    };

    if (!mkdtemp(folder))
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    const char *const left[] = { "a.cfg", "link", "b", "c", "d" };

    for (unsigned i = 0; i < sizeof(left) / sizeof(left[0]); i++)
        unlink(in_folder(left[i]));
    return failed | (rmdir(folder) != 0);
}

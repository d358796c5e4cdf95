/* SPDX-License-Identifier: MIT */
/* tools_store_restart.c: xenstored is killed, and its successor takes up the journal.
 *
 * Claim (SPEC 11.4): killed at any point, no request is lost or answered twice, and what was acknowledged is there; a journal that is cut
 * short or makes no sense is said to be, and never believed. A failure means that a killed xenstored hangs or corrupts guests. */
#include "tests/host/store_world.h"

static uint32_t ring_balance(int dom)
{
    return page[dom].rsp_prod - page[dom].rsp_cons;
}

static void test_killed_anywhere(void **state)
{
    (void)state;
    for (volatile long when = 0; when < 260; when++) {
        struct answer a;

        finish();
        start();
        kill_in = -1;
        introduce(1);
        IS("OK", ASK(1, XS_WATCH, 0, "w\0t"));
        hear(1);
        uint32_t t = begin(1);
        IS("OK", write_node(1, t, "in", "v"));
        /* Requests lie in the rings; the daemon is killed somewhere on its way through them, and again. */
        for (int i = 0; i < 8; i++) {
            char text[64];
            int n = sprintf(text, "counter%c%d", 0, i);
            send(1, XS_WRITE, 0, text, (size_t)n, 100 + (uint32_t)i);
            n = sprintf(text, "/local/domain/1/w/%d%cx", i, 0);
            send(0, XS_WRITE, 0, text, (size_t)n, 200 + (uint32_t)i);
        }
        struct xsd_sockmsg slow = { XS_WRITE, 108, 0, 9 };    /* and one that is still being written */
        put(1, &slow, when % 2 ? 10 : sizeof(slow));
        for (volatile int life = 0; life < 3; life++) {
            kill_in = life == 0 ? when % 60 : life == 1 ? when / 4 % 30 : -1;
            if (setjmp(killed))
                restart(REPLAYED);
            else
                for (int i = 0; i < 60; i++)
                    conns_serve();
        }
        kill_in = -1;
        put(1, (char *)&slow + (when % 2 ? 10 : sizeof(slow)), when % 2 ? sizeof(slow) - 10 : 0);
        put(1, "counter\0" "8", 9);
        uint32_t expect[2] = { 200, 100 };
        int heard = 0, answers = 0;
        for (int dom = 0; dom < 2; dom++)
            while (next(dom, &a)) {
                if (a.type == XS_WATCH_EVENT) {
                    heard++;
                    continue;
                }
                assert_int_equal(a.id, expect[dom]++);
                IS("OK", a.text);
                answers++;
            }
        assert_int_equal(answers, 17);
        assert_int_equal(heard, 8);
        assert_int_equal(ring_balance(0) + ring_balance(1), 0);
        IS("8", read_node(1, 0, "counter"));
        ASK(1, XS_TRANSACTION_END, t, "T");
        assert_true(!strcmp(last.text, "EAGAIN") || !strcmp(last.text, "OK"));
        ASK(0, XS_CONTROL, 0, "check");
        assert_non_null(strstr(last.text, " 0 wrong"));
    }
}

/* The whole state written anew is the same state. */
static void test_rewrite(void **state)
{
    (void)state;
    introduce(1);
    IS("OK", write_node(1, 0, "a/b", "v"));
    IS("OK", ASK(1, XS_WATCH, 0, "a\0t"));
    IS("OK", ASK(0, XS_SET_PERMS, 0, "@releaseDomain\0n0\0r1"));
    hear(1);
    uint32_t t = begin(1);
    rewrite();
    restart(REPLAYED);
    IS("v", read_node(1, 0, "a/b"));
    IS("OK", write_node(1, 0, "a/b", "w"));
    IS("a/b t;", hear(1));
    IS("EAGAIN", ASK(1, XS_TRANSACTION_END, t, "T"));
    ASK(0, XS_GET_PERMS, 0, "@releaseDomain");
    assert_memory_equal(last.text, "n0\0r1\0", 6);
    assert_int_equal(tree_held[1].owned, 3);
}

/* What waited for room and went out since the last record, which no record tells of: its successor goes on just behind it. */
static void test_sent_since_the_record(void **state)
{
    struct answer a;
    char path[64];
    int heard = 0;

    (void)state;
    introduce(1);
    IS("OK", ASK(1, XS_WATCH, 0, "a\0t"));
    for (int i = 0; i < 200; i++) {
        sprintf(path, "/local/domain/1/a/node-%d", i);
        IS("OK", write_node(0, 0, path, "v"));
    }
    for (int i = 0; next(1, &a); i++) {
        if (a.type == XS_WATCH_EVENT && heard++) {
            sprintf(path, "a/node-%d", heard - 2);
            IS(path, a.text);
        }
        if (i % 30 == 20) {
            restart(REPLAYED);
            event_of(1);
        }
    }
    assert_int_equal(heard, 201);
}

/* Half a record, or rubbish, at the end. */
static void test_torn_journal(void **state)
{
    (void)state;
    IS("OK", write_node(0, 0, "/a", "v"));
    bytes_add(&journal, "\x40\0\0\0N", 5);
    restart(REPLAYED_CUT);
    IS("v", read_node(0, 0, "/a"));
}

/* Killed in the middle of writing the journal anew: the old one is whole until the new one takes its place (main.c renames). */
static bool append_or_die(const void *data, size_t n)
{
    (void)data, (void)n;
    if (kill_in >= 0 && kill_in-- == 0)
        longjmp(killed, 1);
    return true;
}

static void test_killed_while_rewriting(void **state)
{
    char path[64];

    (void)state;
    introduce(1);
    for (int i = 0; i < 300; i++) {
        sprintf(path, "/n/%d", i);
        IS("OK", write_node(0, 0, path, "v"));
    }
    for (volatile int when = 0; when < 4; when++) {
        kill_in = when;
        if (setjmp(killed))
            restart(REPLAYED);
        else
            journal_write_all(append_or_die);
        kill_in = -1;
        IS("v", read_node(0, 0, "/n/299"));
        IS("OK", write_node(1, 0, "x", "v"));
    }
}

/* The journal's first n bytes, or with a byte changed. What is whole before the damage holds; nothing crashes, hangs or is believed. */
static void test_damaged_journal(void **state)
{
    struct xenstore_domain_interface was[2];
    char *whole;
    size_t n;

    (void)state;
    introduce(1);
    IS("OK", write_node(1, 0, "a/b", "v"));
    IS("OK", ASK(1, XS_WATCH, 0, "a\0t"));
    hear(1);
    begin(1);
    IS("OK", write_node(0, 0, "/last", "v"));
    n = bytes_left(&journal);
    whole = malloc(n);
    memcpy(whole, journal.data + journal.from, n);
    memcpy(was, page, sizeof(was));
    for (size_t at = 0; at < 2 * n; at++) {
        bytes_free(&journal);
        bytes_add(&journal, whole, at < n ? at : n);
        if (at >= n)
            journal.data[at - n] ^= (char)(1 << at % 8);
        memcpy(page, was, sizeof(was));
        store.replaying = true;
        store_close();
        start_again();
        enum replayed how = journal_replay(journal.data, bytes_left(&journal));
        if (how == REPLAYED_NOT || !store.conn_of[0])
            continue;
        assert_true(how == REPLAYED_CUT);
        IS("OK", write_node(0, 0, "/news", "v"));            /* the rings go on */
        if (store.conn_of[1] && tree_find(store.root, "/local/domain/1/a"))
            IS("v", read_node(1, 0, "a/b"));
        ASK(0, XS_CONTROL, 0, "check");
        assert_non_null(strstr(last.text, " 0 wrong"));
    }
    free(whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_killed_anywhere), T(test_rewrite), T(test_torn_journal), T(test_sent_since_the_record), T(test_killed_while_rewriting), T(test_damaged_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* tools_store_hostile.c: guests that take too much, speak nonsense or do not listen; and numbers that are used again.
 *
 * Claims (SPEC 11.4): quotas hold; a hostile ring harms its own connection only; a domain's end takes its nodes and rights. A failure means
 * that one guest stops the store for all, or that a new guest has rights of a dead one.                   */
#include "tests/host/store_world.h"

/* ---- quotas -------------------------------------------------------------------------------------------------------- */

static void test_quotas(void **state)
{
    char path[64], value[3000];
    int made;

    (void)state;
    introduce(1);
    for (made = 0; made < 2000; made++) {
        sprintf(path, "data/n%d", made);
        if (strcmp(write_node(1, 0, path, "v"), "OK"))
            break;
    }
    IS("ENOSPC", last.text);
    assert_in_range(made, 900, 1000);
    IS("OK", write_node(1, 0, "data/n1", "again"));          /* what is there may change */
    IS("OK", write_node(0, 0, "/local/domain/1/dom0s", "v"));   /* dom0 is not held up */
    uint32_t t = begin(1);
    IS("ENOSPC", write_node(1, t, "data/in-transaction", "v"));
    IS("OK", ASK(1, XS_TRANSACTION_END, t, "F"));
    t = begin(1);                                            /* looking costs too */
    for (made = 0; made < 100000 && strcmp(ASK(1, XS_READ, t, made % 2 ? "data/n1" : "data/n2"), "ENOSPC"); made++)
        ;
    assert_in_range(made, 1000, 20000);
    IS("OK", ASK(1, XS_TRANSACTION_END, t, "F"));
    assert_int_equal(store.conn_of[1]->trans_bytes, 0);
    IS("OK", ASK(1, XS_RM, 0, "data"));
    IS("OK", write_node(1, 0, "data/n1", "v"));
    memset(value, 'v', sizeof(value));
    value[2048] = '\0';
    IS("OK", write_node(1, 0, "data/n1", value));
    value[2048] = 'v';
    value[2049] = '\0';
    IS("ENOSPC", write_node(1, 0, "data/n1", value));
    for (int i = 0; i < 10; i++)
        begin(1);
    IS("ENOSPC", ASK(1, XS_TRANSACTION_START, 0, ""));
    for (int i = 0; i < 128; i++) {
        int n = sprintf(path, "w%d%ct", i, 0) + 1;
        IS("OK", ask(1, XS_WATCH, 0, path, (size_t)n));
    }
    IS("E2BIG", ASK(1, XS_WATCH, 0, "one-more\0t"));
    IS("ENOSPC", ASK(1, XS_SET_PERMS, 0, "data\0n1\0r2\0r3\0r4\0r5\0r6"));
    IS("OK", ASK(1, XS_RESET_WATCHES, 0, ""));
    hear(1);
}

/* ---- a domain's end --------------------------------------------------------------------------------------------------- */

static void test_reused_number(void **state)
{
    (void)state;
    introduce(1);
    IS("OK", write_node(1, 0, "secret", "old"));
    IS("OK", write_node(0, 0, "/shared", "v"));
    IS("OK", ASK(0, XS_SET_PERMS, 0, "/shared\0n0\0b1\0r2"));
    IS("OK", ASK(1, XS_WATCH, 0, "/shared\0w"));
    begin(1);
    IS("OK", ASK(0, XS_RELEASE, 0, "1"));
    IS("ENOENT", ASK(0, XS_RELEASE, 0, "1"));
    IS("ENOENT", read_node(0, 0, "/local/domain/1/secret"));
    ASK(0, XS_GET_PERMS, 0, "/shared");
    assert_int_equal(last.len, 6);
    assert_memory_equal(last.text, "n0\0r2\0", 6);
    assert_int_equal(tree_held[1].owned, 0);
    memset(&page[1], 0, sizeof(page[1]));
    introduce(1);
    IS("EACCES", read_node(1, 0, "/shared"));
    IS("OK", write_node(0, 0, "/shared", "w"));
    events[0] = '\0';
    IS("", hear(1));
}

/* ---- hostile rings ------------------------------------------------------------------------------------------------------ */

static void test_bad_indices(void **state)
{
    (void)state;
    introduce(1);
    introduce(2);
    page[1].req_prod = page[1].req_cons + XENSTORE_RING_SIZE + 1;
    event_of(1);
    for (int i = 0; i < 10; i++)
        conns_serve();
    page[1].req_prod = page[1].req_cons + 20;
    event_of(1);
    IS("OK", write_node(2, 0, "x", "fine"));
    IS("fine", read_node(2, 0, "x"));
    IS("OK", write_node(0, 0, "/x", "fine"));
    assert_true(store.conn_of[1]->broken);
    /* A length that no message has. */
    struct xsd_sockmsg head = { XS_READ, 1, 0, 0x7fffffff };
    put(2, &head, sizeof(head));
    conns_serve();
    IS("fine", read_node(0, 0, "/x"));
    assert_true(store.conn_of[2]->broken);
}

/* The rest of a message that never comes; a message larger than the ring; one byte at a time. */
static void test_slow_sender(void **state)
{
    char text[XENSTORE_PAYLOAD_MAX];
    struct xsd_sockmsg head = { XS_WRITE, 7, 0, 3000 };
    struct answer a;

    (void)state;
    introduce(1);
    memset(text, 'x', sizeof(text));
    strcpy(text, "big");
    put(0, &head, sizeof(head));
    put(0, text, 3000);
    assert_true(next(0, &a));
    IS("OK", a.text);
    head.len = 100;
    for (size_t i = 0; i < sizeof(head); i++) {
        put(1, (char *)&head + i, 1);
        conns_serve();
        assert_int_equal(page[1].req_cons, page[1].req_prod);    /* Linux sends no event for the rest otherwise */
    }
    for (int i = 0; i < 99; i++) {
        put(1, text + i, 1);
        conns_serve();
    }
    IS("OK", write_node(0, 0, "/x", "fine"));
    put(1, text + 99, 1);
    assert_true(next(1, &a));
    IS("OK", a.text);
}

static void test_deaf_reader(void **state)
{
    (void)state;
    introduce(1);
    IS("OK", ASK(1, XS_WATCH, 0, "a\0t"));
    for (int i = 0; i < 5000; i++) {
        char path[64];
        sprintf(path, "/local/domain/1/a/%d", i % 500);
        IS("OK", write_node(0, 0, path, "v"));
    }
    for (int i = 0; i < 200; i++) {                          /* requests whose answers it does not take */
        struct xsd_sockmsg head = { XS_READ, 1, 0, 2 };
        if (page[1].req_prod - page[1].req_cons > XENSTORE_RING_SIZE - 18)
            break;
        put(1, &head, sizeof(head));
        put(1, "a", 2);
        conns_serve();
    }
    struct conn *c = store.conn_of[1];
    assert_true(bytes_left(&c->queue) <= quota.out_bytes + 8192);
    IS("v", read_node(0, 0, "/local/domain/1/a/1"));
}

static void test_random_messages(void **state)
{
    uint32_t seed = 12345;
    struct answer a;

    (void)state;
    introduce(1);
    introduce(2);
    for (int round = 0; round < 20000; round++) {
        char text[64];
        struct xsd_sockmsg head;

        seed = seed * 1664525 + 1013904223;
        head = (struct xsd_sockmsg){ seed >> 8 & 31, (uint32_t)round, seed >> 16 & 3 ? 0 : seed >> 20 & 15, seed >> 24 & 63 };
        for (unsigned i = 0; i < sizeof(text); i++) {
            seed = seed * 1664525 + 1013904223;
            text[i] = "a/b1nr0\0@T"[(seed >> 16) % 10];
        }
        put(1, &head, sizeof(head));
        put(1, text, head.len);
        while (next(1, &a))
            ;
    }
    assert_false(store.conn_of[1]->broken);
    ASK(0, XS_CONTROL, 0, "check");
    assert_non_null(strstr(last.text, " 0 wrong"));
    IS("OK", write_node(2, 0, "x", "fine"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_quotas), T(test_reused_number), T(test_bad_indices), T(test_slow_sender), T(test_deaf_reader),
        T(test_random_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

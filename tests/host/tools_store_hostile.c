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
    IS("OK", ASK(1, XS_RM, 0, "data"));
    t = begin(1);                                            /* as much as anybody wants at once */
    for (made = 0; made < 450; made++) {
        sprintf(path, "data/n%d", made);
        IS("OK", write_node(1, t, path, "v"));
    }
    IS("OK", ASK(1, XS_TRANSACTION_END, t, "T"));
    t = begin(1);                                            /* looking costs too */
    for (made = 0; made < 100000; made++) {
        int n = sprintf(path, "data/n%d", made % 400) + 1;
        if (!strcmp(ask(1, XS_READ, t, path, (size_t)n), "ENOSPC"))
            break;
    }
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

/* Linux says that it has read only if the ring was full: what waits for room must fill it, or it never comes. */
static void test_quiet_reader(void **state)
{
    struct answer a;
    int heard = 0;

    (void)state;
    introduce(1);
    IS("OK", ASK(1, XS_WATCH, 0, "a\0token-that-takes-room"));
    for (int i = 0; i < 100; i++) {
        char path[64];
        sprintf(path, "/local/domain/1/a/node-%d", i);
        IS("OK", write_node(0, 0, path, "v"));
    }
    while (next(1, &a))
        heard += a.type == XS_WATCH_EVENT;
    assert_int_equal(heard, 101);
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

/* ---- what the daemons before ours were broken by --------------------------------------------------------------------- */

static int ask_path(int dom, uint32_t type, uint32_t tx, const char *path) { return ask(dom, type, tx, path, strlen(path) + 1), last.type == XS_ERROR; }

static void give(const char *path, const char *perms, size_t n)
{
    char text[256];
    size_t at = (size_t)sprintf(text, "%s", path) + 1;

    memcpy(text + at, perms, n);
    IS("OK", ask(0, XS_SET_PERMS, 0, text, at + n));
}
#define GIVE(path, perms) give(path, perms, sizeof(perms))

/* A chain as deep as a path can be: walked, written down, removed, with little stack and no square of its depth (XSA-418). */
static void test_deep_chain(void **state)
{
    char path[XENSTORE_REL_PATH_MAX + 1];
    size_t n = 0;

    (void)state;
    introduce(1);
    IS("OK", ASK(0, XS_CONTROL, 0, "quota\0nodes\0002000"));
    for (; n + 2 <= sizeof(path); n += 2)
        memcpy(path + n, "a/", 2);
    path[n - 1] = '\0';
    size_t before = bytes_left(&journal);
    for (int i = 0; i < 20; i++) {
        IS("OK", write_node(1, 0, path, "v"));
        IS("v", read_node(1, 0, path));
        IS("OK", ASK(1, XS_RM, 0, "a"));
    }
    assert_true(bytes_left(&journal) - before < 20 * 200000);
    IS("OK", write_node(1, 0, path, "v"));
    rewrite();
    restart(REPLAYED);
    IS("v", read_node(1, 0, path));
    IS("OK", ASK(0, XS_CONTROL, 0, "quota\0nodes\0001000"));
    IS("OK", ASK(0, XS_RELEASE, 0, "1"));
    assert_int_equal(tree_held[1].owned, 0);
    assert_int_equal(tree_held[1].bytes, 0);
}

/* Old versions that open transactions hold on to do not take memory without limit (XSA-326): the one with most loses some. */
static void test_pinned_versions(void **state)
{
    static char value[2000];
    char path[64];
    uint32_t first = 0, t;

    (void)state;
    introduce(1);
    introduce(2);
    introduce(3);
    memset(value, 'v', sizeof(value) - 1);
    uint32_t modest = begin(3);
    IS("ENOENT", read_node(3, modest, "nothing"));
    for (int round = 0; round < 10; round++) {
        t = begin(1);
        first = first ? first : t;
        for (int i = 0; i < 400; i++) {
            sprintf(path, "n%d", i);
            value[0] = (char)('a' + round);
            IS("OK", write_node(2, 0, path, value));
        }
        assert_in_range(tree_bytes, 0, 8 << 20);
    }
    IS("EAGAIN", ASK(1, XS_TRANSACTION_END, first, "T"));
    IS("OK", ASK(1, XS_TRANSACTION_END, t, "T"));
    IS("OK", ASK(3, XS_TRANSACTION_END, modest, "T"));
}

/* All that a domain's nodes take is bounded, not only their number; in a transaction as well. */
static void test_bytes_of_nodes(void **state)
{
    static char value[2001];
    char path[64];
    int made = 0;

    (void)state;
    introduce(1);
    memset(value, 'v', sizeof(value) - 1);
    for (; made < 1000 && (sprintf(path, "n%d", made), !strcmp(write_node(1, 0, path, value), "OK")); made++)
        ;
    IS("ENOSPC", last.text);
    assert_in_range(made, 400, 550);
    uint32_t t = begin(1);
    IS("ENOSPC", write_node(1, t, "more", value));
    IS("OK", ASK(1, XS_TRANSACTION_END, t, "T"));
    IS("OK", write_node(1, 0, "n1", "less"));
    assert_in_range(tree_held[1].bytes, 0, quota.node_bytes);
    ASK(0, XS_CONTROL, 0, "check");
    assert_non_null(strstr(last.text, " 0 wrong"));
}

/* A transaction's memory is counted whatever it is made of. */
static void test_notes_of_transactions(void **state)
{
    static const uint32_t types[] = { XS_READ, XS_DIRECTORY, XS_WRITE, XS_MKDIR, XS_RM, XS_SET_PERMS };
    static char text[XENSTORE_REL_PATH_MAX + 16];

    (void)state;
    introduce(1);
    for (size_t k = 0; k < sizeof(types) / sizeof(types[0]); k++) {
        uint32_t t = begin(1);
        for (int i = 0; i < 3000; i++) {
            size_t n = XENSTORE_REL_PATH_MAX - 40;
            memset(text, 'a', n);
            n += (size_t)sprintf(text + n, "%d", i % 500) + 1;
            if (types[k] == XS_SET_PERMS)
                n += (size_t)sprintf(text + n, "n1") + 1;
            ask(1, types[k], t, text, n);
        }
        assert_in_range(store.conn_of[1]->trans_bytes, 0, quota.trans_bytes);
        assert_in_range(tree_bytes, 0, 3 << 20);
        IS("OK", ASK(1, XS_TRANSACTION_END, t, "F"));
        assert_int_equal(store.conn_of[1]->trans_bytes, 0);
    }
}

/* Nothing that a dead domain had waits for the next of its number: rights on special watches, being somebody's target, nodes below
 * others' nodes, rights far away (XSA-322); and all is counted right after. */
static void test_rights_of_the_dead(void **state)
{
    (void)state;
    introduce(1);
    introduce(2);
    GIVE("@introduceDomain", "n0\0r1\0r2");
    IS("OK", write_node(0, 0, "/tool/deep/er/node", "v"));
    GIVE("/tool/deep/er/node", "n0\0w1\0r2");
    IS("OK", write_node(0, 0, "/open", ""));
    GIVE("/open", "b0");
    IS("OK", write_node(1, 0, "/open/of-1", "v"));
    IS("OK", write_node(2, 0, "/open/of-2", "v"));
    IS("OK", ASK(0, XS_SET_TARGET, 0, "2\0001"));
    IS("OK", write_node(2, 0, "/local/domain/1/x", "v"));
    IS("OK", ASK(0, XS_RELEASE, 0, "1"));
    introduce(1);
    restart(REPLAYED);
    IS("EACCES", write_node(2, 0, "/local/domain/1/x", "v"));
    ASK(0, XS_GET_PERMS, 0, "@introduceDomain");
    assert_memory_equal(last.text, "n0\0r2\0", 6);
    IS("EACCES", write_node(1, 0, "/tool/deep/er/node", "v"));
    IS("ENOENT", read_node(0, 0, "/open/of-1"));
    IS("v", read_node(0, 0, "/open/of-2"));
    assert_int_equal(tree_held[1].named, 0);
    ASK(0, XS_CONTROL, 0, "check");
    assert_non_null(strstr(last.text, " 0 wrong"));
}

/* Requests where nobody would send them: inside a transaction, again and again (XSA-425, 481). */
static void test_out_of_place(void **state)
{
    (void)state;
    introduce(1);
    uint32_t t = begin(1);
    IS("EBUSY", ASK(1, XS_TRANSACTION_START, t, ""));
    IS("OK", ASK(1, XS_WATCH, t, "a\0t"));
    IS("OK", write_node(1, t, "a", "v"));
    IS("OK", ASK(1, XS_RESET_WATCHES, t, ""));
    IS("ENOENT", ASK(1, XS_TRANSACTION_END, t, "T"));
    t = begin(1);
    IS("OK", ASK(0, XS_INTRODUCE, 0, "1\000101\0001"));      /* its kernel starts anew */
    assert_int_equal(page[1].req_prod | page[1].req_cons | page[1].rsp_prod | page[1].rsp_cons, 0);
    IS("ENOENT", ASK(1, XS_TRANSACTION_END, t, "T"));
    IS("OK", write_node(1, 0, "a", "v"));
    IS("OK", ASK(0, XS_INTRODUCE, 0, "1\000102\0001"));      /* another page */
    IS("v", read_node(1, 0, "a"));
    restart(REPLAYED);
    IS("v", read_node(1, 0, "a"));
    static const uint32_t all[] = { XS_WATCH_EVENT, XS_ERROR, 20, XS_TYPE_COUNT, XS_INVALID, ~0u };
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        IS("ENOSYS", ask(1, all[i], 0, "a", 2));
    for (uint32_t type = 0; type < XS_TYPE_COUNT; type++) {   /* empty, only zeros, without a zero */
        char zeros[64] = "";
        ask(1, type, 0, "", 0);
        ask(1, type, 0, zeros, sizeof(zeros));
        memset(zeros, 'x', sizeof(zeros));
        ask(1, type, 0, zeros, sizeof(zeros));
    }
    IS("EACCES", ASK(1, XS_SET_PERMS, 0, "/\0n1"));
    IS("EACCES", ASK(1, XS_RM, 0, "/"));
    IS("OK", ASK(0, XS_WATCH, 0, "/\0t\0" "1"));              /* the protocol keeps room behind */
    ASK(0, XS_CONTROL, 0, "check");
    assert_non_null(strstr(last.text, " 0 wrong"));
}

/* No answer is larger than a message, whatever was made (XSA-72). */
static void test_large_answers(void **state)
{
    char text[XENSTORE_PAYLOAD_MAX], path[64];
    struct answer a;

    (void)state;
    introduce(1);
    for (int i = 0; i < 900; i++) {
        sprintf(path, "d/long-name-of-a-node-%d", i);
        IS("OK", write_node(1, 0, path, ""));
    }
    IS("E2BIG", ASK(1, XS_DIRECTORY, 0, "d"));
    assert_true(ask_path(1, XS_READ, 0, "absent"));
    memset(text, 't', sizeof(text));                          /* path and token fill a message: with a longer path, no event */
    memcpy(text, "d", 2);
    text[sizeof(text) - 1] = '\0';
    IS("OK", ask(1, XS_WATCH, 0, text, sizeof(text)));
    while (next(1, &a))
        assert_true(a.len <= XENSTORE_PAYLOAD_MAX);
    IS("OK", write_node(1, 0, "d/x", "v"));
    while (next(1, &a))
        fail_msg("an event of %zu bytes", a.len);
}

/* What dom0 has set stays set, and a restart does not lift it. */
static void test_quotas_stay(void **state)
{
    struct quota was = quota;

    (void)state;
    introduce(1);
    IS("OK", ASK(0, XS_CONTROL, 0, "quota\0watches\0001"));
    IS("EINVAL", ASK(0, XS_CONTROL, 0, "quota\0nonsense\0001"));
    IS("EACCES", ASK(1, XS_CONTROL, 0, "quota\0watches\000100"));
    quota = was;                                              /* as a new process has them */
    restart(REPLAYED);
    assert_int_equal(quota.watches, 1);
    rewrite();
    quota = was;
    restart(REPLAYED);
    IS("OK", ASK(1, XS_WATCH, 0, "a\0t"));
    IS("E2BIG", ASK(1, XS_WATCH, 0, "b\0t"));
    quota = was;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_quotas), T(test_reused_number), T(test_bad_indices), T(test_slow_sender), T(test_deaf_reader), T(test_quiet_reader),
        T(test_random_messages),
        T(test_deep_chain), T(test_pinned_versions), T(test_bytes_of_nodes), T(test_notes_of_transactions), T(test_rights_of_the_dead),
        T(test_out_of_place), T(test_large_answers), T(test_quotas_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

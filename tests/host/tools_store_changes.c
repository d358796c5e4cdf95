/* SPDX-License-Identifier: MIT */
/* tools_store_changes.c: watches and transactions.
 *
 * Claims (SPEC 11.4): who watches hears of each change that it may know of, and of no other; a transaction sees and makes all or nothing, and
 * nobody can hold up another's for ever. A failure means that drivers miss each other, or that one guest learns what another does.  */
#include "tests/host/store_world.h"

/* ---- watches --------------------------------------------------------------------------------------------------- */

static void test_watches(void **state)
{
    (void)state;
    introduce(1);
    events[0] = '\0';
    IS("OK", ASK(1, XS_WATCH, 0, "a\0t"));
    IS("a t;", hear(1));                                    /* once at once */
    IS("EEXIST", ASK(1, XS_WATCH, 0, "a\0t"));
    IS("OK", ASK(1, XS_WATCH, 0, "/local/domain/1/a\0abs"));
    IS("/local/domain/1/a abs;", hear(1));
    IS("OK", write_node(0, 0, "/local/domain/1/a/b/c", "v"));
    IS("/local/domain/1/a/b/c abs;a/b/c t;", hear(1));
    IS("OK", write_node(0, 0, "/local/domain/1/ab", "v"));
    IS("", hear(1));                                        /* not below a */
    IS("OK", ASK(1, XS_UNWATCH, 0, "/local/domain/1/a\0abs"));
    IS("ENOENT", ASK(1, XS_UNWATCH, 0, "/local/domain/1/a\0abs"));
    IS("OK", ASK(1, XS_WATCH, 0, "a/b\0deep"));
    hear(1);
    IS("OK", ASK(0, XS_RM, 0, "/local/domain/1/a"));
    IS("a t;a/b deep;", hear(1));
    IS("OK", ASK(1, XS_RESET_WATCHES, 0, ""));
    IS("OK", write_node(0, 0, "/local/domain/1/a", "v"));
    IS("", hear(1));
    /* What is not to be read is not heard of. */
    IS("OK", ASK(1, XS_WATCH, 0, "/secret\0s"));
    hear(1);
    IS("OK", write_node(0, 0, "/secret/x", "v"));
    IS("", hear(1));
    IS("OK", ASK(0, XS_WATCH, 0, "@introduceDomain\0i"));
    IS("OK", ASK(0, XS_WATCH, 0, "@releaseDomain\0r"));
    hear(0);
    introduce(2);
    IS("@introduceDomain i;", hear(0));
    IS("OK", ASK(0, XS_RELEASE, 0, "2"));
    IS("@releaseDomain r;", hear(0));
    /* A guest hears of them only if dom0 lets it. */
    IS("OK", ASK(1, XS_WATCH, 0, "@introduceDomain\0g"));
    hear(1);
    introduce(2);
    hear(0);
    IS("", hear(1));
    IS("OK", ASK(0, XS_SET_PERMS, 0, "@introduceDomain\0n0\0r1"));
    ASK(0, XS_RELEASE, 0, "2");
    introduce(2);
    hear(0);
    IS("@introduceDomain g;", hear(1));
}

/* ---- transactions ------------------------------------------------------------------------------------------------- */

static void test_transactions(void **state)
{
    (void)state;
    uint32_t t, u;

    IS("OK", write_node(0, 0, "/t/a", "1"));
    t = begin(0);
    IS("OK", write_node(0, t, "/t/a", "2"));
    IS("OK", write_node(0, t, "/t/new/deep", "3"));
    IS("2", read_node(0, t, "/t/a"));
    IS("1", read_node(0, 0, "/t/a"));                        /* isolation */
    IS("ENOENT", read_node(0, 0, "/t/new"));
    IS("OK", ASK(0, XS_TRANSACTION_END, t, "T"));
    IS("2", read_node(0, 0, "/t/a"));
    IS("3", read_node(0, 0, "/t/new/deep"));
    t = begin(0);
    IS("OK", write_node(0, t, "/t/a", "9"));
    IS("OK", ASK(0, XS_TRANSACTION_END, t, "F"));
    IS("2", read_node(0, 0, "/t/a"));
    IS("ENOENT", ASK(0, XS_TRANSACTION_END, t, "T"));
    /* What was read has changed. */
    t = begin(0);
    IS("2", read_node(0, t, "/t/a"));
    IS("OK", write_node(0, t, "/t/b", "1"));
    IS("OK", write_node(0, 0, "/t/a", "5"));
    IS("2", read_node(0, t, "/t/a"));
    IS("EAGAIN", ASK(0, XS_TRANSACTION_END, t, "T"));
    IS("ENOENT", read_node(0, 0, "/t/b"));
    /* A list that was read has changed. */
    t = begin(0);
    ASK(0, XS_DIRECTORY, t, "/t");
    IS("OK", write_node(0, 0, "/t/other", "1"));
    IS("EAGAIN", ASK(0, XS_TRANSACTION_END, t, "T"));
    t = begin(0);
    ASK(0, XS_DIRECTORY, t, "/t");
    IS("OK", write_node(0, t, "/elsewhere", "1"));
    IS("OK", ASK(0, XS_RM, 0, "/t/other"));
    IS("EAGAIN", ASK(0, XS_TRANSACTION_END, t, "T"));
    /* Two that touch different nodes of one directory. */
    t = begin(0);
    u = begin(0);
    IS("OK", write_node(0, t, "/t/x", "1"));
    IS("OK", write_node(0, u, "/t/y", "1"));
    IS("OK", ASK(0, XS_TRANSACTION_END, t, "T"));
    IS("OK", ASK(0, XS_TRANSACTION_END, u, "T"));
    IS("1", read_node(0, 0, "/t/x"));
    IS("1", read_node(0, 0, "/t/y"));
    /* Removed within, looked for within. */
    t = begin(0);
    IS("OK", ASK(0, XS_RM, t, "/t"));
    IS("ENOENT", read_node(0, t, "/t/x"));
    IS("1", read_node(0, 0, "/t/x"));
    IS("OK", write_node(0, t, "/t/z", "1"));
    IS("OK", ASK(0, XS_TRANSACTION_END, t, "T"));
    IS("ENOENT", read_node(0, 0, "/t/x"));
    IS("1", read_node(0, 0, "/t/z"));
    IS("ENOENT", read_node(0, 77, "/t/z"));
    /* Watches fire at the end, not before. */
    IS("OK", ASK(0, XS_WATCH, 0, "/t\0w"));
    hear(0);
    t = begin(0);
    IS("OK", write_node(0, t, "/t/z", "2"));
    IS("", hear(0));
    IS("OK", ASK(0, XS_TRANSACTION_END, t, "T"));
    IS("/t/z w;", hear(0));
}

/* One domain changes what another's transactions read, again and again: the other gets its turn. */
static void test_starvation(void **state)
{
    (void)state;
    int lost = 0;

    introduce(1);
    introduce(2);
    IS("OK", write_node(0, 0, "/shared", "0"));
    IS("OK", ASK(0, XS_SET_PERMS, 0, "/shared\0b0"));
    for (; lost < 20; lost++) {
        uint32_t t = begin(1);
        read_node(1, t, "/shared");
        write_node(1, t, "x", "1");
        send(2, XS_WRITE, 0, "/shared\0y", 9, 1);            /* waits if domain 1 is favoured */
        conns_serve();
        if (!strcmp(ASK(1, XS_TRANSACTION_END, t, "T"), "OK"))
            break;
    }
    assert_in_range(lost, 1, 6);
}

/* ---- what others change meanwhile -------------------------------------------------------------------------------- */

static void perms_of(const char *path, const char *perms, size_t n)
{
    char text[256];
    size_t at = (size_t)sprintf(text, "%s", path) + 1;

    memcpy(text + at, perms, n);
    IS("OK", ask(0, XS_SET_PERMS, 0, text, at + n));
}
#define PERMS(path, list) perms_of(path, list, sizeof(list))

/* What a transaction may do is what it may do at its end: no node below a directory that was closed, or made, meanwhile. */
static void test_rights_at_the_end(void **state)
{
    uint32_t t;

    (void)state;
    introduce(1);
    IS("OK", write_node(0, 0, "/open", ""));
    PERMS("/open", "b0");
    t = begin(1);
    IS("OK", write_node(1, t, "/open/x", "v"));
    PERMS("/open", "r0");
    IS("EAGAIN", ASK(1, XS_TRANSACTION_END, t, "T"));
    IS("ENOENT", read_node(0, 0, "/open/x"));
    PERMS("/open", "b0");
    t = begin(1);
    IS("OK", write_node(1, t, "/open/dom0s/x", "v"));
    IS("OK", write_node(0, 0, "/open/dom0s", "private"));
    PERMS("/open/dom0s", "n0");
    IS("EAGAIN", ASK(1, XS_TRANSACTION_END, t, "T"));
    IS("ENOENT", read_node(0, 0, "/open/dom0s/x"));
    /* What was not there when it was read, and is now. */
    t = begin(1);
    IS("ENOENT", read_node(1, t, "/open/news"));
    IS("OK", write_node(1, t, "mine", "v"));
    IS("OK", write_node(0, 0, "/open/news", "v"));
    IS("EAGAIN", ASK(1, XS_TRANSACTION_END, t, "T"));
    t = begin(1);
    IS("ENOENT", read_node(1, t, "/open/a/b/c"));
    IS("OK", write_node(1, t, "mine", "v"));
    IS("OK", write_node(0, 0, "/open/a", "v"));
    IS("EAGAIN", ASK(1, XS_TRANSACTION_END, t, "T"));
}

/* Who could read a node until now hears that it no longer can; what it may not read it does not hear of (XSA-115). */
static void test_told_of_rights(void **state)
{
    (void)state;
    introduce(1);
    introduce(2);
    IS("OK", write_node(0, 0, "/a/b", "v"));
    PERMS("/a/b", "n0\0r1\0r2");
    IS("OK", ASK(1, XS_WATCH, 0, "/a\0t"));
    IS("OK", ASK(2, XS_WATCH, 0, "/\0t"));
    hear(1), hear(2);
    PERMS("/a/b", "n0\0r2");
    IS("/a/b t;", hear(1));
    IS("/a/b t;", hear(2));
    IS("OK", write_node(0, 0, "/a/b", "w"));
    IS("", hear(1));
    IS("/a/b t;", hear(2));
    PERMS("/a/b", "n0\0r1");
    IS("/a/b t;", hear(1));
    IS("/a/b t;", hear(2));
    IS("OK", write_node(0, 0, "/a/secret/deep", "v"));
    IS("OK", ASK(0, XS_RM, 0, "/a/secret"));
    IS("", hear(1));
    IS("", hear(2));
    /* A node below one that is removed: told to whom it could be read by. */
    IS("OK", ASK(1, XS_WATCH, 0, "/a/b\0exact"));
    hear(1);
    IS("OK", ASK(0, XS_RM, 0, "/a"));
    IS("/a/b exact;", hear(1));
}

/* dom0's transactions too get their turn against a guest that spoils them, and guests cannot have favours one after another. */
static void test_favours(void **state)
{
    int lost = 0;

    (void)state;
    introduce(1);
    introduce(2);
    for (; lost < 20; lost++) {
        uint32_t t = begin(0);
        read_node(0, t, "/local/domain/1/data");
        write_node(0, t, "/tool/x", "1");
        send(1, XS_WRITE, 0, "data\0y", 6, 1);
        serve_all();
        if (!strcmp(ASK(0, XS_TRANSACTION_END, t, "T"), "OK"))
            break;
        clock_ms += 5;
    }
    assert_in_range(lost, 1, 6);
    serve_all();
    while (page[1].rsp_cons != page[1].rsp_prod)
        page[1].rsp_cons = page[1].rsp_prod, event_of(1), serve_all();
    /* Domain 2 loses again and again to 1: in a second the others wait no more than a third of it. */
    IS("OK", write_node(0, 0, "/shared", ""));
    PERMS("/shared", "b0");
    unsigned waits = 0;
    for (unsigned ms = 0; ms < 1000; ms += 5) {
        clock_ms += 5;
        uint32_t t = begin(2);
        waits += store.favoured != NULL;
        read_node(2, t, "/shared");
        write_node(2, t, "x", "1");
        if (!store.favoured)
            write_node(1, 0, "/shared", "y");
        else
            clock_ms += 95, ms += 95;            /* it takes as long as it is let */
        ASK(2, XS_TRANSACTION_END, t, "T");
    }
    assert_in_range(waits, 1, 4);
}

/* Nodes that a transaction of dom0's was to give to a domain that is gone by then. */
static void test_gone_meanwhile(void **state)
{
    (void)state;
    introduce(1);
    IS("OK", write_node(1, 0, "a", "v"));
    uint32_t t = begin(0), u = begin(1);
    IS("v", read_node(0, t, "/local/domain/1/a"));
    IS("OK", write_node(0, t, "/result", "seen"));
    IS("OK", write_node(1, u, "a", "w"));
    IS("OK", ASK(0, XS_RELEASE, 0, "1"));
    IS("EAGAIN", ASK(0, XS_TRANSACTION_END, t, "T"));
    IS("ENOENT", read_node(0, 0, "/local/domain/1/a"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_watches), T(test_transactions), T(test_starvation), T(test_rights_at_the_end), T(test_told_of_rights),
        T(test_favours), T(test_gone_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

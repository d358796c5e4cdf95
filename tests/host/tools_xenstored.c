/* SPDX-License-Identifier: MIT */
/* tools_xenstored.c: the store's core, in one process: rings are pages of ours, the journal a row of bytes.
 *
 * Claims (SPEC 11.4): each request answers as Xen's daemon does; permissions, quotas and path rules hold; a transaction sees and
 * makes all or nothing; a domain's end takes its nodes and rights; a hostile ring harms its own connection only; and a
 * daemon killed at any point is taken up without a request lost or answered twice. A failure of the last means that
 * a killed xenstored hangs or corrupts a guest.                                                                   */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "dom0-tools/xenstored/xenstored.h"

/* ---- the world around the daemon -------------------------------------------------------------------- */

#define PAGES 8
static struct xenstore_domain_interface page[PAGES];
static struct bytes journal;
static uint64_t clock_ms;
static jmp_buf killed;
static long kill_in = -1;                       /* so many calls from now the daemon is killed; -1: never */

static void maybe_die(void)
{
    if (kill_in >= 0 && kill_in-- == 0)
        longjmp(killed, 1);
}

static struct xenstore_domain_interface *map(uint16_t domid, uint64_t mfn)
{
    (void)mfn;
    return domid < PAGES ? &page[domid] : NULL;
}

static void unmap(uint16_t domid, struct xenstore_domain_interface *p) { (void)domid; (void)p; }
static int bind_port(uint16_t domid, uint32_t port) { (void)port; return domid; }
static void unbind_port(int port) { (void)port; }
static void notify(int port) { (void)port; maybe_die(); }
static uint64_t now_ms(void) { return clock_ms; }

static bool append(const void *data, size_t n)
{
    maybe_die();
    bytes_add(&journal, data, n);
    maybe_die();
    return true;
}

static const struct outside outside = { map, unmap, bind_port, unbind_port, notify, now_ms, append };

static void start(void)
{
    memset(page, 0, sizeof(page));
    bytes_free(&journal);
    assert_true(store_open(&outside));
    struct conn *c = conn_add(0, 0, 1);
    assert_non_null(c);
    journal_conn(c);
    conn_touch(c);
    conns_publish();
}

static void finish(void)
{
    store_close();
    bytes_free(&journal);
}

static int set_up(void **state) { (void)state; kill_in = -1; clock_ms = 1000; start(); return 0; }
static int tear_down(void **state) { (void)state; finish(); return 0; }

/* ---- a client ------------------------------------------------------------------------------------------- */

struct answer { uint32_t type, id; size_t len; char text[XENSTORE_PAYLOAD_MAX + 1]; };

static void put(int dom, const void *data, size_t n)
{
    struct xenstore_domain_interface *p = &page[dom];
    const char *from = data;

    while (n) {
        if (p->req_prod - p->req_cons == XENSTORE_RING_SIZE) {
            uint32_t before = p->req_cons;
            conns_serve();
            if (p->req_cons == before)
                fail_msg("the ring is full and nobody reads it");
        }
        p->req[MASK_XENSTORE_IDX(p->req_prod++)] = *from++;
        n--;
    }
}

static size_t get(int dom, void *data, size_t n)
{
    struct xenstore_domain_interface *p = &page[dom];
    size_t done = 0;

    for (; done < n; done++) {
        for (int i = 0; i < 20 && p->rsp_cons == p->rsp_prod; i++)
            conns_serve();
        if (p->rsp_cons == p->rsp_prod)
            break;
        ((char *)data)[done] = p->rsp[MASK_XENSTORE_IDX(p->rsp_cons++)];
    }
    return done;
}

static bool next(int dom, struct answer *a)
{
    struct xsd_sockmsg head;

    if (get(dom, &head, sizeof(head)) != sizeof(head))
        return false;
    assert_true(head.len <= XENSTORE_PAYLOAD_MAX);
    a->type = head.type;
    a->id = head.req_id;
    a->len = head.len;
    assert_int_equal(get(dom, a->text, head.len), head.len);
    a->text[head.len] = '\0';
    return true;
}

static void send(int dom, uint32_t type, uint32_t tx, const void *text, size_t n, uint32_t id)
{
    struct xsd_sockmsg head = { type, id, tx, (uint32_t)n };

    put(dom, &head, sizeof(head));
    put(dom, text, n);
}

static struct answer last;
static char events[8192];                       /* "path token;" of each that came */

/* Sends a request and waits for its answer; watch events on the way are noted. */
static const char *ask(int dom, uint32_t type, uint32_t tx, const void *text, size_t n)
{
    static uint32_t id;

    send(dom, type, tx, text, n, ++id);
    for (;;) {
        if (!next(dom, &last))
            return "nothing";
        if (last.type == XS_WATCH_EVENT) {
            size_t at = strlen(events);
            snprintf(events + at, sizeof(events) - at, "%s %s;", last.text, last.text + strlen(last.text) + 1);
            continue;
        }
        assert_int_equal(last.id, id);
        if (last.type != XS_ERROR)
            assert_int_equal(last.type, type);
        return last.text;
    }
}

#define ASK(dom, type, tx, s) ask(dom, type, tx, s, sizeof(s))         /* s with its zero */
#define IS(expected, got) assert_string_equal(got, expected)

static const char *hear(int dom)
{
    struct answer a;

    while (next(dom, &a)) {
        assert_int_equal(a.type, XS_WATCH_EVENT);
        size_t at = strlen(events);
        snprintf(events + at, sizeof(events) - at, "%s %s;", a.text, a.text + strlen(a.text) + 1);
    }
    static char heard[sizeof(events)];
    strcpy(heard, events);
    events[0] = '\0';
    return heard;
}

static const char *write_node(int dom, uint32_t tx, const char *path, const char *value)
{
    char text[4096];
    size_t n = strlen(path) + 1, v = strlen(value);

    memcpy(text, path, n);
    memcpy(text + n, value, v);
    return ask(dom, XS_WRITE, tx, text, n + v);
}

static const char *read_node(int dom, uint32_t tx, const char *path)
{
    return ask(dom, XS_READ, tx, path, strlen(path) + 1);
}

static void introduce(int dom)
{
    char text[64], path[64], perm[128];

    int n = sprintf(text, "%d%c%d%c%d", dom, 0, 100 + dom, 0, 1) + 1;
    IS("OK", ask(0, XS_INTRODUCE, 0, text, (size_t)n));
    sprintf(path, "/local/domain/%d", dom);
    IS("OK", ask(0, XS_MKDIR, 0, path, strlen(path) + 1));
    n = sprintf(perm, "%s%cn%d", path, 0, dom) + 1;
    IS("OK", ask(0, XS_SET_PERMS, 0, perm, (size_t)n));
}

static uint32_t begin(int dom)
{
    const char *id = ASK(dom, XS_TRANSACTION_START, 0, "");
    return (uint32_t)atoi(id);
}

/* ---- requests ----------------------------------------------------------------------------------------------- */

static void test_values(void **state)
{
    (void)state;
    IS("ENOENT", read_node(0, 0, "/a/b"));
    IS("OK", write_node(0, 0, "/a/b", "value"));
    IS("value", read_node(0, 0, "/a/b"));
    IS("", read_node(0, 0, "/a"));
    IS("OK", write_node(0, 0, "rel", "x"));
    IS("x", read_node(0, 0, "/local/domain/0/rel"));
    IS("OK", ASK(0, XS_MKDIR, 0, "/a/dir"));
    IS("OK", ASK(0, XS_MKDIR, 0, "/a/b"));
    IS("value", read_node(0, 0, "/a/b"));
    ASK(0, XS_DIRECTORY, 0, "/a");
    assert_int_equal(last.len, 6);
    assert_memory_equal(last.text, "b\0dir\0", 6);
    IS("OK", ASK(0, XS_RM, 0, "/a/dir"));
    IS("OK", ASK(0, XS_RM, 0, "/a/dir"));
    IS("ENOENT", ASK(0, XS_RM, 0, "/x/y/z"));
    IS("EINVAL", ASK(0, XS_RM, 0, "/"));
    IS("OK", ASK(0, XS_RM, 0, "/a"));
    IS("ENOENT", read_node(0, 0, "/a/b"));
    IS("ENOSYS", ask(0, 20, 0, "x", 2));
    IS("ENOSYS", ask(0, 99, 0, "x", 2));
    IS("EINVAL", ask(0, XS_READ, 0, "/a", 2));               /* no zero */
    IS("EINVAL", ask(0, XS_READ, 0, "/a\0b", 5));            /* two strings */
    IS("EINVAL", ask(0, XS_READ, 0, "", 0));
    IS("/local/domain/5", ASK(0, XS_GET_DOMAIN_PATH, 0, "5"));
    IS("F", ASK(0, XS_IS_DOMAIN_INTRODUCED, 0, "5"));
    IS("T", ASK(0, XS_IS_DOMAIN_INTRODUCED, 0, "0"));
    IS("EINVAL", ASK(0, XS_GET_DOMAIN_PATH, 0, "five"));
}

static void test_paths(void **state)
{
    char longest[PATH_MOST + 64];

    (void)state;
    static const char *const bad[] = { "", "/a//b", "/a/", "/a b", "/a.b", "a/", "@x", "/ä", "/a*" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        IS("EINVAL", write_node(0, 0, bad[i], "v"));
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[XENSTORE_ABS_PATH_MAX] = '\0';
    IS("OK", write_node(0, 0, longest, "v"));
    longest[XENSTORE_ABS_PATH_MAX] = 'a';
    longest[XENSTORE_ABS_PATH_MAX + 1] = '\0';
    IS("EINVAL", write_node(0, 0, longest, "v"));
    longest[0] = 'a';
    longest[XENSTORE_REL_PATH_MAX] = '\0';
    IS("OK", write_node(0, 0, longest, "v"));
    longest[XENSTORE_REL_PATH_MAX] = 'a';
    longest[XENSTORE_REL_PATH_MAX + 1] = '\0';
    IS("EINVAL", write_node(0, 0, longest, "v"));
}

static void test_directory_part(void **state)
{
    char path[32], all[16384], generation[32] = "";
    size_t have = 0;
    int names = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        sprintf(path, "/big/node-%d", i);
        IS("OK", write_node(0, 0, path, ""));
    }
    IS("E2BIG", ASK(0, XS_DIRECTORY, 0, "/big"));
    for (bool end = false; !end;) {
        char args[64];
        int n = sprintf(args, "/big%c%zu", 0, have) + 1;
        ask(0, XS_DIRECTORY_PART, 0, args, (size_t)n);
        assert_int_equal(last.type, XS_DIRECTORY_PART);
        size_t head = strlen(last.text) + 1;
        if (generation[0])
            IS(generation, last.text);
        strcpy(generation, last.text);
        memcpy(all + have, last.text + head, last.len - head);
        have += last.len - head;
        end = have >= 2 && !all[have - 1] && !all[have - 2];
    }
    for (size_t i = 0; i + 1 < have; i++)
        names += all[i] == '\0';
    assert_int_equal(names, 1000);
}

/* ---- permissions: each kind of right against each kind of request ------------------------------------------- */

static void test_permissions(void **state)
{
    static const struct { const char *perms; size_t n; bool read, write; } matrix[] = {
        { "n0", 3, false, false }, { "r0", 3, true, false }, { "w0", 3, false, true }, { "b0", 3, true, true },
        { "n0\0r1", 6, true, false }, { "n0\0w1", 6, false, true }, { "n0\0b1", 6, true, true }, { "b0\0n1", 6, false, false },
        { "n0\0b2", 6, false, false }, { "n1", 3, true, true }, { "n2\0r1", 6, true, false },
    };

    (void)state;
    introduce(1);
    introduce(2);
    for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
        char args[64] = "/p";
        IS("OK", write_node(0, 0, "/p", "v"));
        IS("OK", write_node(0, 0, "/p/below", "v"));
        memcpy(args + 3, matrix[i].perms, matrix[i].n);
        IS("OK", ask(0, XS_SET_PERMS, 0, args, 3 + matrix[i].n));
        bool owner = matrix[i].perms[1] == '1';
        IS(matrix[i].read ? "v" : "EACCES", read_node(1, 0, "/p"));
        ASK(1, XS_DIRECTORY, 0, "/p");
        IS(matrix[i].read ? "below" : "EACCES", last.text);
        ASK(1, XS_GET_PERMS, 0, "/p");
        assert_int_equal(last.type == XS_ERROR, !matrix[i].read);
        IS(matrix[i].read ? "ENOENT" : "EACCES", read_node(1, 0, "/p/nothing"));
        IS(matrix[i].write ? "OK" : "EACCES", write_node(1, 0, "/p", "v"));
        IS(matrix[i].write ? "OK" : "EACCES", write_node(1, 0, "/p/new", "v"));
        if (matrix[i].write)
            IS("OK", ASK(1, XS_RM, 0, "/p/new"));
        IS("EACCES", read_node(1, 0, "/p/below"));
        IS(owner ? "OK" : "EACCES", ASK(1, XS_SET_PERMS, 0, "/p\0n1"));
        if (owner)
            IS("EPERM", ASK(1, XS_SET_PERMS, 0, "/p\0n2"));
        IS("OK", ASK(0, XS_RM, 0, "/p"));
    }
    static const uint32_t toolstack[] = { XS_INTRODUCE, XS_RELEASE, XS_RESUME, XS_SET_TARGET, XS_CONTROL };
    for (size_t i = 0; i < sizeof(toolstack) / sizeof(toolstack[0]); i++)
        IS("EACCES", ask(1, toolstack[i], 0, "2\0003\0004", 6));
    IS("EACCES", read_node(1, 0, "/local/domain/2/name"));
    IS("EACCES", write_node(1, 0, "/local/domain/2/x", "v"));
    IS("EACCES", write_node(1, 0, "/local/domain/0/x", "v"));
    IS("EACCES", write_node(1, 0, "/mine", "v"));
}

static void test_inherit(void **state)
{
    (void)state;
    introduce(1);
    IS("OK", write_node(1, 0, "a/b", "v"));
    ASK(0, XS_GET_PERMS, 0, "/local/domain/1/a/b");
    IS("n1", last.text);
    IS("OK", write_node(0, 0, "/local/domain/1/theirs", "v"));
    ASK(0, XS_GET_PERMS, 0, "/local/domain/1/theirs");
    IS("n1", last.text);
    IS("ENOENT", ASK(0, XS_SET_PERMS, 0, "/local/domain/1/absent\0n0\0r1"));
}

static void test_target(void **state)
{
    (void)state;
    introduce(1);
    introduce(2);
    IS("EACCES", write_node(2, 0, "/local/domain/1/x", "v"));
    IS("OK", ASK(0, XS_SET_TARGET, 0, "2\0001"));
    IS("OK", write_node(2, 0, "/local/domain/1/x", "v"));
    IS("ENOENT", ASK(0, XS_SET_TARGET, 0, "5\0001"));
}

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
    assert_int_equal(tree_owned[1], 0);
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
    for (int i = 0; i < 10; i++)
        conns_serve();
    page[1].req_prod = page[1].req_cons + 20;
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

/* ---- killed and taken up ------------------------------------------------------------------------------------------------- */

/* What the daemon knew is gone; pages and journal are there. */
static void restart(void)
{
    struct bytes kept = journal;

    journal = (struct bytes){ 0 };
    store.replaying = true;                                  /* closing must not write */
    store_close();
    journal = kept;
    assert_true(store_open(&outside));
    assert_true(journal_replay(journal.data + journal.from, bytes_left(&journal)));
}

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
                restart();
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

static bool append_copy(const void *data, size_t n) { return bytes_add(&journal, data, n); }

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
    bytes_free(&journal);
    assert_true(journal_write_all(append_copy));
    restart();
    IS("v", read_node(1, 0, "a/b"));
    IS("OK", write_node(1, 0, "a/b", "w"));
    IS("a/b t;", hear(1));
    IS("EAGAIN", ASK(1, XS_TRANSACTION_END, t, "T"));
    ASK(0, XS_GET_PERMS, 0, "@releaseDomain");
    assert_memory_equal(last.text, "n0\0r1\0", 6);
    assert_int_equal(tree_owned[1], 3);
}

/* Half a record, or rubbish, at the end. */
static void test_torn_journal(void **state)
{
    (void)state;
    IS("OK", write_node(0, 0, "/a", "v"));
    bytes_add(&journal, "\x40\0\0\0N", 5);
    restart();
    IS("v", read_node(0, 0, "/a"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(test_values), T(test_paths), T(test_directory_part), T(test_permissions), T(test_inherit), T(test_target), T(test_watches),
        T(test_transactions), T(test_starvation), T(test_quotas), T(test_reused_number), T(test_bad_indices), T(test_slow_sender),
        T(test_deaf_reader), T(test_random_messages), T(test_killed_anywhere), T(test_rewrite), T(test_torn_journal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* store.c: xenstored's core with three hostile guests and dom0: requests, raw bytes in rings, counters that lie, answers not taken,
 * time that passes, daemons that end and are followed by others.
 *
 * What must hold: nothing breaks; dom0 is always served; the daemon's own counts are right; what a successor takes up from the journal,
 * as it was or written anew, is what its predecessor had.                                                               */
#include "tests/fuzz/fuzz.h"
#include "tests/host/store_world.h"

#define GUESTS 3

/* ---- the state in words, to be compared ----------------------------------------------------------------------- */

static bool dump_node(void *arg, const char *path, struct node *n)
{
    struct bytes *to = arg;

    bytes_add(to, path, strlen(path) + 1);
    bytes_add(to, &n->len, sizeof(n->len));
    bytes_add(to, n->value, n->len);
    for (unsigned i = 0; i < n->perms; i++) {
        bytes_add(to, &n->perm[i].domid, sizeof(n->perm[i].domid));
        bytes_add(to, &n->perm[i].mask, sizeof(n->perm[i].mask));
    }
    return true;
}

static void dump(struct bytes *to)
{
    static const char *const names[] = { "@introduceDomain", "@releaseDomain" };

    tree_walk(store.root, "/", dump_node, to);
    for (unsigned i = 0; i < 2; i++)
        dump_node(to, names[i], tree_find(store.special, names[i]));
    bytes_add(to, &quota, sizeof(quota));
    bytes_add(to, tree_held, 16 * sizeof(tree_held[0]));
    for (unsigned d = 0; d < PAGES; d++) {
        const struct conn *c = store.conn_of[d];
        unsigned what[] = { d, !!c, c ? c->nr_watches : 0, c ? c->nr_trans : 0, c ? c->target : 0, c ? c->last_trans : 0,
                            c ? (unsigned)c->watch_bytes : 0 };

        bytes_add(to, what, sizeof(what));
        for (const struct watch *w = c ? c->watches : NULL; w; w = w->next_of_conn) {
            bytes_add(to, w->path, strlen(w->path) + 1);
            bytes_add(to, w->token, strlen(w->token) + 1);
            bytes_add(to, &w->skip, sizeof(w->skip));
        }
    }
}

static void succeed(bool fresh)
{
    struct bytes before = { 0 }, after = { 0 };

    dump(&before);
    if (fresh)
        rewrite();
    restart(REPLAYED);
    dump(&after);
    FUZZ_CHECK(bytes_left(&before) == bytes_left(&after) && !memcmp(before.data, after.data, bytes_left(&before)));
    bytes_free(&before);
    bytes_free(&after);
}

/* ---- requests ------------------------------------------------------------------------------------------------------ */

/* A byte of the input below 32 stands for a word, one above 127 for a long name. */
static size_t expand(const uint8_t *from, size_t n, char *to, size_t room)
{
    static const char *const words[32] = {
        NULL, "/local/domain/1", "/local/domain/2", "/local/domain/", "/tool", "@introduceDomain", "@releaseDomain", "data", "quota", "check",
        "nodes", "T", "F", "n0", "b1", "r2", "w3", "/", "a/b/c/d", "a/b", "../", "//", "4294967295", "18446744073709551615", "-1", "100",
        "transactions", "watches", "node-size", "0", "outstanding-bytes", "token",
    };
    size_t done = 0;

    for (size_t i = 0; i < n; i++) {
        char one[2] = { (char)from[i], 0 };
        const char *word = from[i] && from[i] < 32 ? words[from[i]] : one;
        size_t len = from[i] && from[i] < 32 ? strlen(word) : from[i] > 127 ? (from[i] & 127) * 20u : 1;

        for (size_t k = 0; k < len && done < room; k++)
            to[done++] = from[i] > 127 ? "abcdefgh/"[(from[i] + k / 7) % 9] : word[k];
    }
    return done;
}

static void take_answers(unsigned dom)
{
    struct xenstore_domain_interface *p = &page[dom];

    for (int i = 0; i < 8; i++) {
        p->rsp_cons = p->rsp_prod;
        event_of((int)dom);
        conns_serve();
    }
}

/* As much as there is room for; dom0's go whole. */
static void put_some(unsigned dom, const void *data, size_t n)
{
    struct xenstore_domain_interface *p = &page[dom];
    const char *from = data;

    for (int tries = 0; n && tries < 20; tries++) {
        while (n && p->req_prod - p->req_cons < XENSTORE_RING_SIZE) {
            p->req[MASK_XENSTORE_IDX(p->req_prod++)] = *from++;
            n--;
        }
        event_of((int)dom);
        conns_serve();
        if (!dom && n)
            take_answers(0);
    }
    FUZZ_CHECK(dom || !n);
}

static uint32_t transaction(unsigned dom, uint8_t which)
{
    const struct conn *c = store.conn_of[dom];
    uint32_t last = c ? c->last_trans : 0;

    return which & 3 ? (which & 2 ? last - (which >> 4) : which >> 2) : 0;
}

static void request(unsigned dom, struct fuzz_input *in)
{
    char payload[XENSTORE_PAYLOAD_MAX + 64];
    uint8_t type = (uint8_t)fuzz_take(in, 1), which = (uint8_t)fuzz_take(in, 1), n = (uint8_t)fuzz_take(in, 1);
    struct xsd_sockmsg head = { type % 24, 7, transaction(dom, which), 0 };
    size_t got, len;
    const uint8_t *raw = fuzz_bytes(in, n & 63, &got);

    len = expand(raw, got, payload, dom && type & 0x80 ? sizeof(payload) : XENSTORE_PAYLOAD_MAX);
    head.len = (uint32_t)len;
    put_some(dom, &head, sizeof(head));
    put_some(dom, payload, len);
    if (n & 64)
        take_answers(dom);
}

static void introduce_again(uint8_t how)
{
    char text[64];
    unsigned d = 1 + how % GUESTS;
    int n = how & 0x80 ? sprintf(text, "%u", d) + 1
                       : sprintf(text, "%u%c%u%c%u", d, 0, 100 + d + (how >> 2 & 3), 0, 1 + (how >> 4 & 3)) + 1;

    take_answers(0);
    ask(0, how & 0x80 ? XS_RELEASE : XS_INTRODUCE, 0, text, (size_t)n);
}

/* The daemon is killed at its n-th call to the outside from now, if it comes that far, while a guest's request comes; its successor knows
 * what was told to anybody. */
static void serve_and_die(long n, unsigned guest, struct fuzz_input *in)
{
    kill_in = n;
    if (setjmp(killed)) {
        kill_in = -1;
        restart(REPLAYED);
        return;
    }
    request(guest, in);
    serve_all();
    kill_in = -1;
}

static void one_step(struct fuzz_input *in)
{
    uint8_t op = (uint8_t)fuzz_take(in, 1);
    unsigned dom = op & 3, guest = 1 + dom % GUESTS;
    uint8_t raw[64];
    const uint8_t *from;
    size_t got;

    switch (op >> 2 & 15) {
    case 0: case 1: case 2: request(dom, in); break;
    case 3: request(guest, in); break;
    case 4:
        from = fuzz_bytes(in, fuzz_take(in, 1) & 63, &got);
        memcpy(raw, from, got);
        put_some(guest, raw, got);
        break;
    case 5: page[guest].req_prod += (uint32_t)(int8_t)fuzz_take(in, 1); event_of((int)guest); break;
    case 6: page[guest].rsp_cons += (uint32_t)(int16_t)fuzz_take(in, 2); event_of((int)guest); break;
    case 7: page[guest].req_cons = (uint32_t)fuzz_take(in, 4); break;
    case 8: page[guest].rsp_prod = (uint32_t)fuzz_take(in, 4); break;
    case 9: take_answers(dom); break;
    case 10: clock_ms += fuzz_take(in, 2); break;
    case 11: serve_all(); break;
    case 12: serve_all(); succeed(op & 64); break;
    case 13: introduce_again((uint8_t)fuzz_take(in, 1)); break;
    case 14:
        if (op & 64)
            serve_and_die((long)fuzz_take(in, 1) & 15, guest, in);
        else
            conns_serve();
        break;
    case 15: take_answers(0); serve_all(); domain_gone((uint16_t)guest); conns_publish(); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct quota usual;
    struct fuzz_input in = { data, size };

    if (!usual.nodes)
        usual = quota;
    quota = usual;
    clock_ms = 1000;
    events[0] = '\0';
    start();
    for (int d = 1; d <= GUESTS; d++)
        introduce(d);
    for (int steps = 0; in.left && steps < 400; steps++)
        one_step(&in);
    take_answers(0);
    serve_all();
    take_answers(0);
    events[0] = '\0';
    IS("OK", write_node(0, 0, "/alive", "yes"));
    ASK(0, XS_CONTROL, 0, "check");
    FUZZ_CHECK(strstr(last.text, " 0 wrong"));
    succeed(false);
    succeed(true);
    finish();
    return 0;
}

#define SEED(s) { s, sizeof(s) - 1 }
size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const struct { const char *bytes; size_t n; } seeds[] = {
        SEED("\x01\x0b\x00\x04\x07/x\x00" "\x01\x02\x00\x03\x07/x" "\x30\x02\x0b\x00\x05\x02/y\x00z"),
        SEED("\x01\x06\x00\x01" "\x00" "\x01\x0b\x02\x05\x07\x00" "abc" "\x01\x07\x02\x02\x0b\x00" "\x30"),
        SEED("\x01\x04\x00\x05\x07\x00t\x00\x00" "\x00\x0b\x00\x05\x01/\x07\x00v" "\x24\x01\x05\x00\x04\x07\x00t\x00" "\x30\x70"),
        SEED("\x00\x0e\x00\x06\x01/\x07\x00\x0d\x00" "\x01\x0e\x00\x04\x07\x00\x0e\x00" "\x34\x81\x34\x01\x30\x70"),
        SEED("\x00\x00\x00\x06\x08\x00\x0a\x00" "9\x00" "\x14\x7f\x18\x10\x00\x1c\x01\x02\x03\x04\x30"),
        SEED("\x01\x04\x00\x05\x07\x00t\x00\x00" "\x02\x0b\x00\x05\x02/\x07\x00v" "\x78\x03\x0b\x00\x05\x01/\x07\x00v" "\x78\x01\x06\x00\x01" "\x00" "\x79\x02\x0b\x02\x05\x07\x00" "abc"),
        /* dom0: who is whose target, who is there, goes on, a list in parts; and a life after that. */
        SEED("\x00\x13\x00\x04" "2\x00" "1\x00" "\x00\x11\x00\x02" "1\x00" "\x00\x12\x00\x02" "2\x00" "\x00\x16\x00\x04\x01\x00" "0\x00" "\x00\x0a\x00\x02" "1\x00" "\x30\x70"),
        SEED("\x01\x15\x00\x00" "\x01\x03\x00\x02\x07\x00" "\x01\x01\x00\x02\x11\x00" "\x01\x0d\x00\x02\x07\x00" "\x01\x05\x00\x03\x07\x00t" "\x30\x70"),
    };

    (void)room;
    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    memcpy(data, seeds[n].bytes, seeds[n].n);
    return seeds[n].n;
}

/* SPDX-License-Identifier: MIT */
/* store_replay.c: a journal that xenstored finds at its start, whatever is in it.
 *
 * It lies where only dom0's root writes, and has checksums; so this is about a daemon that went wrong before, not about guests. The input is
 * cut into records, whose lengths and checksums are made right (the fuzzer would not find those), with or without a real journal before.
 * What must hold: what is taken for a whole journal gives a store that serves, is counted right, and can be taken up again. */
#include "tests/fuzz/fuzz.h"
#include "tests/host/store_world.h"

static void record(struct bytes *to, const uint8_t *data, size_t n)
{
    uint32_t head[2] = { (uint32_t)n + JOURNAL_HEAD, journal_checksum((const char *)data, n) };

    bytes_add(to, head, sizeof(head));
    bytes_add(to, data, n);
}

/* A real one: some of everything. */
static void real_journal(struct bytes *to)
{
    start();
    introduce(1);
    introduce(2);
    ASK(1, XS_WATCH, 0, "a\0t");
    ASK(0, XS_SET_TARGET, 0, "2\0001");
    write_node(1, 0, "a/b", "v");
    begin(1);
    rewrite();
    bytes_add(to, journal.data + journal.from, bytes_left(&journal));
    finish();
}

static void serve_on(void)
{
    static const char check[] = "check";

    if (!store.conn_of[0] || !store.conn_of[0]->page)
        return;
    serve_all();
    for (int i = 0; i < 400 && page[0].rsp_cons != page[0].rsp_prod; i++) {
        page[0].rsp_cons = page[0].rsp_prod;
        event_of(0);
        serve_all();
    }
    if (store.conn_of[0]->broken || bytes_left(&store.conn_of[0]->in))
        return;
    events[0] = '\0';
    ask(0, XS_CONTROL, 0, check, sizeof(check));
    FUZZ_CHECK(strstr(last.text, " 0 wrong"));
    domain_gone(1);
    conns_publish();
    rewrite();
    restart(REPLAYED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct quota usual;
    struct fuzz_input in = { data, size };
    struct bytes all = { 0 };
    uint8_t how = (uint8_t)fuzz_take(&in, 1);
    enum replayed rc;

    usual = usual.nodes ? usual : quota;
    quota = usual;
    clock_ms = 1000;
    memset(page, 0, sizeof(page));
    if (how & 1)
        real_journal(&all);
    while (in.left) {
        size_t n = fuzz_take(&in, 1) + 1, got;
        const uint8_t *from = fuzz_bytes(&in, n, &got);

        if (got)
            record(&all, from, got);
    }
    start_again();
    rc = journal_replay(all.data, bytes_left(&all));
    bytes_free(&all);
    if (rc != REPLAYED_NOT)
        serve_on();
    finish();
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    struct bytes all = { 0 };
    size_t to = 0;

    data[to++] = n == 1;
    if (n > 2)
        return 0;
    real_journal(&all);
    for (size_t at = 0; at < bytes_left(&all) && to + 300 < room;) {
        uint32_t len;

        memcpy(&len, all.data + at, 4);
        if (n == 2 && len < 250) {
            data[to++] = (uint8_t)(len - JOURNAL_HEAD - 1);
            memcpy(data + to, all.data + at + JOURNAL_HEAD, len - JOURNAL_HEAD);
            to += len - JOURNAL_HEAD;
        } else if (n != 2) {                                 /* its first operations, each cut at 200 bytes */
            for (size_t k = 0; k < 3 && k * 200 < len - JOURNAL_HEAD; k++) {
                data[to++] = 199;
                memcpy(data + to, all.data + at + JOURNAL_HEAD + k * 200, 200);
                to += 200;
            }
        }
        at += len;
    }
    bytes_free(&all);
    return to;
}

/* SPDX-License-Identifier: MIT */
/* balloon.c: what domains say of their memory, whatever it is, over several looks; and questions for memory (dom0-tools/balloond).
 *
 * What must hold: B1 and B2 of believe.h, M1 and M2 of policy.h, A1 and A2 of asks.h. */
#include "tests/fuzz/fuzz.h"

#include "dom0-tools/balloond/asks.h"
#include "dom0-tools/balloond/believe.h"

#define DOMAINS 4
#define MOST_KIB (1ull << 40)

/* Small numbers, powers of two, and anything: the first byte tells. */
static uint64_t number(struct fuzz_input *in)
{
    uint8_t how = (uint8_t)fuzz_take(in, 1);

    switch (how >> 6) {
    case 0: return (uint64_t)(how & 63) << 14;
    case 1: return (1ull << (how & 63)) - (how & 1);
    case 2: return fuzz_take(in, 3);
    default: return fuzz_take(in, 8);
    }
}

static void one_look(struct fuzz_input *in, struct history *h, uint64_t *now)
{
    struct balance d[DOMAINS];
    int64_t left = (int64_t)(number(in) % MOST_KIB), rise = 0, spoken = 0;

    *now += number(in) % 100000;
    for (unsigned i = 0; i < DOMAINS; i++) {
        struct hearsay said = { 0 };
        uint16_t there = (uint16_t)fuzz_take(in, 2);
        struct facts is = { .current = number(in) % MOST_KIB & ~3ull, .control = i == 0, .runs = there & 0x8000, .host_free = (uint64_t)left, .now = *now };

        for (unsigned w = 0; w < SAID_ALL; w++) {
            said.there[w] = there >> w & 1;
            said.value[w] = said.there[w] ? number(in) : 0;
        }
        d[i] = believe(&said, &is, &h[i]);
        FUZZ_CHECK(d[i].floor <= d[i].most && d[i].pressure <= 100 && d[i].available <= d[i].current && d[i].weight);
    }
    left = fuzz_take(in, 1) & 1 ? -left : left;
    balance_memory(d, DOMAINS, left);
    for (unsigned i = 0; i < DOMAINS; i++) {
        const struct balance *b = &d[i];

        FUZZ_CHECK(b->managed || b->goal == b->target);
        FUZZ_CHECK(b->goal >= b->target || b->goal + 3 >= b->floor || b->goal + 3 >= b->current);       /* M1; a page is 4 KiB */
        FUZZ_CHECK(b->goal <= b->target || b->goal <= b->most || b->goal <= b->current);
        if (b->stuck)
            continue;
        spoken += b->target > b->current ? (int64_t)(b->target - b->current) : 0;
        rise += b->goal > b->target ? (int64_t)(b->goal - b->target) : 0;
    }
    FUZZ_CHECK(rise == 0 || rise <= left - spoken);                                                  /* M2 */
    balance_reserves(d, DOMAINS);
    balance_coming(d, DOMAINS);
}

static void ask_some(struct fuzz_input *in)
{
    static struct ask asks[ASKS_MOST];
    uint64_t now = 1000;

    memset(asks, 0, sizeof(asks));
    for (unsigned steps = 0; in->left && steps < 60; steps++) {
        char text[80] = "";
        size_t got;
        const uint8_t *raw = fuzz_bytes(in, fuzz_take(in, 1) % (sizeof(text) - 1), &got);
        struct ask a, *place;
        int64_t host = (int64_t)(number(in) % MOST_KIB);

        memcpy(text, raw, got);
        now += number(in) % 30000;
        if (ask_parse(text, &a) && (place = ask_place(asks, 1 + (int)(got % 30)))) {
            a.pid = 1 + (int)(got % 30);
            a.since = now;
            *place = a;
        }
        for (unsigned i = 0; i < ASKS_MOST; i++) {
            if (!asks[i].pid)
                continue;
            uint64_t others = 0;
            for (unsigned k = 0; k < ASKS_MOST; k++)
                others += k != i && asks[k].granted && asks[k].pid && asks[k].kib > asks[k].has ? asks[k].kib - asks[k].has : 0;
            switch (ask_judge(asks, &asks[i], host, number(in) % MOST_KIB, now & 7, now)) {
            case ASK_GRANT:
                FUZZ_CHECK(host >= (int64_t)(asks[i].kib + others));                 /* A1 */
                asks[i].granted = true;
                asks[i].since = now;
                break;
            case ASK_WAIT:
                FUZZ_CHECK(now - asks[i].since <= (asks[i].granted ? PROMISE_MS : PATIENCE_MS));     /* A2 */
                break;
            default:
                asks[i].pid = 0;
                asks[i].granted = false;
            }
        }
        asks_sum(asks);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    struct history h[DOMAINS] = { 0 };
    uint64_t now = 1;

    if (fuzz_take(&in, 1) & 1) {
        ask_some(&in);
        return 0;
    }
    for (unsigned looks = 0; in.left && looks < 40; looks++)
        one_look(&in, h, &now);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const char *const questions[] = { "65536", "65536 0123456789abcdef0123456789abcdef", "1099511627776", "12 " };
    size_t at = 1;

    (void)room;
    if (n >= 6)
        return 0;
    data[0] = n < 2;
    for (unsigned i = 0; n < 2 && i < 4; i++) {
        data[at++] = (uint8_t)strlen(questions[i]);
        memcpy(data + at, questions[i], strlen(questions[i]));
        at += strlen(questions[i]);
        memcpy(data + at, "\x07\x01\x02", 3);
        at += 3;
    }
    for (unsigned i = 0; n >= 2 && i < 150; i++)
        data[at++] = (uint8_t)(i % 10 == 1 ? 0xff : (i * n * 5) & 63);
    return at;
}

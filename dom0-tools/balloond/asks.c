/* SPDX-License-Identifier: MIT */
/* asks.c: who asks for memory for a new domain, and what was promised; see asks.h. */
#include "dom0-tools/balloond/asks.h"

#include <stddef.h>
#include <stdlib.h>

#include "dom0-tools/libenso/balloon.h"

static int digit(char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; }

static bool parse_handle(const char *text, uint8_t handle[16])
{
    for (unsigned i = 0; i < 32; i++) {
        int v = digit(text[i]);

        if (v < 0)
            return false;
        handle[i / 2] = (uint8_t)(handle[i / 2] << 4 | v);
    }
    return text[32] == '\0';
}

bool ask_parse(const char *text, struct ask *a)
{
    char *end;

    *a = (struct ask){ 0 };
    if (digit(*text) < 0 || digit(*text) > 9)
        return false;
    a->kib = strtoull(text, &end, 10);
    if (a->kib > BALLOON_MOST)
        return false;
    a->named = *end == ' ' && parse_handle(end + 1, a->handle);
    return a->named || *end == '\0';
}

struct ask *ask_place(struct ask *asks, int pid)
{
    struct ask *unused = NULL;

    for (unsigned i = 0; i < ASKS_MOST; i++) {
        if (asks[i].pid == pid && !asks[i].granted)
            return &asks[i];
        if (!asks[i].pid)
            unused = &asks[i];
    }
    return unused;
}

static uint64_t left(const struct ask *a) { return a->pid && a->kib > a->has ? a->kib - a->has : 0; }

uint64_t asks_sum(const struct ask *asks)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < ASKS_MOST; i++)
        sum += left(&asks[i]);
    return sum;
}

/* Promised to others, or waited for by those who came before. */
static uint64_t ahead_of(const struct ask *asks, const struct ask *a)
{
    uint64_t sum = 0;

    for (const struct ask *o = asks; o < asks + ASKS_MOST; o++)
        if (o != a && (o->granted || o->since < a->since || (o->since == a->since && o < a)))
            sum += left(o);
    return sum;
}

enum ask_answer ask_judge(const struct ask *asks, const struct ask *a, int64_t free, uint64_t can, bool lives, uint64_t now)
{
    int64_t mine = free - (int64_t)ahead_of(asks, a);

    if (!lives)
        return ASK_FORGET;
    if (a->granted)
        return now - a->since > PROMISE_MS ? ASK_FORGET : ASK_WAIT;
    if (mine >= (int64_t)a->kib)
        return ASK_GRANT;
    return now - a->since > PATIENCE_MS || mine + (int64_t)can < (int64_t)a->kib ? ASK_REFUSE : ASK_WAIT;
}

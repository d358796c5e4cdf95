/* SPDX-License-Identifier: MIT */
/* believe.c: what balloond takes for true of a domain; see believe.h. */
#include "dom0-tools/balloond/believe.h"
#include "dom0-tools/libenso/balloon.h"

#define DOM0_FLOOR (96u << 10)

const char *const hearsay_node[SAID_ALL] = {
    "target", "static-max", "weight", "floor", "auto", "stat/floor", "stat/available", "stat/pressure", "stat/current",
};

static uint64_t number(const struct hearsay *said, enum hearsay_word w, uint64_t otherwise, uint64_t most)
{
    return said->there[w] && said->value[w] <= most ? said->value[w] : otherwise;
}

static uint64_t floor_of(const struct hearsay *said, const struct facts *is, uint64_t most)
{
    uint64_t quarter = most / 4 < is->current ? most / 4 : is->current, usual = is->control ? DOM0_FLOOR : quarter, own = number(said, SAID_OWN_FLOOR, 0, UINT64_MAX);
    uint64_t wish = number(said, SAID_FLOOR, usual, UINT64_MAX), credible = is->control ? most : balloon_credible_floor(most);

    own = own < credible ? own : credible;
    wish = wish > own ? wish : own;
    return wish < most ? wish : most;
}

static void forget_way(struct history *h) { h->since = h->most_off = 0; }

/* It had its time. Who gave not even half of what was asked keeps what it has. */
static void give_up(struct history *h, const struct balance *b, uint64_t now)
{
    uint64_t moved = h->from > b->current ? h->from - b->current : 0;

    if (h->falling && moved < h->most_off / 2)
        h->keeps = b->current;
    h->stuck = true;
    h->until = now + DISTRUST_MS;
    h->from = b->current;
    forget_way(h);
}

static void follow(struct history *h, const struct balance *b, const struct facts *is)
{
    bool falling = b->current > b->target;
    uint64_t off = falling ? b->current - b->target : b->target - b->current;

    if (h->stuck && (is->now < h->until || (!b->managed && off >= BALANCE_GRAIN && b->current == h->from)))
        return;
    h->stuck = false;
    if (off < BALANCE_GRAIN) {
        if (b->current + BALANCE_GRAIN <= h->keeps)
            h->keeps = 0;                               /* it gave what it was asked for */
        forget_way(h);
        return;
    }
    if (!h->since || falling != h->falling || !is->runs || (!falling && is->host_free < BALANCE_GRAIN)) {
        forget_way(h);
        h->since = is->now + 1;
        h->from = b->current;
        h->falling = falling;
    }
    h->most_off = off > h->most_off ? off : h->most_off;
    if (is->now > h->since + FOLLOW_MS + (h->most_off / 4 < FOLLOW_MOST ? h->most_off / 4 : FOLLOW_MOST))
        give_up(h, b, is->now);
}

struct balance believe(const struct hearsay *said, const struct facts *is, struct history *h)
{
    struct balance b = { .current = is->current };

    b.target = number(said, SAID_TARGET, b.current, BALLOON_MOST);
    b.most = number(said, SAID_MOST, b.current, BALLOON_MOST);
    b.weight = (uint32_t)number(said, SAID_WEIGHT, 256, 65535);
    b.weight = b.weight ? b.weight : 256;
    b.floor = floor_of(said, is, b.most);
    b.available = number(said, SAID_AVAILABLE, 0, b.current);
    b.pressure = (uint32_t)number(said, SAID_PRESSURE, 0, 100);
    b.managed = said->there[SAID_CURRENT] && is->runs && number(said, SAID_AUTO, 1, UINT64_MAX) != 0;
    follow(h, &b, is);
    b.stuck = h->stuck;
    b.keeps = h->keeps != 0;
    return b;
}

/* SPDX-License-Identifier: MIT */
/* policy.c: which domain should have how much memory; see policy.h.
 *
 * A pressed domain wants a part of its size more, the larger the more it is pressed. It gets it from what is free on the
 * host; what is missing there, others give up: first idle ones of what they have available, then, when all
 * are pressed, those that have more than the share that their weights allow them.                            */
#include "dom0-tools/balloond/policy.h"

#define GRAIN    1024u          /* KiB: smaller moves are not worth it          */
#define SLACK    8u             /* an eighth over the fair share is left alone  */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }

/* Its target where it is to end up; its memory where it is now. The lower is what it can count on. */
static uint64_t settled(const struct balance *d) { return least(d->current, d->target); }

static uint64_t wanted(const struct balance *d)
{
    uint64_t more = d->current * d->pressure / 200;

    if (!d->managed || d->pressure < PRESSURE_HIGH || d->target >= d->most)
        return 0;
    if (d->target > d->current + d->current / 4)      /* it has not got the last yet */
        return 0;
    return least(more < GRAIN ? GRAIN : more, d->most - d->target);
}

/* What it can do without: half of what it has available beyond a quarter, so that it comes to rest before it is pressed. */
static uint64_t idle_surplus(const struct balance *d)
{
    uint64_t keep = settled(d) / 4, have = settled(d), spare;

    if (!d->managed || d->pressure > PRESSURE_LOW || d->available <= keep || have <= d->floor)
        return 0;
    if (d->target + GRAIN <= d->current)               /* it is giving already */
        return 0;
    spare = (d->available - keep) / 2;
    spare = least(spare, have - d->floor);
    return spare < GRAIN ? 0 : spare;
}

/* What it could do without if somebody asks for it. */
static uint64_t reserve_of(const struct balance *d)
{
    uint64_t have = settled(d), used = d->current > d->available ? d->current - d->available : 0;
    uint64_t keep = used + used / 4;

    keep = keep > d->floor ? keep : d->floor;
    return d->managed && have > keep ? have - keep : 0;
}

uint64_t balance_reserves(const struct balance *d, unsigned n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += reserve_of(&d[i]);
    return sum;
}

/* Above its share of all managed memory, by more than the slack. */
static uint64_t above_share(const struct balance *d, unsigned n, unsigned i)
{
    uint64_t memory = 0, weights = 0, share;

    for (unsigned k = 0; k < n; k++)
        if (d[k].managed) {
            memory += settled(&d[k]);
            weights += d[k].weight;
        }
    share = weights ? memory * d[i].weight / weights : 0;
    share += share / SLACK;
    share = share > d[i].floor ? share : d[i].floor;
    if (!d[i].managed || d[i].target + GRAIN <= d[i].current || settled(&d[i]) <= share)
        return 0;
    return least(settled(&d[i]) - share, settled(&d[i]) / 16);
}

/* Takes `need` from the domains in proportion to what `of` says that each can give; what was taken. */
static uint64_t take(struct balance *d, unsigned n, uint64_t need, uint64_t (*of)(const struct balance *d, unsigned n, unsigned i))
{
    uint64_t can = 0, taken = 0;

    for (unsigned i = 0; i < n; i++)
        can += of(d, n, i);
    for (unsigned i = 0; i < n && can && taken < need; i++) {
        uint64_t part = of(d, n, i), give = need >= can ? part : part * need / can;

        if (give < GRAIN && part >= GRAIN)
            give = GRAIN;
        give = least(give, part) / 4 * 4;
        if (give && d[i].goal >= d[i].target)
            d[i].goal = settled(&d[i]);
        d[i].goal -= give;
        taken += give;
    }
    return taken;
}

static uint64_t by_idle(const struct balance *d, unsigned n, unsigned i)
{
    (void)n;
    return idle_surplus(&d[i]);
}

static uint64_t by_reserve(const struct balance *d, unsigned n, unsigned i)
{
    uint64_t r = reserve_of(&d[i]), gone = d[i].target > d[i].goal ? d[i].target - d[i].goal : 0;

    (void)n;
    return r > gone ? r - gone : 0;
}

/* Gives what is free to those who want it, the heavier and more pressed the more. */
static void give(struct balance *d, unsigned n, uint64_t free, uint64_t want)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        if (wanted(&d[i]))
            sum += (uint64_t)d[i].weight * d[i].pressure;
    for (unsigned i = 0; i < n && sum; i++) {
        uint64_t w = wanted(&d[i]), part;

        if (!w)
            continue;
        part = want <= free ? w : least(w, free * d[i].weight * d[i].pressure / sum);
        d[i].goal = (d[i].target + part) / 4 * 4;
    }
}

static bool changed(const struct balance *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (d[i].goal != d[i].target)
            return true;
    return false;
}

bool balance_memory(struct balance *d, unsigned n, int64_t free)
{
    uint64_t want = 0, coming = 0, need, taken;

    for (unsigned i = 0; i < n; i++) {
        d[i].goal = d[i].target;
        want += wanted(&d[i]);
        if (d[i].target > d[i].current)
            free -= (int64_t)(d[i].target - d[i].current);       /* spoken for */
        else
            coming += d[i].current - d[i].target;
    }
    if (free < 0 && (uint64_t)-free > coming) {
        need = (uint64_t)-free - coming;
        taken = take(d, n, need, by_idle);
        if (taken < need)
            take(d, n, need - taken, by_reserve);
        return changed(d, n);
    }
    if (want && free > 0)
        give(d, n, (uint64_t)free, want);
    need = want > (free > 0 ? (uint64_t)free : 0) + coming ? want - (free > 0 ? (uint64_t)free : 0) - coming : 0;
    taken = need ? take(d, n, need, by_idle) : 0;
    if (taken < need && !coming && !taken)
        take(d, n, need - taken, above_share);
    return changed(d, n);
}

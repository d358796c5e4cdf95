/* SPDX-License-Identifier: MIT */
/* policy.c: which domain should have how much memory; see policy.h.
 *
 * A pressed domain wants a part of its size more, the larger the more it is pressed. Its weight makes a share for it; what it
 * wants up to there it is owed, what it wants beyond is a wish. Free memory of the host goes to the owed first, and to
 * wishes what no pressed domain's share has a claim to. What is missing comes from idle domains, of what they have available;
 * and for the owed, not for wishes, from those that have more than their share, whatever they say of themselves. So memory that
 * was taken from one never goes back to it while another is owed, and a domain that always cries ends up with its share. */
#include "dom0-tools/balloond/policy.h"

#define GRAIN BALANCE_GRAIN
#define SLACK 8u                /* an eighth over the share is left alone       */
#define PART  16u               /* that one above its share gives at a time     */

static uint64_t least(uint64_t a, uint64_t b) { return a < b ? a : b; }
static uint64_t beyond(uint64_t a, uint64_t b) { return a > b ? a - b : 0; }

/* Its target where it is to end up; its memory where it is now. The lower is what it can count on. */
static uint64_t settled(const struct balance *d) { return d->stuck ? d->current : least(d->current, d->target); }

static bool giving(const struct balance *d) { return !d->stuck && d->target + GRAIN <= d->current; }

/* ---- what each wants, and can do without ------------------------------------------------------- */

static uint64_t wanted(const struct balance *d)
{
    uint64_t more = d->current * d->pressure / 200;

    if (!d->managed || d->stuck || d->pressure < PRESSURE_HIGH || d->target >= d->most)
        return 0;
    if (d->target > d->current + d->current / 4)      /* it has not got the last yet */
        return 0;
    return least(more < GRAIN ? GRAIN : more, d->most - d->target);
}

/* What its share entitles it to; and of that, what it wants now. */
static uint64_t entitled(const struct balance *d)
{
    return d->managed && !d->stuck && d->pressure >= PRESSURE_HIGH ? beyond(least(d->share, d->most), d->target) : 0;
}

static uint64_t owed(const struct balance *d) { return least(wanted(d), entitled(d)); }

/* The rest. Who did not give when it was asked gets no more than its due. */
static uint64_t wished(const struct balance *d) { return d->keeps ? 0 : wanted(d) - owed(d); }

/* What it can do without: half of what it has available beyond a quarter, so that it comes to rest before it is pressed. */
static uint64_t idle_surplus(const struct balance *d)
{
    uint64_t keep = settled(d) / 4, have = settled(d), spare;

    if (!d->managed || d->stuck || giving(d) || d->pressure > PRESSURE_LOW || d->available <= keep || have <= d->floor)
        return 0;
    spare = least((least(d->available, have) - keep) / 2, have - d->floor);
    return spare < GRAIN ? 0 : spare;
}

/* What it could do without if somebody asks for it. */
static uint64_t reserve_of(const struct balance *d)
{
    uint64_t have = settled(d), used = beyond(d->current, d->available);
    uint64_t keep = used + used / 4;

    keep = keep > d->floor ? keep : d->floor;
    return d->managed && !d->stuck ? beyond(have, keep) : 0;
}

/* Above its share by more than the slack. */
static uint64_t excess(const struct balance *d)
{
    uint64_t keep = d->share + d->share / SLACK, have = settled(d);

    keep = keep > d->floor ? keep : d->floor;
    return d->managed && !d->stuck && !giving(d) ? least(beyond(have, keep), have / PART) : 0;
}

/* ---- shares ------------------------------------------------------------------------------------ */

/* All managed memory and what is free, by weight. Nobody's share is below its floor; a domain that does not ask for more has
 * use for what it has and no more, which leaves the rest to the others. */
static uint64_t share_at(const struct balance *d, uint64_t level)
{
    uint64_t cap = d->pressure >= PRESSURE_HIGH ? d->most : least(settled(d), d->most), s = level * d->weight >> 16;

    if (!d->managed)
        return 0;
    s = s < cap ? s : cap;
    return s > d->floor ? s : d->floor;
}

static uint64_t sum_at(const struct balance *d, unsigned n, uint64_t level)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += share_at(&d[i], level);
    return sum;
}

/* The water level (KiB for 65536ths of weight) at which the shares make up all there is. */
static void set_shares(struct balance *d, unsigned n, uint64_t free)
{
    uint64_t memory = free, lo = 0, hi = 1ull << 47;

    for (unsigned i = 0; i < n; i++)
        memory += d[i].managed ? settled(&d[i]) : 0;
    while (hi - lo > 1) {
        uint64_t mid = lo + (hi - lo) / 2;

        if (sum_at(d, n, mid) <= memory)
            lo = mid;
        else
            hi = mid;
    }
    for (unsigned i = 0; i < n; i++)
        d[i].share = share_at(&d[i], lo);
}

/* ---- giving and taking ------------------------------------------------------------------------- */

typedef uint64_t part_of(const struct balance *d);

static uint64_t sum_of(const struct balance *d, unsigned n, part_of *of)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += of(&d[i]);
    return sum;
}

/* What `of` says that each can give, less what is taken already. */
static uint64_t left_of(const struct balance *d, part_of *of) { return beyond(of(d), beyond(settled(d), d->goal)); }

/* Takes `need` from the domains in proportion to what each can give; what was taken. */
static uint64_t take(struct balance *d, unsigned n, uint64_t need, part_of *of)
{
    uint64_t can = 0, taken = 0;

    for (unsigned i = 0; i < n; i++)
        can += left_of(&d[i], of);
    for (unsigned i = 0; i < n && can && taken < need; i++) {
        uint64_t part = left_of(&d[i], of), give = need >= can ? part : part * need / can;

        if (give < GRAIN && part >= GRAIN)
            give = GRAIN;
        give = least(give, part) / 4 * 4;
        if (!give)
            continue;
        d[i].goal = least(d[i].goal, settled(&d[i])) - give;
        taken += give;
    }
    return taken;
}

/* Gives what is free to those who want it, the heavier and more pressed the more. */
static void give(struct balance *d, unsigned n, uint64_t free, part_of *of)
{
    uint64_t sum = 0, want = sum_of(d, n, of);

    for (unsigned i = 0; i < n; i++)
        if (of(&d[i]))
            sum += (uint64_t)d[i].weight * d[i].pressure;
    for (unsigned i = 0; i < n && sum; i++) {
        uint64_t w = of(&d[i]), part = want <= free ? w : least(w, free * d[i].weight / sum * d[i].pressure);

        if (part >= 4)
            d[i].goal = (d[i].goal + part) / 4 * 4;
    }
}

/* ---- the round --------------------------------------------------------------------------------- */

/* A domain that is not where it should be although it had its time has what it has. */
static void accept_stuck(struct balance *d)
{
    if (d->managed && d->stuck)
        d->goal = least(d->current, d->most) / 4 * 4;
}

static bool changed(const struct balance *d, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (d[i].goal != d[i].target)
            return true;
    return false;
}

uint64_t balance_reserves(const struct balance *d, unsigned n) { return sum_of(d, n, reserve_of); }

uint64_t balance_coming(const struct balance *d, unsigned n)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += d[i].managed && !d[i].stuck ? beyond(d[i].current, d[i].target) : 0;
    return sum;
}

/* So much must come back. */
static void collect(struct balance *d, unsigned n, uint64_t need)
{
    uint64_t taken = take(d, n, need, idle_surplus);

    if (taken < need)
        take(d, n, need - taken, reserve_of);
}

static void spread(struct balance *d, unsigned n, uint64_t free, uint64_t coming)
{
    uint64_t due = sum_of(d, n, owed), wish = sum_of(d, n, wished), taken;
    uint64_t kept = sum_of(d, n, entitled), spare = beyond(free, kept > due ? kept : due);

    give(d, n, free, owed);
    give(d, n, spare, wished);
    due = beyond(beyond(due, free), coming);
    wish = beyond(beyond(wish, spare), coming);
    taken = due + wish ? take(d, n, due + wish, idle_surplus) : 0;
    if (taken < due && !coming)
        take(d, n, due - taken, excess);
}

/* A target above what the domain has is spoken for. One that all the others together could not meet takes what is free and no more,
 * so that it costs nobody anything; where we may, we say so. What is left of `free`. */
static int64_t speak_for(struct balance *d, unsigned n, int64_t free, uint64_t coming)
{
    uint64_t can = coming + balance_reserves(d, n) + (free > 0 ? (uint64_t)free : 0);

    for (unsigned i = 0; i < n; i++)
        if ((d[i].managed || !d[i].stuck) && beyond(d[i].goal, d[i].current) <= can)
            free -= (int64_t)beyond(d[i].goal, d[i].current);
    for (unsigned i = 0; i < n; i++) {
        if (d[i].stuck || beyond(d[i].goal, d[i].current) <= can)
            continue;
        if (d[i].managed)
            d[i].goal = (d[i].current + (free > 0 ? (uint64_t)free : 0)) / 4 * 4;
        free = free > 0 ? 0 : free;
    }
    return free;
}

bool balance_memory(struct balance *d, unsigned n, int64_t free)
{
    uint64_t coming = balance_coming(d, n);

    for (unsigned i = 0; i < n; i++) {
        d[i].goal = d[i].target;
        accept_stuck(&d[i]);
    }
    free = speak_for(d, n, free, coming);
    set_shares(d, n, free > 0 ? (uint64_t)free : 0);
    if (free < 0 && (uint64_t)-free > coming)
        collect(d, n, (uint64_t)-free - coming);
    else if (free >= 0)
        spread(d, n, (uint64_t)free, coming);
    else
        spread(d, n, 0, coming - (uint64_t)-free);
    return changed(d, n);
}

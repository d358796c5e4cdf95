/* SPDX-License-Identifier: MIT */
/* clock.c: lwIP's timers on the kernel's, each running only while there is something for it to do: an idle machine has no
 * tick. TCP's runs while connections exist. Those that tidy up (ARP entries grow old, fragments are given up)
 * run until half a minute after the last packet, and ARP makes up for the time asleep before the next one, whether it comes or goes.
 * ARP's runs for connections too: a segment that waits for an answer of ARP's is not sent again before ARP has given it up. */
#include "guest-kernel/kernel/net/net.h"
#include "guest-kernel/kernel/timer.h"
#include "guest-kernel/kernel/wait.h"

#include "lwip/dhcp.h"
#include "lwip/etharp.h"
#include "lwip/ip4_frag.h"
#include "lwip/prot/dhcp.h"
#include "lwip/sys.h"
#include "lwip/timeouts.h"
#include "lwip/priv/tcp_priv.h"

#define QUIET_AFTER (30 * NSEC_PER_SEC)

static struct { struct timer timer; uint64_t active_until; } net_clock;

static bool tcp_wanted(void) { return tcp_active_pcbs || tcp_tw_pcbs; }
static bool tidy_wanted(void) { return plat_clock_ns() < net_clock.active_until; }
static bool arp_wanted(void) { return tcp_wanted() || tidy_wanted(); }

static bool dhcp_in_state(bool bound)
{
    list_for (i, &ip_interfaces, struct ip_interface, link) {
        struct dhcp *d = netif_dhcp_data(&i->netif);
        if (d && d->state != DHCP_STATE_OFF && (d->state == DHCP_STATE_BOUND) == bound)
            return true;
    }
    return false;
}

static bool dhcp_asking(void) { return dhcp_in_state(false); }
static bool dhcp_used(void) { return dhcp_in_state(false) || dhcp_in_state(true); }

static struct cyclic {
    void   (*run)(void);
    bool   (*wanted)(void);
    uint64_t interval;
    unsigned catch_up;                      /* calls to make up for at most */
    uint64_t next, last;                    /* next 0: at rest */
} cyclics[] = {
    { tcp_tmr,         tcp_wanted,  TCP_TMR_INTERVAL * NSEC_PER_MS, 1, 0, 0 },
    { etharp_tmr,      arp_wanted,  ARP_TMR_INTERVAL * NSEC_PER_MS, ARP_MAXAGE + 1, 0, 0 },
    { ip_reass_tmr,    tidy_wanted, IP_TMR_INTERVAL * NSEC_PER_MS, 1, 0, 0 },
    { dhcp_fine_tmr,   dhcp_asking, DHCP_FINE_TIMER_MSECS * NSEC_PER_MS, 1, 0, 0 },
    { dhcp_coarse_tmr, dhcp_used,   DHCP_COARSE_TIMER_MSECS * NSEC_PER_MS, 1, 0, 0 },
};

enum { CYCLIC_TCP, CYCLIC_ARP };

u32_t sys_now(void) { return plat_clock_ns() / NSEC_PER_MS; }

/* Starts a timer that is wanted and rests; one that tidies first makes up for the rest it had. */
static void cyclic_start(struct cyclic *c, uint64_t now)
{
    uint64_t missed = c->catch_up > 1 && c->last ? MIN((now - c->last) / c->interval, (uint64_t)c->catch_up) : 0;
    while (missed-- > 0)
        c->run();
    c->last = now;
    c->next = now + c->interval;
}

void net_clock_program(void)
{
    uint64_t now = plat_clock_ns(), first = FOREVER;
    for (unsigned i = 0; i < ARRAY_SIZE(cyclics); i++) {
        struct cyclic *c = &cyclics[i];
        if (!c->wanted())
            c->next = 0;
        else if (!c->next)
            cyclic_start(c, now);
        if (c->next)
            first = MIN(first, c->next);
    }
    if (first == FOREVER)
        timer_cancel(&net_clock.timer);
    else if (list_empty(&net_clock.timer.link) || first < net_clock.timer.deadline)
        timer_set(&net_clock.timer, first);
}

static void net_clock_fired(struct timer *t)
{
    uint64_t now = plat_clock_ns();
    for (unsigned i = 0; i < ARRAY_SIZE(cyclics); i++) {
        struct cyclic *c = &cyclics[i];
        if (!c->next || c->next > now)
            continue;
        c->last = now;
        c->next = MAX(c->next + c->interval, now + c->interval / 2);
        c->run();
    }
    net_flush();
    net_clock_program();
}

void net_active(void)
{
    uint64_t now = plat_clock_ns();
    bool rested = now >= net_clock.active_until;
    net_clock.active_until = now + QUIET_AFTER;
    if (rested)
        net_clock_program();
}

void net_sending(void)
{
    if (!cyclics[CYCLIC_ARP].next)
        net_active();
}

/* lwIP calls it when a connection enters its lists. */
void tcp_timer_needed(void)
{
    if (!cyclics[CYCLIC_TCP].next)
        net_clock_program();
}

/* lwip_init would start its own here. */
void sys_timeouts_init(void) { }

void net_clock_boot(void) { timer_init(&net_clock.timer, net_clock_fired); }

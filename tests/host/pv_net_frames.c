/* SPDX-License-Identifier: MIT */
/* pv_net_frames.c: the traffic of pv_net's tests: numbered frames that can be checked, sent and received at either end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pv_net_frames.h"

static uint8_t body_byte(uint32_t seq, uint32_t i) { return (uint8_t)(seq * 31 + i * 7 + (i >> 8)); }

struct net_frame frame_make(uint32_t seq, uint32_t len)
{
    struct net_frame f;
    assert_true(net_frame_alloc(&f));
    f.len = len;
    memset(f.data, 2, 14);
    memcpy(f.data + 14, &seq, 4);
    for (uint32_t i = BODY; i < len; i++)
        f.data[i] = body_byte(seq, i);
    return f;
}

static void frame_check(struct port *p, const struct net_frame *f)
{
    uint32_t seq;
    memcpy(&seq, f->data + 14, 4);
    p->received++;
    for (uint32_t i = BODY; i < f->len; i++)
        if (f->data[i] != body_byte(seq, i)) {
            p->wrong++;
            return;
        }
    if ((int32_t)(seq - p->next_seq) > 0)
        p->lost += seq - p->next_seq;
    if ((int32_t)(seq - p->next_seq) >= 0)
        p->next_seq = seq + 1;                  /* a smaller one was sent twice, over a restart */
}

void net_receive(void *port, struct net_frame *f)
{
    struct port *p = port;
    if (p->receive) {
        p->receive(p, f);
        return;
    }
    frame_check(p, f);
    net_frame_free(f);
}

uint32_t out_seq[DOMAINS], in_seq[DOMAINS];

void guest_sends(unsigned domid, unsigned n)
{
    run_as(domid);
    for (unsigned i = 0; i < n; i++) {
        struct net_frame f = frame_make(out_seq[domid]++, BODY + (unsigned)rand() % (NET_FRAME_MAX - BODY));
        netfront_transmit(front_port[domid]->front, &f);
    }
    netfront_kick(front_port[domid]->front);
}

void dom0_sends(unsigned domid, unsigned n)
{
    run_as(0);
    for (unsigned i = 0; i < n; i++) {
        struct net_frame f = frame_make(in_seq[domid]++, BODY + (unsigned)rand() % (NET_FRAME_MAX - BODY));
        netback_transmit(back_port[domid]->netback, &f);
    }
    netback_kick(back_port[domid]->netback);
}

int setup(void **state)
{
    srand(3);
    memset(out_seq, 0, sizeof(out_seq));
    memset(in_seq, 0, sizeof(in_seq));
    world_reset();
    return 0;
}

int teardown(void **state)
{
    world_end();
    return 0;
}

void up(unsigned domid)
{
    world_add(domid);
    world_run();
    assert_true(front_port[domid]->carrier && back_port[domid]->carrier && back_port[domid]->offload);
    assert_int_equal(back_device(domid)->state, XenbusStateConnected);
    assert_int_equal(front_device(domid)->state, XenbusStateConnected);
}

struct net_frame seen;

void keep(struct port *p, struct net_frame *f)
{
    seen = *f;
    p->received++;
    net_frame_free(f);
}

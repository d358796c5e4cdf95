/* SPDX-License-Identifier: MIT */
/* pv_net_frames.h: the traffic of pv_net's tests (pv_net_frames.c), and the tests that are in another file. */
#ifndef PV_NET_FRAMES_H
#define PV_NET_FRAMES_H

#include "pv_net_world.h"

#define BODY 18                                 /* header 14, number 4 */

extern uint32_t out_seq[DOMAINS], in_seq[DOMAINS];           /* the next numbers, from and to each guest */
extern struct net_frame seen;                                /* what keep() was given last */

struct net_frame frame_make(uint32_t seq, uint32_t len);
void guest_sends(unsigned domid, unsigned n);
void dom0_sends(unsigned domid, unsigned n);
void keep(struct port *p, struct net_frame *f);              /* for port.receive */

/* A guest with one card, and both ends connected. */
void up(unsigned domid);

int setup(void **state);
int teardown(void **state);

/* ---- pv_net_hell.c */
void parts_are_joined(void **state);
void honest_mistakes_are_errors(void **state);
void broken_rings_stop_their_vif(void **state);
void large_segments_become_frames(void **state);
void large_segments_that_are_none(void **state);
void large_segments_pay_for_their_headers(void **state);
void large_segments_leave_neighbours_their_turns(void **state);
void random_rings(void **state);
void a_storm_of_events_is_paced(void **state);
void random_answers(void **state);

#endif

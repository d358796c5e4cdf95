/* SPDX-License-Identifier: MIT */
/* net_gso.c: one TCP segment of up to 64 KiB made into frames, each with headers of its own: what a network card does that takes such
 * segments ("generic segmentation offload"), so that a guest's TCP runs once where it would run forty times. SPEC 11.5.
 *
 * The headers were written by a guest. They are read from our copy, and believed no further than they fit: what they say of
 * lengths and sums is written anew.                                                                                */
#include "pv-drivers/net_gso.h"

#define TCP_SUM_AT 16u
#define TCP_FIN    0x01u
#define TCP_PSH    0x08u
#define TCP_CWR    0x80u

_Static_assert(NET_GSO_HEADERS < NET_FRAME_MAX, "a frame holds the headers");

static uint32_t be16(const uint8_t *b) { return (uint32_t)b[0] << 8 | b[1]; }

static void put16(uint8_t *b, uint32_t n)
{
    b[0] = (uint8_t)(n >> 8);
    b[1] = (uint8_t)n;
}

static uint32_t sum_of(const uint8_t *b, uint32_t len)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < len; i += 2)
        sum += be16(b + i);
    return sum;
}

static uint32_t fold(uint32_t sum)
{
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16);
}

bool net_gso_read(struct net_gso *g, struct net_frame *f, uint32_t bytes, uint32_t size)
{
    if (!net_csum_place(f) || f->csum_offset != TCP_SUM_AT)
        return false;
    g->tcp = f->csum_start;
    g->ip = NET_HEADER + (be16(f->data + 12) == 0x8100 ? 4 : 0);
    g->headers = g->tcp + (f->data[g->tcp + 12] >> 4) * 4u;
    if (g->headers < g->tcp + 20 || g->headers >= bytes)       /* no more than f has, by NET_GSO_HEADERS */
        return false;
    g->payload = bytes - g->headers;
    g->size = size;
    g->segments = (g->payload + size - 1) / size;
    __builtin_memcpy(g->head, f->data, g->headers);
    return g->headers + (size < g->payload ? size : g->payload) <= NET_FRAME_MAX;
}

static void ip_header(const struct net_gso *g, uint8_t *ip, unsigned i, uint32_t len)
{
    put16(ip + 2, g->headers - g->ip + len);
    put16(ip + 4, be16(ip + 4) + i);
    put16(ip + 10, 0);
    put16(ip + 10, ~fold(sum_of(ip, g->tcp - g->ip)));
}

static void tcp_header(const struct net_gso *g, uint8_t *tcp, unsigned i, uint32_t len)
{
    uint32_t seq = (be16(tcp + 4) << 16 | be16(tcp + 6)) + i * g->size;
    put16(tcp + 4, seq >> 16);
    put16(tcp + 6, seq);
    if (i + 1 < g->segments)
        tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);       /* said at the end */
    if (i > 0)
        tcp[13] &= (uint8_t)~TCP_CWR;                   /* said once */
    uint32_t pseudo = sum_of(g->head + g->ip + 12, 8) + 6 + g->headers - g->tcp + len;
    put16(tcp + TCP_SUM_AT, fold(pseudo));
}

uint32_t net_gso_header(const struct net_gso *g, unsigned i, struct net_frame *f)
{
    uint32_t done = i * g->size, len = g->payload - done < g->size ? g->payload - done : g->size;
    __builtin_memcpy(f->data, g->head, g->headers);
    ip_header(g, f->data + g->ip, i, len);
    tcp_header(g, f->data + g->tcp, i, len);
    f->len = g->headers + len;
    return len;
}

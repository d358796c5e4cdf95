/* SPDX-License-Identifier: MIT */
/* net_csum.c: reading as much of a frame as it takes to find its checksum; and of an address in text. */
#include "pv-drivers/net.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_VLAN 0x8100
#define PROTO_TCP 6
#define PROTO_UDP 17

static unsigned be16(const uint8_t *b) { return (unsigned)b[0] << 8 | b[1]; }

/* The frame is in our memory, copied: no one changes it while we look. */
bool net_csum_place(struct net_frame *f)
{
    const uint8_t *d = f->data;
    unsigned ip = NET_HEADER, transport, field;
    if (f->len < ip + 20)
        return false;
    if (be16(d + 12) == ETHERTYPE_VLAN)
        ip += 4;
    if (f->len < ip + 20 || be16(d + ip - 2) != ETHERTYPE_IPV4 || d[ip] >> 4 != 4 || (d[ip] & 15) < 5)
        return false;
    if (be16(d + ip + 6) & 0x3fff)                     /* a fragment has no sum of its own */
        return false;
    transport = ip + (d[ip] & 15) * 4u;
    if (d[ip + 9] == PROTO_TCP)
        field = 16;
    else if (d[ip + 9] == PROTO_UDP)
        field = 6;
    else
        return false;
    if (f->len < transport + field + 2)
        return false;
    f->flags |= NET_CSUM_PARTIAL;
    f->csum_start = (uint16_t)transport;
    f->csum_offset = (uint16_t)field;
    return true;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool net_parse_mac(const char *s, uint8_t mac[6])
{
    unsigned any = 0;
    for (int i = 0; i < 6; i++, s += 3) {
        int high = hex(s[0]), low = high < 0 ? -1 : hex(s[1]);
        if (low < 0 || s[2] != (i < 5 ? ':' : 0))
            return false;
        mac[i] = (uint8_t)(high << 4 | low);
        any |= mac[i];
    }
    return any && !(mac[0] & 1);
}

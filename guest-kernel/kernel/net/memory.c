/* SPDX-License-Identifier: MIT */
/* memory.c: the stack's memory, all of it from the kernel's, and never more than a share of the machine.
 *
 * Pieces up to a slab's size come from the heap; larger ones, full frames above all, are whole pages, so that what a program
 * sends is copied once, into the page that the driver then transmits (ip.c). Each piece starts with its size.   */
#include "guest-kernel/kernel/net/net.h"
#include "guest-kernel/kernel/page.h"

#include "lwip/pbuf.h"

#define HEAD      16                        /* before each piece; keeps the rest aligned */
#define HEAP_MAX  1024

struct net_memory net_memory;
static uint64_t secret[2];

/* An eighth of what is free at boot: a guest of 16 MiB still has room for two full windows. */
void net_memory_boot(void)
{
    net_memory.limit = MAX(pages_free_count() * PAGE_SIZE / 8, 512ul << 10);
    net_memory.limit = MIN(net_memory.limit, 64ul << 20);
    for (int i = 0; i < 8; i++)
        secret[i & 1] = secret[i & 1] << 32 | net_random();
}

static size_t charge_of(size_t n)
{
    return n <= HEAP_MAX ? n : ROUND_UP(n, PAGE_SIZE);
}

void *net_malloc(size_t size)
{
    size_t n = size + HEAD;
    unsigned order = 0;
    size_t *piece;
    if (!net_room(charge_of(n)) || pages_low())
        return 0;
    while (n > HEAP_MAX && (PAGE_SIZE << order) < n)
        order++;
    piece = n <= HEAP_MAX ? kmalloc(n) : pages_alloc_raw(order);
    if (!piece)
        return 0;
    *piece = charge_of(n);
    net_memory.used += *piece;
    return (char *)piece + HEAD;
}

void *net_calloc(size_t count, size_t size)
{
    void *p = net_malloc(count * size);
    return p ? memset(p, 0, count * size) : 0;
}

void net_free(void *p)
{
    size_t *piece = (size_t *)((char *)p - HEAD);
    BUG_ON(*piece > net_memory.used);
    net_memory.used -= *piece;
    kfree(piece);
}

void *net_page_of(const struct pbuf *p)
{
    uintptr_t at = (uintptr_t)p - HEAD;
    return !p->next && !(p->flags & PBUF_FLAG_IS_CUSTOM) && pbuf_match_type(p, PBUF_RAM) && (at & (PAGE_SIZE - 1)) == 0 &&
           *(size_t *)at == PAGE_SIZE ? (void *)at : 0;
}

/* ---- Numbers that others should not guess ---- */

static uint64_t mix(uint64_t x)
{
    x ^= x >> 30;
    x *= 0xbf58476d1ce4e5b9ul;
    x ^= x >> 27;
    x *= 0x94d049bb133111ebul;
    return x ^ x >> 31;
}

uint32_t net_random(void)
{
    static uint64_t state;
    uint32_t low, high;
    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
    state = mix(state + ((uint64_t)high << 32 | low) + 0x9e3779b97f4a7c15ul) ^ plat_wall_ns();
    return mix(state) >> 32;
}

uint32_t net_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port);

uint32_t net_isn(const ip_addr_t *local, uint16_t local_port, const ip_addr_t *remote, uint16_t remote_port)
{
    uint64_t h = mix(secret[0] ^ ((uint64_t)local->addr << 32 | remote->addr));
    h = mix(h ^ secret[1] ^ ((uint64_t)local_port << 16 | remote_port));
    return (uint32_t)h + (uint32_t)(plat_clock_ns() / 4096);       /* a clock of about 4 us, as the RFC has it */
}

uint16_t net_checksum(const void *data, int n) { return net_sum(data, n, 0); }

/* SPDX-License-Identifier: MIT */
/* packet.c: packets, made and freed by the hundred thousand a second.
 *
 * A freed packet keeps its page and waits in a pool for the next; only what the pool does not hold goes through the page
 * allocator. The pool is bounded, and packets are refused while memory is scarce: the network gives way first.      */
#include "guest-kernel/kernel/netdev.h"
#include "guest-kernel/kernel/page.h"

#define POOL_MAX 512

static struct {
    struct list free;
    unsigned    count;
} pool = { LIST_INIT(pool.free), 0 };

static struct packet *packet_make(void)
{
    if (pages_low())
        return 0;
    struct packet *p = kmalloc(sizeof(*p));
    if (!p)
        return 0;
    p->page = page_alloc_raw();
    if (!p->page) {
        kfree(p);
        return 0;
    }
    memset(p->page, 0, PAGE_SIZE);           /* what a page held before is nobody's business on the wire */
    list_init(&p->link);
    return p;
}

struct packet *packet_alloc(void)
{
    struct packet *p;
    if (list_empty(&pool.free)) {
        p = packet_make();
        if (!p)
            return 0;
    } else {
        p = container_of(pool.free.next, struct packet, link);
        list_remove(&p->link);
        pool.count--;
    }
    p->data = (uint8_t *)p->page + PACKET_HEADROOM;
    p->len = 0;
    p->flags = 0;
    p->from = 0;
    return p;
}

struct packet *packet_copy(const struct packet *p)
{
    struct packet *c = packet_alloc();
    if (!c)
        return 0;
    size_t at = (size_t)(p->data - (const uint8_t *)p->page);
    if (p->len <= PACKET_MAX)
        at = PACKET_HEADROOM;
    c->data = (uint8_t *)c->page + at;
    memcpy(c->data, p->data, p->len);
    c->len = p->len;
    c->flags = p->flags;
    c->csum_start = p->csum_start;
    c->csum_offset = p->csum_offset;
    c->from = p->from;
    return c;
}

/* A page that somebody else still holds is not used again: he may read it for long. */
void packet_free(struct packet *p)
{
    if (!p)
        return;
    list_remove(&p->link);
    if (page_of(p->page)->refs == 1 && pool.count < POOL_MAX && !pages_scarce()) {
        list_prepend(&pool.free, &p->link);
        pool.count++;
        return;
    }
    pages_free(p->page);
    kfree(p);
}

void *packet_take_page(struct packet *p)
{
    void *page = p->page;
    list_remove(&p->link);
    kfree(p);
    return page;
}

uint16_t net_sum(const void *data, size_t n, uint32_t sum)
{
    const uint8_t *b = data;
    uint64_t total = sum;
    for (; n >= 8; n -= 8, b += 8) {
        uint64_t word;
        memcpy(&word, b, 8);
        total += word;
        total += total < word;
    }
    uint64_t rest = 0;
    memcpy(&rest, b, n);
    total += rest;
    total += total < rest;
    total = (total & 0xffffffff) + (total >> 32);
    total = (total & 0xffffffff) + (total >> 32);
    total = (total & 0xffff) + (total >> 16);
    total = (total & 0xffff) + (total >> 16);
    return (uint16_t)total;
}

bool packet_checksum(struct packet *p)
{
    uint32_t at = (uint32_t)p->csum_start + p->csum_offset;
    if (p->csum_start >= p->len || at + 2 > p->len)
        return false;
    uint16_t sum = (uint16_t)~net_sum(p->data + p->csum_start, p->len - p->csum_start, 0);
    if (sum == 0)
        sum = 0xffff;                        /* 0 says "no checksum" in UDP; the two are equal in this arithmetic */
    memcpy(p->data + at, &sum, sizeof(sum));
    p->flags &= (uint8_t)~PACKET_CSUM_PARTIAL;
    return true;
}

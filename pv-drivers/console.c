/* SPDX-License-Identifier: MIT */
/* console.c: a guest's end of its console: two byte rings in one page, and an event after each change. SPEC 11.1.  */
#include "pv-drivers/console.h"

#include "hypercall-abi/io/console.h"
#include "pv-drivers/os.h"
#include "pv-drivers/ring.h"

static struct byte_ring out_ring(const struct pv_console *c)
{
    return (struct byte_ring){ c->page->out, sizeof(c->page->out), &c->page->out_prod, &c->page->out_cons };
}

static bool has_room(void *arg)
{
    struct byte_ring out = out_ring(arg);
    return byte_ring_room(&out);
}

void pv_console_write(const struct pv_console *c, const char *text, size_t n)
{
    struct byte_ring out = out_ring(c);
    while (n) {
        size_t done = byte_ring_put(&out, text, n);
        os_event_send(c->port);
        text += done;
        n -= done;
        if (n)
            os_wait_until(c->port, has_room, (void *)c);   /* the other end sends an event when it has made room */
    }
}

size_t pv_console_read(const struct pv_console *c, char *to, size_t n)
{
    struct byte_ring in = { c->page->in, sizeof(c->page->in), &c->page->in_prod, &c->page->in_cons };
    size_t done = byte_ring_get(&in, to, n);
    if (done)
        os_event_send(c->port);
    return done;
}

/* SPDX-License-Identifier: MIT */
/* guestcons_text.c: making guests' bytes harmless. Pure: host-tested.                           [read 61] */
#include "hypervisor/core/guestcons.h"

static const char prefix[] = "(enso) ";

unsigned guestcons_escape(char *out, char c)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char u = (unsigned char)c;

    if (u >= ' ' && u != 0x7f) {
        /* Bytes above 0x9f may be UTF-8; 0x80 to 0x9f are control codes to some terminals, but also UTF-8's tails. */
        out[0] = c;
        return 1;
    }
    if (c == '\t') {
        out[0] = c;
        return 1;
    }
    out[0] = '\\';
    out[1] = 'x';
    out[2] = hex[u >> 4];
    out[3] = hex[u & 15];
    return 4;
}

/* The held bytes prove to be the prefix: it goes out with a mark in front, which makes it no line of Enso's. */
static size_t put_forged(char *out)
{
    size_t n = 0;

    out[n++] = '\'';
    for (unsigned i = 0; i < sizeof(prefix) - 1; i++)
        out[n++] = prefix[i];
    return n;
}

static size_t put_held(struct console_guard *g, char *out)
{
    for (unsigned i = 0; i < g->matched; i++)
        out[i] = prefix[i];
    return g->matched;
}

size_t guestcons_guard(struct console_guard *g, char *out, const char *in, size_t n)
{
    size_t len = 0;

    for (size_t i = 0; i < n; i++) {
        if (!g->mid_line && in[i] == prefix[g->matched]) {
            if (++g->matched < sizeof(prefix) - 1)
                continue;
            len += put_forged(out + len);
        } else {
            len += put_held(g, out + len);
            out[len++] = in[i];
        }
        g->matched = 0;
        /* A carriage return puts the cursor where a line begins. */
        g->mid_line = in[i] != '\n' && in[i] != '\r';
    }
    return len;
}

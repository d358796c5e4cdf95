/* SPDX-License-Identifier: MIT */
/* e1000e.c: a network card that lies: in its registers and in what it writes back to either ring, at any moment, more of it while the driver
 * looks, and in vanishing. No frame of a length that nobody expects goes up, no memory is touched that is not the driver's, and it holds
 * no more packets than its rings have places. The machine is tests/host/kernel_e1000e.c's. */
#define main        e1000e_main
#define calloc      kept_calloc
#define aligned_alloc kept_aligned
#define free        kept_free
int e1000e_main(void);
#include "tests/host/kernel_e1000e.c"
#undef calloc
#undef aligned_alloc
#undef free
#include "tests/fuzz/dice.h"

DICE_OF_THIS_TARGET;

/* ---- Memory that is given back when the input ends: a card never leaves ---- */

void *calloc(size_t n, size_t size);
void *aligned_alloc(size_t align, size_t n);
void free(void *p);
_Noreturn void abort(void);
static void *kept[4096];
static unsigned nkept;

static void *keep(void *p)
{
    if (nkept == ARRAY_SIZE(kept))
        abort();
    return kept[nkept++] = p;
}
void *kept_calloc(size_t n, size_t size) { return keep(calloc(n, size)); }
void *kept_aligned(size_t align, size_t n) { return keep(aligned_alloc(align, n)); }
void kept_free(void *p)
{
    for (unsigned i = nkept; i-- > 0;)
        if (kept[i] == p) {
            kept[i] = kept[--nkept];
            break;
        }
    free(p);
}

/* ---- The lies ---- */

static void *ring_rx, *ring_tx;

static void send_frame(void)
{
    if (no_memory)
        return;
    struct packet *p = frame(14 + dice(1500), dice8());
    p->flags = dice(2) ? PACKET_CSUM_PARTIAL : 0;
    p->csum_start = dice16();
    p->csum_offset = dice16();
    card->ops->transmit(card, p);
}

static void one_step(void)
{
    static const uint16_t lying[] = { R_CTRL, R_STATUS, R_ICR, R_RAL, R_RAH };
    switch (dice(12)) {
    case 0: case 1:
        send_frame();
        break;
    case 2:
        card->ops->kick(card);
        break;
    case 3: case 4:
        if (mood != VANISHED)
            write_back(dice16(), dice8(), dice8(), dice8());
        break;
    case 5:                                         /* all but its address, which the driver does not read */
        dice_bytes((uint8_t *)ring_rx + 16 * dice(RX_RING) + 8, 8);
        break;
    case 6:
        ((uint8_t *)ring_tx)[16 * dice(256) + 12] = dice8();
        break;
    case 7:
        dice_bytes(reg(lying[dice(ARRAY_SIZE(lying))]), 4);
        break;
    case 8:
        no_memory = dice(4) == 3;
        flood = dice(8) == 7;
        silent = dice(2);
        break;
    case 9:
        if (dice(2))
            card->ops->up(card);
        else
            card->ops->down(card);
        break;
    default:
        irq(irq_arg);
        step();
    }
    if (packets > 2 * RX_RING)
        abort();
    no_memory &= dice_left > 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dice_begin(bytes, n);
    blind = true;
    if (begin(dice(2), dice(16) == 15 ? (int)dice(3) : FINE) == 0) {
        ring_rx = *(void **)reg(R_RDBAL);
        ring_tx = *(void **)reg(R_TDBAL);
        for (unsigned steps = 0; dice_left && steps < 400; steps++) {
            said[0] = 0;
            one_step();
        }
        mood = VANISHED;
        irq(irq_arg);
        step();
        if (irq(irq_arg) || card->carrier)
            abort();
    }
    while (nkept)
        free(kept[--nkept]);
    return 0;
}

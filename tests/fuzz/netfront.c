/* SPDX-License-Identifier: MIT */
/* netfront.c: a backend that answers anything: wrong ids, statuses, offsets, sizes, flags and indices, which change while they are
 * read, odd features, states in any order. The guest keeps its memory: every frame and grant is there again when the device is
 * gone (world_end), and no frame reaches beyond its page. */
#include "tests/host/pv_net_hell.c"
#include "tests/fuzz/shared.h"

DICE_OF_THIS_TARGET;

int dice_rand(void);
int dice_rand(void) { return dice16(); }

static struct netif_tx_sring *tx;
static struct netif_rx_sring *rx;
static uint32_t backend_port;

/* What it hands up lies inside the frame's page, and is read whole. */
static void look_at(struct port *p, struct net_frame *f)
{
    volatile uint8_t sum = 0;

    assert_true(f->len >= 14 && f->data >= (uint8_t *)f->page && f->len <= 4096 - (size_t)(f->data - (uint8_t *)f->page));
    for (uint32_t i = 0; i < f->len; i++)
        sum = (uint8_t)(sum + f->data[i]);
    if (f->flags & NET_CSUM_PARTIAL)
        assert_true((uint32_t)f->csum_start + f->csum_offset + 2 <= f->len);
    p->received++;
    net_frame_free(f);
}

static void backend_says(const char *node, uint64_t value)
{
    char path[64], text[24];

    snprintf(path, sizeof(path), "backend/vif/1/0/%s", node);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    store_put(path, text);
}

static void leave(void)
{
    if (backend_port) {
        run_as(0);
        os_event_close(backend_port);
    }
    backend_port = 0;
    tx = 0;
    rx = 0;
    shared_is(0, 0, 0);
    shared_is(1, 0, 0);
}

static void connect(void)
{
    static const char *const features[] = { "feature-rx-copy", "feature-sg", "feature-gso-tcpv4", "feature-rx-notify", "feature-rx-flip",
                                            "feature-split-event-channels", "multi-queue-max-queues", "feature-ctrl-ring" };
    const char *word;

    leave();
    for (unsigned n = dice(4); n; n--)
        backend_says(features[dice(8)], dice(2) ? dice(2) : dice32());
    backend_says("state", 2);
    world_run();
    word = store_get("1/device/vif/0/tx-ring-ref");
    tx = word ? page_of_grant((uint32_t)atoi(word)) : 0;
    word = store_get("1/device/vif/0/rx-ring-ref");
    rx = word ? page_of_grant((uint32_t)atoi(word)) : 0;
    word = store_get("1/device/vif/0/event-channel");
    run_as(0);
    int port = word ? os_event_bind(1, (uint32_t)atoi(word), hell_event, 0) : 0;
    backend_port = port > 0 ? (uint32_t)port : 0;
    if (!tx || !rx || !backend_port) {
        tx = 0;
        rx = 0;
        return;
    }
    shared_is(0, tx, 4096);
    shared_is(1, rx, 4096);
    backend_says("state", 4);
    world_run();
    if (front_port[1])
        front_port[1]->receive = look_at;
}

static void answer_rx(void)
{
    uint32_t at = rx->rsp_prod;

    for (unsigned n = dice(8); n; n--, at++) {
        uint16_t id = dice(4) ? rx->ring[at % 256].req.id : dice16();
        struct netif_rx_response r = { id, dice(4) ? 0 : dice16(), dice8() & 15, (int16_t)(dice(4) ? dice(1600) : dice16()) };
        rx->ring[at % 256].rsp = r;
        if ((r.flags & NETRXF_extra_info) && n > 1) {
            at++, n--;
            dice_bytes(&rx->ring[at % 256], 8);
        }
    }
    rx->rsp_prod = at;
}

static void answer_tx(void)
{
    uint32_t at = tx->rsp_prod;

    for (unsigned n = dice(8); n && (at != tx->req_prod || dice(4) == 0); n--, at++)
        tx->ring[at % 256].rsp = (struct netif_tx_response){ dice(4) ? tx->ring[at % 256].req.id : dice16(), (int16_t)(dice(2) ? 0 : dice16()) };
    tx->rsp_prod = at;
}

static void one_step(void)
{
    switch (dice(12)) {
    case 0: case 1:
        answer_rx();
        break;
    case 2: case 3:
        answer_tx();
        break;
    case 4:
        if (front_port[1])
            guest_sends(1, dice(20));
        break;
    case 5:
        ((uint32_t *)(dice(2) ? (void *)tx : (void *)rx))[dice(4)] = dice(2) ? tx->rsp_prod + dice8() : dice32();
        break;
    case 6:
        dice_bytes((uint8_t *)(dice(2) ? (void *)tx : (void *)rx) + 64 + dice(256) * 8, 16);
        break;
    case 7:
        now_ns += (uint64_t)dice16() * 1000000;
        break;
    case 8:
        backend_says("state", dice(10));
        world_run();
        leave();
        backend_says("state", 6);
        world_run();
        connect();
        return;
    default:
        event_poke(backend_port);
        world_run();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static bool ready;

    dice_begin(bytes, n);
    if (!ready) {
        setup(0);
        netback_stop();                                 /* ours is the backend */
    }
    ready = true;
    now_ns = 1000000000ull * 1000;
    world_add(1);
    shared_changes = dice(2);
    connect();
    for (unsigned steps = 0; dice_left && steps < 200; steps++)
        if (tx)
            one_step();
        else {
            backend_says("state", 6);
            world_run();
            connect();
        }
    shared_changes = false;
    leave();
    backend_says("state", 6);
    world_run();
    world_end();
    return 0;
}

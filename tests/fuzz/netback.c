/* SPDX-License-Identifier: MIT */
/* netback.c: a frontend that says anything: chains, extra information, indices, grants, states and words in the store; what the backend
 * reads of its rings may change at each read. Beside it an honest guest whose frames all arrive. When the devices are gone, no frame,
 * grant or timer is left (world_end). The world is tests/host/pv_net_world.c's, the frontend pv_net_hell.c's. */
#include "tests/host/pv_net_hell.c"
#include "tests/fuzz/shared.h"

DICE_OF_THIS_TARGET;

int dice_rand(void);
int dice_rand(void) { return dice16(); }

static bool neighbour;

/* A large segment's first part, and what says so. */
static uint32_t fill_large(uint32_t at)
{
    struct netif_extra_info x = { .type = XEN_NETIF_EXTRA_TYPE_GSO, .u.gso = { .size = dice(8) ? 1 + dice8() : dice16(), .type = dice(16) ? 1 : dice(4) } };

    hell_put(at, h.ref[dice(8)], 0, dice(4) ? 60 + dice16() % 4037 : dice16(), (uint16_t)(NETTXF_extra_info | (dice8() & 7)));
    memcpy(&h.tx->ring[(at + 1) % 256], &x, sizeof(x));
    return at + 2;
}

static uint32_t fill_tx(uint32_t at)
{
    uint8_t k = dice8();

    if (k >= 0xb0 && k < 0xc0)
        return fill_large(at);
    if (k >= 0xe0)
        dice_bytes(&h.tx->ring[at % 256], 12);
    else if (k >= 0xc0) {
        uint8_t *x = (uint8_t *)&h.tx->ring[at % 256];
        memset(x, 0, 12);
        x[0] = dice8() & 7;
        x[1] = dice8() & 3;
        dice_bytes(x + 2, dice(7));
    } else
        hell_put(at, k & 7 ? h.ref[dice(8)] : dice16(), k & 8 ? dice16() : dice8(), k & 16 ? dice16() : 14 + dice8(), (k & 0x20 ? dice8() : 0) & 15);
    return at + 1;
}

static void send_some(void)
{
    uint32_t at = h.tx->req_prod;

    for (unsigned n = dice(24); n; n--)
        at = fill_tx(at);
    hell_kick(at);
}

static void write_page(void)
{
    char *p = h.page[dice(8)];
    unsigned at = dice(200);

    dice_bytes(p + at, 1 + dice(60));
    if (dice(2)) {                                      /* IP with TCP or UDP, for the checksum's place */
        p[12] = 8;
        p[13] = 0;
        p[14] = (char)(0x40 | dice(16));
        p[23] = dice(2) ? 6 : 17;
    }
}

static void receive_some(void)
{
    for (unsigned n = dice(6); n; n--)
        h.rx->ring[h.rx->req_prod++ % 256].req = (struct netif_rx_request){ dice16(), 0, dice(8) ? h.ref[dice(8)] : dice32() };
    dom0_sends(9, dice(6));
    world_run();
}

/* The words that hell_disconnect needs are put back. */
static void odd_words(void)
{
    static const char *const nodes[] = { "tx-ring-ref", "rx-ring-ref", "event-channel", "request-rx-copy", "feature-rx-notify", "feature-sg",
                                         "feature-gso-tcpv4", "feature-no-csum-offload", "multi-queue-num-queues", "mac" };
    char path[64], was[4][24], text[24];

    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "9/device/vif/0/%s", nodes[i]);
        snprintf(was[i], sizeof(was[i]), "%s", store_get(path));
    }
    store_put("9/device/vif/0/state", "6");
    world_run();
    for (unsigned n = 1 + dice(3); n; n--) {
        unsigned k = dice(10);
        snprintf(path, sizeof(path), "9/device/vif/0/%s", nodes[k]);
        dice_bytes(text, sizeof(text) - 1);
        text[23] = 0;
        if (dice(3))
            snprintf(text, sizeof(text), "%lld", dice(2) ? (long long)dice64() : (long long)dice(300));
        store_put(path, text);
    }
    store_put("9/device/vif/0/state", "1");
    world_run();
    store_put("9/device/vif/0/state", "4");
    world_run();
    store_put("9/device/vif/0/state", "6");
    world_run();
    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof(path), "9/device/vif/0/%s", nodes[i]);
        store_put(path, was[i]);
    }
    RING_INIT_SHARED(h.tx);
    RING_INIT_SHARED(h.rx);
    store_put("9/device/vif/0/state", "1");
    world_run();
    store_put("9/device/vif/0/state", "4");
    world_run();
}

static void reconnect(void)
{
    shared_changes = false;
    hell_disconnect();
    now_ns += 61000000000ull;
    hell_connect();
    large_make(4096, 6);
    for (unsigned i = 0; i < 8; i++)
        memcpy(h.page[i], large, 4096);
    shared_is(0, h.tx, 4096);
    shared_is(1, h.rx, 4096);
    back_port[9]->receive = keep;
    shared_changes = true;
}

static void one_step(void)
{
    char text[8];

    switch (dice(14)) {
    case 0: case 1: case 2: case 3:
        send_some();
        break;
    case 4:
        hell_kick(dice(2) ? h.tx->req_prod + dice16() : dice32());
        break;
    case 5: case 6:
        receive_some();
        break;
    case 7:
        ((uint32_t *)(dice(2) ? (void *)h.tx : (void *)h.rx))[dice(4)] = dice(2) ? h.tx->req_prod + dice8() : dice32();
        event_poke(h.event);
        world_run();
        break;
    case 8:
        write_page();
        break;
    case 9:
        reconnect();
        break;
    case 10:
        odd_words();
        break;
    case 11:
        snprintf(text, sizeof(text), "%u", dice(10));
        store_put("9/device/vif/0/state", text);
        world_run();
        break;
    case 12:
        now_ns += (uint64_t)dice16() * 1000000;
        world_run();
        break;
    default:
        if (neighbour) {
            guest_sends(1, dice(20));
            dom0_sends(1, dice(20));
            world_run();
        }
    }
    if (back_device(9)->state != XenbusStateConnected || back_device(9)->other_state != XenbusStateConnected) {
        bool was = shared_changes;
        reconnect();
        shared_changes = was;
    } else if (back_port[9])
        back_port[9]->receive = keep;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    static const char *const rates[] = { "50000,50000", "1,1", "4000000000,1", "x", "100,99999999999" };

    dice_begin(bytes, n);
    setup(0);
    uint8_t k = dice8();
    neighbour = k & 1;
    if (neighbour)
        up(1);
    if (k & 2)
        store_put("backend/vif/9/0/rate", rates[dice(5)]);
    hell_connect();
    large_make(4096, 6);
    for (unsigned i = 0; i < 8; i++)
        memcpy(h.page[i], large, 4096);
    shared_is(0, h.tx, 4096);
    shared_is(1, h.rx, 4096);
    back_port[9]->receive = keep;
    shared_changes = k & 4;
    for (unsigned steps = 0; dice_left && steps < 200; steps++)
        one_step();
    shared_changes = false;
    world_run();
    hell_disconnect();
    if (neighbour) {
        now_ns += 100000000000ull;
        world_run();
        assert_int_equal(back_port[1]->received, out_seq[1]);
        assert_int_equal(front_port[1]->received, in_seq[1]);
        assert_int_equal(back_port[1]->wrong + front_port[1]->wrong, 0);
    }
    world_end();
    return 0;
}

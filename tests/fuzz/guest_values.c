/* SPDX-License-Identifier: MIT */
/* guest_values.c: xenstore's values and names, whatever they are, read by dom0's tools: devices, homes, further consoles, balloons.
 *
 * A guest writes some of these nodes (its frontends' directories, data, error, memory/stat); here all are the input's. The store is a
 * stub: each read takes the next bytes. What must hold: nothing breaks, all ends, and a note for a terminal is plain text. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <unistd.h>

#include "dom0-tools/ensod/ensod.h"
#include "dom0-tools/libenso/balloon.h"
#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/device.h"
#include "dom0-tools/libenso/home.h"
#include "dom0-tools/libenso/loop.h"

struct xs { int unused; };
static struct xs the_store;
static struct fuzz_input in;
static uint64_t now;

/* ---- the store ------------------------------------------------------------------------------------------------- */

/* A byte below 16 stands for a word that opens doors. */
static size_t next_text(char *to, size_t room)
{
    static const char *const words[16] = { NULL, "1", "4", "6", "/local/domain/0/backend/console/3/1", "ends", "backends", "3/1", "/vm/0e8a1c5e-4b6f-4c9f-9a67-2f3d5b7c9e11",
        "/dev/loop0", "00:16:3e:01:02:03", "xenbr0", "-22 ", "w:8.12 r:8.13", "65536", "/local/domain/3/device/vbd/51712" };
    size_t got, n = 0;
    const uint8_t *raw = fuzz_bytes(&in, fuzz_take(&in, 1) & 63, &got);

    for (size_t i = 0; i < got; i++) {
        const char *word = raw[i] && raw[i] < 16 ? words[raw[i]] : NULL;
        size_t len = word ? strlen(word) : 1;

        if (n + len >= room)
            break;
        memcpy(to + n, word ? word : (const char *)&raw[i], len);
        n += len;
    }
    to[n] = '\0';
    return n;
}

int xs_read(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size)
{
    char text[3000];
    uint8_t how = (uint8_t)fuzz_take(&in, 1);
    size_t n;

    (void)tx;
    FUZZ_CHECK(x == &the_store && strlen(path) < XS_PATH && path[0] == '/');
    if (!in.left || how % 5 == 4)
        return -ENOENT;
    n = next_text(text, sizeof(text));
    if (n >= size)
        return -E2BIG;
    memcpy(buf, text, n + 1);
    return (int)n;
}

int xs_list(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size)
{
    int names = 0;
    size_t at = 0;

    (void)x; (void)tx;
    fuzz_read(path, strlen(path));
    for (unsigned n = (unsigned)fuzz_take(&in, 1) % 6; n && in.left; n--) {
        char text[400];
        size_t len = next_text(text, sizeof(text));

        len = strlen(text);
        if (!len || at + len + 1 > size)
            break;
        memcpy(buf + at, text, len + 1);
        at += len + 1;
        names++;
    }
    return names ? names : -ENOENT;
}

static int maybe(void) { return fuzz_take(&in, 1) == 0xee ? -EAGAIN : 0; }

struct xs *xs_open(void) { return fuzz_take(&in, 1) == 0xff ? NULL : &the_store; }
void xs_close(struct xs *x) { (void)x; }
int xs_fd(struct xs *x) { (void)x; return 3; }
int xs_write(struct xs *x, uint32_t tx, const char *path, const char *value) { (void)x; (void)tx; fuzz_read(value, strlen(value)); FUZZ_CHECK(path[0] == '/'); return maybe(); }
int xs_mkdir(struct xs *x, uint32_t tx, const char *path) { (void)x; (void)tx; (void)path; return maybe(); }
/* Whatever a guest wrote, nothing of dom0's beside its devices and its home is removed. */
int xs_rm(struct xs *x, uint32_t tx, const char *path)
{
    (void)x; (void)tx;
    FUZZ_CHECK(!strncmp(path, "/local/domain/", 14) || !strncmp(path, "/vm/", 4) || !strncmp(path, "/tool/balloond/", 15));
    FUZZ_CHECK(strcmp(path, "/local/domain/0") && strcmp(path, "/local/domain/0/"));
    return maybe();
}
int xs_set_perms(struct xs *x, uint32_t tx, const char *path, const char *perms) { (void)x; (void)tx; (void)path; (void)perms; return maybe(); }
int xs_begin(struct xs *x, uint32_t *tx) { (void)x; *tx = 1; return 0; }
int xs_end(struct xs *x, uint32_t tx, bool commit) { (void)x; (void)tx; (void)commit; return maybe(); }
int dom_granted(uint16_t domid, uint32_t ref, uint64_t *mfn) { (void)domid; *mfn = ref; return ref % 3 ? 0 : -1; }
int xs_introduce(struct xs *x, uint16_t domid, uint64_t mfn, uint32_t port) { (void)x; (void)domid; (void)mfn; (void)port; return 0; }
int xs_release(struct xs *x, uint16_t domid) { (void)x; FUZZ_CHECK(domid == 3); return 0; }
int xs_watch(struct xs *x, const char *path, const char *token) { (void)x; fuzz_read(path, strlen(path)); fuzz_read(token, strlen(token)); return 0; }
int xs_unwatch(struct xs *x, const char *path, const char *token) { (void)x; (void)path; (void)token; return 0; }

int xs_event(struct xs *x, char path[XS_PATH], char token[64], int limit_ms)
{
    (void)x;
    now += (uint64_t)(limit_ms > 0 ? limit_ms : 0);
    if (!in.left || fuzz_take(&in, 1) % 4 == 0)
        return 0;
    next_text(path, XS_PATH);
    next_text(token, 64);
    return 1;
}

/* ---- the system ---------------------------------------------------------------------------------------------------- */

uint64_t os_now_ms(void) { return now += 5; }
uint64_t os_date(void) { return 1; }
void os_sleep_ms(unsigned ms) { now += ms; }
bool os_interrupted(void) { return false; }
bool os_random(void *buf, size_t size) { memset(buf, 7, size); return true; }
int os_read_file(const char *path, char *buf, size_t size) { (void)path; return (int)next_text(buf, size); }
int os_write_file(const char *path, const char *text, size_t len) { (void)path; (void)text; (void)len; return 0; }
int loop_attach(const char *file, bool qcow2, bool writable, char *dev, size_t size, struct complaint *why)
{
    (void)file; (void)qcow2; (void)writable; (void)dev; (void)size;
    return complain(why, "no");
}
int loop_detach(const char *name) { fuzz_read(name, strlen(name)); return 0; }
int loop_keep(const char *name) { (void)name; return 0; }
int dom_info(uint16_t domid, struct xen_domctl_getdomaininfo *info) { memset(info, 0, sizeof(*info)); info->domain = domid; return 0; }
int machine_info(struct xen_sysctl_physinfo *info) { memset(info, 0, sizeof(*info)); info->free_pages = 1000; return 0; }

static int look(struct tree *t, const struct device *d, void *arg)
{
    char error[200];

    (void)arg;
    device_error(t->x, d, error, sizeof(error));
    for (const char *c = error; *c; c++)
        FUZZ_CHECK(*c >= ' ' && *c <= '~');
    return 0;
}

static void one_step(uint8_t op)
{
    static const char *const types[] = { "vbd", "vif", "console" };
    struct device d = { types[op / 16 % 3], 3, 51712 };
    struct tree t = { .x = &the_store };
    struct complaint why = { "" };
    struct device_leftovers left = { 0 };
    struct config_vif vif = { .has_mac = true, .bridge = "xenbr0" };
    uint8_t uuid[16] = { 0x0e, 0x8a, 0x1c, 0x5e, 0x4b, 0x6f, 0x4c, 0x9f, 0x9a, 0x67, 0x2f, 0x3d, 0x5b, 0x7c, 0x9e, 0x11 }, other[16];
    uint64_t value;
    struct guest *g;

    switch (op & 15) {
    case 0: consoles_fd(); consoles_heard(); break;
    case 1:
        consoles_fd();
        for (int i = 0; i < 8 && (g = consoles_start()); i++) {
            FUZZ_CHECK(g->number < 64 && g->domid < 0x7ff0);
            consoles_connected(g, op & 16);
            free(g);
        }
        break;
    case 2: devices_each(&t, d.type, 3, look, NULL); break;
    case 3: device_wait(&the_store, &d, op & 128, op & 64 ? XenbusStateClosed : XenbusStateConnected, 1000, &why); break;
    case 4: device_close(&the_store, &d, &why); break;
    case 5: device_remove(&the_store, &d, &why); break;
    case 6: devices_close(&the_store, 3); break;
    case 7:
        devices_take_away(&t, 3, &left);
        FUZZ_CHECK(left.loops <= CONFIG_DISKS);
        break;
    case 8: home_remove(&the_store, 3, uuid); break;
    case 9: home_rename(&the_store, 3, "new", &why); break;
    case 10: home_uuid(&the_store, 3, other); break;
    case 11: device_look_vif(&the_store, &vif, &why); break;
    case 12: balloon_number(&the_store, 3, "target", &value); balloon_floor(&the_store, 3); break;
    case 13: balloon_ask(65536, uuid, &why); break;
    case 14: device_exists(&the_store, &d); break;
    case 15: balloon_daemon(&the_store); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    in = (struct fuzz_input){ data, size };
    now = 1;
    for (int steps = 0; in.left && steps < 40; steps++)
        one_step((uint8_t)fuzz_take(&in, 1));
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint8_t values[] = { 1, 1, 2, 0, 1, 8, 0, 2, 12, 'x', 0, 1, 9, 3, 1, 1, 1, 3, 1, 2, 0, 1, 13, 1, 1, 4, 1, 6, 0, 0, 0, 1, 3, 0, 1, 14, 0, 1, 1 };

    (void)room;
    if (n >= 16)
        return 0;
    for (unsigned k = 0; k < 4; k++) {
        data[k * (sizeof(values) + 1)] = (uint8_t)(n + k * 16);
        memcpy(data + k * (sizeof(values) + 1) + 1, values, sizeof(values));
    }
    return 4 * (sizeof(values) + 1);
}

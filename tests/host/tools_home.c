/* SPDX-License-Identifier: MIT */
/* tools_home.c: claim: a domain's entries in xenstore are xl's (SPEC 11.4), each with its owner; a disk or an address that
 * another domain uses is refused and nothing stays; when a domain goes, all of its entries do. And: what is
 * wrong with a disk's file is said in one sentence. A failure means half-made domains, or two writers of one image. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/device.h"
#include "dom0-tools/libenso/home.h"
#include "dom0-tools/libenso/text.h"

/* ---- a xenstore of our own: nodes in a list, one transaction that can be taken back ---------------- */

#define NODES 400
struct xs {
    int unused;
};
static struct node {
    char path[160], value[300], perms[24];
} node[NODES], saved[NODES];
static unsigned nodes, saved_nodes, busy, released;
static struct xs the_store;

static struct node *find(const char *path)
{
    for (unsigned i = 0; i < nodes; i++)
        if (strcmp(node[i].path, path) == 0)
            return &node[i];
    return NULL;
}

/* With the parents that are missing, whose permissions are their parents'. */
static struct node *grow(const char *path)
{
    struct node *n = find(path);
    const char *slash = strrchr(path, '/');
    char parent[160];

    if (n)
        return n;
    for (const char *p = path; *p; p++)
        assert_true(strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-/_@", *p) != NULL);
    assert_true(nodes < NODES);
    n = &node[nodes++];
    memset(n, 0, sizeof(*n));
    assert_true(text_copy(n->path, sizeof(n->path), path));
    strcpy(n->perms, "n0");
    if (slash > path) {
        snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
        strcpy(n->perms, grow(parent)->perms);
    }
    return n;
}

struct xs *xs_open(void) { return &the_store; }
void xs_close(struct xs *x) { (void)x; }

int xs_read(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size)
{
    struct node *n = find(path);

    (void)x, (void)tx;
    if (!n)
        return -ENOENT;
    return text_copy(buf, size, n->value) ? (int)strlen(buf) : -E2BIG;
}

int xs_write(struct xs *x, uint32_t tx, const char *path, const char *value)
{
    (void)x, (void)tx;
    assert_true(text_copy(grow(path)->value, sizeof(node[0].value), value));
    return 0;
}

int xs_mkdir(struct xs *x, uint32_t tx, const char *path)
{
    (void)x, (void)tx;
    grow(path);
    return 0;
}

int xs_rm(struct xs *x, uint32_t tx, const char *path)
{
    size_t n = strlen(path);
    unsigned kept = 0;

    (void)x, (void)tx;
    for (unsigned i = 0; i < nodes; i++)
        if (strncmp(node[i].path, path, n) != 0 || (node[i].path[n] && node[i].path[n] != '/'))
            node[kept++] = node[i];
    if (kept == nodes)
        return -ENOENT;
    nodes = kept;
    return 0;
}

int xs_list(struct xs *x, uint32_t tx, const char *path, char *buf, size_t size)
{
    size_t n = strlen(path), at = 0;
    int count = 0;

    (void)x, (void)tx;
    for (unsigned i = 0; i < nodes; i++) {
        const char *name = node[i].path + n + 1;

        if (strncmp(node[i].path, path, n) != 0 || node[i].path[n] != '/' || strchr(name, '/'))
            continue;
        assert_true(at + strlen(name) < size);
        strcpy(buf + at, name);
        at += strlen(name) + 1;
        count++;
    }
    return count ? count : find(path) ? 0 : -ENOENT;
}

int xs_set_perms(struct xs *x, uint32_t tx, const char *path, const char *perms)
{
    (void)x, (void)tx;
    strcpy(find(path)->perms, perms);
    return 0;
}

int xs_begin(struct xs *x, uint32_t *tx)
{
    (void)x;
    memcpy(saved, node, sizeof(node));
    saved_nodes = nodes;
    *tx = 1;
    return 0;
}

int xs_end(struct xs *x, uint32_t tx, bool commit)
{
    (void)x, (void)tx;
    if (commit && !busy)
        return 0;
    memcpy(node, saved, sizeof(node));
    nodes = saved_nodes;
    busy -= commit;
    return commit ? -EAGAIN : 0;
}

int xs_introduce(struct xs *x, uint16_t domid, uint64_t mfn, uint32_t port)
{
    (void)x, (void)domid, (void)mfn, (void)port;
    return 0;
}

int xs_release(struct xs *x, uint16_t domid)
{
    (void)x;
    released = domid;
    return 0;
}

/* ---- domains in it ------------------------------------------------------------------------------------ */

static struct config config;
static struct disk   disk;

static void put_domain(struct tree *t, void *arg)
{
    struct home *h = arg;

    home_put(t, h);
    for (unsigned i = 0; i < h->config->disks; i++)
        device_put_vbd(t, h->domid, &h->config->disk[i], &disk);
    for (unsigned i = 0; i < h->config->vifs; i++)
        device_put_vif(t, h->domid, i, &h->config->vif[i]);
}

static int put(uint16_t domid, const char *text, struct complaint *why)
{
    struct home h = { .domid = domid, .config = &config, .store_mfn = 5, .console_mfn = 6, .store_port = 1, .console_port = 2 };

    config_init(&config);
    assert_int_equal(config_parse(&config, "f", text, strlen(text), why), 0);
    assert_int_equal(config_check(&config, "f", why), 0);
    memset(h.uuid, domid, 16);
    return tree_do(&the_store, put_domain, &h, why);
}

static void is(const char *path, const char *value, const char *perms)
{
    struct node *n = find(path);

    if (!n || strcmp(n->value, value) != 0 || strcmp(n->perms, perms) != 0)
        fail_msg("%s is \"%s\" (%s), not \"%s\" (%s)", path, n ? n->value : "absent", n ? n->perms : "", value, perms);
}

static int fresh(void **state)
{
    (void)state;
    nodes = busy = released = 0;
    memset(&disk, 0, sizeof(disk));
    strcpy(disk.params, "/dev/nvme0n1p3");
    disk.rdev = 0x0103;
    disk.writable = true;
    disk.uses = 2;
    disk.use[0] = (struct disk_use){ 8, 12 };
    disk.use[1] = (struct disk_use){ 8, 13 };
    return 0;
}

static const char one[] = "name='one'\nmemory=8\nmaxmem=16\nvcpus=2\ndisk=['/i/a,raw,xvda,rw,iops=5,mbps=2']\n"
                          "vif=['mac=00:16:3e:00:00:01,rate=8Mb/s']\nmem_floor=4";

static void layout(void **state)
{
    struct complaint why;

    (void)state;
    busy = 3;                                    /* somebody else is faster three times */
    assert_int_equal(put(3, one, &why), 0);
    is("/local/domain/3", "", "n0 r3");
    is("/local/domain/3/name", "one", "n0 r3");
    is("/local/domain/3/vm", "/vm/03030303-0303-0303-0303-030303030303", "n0 r3");
    is("/local/domain/3/domid", "3", "n0 r3");
    is("/local/domain/3/memory/target", "8192", "n0 r3");
    is("/local/domain/3/memory/static-max", "16384", "n0 r3");
    is("/local/domain/3/memory/floor", "4096", "n0 r3");
    is("/local/domain/3/memory/stat", "", "n3");
    is("/local/domain/3/control/shutdown", "", "n3");
    is("/local/domain/3/cpu/1/availability", "online", "n0 r3");
    is("/local/domain/3/console/ring-ref", "6", "n0 r3");
    is("/local/domain/3/device/vbd/51712", "", "n3 r0");
    is("/local/domain/3/device/vbd/51712/backend", "/local/domain/0/backend/vbd/3/51712", "n3 r0");
    is("/local/domain/3/device/vbd/51712/virtual-device", "51712", "n3 r0");
    is("/local/domain/3/device/vbd/51712/state", "1", "n3 r0");
    is("/local/domain/0/backend/vbd/3/51712", "", "n0 r3");
    is("/local/domain/0/backend/vbd/3/51712/params", "/dev/nvme0n1p3", "n0 r3");
    is("/local/domain/0/backend/vbd/3/51712/physical-device", "1:3", "n0 r3");
    is("/local/domain/0/backend/vbd/3/51712/mode", "w", "n0 r3");
    is("/local/domain/0/backend/vbd/3/51712/iops", "5", "n0 r3");
    is("/local/domain/0/backend/vbd/3/51712/bps", "2000000", "n0 r3");
    is("/local/domain/0/backend/vbd/3/51712/frontend-id", "3", "n0 r3");
    is("/local/domain/0/backend/vif/3/0/mac", "00:16:3e:00:00:01", "n0 r3");
    is("/local/domain/0/backend/vif/3/0/bridge", "br0", "n0 r3");
    is("/local/domain/0/backend/vif/3/0/rate", "50000,50000", "n0 r3");
    is("/local/domain/3/device/vif/0/handle", "0", "n3 r0");
    is("/vm/03030303-0303-0303-0303-030303030303/name", "one", "n0 r3");
}

static void refusals(void **state)
{
    struct complaint why;
    unsigned before;

    (void)state;
    assert_int_equal(put(3, one, &why), 0);
    before = nodes;
    assert_int_equal(put(4, "name='two'\nmemory=8\ndisk=['/i/a,raw,xvda,rw']", &why), -1);
    assert_non_null(strstr(why.text, "/i/a: one uses it read-write already"));
    assert_int_equal(nodes, before);
    /* Read-only does not help while the other writes; another overlay of the same base does. */
    disk.writable = false;
    assert_int_equal(put(4, "name='two'\nmemory=8\ndisk=['/i/a,raw,xvda,ro']", &why), -1);
    disk.writable = true;
    disk.use[0].ino = 99;
    assert_int_equal(put(4, "name='two'\nmemory=8\ndisk=['/i/b,raw,xvda,rw']", &why), 0);
    before = nodes;
    /* But nobody may write to the base now. */
    disk.uses = 1;
    disk.use[0].ino = 13;
    assert_int_equal(put(5, "name='three'\nmemory=8\ndisk=['/i/base,raw,xvda,rw']", &why), -1);
    assert_int_equal(put(5, "name='three'\nmemory=8\nkernel='k'\nvif=['mac=00:16:3e:00:00:01']", &why), -1);
    assert_non_null(strstr(why.text, "the address 00:16:3e:00:00:01 is in use by one"));
    assert_int_equal(nodes, before);
    busy = 1000;
    assert_int_equal(put(6, "name='four'\nmemory=8\nkernel='k'", &why), -1);
    assert_non_null(strstr(why.text, "so busy"));
}

static void removal(void **state)
{
    struct device d = { "vbd", 3, 51712 };
    struct complaint why;
    uint8_t uuid[16], wrong[16];

    (void)state;
    assert_int_equal(put(3, one, &why), 0);
    assert_int_equal(home_rename(&the_store, 3, "uno", &why), 0);
    is("/local/domain/3/name", "uno", "n0 r3");
    xs_write(&the_store, 0, "/local/domain/0/error/backend/vbd/3/51712/error", "5 the disk is bad");
    assert_int_equal(device_wait(&the_store, &d, false, XenbusStateConnected, 50, &why), -1);
    assert_non_null(strstr(why.text, "the disk is bad"));
    memset(wrong, 9, 16);
    home_remove(&the_store, 3, wrong);
    assert_non_null(find("/local/domain/3/name"));
    memset(uuid, 3, 16);
    xs_write(&the_store, 0, "/local/domain/0/backend/vbd/3/51712/state", "6");
    xs_write(&the_store, 0, "/local/domain/0/backend/vif/3/0/state", "6");
    home_remove(&the_store, 3, uuid);
    assert_int_equal(released, 3);
    for (unsigned i = 0; i < nodes; i++)
        if (strstr(node[i].path, "/3") || strncmp(node[i].path, "/vm/", 4) == 0)
            fail_msg("%s is left", node[i].path);
}

/* ---- files ---------------------------------------------------------------------------------------------- */

static char dir[] = "/tmp/enso-disk-XXXXXX";

static void look(const char *spec, const char *says)
{
    char text[300];
    struct config_disk c;
    struct complaint why = { "" };
    struct disk d;

    snprintf(text, sizeof(text), "%s,target=%s/%s", strchr(spec, ' ') + 1, dir, "");
    snprintf(text + strlen(text), sizeof(text) - strlen(text), "%.*s", (int)strcspn(spec, " "), spec);
    assert_int_equal(config_disk_parse(&c, text, &why), 0);
    assert_int_equal(disk_look(&c, &d, &why), says ? -1 : 0);
    if (says && !strstr(why.text, says))
        fail_msg("%s: \"%s\", not \"%s\"", spec, why.text, says);
}

static void files(void **state)
{
    char line[600];
    uint8_t head[104] = "QFI\373\0\0\0\3", sound[104];
    struct complaint why;
    char backing[1024];

    (void)state;
    assert_non_null(mkdtemp(dir));
    snprintf(line, sizeof(line), "cd %s && truncate -s 64K raw && truncate -s 100 short && truncate -s 1000 odd && mkdir d && "
             "printf 'QFI\\373\\0\\0\\0\\3' >q && truncate -s 64K q && qemu-img create -q -f qcow2 base 1M && "
             "qemu-img create -q -f qcow2 -F qcow2 -b base over && qemu-img create -q -f qcow2 -F qcow2 -b over top && "
             "cp over lost && qemu-img rebase -q -u -F qcow2 -b gone lost && head -c 60 base >cut", dir);
    if (system(line)) {
        print_message("no qemu-img here: files are not tried\n");
        return;
    }
    look("raw vdev=xvda", NULL);
    look("none vdev=xvda", "no such file; make it");
    look("short vdev=xvda", "too short for a disk: 100 bytes");
    look("odd vdev=xvda", "1000 bytes are not a whole number of sectors");
    look("d vdev=xvda", "neither a file nor a block device");
    look("q vdev=xvda", "it is a qcow2 image, and the configuration says raw");
    look("raw vdev=xvda,format=qcow2", "it is not a qcow2 image; if it is raw, say format=raw");
    look("cut vdev=xvda,format=qcow2", "cut short: its header alone is 72 bytes");
    look("top vdev=xvda,format=qcow2", NULL);
    look("lost vdev=xvda,format=qcow2", "gone: no such file, and the image is an overlay of it");
    snprintf(line, sizeof(line), "rm -r %s", dir);
    assert_int_equal(system(line), 0);
    /* Every byte of a header made nasty. */
    head[40 + 6] = 1;
    memcpy(sound, head, sizeof(head));
    assert_int_equal(disk_qcow2(head, sizeof(head), 1 << 20, backing, sizeof(backing), &why), 0);
    for (unsigned i = 0; i < sizeof(head); i++) {
        memcpy(head, sound, sizeof(head));
        head[i] ^= 0xff;
        disk_qcow2(head, sizeof(head), 1 << 20, backing, sizeof(backing), &why);
        head[15] = (uint8_t)i;
        head[19] = 0xff;
        disk_qcow2(head, i, 1 << 20, backing, sizeof(backing), &why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(layout, fresh), cmocka_unit_test_setup(refusals, fresh), cmocka_unit_test_setup(removal, fresh),
        cmocka_unit_test(files),
    };

    return cmocka_run_group_tests_name("tools_home", tests, NULL, NULL);
}

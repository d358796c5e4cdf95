/* SPDX-License-Identifier: MIT */
/* pv_xenbus.c: claim: the bus (pv-drivers/xenbus.c, SPEC 11.3) finds each device of the store once, tells its driver each state of the
 * other end, lets go of what is removed, and joins both ends anew after the backend's driver was taken away and came back, in whatever
 * order the store speaks. The store and the kernel beneath are played here, in one thread. A failure means a device that hangs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "pv-drivers/os.h"
#include "pv-drivers/xenbus.h"
#include "tests/host/os_words.h"

/* ---- a store: a list of nodes, and watches that fire at once -------------------------------------------- */

#define NODES 256
static struct { char path[200], value[200]; } node[NODES];
static unsigned nodes;
static struct store_watch *watches;

static bool below(const char *path, const char *root)
{
    size_t n = strlen(root);
    return strncmp(path, root, n) == 0 && (path[n] == 0 || path[n] == '/');
}

static void fire(const char *path)
{
    for (struct store_watch *w = watches, *next; w; w = next) {
        next = w->next;
        if (below(path, w->path) || below(w->path, path))
            w->fn(w, path);
    }
}

static int at(const char *path)
{
    for (unsigned i = 0; i < nodes; i++)
        if (strcmp(node[i].path, path) == 0)
            return (int)i;
    return -1;
}

int store_write(uint32_t tx, const char *path, const char *value)
{
    int i = at(path);
    if (i < 0) {
        assert_true(nodes < NODES);
        i = (int)nodes++;
        snprintf(node[i].path, sizeof(node[i].path), "%s", path);
    }
    snprintf(node[i].value, sizeof(node[i].value), "%s", value);
    fire(path);
    return 0;
}

int store_begin(uint32_t *tx) { *tx = 1; return 0; }
int store_end(uint32_t tx, bool commit) { return 0; }

int store_read(uint32_t tx, const char *path, char *buf, size_t size)
{
    int i = at(path);
    return i < 0 ? -2 : snprintf(buf, size, "%s", node[i].value);
}

int store_read_number(uint32_t tx, const char *dir, const char *name, uint64_t *value)
{
    char path[300], text[200];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int rc = store_read(0, path, text, sizeof(text));
    *value = rc > 0 ? strtoull(text, NULL, 0) : 0;
    return rc < 0 ? rc : 0;
}

int store_printf(uint32_t tx, const char *dir, const char *name, const char *fmt, ...)
{
    char path[300], text[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    return store_write(0, path, text);
}

int store_exists(const char *path)
{
    for (unsigned i = 0; i < nodes; i++)
        if (below(node[i].path, path))
            return 1;
    return 0;
}

int store_remove(uint32_t tx, const char *path)
{
    for (unsigned i = 0; i < nodes;)
        if (below(node[i].path, path))
            node[i] = node[--nodes];
        else
            i++;
    fire(path);
    return 0;
}

int store_list(uint32_t tx, const char *path, char *buf, size_t size)
{
    size_t n = strlen(path), used = 0;
    int count = 0;
    for (unsigned i = 0; i < nodes; i++) {
        if (!below(node[i].path, path) || !node[i].path[n])
            continue;
        char name[100];
        bool seen = false;
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(node[i].path + n + 1, "/"), node[i].path + n + 1);
        for (size_t k = 0; k < used; k += strlen(buf + k) + 1)
            seen |= strcmp(buf + k, name) == 0;
        if (seen || used + strlen(name) + 1 > size)
            continue;
        strcpy(buf + used, name);
        used += strlen(name) + 1;
        count++;
    }
    return count;
}

int store_watch_add(struct store_watch *w)
{
    w->next = watches;
    watches = w;
    w->fn(w, w->path);
    return 0;
}

void store_watch_remove(struct store_watch *w)
{
    struct store_watch **p = &watches;
    while (*p != w)
        p = &(*p)->next;
    *p = w->next;
}

/* ---- a kernel: the bus's thread runs until it would sleep ----------------------------------------------- */

static void (*thread)(void *);
static jmp_buf idle;
static int events;

struct os_event *os_event_new(void) { return (struct os_event *)&events; }
void os_event_wake(struct os_event *e) { }
void *os_alloc(size_t n) { return calloc(1, n); }
void os_free(void *p) { free(p); }
uint64_t os_now_ns(void) { return 0; }
void os_log(const char *fmt, ...) { }
int os_thread(const char *name, void (*fn)(void *), void *arg) { thread = fn; return 0; }
static void settle(void)
{
    if (!setjmp(idle))
        thread(NULL);
}

/* The bus sleeps for work: back to the test. Somebody waits for the bus: it works. */
int os_sleep_until(struct os_event *e, bool (*done)(void *), void *arg, unsigned limit)
{
    static bool waiting;
    if (done(arg))
        return 0;
    if (arg && !waiting) {
        jmp_buf outer;
        memcpy(outer, idle, sizeof(idle));
        waiting = true;
        settle();
        waiting = false;
        memcpy(idle, outer, sizeof(idle));
        assert_true(done(arg));
        return 0;
    }
    longjmp(idle, 1);
}

/* ---- drivers that remember ------------------------------------------------------------------------------ */

static char story[2000];
static int refuse;

static void note(const char *what, struct xenbus_device *d)
{
    size_t n = strlen(story);
    snprintf(story + n, sizeof(story) - n, "%s%u:%d ", what, d->id, (int)d->other_state);
}

static int probe(struct xenbus_device *d) { note("p", d); return refuse; }
static void changed(struct xenbus_device *d)
{
    note(d->state == XenbusStateClosing ? "C" : "c", d);
    if (d->backend && d->other_state == XenbusStateInitialised)
        xenbus_set_state(d, XenbusStateConnected);
}
static void removed(struct xenbus_device *d) { note("r", d); }
static struct xenbus_driver back = { .type = "vbd", .probe = probe, .other_changed = changed, .remove = removed };
static struct xenbus_driver front = { .type = "vif", .probe = probe, .other_changed = changed, .remove = removed };

static void expect_story(const char *want)
{
    settle();
    assert_string_equal(story, want);
    story[0] = 0;
}

static void add_backend(unsigned domid, unsigned id)
{
    char dir[100], other[100];
    snprintf(dir, sizeof(dir), "backend/vbd/%u/%u", domid, id);
    snprintf(other, sizeof(other), "/local/domain/%u/device/vbd/%u", domid, id);
    store_printf(0, dir, "state", "1");
    store_printf(0, other, "state", "1");
    store_printf(0, dir, "frontend-id", "%u", domid);
    store_printf(0, dir, "frontend", "%s", other);
}

static int fresh(void **state)
{
    nodes = 0;
    watches = NULL;
    story[0] = 0;
    refuse = 0;
    back.devices = front.devices = NULL;
    thread = thread ? thread : NULL;
    return 0;
}

static int over(void **state)
{
    xenbus_unregister_backend(&back);
    xenbus_unregister_backend(&front);
    return 0;
}

static void test_a_backend_lives(void **state)
{
    add_backend(3, 51712);
    assert_int_equal(xenbus_register_backend(&back), 0);
    expect_story("p51712:0 c51712:1 ");
    store_write(0, "/local/domain/3/device/vbd/51712/state", "3");
    expect_story("c51712:3 ");
    assert_string_equal(node[at("backend/vbd/3/51712/state")].value, "4");
    store_write(0, "/local/domain/3/device/vbd/51712/state", "nonsense");
    expect_story("c51712:0 ");
    store_write(0, "backend/vbd/3/51712/state", "5");
    expect_story("C51712:0 ");
    store_remove(0, "backend/vbd/3");
    expect_story("r51712:0 ");
}

static void test_devices_of_one_number_in_two_domains(void **state)
{
    xenbus_register_backend(&back);
    expect_story("");
    add_backend(3, 1);
    add_backend(4, 1);
    expect_story("p1:0 p1:0 c1:1 c1:1 ");
    store_write(0, "/local/domain/4/device/vbd/1/state", "4");
    expect_story("c1:4 ");
    store_remove(0, "backend/vbd/3");
    expect_story("r1:1 ");
}

static void test_a_backend_is_torn_down_and_comes_again(void **state)
{
    add_backend(3, 1);
    xenbus_register_backend(&back);
    settle();
    store_write(0, "/local/domain/3/device/vbd/1/state", "3");
    settle();
    story[0] = 0;
    xenbus_unregister_backend(&back);
    assert_string_equal(story, "r1:3 ");
    assert_string_equal(node[at("backend/vbd/3/1/state")].value, "6");
    story[0] = 0;
    xenbus_register_backend(&back);
    expect_story("p1:0 c1:3 ");
}

static void test_a_driver_may_refuse(void **state)
{
    refuse = -22;
    add_backend(3, 1);
    xenbus_register_backend(&back);
    expect_story("p1:0 ");
    assert_null(back.devices);
}

/* What the driver would not have, the toolstack takes back: it is told at once that nothing is in the way, and the driver is not asked again. */
static void test_a_refused_one_is_closed(void **state)
{
    refuse = -22;
    add_backend(3, 1);
    xenbus_register_backend(&back);
    expect_story("p1:0 ");
    store_write(0, "backend/vbd/3/1/online", "0");
    settle();
    story[0] = 0;
    store_write(0, "backend/vbd/3/1/state", "5");
    expect_story("");
    assert_string_equal(node[at("backend/vbd/3/1/state")].value, "6");
    assert_null(back.devices);
}

static void test_a_lie_about_the_frontend(void **state)
{
    xenbus_register_backend(&back);
    add_backend(3, 1);
    store_write(0, "backend/vbd/3/1/frontend-id", "0");
    settle();
    story[0] = 0;
    xenbus_unregister_backend(&back);
    story[0] = 0;
    xenbus_register_backend(&back);
    expect_story("");
}

static void test_a_frontend(void **state)
{
    xenbus_register_frontend(&front);
    expect_story("");
    store_write(0, "/local/domain/0/backend/vif/5/0/state", "2");
    store_write(0, "device/vif/0/backend", "/local/domain/0/backend/vif/5/0");
    store_write(0, "device/vif/0/backend-id", "0");
    expect_story("p0:0 c0:2 ");
    store_write(0, "/local/domain/0/backend/vif/5/0/state", "6");
    expect_story("c0:6 ");
    store_write(0, "/local/domain/0/backend/vif/5/0/state", "2");
    expect_story("c0:2 ");
    store_remove(0, "device/vif/0");
    expect_story("r0:2 ");
}

static void test_many_at_once(void **state)
{
    xenbus_register_backend(&back);
    settle();
    for (unsigned i = 0; i < 50; i++)
        add_backend(7, i);
    settle();
    unsigned n = 0;
    for (struct xenbus_device *d = back.devices; d; d = d->next)
        n++;
    assert_int_equal(n, 50);
}

/* The toolstack takes a device away and makes it again, all between two looks: the driver's state is the old one's, and with it the new one
 * would never be told of. */
static void test_another_of_the_same_number(void **state)
{
    add_backend(3, 1);
    xenbus_register_backend(&back);
    settle();
    store_write(0, "/local/domain/3/device/vbd/1/state", "3");
    expect_story("p1:0 c1:1 c1:3 ");
    assert_string_equal(node[at("backend/vbd/3/1/state")].value, "4");
    store_remove(0, "backend/vbd/3");
    store_remove(0, "/local/domain/3/device");
    add_backend(3, 1);
    expect_story("r1:3 p1:0 c1:1 ");
    store_write(0, "/local/domain/3/device/vbd/1/state", "3");
    settle();
    assert_string_equal(node[at("backend/vbd/3/1/state")].value, "4");
}

/* A guest that writes its state whenever it was looked at: the others' devices come to their turn, and the toolstack's wishes first. */
static int flaps;
static void flapping(struct xenbus_device *d)
{
    note("c", d);
    if (d->other_domid == 3 && flaps-- > 0)
        store_write(0, "/local/domain/3/device/vbd/1/state", flaps % 2 ? "1" : "3");
}

static void test_one_that_never_rests(void **state)
{
    static struct xenbus_driver patient = { .type = "vbd", .probe = probe, .other_changed = flapping, .remove = removed };
    add_backend(4, 2);
    add_backend(3, 1);
    xenbus_register_backend(&patient);
    settle();
    story[0] = 0;
    flaps = 40;
    store_write(0, "/local/domain/3/device/vbd/1/state", "3");
    store_write(0, "/local/domain/4/device/vbd/2/state", "3");
    add_backend(5, 7);
    settle();
    char *second = strstr(story, "c2:3"), *come = strstr(story, "p7");
    assert_non_null(second);
    assert_non_null(come);
    assert_in_range(second - story, 0, 40);
    assert_in_range(come - story, 0, 40);
    xenbus_unregister_backend(&patient);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_backend_lives, fresh, over),
        cmocka_unit_test_setup_teardown(test_devices_of_one_number_in_two_domains, fresh, over),
        cmocka_unit_test_setup_teardown(test_a_backend_is_torn_down_and_comes_again, fresh, over),
        cmocka_unit_test_setup_teardown(test_a_driver_may_refuse, fresh, over),
        cmocka_unit_test_setup_teardown(test_a_refused_one_is_closed, fresh, over),
        cmocka_unit_test_setup_teardown(test_a_lie_about_the_frontend, fresh, over),
        cmocka_unit_test_setup_teardown(test_a_frontend, fresh, over),
        cmocka_unit_test_setup_teardown(test_many_at_once, fresh, over),
        cmocka_unit_test_setup_teardown(test_another_of_the_same_number, fresh, over),
        cmocka_unit_test_setup_teardown(test_one_that_never_rests, fresh, over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

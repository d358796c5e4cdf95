/* SPDX-License-Identifier: MIT */
/* console.c: a guest's console ring, its bytes and counters whatever they are, before ensod (dom0-tools/ensod/console.c): with somebody at
 * the terminal who reads now and then, and types.
 *
 * What must hold: nothing breaks; the terminal never gets what was not in the ring; the log stays as small as it may be; and the positions
 * of backlog and terminal keep their order. */
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "dom0-tools/ensod/ensod.h"

static struct xencons_interface ring;
static struct guest guest;
static bool map_fails, bind_fails;
static uint64_t logged;

/* ---- what surrounds it ----------------------------------------------------------------------------------- */

void *os_map(uint16_t domid, const uint64_t *mfns, unsigned n, bool writable, int *rc)
{
    (void)domid; (void)mfns;
    FUZZ_CHECK(n == 1 && writable);
    *rc = -22;
    return map_fails ? NULL : &ring;
}
void os_unmap(void *at, unsigned n) { FUZZ_CHECK(at == &ring && n == 1); }
int  os_evtchn_bind(int fd, uint16_t domid, uint32_t port) { (void)fd; (void)domid; (void)port; return bind_fails ? -1 : 5; }
void os_evtchn_unbind(int fd, uint32_t port) { (void)fd; (void)port; }
void os_evtchn_notify(int fd, uint32_t port) { (void)fd; FUZZ_CHECK(port == 5); }
const char *call_error(long rc) { (void)rc; return "no"; }
void say(const char *fmt, ...) { (void)fmt; }
int os_read_file(const char *path, char *buf, size_t size) { (void)path; return snprintf(buf, size, "%s\n", "tty"); }
int os_write_file(const char *path, const char *text, size_t len) { (void)path; fuzz_read(text, len); return 0; }

/* A pipe each way: what is written comes back when read by the test, never to the writer. */
static int to_test[2], from_test[2];

long fuzz_write(int fd, const void *data, size_t n)
{
    fuzz_read(data, n);
    if (fd == 1000)
        return write(to_test[1], data, n);
    FUZZ_CHECK(fd == 1001);
    logged += n;
    return (long)n;
}
long fuzz_console_read(int fd, void *to, size_t n) { FUZZ_CHECK(fd == 1000); return read(from_test[0], to, n); }
int  fuzz_console_open(const char *path, int flags, ...) { (void)flags; FUZZ_CHECK(!strncmp(path, "/var/log/console/", 17)); return 1001; }
int  fuzz_console_close(int fd) { FUZZ_CHECK(fd == 1001); return 0; }
int  fuzz_console_fstat(int fd, void *st) { (void)fd; (void)st; return -1; }
int  fuzz_console_rename(const char *a, const char *b) { FUZZ_CHECK(strcmp(a, b)); logged = 0; return 0; }
int  fuzz_console_unlink(const char *a) { (void)a; return 0; }

int os_pty_open(struct os_pty *pty)
{
    memset(pty, 0, sizeof(*pty));
    pty->master = 1000;
    pty->slave = -1;
    strcpy(pty->name, "tty");
    return 0;
}
void os_pty_close(struct os_pty *pty) { pty->master = -1; }

static void nonblock(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

static void set_up(void)
{
    if (to_test[1])
        return;
    if (pipe(to_test) || pipe(from_test))
        abort();
    for (int i = 0; i < 2; i++) {
        nonblock(to_test[i]);
        nonblock(from_test[i]);
    }
}

static void check(void)
{
    FUZZ_CHECK(guest.sent <= guest.written && logged <= 65536);
}

static void drain(int fd)
{
    static char waste[65536];

    while (read(fd, waste, sizeof(waste)) > 0)
        ;
}

/* ---- what happens ------------------------------------------------------------------------------------------ */

static void one_step(struct fuzz_input *in)
{
    uint8_t op = (uint8_t)fuzz_take(in, 1);
    const uint8_t *raw;
    size_t got;

    switch (op & 15) {
    case 0: case 1:
        raw = fuzz_bytes(in, fuzz_take(in, 1), &got);
        for (size_t i = 0; i < got; i++)
            ring.out[(ring.out_prod + i) % sizeof(ring.out)] = (char)raw[i];
        ring.out_prod += (uint32_t)got * (op & 16 ? 8 : 1);
        break;
    case 2: ring.out_prod = (uint32_t)fuzz_take(in, 4); break;
    case 3: ring.out_cons = (uint32_t)fuzz_take(in, 4); break;
    case 4: ring.in_cons = (uint32_t)fuzz_take(in, 4); break;
    case 5: ring.in_prod = (uint32_t)fuzz_take(in, 4); break;
    case 6: ring.out_prod += (uint32_t)fuzz_take(in, 2) & 0xfff; break;
    case 7: case 8: console_event(&guest, 3); break;
    case 9: console_attached(&guest); break;
    case 10: guest.attached = false; break;
    case 11: drain(to_test[0]); break;
    case 12:
        raw = fuzz_bytes(in, fuzz_take(in, 1), &got);
        if (write(from_test[1], raw, got) < 0 || !console_wants_input(&guest))
            break;
        console_input(&guest, 3);
        break;
    case 13: console_send(&guest); break;
    case 14: console_rename(&guest); logged = 0; break;
    case 15: ring.in_cons = ring.in_prod - (op >> 4); break;
    }
    check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t how = (uint8_t)fuzz_take(&in, 1);

    set_up();
    memset(&ring, how & 4 ? 0xff : 0, sizeof(ring));
    memset(&guest, 0, sizeof(guest));
    logged = 0;
    map_fails = (how & 0x30) == 0x30;
    bind_fails = how & 0x40;
    guest.domid = 3;
    guest.number = how & 1;
    strcpy(guest.name, "g");
    console_start(&guest, 3, 77, 2);
    for (int steps = 0; in.left && steps < 300; steps++)
        one_step(&in);
    console_stop(&guest, 3);
    console_event(&guest, 3);
    console_attached(&guest);
    check();
    console_close(&guest);
    drain(to_test[0]);
    drain(from_test[0]);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint8_t steps[] = { 0, 0, 12, 'h', 'e', 'l', 'l', 'o', ' ', 'y', 'o', 'u', '\r', '\n', 7, 9, 12, 3, 'l', 's', '\n', 11, 6, 0, 8, 7, 15, 4, 0, 0, 0, 0x80, 12, 1, 'x',
        2, 0xff, 0xff, 0xff, 0xff, 7, 10, 0x10, 4, 'a', 'b', 'c', 'd', 7, 13, 14 };

    (void)room;
    memcpy(data, steps, sizeof(steps));
    data[0] = (uint8_t)n;
    return n < 8 ? sizeof(steps) : 0;
}

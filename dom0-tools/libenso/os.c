/* SPDX-License-Identifier: MIT */
/* os.c: the tools' one door to dom0's kernel (os.h).
 *
 * A hypercall is made by the kernel on our behalf with our own addresses in
 * it, and the hypervisor reads and writes them through our page tables. It
 * takes no page fault for us, so a buffer must be there, writable, when the
 * call is made: hence one static area that is written to before each use
 * (which also ends the sharing with a parent after fork).                    */
#include "dom0-tools/libenso/os.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "hypercall-abi/errno.h"

/* Linux's numbers for its devices: _IOC(none, letter, number, size). */
#define DEV_IOC(letter, number, type) ((unsigned long)((letter) << 8 | (number)) | (unsigned long)sizeof(type) << 16)

struct privcmd_call {
    uint64_t op, arg[5];
};
struct privcmd_batch {
    uint32_t num;
    uint16_t dom;
    uint64_t addr;
    const uint64_t *mfns;
    int *err;
};
struct evtchn_interdomain {
    uint32_t domain, port;
};

#define PRIVCMD_HYPERCALL DEV_IOC('P', 0, struct privcmd_call)
#define PRIVCMD_MMAPBATCH DEV_IOC('P', 4, struct privcmd_batch)
#define EVTCHN_VIRQ       DEV_IOC('E', 0, uint32_t)
#define EVTCHN_INTER      DEV_IOC('E', 1, struct evtchn_interdomain)
#define EVTCHN_UNBIND     DEV_IOC('E', 3, uint32_t)
#define EVTCHN_NOTIFY     DEV_IOC('E', 4, uint32_t)
#define PTY_NUMBER        0x80045430ul    /* TIOCGPTN   */
#define PTY_LOCK          0x40045431ul    /* TIOCSPTLCK */

#define BOUNCE_SIZE (20 * PAGE_SIZE)
#define MAP_MOST    1024

static struct {
    int     privcmd;
    size_t  bounced;
    bool    raw;
    int     raw_fd;
    struct termios cooked;
    uint8_t bounce[BOUNCE_SIZE] __attribute__((aligned(4096)));
} os = { .privcmd = -1 };

int os_open(struct complaint *why)
{
    if (os.privcmd >= 0)
        return 0;
    os.privcmd = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (os.privcmd < 0 && errno == ENOENT)
        return complain(why, "/dev/xen/privcmd is missing: this command works in dom0 only, and this is not dom0");
    if (os.privcmd < 0)
        return complain(why, "cannot open /dev/xen/privcmd: %s", strerror(errno));
    return 0;
}

void os_bounce_reset(void)
{
    os.bounced = 0;
}

void *os_bounce(size_t size)
{
    void *p = os.bounce + os.bounced;

    size = (size + 15) & ~(size_t)15;
    if (size > sizeof(os.bounce) - os.bounced) {
        fprintf(stderr, "enso: a hypercall's arguments do not fit (%zu bytes): this is a bug\n", size);
        abort();
    }
    os.bounced += size;
    memset(p, 0, size);
    return p;
}

/* errno as the kernel handed it on is Xen's number; where a kernel translated
 * it, the one that the tools decide by is put right again.                   */
static long xen_errno(void)
{
    return errno == ENOSYS ? -XEN_ENOSYS : -errno;
}

long os_hypercall(uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    struct privcmd_call call = { number, { a0, a1, a2, a3, a4 } };
    long rc;

    for (size_t at = 0; at < os.bounced; at += PAGE_SIZE)
        *(volatile uint8_t *)(os.bounce + at) = os.bounce[at];
    rc = ioctl(os.privcmd, PRIVCMD_HYPERCALL, &call);
    return rc < 0 ? xen_errno() : rc;
}

void *os_map(uint16_t domid, const uint64_t *mfns, unsigned n, bool writable, int *rc)
{
    static int err[MAP_MOST];
    struct privcmd_batch batch = { .num = n, .dom = domid, .mfns = mfns, .err = err };
    void *at;

    if (n > MAP_MOST) {
        *rc = -XEN_E2BIG;
        return NULL;
    }
    memset(err, 0, n * sizeof(err[0]));
    at = mmap(NULL, (size_t)n * PAGE_SIZE, PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED, os.privcmd, 0);
    if (at == MAP_FAILED) {
        *rc = -errno;
        return NULL;
    }
    batch.addr = (uintptr_t)at;
    *rc = ioctl(os.privcmd, PRIVCMD_MMAPBATCH, &batch) < 0 ? (int)xen_errno() : 0;
    for (unsigned i = 0; i < n && !*rc; i++)
        *rc = err[i];
    if (*rc) {
        munmap(at, (size_t)n * PAGE_SIZE);
        return NULL;
    }
    return at;
}

void os_unmap(void *at, unsigned n)
{
    munmap(at, (size_t)n * PAGE_SIZE);
}

/* ---- interrupts ------------------------------------------------------------- */

static volatile sig_atomic_t interrupted;

static void interrupt(int signal)
{
    interrupted = signal;
}

static void on_interrupts(void (*handler)(int))
{
    signal(SIGINT, handler);
    signal(SIGTERM, handler);
    if (signal(SIGHUP, handler) == SIG_IGN)
        signal(SIGHUP, SIG_IGN);                 /* started to outlive its terminal */
}

void os_catch_interrupts(void)
{
    on_interrupts(interrupt);
}

void os_free_interrupts(void)
{
    on_interrupts(SIG_DFL);
}

bool os_interrupted(void)
{
    return interrupted;
}

void os_uninterrupted(void)
{
    interrupted = 0;
}

/* ---- event channels -------------------------------------------------------- */

int os_evtchn_open(void)
{
    return open("/dev/xen/evtchn", O_RDWR | O_CLOEXEC | O_NONBLOCK);
}

int os_evtchn_bind(int fd, uint16_t domid, uint32_t remote_port)
{
    struct evtchn_interdomain bind = { domid, remote_port };

    return ioctl(fd, EVTCHN_INTER, &bind);
}

int os_evtchn_bind_virq(int fd, uint32_t virq)
{
    return ioctl(fd, EVTCHN_VIRQ, &virq);
}

void os_evtchn_unbind(int fd, uint32_t port)
{
    ioctl(fd, EVTCHN_UNBIND, &port);
}

void os_evtchn_notify(int fd, uint32_t port)
{
    ioctl(fd, EVTCHN_NOTIFY, &port);
}

int os_evtchn_next(int fd)
{
    uint32_t port;

    return read(fd, &port, sizeof(port)) == (ssize_t)sizeof(port) ? (int)port : -1;
}

void os_evtchn_unmask(int fd, uint32_t port)
{
    if (write(fd, &port, sizeof(port)) < 0)
        return;    /* the port has just been closed: nothing to hear any more */
}

/* ---- terminals --------------------------------------------------------------- */

static void make_raw(struct termios *t)
{
    t->c_iflag &= ~(tcflag_t)(BRKINT | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
    t->c_oflag &= ~(tcflag_t)OPOST;
    t->c_lflag &= ~(tcflag_t)(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
    t->c_cc[VMIN] = 1;
    t->c_cc[VTIME] = 0;
}

int os_pty_open(struct os_pty *pty)
{
    unsigned number = 0;
    int unlocked = 0;
    struct termios t;

    pty->slave = -1;
    pty->master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->master < 0)
        return -1;
    ioctl(pty->master, PTY_LOCK, &unlocked);
    if (ioctl(pty->master, PTY_NUMBER, &number) < 0)
        goto fail;
    snprintf(pty->name, sizeof(pty->name), "/dev/pts/%u", number);
    pty->slave = open(pty->name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (pty->slave < 0 || tcgetattr(pty->slave, &t) < 0)
        goto fail;
    make_raw(&t);
    if (tcsetattr(pty->slave, TCSANOW, &t) < 0 || !os_nonblock(pty->master))
        goto fail;
    return 0;
fail:
    os_pty_close(pty);
    return -1;
}

void os_pty_close(struct os_pty *pty)
{
    if (pty->slave >= 0)
        close(pty->slave);
    if (pty->master >= 0)
        close(pty->master);
    pty->slave = pty->master = -1;
}

bool os_tty_raw(int fd)
{
    struct termios t;

    if (tcgetattr(fd, &os.cooked) < 0)
        return false;
    t = os.cooked;
    make_raw(&t);
    if (tcsetattr(fd, TCSANOW, &t) < 0)
        return false;
    if (!os.raw)
        atexit(os_tty_restore);
    os.raw = true;
    os.raw_fd = fd;
    return true;
}

void os_tty_restore(void)
{
    if (os.raw)
        tcsetattr(os.raw_fd, TCSANOW, &os.cooked);
    os.raw = false;
}

unsigned os_tty_columns(void)
{
    struct winsize size;

    if (ioctl(1, TIOCGWINSZ, &size) < 0 || size.ws_col < 20)
        return 80;
    return size.ws_col;
}

unsigned os_tty_rows(void)
{
    struct winsize size;

    return ioctl(1, TIOCGWINSZ, &size) < 0 || size.ws_row < 5 ? 24 : size.ws_row;
}

bool os_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL, 0);

    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) >= 0;
}

/* ---- time, files --------------------------------------------------------------- */

uint64_t os_now_ms(void)
{
    struct timespec t = { 0, 0 };

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

uint64_t os_date(void)
{
    return (uint64_t)time(NULL);
}

void os_sleep_ms(unsigned ms)
{
    struct timespec t = { ms / 1000, (long)(ms % 1000) * 1000000 };

    nanosleep(&t, NULL);
}

/* Not for secrets: a domain's handle only has to differ from the others'. */
bool os_random(void *buf, size_t size)
{
    static uint64_t state;
    struct timespec t = { 0, 0 };
    uint8_t *out = buf;

    clock_gettime(CLOCK_REALTIME, &t);
    state ^= (uint64_t)t.tv_sec << 32 ^ (uint64_t)t.tv_nsec ^ (uint64_t)getpid() << 20;
    for (size_t i = 0; i < size; i++) {
        state = state * 6364136223846793005ull + 1442695040888963407ull;
        out[i] = (uint8_t)(state >> 56);
    }
    return true;
}

int os_read_file(const char *path, char *buf, size_t size)
{
    int fd = open(path, O_RDONLY);
    size_t n = 0;
    ssize_t got = -1;

    if (fd < 0)
        return -1;
    while (n < size && (got = read(fd, buf + n, size - n)) > 0)
        n += (size_t)got;
    close(fd);
    if (got < 0 || n == size)
        return -1;
    buf[n] = '\0';
    return (int)n;
}

int os_write_file(const char *path, const char *text, size_t len)
{
    char fresh[300];
    int fd, rc = -1;

    snprintf(fresh, sizeof(fresh), "%s.new", path);
    fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0)
        return -1;
    if (write(fd, text, len) == (ssize_t)len)
        rc = 0;
    close(fd);
    if (!rc)
        rc = rename(fresh, path);
    if (rc)
        unlink(fresh);
    return rc;
}

int os_make_dir(const char *path)
{
    return mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0;
}

int os_keep(const char *name, const char *command)
{
    char path[64];

    snprintf(path, sizeof(path), "/run/init/%s", name);
    return os_make_dir("/run/init") || os_write_file(path, command, strlen(command)) ? -1 : kill(1, SIGHUP);
}

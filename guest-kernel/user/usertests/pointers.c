/* SPDX-License-Identifier: MIT */
/* pointers.c: every system call with every kind of bad argument.
 *
 * The rows of the kernel's own table say which arguments are pointers, so a call that is added there is
 * tried here. A bad pointer may give an error, never a signal and never the end of the kernel.        */
#include "guest-kernel/user/usertests/usertests.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "guest-kernel/uapi/syscall.h"

long raw_syscall(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    long result;

    __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

/* For each argument of a call: is it a pointer? */
struct call { const char *name; int number, count; bool pointer[6]; };

typedef struct { int dummy; } is_pointer;
#define IS(type) _Generic((type *)0, is_pointer *: true, default: false)
#define uptr_t is_pointer

static const struct call calls[] = {
#define S0(nr, name, doc) { #name, nr, 0, { false } },
#define S1(nr, name, t0, a0, doc) { #name, nr, 1, { IS(t0) } },
#define S2(nr, name, t0, a0, t1, a1, doc) { #name, nr, 2, { IS(t0), IS(t1) } },
#define S3(nr, name, t0, a0, t1, a1, t2, a2, doc) { #name, nr, 3, { IS(t0), IS(t1), IS(t2) } },
#define S4(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, doc) { #name, nr, 4, { IS(t0), IS(t1), IS(t2), IS(t3) } },
#define S5(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, doc) { #name, nr, 5, { IS(t0), IS(t1), IS(t2), IS(t3), IS(t4) } },
#define S6(nr, name, t0, a0, t1, a1, t2, a2, t3, a3, t4, a4, t5, a5, doc) \
    { #name, nr, 6, { IS(t0), IS(t1), IS(t2), IS(t3), IS(t4), IS(t5) } },
#include "guest-kernel/uapi/syscalls.def"
};
#undef uptr_t
enum { CALLS = sizeof(calls) / sizeof(calls[0]) };

/* These end, stop, multiply or unname the caller or the machine by rights, or change the caller's own memory under it. */
static bool left_out(const struct call *c)
{
    static const char *const names[] = {
        "exit", "fork", "kill", "reboot", "sigreturn", "pause", "sigsuspend", "brk", "mmap", "munmap", "mprotect", "sethostname",
        "clock_settime", "setsid", "setpgid", "set_tls", "alarm", "setitimer", "syslog", "umount", "chdir", "fchdir", "nice", "umask",
        "confine",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(c->name, names[i]) == 0)
            return true;
    return false;
}

static char *edge;                       /* two bytes before an unmapped page */
static char *read_only;

static void prepare_pages(void)
{
    char *p = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED && munmap(p + 4096, 4096) == 0 && mprotect(p + 8192, 4096, PROT_READ) == 0);
    memset(p, 'z', 4096);
    edge = p + 4096 - 2;
    read_only = p + 8192;
}

static long bad_pointer(int which)
{
    static const unsigned long list[] = {
        1, 4096, 0x7ffffffffff8, 0x7fffffffffff, 0x800000000000, 0x8000000000000000, 0xffff7ffffffffff8, 0xffff800000000000,
        0xffff830000000000, 0xffff880000000000, 0xffffc00000000000, 0xffffffff80000000, 0xffffffff80100000, 0xfffffffffffffff8, ~0ul,
    };
    enum { LIST = sizeof(list) / sizeof(list[0]) };

    return which < LIST ? (long)list[which] : which == LIST ? (long)(intptr_t)edge : which == LIST + 1 ? (long)(intptr_t)read_only : 0;
}

enum { BAD_POINTERS = 17 };

static void bad_pointers_everywhere(void)
{
    int fds[2];
    int dir = open(".", O_RDONLY), file = open("f", O_RDWR | O_CREAT, 0600);

    prepare_pages();
    CHECK(dir >= 0 && file >= 0 && pipe2(fds, O_NONBLOCK) == 0 && write(file, "contents", 8) == 8);
    int used[] = { dir, file, fds[0], fds[1] };

    for (int i = 0; i < CALLS; i++) {
        if (left_out(&calls[i]))
            continue;
        for (int bad = 0; bad < BAD_POINTERS; bad++) {
            for (int fd = 0; fd < 4; fd++) {
                long a[6];

                for (int n = 0; n < 6; n++)
                    a[n] = calls[i].pointer[n] ? bad_pointer(bad) : n == 0 ? used[fd] : n == 1 ? 1 : 64;
                lseek(file, 0, SEEK_SET);
                long rc = raw_syscall(calls[i].number, a[0], a[1], a[2], a[3], a[4], a[5]);

                CHECK(rc > -4096);
            }
        }
    }
    CHECK(getpid() > 1);
}

/* Where the answer is known: EFAULT, from both sides of the end of a page. */
static void bad_pointers_fault(void)
{
    struct stat st;
    int fds[2], file;

    prepare_pages();
    write_file("f", "contents of the file", 20);
    CHECK((file = open("f", O_RDWR)) >= 0 && pipe(fds) == 0 && write(fds[1], "0123456789", 10) == 10);
    for (int bad = 0; bad < BAD_POINTERS; bad++) {
        void *p = (void *)(intptr_t)bad_pointer(bad);

        CHECK_ERRNO(open(p, O_RDONLY), p == read_only ? ENOENT : EFAULT);
        if (p == edge || p == read_only)
            continue;
        CHECK_ERRNO(stat(p, &st), EFAULT);
        CHECK_ERRNO(stat("f", p), EFAULT);
        CHECK_ERRNO(read(file, p, 8), EFAULT);
        CHECK_ERRNO(write(file, p, 8), EFAULT);
        CHECK_ERRNO(pipe(p), EFAULT);
        CHECK_ERRNO(execve(p, p, p), EFAULT);
        CHECK_ERRNO(rename(p, "x"), EFAULT);
        CHECK_ERRNO(rename("f", p), EFAULT);
        CHECK_ERRNO(gettimeofday(p, NULL), EFAULT);
        CHECK_ERRNO(read(fds[0], p, 4), EFAULT);
        CHECK_ERRNO(write(fds[1], p, 4), EFAULT);
    }
    char *argv[] = { (char *)1, NULL };

    CHECK_ERRNO(execve(SELF, argv, NULL), EFAULT);
    CHECK_ERRNO(pipe((int *)(void *)read_only), EFAULT);
    CHECK_ERRNO(stat("f", (struct stat *)(void *)read_only), EFAULT);
    CHECK_ERRNO(open(edge, O_RDONLY), EFAULT);           /* a name that runs into the hole */
    CHECK(lseek(file, 0, SEEK_SET) == 0);
    ssize_t n = read(file, edge, 8);

    CHECK(n == 2 || (n == -1 && errno == EFAULT));
    CHECK(close(fds[0]) == 0 && close(fds[1]) == 0);
    int free_fd = dup(0);

    CHECK(free_fd == fds[0] || free_fd == fds[1]);       /* the failed pipe calls kept nothing */
}

static void bad_numbers(void)
{
    static const long numbers[] = { 0, 402, 400, 401, 1000, 0x7fffffff, 0x80000000, 0xffffffff, -1, -2, (long)0x8000000000000000,
                                    0x100000005 };

    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        long rc = raw_syscall(numbers[i], 1, 2, 3, 4, 5, 6);

        CHECK(rc == -ENOSYS || (numbers[i] == 0x100000005 && rc == getpid()));
    }
}

static void huge_sizes(void)
{
    static char page[4096];
    int file = open("f", O_RDWR | O_CREAT, 0600), null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDONLY);

    CHECK(file >= 0 && null >= 0 && zero >= 0);
    for (int shift = 30; shift < 64; shift++) {
        size_t size = (size_t)1 << shift;
        long rc = write(file, page, size);

        CHECK(rc == -1 || rc <= (long)sizeof(page) * 1024);
        rc = read(file, page, size);
        CHECK(rc == -1 || rc >= 0);
        CHECK(ftruncate(file, 0) == 0 && lseek(file, 0, SEEK_SET) == 0);
        rc = raw_syscall(SYS_poll, (long)(intptr_t)page, (long)size, 0, 0, 0, 0);
        CHECK(rc > -4096);
        rc = raw_syscall(SYS_getcwd, (long)(intptr_t)page, (long)size, 0, 0, 0, 0);
        CHECK(rc > -4096);
        rc = raw_syscall(SYS_select, (long)size, (long)(intptr_t)page, 0, 0, (long)(intptr_t)page, 0);
        CHECK(rc > -4096);
    }
}

/* A call that waits by rights (a read, once O_NONBLOCK was taken away at random) is interrupted; twenty seconds are the limit. */
static void on_tick(int sig)
{
    static int ticks;

    (void)sig;
    if (++ticks > 400)
        _exit(2);
}

static void start_ticks(void)
{
    const struct itimerval every = { { 0, 50000 }, { 0, 50000 } };
    const struct sigaction act = { .sa_handler = on_tick };

    CHECK(sigaction(SIGALRM, &act, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
}

/* Random words for random calls, from a seed, so that what fails once fails again. */
static void random_calls(void *arg)
{
    unsigned long seed = (unsigned long)arg;
    int fds[2];

    prepare_pages();
    start_ticks();
    signal(SIGPIPE, SIG_IGN);                /* the other end may be closed at random */
    CHECK(pipe2(fds, O_NONBLOCK) == 0 && open("f", O_RDWR | O_CREAT, 0600) >= 0);
    int null = open("/dev/null", O_RDWR);

    CHECK(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) >= 0 && socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0) >= 0);
    for (int fd = 0; fd < 3; fd++)           /* no waiting at the terminal */
        dup2(null, fd);
    for (int i = 0; i < 2500; i++) {
        long a[6];

        for (int n = 0; n < 6; n++) {
            seed = seed * 6364136223846793005ul + 1442695040888963407ul;
            unsigned long r = seed >> 20;

            a[n] = r % 4 == 0 ? (long)(r >> 8) % 8 : r % 4 == 1 ? bad_pointer((int)(r >> 8) % BAD_POINTERS) :
                   r % 4 == 2 ? (long)(seed ^ r) : (long)(intptr_t)edge - (long)(r >> 8) % 4000;
        }
        const struct call *c = &calls[(seed >> 40) % CALLS];

        if (left_out(c) || strcmp(c->name, "nanosleep") == 0 || strcmp(c->name, "poll") == 0 || strcmp(c->name, "select") == 0 ||
            strcmp(c->name, "open") == 0 || strcmp(c->name, "sigaction") == 0 || strcmp(c->name, "mount") == 0 ||
            strcmp(c->name, "sigprocmask") == 0 || strcmp(c->name, "socket") == 0)
            continue;
        raw_syscall(c->number, a[0], a[1], a[2], a[3], a[4], a[5]);
    }
}

static void random_arguments(void)
{
    for (unsigned long seed = 1; seed <= 4; seed++)
        CHECK(in_child(random_calls, (void *)seed) == 0);
}

const struct test pointer_tests[] = {
    { "bad_pointers_everywhere", bad_pointers_everywhere }, { "bad_pointers_fault", bad_pointers_fault },
    { "bad_numbers", bad_numbers }, { "huge_sizes", huge_sizes }, { "random_arguments", random_arguments }, { 0 },
};

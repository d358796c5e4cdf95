/* SPDX-License-Identifier: MIT */
/* process.c: fork, its copies, exit and wait. */
#include "guest-kernel/user/usertests/usertests.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int sched_yield(void);

static void exit_now(void *arg)
{
    _exit((int)(size_t)arg);
}

static void wait_for_kill(void *arg)
{
    (void)arg;
    for (;;)
        pause();
}

static void fork_returns(void)
{
    pid_t parent = getpid(), pid = fork();

    CHECK(pid >= 0);
    if (pid == 0)
        _exit(getppid() == parent && getpid() != parent ? 42 : 1);
    CHECK(pid != parent);
    CHECK(exits_with(42, pid));
}

static int global = 1;

static void fork_copies(void)
{
    volatile int local = 1;
    int *heap = malloc(sizeof(*heap)), fds[2];
    char c;

    CHECK(heap && pipe(fds) == 0);
    *heap = 1;
    pid_t pid = fork();

    if (pid == 0) {
        if (read(fds[0], &c, 1) != 1)            /* until the parent has written its own */
            _exit(2);
        bool kept = global == 1 && local == 1 && *heap == 1;

        global = local = *heap = 3;
        _exit(kept && global + local + *heap == 9 ? 0 : 1);
    }
    global = local = *heap = 2;
    CHECK(write(fds[1], "x", 1) == 1);
    CHECK(exits_with(0, pid));
    CHECK(global == 2 && local == 2 && *heap == 2);
}

/* A buffer shared by a chain of processes, of which each changes some pages: all must see their own. */
static void fork_chain(void)
{
    enum { PAGES = 32, DEPTH = 6 };
    char *area = mmap(NULL, PAGES * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int depth = 0;

    CHECK(area != MAP_FAILED);
    for (int i = 0; i < PAGES; i++)
        area[i * 4096] = 100;
    pid_t pid;

    while ((pid = fork()) == 0 && ++depth < DEPTH)
        for (int i = depth; i < PAGES; i += DEPTH)
            area[i * 4096] = (char)depth;
    if (depth < DEPTH)
        CHECK(pid > 0 && exits_with(0, pid));
    for (int i = 0; i < PAGES; i++) {
        int owner = i % DEPTH, want = owner >= 1 && owner <= depth && owner < DEPTH ? owner : 100;

        CHECK(area[i * 4096] == want);
    }
    if (depth > 0)
        _exit(0);
}

static void fork_parent_unmaps(void)
{
    char *area = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int fds[2];
    char c;

    CHECK(area != MAP_FAILED && pipe(fds) == 0);
    strcpy(area + 4096, "still here");
    pid_t pid = fork();

    if (pid == 0) {
        CHECK(read(fds[0], &c, 1) == 1);
        CHECK(strcmp(area + 4096, "still here") == 0);
        area[4096] = 'S';
        _exit(area[4096] == 'S' ? 0 : 1);
    }
    CHECK(munmap(area, 8192) == 0);
    CHECK(write(fds[1], "x", 1) == 1);
    CHECK(exits_with(0, pid));
}

static void fork_shares_offset(void)
{
    char text[8] = "";
    int fd = open("f", O_RDWR | O_CREAT, 0600);

    CHECK(fd >= 0 && write(fd, "abcdef", 6) == 6 && lseek(fd, 0, SEEK_SET) == 0);
    pid_t pid = fork();

    if (pid == 0)
        _exit(read(fd, text, 2) == 2 && memcmp(text, "ab", 2) == 0 ? 0 : 1);
    CHECK(exits_with(0, pid));
    CHECK(read(fd, text, 2) == 2 && memcmp(text, "cd", 2) == 0);
}

static void tree(void *arg)
{
    long depth = (long)arg;
    pid_t left, right;

    if (depth == 0)
        _exit(1);
    left = start_child(tree, (void *)(depth - 1));
    right = start_child(tree, (void *)(depth - 1));
    int a = wait_status(left), b = wait_status(right);

    _exit(WEXITSTATUS(a) + WEXITSTATUS(b));
}

static void fork_tree(void)
{
    CHECK(WEXITSTATUS(in_child(tree, (void *)4)) == 16);
}

/* Processes until the kernel refuses or two hundred live: then all go, and their memory comes back. */
static void fork_many(void)
{
    enum { MOST = 200, FEWEST = 20 };
    pid_t pids[MOST];
    long before = free_pages();
    int count = 0;

    while (count < MOST && (pids[count] = fork()) >= 0) {
        if (pids[count] == 0)
            wait_for_kill(NULL);
        count++;
    }
    if (count < MOST)
        CHECK(errno == EAGAIN || errno == ENOMEM);
    CHECK(count >= FEWEST);
    for (int i = 0; i < count; i++)
        CHECK(kill(pids[i], SIGKILL) == 0);
    for (int i = 0; i < count; i++)
        CHECK(WTERMSIG(wait_status(pids[i])) == SIGKILL);
    long lost = before - free_pages();

    CHECK(lost < 64);
}

static void fork_reuses_memory(void)
{
    long before = 0;

    for (int i = 0; i < 60; i++) {
        CHECK(exits_with(i & 127, start_child(exit_now, (void *)(size_t)(i & 127))));
        if (i == 10)
            before = free_pages();
    }
    CHECK(before - free_pages() < 16);
}

static void wait_codes(void)
{
    static const int codes[] = { 0, 1, 77, 255 };

    for (int i = 0; i < 4; i++)
        CHECK(exits_with(codes[i], start_child(exit_now, (void *)(size_t)codes[i])));
    CHECK(exits_with(0x34, start_child(exit_now, (void *)0x1234)));
}

static void wait_nobody(void)
{
    CHECK_ERRNO(wait(NULL), ECHILD);
    CHECK_ERRNO(waitpid(1, NULL, 0), ECHILD);
    CHECK_ERRNO(waitpid(-1, NULL, WNOHANG), ECHILD);
    CHECK_ERRNO(waitpid(-1, NULL, 0x4000), EINVAL);
}

static void wait_nohang(void)
{
    pid_t pid = start_child(wait_for_kill, NULL);
    int status;

    CHECK(waitpid(pid, &status, WNOHANG) == 0);
    CHECK(kill(pid, SIGTERM) == 0);
    for (int i = 0; i < 100 && waitpid(pid, &status, WNOHANG) == 0; i++)
        pause_ms(10);
    CHECK(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    CHECK_ERRNO(waitpid(pid, &status, WNOHANG), ECHILD);
}

static void wait_particular(void)
{
    pid_t first = start_child(exit_now, (void *)1), second = start_child(exit_now, (void *)2);

    CHECK(exits_with(2, second));
    CHECK(exits_with(1, first));
}

static void wait_group(void)
{
    int fds[2];
    char c;

    CHECK(pipe(fds) == 0);
    pid_t own = start_child(exit_now, (void *)1), pid = fork();

    if (pid == 0) {
        CHECK(setpgid(0, 0) == 0 && write(fds[1], "x", 1) == 1);
        _exit(2);
    }
    CHECK(read(fds[0], &c, 1) == 1);
    CHECK(waitpid(-pid, NULL, 0) == pid);
    CHECK(waitpid(0, NULL, 0) == own);
    CHECK_ERRNO(waitpid(-pid, NULL, 0), ECHILD);
}

static void zombie_stays(void)
{
    pid_t pid = start_child(exit_now, (void *)5);

    pause_ms(50);
    CHECK(kill(pid, 0) == 0);            /* dead, yet known until it is waited for */
    CHECK(exits_with(5, pid));
    CHECK_ERRNO(kill(pid, 0), ESRCH);
}

static void orphan_goes_to_init(void)
{
    int fds[2];
    pid_t parent = 0;

    CHECK(pipe(fds) == 0);
    pid_t pid = fork();

    if (pid == 0) {
        pid_t middle = getpid();

        if (fork() == 0) {
            for (int i = 0; i < 200 && getppid() == middle; i++)
                pause_ms(5);
            parent = getppid();
            _exit(write(fds[1], &parent, sizeof(parent)) != sizeof(parent));
        }
        _exit(0);
    }
    CHECK(exits_with(0, pid));
    CHECK(read(fds[0], &parent, sizeof(parent)) == sizeof(parent));
    CHECK(parent == 1);
}

static void groups_and_sessions(void)
{
    CHECK(getpgid(0) == getpid());               /* the case's own group */
    CHECK_ERRNO(setsid(), EPERM);                /* a leader cannot */
    CHECK_ERRNO(setpgid(99999, 0), ESRCH);
    CHECK_ERRNO(setpgid(0, -1), EINVAL);
    pid_t pid = fork();

    if (pid == 0) {
        CHECK(getpgid(0) == getppid());
        CHECK(setsid() == getpid());
        CHECK(getpgid(0) == getpid() && getsid(0) == getpid());
        _exit(0);
    }
    CHECK(exits_with(0, pid));
    CHECK(kill(1, SIGKILL) == -1 || kill(1, 0) == 0);    /* init shrugs it off */
}

/* Two processes count in floating point; the kernel switches between them. */
static void float_work(void *arg)
{
    volatile double step = (double)(long)arg, sum = 0;

    for (int i = 1; i <= 300000; i++) {
        sum += step;
        if (i % 1000 == 0)
            sched_yield();
    }
    _exit(sum == step * 300000 ? 0 : 1);
}

static void float_survives_switch(void)
{
    pid_t a = start_child(float_work, (void *)3), b = start_child(float_work, (void *)5);

    CHECK(exits_with(0, a));
    CHECK(exits_with(0, b));
}

static long tls_word = 4711;
int set_tls(void *base);

static void thread_pointer(void)
{
    long value, other = 1234;
    pid_t pid;

    CHECK(set_tls(&tls_word) == 0);
    pid = fork();
    if (pid == 0) {
        __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
        CHECK(value == 4711);            /* inherited */
        CHECK(set_tls(&other) == 0);
        for (int i = 0; i < 20; i++)
            sched_yield();
        __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
        _exit(value == 1234 ? 0 : 1);
    }
    CHECK(exits_with(0, pid));
    __asm__ volatile("mov %%fs:0, %0" : "=r"(value));
    CHECK(value == 4711);
    CHECK(set_tls((void *)0x8000000000000000) == -1);    /* not canonical */
}

static void registers_survive_call(void)
{
    unsigned long rbx, r12, r15, r8, rdx;

    __asm__ volatile("mov $0x1111, %%rbx; mov $0x2222, %%r12; mov $0x3333, %%r15; mov $0x4444, %%r8; mov $0x5555, %%rdx;"
                     "mov $5, %%eax; syscall; mov %%rbx, %0; mov %%r12, %1; mov %%r15, %2; mov %%r8, %3; mov %%rdx, %4"
                     : "=m"(rbx), "=m"(r12), "=m"(r15), "=m"(r8), "=m"(rdx)
                     : : "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r15", "memory", "cc");
    CHECK(rbx == 0x1111 && r12 == 0x2222 && r15 == 0x3333 && r8 == 0x4444 && rdx == 0x5555);
}

int confine(void);

/* A confined process uses what it has and gets nothing new. */
static void confined(void)
{
    int fds[2];
    char c = 0;
    pid_t pid;

    CHECK(pipe(fds) == 0);
    pid = fork();
    if (pid == 0) {
        if (confine() != 0 || open("/", O_RDONLY) >= 0 || errno != EPERM || fork() >= 0 || errno != EPERM ||
            kill(getppid(), SIGKILL) == 0 || dup(0) >= 0 || !malloc(100000) || unlink("/etc/motd") == 0)
            _exit(1);
        _exit(write(fds[1], "k", 1) == 1 ? 7 : 2);
    }
    CHECK(exits_with(7, pid));
    CHECK(read(fds[0], &c, 1) == 1 && c == 'k');
    close(fds[0]);
    close(fds[1]);
}

const struct test process_tests[] = {
    { "fork", fork_returns }, { "fork_copies", fork_copies }, { "fork_chain", fork_chain },
    { "fork_parent_unmaps", fork_parent_unmaps }, { "fork_shares_offset", fork_shares_offset },
    { "fork_tree", fork_tree }, { "fork_many", fork_many }, { "fork_reuses_memory", fork_reuses_memory },
    { "wait_codes", wait_codes }, { "wait_nobody", wait_nobody }, { "wait_nohang", wait_nohang },
    { "wait_particular", wait_particular }, { "wait_group", wait_group }, { "zombie_stays", zombie_stays },
    { "orphan_goes_to_init", orphan_goes_to_init }, { "groups_and_sessions", groups_and_sessions },
    { "float_survives_switch", float_survives_switch }, { "thread_pointer", thread_pointer },
    { "registers_survive_call", registers_survive_call }, { "confined", confined },
    { 0 },
};

/* SPDX-License-Identifier: MIT */
/* exec.c: what a new program gets, and what cannot become one. */
#include "guest-kernel/user/usertests/usertests.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the other side: usertests --helper NAME ARGS ---- */

static int help_args(int argc, char **argv)
{
    if (argc != 5 || strcmp(argv[1], "one") || argv[2][0] || strcmp(argv[3], "three words here") || argv[argc])
        return 1;
    return strlen(argv[4]) == 3000 && argv[4][2999] == 'x' && ((size_t)__builtin_frame_address(0) & 15) == 0 ? 0 : 2;
}

static int help_env(void)
{
    const char *a = getenv("TEST_A"), *b = getenv("TEST_B");

    return a && strcmp(a, "alpha") == 0 && b && strcmp(b, "") == 0 && !getenv("PATH") && !environ[2] ? 0 : 1;
}

static int help_fds(char **argv)
{
    bool kept = fcntl(atoi(argv[1]), F_GETFD) >= 0, closed = fcntl(atoi(argv[2]), F_GETFD) < 0 && errno == EBADF;

    return kept && closed ? 0 : 1;
}

static int help_signals(void)
{
    struct sigaction usr1, usr2;
    sigset_t mask;

    if (sigaction(SIGUSR1, NULL, &usr1) || sigaction(SIGUSR2, NULL, &usr2) || sigprocmask(SIG_BLOCK, NULL, &mask))
        return 1;
    if (usr1.sa_handler != SIG_DFL || usr2.sa_handler != SIG_IGN)
        return 2;
    return sigismember(&mask, SIGHUP) && !sigismember(&mask, SIGINT) ? 0 : 3;
}

int helper_main(int argc, char **argv)
{
    if (strcmp(argv[0], "args") == 0)
        return help_args(argc, argv);
    if (strcmp(argv[0], "env") == 0)
        return help_env();
    if (strcmp(argv[0], "fds") == 0)
        return help_fds(argv);
    if (strcmp(argv[0], "signals") == 0)
        return help_signals();
    return strcmp(argv[0], "true") != 0;
}

/* ---- cases ---- */

static int helped(char *const argv[], char *const envp[])
{
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        execve(SELF, argv, envp);
        _exit(99);
    }
    int status = wait_status(pid);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -status;
}

#define S(text) ((char *)(size_t)(text))

static void exec_args(void)
{
    char *longest = malloc(3001);

    memset(longest, 'x', 3000);
    longest[3000] = '\0';
    char *argv[] = { S(SELF), S("--helper"), S("args"), S("one"), S(""), S("three words here"), longest, NULL };

    CHECK(helped(argv, environ) == 0);
}

static void exec_env(void)
{
    char *argv[] = { S("usertests"), S("--helper"), S("env"), NULL };
    char *envp[] = { S("TEST_A=alpha"), S("TEST_B="), NULL };

    CHECK(helped(argv, envp) == 0);
}

static void exec_cloexec(void)
{
    char keep[12], drop[12];
    int a = open("/dev/null", O_RDONLY), b = open("/dev/null", O_RDONLY | O_CLOEXEC);

    CHECK(a >= 0 && b >= 0);
    CHECK(fcntl(a, F_GETFD) == 0 && fcntl(b, F_GETFD) == FD_CLOEXEC);
    sniprintf(keep, sizeof(keep), "%d", a);
    sniprintf(drop, sizeof(drop), "%d", b);
    char *argv[] = { S("usertests"), S("--helper"), S("fds"), keep, drop, NULL };

    CHECK(helped(argv, environ) == 0);
    CHECK(fcntl(b, F_GETFD) == FD_CLOEXEC);
}

static void nothing(int sig)
{
    (void)sig;
}

static void exec_signals(void)
{
    char *argv[] = { S("usertests"), S("--helper"), S("signals"), NULL };
    sigset_t mask;

    signal(SIGUSR1, nothing);
    signal(SIGUSR2, SIG_IGN);
    sigemptyset(&mask);
    sigaddset(&mask, SIGHUP);
    CHECK(sigprocmask(SIG_SETMASK, &mask, NULL) == 0);
    CHECK(helped(argv, environ) == 0);
}

static void exec_refusals(void)
{
    char *argv[] = { S("x"), NULL };

    CHECK_ERRNO(execve("/no/such/thing", argv, environ), ENOENT);
    CHECK_ERRNO(execve("/bin/usertests/below", argv, environ), ENOTDIR);
    CHECK(execve("/tmp", argv, environ) == -1 && (errno == EACCES || errno == EISDIR));
    CHECK_ERRNO(execve("", argv, environ), ENOENT);
    write_file("garbage", "this is no program at all, it only looks long enough to be one ....", 64);
    CHECK_ERRNO(execve("garbage", argv, environ), ENOEXEC);
    write_file("empty", "", 0);
    CHECK_ERRNO(execve("empty", argv, environ), ENOEXEC);
    CHECK(chmod("garbage", 0644) == 0);
    CHECK_ERRNO(execve("garbage", argv, environ), EACCES);
    CHECK(getpid() > 1);                 /* and here we still are */
}

static void exec_too_big(void)
{
    enum { EACH = 4096, COUNT = 512 };
    char *text = malloc(EACH), **argv = calloc(COUNT + 1, sizeof(char *));

    CHECK(text && argv);
    memset(text, 'y', EACH - 1);
    text[EACH - 1] = '\0';
    for (int i = 0; i < COUNT; i++)
        argv[i] = text;
    CHECK_ERRNO(execve(SELF, argv, environ), E2BIG);
}

struct image { Elf64_Ehdr e; Elf64_Phdr p[2]; unsigned char code[64]; };

/* A good tiny program: exit(7). Each variant spoils one thing. */
static struct image good_image(void)
{
    static const unsigned char code[] = { 0xb8, 1, 0, 0, 0, 0xbf, 7, 0, 0, 0, 0x0f, 0x05 };
    struct image i = { .e = { .e_type = 2, .e_machine = 62, .e_version = 1, .e_entry = 0x400000 + offsetof(struct image, code),
                              .e_phoff = offsetof(struct image, p), .e_ehsize = sizeof(Elf64_Ehdr),
                              .e_phentsize = sizeof(Elf64_Phdr), .e_phnum = 1 } };

    memcpy(i.e.e_ident, "\177ELF\2\1\1", 7);
    i.p[0] = (Elf64_Phdr){ .p_type = 1, .p_flags = 5, .p_vaddr = 0x400000, .p_paddr = 0x400000, .p_filesz = sizeof(i),
                           .p_memsz = sizeof(i), .p_align = 4096 };
    i.p[1] = i.p[0];
    memcpy(i.code, code, sizeof(code));
    return i;
}

/* Runs it: exit code, or -signal, or 1000 + errno if exec refused it. */
static int run_image(const struct image *image, size_t size)
{
    char *argv[] = { S("image"), NULL };

    write_file("image", image, size);
    pid_t pid = fork();

    CHECK(pid >= 0);
    if (pid == 0) {
        execve("./image", argv, environ);
        _exit(errno == ENOEXEC || errno == ENOMEM || errno == EINVAL || errno == EFAULT ? 200 : 201);
    }
    int status = wait_status(pid);

    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void spoil(struct image *i, int how)
{
    switch (how) {
    case 0: i->e.e_phoff = 1ul << 40; break;
    case 1: i->e.e_phnum = 60000; break;
    case 2: i->e.e_phentsize = 8; break;
    case 3: i->p[0].p_offset = ~0ul - 100; break;
    case 4: i->p[0].p_filesz = 1ul << 50; i->p[0].p_memsz = 1ul << 50; break;
    case 5: i->p[0].p_memsz = 8; break;
    case 6: i->p[0].p_vaddr = 0xffff800000000000; break;
    case 7: i->p[0].p_vaddr = 0xffffffff80000000; break;
    case 8: i->p[0].p_vaddr = 0x7ffffffff000; i->p[0].p_memsz = 0x10000; break;
    case 9: i->e.e_machine = 3; break;
    case 10: i->e.e_ident[4] = 1; break;
    case 11: i->e.e_type = 3; i->p[0].p_vaddr = 0; break;
    case 12: i->p[0].p_vaddr = 0x400000 - 1; break;
    case 13: i->p[0].p_vaddr = ~0ul - 4095; i->p[0].p_memsz = 8192; break;
    }
}

static void exec_bad_images(void)
{
    struct image image = good_image();

    CHECK(run_image(&image, sizeof(image)) == 7);
    for (int how = 0; how < 14; how++) {
        image = good_image();
        spoil(&image, how);
        int got = run_image(&image, sizeof(image));

        if (got != 200)
            fiprintf(stderr, "  spoilt image %d: %d\n", how, got);
        CHECK(got == 200);
    }
    image = good_image();
    for (size_t size = 0; size < offsetof(struct image, code); size += 13)
        CHECK(run_image(&image, size) == 200);
}

/* These are programs, only bad ones: they may start, and die alone. */
static void exec_wild_entries(void)
{
    static const unsigned long entries[] = { 0, 0x401000, 0xffff800000000000, 0xffffffff80100000, 0x8000000000000000, 0x7fffffffffff };

    for (size_t i = 0; i < sizeof(entries) / sizeof(entries[0]); i++) {
        struct image image = good_image();

        image.e.e_entry = entries[i];
        int got = run_image(&image, sizeof(image));

        CHECK(got == 200 || got == -SIGSEGV || got == -SIGBUS || got == -SIGILL || got == -SIGKILL);
    }
    struct image twice = good_image();

    twice.e.e_phnum = 2;                 /* one segment over another */
    int got = run_image(&twice, sizeof(twice));

    CHECK(got == 200 || got == 7);
}

static void exec_script(void)
{
    static const char script[] = "#!/bin/sh\necho \"$0 $1 $#\"; exit 9\n", plain[] = "echo plain; exit 8\n";
    int status;

    write_file("script", script, sizeof(script) - 1);
    CHECK(strcmp(shell_output("./script 'a b' c", &status), "./script a b 2\n") == 0 && status == 9);
    write_file("plain", plain, sizeof(plain) - 1);
    CHECK(strcmp(shell_output("./plain", &status), "plain\n") == 0 && status == 8);
    write_file("loop", "#!./loop\n", 9);
    char *argv[] = { S("loop"), NULL };

    CHECK(execve("./loop", argv, environ) == -1);
}

static void exec_frees(void)
{
    char *argv[] = { S("usertests"), S("--helper"), S("true"), NULL };
    long before = 0;

    for (int i = 0; i < 12; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            char *big = mmap(NULL, 1 << 19, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

            if (big != MAP_FAILED)
                memset(big, 1, 1 << 19);
            execve(SELF, argv, environ);
            _exit(99);
        }
        CHECK(exits_with(0, pid));
        if (i == 3)
            before = free_pages();
    }
    CHECK(before - free_pages() < 16);
}

static void exec_keeps_pid(void)
{
    int status;

    CHECK(strcmp(shell_output("a=$$; [ $(exec sh -c 'echo $$') != $a ] && exec sh -c 'echo ok'", &status), "ok\n") == 0);
    CHECK(status == 0);
}

const struct test exec_tests[] = {
    { "exec_args", exec_args }, { "exec_env", exec_env }, { "exec_cloexec", exec_cloexec },
    { "exec_signals", exec_signals }, { "exec_refusals", exec_refusals }, { "exec_too_big", exec_too_big },
    { "exec_bad_images", exec_bad_images }, { "exec_wild_entries", exec_wild_entries },
    { "exec_script", exec_script }, { "exec_frees", exec_frees }, { "exec_keeps_pid", exec_keeps_pid }, { 0 },
};

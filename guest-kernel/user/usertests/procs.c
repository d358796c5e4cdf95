/* SPDX-License-Identifier: MIT */
/* procs.c: /proc and the calls that tell about the system. */
#include "guest-kernel/user/usertests/usertests.h"
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *contents(const char *path)
{
    static char text[4096];
    size_t length = 0;
    ssize_t n;
    int fd = open(path, O_RDONLY);

    CHECK(fd >= 0);
    while ((n = read(fd, text + length, 7)) > 0 && length < sizeof(text) - 8)    /* odd pieces: offsets must fit */
        length += (size_t)n;
    CHECK(n >= 0 && close(fd) == 0);
    text[length] = '\0';
    return text;
}

static void proc_self(void)
{
    char path[64], link[32];
    ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

    if (n > 0) {
        link[n] = '\0';
        CHECK(atoi(link) == getpid());
    }
    sniprintf(path, sizeof(path), "%d/status", getpid());
    CHECK(proc_value(path, "Pid") == getpid() && proc_value(path, "PPid") == getppid());
    CHECK(proc_value("self/status", "Pid") == getpid());
    CHECK(strstr(contents("/proc/self/status"), "usertests"));
}

static void sleeper(void *arg)
{
    (void)arg;
    for (;;)
        pause();
}

static void proc_comes_and_goes(void)
{
    char path[64];
    struct stat st;
    pid_t pid = start_child(sleeper, NULL);

    sniprintf(path, sizeof(path), "/proc/%d/status", pid);
    CHECK(stat(path, &st) == 0);
    int fd = open(path, O_RDONLY);

    CHECK(fd >= 0 && kill(pid, SIGKILL) == 0);
    CHECK(WTERMSIG(wait_status(pid)) == SIGKILL);
    CHECK_ERRNO(stat(path, &st), ENOENT);
    CHECK(read(fd, path, sizeof(path)) <= 0 || path[0]);     /* whatever it says, it says it safely */
    CHECK(open("/proc/999999/status", O_RDONLY) == -1);
}

static void proc_files(void)
{
    CHECK(strstr(contents("/proc/meminfo"), "MemTotal"));
    CHECK(proc_value("meminfo", "MemTotal") > 1024 && proc_value("meminfo", "MemFree") > 0);
    CHECK(strtol(contents("/proc/uptime"), NULL, 10) >= 0);
    CHECK(strstr(contents("/proc/mounts"), "/proc"));
    CHECK(contents("/proc/cmdline")[0] != '\0' || true);
    CHECK(open("/proc/new", O_WRONLY | O_CREAT, 0600) == -1 && mkdir("/proc/d", 0777) == -1 && unlink("/proc/uptime") == -1);
}

static void system_facts(void)
{
    struct sysinfo a, b;
    struct utsname u;

    CHECK(uname(&u) == 0 && strcmp(u.sysname, "Novice") == 0 && strcmp(u.machine, "x86_64") == 0 && u.nodename[0]);
    CHECK(sysinfo(&a) == 0 && a.page_size == 4096 && a.free_pages > 0 && a.free_pages < a.total_pages && a.processes >= 2);
    char *p = mmap(NULL, 50 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(p != MAP_FAILED);
    for (int i = 0; i < 50; i++)
        p[i * 4096] = 1;
    CHECK(sysinfo(&b) == 0 && b.uptime_ns > a.uptime_ns && b.system_calls > a.system_calls);
    CHECK(a.free_pages - b.free_pages >= 50 && b.page_faults >= a.page_faults + 50);
}

static void host_name(void)
{
    char before[72], now[72], long_name[100];

    CHECK(gethostname(before, sizeof(before)) == 0);
    CHECK(sethostname("renamed", 7) == 0 && gethostname(now, sizeof(now)) == 0 && strcmp(now, "renamed") == 0);
    memset(long_name, 'h', sizeof(long_name));
    CHECK(sethostname(long_name, sizeof(long_name)) == -1);
    CHECK(sethostname(before, strlen(before)) == 0);
}

static void kernel_log(void)
{
    int size = syslog(KLOG_SIZE, NULL, 0);
    char *text = malloc(size > 0 ? (size_t)size : 1);

    CHECK(size >= 0 && text);
    int n = syslog(KLOG_READ, text, (size_t)size);

    CHECK(n >= 0 && n <= size);
    for (int i = 0; i < n; i++)
        CHECK(text[i] != '\0');
    CHECK_ERRNO(syslog(77, text, 1), EINVAL);
    CHECK(n == 0 || (syslog(KLOG_READ, text, 1) <= 1));
}

const struct test proc_tests[] = {
    { "proc_self", proc_self }, { "proc_comes_and_goes", proc_comes_and_goes }, { "proc_files", proc_files },
    { "system_facts", system_facts }, { "host_name", host_name }, { "kernel_log", kernel_log }, { 0 },
};

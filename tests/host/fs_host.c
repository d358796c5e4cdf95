/* SPDX-License-Identifier: MIT */
/* fs_host.c: the Linux side of the file system test: memory, coroutines, the disk's bytes and its log, mke2fs and e2fsck. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "tests/host/fs_shim_api.h"

static uint64_t seed = 1;
static char *disk, *before_cut;
static size_t disk_size;
static char image[64];

void *host_alloc(size_t n)                          /* aligned as the kernel's heap does it */
{
    void *p = n == 1024 || n == 2048 || n == 4096 ? aligned_alloc(n, n) : malloc(n);
    return p ? memset(p, 0, n) : NULL;
}
void host_free(void *p) { free(p); }
void host_fill(void *p, size_t n) { memset(p, 0xa5, n); }
void host_seed(unsigned s) { seed = s * 2654435761u + 88172645463325252ull; }
unsigned host_dice(unsigned sides)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return sides ? (seed >> 20) % sides : 0;
}

void host_say(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprintf(fmt, ap);
    va_end(ap);
    fflush(stdout);
}
void host_fail(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("FAILED: ");
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    fflush(stdout);
    abort();
}
int host_verbose(void) { return getenv("FS_VERBOSE") ? atoi(getenv("FS_VERBOSE")) : 0; }
void panic(const char *fmt, ...);
void panic(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    printf("PANIC: ");
    vprintf(fmt, ap);
    printf("\n");
    va_end(ap);
    fflush(stdout);
    abort();
}
void kprintf(const char *fmt, ...);
void kprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    if (host_verbose())
        vprintf(fmt, ap);
    va_end(ap);
}
int ksnprintf(char *buf, size_t n, const char *fmt, ...);
int ksnprintf(char *buf, size_t n, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int rc = vsnprintf(buf, n, fmt, ap);
    va_end(ap);
    return rc;
}
size_t strlcpy(char *to, const char *from, size_t n);
size_t strlcpy(char *to, const char *from, size_t n)
{
    size_t len = strlen(from);
    if (n) {
        size_t c = len < n ? len : n - 1;
        memcpy(to, from, c);
        to[c] = 0;
    }
    return len;
}

/* ---- The end of patience ---- */

static char last_words[200];
static void say_last_words(void)
{
    if (last_words[0] && write(1, last_words, strlen(last_words)) < 0) { }
}
static void rings(int signal)
{
    if (write(1, "HANGS: ", 7) < 0) { }
    abort();
}
static void dies(int signal) { say_last_words(); }
void __sanitizer_set_death_callback(void (*fn)(void));
void host_alarm(unsigned seconds, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(last_words, sizeof(last_words), fmt, ap);
    va_end(ap);
    signal(SIGALRM, rings);
    signal(SIGABRT, dies);
    __sanitizer_set_death_callback(say_last_words);
    alarm(seconds);
}

/* ---- Coroutines ---- */

#define STACK (256 * 1024)
static ucontext_t contexts[32];
static char *stacks[32];
static struct { void (*fn)(void *); void *arg; } starts[32];

static void start(int n)
{
    starts[n].fn(starts[n].arg);
    host_thread_end();
    abort();
}
void host_make(unsigned n, void (*fn)(void *), void *arg)
{
    if (!stacks[n])
        stacks[n] = malloc(STACK);
    starts[n].fn = fn;
    starts[n].arg = arg;
    getcontext(&contexts[n]);
    contexts[n].uc_stack.ss_sp = stacks[n];
    contexts[n].uc_stack.ss_size = STACK;
    contexts[n].uc_link = NULL;
    makecontext(&contexts[n], (void (*)(void))start, 1, (int)n);
}
void host_switch(unsigned from, unsigned to) { swapcontext(&contexts[from], &contexts[to]); }

/* ---- The disk and its log ---- */

struct entry { uint64_t at; uint32_t n; char *data; uint64_t flushed; };    /* data null: a flush of what came before `flushed` */
static struct entry *entries;
static uint64_t nentries, entry_room;
static char *log_base, *saved_base;

uint64_t host_disk_size(void) { return disk_size; }
uint64_t host_log_length(void) { return nentries; }
static void log_add(struct entry e)
{
    if (!log_base)
        return;
    if (nentries == entry_room)
        entries = realloc(entries, (entry_room = entry_room ? entry_room * 2 : 1024) * sizeof(*entries));
    entries[nentries++] = e;
}
static void log_clear(void)
{
    for (uint64_t i = 0; i < nentries; i++)
        free(entries[i].data);
    nentries = 0;
    free(log_base);
    log_base = NULL;
}
void host_log_start(void)
{
    log_clear();
    log_base = malloc(disk_size);
    memcpy(log_base, disk, disk_size);
}
void host_log_flush(uint64_t submitted) { log_add((struct entry){ .flushed = submitted }); }
void host_disk_read(void *to, uint64_t at, size_t n) { memcpy(to, disk + at, n); }
void host_disk_write(const void *from, uint64_t at, size_t n)
{
    memcpy(disk + at, from, n);
    if (!log_base)
        return;
    char *copy = malloc(n);
    memcpy(copy, from, n);
    log_add((struct entry){ at, n, copy, 0 });
}
void *host_disk_copy(void) { return memcpy(malloc(disk_size), disk, disk_size); }
void host_disk_set(const void *bytes, size_t n)
{
    log_clear();
    if (n != disk_size)
        disk = realloc(disk, disk_size = n);
    memcpy(disk, bytes, n);
}
void host_cut(uint64_t length)
{
    uint64_t durable = 0;
    for (uint64_t i = 0; i < length; i++)
        if (!entries[i].data && entries[i].flushed > durable)
            durable = entries[i].flushed;
    before_cut = disk;
    disk = malloc(disk_size);
    memcpy(disk, log_base, disk_size);
    unsigned keep = host_dice(4);                   /* of four */
    for (uint64_t i = 0; i < length; i++)
        if (entries[i].data && (i < durable || host_dice(4) < keep))
            memcpy(disk + entries[i].at, entries[i].data, entries[i].n);
    saved_base = log_base;
    log_base = NULL;                                /* what is done to the cut disk is not logged */
}
void host_uncut(void)
{
    free(disk);
    disk = before_cut;
    log_base = saved_base;
}

/* ---- mke2fs, e2fsck ---- */

static int run(const char *cmd)
{
    char line[512];
    snprintf(line, sizeof(line), "%s >%s.out 2>&1 </dev/null", cmd, image);
    int rc = system(line);
    return WIFEXITED(rc) ? WEXITSTATUS(rc) : 255;
}
static void show(void)
{
    char line[128];
    snprintf(line, sizeof(line), "cat %s.out", image);
    if (system(line)) { }
}
void host_mkfs(const char *options, unsigned mib)
{
    char cmd[300];
    log_clear();
    disk_size = (size_t)mib << 20;
    disk = realloc(disk, disk_size);
    snprintf(cmd, sizeof(cmd), "rm -f %s && truncate -s %uM %s && mke2fs -q -F %s %s", image, mib, image, options, image);
    if (run(cmd)) {
        show();
        host_fail("mke2fs");
    }
    FILE *f = fopen(image, "r");
    if (!f || fread(disk, 1, disk_size, f) != disk_size)
        host_fail("reading the image");
    fclose(f);
}
static void disk_out(void)
{
    FILE *f = fopen(image, "r+");
    if (!f || fwrite(disk, 1, disk_size, f) != disk_size)
        host_fail("writing the image");
    fclose(f);
}
static void disk_in(void)
{
    FILE *f = fopen(image, "r");
    if (!f || fread(disk, 1, disk_size, f) != disk_size)
        host_fail("reading the image");
    fclose(f);
}
const char *host_data(const void *bytes, size_t n)
{
    static char name[128];
    static unsigned number;
    snprintf(name, sizeof(name), "%s.data%u", image, number++);
    FILE *f = fopen(name, "w");
    if (!f || fwrite(bytes, 1, n, f) != n)
        host_fail("writing data");
    fclose(f);
    return name;
}
void host_debugfs(const char *commands)
{
    char cmd[300];
    FILE *f;
    disk_out();
    snprintf(cmd, sizeof(cmd), "%s.cmd", image);
    f = fopen(cmd, "w");
    if (!f || fputs(commands, f) < 0)
        host_fail("writing commands");
    fclose(f);
    snprintf(cmd, sizeof(cmd), "debugfs -w -f %s.cmd %s", image, image);
    if (run(cmd))
        host_fail("debugfs");
    disk_in();
}
int host_fsck(const char *options)
{
    char cmd[200];
    disk_out();
    snprintf(cmd, sizeof(cmd), "e2fsck %s %s", options, image);
    int rc = run(cmd);
    if (rc > 1 || (rc && strchr(options, 'n')) || host_verbose())
        show();
    disk_in();
    return rc;
}

const char *__ubsan_default_options(void);
const char *__ubsan_default_options(void) { return "abort_on_error=1:print_stacktrace=1"; }
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "detect_leaks=0"; }     /* a machine that was cut off frees nothing */
int main(int argc, char **argv)
{
    const char *path = getenv("PATH");
    char with_sbin[4096];
    snprintf(with_sbin, sizeof(with_sbin), "%s:/usr/sbin:/sbin", path ? path : "/usr/bin:/bin");
    setenv("PATH", with_sbin, 1);
    snprintf(image, sizeof(image), "/tmp/fs_test.%d", (int)getpid());
    run_tests(argc > 1 ? argv[1] : "all", argc > 2 ? atoi(argv[2]) : 1, argc > 3 ? atoi(argv[3]) : 1);
    char cmd[200];
    snprintf(cmd, sizeof(cmd), "rm -f %s %s.*", image, image);
    if (system(cmd)) { }
    return 0;
}

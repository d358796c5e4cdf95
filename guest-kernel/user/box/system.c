/* SPDX-License-Identifier: MIT */
/* system.c: what looks at the running system: ps free uptime uname hostname dmesg mount umount df date sleep env
 * clear stty reboot poweroff halt. */
#include "guest-kernel/user/box/box.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* ---- ps ---- */

struct process { long pid, ppid, group, size, rss, ms; char state, tty[12], name[80]; };

/* A program's arguments, or its name in brackets if it has none (a kernel thread). */
static void command_line(struct process *p)
{
    char path[40], text[sizeof(p->name)];
    ssize_t n = 0;

    sniprintf(path, sizeof(path), "/proc/%ld/cmdline", p->pid);
    int fd = open(path, O_RDONLY);

    if (fd >= 0) {
        n = read(fd, text, sizeof(text) - 1);
        close(fd);
    }
    if (n <= 0) {
        sniprintf(text, sizeof(text), "[%.60s]", p->name);
    } else {
        text[n] = '\0';
        for (ssize_t i = 0; i + 1 < n; i++)
            if (!text[i])
                text[i] = ' ';
    }
    strcpy(p->name, text);
}

static bool read_process(long pid, struct process *p)
{
    static const struct { const char *key; size_t at; } numbers[] = {
        { "PPid", offsetof(struct process, ppid) }, { "PGid", offsetof(struct process, group) },
        { "Size", offsetof(struct process, size) }, { "Rss", offsetof(struct process, rss) },
        { "Time", offsetof(struct process, ms) },
    };
    char path[40], line[128];

    *p = (struct process){ .pid = pid, .state = '?', .tty = "-" };
    sniprintf(path, sizeof(path), "/proc/%ld/status", pid);
    FILE *f = fopen(path, "r");

    while (f && fgets(line, sizeof(line), f)) {
        char *value = strchr(line, ':');

        if (!value)
            continue;
        *value++ = '\0';
        value += strspn(value, " \t");
        value[strcspn(value, "\n")] = '\0';
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            if (strcmp(line, numbers[i].key) == 0)
                *(long *)(void *)((char *)p + numbers[i].at) = strtol(value, NULL, 10);
        if (strcmp(line, "State") == 0)
            p->state = value[0];
        else if (strcmp(line, "Name") == 0)
            sniprintf(p->name, sizeof(p->name), "%s", value);
        else if (strcmp(line, "Tty") == 0)
            sniprintf(p->tty, sizeof(p->tty), "%s", value);
    }
    if (f)
        fclose(f);
    command_line(p);
    return f != NULL;
}

static int numeric(const struct dirent *entry)
{
    return isdigit((unsigned char)entry->d_name[0]);
}

static int by_pid(const struct dirent **a, const struct dirent **b)
{
    return atoi((*a)->d_name) - atoi((*b)->d_name);
}

int ps_main(int argc, char **argv)
{
    struct dirent **list;
    int count = scandir("/proc", &list, numeric, by_pid);

    (void)argc, (void)argv;
    if (count < 0)
        return fail("/proc");
    iprintf("  PID  PPID  PGID S %-8s %7s %7s %8s COMMAND\n", "TTY", "SIZE", "RSS", "TIME");
    for (int i = 0; i < count; i++) {
        struct process p;

        if (read_process(atol(list[i]->d_name), &p))
            iprintf("%5ld %5ld %5ld %c %-8s %6ldK %6ldK %4ld.%03ld %s\n", p.pid, p.ppid, p.group, p.state, p.tty,
                    p.size, p.rss, p.ms / 1000, p.ms % 1000, p.name);
        free(list[i]);
    }
    free(list);
    return 0;
}

/* ---- memory, time ---- */

static void free_line(const char *what, unsigned long all, unsigned long left, bool human)
{
    char text[3][16];

    iprintf("%-8s %9s %9s %9s\n", what, size_text(all, human, text[0]), size_text(all - left, human, text[1]), size_text(left, human, text[2]));
}

int free_main(int argc, char **argv)
{
    struct sysinfo info;

    bool human = argc > 1 && strcmp(argv[1], "-h") == 0, mib = argc > 1 && strcmp(argv[1], "-m") == 0;

    if (argc > 1 + (human || mib))
        return usage("[-h|-m]      -h: in K, M, G, -m: in MiB");
    if (sysinfo(&info) < 0)
        return fail("sysinfo");
    unsigned long unit = mib ? 1024 : 1, k = info.page_size / 1024, swap = (unsigned long)proc_value("meminfo", "SwapTotal");

    iprintf("%-8s %9s %9s %9s\n", human ? "" : mib ? "MiB" : "KiB", "total", "used", "free");
    free_line("memory", info.total_pages * k / unit, info.free_pages * k / unit, human);
    if ((long)swap > 0)
        free_line("swap", swap / unit, (unsigned long)proc_value("meminfo", "SwapFree") / unit, human);
    return 0;
}

int uptime_main(int argc, char **argv)
{
    struct sysinfo info;

    (void)argc, (void)argv;
    if (sysinfo(&info) < 0)
        return fail("sysinfo");
    unsigned long s = info.uptime_ns / 1000000000, busy = info.uptime_ns > info.idle_ns ? info.uptime_ns - info.idle_ns : 0;

    iprintf("up %lu:%02lu:%02lu, %lu%% busy, %lu processes, %lu switches, %lu interrupts, %lu page faults, %lu system calls\n",
            s / 3600, s / 60 % 60, s % 60, info.uptime_ns ? busy * 100 / info.uptime_ns : 0, info.processes,
            info.context_switches, info.interrupts, info.page_faults, info.system_calls);
    return 0;
}

int date_main(int argc, char **argv)
{
    const char *format = "%a %b %e %H:%M:%S UTC %Y";
    struct timespec now;
    char text[128];

    if (argc == 3 && strcmp(argv[1], "-s") == 0) {
        bool good;

        now = (struct timespec){ parse_number(argv[2], &good), 0 };
        if (!good || now.tv_sec < 0)
            return usage("-s SECONDS      since 1970, as `date +%s` shows them");
        return clock_settime(CLOCK_REALTIME, &now) < 0 ? fail(argv[2]) : 0;
    }
    if (argc > 2 || (argc == 2 && argv[1][0] != '+'))
        return usage("[+FORMAT] | -s SECONDS");
    if (clock_gettime(CLOCK_REALTIME, &now) < 0)
        return fail("clock");
    if (argc == 2)
        format = argv[1] + 1;
    size_t n = strftime(text, sizeof(text), format, gmtime(&now.tv_sec));

    iprintf("%.*s\n", (int)n, text);
    return 0;
}

/* "1.5" without floating point; an s, m or h may follow. */
static bool duration(const char *text, struct timespec *out)
{
    char *end;
    long seconds = strtol(text, &end, 10), ns = 0, scale = 100000000;

    if (*end == '.')
        for (end++; isdigit((unsigned char)*end); end++, scale /= 10)
            ns += (*end - '0') * scale;
    if (*end == 'm' || *end == 'h')
        seconds *= *end == 'm' ? 60 : 3600;
    *out = (struct timespec){ seconds, ns };
    return isdigit((unsigned char)text[0]) && (!*end || (strchr("smh", *end) && !end[1]));
}

int sleep_main(int argc, char **argv)
{
    struct timespec t;

    if (argc != 2 || !duration(argv[1], &t))
        return usage("SECONDS");
    return nanosleep(&t, NULL) < 0 ? fail("sleep") : 0;
}

/* ---- names ---- */

int uname_main(int argc, char **argv)
{
    const char *letters = argc > 1 ? argv[1] + 1 : "s";
    struct utsname u;
    bool first = true;

    if (uname(&u) < 0)
        return fail("uname");
    if (strchr(letters, 'a'))
        letters = "snrvm";
    const struct { char letter; const char *text; } names[] = {
        { 's', u.sysname }, { 'n', u.nodename }, { 'r', u.release }, { 'v', u.version }, { 'm', u.machine },
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strchr(letters, names[i].letter))
            continue;
        iprintf("%s%s", first ? "" : " ", names[i].text);
        first = false;
    }
    iprintf("\n");
    return 0;
}

int hostname_main(int argc, char **argv)
{
    char name[72];

    if (argc > 1)
        return sethostname(argv[1], strlen(argv[1])) < 0 ? fail(argv[1]) : 0;
    if (gethostname(name, sizeof(name)) < 0)
        return fail("hostname");
    puts(name);
    return 0;
}

int env_main(int argc, char **argv)
{
    int i = 1;

    if (i < argc && strcmp(argv[i], "-i") == 0) {
        static char *nothing[1];

        environ = nothing;
        i++;
    }
    for (; i < argc && strchr(argv[i], '='); i++)
        putenv(argv[i]);
    if (i < argc) {
        execvp(argv[i], argv + i);
        fail(argv[i]);
        return errno == ENOENT ? 127 : 126;
    }
    for (char **e = environ; *e; e++)
        puts(*e);
    return 0;
}

/* ---- the kernel ---- */

int dmesg_main(int argc, char **argv)
{
    int size = syslog(KLOG_SIZE, NULL, 0);
    char *text = size > 0 ? malloc((size_t)size) : NULL;
    int n = text ? syslog(KLOG_READ, text, (size_t)size) : size;

    if (n < 0)
        return fail("syslog");
    for (int done = 0, m; done < n; done += m)
        if ((m = write(1, text + done, (size_t)(n - done))) <= 0)
            return fail("write");
    if (n > 0 && text[n - 1] != '\n')
        putchar('\n');
    free(text);
    if (argc > 1 && strcmp(argv[1], "-c") == 0 && syslog(KLOG_CLEAR, NULL, 0) < 0)
        return fail("syslog");
    return 0;
}

/* /etc/rc.shutdown, if there is one, runs while everything still does. */
static void run_shutdown_script(void)
{
    static const char script[] = "/etc/rc.shutdown";
    int status;
    pid_t pid = access(script, R_OK) == 0 ? fork() : -1;

    if (pid == 0) {
        execl("/bin/sh", "sh", script, (char *)NULL);
        _exit(127);
    }
    if (pid > 0)
        waitpid(pid, &status, 0);
}

static int end_machine(int argc, char **argv, int how)
{
    bool now = argc > 1 && strcmp(argv[1], "-f") == 0;

    fflush(stdout);
    if (!now && getpid() != 1) {         /* let the others end well: they have a second */
        run_shutdown_script();
        signal(SIGTERM, SIG_IGN);
        kill(-1, SIGTERM);
        usleep(200000);
    }
    sync();
    reboot(how, argc > 1 + now ? atoi(argv[1 + now]) : 0);
    return fail("reboot");
}

int reboot_main(int argc, char **argv)   { return end_machine(argc, argv, REBOOT_RESTART); }
int poweroff_main(int argc, char **argv) { return end_machine(argc, argv, REBOOT_POWEROFF); }
int halt_main(int argc, char **argv)     { return end_machine(argc, argv, REBOOT_HALT); }

/* ---- the terminal ---- */

int clear_main(int argc, char **argv)
{
    (void)argc, (void)argv;
    return iprintf("\033[H\033[2J") < 0;
}

static void sane(struct termios *t)
{
    t->c_iflag = ICRNL | IXON;
    t->c_oflag = OPOST | ONLCR;
    t->c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | IEXTEN;
}

static bool stty_word(struct termios *t, const char *word)
{
    bool off = word[0] == '-';

    if (strcmp(word, "raw") == 0)
        cfmakeraw(t);
    else if (strcmp(word, "sane") == 0)
        sane(t);
    else if (strcmp(word + off, "echo") == 0)
        t->c_lflag = off ? t->c_lflag & ~(unsigned)ECHO : t->c_lflag | ECHO;
    else
        return false;
    return true;
}

int stty_main(int argc, char **argv)
{
    struct winsize size = { 0 };
    struct termios t;

    if (tcgetattr(0, &t) < 0)
        return fail("standard input");
    ioctl(0, TIOCGWINSZ, &size);
    if (argc == 1 || strcmp(argv[1], "size") == 0) {
        iprintf(argc == 1 ? "rows %d, columns %d, " : "%d %d\n", size.ws_row, size.ws_col);
        if (argc == 1)
            iprintf("%s, %s\n", t.c_lflag & ICANON ? "lines" : "bytes", t.c_lflag & ECHO ? "echo" : "no echo");
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "cols") == 0)
            size.ws_col = (unsigned short)atoi(argv[++i]);
        else if (i + 1 < argc && strcmp(argv[i], "rows") == 0)
            size.ws_row = (unsigned short)atoi(argv[++i]);
        else if (!stty_word(&t, argv[i]))
            return usage("[size | raw | sane | echo | -echo | cols N | rows N]");
    }
    ioctl(0, TIOCSWINSZ, &size);
    return tcsetattr(0, TCSADRAIN, &t) < 0 ? fail("standard input") : 0;
}

/* SPDX-License-Identifier: MIT */
/* options.c: Enso's own words on GRUB's multiboot2 line.                                                [read 89]
 *
 * Words that people know from Xen's entries mean the same; an unknown one is named and passed over.       */
#include "hypervisor/boot/options.h"

#include <stddef.h>

#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"

struct boot_options boot_options;

static bool opt_console(const char *v, struct boot_options *o)
{
    if (!strncmp(v, "com1", 4))
        o->console_port = 0x3f8;
    else if (!strncmp(v, "com2", 4))
        o->console_port = 0x2f8;
    else if (!strcmp(v, "none"))
        o->console_port = 0;
    else
        return !strncmp(v, "vga", 3) || !strncmp(v, "tty", 3);   /* Xen's: there is no screen to write to */
    return true;
}

/* Xen's names; a pair like "error/warning" counts by its second half, which is what may be printed at most. */
static bool level_of(const char *v, int *level)
{
    static const struct { const char *name; int level; } names[] = {
        { "none", -1 }, { "error", LOG_ERR }, { "err", LOG_ERR }, { "warning", LOG_WARN }, { "warn", LOG_WARN },
        { "info", LOG_INFO }, { "debug", LOG_DEBUG }, { "all", LOG_DEBUG },
    };
    const char *slash = strchr(v, '/');

    if (slash)
        v = slash + 1;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(v, names[i].name)) {
            *level = names[i].level;
            return true;
        }
    return false;
}

static bool opt_loglvl(const char *v, struct boot_options *o)       { return level_of(v, &o->loglvl); }
static bool opt_guest_loglvl(const char *v, struct boot_options *o) { return level_of(v, &o->guest_loglvl); }

static bool opt_sched(const char *v, struct boot_options *o)
{
    return strlcpy(o->sched, v, sizeof(o->sched)) < sizeof(o->sched);
}

/* "512M", and Xen's "512M,max:512M": its first part counts. A bare number is KiB there. */
static bool opt_dom0_mem(const char *v, struct boot_options *o)
{
    const char *end;
    uint64_t bytes = parse_size(v, &end);

    if (end == v || (*end && *end != ',') || bytes == ~0UL)
        return false;
    if (end[-1] >= '0' && end[-1] <= '9')
        bytes = bytes > ~0UL >> 10 ? 0 : bytes << 10;
    o->dom0_mem = bytes;
    return bytes != 0;
}

static bool opt_maxcpus(const char *v, struct boot_options *o)
{
    const char *end;
    unsigned long n = parse_size(v, &end);

    if (end == v || *end || n < 1)
        return false;
    o->maxcpus = n > 64 ? 64 : (uint32_t)n;
    return true;
}

static bool opt_noreboot(const char *v, struct boot_options *o)  { o->noreboot = true; return true; }
static bool opt_debugexit(const char *v, struct boot_options *o) { o->debugexit = true; return true; }
static bool opt_nothing(const char *v, struct boot_options *o)   { return true; }

static const struct {
    const char *name;
    bool (*take)(const char *v, struct boot_options *o);
} known[] = {
    { "console", opt_console }, { "loglvl", opt_loglvl }, { "guest_loglvl", opt_guest_loglvl }, { "sched", opt_sched },
    { "dom0_mem", opt_dom0_mem }, { "maxcpus", opt_maxcpus }, { "noreboot", opt_noreboot }, { "debugexit", opt_debugexit },
    { "debug-exit", opt_debugexit },
    /* Xen's, that ask for what is so anyway: */
    { "com1", opt_nothing }, { "com2", opt_nothing }, { "placeholder", opt_nothing }, { "vga", opt_nothing },
    { "no-real-mode", opt_nothing }, { "edd", opt_nothing },
};

static bool take(const char *word, struct boot_options *o)
{
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        size_t n = strlen(known[i].name);
        if (!strncmp(word, known[i].name, n) && (!word[n] || word[n] == '='))
            return known[i].take(word[n] ? word + n + 1 : "", o);
    }
    return false;
}

void options_parse(const char *line, struct boot_options *o, void (*complain)(const char *word))
{
    *o = (struct boot_options){ .console_port = 0x3f8, .loglvl = LOG_INFO, .guest_loglvl = LOG_WARN,
                                .sched = "credit", .maxcpus = 64 };
    while (*line) {
        char word[96];
        size_t n = 0;

        while (*line == ' ' || *line == '\t')
            line++;
        while (line[n] && line[n] != ' ' && line[n] != '\t')
            n++;
        strlcpy(word, line, n + 1 < sizeof(word) ? n + 1 : sizeof(word));
        line += n;
        if (n && !take(word, o))
            complain(word);
    }
}

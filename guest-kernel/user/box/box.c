/* SPDX-License-Identifier: MIT */
/* box.c: one binary, many programs (box.h tells why): the choice, and the few helpers that most of them share. */
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *box_name = "box";

static const struct program {
    const char *name, *doc;
    int (*main)(int argc, char **argv);
} programs[] = {
#define PROGRAM(name, where, doc) { #name, doc, name##_main },
#include "guest-kernel/user/box/programs.def"
#undef PROGRAM
};
enum { PROGRAMS = sizeof(programs) / sizeof(programs[0]) };

int fail(const char *what)
{
    fflush(stdout);
    fiprintf(stderr, "%s: %s: %s\n", box_name, what, strerror(errno));
    return 1;
}

int usage(const char *how)
{
    fiprintf(stderr, "usage: %s %s\n", box_name, how);
    return 2;
}

int copy_fd(int from, int to)
{
    static char buffer[16384];
    ssize_t n;

    while ((n = read(from, buffer, sizeof(buffer))) > 0) {
        for (ssize_t done = 0; done < n;) {
            ssize_t m = write(to, buffer + done, (size_t)(n - done));

            if (m < 0)
                return -1;
            done += m;
        }
    }
    return n < 0 ? -1 : 0;
}

int each_file(int argc, char **argv, int first, int (*each)(int fd, const char *name))
{
    int status = 0;

    if (first >= argc)
        return each(0, "-");
    for (int i = first; i < argc; i++) {
        int fd = strcmp(argv[i], "-") ? open(argv[i], O_RDONLY) : 0;

        if (fd < 0) {
            status = fail(argv[i]);
            continue;
        }
        int rc = each(fd, argv[i]);

        status = rc > status ? rc : status;
        if (fd)
            close(fd);
    }
    return status;
}

const char *size_text(unsigned long kib, bool human, char text[16])
{
    static const char letters[] = "KMGT";
    unsigned long tenths = kib * 10;
    int unit = 0;

    while (human && tenths >= 10240 && unit < 3) {
        tenths = (tenths + 512) / 1024;
        unit++;
    }
    if (!human)
        sniprintf(text, 16, "%lu", kib);
    else if (tenths % 10 && tenths < 100)
        sniprintf(text, 16, "%lu.%lu%c", tenths / 10, tenths % 10, letters[unit]);
    else
        sniprintf(text, 16, "%lu%c", (tenths + 5) / 10, letters[unit]);
    return text;
}

const char *box_doc(const char *name)
{
    for (int i = 0; i < PROGRAMS; i++)
        if (strcmp(programs[i].name, name) == 0)
            return programs[i].doc;
    return NULL;
}

long proc_value(const char *file, const char *key)
{
    char path[64], line[160];
    size_t n = strlen(key);
    long value = -1;

    sniprintf(path, sizeof(path), "/proc/%s", file);
    FILE *f = fopen(path, "r");

    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, key, n) == 0 && line[n] == ':')
            value = strtol(line + n + 1, NULL, 0);
    if (f)
        fclose(f);
    return value;
}

long parse_number(const char *text, bool *good)
{
    char *end;
    long n = strtol(text, &end, 0);
    const char *units = "KMG", *unit = *end ? strchr(units, *end & ~0x20) : NULL;

    *good = end != text && (!*end || (unit && !end[1]));
    return unit ? n << (10 * (unit - units + 1)) : n;
}

static const struct program *find(const char *name)
{
    const char *slash = strrchr(name, '/');

    name = slash ? slash + 1 : name;
    name += name[0] == '-';              /* a login shell */
    for (int i = 0; i < PROGRAMS; i++)
        if (strcmp(programs[i].name, name) == 0)
            return &programs[i];
    return NULL;
}

int main(int argc, char **argv)
{
    const struct program *program = argc > 0 ? find(argv[0]) : NULL;

    if (!program && argc > 1 && (program = find(argv[1]))) {
        argc--;
        argv++;
    }
    if (!program) {
        iprintf("box: programs in one file; call it by one of these names:\n");
        for (int i = 0; i < PROGRAMS; i++)
            iprintf("  %-10s %s\n", programs[i].name, programs[i].doc);
        return 2;
    }
    box_name = program->name;
    int status = program->main(argc, argv);

    if (fflush(stdout) && status == 0)
        status = fail("standard output");
    return status;
}

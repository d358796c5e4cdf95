/* SPDX-License-Identifier: MIT */
/* find.c: find and du: walks below a directory. */
#include "guest-kernel/user/box/box.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *want_name;
static char want_type;

static bool type_fits(mode_t mode)
{
    switch (want_type) {
    case 0:   return true;
    case 'f': return S_ISREG(mode);
    case 'd': return S_ISDIR(mode);
    case 'l': return S_ISLNK(mode);
    case 'c': return S_ISCHR(mode);
    default:  return false;
    }
}

static int walk(const char *path)
{
    const char *slash = strrchr(path, '/');
    struct dirent **list;
    struct stat st;
    char full[512];
    int status = 0;

    if (lstat(path, &st) < 0)
        return fail(path);
    if (type_fits(st.st_mode) && (!want_name || fnmatch(want_name, slash && slash[1] ? slash + 1 : path, 0) == 0))
        puts(path);
    if (!S_ISDIR(st.st_mode))
        return 0;
    int count = scandir(path, &list, NULL, alphasort);

    if (count < 0)
        return fail(path);
    for (int i = 0; i < count; i++) {
        const char *name = list[i]->d_name;

        if (strcmp(name, ".") && strcmp(name, "..")) {
            sniprintf(full, sizeof(full), "%s/%s", strcmp(path, "/") ? path : "", name);
            status |= walk(full);
        }
        free(list[i]);
    }
    free(list);
    return status;
}

int find_main(int argc, char **argv)
{
    int first = 1, i, status = 0;

    for (i = 1; i < argc && argv[i][0] != '-'; i++)
        ;
    int roots = i;

    for (; i < argc; i++) {
        if (strcmp(argv[i], "-name") == 0 && i + 1 < argc)
            want_name = argv[++i];
        else if (strcmp(argv[i], "-type") == 0 && i + 1 < argc)
            want_type = argv[++i][0];
        else if (strcmp(argv[i], "-print"))
            return usage("[DIRECTORY...] [-name PATTERN] [-type f|d|l|c]");
    }
    if (first == roots)
        return walk(".");
    for (; first < roots; first++)
        status |= walk(argv[first]);
    return status;
}

/* ---- du ---- */

static bool du_sum, du_human;

/* A file of several names counts once. */
static bool counted(const struct stat *st)
{
    static ino_t seen[64];
    static int count;

    if (S_ISDIR(st->st_mode) || st->st_nlink < 2)
        return false;
    for (int i = 0; i < count; i++)
        if (seen[i] == st->st_ino)
            return true;
    if (count < 64)
        seen[count++] = st->st_ino;
    return false;
}

static long measure(const char *path, bool top)
{
    struct dirent **list;
    struct stat st;
    char full[512];

    if (lstat(path, &st) < 0) {
        fail(path);
        return 0;
    }
    long blocks = counted(&st) ? 0 : (long)st.st_blocks;
    int count = S_ISDIR(st.st_mode) ? scandir(path, &list, NULL, alphasort) : -1;

    for (int i = 0; i < count; i++) {
        const char *name = list[i]->d_name;

        if (strcmp(name, ".") && strcmp(name, "..")) {
            sniprintf(full, sizeof(full), "%s/%s", strcmp(path, "/") ? path : "", name);
            blocks += measure(full, false);
        }
        free(list[i]);
    }
    if (count >= 0)
        free(list);
    if (top || (!du_sum && count >= 0))
        iprintf("%-7s %s\n", size_text(((unsigned long)blocks + 1) / 2, du_human, full), path);
    return blocks;
}

int du_main(int argc, char **argv)
{
    int c;

    while ((c = getopt(argc, argv, "sh")) != -1) {
        du_sum |= c == 's';
        du_human |= c == 'h';
        if (c == '?')
            return usage("[-s] [-h] [PATH...]");
    }
    if (optind == argc)
        measure(".", true);
    for (; optind < argc; optind++)
        measure(argv[optind], true);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* ls.c: ls. */
#include "guest-kernel/user/box/box.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

static bool opt_long, opt_all, opt_single, opt_self, opt_deep, opt_inode, opt_human;
static int columns = 80;

static char type_letter(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR: return 'd';
    case S_IFLNK: return 'l';
    case S_IFCHR: return 'c';
    case S_IFBLK: return 'b';
    case S_IFIFO: return 'p';
    default:      return '-';
    }
}

static const char *file_size(const struct stat *st, char text[24])
{
    if (opt_human && st->st_size >= 1024)
        return size_text(((unsigned long)st->st_size + 1023) / 1024, true, text);
    sniprintf(text, 24, "%ld", (long)st->st_size);
    return text;
}

static void show_long(const char *path, const char *name)
{
    static const char letters[] = "rwxrwxrwx";
    char modes[11], when[24] = "", target[256], size[24];
    struct stat st;

    if (lstat(path, &st) < 0) {
        fail(path);
        return;
    }
    modes[0] = type_letter(st.st_mode);
    for (int i = 0; i < 9; i++)
        modes[i + 1] = st.st_mode & (0400u >> i) ? letters[i] : '-';
    modes[10] = '\0';
    strftime(when, sizeof(when), "%Y-%m-%d %H:%M", gmtime(&st.st_mtime));
    if (opt_inode)
        iprintf("%6lu ", (unsigned long)st.st_ino);
    if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
        iprintf("%s %3u %4u,%4u %s %s", modes, (unsigned)st.st_nlink, major(st.st_rdev), minor(st.st_rdev), when, name);
    else
        iprintf("%s %3u %9s %s %s", modes, (unsigned)st.st_nlink, file_size(&st, size), when, name);
    ssize_t n = S_ISLNK(st.st_mode) ? readlink(path, target, sizeof(target) - 1) : -1;

    if (n >= 0)
        iprintf(" -> %.*s", (int)n, target);
    iprintf("\n");
}

static void show_columns(char **names, int count)
{
    int wide = 1;

    for (int i = 0; i < count; i++)
        wide = (int)strlen(names[i]) + 2 > wide ? (int)strlen(names[i]) + 2 : wide;
    int across = opt_single || columns < wide ? 1 : columns / wide;
    int rows = (count + across - 1) / across;

    for (int row = 0; row < rows; row++) {
        for (int i = row; i < count; i += rows) {
            if (i + rows < count)
                iprintf("%-*s", wide, names[i]);
            else
                iprintf("%s", names[i]);
        }
        iprintf("\n");
    }
}

static int wanted(const struct dirent *entry)
{
    return opt_all || entry->d_name[0] != '.';
}

static int list_directory(const char *path, bool title);

static int deeper(const char *path, struct dirent **list, int count)
{
    int status = 0;

    for (int i = 0; i < count; i++) {
        const char *name = list[i]->d_name;
        char full[512];

        if (list[i]->d_type != DT_DIR || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        sniprintf(full, sizeof(full), "%s/%s", strcmp(path, "/") ? path : "", name);
        iprintf("\n");
        status |= list_directory(full, true);
    }
    return status;
}

static int list_directory(const char *path, bool title)
{
    struct dirent **list;
    int count = scandir(path, &list, wanted, alphasort), status = 0;
    char full[512];

    if (count < 0)
        return fail(path);
    if (title)
        iprintf("%s:\n", path);
    char **names = calloc((size_t)count + 1, sizeof(char *));

    if (!names)
        return fail(path);
    for (int i = 0; i < count; i++) {
        names[i] = list[i]->d_name;
        if (opt_long) {
            sniprintf(full, sizeof(full), "%s/%s", path, names[i]);
            show_long(full, names[i]);
        } else if (opt_inode) {
            iprintf("%6lu %s\n", list[i]->d_ino, names[i]);
        }
    }
    if (!opt_long && !opt_inode)
        show_columns(names, count);
    if (opt_deep)
        status = deeper(path, list, count);
    free(names);
    while (count > 0)
        free(list[--count]);
    free(list);
    return status;
}

static int list_one(const char *path, bool title)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return fail(path);
    if (S_ISLNK(st.st_mode) && !opt_long)
        stat(path, &st);
    if (S_ISDIR(st.st_mode) && !opt_self)
        return list_directory(path, title);
    if (opt_long)
        show_long(path, path);
    else
        iprintf("%s\n", path);
    return 0;
}

int ls_main(int argc, char **argv)
{
    struct winsize size;
    int c, status = 0;

    while ((c = getopt(argc, argv, "la1dRih")) != -1) {
        switch (c) {
        case 'l': opt_long = true; break;
        case 'a': opt_all = true; break;
        case 'h': opt_human = true; break;
        case '1': opt_single = true; break;
        case 'd': opt_self = true; break;
        case 'R': opt_deep = true; break;
        case 'i': opt_inode = true; break;
        default:  return usage("[-lah1dRi] [FILE...]");
        }
    }
    if (!isatty(1))
        opt_single = true;
    else if (ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col)
        columns = size.ws_col;
    if (optind == argc)
        return list_one(".", false);
    for (int i = optind; i < argc; i++)
        status |= list_one(argv[i], argc - optind > 1);
    return status;
}

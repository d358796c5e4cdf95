/* SPDX-License-Identifier: MIT */
/* files.c: cat cp mv rm mkdir rmdir ln touch truncate chmod cmp tee. */
#include "guest-kernel/user/box/box.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utime.h>

/* The entries of a directory, one call each, "." and ".." left out. */
static int each_entry(const char *path, int (*each)(const char *path, void *arg), void *arg)
{
    struct dirent **list;
    int count = scandir(path, &list, NULL, alphasort), status = 0;
    char full[512];

    if (count < 0)
        return fail(path);
    for (int i = 0; i < count; i++) {
        const char *name = list[i]->d_name;

        if (strcmp(name, ".") && strcmp(name, "..")) {
            sniprintf(full, sizeof(full), "%s/%s", path, name);
            status |= each(full, arg);
        }
        free(list[i]);
    }
    free(list);
    return status;
}

static bool is_directory(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* Where `from` goes: into `to` if that is a directory. */
static const char *target(const char *from, const char *to, char out[512])
{
    const char *slash = strrchr(from, '/');

    if (!is_directory(to))
        return to;
    sniprintf(out, 512, "%s/%s", to, slash ? slash + 1 : from);
    return out;
}

static int cat_one(int fd, const char *name)
{
    return copy_fd(fd, 1) < 0 ? fail(name) : 0;
}

int cat_main(int argc, char **argv)
{
    return each_file(argc, argv, 1, cat_one);
}

/* ---- cp ---- */

static int copy_file(const char *from, const char *to, mode_t mode)
{
    int in = open(from, O_RDONLY), out;
    int status = 0;

    if (in < 0)
        return fail(from);
    out = open(to, O_WRONLY | O_CREAT | O_TRUNC, mode & 0777);
    if (out < 0 || copy_fd(in, out) < 0)
        status = fail(to);
    close(in);
    if (out >= 0)
        close(out);
    return status;
}

static int copy_tree(const char *from, const char *to);

static int copy_entry(const char *path, void *to)
{
    char out[512];

    sniprintf(out, sizeof(out), "%s%s", (const char *)to, strrchr(path, '/'));
    return copy_tree(path, out);
}

static int copy_tree(const char *from, const char *to)
{
    struct stat st;
    char link[256];

    if (lstat(from, &st) < 0)
        return fail(from);
    if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(from, link, sizeof(link) - 1);

        link[n > 0 ? n : 0] = '\0';
        return symlink(link, to) < 0 ? fail(to) : 0;
    }
    if (!S_ISDIR(st.st_mode))
        return copy_file(from, to, st.st_mode);
    if (mkdir(to, st.st_mode & 0777) < 0 && errno != EEXIST)
        return fail(to);
    return each_entry(from, copy_entry, (void *)(size_t)to);
}

static bool same_file(const char *a, const char *b)
{
    struct stat x, y;

    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

int cp_main(int argc, char **argv)
{
    bool deep = argc > 1 && (strcmp(argv[1], "-r") == 0 || strcmp(argv[1], "-a") == 0);
    int first = 1 + deep, status = 0;
    char out[512];

    if (argc - first < 2 || (argc - first > 2 && !is_directory(argv[argc - 1])))
        return usage("[-r] FROM TO, or cp [-r] FROM... DIRECTORY");
    for (int i = first; i < argc - 1; i++) {
        const char *to = target(argv[i], argv[argc - 1], out);
        struct stat st;

        if (stat(argv[i], &st) < 0) {
            status = fail(argv[i]);
        } else if (same_file(argv[i], to)) {
            errno = EEXIST;
            status = fail("from and to are the same file");
        } else if (deep) {
            status |= copy_tree(argv[i], to);
        } else if (S_ISDIR(st.st_mode)) {
            errno = EISDIR;
            status = fail(argv[i]);
        } else {
            status |= copy_file(argv[i], to, st.st_mode);
        }
    }
    return status;
}

/* ---- rm, mv ---- */

static int remove_tree(const char *path, void *force)
{
    struct stat st;

    if (lstat(path, &st) < 0)
        return force && errno == ENOENT ? 0 : fail(path);
    if (!S_ISDIR(st.st_mode))
        return unlink(path) < 0 ? fail(path) : 0;
    int status = each_entry(path, remove_tree, force);

    return rmdir(path) < 0 ? fail(path) : status;
}

int rm_main(int argc, char **argv)
{
    bool deep = false, force = false;
    int c, status = 0;

    while ((c = getopt(argc, argv, "rRf")) != -1) {
        if (c == '?')
            return usage("[-rf] FILE...");
        force |= c == 'f';
        deep |= c != 'f';
    }
    if (optind == argc)
        return force ? 0 : usage("[-rf] FILE...");
    for (int i = optind; i < argc; i++) {
        if (deep)
            status |= remove_tree(argv[i], force ? argv : NULL);
        else if (unlink(argv[i]) < 0 && !(force && errno == ENOENT))
            status = fail(argv[i]);
    }
    return status;
}

int mv_main(int argc, char **argv)
{
    int status = 0, first = 1 + (argc > 1 && strcmp(argv[1], "-f") == 0);
    char out[512];

    if (argc - first < 2 || (argc - first > 2 && !is_directory(argv[argc - 1])))
        return usage("FROM TO, or mv FROM... DIRECTORY");
    for (int i = first; i < argc - 1; i++) {
        const char *to = target(argv[i], argv[argc - 1], out);

        if (rename(argv[i], to) == 0)
            continue;
        if (errno != EXDEV)
            status = fail(argv[i]);
        else if (copy_tree(argv[i], to) || remove_tree(argv[i], NULL))
            status = 1;
    }
    return status;
}

/* ---- directories, links, times ---- */

static int make_path(char *path)
{
    for (char *s = path + 1; *s; s++) {
        if (*s != '/')
            continue;
        *s = '\0';
        if (mkdir(path, 0777) < 0 && errno != EEXIST)
            return fail(path);
        *s = '/';
    }
    return mkdir(path, 0777) < 0 && errno != EEXIST ? fail(path) : 0;
}

int mkdir_main(int argc, char **argv)
{
    bool parents = argc > 1 && strcmp(argv[1], "-p") == 0;
    int status = 0;

    if (argc < 2 + parents)
        return usage("[-p] DIRECTORY...");
    for (int i = 1 + parents; i < argc; i++) {
        if (parents)
            status |= make_path(argv[i]);
        else if (mkdir(argv[i], 0777) < 0)
            status = fail(argv[i]);
    }
    return status;
}

int rmdir_main(int argc, char **argv)
{
    int status = 0;

    if (argc < 2)
        return usage("DIRECTORY...");
    for (int i = 1; i < argc; i++)
        if (rmdir(argv[i]) < 0)
            status = fail(argv[i]);
    return status;
}

int ln_main(int argc, char **argv)
{
    bool symbolic = false, force = false;
    char out[512];
    int c;

    while ((c = getopt(argc, argv, "sf")) != -1) {
        symbolic |= c == 's';
        force |= c == 'f';
        if (c == '?')
            return usage("[-sf] TARGET NAME");
    }
    if (argc - optind != 2)
        return usage("[-sf] TARGET NAME");
    const char *name = target(argv[optind], argv[optind + 1], out);

    if (force)
        unlink(name);
    return (symbolic ? symlink(argv[optind], name) : link(argv[optind], name)) < 0 ? fail(name) : 0;
}

int touch_main(int argc, char **argv)
{
    int status = 0;

    if (argc < 2)
        return usage("FILE...");
    for (int i = 1; i < argc; i++) {
        int fd = open(argv[i], O_WRONLY | O_CREAT, 0666);

        if (fd >= 0)
            close(fd);
        if ((fd < 0 && errno != EISDIR) || utime(argv[i], NULL) < 0)
            status = fail(argv[i]);
    }
    return status;
}

int truncate_main(int argc, char **argv)
{
    char *end = "x";
    unsigned long long size = argc > 3 && strcmp(argv[1], "-s") == 0 ? strtoull(argv[2], &end, 10) : 0;
    unsigned shift = *end == 'K' ? 10 : *end == 'M' ? 20 : *end == 'G' ? 30 : 0;
    int status = 0;

    if (argc < 4 || end == argv[2] || end[shift != 0] || size > 1ull << (62 - shift))
        return usage("-s SIZE[K|M|G] FILE...");
    for (int i = 3; i < argc; i++) {
        int fd = open(argv[i], O_WRONLY | O_CREAT, 0666);

        if (fd < 0 || ftruncate(fd, (off_t)(size << shift)) < 0)
            status = fail(argv[i]);
        if (fd >= 0)
            close(fd);
    }
    return status;
}

int chmod_main(int argc, char **argv)
{
    int status = 0;
    char *end;
    long mode = argc > 2 ? strtol(argv[1], &end, 8) : -1;

    if (argc > 2 && strcmp(argv[1], "+x") == 0)
        mode = 0755;
    else if (mode < 0 || *end)
        return usage("OCTAL FILE...");
    for (int i = 2; i < argc; i++)
        if (chmod(argv[i], (mode_t)mode) < 0)
            status = fail(argv[i]);
    return status;
}

int cmp_main(int argc, char **argv)
{
    FILE *a = argc == 3 ? fopen(argv[1], "r") : NULL, *b = argc == 3 ? fopen(argv[2], "r") : NULL;
    long at = 1, line = 1;

    if (argc != 3)
        return usage("FILE FILE");
    if (!a || !b) {
        fail(argv[a ? 2 : 1]);
        return 2;
    }
    for (;; at++) {
        int x = getc(a), y = getc(b);

        if (x != y) {
            if (x == EOF || y == EOF)
                iprintf("cmp: %s ends first, at byte %ld\n", argv[x == EOF ? 1 : 2], at - 1);
            else
                iprintf("%s %s differ: byte %ld, line %ld\n", argv[1], argv[2], at, line);
            return 1;
        }
        if (x == EOF)
            return 0;
        line += x == '\n';
    }
}

int tee_main(int argc, char **argv)
{
    bool append = argc > 1 && strcmp(argv[1], "-a") == 0;
    char buffer[2048];
    int fds[16], count = 0, status = 0;
    ssize_t n;

    for (int i = 1 + append; i < argc && count < 16; i++) {
        int fd = open(argv[i], O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC), 0666);

        if (fd < 0)
            status = fail(argv[i]);
        else
            fds[count++] = fd;
    }
    while ((n = read(0, buffer, sizeof(buffer))) > 0) {
        (void)!write(1, buffer, (size_t)n);
        for (int i = 0; i < count; i++)
            if (write(fds[i], buffer, (size_t)n) != n)
                status = fail("write");
    }
    return status;
}

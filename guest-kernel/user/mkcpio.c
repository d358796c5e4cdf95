/* SPDX-License-Identifier: MIT */
/* mkcpio.c: packs an initial ramdisk (a "newc" cpio) on the build machine.
 *
 * Standard input lists the entries, one a line:
 *     dir PATH               file PATH SOURCE [MODE]      slink PATH TARGET
 *     tree PATH SOURCE       every file below the folder SOURCE goes below PATH
 * Two files of one SOURCE become hard links of one inode, so a program of many names is packed once. The
 * archive depends on the list and the files' contents and on nothing else: entries are sorted, dates and owners
 * are zero, inode numbers count upward. Folders above an entry are made as needed.                     */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct entry {
    char *path, *source;         /* source: file to read, or a link's target, or NULL */
    unsigned mode, inode, links;
};

static struct entry *entries;
static size_t count, room;
static unsigned long written;

static void die(const char *what, const char *why)
{
    fprintf(stderr, "mkcpio: %s: %s\n", what, why);
    exit(1);
}

static char *format(const char *f, ...)
{
    char *text;
    va_list args;

    va_start(args, f);
    if (vasprintf(&text, f, args) < 0)
        die("format", "out of memory");
    va_end(args);
    return text;
}

static void add(const char *path, const char *source, unsigned mode)
{
    while (*path == '/')
        path++;
    if (!*path)
        return;
    if (count == room) {
        room = room ? 2 * room : 64;
        entries = realloc(entries, room * sizeof(*entries));
        if (!entries)
            die(path, "out of memory");
    }
    entries[count++] = (struct entry){ .path = strdup(path), .source = source ? strdup(source) : NULL, .mode = mode };
}

static void add_parents(const char *path)
{
    char *copy = strdup(path);

    for (char *s = copy + 1; *s; s++) {
        if (*s == '/') {
            *s = '\0';
            add(copy, NULL, S_IFDIR | 0755);
            *s = '/';
        }
    }
    free(copy);
}

static void add_file(const char *path, const char *source, const char *mode)
{
    struct stat st;

    if (stat(source, &st) < 0)
        die(source, strerror(errno));
    unsigned bits = mode ? (unsigned)strtoul(mode, NULL, 8) : st.st_mode & 0100 ? 0755 : 0644;

    add_parents(path);
    add(path, source, S_IFREG | bits);
}

static void add_tree(const char *path, const char *source)
{
    struct dirent *e;
    struct stat st;
    DIR *dir = opendir(source);

    while (dir && (e = readdir(dir))) {
        if (e->d_name[0] == '.')
            continue;
        char *to = format("%s/%s", path, e->d_name), *from = format("%s/%s", source, e->d_name);

        if (stat(from, &st) == 0 && S_ISDIR(st.st_mode))
            add_tree(to, from);
        else
            add_file(to, from, NULL);
        free(to);
        free(from);
    }
    if (dir)
        closedir(dir);
}

static int by_path(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;

    return strcmp(x->path, y->path);
}

/* A path that is named twice: the file named last wins, folders merge. qsort keeps no order, so this comes first. */
static void drop_doubles(void)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        size_t later = i + 1;

        while (later < count && strcmp(entries[later].path, entries[i].path))
            later++;
        if (later == count)
            entries[kept++] = entries[i];
    }
    count = kept;
}

static void number_inodes(void)
{
    unsigned next = 1;

    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i && S_ISREG(entries[i].mode); j++)
            if (S_ISREG(entries[j].mode) && strcmp(entries[j].source, entries[i].source) == 0)
                entries[i].inode = entries[j].inode;
        if (!entries[i].inode)
            entries[i].inode = next++;
    }
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++)
            entries[i].links += entries[i].inode == entries[j].inode;
}

static void put(const void *data, size_t size)
{
    if (fwrite(data, 1, size, stdout) != size)
        die("standard output", strerror(errno));
    written += size;
}

static void pad(unsigned to)
{
    while (written % to)
        put("", 1);
}

static void header(const char *path, unsigned inode, unsigned mode, unsigned links, size_t size)
{
    char text[111];

    snprintf(text, sizeof(text), "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", inode, mode, 0, 0, links,
             0, (unsigned)size, 0, 0, 0, 0, (unsigned)strlen(path) + 1, 0);
    put(text, 110);
    put(path, strlen(path) + 1);
    pad(4);
}

static void put_file(const struct entry *e, int last_of_inode)
{
    FILE *f = last_of_inode ? fopen(e->source, "rb") : NULL;
    size_t size = 0, n;
    char *data = NULL, piece[65536];

    if (last_of_inode && !f)
        die(e->source, strerror(errno));
    while (f && (n = fread(piece, 1, sizeof(piece), f)) > 0) {
        data = realloc(data, size + n);
        if (!data)
            die(e->source, "out of memory");
        memcpy(data + size, piece, n);
        size += n;
    }
    header(e->path, e->inode, e->mode, e->links, size);
    put(data ? data : "", size);
    pad(4);
    free(data);
    if (f)
        fclose(f);
}

/* The contents of an inode come with its last name, as cpio itself does it. */
static void put_entry(size_t i)
{
    const struct entry *e = &entries[i];
    int last = 1;

    for (size_t j = i + 1; j < count; j++)
        last &= entries[j].inode != e->inode;
    if (S_ISREG(e->mode)) {
        put_file(e, last);
        return;
    }
    size_t size = S_ISLNK(e->mode) ? strlen(e->source) : 0;

    header(e->path, e->inode, e->mode, 1, size);
    put(e->source ? e->source : "", size);
    pad(4);
}

static void read_line(char *line)
{
    char *kind = strtok(line, " \n"), *path = strtok(NULL, " \n"), *source = strtok(NULL, " \n"), *mode = strtok(NULL, " \n");

    if (!kind || kind[0] == '#')
        return;
    if (!path || (!source && strcmp(kind, "dir")))
        die(kind, "the line lacks a word");
    if (strcmp(kind, "dir") == 0) {
        add_parents(path);
        add(path, NULL, S_IFDIR | (source ? (unsigned)strtoul(source, NULL, 8) : 0755));
    } else if (strcmp(kind, "file") == 0) {
        add_file(path, source, mode);
    } else if (strcmp(kind, "tree") == 0) {
        add_tree(path, source);
    } else if (strcmp(kind, "slink") == 0) {
        add_parents(path);
        add(path, source, S_IFLNK | 0777);
    } else {
        die(kind, "not one of dir, file, tree, slink");
    }
}

int main(void)
{
    char line[4096];

    while (fgets(line, sizeof(line), stdin))
        read_line(line);
    drop_doubles();
    qsort(entries, count, sizeof(*entries), by_path);
    number_inodes();
    for (size_t i = 0; i < count; i++)
        put_entry(i);
    header("TRAILER!!!", 0, 0, 1, 0);
    pad(512);
    if (fflush(stdout))
        die("standard output", strerror(errno));
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* dirent.c: directories, read a buffer at a time. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct _dir {
    int fd;
    size_t at, filled;
    char records[1024] __attribute__((aligned(8)));
};

long getdents(int fd, void *buffer, size_t size);

DIR *fdopendir(int fd)
{
    DIR *dir = malloc(sizeof(*dir));

    if (dir) {
        dir->fd = fd;
        dir->at = dir->filled = 0;
    }
    return dir;
}

DIR *opendir(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);

    if (fd >= 0 && !dir)
        close(fd);
    return dir;
}

struct dirent *readdir(DIR *dir)
{
    if (dir->at == dir->filled) {
        long n = getdents(dir->fd, dir->records, sizeof(dir->records));

        if (n <= 0)
            return NULL;
        dir->at = 0;
        dir->filled = (size_t)n;
    }
    struct dirent *entry = (struct dirent *)(void *)(dir->records + dir->at);

    dir->at += entry->d_reclen;
    return entry;
}

void rewinddir(DIR *dir)
{
    lseek(dir->fd, 0, SEEK_SET);
    dir->at = dir->filled = 0;
}

int dirfd(DIR *dir)
{
    return dir->fd;
}

int closedir(DIR *dir)
{
    int rc = close(dir->fd);

    free(dir);
    return rc;
}

int alphasort(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static struct dirent *copy(const struct dirent *entry)
{
    struct dirent *own = malloc(entry->d_reclen);

    return own ? memcpy(own, entry, entry->d_reclen) : NULL;
}

int scandir(const char *path, struct dirent ***out, int (*want)(const struct dirent *),
            int (*compare)(const struct dirent **, const struct dirent **))
{
    struct dirent **list = NULL, *entry;
    int n = 0;
    DIR *dir = opendir(path);

    if (!dir)
        return -1;
    while ((entry = readdir(dir))) {
        if (want && !want(entry))
            continue;
        struct dirent **longer = realloc(list, ((size_t)n + 1) * sizeof(*list));

        if (longer)
            list = longer;
        if (!longer || !(list[n] = copy(entry)))
            goto no_memory;
        n++;
    }
    closedir(dir);
    if (compare && n)
        qsort(list, (size_t)n, sizeof(*list), (int (*)(const void *, const void *))compare);
    *out = list;
    return n;

no_memory:
    while (n > 0)
        free(list[--n]);
    free(list);
    closedir(dir);
    errno = ENOMEM;
    return -1;
}

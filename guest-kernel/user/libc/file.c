/* SPDX-License-Identifier: MIT */
/* file.c: the POSIX calls about files that are small sums of the kernel's. */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <utime.h>

int umount2(const char *target, int flags);
int creat(const char *path, mode_t mode);

int pipe(int fds[2])
{
    return pipe2(fds, 0);
}

int dup3(int fd, int to, int flags)
{
    if (fd == to) {
        errno = EINVAL;
        return -1;
    }
    if (dup2(fd, to) < 0)
        return -1;
    if (flags & O_CLOEXEC)
        fcntl(to, F_SETFD, FD_CLOEXEC);
    return to;
}

int creat(const char *path, mode_t mode)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, mode);
}

char *getcwd(char *buffer, size_t size)
{
    char *own = NULL;

    if (!buffer) {
        size = size ? size : 1024;
        buffer = own = malloc(size);
        if (!own)
            return NULL;
    }
    if (__sys_getcwd(buffer, size) >= 0)
        return buffer;
    free(own);
    return NULL;
}

int mkfifo(const char *path, mode_t mode)
{
    return mknod(path, S_IFIFO | (mode & 07777), 0);
}

int remove(const char *path)
{
    struct stat st;

    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return rmdir(path);
    return unlink(path);
}

int utimes(const char *path, const struct timeval *times)
{
    struct timespec fine[2];

    if (!times)
        return __sys_utimens(path, NULL);
    for (int i = 0; i < 2; i++)
        fine[i] = (struct timespec){ times[i].tv_sec, times[i].tv_usec * 1000 };
    return __sys_utimens(path, fine);
}

int utime(const char *path, const struct utimbuf *times)
{
    struct timespec fine[2];

    if (!times)
        return __sys_utimens(path, NULL);
    fine[0] = (struct timespec){ times->actime, 0 };
    fine[1] = (struct timespec){ times->modtime, 0 };
    return __sys_utimens(path, fine);
}

int umount2(const char *target, int flags)
{
    return umount(target, flags);
}

int gethostname(char *name, size_t size)
{
    struct utsname names;

    if (uname(&names) < 0)
        return -1;
    if (size <= strlen(names.nodename)) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(name, names.nodename);
    return 0;
}

/* The shortest absolute name: links resolved by walking, at most forty. */
char *realpath(const char *path, char *out)
{
    char rest[1024], link[1024], done[1024] = "";
    int links = 0;

    if (strlen(path) >= sizeof(rest)) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    strcpy(rest, path);
    if (path[0] != '/' && !getcwd(done, sizeof(done)))
        return NULL;
    if (strcmp(done, "/") == 0)
        done[0] = '\0';
    while (rest[0]) {
        size_t length = strcspn(rest, "/"), end = strlen(done);
        size_t skip = length + (rest[length] == '/');

        if (length == 2 && memcmp(rest, "..", 2) == 0) {
            char *slash = strrchr(done, '/');

            if (slash)
                *slash = '\0';
        } else if (length && !(length == 1 && rest[0] == '.')) {
            if (end + length + 2 > sizeof(done)) {
                errno = ENAMETOOLONG;
                return NULL;
            }
            done[end] = '/';
            memcpy(done + end + 1, rest, length);
            done[end + 1 + length] = '\0';
            ssize_t n = readlink(done, link, sizeof(link) - 1);

            if (n < 0 && errno != EINVAL)
                return NULL;
            if (n >= 0) {
                if (++links > 40 || (size_t)n + strlen(rest + skip) + 2 > sizeof(rest)) {
                    errno = ELOOP;
                    return NULL;
                }
                link[n] = '\0';
                done[link[0] == '/' ? 0 : end] = '\0';
                memmove(rest + n + 1, rest + skip, strlen(rest + skip) + 1);
                memcpy(rest, link, (size_t)n);
                rest[n] = '/';
                continue;
            }
        }
        memmove(rest, rest + skip, strlen(rest + skip) + 1);
    }
    if (!done[0])
        strcpy(done, "/");
    if (!out)
        return strdup(done);
    return strcpy(out, done);
}

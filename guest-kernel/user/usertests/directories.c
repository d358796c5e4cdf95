/* SPDX-License-Identifier: MIT */
/* directories.c: names: directories, paths, mounts. */
#include "guest-kernel/user/usertests/usertests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

long getdents(int fd, void *buffer, size_t size);

static int entries(const char *path)
{
    DIR *dir = opendir(path);
    int count = 0;

    CHECK(dir);
    while (readdir(dir))
        count++;
    CHECK(closedir(dir) == 0);
    return count;
}

static void directory_basic(void)
{
    struct stat st;

    CHECK(mkdir("d", 0755) == 0 && stat("d", &st) == 0 && S_ISDIR(st.st_mode));
    CHECK_ERRNO(mkdir("d", 0755), EEXIST);
    CHECK_ERRNO(mkdir("no/such", 0755), ENOENT);
    write_file("f", "", 0);
    CHECK_ERRNO(mkdir("f/x", 0755), ENOTDIR);
    CHECK_ERRNO(rmdir("f"), ENOTDIR);
    CHECK(unlink("d") == -1 && (errno == EISDIR || errno == EPERM));
    write_file("d/inside", "", 0);
    CHECK_ERRNO(rmdir("d"), ENOTEMPTY);
    CHECK(unlink("d/inside") == 0 && rmdir("d") == 0);
    CHECK_ERRNO(rmdir("d"), ENOENT);
    CHECK_ERRNO(unlink("d"), ENOENT);
    CHECK(rmdir(".") == -1 && rmdir("/") == -1);
}

static void directory_current(void)
{
    char here[128], small[4];

    CHECK(getcwd(here, sizeof(here)) && strcmp(here, scratch) == 0);
    CHECK(mkdir("a", 0777) == 0 && mkdir("a/b", 0777) == 0 && chdir("a/./b//") == 0);
    CHECK(getcwd(here, sizeof(here)) && strcmp(here + strlen(scratch), "/a/b") == 0);
    CHECK(chdir("../..") == 0 && getcwd(here, sizeof(here)) && strcmp(here, scratch) == 0);
    CHECK(!getcwd(small, sizeof(small)) && errno == ERANGE);
    CHECK(chdir("/../..") == 0 && getcwd(here, sizeof(here)) && strcmp(here, "/") == 0);
    CHECK_ERRNO(chdir("/nowhere"), ENOENT);
    CHECK_ERRNO(chdir("/bin/sh"), ENOTDIR);
}

static void directory_removed_while_in(void)
{
    struct stat st;
    char here[128];

    CHECK(mkdir("gone", 0777) == 0 && chdir("gone") == 0);
    CHECK(rmdir("../gone") == 0 || errno == EBUSY);
    if (stat("../gone", &st) < 0) {
        CHECK(open("f", O_WRONLY | O_CREAT, 0600) == -1);
        CHECK(!getcwd(here, sizeof(here)) || here[0]);
    }
    CHECK(chdir("/") == 0);
}

static void directory_large(void)
{
    enum { COUNT = 300 };
    bool seen[COUNT] = { false };
    struct dirent *e;
    char name[24];

    CHECK(mkdir("big", 0777) == 0);
    for (int i = 0; i < COUNT; i++) {
        sniprintf(name, sizeof(name), "big/file-%d", i);
        write_file(name, name, (size_t)i % 7);
    }
    DIR *dir = opendir("big");

    CHECK(dir);
    while ((e = readdir(dir))) {
        if (e->d_name[0] == '.')
            continue;
        int i = atoi(e->d_name + 5);

        CHECK(i >= 0 && i < COUNT && !seen[i] && e->d_type == DT_REG && e->d_ino != 0);
        seen[i] = true;
    }
    for (int i = 0; i < COUNT; i++)
        CHECK(seen[i]);
    /* Deleting while reading: each once, and none left. */
    rewinddir(dir);
    while ((e = readdir(dir))) {
        if (e->d_name[0] == '.')
            continue;
        sniprintf(name, sizeof(name), "big/%.16s", e->d_name);
        CHECK(unlink(name) == 0);
    }
    closedir(dir);
    CHECK(entries("big") <= 2);
}

static void path_limits(void)
{
    char *path = malloc(10000);
    struct stat st;

    memset(path, 'a', 9999);
    path[9999] = '\0';
    CHECK_ERRNO(stat(path, &st), ENAMETOOLONG);
    path[256] = '\0';
    CHECK_ERRNO(mkdir(path, 0777), ENAMETOOLONG);
    path[255] = '\0';
    CHECK(mkdir(path, 0777) == 0 && stat(path, &st) == 0 && rmdir(path) == 0);
    CHECK_ERRNO(stat("", &st), ENOENT);
    CHECK_ERRNO(open("", O_RDONLY | O_CREAT, 0600), ENOENT);
    for (int i = 0; i < 500; i++)
        memcpy(path + 2 * i, "./", 2);
    strcpy(path + 1000, "x");
    CHECK(stat(path, &st) == -1 && (errno == ENOENT || errno == ENAMETOOLONG));
    write_file("file", "", 0);
    CHECK_ERRNO(stat("file/", &st), ENOTDIR);
    CHECK_ERRNO(stat("file/.", &st), ENOTDIR);
    CHECK(stat("/", &st) == 0 && stat("//", &st) == 0 && stat("/..", &st) == 0);
}

static void deep_directories(void)
{
    int depth = 0;

    while (depth < 100 && mkdir("d", 0777) == 0 && chdir("d") == 0)
        depth++;
    CHECK(depth == 100);
    char *here = getcwd(NULL, 2048);

    CHECK(here && strlen(here) == strlen(scratch) + 200);
    for (; depth > 0; depth--)
        CHECK(chdir("..") == 0 && rmdir("d") == 0);
    CHECK(entries(".") <= 2);
}

static void getdents_limits(void)
{
    long buffer[64];
    int fd = open("/bin", O_RDONLY), file = open("/bin/sh", O_RDONLY);

    CHECK(fd >= 0 && file >= 0);
    CHECK(getdents(fd, buffer, 4) == -1 && errno == EINVAL);
    CHECK(getdents(file, buffer, sizeof(buffer)) == -1 && errno == ENOTDIR);
    CHECK(getdents(fd, buffer, sizeof(buffer)) > 0);
    CHECK(getdents(fd, (void *)8, 4096) == -1 && errno == EFAULT);
}

static void churn(void *arg)
{
    char name[24], other[24];

    for (int i = 0; i < 60; i++) {
        sniprintf(name, sizeof(name), "n%d", (int)(size_t)arg * 100 + i % 5);
        sniprintf(other, sizeof(other), "common%d", i % 3);
        int fd = open(name, O_WRONLY | O_CREAT, 0600);

        CHECK(fd >= 0 && write(fd, name, 3) == 3 && close(fd) == 0);
        CHECK(rename(name, other) == 0);
        if (unlink(other) < 0)
            CHECK(errno == ENOENT);
    }
}

/* Four processes make, rename and remove the same names. */
static void directory_concurrent(void)
{
    pid_t pids[4];

    for (int i = 0; i < 4; i++)
        pids[i] = start_child(churn, (void *)(size_t)(i + 1));
    for (int i = 0; i < 4; i++)
        CHECK(exits_with(0, pids[i]));
    CHECK(entries(".") <= 5);
}

static void mounts(void)
{
    struct statfs fs;
    struct stat st;

    CHECK(mkdir("m", 0777) == 0);
    write_file("m/below", "", 0);
    CHECK(mount("none", "m", "ram", 0, NULL) == 0);
    CHECK_ERRNO(stat("m/below", &st), ENOENT);       /* covered */
    write_file("m/above", "x", 1);
    CHECK(statfs("m", &fs) == 0 && fs.f_bsize > 0);
    write_file("out", "", 0);
    CHECK_ERRNO(rename("out", "m/out"), EXDEV);
    CHECK_ERRNO(link("out", "m/out"), EXDEV);
    CHECK(rename("m", "elsewhere") == -1);
    int fd = open("m/above", O_RDONLY);

    CHECK(fd >= 0);
    CHECK_ERRNO(umount("m", 0), EBUSY);
    CHECK(close(fd) == 0 && umount("m", 0) == 0 && stat("m/below", &st) == 0);
    CHECK(umount("m", 0) == -1);
    CHECK(mount("none", "m", "nonsense", 0, NULL) == -1);
    CHECK(mount("none", "missing", "ram", 0, NULL) == -1);
}

const struct test directory_tests[] = {
    { "directory_basic", directory_basic }, { "directory_current", directory_current },
    { "directory_removed_while_in", directory_removed_while_in }, { "directory_large", directory_large },
    { "path_limits", path_limits }, { "deep_directories", deep_directories }, { "getdents_limits", getdents_limits },
    { "directory_concurrent", directory_concurrent }, { "mounts", mounts }, { 0 },
};

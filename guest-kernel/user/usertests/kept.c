/* SPDX-License-Identifier: MIT */
/* kept.c: files as they are kept: mapped and read alike, synced, sparse, opened and without a name, in large directories.
 * On a file system of memory these hold as well as on a disk's. */
#include "guest-kernel/user/usertests/usertests.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAGE 4096

ssize_t pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset);
int fdatasync(int fd);

static char buf[3 * PAGE];

static void mapping_is_the_file(void)
{
    int fd = open("f", O_RDWR | O_CREAT, 0600);

    memset(buf, 'a', sizeof(buf));
    CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf));
    char *map = mmap(0, sizeof(buf), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

    CHECK(map != MAP_FAILED && map[PAGE] == 'a');
    map[PAGE + 5] = 'b';
    CHECK(pread(fd, buf, 10, PAGE) == 10 && buf[5] == 'b' && buf[4] == 'a');
    CHECK(pwrite(fd, "xyz", 3, 2 * PAGE - 1) == 3 && map[2 * PAGE - 1] == 'x' && map[2 * PAGE + 1] == 'z');
    CHECK(fsync(fd) == 0);
    map[0] = 'c';
    CHECK(munmap(map, sizeof(buf)) == 0 && fdatasync(fd) == 0 && close(fd) == 0);
    sync();
    fd = open("f", O_RDONLY);
    CHECK(read(fd, buf, sizeof(buf)) == sizeof(buf) && buf[0] == 'c' && buf[PAGE + 5] == 'b' && buf[2 * PAGE] == 'y');
}

static void private_mapping_is_not(void)
{
    write_file("f", "original", 8);
    int fd = open("f", O_RDWR);
    char *map = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);

    CHECK(map != MAP_FAILED && memcmp(map, "original", 8) == 0);
    map[0] = 'O';
    CHECK(pread(fd, buf, 8, 0) == 8 && buf[0] == 'o');
}

static void sparse(void)
{
    struct stat st;
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    off_t far = 40 << 20;

    CHECK(pwrite(fd, "end", 3, far) == 3 && fstat(fd, &st) == 0 && st.st_size == far + 3);
    CHECK(pread(fd, buf, PAGE, far / 2) == PAGE && buf[0] == 0 && buf[PAGE - 1] == 0);
    CHECK(pread(fd, buf, PAGE, far) == 3 && memcmp(buf, "end", 3) == 0);
    CHECK(ftruncate(fd, 10) == 0 && ftruncate(fd, far) == 0 && pread(fd, buf, 3, far - 3) == 3 && buf[0] == 0);
}

static void truncated_tail_is_zero(void)
{
    int fd = open("f", O_RDWR | O_CREAT, 0600);

    memset(buf, 'q', sizeof(buf));
    CHECK(write(fd, buf, sizeof(buf)) == sizeof(buf) && fsync(fd) == 0);
    CHECK(ftruncate(fd, PAGE + 100) == 0 && ftruncate(fd, sizeof(buf)) == 0);
    CHECK(pread(fd, buf, sizeof(buf), 0) == sizeof(buf) && buf[PAGE + 99] == 'q' && buf[PAGE + 100] == 0 && buf[2 * PAGE] == 0);
}

static void nameless_file_lives(void)
{
    struct stat st;
    write_file("f", "still here", 10);
    int fd = open("f", O_RDWR);

    CHECK(unlink("f") == 0 && fstat(fd, &st) == 0 && st.st_nlink == 0);
    write_file("f", "another one", 11);
    sync();
    CHECK(pread(fd, buf, 20, 0) == 10 && memcmp(buf, "still here", 10) == 0 && write(fd, "STILL", 5) == 5);
    CHECK(close(fd) == 0);
}

static void rename_replaces(void)
{
    write_file("new", "new", 3);
    write_file("old", "older", 5);
    int fd = open("old", O_RDONLY);

    CHECK(rename("new", "old") == 0 && access("new", R_OK) < 0);
    CHECK(read(fd, buf, 9) == 5 && memcmp(buf, "older", 5) == 0);
    fd = open("old", O_RDONLY);
    CHECK(read(fd, buf, 9) == 3 && memcmp(buf, "new", 3) == 0);
}

static void many_names(void)
{
    char name[40];
    int seen = 0;

    for (int i = 0; i < 600; i++) {
        sprintf(name, "a-name-of-some-length-%d", i);
        int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

        CHECK(fd >= 0 && close(fd) == 0);
    }
    DIR *d = opendir(".");

    for (struct dirent *e; (e = readdir(d)) != NULL;)
        seen += strncmp(e->d_name, "a-name", 6) == 0;
    CHECK(closedir(d) == 0 && seen == 600);
    for (int i = 599; i >= 0; i--) {
        sprintf(name, "a-name-of-some-length-%d", i);
        CHECK(unlink(name) == 0);
    }
}

static void links_long_and_short(void)
{
    char target[201], back[300];

    for (int n = 10; n <= 200; n += 95) {
        memset(target, 't', (size_t)n);
        target[n] = '\0';
        CHECK(symlink(target, "l") == 0 && readlink("l", back, sizeof(back)) == n && memcmp(back, target, (size_t)n) == 0);
        CHECK(unlink("l") == 0);
    }
}

static void attributes_stay(void)
{
    struct stat st;

    write_file("f", "x", 1);
    CHECK(chmod("f", 04751) == 0 && chown("f", 70000, 12) == 0 && stat("f", &st) == 0);
    CHECK((st.st_mode & 07777) == 04751 && st.st_uid == 70000 && st.st_gid == 12);
}

const struct test kept_tests[] = {
    { "mapping_is_the_file", mapping_is_the_file }, { "private_mapping_is_not", private_mapping_is_not },
    { "sparse", sparse }, { "truncated_tail_is_zero", truncated_tail_is_zero },
    { "nameless_file_lives", nameless_file_lives }, { "rename_replaces", rename_replaces }, { "many_names", many_names },
    { "links_long_and_short", links_long_and_short }, { "attributes_stay", attributes_stay }, { 0 },
};

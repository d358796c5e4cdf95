/* SPDX-License-Identifier: MIT */
/* files.c: what is in a file: reading, writing, seeking, holes, truncation, append, devices. */
#include "guest-kernel/user/usertests/usertests.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <unistd.h>
#include <utime.h>

ssize_t pread(int fd, void *buffer, size_t size, off_t offset);
ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset);

static char text[64];

static void file_basic(void)
{
    int fd = open("f", O_RDWR | O_CREAT | O_EXCL, 0640);
    struct stat st;

    CHECK(fd >= 0 && write(fd, "hello world", 11) == 11);
    CHECK(lseek(fd, 6, SEEK_SET) == 6 && read(fd, text, 64) == 5 && memcmp(text, "world", 5) == 0);
    CHECK(read(fd, text, 1) == 0);
    CHECK(lseek(fd, -11, SEEK_END) == 0 && write(fd, "J", 1) == 1 && lseek(fd, -1, SEEK_CUR) == 0);
    CHECK(read(fd, text, 5) == 5 && memcmp(text, "Jello", 5) == 0);
    CHECK(fstat(fd, &st) == 0 && st.st_size == 11 && S_ISREG(st.st_mode) && st.st_nlink == 1 && st.st_ino != 0);
    CHECK((st.st_mode & 0777) == 0640);
    CHECK(close(fd) == 0);
    CHECK_ERRNO(close(fd), EBADF);
    CHECK_ERRNO(open("f", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    CHECK_ERRNO(open("missing", O_RDWR), ENOENT);
}

static void file_modes(void)
{
    write_file("f", "abc", 3);
    int rd = open("f", O_RDONLY), wr = open("f", O_WRONLY);

    CHECK(rd >= 0 && wr >= 0);
    CHECK_ERRNO(write(rd, "x", 1), EBADF);
    CHECK_ERRNO(read(wr, text, 1), EBADF);
    CHECK_ERRNO(ftruncate(rd, 0), EINVAL);
    CHECK((fcntl(wr, F_GETFL) & O_ACCMODE) == O_WRONLY);
    CHECK(mkdir("d", 0777) == 0);
    CHECK_ERRNO(open("d", O_WRONLY), EISDIR);
    CHECK_ERRNO(open("f", O_RDONLY | O_DIRECTORY), ENOTDIR);
    int dir = open("d", O_RDONLY);

    CHECK(dir >= 0);
    CHECK_ERRNO(read(dir, text, 1), EISDIR);
}

static void file_truncates(void)
{
    struct stat st;

    write_file("f", "0123456789", 10);
    int fd = open("f", O_RDWR);

    CHECK(ftruncate(fd, 4) == 0 && fstat(fd, &st) == 0 && st.st_size == 4);
    CHECK(ftruncate(fd, 8) == 0 && read(fd, text, 64) == 8 && memcmp(text, "0123\0\0\0\0", 8) == 0);
    CHECK(truncate("f", 5000) == 0 && truncate("f", 4096) == 0 && truncate("f", 9000) == 0);
    CHECK(lseek(fd, 4090, SEEK_SET) == 4090 && read(fd, text, 12) == 12);
    for (int i = 0; i < 12; i++)
        CHECK(text[i] == 0);
    CHECK_ERRNO(ftruncate(fd, -1), EINVAL);
    CHECK_ERRNO(truncate("missing", 0), ENOENT);
    CHECK(close(fd) == 0 && (fd = open("f", O_RDWR | O_TRUNC)) >= 0 && fstat(fd, &st) == 0 && st.st_size == 0);
}

static void file_appends(void)
{
    int a = open("f", O_WRONLY | O_CREAT | O_APPEND, 0600), b = open("f", O_WRONLY | O_APPEND), rd = open("f", O_RDONLY);

    CHECK(a >= 0 && b >= 0 && rd >= 0);
    for (int i = 0; i < 3; i++) {
        CHECK(lseek(a, 0, SEEK_SET) == 0 && write(a, "a", 1) == 1);
        CHECK(write(b, "b", 1) == 1);
    }
    CHECK(read(rd, text, 64) == 6 && memcmp(text, "ababab", 6) == 0);
}

static void file_sparse(void)
{
    struct stat st;
    long before = free_pages();
    int fd = open("f", O_RDWR | O_CREAT, 0600);

    CHECK(fd >= 0 && lseek(fd, 1 << 20, SEEK_SET) == 1 << 20 && write(fd, "end", 3) == 3);
    CHECK(fstat(fd, &st) == 0 && st.st_size == (1 << 20) + 3);
    CHECK(before - free_pages() < 32);               /* holes cost nothing */
    CHECK(pread(fd, text, 64, 500000) == 64);
    for (int i = 0; i < 64; i++)
        CHECK(text[i] == 0);
    CHECK(pread(fd, text, 64, 1 << 20) == 3 && memcmp(text, "end", 3) == 0);
    CHECK_ERRNO(lseek(fd, -1, SEEK_SET), EINVAL);
    CHECK_ERRNO(lseek(fd, 0, 9), EINVAL);
    CHECK(lseek(fd, 1l << 40, SEEK_SET) == 1l << 40 && read(fd, text, 1) == 0);
    CHECK(write(fd, "x", 1) == 1 || errno == EFBIG || errno == ENOSPC);
}

static void file_positioned(void)
{
    int fd = open("f", O_RDWR | O_CREAT, 0600);

    CHECK(fd >= 0 && pwrite(fd, "abc", 3, 5) == 3 && lseek(fd, 0, SEEK_CUR) == 0);
    CHECK(pread(fd, text, 64, 0) == 8 && memcmp(text, "\0\0\0\0\0abc", 8) == 0 && lseek(fd, 0, SEEK_CUR) == 0);
    CHECK_ERRNO(pread(fd, text, 1, -1), EINVAL);
    CHECK(pread(fd, text, 1, 100) == 0);
}

static void file_big(void)
{
    enum { SIZE = 300000, STEP = 3001 };
    unsigned char *block = malloc(STEP);
    int fd = open("f", O_RDWR | O_CREAT, 0600);
    long before = free_pages();

    CHECK(fd >= 0 && block);
    for (long at = 0; at < SIZE; at += STEP) {
        for (int i = 0; i < STEP; i++)
            block[i] = (unsigned char)((at + i) % 251);
        CHECK(write(fd, block, STEP) == STEP);
    }
    CHECK(lseek(fd, 0, SEEK_SET) == 0);
    for (long at = 0; at < SIZE; at += STEP) {
        CHECK(read(fd, block, STEP) == STEP);
        for (int i = 0; i < STEP; i++)
            CHECK(block[i] == (unsigned char)((at + i) % 251));
    }
    CHECK(before - free_pages() >= SIZE / 4096 - 2);
    CHECK(close(fd) == 0 && unlink("f") == 0);
    CHECK(before - free_pages() < 16);               /* its memory came back */
}

static void file_unlinked_lives(void)
{
    struct stat st;
    int fd = open("f", O_RDWR | O_CREAT, 0600);

    CHECK(fd >= 0 && write(fd, "ghost", 5) == 5 && unlink("f") == 0);
    CHECK_ERRNO(stat("f", &st), ENOENT);
    CHECK(fstat(fd, &st) == 0 && st.st_nlink == 0 && st.st_size == 5);
    CHECK(pread(fd, text, 64, 0) == 5 && memcmp(text, "ghost", 5) == 0);
    write_file("f", "new", 3);
    CHECK(pread(fd, text, 64, 0) == 5 && memcmp(text, "ghost", 5) == 0);
}

static void file_links(void)
{
    struct stat a, b;

    write_file("a", "shared", 6);
    CHECK(link("a", "b") == 0 && stat("a", &a) == 0 && stat("b", &b) == 0);
    CHECK(a.st_ino == b.st_ino && a.st_nlink == 2);
    int fd = open("b", O_WRONLY | O_APPEND);

    CHECK(write(fd, "!", 1) == 1 && unlink("a") == 0 && stat("b", &b) == 0 && b.st_nlink == 1 && b.st_size == 7);
    CHECK_ERRNO(link("missing", "c"), ENOENT);
    write_file("c", "", 0);
    CHECK_ERRNO(link("b", "c"), EEXIST);
    CHECK(mkdir("d", 0777) == 0);
    CHECK_ERRNO(link("d", "e"), EPERM);
}

static void file_renames(void)
{
    struct stat st;

    write_file("a", "aa", 2);
    write_file("b", "bbb", 3);
    CHECK(rename("a", "b") == 0 && stat("b", &st) == 0 && st.st_size == 2);
    CHECK_ERRNO(stat("a", &st), ENOENT);
    CHECK(rename("b", "b") == 0 && stat("b", &st) == 0);
    CHECK_ERRNO(rename("missing", "c"), ENOENT);
    CHECK(mkdir("d", 0777) == 0 && mkdir("e", 0777) == 0 && rename("b", "d/b") == 0);
    CHECK_ERRNO(rename("e", "d"), ENOTEMPTY);
    CHECK(rename("d", "e") == 0 && stat("e/b", &st) == 0);
    CHECK_ERRNO(rename("e", "e/inside"), EINVAL);
    write_file("f", "", 0);
    CHECK_ERRNO(rename("f", "e"), EISDIR);
    CHECK_ERRNO(rename("e", "f"), ENOTDIR);
    CHECK(mkdir("g", 0777) == 0 && rename("e", "g/e") == 0 && chdir("g/e/..") == 0 && stat("e/b", &st) == 0);
}

static void file_symlinks(void)
{
    struct stat st;

    write_file("a", "target", 6);
    CHECK(symlink("a", "s") == 0 && readlink("s", text, 64) == 1 && text[0] == 'a');
    CHECK(stat("s", &st) == 0 && S_ISREG(st.st_mode) && lstat("s", &st) == 0 && S_ISLNK(st.st_mode) && st.st_size == 1);
    CHECK_ERRNO(open("s", O_RDONLY | O_NOFOLLOW), ELOOP);
    CHECK(symlink("nowhere", "dangling") == 0);
    CHECK_ERRNO(stat("dangling", &st), ENOENT);
    CHECK(close(open("dangling", O_WRONLY | O_CREAT, 0600)) == 0 && stat("nowhere", &st) == 0);    /* made through the link */
    CHECK(symlink("y", "x") == 0 && symlink("x", "y") == 0);
    CHECK_ERRNO(stat("x", &st), ELOOP);
    CHECK_ERRNO(symlink("a", "s"), EEXIST);
    CHECK_ERRNO(readlink("a", text, 64), EINVAL);
    CHECK(mkdir("d", 0777) == 0 && symlink("../a", "d/up") == 0 && stat("d/up", &st) == 0 && st.st_size == 6);
    CHECK(symlink("d", "dl") == 0 && stat("dl/up", &st) == 0);
    CHECK(unlink("s") == 0 && stat("a", &st) == 0);
    CHECK(readlink("dl", text, 0) <= 0);
}

static void file_metadata(void)
{
    struct timeval times[2] = { { 1000, 0 }, { 2000, 0 } };
    struct stat st;

    write_file("f", "x", 1);
    CHECK(chmod("f", 0123) == 0 && stat("f", &st) == 0 && (st.st_mode & 07777) == 0123);
    CHECK(utimes("f", times) == 0 && stat("f", &st) == 0 && st.st_atime == 1000 && st.st_mtime == 2000);
    CHECK(utime("f", NULL) == 0 && stat("f", &st) == 0 && st.st_mtime != 2000);
    mode_t old = umask(027);

    CHECK(close(open("g", O_CREAT | O_WRONLY, 0777)) == 0 && stat("g", &st) == 0 && (st.st_mode & 0777) == 0750);
    CHECK(umask(old) == 027);
    CHECK(access("f", F_OK) == 0);
    CHECK_ERRNO(access("missing", F_OK), ENOENT);
    CHECK_ERRNO(chmod("missing", 0), ENOENT);
    int fd = open("f", O_RDONLY);

    CHECK(fsync(fd) == 0);
    CHECK_ERRNO(fsync(99), EBADF);
}

static void devices_behave(void)
{
    struct stat st;
    int null = open("/dev/null", O_RDWR), zero = open("/dev/zero", O_RDWR);

    CHECK(null >= 0 && write(null, "gone", 4) == 4 && read(null, text, 64) == 0);
    CHECK(fstat(null, &st) == 0 && S_ISCHR(st.st_mode));
    memset(text, 1, sizeof(text));
    CHECK(zero >= 0 && read(zero, text, 64) == 64 && text[0] == 0 && text[63] == 0);
    CHECK(stat("/dev/console", &st) == 0 && S_ISCHR(st.st_mode));
    CHECK(mknod("n", S_IFCHR | 0666, st.st_rdev) == 0 && stat("n", &st) == 0 && S_ISCHR(st.st_mode));
    CHECK(mknod("odd", S_IFCHR | 0666, makedev(99, 99)) == 0);
    CHECK(open("odd", O_RDWR) == -1 && (errno == ENXIO || errno == ENODEV));
}

static void memory_for_files_ends(void)
{
    static char block[4096];
    long before = free_pages();
    int fd = open("f", O_WRONLY | O_CREAT, 0600);
    ssize_t n;

    CHECK(fd >= 0);
    while ((n = write(fd, block, sizeof(block))) == sizeof(block))
        ;
    CHECK(n >= 0 || errno == ENOSPC || errno == ENOMEM || errno == EFBIG);
    CHECK(close(fd) == 0 && unlink("f") == 0);
    CHECK(before - free_pages() < 32);
    write_file("g", "works again", 11);
}

const struct test file_tests[] = {
    { "file_basic", file_basic }, { "file_modes", file_modes }, { "file_truncates", file_truncates },
    { "file_appends", file_appends }, { "file_sparse", file_sparse }, { "file_positioned", file_positioned },
    { "file_big", file_big }, { "file_unlinked_lives", file_unlinked_lives }, { "file_links", file_links },
    { "file_renames", file_renames }, { "file_symlinks", file_symlinks }, { "file_metadata", file_metadata },
    { "devices_behave", devices_behave }, { "memory_for_files_ends", memory_for_files_ends }, { 0 },
};

/* SPDX-License-Identifier: MIT */
/* mount.c: mount, umount and df. */
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

/* Which of the three was wrong: the kernel has but one number for it. */
static int mount_failed(const char *source, const char *target, const char *type)
{
    int why = errno;
    struct stat st;
    bool device = strncmp(source, "/dev/", 5) == 0;

    if (stat(target, &st) < 0)
        return fail(target);
    if (strcmp(type, "ext2") && strcmp(type, "ram") && strcmp(type, "proc") && strcmp(type, "dev"))
        fiprintf(stderr, "mount: %s: unknown type; there are ext2, ram, proc and dev\n", type);
    else if (device && stat(source, &st) < 0)
        fiprintf(stderr, "mount: %s: there is no such device; `ls /dev` shows those there are\n", source);
    else if (why == EBUSY)
        fiprintf(stderr, "mount: %s: in use: mounted already (`mount` lists), swap, or a running domain's disk\n", device ? source : target);
    else if (why == EINVAL && device)
        fiprintf(stderr, "mount: %s: it holds no ext2 file system that can be mounted; `dmesg` may say more\n", source);
    else {
        errno = why;
        return fail(device ? source : target);
    }
    return 1;
}

int mount_main(int argc, char **argv)
{
    const char *type = NULL;
    unsigned long flags = 0;
    int c;

    if (argc == 1) {
        int fd = open("/proc/mounts", O_RDONLY);

        return fd < 0 || copy_fd(fd, 1) < 0 ? fail("/proc/mounts") : 0;
    }
    while ((c = getopt(argc, argv, "rt:o:")) != -1) {
        if (c == 't')
            type = optarg;
        else if (c == 'r')
            flags |= MS_RDONLY;
        else if (c == 'o')
            flags |= (strstr(optarg, "remount") ? MS_REMOUNT : 0) | (strncmp(optarg, "ro", 2) == 0 || strstr(optarg, ",ro") ? MS_RDONLY : 0);
        else
            return usage("[-t TYPE] [-o ro|remount,ro|remount,rw] SOURCE TARGET");
    }
    if ((flags & MS_REMOUNT) && argc - optind == 1)
        return mount("none", argv[optind], "", flags, NULL) < 0 ? fail(argv[optind]) : 0;
    if (argc - optind != 2)
        return usage("[-t TYPE] [-o ro|remount,ro|remount,rw] SOURCE TARGET");
    if (!type)
        type = strncmp(argv[optind], "/dev/", 5) == 0 ? "ext2" : "ram";
    return mount(argv[optind], argv[optind + 1], type, flags, NULL) < 0 ? mount_failed(argv[optind], argv[optind + 1], type) : 0;
}

int umount_main(int argc, char **argv)
{
    if (argc != 2)
        return usage("TARGET");
    if (umount(argv[1], 0) == 0)
        return 0;
    if (errno != EINVAL && errno != EBUSY)
        return fail(argv[1]);
    fiprintf(stderr, "umount: %s: %s\n", argv[1], errno == EINVAL ? "nothing is mounted there (`mount` lists)"
             : "in use: somebody has a file open there, or stands in it with `cd`");
    return 1;
}

static void df_line(const char *source, const char *target, bool human)
{
    struct statfs fs;
    char all[16], full[16], left[16];

    if (statfs(target, &fs) < 0) {
        fail(target);
        return;
    }
    unsigned long k = fs.f_bsize / 1024 ? fs.f_bsize / 1024 : 1, used = fs.f_blocks - fs.f_bfree;

    iprintf("%-14s %9s %9s %9s %3lu%% %s\n", source, size_text(fs.f_blocks * k, human, all), size_text(used * k, human, full),
            size_text(fs.f_bavail * k, human, left), fs.f_blocks ? used * 100 / fs.f_blocks : 0, target);
}

/* Lies a path that was asked for on it? Without any, all are shown that keep something. */
static bool df_wanted(const char *target, const char *type, char **paths, int count)
{
    struct stat there, st;

    for (int i = 0; i < count; i++)
        if (stat(target, &there) == 0 && stat(paths[i], &st) == 0 && st.st_dev == there.st_dev)
            return true;
    return !count && strcmp(type, "proc") && strcmp(type, "dev");
}

int df_main(int argc, char **argv)
{
    char line[256], *rest;
    bool human = argc > 1 && strcmp(argv[1], "-h") == 0;
    FILE *f = fopen("/proc/mounts", "r");

    if (argc > 1 + human && argv[1 + human][0] == '-')
        return usage("[-h] [PATH...]");
    if (!f)
        return fail("/proc/mounts");
    iprintf("%-14s %9s %9s %9s %4s %s\n", "source", human ? "size" : "KiB", "used", "free", "use", "mounted on");
    while (fgets(line, sizeof(line), f)) {
        char *source = strtok_r(line, " ", &rest), *target = strtok_r(NULL, " ", &rest), *type = strtok_r(NULL, " ", &rest);

        if (type && df_wanted(target, type, argv + 1 + human, argc - 1 - human))
            df_line(source, target, human);
    }
    fclose(f);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* newlib.h: what Newlib 3.3's headers already tell user space, said again for the kernel.
 *
 * Novice takes Newlib's numbers and layouts as they are (with the 32-bit dev, uid, gid and 64-bit ino of
 * user/libc/newlib/machine/_types.h), so that no system call has anything to translate. Only the kernel includes
 * this file; user space includes Newlib's own. user/libc holds the two together by static assertion.            */
#ifndef NOVICE_UAPI_NEWLIB_H
#define NOVICE_UAPI_NEWLIB_H

#include <stdint.h>

/* <fcntl.h> */
#define O_RDONLY     0
#define O_WRONLY     1
#define O_RDWR       2
#define O_ACCMODE    3
#define O_APPEND     0x0008
#define O_CREAT      0x0200
#define O_TRUNC      0x0400
#define O_EXCL       0x0800
#define O_NONBLOCK   0x4000
#define O_NOCTTY     0x8000
#define O_SYNC       0x2000
#define O_DIRECT     0x80000
#define O_CLOEXEC    0x40000
#define O_NOFOLLOW   0x100000
#define O_DIRECTORY  0x200000
#define FD_CLOEXEC   1
#define F_DUPFD      0
#define F_GETFD      1
#define F_SETFD      2
#define F_GETFL      3
#define F_SETFL      4
#define F_DUPFD_CLOEXEC 14
#define R_OK 4
#define W_OK 2
#define X_OK 1
#define SEEK_SET 0
#define SEEK_CUR 1
#define SEEK_END 2

/* <sys/stat.h> */
#define S_IFMT   0170000
#define S_IFDIR  0040000
#define S_IFCHR  0020000
#define S_IFBLK  0060000
#define S_IFREG  0100000
#define S_IFLNK  0120000
#define S_IFSOCK 0140000
#define S_IFIFO  0010000
#define S_ISDIR(m)  (((m) & S_IFMT) == S_IFDIR)
#define S_ISBLK(m)  (((m) & S_IFMT) == S_IFBLK)
#define S_ISCHR(m)  (((m) & S_IFMT) == S_IFCHR)
#define S_ISBLK(m)  (((m) & S_IFMT) == S_IFBLK)
#define S_ISREG(m)  (((m) & S_IFMT) == S_IFREG)
#define S_ISLNK(m)  (((m) & S_IFMT) == S_IFLNK)
#define S_ISFIFO(m) (((m) & S_IFMT) == S_IFIFO)

struct timespec { int64_t tv_sec, tv_nsec; };
struct timeval { int64_t tv_sec, tv_usec; };
struct itimerval { struct timeval it_interval, it_value; };
struct rusage { struct timeval ru_utime, ru_stime; };
struct tms { uint64_t tms_utime, tms_stime, tms_cutime, tms_cstime; };  /* milliseconds */

struct stat {
    uint32_t        st_dev;
    uint64_t        st_ino;
    uint32_t        st_mode;
    uint16_t        st_nlink;
    uint32_t        st_uid, st_gid, st_rdev;
    int64_t         st_size;
    struct timespec st_atim, st_mtim, st_ctim;
    int64_t         st_blksize, st_blocks;      /* blocks of 512 bytes */
    int64_t         st_spare4[2];
};

/* <signal.h>; sigset_t is an unsigned long whose bit (1 << sig) stands for sig */
#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGFPE    8
#define SIGKILL   9
#define SIGBUS    10
#define SIGSEGV   11
#define SIGSYS    12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGURG    16
#define SIGSTOP   17
#define SIGTSTP   18
#define SIGCONT   19
#define SIGCHLD   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGIO     23
#define SIGWINCH  28
#define SIGUSR1   30
#define SIGUSR2   31
#define NSIG      32
#define SIG_DFL   0
#define SIG_IGN   1
#define SIG_SETMASK 0
#define SIG_BLOCK   1
#define SIG_UNBLOCK 2

/* <sys/wait.h>: status is code << 8, or the killing signal, or 0x7f | signal << 8 for a stop, or 0xffff for a continue */
#define WNOHANG    1
#define WUNTRACED  2
#define WCONTINUED 8

/* <time.h>, <sys/time.h> */
#define CLOCK_REALTIME           1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_MONOTONIC          4
#define ITIMER_REAL              0

/* <errno.h> */
#define EPERM 1
#define ENOENT 2
#define ESRCH 3
#define EINTR 4
#define EIO 5
#define ENXIO 6
#define E2BIG 7
#define ENOEXEC 8
#define EBADF 9
#define ECHILD 10
#define EAGAIN 11
#define ENOMEM 12
#define EACCES 13
#define EFAULT 14
#define EBUSY 16
#define EEXIST 17
#define EXDEV 18
#define ENODEV 19
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define ENFILE 23
#define EMFILE 24
#define ENOTTY 25
#define ETXTBSY 26
#define EFBIG 27
#define ENOSPC 28
#define ESPIPE 29
#define EROFS 30
#define EMLINK 31
#define EPIPE 32
#define ERANGE 34
#define EDEADLK 45
#define EPROTO 71
#define ENOSYS 88
#define ENOTEMPTY 90
#define ENAMETOOLONG 91
#define ELOOP 92
#define EOPNOTSUPP 95
#define ECONNRESET 104
#define ENOBUFS 105
#define EAFNOSUPPORT 106
#define ENOTSOCK 108
#define ENOPROTOOPT 109
#define ECONNREFUSED 111
#define EADDRINUSE 112
#define ECONNABORTED 113
#define ENETUNREACH 114
#define ENETDOWN 115
#define ETIMEDOUT 116
#define EHOSTUNREACH 118
#define EINPROGRESS 119
#define EALREADY 120
#define EDESTADDRREQ 121
#define EMSGSIZE 122
#define EPROTONOSUPPORT 123
#define EADDRNOTAVAIL 125
#define EISCONN 127
#define ENOTCONN 128
#define ENOTSUP 134
#define EOVERFLOW 139

#endif

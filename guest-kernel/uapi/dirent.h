/* SPDX-License-Identifier: MIT */
/* dirent.h: the records that getdents returns, each d_reclen bytes long, d_reclen a multiple of 8. */
#ifndef NOVICE_UAPI_DIRENT_H
#define NOVICE_UAPI_DIRENT_H

#define DT_UNKNOWN 0
#define DT_FIFO    1
#define DT_CHR     2
#define DT_DIR     4
#define DT_BLK     6
#define DT_REG     8
#define DT_LNK     10
#define DT_SOCK    12

#define NAME_MAX   255

struct dirent {
    unsigned long  d_ino;
    unsigned long  d_off;         /* where the next record is: a position for lseek */
    unsigned short d_reclen;
    unsigned char  d_type;        /* DT_*                                           */
    char           d_name[NAME_MAX + 1];   /* zero-terminated; getdents stores only what the name needs */
};

#endif

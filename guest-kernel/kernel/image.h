/* SPDX-License-Identifier: MIT */
/* image.h: a disk inside a file: raw, or qcow2 with whatever it is based on.
 *
 * This half knows formats and no kernel: files, memory and locks are the functions at the end, which image_file.c answers for
 * Novice and tests/host/kernel_image.c for itself. Calls sleep; several may run at once. Errors are -errno.      */
#ifndef NOVICE_IMAGE_H
#define NOVICE_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "guest-kernel/uapi/loop.h"

#define IMAGE_DEPTH 8                  /* images on images: no more */
#define IMAGE_WHY   160
#define IMAGE_PATH  1024

/* The same in every Unix that this is compiled for. */
enum { IMAGE_EIO = 5, IMAGE_ENOMEM = 12, IMAGE_EBUSY = 16, IMAGE_EINVAL = 22, IMAGE_ENOSPC = 28, IMAGE_EROFS = 30 };

struct image;
struct image_file;

struct image_ops {
    const char *name;
    int  (*read)(struct image *i, void *buf, size_t n, uint64_t pos);
    int  (*write)(struct image *i, const void *buf, size_t n, uint64_t pos);
    int  (*discard)(struct image *i, uint64_t n, uint64_t pos);
    int  (*flush)(struct image *i);            /* everything written before is durable when it returns */
    void (*close)(struct image *i);            /* frees what is the format's, flushed before */
};

struct image {
    const struct image_ops *ops;
    struct image_file      *file;
    struct image           *backing;           /* what unwritten parts come from, or null */
    uint64_t                size;              /* bytes that a guest sees */
    bool                    read_only;
};

/* Opens what lies in f, and its backing files; takes f over in any case. 0, or -errno and a sentence for people in why. */
int  image_open(struct image_file *f, enum loop_format format, bool read_only, struct image **out, char *why);
int  image_close(struct image *i);             /* flushes; the flush's result */
/* Ranges within the size. What lies past a backing image's end is zeros. */
int  image_read(struct image *i, void *buf, size_t n, uint64_t pos);
int  image_write(struct image *i, const void *buf, size_t n, uint64_t pos);

/* image_qcow2.c */
bool qcow2_magic(const uint8_t *head);
int  qcow2_open(struct image_file *f, bool read_only, struct image **out, char *backing, size_t backing_size, enum loop_format *backing_format,
                char *why);

/* ---- What the surroundings answer ---- */
int      image_file_read(struct image_file *f, void *buf, size_t n, uint64_t pos);         /* zeros past the end */
int      image_file_write(struct image_file *f, const void *buf, size_t n, uint64_t pos);  /* grows the file */
int      image_file_sync(struct image_file *f);
int      image_file_punch(struct image_file *f, uint64_t pos, uint64_t n);                 /* may do nothing */
uint64_t image_file_size(struct image_file *f);
const char *image_file_name(struct image_file *f);
int      image_file_beside(struct image_file *f, const char *name, struct image_file **out, char *why);    /* to read only */
void     image_file_close(struct image_file *f);
void    *image_alloc(size_t n);                /* zeroed */
void     image_free(void *p);
void     image_say(char *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));  /* IMAGE_WHY bytes; null why: to the log */
struct image_lock;
struct image_lock *image_lock_new(void);
void     image_lock_free(struct image_lock *l);
void     image_lock(struct image_lock *l);
void     image_unlock(struct image_lock *l);
void     image_wait(struct image_lock *l);     /* lets go of it, sleeps until image_wake, takes it again */
void     image_wake(struct image_lock *l);
void     image_breathe(void);                  /* in long loops: lets others run */

#endif

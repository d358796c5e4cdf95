/* SPDX-License-Identifier: MIT */
/* text.c: the text that is edited: one run of bytes, for a configuration file is short and a long file still moves in no time. */
#include "guest-kernel/user/edit/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOO_LARGE (64u << 20)

void text_free(struct text *t)
{
    for (int i = 0; i < t->made; i++)
        free(t->change[i].old);
    free(t->bytes);
    memset(t, 0, sizeof(*t));
}

static bool room_for(struct text *t, size_t length)
{
    if (length <= t->room)
        return true;
    size_t room = length + length / 4 + 4096;
    char *more = length < TOO_LARGE ? realloc(t->bytes, room) : NULL;

    if (!more)
        return false;
    t->bytes = more;
    t->room = room;
    return true;
}

/* The bytes only; there is room. */
static void exchange(struct text *t, size_t at, size_t drop, const char *bytes, size_t n)
{
    memmove(t->bytes + at + n, t->bytes + at + drop, t->length - at - drop);
    if (n)
        memcpy(t->bytes + at, bytes, n);
    t->length += n - drop;
    t->changed = true;
}

/* ---- undo ---- */

static struct change *last(struct text *t)
{
    return t->joins && t->done && t->done == t->made ? &t->change[t->done - 1] : NULL;
}

/* Typing on, and deleting backwards, are one change with what was done just before. */
static bool join(struct text *t, size_t at, size_t drop, size_t n)
{
    struct change *c = last(t);

    if (c && !drop && c->length && c->at + c->length == at) {
        c->length += n;
        return true;
    }
    if (!c || n || c->length || at + drop != c->at)
        return false;
    char *old = malloc(drop + c->old_length);

    if (!old)
        return false;
    memcpy(old, t->bytes + at, drop);
    memcpy(old + drop, c->old, c->old_length);
    free(c->old);
    *c = (struct change){ at, 0, old, drop + c->old_length };
    return true;
}

static bool note_change(struct text *t, size_t at, size_t drop, size_t n)
{
    char *old = malloc(drop + 1);

    if (!old)
        return false;
    memcpy(old, t->bytes + at, drop);
    while (t->made > t->done)
        free(t->change[--t->made].old);
    if (t->made == TEXT_UNDO) {
        free(t->change[0].old);
        memmove(t->change, t->change + 1, sizeof(t->change) - sizeof(t->change[0]));
        t->made--;
    }
    t->change[t->made++] = (struct change){ at, n, old, drop };
    t->done = t->made;
    return true;
}

bool text_put(struct text *t, size_t at, size_t drop, const char *bytes, size_t n)
{
    if (!drop && !n)
        return true;
    if (!room_for(t, t->length - drop + n) || (!join(t, at, drop, n) && !note_change(t, at, drop, n)))
        return false;
    exchange(t, at, drop, bytes, n);
    t->joins = true;
    return true;
}

void text_part(struct text *t)
{
    t->joins = false;
}

/* A change and its opposite are of one kind: what is put back is kept in place of what it replaces. */
static size_t turn(struct text *t, struct change *c)
{
    char *now = malloc(c->length + 1);

    if (!now || !room_for(t, t->length - c->length + c->old_length)) {
        free(now);
        return TEXT_NONE;
    }
    memcpy(now, t->bytes + c->at, c->length);
    exchange(t, c->at, c->length, c->old, c->old_length);
    free(c->old);
    *c = (struct change){ c->at, c->old_length, now, c->length };
    t->joins = false;
    return c->at + c->length;
}

size_t text_undo(struct text *t)
{
    size_t at = t->done ? turn(t, &t->change[t->done - 1]) : TEXT_NONE;

    t->done -= at != TEXT_NONE;
    return at;
}

size_t text_redo(struct text *t)
{
    size_t at = t->done < t->made ? turn(t, &t->change[t->done]) : TEXT_NONE;

    t->done += at != TEXT_NONE;
    return at;
}

/* ---- places ---- */

size_t text_line(const struct text *t, size_t at)
{
    while (at > 0 && t->bytes[at - 1] != '\n')
        at--;
    return at;
}

size_t text_line_end(const struct text *t, size_t at)
{
    while (at < t->length && t->bytes[at] != '\n')
        at++;
    return at;
}

static bool inside_character(const struct text *t, size_t at)
{
    return at < t->length && (t->bytes[at] & 0xc0) == 0x80;
}

size_t text_back(const struct text *t, size_t at)
{
    if (at > 0)
        at--;
    while (at > 0 && inside_character(t, at))
        at--;
    return at;
}

size_t text_forward(const struct text *t, size_t at)
{
    if (at < t->length)
        at++;
    while (inside_character(t, at))
        at++;
    return at;
}

static size_t past(const struct text *t, size_t at, size_t column)
{
    return t->bytes[at] == '\t' ? column + 8 - column % 8 : column + 1;
}

size_t text_column(const struct text *t, size_t at)
{
    size_t column = 0;

    for (size_t i = text_line(t, at); i < at; i = text_forward(t, i))
        column = past(t, i, column);
    return column;
}

size_t text_at_column(const struct text *t, size_t at, size_t column)
{
    size_t end = text_line_end(t, at), now = 0;

    for (at = text_line(t, at); at < end && past(t, at, now) <= column; at = text_forward(t, at))
        now = past(t, at, now);
    return at;
}

size_t text_find(const struct text *t, size_t from, const char *what)
{
    size_t n = strlen(what);

    for (size_t i = 1; n && i <= t->length; i++) {
        size_t at = (from + i) % t->length;

        if (at + n <= t->length && memcmp(t->bytes + at, what, n) == 0)
            return at;
    }
    return TEXT_NONE;
}

/* ---- the file ---- */

static const char *read_all(struct text *t, int fd)
{
    for (;;) {
        if (!room_for(t, t->length + 4096))
            return "it is too large for this editor";
        ssize_t n = read(fd, t->bytes + t->length, 4096);

        if (n <= 0)
            return n ? strerror(errno) : NULL;
        t->length += (size_t)n;
    }
}

const char *text_load(struct text *t, const char *path)
{
    int fd = open(path, O_RDONLY);
    const char *wrong;

    text_free(t);
    if (fd < 0)
        return errno == ENOENT ? NULL : strerror(errno);
    if (fstat(fd, &t->file) < 0)
        wrong = strerror(errno);
    else
        wrong = S_ISDIR(t->file.st_mode) ? "it is a directory" : S_ISREG(t->file.st_mode) ? read_all(t, fd) : "it is a device, not a text";
    close(fd);
    return wrong;
}

bool text_overtaken(const struct text *t, const char *path)
{
    struct stat now;

    if (stat(path, &now) < 0)
        return false;
    return now.st_ino != t->file.st_ino || now.st_size != t->file.st_size || now.st_mtime != t->file.st_mtime;
}

/* Where a symbolic link leads: the link is to stay one. */
static bool follow(const char *path, char real[512])
{
    char to[512];
    ssize_t n;

    snprintf(real, 512, "%s", path);
    for (int depth = 0; (n = readlink(real, to, sizeof(to) - 1)) > 0; depth++) {
        char *slash = strrchr(real, '/');
        size_t front = to[0] != '/' && slash ? (size_t)(slash + 1 - real) : 0;

        if (depth == 8 || front + (size_t)n >= 500)
            return false;
        memcpy(real + front, to, (size_t)n);
        real[front + (size_t)n] = '\0';
    }
    return strlen(path) < 490;
}

static bool write_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, bytes, n);

        if (done <= 0)
            return false;
        bytes += done;
        n -= (size_t)done;
    }
    return true;
}

const char *text_save(struct text *t, const char *path)
{
    bool last_line_open = t->length && t->bytes[t->length - 1] != '\n', good;
    char real[512], new[520];
    struct stat old;

    if (!follow(path, real))
        return "the name is too long";
    bool exists = stat(real, &old) == 0;

    if (exists && !S_ISREG(old.st_mode))
        return "it is no ordinary file";
    if (exists && access(real, W_OK) < 0)
        return strerror(errno);
    snprintf(new, sizeof(new), "%s.new~", real);
    int fd = open(new, O_WRONLY | O_CREAT | O_TRUNC, exists ? old.st_mode & 0777 : 0666);

    if (fd < 0)
        return strerror(errno);
    if (exists && (chown(new, old.st_uid, old.st_gid) < 0 || fchmod(fd, old.st_mode & 07777) < 0))
        errno = 0;                       /* a file system without rights */
    good = write_all(fd, t->bytes, t->length) && (!last_line_open || write_all(fd, "\n", 1)) && fsync(fd) == 0;
    int why = errno;

    if (close(fd) == 0 && good && rename(new, real) == 0) {
        t->changed = stat(real, &t->file) < 0;
        return NULL;
    }
    why = good ? errno : why;
    unlink(new);
    return strerror(why);
}

/* SPDX-License-Identifier: MIT */
/* text.h: a text that is being changed: bytes, what was changed last, and its file.
 *
 * Nothing here knows a screen: tests/host/user_edit.c tries it on the build machine. Places are offsets into the bytes.
 * A function that cannot do its work (no memory, no room on the disk) changes nothing and says so.          */
#ifndef EDIT_TEXT_H
#define EDIT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define TEXT_UNDO  64
#define TEXT_NONE  ((size_t)-1)

struct text {
    char  *bytes;
    size_t length, room;
    bool   changed;                      /* since it was read or saved */
    bool   joins;                        /* the next change may be one with the last */
    int    made, done;                   /* changes known; those of them that stand */
    struct change { size_t at, length; char *old; size_t old_length; } change[TEXT_UNDO];
    struct stat file;                    /* as it was read or saved; st_ino 0: it did not exist */
};

void text_free(struct text *t);

/* Puts n bytes where `drop` bytes are; what follows at the same place is undone together, until text_part(). */
bool text_put(struct text *t, size_t at, size_t drop, const char *bytes, size_t n);
void text_part(struct text *t);
/* Takes the last change back, or makes it again: where that was; TEXT_NONE: there is none. */
size_t text_undo(struct text *t);
size_t text_redo(struct text *t);

size_t text_line(const struct text *t, size_t at);               /* where its line begins */
size_t text_line_end(const struct text *t, size_t at);           /* the newline, or the end */
size_t text_back(const struct text *t, size_t at);               /* one character (of UTF-8) */
size_t text_forward(const struct text *t, size_t at);
/* The column of `at` on the screen, and the place in the line of `at` that is nearest to a column. */
size_t text_column(const struct text *t, size_t at);
size_t text_at_column(const struct text *t, size_t at, size_t column);
/* The next place of `what` behind `from`, from the start again after the end. */
size_t text_find(const struct text *t, size_t from, const char *what);

/* NULL, or what is wrong. A file that does not exist is an empty text. */
const char *text_load(struct text *t, const char *path);
/* The file is replaced when the new one is whole and on the medium: NULL, or what is wrong, the old file being as it was. */
const char *text_save(struct text *t, const char *path);
/* Whether the file is another than was read or saved. */
bool text_overtaken(const struct text *t, const char *path);

#endif

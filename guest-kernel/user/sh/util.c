/* SPDX-License-Identifier: MIT */
/* util.c: the shell's memory.
 *
 * Trees and fields are many, small and die together, so they come from an arena: chunks in a list, of
 * which only the last is filled. Cutting back to a mark frees everything younger.                */
#include "sh.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct chunk {
    struct chunk *older;
    size_t used, room;
    max_align_t data[];
};

static struct chunk *newest;

enum { CHUNK = 2032 };

static void no_memory(void)
{
    static const char text[] = "sh: out of memory\n";

    (void)!write(2, text, sizeof(text) - 1);
    _exit(2);
}

void *arena(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (!newest || newest->room - newest->used < size) {
        size_t room = size > CHUNK ? size : CHUNK;
        struct chunk *c = malloc(sizeof(*c) + room);

        if (!c)
            no_memory();
        c->older = newest;
        c->used = 0;
        c->room = room;
        newest = c;
    }
    void *p = (char *)newest->data + newest->used;

    newest->used += size;
    return memset(p, 0, size);
}

char *arena_text(const char *text, size_t length)
{
    return memcpy(arena(length + 1), text, length);
}

struct mark arena_mark(void)
{
    return (struct mark){ newest, newest ? newest->used : 0 };
}

void arena_release(struct mark mark)
{
    while (newest != mark.chunk) {
        struct chunk *older = newest->older;

        free(newest);
        newest = older;
    }
    if (newest)
        newest->used = mark.used;
}

void put_byte(struct buffer *b, char c)
{
    if (b->length + 2 > b->room) {
        b->room = b->room ? b->room * 2 : 64;
        b->text = realloc(b->text, b->room);
        if (!b->text)
            no_memory();
    }
    b->text[b->length++] = c;
    b->text[b->length] = '\0';
}

void put_text(struct buffer *b, const char *text)
{
    while (*text)
        put_byte(b, *text++);
}

void buffer_free(struct buffer *b)
{
    free(b->text);
    *b = (struct buffer){ 0 };
}

void complain(const char *format, ...)
{
    va_list args;

    fflush(stdout);
    fputs("sh: ", stderr);
    va_start(args, format);
    vfiprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
}

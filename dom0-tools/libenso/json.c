/* SPDX-License-Identifier: MIT */
/* json.c: see json.h. Bytes that are not printable ASCII leave as \u00XX, so
 * the output is valid whatever a guest or a file may have been named.        */
#include "dom0-tools/libenso/json.h"

static void quote(struct json *j, const char *s)
{
    fputc('"', j->to);
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;

        if (c == '"' || c == '\\')
            fprintf(j->to, "\\%c", c);
        else if (c < 0x20 || c >= 0x7f)
            fprintf(j->to, "\\u%04x", c);
        else
            fputc(c, j->to);
    }
    fputc('"', j->to);
}

static void member(struct json *j, const char *name)
{
    if (j->depth) {
        fputs(j->some[j->depth - 1] ? ",\n" : "\n", j->to);
        j->some[j->depth - 1] = true;
    }
    for (unsigned i = 0; i < j->depth; i++)
        fputs("    ", j->to);
    if (name) {
        quote(j, name);
        fputs(": ", j->to);
    }
}

void json_open(struct json *j, const char *name, char bracket)
{
    member(j, name);
    fputc(bracket, j->to);
    if (j->depth < JSON_DEPTH)
        j->some[j->depth++] = false;
}

void json_close(struct json *j, char bracket)
{
    bool some = j->depth && j->some[j->depth - 1];

    if (j->depth)
        j->depth--;
    if (some) {
        fputc('\n', j->to);
        for (unsigned i = 0; i < j->depth; i++)
            fputs("    ", j->to);
    }
    fputc(bracket, j->to);
    if (!j->depth)
        fputc('\n', j->to);
}

void json_text(struct json *j, const char *name, const char *value)
{
    member(j, name);
    if (value)
        quote(j, value);
    else
        fputs("null", j->to);
}

void json_number(struct json *j, const char *name, uint64_t value)
{
    member(j, name);
    fprintf(j->to, "%llu", (unsigned long long)value);
}

void json_bool(struct json *j, const char *name, bool value)
{
    member(j, name);
    fputs(value ? "true" : "false", j->to);
}

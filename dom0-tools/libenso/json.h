/* SPDX-License-Identifier: MIT */
/* json.h: JSON text, a value at a time; commas and indentation are kept here. */
#ifndef ENSO_JSON_H
#define ENSO_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 8

struct json {
    FILE    *to;
    unsigned depth;
    bool     some[JSON_DEPTH];     /* has this level a member yet? */
};

/* `name` is the member's name inside an object, NULL inside an array. */
void json_open(struct json *j, const char *name, char bracket);   /* '{' or '['  */
void json_close(struct json *j, char bracket);                    /* '}' or ']'  */
void json_text(struct json *j, const char *name, const char *value);  /* NULL: null */
void json_number(struct json *j, const char *name, uint64_t value);
void json_bool(struct json *j, const char *name, bool value);

#endif

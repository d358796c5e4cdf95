/* SPDX-License-Identifier: MIT */
/* config_keys.h: what passes between the reader of a configuration (config.c) and
 * those who know its keys (config_keys.c).                                   */
#ifndef ENSO_CONFIG_KEYS_H
#define ENSO_CONFIG_KEYS_H

#include "dom0-tools/libenso/config.h"

/* Where in the text we are. */
struct reader {
    const char *file;
    const char *at, *end;
    unsigned    line;
    struct complaint *why;
};

#define CONFIG_TEXT 4096

struct value {
    enum { VALUE_WORD, VALUE_STRING, VALUE_LIST } kind;
    char text[CONFIG_TEXT];       /* list elements, each ended by a newline */
};

/* -1, with a sentence that begins with the file and the line. */
int reader_fail(struct reader *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

int config_assign(struct config *c, struct reader *r, const char *key, const struct value *v);

#endif

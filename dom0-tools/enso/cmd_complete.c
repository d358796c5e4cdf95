/* SPDX-License-Identifier: MIT */
/* cmd_complete.c: `enso complete WORDS...`: what may stand after those words, for the shell's Tab (/etc/complete/enso).
 *
 * The table's usage lines say it: DOMAIN is a domain's name, COMMAND one of ours, small letters stand for themselves, and
 * after anything else there is nothing to say: then Tab takes files.                                        */
#include "dom0-tools/enso/enso.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/text.h"

static void print_commands(void)
{
    for (const struct command *c = commands; c->name; c++)
        if (!c->hidden)
            printf("%s\n", c->name);
}

static void print_domains(void)
{
    struct xen_domctl_getdomaininfo *list;
    struct complaint why;
    int n = state_domains(&list, &why);
    char name[32];

    for (int i = 0; i < n; i++) {
        state_name(&list[i], name);
        printf("%s\n", name);
    }
    if (n >= 0)
        free(list);
}

/* "[stop|start|restart": each alternative. */
static void print_piece(char *piece)
{
    char *rest;

    for (char *at = strtok_r(piece, "[]|", &rest); at; at = strtok_r(NULL, "[]|", &rest)) {
        if (strcmp(at, "DOMAIN") == 0 || strcmp(at, "NAME") == 0)
            print_domains();
        else if (strcmp(at, "COMMAND") == 0)
            print_commands();
        else if (*at >= 'a' && *at <= 'z' && !strchr(at, '='))
            printf("%s\n", at);
    }
}

/* The place in a usage line where `typed` words stand before; options and what they take are not counted. NULL: past its end. */
static char *place(char *line, unsigned typed)
{
    char *rest, *piece = strtok_r(line, " ", &rest), *last = NULL;

    for (; piece; piece = strtok_r(NULL, " ", &rest)) {
        if (strncmp(piece, "...", 3) == 0)
            return last;
        if (piece[0] == '-' || strncmp(piece, "[-", 2) == 0 || strcmp(piece, "|") == 0) {
            if (!strchr(piece, ']'))
                strtok_r(NULL, " ", &rest);          /* "[-n NUMBER]" */
            continue;
        }
        last = piece;
        if (typed-- == 0)
            return piece;
    }
    return NULL;
}

int cmd_complete(int words, char **word)
{
    const struct command *c = words > 1 ? command_find(word[1]) : NULL;
    unsigned typed = 0;
    char line[200], *piece;

    if (words == 1)
        print_commands();
    if (!c || !text_copy(line, sizeof(line), c->arguments))
        return 0;
    if (strcmp(word[words - 1], "-d") == 0 && strstr(line, "-d DOMAIN")) {
        print_domains();
        return 0;
    }
    for (int i = 2; i < words; i++)
        typed += word[i][0] != '-';
    piece = place(line, typed);
    if (piece)
        print_piece(piece);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* vars.c: variables, a list on the heap; those that are exported make the children's environment. */
#include "sh.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct var {
    struct var *next;
    char *name, *value;          /* value NULL: exported before it is set */
    bool exported;
};

static struct var *vars;

bool is_name(const char *text, size_t length)
{
    if (length == 0 || isdigit((unsigned char)text[0]))
        return false;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)text[i]) && text[i] != '_')
            return false;
    return true;
}

static struct var **find(const char *name)
{
    struct var **v = &vars;

    while (*v && strcmp((*v)->name, name) < 0)
        v = &(*v)->next;
    return v;
}

static struct var *find_or_make(const char *name)
{
    struct var **place = find(name);

    if (*place && strcmp((*place)->name, name) == 0)
        return *place;
    struct var *v = calloc(1, sizeof(*v));

    if (!v || !(v->name = strdup(name))) {
        free(v);
        return NULL;
    }
    v->next = *place;
    *place = v;
    return v;
}

const char *var_get(const char *name)
{
    struct var *v = *find(name);

    return v && strcmp(v->name, name) == 0 ? v->value : NULL;
}

bool var_set(const char *name, const char *value)
{
    struct var *v = is_name(name, strlen(name)) ? find_or_make(name) : NULL;
    char *own = v ? strdup(value) : NULL;

    if (!own) {
        complain("%s: cannot be set", name);
        return false;
    }
    free(v->value);
    v->value = own;
    return true;
}

void var_export(const char *name)
{
    struct var *v = find_or_make(name);

    if (v)
        v->exported = true;
}

void var_unset(const char *name)
{
    struct var **place = find(name), *v = *place;

    if (!v || strcmp(v->name, name) != 0)
        return;
    *place = v->next;
    free(v->name);
    free(v->value);
    free(v);
}

void vars_from_environment(char **env)
{
    for (; *env; env++) {
        const char *equals = strchr(*env, '=');

        if (!equals || !is_name(*env, (size_t)(equals - *env)))
            continue;
        char *name = arena_text(*env, (size_t)(equals - *env));

        if (var_set(name, equals + 1))
            var_export(name);
    }
}

char **vars_environment(void)
{
    size_t n = 0;

    for (struct var *v = vars; v; v = v->next)
        n += v->exported && v->value;
    char **list = arena((n + 1) * sizeof(char *));

    n = 0;
    for (struct var *v = vars; v; v = v->next) {
        if (!v->exported || !v->value)
            continue;
        list[n] = arena(strlen(v->name) + strlen(v->value) + 2);
        strcpy(list[n], v->name);
        strcat(list[n], "=");
        strcat(list[n++], v->value);
    }
    return list;
}

void vars_each(void (*each)(const char *name, const char *value, bool exported))
{
    for (struct var *v = vars; v; v = v->next)
        each(v->name, v->value, v->exported);
}

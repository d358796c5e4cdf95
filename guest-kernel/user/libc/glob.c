/* SPDX-License-Identifier: MIT */
/* glob.c: fnmatch and glob.
 *
 * A star is tried greedily from nothing upward with one point to come back to: a later star makes an
 * earlier one's choice final, so matching is quadratic at worst, never exponential.                 */
#include <ctype.h>
#include <dirent.h>
#include <fnmatch.h>
#include <glob.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* [...]: *end is set behind the bracket; NULL there: it never closes, so the bracket is plain text. */
static bool in_bracket(const char *p, unsigned char c, const char **end)
{
    bool negate = p[1] == '!' || p[1] == '^', found = false;
    const char *s = p + 1 + negate;

    for (bool first = true; *s != ']' || first; first = false) {
        unsigned char low, high;

        if (*s == '\\' && s[1])
            s++;
        if (!*s) {
            *end = NULL;
            return false;
        }
        low = high = (unsigned char)*s++;
        if (s[0] == '-' && s[1] && s[1] != ']') {
            s += s[1] == '\\' && s[2] ? 2 : 1;
            high = (unsigned char)*s++;
        }
        found |= low <= c && c <= high;
    }
    *end = s + 1;
    return found != negate;
}

/* One pattern element against one character: the pattern behind it, or NULL. */
static const char *step(const char *p, char c, int flags)
{
    const char *end;

    if (*p == '?')
        return c == '/' && (flags & FNM_PATHNAME) ? NULL : p + 1;
    if (*p == '[') {
        bool hit = in_bracket(p, (unsigned char)c, &end);

        if (end)
            return hit && !(c == '/' && (flags & FNM_PATHNAME)) ? end : NULL;
    }
    if (*p == '\\' && p[1] && !(flags & FNM_NOESCAPE))
        p++;
    if (*p == c)
        return p + 1;
    if ((flags & FNM_CASEFOLD) && tolower((unsigned char)*p) == tolower((unsigned char)c))
        return p + 1;
    return NULL;
}

static bool hidden(const char *text, const char *s, int flags)
{
    return (flags & FNM_PERIOD) && *s == '.' && (s == text || ((flags & FNM_PATHNAME) && s[-1] == '/'));
}

int fnmatch(const char *pattern, const char *text, int flags)
{
    const char *p = pattern, *s = text, *star = NULL, *resume = NULL;

    while (*s || *p == '*') {
        if (*p == '*' && !hidden(text, s, flags)) {
            star = ++p;
            resume = s;
            continue;
        }
        const char *next = *p && *s && !(hidden(text, s, flags) && *p != '.') ? step(p, *s, flags) : NULL;

        if (next) {
            p = next;
            s++;
        } else if (star && *resume && !((flags & FNM_PATHNAME) && *resume == '/')) {
            p = star;
            s = ++resume;
        } else {
            return FNM_NOMATCH;
        }
    }
    return *p ? FNM_NOMATCH : 0;
}

/* ---- glob ---- */

struct walk {
    glob_t *out;
    char path[512];
    bool no_space;
};

static bool has_magic(const char *s, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (s[i] == '\\' && i + 1 < length)
            i++;
        else if (strchr("*?[", s[i]))
            return true;
    }
    return false;
}

static void add(struct walk *w, const char *path)
{
    glob_t *g = w->out;
    size_t n = (size_t)(g->gl_offs + g->gl_pathc);
    char **longer = realloc(g->gl_pathv, (n + 2) * sizeof(char *));
    char *own = strdup(path);

    if (longer)
        g->gl_pathv = longer;
    if (!longer || !own) {
        free(own);
        w->no_space = true;
        return;
    }
    g->gl_pathv[n] = own;
    g->gl_pathv[n + 1] = NULL;
    g->gl_pathc++;
}

static void match_path(struct walk *w, size_t length, const char *rest);

static void match_directory(struct walk *w, size_t length, const char *rest, size_t part)
{
    char pattern[256];
    struct dirent *entry;

    if (part >= sizeof(pattern))
        return;
    memcpy(pattern, rest, part);
    pattern[part] = '\0';
    w->path[length] = '\0';
    DIR *dir = opendir(length ? w->path : ".");

    while (dir && (entry = readdir(dir))) {
        size_t n = strlen(entry->d_name);

        if (fnmatch(pattern, entry->d_name, FNM_PERIOD) != 0 || length + n + 2 > sizeof(w->path))
            continue;
        if (rest[part] && entry->d_type != DT_DIR && entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN)
            continue;
        memcpy(w->path + length, entry->d_name, n + 1);
        match_path(w, length + n, rest + part);
    }
    if (dir)
        closedir(dir);
}

/* path[0..length) exists or is empty; rest is what remains of the pattern. */
static void match_path(struct walk *w, size_t length, const char *rest)
{
    struct stat st;

    while (*rest == '/' && length + 1 < sizeof(w->path))
        w->path[length++] = *rest++;
    size_t part = strcspn(rest, "/");

    if (part == 0) {
        w->path[length] = '\0';
        if (lstat(w->path, &st) == 0)
            add(w, w->path);
        return;
    }
    if (has_magic(rest, part)) {
        match_directory(w, length, rest, part);
        return;
    }
    for (size_t i = 0; i < part && length + 1 < sizeof(w->path); i++) {
        if (rest[i] == '\\' && i + 1 < part)
            i++;
        w->path[length++] = rest[i];
    }
    w->path[length] = '\0';
    if (lstat(w->path, &st) == 0)
        match_path(w, length, rest + part);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int glob(const char *pattern, int flags, int (*on_error)(const char *, int), glob_t *out)
{
    struct walk w = { .out = out };

    (void)on_error;                  /* a directory that cannot be read has no matches */
    if (!(flags & GLOB_APPEND)) {
        out->gl_pathc = 0;
        out->gl_pathv = NULL;
        if (!(flags & GLOB_DOOFFS))
            out->gl_offs = 0;
    }
    int before = out->gl_pathc;

    match_path(&w, 0, pattern);
    out->gl_matchc = out->gl_pathc - before;
    if (out->gl_matchc == 0 && (flags & GLOB_NOCHECK))
        add(&w, pattern);
    else if (!(flags & GLOB_NOSORT) && out->gl_matchc > 1)
        qsort(out->gl_pathv + out->gl_offs + before, (size_t)out->gl_matchc, sizeof(char *), by_name);
    return w.no_space ? GLOB_NOSPACE : 0;
}

void globfree(glob_t *g)
{
    for (int i = 0; i < g->gl_pathc; i++)
        free(g->gl_pathv[g->gl_offs + i]);
    free(g->gl_pathv);
    g->gl_pathv = NULL;
    g->gl_pathc = 0;
}

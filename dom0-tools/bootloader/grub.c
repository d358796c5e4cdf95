/* SPDX-License-Identifier: MIT */
/* grub.c: as much of GRUB's shell as its menus are made of (menu.h).
 *
 * A script is a row of commands, each a row of words. Words are unquoted and
 * $variables put in; `if` is decided where that needs strings only, and is
 * false where it asks about files or the machine. Everything is bounded: words,
 * variables, entries, the depth of braces. What is too much is left out.      */
#include "dom0-tools/bootloader/menu.h"

#include <stdio.h>
#include <string.h>

#include "dom0-tools/libenso/text.h"

#define WORDS     64
#define WORD_ROOM 4096u
#define VARS      64
#define DEPTH     16
#define ENTRIES   100

enum frame_kind { FRAME_ENTRY, FRAME_SUBMENU, FRAME_IF, FRAME_SKIP };

struct frame {
    enum frame_kind kind;
    bool     active;           /* its commands are run                          */
    bool     taken;            /* of an if: some branch was                     */
    unsigned count;            /* of a submenu: entries so far                  */
    char     number[24];       /* of a submenu: "1>"                            */
};

struct entry {
    char number[32], id[128];
    unsigned modules;
    struct choice what;
};

static struct {
    const char *at;
    char     room[WORD_ROOM];
    size_t   used;
    char    *word[WORDS];
    unsigned words;
    char     brace;            /* the command ended at this one, or 0           */
    struct { char name[32], value[256]; } var[VARS];
    unsigned vars;
    struct frame frame[DEPTH]; /* the outermost is the menu itself              */
    unsigned depth;
    unsigned skipped;          /* frames beyond DEPTH                           */
    struct entry entry[ENTRIES];
    unsigned entries;
    struct entry *now;         /* the entry whose body this is                  */
} g;

/* ---- variables --------------------------------------------------------------------------- */

static const char *var_get(const char *name)
{
    for (unsigned i = 0; i < g.vars; i++)
        if (strcmp(g.var[i].name, name) == 0)
            return g.var[i].value;
    return "";
}

static void var_set(const char *name, const char *value)
{
    unsigned i = 0;

    while (i < g.vars && strcmp(g.var[i].name, name) != 0)
        i++;
    if (i == VARS || strlen(name) >= sizeof(g.var[i].name))
        return;
    if (i == g.vars)
        strcpy(g.var[g.vars++].name, name);
    text_copy(g.var[i].value, sizeof(g.var[i].value), value);
}

/* ---- words -------------------------------------------------------------------------------- */

static void put(char c)
{
    if (g.used < WORD_ROOM - 1)
        g.room[g.used++] = c;
}

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* At a $: puts the variable's value. */
static void expand(void)
{
    bool braced = *++g.at == '{';
    char name[32];
    size_t n = 0;

    g.at += braced;
    for (; is_name(*g.at) || (braced && *g.at && *g.at != '}' && *g.at != '\n'); g.at++)
        if (n < sizeof(name) - 1)
            name[n++] = *g.at;
    name[n] = '\0';
    g.at += braced && *g.at == '}';
    for (const char *v = var_get(name); *v; v++)
        put(*v);
}

static void take_double(void)
{
    for (g.at++; *g.at && *g.at != '"';) {
        if (*g.at == '$') {
            expand();
            continue;
        }
        if (*g.at == '\\' && (g.at[1] == '"' || g.at[1] == '\\' || g.at[1] == '$'))
            g.at++;
        put(*g.at++);
    }
    g.at += *g.at == '"';
}

static void take_word(void)
{
    char *begin = g.room + g.used;

    while (*g.at && !strchr(" \t\r\n;{}", *g.at)) {
        if (*g.at == '\'') {
            for (g.at++; *g.at && *g.at != '\''; g.at++)
                put(*g.at);
            g.at += *g.at == '\'';
        } else if (*g.at == '"') {
            take_double();
        } else if (*g.at == '$') {
            expand();
        } else {
            if (*g.at == '\\' && g.at[1])
                g.at += g.at[1] == '\n' ? 2 : 1;
            if (*g.at)
                put(*g.at++);
        }
    }
    if (g.used < WORD_ROOM - 1)
        g.room[g.used++] = '\0';
    else
        g.room[WORD_ROOM - 1] = '\0';
    if (g.words < WORDS - 1)
        g.word[g.words++] = begin;
}

/* The next command's words; false at the end of the text. */
static bool next_command(void)
{
    g.used = 0;
    g.words = 0;
    g.brace = 0;
    memset(g.word, 0, sizeof(g.word));
    while (*g.at) {
        if (*g.at == ' ' || *g.at == '\t' || *g.at == '\r')
            g.at++;
        else if (*g.at == '\\' && g.at[1] == '\n')
            g.at += 2;
        else if (*g.at == '#')
            g.at += strcspn(g.at, "\n");
        else if (*g.at == '\n' || *g.at == ';') {
            g.at++;
            if (g.words)
                return true;
        } else if (*g.at == '{' || *g.at == '}') {
            if (*g.at == '}' && g.words)
                return true;                      /* first what stands before it */
            g.brace = *g.at++;
            return true;
        } else {
            take_word();
        }
    }
    return g.words > 0;
}

/* ---- frames ----------------------------------------------------------------------------------- */

static struct frame *top(void)
{
    return &g.frame[g.depth];
}

static void push(enum frame_kind kind, bool active)
{
    if (g.depth == DEPTH - 1) {
        g.skipped++;
        return;
    }
    g.depth++;
    memset(top(), 0, sizeof(*top()));
    top()->kind = kind;
    top()->active = active && g.frame[g.depth - 1].active;
}

static void pop(void)
{
    if (g.skipped)
        g.skipped--;
    else if (g.depth) {
        if (top()->kind == FRAME_ENTRY)
            g.now = NULL;
        g.depth--;
    }
}

/* The menu or submenu we are in. */
static struct frame *menu(void)
{
    unsigned i = g.depth;

    while (i && g.frame[i].kind != FRAME_SUBMENU)
        i--;
    return &g.frame[i];
}

/* Is `if [ ... ]` true, as far as strings can tell? */
static bool condition(char **w, unsigned n)
{
    bool not = false, is;

    if (n && strcmp(w[0], "!") == 0) {
        not = true;
        w++;
        n--;
    }
    if (n && strcmp(w[0], "true") == 0)
        is = true;
    else if (n < 2 || strcmp(w[0], "[") != 0 || strcmp(w[n - 1], "]") != 0)
        is = false;
    else if (n == 3)
        is = w[1][0] != '\0';
    else if (n == 4)
        is = strcmp(w[1], "-n") == 0 ? w[2][0] != '\0' : strcmp(w[1], "-z") == 0 ? w[2][0] == '\0' : false;
    else if (n == 5)
        is = strcmp(w[2], "!=") == 0 ? strcmp(w[1], w[3]) != 0
                                     : (strcmp(w[2], "=") == 0 || strcmp(w[2], "==") == 0) && strcmp(w[1], w[3]) == 0;
    else
        is = false;
    return is != not;
}

/* ---- commands ------------------------------------------------------------------------------------ */

static bool is(const char *word)
{
    return strcmp(g.word[0], word) == 0;
}

/* `linux ($root)/boot/vmlinuz`: what stands in parentheses is a disk, and there is but one. */
static const char *path_of(const char *word)
{
    const char *end = word[0] == '(' ? strchr(word, ')') : NULL;

    return end ? end + 1 : word;
}

static void join(char *to, size_t size, unsigned from)
{
    size_t n = 0;

    to[0] = '\0';
    for (unsigned i = from; i < g.words && n < size; i++)
        n += (size_t)snprintf(to + n, size - n, "%s%s", n ? " " : "", g.word[i]);
}

/* A hypervisor's entry: its first module is the kernel, its second the ramdisk. */
static void module(unsigned at)
{
    if (g.now->modules == 0) {
        unsigned from = at + 1;

        text_copy(g.now->what.kernel, MENU_PATH, path_of(g.word[at]));
        for (unsigned i = from; i < g.words; i++)
            if (strcmp(g.word[i], "--") == 0)
                from = i + 1;
        if (from < g.words && strcmp(g.word[from], "placeholder") == 0)
            from++;
        join(g.now->what.line, MENU_LINE, from);
        g.now->what.ramdisk[0] = '\0';
    } else if (g.now->modules == 1) {
        text_copy(g.now->what.ramdisk, MENU_PATH, path_of(g.word[at]));
    }
    g.now->modules++;
}

static void load(void)
{
    unsigned at = 1;

    while (at < g.words && strncmp(g.word[at], "--", 2) == 0)
        at++;
    if (!g.now || at >= g.words)
        return;
    if (is("linux") || is("linux16") || is("linuxefi") || is("multiboot") || is("multiboot2")) {
        text_copy(g.now->what.kernel, MENU_PATH, path_of(g.word[at]));
        join(g.now->what.line, MENU_LINE, at + 1);
    } else if (is("initrd") || is("initrd16") || is("initrdefi")) {
        text_copy(g.now->what.ramdisk, MENU_PATH, path_of(g.word[g.words - 1]));
    } else if (is("module") || is("module2")) {
        module(at);
    }
}

static void set(const char *text)
{
    const char *eq = strchr(text, '=');
    char name[32];

    if (!eq || (size_t)(eq - text) >= sizeof(name))
        return;
    memcpy(name, text, (size_t)(eq - text));
    name[eq - text] = '\0';
    var_set(name, eq + 1);
}

static void begin_entry(bool submenu)
{
    struct frame *m = menu();
    bool active = top()->active;
    unsigned number = m->count;
    char prefix[24];

    text_copy(prefix, sizeof(prefix), m->number);
    m->count += active;
    push(submenu ? FRAME_SUBMENU : FRAME_ENTRY, active);
    if (!active || g.skipped)
        return;
    if (submenu) {
        snprintf(top()->number, sizeof(top()->number), "%.12s%u>", prefix, number);
        return;
    }
    if (g.entries == ENTRIES)
        return;
    g.now = &g.entry[g.entries++];
    memset(g.now, 0, sizeof(*g.now));
    snprintf(g.now->number, sizeof(g.now->number), "%s%u", prefix, number);
    text_copy(g.now->what.title, sizeof(g.now->what.title), g.words > 1 ? g.word[1] : "");
    for (unsigned i = 2; i + 1 < g.words; i++)
        if (strcmp(g.word[i], "--id") == 0)
            text_copy(g.now->id, sizeof(g.now->id), g.word[i + 1]);
}

/* then, else, fi: the words that steer; what follows on the same line moves up. */
static bool steer(void)
{
    if (is("if")) {
        bool yes = top()->active && condition(g.word + 1, g.words - 1);

        push(FRAME_IF, yes);
        if (!g.skipped)
            top()->taken = yes;
        return true;
    }
    if (is("while") || is("until") || is("for")) {
        push(FRAME_SKIP, false);
        return true;
    }
    if (is("fi") || is("done")) {
        if (g.skipped || top()->kind == FRAME_IF || top()->kind == FRAME_SKIP)
            pop();
        return true;
    }
    if (is("else") || is("elif")) {
        struct frame *f = top();

        if (g.skipped || f->kind != FRAME_IF)
            return true;
        f->active = !f->taken && g.frame[g.depth - 1].active && (is("else") || condition(g.word + 1, g.words - 1));
        f->taken |= f->active;
        if (is("elif"))
            return true;
    } else if (!is("then") && !is("do")) {
        return false;
    }
    memmove(g.word, g.word + 1, (--g.words) * sizeof(g.word[0]));
    return g.words == 0 || steer();
}

static void run_command(void)
{
    if (g.brace == '}') {
        pop();
        return;
    }
    if (g.words && steer())
        return;
    if (g.brace == '{') {
        if (g.words && (is("menuentry") || is("submenu")))
            begin_entry(is("submenu"));
        else
            push(FRAME_SKIP, false);                       /* a function: nobody calls it here */
        return;
    }
    if (!g.words || !top()->active || g.skipped)
        return;
    if (is("set") && g.words > 1)
        set(g.word[1]);
    else if (g.words == 1 && strchr(g.word[0], '=') && g.word[0][0] != '=')
        set(g.word[0]);
    else
        load();
}

/* ---- the choice ---------------------------------------------------------------------------------- */

static const struct entry *find_entry(const char *want)
{
    char in_submenu[40];

    for (unsigned i = 0; i < g.entries; i++)
        if (strcmp(g.entry[i].number, want) == 0 || strcmp(g.entry[i].what.title, want) == 0 ||
            (g.entry[i].id[0] && strcmp(g.entry[i].id, want) == 0))
            return &g.entry[i];
    /* "1" names a submenu: what its own default would be. "TITLE>TITLE": its last part decides. */
    snprintf(in_submenu, sizeof(in_submenu), "%.30s>0", want);
    for (unsigned i = 0; i < g.entries; i++)
        if (strcmp(g.entry[i].number, in_submenu) == 0)
            return &g.entry[i];
    return strchr(want, '>') ? find_entry(strchr(want, '>') + 1) : NULL;
}

static int choose(const char *want, struct choice *out, struct complaint *why)
{
    const char *usual = var_get("default");
    const struct entry *e = find_entry(want[0] ? want : usual[0] ? usual : "0");

    if (!g.entries)
        return complain(why, "its grub.cfg has no menuentry");
    if (!e && want[0])
        return complain(why, "its grub.cfg has no entry \"%.60s\"; it has %u, from 0 (\"%.60s\") on", want, g.entries,
                        g.entry[0].what.title);
    if (!e)
        e = &g.entry[0];                                   /* as GRUB does with a default that is not there */
    if (e->what.kernel[0] != '/')
        return complain(why, "the entry \"%.60s\" of its grub.cfg names no kernel (linux /path ...)", e->what.title);
    *out = e->what;
    return 0;
}

int menu_grub(const char *text, const char *want, struct choice *out, struct complaint *why)
{
    memset(&g, 0, sizeof(g));
    g.at = text;
    g.frame[0].kind = FRAME_SUBMENU;
    g.frame[0].active = true;
    var_set("menuentry_id_option", "--id");
    var_set("feature_menuentry_id", "y");
    while (next_command())
        run_command();
    return choose(want, out, why);
}

/* SPDX-License-Identifier: MIT */
/* edit.c: one line, edited on the terminal.
 *
 * The terminal gives single bytes, unechoed, while a line is edited, and gets its own modes back before the
 * line runs. A line longer than the window scrolls sideways. A character typed at the end is simply
 * written, so an echo costs one write and no redrawing.                                             */
#include "sh.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "guest-kernel/user/box/screen.h"

enum { LINE = 1024, HISTORY = 64 };

static char *history[HISTORY];
static int history_count, history_first = 1;     /* the number of history[0] */

struct edit {
    const char *prompt;
    char text[LINE];
    size_t length, at;
    size_t columns;
    int recalled;                /* index into the history; history_count: the line itself */
    char own[LINE];              /* the line itself, while another is shown */
    char cut[LINE];
    bool tab_before;
};

static void out(const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(1, text, length);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0) {
            text += n;
            length -= (size_t)n;
        }
    }
}

static void out_text(const char *text)
{
    out(text, strlen(text));
}

/* ---- history ---- */

void edit_remember(const char *line)
{
    if (!line[strspn(line, " \t")] || (history_count && strcmp(history[history_count - 1], line) == 0))
        return;
    char *own = strdup(line);

    if (!own)
        return;
    if (history_count == HISTORY) {
        free(history[0]);
        memmove(history, history + 1, (HISTORY - 1) * sizeof(history[0]));
        history_count--;
        history_first++;
    }
    history[history_count++] = own;
}

void edit_history(void (*each)(int number, const char *line))
{
    for (int i = 0; i < history_count; i++)
        each(history_first + i, history[i]);
}

/* ---- drawing ---- */

static void redraw(struct edit *e)
{
    size_t prompt = strlen(e->prompt);
    size_t room = e->columns > prompt + 8 ? e->columns - prompt - 1 : 8;
    size_t from = e->at >= room ? e->at - room + 1 : 0;
    size_t shown = e->length - from < room ? e->length - from : room;
    char move[24];

    out_text("\r");
    out_text(e->prompt);
    out(e->text + from, shown);
    sniprintf(move, sizeof(move), "\033[K\r\033[%dC", (int)(prompt + e->at - from));
    out_text(move);
}

static void insert(struct edit *e, const char *text, size_t n)
{
    if (e->length + n >= LINE)
        return;
    bool simple = n == 1 && e->at == e->length && strlen(e->prompt) + e->length + 2 < e->columns;

    memmove(e->text + e->at + n, e->text + e->at, e->length - e->at);
    memcpy(e->text + e->at, text, n);
    e->length += n;
    e->at += n;
    if (simple)
        out(text, 1);
    else
        redraw(e);
}

static void cut(struct edit *e, size_t from, size_t to, bool keep)
{
    if (keep) {
        memcpy(e->cut, e->text + from, to - from);
        e->cut[to - from] = '\0';
    }
    memmove(e->text + from, e->text + to, e->length - to);
    e->length -= to - from;
    e->at = from;
    redraw(e);
}

static void recall(struct edit *e, int which)
{
    if (which < 0 || which > history_count)
        return;
    e->text[e->length] = '\0';
    if (e->recalled == history_count)
        strcpy(e->own, e->text);
    const char *line = which == history_count ? e->own : history[which];

    e->recalled = which;
    e->length = strlen(line) < LINE ? strlen(line) : LINE - 1;
    memcpy(e->text, line, e->length);
    e->at = e->length;
    redraw(e);
}

static size_t word_start(const struct edit *e)
{
    size_t at = e->at;

    while (at > 0 && e->text[at - 1] == ' ')
        at--;
    while (at > 0 && e->text[at - 1] != ' ')
        at--;
    return at;
}

/* ---- completion ---- */

static void show_choices(struct edit *e, const struct completions *c)
{
    size_t wide = 0, column = 0;

    for (int i = 0; i < c->count; i++)
        wide = strlen(c->names[i]) > wide ? strlen(c->names[i]) : wide;
    wide += 2;
    out_text("\n");
    for (int i = 0; i < c->count; i++) {
        out_text(c->names[i]);
        column += wide;
        if (column + wide > e->columns || i + 1 == c->count) {
            out_text("\n");
            column = 0;
        } else {
            for (size_t n = strlen(c->names[i]); n < wide; n++)
                out_text(" ");
        }
    }
    redraw(e);
}

static void complete(struct edit *e)
{
    struct completions c;

    e->text[e->length] = '\0';
    complete_word(e->text, e->at, &c);
    if (c.count > 0) {
        size_t common = strlen(c.names[0]);

        for (int i = 1; i < c.count; i++)
            for (size_t n = 0; n < common; n++)
                if (c.names[i][n] != c.names[0][n])
                    common = n;
        if (common > c.prefix)
            insert(e, c.names[0] + c.prefix, common - c.prefix);
        if (c.count == 1 && common && c.names[0][common - 1] != '/')
            insert(e, " ", 1);
        else if (c.count > 1 && common <= c.prefix && e->tab_before)
            show_choices(e, &c);
    }
    e->tab_before = true;
    complete_free(&c);
}

/* ---- keys ---- */

static void move(struct edit *e, size_t to)
{
    e->at = to;
    redraw(e);
}

static void edit_key(struct edit *e, int key)
{
    switch (key) {
    case CTRL('A'): case KEY_HOME:  move(e, 0); break;
    case CTRL('E'): case KEY_END:   move(e, e->length); break;
    case CTRL('B'): case KEY_LEFT:  move(e, e->at ? e->at - 1 : 0); break;
    case CTRL('F'): case KEY_RIGHT: move(e, e->at < e->length ? e->at + 1 : e->at); break;
    case CTRL('P'): case KEY_UP:    recall(e, e->recalled - 1); break;
    case CTRL('N'): case KEY_DOWN:  recall(e, e->recalled + 1); break;
    case CTRL('U'): cut(e, 0, e->at, true); break;
    case CTRL('W'): cut(e, word_start(e), e->at, true); break;
    case CTRL('K'): cut(e, e->at, e->length, true); e->at = e->length; break;
    case CTRL('Y'): insert(e, e->cut, strlen(e->cut)); break;
    case CTRL('L'): out_text("\033[H\033[2J"); redraw(e); break;
    case CTRL('D'): case KEY_DELETE:
        if (e->at < e->length)
            cut(e, e->at, e->at + 1, false);
        break;
    case 8: case 127:
        if (e->at > 0)
            cut(e, e->at - 1, e->at, false);
        break;
    default:
        if (key >= ' ' && key < 256) {
            char c = (char)key;

            insert(e, &c, 1);
        }
    }
}

/* ---- Ctrl-R: the last line in which a word is ---- */

static int look_back(int from, const char *wanted)
{
    while (from >= 0 && (from >= history_count || !strstr(history[from], wanted)))
        from--;
    return from;
}

/* Shows what was found as long as the word grows; the key that ends it is the line's, but for those that give it up. */
static int search_history(struct edit *e)
{
    char wanted[64] = "";
    int at = history_count, key, next;
    size_t n = 0;

    for (;;) {
        out_text("\r\033[K(search, ^R further) ");
        out_text(wanted);
        out_text(": ");
        if (at < history_count)
            out(history[at], strlen(history[at]) < e->columns / 2 ? strlen(history[at]) : e->columns / 2);
        key = screen_key(0);
        if (key == CTRL('R') || (key >= ' ' && key < 256 && key != 127 && n + 1 < sizeof(wanted))) {
            if (key != CTRL('R'))
                wanted[n++] = (char)key;
            wanted[n] = '\0';
            next = n ? look_back(key == CTRL('R') ? at - 1 : at, wanted) : -1;
            at = next >= 0 ? next : at;
            if (next < 0)
                out_text("\a");
        } else if ((key == 127 || key == 8) && n > 0) {
            wanted[--n] = '\0';
            at = n ? look_back(history_count, wanted) : history_count;
        } else {
            break;
        }
    }
    if (key != ESCAPE && key != CTRL('G') && key != CTRL('C') && at < history_count)
        recall(e, at);
    else
        redraw(e);
    return key == ESCAPE || key == CTRL('G') || key == CTRL('C') ? KEY_OTHER : key;
}

/* Until the line is done; false at end of input. */
static bool edit(struct edit *e)
{
    out_text(e->prompt);
    for (;;) {
        int key = screen_key(0);

        if (key == CTRL('R'))
            key = search_history(e);
        if (key == '\t') {
            complete(e);
            continue;
        }
        e->tab_before = false;
        if (key == KEY_GONE || (key == CTRL('D') && e->length == 0))
            return false;
        if (key == '\r' || key == '\n')
            return true;
        if (key == CTRL('C')) {
            out_text("^C");
            e->length = 0;
            shell.interrupted = 1;
            return true;
        }
        edit_key(e, key);
    }
}

static char *read_plain(const char *prompt)
{
    struct buffer line = { 0 };
    char c;

    out_text(prompt);
    put_text(&line, "");
    while (read(0, &c, 1) == 1) {
        put_byte(&line, c);
        if (c == '\n')
            break;
    }
    if (line.length && line.text[line.length - 1] == '\n')
        line.text[--line.length] = '\0';
    else if (!line.length)
        return NULL;
    return line.text;
}

char *edit_line(const char *prompt)
{
    static struct edit e;
    struct termios before;
    struct winsize size;

    if (!shell.interactive || !screen_raw(0, &before))
        return read_plain(prompt);
    memset(&e, 0, sizeof(e));
    e.prompt = prompt;
    e.columns = ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
    e.recalled = history_count;
    bool more = edit(&e);

    tcsetattr(0, TCSADRAIN, &before);
    out_text("\n");
    if (!more)
        return NULL;
    return strndup(e.text, e.length);
}

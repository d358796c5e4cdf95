/* SPDX-License-Identifier: MIT */
/* edit.c: `edit FILE`: a screen editor, for a configuration file that is to be mended at the console.
 *
 * The bottom row tells the keys. The screen's size is asked of the terminal, so that a serial console of any size will do; only rows
 * that changed are written, since the line is slow. text.c keeps the text and saves it; a file is replaced only by a whole one. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest-kernel/user/box/box.h"
#include "guest-kernel/user/box/screen.h"
#include "guest-kernel/user/edit/text.h"

#define KEYS "^S save  ^X leave  ^F find  ^Z undo  ^Y redo  ^K cut line  ^U put back"
#define MOST_ROWS 200

static struct {
    struct text text;
    char   path[256];
    size_t at, top;                  /* the cursor; where the first line on the screen begins */
    size_t left, column;             /* the first column on the screen; the one that up and down keep to */
    char  *cut;                      /* the lines cut last */
    size_t cut_length;
    bool   cutting;                  /* the last key cut a line, too: the next is added to it */
    char   wanted[64], note[200];
    unsigned rows, columns;          /* rows: of text */
    uint32_t shown[MOST_ROWS + 1];   /* a sum over what each row of the screen shows */
} e;

static void say(const char *what, const char *why)
{
    sniprintf(e.note, sizeof(e.note), what, why);
}

/* ---- the screen ---- */

/* Writes a row where it differs from what is there. */
static void put_row(unsigned row, const char *text, size_t n)
{
    uint32_t sum = 2166136261u;

    for (size_t i = 0; i < n; i++)
        sum = (sum ^ (unsigned char)text[i]) * 16777619u;
    if (e.shown[row] == sum)
        return;
    e.shown[row] = sum;
    iprintf("\033[%u;1H", row + 1);
    fwrite(text, 1, n, stdout);
    fputs("\033[K", stdout);
}

/* The part of a line that the window shows: tabs as spaces, other control characters as question marks. */
static void draw_line(unsigned row, size_t from)
{
    size_t end = text_line_end(&e.text, from), column = 0, n = 0;
    char cells[1024];

    for (size_t i = from; i < end && column < e.left + e.columns && n + 8 < sizeof(cells); i++) {
        unsigned char c = (unsigned char)e.text.bytes[i];
        bool inner = (c & 0xc0) == 0x80;
        size_t next = inner ? column : c == '\t' ? column + 8 - column % 8 : column + 1;

        if (c == '\t')
            for (; column < next; column++)
                if (column >= e.left && column < e.left + e.columns)
                    cells[n++] = ' ';
        if (c != '\t' && column >= e.left + inner)
            cells[n++] = c < ' ' || c == 127 ? '?' : (char)c;
        column = next;
    }
    put_row(row, cells, n);
}

static void draw_bottom(void)
{
    char line[400];
    unsigned number = 1;
    size_t n;

    for (size_t i = 0; i < e.at; i++)
        number += e.text.bytes[i] == '\n';
    if (e.note[0])
        n = (size_t)sniprintf(line, sizeof(line), "\033[7m%.*s\033[m", (int)e.columns - 1, e.note);
    else {
        char left[300];

        sniprintf(left, sizeof(left), "%s%s %u,%u  " KEYS, e.path, e.text.changed ? " (changed)" : "", number,
                  (unsigned)text_column(&e.text, e.at) + 1);
        n = (size_t)sniprintf(line, sizeof(line), "\033[7m%.*s\033[m", (int)e.columns - 1, left);
    }
    put_row(e.rows, line, n);
}

/* The window follows the cursor. */
static unsigned scroll(void)
{
    size_t line = text_line(&e.text, e.at), column = text_column(&e.text, e.at), at;
    unsigned row = 0;

    if (line < e.top)
        e.top = line;
    for (at = line; at > e.top; at = text_line(&e.text, at - 1))
        row++;
    for (; row >= e.rows; row--) {
        e.top = text_line_end(&e.text, e.top) + 1;
    }
    if (column < e.left || column >= e.left + e.columns - 1)
        e.left = column < e.columns - 1 ? 0 : column - e.columns / 2;
    return row;
}

static void draw(void)
{
    unsigned cursor = scroll();
    size_t from = e.top;
    bool more = true;

    for (unsigned row = 0; row < e.rows; row++) {
        if (more)
            draw_line(row, from);
        else
            put_row(row, "~", 1);
        size_t end = text_line_end(&e.text, from);

        more = more && end < e.text.length;
        from = end + 1;
    }
    draw_bottom();
    iprintf("\033[%u;%uH", cursor + 1, (unsigned)(text_column(&e.text, e.at) - e.left) + 1);
    fflush(stdout);
}

static void new_screen(void)
{
    struct winsize size = { .ws_row = 24, .ws_col = 80 };

    screen_ask_size(0);
    ioctl(1, TIOCGWINSZ, &size);
    e.rows = size.ws_row < 2 ? 23 : size.ws_row > MOST_ROWS ? MOST_ROWS : size.ws_row - 1u;
    e.columns = size.ws_col < 10 ? 80 : size.ws_col > 1000 ? 1000 : size.ws_col;
    memset(e.shown, 0, sizeof(e.shown));
    fputs("\033[2J", stdout);
}

/* ---- the bottom row asks ---- */

static int ask_key(const char *question, const char *so_far)
{
    sniprintf(e.note, sizeof(e.note), "%s%s", question, so_far);
    draw_bottom();
    iprintf("\033[%u;%uH", e.rows + 1, (unsigned)strlen(e.note) + 1);
    fflush(stdout);
    e.note[0] = '\0';
    return screen_key(0);
}

/* False: it was given up, with Escape or Ctrl-C. */
static bool ask(const char *question, char *answer, size_t room)
{
    size_t n = strlen(answer);

    for (;;) {
        int key = ask_key(question, answer);

        if (key == '\r' || key == '\n')
            return n > 0;
        if (key == ESCAPE || key == CTRL('C') || key == KEY_GONE)
            return false;
        if ((key == 127 || key == 8) && n > 0)
            n--;
        else if (key == CTRL('U'))
            n = 0;
        else if (key >= ' ' && key < 256 && key != 127 && n + 1 < room)
            answer[n++] = (char)key;
        answer[n] = '\0';
    }
}

static bool save(void)
{
    if (text_overtaken(&e.text, e.path) && ask_key("The file was changed by somebody else. Write over it? y or n ", "") != 'y') {
        say("not saved", NULL);
        return false;
    }
    const char *wrong = text_save(&e.text, e.path);
    char why[160];

    sniprintf(why, sizeof(why), "%.80s: %s", e.path, wrong ? wrong : "saved");
    say(wrong ? "NOT SAVED, and the file is as it was: %s. ^W saves elsewhere." : "%s", why);
    return !wrong;
}

static void save_elsewhere(void)
{
    char path[sizeof(e.path)], before[sizeof(e.path)];
    struct stat was = e.text.file;

    strcpy(path, e.path);
    strcpy(before, e.path);
    if (!ask("Save as: ", path, sizeof(path)))
        return;
    strcpy(e.path, path);
    if (strcmp(path, before) != 0)
        memset(&e.text.file, 0, sizeof(e.text.file));    /* a file of that name is another one, and asked for */
    if (!save()) {
        strcpy(e.path, before);
        e.text.file = was;
    }
}

/* Whether the editor may end. */
static bool leave(void)
{
    if (!e.text.changed)
        return true;
    int key = ask_key("Save what was changed? y, n, or another key goes on ", "");

    return key == 'n' || (key == 'y' && save());
}

static void find(bool ask_first)
{
    if (ask_first && !ask("Find: ", e.wanted, sizeof(e.wanted)))
        return;
    size_t to = text_find(&e.text, e.at, e.wanted);

    if (to == TEXT_NONE)
        say("\"%s\" is not there", e.wanted);
    else
        e.at = to;
}

/* ---- keys ---- */

static void put(size_t at, size_t drop, const char *bytes, size_t n)
{
    if (text_put(&e.text, at, drop, bytes, n))
        e.at = at + n;
    else
        say("not enough memory for that: nothing was changed", NULL);
}

static void cut_line(void)
{
    size_t from = text_line(&e.text, e.at), end = text_line_end(&e.text, e.at);
    size_t n = end + (end < e.text.length) - from, kept = e.cutting ? e.cut_length : 0;
    char *cut = realloc(e.cut, kept + n + 1);

    if (!cut)
        return say("not enough memory for that: nothing was changed", NULL);
    memcpy(cut + kept, e.text.bytes ? e.text.bytes + from : "", n);
    e.cut = cut;
    e.cut_length = kept + n;
    text_part(&e.text);
    put(from, n, NULL, 0);
}

static void go(size_t to)
{
    e.at = to;
    text_part(&e.text);
}

/* Up (by < 0) or down by so many lines, in the same column as far as there is one. */
static void go_lines(int by)
{
    size_t line = text_line(&e.text, e.at);

    for (; by < 0 && line > 0; by++)
        line = text_line(&e.text, line - 1);
    for (size_t end; by > 0 && (end = text_line_end(&e.text, line)) < e.text.length; by--)
        line = end + 1;
    go(text_at_column(&e.text, line, e.column));
}

static void step_back(bool again)
{
    size_t to = again ? text_redo(&e.text) : text_undo(&e.text);

    if (to == TEXT_NONE)
        say(again ? "nothing to do again" : "nothing to undo", NULL);
    else
        e.at = to;
}

static void type(int key)
{
    char c = key == '\r' ? '\n' : (char)key;

    if (c == '\n')
        text_part(&e.text);
    if (key < 256 && ((unsigned char)c >= ' ' || c == '\n' || c == '\t'))
        put(e.at, 0, &c, 1);
}

/* False: that was all. */
static bool handle(int key)
{
    bool vertical = key == KEY_UP || key == KEY_DOWN || key == KEY_PAGE_UP || key == KEY_PAGE_DOWN;

    switch (key) {
    case KEY_UP:        case CTRL('P'): go_lines(-1); break;
    case KEY_DOWN:      case CTRL('N'): go_lines(1); break;
    case KEY_PAGE_UP:                   go_lines(-(int)e.rows); break;
    case KEY_PAGE_DOWN: case CTRL('V'): go_lines((int)e.rows); break;
    case KEY_LEFT:      case CTRL('B'): go(text_back(&e.text, e.at)); break;
    case KEY_RIGHT:                     go(text_forward(&e.text, e.at)); break;
    case KEY_HOME:      case CTRL('A'): go(text_line(&e.text, e.at)); break;
    case KEY_END:       case CTRL('E'): go(text_line_end(&e.text, e.at)); break;
    case KEY_DELETE:    case CTRL('D'): put(e.at, text_forward(&e.text, e.at) - e.at, NULL, 0); break;
    case 8: case 127: {
        size_t from = text_back(&e.text, e.at);

        put(from, e.at - from, NULL, 0);
        break;
    }
    case CTRL('K'): cut_line(); break;
    case CTRL('U'): text_part(&e.text); put(e.at, 0, e.cut, e.cut ? e.cut_length : 0); text_part(&e.text); break;
    case CTRL('Z'): step_back(false); break;
    case CTRL('Y'): step_back(true); break;
    case CTRL('F'): find(true); break;
    case CTRL('G'): find(false); break;
    case CTRL('S'): save(); break;
    case CTRL('W'): save_elsewhere(); break;
    case CTRL('L'): new_screen(); break;
    case CTRL('C'): say("^X leaves, ^S saves", NULL); break;
    case CTRL('X'): case CTRL('Q'):
        if (leave())
            return false;
        break;
    default: type(key);
    }
    e.cutting = key == CTRL('K');
    if (!vertical)
        e.column = text_column(&e.text, e.at);
    return true;
}

/* The terminal is gone: what was changed is kept beside the file. */
static void rescue(void)
{
    char path[sizeof(e.path) + 8];

    sniprintf(path, sizeof(path), "%s.rescued", e.path);
    if (e.text.changed)
        text_save(&e.text, path);
}

int edit_main(int argc, char **argv)
{
    struct termios before;
    const char *wrong;
    int key = 0;

    if (argc != 2 || argv[1][0] == '-' || strlen(argv[1]) >= sizeof(e.path) - 16)
        return usage("FILE      its bottom row tells the keys");
    if (!isatty(1) || !isatty(0)) {
        fiprintf(stderr, "edit: it needs a terminal; in a script, echo and cat write files\n");
        return 1;
    }
    strcpy(e.path, argv[1]);
    if ((wrong = text_load(&e.text, e.path))) {
        fiprintf(stderr, "edit: %s: %s\n", e.path, wrong);
        return 1;
    }
    if (!screen_raw(0, &before))
        return fail("the terminal");
    new_screen();
    if (!e.text.file.st_ino)
        say("%s is new: it exists as soon as it is saved (^S)", e.path);
    do {
        if (!screen_waiting(0, 0))
            draw();
        e.note[0] = '\0';
        key = screen_key(0);
    } while (key != KEY_GONE && handle(key));
    if (key == KEY_GONE)
        rescue();
    tcsetattr(0, TCSADRAIN, &before);
    iprintf("\033[%u;1H\033[K", e.rows + 1);
    if (e.note[0])
        iprintf("%s\n", e.note);
    return 0;
}

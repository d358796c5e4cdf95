/* SPDX-License-Identifier: MIT */
/* pager.c: more and less: text, a screen at a time.
 *
 * The whole text is taken in first, so that one can go back; what comes from a pipe has its keys from the terminal. Where
 * the output is no terminal it is copied through.                                                       */
#include "guest-kernel/user/box/box.h"
#include "guest-kernel/user/box/screen.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define HELP "-- %s %d%% -- space b: screens, enter k: lines, g G: ends, /: search, n: again, q: leaves"

static struct {
    char  *bytes;
    size_t length, room;
    char **line;                     /* each ended by 0 */
    int    lines, top;
    int    rows, columns, keys;
    char   wanted[64];
    const char *note;
} p;

static int take(int fd, const char *name)
{
    ssize_t n = 1;

    (void)name;
    while (n > 0) {
        if (p.length + 4097 > p.room) {
            char *more = realloc(p.bytes, p.room += 65536);

            if (!more)
                return fail("not enough memory");
            p.bytes = more;
        }
        n = read(fd, p.bytes + p.length, 4096);
        p.length += n > 0 ? (size_t)n : 0;
    }
    return n < 0 ? fail(name) : 0;
}

static bool cut_lines(void)
{
    int room = 1;

    for (size_t i = 0; i < p.length; i++)
        room += p.bytes[i] == '\n';
    p.line = calloc((size_t)room, sizeof(char *));
    if (!p.line || !p.bytes)
        return false;
    p.bytes[p.length] = '\0';
    for (char *at = p.bytes; at < p.bytes + p.length; at += strlen(at) + 1) {
        p.line[p.lines++] = at;
        at[strcspn(at, "\n")] = '\0';
    }
    return true;
}

/* One line of the screen; control characters would move the cursor. */
static void show_line(const char *text)
{
    int at = 0;

    for (; *text && at < p.columns - 1; text++) {
        int width = *text == '\t' ? 8 - at % 8 : 1;

        for (int i = 0; i < width && at < p.columns - 1; i++, at++)
            putchar(*text == '\t' ? ' ' : (unsigned char)*text < ' ' ? '?' : *text);
    }
    fputs("\033[K\r\n", stdout);
}

static void show(void)
{
    int most = p.lines - p.rows;
    char status[160];

    p.top = p.top > most ? most : p.top;
    p.top = p.top < 0 ? 0 : p.top;
    fputs("\033[H", stdout);
    for (int i = 0; i < p.rows; i++)
        show_line(p.top + i < p.lines ? p.line[p.top + i] : "~");
    sniprintf(status, sizeof(status), HELP, p.note ? p.note : box_name, p.lines > p.rows ? (p.top + p.rows) * 100 / p.lines : 100);
    iprintf("\033[7m%.*s\033[m\033[K", p.columns - 1, status);
    fflush(stdout);
    p.note = NULL;
}

static void ask_search(void)
{
    size_t n = 0;
    int c;

    fputs("\r\033[K/", stdout);
    fflush(stdout);
    while ((c = screen_key(p.keys)) != '\r' && c != '\n' && c != 3 && c != ESCAPE && c != KEY_GONE) {
        if ((c == 127 || c == 8) && n > 0) {
            n--;
            fputs("\b \b", stdout);
        } else if (c >= ' ' && c < 256 && c != 127 && n + 1 < sizeof(p.wanted)) {
            p.wanted[n++] = (char)c;
            putchar(c);
        }
        fflush(stdout);
    }
    p.wanted[c == ESCAPE || c == 3 ? 0 : n] = '\0';
}

static void search(void)
{
    for (int i = p.top + 1; p.wanted[0] && i < p.lines; i++)
        if (strstr(p.line[i], p.wanted)) {
            p.top = i;
            return;
        }
    p.note = "not found";
}

static void browse(void)
{
    for (;;) {
        show();
        switch (screen_key(p.keys)) {
        case 'q': case 'Q': case 3: case KEY_GONE: return;
        case ' ': case 'f': case KEY_PAGE_DOWN: p.top += p.rows; break;
        case 'b': case KEY_PAGE_UP: p.top -= p.rows; break;
        case '\r': case '\n': case 'j': case KEY_DOWN: p.top++; break;
        case 'k': case KEY_UP: p.top--; break;
        case 'g': case '<': case KEY_HOME: p.top = 0; break;
        case 'G': case '>': case KEY_END: p.top = p.lines; break;
        case '/': ask_search(); search(); break;
        case 'n': search(); break;
        }
    }
}

int more_main(int argc, char **argv)
{
    struct termios before;
    struct winsize size = { .ws_row = 24, .ws_col = 80 };
    int status;

    if (argc > 1 && argv[1][0] == '-' && argv[1][1])
        return usage("[FILE...]");
    if (argc == 1 && isatty(0))
        return usage("[FILE...]      or behind a pipe: PROGRAM | less");
    status = each_file(argc, argv, 1, take);
    if (!p.length || !isatty(1))
        return fwrite(p.bytes, 1, p.length, stdout) == p.length ? status : 1;
    p.keys = isatty(0) ? 0 : open("/dev/tty", O_RDWR);
    ioctl(1, TIOCGWINSZ, &size);
    p.rows = size.ws_row > 2 ? size.ws_row - 1 : 23;
    p.columns = size.ws_col > 10 ? size.ws_col : 80;
    if (!cut_lines() || !screen_raw(p.keys, &before))
        return fail("the terminal");
    browse();
    tcsetattr(p.keys, TCSANOW, &before);
    fputs("\r\033[K", stdout);
    return status;
}

int less_main(int argc, char **argv)
{
    return more_main(argc, argv);
}

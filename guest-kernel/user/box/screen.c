/* SPDX-License-Identifier: MIT */
/* screen.c: keys and sizes of a terminal (screen.h), and `resize`. */
#include "guest-kernel/user/box/screen.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "guest-kernel/user/box/box.h"

#define ANSWER_MS 300

/* Keys that were typed while the terminal was asked for its size. */
static char ahead[64];
static size_t ahead_count;

bool screen_waiting(int fd, int ms)
{
    struct pollfd p = { fd, POLLIN, 0 };

    return ahead_count || poll(&p, 1, ms) > 0;
}

static int next_byte(int fd)
{
    unsigned char c;

    if (ahead_count) {
        c = (unsigned char)ahead[0];
        memmove(ahead, ahead + 1, --ahead_count);
        return c;
    }
    for (;;) {
        ssize_t n = read(fd, &c, 1);

        if (n == 1)
            return c;
        if (n == 0 || errno != EINTR)
            return KEY_GONE;
    }
}

int screen_key(int fd)
{
    static const short by_number[10] = { 0, KEY_HOME, 0, KEY_DELETE, KEY_END, KEY_PAGE_UP, KEY_PAGE_DOWN, KEY_HOME, KEY_END, 0 };
    int c = next_byte(fd), number = 0;

    if (c != ESCAPE || !screen_waiting(fd, ANSWER_MS))
        return c;
    c = next_byte(fd);
    if (c != '[' && c != 'O')
        return KEY_OTHER;
    for (c = next_byte(fd); (c >= '0' && c <= '9') || c == ';'; c = next_byte(fd))
        number = c == ';' ? 0 : (number * 10 + c - '0') % 100;
    switch (c) {
    case 'A': return KEY_UP;
    case 'B': return KEY_DOWN;
    case 'C': return KEY_RIGHT;
    case 'D': return KEY_LEFT;
    case 'H': return KEY_HOME;
    case 'F': return KEY_END;
    case '~': return number < 10 && by_number[number] ? by_number[number] : KEY_OTHER;
    default:  return KEY_OTHER;
    }
}

bool screen_raw(int fd, struct termios *before)
{
    struct termios raw;

    if (tcgetattr(fd, before) < 0)
        return false;
    raw = *before;
    raw.c_iflag &= ~(unsigned)IXON;      /* and ICRNL stays: what is typed ahead may be another program's line */
    raw.c_lflag &= ~(unsigned)(ICANON | ECHO | ISIG | IEXTEN);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    return tcsetattr(fd, TCSADRAIN, &raw) == 0;
}

bool screen_ask_size(int fd)
{
    static const char question[] = "\0337\033[999;999H\033[6n\0338";
    struct winsize size = { 0 };
    char got[sizeof(ahead)], *answer = NULL;
    unsigned rows = 0, columns = 0;
    size_t n = 0;

    if (write(1, question, sizeof(question) - 1) < 0)
        return false;
    while (n + 1 < sizeof(got) && screen_waiting(fd, ANSWER_MS) && read(fd, &got[n], 1) == 1) {
        got[++n] = '\0';
        answer = got[n - 1] == 'R' ? strstr(got, "\033[") : NULL;
        if (answer)
            break;
    }
    ahead_count = answer ? (size_t)(answer - got) : n;
    memcpy(ahead, got, ahead_count);
    if (!answer || siscanf(answer, "\033[%u;%uR", &rows, &columns) != 2 || rows < 2 || columns < 10)
        return false;
    size.ws_row = (unsigned short)rows;
    size.ws_col = (unsigned short)columns;
    return ioctl(1, TIOCSWINSZ, &size) == 0;
}

int resize_main(int argc, char **argv)
{
    struct termios before;
    struct winsize size = { 0 };

    if (argc > 1)
        return usage("");
    if (!screen_raw(0, &before))
        return fail("standard input");
    bool answered = screen_ask_size(0);

    tcsetattr(0, TCSADRAIN, &before);
    ioctl(1, TIOCGWINSZ, &size);
    iprintf("%d rows, %d columns%s\n", size.ws_row, size.ws_col,
            answered ? "" : ": the terminal did not say; `stty rows N cols N` sets them");
    return !answered;
}

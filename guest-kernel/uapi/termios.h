/* SPDX-License-Identifier: MIT */
/* termios.h: the terminal's settings and its ioctls. Numbers are those that Linux programs know. */
#ifndef NOVICE_UAPI_TERMIOS_H
#define NOVICE_UAPI_TERMIOS_H

#define NCCS 32

struct termios {
    unsigned int  c_iflag, c_oflag, c_cflag, c_lflag;
    unsigned char c_line;
    unsigned char c_cc[NCCS];
    unsigned int  c_ispeed, c_ospeed;
};

struct winsize { unsigned short ws_row, ws_col, ws_xpixel, ws_ypixel; };

#define VINTR    0
#define VQUIT    1
#define VERASE   2
#define VKILL    3
#define VEOF     4
#define VTIME    5
#define VMIN     6
#define VSTART   8
#define VSTOP    9
#define VSUSP    10
#define VEOL     11
#define VWERASE  14

#define INLCR    0000100      /* c_iflag */
#define IGNCR    0000200
#define ICRNL    0000400
#define BRKINT   0000002
#define INPCK    0000020
#define ISTRIP   0000040
#define IXON     0002000
#define OPOST    0000001      /* c_oflag */
#define ONLCR    0000004
#define CS8      0000060      /* c_cflag */
#define CSIZE    0000060
#define PARENB   0000400
#define CREAD    0000200
#define HUPCL    0002000
#define CLOCAL   0004000
#define B115200  0010002
#define ISIG     0000001      /* c_lflag */
#define ICANON   0000002
#define ECHO     0000010
#define ECHOE    0000020
#define ECHOK    0000040
#define ECHONL   0000100
#define NOFLSH   0000200
#define TOSTOP   0000400
#define ECHOCTL  0001000
#define IEXTEN   0100000

#define TCSANOW   0
#define TCSADRAIN 1
#define TCSAFLUSH 2

#define TCGETS     0x5401     /* struct termios *    */
#define TCSETS     0x5402     /* + TCSA*: NOW, DRAIN, FLUSH */
#define TCSETSW    0x5403
#define TCSETSF    0x5404
#define TCFLSH     0x540b
#define TIOCSCTTY  0x540e     /* make it the session's terminal */
#define TIOCGPGRP  0x540f     /* int *: foreground group */
#define TIOCSPGRP  0x5410
#define TIOCGWINSZ 0x5413     /* struct winsize *    */
#define TIOCSWINSZ 0x5414
#define FIONREAD   0x541b     /* int *: bytes that a read would give; pipes and FIFOs too */
#define FIONBIO    0x5421     /* int *: set or clear O_NONBLOCK; any file */
#define TIOCNOTTY  0x5422
#define TIOCGSID   0x5429
#define TIOCGPTN   0x80045430 /* int *: number N of /dev/pts/N, on a /dev/ptmx file */
#define TIOCSPTLCK 0x40045431 /* accepted: never locked */

#endif

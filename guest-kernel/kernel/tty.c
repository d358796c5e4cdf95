/* SPDX-License-Identifier: MIT */
/* tty.c: the line discipline, between keys and programs.
 *
 * Input lies in a ring: [tail, head) may be read, [head, edit) is the line that is still being typed and edited. In raw
 * mode every byte may be read at once. A zero byte in the ring marks ^D: it ends a line and is not delivered.     */
#include "guest-kernel/kernel/tty.h"
#include "guest-kernel/kernel/syscalls.h"

#define MASK (TTY_BUFFER - 1)
#define END_MARK 0

static const unsigned char default_cc[NCCS] = {
    [VINTR] = 3, [VQUIT] = 28, [VERASE] = 127, [VKILL] = 21, [VEOF] = 4, [VMIN] = 1, [VSTART] = 17, [VSTOP] = 19,
    [VSUSP] = 26, [VWERASE] = 23,
};

void tty_init(struct tty *t)
{
    t->term = (struct termios){
        .c_iflag = ICRNL | IXON, .c_oflag = OPOST | ONLCR, .c_cflag = CS8 | CREAD | CLOCAL | B115200,
        .c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | IEXTEN,
    };
    memcpy(t->term.c_cc, default_cc, sizeof(default_cc));
    t->size = (struct winsize){ 24, 80, 0, 0 };
    wait_init(&t->readers);
    wait_init(&t->writers);
}

static bool canonical(const struct tty *t) { return t->term.c_lflag & ICANON; }
static bool local(const struct tty *t, unsigned flag) { return t->term.c_lflag & flag; }
static unsigned readable(const struct tty *t) { return t->head - t->tail; }

/* ---- Output ---- */

static size_t room(struct tty *t) { return t->room ? t->room(t) : ~0ul; }

/* Echo is dropped rather than waited for. */
static void emit(struct tty *t, const char *text, size_t n)
{
    if (n <= room(t))
        t->output(t, text, n);
}

/* Converts up to n bytes, as much as there is room for; returns how many were taken. */
static size_t process_output(struct tty *t, const char *text, size_t n)
{
    char out[256];
    size_t used = 0, taken = 0, limit = MIN(room(t), sizeof(out));
    bool crlf = (t->term.c_oflag & (OPOST | ONLCR)) == (OPOST | ONLCR);
    while (taken < n) {
        bool two = crlf && text[taken] == '\n';
        if (used + 1 + two > limit)
            break;
        if (two)
            out[used++] = '\r';
        out[used++] = text[taken++];
    }
    if (used)
        t->output(t, out, used);
    return taken;
}

/* A background process that may not touch the terminal is told so: -EIO if it does not listen, else it is stopped. */
static int background(struct tty *t, int sig)
{
    struct proc *p = current;
    if (p->tty != t || t->pgrp == 0 || p->pgid == t->pgrp)
        return 0;
    if ((p->sig.blocked & SIGBIT(sig)) || p->sig.action[sig].handler == SIG_IGN)
        return sig == SIGTTIN ? -EIO : 0;
    signal_send_group(p->pgid, sig);
    return -EINTR;
}

long tty_write(struct tty *t, struct file *f, uptr_t buf, size_t n)
{
    char chunk[128];
    size_t done = 0;
    int rc = local(t, TOSTOP) ? background(t, SIGTTOU) : 0;
    if (rc)
        return rc;
    while (done < n) {
        if (t->hung_up)
            return done ? (long)done : -EIO;
        size_t piece = MIN(n - done, sizeof(chunk));
        if (copy_from_user(chunk, buf + done, piece))
            return done ? (long)done : -EFAULT;
        size_t taken = t->stopped ? 0 : process_output(t, chunk, piece);
        done += taken;
        if (taken)
            continue;
        if (f->flags & O_NONBLOCK)
            return done ? (long)done : -EAGAIN;
        if (sleep_on(&t->writers, FOREVER, true))
            return done ? (long)done : -EINTR;
    }
    return done;
}

/* ---- Input ---- */

static void echo(struct tty *t, char c)
{
    if (!local(t, ECHO) && !(local(t, ECHONL) && c == '\n'))
        return;
    if (c == '\n') {
        emit(t, "\r\n", 2);
    } else if ((unsigned char)c < 32 && c != '\t' && local(t, ECHOCTL)) {
        char shown[2] = { '^', c + '@' };
        emit(t, shown, 2);
    } else {
        emit(t, &c, 1);
    }
}

static void rub_out(struct tty *t, char c)
{
    if (!local(t, ECHO) || !local(t, ECHOE))
        return;
    emit(t, "\b \b", 3);
    if ((unsigned char)c < 32 && local(t, ECHOCTL))
        emit(t, "\b \b", 3);
}

static bool erase_one(struct tty *t)
{
    if (t->edit == t->head)
        return false;
    t->edit--;
    rub_out(t, t->buf[t->edit & MASK]);
    return true;
}

static void erase_word(struct tty *t)
{
    while (t->edit != t->head && t->buf[(t->edit - 1) & MASK] == ' ')
        erase_one(t);
    while (t->edit != t->head && t->buf[(t->edit - 1) & MASK] != ' ')
        erase_one(t);
}

static void commit(struct tty *t)
{
    t->head = t->edit;
    wake_all(&t->readers);
}

static void put(struct tty *t, char c)
{
    if (t->edit - t->tail < TTY_BUFFER)
        t->buf[t->edit++ & MASK] = c;
}

static void flush_input(struct tty *t)
{
    t->tail = t->head = t->edit;
    t->lines = 0;
}

static bool input_signal(struct tty *t, unsigned char c)
{
    const unsigned char *cc = t->term.c_cc;
    int sig = c == cc[VINTR] ? SIGINT : c == cc[VQUIT] ? SIGQUIT : c == cc[VSUSP] ? SIGTSTP : 0;
    if (!local(t, ISIG) || !sig || !c)
        return false;
    if (!local(t, NOFLSH))
        flush_input(t);
    echo(t, c);
    if (t->pgrp)
        signal_send_group(t->pgrp, sig);
    return true;
}

static bool input_flow(struct tty *t, unsigned char c)
{
    if (!(t->term.c_iflag & IXON) || (c != t->term.c_cc[VSTART] && c != t->term.c_cc[VSTOP]))
        return false;
    t->stopped = c == t->term.c_cc[VSTOP];
    if (!t->stopped)
        wake_all(&t->writers);
    return true;
}

static void input_canonical(struct tty *t, unsigned char c)
{
    const unsigned char *cc = t->term.c_cc;
    if (c == cc[VERASE] || c == '\b') {
        erase_one(t);
    } else if (c == cc[VKILL]) {
        while (erase_one(t))
            ;
    } else if (c == cc[VWERASE] && local(t, IEXTEN)) {
        erase_word(t);
    } else if (c == '\n' || (c && c == cc[VEOL]) || c == cc[VEOF]) {
        if (c != cc[VEOF])
            echo(t, c);
        if (t->edit - t->tail == TTY_BUFFER)        /* full: the end of the line must fit */
            t->edit--;
        put(t, c == cc[VEOF] ? END_MARK : c);
        t->lines++;
        commit(t);
    } else if (c != END_MARK && t->edit - t->tail < TTY_BUFFER - 1) {
        put(t, c);
        echo(t, c);
    }
}

static void input_one(struct tty *t, unsigned char c)
{
    if (c == '\r' && (t->term.c_iflag & IGNCR))
        return;
    if (c == '\r' && (t->term.c_iflag & ICRNL))
        c = '\n';
    else if (c == '\n' && (t->term.c_iflag & INLCR))
        c = '\r';
    if (input_signal(t, c) || input_flow(t, c))
        return;
    if (canonical(t)) {
        input_canonical(t, c);
        return;
    }
    put(t, c);
    echo(t, c);
    commit(t);
}

void tty_input(struct tty *t, const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        input_one(t, text[i]);
}

void tty_hangup(struct tty *t)
{
    t->hung_up = true;
    if (t->session) {
        signal_send_group(t->pgrp ? t->pgrp : t->session, SIGHUP);
        signal_send_group(t->pgrp ? t->pgrp : t->session, SIGCONT);
    }
    wake_all(&t->readers);
    wake_all(&t->writers);
}

/* ---- Reading ---- */

/* Up to a line's end, which is delivered unless it is ^D. */
static long take_line(struct tty *t, uptr_t buf, size_t n)
{
    size_t done = 0;
    while (done < n && readable(t)) {
        char c = t->buf[t->tail & MASK];
        if (c != END_MARK && copy_to_user(buf + done, &c, 1))
            return -EFAULT;
        t->tail++;
        done += c != END_MARK;
        if (c == '\n' || c == END_MARK || (c && (unsigned char)c == t->term.c_cc[VEOL])) {
            t->lines--;
            break;
        }
    }
    return done;
}

static long take_bytes(struct tty *t, uptr_t buf, size_t n)
{
    size_t done = 0;
    for (; done < n && readable(t); done++) {
        char c = t->buf[t->tail & MASK];
        if (copy_to_user(buf + done, &c, 1))
            return done ? (long)done : -EFAULT;
        t->tail++;
    }
    return done;
}

/* Waits for a byte in raw mode: VMIN 0 means not to wait, or VTIME tenths of a second. */
static int wait_bytes(struct tty *t, size_t n)
{
    unsigned min = t->term.c_cc[VMIN], time = t->term.c_cc[VTIME];
    uint64_t deadline = time ? plat_clock_ns() + time * NSEC_PER_SEC / 10 : min ? FOREVER : 0;
    min = MIN(MAX(min, 1u), MIN(n, (size_t)TTY_BUFFER));
    while (readable(t) < min && !t->hung_up && !canonical(t)) {
        if (deadline == 0)
            return 0;
        int rc = sleep_on(&t->readers, time && t->term.c_cc[VMIN] && !readable(t) ? FOREVER : deadline, true);
        if (rc == -ETIMEDOUT)
            return 0;
        if (rc)
            return rc;
    }
    return 0;
}

static bool ready(const struct tty *t)
{
    return t->hung_up || (canonical(t) ? t->lines > 0 : readable(t) >= MAX(t->term.c_cc[VMIN], 1u));
}

long tty_read(struct tty *t, struct file *f, uptr_t buf, size_t n)
{
    int rc = background(t, SIGTTIN);
    if (rc || n == 0)
        return rc;
    if (!ready(t) && (f->flags & O_NONBLOCK) && !readable(t))
        return -EAGAIN;
    if (!(f->flags & O_NONBLOCK)) {
        rc = canonical(t) ? wait_event(&t->readers, ready(t) || !canonical(t)) : wait_bytes(t, n);
        if (rc)
            return rc;
    }
    if (t->hung_up && !readable(t))
        return 0;
    return canonical(t) ? take_line(t, buf, n) : take_bytes(t, buf, n);
}

short tty_poll(struct tty *t, struct poll_table *table)
{
    poll_wait(table, &t->readers);
    poll_wait(table, &t->writers);
    return (ready(t) ? POLLIN : 0) | (t->hung_up ? POLLHUP : 0) | (!t->stopped && room(t) >= 2 ? POLLOUT : 0);
}

/* ---- Settings ---- */

static long set_termios(struct tty *t, uptr_t arg, bool flush)
{
    struct termios n;
    if (copy_from_user(&n, arg, sizeof(n)))
        return -EFAULT;
    bool was = canonical(t);
    t->term = n;
    if (flush)
        flush_input(t);
    if (was != canonical(t)) {                      /* what was typed so far becomes readable, or one line */
        t->head = t->edit;
        t->lines = canonical(t) && readable(t) ? 1 : 0;
    }
    wake_all(&t->readers);
    return 0;
}

static long set_foreground(struct tty *t, uptr_t arg)
{
    int pgrp;
    if (copy_from_user(&pgrp, arg, sizeof(pgrp)))
        return -EFAULT;
    if (current->tty != t)
        return -ENOTTY;
    int rc = background(t, SIGTTOU);
    if (rc)
        return rc;
    list_for (p, &all_procs, struct proc, all) {
        if (p->pgid == pgrp && p->sid == t->session) {
            t->pgrp = pgrp;
            return 0;
        }
    }
    return -EPERM;
}

static void take_terminal(struct tty *t)
{
    list_for (p, &all_procs, struct proc, all)
        if (p->tty == t && p->sid != current->sid)
            p->tty = 0;
    t->session = current->sid;
    t->pgrp = current->pgid;
    current->tty = t;
}

void tty_adopt(struct tty *t, const struct file *f)
{
    if (!(f->flags & O_NOCTTY) && current->sid == current->pid && !current->tty && !t->session)
        take_terminal(t);
}

static long set_size(struct tty *t, uptr_t arg)
{
    struct winsize w;
    if (copy_from_user(&w, arg, sizeof(w)))
        return -EFAULT;
    if (memcmp(&w, &t->size, sizeof(w)) != 0 && t->pgrp)
        signal_send_group(t->pgrp, SIGWINCH);
    t->size = w;
    return 0;
}

static long put_int(uptr_t arg, int v) { return copy_to_user(arg, &v, sizeof(v)); }

long tty_ioctl(struct tty *t, struct file *f, unsigned long cmd, uptr_t arg)
{
    switch (cmd) {
    case TCGETS:
        return copy_to_user(arg, &t->term, sizeof(t->term));
    case TCSETS:
    case TCSETSW:
    case TCSETSF: {
        int rc = background(t, SIGTTOU);
        return rc ? rc : set_termios(t, arg, cmd == TCSETSF);
    }
    case TCFLSH:
        flush_input(t);
        return 0;
    case TIOCGPGRP:
        return current->tty == t ? put_int(arg, t->pgrp) : -ENOTTY;
    case TIOCSPGRP:
        return set_foreground(t, arg);
    case TIOCGSID:
        return put_int(arg, t->session);
    case TIOCGWINSZ:
        return copy_to_user(arg, &t->size, sizeof(t->size));
    case TIOCSWINSZ:
        return set_size(t, arg);
    case FIONREAD:
        return put_int(arg, readable(t));
    case TIOCSCTTY:                                 /* init has the console until a shell asks for it */
        if (current->sid != current->pid || (t->session > 1 && t->session != current->sid))
            return -EPERM;
        take_terminal(t);
        return 0;
    case TIOCNOTTY:
        if (current->tty != t)
            return -ENOTTY;
        current->tty = 0;
        return 0;
    default:
        return -ENOTTY;
    }
}

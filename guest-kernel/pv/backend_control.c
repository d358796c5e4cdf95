/* SPDX-License-Identifier: MIT */
/* backend_control.c: /dev/xen/backend. A write of "stop vbd" or "start vbd" returns when it is done; a read tells of each backend
 * "vbd running 2": its state and how many devices it serves.                                                    */
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/usercopy.h"
#include "guest-kernel/pv/backend_control.h"

#define TYPES 4

static struct {
    struct backend {
        const char *type;
        int       (*start)(void);
        void      (*stop)(void);
        unsigned  (*count)(void);
        bool        running;
    } backends[TYPES];
    unsigned n;
    bool busy;                                       /* a stop or start is under way: they sleep */
    struct wait_queue idle;
} st;

static int command(struct backend *b, bool start)
{
    int rc = 0;
    if (b->running == start)
        return -EALREADY;
    if (start)
        rc = b->start();
    else
        b->stop();
    if (rc == 0)
        b->running = start;
    return rc;
}

static int parse(char *line)
{
    char *word = strchr(line, ' '), *end = strchr(line, '\n');
    if (end)
        *end = 0;
    if (!word)
        return -EINVAL;
    *word++ = 0;
    bool start = strcmp(line, "start") == 0;
    if (!start && strcmp(line, "stop"))
        return -EINVAL;
    for (unsigned i = 0; i < st.n; i++)
        if (strcmp(st.backends[i].type, word) == 0)
            return command(&st.backends[i], start);
    return -ENODEV;
}

static long backend_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char line[32] = "";
    if (n >= sizeof(line))
        return -EINVAL;
    if (copy_from_user(line, buf, n))
        return -EFAULT;
    if (wait_event(&st.idle, !st.busy))
        return -EINTR;
    st.busy = true;
    int rc = parse(line);
    st.busy = false;
    wake_all(&st.idle);
    return rc ? rc : (long)n;
}

static long backend_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char text[TYPES * 40];
    size_t len = 0;
    for (unsigned i = 0; i < st.n; i++) {
        struct backend *b = &st.backends[i];
        len += (size_t)ksnprintf(text + len, sizeof(text) - len, "%s %s %u\n", b->type, b->running ? "running" : "stopped",
                                 b->count ? b->count() : 0);
    }
    if (*pos >= len)
        return 0;
    n = MIN(n, len - *pos);
    if (copy_to_user(buf, text + *pos, n))
        return -EFAULT;
    *pos += n;
    return (long)n;
}

void backend_control_add(const char *type, int (*start)(void), void (*stop)(void), unsigned (*count)(void))
{
    static const struct file_ops ops = { .read = backend_read, .write = backend_write };
    if (st.n == 0) {
        wait_init(&st.idle);
        if (dev_register("xen/backend", 0, &ops, 0))
            return;
    }
    if (st.n < TYPES)
        st.backends[st.n++] = (struct backend){ type, start, stop, count, true };
}

/* SPDX-License-Identifier: MIT */
/* cmd_top.c: `enso top`: what each domain does with the CPUs and with its memory, once a second.
 *
 * Mem is what it has, Target what it is to have, Press how short of memory it calls itself (0 to 100); a dash: nobody says. Where
 * the screen has too few rows, the domains that used the CPU least are left out.                              */
#include "dom0-tools/enso/enso.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/balloon.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

#define PERIOD_MS 1000
#define HEAD_ROWS 4                     /* three above the domains, one for what is left out */

struct sample {
    uint64_t ms;
    int      n;
    struct xen_domctl_getdomaininfo *list;
};

static uint64_t cpu_before(const struct sample *s, const struct xen_domctl_getdomaininfo *d)
{
    for (int i = 0; i < s->n; i++)
        if (s->list[i].domain == d->domain && memcmp(s->list[i].handle, d->handle, 16) == 0)
            return s->list[i].cpu_time;
    return d->cpu_time;
}

/* Tenths of a per cent of one CPU. */
static unsigned busy(const struct sample *old, const struct sample *now, const struct xen_domctl_getdomaininfo *d)
{
    uint64_t ms = now->ms - old->ms, ns = d->cpu_time - cpu_before(old, d);

    return ms ? (unsigned)(ns / (ms * 1000)) : 0;
}

static void print_bar(unsigned tenths, unsigned width, unsigned cpus)
{
    unsigned full = (unsigned)((uint64_t)tenths * width / (1000 * cpus));

    putchar('|');
    for (unsigned i = 0; i < width; i++)
        putchar(i < full ? '#' : ' ');
    putchar('|');
}

/* What the domain's memory should be (MiB), and how short of it the domain is, as far as the store tells. */
static void print_memory(struct xs *x, uint16_t domid)
{
    uint64_t target, pressure;

    if (x && balloon_number(x, domid, "target", &target))
        printf(" %6llu", (unsigned long long)(target >> 10));
    else
        printf(" %6s", "-");
    if (x && balloon_number(x, domid, "stat/pressure", &pressure) && pressure <= 100)
        printf(" %5llu", (unsigned long long)pressure);
    else
        printf(" %5s", "-");
}

static void print_domain(const struct sample *old, const struct sample *now, int i, struct xs *x, unsigned width, unsigned cpus)
{
    const struct xen_domctl_getdomaininfo *d = &now->list[i];
    char name[32], letters[7];
    unsigned tenths = busy(old, now, d);

    state_name(d, name);
    state_letters(d, letters);
    printf("%-14.14s %3u %6llu", name, d->domain, (unsigned long long)(d->tot_pages >> 8));
    print_memory(x, d->domain);
    printf(" %s %5u.%u ", letters, tenths / 10, tenths % 10);
    print_bar(tenths, width, cpus);
    printf("\033[K\r\n");
}

/* Its place by use of the CPU: how many are before it. */
static int rank(const struct sample *old, const struct sample *now, int i)
{
    unsigned mine = busy(old, now, &now->list[i]);
    int before = 0;

    for (int k = 0; k < now->n; k++) {
        unsigned other = busy(old, now, &now->list[k]);

        before += other > mine || (other == mine && k < i);
    }
    return before;
}

/* rows: of domains, at most. The store is asked anew for each picture: it may have been started again. */
static void draw(const struct sample *old, const struct sample *now, int rows)
{
    struct xen_sysctl_physinfo info = { 0 };
    unsigned columns = os_tty_columns(), width, cpus;
    struct xs *x = xs_open();

    machine_info(&info);
    cpus = info.nr_cpus ? info.nr_cpus : 1;
    width = columns > 74 ? columns - 60 : 14;
    printf("\033[H%d domain%s, %u CPU%s, %llu of %llu MiB free; q leaves\033[K\r\n\033[K\r\n", now->n, now->n == 1 ? "" : "s", cpus,
           cpus == 1 ? "" : "s", (unsigned long long)(info.free_pages >> 8), (unsigned long long)(info.total_pages >> 8));
    printf("%-14s %3s %6s %6s %5s %-6s %7s\033[K\r\n", "Name", "ID", "Mem", "Target", "Press", "State", "CPU %");
    for (int i = 0; i < now->n; i++)
        if (now->n <= rows || rank(old, now, i) < rows)
            print_domain(old, now, i, x, width, cpus);
    if (now->n > rows)
        printf("and %d more that did less\033[K", now->n - rows);
    printf("\033[J");
    fflush(stdout);
    if (x)
        xs_close(x);
}

/* False when q, Ctrl-C or the end of input came. */
static bool pause_or_key(int *timeout)
{
    struct pollfd p = { 0, POLLIN, 0 };
    uint64_t until = os_now_ms() + (uint64_t)*timeout;
    char key;

    for (;;) {
        uint64_t now = os_now_ms();

        if (now >= until || poll(&p, 1, (int)(until - now)) <= 0)
            return true;
        if (read(0, &key, 1) != 1 || key == 'q' || key == 'Q' || key == 3)
            return false;
    }
}

int cmd_top(int words, char **word)
{
    struct sample old = { 0, 0, NULL }, now = { 0, 0, NULL };
    struct complaint why;
    uint64_t times = UINT64_MAX;
    int wait = 100;

    if (words != 1 && !(words == 3 && strcmp(word[1], "-n") == 0 && text_number(word[2], &times)))
        return usage();
    bool live = words == 1;
    if (os_tty_raw(0))
        printf("\033[2J");
    while (times--) {
        now.n = state_domains(&now.list, &why);
        now.ms = os_now_ms();
        if (now.n < 0) {
            os_tty_restore();
            return fail(&why);
        }
        draw(&old, &now, live ? (int)os_tty_rows() - HEAD_ROWS : now.n);
        free(old.list);
        old = now;
        if (times && !pause_or_key(&wait))
            break;
        wait = PERIOD_MS;
    }
    free(old.list);
    if (live)
        printf("\r\n");
    os_tty_restore();
    return 0;
}

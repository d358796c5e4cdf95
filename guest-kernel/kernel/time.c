/* SPDX-License-Identifier: MIT */
/* time.c: timers, and the calls that ask for the time or wait for it. */
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/timepage.h"

static struct {
    struct list pending;                            /* by deadline */
    uint64_t    programmed;                         /* what the platform was last told, 0: nothing */
    int64_t     wall_shift;                         /* clock_settime's doing */
} timers = { .pending = LIST_INIT(timers.pending) };

void timer_init(struct timer *t, void (*fire)(struct timer *t))
{
    list_init(&t->link);
    t->fire = fire;
    t->deadline = 0;
}

/* Lazily: a timer that stands earlier than needed fires once for nothing, which costs less than moving it each time.
 * Before a switch the slice's end may lie in the past and means nothing: schedule() sets the new one. */
void timer_program(void)
{
    uint64_t first = sched_idle() || need_resched ? FOREVER : slice_end();
    if (!list_empty(&timers.pending))
        first = MIN(first, container_of(timers.pending.next, struct timer, link)->deadline);
    if (first == FOREVER || (timers.programmed && timers.programmed <= first))
        return;
    timers.programmed = MAX(first, 1ul);
    plat_timer_set(timers.programmed);
}

void timer_cancel(struct timer *t) { list_remove(&t->link); }

void timer_set(struct timer *t, uint64_t deadline)
{
    list_remove(&t->link);
    t->deadline = deadline;
    struct list *at = timers.pending.next;
    while (at != &timers.pending && container_of(at, struct timer, link)->deadline <= deadline)
        at = at->next;
    list_insert_before(at, &t->link);
    timer_program();
}

void timer_interrupt(void)
{
    uint64_t now = plat_clock_ns();
    timers.programmed = 0;
    while (!list_empty(&timers.pending)) {
        struct timer *t = container_of(timers.pending.next, struct timer, link);
        if (t->deadline > now)
            break;
        list_remove(&t->link);
        t->fire(t);
    }
    if (!sched_idle() && slice_end() <= now)
        need_resched = true;
    timer_program();
}

uint64_t wall_ns(void) { return plat_wall_ns() + timers.wall_shift; }

static struct timespec to_timespec(uint64_t ns) { return (struct timespec){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC }; }
static struct timeval to_timeval(uint64_t ns) { return (struct timeval){ ns / NSEC_PER_SEC, ns % NSEC_PER_SEC / 1000 }; }

/* A user's timespec in ns; false if it is none. */
static bool from_timespec(const struct timespec *t, uint64_t *ns)
{
    if (t->tv_sec < 0 || t->tv_nsec < 0 || t->tv_nsec >= (int64_t)NSEC_PER_SEC)
        return false;
    *ns = t->tv_sec > (int64_t)(1ul << 33) ? 1ul << 62 : t->tv_sec * NSEC_PER_SEC + t->tv_nsec;
    return true;
}

static bool from_timeval(const struct timeval *t, uint64_t *ns)
{
    struct timespec ts = { t->tv_sec, t->tv_usec * 1000 };
    return t->tv_usec >= 0 && t->tv_usec < 1000000 && from_timespec(&ts, ns);
}

long sys_clock_gettime(int clock, uptr_t out)
{
    uint64_t ns;
    switch (clock) {
    case CLOCK_REALTIME:
        ns = wall_ns();
        break;
    case CLOCK_MONOTONIC:
        ns = plat_clock_ns();
        break;
    case CLOCK_PROCESS_CPUTIME_ID:
        ns = proc_cpu_ns(current);
        break;
    default:
        return -EINVAL;
    }
    struct timespec ts = to_timespec(ns);
    return copy_to_user(out, &ts, sizeof(ts));
}

long sys_clock_getres(int clock, uptr_t out)
{
    struct timespec ts = { 0, 1 };
    if (clock != CLOCK_REALTIME && clock != CLOCK_MONOTONIC && clock != CLOCK_PROCESS_CPUTIME_ID)
        return -EINVAL;
    return out ? copy_to_user(out, &ts, sizeof(ts)) : 0;
}

long sys_clock_settime(int clock, uptr_t in)
{
    struct timespec ts;
    uint64_t ns;
    if (clock != CLOCK_REALTIME)
        return -EINVAL;
    if (copy_from_user(&ts, in, sizeof(ts)))
        return -EFAULT;
    if (!from_timespec(&ts, &ns))
        return -EINVAL;
    timers.wall_shift = ns - plat_wall_ns();
    timepage_set_wall();
    return 0;
}

long sys_gettimeofday(uptr_t out, uptr_t zone)
{
    struct timeval tv = to_timeval(wall_ns());
    return copy_to_user(out, &tv, sizeof(tv));
}

long sys_nanosleep(uptr_t request, uptr_t remain)
{
    struct timespec ts;
    uint64_t ns;
    if (copy_from_user(&ts, request, sizeof(ts)))
        return -EFAULT;
    if (!from_timespec(&ts, &ns))
        return -EINVAL;
    uint64_t deadline = current->sleep_deadline ? current->sleep_deadline : plat_clock_ns() + ns;
    int rc = 0;
    current->sleep_deadline = 0;
    while (rc == 0)
        rc = sleep_until(deadline, true);
    if (rc == -ETIMEDOUT)
        return 0;
    current->sleep_deadline = deadline;
    uint64_t now = plat_clock_ns();
    ts = to_timespec(deadline > now ? deadline - now : 0);
    if (remain && copy_to_user(remain, &ts, sizeof(ts)))
        return -EFAULT;
    return -EINTR;
}

/* ---- ITIMER_REAL ---- */

void alarm_fired(struct timer *t)
{
    struct proc *p = container_of(t, struct proc, alarm);
    signal_send(p, SIGALRM);
    if (p->alarm_interval)
        timer_set(t, MAX(t->deadline + p->alarm_interval, plat_clock_ns()));
}

static uint64_t alarm_left(void)
{
    uint64_t now = plat_clock_ns();
    if (list_empty(&current->alarm.link))
        return 0;
    return current->alarm.deadline > now ? current->alarm.deadline - now : 1;
}

static void alarm_set(uint64_t ns, uint64_t interval)
{
    timer_cancel(&current->alarm);
    current->alarm_interval = interval ? MAX(interval, 100000ul) : 0;
    if (ns)
        timer_set(&current->alarm, plat_clock_ns() + ns);
}

long sys_alarm(unsigned seconds)
{
    uint64_t left = alarm_left();
    alarm_set(seconds * NSEC_PER_SEC, 0);
    return (left + NSEC_PER_SEC - 1) / NSEC_PER_SEC;
}

long sys_getitimer(int which, uptr_t out)
{
    struct itimerval v = { to_timeval(current->alarm_interval), to_timeval(alarm_left()) };
    if (which != ITIMER_REAL)
        return -EINVAL;
    return copy_to_user(out, &v, sizeof(v));
}

long sys_setitimer(int which, uptr_t in, uptr_t old)
{
    struct itimerval v;
    uint64_t ns, interval;
    if (which != ITIMER_REAL)
        return -EINVAL;
    if (copy_from_user(&v, in, sizeof(v)))
        return -EFAULT;
    if (!from_timeval(&v.it_value, &ns) || !from_timeval(&v.it_interval, &interval))
        return -EINVAL;
    if (old && sys_getitimer(which, old))
        return -EFAULT;
    alarm_set(ns, interval);
    return 0;
}

/* ---- CPU time ---- */

long sys_times(uptr_t out)
{
    struct tms t = { .tms_utime = proc_cpu_ns(current) / NSEC_PER_MS, .tms_cutime = current->child_cpu_ns / NSEC_PER_MS };
    if (out && copy_to_user(out, &t, sizeof(t)))
        return -EFAULT;
    return plat_clock_ns() / NSEC_PER_MS;
}

long sys_getrusage(int who, uptr_t out)
{
    struct rusage r = { 0 };
    if (who != 0 && who != -1)
        return -EINVAL;
    r.ru_utime = to_timeval(who == 0 ? proc_cpu_ns(current) : current->child_cpu_ns);
    return copy_to_user(out, &r, sizeof(r));
}

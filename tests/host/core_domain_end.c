/* SPDX-License-Identifier: MIT */
/* core_domain_end.c: claims: a domain ends once, in an order that takes nothing away from under its users, in pieces, and its last rites
 * come when both every step is done and every frame has gone, whichever is last, and once; a shutdown stops it and tells dom0; a
 * machine without dom0 buries its own (SPEC 8.4). If this fails, a domain's memory is freed while in use, or never.              */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "hypercall-abi/errno.h"
#include "hypercall-abi/sched.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/x86/machine.h"
#include "hypervisor/x86/tsc.h"

_Thread_local struct vcpu *host_current;
_Thread_local struct pcpu *host_pcpu;
struct domain *dom0, *idle_domain, zero, idle;
static struct domain d;
static struct vcpu vcpu[2], idler;
static struct shared_info shared;
static char trace[400], said[200];
static struct spinlock *held;
static unsigned steps_left, domains;                   /* how often each long step still says -ERESTART */
static unsigned lost, turns_to_rest;
static bool preempt, busy;
static struct timer *armed;
static uint64_t armed_at, clock_ns, stands_still;
static jmp_buf machine_gone;

#define NOTE(what) strcat(trace, what " ")
static int one_step(void) { return steps_left ? (steps_left--, -XEN_ERESTART) : 0; }

void spin_lock(struct spinlock *l) { assert_null(held); held = l; }
void spin_unlock(struct spinlock *l) { assert_ptr_equal(held, l); held = NULL; }
void spin_relax(void) { clock_ns += 1000000 + stands_still; vcpu[1].on_pcpu = turns_to_rest && --turns_to_rest == 0 ? 0 : vcpu[1].on_pcpu; }
bool preempt_needed(void) { assert_null(held); return preempt; }
uint64_t now_ns(void) { return clock_ns; }
void vcpu_pause_set(struct vcpu *v, uint32_t reason) { v->pause |= reason; }
void vcpu_pause_sync(struct vcpu *v, uint32_t reason) { assert_null(held); NOTE("sync"); v->pause |= reason; }
void vcpu_timers_stop(struct vcpu *v) { NOTE("timers"); }
void domain_apply_pause(struct domain *x) { assert_ptr_equal(held, &x->lock); NOTE("pause"); }
void timer_init(struct timer *t, void (*fn)(void *), void *arg) { t->fn = fn; t->arg = arg; }
void timer_set(struct timer *t, struct pcpu *p, uint64_t at) { armed = t; armed_at = at; }
void timer_stop(struct timer *t) { NOTE("stop"); }
void guestcons_flush(struct domain *x) { assert_null(held); NOTE("flush"); }
void guestcons_drop_ring(struct domain *x) { NOTE("ring"); }
void evtchn_virq_dom0(uint32_t virq) { assert_true(!held && virq == VIRQ_DOM_EXC); NOTE("exc"); }
int  evtchn_destroy(struct domain *x) { assert_int_equal(x->dying, DOMAIN_DYING); NOTE("ports"); return one_step(); }
int  grant_release_mappings(struct domain *x) { NOTE("mappings"); return one_step(); }
int  vcpu_relinquish(struct vcpu *v) { NOTE("vcpu"); return one_step(); }
void grant_free_table(struct domain *x) { NOTE("grants"); }
void frame_free_shared(struct domain *x, mfn_t m) { assert_true(!x->shared && m.raw == 44); NOTE("shared"); }
int  frame_relinquish_all(struct domain *x) { NOTE("frames"); return one_step(); }
void domain_unlist(struct domain *x) { NOTE("unlist"); domains--; }
void domain_put(struct domain *x) { NOTE("put"); }
void domain_pause_nosync(struct domain *x) { NOTE("hold"); }
void domain_unpause(struct domain *x) { NOTE("go"); }
void frame_audit(struct audit_result *r) { *r = (struct audit_result){ 10, busy, lost }; NOTE("audit"); }
void machine_exit(int code) { NOTE("off"); longjmp(machine_gone, 1); }
void machine_reboot(void) { NOTE("reboot"); longjmp(machine_gone, 1); }
void panic(const char *fmt, ...) { NOTE("panic"); longjmp(machine_gone, 1); }
void bug(const char *file, int line, const char *what) { fail_msg("BUG %s:%d: %s", file, line, what); __builtin_trap(); }

int domain_for_each(int (*fn)(struct domain *x, void *arg), void *arg)
{
    int rc = 0;
    for (unsigned i = 0; i < domains && !rc; i++)
        rc = fn(&d, arg);
    return rc;
}

void log_at(enum log_level level, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(said, sizeof(said), fmt, ap);
    va_end(ap);
}

static int begin(void **state)
{
    dom0 = &zero;
    idle_domain = &idle;
    zero = (struct domain){ .id = 0 };
    idler = (struct vcpu){ .domain = &idle, .is_idle = true };
    host_current = &idler;
    d = (struct domain){ .id = 7, .name = "seven", .max_vcpus = MAX_VCPUS, .vcpu = { &vcpu[0], NULL, &vcpu[1] }, .shared = &shared, .shared_info_mfn = { 44 } };
    for (unsigned i = 0; i < 2; i++)
        vcpu[i] = (struct vcpu){ .domain = &d, .hypercalls = 5 };
    domain_init_end(&d);
    trace[0] = said[0] = 0;
    held = NULL;
    preempt = busy = false;
    lost = turns_to_rest = 0;
    steps_left = 0;
    domains = 1;
    armed = NULL;
    return 0;
}

static void fire(void)
{
    struct timer *t = armed;

    assert_ptr_equal(t, &d.deferred);
    armed = NULL;
    t->fn(t->arg);
}

#define TRACE(text) do { assert_string_equal(trace, text); trace[0] = 0; } while (0)
#define ALL "sync timers sync timers stop stop stop flush ring ports mappings vcpu vcpu grants shared frames "

static void in_order(void **state)
{
    d.tot_pages = 1;
    assert_int_equal(domain_kill(&d), 0);
    TRACE(ALL "exc ");
    assert_true(d.dying == DOMAIN_DEAD && !armed && !d.finished);          /* somebody holds a frame yet */
    assert_int_equal(domain_kill(&d), 0);
    TRACE("");
    d.tot_pages = 0;
    d.shared_pages = 1;
    domain_last_frame_gone(&d);
    assert_null(armed);
    d.shared_pages = 0;
    domain_last_frame_gone(&d);
    fire();
    TRACE("unlist put exc ");
    assert_string_equal(said, "END v1 d7 seven reason=destroyed code=- hypercalls=10 frames_lost=0");
    domain_last_frame_gone(&d);
    assert_null(armed);
    begin(state);
    domain_last_frame_gone(&d);                                            /* alive: a frame more or less */
    assert_null(armed);
    assert_int_equal(domain_kill(&d), 0);                                  /* nobody held any */
    fire();
    TRACE(ALL "exc unlist put exc ");
}

static void in_pieces(void **state)
{
    unsigned turns = 0;

    preempt = true;
    while (domain_kill(&d) == -XEN_ERESTART)
        turns++;
    assert_int_equal(turns, 6);                                            /* between its seven steps */
    TRACE(ALL "exc ");
    static const unsigned may_stop[] = { 1, 2, 3, 5 };
    for (unsigned i = 0; i < 4; i++) {                                     /* what stops in the midst is taken up there */
        begin(state);
        preempt = true;
        while (d.destroy_step < may_stop[i])
            assert_int_equal(domain_kill(&d), -XEN_ERESTART);
        preempt = false;
        steps_left = 2;
        trace[0] = 0;
        for (unsigned k = 0; k < 2; k++) {
            assert_int_equal(domain_kill(&d), -XEN_ERESTART);
            assert_int_equal(d.destroy_step, may_stop[i]);
        }
        if (i == 2)
            TRACE("vcpu vcpu ");                                           /* not the second before the first is done */
        assert_int_equal(domain_kill(&d), 0);
        assert_int_equal(d.dying, DOMAIN_DEAD);
    }
}

static void shutdowns(void **state)
{
    domain_shutdown(&d, SHUTDOWN_reboot);
    TRACE("pause flush exc ");
    assert_true(d.shut_down && d.shutdown_code == SHUTDOWN_reboot && !armed);
    domain_shutdown(&d, SHUTDOWN_poweroff);                                /* once */
    TRACE("");
    assert_int_equal(d.shutdown_code, SHUTDOWN_reboot);
    domain_kill(&d);
    fire();
    assert_non_null(strstr(said, "reason=reboot"));
    begin(state);
    domain_shutdown(&d, SHUTDOWN_MAX);
    domain_kill(&d);
    fire();
    assert_non_null(strstr(said, "reason=soft_reset"));
    begin(state);
    d.dying = DOMAIN_DYING;
    domain_shutdown(&d, SHUTDOWN_poweroff);
    assert_false(d.shut_down);
    d.dying = DOMAIN_ALIVE;
    armed = &d.deferred;                                                   /* nothing to do after all */
    fire();
    assert_false(d.shut_down);
    begin(state);
    d.shut_down = true;
    d.shutdown_code = 99;
    domain_kill(&d);
    fire();
    assert_non_null(strstr(said, "reason=unknown"));
}

static unsigned dumps;
static void dump(struct vcpu *v) { dumps++; }

static void crashes(void **state)
{
    domain_set_dump_op(dump);
    domain_crash(&d, "it %s", "fell");
    assert_string_equal(said, "d7 seven CRASHED: it fell");
    assert_true(!dumps && !d.shut_down && !vcpu[0].pause);
    said[0] = 0;
    domain_crash(&d, "again");
    assert_int_equal(said[0], 0);
    fire();
    TRACE("pause flush exc ");
    assert_true(d.shut_down && d.shutdown_code == SHUTDOWN_crash);
    begin(state);
    host_current = &vcpu[1];                                               /* its own doing */
    domain_crash(&d, "x");
    assert_true(dumps == 1 && vcpu[1].pause == PAUSE_HYPER && !vcpu[0].pause);
    d.dying = DOMAIN_DYING;
    fire();
    assert_false(d.shut_down);
    armed = NULL;
    d.crashed = false;
    domain_crash(&d, "y");                                                 /* it is ending anyway */
    assert_true(!armed && !d.crashed);
}

/* A machine without dom0 has nobody else to bury them. */
static void alone(void **state)
{
    dom0 = NULL;
    clock_ns = 5;
    armed = &d.deferred;                                                   /* it has not ended */
    fire();
    TRACE("");
    domain_shutdown(&d, SHUTDOWN_poweroff);
    assert_int_equal(armed_at, 5);
    trace[0] = 0;
    steps_left = 1;
    fire();
    TRACE("sync timers sync timers stop stop stop flush ring ports ");
    assert_true(armed == &d.deferred && armed_at == 5 + 1000000);
    domains = 2;                                                           /* another one lives */
    fire();
    TRACE("ports mappings vcpu vcpu grants shared frames exc ");
    fire();
    TRACE("unlist put exc ");
    begin(state);
    dom0 = NULL;
    domain_shutdown(&d, SHUTDOWN_poweroff);
    fire();
    trace[0] = 0;
    if (!setjmp(machine_gone))
        fire();
    assert_non_null(strstr(trace, "unlist put exc "));
    assert_non_null(strstr(trace, " off "));
}

static void audits(void **state)
{
    struct audit_result r;

    domain_audit(&r);
    TRACE("hold audit go ");
    assert_string_equal(said, "audit clean: 10 frames, 0 lost.");
    busy = true;
    domain_audit(&r);
    assert_string_equal(said, "audit: 1 differences, 0 lost of 10 frames.");
    busy = false;
    lost = 3;
    domain_audit(&r);
    assert_string_equal(said, "audit: 0 differences, 3 lost of 10 frames.");
    trace[0] = 0;
    vcpu[1].on_pcpu = 1;                                                   /* it does not come to rest */
    clock_ns = 0;
    domain_audit(&r);
    TRACE("hold go ");
    assert_in_range(clock_ns, 2000000000, 2010000000);
    assert_non_null(strstr(said, "(d7v2 stays on cpu0)"));
    turns_to_rest = 5;
    domain_audit(&r);
    TRACE("hold audit go ");
    vcpu[1].on_pcpu = 1;                                                   /* a machine that stood still between two looks has not waited */
    turns_to_rest = 5, stands_still = 60000000000;
    domain_audit(&r);
    TRACE("hold audit go ");
    stands_still = 0;
    vcpu[1].on_pcpu = 1;
    domain_audit(&r);
    TRACE("hold go ");
    assert_int_equal(r.frames, 0);
    host_current = &vcpu[1];                                               /* but for whoever asks */
    domain_audit(&r);
    TRACE("hold audit go ");
}

/* dom0's end is the machine's, each in a process of its own. */
static bool machine_does(uint32_t reason, const char *what)
{
    static bool right;
    int status;

    if (!fork()) {
        dom0 = &d;
        if (!setjmp(machine_gone))
            domain_shutdown(&d, reason);
        right = !strcmp(trace, what);
        trace[0] = 0;
        d.shut_down = false;
        if (!setjmp(machine_gone))
            domain_shutdown(&d, reason);                                   /* it is going down already */
        right &= !strcmp(trace, "pause flush exc ");
        trace[0] = 0;
        if (!setjmp(machine_gone))
            domain_machine_exit(3);
        _exit(right && !strcmp(trace, "off ") ? 0 : 1);
    }
    return wait(&status) > 0 && !status;
}

static void the_machine(void **state)
{
    int status;

    assert_true(machine_does(SHUTDOWN_poweroff, "pause flush hold hold audit go off "));
    assert_true(machine_does(SHUTDOWN_reboot, "pause flush hold hold audit go reboot "));
    assert_true(machine_does(SHUTDOWN_crash, "pause flush hold hold audit go panic "));
    assert_true(machine_does(SHUTDOWN_watchdog, "pause flush hold hold audit go panic "));
    assert_true(machine_does(SHUTDOWN_suspend, "pause flush hold hold audit go reboot "));
    if (!fork()) {
        if (!setjmp(machine_gone))
            domain_machine_exit(3);
        _exit(strcmp(trace, "hold audit go off ") != 0);
    }
    assert_true(wait(&status) > 0 && !status);
}

#define TEST(name) cmocka_unit_test_setup(name, begin)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(in_order), TEST(in_pieces), TEST(shutdowns), TEST(crashes), TEST(audits), TEST(the_machine), TEST(alone) };
    return cmocka_run_group_tests_name("domain end", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* domain_end.c: how domains end: shutdown, crash, and giving everything back.                  [read 47]
 *
 * A shutdown stops the vCPUs and tells dom0; the memory stays until dom0 destroys the domain (a machine without dom0
 * has this file do it). Destroying goes step by step, each preemptible, in an order that never takes a thing away from
 * under its users: event channels, mappings of others' frames, vCPUs' areas and roots, shared pages, then frames by
 * type (pitfalls A8). A frame that somebody still maps keeps the domain dying (A9); when the last has gone, the END
 * line is printed and the number becomes free. What must not happen in the midst of a locked section (a crash deep in
 * the page-table code, a last reference dropped under a lock) is put on the domain's `deferred` timer, which runs on
 * the way out with no lock held.                                                                                  */
#include "hypervisor/core/domain.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/sched.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/x86/machine.h"
#include "hypervisor/x86/tsc.h"

#define REST_LIMIT    2000000000UL       /* ns to wait for every vCPU to leave its pCPU */
#define REST_STEP     1000000UL          /* a machine that stood still (its host's doing) has waited so long, not longer */
#define REAP_INTERVAL 1000000UL          /* ns between the pieces of an end that nobody waits for */

static struct {
    void (*dump)(struct vcpu *v);        /* set once at boot */
    uint32_t ending;                     /* atomic: the machine is going down */
    uint32_t auditing;                   /* atomic */
} end;

struct vcpu_name {
    uint32_t domid, vcpu, pcpu;
};

static const char *const reason_words[] = {
    [SHUTDOWN_poweroff] = "poweroff", [SHUTDOWN_reboot] = "reboot",     [SHUTDOWN_suspend] = "suspend",
    [SHUTDOWN_crash] = "crash",       [SHUTDOWN_watchdog] = "watchdog", [SHUTDOWN_soft_reset] = "soft_reset",
};

uint64_t domain_hypercalls(const struct domain *d)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < d->max_vcpus; i++)
        sum += d->vcpu[i] ? d->vcpu[i]->hypercalls : 0;
    return sum;
}

static const char *reason_of(const struct domain *d)
{
    if (!d->shut_down)
        return "destroyed";
    return d->shutdown_code <= SHUTDOWN_MAX ? reason_words[d->shutdown_code] : "unknown";
}

/* ---- the machine's end ------------------------------------------------------------------------- */

static int bring_to_rest(struct domain *d, void *arg)
{
    domain_pause_nosync(d);
    return 0;
}

static int let_go(struct domain *d, void *arg)
{
    domain_unpause(d);
    return 0;
}

/* Non-zero: who is on a pCPU still. */
static int still_runs(struct domain *d, void *who)
{
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] && d->vcpu[i] != current && d->vcpu[i]->on_pcpu) {
            *(struct vcpu_name *)who = (struct vcpu_name){ d->id, i, READ_ONCE(d->vcpu[i]->processor) };
            return 1;
        }
    }
    return 0;
}

/* Not without end: whoever is waited for may be waiting for a vCPU of ours in turn. */
static bool wait_for_rest(struct vcpu_name *last)
{
    uint64_t waited = 0, before = now_ns(), now;

    while (domain_for_each(still_runs, last)) {
        now = now_ns();
        waited += now - before < REST_STEP ? now - before : REST_STEP;
        before = now;
        if (waited > REST_LIMIT)
            return false;
        spin_relax();
    }
    return true;
}

void domain_audit(struct audit_result *r)
{
    struct vcpu_name last;

    *r = (struct audit_result){ 0 };
    if (atomic_xchg(&end.auditing, 1))
        return;
    domain_for_each(bring_to_rest, NULL);
    if (wait_for_rest(&last)) {
        frame_audit(r);
        if (!r->differences && !r->lost)
            log_err("audit clean: %lu frames, 0 lost.", r->frames);
        else
            log_err("audit: %lu differences, %lu lost of %lu frames.", r->differences, r->lost, r->frames);
    } else {
        log_err("audit: the domains did not come to rest (d%uv%u stays on cpu%u); ask again", last.domid, last.vcpu, last.pcpu);
    }
    domain_for_each(let_go, NULL);
    atomic_store(&end.auditing, 0);
}

/* dom0 has ended, and the machine with it. */
static void machine_end(uint32_t reason)
{
    if (atomic_xchg(&end.ending, 1))
        return;
    domain_for_each(bring_to_rest, NULL);
    if (DEBUG_BUILD)
        domain_audit(&(struct audit_result){ 0 });
    if (reason == SHUTDOWN_poweroff)
        machine_exit(0);
    if (reason == SHUTDOWN_crash || reason == SHUTDOWN_watchdog)
        panic("dom0 has ended: %s", reason_words[reason]);
    machine_reboot();
}

void domain_machine_exit(int code)
{
    if (DEBUG_BUILD && !atomic_xchg(&end.ending, 1))
        domain_audit(&(struct audit_result){ 0 });
    machine_exit(code);
}

/* ---- shutdown and crash ------------------------------------------------------------------------ */

void domain_shutdown(struct domain *d, uint32_t reason)
{
    spin_lock(&d->lock);
    if (d->shut_down || d->dying) {
        spin_unlock(&d->lock);
        return;
    }
    d->shutdown_code = reason;
    d->shut_down = true;
    domain_apply_pause(d);
    spin_unlock(&d->lock);

    guestcons_flush(d);
    if (d == dom0)
        machine_end(reason);
    evtchn_virq_dom0(VIRQ_DOM_EXC);
    if (!dom0)                           /* nobody will destroy it */
        timer_set(&d->deferred, this_pcpu(), now_ns());
}

void domain_set_dump_op(void (*fn)(struct vcpu *v))
{
    end.dump = fn;
}

void domain_dump_vcpu(struct vcpu *v)
{
    if (end.dump)
        end.dump(v);
}

void domain_crash(struct domain *d, const char *fmt, ...)
{
    char why[160];
    va_list ap;

    BUG_ON(d == idle_domain);
    if (d->dying || atomic_xchg(&d->crashed, true))
        return;
    va_start(ap, fmt);
    hv_vsnprintf(why, sizeof(why), fmt, ap);
    va_end(ap);
    log_err("d%u %s CRASHED: %s", d->id, d->name, why);
    if (current->domain == d) {
        domain_dump_vcpu(current);
        vcpu_pause_set(current, PAUSE_HYPER);
    }
    timer_set(&d->deferred, this_pcpu(), now_ns());
}

/* ---- destruction ------------------------------------------------------------------------------- */

static int step_stop(struct domain *d)
{
    spin_lock(&d->lock);
    d->dying = DOMAIN_DYING;
    spin_unlock(&d->lock);
    /* dying keeps domain_apply_pause from clearing it again. */
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i]) {
            vcpu_pause_sync(d->vcpu[i], PAUSE_DOMAIN);
            vcpu_timers_stop(d->vcpu[i]);
        }
    }
    timer_stop(&d->watchdog[0]);
    timer_stop(&d->watchdog[1]);
    timer_stop(&d->deferred);
    guestcons_flush(d);
    guestcons_drop_ring(d);
    return 0;
}

static int step_vcpus(struct domain *d)
{
    int rc = 0;

    for (unsigned i = 0; i < d->max_vcpus && !rc; i++)
        rc = d->vcpu[i] ? vcpu_relinquish(d->vcpu[i]) : 0;
    return rc;
}

static int step_shared(struct domain *d)
{
    grant_free_table(d);
    spin_lock(&d->evtchn_lock);              /* evtchn_dump looks */
    d->shared = NULL;
    spin_unlock(&d->evtchn_lock);
    frame_free_shared(d, d->shared_info_mfn);
    return 0;
}

/* Once: whoever sees both that all steps are done and that no frame is left arms the timer for the last rites. d->page_lock is held,
 * so that whoever dropped the last frame has let go of d before the rites free it. */
static void finish_if_empty(struct domain *d)
{
    if (atomic_load(&d->dying) == DOMAIN_DEAD && !(atomic_load(&d->tot_pages) + atomic_load(&d->shared_pages)) && !atomic_xchg(&d->finished, 1))
        timer_set(&d->deferred, this_pcpu(), now_ns());
}

static int step_done(struct domain *d)
{
    spin_lock(&d->page_lock);
    atomic_store(&d->dying, DOMAIN_DEAD);
    finish_if_empty(d);
    spin_unlock(&d->page_lock);
    evtchn_virq_dom0(VIRQ_DOM_EXC);          /* who maps its frames lets go of them now */
    return 0;
}

static int (*const steps[])(struct domain *d) = {
    step_stop, evtchn_destroy, grant_release_mappings, step_vcpus, step_shared, frame_relinquish_all, step_done,
};
#define NR_STEPS (sizeof(steps) / sizeof(steps[0]))

/* One caller at a time: domctl's lock, or the deferred timer of a machine without dom0. */
int domain_kill(struct domain *d)
{
    while (d->destroy_step < NR_STEPS) {
        int rc = steps[d->destroy_step](d);
        if (rc)
            return rc;
        d->destroy_step++;
        if (d->destroy_step < NR_STEPS && preempt_needed())
            return -XEN_ERESTART;
    }
    return 0;
}

/* ---- last rites -------------------------------------------------------------------------------- */

static int any_domain(struct domain *d, void *arg)
{
    return 1;
}

static void last_rites(struct domain *d)
{
    log_err("END v1 d%u %s reason=%s code=- hypercalls=%lu frames_lost=%lu", d->id, d->name, reason_of(d),
            domain_hypercalls(d), d->tot_pages + d->shared_pages);
    domain_unlist(d);
    domain_put(d);
    evtchn_virq_dom0(VIRQ_DOM_EXC);
    if (!dom0 && !domain_for_each(any_domain, NULL)) {
        log_err("no domain is left");
        machine_end(SHUTDOWN_poweroff);
    }
}

/* `finished` is looked at first and only there: whoever sets it arms the timer behind it, and after the rites d is no more. */
static void deferred_work(void *arg)
{
    struct domain *d = arg;

    if (atomic_read(&d->finished)) {
        last_rites(d);
        return;
    }
    if (d->crashed && !d->shut_down && !d->dying)
        domain_shutdown(d, SHUTDOWN_crash);
    if (!dom0 && d->shut_down && d->destroy_step < NR_STEPS && domain_kill(d))
        timer_set(&d->deferred, this_pcpu(), now_ns() + REAP_INTERVAL);
}

/* mm: the last frame of a dying domain has gone; d->page_lock is held, and whatever its last user held. */
void domain_last_frame_gone(struct domain *d)
{
    finish_if_empty(d);
}

void domain_init_end(struct domain *d)
{
    timer_init(&d->deferred, deferred_work, d);
}

/* SPDX-License-Identifier: MIT */
/* core_vcpu_op.c: claims: a guest starts, stops and asks about its own vCPUs as SPEC 8.2 says; a vCPU is set up by one at a time and once;
 * its vcpu_info moves without losing an event and without leaving a reference behind; the domain ends with its last vCPU; times that
 * are not times are refused. If this fails, a guest's timers or events stop, or two of its vCPUs make one of another's frames.     */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include "hypercall-abi/errno.h"
#include "hypercall-abi/vcpu.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/time.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/hypercall.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/x86/tsc.h"
#include "tests/host/faults.h"

_Thread_local struct vcpu *host_current;
_Thread_local struct pcpu *host_pcpu;
struct frame host_frames[HOST_FRAMES];
uint8_t host_memory[HOST_FRAMES * PAGE_SIZE] __attribute__((aligned(4096)));
uint64_t max_mfn = HOST_FRAMES;
struct pcpu *pcpus[MAX_PCPUS];
uint32_t nr_pcpus;

static struct domain d;
static struct vcpu vcpu[2], *const v = &vcpu[0], *const other = &vcpu[1];
static struct pcpu pcpu[3];
static struct vcpu_info info[2];
static struct {
    unsigned locks, pieces, shutdowns, updates, areas, nmis, puts, deferred;
    int context;                                       /* what vcpu_set_context answers */
    uint64_t timer, again[3];
    struct timer *set, *stopped;
    struct pcpu *on;
    uint64_t expires, online;
    bool no_memory;
    void (*in_get)(void);
} saw;

/* ---- what lies below ---- */

void spin_lock(struct spinlock *l) { assert_true(l == &d.evtchn_lock && !saw.locks++); }
void spin_unlock(struct spinlock *l) { assert_true(l == &d.evtchn_lock && !--saw.locks); }
void *kalloc(size_t n) { saw.pieces++; return saw.no_memory ? (saw.pieces--, NULL) : calloc(1, n); }
void kfree(void *p) { saw.pieces -= !!p; free(p); }
int mm_finish_deferred_slow(struct vcpu *w) { return saw.deferred ? -XEN_ERESTART : 0; }
int vcpu_set_context(struct vcpu *t, const struct vcpu_guest_context *c) { assert_true(t->set_up_busy && c->flags == 4711); return saw.context; }
void time_update_vcpu(struct vcpu *t) { saw.updates++; }
void time_update_areas(struct vcpu *t) { saw.areas++; }
void vcpu_pause_set(struct vcpu *t, uint32_t reason) { t->pause |= reason; }
void vcpu_pause_clear(struct vcpu *t, uint32_t reason) { assert_int_equal(saw.updates, 1); t->pause &= ~reason; }
void domain_shutdown(struct domain *dom, uint32_t reason) { assert_true(dom == &d && reason == 0); saw.shutdowns++; }
void runstate_get(struct vcpu *t, struct vcpu_runstate_info *r) { *r = (struct vcpu_runstate_info){ .state = (int)t->id + 5 }; }
void timer_set(struct timer *t, struct pcpu *p, uint64_t expires) { saw.set = t; saw.on = p; saw.expires = expires; }
void timer_stop(struct timer *t) { saw.stopped = t; }
void vcpu_set_timer(struct vcpu *t, uint64_t at) { saw.timer = at; }
void vcpu_send_nmi(struct vcpu *t) { assert_ptr_equal(t, other); saw.nmis++; }
uint64_t now_ns(void) { return 1000000; }
uint64_t sched_online_mask(void) { return saw.online; }
void frame_put_typed_slow(mfn_t m) { saw.puts++; host_frames[m.raw].type_info = 0; }

int frame_get_typed_slow(struct domain *dom, gfn_t g, uint64_t type, mfn_t *m)
{
    if (saw.in_get)
        saw.in_get();
    if (dom != &d || type != FT_WRITABLE || g.raw != 5)
        return -XEN_EINVAL;
    host_frames[5].type_info = FT_WRITABLE | FT_VALIDATED | 1;
    *m = mfn(5);
    return 0;
}

long hypercall_continue(struct vcpu *w, unsigned nr, unsigned nargs, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3, uint64_t a4)
{
    assert_true(nr == __HYPERVISOR_vcpu_op && nargs == 3);
    saw.again[0] = a0, saw.again[1] = a1, saw.again[2] = a2;
    return HOST_AGAIN;
}

static int begin(void **state)
{
    memset(&saw, 0, sizeof(saw));
    memset(host_frames, 0, 8 * sizeof(host_frames[0]));
    memset(host_memory, 0xa5, 8 * PAGE_SIZE);
    d = (struct domain){ .id = 1, .max_vcpus = MAX_VCPUS, .vcpu = { v, other } };
    host_frames[5].owner = 1;
    for (unsigned i = 0; i < 2; i++) {
        info[i] = (struct vcpu_info){ 0 };
        vcpu[i] = (struct vcpu){ .domain = &d, .id = i, .info = &info[i], .processor = i + 1, .initialised = true, .affinity = ~0UL };
    }
    for (unsigned i = 0; i < 3; i++)
        pcpus[i] = &pcpu[i], pcpu[i] = (struct pcpu){ .id = i, .apic_id = 10 + i };
    host_current = v;
    return 0;
}

static int end(void **state)
{
    assert_int_equal(saw.locks + saw.pieces, 0);
    assert_int_equal(v->set_up_busy + other->set_up_busy, 0);
    return 0;
}

static long op(uint64_t cmd, uint64_t id, void *arg) { return hc_vcpu_op(v, cmd, id, gva((uint64_t)arg)); }

/* ---- claims ---- */

static void starting(void **state)
{
    static struct vcpu_guest_context c = { .flags = 4711 };

    assert_int_equal(op(VCPUOP_is_up, 2, NULL), -XEN_ENOENT);
    assert_int_equal(op(VCPUOP_is_up, MAX_VCPUS, NULL), -XEN_ENOENT);
    assert_int_equal(op(VCPUOP_is_up, ~0UL, NULL), -XEN_ENOENT);
    assert_int_equal(op(99, 0, NULL), -XEN_ENOSYS);
    assert_int_equal(op(VCPUOP_initialise, 1, &c), -XEN_EEXIST);
    other->initialised = false;
    other->pause = PAUSE_DOWN;
    assert_int_equal(op(VCPUOP_up, 1, NULL), -XEN_EINVAL);
    assert_int_equal(op(VCPUOP_initialise, 1, (void *)HV_START), -XEN_EFAULT);
    saw.context = -XEN_EINVAL;
    assert_int_equal(op(VCPUOP_initialise, 1, &c), -XEN_EINVAL);
    saw.no_memory = true;
    assert_int_equal(op(VCPUOP_initialise, 1, &c), -XEN_ENOMEM);
    saw.no_memory = false;
    saw.context = -XEN_ERESTART;
    assert_int_equal(op(VCPUOP_initialise, 1, &c), HOST_AGAIN);
    assert_true(saw.again[0] == VCPUOP_initialise && saw.again[1] == 1 && saw.again[2] == (uint64_t)&c && !other->set_up_busy);
    saw.context = 0;
    other->set_up_busy = 1;                            /* another vCPU is at it */
    assert_int_equal(op(VCPUOP_initialise, 1, &c), HOST_AGAIN);
    assert_int_equal(other->set_up_busy, 1);
    other->set_up_busy = 0;
    v->deferred_put[0] = mfn(7);
    saw.deferred = 1;
    assert_int_equal(op(VCPUOP_initialise, 1, &c), HOST_AGAIN);
    saw.deferred = 0;
    assert_int_equal(op(VCPUOP_initialise, 1, &c), 0);
    v->deferred_put[0] = mfn(0);
    other->initialised = true;
    assert_int_equal(op(VCPUOP_is_up, 1, NULL), 0);
    assert_int_equal(op(VCPUOP_up, 1, NULL), 0);
    assert_int_equal(op(VCPUOP_is_up, 1, NULL), 1);
    assert_int_equal(op(VCPUOP_down, 1, NULL), 0);
    assert_true(other->pause == PAUSE_DOWN && !saw.shutdowns);
    assert_int_equal(op(VCPUOP_down, 0, NULL), 0);     /* the last of them */
    assert_int_equal(saw.shutdowns, 1);
}

static void areas(void **state)
{
    struct vcpu_runstate_info r;
    uint64_t va = 0x4000;

    assert_int_equal(op(VCPUOP_get_runstate_info, 1, &r), 0);
    assert_int_equal(r.state, 6);
    assert_int_equal(op(VCPUOP_get_runstate_info, 1, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(op(VCPUOP_register_runstate_memory_area, 0, &va), 0);
    assert_true(v->runstate_area == va && saw.areas == 1 && !v->work && !v->time_area_due);
    assert_int_equal(op(VCPUOP_register_vcpu_time_memory_area, 1, &va), 0);
    assert_true(other->time_area == va && other->time_area_due && saw.areas == 1 && other->work == VCPU_WORK_AREAS);
    va = HV_START - 8;
    assert_int_equal(op(VCPUOP_register_vcpu_time_memory_area, 1, &va), -XEN_EFAULT);
    assert_int_equal(op(VCPUOP_register_runstate_memory_area, 0, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(other->time_area, 0x4000);
    va = 0;
    assert_int_equal(op(VCPUOP_register_vcpu_time_memory_area, 1, &va), 0);
    assert_true(!other->time_area && !other->time_area_due);
}

static void timers(void **state)
{
    struct vcpu_set_periodic_timer p = { 999999 };
    struct vcpu_set_singleshot_timer s = { 5, 0 };

    assert_int_equal(op(VCPUOP_set_periodic_timer, 1, &p), -XEN_EINVAL);
    p.period_ns = (1UL << 50) + 1;
    assert_int_equal(op(VCPUOP_set_periodic_timer, 1, &p), -XEN_EINVAL);
    assert_int_equal(op(VCPUOP_set_periodic_timer, 1, (void *)HV_START), -XEN_EFAULT);
    assert_null(saw.set);
    p.period_ns = 1UL << 50;
    assert_int_equal(op(VCPUOP_set_periodic_timer, 1, &p), 0);
    p.period_ns = 1000000;
    assert_int_equal(op(VCPUOP_set_periodic_timer, 1, &p), 0);
    assert_true(saw.set == &other->periodic && saw.on == &pcpu[2] && saw.expires == 2000000 && other->periodic_ns == 1000000);
    assert_int_equal(op(VCPUOP_stop_periodic_timer, 1, NULL), 0);
    assert_true(saw.stopped == &other->periodic && !other->periodic_ns);
    assert_int_equal(op(VCPUOP_set_singleshot_timer, 1, &s), -XEN_EINVAL);           /* only one's own */
    assert_int_equal(op(VCPUOP_stop_singleshot_timer, 1, NULL), -XEN_EINVAL);
    assert_int_equal(op(VCPUOP_set_singleshot_timer, 0, (void *)HV_START), -XEN_EFAULT);
    assert_int_equal(saw.timer, 0);
    assert_int_equal(op(VCPUOP_set_singleshot_timer, 0, &s), 0);
    assert_int_equal(saw.timer, 5);
    assert_int_equal(op(VCPUOP_stop_singleshot_timer, 0, NULL), 0);
    assert_int_equal(saw.timer, 0);
    s.timeout_abs_ns = 0;                              /* long past: at once, and not never */
    assert_int_equal(op(VCPUOP_set_singleshot_timer, 0, &s), 0);
    assert_int_equal(saw.timer, 1);
    static const struct { uint64_t asked, set; } t[] = { { 0, 0 }, { 1, 1 }, { 5000000, 5000000 }, { (1UL << 50) + 1000000, (1UL << 50) + 1000000 },
                                                        { (1UL << 50) + 1000001, 101000000 }, { 1UL << 63, 101000000 }, { ~0UL, 101000000 } };
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(hc_set_timer_op(v, t[i].asked), 0);
        assert_int_equal(saw.timer, t[i].set);
    }
}

static void somebody_is_faster(void) { v->info_mfn = mfn(6); }

static void moved_info(void **state)
{
    struct vcpu_register_vcpu_info r = { 5, PAGE_SIZE - sizeof(struct vcpu_info) + 8, 0 };
    struct vcpu_info *now = (struct vcpu_info *)(host_memory + 5 * PAGE_SIZE + 64);

    assert_int_equal(op(VCPUOP_register_vcpu_info, 0, &r), -XEN_ENXIO);
    r.offset = 4;
    assert_int_equal(op(VCPUOP_register_vcpu_info, 0, &r), -XEN_ENXIO);
    assert_int_equal(op(VCPUOP_register_vcpu_info, 0, (void *)HV_START), -XEN_EFAULT);
    r = (struct vcpu_register_vcpu_info){ 6, 64, 0 };
    assert_int_equal(op(VCPUOP_register_vcpu_info, 0, &r), -XEN_EINVAL);
    r.mfn = 5;
    assert_int_equal(op(VCPUOP_register_vcpu_info, 1, &r), -XEN_EINVAL);             /* one that is up */
    v->set_up_busy = 1;
    assert_int_equal(op(VCPUOP_register_vcpu_info, 0, &r), -XEN_EBUSY);
    assert_true(v->set_up_busy == 1 && saw.puts == 1);
    v->set_up_busy = 0;
    saw.in_get = somebody_is_faster;
    assert_int_equal(op(VCPUOP_register_vcpu_info, 0, &r), -XEN_EINVAL);
    assert_true(saw.puts == 2 && v->info == &info[0] && !v->set_up_busy);
    saw.in_get = NULL;
    assert_int_equal(op(VCPUOP_register_vcpu_info, 0, &r), -XEN_EINVAL);             /* once */
    assert_int_equal(saw.puts, 2);
    v->info_mfn = mfn(0);
    for (unsigned mask = 0; mask < 2; mask++) {
        begin(state);
        info[0] = (struct vcpu_info){ .evtchn_upcall_mask = mask, .arch.cr2 = 77 };
        assert_int_equal(op(VCPUOP_register_vcpu_info, 0, &r), 0);
        assert_true(v->info == now && v->info_mfn.raw == 5 && now->arch.cr2 == 77 && now->evtchn_upcall_mask == mask);
        assert_true(now->evtchn_pending_sel == ~0UL && now->evtchn_upcall_pending == 1 && saw.updates == 1 && saw.puts == 0);
    }
    other->pause = PAUSE_DOWN;
    r.offset = PAGE_SIZE - sizeof(struct vcpu_info);
    host_frames[5].type_info = 0;
    assert_int_equal(op(VCPUOP_register_vcpu_info, 1, &r), 0);
    assert_ptr_equal(other->info, host_memory + 6 * PAGE_SIZE - sizeof(struct vcpu_info));
}

static void where_and_nmis(void **state)
{
    struct vcpu_get_physid g = { 0 };

    saw.online = 7;
    assert_int_equal(op(VCPUOP_get_physid, 1, &g), -XEN_EINVAL);
    d.privileged = true;
    assert_int_equal(op(VCPUOP_get_physid, 1, &g), -XEN_EINVAL);                     /* it may run anywhere */
    other->affinity = 1 << 2;
    assert_int_equal(op(VCPUOP_get_physid, 1, &g), 0);
    assert_int_equal(g.phys_id, 12 | 2UL << 32);
    assert_int_equal(op(VCPUOP_get_physid, 1, (void *)HV_START), -XEN_EFAULT);
    other->affinity = 1 << 3;
    assert_int_equal(op(VCPUOP_get_physid, 1, &g), -XEN_EINVAL);
    d.privileged = false;
    other->affinity = 1 << 2;
    assert_int_equal(op(VCPUOP_get_physid, 1, &g), -XEN_EINVAL);
    assert_int_equal(op(VCPUOP_send_nmi, 1, NULL), 0);
    assert_int_equal(saw.nmis, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(starting), TEST(areas), TEST(timers), TEST(moved_info), TEST(where_and_nmis) };
    return cmocka_run_group_tests_name("vcpu_op", tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* judge_events.c: event channels, scheduling, vCPUs. SPEC 6.2, 8.2, 8.3. */
#include "tests/abi/judge.h"

/* ---- events ------------------------------------------------------------------------------------- */

static uint32_t port_for(uint16_t remote)
{
    struct evtchn_alloc_unbound a = { DOMID_SELF, remote, 0 };
    return hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&a)) ? 0 : a.port;
}

static long port_op(uint32_t cmd, uint32_t port)
{
    return hypercall_event_channel_op(cmd, gva(&port));
}

static void ask_ports(void)
{
    static const uint32_t bad[] = { 0, 3000, 5000, 0xffffffff };
    uint32_t port = port_for(NOBODY);

    family = "event_channel_op";
    for (unsigned i = 0; i < 4; i++) {
        say("J event_channel_op close %u = %d", (uint64_t)bad[i], port_op(EVTCHNOP_close, bad[i]));
        say("J event_channel_op send %u = %d", (uint64_t)bad[i], port_op(EVTCHNOP_send, bad[i]));
        say("J event_channel_op unmask %u = %d", (uint64_t)bad[i], port_op(EVTCHNOP_unmask, bad[i]));
    }
    ASK("unknown", hypercall_event_channel_op(99, gva(&port)));
    ASK("unmapped", hypercall_event_channel_op(EVTCHNOP_send, UNMAPPED));
    ASK("alloc for nobody", port != 0);
    ASK("send unbound", port_op(EVTCHNOP_send, port));
    ASK("unmask unbound", port_op(EVTCHNOP_unmask, port));
    ASK("close", port_op(EVTCHNOP_close, port));
    ASK("close twice", port_op(EVTCHNOP_close, port));
    struct evtchn_alloc_unbound a = { NOBODY, DOMID_SELF, 0 };
    ASK("alloc in nobody", hypercall_event_channel_op(EVTCHNOP_alloc_unbound, gva(&a)));
    struct evtchn_reset r = { NOBODY };
    ASK("reset nobody", hypercall_event_channel_op(EVTCHNOP_reset, gva(&r)));
    struct evtchn_set_priority p = { 5, 3 };
    ASK("priority", hypercall_event_channel_op(EVTCHNOP_set_priority, gva(&p)));
    struct evtchn_expand_array x = { 0 };
    ASK("expand", hypercall_event_channel_op(EVTCHNOP_expand_array, gva(&x)));
    struct evtchn_init_control c = { .control_gfn = NO_FRAME };
    ASK("control", hypercall_event_channel_op(EVTCHNOP_init_control, gva(&c)));
}

static void ask_bindings(void)
{
    uint32_t port = port_for(DOMID_SELF);
    struct evtchn_bind_interdomain b = { DOMID_SELF, port, 0 };
    struct evtchn_status s = { .dom = DOMID_SELF };

    ASK("bind to oneself", hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b)));
    uint32_t other = b.local_port;
    ASK("bind again", hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b)));
    ASK("send bound", port_op(EVTCHNOP_send, port));
    s.port = port;
    ASK("status", hypercall_event_channel_op(EVTCHNOP_status, gva(&s)));
    ASK("status is", s.status);
    ASK("status other end", s.u.interdomain.port == other);
    ASK("close one end", port_op(EVTCHNOP_close, port));
    s.port = other;
    hypercall_event_channel_op(EVTCHNOP_status, gva(&s));
    ASK("status of the other end", s.status);
    ASK("close other end", port_op(EVTCHNOP_close, other));
    hypercall_event_channel_op(EVTCHNOP_status, gva(&s));
    ASK("status closed", s.status);
    s.port = 5000;
    ASK("status past", hypercall_event_channel_op(EVTCHNOP_status, gva(&s)));
    s.dom = NOBODY;
    ASK("status nobody", hypercall_event_channel_op(EVTCHNOP_status, gva(&s)));
    b = (struct evtchn_bind_interdomain){ NOBODY, 1, 0 };
    ASK("bind nobody", hypercall_event_channel_op(EVTCHNOP_bind_interdomain, gva(&b)));
}

static void ask_interrupts(void)
{
    struct evtchn_bind_virq v = { 99, 0, 0 };
    struct evtchn_bind_ipi i = { 9, 0 };
    struct evtchn_bind_vcpu to = { 0, 0 };
    struct evtchn_bind_pirq q = { 0xffffff, 0, 0 };

    ASK("virq 99", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    v = (struct evtchn_bind_virq){ VIRQ_TIMER, 9, 0 };
    ASK("virq vcpu 9", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    v = (struct evtchn_bind_virq){ VIRQ_DOM_EXC, 1, 0 };
    ASK("global virq vcpu 1", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    v = (struct evtchn_bind_virq){ VIRQ_DEBUG, 0, 0 };
    ASK("virq", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    ASK("virq twice", hypercall_event_channel_op(EVTCHNOP_bind_virq, gva(&v)));
    ASK("send virq", port_op(EVTCHNOP_send, v.port));
    to.port = v.port;
    ASK("move virq", hypercall_event_channel_op(EVTCHNOP_bind_vcpu, gva(&to)));
    ASK("close virq", port_op(EVTCHNOP_close, v.port));
    ASK("ipi vcpu 9", hypercall_event_channel_op(EVTCHNOP_bind_ipi, gva(&i)));
    i.vcpu = 0;
    ASK("ipi", hypercall_event_channel_op(EVTCHNOP_bind_ipi, gva(&i)));
    to.port = i.port;
    ASK("move ipi", hypercall_event_channel_op(EVTCHNOP_bind_vcpu, gva(&to)));
    to.vcpu = 9;
    ASK("move to vcpu 9", hypercall_event_channel_op(EVTCHNOP_bind_vcpu, gva(&to)));
    ASK("send ipi", port_op(EVTCHNOP_send, i.port));
    ASK("close ipi", port_op(EVTCHNOP_close, i.port));
    ASK("pirq", hypercall_event_channel_op(EVTCHNOP_bind_pirq, gva(&q)));
}

void ask_events(void)
{
    ask_ports();
    ask_bindings();
    ask_interrupts();
}

/* ---- scheduling and time ------------------------------------------------------------------------- */

static void ask_sched(void)
{
    static uint32_t ports[2] = { 5000, 1 };
    struct sched_poll poll = { gva(ports), 1, 1 };
    struct sched_remote_shutdown far = { NOBODY, SHUTDOWN_poweroff };
    struct sched_watchdog w = { 0, 0 };

    family = "sched_op";
    ASK("unknown", hypercall_sched_op(99, 0));
    ASK("yield", hypercall_sched_op(SCHEDOP_yield, 0));
    ASK("shutdown unmapped", hypercall_sched_op(SCHEDOP_shutdown, UNMAPPED));
    ASK("poll bad port", hypercall_sched_op(SCHEDOP_poll, gva(&poll)));
    poll.nr_ports = 129;
    ASK("poll many", hypercall_sched_op(SCHEDOP_poll, gva(&poll)));
    poll.nr_ports = 0;
    ASK("poll none, time passed", hypercall_sched_op(SCHEDOP_poll, gva(&poll)));
    poll = (struct sched_poll){ UNMAPPED, 1, 1 };
    ASK("poll unmapped", hypercall_sched_op(SCHEDOP_poll, gva(&poll)));
    ASK("remote nobody", hypercall_sched_op(SCHEDOP_remote_shutdown, gva(&far)));
    w = (struct sched_watchdog){ 9, 5 };
    ASK("watchdog 9", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    w = (struct sched_watchdog){ 1, 5 };
    ASK("watchdog unarmed", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    w = (struct sched_watchdog){ 0, 500 };
    ASK("watchdog first", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    ASK("watchdog second", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    ASK("watchdog third", hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    for (w = (struct sched_watchdog){ 1, 0 }; w.id <= 2; w.id++)
        say("J sched_op watchdog %u off = %d", (uint64_t)w.id, hypercall_sched_op(SCHEDOP_watchdog, gva(&w)));
    family = "set_timer_op";
    ASK("stop", hypercall_set_timer_op(0));
}

static long vop(uint64_t cmd, uint64_t vcpu, const void *arg)
{
    return hypercall_vcpu_op(cmd, vcpu, gva(arg));
}

static void ask_vcpu(void)
{
    struct vcpu_set_periodic_timer fast = { 1000 }, slow = { 1UL << 60 };
    struct vcpu_set_singleshot_timer past = { 1, VCPU_SSHOTTMR_future };
    struct vcpu_register_vcpu_info crooked = { va_to_mfn(pool[7]), 4, 0 }, beyond = { va_to_mfn(pool[7]), 4090 & ~7, 0 };
    struct vcpu_register_vcpu_info no_frame = { NO_FRAME, 0, 0 };
    struct vcpu_register_runstate_memory_area theirs = { .addr.v = THEIRS }, off = { .addr.v = 0 };
    struct vcpu_runstate_info state;

    family = "vcpu_op";
    ASK("up?", vop(VCPUOP_is_up, 0, NULL));
    ASK("up? 9", vop(VCPUOP_is_up, 9, NULL));
    ASK("up? 100000", vop(VCPUOP_is_up, 100000, NULL));
    ASK("unknown", vop(99, 0, NULL));
    ASK("up", vop(VCPUOP_up, 0, NULL));
    ASK("runstate", vop(VCPUOP_get_runstate_info, 0, &state));
    ASK("runstate is", state.state);
    ASK("runstate unmapped", hypercall_vcpu_op(VCPUOP_get_runstate_info, 0, UNMAPPED));
    ASK("area theirs", vop(VCPUOP_register_runstate_memory_area, 0, &theirs));
    ASK("area off", vop(VCPUOP_register_runstate_memory_area, 0, &off));
    ASK("time area theirs", vop(VCPUOP_register_vcpu_time_memory_area, 0, &theirs));
    ASK("periodic fast", vop(VCPUOP_set_periodic_timer, 0, &fast));
    ASK("periodic slow", vop(VCPUOP_set_periodic_timer, 0, &slow));
    ASK("periodic stop", vop(VCPUOP_stop_periodic_timer, 0, NULL));
    ASK("singleshot past", vop(VCPUOP_set_singleshot_timer, 0, &past));
    ASK("singleshot stop", vop(VCPUOP_stop_singleshot_timer, 0, NULL));
    ASK("info crooked", vop(VCPUOP_register_vcpu_info, 0, &crooked));
    ASK("info beyond", vop(VCPUOP_register_vcpu_info, 0, &beyond));
    ASK("info past memory", vop(VCPUOP_register_vcpu_info, 0, &no_frame));
    ASK("initialise unmapped", hypercall_vcpu_op(VCPUOP_initialise, 0, UNMAPPED));
}

void ask_waiting(void)
{
    ask_sched();
    ask_vcpu();
}

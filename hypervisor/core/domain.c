/* SPDX-License-Identifier: MIT */
/* domain.c: births of domains, and finding, pausing and naming them.                           [read 46]
 *
 * A domain is a page-table root's worth of isolation: its frames, its vCPUs, its ports, its grants. It is made empty
 * and paused; a builder (boot/build_domain.c, or dom0 through domctl) fills it and lets it go. Whoever holds a pointer
 * holds a reference. How domains end is domain_end.c's. SPEC 3.                                                  */
#include "hypervisor/core/domain.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/sched.h"
#include "hypervisor/core/evtchn.h"
#include "hypervisor/core/grant.h"
#include "hypervisor/core/guestcons.h"
#include "hypervisor/core/physdev.h"
#include "hypervisor/core/sched.h"
#include "hypervisor/core/time.h"
#include "hypervisor/core/timer.h"
#include "hypervisor/core/vcpu.h"
#include "hypervisor/lib/atomic.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/frame.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/mm/pagetable.h"

#define DEFAULT_GRANT_FRAMES    64
#define DEFAULT_MAPTRACK_FRAMES 1024
#define TIMERS_A_DOMAIN         4        /* deferred, two watchdogs, console ring */

struct domain *domains_by_id[MAX_DOMAINS];
struct domain *dom0;
struct domain *idle_domain;

static struct {
    struct spinlock lock;                /* rank domain_list: domains_by_id, refs going up */
    uint32_t next_id;
} list = { SPINLOCK_INIT(domain_list), 1 };

/* ---- finding ----------------------------------------------------------------------------------- */

struct domain *domain_get(domid_t id)
{
    struct domain *d;

    if (id >= MAX_DOMAINS)
        return NULL;
    spin_lock(&list.lock);
    d = domains_by_id[id];
    if (d && !d->born)
        d = NULL;
    if (d)
        atomic_add(&d->refs, 1);
    spin_unlock(&list.lock);
    return d;
}

struct domain *domain_get_from(uint32_t id)
{
    struct domain *d = NULL;

    for (; id < MAX_DOMAINS && !d; id++)
        d = READ_ONCE(domains_by_id[id]) ? domain_get(id) : NULL;
    return d;
}

struct domain *domain_get_for(struct vcpu *v, domid_t id, long *rc)
{
    bool self = id == DOMID_SELF || id == v->domain->id;

    *rc = self || v->domain->privileged ? -XEN_ESRCH : -XEN_EPERM;
    return *rc == -XEN_ESRCH ? domain_get(self ? v->domain->id : id) : NULL;
}

int domain_for_each(int (*fn)(struct domain *d, void *arg), void *arg)
{
    struct domain *d;
    int rc = 0;

    for (uint32_t id = 0; !rc && (d = domain_get_from(id)); ) {
        id = d->id + 1;
        rc = fn(d, arg);
        domain_put(d);
    }
    return rc;
}

/* A free number, or the wished one; the new domain is listed, but nobody can name it yet. -EEXIST, -ENOMEM (all taken). */
static int enlist(struct domain *d, domid_t id)
{
    int rc = -XEN_EEXIST;

    spin_lock(&list.lock);
    if (id == DOMID_INVALID) {
        rc = -XEN_ENOMEM;
        /* A number is not used again soon: tools and logs would take the new domain for the old. */
        for (uint32_t i = 0; i < MAX_DOMAINS - 1 && rc; i++) {
            id = list.next_id;
            list.next_id = list.next_id + 1 < MAX_DOMAINS ? list.next_id + 1 : 1;
            rc = domains_by_id[id] ? -XEN_ENOMEM : 0;
        }
    } else if (id < MAX_DOMAINS && !domains_by_id[id]) {
        rc = 0;
    }
    if (!rc) {
        d->id = id;
        domains_by_id[id] = d;
    }
    spin_unlock(&list.lock);
    return rc;
}

void domain_unlist(struct domain *d)
{
    spin_lock(&list.lock);
    domains_by_id[d->id] = NULL;
    spin_unlock(&list.lock);
}

/* ---- names ------------------------------------------------------------------------------------- */

struct name_search { const struct domain *self; const char *name; };

static int same_name(struct domain *d, void *arg)
{
    const struct name_search *s = arg;
    return d != s->self && !d->dying && !strcmp(d->name, s->name) ? -XEN_EEXIST : 0;
}

int domain_set_name(struct domain *d, const char *name)
{
    char clean[sizeof(d->name)];
    struct name_search s = { d, clean };
    int rc;

    strlcpy(clean, name, sizeof(clean));
    for (char *c = clean; *c; c++) {
        if (*c < ' ' || *c > '~')
            *c = '?';
    }
    rc = domain_for_each(same_name, &s);
    if (!rc)
        memcpy(d->name, clean, sizeof(clean));
    return rc;
}

/* ---- births ------------------------------------------------------------------------------------ */

/* A negative figure asks for the default. */
static uint32_t or_default(int32_t asked, uint32_t usual)
{
    return asked < 0 || (uint32_t)asked > usual ? usual : (uint32_t)asked;
}

static int init_shared_info(struct domain *d)
{
    void *page;
    int rc = frame_alloc_shared(d, &page, &d->shared_info_mfn);

    if (rc)
        return rc;
    d->shared = page;
    /* A vCPU takes no events before its kernel says that it can. */
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        d->shared->vcpu_info[i].evtchn_upcall_mask = 1;
    time_update_wallclock(d);
    return 0;
}

static int init_parts(struct domain *d, const struct xen_domctl_createdomain *config)
{
    int32_t grants = config ? config->max_grant_frames : -1, maptrack = config ? config->max_maptrack_frames : -1;
    int rc;

    domain_init_end(d);
    if ((rc = perdomain_init(d)) || (rc = init_shared_info(d)) || (rc = evtchn_init(d)) ||
        (rc = grant_init(d, or_default(grants, DEFAULT_GRANT_FRAMES), or_default(maptrack, DEFAULT_MAPTRACK_FRAMES))) ||
        (rc = sched_init_domain(d)) || (rc = physdev_init_domain(d, d->privileged)))
        return rc;
    return 0;
}

/* What init_parts made, in any state of completion, but the shared page; and at a domain's end. */
static void free_parts(struct domain *d)
{
    for (unsigned i = 0; i < MAX_VCPUS; i++) {
        if (d->vcpu[i])
            vcpu_destroy(d->vcpu[i]);
    }
    guestcons_free(d);
    physdev_free_domain(d);
    sched_free_domain(d);
    grant_free(d);
    evtchn_free(d);
    perdomain_free(d);
    kfree(d->memory_map);
    timer_unreserve(TIMERS_A_DOMAIN);
    kfree(d);
}

static void init_fields(struct domain *d, domid_t id)
{
    spin_init(&d->lock, LOCK_domain);
    spin_init(&d->page_lock, LOCK_pages);
    spin_init(&d->evtchn_lock, LOCK_evtchn);
    list_init(&d->iomem_ranges);
    d->id = id;
    d->page_list = FRAME_LIST_END;
    d->refs = 1;                          /* the list's; dropped by domain_end.c's last rites */
}

static struct domain *new_domain(const struct xen_domctl_createdomain *config, bool privileged)
{
    struct domain *d;

    if (timer_reserve(TIMERS_A_DOMAIN))
        return NULL;
    d = kalloc(sizeof(*d));
    if (!d) {
        timer_unreserve(TIMERS_A_DOMAIN);
        return NULL;
    }
    init_fields(d, DOMID_INVALID);
    d->pause_count = 1;
    d->privileged = d->has_devices = privileged;
    d->max_vcpus = config ? config->max_vcpus : 1;
    d->create_flags = config ? config->flags : 0;
    if (config)
        memcpy(d->handle, config->handle, sizeof(d->handle));
    return d;
}

struct domain *domain_create(domid_t id, const struct xen_domctl_createdomain *config, bool privileged, int *rc)
{
    struct domain *d;

    *rc = -XEN_EINVAL;
    if (config && (!config->max_vcpus || config->max_vcpus > MAX_VCPUS))
        return NULL;
    *rc = -XEN_ENOMEM;
    d = new_domain(config, privileged);
    if (!d)
        return NULL;
    /* Listed first, because its frames' owner is found by number; born last: a half-made one is nobody's to name. */
    *rc = enlist(d, id);
    if (*rc) {
        domain_put(d);
        return NULL;
    }
    hv_snprintf(d->name, sizeof(d->name), "d%u", d->id);
    *rc = init_parts(d, config);
    if (*rc) {
        if (d->shared)
            frame_free_shared(d, d->shared_info_mfn);
        domain_unlist(d);
        domain_put(d);
        return NULL;
    }
    spin_lock(&list.lock);
    d->born = true;
    spin_unlock(&list.lock);
    if (privileged)
        dom0 = d;
    return d;
}

void domain_put(struct domain *d)
{
    if (atomic_sub(&d->refs, 1) == 1)
        free_parts(d);
}

int domain_make_idle(void)
{
    idle_domain = kalloc(sizeof(*idle_domain));
    if (!idle_domain)
        return -XEN_ENOMEM;
    init_fields(idle_domain, DOMID_IDLE);
    strlcpy(idle_domain->name, "idle", sizeof(idle_domain->name));
    return 0;
}

/* ---- pausing ----------------------------------------------------------------------------------- */

/* Every vCPU of d stops (or may go on): PAUSE_DOMAIN as d's state asks. d->lock is held. */
void domain_apply_pause(struct domain *d)
{
    bool stop = d->pause_count || d->shut_down || d->dying;

    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (!d->vcpu[i])
            continue;
        if (stop)
            vcpu_pause_set(d->vcpu[i], PAUSE_DOMAIN);
        else
            vcpu_pause_clear(d->vcpu[i], PAUSE_DOMAIN);
    }
}

void domain_pause_nosync(struct domain *d)
{
    spin_lock(&d->lock);
    d->pause_count++;
    domain_apply_pause(d);
    spin_unlock(&d->lock);
}

void domain_pause(struct domain *d)
{
    domain_pause_nosync(d);
    /* Waiting happens without the lock: a vCPU on its way out may want it. */
    for (unsigned i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] && d->vcpu[i] != current)
            vcpu_pause_sync(d->vcpu[i], PAUSE_DOMAIN);
    }
}

void domain_unpause(struct domain *d)
{
    spin_lock(&d->lock);
    BUG_ON(!d->pause_count);
    d->pause_count--;
    domain_apply_pause(d);
    spin_unlock(&d->lock);
}

int domain_resume(struct domain *d)
{
    int rc = -XEN_EINVAL;

    spin_lock(&d->lock);
    if (d->shut_down && !d->dying && d->shutdown_code == SHUTDOWN_suspend) {
        d->shut_down = false;
        domain_apply_pause(d);
        rc = 0;
    }
    spin_unlock(&d->lock);
    return rc;
}

void core_init(void)
{
    frame_set_last_gone_op(domain_last_frame_gone);
    mm_set_foreign_op(domain_get, domain_put);
    mm_set_iomem_op(physdev_iomem_allowed);
}

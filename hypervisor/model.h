/* SPDX-License-Identifier: MIT */
/* model.h: the nouns.
 *
 * What a frame, a domain, a vCPU and a pCPU are, and nothing that they do: several floors share these
 * structs, so they stand below all of them and hold no function but trivial accessors. Fields are
 * grouped by the lock that guards them; a field without a lock says why it needs none.             */
#ifndef ENSO_MODEL_H
#define ENSO_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- values ------------------------------------------------------------------------------------ */

#define VALUE_TYPE(name)                                                            \
    typedef struct { uint64_t raw; } name##_t;                                      \
    static inline name##_t name(uint64_t raw) { return (name##_t){ raw }; }         \
    _Static_assert(sizeof(name##_t) == 8, "must fit one register")

VALUE_TYPE(mfn);    /* machine frame: checked, ours to map                          */
VALUE_TYPE(gfn);    /* frame number exactly as a guest wrote it: not yet checked    */
VALUE_TYPE(gva);    /* guest virtual address: only mm/copy.h may follow it          */

/* The ABI headers' guest addresses are these. */
#define GVA_T gva_t

#include "hypercall-abi/abi.h"
#include "hypercall-abi/domctl.h"
#include "hypercall-abi/vcpu.h"
#include "hypervisor/lib/list.h"
#include "hypervisor/lib/spinlock.h"

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL
#define PAGE_MASK  (~(PAGE_SIZE - 1))

#define MAX_PCPUS      64      /* pCPU masks are one 64-bit word            */
#define MAX_VCPUS      32      /* a domain; two-level event channels' limit */
#define MAX_DOMAINS    1024    /* domids 0..1023                            */
#define NR_PORTS       4096    /* two-level event channels                  */

/* Pseudo-owners of frames, beside real domids. */
#define OWNER_NONE 0xffffU     /* free                                                        */
#define OWNER_HV   0x7ff2U     /* the hypervisor's own (DOMID_XEN)                             */
#define OWNER_IO   0x7ff1U     /* outside RAM: mapped by I/O capability, never counted         */

/* ---- address space (SPEC 2) -------------------------------------------------------------------- */

#define HV_START        0xffff800000000000UL   /* L4 slots 256..271 are the hypervisor's      */
#define HV_END          0xffff880000000000UL
#define HV_FIRST_SLOT   256
#define HV_LAST_SLOT    271
#define M2P_VIRT        0xffff800000000000UL   /* slot 256: guests read it                    */
#define PERDOMAIN_VIRT  0xffff808000000000UL   /* slot 257: this domain's descriptor windows  */
#define FRAMETABLE_VIRT 0xffff810000000000UL   /* slot 258: struct frame[]                    */
#define IOMAP_VIRT      0xffff818000000000UL   /* slot 259: device registers, stack blocks    */
#define IMAGE_VIRT      0xffff820000000000UL   /* slot 260: text, rodata, data, bss           */
#define DIRECTMAP_VIRT  0xffff830000000000UL   /* slots 262..271: all RAM, RW NX              */

/* Each vCPU has 32 pages of the per-domain window: 16 of GDT, then 16 of LDT. */
#define GDT_WINDOW(vcpu_id) (PERDOMAIN_VIRT + (uint64_t)(vcpu_id) * 32 * PAGE_SIZE)
#define LDT_WINDOW(vcpu_id) (GDT_WINDOW(vcpu_id) + 16 * PAGE_SIZE)

/* ---- frames ------------------------------------------------------------------------------------ */

/* F1  A frame with type references has a general reference held for them: type_count > 0 => refs > 0.
 * F2  The type changes only at type_count == 0; a reference of the new type is of use to nobody before stale TLB
 *     entries, cached entries of upper tables among them, are flushed.
 * F3  A frame typed L1..L4 or DESC has no writable mapping: types exclude one another, by F2.
 * F4  A present entry of a validated table holds a reference on its target: a type reference
 *     if it points at a lower table or maps writable, a general one if it maps read-only.          */
struct frame {
    uint64_t type_info;     /* FT_* type | FT_ flags | type count; changed only by cmpxchg           */
    uint64_t refs;          /* FR_ALLOCATED | count; at count 0 the frame goes to the heap           */
    uint32_t next, prev;    /* mfns: owner's list (under its page_lock) or free list (heap lock)     */
    domid_t  owner;         /* set at allocation, OWNER_NONE when freed                              */
    uint16_t partial;       /* entries already (un)validated when FT_PARTIAL is set                  */
    uint32_t flush_epoch;   /* when the last type or reference went: mm/frame.h says how it is used  */
};
_Static_assert(sizeof(struct frame) == 32, "the frame record is 32 bytes: design D2");

#define FT_NONE       (0UL << 60)
#define FT_L1         (1UL << 60)
#define FT_L2         (2UL << 60)
#define FT_L3         (3UL << 60)
#define FT_L4         (4UL << 60)
#define FT_DESC       (5UL << 60)
#define FT_WRITABLE   (6UL << 60)
#define FT_SHARED     (7UL << 60)   /* the hypervisor writes it too (shared_info, grant frames): data, not a table */
#define FT_TYPE       (15UL << 60)
#define FT_PINNED     (1UL << 59)
#define FT_VALIDATED  (1UL << 58)
#define FT_LOCKED     (1UL << 57)   /* one entry of this table is being changed */
#define FT_PARTIAL    (1UL << 56)
#define FT_SELF       (1UL << 55)   /* with FT_PARTIAL: the one count is the frame's own, nobody else holds it */
#define FT_COUNT      ((1UL << 55) - 1)

#define FR_ALLOCATED  (1UL << 63)   /* the owner's own reference, dropped once by free or decrease_reservation */
#define FR_COUNT      ((1UL << 56) - 1)

/* ---- guest registers --------------------------------------------------------------------------- */

/* What an entry leaves on the pCPU's stack; guest/entry.S builds it. A fast path leaves r15..rbp
 * unwritten (C preserves them) and completes them before anything switches vCPUs.                  */
struct guest_regs {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint32_t error_code, vector;
    uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct guest_regs) == 168, "entry.S counts on it");

/* ---- pCPU -------------------------------------------------------------------------------------- */

/* One block of address space a pCPU, aligned to its size, so that any stack pointer in it finds the
 * top: guard, #DF, guard, NMI, guard, #MC, guard, #DB, guard, then the primary stack, whose last
 * bytes are struct cpu_info.                                                                        */
#define STACK_BLOCK   65536UL

struct cpu_info {
    struct guest_regs regs;      /* TSS.RSP0 points just behind it              */
    struct vcpu      *curr;      /* running here; the idle vCPU when none       */
    struct pcpu      *pcpu;
    uint32_t          work;      /* WORK_*: what the exit path must do first; atomic: others set bits */
    uint32_t          pad0;
    uint64_t          pad1[7];   /* keeps &regs + sizeof(regs) 16-aligned: asserted below */
};
_Static_assert((STACK_BLOCK - sizeof(struct cpu_info) + sizeof(struct guest_regs)) % 16 == 0, "RSP0 alignment");

#define WORK_SCHED   (1U << 0)   /* call the scheduler                           */
#define WORK_TIMER   (1U << 1)   /* run expired timers                           */
#define WORK_VCPU    (1U << 2)   /* current has VCPU_WORK_* bits                 */
#define WORK_CALL    (1U << 3)   /* a call from another pCPU waits in the mailbox */
#define WORK_DEBUGKEY (1U << 4)  /* a debug key waits to be handled              */

static inline struct cpu_info *cpu_info(void)
{
    uint64_t sp;
    __asm__("mov %%rsp, %0" : "=r"(sp));
    return (struct cpu_info *)((sp | (STACK_BLOCK - 1)) + 1 - sizeof(struct cpu_info));
}
#define current     (cpu_info()->curr)
#define this_pcpu() (cpu_info()->pcpu)

struct timer {
    uint64_t expires;            /* ns of system time                            */
    void   (*fn)(void *arg);     /* runs on the pCPU the timer is on, no lock held, IF=0 */
    void    *arg;
    uint32_t heap_index;         /* 0: inactive                                  */
    uint32_t pcpu;               /* whose heap; changed by timer_migrate only    */
};

struct timer_heap {
    struct spinlock lock;        /* rank timer */
    struct timer  **slot;        /* slot[1..count] */
    uint32_t count, limit;
    struct timer *volatile running;   /* whose fn runs now: timer_stop waits for it */
};

struct pcpu {
    uint32_t id;                 /* 0..nr_pcpus-1                                */
    uint32_t apic_id;
    struct cpu_info *info;       /* the top of its stack block                   */
    struct vcpu *idle;
    struct domain *loaded;       /* whose page tables CR3 holds (lazily when idle); NULL: the idle root */
    struct vcpu *lazy;           /* it idles, and all of this one's state is still here only, its root loaded; written here only */
    uint32_t calls;              /* cross calls and flushes that interrupted it */
    uint32_t flushed_epoch;      /* last global TLB flush epoch this pCPU saw: read by others */
    uint32_t online;
    struct {                     /* cross calls: a sender fills, kicks, waits; served from the IPI and in spin loops */
        void (*volatile fn)(void *arg);
        void *arg;
        volatile uint32_t busy, done;
        struct spinlock lock;    /* rank call: one sender at a time              */
    } call;
    volatile uint32_t flush_request;   /* set by a flusher, cleared by this pCPU after it flushed */
    struct timer_heap timers;
    struct timer sched_timer;    /* fires at the end of the running vCPU's slice or before it */
    uint64_t slice_end;          /* 0: nobody waits; written by this pCPU under its sched_lock */
    void *sched;                 /* the scheduler's own                          */
    void *tss, *gdt;             /* x86/desc.c                                   */
    uint32_t lock_depth;         /* debug: ranks held */
    uint8_t  lock_rank[16];
    uint64_t nmi_count, irq_count;
    uint32_t tsc_aux;            /* what MSR_TSC_AUX holds now */
    struct spinlock sched_lock;  /* rank sched: the run queue, and the scheduling fields of vCPUs whose processor this is */
    struct vcpu *sched_curr;     /* whom the scheduler chose last: under sched_lock */
    volatile uint32_t flush_done;      /* the flush_request ticket that its last flush answered */
    void *exec_page;             /* its syscall stubs, as executed; x86/desc.c   */
    bool online_idle;            /* it has been in the idle loop: boot is over for it */
};

extern struct pcpu *pcpus[MAX_PCPUS];
extern uint32_t nr_pcpus;

/* ---- vCPU -------------------------------------------------------------------------------------- */

struct trap_bounce_entry {       /* set_trap_table's entry, checked */
    uint64_t address;            /* canonical, 0: none */
    uint16_t cs;
    uint8_t  dpl;                /* who may raise it by INT */
    uint8_t  mask_events;        /* TI_IF: mask events on entry */
};

/* Reasons a vCPU may not run: any bit set keeps it off the run queues. Atomic. */
#define PAUSE_DOWN      (1U << 0)   /* never initialised, or VCPUOP_down   */
#define PAUSE_BLOCKED   (1U << 1)   /* SCHEDOP_block                       */
#define PAUSE_POLL      (1U << 2)   /* SCHEDOP_poll                        */
#define PAUSE_DOMAIN    (1U << 3)   /* its domain is paused (counted there) or shut down */
#define PAUSE_HYPER     (1U << 4)   /* the hypervisor wants it still       */

#define VCPU_WORK_NMI     (1U << 0)
#define VCPU_WORK_AREAS   (1U << 1)   /* runstate or time area to update in its own address space */
#define VCPU_WORK_FAILSAFE (1U << 2)

#define DEFERRED_PUTS 4

struct vcpu {
    struct domain *domain;
    uint32_t id;
    uint32_t work;                   /* VCPU_WORK_*; atomic */

    /* -- what entry.S and the exit path touch: kept together -- */
    struct vcpu_info *info;          /* in shared_info or registered; always mapped (direct map)   */
    bool     in_kernel;              /* guest kernel or guest user mode                            */
    bool     syscall_masks_events;   /* callback flags */
    bool     failsafe_masks_events;
    bool     ts;                     /* guest's view of CR0.TS                                     */
    uint64_t kernel_sp;              /* stack_switch, as the guest said it */
    uint64_t kernel_stack;           /* the same as a frame uses it: aligned, off the hypervisor; or where every store faults */
    uint64_t kernel_ss;
    uint64_t event_cb, failsafe_cb, syscall_cb, syscall32_cb, sysenter_cb, nmi_cb;
    bool     syscall32_masks_events, sysenter_masks_events;
    mfn_t    guest_root, guest_user_root;   /* as the guest named them, each with an FT_L4 type reference; raw 0: none */
    mfn_t    loaded_root;            /* what CR3 holds when this vCPU runs: design D3               */

    /* -- its machine state while it does not run -- */
    struct guest_regs regs;
    uint16_t ds, es, fs, gs;
    uint64_t fs_base, gs_base_kernel, gs_base_user;   /* gs_base_kernel: active in kernel mode after swap, see guest/switch.c */
    void    *fpu;                    /* XSAVE area, 64-aligned, size x86/fpu.h                     */
    uint64_t xcr0;
    uint64_t cr4;                    /* guest's view */
    uint64_t dr[8];                  /* dr0-3, 6, 7, checked */
    uint32_t iopl;                   /* virtual IOPL: PHYSDEVOP_set_iopl */
    uint32_t tsc_aux;                /* what its rdtscp reads */
    uint64_t iobmp;                  /* PHYSDEVOP_set_iobitmap: guest address, and how many ports it covers */
    uint32_t iobmp_limit;
    struct trap_bounce_entry traps[256];

    /* -- descriptor windows; under domain lock -- */
    uint16_t gdt_entries, ldt_entries;
    mfn_t    gdt_frames[14];         /* each holds FT_DESC; raw 0: none */
    uint64_t ldt_base;               /* guest virtual; pages are filled on demand by faults */

    /* -- vcpu_info registration -- */
    mfn_t    info_mfn;               /* raw 0: in shared_info; else holds a FT_WRITABLE reference  */
    uint64_t runstate_area, time_area;   /* the guest's areas, by virtual address; 0: none */
    bool     time_area_due;          /* not written yet since its place, or the figures, changed */

    /* -- scheduling: sched lock of its pCPU -- */
    uint32_t pause;                  /* PAUSE_*; atomic: 0 = may run */
    uint32_t processor;              /* pCPU whose queue it is on */
    volatile uint32_t on_pcpu;       /* its state is on a pCPU (running or not yet saved) */
    uint32_t last_pcpu;              /* where it ran last, and may still be loaded: struct pcpu's lazy */
    uint64_t affinity;               /* pCPU mask, hard */
    uint64_t soft_affinity;
    struct list_node run_link;
    void    *sched;                  /* the scheduler's own */
    struct vcpu_runstate_info runstate;

    /* -- timers -- */
    struct timer singleshot, periodic, poll_timer;
    uint64_t periodic_ns;

    /* -- event channels: domain's evtchn lock -- */
    uint16_t virq_port[NR_VIRQS];    /* 0: unbound */
    bool     initialised;
    bool     nmi_pending, nmi_masked;
    uint64_t poll_port;              /* 0: a list */

    /* -- continuation bookkeeping: its own -- */
    bool     preempted;              /* the running hypercall asked to be re-issued */
    bool     in_multicall;
    uint64_t hypercalls;             /* count, for the END line */
    uint32_t last_hypercall;         /* number, for the crash dump */
    struct multicall_entry *mc_entry;

    bool     is_idle;
    uint32_t set_up_busy;            /* atomic: somebody loads a context into it, or moves its vcpu_info */

    mfn_t    deferred_put[DEFERRED_PUTS];   /* tables whose unvalidation was interrupted where it could not wait, from [0] on */
    uint32_t refused_entry;          /* of the table whose validation failed last: for the message */
};

/* ---- domain ------------------------------------------------------------------------------------ */

enum domain_dying { DOMAIN_ALIVE, DOMAIN_DYING, DOMAIN_DEAD };

struct evtchn;                       /* core/evtchn.h */
struct grant_table;                  /* core/grant.h  */

struct domain {
    domid_t  id;
    bool     born;                   /* whole: may be named by others; set once, under the domain_list lock */
    bool     privileged;             /* dom0 */
    bool     has_devices;            /* may set PWT/PCD/PAT and map I/O */
    char     name[32];               /* printable ASCII; "d3" until named */
    uint32_t refs;                   /* atomic; get_domain/put_domain; at 0 the struct is freed */
    uint8_t  handle[16];
    uint32_t create_flags;

    struct spinlock lock;            /* rank domain: life cycle, vCPU set-up, descriptors */
    uint32_t dying;                  /* enum domain_dying */
    uint32_t pause_count;            /* toolstack pauses: domain lock */
    bool     shut_down;
    bool     crashed;                /* a vCPU asked for a crash; the exit path finishes it */
    uint32_t shutdown_code;
    struct vcpu *vcpu[MAX_VCPUS];
    uint32_t max_vcpus;              /* vCPUs that may exist */
    uint64_t destroy_step;           /* where a preempted destroy goes on */
    uint64_t destroy_cursor;

    /* -- memory: page_lock (rank pages) -- */
    struct spinlock page_lock;
    uint32_t page_list;              /* head mfn of its frames, FRAME_LIST_END when empty */
    uint64_t tot_pages, max_pages;
    uint64_t dirty_pcpus;            /* atomic mask: pCPUs that may hold TLB entries of it */
    uint64_t refused_pte_bits;       /* precomputed: bits that a leaf entry of this domain may not set */
    mfn_t    perdomain_l3;           /* slot 257 of its roots */
    uint64_t *perdomain_l1[MAX_VCPUS / 16];
    mfn_t    shared_info_mfn;
    struct shared_info *shared;
    uint32_t vm_assist;
    void    *memory_map;             /* XENMEM_set_memory_map: e820 entries */
    uint32_t memory_map_entries;

    /* -- events: evtchn lock -- */
    struct spinlock evtchn_lock;
    struct evtchn *evtchn_bucket[NR_PORTS / 128];
    uint64_t poll_mask;              /* vCPUs in SCHEDOP_poll; atomic */

    struct grant_table *grant;       /* NULL only while dying or for idle */

    /* -- devices: domain lock -- */
    uint8_t *ioport_bitmap;          /* 8 KiB, bit set = allowed; NULL: none */
    struct list_node iomem_ranges;   /* core/physdev.h */
    void    *pirqs;                  /* core/physdev.h */

    /* -- console ring (made by a builder): domain lock -- */
    mfn_t    console_mfn;            /* raw 0: none */
    mfn_t    console_ring;           /* the same while the hypervisor drains it: holds a FT_WRITABLE reference */
    uint32_t console_port;
    uint32_t store_port;             /* of a domain that our own builder made where there is a dom0; with store_mfn */
    mfn_t    store_mfn;              /* raw 0: none */
    void    *console_state;          /* core/guestcons: line being assembled */

    /* -- scheduling parameters -- */
    uint32_t weight, cap;
    void    *sched;
    /* -- time -- */
    int64_t  time_offset_s;
    struct timer watchdog[2];
    uint32_t watchdog_armed;

    /* -- memory, continued -- */
    uint64_t shared_pages;           /* frames of frame_alloc_shared: page_lock */
    uint32_t relinquish_pass;        /* frame_relinquish_all's place */
    uint64_t relinquish_left;
    bool     last_gone_told;

    /* -- core/domain.c -- */
    struct timer deferred;           /* what must not happen in the midst of a locked section: end of a crash, last rites */
    uint32_t finished;               /* atomic: the last rites were given */
    uint32_t ctl_pauses;             /* of pause_count: by the toolstack's pausedomain; domain lock */
};

extern struct domain *domains_by_id[MAX_DOMAINS];   /* core/domain.c; under domain_list lock */

#endif

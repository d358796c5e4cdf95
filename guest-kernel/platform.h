/* SPDX-License-Identifier: MIT */
/* platform.h: what ordinary instructions cannot do.
 *
 * kernel/ is a small Unix written in ordinary instructions plus the functions below. native/ answers them with
 * privileged instructions on the bare PC, pv/ with hypercalls: `diff -ru native pv` is the chapter on what
 * paravirtualizing means. Both folders define the same functions in files of the same names.
 *
 * Three rules shape the interface:
 *
 *  1. One CPU runs Novice, and kernel code is never interrupted. Interrupts (under PV: event upcalls) are off from the
 *     first instruction of a trap to the return to user mode. They come in at three places only: in user mode, in
 *     plat_idle() and in plat_irq_window(). So no kernel datum needs a lock, a queue that was tested is still so when we
 *     sleep on it, and the PV return path has no window between unmasking and leaving. Faults of the kernel itself on
 *     user addresses (page faults inside user_copy) do nest: they are synchronous.
 *  2. Memory is numbered by pfn, from 0, all of it mapped at DIRECT_BASE. What stands in a page-table entry is a
 *     *frame*: natively the same number, under PV the machine's. Only plat_pte_* and the two conversions know.
 *  3. A page table is written as an ordinary page until its space first runs; then only through plat_pte_*. A
 *     platform that protects live tables (PV pins them) does so for the whole space at the first plat_context_load,
 *     and gives it all back in plat_space_retire. So fork fills a child's tables with plain stores.             */
#ifndef GUEST_KERNEL_PLATFORM_H
#define GUEST_KERNEL_PLATFORM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- Layout of the address space ------------------------------------------------------------------------
 * L4 slots   0-255  user
 *          256-271  the hypervisor's under PV; natively left empty
 *              272  DIRECT_BASE: all memory, read-write, never executable
 *              273  KMAP_BASE: kernel mappings made at run time (kernel/kmap.c)
 *              511  KERNEL_BASE: the kernel's image
 * The platform creates the L3 tables of slots 272, 273 and 511 at boot; every space shares them.            */
#define PAGE_SHIFT    12
#define PAGE_SIZE     4096ul
#define USER_END      0x00007ffffffff000ul
#define DIRECT_BASE   0xffff880000000000ul
#define KMAP_BASE     0xffff888000000000ul
#define KERNEL_BASE   0xffffffff80000000ul
#define PT_LEVELS     4
#define PT_ENTRIES    512

static inline void *pfn_to_virt(uint64_t pfn) { return (void *)(DIRECT_BASE + (pfn << PAGE_SHIFT)); }
/* Only for addresses in the direct map. */
static inline uint64_t virt_to_pfn(const void *va) { return ((uintptr_t)va - DIRECT_BASE) >> PAGE_SHIFT; }

/* ---- Page-table entries: the hardware's bits, the same on both platforms ---------------------------------- */
typedef uint64_t pte_t;

#define PTE_P        (1ul << 0)
#define PTE_W        (1ul << 1)
#define PTE_U        (1ul << 2)      /* PV sets it everywhere: its kernel runs in ring 3 too */
#define PTE_PWT      (1ul << 3)
#define PTE_PCD      (1ul << 4)
#define PTE_A        (1ul << 5)
#define PTE_D        (1ul << 6)
#define PTE_COW      (1ul << 9)      /* ours: read-only now, copied when written  */
#define PTE_SPECIAL  (1ul << 10)     /* ours: installed by a device, not counted  */
#define PTE_NX       (1ul << 63)
#define PTE_FLAGS    (PTE_NX | 0xffful)

/* An entry for memory page pfn; flags are PTE_*. */
pte_t plat_pte_make(uint64_t pfn, uint64_t flags);
/* An entry for a frame of the machine's: device memory, another domain's page. */
pte_t plat_pte_make_frame(uint64_t frame, uint64_t flags);
/* The pfn that a present entry without PTE_SPECIAL names. */
uint64_t plat_pte_pfn(pte_t pte);
/* Between our numbering and the machine's. plat_frame_to_pfn gives PFN_NONE for a frame that is not ours. */
#define PFN_NONE (~0ul)
uint64_t plat_pfn_to_frame(uint64_t pfn);
uint64_t plat_frame_to_pfn(uint64_t frame);

/* ---- Address spaces ----------------------------------------------------------------------------------- */
struct plat_space {
    pte_t *root;          /* the L4 that kernel code walks and runs on; slots 0-255 are the caller's           */
    pte_t *user_root;     /* PV: the L4 of user mode, kept equal in slots 0-255 by plat_pte_write; else root   */
    bool   live;          /* tables are protected (PV: pinned) and only plat_pte_* may write them              */
    struct page *tables;  /* the tables of levels 1 to 3, chained by the kernel: see space_table_next          */
};
/* The next of s's tables below the root(s), after `table`, first for null; null after the last. */
void *space_table_next(const struct plat_space *s, const void *table);
/* Adds a table to them, before plat_table_use. */
void space_table_add(struct plat_space *s, void *table);

/* The kernel's own space: no user half; kernel threads and dying processes run on it. Always live. */
extern struct plat_space plat_kernel_space;

/* Makes the root(s), user half empty, kernel half shared. -ENOMEM or 0. Takes pages by page_alloc(). */
int  plat_space_create(struct plat_space *s);
/* Takes protection back from every table of s, so that they are ordinary pages again; afterwards plat_pte_write on s is
 * a plain store. s must not be loaded. Called before a space is torn down. A no-op on a space that was never loaded. */
void plat_space_retire(struct plat_space *s);
/* Frees the root(s). s is retired; the tables below are the caller's, freed already. */
void plat_space_destroy(struct plat_space *s);

/* Before `table` (a page in the direct map, filled or zero) is entered into s as a table of `level` (1..3):
 * if s is live, protects it now. The caller enters it by plat_pte_write right after. */
void plat_table_use(struct plat_space *s, void *table, int level);
/* After `table` was taken out of s (its entry above cleared, TLB flushed): it is an ordinary page again on return. */
void plat_table_release(struct plat_space *s, void *table, int level);

/* Writes one entry of a table of s; level is the table's (1: maps pages, 4: the root). No TLB work. In a batch the
 * store may be delayed until plat_batch_end, so do not read the slot back inside. */
void plat_pte_write(struct plat_space *s, int level, pte_t *slot, pte_t val);
/* Writes a level-1 entry of the loaded space that maps va, and drops va's old translation: the page-fault path. */
void plat_pte_set(struct plat_space *s, uintptr_t va, pte_t *slot, pte_t val);
/* Batches nest; plat_batch_end of the outermost puts everything in force. */
void plat_batch_begin(void);
void plat_batch_end(void);
/* Drops all user translations of the loaded space / kernel translations too. Ends with pending batched writes in force. */
void plat_tlb_flush(void);
void plat_tlb_flush_page(uintptr_t va);

/* ---- Running ---------------------------------------------------------------------------------------- */
/* What a trap leaves on the kernel stack, whatever the platform's hardware or hypervisor pushed. The frame of a trap from
 * user mode always ends at the stack top given to plat_context_load. */
struct trapframe {
    uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector;      /* 0..31 the CPU's exceptions, or TRAP_*                                    */
    uint64_t error;       /* of the exception; for TRAP_SYSCALL the number that was in rax            */
    uint64_t rip, cs, rflags, rsp, ss;
};
#define TRAP_SYSCALL   0x100
#define TRAP_INTERRUPT 0x101    /* anything from outside: the platform knows what (plat_interrupt)    */
#define PF_PRESENT 1            /* error bits of vector 14                                            */
#define PF_WRITE   2
#define PF_USER    4
#define PF_FETCH   16

static inline bool frame_from_user(const struct trapframe *tf) { return tf->cs & 3; }   /* PV pushes RPL 0 for its kernel */

/* Makes tf a frame that returns to user mode at rip with stack rsp: segments and flags set, registers zero. */
void plat_frame_user(struct trapframe *tf, uintptr_t rip, uintptr_t rsp);
/* Leaves the kernel through tf, which lies at the current stack's top. Never returns. */
void plat_user_return(struct trapframe *tf) __attribute__((noreturn));
/* The address of the page fault being handled; read first thing. */
uintptr_t plat_fault_address(void);
/* Called by trap() for TRAP_INTERRUPT: finds out what happened, makes the upcalls below. */
void plat_interrupt(struct trapframe *tf);

/* All that a switch to another thread asks of the machine, at once so that PV can do it in one multicall. */
struct plat_context {
    struct plat_space *space;     /* 0: keep the loaded one                        */
    uintptr_t          stack_top; /* where traps from user mode build their frame  */
    uintptr_t          fs_base;   /* user mode's                                   */
};
void plat_context_load(const struct plat_context *c);
/* Sets FS base of the running thread. */
void plat_fs_base(uintptr_t base);

struct plat_fpu { uint8_t area[512] __attribute__((aligned(16))); };   /* FXSAVE layout */
void plat_fpu_init(struct plat_fpu *f);      /* what a fresh program starts with  */
void plat_fpu_save(struct plat_fpu *f);
void plat_fpu_load(const struct plat_fpu *f);

/* Between these two, kernel code may touch user addresses (SMAP natively). Short, no sleeping; a fault inside is fine. */
void plat_user_open(void);
void plat_user_close(void);

/* ---- Interrupts, time -------------------------------------------------------------------------------- */
/* Lets what is pending in, then shuts the door again. For long loops. */
void plat_irq_window(void);
/* Waits until an interrupt came (returns at once if one is pending), having handled it. PV: sched_op block. */
void plat_idle(void);
/* One-shot: timer_interrupt() is called at or soon after `deadline` of plat_clock_ns (also when it is past already);
 * 0 stops it. Only the last call counts. */
void plat_timer_set(uint64_t deadline);
uint64_t plat_clock_ns(void);                /* since boot; never steps back      */
uint64_t plat_wall_ns(void);                 /* since 1970; as good as the platform knows it */
/* From now on keeps the scale at the start of *page (zeroed, never freed) right, and sets its boot_ns so that the two clocks
 * agree. 0, or -errno: no such page here. */
struct time_page;
int plat_time_page(struct time_page *page);

/* ---- Devices (guest-kernel/drivers/) --------------------------------------------------------------------- */
bool plat_has_pci(void);                     /* false: no bus of ours here; true also gives the right to its ports */
uint32_t plat_in(unsigned port, unsigned size);           /* 1, 2 or 4 bytes */
void plat_out(unsigned port, unsigned size, uint32_t value);
/* The interrupt line gsi of the I/O APIC, level-triggered and active low: a number for irq_handle, the same for the same line; -errno. */
int  plat_irq_line(unsigned gsi);
/* An interrupt of its own for a device's message: `entry` of the MSI-X table at machine address `table`, or, table being 0, MSI. */
int  plat_irq_msi(uint16_t bdf, int entry, uint64_t table);
/* What the device is to send for it; false if the platform has told the device itself. */
bool plat_msi_message(int irq, uint64_t *address, uint32_t *data);
/* Keeps irq from coming, or lets it come (again). A line's interrupt that irq_raised masked is let in by the second only. */
void plat_irq_mask(int irq, bool mask);
/* Where irq comes in, for /proc/interrupts: "vector 0x31", "pirq 20, port 9". */
void plat_irq_name(int irq, char *buf, size_t size);
/* What else interrupts the kernel, a line each, as /proc/interrupts shows it; its length, less than size. */
size_t plat_irq_list(char *buf, size_t size);
/* Gives 2^order pages of the direct map, whose contents are lost, frames that lie side by side. 0, -ENOMEM. */
int  plat_make_contiguous(void *block, unsigned order);

/* ---- Console, end, the rest ------------------------------------------------------------------------- */
/* Writes, waiting for room if need be; works from the first instruction of kernel_main on. '\n' is sent as is. */
void plat_console_write(const char *text, size_t n);
/* From now on input arrives by console_input(). */
void plat_console_start(void);
/* `code` reaches whoever watches: natively isa-debug-exit with `debugexit` on the command line, else ACPI off. */
void plat_poweroff(int code) __attribute__((noreturn));
void plat_reboot(void) __attribute__((noreturn));
void plat_crash(void) __attribute__((noreturn));     /* after a panic's message */
unsigned plat_cpu_id(void);
/* Once, when files and devices exist: the platform starts its own devices (dev_register). */
void plat_devices(void);

/* What the platform tells kernel_main. All pointers are in the direct map or the kernel image. */
struct plat_range { uint64_t start, end; };  /* pfns, end exclusive */
#define PLAT_RANGES 16
struct plat_boot {
    const char       *platform;              /* "native" or "pv"                                           */
    const char       *cmdline;               /* without the kernel's own file name; never null             */
    const void       *initrd;                /* page-aligned; null if none                                 */
    uint64_t          initrd_size;           /* its pages are the kernel's to free after unpacking         */
    uint64_t          max_pfn;               /* end of the direct map                                      */
    unsigned          cpus;                  /* that the machine has; Novice runs on one, the rest stay down */
    unsigned          ranges;                /* free memory: neither kernel, initrd nor tables in it, ascending */
    struct plat_range range[PLAT_RANGES];
};

/* ---- Upcalls: the kernel's, called by the platform ----------------------------------------------------- */
/* On a stack of at least 8 KiB, interrupts off, direct map complete. Never returns. */
void kernel_main(const struct plat_boot *boot) __attribute__((noreturn));
/* Every trap, interrupt and system call; when it returns, tf is what to resume. */
void trap(struct trapframe *tf);
void timer_interrupt(void);
void console_input(const char *text, size_t n);
/* A zeroed page of the direct map, or null; and back. Usable by the platform once kernel_main runs. */
void *page_alloc(void);
void page_free(void *page);

#endif

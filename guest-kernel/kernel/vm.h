/* SPDX-License-Identifier: MIT */
/* vm.h: a process's memory: a sorted list of areas, and the page tables that are filled as faults ask for it.
 *
 * V1  Areas do not overlap, are page-aligned and end at or below USER_END.
 * V2  A present leaf entry lies in an area and grants no more than its area does; it grants less where the page is
 *     still to be copied (PTE_COW).
 * V3  An entry without PTE_SPECIAL holds one reference on its struct page. Entries with it (a device's: foreign frames,
 *     shared rings) hold none: the device's area operations account for them.                                  */
#ifndef NOVICE_VM_H
#define NOVICE_VM_H

#include "guest-kernel/kernel/base.h"
#include "guest-kernel/kernel/page.h"

struct file;
struct inode;
struct vm_area;
struct vm_space;

#define VM_READ    1      /* = PROT_READ, PROT_WRITE, PROT_EXEC */
#define VM_WRITE   2
#define VM_EXEC    4
#define VM_SHARED  0x10   /* writes are seen by all who map it  */
#define VM_STACK   0x20   /* grows down to VM_STACK_MAX         */
#define VM_HEAP    0x40   /* brk's                              */
#define VM_SEALED  0x100  /* a shared mapping of a file not open for writing: mprotect cannot make it so */
#define VM_DEVICE  0x80   /* ops rule it; see struct vm_ops     */

/* The stack ends at 1 GiB, so that a small program's text, heap and stack share one L3 and one L2 table: a process has
 * fewer tables to make, protect and check. The heap grows up to it, mmap places elsewhere. */
#define USER_STACK_TOP 0x000000003fffe000ul      /* the time page lies behind a gap above, in the same tables */
#define USER_STACK_MAX (8ul << 20)
#define USER_MMAP_TOP  0x00007fffc0000000ul     /* mmap places downward from here */
#define USER_MIN       0x1000ul                  /* page 0 is never mapped         */

/* What a device's mapping does (VM_DEVICE). Every member may be null. */
struct vm_ops {
    /* A fault at va (page-aligned) with nothing there. The device may install by vm_install_* and return 0, or refuse
     * with an errno: SIGBUS. Null: SIGBUS. */
    int  (*fault)(struct vm_space *s, struct vm_area *a, uintptr_t va, bool write);
    /* Pages [start, end) are about to leave the area (munmap, exit, exec): for each present entry the device undoes what
     * it holds, and clears them. `s` may not be the loaded space. Null: vm clears the entries and does no more.
     * The area still spans them; `last` says that the whole rest of the area goes, so private data may be freed. */
    void (*unmap)(struct vm_space *s, struct vm_area *a, uintptr_t start, uintptr_t end, bool last);
    /* The child's copy of the area was made (to->private equals from's); install entries in the child or refuse with an
     * errno, which fails the fork. Null: the child does not inherit the area at all. */
    int  (*fork)(struct vm_space *parent, struct vm_area *from, struct vm_space *child, struct vm_area *to);
};

struct vm_area {
    struct list          link;         /* vm_space.areas, ascending               */
    uintptr_t            start, end;
    unsigned             flags;        /* VM_*                                    */
    struct inode        *inode;        /* pages come from here, a reference; or 0 */
    uint64_t             offset;       /* of start in inode; a multiple of 4096   */
    uint64_t             file_end;     /* zeros follow from this offset on (exec's bss); ~0: the inode's size rules */
    struct file         *file;         /* VM_DEVICE: keeps the device open        */
    const struct vm_ops *ops;          /* VM_DEVICE                               */
    void                *private;      /* the device's                            */
};

struct vm_space {
    struct plat_space plat;
    struct list       areas;
    uintptr_t         brk_start, brk;
    size_t            resident;        /* pages mapped                            */
    size_t            swapped;         /* pages that are on a swap area           */
    bool              locked;          /* stays in memory: the hypervisor is given its addresses */
    size_t            total;           /* pages in areas                          */
};

struct vm_space *vm_create(void);
/* Unmaps all and frees s, which must not be loaded. */
void vm_destroy(struct vm_space *s);
/* A copy-on-write copy of the current process's space, or null. */
struct vm_space *vm_fork(struct vm_space *parent);

/* Adds an area; start 0 with fixed == false lets vm choose. Returns it, or null with *rc set. inode gains a reference. */
struct vm_area *vm_map(struct vm_space *s, uintptr_t start, size_t len, unsigned flags, bool fixed, int *rc);
int  vm_unmap(struct vm_space *s, uintptr_t start, size_t len);
int  vm_protect(struct vm_space *s, uintptr_t start, size_t len, unsigned prot);
struct vm_area *vm_find(struct vm_space *s, uintptr_t va);
long vm_brk(struct vm_space *s, uintptr_t end);

/* Resolves a fault at va: 0, or the negated signal to send (-SIGSEGV, -SIGBUS, -SIGKILL when memory is out). */
int  vm_fault(struct vm_space *s, uintptr_t va, unsigned error);

/* The level-1 slot for va; with create, tables are made on the way. Null if absent (or out of memory). */
pte_t *vm_slot(struct vm_space *s, uintptr_t va, bool create);
/* The page behind an entry that counts it (V3), mapped or parked; null else. */
struct page *pte_page(pte_t pte);
/* The entry that keeps p for an area that nobody may touch now. */
pte_t vm_parked(const struct page *p);
/* Calls fn for each non-empty level-1 entry of [start, end), table by table, until it returns other than 0. */
int vm_walk(struct vm_space *s, uintptr_t start, uintptr_t end, int (*fn)(void *arg, uintptr_t va, pte_t *slot), void *arg);
/* Most pages that all areas of a space may have. */
size_t vm_limit(void);
/* Clears the entries of [start, end), drops the pages. The caller flushes. */
void vm_clear(struct vm_space *s, uintptr_t start, uintptr_t end);
void vm_trim_tables(struct vm_space *s, uintptr_t start, uintptr_t end);
bool vm_span_used(struct vm_space *s, uintptr_t start, uintptr_t end);
/* Frees every page and table of the user half of s, which is retired. */
void vm_free_tables(struct vm_space *s);
/* Applies new rights of area a to what [start, end) has mapped. The caller flushes. */
void vm_reprotect(struct vm_space *s, const struct vm_area *a, uintptr_t start, uintptr_t end);
/* Lets the child share parent's pages of an area, copy-on-write where private. -ENOMEM or 0; the caller flushes. */
int  vm_share(struct vm_space *parent, struct vm_space *child, const struct vm_area *a);
/* For devices: enter one raw frame of the machine's (foreign or I/O), or one of our own pages without counting it.
 * prot is VM_READ | VM_WRITE. The entry becomes PTE_SPECIAL. -ENOMEM or 0. */
int  vm_install_frame(struct vm_space *s, uintptr_t va, uint64_t frame, unsigned prot);
int  vm_install_page(struct vm_space *s, uintptr_t va, void *page, unsigned prot);
/* For devices whose hypervisor fills the entry itself (foreign mmu_update, grant maps): where the slot is, as the machine
 * address of the entry, after the tables exist. 0 when out of memory. */
uint64_t vm_slot_machine_address(struct vm_space *s, uintptr_t va);

/* An entry that is not present because of PROT_NONE keeps its page: the number inverted, so that no processor that
 * speculates past the missing P bit finds memory there. */
#define PTE_PARKED (1ul << 11)

/* kmap.c: kernel addresses for pages or frames, in slot 273. Null when out of memory. */
void *kmap_frames(const uint64_t *frames, size_t n, uint64_t flags);
/* Reserves n pages of kernel addresses whose entries the caller fills through kmap_slot. */
void *kmap_reserve(size_t n);
pte_t *kmap_slot(const void *va);
void  kmap_release(void *va, size_t n);      /* clears the entries, flushes, frees the addresses */
void  kmap_forget(void *va, size_t n);       /* frees the addresses only: who filled the entries has cleared them */

/* usercopy.c: all touching of user memory. 0 or -EFAULT. May sleep and allocate (faults are resolved). */
int  copy_from_user(void *to, uptr_t from, size_t n);
int  copy_to_user(uptr_t to, const void *from, size_t n);
int  clear_user(uptr_t to, size_t n);
/* Length without the zero, or -EFAULT, or -ENAMETOOLONG if it does not fit. */
long copy_string_from_user(char *to, uptr_t from, size_t size);

#endif

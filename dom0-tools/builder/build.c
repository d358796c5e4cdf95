/* SPDX-License-Identifier: MIT */
/* build.c: the domain builder, in the order in which a domain comes to be.
 *
 * First everything that can be wrong with the files is looked at, with nothing
 * created; then the domain, its frames, their contents, the tables; last what
 * the hypervisor must accept: the pinned root and the first vCPU's registers.
 * A failure at any point destroys the domain again.                          */
#include "dom0-tools/builder/build.h"

#include <stdio.h>
#include <string.h>

#include "dom0-tools/builder/elf.h"
#include "dom0-tools/builder/layout.h"
#include "dom0-tools/builder/memory.h"
#include "dom0-tools/libenso/balloon.h"
#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/os.h"
#include "hypercall-abi/errno.h"

struct build {
    const struct config *config;
    build_progress      *progress;
    struct complaint    *why;
    struct image      kernel, ramdisk;
    struct elf_kernel elf;
    struct layout     layout;
    struct memory     memory;
    uint16_t domid;
    bool     store;
    uint32_t store_port, console_port;
    uint64_t shared_info;              /* MFN */
};

static int refused(struct build *b, const char *what, int rc)
{
    return complain(b->why, "%s failed: %s", what, call_error(rc));
}

/* ---- before anything exists ------------------------------------------------------------- */

static int look_at_files(struct build *b)
{
    const struct config *c = b->config;

    b->progress("reading the kernel", 0);
    if (image_open_kernel(&b->kernel, c->kernel, b->why) || elf_read(&b->elf, &b->kernel, b->why))
        return -1;
    if (c->ramdisk[0] && image_open(&b->ramdisk, c->ramdisk, b->why))
        return -1;
    return layout_make(&b->layout, &b->elf, c->memory << 8, c->ramdisk[0] ? b->ramdisk.file_size : 0, b->why);
}

static int look_at_machine(struct build *b)
{
    struct xen_sysctl_physinfo info;
    int rc = machine_info(&info);
    uint64_t cpus;

    if (rc)
        return refused(b, "asking about the machine", rc);
    if (info.free_pages < b->config->memory << 8)
        return balloon_short(b->why, b->config->memory << 10, info.free_pages << 2, 0, 0);
    cpus = info.nr_cpus >= 64 ? ~0ull : (1ull << info.nr_cpus) - 1;
    if (!(b->config->cpus & cpus))
        return complain(b->why, "cpus: none of the CPUs named exists; this machine has 0 to %u", info.nr_cpus - 1);
    return 0;
}

/* The hypervisor prints names, and lets no two live domains have the same; on Xen nobody but the tools knows them. */
static int set_name(struct build *b)
{
    int rc = enso_set_name(b->domid, b->config->name);

    if (rc == -XEN_EEXIST)
        return complain(b->why, "there is a domain called %s already; `name=OTHER` makes another", b->config->name);
    return rc && rc != -XEN_ENOSYS ? refused(b, "telling the hypervisor the domain's name", rc) : 0;
}

/* ---- the domain and what is in it ---------------------------------------------------------- */

static int create(struct build *b, const uint8_t handle[16])
{
    struct xen_domctl_getdomaininfo info;
    int rc = dom_create(handle, b->config->vcpus, &b->domid);

    if (rc) {
        b->domid = 0;
        return refused(b, "creating the domain", rc);
    }
    if (set_name(b))
        return -1;
    /* As xl does: what it may have now, and a megabyte for a balloon's rounding, is the hypervisor's limit, which rises with
     * the target; what it may ever have is for its kernel to know. Else a guest could take its maximum unasked. */
    rc = dom_max_memory(b->domid, (b->config->memory + 1) << 10);
    if (!rc)
        rc = dom_memory_map(b->domid, b->config->maxmem << 10);
    if (rc)
        return refused(b, "setting the domain's maximum memory", rc);
    if (memory_populate(&b->memory, b->domid, b->layout.pages, b->progress, b->why))
        return -1;
    rc = dom_info(b->domid, &info);
    if (rc)
        return refused(b, "asking about the new domain", rc);
    b->shared_info = info.shared_info_frame;
    return 0;
}

/* The store first: guests expect it at port 1 and the console at port 2. */
static int make_ports(struct build *b)
{
    int port = dom_unbound_port(b->domid, 0);

    if (port < 0)
        return refused(b, "making the store's event channel", port);
    b->store_port = (uint32_t)port;
    port = dom_unbound_port(b->domid, 0);
    if (port < 0)
        return refused(b, "making the console's event channel", port);
    b->console_port = (uint32_t)port;
    return 0;
}

static int load_images(struct build *b)
{
    for (unsigned i = 0; i < b->elf.segments; i++) {
        const struct elf_segment *s = &b->elf.segment[i];

        if (memory_load(&b->memory, s->start, s->memsz, &b->kernel, s->offset, s->filesz, b->progress,
                        "loading the kernel", b->why))
            return -1;
    }
    if (!b->layout.ramdisk_len)
        return 0;
    return memory_load(&b->memory, b->layout.ramdisk << PAGE_SHIFT, b->layout.ramdisk_len, &b->ramdisk, 0,
                       b->layout.ramdisk_len, b->progress, "loading the ramdisk", b->why);
}

/* A guest knows its own name by hostname= (Novice and Linux both read it), so
 * several can come from one file; a command line that has it is left alone.  */
static void add_hostname(char *line, size_t size, const char *name)
{
    size_t n = strlen(line), more = strlen(" hostname=") + strlen(name);

    if (!strstr(line, "hostname=") && n + more < size)
        snprintf(line + n, size - n, "%shostname=%s", n ? " " : "", name);
}

static int write_start_info(struct build *b)
{
    static struct start_info si;
    const struct layout *l = &b->layout;

    memset(&si, 0, sizeof(si));
    strcpy(si.magic, "xen-3.0-x86_64");
    si.nr_pages = l->pages;
    si.shared_info = b->shared_info << PAGE_SHIFT;
    /* A guest that saw a store where nobody answers would wait for it. */
    si.store_mfn = b->store ? b->memory.mfns[l->store] : 0;
    si.store_evtchn = b->store ? b->store_port : 0;
    si.console.domU.mfn = b->memory.mfns[l->console];
    si.console.domU.evtchn = b->console_port;
    si.pt_base = layout_va(l, l->tables);
    si.nr_pt_frames = l->table_pages;
    si.mfn_list = l->p2m_va;
    if (l->ramdisk_len) {
        si.mod_start = layout_va(l, l->ramdisk);
        si.mod_len = l->ramdisk_len;
    }
    if (l->p2m_table_pages) {
        si.first_p2m_pfn = l->p2m;
        si.nr_p2m_frames = l->p2m_pages + l->p2m_table_pages;
    }
    config_cmdline(b->config, si.cmd_line, sizeof(si.cmd_line));
    add_hostname(si.cmd_line, sizeof(si.cmd_line), b->config->name);
    return memory_clear(&b->memory, l->start_info, b->why) ||
           memory_write(&b->memory, l->start_info << PAGE_SHIFT, &si, sizeof(si), b->why);
}

static uint64_t *table_frame(void *arg, uint64_t pfn)
{
    struct build *b = arg;
    uint64_t run;

    return memory_at(&b->memory, pfn, &run, b->why);
}

static int clear_pages(struct build *b, uint64_t pfn, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        if (memory_clear(&b->memory, pfn + i, b->why))
            return -1;
    return 0;
}

static int write_tables(struct build *b)
{
    const struct layout *l = &b->layout;

    strcpy(b->why->text, "the page tables do not fit: this is a bug of the builder");
    if (clear_pages(b, l->store, 1) || clear_pages(b, l->console, 1) || clear_pages(b, l->tables, l->table_pages + 1) ||
        clear_pages(b, l->p2m_tables, l->p2m_table_pages))
        return -1;
    if (memory_write(&b->memory, l->p2m << PAGE_SHIFT, b->memory.mfns, l->pages * 8, b->why))
        return -1;
    return layout_tables(l, b->memory.mfns, table_frame, b);
}

/* ---- what the hypervisor must accept ------------------------------------------------------- */

static int fill_shared_info(struct build *b)
{
    int rc;
    struct shared_info *shared = os_map(b->domid, &b->shared_info, 1, true, &rc);

    if (!shared)
        return refused(b, "mapping the shared info page", rc);
    for (unsigned i = 0; i < XEN_LEGACY_MAX_VCPUS; i++)
        shared->vcpu_info[i].evtchn_upcall_mask = 1;
    os_unmap(shared, 1);
    return 0;
}

/* Grants 0 and 1 let dom0's daemons map the rings without knowing MFNs. */
static int seed_grants(struct build *b)
{
    uint64_t frame;
    struct grant_entry_v1 *grants;
    int rc = dom_grant_frame(b->domid, &frame);

    if (rc)
        return refused(b, "setting up the grant table", rc);
    grants = os_map(b->domid, &frame, 1, true, &rc);
    if (!grants)
        return refused(b, "mapping the grant table", rc);
    grants[GNTTAB_RESERVED_CONSOLE].domid = 0;
    grants[GNTTAB_RESERVED_CONSOLE].frame = (uint32_t)b->memory.mfns[b->layout.console];
    grants[GNTTAB_RESERVED_CONSOLE].flags = GTF_permit_access;
    grants[GNTTAB_RESERVED_XENSTORE].domid = 0;
    grants[GNTTAB_RESERVED_XENSTORE].frame = (uint32_t)b->memory.mfns[b->layout.store];
    grants[GNTTAB_RESERVED_XENSTORE].flags = GTF_permit_access;
    os_unmap(grants, 1);
    return 0;
}

static int start_context(struct build *b)
{
    static struct vcpu_guest_context ctx;
    const struct layout *l = &b->layout;
    int rc;

    memset(&ctx, 0, sizeof(ctx));
    ctx.flags = VGCF_in_kernel | VGCF_online;
    ctx.user_regs.rip = b->elf.entry;
    ctx.user_regs.rsp = layout_va(l, l->stack + 1);
    ctx.user_regs.rsi = layout_va(l, l->start_info);
    ctx.user_regs.rflags = 0x200;                   /* IF, which a PV guest always has */
    ctx.user_regs.cs = FLAT_KERNEL_CS;
    ctx.user_regs.ss = FLAT_KERNEL_SS;
    ctx.user_regs.ds = ctx.user_regs.es = ctx.user_regs.fs = ctx.user_regs.gs = FLAT_KERNEL_DS;
    ctx.kernel_ss = FLAT_KERNEL_SS;
    ctx.kernel_sp = ctx.user_regs.rsp;
    ctx.ctrlreg[3] = xen_pfn_to_cr3(b->memory.mfns[l->tables]);
    rc = dom_set_context(b->domid, 0, &ctx);
    return rc ? refused(b, "setting the first vCPU's registers", rc) : 0;
}

static int hand_over(struct build *b)
{
    int rc;

    if (b->elf.has_hypercall_page) {
        uint64_t pfn = (b->elf.hypercall_page - b->elf.virt_base) >> PAGE_SHIFT;

        rc = dom_hypercall_page(b->domid, b->memory.mfns[pfn]);
        if (rc)
            return refused(b, "filling the hypercall page", rc);
    }
    memory_close_window(&b->memory);
    rc = dom_pin_root(b->domid, b->memory.mfns[b->layout.tables]);
    if (rc)
        return refused(b, "the hypervisor's check of the first page tables", rc);
    return fill_shared_info(b) || seed_grants(b) || start_context(b) ? -1 : 0;
}

static int set_shares(struct build *b)
{
    const struct config *c = b->config;
    int rc = 0;

    if (c->cpus != ~0ull)
        for (uint32_t v = 0; v < c->vcpus && !rc; v++)
            rc = dom_set_affinity(b->domid, v, c->cpus);
    if (rc)
        return refused(b, "setting the CPUs to run on", rc);
    if (c->weight == 256 && !c->cap)
        return 0;
    rc = dom_set_share(b->domid, c->weight, c->cap);
    return rc ? refused(b, "setting cpu_weight and cap", rc) : 0;
}

static int tell_hypervisor(struct build *b)
{
    int rc = enso_set_console(b->domid, b->memory.mfns[b->layout.console], b->console_port);

    return rc && rc != -XEN_ENOSYS ? refused(b, "telling the hypervisor the domain's console", rc) : 0;
}

static int build(struct build *b, const uint8_t handle[16])
{
    if (look_at_files(b) || look_at_machine(b) || create(b, handle) || make_ports(b) || load_images(b) ||
        write_start_info(b) || write_tables(b) || hand_over(b) || set_shares(b) || tell_hypervisor(b))
        return -1;
    return 0;
}

int domain_build(const struct config *c, const uint8_t handle[16], bool store, build_progress *progress,
                 struct built *result, struct complaint *why)
{
    static struct build b;
    int rc;

    memset(&b, 0, sizeof(b));
    b.config = c;
    b.store = store;
    b.progress = progress;
    b.why = why;
    b.kernel.fd = b.ramdisk.fd = -1;
    rc = build(&b, handle);
    if (!rc) {
        result->domid = b.domid;
        result->console_mfn = b.memory.mfns[b.layout.console];
        result->console_port = b.console_port;
        result->store_mfn = b.memory.mfns[b.layout.store];
        result->store_port = b.store_port;
    }
    memory_free(&b.memory);
    image_close(&b.kernel);
    image_close(&b.ramdisk);
    if (rc && b.domid)
        dom_destroy(b.domid);
    return rc;
}

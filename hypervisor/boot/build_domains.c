/* SPDX-License-Identifier: MIT */
/* build_domains.c: from GRUB's modules to running domains (design.md section 4).                   [read 83]
 *
 * First every module's text is read and kernels are matched with ramdisks; then dom0 is built, then the others in the
 * menu's order; then all start at once. A domain that cannot be built is named with its reason, and boot goes on:
 * half a machine is more use than none.                                                                        */
#include "hypervisor/boot/boot.h"
#include "hypervisor/boot/build_domain.h"
#include "hypervisor/boot/modline.h"
#include "hypervisor/boot/options.h"
#include "hypervisor/core/domain.h"
#include "hypervisor/lib/print.h"
#include "hypervisor/lib/string.h"
#include "hypervisor/mm/heap.h"
#include "hypervisor/mm/hypmap.h"
#include "hypervisor/x86/machine.h"
#include "hypervisor/x86/tsc.h"

#define MAX_PLANS      MB2_MAX_MODULES
#define MIB            (1UL << 20)
#define DEFAULT_MEMORY (32 * MIB)
#define DOM0_LEAST     (64 * MIB)
#define NO_MODULE      (~0U)

struct spec { struct modline line; uint32_t kernel, ramdisk; };

static struct {
    const struct mb2_info *info;
    struct spec spec[MAX_PLANS];
    uint32_t n;
    uint32_t ramdisk_module[MAX_PLANS];      /* modules with ramdisk=, and their names below */
    char ramdisk_name[MAX_PLANS][MODLINE_NAME];
    uint32_t nr_ramdisks;
    bool dom0_seen, dom0_built;
    uint32_t positional;                     /* how many modules without words of ours came by */
} boot;

static bool is_dom0(const struct spec *s) { return !strcmp(s->line.name, "dom0"); }

/* ---- reading ---- */

static void add_kernel(const struct modline *line, uint32_t module)
{
    struct spec *s = &boot.spec[boot.n];

    *s = (struct spec){ *line, module, NO_MODULE };
    for (uint32_t i = 0; i < boot.n; i++)
        if (!strcmp(boot.spec[i].line.name, s->line.name)) {
            log_err("module %u: there is a domain %s already; this one is not built", module, s->line.name);
            return;
        }
    boot.dom0_seen |= is_dom0(s);
    boot.n++;
}

static void add_ramdisk(const char *name, uint32_t module)
{
    boot.ramdisk_module[boot.nr_ramdisks] = module;
    strlcpy(boot.ramdisk_name[boot.nr_ramdisks++], name, MODLINE_NAME);
}

/* As on Xen: the first is dom0's kernel, the second its ramdisk. */
static void add_positional(struct modline *line, uint32_t module)
{
    boot.positional++;
    strlcpy(line->name, "dom0", sizeof(line->name));
    if (boot.positional == 1 && !boot.dom0_seen)
        add_kernel(line, module);
    else if (boot.positional == 2 && boot.dom0_seen)
        add_ramdisk("dom0", module);
    else
        log_err("module %u has neither domain= nor ramdisk=, and dom0 needs no more; it is not used", module);
}

static void read_module(uint32_t i)
{
    const struct mb2_module *m = &boot.info->module[i];
    struct modline line;
    char why[256];

    if (m->start == m->end)
        return;                              /* boot.c has said what was wrong with it */
    if (modline_parse(m->text, &line, why, sizeof(why))) {
        log_err("module %u: %s; %s%s is not built", i, why, line.name[0] ? "domain " : "that domain", line.name);
        return;
    }
    switch (line.kind) {
    case MODLINE_POSITIONAL: add_positional(&line, i); break;
    case MODLINE_DOMAIN:     add_kernel(&line, i); break;
    case MODLINE_RAMDISK:    add_ramdisk(line.name, i); break;
    }
}

/* ---- matching ---- */

static void match_ramdisk(struct spec *s)
{
    const char *wanted = s->line.ramdisk[0] ? s->line.ramdisk : s->line.name;

    for (uint32_t i = 0; i < boot.nr_ramdisks; i++)
        if (!strcmp(boot.ramdisk_name[i], wanted))
            s->ramdisk = boot.ramdisk_module[i];
    if (s->line.ramdisk[0] && s->ramdisk == NO_MODULE)
        log_err("%s: no module says ramdisk=%s; it starts without one", s->line.name, wanted);
}

static void match_ramdisks(void)
{
    for (uint32_t i = 0; i < boot.n; i++)
        match_ramdisk(&boot.spec[i]);
    for (uint32_t r = 0; r < boot.nr_ramdisks; r++) {
        bool used = false;
        for (uint32_t i = 0; i < boot.n; i++)
            used |= boot.spec[i].ramdisk == boot.ramdisk_module[r];
        if (!used)
            log_err("module %u: ramdisk=%s, but there is no such domain; it is not used",
                    boot.ramdisk_module[r], boot.ramdisk_name[r]);
    }
}

/* ---- memory ---- */

/* What a domain of n frames costs besides: shared pages, grant table, vCPUs, page tables of its own window. */
static uint64_t overhead(const struct spec *s) { return 64 + 16 * s->line.vcpus; }

/* Frames that the machine should keep for itself and for domains that dom0 makes later. */
static uint64_t reserve(void) { return heap_total_frames() / 16; }

static uint64_t others_want(void)
{
    uint64_t frames = 0;

    for (uint32_t i = 0; i < boot.n; i++)
        if (!is_dom0(&boot.spec[i])) {
            uint64_t bytes = boot.spec[i].line.memory ? boot.spec[i].line.memory : DEFAULT_MEMORY;
            frames += (bytes >> PAGE_SHIFT) + overhead(&boot.spec[i]);
        }
    return frames;
}

/* dom0 that nobody gave a size: a quarter of the machine, at least 64 MiB, at most what the others leave. */
static uint64_t dom0_default(void)
{
    uint64_t frames = heap_total_frames() / 4, left = heap_free_frames(), taken = others_want() + reserve();

    if (frames < DOM0_LEAST >> PAGE_SHIFT)
        frames = DOM0_LEAST >> PAGE_SHIFT;
    left = left > taken ? left - taken : 0;
    return frames < left ? frames : left;
}

static uint64_t frames_of(const struct spec *s)
{
    if (s->line.memory)
        return s->line.memory >> PAGE_SHIFT;
    if (!is_dom0(s))
        return DEFAULT_MEMORY >> PAGE_SHIFT;
    return boot_options.dom0_mem ? boot_options.dom0_mem >> PAGE_SHIFT : dom0_default();
}

static bool memory_is_there(const struct spec *s, uint64_t frames)
{
    uint64_t have = heap_free_frames();

    if (frames < have && frames + overhead(s) <= have)
        return true;
    log_err("%s is not built: its memory, %lu MiB, is not there: %lu MiB are free", s->line.name,
            frames >> (20 - PAGE_SHIFT), have >> (20 - PAGE_SHIFT));
    return false;
}

/* ---- building ---- */

static void plan_of(const struct spec *s, uint64_t frames, struct domain_plan *p)
{
    const struct mb2_module *k = &boot.info->module[s->kernel];

    *p = (struct domain_plan){ .name = s->line.name, .privileged = is_dom0(s), .frames = frames,
                               .store = !is_dom0(s) && boot.dom0_built,
                               .kernel = phys_to_virt(k->start), .kernel_size = k->end - k->start,
                               .vcpus = s->line.vcpus, .weight = s->line.weight, .cap = s->line.cap,
                               .cmdline = s->line.cmdline };
    if (s->ramdisk != NO_MODULE) {
        const struct mb2_module *r = &boot.info->module[s->ramdisk];
        p->ramdisk = phys_to_virt(r->start);
        p->ramdisk_size = r->end - r->start;
    }
}

static struct domain *build_spec(const struct spec *s)
{
    uint64_t frames = frames_of(s);
    struct domain_plan plan;
    const char *why;
    struct domain *d;

    if (strlen(s->line.cmdline) >= MAX_GUEST_CMDLINE)
        log_warn("%s: its command line is longer than %d bytes and is cut off there", s->line.name, MAX_GUEST_CMDLINE - 1);
    if (!memory_is_there(s, frames))
        return NULL;
    plan_of(s, frames, &plan);
    d = build_domain(&plan, &why);
    if (!d)
        log_err("%s is not built: its kernel, module %u, %s", s->line.name, s->kernel, why);
    boot.dom0_built |= d && is_dom0(s);
    return d;
}

static void give_modules_back(void)
{
    for (uint32_t i = 0; i < boot.info->nr_modules; i++) {
        const struct mb2_module *m = &boot.info->module[i];
        if (m->start < m->end)
            heap_unreserve_range(m->start >> PAGE_SHIFT, (m->end + PAGE_SIZE - 1) >> PAGE_SHIFT);
    }
}

/* ---- telling ---- */

#define A_LINE 3

/* "d0 dom0 256 MiB   d1 alice 32 MiB", three to a line. */
static void print_domains(struct domain *const *built, uint32_t n)
{
    for (uint32_t i = 0; i < n;) {
        char line[200] = "";
        for (uint32_t k = 0; k < A_LINE && i < n; k++, i++) {
            size_t len = strlen(line);
            hv_snprintf(line + len, sizeof(line) - len, "%sd%u %s %lu MiB", k ? "   " : "", built[i]->id,
                        built[i]->name, built[i]->tot_pages >> (20 - PAGE_SHIFT));
        }
        log_err("%s", line);
    }
}

static void print_running(uint32_t n)
{
    uint64_t tenths = now_ns() / 100000000;

    if (n)
        log_err("%u domain%s running, %lu.%lu s after GRUB", n, n == 1 ? "" : "s", tenths / 10, tenths % 10);
    else
        log_err("there is no domain to run: give GRUB a kernel as a module");
}

#define NOTHING_TO_RUN 3         /* the exit code with debugexit */

void build_domains(const struct mb2_info *info)
{
    static struct domain *built[MAX_PLANS];
    uint32_t n = 0;

    boot.info = info;
    for (uint32_t i = 0; i < info->nr_modules; i++)
        read_module(i);
    match_ramdisks();
    for (int pass = 0; pass < 2; pass++)     /* dom0 first */
        for (uint32_t i = 0; i < boot.n; i++)
            if (is_dom0(&boot.spec[i]) == (pass == 0)) {
                built[n] = build_spec(&boot.spec[i]);
                n += built[n] != NULL;
            }
    give_modules_back();
    print_domains(built, n);
    print_running(n);
    if (!n)
        machine_debug_exit(NOTHING_TO_RUN);
    for (uint32_t i = 0; i < n; i++)
        domain_unpause(built[i]);
}

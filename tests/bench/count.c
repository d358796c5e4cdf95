/* SPDX-License-Identifier: MIT */
/* count.c: a plugin for QEMU's emulation that counts what is executed: the hypervisor's instructions, programs' in any domain, and
 * kernels' by how far from its virtual address each instruction stands in memory, by which io.py tells the domains' kernels apart.
 *
 * `out=FILE`: whenever FILE.want appears, the counts go to FILE, a line each ("hypervisor N", "programs N", "DISTANCE N"), and
 * FILE.want is removed.
 * The declarations are those of QEMU's plugin interface, version 1, that are needed here; the header is not installed with QEMU.    */
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EXPORT     __attribute__((visibility("default")))
#define ADD_U64    0
#define HV_START   0xffff800000000000u
#define HV_END     0xffff880000000000u
#define KERNELS    0xffffffff80000000u
#define MOST       1024

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info_t;
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t i);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void *qemu_plugin_insn_haddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_tb_trans_cb(uint64_t id, void (*fn)(uint64_t id, struct qemu_plugin_tb *tb));
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, int op, void *ptr, uint64_t imm);

EXPORT int qemu_plugin_version = 1;

static struct { uint64_t distance, count; } kernel[MOST];      /* distance 0: free; the last takes what finds no room */
static uint64_t hypervisor, programs;
static char out[4096], want[4104];

static uint64_t *counter_of(const struct qemu_plugin_insn *insn)
{
    uint64_t va = qemu_plugin_insn_vaddr(insn), distance = (uint64_t)qemu_plugin_insn_haddr(insn) - va;
    unsigned i = 0;

    if (va >= HV_START && va < HV_END)
        return &hypervisor;
    if (va < KERNELS)
        return &programs;
    while (i < MOST - 1 && kernel[i].distance && kernel[i].distance != distance)
        i++;
    kernel[i].distance = distance;
    return &kernel[i].count;
}

static void translated(uint64_t id, struct qemu_plugin_tb *tb)
{
    for (size_t i = 0; i < qemu_plugin_tb_n_insns(tb); i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        qemu_plugin_register_vcpu_insn_exec_inline(insn, ADD_U64, counter_of(insn), 1);
    }
    (void)id;
}

static void tell(void)
{
    FILE *f = fopen(out, "w");

    if (!f)
        return;
    fprintf(f, "hypervisor %lu\nprograms %lu\n", hypervisor, programs);
    for (unsigned i = 0; i < MOST && kernel[i].distance; i++)
        fprintf(f, "%lx %lu\n", kernel[i].distance, kernel[i].count);
    fclose(f);
    unlink(want);
}

static void *listen_for_wishes(void *arg)
{
    for (;; usleep(20000))
        if (access(want, F_OK) == 0)
            tell();
    return arg;
}

EXPORT int qemu_plugin_install(uint64_t id, const struct qemu_info_t *info, int argc, char **argv)
{
    pthread_t thread;

    (void)info;
    if (argc != 1 || strncmp(argv[0], "out=", 4))
        return -1;
    snprintf(out, sizeof(out), "%s", argv[0] + 4);
    snprintf(want, sizeof(want), "%s.want", out);
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return pthread_create(&thread, NULL, listen_for_wishes, NULL);
}

/* SPDX-License-Identifier: MIT */
/* main.c: breakit: tries to hurt the machine, one named way at a time.
 *
 * The ways of this program make hostile hypercalls from user space through /dev/xen/privcmd. What only a kernel can
 * try is in Novice's own /dev/breakit, whose words are offered here beside them. In each case the domain is refused,
 * or it ends; the hypervisor and the other domains must not notice. Exit status: 0 refused, 1 a breach, 2 not possible here. */
#include "guest-kernel/user/breakit/breakit.h"
#include "guest-kernel/user/box/box.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "hypercall-abi/abi.h"
#include "hypercall-abi/domctl.h"

static struct { int device; long refused, accepted; bool breached; uint64_t seed; } state = { .device = -1 };

static const struct way *const lists[] = { hypercall_ways, memory_ways };

/* ---- for the ways ---- */

struct privcmd_hypercall { uint64_t op, arg[5]; };
#define PRIVCMD_HYPERCALL ((unsigned long)'P' << 8 | sizeof(struct privcmd_hypercall) << 16)

int privcmd(void)
{
    return state.device;
}

long hypercall(uint64_t op, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e)
{
    struct privcmd_hypercall call = { op, { a, b, c, d, e } };
    int rc = ioctl(state.device, PRIVCMD_HYPERCALL, &call);

    return rc < 0 ? -errno : rc;
}

void tried(long result)
{
    *(result < 0 ? &state.refused : &state.accepted) += 1;
}

void breach(const char *format, ...)
{
    va_list args;

    state.breached = true;
    iprintf("breakit: BREACH: ");
    va_start(args, format);
    viprintf(format, args);
    va_end(args);
    iprintf("\n");
}

void random_seed(uint64_t seed)
{
    state.seed = seed * 0x9e3779b97f4a7c15 + 1;
}

uint64_t random_word(void)
{
    state.seed ^= state.seed << 13;
    state.seed ^= state.seed >> 7;
    state.seed ^= state.seed << 17;
    return state.seed;
}

uint64_t nasty_word(void)
{
    static char page[4096];
    static const uint64_t words[] = {
        0, 1, 2, 3, 7, 8, 31, 32, 255, 256, 4095, 4096, 4097, 0x7ff0, 0x7ff2, 0x7ff3, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000,
        0xffffffff, 0x100000000, 0x00007ffffffff000, 0x0000800000000000, 0x7fffffffffffffff, 0x8000000000000000, 0xffff7fffffffffff,
        0xffff800000000000, 0xffff804000000000, 0xffff820000000000, 0xffff82d040200000, 0xffff830000000000, 0xffff87fffffffff8,
        0xffff880000000000, 0xffffffff80000000, 0xfffffffffffff000, 0xfffffffffffffff8, 0xffffffffffffffff,
    };
    uint64_t r = random_word();

    switch (r & 7) {
    case 0:
    case 1: return random_word();
    case 2: return HANDLE(page) + (r >> 8) % sizeof(page);       /* good memory, of random contents */
    case 3: return (r >> 8) % 64;
    default: return words[(r >> 8) % (sizeof(words) / sizeof(words[0]))];
    }
}

uint64_t nowhere(void)
{
    static const uint64_t words[] = {
        0x0000800000000000, 0x8000000000000000, 0xffff7fffffffffff, 0xffff800000000000, 0xffff804000000000, 0xffff820000000000,
        0xffff82d040200000, 0xffff830000000000, 0xffff87fffffffff8, 0x4000000000000000,
    };
    uint64_t r = random_word();

    return r & 1 ? words[(r >> 8) % (sizeof(words) / sizeof(words[0]))] : 0xffff800000000000 + (r >> 21);
}

uint64_t argument(int argc, char **argv, int index, uint64_t otherwise)
{
    return index < argc ? strtoull(argv[index], NULL, 0) : otherwise;
}

bool privileged(void)
{
    struct xen_domctl op = { .cmd = XEN_DOMCTL_getdomaininfo, .interface_version = XEN_DOMCTL_INTERFACE_VERSION };

    return hypercall(__HYPERVISOR_domctl, HANDLE(&op), 0, 0, 0, 0) == 0;
}

/* ---- choosing ---- */

static const struct way *find(const char *name)
{
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct way *w = lists[i]; w->name; w++)
            if (strcmp(w->name, name) == 0)
                return w;
    return NULL;
}

static int list_ways(void)
{
    char text[2048];
    int fd = open("/dev/breakit", O_RDONLY);
    ssize_t n;

    iprintf("usage: breakit WAY [ARGS]: tries to hurt the machine. By hypercalls of its own:\n");
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct way *w = lists[i]; w->name; w++)
            iprintf("%-11s %s\n", w->name, w->what);
    if (fd < 0) {
        iprintf("(this kernel runs on the bare machine: there is no hypervisor to try)\n");
        return 0;
    }
    iprintf("With the kernel's help:\n");
    fflush(stdout);
    while ((n = read(fd, text, sizeof(text))) > 0)
        (void)!write(1, text, (size_t)n);
    close(fd);
    return 0;
}

/* The kernel does it: a word and perhaps a number. */
static int ask_kernel(int argc, char **argv)
{
    char text[2048] = "";
    ssize_t n = 0;
    int fd = open("/dev/breakit", O_RDWR);

    if (fd < 0) {
        fiprintf(stderr, "breakit: %s: needs a paravirtual kernel (no /dev/breakit)\n", argv[0]);
        return 2;
    }
    sniprintf(text, sizeof(text), argc > 1 ? "%s %s\n" : "%s\n", argv[0], argc > 1 ? argv[1] : "");
    if (write(fd, text, strlen(text)) < 0) {
        if (errno != EINVAL)
            return fail(argv[0]);
        fiprintf(stderr, "breakit: %s: no such way; breakit alone lists them\n", argv[0]);
        return 2;
    }
    lseek(fd, 0, SEEK_SET);
    n = read(fd, text, sizeof(text) - 1);
    text[n > 0 ? n : 0] = '\0';
    iprintf("breakit: %s: %s", argv[0], text);
    state.breached = strstr(text, "BREACH") != NULL;
    return state.breached;
}

static int run_way(const struct way *way, int argc, char **argv)
{
    state.device = open("/dev/xen/privcmd", O_RDWR | O_CLOEXEC);
    if (state.device < 0) {
        fiprintf(stderr, "breakit: %s: no hypervisor beneath this kernel (no /dev/xen/privcmd)\n", way->name);
        return 2;
    }
    random_seed(argument(argc, argv, 1, 1));
    way->run(argc - 1, argv + 1);
    iprintf("breakit: %s: %ld attempts, %ld refused, %ld taken and harmless\n", way->name, state.refused + state.accepted,
            state.refused, state.accepted);
    return state.breached;
}

int breakit_main(int argc, char **argv)
{
    const struct way *way = argc > 1 ? find(argv[1]) : NULL;

    if (argc < 2)
        return list_ways();
    int status = way ? run_way(way, argc - 1, argv + 1) : ask_kernel(argc - 1, argv + 1);

    if (status == 0)
        iprintf("breakit: refused, as it should be\n");
    return status;
}

/* SPDX-License-Identifier: MIT */
/* edu.c: QEMU's teaching device (-device edu; QEMU's docs/specs/edu.txt), and a first driver to read.
 *
 * It computes factorials, and it pulls its interrupt when told. /dev/edu takes a line a write: "factorial 10", "raise", "mode ack",
 * "mode ignore", "mode claim", "quiet". In mode ack the driver behaves. In the two others it is the driver that irq.c guards the machine
 * against: it leaves the device shouting, and says that it was not its, or that it was. Reading tells how things stand. */
#include "guest-kernel/drivers/drivers.h"
#include "guest-kernel/kernel/dev.h"
#include "guest-kernel/kernel/usercopy.h"
#include "guest-kernel/kernel/wait.h"

enum { ID = 0x00, FACTORIAL = 0x08, STATUS = 0x20, IRQ_STATUS = 0x24, IRQ_RAISE = 0x60, IRQ_ACK = 0x64, REGISTERS = 0x68 };
#define ID_LOW          0xedu
#define STATUS_BUSY     1u
#define STATUS_TELL     0x80u                       /* interrupt when done */
#define CAUSE_FACTORIAL 1u                          /* in IRQ_STATUS */
#define CAUSE_RAISED    2u                          /* ours, by IRQ_RAISE */
#define COMPUTE_NS      NSEC_PER_SEC

enum mode { ACK, IGNORE, CLAIM };
static const char *const modes[] = { "ack", "ignore", "claim" };

static struct edu {
    struct pci_dev    *pci;
    volatile uint32_t *regs;
    enum mode          mode;
    uint64_t           interrupts;
    uint32_t           factorial;
    bool               computing;
    struct wait_queue  computed;
} *edu;                                             /* there is one, or none */

static uint32_t rd(struct edu *e, unsigned reg) { return e->regs[reg / 4]; }
static void wr(struct edu *e, unsigned reg, uint32_t v) { e->regs[reg / 4] = v; }

static bool interrupt(void *arg)
{
    struct edu *e = arg;
    uint32_t cause = rd(e, IRQ_STATUS);
    if (!cause || cause == ~0u)
        return false;                               /* another device's on the same line; or the card is gone */
    e->interrupts++;
    if (e->mode != ACK)
        return e->mode == CLAIM;
    wr(e, IRQ_ACK, cause);
    if (cause & CAUSE_FACTORIAL) {
        e->factorial = rd(e, FACTORIAL);
        e->computing = false;
        wake_all(&e->computed);
    }
    return true;
}

/* ---- /dev/edu -------------------------------------------------------------------------------------------- */

static int compute(struct edu *e, uint32_t n)
{
    uint64_t limit = plat_clock_ns() + COMPUTE_NS;
    if (e->computing)
        return -EBUSY;
    e->computing = true;
    wr(e, STATUS, STATUS_TELL);
    wr(e, FACTORIAL, n);
    while (e->computing && plat_clock_ns() < limit)
        sleep_on(&e->computed, limit, false);
    bool late = e->computing;
    e->computing = false;
    return late ? -ETIMEDOUT : 0;
}

static int obey(struct edu *e, const char *line)
{
    const char *end;
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++)
        if (strncmp(line, "mode ", 5) == 0 && strcmp(line + 5, modes[i]) == 0) {
            e->mode = i;
            return 0;
        }
    if (strncmp(line, "factorial ", 10) == 0) {
        unsigned long n = parse_number(line + 10, &end);
        return end == line + 10 || *end || n > 0xffffffff ? -EINVAL : compute(e, (uint32_t)n);
    }
    if (strcmp(line, "raise") == 0)
        wr(e, IRQ_RAISE, CAUSE_RAISED);
    else if (strcmp(line, "quiet") == 0)
        wr(e, IRQ_ACK, ~0u);
    else
        return -EINVAL;
    return 0;
}

static long dev_write(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char line[32] = "";
    if (n >= sizeof(line))
        return -EINVAL;
    if (copy_from_user(line, buf, n))
        return -EFAULT;
    if (n && line[n - 1] == '\n')
        line[n - 1] = 0;
    int rc = obey(edu, line);
    return rc ? rc : (long)n;
}

static long dev_read(struct file *f, uptr_t buf, size_t n, uint64_t *pos)
{
    char text[96];
    size_t len = ksnprintf(text, sizeof(text), "factorial %u\ninterrupts %lu\nmode %s\nholds its line %s\n", edu->factorial, edu->interrupts,
                           modes[edu->mode], rd(edu, IRQ_STATUS) ? "yes" : "no");
    if (*pos >= len)
        return 0;
    n = MIN(n, len - *pos);
    if (copy_to_user(buf, text + *pos, n))
        return -EFAULT;
    *pos += n;
    return n;
}

static const struct file_ops ops = { .read = dev_read, .write = dev_write };

/* ---- beginning --------------------------------------------------------------------------------------------- */

static int start(struct edu *e)
{
    size_t size = REGISTERS;
    void *arg[1] = { e };
    pci_enable(e->pci);
    e->regs = pci_map_bar(e->pci, 0, &size);
    if (!e->regs || size < REGISTERS || (rd(e, ID) & 0xff) != ID_LOW)
        return -ENODEV;
    wait_init(&e->computed);
    wr(e, IRQ_ACK, ~0u);
    int rc = pci_irqs(e->pci, 1, interrupt, arg);
    return rc < 0 ? rc : dev_register("edu", 0, &ops, e);
}

static int probe(struct pci_dev *pci)
{
    if (edu)
        return -EBUSY;                              /* a second one is nobody's */
    edu = kmalloc(sizeof(*edu));
    if (!edu)
        return -ENOMEM;
    *edu = (struct edu){ .pci = pci };
    int rc = start(edu);
    if (rc) {
        kprintf("%s: cannot be used: error %d\n", pci->name, -rc);
        irq_forget(interrupt, edu);
        pci_disable(pci);
        kfree(edu);
        edu = 0;
    }
    return rc;
}

static const struct pci_id ids[] = { { .vendor = 0x1234, .device = 0x11e8 }, { .vendor = 0 } };
const struct pci_driver edu_driver = { .name = "edu", .ids = ids, .probe = probe };

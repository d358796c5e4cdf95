/* SPDX-License-Identifier: MIT */
/* main.c: the kernel's start, in the order in which things can be.
 *
 * The platform has mapped memory and can print. Memory first, then a thread to be, files, devices, the initrd's contents,
 * and last init; then this thread ends, and the machine belongs to processes.                                  */
#include "guest-kernel/drivers/pci.h"
#include "guest-kernel/drivers/rtc.h"
#include "guest-kernel/kernel/cache.h"
#include "guest-kernel/kernel/cmdline.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/image_loop.h"
#include "guest-kernel/kernel/netdev.h"
#include "guest-kernel/kernel/page.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/ramdisk.h"
#include "guest-kernel/kernel/reclaim.h"
#include "guest-kernel/kernel/swap.h"
#include "guest-kernel/kernel/system.h"
#include "guest-kernel/kernel/timepage.h"
#include "guest-kernel/kernel/tty.h"

static struct exec_args init_env;

/* Words of the boot line that are the kernel's own; every other key=value goes to init's environment. */
static bool kernel_word(const char *w, size_t n)
{
    static const char *const own[] = { "console=", "init=", "hostname=", "root=", "rootflags=" };
    for (unsigned i = 0; i < ARRAY_SIZE(own); i++)
        if (n >= strlen(own[i]) && strncmp(w, own[i], strlen(own[i])) == 0)
            return true;
    return false;
}

static void add_env(const char *w, size_t n)
{
    memcpy(init_env.text + init_env.size, w, n);
    init_env.size += n + 1;                         /* the text is zero already */
    init_env.envc++;
}

static void collect_env(void)
{
    static const char *const always[] = { "PATH=/bin:/sbin:/usr/bin:/usr/sbin", "HOME=/", "TERM=vt100" };
    size_t n;
    init_env.text = kmalloc(1024);
    BUG_ON(!init_env.text);
    for (unsigned i = 0; i < ARRAY_SIZE(always); i++)
        add_env(always[i], strlen(always[i]));
    for (const char *at = cmdline(), *w; (w = cmdline_next(&at, &n));) {
        const char *equals = strchr(w, '=');
        if (equals && equals > w && equals < w + n && !kernel_word(w, n) && init_env.size + n + 1 < 1024)
            add_env(w, n);
    }
}

static void initrd_free(const struct plat_boot *boot)
{
    if (!boot->initrd)
        return;
    uint64_t start = virt_to_pfn(boot->initrd);
    pages_add(start, start + (ROUND_UP(boot->initrd_size, PAGE_SIZE) >> PAGE_SHIFT));
}

static void initrd_unpack(const struct plat_boot *boot)
{
    if (!boot->initrd)
        return;
    int rc = cpio_unpack(boot->initrd, boot->initrd_size);
    if (rc)
        kprintf("novice: the initrd is no newc archive, or does not fit: error %d\n", -rc);
    initrd_free(boot);
}

static void files_boot(const struct plat_boot *boot)
{
    ramfs_boot();
    procfs_boot();
    ext2_boot();
    cache_boot();
    BUG_ON(fs_mount("ram", "/", "ram", 0));
    char name[32];
    bool root = cmdline_value("root", name, sizeof(name));
    if (!root)
        initrd_unpack(boot);
    fs_make("/dev", S_IFDIR | 0755, 0);
    fs_make("/proc", S_IFDIR | 0555, 0);
    fs_make("/tmp", S_IFDIR | 01777, 0);
    BUG_ON(fs_mount("dev", "/dev", "dev", 0) || fs_mount("proc", "/proc", "proc", 0));
    dev_boot();
    tty_boot();
    pty_boot();
    net_boot();
    ramdisk_boot();
    loop_boot();
    plat_devices();
    pci_boot();
    rtc_boot();
    if (root && root_mount(name))
        initrd_unpack(boot);
    else if (root)
        initrd_free(boot);
}

void kernel_main(const struct plat_boot *boot)
{
    cmdline_set(boot->cmdline);
    print_quiet(cmdline_word("quiet"));
    strlcpy(system_name.version, boot->platform, sizeof(system_name.version));
    cmdline_value("hostname", system_name.nodename, sizeof(system_name.nodename));
    pages_init(boot);
    kprintf("novice: %s, %lu KiB of memory free, 1 of %u CPUs in use\n", boot->platform, pages_free_count() * 4, boot->cpus);
    proc_boot();
    files_boot(boot);
    timepage_boot();
    collect_env();
    init_start(&init_env);
    reclaim_boot();
    swap_boot();
    proc_exit(0);
}

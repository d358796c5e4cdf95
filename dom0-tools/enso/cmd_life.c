/* SPDX-License-Identifier: MIT */
/* cmd_life.c: pause, unpause, shutdown, reboot, destroy, rename.             */
#include "dom0-tools/enso/enso.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/home.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/sched.h"

#define SHUTDOWN_PATIENCE 120000u   /* ms that -w waits                                */
#define DESTROY_PATIENCE   10000u   /* ms until we say who may still hold frames       */

/* One domain after another; the first failure decides the exit status, the
 * rest are still tried.                                                      */
static int each(int words, char **word, int (*one)(uint16_t domid, const char *name,
                                                   const struct xen_domctl_getdomaininfo *info))
{
    int worst = 0;

    if (words < 2 || word[1][0] == '-')
        return usage();
    for (int i = 1; i < words; i++) {
        struct xen_domctl_getdomaininfo info;
        char name[32];
        int rc = want_domain(word[i], true, &info, name);

        if (!rc)
            rc = one(info.domain, name, &info);
        worst = worst ? worst : rc;
    }
    return worst;
}

static int refused(const char *what, const char *name, int rc)
{
    return failf("%s %s failed: %s", what, name, call_error(rc));
}

static int pause_one(uint16_t domid, const char *name, const struct xen_domctl_getdomaininfo *info)
{
    int rc;

    if (info->flags & XEN_DOMINF_paused)
        return failf("%s is paused already; `enso unpause %s` lets it go on", name, name);
    rc = dom_pause(domid);
    return rc ? refused("pausing", name, rc) : 0;
}

static int unpause_one(uint16_t domid, const char *name, const struct xen_domctl_getdomaininfo *info)
{
    int rc;

    if (!(info->flags & XEN_DOMINF_paused))
        return failf("%s is not paused", name);
    rc = dom_unpause(domid);
    return rc ? refused("unpausing", name, rc) : 0;
}

int cmd_pause(int words, char **word)
{
    return each(words, word, pause_one);
}

int cmd_unpause(int words, char **word)
{
    return each(words, word, unpause_one);
}

/* ---- destroy --------------------------------------------------------------------------------- */

/* Its disks are free again when this returns; ensod would do it too, a little later. */
static void leave_home(uint16_t domid, const uint8_t uuid[16])
{
    struct complaint ignored;
    struct xs *x = tree_open(&ignored);

    if (!x)
        return;
    home_remove(x, domid, uuid);
    xs_close(x);
}

/* The domain is gone when the last foreign mapping of its frames is: ensod
 * lets go of the console as soon as it hears of the death.                   */
static int destroy_one(uint16_t domid, const char *name, const struct xen_domctl_getdomaininfo *info)
{
    bool noisy = isatty(2) && info->tot_pages > 64 << 8;
    int rc;

    if (noisy)
        fprintf(stderr, "%s: giving back %llu MiB ...", name, (unsigned long long)(info->tot_pages >> 8));
    rc = dom_destroy(domid);
    if (!rc || rc == -XEN_ESRCH)
        leave_home(domid, info->handle);
    state_tell("gone", domid);
    if (noisy)
        fprintf(stderr, "\r\033[K");
    if (rc && rc != -XEN_ESRCH)
        return refused("destroying", name, rc);
    if (!wait_for_end(domid, false, DESTROY_PATIENCE))
        return failf("%s is dying, but some of its memory is still mapped by another domain or a program in dom0 (a backend? a console?)",
                     name);
    state_forget(domid);
    return 0;
}

int cmd_destroy(int words, char **word)
{
    return each(words, word, destroy_one);
}

/* For rename-restart, where the dead one stays to be looked at: without its devices, which the new one needs. */
int cmd_clean_up(int words, char **word)
{
    uint64_t domid;
    uint8_t uuid[16];

    if (words != 3 || !text_number(word[1], &domid) || domid == 0 || domid >= DOMID_FIRST_RESERVED || !config_uuid(word[2], uuid))
        return usage();
    leave_home((uint16_t)domid, uuid);
    return 0;
}

/* ---- shutdown and reboot ------------------------------------------------------------------------ */

static struct {
    uint32_t    reason;
    const char *doing;
    bool        wait;
} wish;

/* The wish stands in the store until the guest takes it, so one that is still booting finds it. A guest that listens says so beside it,
 * as on Xen, but not every kernel that listens does: *announced is for a hint only. */
static bool write_wish(uint16_t domid, bool *announced)
{
    struct complaint ignored;
    struct xs *x = tree_open(&ignored);
    const char *word = wish.reason == SHUTDOWN_reboot ? "reboot" : "poweroff";
    char path[64], listens[2];
    bool done;

    if (!x)
        return false;
    snprintf(path, sizeof(path), "/local/domain/%u/control/feature-%s", domid, word);
    *announced = xs_read(x, 0, path, listens, sizeof(listens)) > 0 && listens[0] == '1';
    snprintf(path, sizeof(path), "/local/domain/%u/control/shutdown", domid);
    done = xs_write(x, 0, path, word) == 0;
    xs_close(x);
    return done;
}

/* Its disks are free for the next one when ensod has taken its home out of the store. */
static void wait_for_home(uint16_t domid, const uint8_t uuid[16])
{
    uint64_t until = os_now_ms() + DESTROY_PATIENCE;
    struct complaint ignored;
    struct xs *x = tree_open(&ignored);
    uint8_t now[16];

    while (x && home_uuid(x, domid, now) && memcmp(now, uuid, 16) == 0 && os_now_ms() < until)
        os_sleep_ms(50);
    xs_close(x);
}

static int wish_one(uint16_t domid, const char *name, const struct xen_domctl_getdomaininfo *info)
{
    static struct record made;
    bool announced;

    if (info->flags & XEN_DOMINF_shutdown)
        return failf("%s has shut down already (%s); `enso destroy %s` gives its memory back", name,
                     shutdown_word(info), name);
    if (info->flags & XEN_DOMINF_paused)
        return failf("%s is paused and cannot hear; `enso unpause %s` first, or `enso destroy %s`", name, name, name);
    if (wish.reason == SHUTDOWN_reboot && !state_load(info, &made))
        return failf("%s was made by GRUB, so nobody here could build it again; `enso shutdown %s` ends it", name, name);
    if (!write_wish(domid, &announced))
        return failf("%s cannot be told: its part of the store does not take the wish; `enso destroy %s` ends it", name, name);
    if (announced)
        printf("%s %s\n", wish.doing, name);
    else
        printf("%s %s; it has not said yet that it listens: if it goes on, `enso destroy %s`\n", wish.doing, name, name);
    fflush(stdout);
    if (wish.wait && !wait_for_end(domid, true, SHUTDOWN_PATIENCE))
        return failf("%s has not shut down within two minutes; `enso destroy %s` ends it", name, name);
    if (wish.wait) {
        wait_for_end(domid, false, DESTROY_PATIENCE);      /* its backends let go of it */
        wait_for_home(domid, info->handle);
    }
    return 0;
}

static int wish_if_running(const struct xen_domctl_getdomaininfo *info)
{
    char name[32];

    if (info->domain == 0 || info->flags & (XEN_DOMINF_shutdown | XEN_DOMINF_dying))
        return 0;
    state_name(info, name);
    return wish_one(info->domain, name, info);
}

static int cmd_wish(int words, char **word, uint32_t reason, const char *doing)
{
    bool all = false;
    int i = 1;

    wish.reason = reason;
    wish.doing = doing;
    options_first(words, word);
    for (; i < words && word[i][0] == '-'; i++) {
        if (strcmp(word[i], "-w") == 0)
            wish.wait = true;
        else if (strcmp(word[i], "-a") == 0)
            all = true;
        else
            return usage();
    }
    if (all)
        return i < words ? usage() : every_domain(wish_if_running);
    return each(words - i + 1, word + i - 1, wish_one);
}

int cmd_shutdown(int words, char **word)
{
    return cmd_wish(words, word, SHUTDOWN_poweroff, "shutting down");
}

int cmd_reboot(int words, char **word)
{
    return cmd_wish(words, word, SHUTDOWN_reboot, "rebooting");
}

/* ---- rename ---------------------------------------------------------------------------------------- */

static void rename_home(uint16_t domid, const char *name)
{
    struct complaint why;
    struct xs *x = tree_open(&why);

    if (!x)
        return;
    if (home_rename(x, domid, name, &why))
        fprintf(stderr, "enso rename: %s\n", why.text);
    xs_close(x);
}

int cmd_rename(int words, char **word)
{
    struct xen_domctl_getdomaininfo info, other;
    static struct record r;
    struct complaint ignored;
    char name[32];
    bool recorded;
    int rc;

    if (words != 3)
        return usage();
    rc = want_domain(word[1], false, &info, name);
    if (rc)
        return rc;
    if (!text_is_name(word[2]))
        return failf("expected 1 to 31 letters, digits or _.+- (not digits alone), found \"%s\"", word[2]);
    if (state_find(word[2], &other, &ignored) == 0)
        return failf("there is a domain called %s already (number %u)", word[2], other.domain);
    recorded = state_load(&info, &r);
    rc = enso_set_name(info.domain, word[2]);
    if (rc && !(rc == -XEN_ENOSYS && recorded))
        return refused("renaming", name, rc);
    rename_home(info.domain, word[2]);
    if (!recorded)
        return 0;
    text_copy(r.config.name, sizeof(r.config.name), word[2]);
    if (state_save(info.domain, &r))
        return failf("the record of %s below " STATE_DIR " could not be written", word[2]);
    state_tell("name", info.domain);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/* config_keys.c: what each key of a configuration may be.
 *
 * A key that xl has and Enso has not is passed over with a note, and so is one that
 * neither has; but what looks like a slip of the finger is an error. What a disk
 * or a network card may be is in config_device.c.                            */
#include "dom0-tools/libenso/config_keys.h"

#include <stdio.h>
#include <string.h>

#include "dom0-tools/libenso/text.h"

static const char *const action_names[] = { "destroy", "restart", "preserve", "rename-restart" };

const char *config_action_name(enum config_action a)
{
    return action_names[a];
}

static int want(struct reader *r, const char *key, const char *what, const struct value *v)
{
    int n = (int)strcspn(v->text, "\n");

    return reader_fail(r, "%s: expected %s, found \"%.*s\"", key, what, n < 40 ? n : 40, v->text);
}

static int set_name(struct config *c, struct reader *r, const char *key, const struct value *v)
{
    if (!text_is_name(v->text))
        return want(r, key, "1 to 31 letters, digits or _.+- (not digits alone)", v);
    text_copy(c->name, sizeof(c->name), v->text);
    return 0;
}

static int set_text(char *to, size_t size, struct reader *r, const char *key, const struct value *v)
{
    if (v->kind == VALUE_LIST)
        return want(r, key, "a string in quotes, not a list", v);
    if (!text_copy(to, size, v->text))
        return reader_fail(r, "%s: expected at most %zu characters, found %zu", key, size - 1, strlen(v->text));
    return 0;
}

static int set_path(char *to, struct reader *r, const char *key, const struct value *v)
{
    if (v->text[0] == '\0')
        return want(r, key, "the path of a file", v);
    return set_text(to, CONFIG_PATH, r, key, v);
}

static int set_number(uint64_t *to, uint64_t min, uint64_t max, const char *unit, struct reader *r, const char *key,
                      const struct value *v)
{
    uint64_t n = 0;
    char what[80];

    if (v->kind == VALUE_LIST || !text_number(v->text, &n) || n < min || n > max) {
        snprintf(what, sizeof(what), "a number%s from %llu to %llu", unit, (unsigned long long)min,
                 (unsigned long long)max);
        return want(r, key, what, v);
    }
    *to = n;
    return 0;
}

static int set_u32(uint32_t *to, uint64_t min, uint64_t max, struct reader *r, const char *key, const struct value *v)
{
    uint64_t n = 0;

    if (set_number(&n, min, max, "", r, key, v))
        return -1;
    *to = (uint32_t)n;
    return 0;
}

static int set_cpus(struct config *c, struct reader *r, const char *key, const struct value *v)
{
    char list[200];

    /* ["0-1", '3'] means "0-1,3" */
    if (!text_copy(list, sizeof(list), v->text))
        return want(r, key, "CPUs such as \"0-3,5\", \"^1\" or \"all\"", v);
    for (char *at = list; *at; at++)
        if (*at == '\n')
            *at = at[1] ? ',' : '\0';
    if (!text_cpus(list, &c->cpus))
        return want(r, key, "CPUs such as \"0-3,5\", \"^1\" or \"all\"", v);
    return 0;
}

static int set_action(enum config_action *to, struct reader *r, const char *key, const struct value *v)
{
    for (unsigned i = 0; i < sizeof(action_names) / sizeof(action_names[0]); i++)
        if (strcmp(v->text, action_names[i]) == 0) {
            *to = (enum config_action)i;
            return 0;
        }
    return want(r, key, "destroy, restart, preserve or rename-restart", v);
}

static int set_type(struct reader *r, const char *key, const struct value *v)
{
    if (strcmp(v->text, "pv") != 0 && strcmp(v->text, "generic") != 0 && strcmp(v->text, "linux") != 0)
        return want(r, key, "\"pv\", the only kind of domain that Enso runs", v);
    return 0;
}

/* Each element of a list, or a plain string as a list of one. */
static int each_item(struct config *c, struct reader *r, const char *key, const struct value *v, unsigned most,
                     uint32_t *count, int (*one)(struct config *c, unsigned i, const char *text, struct complaint *why))
{
    const char *at = v->text;
    char item[2 * CONFIG_PATH];

    for (*count = 0; *at; (*count)++) {
        size_t n = strcspn(at, "\n");

        if (*count == most)
            return reader_fail(r, "%s: expected at most %u of them", key, most);
        if (n >= sizeof(item))
            return reader_fail(r, "%s: the string is longer than %zu characters", key, sizeof(item) - 1);
        memcpy(item, at, n);
        item[n] = '\0';
        if (one(c, *count, item, r->why)) {
            struct complaint old = *r->why;

            return reader_fail(r, "%s: %s", key, old.text);
        }
        at += n + (at[n] == '\n');
    }
    return 0;
}

static int one_disk(struct config *c, unsigned i, const char *text, struct complaint *why)
{
    return config_disk_parse(&c->disk[i], text, why);
}

static int one_vif(struct config *c, unsigned i, const char *text, struct complaint *why)
{
    return config_vif_parse(&c->vif[i], text, why);
}

static int set_uuid(struct config *c, struct reader *r, const char *key, const struct value *v)
{
    if (!config_uuid(v->text, c->uuid))
        return want(r, key, "a UUID such as 0e8a1c5e-4b6f-4c9f-9a67-2f3d5b7c9e11", v);
    c->has_uuid = true;
    return 0;
}

static int set_auto(struct config *c, struct reader *r, const char *key, const struct value *v)
{
    uint64_t n = 0;

    if (set_number(&n, 0, 1, "", r, key, v))
        return -1;
    c->memory_auto = (int)n;
    return 0;
}

static const char *const known_keys[] = {
    "name", "kernel", "ramdisk", "cmdline", "root", "extra", "memory", "maxmem", "vcpus", "maxvcpus", "cpus",
    "cpu_weight", "cap", "on_poweroff", "on_shutdown", "on_reboot", "on_crash", "type", "builder",
    "disk", "vif", "uuid", "bootentry", "consoles", "mem_weight", "mem_floor", "mem_auto", NULL
};

/* xl's keys for what Enso does not have, or need not have. */
static const char *const passed_over[] = {
    "acpi", "apic", "argo", "bios", "blkdev_start", "boot", "bootloader", "bootloader_args", "channel", "cpuid", "cpus_soft",
    "device_model_args", "device_model_override", "device_model_version", "device_tree", "dm_restrict", "driver_domain", "dtdev", "e820_host",
    "features", "firmware", "gfx_passthru", "hap", "hdtype", "hpet", "init_seclabel", "iomem", "ioports", "irq", "keymap", "loader",
    "localtime", "max_event_channels", "max_grant_frames", "max_grant_version", "max_maptrack_frames", "nestedhvm", "nographic",
    "nomigrate", "nx", "on_soft_reset", "on_watchdog", "opengl", "p9", "pae", "passthrough", "pci", "pci_msitranslate", "pci_permissive",
    "pci_power_mgmt", "pci_seize", "pool", "pvcalls", "pvh", "rdm", "rdm_mem_boundary", "rtc_timeoffset", "sdl", "seclabel", "serial",
    "shadow_memory", "soundhw", "spice", "stdvga", "suppress_spurious_page_faults", "timer_mode", "tsc_mode", "usb", "usbctrl", "usbdev",
    "usbdevice", "vdispl", "vfb", "vga", "videoram", "viridian", "vkb", "vmtrace_buf_kb", "vnc", "vncconsole", "vnclisten", "vncpasswd",
    "vncunused", "vnuma", "vpmu", "vsnd", "vtpm", "vuart", "xen_platform_pci", "xend_suspend_evtchn_compat", NULL
};

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (strcmp(word, *words) == 0)
            return true;
    return false;
}

static void note(struct complaint *notes, const char *key)
{
    size_t n = strlen(notes->text);

    snprintf(notes->text + n, sizeof(notes->text) - n, "%s%s", n ? ", " : "", key);
}

/* One that looks like a key that we know is a slip, and what it was to say would be missing. */
static int unknown_key(struct config *c, struct reader *r, const char *key)
{
    const char *near;

    if (is_one_of(key, passed_over)) {
        note(&c->notes, key);
        return 0;
    }
    near = text_nearest(key, known_keys);
    if (near)
        return reader_fail(r, "unknown key \"%s\"; did you mean %s?", key, near);
    note(&c->unknown, key);
    return 0;
}

int config_assign(struct config *c, struct reader *r, const char *key, const struct value *v)
{
    if (strcmp(key, "name") == 0)        return set_name(c, r, key, v);
    if (strcmp(key, "kernel") == 0)      return set_path(c->kernel, r, key, v);
    if (strcmp(key, "ramdisk") == 0)     return set_path(c->ramdisk, r, key, v);
    if (strcmp(key, "cmdline") == 0)     return set_text(c->cmdline, sizeof(c->cmdline), r, key, v);
    if (strcmp(key, "root") == 0)        return set_text(c->root, sizeof(c->root), r, key, v);
    if (strcmp(key, "extra") == 0)       return set_text(c->extra, sizeof(c->extra), r, key, v);
    if (strcmp(key, "memory") == 0)      return set_number(&c->memory, 2, 1 << 20, " of MiB", r, key, v);
    if (strcmp(key, "maxmem") == 0)      return set_number(&c->maxmem, 2, 1 << 20, " of MiB", r, key, v);
    if (strcmp(key, "vcpus") == 0)       return set_u32(&c->vcpus, 1, 32, r, key, v);
    if (strcmp(key, "maxvcpus") == 0)    return set_u32(&c->vcpus, 1, 32, r, key, v);
    if (strcmp(key, "cpus") == 0)        return set_cpus(c, r, key, v);
    if (strcmp(key, "cpu_weight") == 0)  return set_u32(&c->weight, 1, 65535, r, key, v);
    if (strcmp(key, "cap") == 0)         return set_u32(&c->cap, 0, 3200, r, key, v);
    if (strcmp(key, "on_poweroff") == 0) return set_action(&c->on_poweroff, r, key, v);
    if (strcmp(key, "on_shutdown") == 0) return set_action(&c->on_poweroff, r, key, v);
    if (strcmp(key, "on_reboot") == 0)   return set_action(&c->on_reboot, r, key, v);
    if (strcmp(key, "on_crash") == 0)    return set_action(&c->on_crash, r, key, v);
    if (strcmp(key, "type") == 0)        return set_type(r, key, v);
    if (strcmp(key, "builder") == 0)     return set_type(r, key, v);
    if (strcmp(key, "disk") == 0)        return each_item(c, r, key, v, CONFIG_DISKS, &c->disks, one_disk);
    if (strcmp(key, "vif") == 0)         return each_item(c, r, key, v, CONFIG_VIFS, &c->vifs, one_vif);
    if (strcmp(key, "uuid") == 0)        return set_uuid(c, r, key, v);
    if (strcmp(key, "bootentry") == 0)   return set_text(c->bootentry, sizeof(c->bootentry), r, key, v);
    if (strcmp(key, "consoles") == 0)    return set_u32(&c->consoles, 1, CONFIG_CONSOLES, r, key, v);
    if (strcmp(key, "mem_weight") == 0) return set_u32(&c->memory_weight, 1, 65535, r, key, v);
    if (strcmp(key, "mem_floor") == 0)  return set_number(&c->memory_floor, 0, 1 << 20, " of MiB", r, key, v);
    if (strcmp(key, "mem_auto") == 0)   return set_auto(c, r, key, v);
    return unknown_key(c, r, key);
}

void config_init(struct config *c)
{
    memset(c, 0, sizeof(*c));
    c->vcpus = 1;
    c->cpus = ~0ull;
    c->weight = 256;
    c->consoles = 1;
    c->memory_auto = -1;
    c->on_poweroff = ACTION_DESTROY;
    c->on_reboot = ACTION_RESTART;
    c->on_crash = ACTION_DESTROY;
}

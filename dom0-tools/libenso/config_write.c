/* SPDX-License-Identifier: MIT */
/* config_write.c: struct config as text again, for the record of a domain and
 * for its next life: what config_parse reads back to the same struct.        */
#include "dom0-tools/libenso/config.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "dom0-tools/libenso/text.h"

struct writer {
    char  *buf;
    size_t size, n;
};

static void put(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void put(struct writer *w, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(w->n < w->size ? w->buf + w->n : NULL, w->n < w->size ? w->size - w->n : 0, fmt, ap);
    va_end(ap);
    w->n += n > 0 ? (size_t)n : 0;
}

static void put_string(struct writer *w, const char *key, const char *value)
{
    if (!value[0])
        return;
    put(w, "%s = \"", key);
    for (; *value; value++)
        put(w, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
    put(w, "\"\n");
}

static void put_memory(struct writer *w, const struct config *c)
{
    if (c->memory_weight)
        put(w, "mem_weight = %u\n", c->memory_weight);
    if (c->memory_floor)
        put(w, "mem_floor = %llu\n", (unsigned long long)c->memory_floor);
    if (c->memory_auto >= 0)
        put(w, "mem_auto = %d\n", c->memory_auto);
}

static void put_item(struct writer *w, const char *text)
{
    put(w, " \"");
    for (; *text; text++)
        put(w, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    put(w, "\",");
}

static void put_devices(struct writer *w, const struct config *c)
{
    char item[2 * CONFIG_PATH];

    if (c->disks)
        put(w, "disk = [");
    for (unsigned i = 0; i < c->disks; i++) {
        config_disk_text(&c->disk[i], item, sizeof(item));
        put_item(w, item);
    }
    if (c->disks)
        put(w, " ]\n");
    if (c->vifs)
        put(w, "vif = [");
    for (unsigned i = 0; i < c->vifs; i++) {
        config_vif_text(&c->vif[i], item, sizeof(item));
        put_item(w, item);
    }
    if (c->vifs)
        put(w, " ]\n");
}

int config_write(const struct config *c, char *buf, size_t size)
{
    struct writer w = { buf, size, 0 };
    char cpus[200], item[40];

    put_string(&w, "name", c->name);
    put_string(&w, "kernel", c->kernel);
    put_string(&w, "ramdisk", c->ramdisk);
    put_string(&w, "cmdline", c->cmdline);
    put_string(&w, "root", c->root);
    put_string(&w, "extra", c->extra);
    put(&w, "memory = %llu\nmaxmem = %llu\nvcpus = %u\n", (unsigned long long)c->memory, (unsigned long long)c->maxmem,
        c->vcpus);
    text_from_cpus(c->cpus, 64, cpus, sizeof(cpus));
    put_string(&w, "cpus", cpus);
    put(&w, "cpu_weight = %u\ncap = %u\n", c->weight, c->cap);
    if (c->has_uuid) {
        config_uuid_text(c->uuid, item);
        put_string(&w, "uuid", item);
    }
    put_string(&w, "bootentry", c->bootentry);
    if (c->consoles > 1)
        put(&w, "consoles = %u\n", c->consoles);
    put_memory(&w, c);
    put_devices(&w, c);
    put_string(&w, "on_poweroff", config_action_name(c->on_poweroff));
    put_string(&w, "on_reboot", config_action_name(c->on_reboot));
    put_string(&w, "on_crash", config_action_name(c->on_crash));
    return w.n < size ? (int)w.n : -1;
}

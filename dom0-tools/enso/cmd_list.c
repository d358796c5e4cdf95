/* SPDX-License-Identifier: MIT */
/* cmd_list.c: `enso list`, as a table and as JSON, and the small questions
 * about names, numbers and times.                                            */
#include "dom0-tools/enso/enso.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dom0-tools/libenso/json.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

/* The domains that words name, or all; the number, or -1 after a complaint. */
static int gather(int words, char **word, struct xen_domctl_getdomaininfo **list, struct complaint *why)
{
    if (words == 0)
        return state_domains(list, why);
    *list = calloc((size_t)words, sizeof(**list));
    if (!*list)
        return complain(why, "not enough memory in dom0");
    for (int i = 0; i < words; i++)
        if (state_find(word[i], &(*list)[i], why)) {
            free(*list);
            return -1;
        }
    return words;
}

static void print_row(const struct xen_domctl_getdomaininfo *d, int width)
{
    char name[32], letters[7], seconds[24];

    state_name(d, name);
    state_letters(d, letters);
    snprintf(seconds, sizeof(seconds), "%llu.%llu", (unsigned long long)(d->cpu_time / 1000000000),
             (unsigned long long)(d->cpu_time / 100000000 % 10));
    printf("%-*s%3u%6llu%6lu  %s%9s\n", width, name, d->domain, (unsigned long long)(d->tot_pages >> 8),
           (unsigned long)d->nr_online_vcpus, letters, seconds);
}

static void print_table(const struct xen_domctl_getdomaininfo *list, int n, bool heading)
{
    int width = 9;
    char name[32];

    for (int i = 0; i < n; i++) {
        state_name(&list[i], name);
        if ((int)strlen(name) + 1 > width)
            width = (int)strlen(name) + 1;
    }
    if (heading)
        printf("%-*s%3s%6s%6s  State   Time(s)\n", width, "Name", "ID", "Mem", "VCPUs");
    for (int i = 0; i < n; i++)
        print_row(&list[i], width);
}

/* ---- JSON --------------------------------------------------------------------------------- */

static void json_uuid(struct json *j, const uint8_t h[16])
{
    char text[37];

    config_uuid_text(h, text);
    json_text(j, "uuid", text);
}

static void json_devices(struct json *j, const struct config *c)
{
    char text[18];

    json_open(j, "disks", '[');
    for (unsigned i = 0; i < c->disks; i++) {
        json_open(j, NULL, '{');
        json_text(j, "vdev", c->disk[i].vdev);
        json_text(j, "format", c->disk[i].format == DISK_QCOW2 ? "qcow2" : "raw");
        json_bool(j, "writable", c->disk[i].writable);
        json_text(j, "target", c->disk[i].target);
        json_close(j, '}');
    }
    json_close(j, ']');
    json_open(j, "vifs", '[');
    for (unsigned i = 0; i < c->vifs; i++) {
        config_mac_text(c->vif[i].mac, text);
        json_open(j, NULL, '{');
        json_text(j, "mac", text);
        json_text(j, "bridge", c->vif[i].bridge);
        json_text(j, "ip", c->vif[i].ip[0] ? c->vif[i].ip : NULL);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void json_config(struct json *j, const struct config *c)
{
    char line[CONFIG_LINE];

    config_cmdline(c, line, sizeof(line));
    json_open(j, "config", '{');
    json_text(j, "kernel", c->kernel[0] ? c->kernel : NULL);
    json_text(j, "ramdisk", c->ramdisk[0] ? c->ramdisk : NULL);
    json_text(j, "cmdline", line);
    json_number(j, "memory_mib", c->memory);
    json_number(j, "maxmem_mib", c->maxmem);
    json_number(j, "vcpus", c->vcpus);
    json_number(j, "cpu_weight", c->weight);
    json_number(j, "cap", c->cap);
    json_devices(j, c);
    json_text(j, "on_poweroff", config_action_name(c->on_poweroff));
    json_text(j, "on_reboot", config_action_name(c->on_reboot));
    json_text(j, "on_crash", config_action_name(c->on_crash));
    json_close(j, '}');
}

static void json_domain(struct json *j, const struct xen_domctl_getdomaininfo *d)
{
    static struct record r;
    char name[32], letters[7];

    state_name(d, name);
    state_letters(d, letters);
    json_open(j, NULL, '{');
    json_text(j, "name", name);
    json_number(j, "domid", d->domain);
    json_uuid(j, d->handle);
    json_text(j, "state", letters);
    json_text(j, "shutdown_reason", shutdown_word(d));
    json_number(j, "memory_kib", d->tot_pages * 4);
    json_number(j, "max_memory_kib", d->max_pages * 4);
    json_number(j, "vcpus", d->nr_online_vcpus);
    json_number(j, "cpu_time_ns", d->cpu_time);
    if (state_load(d, &r)) {
        json_number(j, "created", r.created);
        json_config(j, &r.config);
    }
    json_close(j, '}');
}

static void print_json(const struct xen_domctl_getdomaininfo *list, int n)
{
    struct json j = { .to = stdout };

    json_open(&j, NULL, '[');
    for (int i = 0; i < n; i++)
        json_domain(&j, &list[i]);
    json_close(&j, ']');
}

int cmd_list(int words, char **word)
{
    struct xen_domctl_getdomaininfo *list;
    struct complaint why;
    bool as_json;
    int skip, n;

    options_first(words, word);
    as_json = words > 1 && (strcmp(word[1], "-l") == 0 || strcmp(word[1], "--long") == 0);
    skip = as_json ? 2 : 1;
    if (words > skip && word[skip][0] == '-')
        return usage();
    n = gather(words - skip, word + skip, &list, &why);
    if (n < 0)
        return fail(&why);
    if (as_json)
        print_json(list, n);
    else
        print_table(list, n, words == skip);
    free(list);
    return 0;
}

/* ---- small questions ------------------------------------------------------------------------ */

int cmd_domid(int words, char **word)
{
    struct xen_domctl_getdomaininfo info;
    char name[32];
    int rc;

    if (words != 2)
        return usage();
    rc = want_domain(word[1], false, &info, name);
    if (!rc)
        printf("%u\n", info.domain);
    return rc;
}

int cmd_domname(int words, char **word)
{
    struct xen_domctl_getdomaininfo info;
    uint64_t number;
    char name[32];
    int rc;

    if (words != 2)
        return usage();
    if (!text_number(word[1], &number))
        return failf("expected a domain's number, found \"%s\"; `enso domid NAME` goes the other way", word[1]);
    rc = want_domain(word[1], false, &info, name);
    if (!rc)
        printf("%s\n", name);
    return rc;
}

int cmd_uptime(int words, char **word)
{
    struct xen_domctl_getdomaininfo *list;
    struct complaint why;
    static struct record r;
    int n = gather(words - 1, word + 1, &list, &why);

    if (n < 0)
        return fail(&why);
    printf("%-16s %3s  Uptime\n", "Name", "ID");
    for (int i = 0; i < n; i++) {
        uint64_t s = os_now_ms() / 1000, now = os_date();
        char name[32], days[24] = "";

        /* What has no record came up together with dom0. */
        if (state_load(&list[i], &r))
            s = now > r.created ? now - r.created : 0;
        if (s >= 86400)
            snprintf(days, sizeof(days), "%llu day%s, ", (unsigned long long)(s / 86400), s >= 172800 ? "s" : "");
        state_name(&list[i], name);
        printf("%-16s %3u  %s%02u:%02u:%02u\n", name, list[i].domain, days, (unsigned)(s / 3600 % 24),
               (unsigned)(s / 60 % 60), (unsigned)(s % 60));
    }
    free(list);
    return 0;
}

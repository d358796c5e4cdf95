/* SPDX-License-Identifier: MIT */
/* cmd_device_list.c: which devices domains have, how they are, and who serves them. */
#include "dom0-tools/enso/enso.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/device.h"
#include "dom0-tools/libenso/os.h"

#define BACKEND "/dev/xen/backend"

static const char *state_word(struct tree *t, const char *dir)
{
    char text[12];

    return tree_get(t, dir, "state", text, sizeof(text)) ? device_state_name((unsigned)strtoul(text, NULL, 10)) : "gone";
}

struct printing {
    const char *name;
    bool        disks;
};

static void print_disk(struct tree *t, const struct device *d, const char *back)
{
    char vdev[20], mode[4], target[CONFIG_PATH], image[12];

    tree_get(t, back, "dev", vdev, sizeof(vdev));
    tree_get(t, back, "mode", mode, sizeof(mode));
    if (!tree_get(t, back, "target", target, sizeof(target)))
        tree_get(t, back, "params", target, sizeof(target));
    tree_get(t, back, "image", image, sizeof(image));
    printf("%-6s %6lu  %-4s %-6s %s", vdev, (unsigned long)d->id, mode, image[0] ? image : "phy", target);
}

static void print_card(struct tree *t, const struct device *d, const char *back)
{
    char mac[24], bridge[20], rate[40];
    unsigned long long bytes;
    unsigned long us;

    tree_get(t, back, "mac", mac, sizeof(mac));
    tree_get(t, back, "bridge", bridge, sizeof(bridge));
    tree_get(t, back, "rate", rate, sizeof(rate));
    printf("%-3lu %-17s  %-8s", (unsigned long)d->id, mac, bridge);
    if (sscanf(rate, "%llu,%lu", &bytes, &us) == 2 && us)
        printf(" at most %llu KB/s", bytes * 1000 / us);
}

static int print_device(struct tree *t, const struct device *d, void *arg)
{
    const struct printing *p = arg;
    char front[128], back[128], error[200];

    device_front(d, front, sizeof(front));
    device_back(d, back, sizeof(back));
    printf("%-14s ", p->name);
    printf("%-13s ", state_word(t, front));
    printf("%-13s ", state_word(t, back));
    if (p->disks)
        print_disk(t, d, back);
    else
        print_card(t, d, back);
    device_error(t->x, d, error, sizeof(error));
    printf("%s%s\n", error[0] ? "  ! " : "", error);
    return 0;
}

static int list_devices(int words, char **word, const char *type, const char *heading)
{
    struct xen_domctl_getdomaininfo *list = NULL, one;
    struct complaint why;
    struct tree t = { .x = tree_open(&why) };
    char name[32];
    int n = 1, rc = 0;

    if (!t.x)
        return fail(&why);
    if (words < 2)
        n = state_domains(&list, &why);
    if (n < 0)
        rc = fail(&why);
    else
        printf("%-14s %-13s %-13s %s\n", "Domain", "Frontend", "Backend", heading);
    for (int i = words < 2 ? 0 : 1; !rc && i < (words < 2 ? n : words); i++) {
        struct printing p = { name, strcmp(type, "vbd") == 0 };

        if (list) {
            one = list[i];
            state_name(&one, name);
        } else {
            rc = want_domain(word[i], false, &one, name);
        }
        if (!rc)
            devices_each(&t, type, one.domain, print_device, &p);
    }
    free(list);
    xs_close(t.x);
    return rc;
}

int cmd_block_list(int words, char **word)
{
    return words > 1 && word[1][0] == '-' ? usage() : list_devices(words, word, "vbd", "Disk   Number  Mode Kind   Target");
}

int cmd_network_list(int words, char **word)
{
    return words > 1 && word[1][0] == '-' ? usage() : list_devices(words, word, "vif", "Id  Address            Bridge");
}

/* ---- the backends -------------------------------------------------------------------------------- */

static int show_backends(int fd)
{
    char text[512];
    ssize_t n = read(fd, text, sizeof(text) - 1);

    if (n < 0)
        return failf("%s does not answer: %s", BACKEND, strerror(errno));
    text[n] = '\0';
    printf("%-5s %-9s %s\n", "Kind", "State", "Devices");
    for (char *line = text; *line;) {
        char kind[16], state[24], devices[16];
        int used = 0;

        if (sscanf(line, "%15s %23s %15s\n%n", kind, state, devices, &used) != 3 || !used)
            break;
        printf("%-5s %-9s %s\n", kind, state, devices);
        line += used;
    }
    return 0;
}

static int order(int fd, const char *what, const char *type)
{
    char line[32];
    int n = snprintf(line, sizeof(line), "%s %s\n", what, type);

    if (write(fd, line, (size_t)n) == n)
        return 0;
    if (errno == EALREADY || errno == EEXIST)
        return failf("the %s backend is %s already", type, strcmp(what, "stop") == 0 ? "stopped" : "running");
    return failf("%s the %s backend failed: %s", strcmp(what, "stop") == 0 ? "stopping" : "starting", type, strerror(errno));
}

int cmd_backend(int words, char **word)
{
    bool again = words > 1 && strcmp(word[1], "restart") == 0;
    int fd, rc = 0;

    if (words != 1 && (words != 3 || (!again && strcmp(word[1], "stop") != 0 && strcmp(word[1], "start") != 0)))
        return usage();
    if (words == 3 && strcmp(word[2], "vbd") != 0 && strcmp(word[2], "vif") != 0)
        return failf("expected vbd (disks) or vif (network cards), found \"%.40s\"", word[2]);
    fd = open(BACKEND, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return failf("%s: %s: there are no backends in this kernel", BACKEND, strerror(errno));
    if (words == 1)
        rc = show_backends(fd);
    else if (again)
        rc = order(fd, "stop", word[2]) || order(fd, "start", word[2]);
    else
        rc = order(fd, word[1], word[2]);
    close(fd);
    return rc;
}

/* SPDX-License-Identifier: MIT */
/* state.c: records and names of domains (state.h).                           */
#include "dom0-tools/libenso/state.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"
#include "hypercall-abi/errno.h"

#define RECORD_MAX 16384

/* ---- the text of a record ------------------------------------------------------------ */

int record_write(const struct record *r, char *buf, size_t size)
{
    char hex[33];
    int n, m;

    for (unsigned i = 0; i < 16; i++)
        snprintf(hex + 2 * i, 3, "%02x", r->handle[i]);
    n = snprintf(buf, size, "# enso 1 handle=%s created=%llu console=%llu:%lu\n", hex, (unsigned long long)r->created,
                 (unsigned long long)r->console_mfn, (unsigned long)r->console_port);
    if (n < 0 || (size_t)n >= size)
        return -1;
    m = config_write(&r->config, buf + n, size - (size_t)n);
    return m < 0 ? -1 : n + m;
}

int record_parse(struct record *r, const char *text, size_t len)
{
    struct complaint ignored;
    char hex[33];
    unsigned long long created, mfn;
    unsigned long port;

    if (sscanf(text, "# enso 1 handle=%32[0-9a-f] created=%llu console=%llu:%lu", hex, &created, &mfn, &port) != 4 ||
        strlen(hex) != 32)
        return -1;
    for (unsigned i = 0; i < 16; i++) {
        char two[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

        r->handle[i] = (uint8_t)strtoul(two, NULL, 16);
    }
    r->created = created;
    r->console_mfn = mfn;
    r->console_port = (uint32_t)port;
    config_init(&r->config);
    return config_parse(&r->config, "record", text, len, &ignored);
}

/* ---- files ------------------------------------------------------------------------------- */

static void record_path(char *buf, size_t size, uint16_t domid)
{
    snprintf(buf, size, STATE_DIR "/%u", domid);
}

int state_save(uint16_t domid, const struct record *r)
{
    static char text[RECORD_MAX];
    char path[40];
    int n = record_write(r, text, sizeof(text));

    record_path(path, sizeof(path), domid);
    os_make_dir("/run");
    os_make_dir(STATE_DIR);
    return n < 0 ? -1 : os_write_file(path, text, (size_t)n);
}

bool state_load(const struct xen_domctl_getdomaininfo *info, struct record *r)
{
    static char text[RECORD_MAX];
    char path[40];
    int n;

    record_path(path, sizeof(path), info->domain);
    n = os_read_file(path, text, sizeof(text));
    return n > 0 && record_parse(r, text, (size_t)n) == 0 && memcmp(r->handle, info->handle, 16) == 0;
}

void state_forget(uint16_t domid)
{
    char path[40];

    record_path(path, sizeof(path), domid);
    unlink(path);
}

/* ---- names -------------------------------------------------------------------------------- */

int state_domains(struct xen_domctl_getdomaininfo **list, struct complaint *why)
{
    unsigned n = 0, room = 0;

    *list = NULL;
    for (;;) {
        int got;

        if (n == room) {
            void *more = realloc(*list, (room += 64) * sizeof(**list));

            if (!more) {
                free(*list);
                return complain(why, "not enough memory in dom0 for a list of domains");
            }
            *list = more;
        }
        got = machine_domains(n ? (uint16_t)((*list)[n - 1].domain + 1) : 0, *list + n, room - n);
        if (got < 0) {
            free(*list);
            return complain(why, "the hypervisor does not list its domains: %s", call_error(got));
        }
        if (got == 0)
            return (int)n;
        n += (unsigned)got;
    }
}

void state_name(const struct xen_domctl_getdomaininfo *info, char name[32])
{
    static struct record r;

    if (enso_get_name(info->domain, name) == 0)
        return;
    if (state_load(info, &r))
        text_copy(name, 32, r.config.name);
    else if (info->domain == 0)
        text_copy(name, 32, "dom0");
    else
        snprintf(name, 32, "domain-%u", info->domain);
}

static int by_number(uint64_t number, struct xen_domctl_getdomaininfo *info, struct complaint *why)
{
    int rc = number < DOMID_FIRST_RESERVED ? dom_info((uint16_t)number, info) : -XEN_ESRCH;

    if (rc == -XEN_ESRCH)
        return complain(why, "there is no domain %llu; `enso list` shows those there are", (unsigned long long)number);
    return rc ? complain(why, "asking about domain %llu failed: %s", (unsigned long long)number, call_error(rc)) : 0;
}

int state_find(const char *word, struct xen_domctl_getdomaininfo *info, struct complaint *why)
{
    struct xen_domctl_getdomaininfo *list;
    char name[32], near[32] = "";
    unsigned least = 3;
    uint64_t number;
    int n, found = -1;

    if (text_number(word, &number))
        return by_number(number, info, why);
    n = state_domains(&list, why);
    for (int i = 0; i < n && found < 0; i++) {
        unsigned d;

        state_name(&list[i], name);
        d = text_distance(word, name);
        if (d == 0)
            found = i;
        else if (d < least) {
            least = d;
            text_copy(near, sizeof(near), name);
        }
    }
    if (found >= 0)
        *info = list[found];
    if (n >= 0)
        free(list);
    if (n < 0 || found >= 0)
        return n < 0 ? -1 : 0;
    if (near[0])
        return complain(why, "there is no domain \"%s\"; did you mean %s?", word, near);
    return complain(why, "there is no domain \"%s\"; `enso list` shows those there are", word);
}

bool state_tell(const char *what, uint16_t domid)
{
    return state_tell_console(what, domid, 0);
}

bool state_tell_console(const char *what, uint16_t domid, unsigned console)
{
    char path[64], line[48];
    int n = os_read_file(STATE_DIR "/ensod.tty", path, sizeof(path)), fd;
    bool told;

    if (n <= 0)
        return false;
    path[strcspn(path, "\n")] = '\0';
    fd = open(path, O_RDWR | O_NOCTTY);
    if (fd < 0)
        return false;
    n = snprintf(line, sizeof(line), "%s %u %u\n", what, domid, console);
    told = write(fd, line, (size_t)n) == n;
    close(fd);
    return told;
}

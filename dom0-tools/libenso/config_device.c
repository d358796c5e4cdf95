/* SPDX-License-Identifier: MIT */
/* config_device.c: what may stand in disk = [ ... ] and vif = [ ... ].
 *
 * Disks: xl's `target, format, vdev, access`, its key=value form in any order
 * (target= takes commas, too, up to the next key=), the older
 * `file:/path,xvda,w` and `phy:/dev/path,xvda,r`, and mixtures of them. Cards:
 * key=value pairs; an empty string is a card with everything as usual.        */
#include "dom0-tools/libenso/config.h"

#include <stdio.h>
#include <string.h>

#include "dom0-tools/libenso/text.h"

/* ---- names and numbers --------------------------------------------------------------- */

/* Letters after the prefix count disks in base 26 (a..z, aa..), digits its partitions. */
bool config_vdev(const char *name, uint32_t *devid)
{
    uint32_t disk = 0, part = 0;
    const char *at = name + 3;

    if (strncmp(name, "xvd", 3) != 0 || *at < 'a' || *at > 'z')
        return false;
    for (; *at >= 'a' && *at <= 'z' && disk < 1 << 16; at++)
        disk = disk * 26 + (uint32_t)(*at - 'a') + 1;
    disk--;
    if (*at == '0')
        return false;
    for (; *at >= '0' && *at <= '9' && part < 256; at++)
        part = part * 10 + (uint32_t)(*at - '0');
    if (*at || disk >= 1 << 16 || part > 255)
        return false;
    *devid = disk < 16 && part < 16 ? 202u << 8 | disk << 4 | part : 1u << 28 | disk << 8 | part;
    return true;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool config_uuid(const char *text, uint8_t uuid[16])
{
    unsigned n = 0;

    for (; *text; text++) {
        int d = hex_digit(*text);

        if (*text == '-' && n % 2 == 0)
            continue;
        if (d < 0 || n >= 32)
            return false;
        uuid[n / 2] = (uint8_t)(n % 2 ? uuid[n / 2] | d : d << 4);
        n++;
    }
    return n == 32;
}

void config_uuid_text(const uint8_t h[16], char text[37])
{
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", h[0], h[1], h[2], h[3],
             h[4], h[5], h[6], h[7], h[8], h[9], h[10], h[11], h[12], h[13], h[14], h[15]);
}

void config_mac_text(const uint8_t mac[6], char text[18])
{
    snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4], mac[5]);
}

static bool read_mac(const char *s, uint8_t mac[6])
{
    for (unsigned i = 0; i < 6; i++, s += 2) {
        if (i && *s++ != ':')
            return false;
        if (hex_digit(s[0]) < 0 || hex_digit(s[1]) < 0)
            return false;
        mac[i] = (uint8_t)(hex_digit(s[0]) << 4 | hex_digit(s[1]));
    }
    return *s == '\0';
}

bool config_mac(const char *text, char normal[18])
{
    uint8_t mac[6];
    bool good = read_mac(text, mac);

    normal[0] = '\0';
    if (good)
        config_mac_text(mac, normal);
    return good;
}

/* "10Mb/s", "1.5MB/s" is refused, "10MB/s@20ms": bytes a second, and the interval in microseconds. */
static bool read_rate(const char *s, uint64_t *rate, uint32_t *us)
{
    static const struct { char letter; uint64_t times; } scales[] = { { 'K', 1000 }, { 'M', 1000000 }, { 'G', 1000000000 } };
    uint64_t n = 0, times = 1, wait = 0;
    const char *at = s;

    for (; *at >= '0' && *at <= '9' && n < 1000000000; at++)
        n = n * 10 + (uint64_t)(*at - '0');
    if (at == s || n == 0)
        return false;
    for (unsigned i = 0; i < 3; i++)
        if (*at == scales[i].letter) {
            times = scales[i].times;
            at++;
            break;
        }
    if ((*at != 'b' && *at != 'B') || strncmp(at + 1, "/s", 2) != 0 || n > 1000000000000ull / times)
        return false;
    *rate = *at == 'b' ? n * times / 8 : n * times;
    *us = 50000;
    at += 3;
    if (*at == '@') {
        for (at++; *at >= '0' && *at <= '9' && wait < 10000000; at++)
            wait = wait * 10 + (uint64_t)(*at - '0');
        times = strcmp(at, "us") == 0 ? 1 : strcmp(at, "ms") == 0 ? 1000 : strcmp(at, "s") == 0 ? 1000000 : 0;
        if (!times || wait == 0 || wait * times > 10000000)
            return false;
        *us = (uint32_t)(wait * times);
        return *rate > 0;
    }
    return *at == '\0' && *rate > 0;
}

/* ---- the next piece between commas ------------------------------------------------------ */

/* Copies it without blanks round it; false at the end. *too_long if it had to be cut. */
static bool next_piece(const char **at, char *piece, size_t size, bool *too_long)
{
    const char *from = *at, *to;
    size_t n;

    if (!from)
        return false;
    to = strchr(from, ',');
    *at = to ? to + 1 : NULL;
    n = to ? (size_t)(to - from) : strlen(from);
    for (; n && (*from == ' ' || *from == '\t'); from++)
        n--;
    while (n && (from[n - 1] == ' ' || from[n - 1] == '\t'))
        n--;
    if (n >= size)
        *too_long = true;
    n = n < size ? n : size - 1;
    memcpy(piece, from, n);
    piece[n] = '\0';
    return true;
}

/* Splits "key=value" in place; the value, or NULL if there is no = in it. */
static char *split_pair(char *piece)
{
    char *eq = strchr(piece, '=');

    if (!eq)
        return NULL;
    *eq++ = '\0';
    while (*eq == ' ' || *eq == '\t')
        eq++;
    for (size_t n = strlen(piece); n && (piece[n - 1] == ' ' || piece[n - 1] == '\t'); n--)
        piece[n - 1] = '\0';
    return eq;
}

/* ---- disks -------------------------------------------------------------------------------- */

static int set_target(struct config_disk *d, const char *value, struct complaint *why)
{
    while (*value == ' ' || *value == '\t')
        value++;
    if (!text_copy(d->target, sizeof(d->target), value))
        return complain(why, "the path is longer than %u characters", CONFIG_PATH - 1);
    return 0;
}

static int set_format(struct config_disk *d, const char *value, struct complaint *why)
{
    if (!value[0] || strcmp(value, "raw") == 0 || strcmp(value, "aio") == 0)
        d->format = DISK_RAW;
    else if (strcmp(value, "qcow2") == 0)
        d->format = DISK_QCOW2;
    else
        return complain(why, "expected the format raw or qcow2, found \"%.40s\"", value);
    return 0;
}

static int set_vdev(struct config_disk *d, const char *value, struct complaint *why)
{
    if (!config_vdev(value, &d->devid) || !text_copy(d->vdev, sizeof(d->vdev), value))
        return complain(why, "expected the guest's name for it, xvda to xvdz, found \"%.40s\"", value);
    return 0;
}

static int set_access(struct config_disk *d, const char *value, struct complaint *why)
{
    if (strcmp(value, "w") == 0 || strcmp(value, "rw") == 0)
        d->writable = true;
    else if (strcmp(value, "r") == 0 || strcmp(value, "ro") == 0)
        d->writable = false;
    else
        return complain(why, "expected the access rw or ro (or w or r), found \"%.40s\"", value);
    return 0;
}

static int set_limit(uint32_t *to, const char *key, const char *value, struct complaint *why)
{
    uint64_t n;

    if (!text_number(value, &n) || n == 0 || n > 1000000)
        return complain(why, "%s: expected a number from 1 to 1000000, found \"%.40s\"", key, value);
    *to = (uint32_t)n;
    return 0;
}

static int disk_pair(struct config_disk *d, const char *key, const char *value, struct complaint *why)
{
    if (strcmp(key, "format") == 0)
        return set_format(d, value, why);
    if (strcmp(key, "vdev") == 0)
        return set_vdev(d, value, why);
    if (strcmp(key, "access") == 0)
        return set_access(d, value, why);
    if (strcmp(key, "iops") == 0)
        return set_limit(&d->iops, key, value, why);
    if (strcmp(key, "mbps") == 0)
        return set_limit(&d->mbps, key, value, why);
    if (strcmp(key, "backendtype") == 0 || strcmp(key, "discard") == 0 || strcmp(key, "no-discard") == 0)
        return 0;                         /* xl's, and here there is but one way */
    if (strcmp(key, "devtype") == 0)
        return strcmp(value, "disk") == 0 ? 0 : complain(why, "devtype: a paravirtual guest has disks only; use access=ro");
    return complain(why, "unknown word \"%.40s\"; expected target, format, vdev, access, iops or mbps", key);
}

/* Old prefixes, of which there may be several (tap:aio:), settle the kind; then xl expects vdev next, not a format. */
static const char *skip_prefixes(struct config_disk *d, const char *text, bool *had)
{
    static const char *const prefixes[] = { "file:", "phy:", "raw:", "aio:", "tap:", "tap2:", "qcow2:", NULL };
    unsigned i = 0;

    *had = false;
    while (prefixes[i]) {
        size_t n = strlen(prefixes[i]);

        if (strncmp(text, prefixes[i], n) != 0) {
            i++;
            continue;
        }
        if (strcmp(prefixes[i], "qcow2:") == 0)
            d->format = DISK_QCOW2;
        *had = true;
        text += n;
        i = 0;
    }
    return text;
}

static int disk_positional(struct config_disk *d, unsigned place, const char *piece, struct complaint *why)
{
    switch (place) {
    case 0:
        return set_target(d, piece, why);
    case 1:
        return set_format(d, piece, why);
    case 2:
        return set_vdev(d, piece, why);
    case 3:
        return set_access(d, piece, why);
    }
    return complain(why, "unexpected \"%.40s\" after the access", piece);
}

/* What target= takes: all that follows, as in xl, commas and all; but where people go on with `, vdev=`, that is no file's name. */
static size_t target_length(const char *value)
{
    static const char *const keys[] = { "format=", "vdev=", "access=", "iops=", "mbps=", "backendtype=", "devtype=" };

    for (const char *comma = strchr(value, ','); comma; comma = strchr(comma + 1, ',')) {
        const char *key = comma + 1 + strspn(comma + 1, " \t");

        for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
            if (strncmp(key, keys[i], strlen(keys[i])) == 0)
                return (size_t)(comma - value);
    }
    return strlen(value);
}

/* xl's block script looks for `phy:nvme0n1p3` in /dev. */
static void complete_device(struct config_disk *d, const char *text)
{
    size_t n = strlen(d->target);

    if (strncmp(text, "phy:", 4) != 0 || !n || d->target[0] == '/' || n + 6 > sizeof(d->target))
        return;
    memmove(d->target + 5, d->target, n + 1);
    memcpy(d->target, "/dev/", 5);
}

int config_disk_parse(struct config_disk *d, const char *text, struct complaint *why)
{
    char piece[CONFIG_PATH];
    bool too_long = false, prefixed;
    unsigned place = 0;
    const char *at;

    memset(d, 0, sizeof(*d));
    d->writable = true;
    while (*text == ' ' || *text == '\t')
        text++;
    at = skip_prefixes(d, text, &prefixed);
    for (;;) {
        const char *from = at;
        char *value;

        while (from && (*from == ' ' || *from == '\t'))
            from++;
        if (from && strncmp(from, "target=", 7) == 0) {
            size_t n = target_length(from += 7);

            at = from[n] ? from + n + 1 : NULL;
            while (at && n && (from[n - 1] == ' ' || from[n - 1] == '\t'))
                n--;
            snprintf(piece, sizeof(piece), "%.*s", (int)n, from);
            if (set_target(d, n < sizeof(piece) ? piece : from, why))
                return -1;
            continue;
        }
        if (!next_piece(&at, piece, sizeof(piece), &too_long))
            break;
        if (too_long)
            return complain(why, "a word is longer than %u characters", CONFIG_PATH - 1);
        value = place ? split_pair(piece) : strchr(piece, '=') && piece[0] != '/' ? split_pair(piece) : NULL;
        if (value ? disk_pair(d, piece, value, why) : disk_positional(d, place, piece, why))
            return -1;
        if (!value)
            place += place == 0 && prefixed ? 2 : 1;
    }
    complete_device(d, text);
    if (d->target[0] != '/')
        return complain(why, d->target[0] ? "expected a whole path that begins with /, found \"%.80s\""
                                          : "expected a target: the path of a file or of a block device%.0s", d->target);
    return d->vdev[0] ? 0 : complain(why, "expected the guest's name for %.80s, as in `%.80s,raw,xvda,rw`", d->target, d->target);
}

void config_disk_text(const struct config_disk *d, char *buf, size_t size)
{
    char limits[64] = "";
    int n = 0;

    if (d->iops)
        n = snprintf(limits, sizeof(limits), "iops=%u,", d->iops);
    if (d->mbps)
        snprintf(limits + n, sizeof(limits) - (size_t)n, "mbps=%u,", d->mbps);
    snprintf(buf, size, "format=%s,vdev=%s,access=%s,%starget=%s", d->format == DISK_QCOW2 ? "qcow2" : "raw", d->vdev,
             d->writable ? "rw" : "ro", limits, d->target);
}

/* ---- network cards --------------------------------------------------------------------------- */

static bool is_interface(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

    return n > 0 && n < 16 && s[n] == '\0';
}

static int vif_pair(struct config_vif *v, const char *key, const char *value, struct complaint *why)
{
    if (strcmp(key, "mac") == 0) {
        static const uint8_t none[6];

        if (!read_mac(value, v->mac) || v->mac[0] & 1 || memcmp(v->mac, none, 6) == 0)
            return complain(why, "mac: expected one card's address such as 00:16:3e:01:02:03, found \"%.40s\"", value);
        v->has_mac = true;
        return 0;
    }
    if (strcmp(key, "bridge") == 0) {
        if (!is_interface(value))
            return complain(why, "bridge: expected a bridge's name such as br0, found \"%.40s\"", value);
        text_copy(v->bridge, sizeof(v->bridge), value);
        return 0;
    }
    if (strcmp(key, "ip") == 0) {
        if (!value[0] || value[strspn(value, "0123456789abcdefABCDEF.:/ ")] || !text_copy(v->ip, sizeof(v->ip), value))
            return complain(why, "ip: expected addresses, found \"%.40s\"", value);
        return 0;
    }
    if (strcmp(key, "rate") == 0) {
        if (!read_rate(value, &v->rate, &v->rate_us))
            return complain(why, "rate: expected such as 10Mb/s, 2MB/s or 1MB/s@20ms, found \"%.40s\"", value);
        return 0;
    }
    if (strcmp(key, "script") == 0 || strcmp(key, "vifname") == 0 || strcmp(key, "model") == 0 || strcmp(key, "type") == 0)
        return 0;                         /* xl's: how a Linux dom0 would go about it */
    return complain(why, "unknown word \"%.40s\"; expected mac, bridge, ip or rate", key);
}

int config_vif_parse(struct config_vif *v, const char *text, struct complaint *why)
{
    char piece[CONFIG_PATH];
    bool too_long = false;

    memset(v, 0, sizeof(*v));
    text_copy(v->bridge, sizeof(v->bridge), "br0");
    while (next_piece(&text, piece, sizeof(piece), &too_long)) {
        char *value = split_pair(piece);

        if (too_long)
            return complain(why, "a word is longer than %u characters", CONFIG_PATH - 1);
        if (!value && piece[0])
            return complain(why, "expected key=value pairs, found \"%.40s\"", piece);
        if (value && vif_pair(v, piece, value, why))
            return -1;
    }
    return 0;
}

void config_vif_text(const struct config_vif *v, char *buf, size_t size)
{
    char mac[18];
    int n = snprintf(buf, size, "bridge=%s", v->bridge);

    if (v->has_mac) {
        config_mac_text(v->mac, mac);
        n += snprintf(buf + n, size - (size_t)n, ",mac=%s", mac);
    }
    if (v->ip[0])
        n += snprintf(buf + n, size - (size_t)n, ",ip=%s", v->ip);
    if (v->rate)
        snprintf(buf + n, size - (size_t)n, ",rate=%lluB/s@%luus", (unsigned long long)v->rate, (unsigned long)v->rate_us);
}

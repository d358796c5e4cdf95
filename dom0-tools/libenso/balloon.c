/* SPDX-License-Identifier: MIT */
/* balloon.c: questions to balloond, and the nodes of memory/; see balloon.h.
 *
 * A question is a node of its own, BALLOOND_DIR/ask/PID, and so is the answer: "ok", or the sentence to be shown. */
#include "dom0-tools/libenso/balloon.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/libenso/calls.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

#define PATIENCE_MS 30000u

bool balloon_number(struct xs *x, uint16_t domid, const char *node, uint64_t *value)
{
    char path[80], text[32];

    snprintf(path, sizeof(path), "/local/domain/%u/memory/%s", domid, node);
    return xs_read(x, 0, path, text, sizeof(text)) > 0 && text_number(text, value);
}

int balloon_set(struct xs *x, uint16_t domid, const char *node, uint64_t value)
{
    char path[80], text[32];

    snprintf(path, sizeof(path), "/local/domain/%u/memory/%s", domid, node);
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    return xs_write(x, 0, path, text);
}

uint64_t balloon_floor(struct xs *x, uint16_t domid)
{
    uint64_t wish = 0, own = 0, most = 0, credible;

    balloon_number(x, domid, "floor", &wish);
    balloon_number(x, domid, "stat/floor", &own);
    balloon_number(x, domid, "static-max", &most);
    credible = domid ? balloon_credible_floor(most) : own;
    own = own < credible ? own : credible;
    return wish > own ? wish : own;
}

bool balloon_daemon(struct xs *x)
{
    char text[32];
    uint64_t pid;

    return xs_read(x, 0, BALLOOND_DIR "/pid", text, sizeof(text)) > 0 && text_number(text, &pid) && pid > 1 &&
           kill((pid_t)pid, 0) == 0;
}

static uint64_t free_kib(void)
{
    struct xen_sysctl_physinfo info = { 0 };

    return machine_info(&info) ? 0 : info.free_pages * (PAGE_SIZE / 1024);
}

int balloon_short(struct complaint *why, uint64_t kib, uint64_t free, uint64_t reserve, uint64_t others)
{
    unsigned long long need = (kib + 1023) >> 10, spare = free >> 10;

    if (!reserve && !others)
        return complain(why, "not enough memory: it takes %llu MiB and %llu MiB are free; `enso mem-set` makes another domain smaller", need, spare);
    return complain(why, "not enough memory: it takes %llu MiB, %llu MiB are free beside the reserve of %llu MiB, and the other "
                    "domains can give up %llu MiB now", need, spare, (unsigned long long)(reserve >> 10), (unsigned long long)(others >> 10));
}

static int look_only(uint64_t kib, struct complaint *why)
{
    uint64_t free = free_kib();

    return free >= kib ? 0 : balloon_short(why, kib, free, 0, 0);
}

/* The answer: 0, -1 with a sentence, or 1 if none came. */
static int wait_for_answer(struct xs *x, const char *path, struct complaint *why)
{
    char text[sizeof(why->text)];

    for (unsigned ms = 0; ms < PATIENCE_MS; ms += 50) {
        if (xs_read(x, 0, path, text, sizeof(text)) > 0) {
            xs_rm(x, 0, path);
            return strcmp(text, "ok") == 0 ? 0 : complain(why, "%s", text);
        }
        if (os_interrupted())
            return complain(why, OS_INTERRUPTED);
        if (!balloon_daemon(x))
            return 1;
        os_sleep_ms(50);
    }
    return 1;
}

/* "KIB UUID", the UUID in hexadecimal, so that what the domain has already is not kept a second time. */
static void question(char *text, size_t size, uint64_t kib, const uint8_t handle[16])
{
    int n = snprintf(text, size, "%llu ", (unsigned long long)kib);

    for (unsigned i = 0; i < 16; i++)
        snprintf(text + n + 2 * i, size - (size_t)n - 2 * i, "%02x", handle[i]);
}

int balloon_ask(uint64_t kib, const uint8_t handle[16], struct complaint *why)
{
    struct xs *x = xs_open();
    char ask[64], answer[64], text[64];
    int rc = 1;

    kib += BALLOON_OVERHEAD + kib / 256;
    if (x && balloon_daemon(x)) {
        snprintf(ask, sizeof(ask), BALLOOND_DIR "/ask/%d", (int)getpid());
        snprintf(answer, sizeof(answer), BALLOOND_DIR "/answer/%d", (int)getpid());
        question(text, sizeof(text), kib, handle);
        xs_rm(x, 0, answer);
        if (xs_write(x, 0, ask, text) == 0)
            rc = wait_for_answer(x, answer, why);
        if (rc)
            xs_rm(x, 0, ask);
    }
    if (x)
        xs_close(x);
    return rc > 0 ? look_only(kib, why) : rc;
}

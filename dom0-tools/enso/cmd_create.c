/* SPDX-License-Identifier: MIT */
/* cmd_create.c: `enso create`: read the file, build, note, start.            */
#include "dom0-tools/enso/enso.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dom0-tools/enso/assemble.h"
#include "dom0-tools/libenso/balloon.h"
#include "dom0-tools/libenso/making.h"
#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/text.h"

#define CONFIG_FILE_MAX 65536

struct request {
    bool paused, console, quiet;
    bool remove;                    /* ensod's: the file was made for this one time */
    const char *file;
};

/* ---- progress, on terminals and only when it takes a while ------------------------- */

static struct {
    const char *name;
    uint64_t    begun, shown;
    bool        wanted, on_screen;
} bar;

static bool show_progress(const char *what, unsigned percent)
{
    uint64_t now = os_now_ms();

    if (os_interrupted() || !bar.wanted || now - bar.begun < 700 || now - bar.shown < 100)
        return !os_interrupted();
    bar.shown = now;
    bar.on_screen = true;
    fprintf(stderr, "\r%s: %s %3u %%\033[K", bar.name, what, percent);
    fflush(stderr);
    return true;
}

static void end_progress(void)
{
    if (bar.on_screen)
        fprintf(stderr, "\r\033[K");
    bar.on_screen = false;
}

/* ---- the configuration ---------------------------------------------------------------- */

static int read_config(struct config *c, const char *path, char **overrides, int n, struct complaint *why)
{
    static char text[CONFIG_FILE_MAX];
    int len;

    errno = 0;
    len = os_read_file(path, text, sizeof(text));
    if (len < 0)
        return complain(why, "%s: %s", path, errno ? strerror(errno) : "larger than 64 KiB: not a configuration file");
    config_init(c);
    if (config_parse(c, path, text, (size_t)len, why))
        return -1;
    for (int i = 0; i < n; i++)
        if (config_override(c, overrides[i], why))
            return -1;
    return config_check(c, path, why);
}

/* Nobody else has its name or, if the configuration gives one, its UUID. */
static int is_free(const struct config *c, struct complaint *why)
{
    struct xen_domctl_getdomaininfo *list;
    char other[32], twin[32] = "";
    int n = state_domains(&list, why), taken = -1;

    if (n < 0)
        return -1;
    for (int i = 0; i < n; i++) {
        state_name(&list[i], other);
        if (strcmp(c->name, other) == 0 && !(list[i].flags & XEN_DOMINF_dying))
            taken = list[i].domain;
        /* One that has shut down and was set aside (rename-restart) keeps what it was. */
        if (c->has_uuid && memcmp(c->uuid, list[i].handle, 16) == 0 && !(list[i].flags & (XEN_DOMINF_dying | XEN_DOMINF_shutdown)))
            text_copy(twin, sizeof(twin), other);
    }
    free(list);
    if (taken < 0 && twin[0])
        return complain(why, "uuid: %s has this UUID; leave it out and one is chosen", twin);
    if (taken < 0)
        return 0;
    return complain(why, "there is a domain called %s already (number %d); `name=OTHER` makes another", c->name, taken);
}

/* ---- the command ------------------------------------------------------------------------- */

static int take_words(struct request *q, int words, char **word, int *rest)
{
    int i = 1;

    options_first(words, word);
    for (; i < words && word[i][0] == '-'; i++) {
        if (strcmp(word[i], "-p") == 0)
            q->paused = true;
        else if (strcmp(word[i], "-c") == 0)
            q->console = true;
        else if (strcmp(word[i], "-q") == 0)
            q->quiet = true;
        else if (strcmp(word[i], "-r") == 0)
            q->remove = true;
        else
            return usage();
    }
    if (i >= words)
        return usage();
    q->file = word[i];
    *rest = i + 1;
    return 0;
}

/* The record goes first: a domain that nobody could name must not run. */
static int note_and_start(const struct request *q, struct record *r, const struct built *b, struct complaint *why)
{
    int rc;

    r->created = os_date();
    r->console_mfn = b->console_mfn;
    r->console_port = b->console_port;
    if (state_save(b->domid, r))
        return complain(why, "cannot write its record below " STATE_DIR ": %s", strerror(errno));
    if (!state_tell("new", b->domid) && !q->quiet)
        fprintf(stderr, "enso create: ensod is not running, so nobody keeps %s's console or restarts it\n",
                r->config.name);
    if (os_interrupted())
        return complain(why, OS_INTERRUPTED);
    if (q->paused)
        return 0;
    rc = dom_unpause(b->domid);
    return rc ? complain(why, "starting it failed: %s", call_error(rc)) : 0;
}

static void warn(const struct request *q, const struct config *c)
{
    const char *xls = c->notes.text, *none = c->unknown.text;

    if (!q->quiet && (xls[0] || none[0]))
        fprintf(stderr, "%s: keys passed over: %s%s%s%s%s\n", q->file, xls, xls[0] ? " (xl's, for what Enso does not have)" : "",
                xls[0] && none[0] ? "; " : "", none, none[0] ? " (unknown; `enso help create` lists the keys)" : "");
}

static void report(const struct request *q, const struct config *c, const struct built *b)
{
    uint64_t tenths = (os_now_ms() - bar.begun + 50) / 100;

    if (q->quiet)
        return;
    printf("%s: domain %u, %llu MiB, built in %llu.%llu s%s\n", c->name, b->domid, (unsigned long long)c->memory,
           (unsigned long long)(tenths / 10), (unsigned long long)(tenths % 10), q->paused ? ", paused" : "");
    fflush(stdout);
}

/* A handle of its own, or the UUID that the configuration names. */
static void make_handle(struct record *r)
{
    if (r->config.has_uuid) {
        memcpy(r->handle, r->config.uuid, sizeof(r->handle));
        return;
    }
    os_random(r->handle, sizeof(r->handle));
    r->handle[6] = (uint8_t)((r->handle[6] & 0x0f) | 0x40);      /* a random UUID says so */
    r->handle[8] = (uint8_t)((r->handle[8] & 0x3f) | 0x80);
}

static int make(const struct request *q, struct record *r, struct parts *p, struct built *b, struct complaint *why)
{
    if (parts_prepare(p, why) || balloon_ask(r->config.memory << 10, r->handle, why) ||
        domain_build(&p->boot, r->handle, p->xs != NULL, show_progress, b, why))
        return -1;
    end_progress();
    if (!parts_settle(p, b, why) && !note_and_start(q, r, b, why))
        return 0;
    os_uninterrupted();
    dom_destroy(b->domid);
    state_forget(b->domid);
    return -1;
}

/* Whole, or nothing of it: whatever goes wrong here is taken back, and ensod does it if we are killed. */
static int make_whole(const struct request *q, struct record *r, struct parts *p, struct built *b, struct complaint *why)
{
    int rc = making_begin(r->handle, why) || make(q, r, p, b, why);

    end_progress();
    os_uninterrupted();
    if (rc)
        parts_undo(p);
    parts_tidy(p);
    making_end();
    return rc;
}

int cmd_create(int words, char **word)
{
    static struct record r;
    static struct parts p;
    struct request q = { 0 };
    struct complaint why;
    struct built b;
    int rest = 0, rc = take_words(&q, words, word, &rest);

    if (rc)
        return rc;
    rc = read_config(&r.config, q.file, word + rest, words - rest, &why);
    if (q.remove)
        unlink(q.file);
    if (rc || is_free(&r.config, &why))
        return fail(&why);
    warn(&q, &r.config);
    make_handle(&r);
    p.config = &r.config;
    memcpy(p.uuid, r.handle, sizeof(p.uuid));
    bar.name = r.config.name;
    bar.begun = os_now_ms();
    bar.wanted = !q.quiet && isatty(2);
    os_catch_interrupts();
    if (make_whole(&q, &r, &p, &b, &why))
        return fail(&why);
    os_free_interrupts();
    report(&q, &r.config, &b);
    return q.console ? console_attach(b.domid, r.config.name) : 0;
}

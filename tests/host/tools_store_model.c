/* SPDX-License-Identifier: MIT */
/* tools_store_model.c: random requests of four domains against a store that is a plain list.
 *
 * Claim (SPEC 11.4): whatever is asked, in whatever order, xenstored answers as the list does; who watches hears of just those changes that it
 * may know of; a transaction sees its beginning and itself, and one that is told OK has the answers that it would have had all at once
 * at its end; EAGAIN comes only if something did change. All that holds across daemons killed anywhere and journals written anew.
 * A failure prints the seed: TEST_SEED=that repeats it. TEST_STEPS makes it longer.                               */
#include <time.h>

#include "tests/host/store_world.h"

#define DOMS   4                                 /* dom0 and three guests */
#define NODES  600
#define PATH   100
#define OPS    40
#define WATCHES 6

static uint32_t seed;
static unsigned long step;

static unsigned roll(unsigned n)
{
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % n;
}

#define CHECK(x, ...) do { if (!(x)) { print_error("seed %lu, step %lu: ", first_seed, step); fail_msg(__VA_ARGS__); } } while (0)
static unsigned long first_seed;

/* ---- the list -------------------------------------------------------------------------------------------------- */

struct item { char path[PATH], value[12]; struct perm perm[3]; unsigned perms; };
struct model { struct item item[NODES]; unsigned n; unsigned long version; };

static struct item *item_find(struct model *m, const char *path)
{
    for (unsigned i = 0; i < m->n; i++)
        if (!strcmp(m->item[i].path, path))
            return &m->item[i];
    return NULL;
}

static void cut_last(char *path)
{
    char *slash = strrchr(path, '/');

    slash[slash == path] = '\0';
}

static struct item *item_above(struct model *m, const char *path)
{
    char above[PATH];
    struct item *i = NULL;

    strcpy(above, path);
    while (!i && above[1]) {
        cut_last(above);
        i = item_find(m, above);
    }
    return i;
}

static bool is_below(const char *path, const char *dir)
{
    size_t n = strcmp(dir, "/") ? strlen(dir) : 0;

    return !strncmp(path, dir, n) && path[n] == '/' && path[n + 1];
}

static unsigned rights(const struct item *i, int dom)
{
    if (!i)
        return 0;
    if (dom == 0 || i->perm[0].domid == dom)
        return PERM_READ | PERM_WRITE | PERM_OWNER;
    for (unsigned k = 1; k < i->perms; k++)
        if (i->perm[k].domid == dom)
            return i->perm[k].mask;
    return i->perm[0].mask;
}

/* ---- what is told ------------------------------------------------------------------------------------------------- */

struct wanted { char path[PATH], token[8]; unsigned skip; };
static struct wanted watch[DOMS][WATCHES];
static unsigned watches[DOMS];

struct said { char line[400][PATH + 10]; unsigned n; };
static struct said expected[DOMS], heard[DOMS];

static void said_add(struct said *s, const char *path, const char *token)
{
    char line[PATH + 10];

    snprintf(line, sizeof(line), "%s %s", path, token);
    for (unsigned i = 0; i < s->n; i++)
        if (!strcmp(s->line[i], line))
            return;
    assert_true(s->n < 400);
    strcpy(s->line[s->n++], line);
}

static void tell(const char *path, const struct item *now, const struct item *was, const struct item *above, bool exact)
{
    for (int d = 0; d < DOMS; d++)
        for (unsigned i = 0; i < watches[d]; i++) {
            const struct wanted *w = &watch[d][i];

            if (strcmp(w->path, path) && (exact || !is_below(path, w->path)))
                continue;
            if ((rights(now, d) | rights(was, d) | rights(above, d)) & PERM_READ)
                said_add(&expected[d], path + w->skip, w->token);
        }
}

/* ---- requests, done to the list ---------------------------------------------------------------------------------------- */

struct op { uint32_t type; char arg[PATH], full[PATH], value[12]; struct perm perm[3]; unsigned perms; char answer[4096]; };

static struct item *item_make(struct model *m, const char *path, int dom)
{
    struct item *i = item_find(m, path), *above;
    char up[PATH];

    if (i)
        return i;
    strcpy(up, path);
    cut_last(up);
    above = item_make(m, up, dom);
    assert_true(m->n < NODES);
    i = &m->item[m->n++];
    *i = *above;
    strcpy(i->path, path);
    i->value[0] = '\0';
    if (dom)
        i->perm[0].domid = (uint16_t)dom;
    return i;
}

static void item_remove(struct model *m, const char *path, bool live)
{
    struct item was = *item_find(m, path);
    static struct item gone[NODES];
    unsigned kept = 0, n = 0;

    for (unsigned i = 0; i < m->n; i++) {
        if (is_below(m->item[i].path, path))
            gone[n++] = m->item[i];
        else if (strcmp(m->item[i].path, path))
            m->item[kept++] = m->item[i];
    }
    m->n = kept;
    if (!live)
        return;
    tell(path, NULL, &was, item_above(m, path), false);
    for (unsigned i = 0; i < n; i++)
        tell(gone[i].path, NULL, &gone[i], NULL, true);
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void list_names(struct model *m, const char *dir, char *to)
{
    size_t skip = strcmp(dir, "/") ? strlen(dir) + 1 : 1;
    char *names[NODES];
    unsigned n = 0;

    for (unsigned i = 0; i < m->n; i++)
        if (is_below(m->item[i].path, dir) && !strchr(m->item[i].path + skip, '/'))
            names[n++] = m->item[i].path + skip;
    qsort(names, n, sizeof(names[0]), by_name);
    *to = '\0';
    for (unsigned i = 0; i < n; i++)
        to += sprintf(to, "%s,", names[i]);
}

static void list_perms(const struct item *i, char *to)
{
    for (unsigned k = 0; k < i->perms; k++)
        to += sprintf(to, "%c%u,", "nrwb"[i->perm[k].mask & 3], i->perm[k].domid);
}

static unsigned wants(uint32_t type)
{
    return type == XS_READ || type == XS_DIRECTORY || type == XS_GET_PERMS ? PERM_READ
         : type == XS_SET_PERMS ? PERM_WRITE | PERM_OWNER : PERM_WRITE;
}

static void change(struct model *m, int dom, const struct op *op, char *answer, bool live)
{
    struct item *i = item_find(m, op->full), was;

    if (op->type == XS_RM) {
        item_remove(m, op->full, live);
    } else if (op->type == XS_SET_PERMS) {
        if (dom && op->perm[0].domid != i->perm[0].domid) {
            strcpy(answer, "EPERM");
            return;
        }
        was = *i;
        memcpy(i->perm, op->perm, sizeof(i->perm));
        i->perms = op->perms;
        if (live)
            tell(op->full, i, &was, item_above(m, op->full), false);
    } else if (op->type == XS_WRITE || !i) {
        i = item_make(m, op->full, dom);
        if (op->type == XS_WRITE)
            strcpy(i->value, op->value);
        if (live)
            tell(op->full, i, NULL, item_above(m, op->full), false);
    }
    m->version++;
    strcpy(answer, "OK");
}

/* The answer; live: it is the store itself, and watchers are told. */
static void item_do(struct model *m, int dom, const struct op *op, char *answer, bool live)
{
    struct item *i = item_find(m, op->full), *above = item_above(m, op->full);
    unsigned want = wants(op->type);
    char up[PATH];

    if (i && (rights(i, dom) & want) != want) {
        strcpy(answer, "EACCES");
    } else if (!i && !(rights(above, dom) & want)) {
        strcpy(answer, "EACCES");
    } else if (!i && op->type == XS_RM) {
        strcpy(up, op->full);
        cut_last(up);
        strcpy(answer, item_find(m, up) ? "OK" : "ENOENT");
    } else if (!i && op->type != XS_WRITE && op->type != XS_MKDIR) {
        strcpy(answer, "ENOENT");
    } else if (op->type == XS_READ) {
        strcpy(answer, i->value);
    } else if (op->type == XS_DIRECTORY) {
        list_names(m, op->full, answer);
    } else if (op->type == XS_GET_PERMS) {
        list_perms(i, answer);
    } else {
        change(m, dom, op, answer, live);
    }
}

/* ---- transactions ---------------------------------------------------------------------------------------------------------- */

struct work { uint32_t id; struct model view; unsigned long since; bool maybe_dead; struct op op[OPS]; unsigned n; };
static struct work *work[DOMS][2];
static struct model now;

/* ---- asking, with a daemon that may be killed meanwhile ------------------------------------------------------------------------ */

static bool was_killed;

static void take_up_again(void)
{
    restart(REPLAYED);
    was_killed = true;
    for (int d = 0; d < DOMS; d++)
        for (int k = 0; k < 2; k++)
            if (work[d][k])
                work[d][k]->maybe_dead = true;
}

static void hear_all(void)
{
    struct answer a;

    for (int d = 0; d < DOMS; d++)
        while (next(d, &a)) {
            CHECK(a.type == XS_WATCH_EVENT, "domain %d is answered twice", d);
            said_add(&heard[d], a.text, a.text + strlen(a.text) + 1);
        }
}

static const char *question(int dom, uint32_t type, uint32_t tx, const void *text, size_t n)
{
    static struct answer a;
    volatile int lives = roll(12) ? 0 : (int)roll(3) + 1;

    was_killed = false;
    send(dom, type, tx, text, n, (uint32_t)step);
    while (lives-- > 0) {
        kill_in = roll(8);
        if (setjmp(killed))
            take_up_again();
        else
            serve_all();
    }
    kill_in = -1;
    do {
        CHECK(next(dom, &a), "domain %d gets no answer", dom);
        if (a.type == XS_WATCH_EVENT)
            said_add(&heard[dom], a.text, a.text + strlen(a.text) + 1);
    } while (a.type == XS_WATCH_EVENT);
    CHECK(a.id == (uint32_t)step && (a.type == type || a.type == XS_ERROR), "domain %d gets another's answer", dom);
    if (type == XS_DIRECTORY || type == XS_GET_PERMS)
        for (size_t i = 0; a.type == type && i < a.len; i++)
            if (!a.text[i])
                a.text[i] = ',';
    hear_all();
    return a.text;
}

static const char *request_of(int dom, const struct op *op, uint32_t tx)
{
    char text[256];
    size_t n = (size_t)sprintf(text, "%s", op->arg) + 1;

    if (op->type == XS_WRITE)
        n += (size_t)sprintf(text + n, "%s", op->value);
    for (unsigned k = 0; op->type == XS_SET_PERMS && k < op->perms; k++)
        n += (size_t)sprintf(text + n, "%c%u", "nrwb"[op->perm[k].mask], op->perm[k].domid) + 1;
    return question(dom, op->type, tx, text, n);
}

/* A daemon that is killed after it has told some may tell them again: only what was heard at all counts. */
static void compare_events(void)
{
    for (int d = 0; d < DOMS; d++) {
        for (unsigned i = 0; i < expected[d].n; i++) {
            bool found = false;
            for (unsigned k = 0; k < heard[d].n; k++)
                found |= !strcmp(heard[d].line[k], expected[d].line[i]);
            CHECK(found, "domain %d does not hear of %s", d, expected[d].line[i]);
        }
        CHECK(expected[d].n == heard[d].n, "domain %d hears of %u changes, not %u: %s", d, heard[d].n, expected[d].n,
              heard[d].n ? heard[d].line[heard[d].n - 1] : "");
        expected[d].n = heard[d].n = 0;
    }
}

/* ---- the random part ----------------------------------------------------------------------------------------------------------- */

static unsigned random_path(int dom, char arg[PATH], char full[PATH])
{
    static const char *const roots[] = { "", "", "/local/domain/1", "/local/domain/2", "/local/domain/3", "/s", "/s", "/s/open" };
    static const char *const names[] = { "a", "b", "c", "dd" };
    const char *root = roots[roll(8)];
    unsigned depth = roll(4);
    char *at = arg + sprintf(arg, "%s", root);

    for (unsigned i = 0; i < depth || !arg[0]; i++)
        at += sprintf(at, "%s%s", i || root[0] ? "/" : "", names[roll(4)]);
    if (arg[0] == '/')
        return strcpy(full, arg), 0;
    return (unsigned)sprintf(full, "/local/domain/%d/%s", dom, arg) - (unsigned)strlen(arg);
}

static void random_op(int dom, struct op *op)
{
    static const uint32_t types[] = { XS_READ, XS_READ, XS_WRITE, XS_WRITE, XS_WRITE, XS_MKDIR, XS_RM, XS_DIRECTORY, XS_GET_PERMS, XS_SET_PERMS };

    memset(op, 0, sizeof(*op));
    op->type = types[roll(10)];
    random_path(dom, op->arg, op->full);
    sprintf(op->value, "%u", roll(1000));
    op->perms = roll(3) + 1;
    for (unsigned k = 0; k < op->perms; k++)
        op->perm[k] = (struct perm){ (uint16_t)roll(DOMS), (uint8_t)roll(4) };
    if (dom && roll(4))
        op->perm[0].domid = (uint16_t)dom;
}

static void alone(int dom)
{
    struct op op;
    const char *got;

    random_op(dom, &op);
    got = request_of(dom, &op, 0);
    item_do(&now, dom, &op, op.answer, true);
    CHECK(!strcmp(got, op.answer), "domain %d, request %u of %s: '%s', not '%s'", dom, op.type, op.full, got, op.answer);
    compare_events();
}

static void within(int dom, struct work *w)
{
    struct op *op = &w->op[w->n];
    char answer[4096];
    bool sure = !w->maybe_dead;

    random_op(dom, op);
    strcpy(op->answer, request_of(dom, op, w->id));
    sure = sure && !was_killed;
    item_do(&w->view, dom, op, answer, false);
    CHECK(!sure || !strcmp(op->answer, answer), "domain %d in a transaction, request %u of %s: '%s', not '%s'", dom, op->type, op->full,
          op->answer, answer);
    w->n++;
    compare_events();
}

static void begin_work(int dom, int k)
{
    const char *id = question(dom, XS_TRANSACTION_START, 0, "", 1);

    CHECK(id[0] >= '1' && id[0] <= '9', "no transaction: %s", id);
    work[dom][k] = malloc(sizeof(struct work));
    work[dom][k]->id = (uint32_t)atoi(id);
    work[dom][k]->view = now;
    work[dom][k]->since = now.version;
    work[dom][k]->maybe_dead = was_killed;
    work[dom][k]->n = 0;
}

static void end_work(int dom, int k)
{
    struct work *w = work[dom][k];
    bool commit = roll(4) != 0;
    const char *got = question(dom, XS_TRANSACTION_END, w->id, commit ? "T" : "F", 2);
    char answer[4096];

    if (!strcmp(got, "EAGAIN"))
        CHECK(commit && (w->maybe_dead || w->since != now.version), "EAGAIN, and nothing has changed");
    else
        CHECK(!strcmp(got, "OK"), "a transaction ends in %s", got);
    for (unsigned i = 0; i < w->n && commit && !strcmp(got, "OK"); i++) {
        item_do(&now, dom, &w->op[i], answer, true);
        CHECK(!strcmp(answer, w->op[i].answer), "domain %d was told '%s' in a transaction for request %u of %s; at its end it is '%s'", dom,
              w->op[i].answer, w->op[i].type, w->op[i].full, answer);
    }
    compare_events();
    free(w);
    work[dom][k] = NULL;
}

static void watch_or_not(int dom)
{
    char text[256];
    unsigned n = watches[dom], at;
    struct wanted *w;
    size_t len;

    if (n == WATCHES || (n && roll(3) == 0)) {
        at = roll(n);
        w = &watch[dom][at];
        len = (size_t)sprintf(text, "%s%c%s", w->path + w->skip, 0, w->token) + 1;
        IS("OK", question(dom, XS_UNWATCH, 0, text, len));
        *w = watch[dom][--watches[dom]];
        compare_events();
        return;
    }
    w = &watch[dom][n];
    if (roll(10) == 0)
        strcpy(text, "/"), strcpy(w->path, "/"), w->skip = 0;
    else
        w->skip = random_path(dom, text, w->path);
    for (at = 0; at < n; at++)
        if (!strcmp(watch[dom][at].path, w->path))
            return;                              /* with another token it would be another; once is enough here */
    sprintf(w->token, "t%lu", step % 1000);
    len = strlen(text) + 1;
    len += (size_t)sprintf(text + len, "%s", w->token) + 1;
    IS("OK", question(dom, XS_WATCH, 0, text, len));
    said_add(&expected[dom], w->path + w->skip, w->token);
    watches[dom]++;
    compare_events();
}

/* A domain goes, and another has its number at once. */
static void replace(int dom)
{
    char text[PATH];
    struct item *i;

    for (int k = 0; k < 2; k++) {
        free(work[dom][k]);
        work[dom][k] = NULL;
    }
    watches[dom] = 0;
    IS("OK", question(0, XS_RELEASE, 0, text, (size_t)sprintf(text, "%d", dom) + 1));
    for (unsigned k = 0; k < now.n;) {
        i = &now.item[k++];
        if (i->perm[0].domid == dom && strcmp(i->path, "/")) {
            item_remove(&now, strcpy(text, i->path), false);
            k = 0;
        }
    }
    for (unsigned k = 0; k < now.n; k++) {
        unsigned kept = 1;
        i = &now.item[k];
        for (unsigned j = 1; j < i->perms; j++)
            if (i->perm[j].domid != dom)
                i->perm[kept++] = i->perm[j];
        i->perms = kept;
    }
    now.version++;
    memset(&page[dom], 0, sizeof(page[dom]));
    introduce(dom);
    sprintf(text, "/local/domain/%d", dom);
    i = item_make(&now, text, 0);
    i->perm[0] = (struct perm){ (uint16_t)dom, 0 };
    i->perms = 1;
    hear_all();
    for (int d = 0; d < DOMS; d++)
        expected[d].n = heard[d].n = 0;
    events[0] = '\0';
}

static void some_step(void)
{
    int dom = (int)roll(DOMS), k = (int)roll(2);
    struct work *w = work[dom][k];
    unsigned what = roll(100);

    clock_ms += roll(20);
    if (what < 45)
        alone(dom);
    else if (what < 85 && w && w->n < OPS && roll(8))
        within(dom, w);
    else if (what < 85 && w)
        end_work(dom, k);
    else if (what < 85)
        begin_work(dom, k);
    else if (what < 96)
        watch_or_not(dom);
    else if (what < 98)
        rewrite();
    else if (what < 99 && dom)
        replace(dom);
    else
        take_up_again();
    if (step % 64 == 0) {
        ASK(0, XS_CONTROL, 0, "check");
        CHECK(strstr(last.text, " 0 wrong"), "%s", last.text);
    }
}

static void seed_store(void)
{
    struct item *root = &now.item[0];

    now.n = 1;
    *root = (struct item){ .path = "/", .perms = 1 };
    for (int d = 1; d < DOMS; d++) {
        char home[32];
        introduce(d);
        sprintf(home, "/local/domain/%d", d);
        item_make(&now, home, 0)->perm[0].domid = (uint16_t)d;
    }
    IS("OK", ASK(0, XS_MKDIR, 0, "/s/open"));
    IS("OK", ASK(0, XS_SET_PERMS, 0, "/s/open\0b0"));
    IS("OK", ASK(0, XS_SET_PERMS, 0, "/s\0r0"));
    item_make(&now, "/s/open", 0)->perm[0].mask = 3;
    item_find(&now, "/s")->perm[0].mask = 1;
}

static void test_as_the_list(void **state)
{
    const char *given = getenv("TEST_SEED"), *steps = getenv("TEST_STEPS");
    unsigned long most = steps ? strtoul(steps, NULL, 10) : 20000;

    (void)state;
    first_seed = given ? strtoul(given, NULL, 10) : (unsigned long)time(NULL) % 1000000;
    seed = (uint32_t)first_seed;
    print_message("TEST_SEED=%lu\n", first_seed);
    seed_store();
    for (step = 1; step <= most; step++)
        some_step();
    for (int d = 0; d < DOMS; d++)
        for (int k = 0; k < 2; k++)
            free(work[d][k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { T(test_as_the_list) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: MIT */
/* attack_store.c: claims (SPEC 11.4; bug classes F, xenstored's row): a domain that asks the store for everything, in right messages, gets what is
 * its own and nothing else, takes no more than its quotas, and the others' requests go on being answered. What is dom0's to do is
 * refused whatever it is wrapped in. For seconds= seconds, with seed=.                                             */
#include "hypercall-abi/io/xs_wire.h"
#include "tests/hostile/hostile.h"

#define CHAIN 1000                       /* levels of "a/" */

static struct { struct xsd_sockmsg head; char text[XENSTORE_PAYLOAD_MAX]; unsigned n; } ask;
static uint32_t trans[8];
static unsigned nr_trans;
static unsigned me;

static void add(const void *data, unsigned n)
{
    for (unsigned i = 0; i < n && ask.n < sizeof(ask.text); i++)
        ask.text[ask.n++] = ((const char *)data)[i];
}

static unsigned length(const char *s)
{
    unsigned n = 0;

    while (s[n])
        n++;
    return n;
}

static void add_text(const char *s) { add(s, length(s) + 1); }

static void add_number(uint64_t v)
{
    char text[24];

    add_text(join(text, "", "", (int64_t)v));
}

static void listen(void);

/* Bytes of ours into the ring as they find room; false: nobody takes them. */
static bool put(const void *from, unsigned n)
{
    struct xenstore_domain_interface *p = store_page();

    for (unsigned i = 0, tries = 0; i < n;) {
        if (p->req_prod - __atomic_load_n(&p->req_cons, __ATOMIC_ACQUIRE) >= XENSTORE_RING_SIZE) {
            if (++tries > 100000)
                return false;
            listen();
            rest();
            continue;
        }
        p->req[MASK_XENSTORE_IDX(p->req_prod)] = ((const char *)from)[i++];
        __atomic_store_n(&p->req_prod, p->req_prod + 1, __ATOMIC_RELEASE);
    }
    return true;
}

static bool send(void)
{
    static uint32_t id = 1000;

    ask.head.req_id = ++id;
    ask.head.len = ask.n;
    if (!put(&ask.head, sizeof(ask.head)) || !put(ask.text, ask.n))
        return false;
    event_send(si->store_evtchn);
    return true;
}

/* ---- what is asked ------------------------------------------------------------------------------------------ */

static void add_path(void)
{
    static const char *const names[] = { "data", "data/x", "data/x/y", "device", "control/shutdown", "name", "memory", "vm" };
    char path[64];

    switch (rnd() % 8) {
    case 0: add_text("/"); break;
    case 1: add_text(rnd() % 2 ? "@releaseDomain" : "@introduceDomain"); break;
    case 2:                                          /* somebody's */
        join(path, "/local/domain/", "", (int64_t)(rnd() % 12));
        add(path, length(path));
        add_text("/data/n");
        break;
    case 3:
        for (unsigned i = 0; i < CHAIN; i++)
            add("a/", 2);
        add_text("a");
        break;
    case 4: add_text(rnd() % 2 ? "/local/domain/0/backend" : "/vm"); break;
    default: add_text(names[rnd() % 8]);
    }
}

static void add_perms(void)
{
    char perm[8];

    for (unsigned n = rnd() % 8; n < 8; n++) {
        join(perm, "", "", (int64_t)(rnd() % 3 ? me : rnd() % 12));
        add("nrwb" + rnd() % 4, 1);
        add_text(perm);
    }
}

static void compose(void)
{
    ask.n = 0;
    ask.head.type = (uint32_t)rnd() % XS_TYPE_COUNT;
    ask.head.tx_id = nr_trans && rnd() % 2 ? trans[rnd() % nr_trans] : 0;
    switch (ask.head.type) {
    case XS_INTRODUCE: add_number(rnd() % 12), add_number(rnd() % 100000), add_number(rnd() % 8); break;
    case XS_SET_TARGET: add_number(me), add_number(rnd() % 12); break;
    case XS_RELEASE: case XS_RESUME: case XS_GET_DOMAIN_PATH: case XS_IS_DOMAIN_INTRODUCED: add_number(rnd() % 12); break;
    case XS_CONTROL: add_text("quota"), add_text("nodes"), add_number(1000000); break;
    case XS_TRANSACTION_START: add_text(""), ask.head.tx_id = 0; break;
    case XS_TRANSACTION_END: add_text(rnd() % 2 ? "T" : "F"); break;
    case XS_WATCH: case XS_UNWATCH: add_path(), add_number(rnd() % 200); break;
    case XS_DIRECTORY_PART: add_path(), add_number(rnd() % 5000); break;
    case XS_SET_PERMS: add_path(), add_perms(); break;
    case XS_WRITE: add_path(), add(pool[2], (unsigned)(rnd() % 2500)); break;
    case XS_RESET_WATCHES: nr_trans = rnd() % 16 ? nr_trans : 0, add_text(""); break;
    default: add_path();
    }
    if (rnd() % 64 == 0)
        ask.n = (unsigned)(rnd() % (ask.n + 1));
}

/* ---- what is answered --------------------------------------------------------------------------------------- */

static void note_trans(const char *s)
{
    uint32_t id = 0;

    while (*s >= '0' && *s <= '9')
        id = id * 10 + (uint32_t)(*s++ - '0');
    trans[nr_trans < 8 ? nr_trans++ : rnd() % 8] = id;
}

static void judge(const struct xsd_sockmsg *head, const char *text)
{
    bool dom0s = head->type == XS_INTRODUCE || head->type == XS_RELEASE || head->type == XS_CONTROL || head->type == XS_SET_TARGET ||
                 head->type == XS_RESUME;

    if (dom0s)
        BROKE_OUT("request %u is dom0's and was answered \"%s\"", head->type, text);
    if (head->type == XS_TRANSACTION_START)
        note_trans(text);
}

/* Takes what has come, a message at a time. */
static void listen(void)
{
    static struct xsd_sockmsg head;
    static char text[XENSTORE_PAYLOAD_MAX + 1];
    static unsigned got;
    struct xenstore_domain_interface *p = store_page();

    while (__atomic_load_n(&p->rsp_prod, __ATOMIC_ACQUIRE) != p->rsp_cons) {
        char c = p->rsp[MASK_XENSTORE_IDX(p->rsp_cons)];

        if (got < sizeof(head))
            ((char *)&head)[got] = c;
        else
            text[got - sizeof(head)] = c;
        got++;
        __atomic_store_n(&p->rsp_cons, p->rsp_cons + 1, __ATOMIC_RELEASE);
        if (got >= sizeof(head) && head.len > XENSTORE_PAYLOAD_MAX) {
            BROKE_OUT("an answer of %u bytes", head.len);
            got = 0;
        } else if (got >= sizeof(head) && got == sizeof(head) + head.len) {
            text[head.len] = 0;
            got = 0;
            if (head.type != XS_ERROR && head.type != XS_WATCH_EVENT)
                judge(&head, text);
        }
    }
    event_send(si->store_evtchn);
}

/* ---- the attack ----------------------------------------------------------------------------------------------- */

static bool allowed(const char *path) { return store_put(path, "mine"); }

static void check_borders(void)
{
    static const char *const others[] = { "/", "/evil", "/local/evil", "/local/domain/0/evil", "/vm/evil", "/tool/evil", "/local/domain/0/backend/evil" };

    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (allowed(others[i]))
            BROKE_OUT("it may write %s", others[i]);
}

void attack_storewords(void)
{
    char value[16];

    for (unsigned i = 0; !store_get("domid", value, sizeof(value)) && i < 1000; i++)
        rest();                                      /* the toolstack is still making its home */
    for (char *s = value; *s >= '0' && *s <= '9'; s++)
        me = me * 10 + (unsigned)(*s - '0');
    check_borders();
    while (time_left()) {
        bool deaf = rnd() % 4 == 0;                  /* for a while: answers pile up at the other end */

        for (unsigned i = (unsigned)(rnd() % 60); i && time_left(); i--) {
            compose();
            if (!send()) {
                TEST_ERROR("the store no longer takes requests");
                return;
            }
            if (!deaf)
                listen();
        }
    }
}

/* SPDX-License-Identifier: MIT */
/* control.c: requests of the toolstack: which domains there are, and what the daemon is to tell of itself. */
#include "dom0-tools/xenstored/xenstored.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool parse_domid(const char *s, uint16_t *domid)
{
    uint64_t v;

    if (!parse_u64(s, &v) || v >= DOMIDS)
        return false;
    *domid = (uint16_t)v;
    return true;
}

int serve_introduce(struct request *q)
{
    const char *part[4];
    struct conn *c;
    uint64_t mfn, port;
    uint16_t domid;

    if (!conn_trusted(q->conn))
        return EACCES;
    if (!(request_strings(q, part, 3) || request_strings(q, part, 4)) || !parse_domid(part[0], &domid) || !parse_u64(part[1], &mfn) ||
        !parse_u64(part[2], &port) || port > 0xffffffffu || domid == ROOT_DOMID)
        return EINVAL;
    c = store.conn_of[domid];
    if (c && (c->mfn != mfn || c->remote_port != port)) {
        conn_remove(c);                      /* another domain, or one that was restored */
        c = NULL;
    }
    if (c)
        conn_renew(c);
    else
        c = conn_add(domid, mfn, (uint32_t)port);
    if (!c->page) {
        conn_remove(c);
        return EINVAL;
    }
    journal_conn(c);
    conn_touch(c);
    watch_fire_special("@introduceDomain");
    request_ok(q);
    return 0;
}

void domain_gone(uint16_t domid)
{
    if (store.conn_of[domid])
        conn_remove(store.conn_of[domid]);
    store_forget_domain(domid);
    watch_fire_special("@releaseDomain");
}

static int one_domain(struct request *q, uint16_t *domid)
{
    const char *s;

    return request_strings(q, &s, 1) && parse_domid(s, domid) ? 0 : EINVAL;
}

int serve_release(struct request *q)
{
    uint16_t domid;

    if (!conn_trusted(q->conn))
        return EACCES;
    if (one_domain(q, &domid) || domid == ROOT_DOMID)
        return EINVAL;
    if (!store.conn_of[domid])
        return ENOENT;
    domain_gone(domid);
    request_ok(q);
    return 0;
}

int serve_domain_path(struct request *q)
{
    char path[32];
    uint16_t domid;

    if (one_domain(q, &domid))
        return EINVAL;
    sprintf(path, "/local/domain/%u", domid);
    request_answer(q, path, strlen(path) + 1);
    return 0;
}

int serve_is_introduced(struct request *q)
{
    uint16_t domid;

    if (one_domain(q, &domid))
        return EINVAL;
    request_answer(q, domid == ROOT_DOMID || store.conn_of[domid] ? "T" : "F", 2);
    return 0;
}

int serve_resume(struct request *q)
{
    uint16_t domid;

    if (!conn_trusted(q->conn))
        return EACCES;
    if (one_domain(q, &domid))
        return EINVAL;
    if (!store.conn_of[domid])
        return ENOENT;
    store.conn_of[domid]->ended = false;
    request_ok(q);
    return 0;
}

/* A helper domain that serves another (a device model) gets its rights. */
int serve_set_target(struct request *q)
{
    const char *part[2];
    uint16_t domid, target;

    if (!conn_trusted(q->conn))
        return EACCES;
    if (!request_strings(q, part, 2) || !parse_domid(part[0], &domid) || !parse_domid(part[1], &target) ||
        domid == ROOT_DOMID)
        return EINVAL;
    if (!store.conn_of[domid] || (target != ROOT_DOMID && !store.conn_of[target]) || target == ROOT_DOMID)
        return ENOENT;
    store.conn_of[domid]->target = target;
    journal_target(store.conn_of[domid]);
    request_ok(q);
    return 0;
}

/* ---- control --------------------------------------------------------------------------------------- */

struct tally { unsigned nodes, bad; };

static bool tally_node(void *arg, const char *path, struct node *n)
{
    struct tally *t = arg;

    (void)path;
    t->nodes++;
    if (!n->refs || !n->perms || n->perm[0].domid >= DOMIDS)
        t->bad++;
    for (unsigned i = 1; i < n->children; i++)
        t->bad += strcmp(n->child[i - 1]->name, n->child[i]->name) >= 0;
    return true;
}

/* Each domain's holding, counted anew. */
static unsigned wrong_counts(void)
{
    static struct holding was[DOMIDS];
    unsigned bad = 0;

    memcpy(was, tree_held, sizeof(was));
    memset(tree_held, 0, sizeof(tree_held));
    tree_count(store.root, 1);
    for (unsigned d = 0; d < DOMIDS; d++)
        bad += was[d].owned != tree_held[d].owned || was[d].named != tree_held[d].named || was[d].bytes != tree_held[d].bytes;
    return bad;
}

static void control_check(char *text, size_t size)
{
    struct tally t = { 0, 0 };
    unsigned conns = 0, watches = 0, trans = 0;

    tree_walk(store.root, "/", tally_node, &t);
    for (struct conn *c = store.conns; c; c = c->next) {
        conns++;
        watches += c->nr_watches;
        trans += c->nr_trans;
    }
    snprintf(text, size, "%u nodes, %u wrong; %u connections, %u watches, %u transactions; %lu bytes", t.nodes, t.bad + wrong_counts(),
             conns, watches, trans, (unsigned long)tree_bytes);
}

static struct { const char *name; uint32_t *value; } quotas[] = {
    { "nodes", &quota.nodes }, { "watches", &quota.watches }, { "transactions", &quota.transactions },
    { "node-size", &quota.node_size }, { "permissions", &quota.perms }, { "transaction-nodes", &quota.changes },
    { "transaction-bytes", &quota.trans_bytes }, { "watch-bytes", &quota.watch_bytes },
    { "outstanding-bytes", &quota.out_bytes }, { "node-bytes", &quota.node_bytes },
};

static int control_quota(const char *name, const char *value, char *text, size_t size)
{
    size_t n = 0;
    uint64_t v;

    for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++) {
        if (name && value && !strcmp(name, quotas[i].name)) {
            if (!parse_u64(value, &v) || v > 0xffffffffu)
                return EINVAL;
            *quotas[i].value = (uint32_t)v;
            journal_quotas();
            snprintf(text, size, "OK");
            return 0;
        }
        n += (size_t)snprintf(text + n, size - n, "%s: %lu\n", quotas[i].name, (unsigned long)*quotas[i].value);
    }
    return name && value ? EINVAL : 0;
}

int control_serve(struct request *q)
{
    const char *part[3] = { NULL, NULL, NULL };
    char text[1024] = "OK";
    int rc = 0;

    if (!conn_trusted(q->conn))
        return EACCES;
    if (!request_strings(q, part, 1) && !request_strings(q, part, 2) && !request_strings(q, part, 3))
        return EINVAL;
    if (!strcmp(part[0], "check"))
        control_check(text, sizeof(text));
    else if (!strcmp(part[0], "quota"))
        rc = control_quota(part[1], part[2], text, sizeof(text));
    else if (!strcmp(part[0], "help"))
        strcpy(text, "check\nquota [NAME VALUE]\nhelp\n");
    else
        rc = EINVAL;
    if (!rc)
        request_answer(q, text, strlen(text) + 1);
    return rc;
}

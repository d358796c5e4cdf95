/* SPDX-License-Identifier: MIT */
/* request.c: what a message asks for, whether its sender may have it, and the answer.
 *
 * Each handler returns 0 when it has answered, or an errno, which is answered by its name. A path is checked once, made
 * absolute, and only then looked up. Who may not read above a node does not learn whether it exists.              */
#include "dom0-tools/xenstored/xenstored.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct quota quota = { .nodes = 1000, .watches = 128, .transactions = 10, .node_size = 2048, .perms = 5, .changes = 1024,
                       .trans_bytes = 256 << 10, .watch_bytes = 128 << 10, .out_bytes = 256 << 10,
                       .node_bytes = 1 << 20 };

/* ---- answers ------------------------------------------------------------------------------------- */

void request_answer(struct request *q, const void *data, size_t n)
{
    conn_send(q->conn, &q->head, data, n, NULL, 0);
}

void request_ok(struct request *q)
{
    request_answer(q, "OK", 3);
}

static void answer_error(struct request *q, int rc)
{
    static const struct { int rc; const char *word; } words[] = {
        { EINVAL, "EINVAL" }, { EACCES, "EACCES" }, { EEXIST, "EEXIST" }, { EISDIR, "EISDIR" }, { ENOENT, "ENOENT" },
        { ENOMEM, "ENOMEM" }, { ENOSPC, "ENOSPC" }, { EIO, "EIO" }, { ENOTEMPTY, "ENOTEMPTY" }, { ENOSYS, "ENOSYS" },
        { EROFS, "EROFS" }, { EBUSY, "EBUSY" }, { EAGAIN, "EAGAIN" }, { EISCONN, "EISCONN" }, { E2BIG, "E2BIG" },
        { EPERM, "EPERM" },
    };
    const char *word = "EINVAL";

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (words[i].rc == rc)
            word = words[i].word;
    q->head.type = XS_ERROR;
    request_answer(q, word, strlen(word) + 1);
}

/* ---- arguments ------------------------------------------------------------------------------------- */

/* As request_strings; what stands behind the n-th is for the protocol's future. */
static bool first_strings(struct request *q, const char *part[], unsigned n, size_t *end)
{
    size_t at = 0;

    for (unsigned i = 0; i < n; i++) {
        size_t len = strnlen(q->text + at, q->head.len - at);

        if (at + len >= q->head.len)
            return false;
        part[i] = q->text + at;
        at += len + 1;
    }
    *end = at;
    return true;
}

bool request_strings(struct request *q, const char *part[], unsigned n)
{
    size_t end;

    return first_strings(q, part, n, &end) && end == q->head.len;
}

bool parse_u64(const char *s, uint64_t *value)
{
    char *end;

    errno = 0;
    *value = strtoull(s, &end, 0);
    return *s >= '0' && *s <= '9' && !*end && !errno;
}

static bool path_chars(const char *s)
{
    static const char ok[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-/_@";

    return !s[strspn(s, ok)];
}

/* Makes path absolute in full. *skip: how much longer it is than the sender's own words. An errno. */
static int path_make(const struct conn *c, const char *path, bool watch, char full[PATH_MOST + 1], unsigned *skip)
{
    size_t n = strlen(path);
    int head = 0;

    *skip = 0;
    if (!n || !path_chars(path) || strstr(path, "//") || (n > 1 && path[n - 1] == '/'))
        return EINVAL;
    if (path[0] == '@') {
        if (!watch || n > XENSTORE_REL_PATH_MAX || strchr(path, '/'))
            return EINVAL;
    } else if (path[0] != '/') {
        if (n > XENSTORE_REL_PATH_MAX)
            return EINVAL;
        head = sprintf(full, "/local/domain/%u/", c->domid);
        *skip = (unsigned)head;
    } else if (n > XENSTORE_ABS_PATH_MAX) {
        return EINVAL;
    }
    if ((size_t)head + n > PATH_MOST)
        return EINVAL;
    memcpy(full + head, path, n + 1);
    return 0;
}

/* What a path that is not there, or not to be read, is called to this sender. */
static int absent(const struct request *q, const char *path, unsigned want)
{
    const struct node *above = tree_above(trans_root(q->trans), path, NULL, NULL);

    return above && (node_rights(above, q->conn->domid, q->conn->target) & want) ? ENOENT : EACCES;
}

/* The node of a path argument, for somebody who wants `want` of it. */
static int get_node(struct request *q, const char *arg, unsigned want, char full[PATH_MOST + 1], struct node **n)
{
    unsigned skip;
    int rc = path_make(q->conn, arg, false, full, &skip);

    *n = NULL;
    if (rc)
        return rc;
    if (!trans_saw(q->conn, q->trans, full, false))
        return ENOSPC;
    *n = tree_find(trans_root(q->trans), full);
    if (!*n)
        return absent(q, full, want);
    return (node_rights(*n, q->conn->domid, q->conn->target) & want) == want ? 0 : EACCES;
}

/* ---- reading ------------------------------------------------------------------------------------------ */

static int serve_read(struct request *q)
{
    char full[PATH_MOST + 1];
    const char *path;
    struct node *n;
    int rc = request_strings(q, &path, 1) ? get_node(q, path, PERM_READ, full, &n) : EINVAL;

    if (!rc)
        request_answer(q, n->value, n->len);
    return rc;
}

static size_t names_size(const struct node *n)
{
    size_t size = 0;

    for (unsigned i = 0; i < n->children; i++)
        size += strlen(n->child[i]->name) + 1;
    return size;
}

/* Bytes [from, from + n) of the list of names. */
static void names_copy(const struct node *n, size_t from, char *to, size_t len)
{
    size_t at = 0, done = 0;

    for (unsigned i = 0; i < n->children && done < len; i++) {
        const char *name = n->child[i]->name;
        size_t size = strlen(name) + 1;

        for (size_t k = from + done > at ? from + done - at : 0; k < size && done < len; k++)
            to[done++] = name[k];
        at += size;
    }
}

static int serve_directory(struct request *q)
{
    char full[PATH_MOST + 1], names[XENSTORE_PAYLOAD_MAX];
    const char *path;
    struct node *n;
    int rc = request_strings(q, &path, 1) ? get_node(q, path, PERM_READ, full, &n) : EINVAL;

    if (rc)
        return rc;
    if (!trans_saw(q->conn, q->trans, full, true))
        return ENOSPC;
    if (names_size(n) > sizeof(names))
        return E2BIG;
    names_copy(n, 0, names, names_size(n));
    request_answer(q, names, names_size(n));
    return 0;
}

/* A generation, by which the reader sees that the list has changed between two parts; then names, an empty one at the end. */
static int serve_directory_part(struct request *q)
{
    char full[PATH_MOST + 1], answer[XENSTORE_PAYLOAD_MAX];
    const char *part[2];
    struct node *n;
    uint64_t from;
    size_t head, all, room;
    int rc = request_strings(q, part, 2) && parse_u64(part[1], &from) ? get_node(q, part[0], PERM_READ, full, &n) : EINVAL;

    if (rc)
        return rc;
    if (!trans_saw(q->conn, q->trans, full, true))
        return ENOSPC;
    head = (size_t)sprintf(answer, "%llu", (unsigned long long)n->cgen) + 1;
    all = names_size(n);
    if (from > all)
        from = all;
    room = sizeof(answer) - head;
    if (all - from + 1 <= room) {
        names_copy(n, from, answer + head, all - from);
        answer[head + all - from] = '\0';
        room = all - from + 1;
    } else {
        names_copy(n, from, answer + head, room);
        while (room && answer[head + room - 1])
            room--;
    }
    request_answer(q, answer, head + room);
    return 0;
}

static char letter_of(unsigned mask)
{
    return "nrwb"[mask & (PERM_READ | PERM_WRITE)];
}

static int get_special(struct request *q, const char *path, char full[PATH_MOST + 1], struct node **n)
{
    unsigned skip;

    if (!conn_trusted(q->conn))
        return EACCES;
    *n = path_make(q->conn, path, true, full, &skip) ? NULL : tree_find(store.special, full);
    return *n ? 0 : ENOENT;
}

static int serve_get_perms(struct request *q)
{
    char full[PATH_MOST + 1], text[XENSTORE_PAYLOAD_MAX];
    size_t len = 0;
    const char *path;
    struct node *n;
    int rc = EINVAL;

    if (request_strings(q, &path, 1))
        rc = path[0] == '@' ? get_special(q, path, full, &n) : get_node(q, path, PERM_READ, full, &n);
    if (rc)
        return rc;
    for (unsigned i = 0; i < n->perms && len + 16 < sizeof(text); i++)
        len += (size_t)sprintf(text + len, "%c%u", letter_of(n->perm[i].mask), n->perm[i].domid) + 1;
    request_answer(q, text, len);
    return 0;
}

/* ---- changing ------------------------------------------------------------------------------------------ */

/* May the sender write path, or make it below what exists? */
static int may_write(struct request *q, const char *arg, char full[PATH_MOST + 1])
{
    struct node *n;
    int rc = get_node(q, arg, PERM_WRITE, full, &n);

    return rc == ENOENT ? 0 : rc;                /* absent, and what is above may be written */
}

static int serve_write(struct request *q)
{
    char full[PATH_MOST + 1];
    size_t n = strnlen(q->text, q->head.len) + 1, len;
    int rc;

    if (n > q->head.len)
        return EINVAL;
    len = q->head.len - n;
    rc = may_write(q, q->text, full);
    if (!rc && !conn_trusted(q->conn) && len > quota.node_size)
        rc = ENOSPC;
    if (!rc)
        rc = store_put(q->conn, q->trans, full, q->text + n, len, false);
    if (!rc)
        request_ok(q);
    return rc;
}

static int serve_mkdir(struct request *q)
{
    char full[PATH_MOST + 1];
    const char *path;
    int rc = request_strings(q, &path, 1) ? may_write(q, path, full) : EINVAL;

    if (!rc)
        rc = store_put(q->conn, q->trans, full, NULL, 0, true);
    if (!rc)
        request_ok(q);
    return rc;
}

/* What is not there is removed already, if there is where it could be. */
static int serve_rm(struct request *q)
{
    char full[PATH_MOST + 1], above[PATH_MOST + 1];
    const char *path;
    struct node *n = NULL;
    int rc = request_strings(q, &path, 1) ? get_node(q, path, PERM_WRITE, full, &n) : EINVAL;

    if (!rc && !strcmp(full, "/"))
        return EINVAL;
    if (!rc)
        rc = store_remove(q->conn, q->trans, full);
    if (rc == ENOENT && !n) {
        strcpy(above, full);
        *strrchr(above, '/') = '\0';
        rc = tree_find(trans_root(q->trans), above) ? 0 : ENOENT;
    }
    if (!rc)
        request_ok(q);
    return rc;
}

/* "r3": a letter and a domain. */
static bool parse_perm(const char *s, struct perm *p)
{
    static const char letters[] = "nrwb";
    const char *l = *s ? strchr(letters, *s) : NULL;
    uint64_t domid;

    if (!l || !parse_u64(s + 1, &domid) || domid >= DOMIDS)
        return false;
    p->mask = (uint8_t)(l - letters);
    p->domid = (uint16_t)domid;
    return true;
}

static int parse_perms(const struct request *q, size_t at, struct perm perm[], unsigned *n)
{
    unsigned most = conn_trusted(q->conn) || quota.perms > PERMS_MOST ? PERMS_MOST : quota.perms;

    if (q->head.len <= at || q->text[q->head.len - 1])
        return EINVAL;
    for (*n = 0; at < q->head.len; at += strlen(q->text + at) + 1) {
        if (*n == most)
            return ENOSPC;
        if (!parse_perm(q->text + at, &perm[(*n)++]))
            return EINVAL;
    }
    return *n ? 0 : EINVAL;
}

static int serve_set_perms(struct request *q)
{
    char full[PATH_MOST + 1];
    struct perm perm[PERMS_MOST];
    struct node *n;
    unsigned perms;
    int rc = parse_perms(q, strnlen(q->text, q->head.len) + 1, perm, &perms);

    if (!rc)
        rc = q->text[0] == '@' ? get_special(q, q->text, full, &n) : get_node(q, q->text, PERM_WRITE | PERM_OWNER, full, &n);
    if (!rc && !conn_trusted(q->conn) && perm[0].domid != n->perm[0].domid)
        rc = EPERM;
    if (!rc)
        rc = store_set_perms(q->conn, q->trans, full, perm, perms);
    if (!rc)
        request_ok(q);
    return rc;
}

/* ---- watches and transactions -------------------------------------------------------------------------- */

static int watch_args(struct request *q, char full[PATH_MOST + 1], const char **token, unsigned *skip)
{
    const char *part[2];
    size_t end;

    if (!first_strings(q, part, 2, &end))
        return EINVAL;
    *token = part[1];
    return path_make(q->conn, part[0], true, full, skip);
}

static int serve_watch(struct request *q)
{
    char full[PATH_MOST + 1];
    const char *token;
    unsigned skip;
    int rc = watch_args(q, full, &token, &skip);

    if (!rc && !conn_trusted(q->conn) && (q->conn->nr_watches >= quota.watches || q->conn->watch_bytes > quota.watch_bytes))
        rc = E2BIG;
    if (!rc)
        rc = watch_add(q->conn, full, skip, token);
    if (rc)
        return rc;
    request_ok(q);
    watch_tell(q->conn->watches, full);      /* the one just added stands first */
    return 0;
}

static int serve_unwatch(struct request *q)
{
    char full[PATH_MOST + 1];
    const char *token;
    unsigned skip;
    int rc = watch_args(q, full, &token, &skip);

    if (!rc)
        rc = watch_remove(q->conn, full, token);
    if (!rc)
        request_ok(q);
    return rc;
}

static int serve_reset_watches(struct request *q)
{
    conn_reset(q->conn);
    journal_reset(q->conn);
    request_ok(q);
    return 0;
}

static int serve_start(struct request *q)
{
    struct trans *t;
    char id[16];

    if (q->trans)
        return EBUSY;
    if (!conn_trusted(q->conn) && q->conn->nr_trans >= quota.transactions)
        return ENOSPC;
    t = trans_start(q->conn);
    sprintf(id, "%lu", (unsigned long)trans_id(t));
    request_answer(q, id, strlen(id) + 1);
    return 0;
}

static int serve_end(struct request *q)
{
    const char *word;
    int rc;

    if (!request_strings(q, &word, 1) || (strcmp(word, "T") && strcmp(word, "F")))
        return EINVAL;
    if (!q->trans)
        return ENOENT;
    rc = trans_end(q->conn, q->trans, *word == 'T');
    q->trans = NULL;
    if (!rc)
        request_ok(q);
    return rc;
}

/* ---- the table -------------------------------------------------------------------------------------------- */

static int (*const serve[XS_TYPE_COUNT])(struct request *q) = {
    [XS_CONTROL] = control_serve,             [XS_DIRECTORY] = serve_directory,
    [XS_READ] = serve_read,                   [XS_GET_PERMS] = serve_get_perms,
    [XS_WATCH] = serve_watch,                 [XS_UNWATCH] = serve_unwatch,
    [XS_TRANSACTION_START] = serve_start,     [XS_TRANSACTION_END] = serve_end,
    [XS_INTRODUCE] = serve_introduce,         [XS_RELEASE] = serve_release,
    [XS_GET_DOMAIN_PATH] = serve_domain_path, [XS_WRITE] = serve_write,
    [XS_MKDIR] = serve_mkdir,                 [XS_RM] = serve_rm,
    [XS_SET_PERMS] = serve_set_perms,         [XS_IS_DOMAIN_INTRODUCED] = serve_is_introduced,
    [XS_RESUME] = serve_resume,               [XS_SET_TARGET] = serve_set_target,
    [XS_RESET_WATCHES] = serve_reset_watches, [XS_DIRECTORY_PART] = serve_directory_part,
};

void request_serve(struct request *q)
{
    int rc = 0;

    if (q->head.type >= XS_TYPE_COUNT || !serve[q->head.type])
        rc = ENOSYS;
    if (!rc && q->head.tx_id) {
        q->trans = trans_find(q->conn, q->head.tx_id);
        rc = q->trans ? 0 : ENOENT;
    }
    if (!rc)
        rc = serve[q->head.type](q);
    if (rc)
        answer_error(q, rc);
}

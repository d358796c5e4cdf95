/* SPDX-License-Identifier: MIT */
/* xenstored.h: the store's nouns, and what its files ask of each other.
 *
 *     tree.c     nodes, permissions, snapshots by copy-on-write         watch.c    who hears of a change
 *     change.c   the store changed, counted, written down, told         trans.c    transactions: on a snapshot, then checked and redone
 *     request.c  the protocol's requests                                control.c  those of the toolstack
 *     conn.c     connections: a page of two rings each                  journal.c, replay.c  the next xenstored goes on where this one ended
 *     main.c     dom0's devices and the loop; the unit tests bring their own
 *
 * Everything but main.c is plain C over `struct outside`. SPEC 11.4.                                              */
#ifndef XENSTORED_H
#define XENSTORED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypercall-abi/io/xs_wire.h"

#define DOMIDS     0x7ff0u
#define PATH_MOST  XENSTORE_ABS_PATH_MAX
#define ROOT_DOMID 0

/* ---- tree.c ---------------------------------------------------------------------------------- */

#define PERM_READ  1
#define PERM_WRITE 2
#define PERM_OWNER 4
#define PERMS_MOST 16                 /* of a node, dom0's included */
struct perm { uint16_t domid; uint8_t mask; };

/* N1  A node with refs > 1 is part of a snapshot: nobody changes it or what it points to; tree_own() makes a copy.
 * N2  gen changes with value and permissions, cgen with the list of children, from one counter that never repeats. */
struct node {
    unsigned      refs;
    uint16_t      writer;              /* whose request changed it last                */
    uint64_t      gen, cgen;
    char         *name;                /* the path's last component                    */
    char         *value;
    size_t        len;
    struct perm  *perm;                /* perm[0]: the owner and what others may       */
    unsigned      perms;
    struct node **child;               /* sorted by name                               */
    unsigned      children, room;
};

/* Memory, or the daemon's end: its successor takes up the journal, in which no request is half done. */
void        *memory(size_t n);
void        *memory_more(void *p, size_t n);

/* All paths here are absolute and valid. A guest can make them 1500 levels deep: nothing here takes time by the square of that,
 * nor much stack (XSA-418). */
struct node *tree_new(void);                                          /* an empty root, dom0's, readable by none */
void         tree_put(struct node *n);                                /* drops one reference                  */
struct node *tree_find(struct node *root, const char *path);
/* The child that the next component of *path names, *path moved behind it; NULL: it is not there, or there is none. */
struct node *tree_step(struct node *n, const char **path);
/* The nearest node above path that exists (never path itself). *len: how much of path names it (0: the root); *missing: how much
 * names the first one that is not there (all of path if just that is missing, or nothing is). Both may be NULL.    */
struct node *tree_above(struct node *root, const char *path, size_t *len, size_t *missing);
unsigned     tree_missing(struct node *root, const char *path);       /* levels of it that are not there        */
/* path's node as one that may be changed: its snapshot's sharers keep the old one. Made, with all above it, where it is
 * not there, with value "" and permissions from above (owner: `owner` if not dom0).      */
struct node *tree_own(struct node **root, const char *path, uint16_t owner);
/* With all below; false: it was not there. */
bool         tree_remove(struct node **root, const char *path, uint16_t writer);
void         node_set_value(struct node *n, const void *value, size_t len, uint16_t writer);
void         node_set_perms(struct node *n, const struct perm *perm, unsigned perms, uint16_t writer);
/* What a domain may do with a node; `target` counts as the domain too (DOMIDS: none). */
unsigned     node_rights(const struct node *n, uint16_t domid, uint16_t target);
/* fn for each node of the subtree, path's own first, until it says false; the path is valid until fn returns. */
typedef bool tree_fn(void *arg, const char *path, struct node *n);
bool         tree_walk(struct node *n, const char *path, tree_fn *fn, void *arg);

/* What a domain has in the store (not in snapshots): nodes that it owns, their bytes, and how often lists of permissions name it
 * besides. Whoever changes a node of the store takes it from these before, and adds it after. */
struct holding { uint32_t owned, named; size_t bytes; };
extern struct holding tree_held[DOMIDS];
void         node_count(const struct node *n, int sign);
void         tree_count(struct node *root, int sign);                 /* adds or takes a whole tree            */
size_t       node_size(const struct node *n);
/* Of all nodes there are, snapshots' included. */
extern size_t tree_bytes;

/* ---- quotas (request.c) ------------------------------------------------------------------------ */

struct quota { uint32_t nodes, watches, transactions, node_size, perms, changes, trans_bytes, watch_bytes, out_bytes, node_bytes; };
extern struct quota quota;             /* of each domain but dom0 */

/* ---- connections (conn.c) ---------------------------------------------------------------------- */

struct watch {
    struct watch *next_of_conn, *next_of_hash;
    struct conn  *conn;
    uint32_t      hash;
    unsigned      skip;                /* characters of absolute paths that relative ones lack */
    char         *token;
    char          path[];              /* absolute, or a special name                  */
};

struct bytes { char *data; size_t from, to, room; };

/* C1  in_pos and out_pos count the bytes of the connection's whole life, as the rings' own counters do (mod 2^32). What lies
 *     in the page is the guest's word; what lies here is ours.
 * C2  Answers leave in this order: journal, then the page's counter. So nothing is answered twice or never.    */
struct conn {
    struct conn *next;
    uint16_t     domid, target;
    uint64_t     mfn;
    uint32_t     remote_port;
    int          port;                 /* ours, -1 if none                             */
    struct xenstore_domain_interface *page;      /* NULL: it could not be mapped            */
    bool         broken;               /* its ring made no sense: not served any more  */
    bool         ended;                /* told @releaseDomain of its shutdown          */
    bool         touched;              /* has fresh output or new positions to be journalled */
    bool         ready;                /* in the queue of those to be looked at        */
    struct conn *next_touched, *next_ready;
    uint32_t     in_pos, out_pos;      /* C1; out_pos: end of all that was produced    */
    uint32_t     ring_pos;             /* of it, what is in the ring                   */
    struct bytes in;                   /* of a message that does not fit the ring      */
    struct bytes fresh;                /* produced by the request being served         */
    struct bytes queue;                /* waits for room in the ring                   */
    struct watch *watches;
    unsigned     nr_watches;
    size_t       watch_bytes, trans_bytes;        /* memory that these and the transactions take */
    struct trans *trans;
    unsigned     nr_trans, lost;       /* lost: to others' changes, each soon after the one before */
    uint32_t     last_trans;
    uint64_t     lost_at;
};

/* What the daemon needs from around it. */
struct outside {
    struct xenstore_domain_interface *(*map)(uint16_t domid, uint64_t mfn);
    void (*unmap)(uint16_t domid, struct xenstore_domain_interface *page);
    int  (*bind)(uint16_t domid, uint32_t remote_port);          /* our port; -1 */
    void (*unbind)(int port);
    void (*notify)(int port);
    uint64_t (*now_ms)(void);
    /* Appends one record to the journal, whole or not at all. */
    bool (*append)(const void *data, size_t n);
    void (*no_memory)(void);                                     /* does not return */
};

struct store {
    const struct outside *out;
    struct node  *root, *special;      /* special: the @names, for their permissions   */
    struct conn  *conns, *conn_of[DOMIDS];
    struct conn  *touched;
    struct conn  *ready, **last_ready; /* in turn                                      */
    struct conn  *favoured;            /* others wait while it tries a transaction again, this one: */
    uint32_t      favoured_trans;
    uint64_t      favour_until, favour_next;
    uint64_t      gen;
    bool          replaying;           /* from the journal: nothing is told to anybody */
};
extern struct store store;

void         store_open(const struct outside *out);                    /* an empty store                       */
void         store_close(void);
struct conn *conn_add(uint16_t domid, uint64_t mfn, uint32_t remote_port);   /* maps and binds              */
void         conn_attach(struct conn *c);                                /* maps and binds what a journal named  */
void         conn_reset(struct conn *c);                                 /* watches and transactions go          */
/* Introduced once more: as reset, and both rings empty, as a kernel that was started anew finds them. */
void         conn_renew(struct conn *c);
void         conn_remove(struct conn *c);
/* c's event has come, or it has been given something: it is looked at in the next round. */
void         conn_heard(struct conn *c);
/* One message of each that has any, in turn; true: somebody has more and need not wait. Who has nothing costs nothing. */
bool         conns_serve(void);
void         conn_send(struct conn *c, const struct xsd_sockmsg *head, const void *a, size_t na, const void *b, size_t nb);
void         conn_touch(struct conn *c);
/* Journal, then publish what the request has produced. */
void         conns_publish(void);
static inline bool conn_trusted(const struct conn *c) { return c->domid == ROOT_DOMID; }

void bytes_add(struct bytes *b, const void *data, size_t n);
void bytes_drop(struct bytes *b, size_t n);
void bytes_free(struct bytes *b);
static inline size_t bytes_left(const struct bytes *b) { return b->to - b->from; }

/* ---- watch.c ------------------------------------------------------------------------------------ */

int  watch_add(struct conn *c, const char *path, unsigned skip, const char *token);   /* 0, EEXIST         */
int  watch_remove(struct conn *c, const char *path, const char *token);               /* 0, ENOENT         */
void watches_remove(struct conn *c);
void watch_tell(struct watch *w, const char *path);
/* Something changed at path: node is what is (or was) there, above its parent; either may be NULL. */
void watch_fire(const char *path, const struct node *node, const struct node *was, const struct node *above, bool exact);
void watch_fire_special(const char *name);

/* ---- trans.c ------------------------------------------------------------------------------------ */

struct trans;
struct trans *trans_start(struct conn *c);
struct trans *trans_find(struct conn *c, uint32_t id);
struct trans *trans_dead(struct conn *c, uint32_t id);           /* one that a restart has cut off */
int   trans_end(struct conn *c, struct trans *t, bool commit);   /* 0, EAGAIN, ENOSPC         */
void  transs_end(struct conn *c);
void  transs_each(const struct conn *c, void (*fn)(const struct conn *c, uint32_t id));   /* the oldest first */
/* Old versions of nodes that open transactions still see may take about as much memory as the store itself: beyond that, of the
 * domain with the most transactions the oldest is cut off, and ends in EAGAIN (XSA-326). */
void  transs_limit(void);
uint32_t trans_id(const struct trans *t);
/* The tree to look at, in or out of one. */
struct node *trans_root(struct trans *t);
/* What was looked at, so that a change of it by others is a conflict; where nothing is, what is above it counts too, since that
 * decided what the answer was and whether something may be made there. False: it takes too much memory. */
bool  trans_saw(struct conn *c, struct trans *t, const char *path, bool children);
/* Changes, at once or in the transaction. An errno. */
int   store_put(struct conn *c, struct trans *t, const char *path, const void *value, size_t len, bool keep_value);
int   store_remove(struct conn *c, struct trans *t, const char *path);
int   store_set_perms(struct conn *c, struct trans *t, const char *path, const struct perm *perm, unsigned perms);

/* ---- change.c ----------------------------------------------------------------------------------- */

void change_put(struct conn *c, const char *path, const void *value, size_t len, bool keep);   /* keep: a value that is there stays */
int  change_remove(const char *path, uint16_t writer);           /* 0, ENOENT                 */
void change_perms(const char *path, const struct perm *perm, unsigned perms, uint16_t writer);
void store_forget_domain(uint16_t domid);                        /* what a dead domain owned, and its rights */

/* ---- request.c, control.c ------------------------------------------------------------------------ */

struct request {
    struct conn       *conn;
    struct xsd_sockmsg head;
    char              *text;           /* head.len bytes and a zero                    */
    struct trans      *trans;
};
void request_serve(struct request *q);
void request_answer(struct request *q, const void *data, size_t n);
void request_ok(struct request *q);
/* The payload as n strings, each with its zero, and nothing behind. */
bool request_strings(struct request *q, const char *part[], unsigned n);
bool parse_u64(const char *s, uint64_t *value);
int  control_serve(struct request *q);                           /* an errno, or 0: answered  */
int  serve_introduce(struct request *q);
int  serve_release(struct request *q);
int  serve_domain_path(struct request *q);
int  serve_is_introduced(struct request *q);
int  serve_resume(struct request *q);
int  serve_set_target(struct request *q);
void domain_gone(uint16_t domid);

/* ---- journal.c ------------------------------------------------------------------------------------ */

void journal_node(const char *path, size_t len, const struct node *n, bool special);   /* len of path's characters */
void journal_remove(const char *path);
void journal_watch(const struct watch *w, bool add);
void journal_reset(const struct conn *c);
void journal_conn(const struct conn *c);                         /* introduced                */
void journal_target(const struct conn *c);
void journal_conn_gone(const struct conn *c);
void journal_quotas(void);
void journal_trans(const struct conn *c, uint32_t id, bool open);
void journal_output(const struct conn *c, const struct bytes *queued);
void journal_input(const struct conn *c, const void *data, size_t n);
bool journal_commit(void);
void journal_forget(void);                                       /* what was not committed */
/* The whole state as records, in pieces, to `append`. */
bool journal_write_all(bool (*append)(const void *data, size_t n));
#define JOURNAL_HEAD 8u                                          /* of a record               */
uint32_t journal_checksum(const char *data, size_t n);

/* ---- replay.c ----------------------------------------------------------------------------------- */

/* Takes up a journal. */
enum replayed {
    REPLAYED,
    REPLAYED_CUT,                      /* its end is missing: a request that was not done, or some that were and are lost */
    REPLAYED_NOT                       /* no record is whole, or one makes no sense                                     */
};
enum replayed journal_replay(const void *data, size_t n);

#endif

/* SPDX-License-Identifier: MIT */
/* socket.h: an open socket, between the calls (socket.c), its options (sockopt.c) and what it speaks (stream.c, datagram.c). */
#ifndef NOVICE_SOCKET_H
#define NOVICE_SOCKET_H

#include "guest-kernel/kernel/net/net.h"
#include "guest-kernel/kernel/wait.h"

struct socket;

/* In and out are user addresses, checked as a range by the caller. Address pointers are kernel copies; `from` may be null. */
struct socket_ops {
    int  (*bind)(struct socket *s, const ip_addr_t *address, uint16_t port);
    int  (*connect)(struct socket *s, const ip_addr_t *address, uint16_t port, bool wait);
    long (*send)(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, const struct net_address *to);
    long (*receive)(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, struct net_address *from);
    int  (*shutdown)(struct socket *s, int how);
    bool (*name)(struct socket *s, bool peer, struct net_address *out);      /* false: has none */
    short (*poll)(struct socket *s);
    size_t (*readable)(struct socket *s);                                     /* FIONREAD */
    void (*close)(struct socket *s);
};

enum socket_state { SOCKET_IDLE, SOCKET_LISTENING, SOCKET_CONNECTING, SOCKET_CONNECTED, SOCKET_DONE };

/* Only one at a time copies in, and one out: copying may sleep on a page fault in the middle. */
struct socket_turn { bool taken; struct wait_queue queue; };

struct socket {
    const struct socket_ops *ops;
    int               type, protocol;
    enum socket_state state;
    int               error;                /* a positive errno that the next call, or SO_ERROR, tells once */
    bool              read_shut, write_shut;
    bool              abort_on_close;       /* SO_LINGER of zero */
    uint64_t          receive_ns, send_ns;  /* time limits; 0: none */
    struct wait_queue can_read, can_write;
    struct socket_turn reading, writing;
    union {
        struct tcp_pcb *tcp;                /* null once the connection is gone */
        struct udp_pcb *udp;
        struct raw_pcb *raw;
        struct ip_pcb  *pcb;                /* what they have in common */
    };
    /* Streams: segments received and unread, chained by `next` and ours alone. */
    struct pbuf      *rx, *rx_tail;
    unsigned          segments;             /* how many that are */
    bool              fin;                  /* the other end sends no more */
    struct list       accepted;             /* a listener's: connections that wait for accept */
    struct list       link;                 /* in it */
    unsigned          options;              /* SOF_* for a pcb that is yet to be made */
    bool              nodelay;
    /* Datagrams */
    struct list       datagrams;
    size_t            queued, queue_limit;
};

extern const struct socket_ops stream_ops, udp_ops, raw_ops;

/* socket.c */
struct socket *socket_alloc(const struct socket_ops *ops, int type, int protocol);
void socket_free(struct socket *s);
void socket_wake(struct socket *s);
int  socket_error(struct socket *s);        /* takes it: -errno or 0 */
int  turn_take(struct socket_turn *t);      /* 0 or -EINTR */
void turn_give(struct socket_turn *t);
/* Sleeps on q once: 0, -EINTR, or -EAGAIN when the deadline is past. */
int  socket_sleep(struct wait_queue *q, uint64_t deadline);
static inline uint64_t socket_deadline(uint64_t limit) { return limit ? plat_clock_ns() + limit : FOREVER; }
struct socket *fd_socket(int fd, int *rc);

/* stream.c */
int  stream_create(struct socket *s);
int  stream_listen(struct socket *s, int backlog);
long stream_accept(struct socket *s, bool wait, struct socket **out);
/* stream_data.c */
long stream_send(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, const struct net_address *to);
long stream_receive(struct socket *s, uptr_t buf, size_t n, int flags, bool wait, struct net_address *from);
size_t stream_readable(struct socket *s);
void stream_drop(struct socket *s);         /* what is unread */
/* datagram.c */
int  udp_create(struct socket *s);
int  raw_create(struct socket *s);

/* A program's data, sent or unread, may fill three quarters of the stack's memory; the rest is for the stack to work with. */
static inline bool net_room_for_data(void) { return net_memory.used < net_memory.limit / 4 * 3; }

#endif

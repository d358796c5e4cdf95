/* SPDX-License-Identifier: MIT */
/* socket.c: programs' calls on sockets, and frames of a peer who knows their sequence numbers, between each other in any order: while a call
 * sleeps, and while it copies, another program's calls on the same sockets, frames and time come in. Nothing is used after it was
 * freed; when all sockets are closed and an hour is gone, the stack has given all its memory back. The machine is
 * tests/host/kernel_ip.c's. */
#define main         ip_main
#define dice         ip_dice
#define net_appeared ip_appeared
int ip_main(void);
#include "tests/host/kernel_ip.c"
#undef dice
#undef net_appeared
#include "guest-kernel/kernel/net/socket.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/uapi/termios.h"
#include "lwip/priv/tcp_priv.h"
#include "tests/fuzz/dice.h"

DICE_OF_THIS_TARGET;

#define FILES 8

static void one_step(void);

/* ---- Open files ---- */

static struct file *files[FILES];
static unsigned using[FILES];              /* calls that are under way on it: its program does not close it meanwhile */
static unsigned depth;

struct file *fd_file(int fd) { return fd >= 0 && fd < FILES ? files[fd] : 0; }
struct file *file_alloc(const struct file_ops *ops, unsigned flags)
{
    struct file *f = dice(64) == 63 ? 0 : calloc(1, sizeof(*f));
    if (f)
        *f = (struct file){ .refs = 1, .ops = ops, .flags = flags };
    return f;
}
void file_put(struct file *f)
{
    f->ops->close(f);
    free(f);
}
int fd_install(struct file *f, int from, bool cloexec)
{
    for (int i = 0; i < FILES; i++)
        if (!files[i]) {
            files[i] = f;
            return i;
        }
    return -EMFILE;
}
void poll_wait(struct poll_table *t, struct wait_queue *q) { }
int signal_send(struct proc *p, int sig) { return 0; }
static struct proc nobody;
struct proc *current = &nobody;

/* ---- Sleeping, and copying, which may sleep ---- */

static void meanwhile(void)
{
    if (depth < 3 && dice_left && dice(4) == 0)
        one_step();
}
void wait_init(struct wait_queue *q) { list_init(&q->waiters); }
void wake_all(struct wait_queue *q) { }
int sleep_on(struct wait_queue *q, uint64_t deadline, bool interruptible)
{
    if (depth < 3 && dice_left)
        one_step();
    pass(dice(20) * NSEC_PER_MS);
    if (deadline != FOREVER && dice(2))
        pass(deadline > now ? MIN(deadline - now, 100 * NSEC_PER_SEC) : 0);
    return now >= deadline ? -ETIMEDOUT : dice_left && dice(4) ? 0 : -EINTR;
}
int copy_from_user(void *to, uptr_t from, size_t n)
{
    meanwhile();
    if (dice(64) == 63)
        return -EFAULT;
    memcpy(to, (void *)from, n);
    return 0;
}
int copy_to_user(uptr_t to, const void *from, size_t n)
{
    meanwhile();
    if (dice(64) == 63)
        return -EFAULT;
    memcpy((void *)to, from, n);
    return 0;
}

/* ---- The peer ---- */

static void net32(uint8_t *at, uint32_t v) { put32(at, v); }
static void net16(uint8_t *at, uint16_t v) { at[0] = (uint8_t)(v >> 8); at[1] = (uint8_t)v; }

/* A segment for a connection, mostly where it expects one. */
static void segment(void)
{
    uint8_t f[1514] = { ETHER(0x800), IP(6, 40) };
    struct file *to = files[dice(FILES)];
    struct socket *s = to ? to->private : 0;
    struct tcp_pcb *pcb = s && s->type == SOCK_STREAM && s->tcp && s->state != SOCKET_LISTENING ? s->tcp : 0;
    size_t header = 20, n = dice(4) ? dice(64) : dice(1400);

    net16(f + 34, pcb ? pcb->remote_port : (uint16_t)(12345 + dice(3)));
    net16(f + 36, pcb ? pcb->local_port : s && s->type == SOCK_STREAM && s->tcp ? s->tcp->local_port : 80);
    net32(f + 38, pcb ? pcb->rcv_nxt + (dice(4) ? 0 : (uint32_t)(int8_t)dice8()) : dice32());
    net32(f + 42, pcb ? pcb->snd_nxt - (dice(4) ? 0 : (uint32_t)(int8_t)dice8()) : dice32());
    if (pcb && pcb->state == SYN_SENT && dice(8))
        net32(f + 42, pcb->snd_nxt);
    f[47] = dice(4) ? (uint8_t)(0x10 | (dice(8) == 7)) : dice8() & 0x3f;
    if (pcb && pcb->state == SYN_SENT && dice(8))
        f[47] = 0x12;
    if (!pcb && dice(8))
        f[47] = 2;
    net16(f + 48, dice(4) ? 0xffff : dice16());
    if (dice(4) == 3) {
        header += 4 * dice(11);
        dice_bytes(f + 54, header - 20);
    }
    f[46] = (uint8_t)(header / 4 << 4);
    if (f[47] & 2)
        n = dice(8) ? 0 : n;
    net16(f + 16, (uint16_t)(20 + header + n));
    if (pcb)
        memcpy(f + 26, &pcb->remote_ip.addr, 4);
    if (memcmp(f + 26, (uint8_t[]){ THEIR }, 4))   /* nobody on the wire speaks for us to ourselves */
        return;
    n += 34 + header;
    if (n > sizeof(f))
        return;
    mend(f, n);
    receive(f, n, PACKET_CSUM_GOOD);
}

static void datagram(void)
{
    uint8_t f[600] = { ETHER(0x800), IP(17, 28) };
    struct file *to = files[dice(FILES)];
    struct socket *s = to ? to->private : 0;
    size_t n = dice(512);

    f[23] = dice(4) ? 17 : dice(4) ? 1 : dice8();
    net16(f + 34, dice16());
    net16(f + 36, s && s->type == SOCK_DGRAM ? s->udp->local_port : 53);
    net16(f + 38, (uint16_t)(dice(8) ? 8 + n : dice16()));
    if (f[23] == 1) {                              /* ICMP: of something unreachable, and what had been sent */
        f[34] = dice(4) ? 3 : dice(16);
        f[35] = dice(8);
        n = MIN(n, card.len > 14 ? card.len - 14 : 0);
        memcpy(f + 42, card.last + 14, MIN(n, 500));
    }
    net16(f + 16, (uint16_t)(28 + n));
    if (dice(8) == 7)
        net16(f + 20, dice16());
    n += 42;
    mend(f, n);
    receive(f, n, PACKET_CSUM_GOOD);
}

static void any_frame(void)
{
    uint8_t f[300];
    size_t n = 14 + dice(280);

    dice_bytes(f, n);
    memcpy(f, card.dev.mac, 6);
    if (dice(2))
        f[12] = 8, f[13] = dice(2) ? 0 : 6;
    mend(f, n);
    receive(f, n, dice(2) ? PACKET_CSUM_GOOD : 0);
}

/* ---- Programs ---- */

static uint8_t user[4][20000];             /* a depth's own */

static uptr_t some_address(void)
{
    static const uint32_t hosts[] = { PP_HTONL(0x0a000002), PP_HTONL(0x0a000002), PP_HTONL(0x7f000001), 0, PP_HTONL(0x0a000001), PP_HTONL(0x0a0000ff), 0xffffffff };
    struct net_address *a = (struct net_address *)user[depth];
    static const uint16_t some_ports[] = { 80, 53, 1000, 1001, 12345, 0 };
    uint16_t port = some_ports[dice(6)];
    *a = (struct net_address){ .family = dice(16) == 15 ? dice(3) : AF_INET, .address = hosts[dice(7)] };
    net16((uint8_t *)&a->port, port);
    return (uptr_t)a;
}

static uptr_t number(uint32_t v)
{
    memcpy(user[depth] + 64, &v, 4);
    return (uptr_t)(user[depth] + 64);
}

static void call(int fd)
{
    uptr_t buf = (uptr_t)user[depth] + 256;
    unsigned n = dice(4) ? dice(256) : dice(19000);
    int flags = (dice(4) ? MSG_DONTWAIT : 0) | (dice(4) ? 0 : dice16());

    switch (dice(13)) {
    case 0: sys_bind(fd, some_address(), 16); break;
    case 1: sys_listen(fd, dice(5)); break;
    case 2: sys_accept4(fd, (uptr_t)user[depth], number(dice(32)), dice(2) ? SOCK_NONBLOCK : 0); break;
    case 3: sys_connect(fd, some_address(), dice(16) ? 16 : dice(40)); break;
    case 4: case 5: sys_sendto(fd, buf, n, flags, dice(3) ? 0 : some_address(), 16); break;
    case 6: case 7: sys_recvfrom(fd, buf, n, flags, dice(2) ? (uptr_t)user[depth] : 0, number(16)); break;
    case 8: sys_shutdown(fd, dice(4)); break;
    case 9: sys_getsockname(fd, (uptr_t)user[depth], number(dice(32))), sys_getpeername(fd, (uptr_t)user[depth], number(16)); break;
    case 10: {
        static const uint8_t levels[] = { SOL_SOCKET, IPPROTO_IP, IPPROTO_TCP };
        dice_bytes((void *)buf, 8);
        memset((void *)(buf + 2), 0, dice(2) ? 6 : 0);
        sys_setsockopt(fd, levels[dice(3)], dice(40), buf, dice(24));
        break;
    }
    case 11: sys_getsockopt(fd, dice(7), dice(40), buf, number(dice(32))); break;
    default:
        if (files[fd]) {
            files[fd]->ops->poll(files[fd], 0);
            files[fd]->ops->ioctl(files[fd], dice(2) ? FIONREAD : SIOCNETGET, buf);
        }
    }
}

static void one_step(void)
{
    int fd = (int)dice(FILES);

    depth++;
    switch (dice(16)) {
    case 0: case 1:
        sys_socket(AF_INET, 1 + dice(3) + (dice(2) ? SOCK_NONBLOCK : 0), dice(4) ? 0 : dice(2) ? IPPROTO_ICMP : dice8());
        break;
    case 2:
        if (files[fd] && !using[fd]) {
            struct file *f = files[fd];
            files[fd] = 0;
            file_put(f);
        }
        break;
    case 3: case 4: case 5:
        segment();
        break;
    case 6:
        datagram();
        break;
    case 7:
        any_frame();
        break;
    case 8:
        pass((uint64_t)dice16() * NSEC_PER_MS);
        break;
    case 9:
        if (dice(8) == 7) {
            carrier(dice(2));
            break;
        }
        /* fall through */
    default:
        using[fd]++;
        call(fd);
        using[fd]--;
    }
    depth--;
}

static void attach_once(void)
{
    static bool once;
    if (!once)
        setup(0);
    once = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    dice_begin(bytes, 0);
    depth = 0;
    attach_once();
    pass(3600 * NSEC_PER_SEC);
    size_t before = net_memory.used;
    dice_begin(bytes, n);
    for (unsigned steps = 0; dice_left && steps < 300; steps++) {
        one_step();
        assert_true(net_memory.used <= net_memory.limit);
    }
    dice_left = 0;
    for (int i = 0; i < FILES; i++)
        if (files[i]) {
            struct file *f = files[i];
            files[i] = 0;
            file_put(f);
        }
    carrier(true);
    pass(7200 * NSEC_PER_SEC);
    for (struct tcp_pcb *p = tcp_active_pcbs, *next; p; p = next) {
        next = p->next;
        /* kernel_ip.c's server's, whose peer never said that it left; or lwIP's alone by now, and tried again, however seldom. */
        assert_true(p->local_port == 80 || (!p->callback_arg && (p->rtime <= p->rto + 4 || p->persist_backoff)));
        tcp_abort(p);
    }
    assert_true(net_memory.used <= before + 2048);
    return 0;
}

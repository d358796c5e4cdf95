/* SPDX-License-Identifier: MIT */
/* kernel_socket.c: claim: what a program's reading took off a connection is room for its sender again, also when the reading ended in a
 * fault halfway. A failure means a connection that stands still. The calls are Novice's (kernel/net/socket.c, stream*.c) over
 * kernel_ip.c's machine; tests/fuzz/socket.c tries them in any order. */
#define main         ip_main
#define net_appeared ip_appeared
int ip_main(void);
#include "tests/host/kernel_ip.c"
#undef main
#undef net_appeared
#include "guest-kernel/kernel/net/socket.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"

static struct file *files[8];
static unsigned copies_left = ~0u;          /* to the program, then one fails */
static struct proc nobody;
struct proc *current = &nobody;

struct file *fd_file(int fd) { return fd >= 0 && fd < 8 ? files[fd] : 0; }
struct file *file_alloc(const struct file_ops *ops, unsigned flags)
{
    struct file *f = calloc(1, sizeof(*f));
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
    int fd = 0;
    while (files[fd])
        fd++;
    files[fd] = f;
    return fd;
}
void poll_wait(struct poll_table *t, struct wait_queue *q) { }
int signal_send(struct proc *p, int sig) { return 0; }
void wait_init(struct wait_queue *q) { list_init(&q->waiters); }
void wake_all(struct wait_queue *q) { }
int sleep_on(struct wait_queue *q, uint64_t deadline, bool interruptible) { return -EINTR; }
int copy_from_user(void *to, uptr_t from, size_t n) { return memcpy(to, (void *)from, n), 0; }
int copy_to_user(uptr_t to, const void *from, size_t n)
{
    if (copies_left-- == 0)
        return -EFAULT;
    memcpy((void *)to, from, n);
    return 0;
}

static void a_reading_that_faults_gives_its_room_back(void **state)
{
    static uint8_t buf[8000];
    struct net_address a = { .family = AF_INET, .port = PP_HTONS(1000), .address = PP_HTONL(0x7f000001) };
    int listener = (int)sys_socket(AF_INET, SOCK_STREAM, 0), in = (int)sys_socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(sys_bind(listener, (uptr_t)&a, sizeof(a)), 0);
    assert_int_equal(sys_listen(listener, 1), 0);
    sys_connect(in, (uptr_t)&a, sizeof(a));
    int out = (int)sys_accept4(listener, 0, 0, SOCK_NONBLOCK);
    assert_true(out >= 0);
    long sent = 0, got = 0;
    for (unsigned i = 0; i < 2000; i++) {
        long n = sys_sendto(in, (uptr_t)buf, 4000, MSG_DONTWAIT, 0, 0);
        sent += n > 0 ? n : 0;
        copies_left = 1;                             /* the second segment does not arrive whole */
        n = sys_recvfrom(out, (uptr_t)buf, sizeof(buf), MSG_DONTWAIT, 0, 0);
        got += n > 0 ? n : 0;
        copies_left = ~0u;
        pass(300 * NSEC_PER_MS);
    }
    assert_true(got > 1000000 && sent >= got);   /* 262141 where it was not given back */
    for (int i = 0; i < 8; i++)
        if (files[i])
            file_put(files[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_reading_that_faults_gives_its_room_back) };
    return cmocka_run_group_tests(tests, setup, 0);
}

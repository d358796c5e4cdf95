/* SPDX-License-Identifier: MIT */
/* user_dns.c: claim: the resolver (guest-kernel/user/libc/netdb.c) asks what RFC 1035 says, takes the addresses of an answer that is
 * one, behind a CNAME too, and of nothing else: not of a wrong id, another question, or a packet that is cut; a server that is
 * silent is left for the next. A failure is a name that is never found, or found where a stranger says. The name servers, /etc and
 * the clock are this file's. */
#include "tests/host/user_shim.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static FILE *etc(const char *path, const char *mode);
static int fake_socket(void), fake_connect(const struct sockaddr *to), fake_poll(const struct pollfd *p, int ms), fake_clock(struct timespec *t);
static ssize_t fake_send(const void *data, size_t n), fake_recv(void *data, size_t room);

#define fopen(path, mode)      etc(path, mode)
#define socket(a, b, c)        fake_socket()
#define connect(fd, to, n)     fake_connect(to)
#define send(fd, data, n, f)   fake_send(data, n)
#define recv(fd, to, room, f)  fake_recv(to, room)
#define poll(p, n, ms)         fake_poll(p, ms)
#define close(fd)              (void)(fd)
#define clock_gettime(c, t)    fake_clock(t)
#include "guest-kernel/user/libc/netdb.c"
#undef fopen

/* ---- the world ------------------------------------------------------------------------------------- */

static const char *hosts, *resolv;
static long milliseconds;                          /* what the clock says */
static in_addr_t asked_of;
static unsigned char question[PACKET];
static size_t question_size;
static unsigned questions;
static struct { unsigned char data[PACKET]; size_t size; } coming[4];
static unsigned have, taken;
static void (*server)(void);                       /* called with each question: puts answers into coming */

static FILE *etc(const char *path, const char *mode)
{
    const char *text = strcmp(path, "/etc/hosts") == 0 ? hosts : strcmp(path, "/etc/resolv.conf") == 0 ? resolv : NULL;
    FILE *f = text ? tmpfile() : NULL;

    if (f) {
        fputs(text, f);
        rewind(f);
    }
    return f;
}

static int fake_socket(void) { return 77; }
static int fake_clock(struct timespec *t)
{
    *t = (struct timespec){ milliseconds / 1000, milliseconds % 1000 * 1000000 };
    return 0;
}

static int fake_connect(const struct sockaddr *to)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)to;

    assert_int_equal(in->sin_port, htons(53));
    asked_of = in->sin_addr.s_addr;
    have = taken = 0;
    return 0;
}

static ssize_t fake_send(const void *data, size_t n)
{
    assert_in_range(n, 17, PACKET);
    memcpy(question, data, question_size = n);
    questions++;
    server();
    return (ssize_t)n;
}

static int fake_poll(const struct pollfd *p, int ms)
{
    if (taken < have)
        return 1;
    milliseconds += ms;
    return 0;
}

static ssize_t fake_recv(void *data, size_t room)
{
    assert_true(taken < have && coming[taken].size <= room);
    memcpy(data, coming[taken].data, coming[taken].size);
    return (ssize_t)coming[taken++].size;
}

/* ---- what servers say ------------------------------------------------------------------------------ */

#define SAYS(...) (const unsigned char[]){ __VA_ARGS__ }, sizeof((const unsigned char[]){ __VA_ARGS__ })
#define NAME      0xc0, 12                         /* the question's */
#define IN_A      0, 1, 0, 1, 0, 0, 0, 9, 0, 4
#define TEN(last) 10, 0, 0, last

/* The question with `records` behind it, which the header calls `count`. */
static unsigned char *answer(unsigned code, unsigned count, const unsigned char *records, size_t size)
{
    unsigned char *p = coming[have].data;

    memcpy(p, question, question_size);
    p[2] |= 0x80;
    p[3] = (unsigned char)(0x80 | code);
    p[7] = (unsigned char)count;
    memcpy(p + question_size, records, size);
    coming[have++].size = question_size + size;
    return p;
}

static void says_address(void) { answer(0, 1, SAYS(NAME, IN_A, TEN(1))); }
static void says_two(void) { answer(0, 2, SAYS(NAME, IN_A, TEN(1), NAME, IN_A, TEN(2))); }
static void says_nothing(void) { }
static void says_unknown(void) { answer(3, 0, SAYS(0) - 1); }
static void says_failed(void) { answer(2, 0, SAYS(0) - 1); }
static void says_empty(void) { answer(0, 0, SAYS(0) - 1); }
/* alias IN CNAME x.(name); then that name's address, the name as a pointer into the CNAME's data. */
static void says_alias(void)
{
    unsigned char at = (unsigned char)(question_size + 12);

    answer(0, 2, SAYS(NAME, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 'x', NAME, 0xc0, at, IN_A, TEN(3)));
}
static void says_other_kinds(void)                  /* AAAA's length, class CH, an A of 16 bytes: none an address */
{
    answer(0, 3, SAYS(NAME, 0, 28, 0, 1, 0, 0, 0, 9, 0, 4, TEN(9), NAME, 0, 1, 0, 3, 0, 0, 0, 9, 0, 4, TEN(9),
                      NAME, 0, 1, 0, 1, 0, 0, 0, 9, 0, 2, 10, 9));
}
/* Names whose pointers lead to themselves, to each other, and out of the packet; the address comes last. */
static void says_loops(void)
{
    unsigned char at = (unsigned char)question_size;

    answer(0, 4, SAYS(0xc0, at, 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, at, 1, 'a', 0xc0, (unsigned char)(at + 14), 0, 5, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 14,
                      0xff, 0xff, 0, 5, 0, 1, 0, 0, 0, 9, 0, 0, NAME, IN_A, TEN(4)));
}
static void says_wrong_then_right(void)
{
    answer(0, 1, SAYS(NAME, IN_A, TEN(66)))[1] ^= 1;                 /* another's id */
    answer(0, 1, SAYS(NAME, IN_A, TEN(66)))[13] ^= 1;                /* another name */
    answer(0, 1, SAYS(NAME, IN_A, TEN(66)))[2] &= 0x7f;              /* a question */
    says_address();
}
static void says_wrong(void)
{
    says_wrong_then_right();
    have--;
}
static void second_answers(void)
{
    if (asked_of == inet_addr("10.9.9.2"))
        says_address();
}
static void only_in_domain(void)                    /* "h" alone is unknown; h.lab.org is there */
{
    if (memcmp(question + 12, "\1h\3lab\3org", 11) == 0)
        says_address();
    else
        says_unknown();
}

static int resolve(void (*by)(void), const char *name, struct in_addr *out)
{
    server = by;
    questions = 0;
    return resolve_name(name, out, ROOM, 0);
}

/* ---- the tests --------------------------------------------------------------------------------------- */

static void begin(const char *with)
{
    hosts = "127.0.0.1 localhost\n10.5.5.5 printer  paper # the old one\n";
    resolv = with;
    milliseconds = 1000;
}

static void the_question(void **state)
{
    static const unsigned char wanted[] = { 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 4, 'h', 'o', 's', 't', 3, 'l', 'a', 'b', 0, 0, 1, 0, 1 };
    struct in_addr out[ROOM];
    char longest[300];

    begin("nameserver 10.9.9.1\n");
    assert_int_equal(resolve(says_address, "host.lab", out), 1);
    assert_int_equal(out[0].s_addr, inet_addr("10.0.0.1"));
    assert_int_equal(asked_of, inet_addr("10.9.9.1"));
    assert_int_equal(questions, 1);
    assert_int_equal(question_size, 2 + sizeof(wanted));
    assert_memory_equal(question + 2, wanted, sizeof(wanted));
    assert_int_equal(resolve(says_address, "host.lab.", out), 1);     /* the same name, to its end */
    assert_memory_equal(question + 2, wanted, sizeof(wanted));
    memset(longest, 'x', sizeof(longest));
    longest[64] = '\0';
    for (int i = 0; i < 3; i++)                                       /* these are no names: nobody is asked */
        assert_int_equal(resolve(says_address, i == 0 ? "a..b" : i == 1 ? ".a" : longest, out), -HOST_NOT_FOUND);
    assert_int_equal(questions, 0);
}

static void answers(void **state)
{
    static const struct { void (*server)(void); int rc; const char *first; } cases[] = {
        { says_address, 1, "10.0.0.1" }, { says_two, 2, "10.0.0.1" }, { says_alias, 1, "10.0.0.3" }, { says_loops, 1, "10.0.0.4" },
        { says_wrong_then_right, 1, "10.0.0.1" }, { says_unknown, -HOST_NOT_FOUND, NULL }, { says_empty, -NO_DATA, NULL },
        { says_other_kinds, -NO_DATA, NULL }, { says_failed, -TRY_AGAIN, NULL }, { says_wrong, -TRY_AGAIN, NULL }, { says_nothing, -TRY_AGAIN, NULL },
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct in_addr out[ROOM] = { { 0 } };

        begin("nameserver 10.9.9.1\n");
        assert_int_equal(resolve(cases[i].server, "host.lab", out), cases[i].rc);
        assert_int_equal(questions, cases[i].rc == -TRY_AGAIN ? 3 : 1);
        if (cases[i].first)
            assert_int_equal(out[0].s_addr, inet_addr(cases[i].first));
    }
}

/* An answer cut at any byte gives what stood whole before the cut, from exact memory, so that nothing behind it is read. */
static void cut(void **state)
{
    struct in_addr out[ROOM];

    begin("nameserver 10.9.9.1\n");
    resolve(says_two, "host.lab", out);
    for (size_t n = 12; n <= coming[0].size; n++) {
        unsigned char *exact = malloc(n);
        int wanted = n < question_size ? 0 : n < question_size + 16 ? -NO_DATA : n < question_size + 32 ? 1 : 2;

        memcpy(exact, coming[0].data, n);
        assert_int_equal(read_answer(exact, n, question, question_size, out, ROOM), wanted);
        free(exact);
    }
    assert_int_equal(read_answer(coming[0].data, coming[0].size, question, question_size, out, 1), 1);      /* as many as there is room for */
}

static void whom_it_asks(void **state)
{
    struct in_addr out[ROOM];
    long from;

    begin("# mine\nnameserver 10.9.9.1\nnameserver 10.9.9.2\nnameserver nonsense\n");
    from = milliseconds;
    assert_int_equal(resolve(second_answers, "host.lab", out), 1);    /* the first is silent: not for ever */
    assert_int_equal(questions, 2);
    assert_in_range(milliseconds - from, 1, 5000);
    assert_int_equal(resolve(says_nothing, "host.lab", out), -TRY_AGAIN);
    assert_int_equal(questions, 6);
    begin("domain lab.org\nnameserver 10.9.9.1\n");
    assert_int_equal(resolve(only_in_domain, "h", out), 1);
    assert_int_equal(resolve(only_in_domain, "i", out), -HOST_NOT_FOUND);
    assert_int_equal(questions, 2);
    assert_int_equal(resolve(says_unknown, "paper", out), 1);         /* in /etc/hosts */
    assert_int_equal(out[0].s_addr, inet_addr("10.5.5.5"));
    assert_int_equal(resolve(says_unknown, "old", out), -HOST_NOT_FOUND);
    assert_int_equal(resolve(says_unknown, "10.1.2.3", out), 1);
    assert_int_equal(questions, 0);
    begin(NULL);                                                      /* nobody to ask */
    assert_int_equal(resolve(says_address, "host.lab", out), -HOST_NOT_FOUND);
    server = says_address;                                            /* but somebody who is named is asked */
    assert_int_equal(resolve_name("host.lab", out, ROOM, inet_addr("10.9.9.9")), 1);
    assert_int_equal(asked_of, inet_addr("10.9.9.9"));
}

static void as_programs_ask(void **state)
{
    struct addrinfo *info;

    begin("nameserver 10.9.9.1\n");
    server = says_two;
    assert_int_equal(getaddrinfo("host.lab", "http", NULL, &info), 0);
    assert_int_equal(((struct sockaddr_in *)info->ai_addr)->sin_addr.s_addr, inet_addr("10.0.0.1"));
    assert_int_equal(((struct sockaddr_in *)info->ai_next->ai_addr)->sin_addr.s_addr, inet_addr("10.0.0.2"));
    assert_int_equal(((struct sockaddr_in *)info->ai_addr)->sin_port, htons(80));
    freeaddrinfo(info);
    struct hostent *host = gethostbyname("host.lab");
    assert_true(host && host->h_addr_list[0] && host->h_addr_list[1] && !host->h_addr_list[2]);
    server = says_unknown;
    assert_int_equal(getaddrinfo("host.lab", "http", NULL, &info), EAI_NONAME);
    assert_null(gethostbyname("host.lab"));
    assert_int_equal(h_errno, HOST_NOT_FOUND);
    server = says_nothing;
    assert_int_equal(getaddrinfo("host.lab", "http", NULL, &info), EAI_AGAIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(the_question), cmocka_unit_test(answers), cmocka_unit_test(cut),
                                        cmocka_unit_test(whom_it_asks), cmocka_unit_test(as_programs_ask) };

    return cmocka_run_group_tests_name("user_dns", tests, NULL, NULL);
}

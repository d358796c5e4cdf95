/* SPDX-License-Identifier: MIT */
/* dns.c: datagrams that anybody may send to the resolver (guest-kernel/user/libc/netdb.c), and names that people ask for. */
#include "tests/fuzz/fuzz.h"
#include "tests/host/user_shim.h"

#include "guest-kernel/user/libc/netdb.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char query[PACKET];
    struct fuzz_input in = { data, size };
    uint8_t how = (uint8_t)fuzz_take(&in, 1);
    size_t n, asked;
    const uint8_t *raw = fuzz_bytes(&in, how & 1 ? 3 : fuzz_take(&in, 1), &n);
    char name[300] = "";
    struct in_addr out[ROOM];

    memcpy(name, raw, n);
    asked = make_query(query, name, 0x1234);
    FUZZ_CHECK(asked <= PACKET && (!asked || asked >= 17));
    if (!asked)
        return 0;
    size_t room = asked + in.left < PACKET ? asked + in.left : PACKET, head = how & 2 ? asked : 0;
    unsigned char *answer = malloc(room ? room : 1);

    /* With the question as it was asked, or wholly the sender's. */
    memcpy(answer, query, head);
    if (in.left < room - head)
        room = head + in.left;
    memcpy(answer + head, in.at, room - head);
    if (head) {
        answer[2] |= 0x80;
        answer[3] = how & 4 ? (uint8_t)(how >> 4) : 0;
        answer[6] = how & 8;
        answer[7] = how >> 4;
    }
    if (how & 8) {
        unsigned char *exact = malloc(room ? room : 1);   /* recv's buffer is larger; ask() never looks behind */

        memcpy(exact, answer, room);
        if (room >= 12)
            FUZZ_CHECK(read_answer(exact, room, query, asked, out, ROOM) <= ROOM);
        free(exact);
    } else {
        FUZZ_CHECK(read_answer(answer, room, query, asked, out, ROOM) <= ROOM);
    }
    free(answer);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const uint8_t answer[] = { 0xc0, 12, 0, 5, 0, 1, 0, 0, 0, 9, 0, 4, 1, 'x', 0xc0, 12, 0xc0, 20, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, 10, 0, 0, 1 };

    (void)room;
    if (n >= 4)
        return 0;
    data[0] = (uint8_t)(0x22 | (n & 1) << 3);
    data[1] = n & 2 ? 11 : 5;
    memcpy(data + 2, n & 2 ? "a.example.o" : "a.org", data[1]);
    memcpy(data + 2 + data[1], answer, sizeof(answer));
    return 2 + data[1] + sizeof(answer);
}

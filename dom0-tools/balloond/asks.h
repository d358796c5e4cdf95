/* SPDX-License-Identifier: MIT */
/* asks.h: who asks for memory for a new domain, and what was promised. Pure.
 *
 * A1  What is promised is not given to anybody else before the domain has it, or who asked is gone, or a minute is over.
 * A2  Each question is answered: "ok" when the memory is there, or refused when it cannot come, or has not within its time. */
#ifndef ENSO_BALLOON_ASKS_H
#define ENSO_BALLOON_ASKS_H

#include <stdbool.h>
#include <stdint.h>

#define ASKS_MOST      16
#define PROMISE_MS  60000u      /* a granted request's memory is kept so long at most */
#define PATIENCE_MS 20000u      /* a request that cannot be met till then is refused  */

struct ask {
    int      pid;               /* 0: unused                                          */
    uint64_t kib, since;
    uint8_t  handle[16];        /* of the domain that it is for, if `named`           */
    uint64_t has;               /* KiB that this domain has by now                    */
    bool     named, granted;
};

enum ask_answer { ASK_WAIT, ASK_GRANT, ASK_REFUSE, ASK_FORGET };

/* "KIB" or "KIB UUID"; false if it is neither. */
bool ask_parse(const char *text, struct ask *a);
/* The place for a question of this process: the one that stands there, or an unused one; null if all are taken. */
struct ask *ask_place(struct ask *asks, int pid);
/* Memory that is not to be given on: promised and not yet used, or still being collected. */
uint64_t asks_sum(const struct ask *asks);
/* What to do about one. free: of the host beyond the reserve; can: what is coming from the domains or could. */
enum ask_answer ask_judge(const struct ask *asks, const struct ask *a, int64_t free, uint64_t can, bool lives, uint64_t now);

#endif

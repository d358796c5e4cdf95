/* SPDX-License-Identifier: MIT */
/* ensod.h: the daemon's files and what passes between them.
 *
 * ensod.c hears (events, commands, terminals), console.c keeps one domain's
 * console, policy.c decides what becomes of a domain that has ended, homes.c
 * sees that xenstore knows of births and deaths, makers.c ends what was left half made, consoles.c finds the further consoles of domains there. */
#ifndef ENSO_ENSOD_H
#define ENSO_ENSOD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "dom0-tools/libenso/os.h"
#include "dom0-tools/libenso/state.h"
#include "hypercall-abi/io/console.h"

#define BACKLOG_SIZE 8192u      /* a power of two */

struct guest {
    struct guest *next;
    uint16_t domid;
    uint16_t number;                        /* of the console; 0: the domain's own  */
    uint8_t  handle[16];
    char     name[32];
    bool     seen;                          /* in the present scan             */
    bool     settled;                       /* its shutdown has been acted upon */
    bool     cleaned;                       /* somebody clears up its home     */
    /* The ring, while the domain lives; ring is NULL otherwise. */
    struct xencons_interface *ring;
    uint32_t port;                          /* ours                            */
    uint64_t mfn;                           /* of a further console: where     */
    uint32_t remote_port;
    bool     quiet;                         /* what is wrong with it was said  */
    /* The terminal that `enso console` opens. */
    struct os_pty pty;
    bool     attached;
    uint64_t close_at;                      /* ms; 0: not closing              */
    /* The last BACKLOG_SIZE bytes; written and sent count from the start. */
    char     backlog[BACKLOG_SIZE];
    uint64_t written, sent;
    /* The log file. */
    int      log;
    uint32_t log_size;
};

/* ---- console.c */
void console_start(struct guest *g, int evtchn, uint64_t mfn, uint32_t remote_port);
void console_stop(struct guest *g, int evtchn);       /* lets go of frame and port */
void console_close(struct guest *g);                  /* and of the terminal and log */
void console_event(struct guest *g, int evtchn);      /* the guest has written or read */
void console_input(struct guest *g, int evtchn);      /* the terminal has keys         */
void console_attached(struct guest *g);
void console_send(struct guest *g);                   /* backlog to the terminal       */
void console_rename(struct guest *g);
bool console_wants_input(const struct guest *g);

/* ---- policy.c: the domain has shut down; true if it is to be released. */
void policy_ended(struct guest *g, const struct xen_domctl_getdomaininfo *info, int evtchn);

/* ---- homes.c: domains' homes in xenstore */
void homes_greet(const struct guest *g, const struct xen_domctl_getdomaininfo *info, uint64_t console_mfn, uint32_t console_port);
void homes_clean_up(uint16_t domid, const uint8_t uuid[16]);   /* in the background */
void homes_check(void);                                        /* at the start     */

/* ---- consoles.c: consoles beyond a domain's first, which xenstore describes */
int  consoles_fd(void);                     /* to poll; -1: no xenstore        */
bool consoles_heard(void);                  /* something changed there; some domain has ended: true */
struct guest *consoles_start(void);         /* the next one to be made, or NULL */
int  consoles_wait(void);                   /* ms until there may be one that was put off, or -1 */
void consoles_connected(const struct guest *g, bool ok);

/* ---- makers.c: domains whose maker dies before they stand */
#define MAKERS_MOST 16
void     makers_look(void);                 /* which there are                */
unsigned makers_poll(struct pollfd *p);     /* up to MAKERS_MOST; the number  */
bool     makers_heard(const struct pollfd *p);   /* false: it is none of them */

/* ---- ensod.c */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));   /* into ensod.log */

#endif

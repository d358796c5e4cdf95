/* SPDX-License-Identifier: MIT */
/* nvme.h: what a controller's two files share, and the wire: registers, commands, completions (NVM Express base, 1.4). */
#ifndef NOVICE_NVME_H
#define NOVICE_NVME_H

#include "guest-kernel/drivers/dma.h"
#include "guest-kernel/drivers/pci.h"
#include "guest-kernel/kernel/blk.h"
#include "guest-kernel/kernel/timer.h"

enum { NVME_CAP = 0, NVME_CC = 0x14, NVME_CSTS = 0x1c, NVME_AQA = 0x24, NVME_ASQ = 0x28, NVME_ACQ = 0x30, NVME_DOORBELLS = 0x1000 };
enum { CSTS_READY = 1, CSTS_FATAL = 2 };
enum { ADMIN_CREATE_SQ = 1, ADMIN_CREATE_CQ = 5, ADMIN_IDENTIFY = 6, ADMIN_SET_FEATURES = 9 };
enum { IO_FLUSH = 0, IO_WRITE = 1, IO_READ = 2, IO_DATASET = 9 };
#define STATUS_DO_NOT_RETRY     0x4000
#define STATUS_WRITE_PROTECTED  0x20
#define STATUS_LOST             0xffff              /* ours: the controller was reset under it */
#define STATUS_GONE             0xfffe              /* ours: and does not come back */

struct nvme_command {
    uint8_t  opcode, flags;
    uint16_t id;
    uint32_t nsid;
    uint64_t reserved, metadata, prp1, prp2;
    uint32_t word[6];                               /* command dwords 10 to 15 */
};

struct nvme_completion {
    uint32_t result, reserved;
    uint16_t sq_head, sq_id, id, status;            /* status: bit 0 is the phase */
};

_Static_assert(sizeof(struct nvme_command) == 64 && sizeof(struct nvme_completion) == 16, "the device's sizes");

#define NVME_REGISTERS  (32 * PAGE_SIZE)         /* that we look at, doorbells included */
#define NVME_SLOTS      128u                        /* commands in flight a queue           */
#define NVME_ENTRIES    (NVME_SLOTS + 1)            /* a ring of n holds n - 1              */
#define NVME_PAGES_MAX  256u                        /* of one request: 1 MiB                */
#define NVME_WATCH_NS   NSEC_PER_SEC               /* between two looks while commands are in flight */
#define NVME_IO_QUEUES  2u                          /* reads; all else                      */

/* What an admin command's starter waits for. */
struct nvme_answer { bool there; uint16_t status; uint32_t result; };

struct nvme_slot {
    struct blk_request *request;                    /* or null: an admin command, or free   */
    struct nvme_answer *answer;                     /* admin: null when nobody waits any more */
    bool     busy;
    uint32_t epoch;                                 /* ctrl->epoch when it began            */
    uint16_t next_free;
    uint16_t id;                                    /* on the wire: the slot, and above it a number that each use counts up, so that
                                                     * an answer that comes twice does not end another command */
};

struct nvme_queue {
    struct nvme           *ctrl;
    unsigned               number;
    struct nvme_command   *sq;
    volatile struct nvme_completion *cq;
    uint64_t               sq_address, cq_address;
    volatile uint32_t     *sq_doorbell, *cq_doorbell;
    uint32_t               entries, tail, rung, head;
    uint16_t               phase;
    uint16_t               free;                    /* the first free slot, NVME_SLOTS: none */
    unsigned               slots, in_flight;
    char                  *lists;                   /* a list of pages a slot                */
    uint64_t               lists_address[(NVME_SLOTS * NVME_PAGES_MAX * 8) >> PAGE_SHIFT];
    struct list            waiting;                 /* requests for which there was no slot  */
    struct nvme_slot       slot[NVME_SLOTS];
};

struct nvme_disk {
    struct blkdev      blk;
    struct nvme       *ctrl;
    uint32_t           nsid;
    unsigned           shift;                       /* 512-byte sectors to blocks */
    struct nvme_disk  *next;
};

struct nvme {
    struct pci_dev    *pci;
    unsigned           number;
    volatile uint8_t  *regs;
    size_t             regs_size;
    uint64_t           cap;
    unsigned           io_queues;
    unsigned           max_pages;
    uint32_t           namespaces;                  /* how many numbers there are at most */
    bool               shared_vector;               /* one interrupt for all queues */
    bool               resetting, dead, has_flush, has_discard;
    struct nvme_queue *admin, *io[NVME_IO_QUEUES];
    struct nvme_disk  *disks;
    struct timer       watch;
    uint32_t           epoch;
    unsigned           complaints;
    struct wait_queue  reset_wanted;
    bool               want_reset;
};

static inline uint32_t nvme_read(struct nvme *c, unsigned reg) { return *(volatile uint32_t *)(c->regs + reg); }
static inline void nvme_write(struct nvme *c, unsigned reg, uint32_t v) { *(volatile uint32_t *)(c->regs + reg) = v; }

/* nvme_io.c */
extern const struct blkdev_ops nvme_blk_ops;
struct nvme_queue *nvme_queue_new(struct nvme *c, unsigned number);      /* memory only; null */
void nvme_queue_empty(struct nvme_queue *q);                             /* as a reset controller sees it */
/* Starts a command made of *cmd (its id is set here), of a request or (r null) for who waits for an answer; null when there is no slot. */
struct nvme_slot *nvme_start(struct nvme_queue *q, const struct nvme_command *cmd, struct blk_request *r);
void nvme_ring(struct nvme_queue *q);
bool nvme_drain(struct nvme_queue *q);                                   /* whether something had ended */
bool nvme_interrupt(void *queue);
/* What is in flight got no answer and gets none: it waits for another try, if it had not too many. How many do. */
unsigned nvme_lost(struct nvme *c);
void nvme_gone(struct nvme *c);                                          /* ends all, in flight or waiting */
void nvme_go_on(struct nvme *c);                                         /* starts what waited */

#endif

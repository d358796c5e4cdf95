/* SPDX-License-Identifier: MIT */
/* hostile.h: what attacks are written with.
 *
 * An attack is a function that tries one way to reach beyond its domain. It reports what it saw with REFUSED (the hypervisor
 * held) or BROKE_OUT (it did not: the test fails); a domain that crashes on the way has been contained as well. */
#ifndef ENSO_HOSTILE_H
#define ENSO_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "hypercall-abi/abi.h"
#include "hypercall-abi/errno.h"
#include "hypercall-abi/guest_stubs.h"
#include "hypercall-abi/mm.h"

#define PAGE 4096UL
#define VIRT_BASE 0xffffffff80000000UL
#define PTE_P  1UL
#define PTE_RW 2UL
#define PTE_U  4UL
#define PTE_A  0x20UL
#define PTE_D  0x40UL
#define PTE_PS 0x80UL
#define PTE_ADDR 0x000ffffffffff000UL

extern struct start_info *si;
extern struct shared_info *shared;

/* Output: one line "(dN name) ..." a call, through console_io. %s %d %u %x (64-bit) only. */
void say(const char *fmt, ...);
/* A hole in the hypervisor: the attack succeeded. */
#define BROKE_OUT(...) do { failures++; say("BROKE OUT: " __VA_ARGS__); } while (0)
/* The test itself is at fault. */
#define TEST_ERROR(...) do { failures++; say("TEST ERROR: " __VA_ARGS__); } while (0)
extern unsigned failures;

int try_call(void (*fn)(void *arg), void *arg);
extern uint64_t try_error;
void raw_iret(const struct iret_context *frame) __attribute__((noreturn));

/* Pseudo-random numbers: seed= on the command line. */
uint64_t rnd(void);
uint64_t option(const char *name, uint64_t otherwise);

/* Pages of our own, mapped writable, page-aligned; n counted from 0. */
#define POOL_PAGES 64
extern uint8_t pool[POOL_PAGES][PAGE];
uint64_t va_to_mfn(const void *va);
void *mfn_to_va(uint64_t mfn);            /* of our own memory */
uint64_t *table_at(unsigned level, uint64_t va);   /* our entry slot for va in the level's table (4..1), readable; NULL: not there */
uint64_t maddr_of(const void *va);
long set_entry(uint64_t *slot, uint64_t value);    /* mmu_update of one entry */
long map_at(void *va, uint64_t pte);               /* update_va_mapping with a flush */
void make_readonly(void *va);
void make_writable(void *va);
long pin(unsigned level, void *va);
long unpin(void *va);

void *memset(void *p, int c, size_t n);
void *memcpy(void *d, const void *s, size_t n);

/* store.c: a xenstore client; paths relative to our home. */
struct xenstore_domain_interface;
struct xenstore_domain_interface *store_page(void);
void event_send(uint32_t port);
void rest(void);
bool time_left(void);                     /* of seconds= on the command line */
bool store_get(const char *path, char *value, unsigned size);
bool store_put(const char *path, const char *value);
bool store_put_number(const char *dir, const char *node, uint64_t value);
bool store_wait_state(const char *dir, char wanted);
char *join(char *to, const char *a, const char *b, int64_t n);

struct attack { const char *name; void (*run)(void); const char *what; };
void attack_privileged(void);
void attack_addresses(void);
void attack_selectors(void);
void attack_returns(void);
void attack_string_input(void);
void attack_regs(void);
void attack_stack(void);
void attack_entries(void);
void attack_tables(void);
void attack_random_tables(void);
void attack_descriptors(void);
void attack_hypercalls(void);
void attack_multicall(void);
void attack_preempted(void);
void attack_nested(void);
void attack_fresh(void);
void attack_vcpus(void);
void attack_births(void);
void attack_channels(void);
void attack_watch(void);
void attack_ldt(void);
void attack_fpu(void);
void attack_long(void);
void attack_no_handler(void);
void attack_no_stack(void);
void attack_bad_callback(void);
void attack_sysenter(void);
void attack_spin(void);
void attack_blkfront(void);
void attack_netfront(void);
void attack_conring(void);
void attack_storering(void);
void attack_storewords(void);
void attack_grants(void);
void attack_lend(void);
void attack_borrow(void);
void attack_newborn(void);
void attack_no_memory(void);
void attack_msix(void);

#endif

/* SPDX-License-Identifier: MIT */
/* print.h: one line of output, from any pCPU, at any time.
 *
 * Every line of the hypervisor's own begins "(enso) "; what guests print goes through core/guestcons.h
 * and can never begin so. Lines go to the ring that dom0 reads and to the serial port.               */
#ifndef ENSO_PRINT_H
#define ENSO_PRINT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* %d %u %x %lx %lu %ld %llx %s %c %p %% with width, '-', and 0 padding; %zu. Returns what it would have written. */
int hv_vsnprintf(char *buf, size_t size, const char *fmt, va_list ap);
int hv_snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Prints one line (no newline needed; "(enso) " is put in front) if level passes loglvl=. Any context. */
void log_at(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_err(...)   log_at(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)
extern int log_level_hv;          /* loglvl= */
extern int log_level_guest;       /* guest_loglvl=: messages a guest can provoke use log_guest() */
/* A message that a guest can provoke: rate-limited (core passes the domid for the limit). */
void log_guest(unsigned domid, enum log_level level, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Raw bytes to console and ring, atomically: for guests' lines, already prefixed and escaped. */
void console_write(const char *bytes, size_t n);
/* The same, on a line of its own: a newline goes first if somebody's unfinished line stands there. */
void console_write_line(const char *bytes, size_t n);
/* To the console only: dom0's own screen is no message of Enso's. */
void console_show(const char *bytes, size_t n);
bool console_at_line_start(void);      /* without the lock: a hint */
/* Copies from the ring of past output: start at *index (a running count); returns bytes copied. For sysctl readconsole. */
size_t console_ring_read(char *buf, size_t n, uint32_t *index, bool clear);
/* Where bytes leave the machine: registered by x86/serial.c. Called under the console lock. */
void console_set_sink(void (*fn)(const char *bytes, size_t n));

/* Hands down the clock (ns, any origin) that log_guest's rate limit counts with. Without one nothing is limited. */
void log_set_clock(uint64_t (*now)(void));

/* How a panic ends, handed down by x86/cpu.c: stop the other pCPUs, then reboot or halt. */
void panic_set_ops(void (*stop_others)(void), void (*end)(void));
/* From the NMI handler: does not return when another pCPU has panicked. */
void panic_nmi_hook(void);
/* Prints, dumps registers of this pCPU if known, stops every pCPU (or reboots if noreboot is not set). */
__attribute__((noreturn, format(printf, 1, 2))) void panic(const char *fmt, ...);
__attribute__((noreturn)) void bug(const char *file, int line, const char *what);

#define BUG_ON(x) do { if (__builtin_expect(!!(x), 0)) bug(__FILE__, __LINE__, #x); } while (0)
#ifdef DEBUG
#define DEBUG_BUILD 1
#else
#define DEBUG_BUILD 0
#endif

#endif

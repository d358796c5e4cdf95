/* SPDX-License-Identifier: MIT */
/* usertests.h: how a case is written.
 *
 * A case is a function that checks what the kernel does. It runs in a process and a process group of its own,
 * so it may leave children, mappings and open files behind, and it fails by ending in any other way
 * than by returning: a CHECK that does not hold, a signal, or twenty seconds gone by.               */
#ifndef USERTESTS_H
#define USERTESTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct test { const char *name; void (*run)(void); };

/* Each file of cases ends with such a table, closed by an empty row; main.c lists the tables. */
extern const struct test process_tests[], exec_tests[], signal_tests[], memory_tests[], fault_tests[], pipe_tests[],
                         file_tests[], directory_tests[], terminal_tests[], time_tests[], pointer_tests[],
                         proc_tests[], shell_tests[], stream_tests[], datagram_tests[], kept_tests[];

#define CHECK(what) do { if (!(what)) test_failed(__FILE__, __LINE__, #what); } while (0)
/* The call fails, and for this reason. */
#define CHECK_ERRNO(call, error) do { errno = 0; CHECK((call) == -1); \
    if (errno != (error)) test_failed_errno(__FILE__, __LINE__, #call, #error); } while (0)

void test_failed(const char *file, int line, const char *what) __attribute__((noreturn));
void test_failed_errno(const char *file, int line, const char *call, const char *wanted) __attribute__((noreturn));

/* Runs body(arg) in a child and gives its wait status. */
int in_child(void (*body)(void *arg), void *arg);
/* That a child which runs body is killed by this signal. */
bool dies_of(int sig, void (*body)(void *arg), void *arg);
pid_t start_child(void (*body)(void *arg), void *arg);
int  wait_status(pid_t pid);
bool exits_with(int code, pid_t pid);                  /* waits for it */
void pause_ms(int ms);
long now_ms(void);                                     /* monotonic */
long free_pages(void);
void write_file(const char *path, const void *data, size_t size);
/* sh -c command: its whole output (static buffer) and status. */
const char *shell_output(const char *command, int *status);
#define SELF "/bin/usertests"                          /* with --helper NAME ARGS it does what exec.c says */
int helper_main(int argc, char **argv);
long raw_syscall(long number, long a, long b, long c, long d, long e, long f);
extern char scratch[64];                               /* a directory of the case's own; removed afterwards */

#endif

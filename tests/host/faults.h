/* SPDX-License-Identifier: MIT */
/* faults.h: the exception table in a Linux program: included before the files under test, whose accesses to "guest memory" then end
 * where the hypervisor's own fault handler would send them, not in a crash. Linked with -no-pie.                                  */
#ifndef FAULTS_H
#define FAULTS_H

#include "hypervisor/x86/extable.h"

#undef EXTABLE
#define EXTABLE(from, to) ".pushsection host_extable,\"a\"\n.balign 8\n.quad " from ", " to "\n.popsection\n"

/* Installs the handler, for the test that runs: cmocka installs its own before each. */
void faults_catch(void);
/* Makes a page that can be read but not written, in front of one that is not there. It begins with those n bytes. Installs the handler. */
extern char *read_only_page;
void faults_fill(const void *bytes, unsigned long n);
/* How often swapgs was executed, and how often the table was asked. */
extern volatile unsigned long swapgs_count, faults_taken;

#endif

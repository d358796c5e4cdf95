/* SPDX-License-Identifier: MIT */
/* config.h: a domain as its owner describes it, in xl's syntax.
 *
 * `key = value` lines; a value is a number, a 'string' or "string", or a list
 * ['a', 'b']; `#` starts a comment and `;` ends a line too. A complaint names
 * the file, the line and what was expected there.                            */
#ifndef ENSO_CONFIG_H
#define ENSO_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-tools/libenso/complaint.h"

enum config_action {
    ACTION_DESTROY,          /* give everything back                          */
    ACTION_RESTART,          /* destroy, then build it again                  */
    ACTION_PRESERVE,         /* leave it as it is, to be looked at            */
    ACTION_RENAME_RESTART,   /* keep the dead one as NAME-ID, build it again  */
};

#define CONFIG_PATH 256
#define CONFIG_LINE 1024     /* MAX_GUEST_CMDLINE: what start_info holds      */

struct config {
    char     name[32];
    char     kernel[CONFIG_PATH];
    char     ramdisk[CONFIG_PATH];
    char     cmdline[CONFIG_LINE];     /* `cmdline`, else empty               */
    char     root[CONFIG_PATH];
    char     extra[CONFIG_LINE];
    uint64_t memory;                   /* MiB                                 */
    uint64_t maxmem;                   /* MiB; memory if not given            */
    uint32_t vcpus;
    uint64_t cpus;                     /* mask; all ones if not given         */
    uint32_t weight;                   /* 1..65535; 256 if not given          */
    uint32_t cap;                      /* percent of a CPU; 0 is none         */
    enum config_action on_poweroff;
    enum config_action on_reboot;
    enum config_action on_crash;
    struct complaint notes;            /* keys that were read and passed over */
};

/* Every default set, nothing else. */
void config_init(struct config *c);

/* Reads the text of a file; `file` is only for complaints. */
int config_parse(struct config *c, const char *file, const char *text, size_t len, struct complaint *why);

/* One `key=value` from the command line; quotes round the value are optional. */
int config_override(struct config *c, const char *word, struct complaint *why);

/* After the last override: is everything there, and does it fit together? */
int config_check(struct config *c, const char *file, struct complaint *why);

/* The guest's command line: `cmdline`, or root=ROOT and EXTRA. */
void config_cmdline(const struct config *c, char *buf, size_t size);

/* The same configuration as a file that config_parse reads back; the number of
 * bytes, or -1 if size is too small.                                         */
int config_write(const struct config *c, char *buf, size_t size);

const char *config_action_name(enum config_action a);

#endif

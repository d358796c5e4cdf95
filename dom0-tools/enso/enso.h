/* SPDX-License-Identifier: MIT */
/* enso.h: what the sub-commands of `enso` share.
 *
 * A sub-command is a function of its own words (words[0] is its name). It
 * prints its result and returns the exit status; fail() prints a complaint
 * as `enso NAME: sentence` and returns 1. main.c holds the table.            */
#ifndef ENSO_ENSO_H
#define ENSO_ENSO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dom0-tools/libenso/complaint.h"
#include "dom0-tools/libenso/state.h"

struct command {
    const char *name;
    const char *arguments;          /* as the usage line shows them              */
    const char *summary;            /* one line                                  */
    const char *help;               /* the rest, lines of its own; may be ""     */
    int  (*run)(int words, char **word);
    bool needs_hypervisor;
    bool hidden;                    /* for programs: not in the list             */
};

extern const struct command commands[];
const struct command *command_find(const char *name);

int fail(const struct complaint *why);
int failf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
int usage(void);                    /* of the command now running                */

/* All of them; the first failure decides the exit status, the rest are still tried. */
int every_domain(int (*one)(const struct xen_domctl_getdomaininfo *info));

/* `enso shutdown web1 -w` as `enso shutdown -w web1`, for commands whose options are single letters without a value. */
void options_first(int words, char **word);

/* The domain that a word means, not dom0 where `guests_only`; 0, or the exit
 * status after saying what is wrong.                                         */
int want_domain(const char *word, bool guests_only, struct xen_domctl_getdomaininfo *info, char name[32]);

/* "r-----", as xl writes it. */
void state_letters(const struct xen_domctl_getdomaininfo *info, char letters[7]);
const char *shutdown_word(const struct xen_domctl_getdomaininfo *info);

/* Waits up to ms until the domain is gone (or, if `stopped`, has shut down). */
bool wait_for_end(uint16_t domid, bool stopped, unsigned ms);

/* Attaches the terminal to a domain's console until Ctrl-] (cmd_console.c). */
int console_attach(uint16_t domid, const char *name);

int cmd_create(int words, char **word);
int cmd_store(int words, char **word);
int cmd_autostart(int words, char **word);
int cmd_list(int words, char **word);
int cmd_console(int words, char **word);
int cmd_pause(int words, char **word);
int cmd_unpause(int words, char **word);
int cmd_shutdown(int words, char **word);
int cmd_reboot(int words, char **word);
int cmd_destroy(int words, char **word);
int cmd_rename(int words, char **word);
int cmd_domid(int words, char **word);
int cmd_domname(int words, char **word);
int cmd_vcpu_list(int words, char **word);
int cmd_vcpu_pin(int words, char **word);
int cmd_sched_credit(int words, char **word);
int cmd_mem_set(int words, char **word);
int cmd_mem_max(int words, char **word);
int cmd_block_attach(int words, char **word);
int cmd_block_detach(int words, char **word);
int cmd_block_list(int words, char **word);
int cmd_network_attach(int words, char **word);
int cmd_network_detach(int words, char **word);
int cmd_network_list(int words, char **word);
int cmd_backend(int words, char **word);
int cmd_clean_up(int words, char **word);
int cmd_complete(int words, char **word);
int cmd_info(int words, char **word);
int cmd_dmesg(int words, char **word);
int cmd_top(int words, char **word);
int cmd_uptime(int words, char **word);
int cmd_debug_keys(int words, char **word);
int cmd_audit(int words, char **word);
int cmd_help(int words, char **word);

#endif

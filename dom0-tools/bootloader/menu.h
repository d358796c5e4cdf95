/* SPDX-License-Identifier: MIT */
/* menu.h: what a disk's own boot menu would start.
 *
 * Two kinds of menus: GRUB's grub.cfg, of whose shell we run as much as menus
 * are made of (set, if, menuentry, submenu), and the Boot Loader Specification's
 * entries, one small file each. Pure functions on text that may be anything.   */
#ifndef ENSO_BOOT_MENU_H
#define ENSO_BOOT_MENU_H

#include <stdbool.h>
#include <stddef.h>

#include "dom0-tools/libenso/complaint.h"

#define MENU_PATH 512
#define MENU_LINE 1024        /* what a guest's start_info holds                 */

struct choice {
    char title[128];
    char kernel[MENU_PATH];
    char ramdisk[MENU_PATH];  /* "" if none                                      */
    char line[MENU_LINE];     /* the kernel's command line                       */
};

/* The entry that `want` names (a number, "1>2" within a submenu, a title or an id; "" for the menu's
 * own default). -1 with a sentence. `text` ends with a NUL.                   */
int menu_grub(const char *text, const char *want, struct choice *out, struct complaint *why);

/* One entry's file; -1 with a sentence if it names no kernel. */
int menu_entry(const char *text, struct choice *out, struct complaint *why);

/* Which of two entries' file names is the newer version; > 0: a. */
int menu_newer(const char *a, const char *b);

#endif

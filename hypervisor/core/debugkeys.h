/* SPDX-License-Identifier: MIT */
/* debugkeys.h: h d m q r e l a R. */
#ifndef ENSO_DEBUGKEYS_H
#define ENSO_DEBUGKEYS_H

/* From the serial interrupt: remembered, WORK_DEBUGKEY set. */
void debugkey_press(char key);
/* WORK_DEBUGKEY: handles what was pressed; no lock held. */
void debugkey_run_pending(void);
void debugkey_handle(char key);      /* now: sysctl debug_keys */

#endif

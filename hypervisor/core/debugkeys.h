/* SPDX-License-Identifier: MIT */
/* debugkeys.h: h d m q r e a R and what others register. */
#ifndef ENSO_DEBUGKEYS_H
#define ENSO_DEBUGKEYS_H

void debugkey_register(char key, const char *what, void (*fn)(void));
void debugkey_handle(char key);      /* from the input path (via WORK_DEBUGKEY) or sysctl debug_keys */

#endif

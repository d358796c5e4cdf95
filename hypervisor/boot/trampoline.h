/* SPDX-License-Identifier: MIT */
/* trampoline.h: the page in low memory where other pCPUs start. Usable from assembly. */
#ifndef ENSO_TRAMPOLINE_H
#define ENSO_TRAMPOLINE_H

#define TRAMPOLINE_PHYS 0x8000

#endif

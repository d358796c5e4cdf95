/* SPDX-License-Identifier: MIT */
/* message.h: what bootfrom tells enso over its pipe.
 *
 * A message is a header and its bytes. bootfrom may have been taken over by the disk it reads,
 * so enso believes nothing: sizes are bounded, order is checked, text is text.  */
#ifndef ENSO_BOOT_MESSAGE_H
#define ENSO_BOOT_MESSAGE_H

#include <stdint.h>

#define BOOT_MAGIC   0x746f6f62u       /* "boot"                                 */
#define BOOT_CHUNK   65536u            /* the longest message                    */
#define BOOT_KERNEL_MOST  (128ull << 20)
#define BOOT_RAMDISK_MOST (512ull << 20)

enum boot_message {
    BOOT_TITLE = 1,                    /* of the entry chosen                    */
    BOOT_LINE,                         /* the command line                       */
    BOOT_KERNEL,                       /* the next bytes of the kernel           */
    BOOT_RAMDISK,
    BOOT_END,                          /* all is well                            */
    BOOT_WRONG,                        /* a sentence, and nothing follows        */
};

struct boot_header {
    uint32_t magic, type, len;
};

#endif

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

#define CONFIG_DISKS 16
#define CONFIG_VIFS   8
#define CONFIG_CONSOLES 4

enum disk_format { DISK_RAW, DISK_QCOW2 };

struct config_disk {
    char     target[CONFIG_PATH];      /* a block device below /dev/, or a file */
    char     vdev[16];                 /* as the guest calls it: xvda          */
    uint32_t devid;                    /* its number for that, 51712           */
    enum disk_format format;
    bool     writable;
    uint32_t iops;                     /* at most so many operations a second; 0: no limit */
    uint32_t mbps;                     /* at most so many MB (10^6) a second   */
};

struct config_vif {
    uint8_t  mac[6];
    bool     has_mac;                  /* else a random one, kept over restarts */
    char     bridge[16];
    char     ip[64];
    uint64_t rate;                     /* bytes a second; 0: no limit          */
    uint32_t rate_us;                  /* the interval of the rate's bucket    */
};

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
    uint8_t  uuid[16];
    bool     has_uuid;
    char     bootentry[80];            /* which entry of the disk's boot menu; "": its default */
    uint32_t memory_weight;            /* for balloond; 0: its default        */
    uint64_t memory_floor;             /* MiB; 0: its default                 */
    int      memory_auto;              /* -1 if not given                     */
    uint32_t consoles;
    uint32_t disks, vifs;
    struct config_disk disk[CONFIG_DISKS];
    struct config_vif  vif[CONFIG_VIFS];
    enum config_action on_poweroff;
    enum config_action on_reboot;
    enum config_action on_crash;
    struct complaint notes;            /* xl's keys that were read and passed over */
    struct complaint unknown;          /* and those that not even xl has        */
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

/* One disk or network card as xl writes it between the quotes; -1 with a
 * sentence about it (config_device.c).                                       */
int config_disk_parse(struct config_disk *d, const char *text, struct complaint *why);
int config_vif_parse(struct config_vif *v, const char *text, struct complaint *why);
/* And back, as config_disk_parse reads it. */
void config_disk_text(const struct config_disk *d, char *buf, size_t size);
void config_vif_text(const struct config_vif *v, char *buf, size_t size);
/* "xvda1" to 51713, as Xen's guests number them; false if it is no such name. */
bool config_vdev(const char *name, uint32_t *devid);
bool config_uuid(const char *text, uint8_t uuid[16]);
void config_uuid_text(const uint8_t uuid[16], char text[37]);
/* An address in any case as config_mac_text has it; false if it is none. */
bool config_mac(const char *text, char normal[18]);
void config_mac_text(const uint8_t mac[6], char text[18]);

const char *config_action_name(enum config_action a);

#endif

/* SPDX-License-Identifier: MIT */
/* pci.h: PCI devices, and the table of drivers that want them. */
#ifndef NOVICE_DRIVERS_PCI_H
#define NOVICE_DRIVERS_PCI_H

#include "guest-kernel/drivers/irq.h"
#include "guest-kernel/kernel/base.h"

#define PCI_COMMAND      0x04
#define PCI_STATUS       0x06
#define PCI_COMMAND_MEMORY  2
#define PCI_COMMAND_MASTER  4
#define PCI_COMMAND_NO_INTX 0x400
#define PCI_STATUS_INTX  0x08                     /* the device holds its line; it says so even when it is not let */

struct pci_driver;
struct pci_bar { uint64_t address, size; };
struct pci_dev {
    struct list  link;
    struct pci_dev *bridge;               /* it is behind; null: on the root bus */
    uint16_t     bdf;                     /* bus << 8 | device << 3 | function */
    uint16_t     vendor, device;
    uint32_t     class;                   /* class << 16 | subclass << 8 | programming interface */
    uint8_t      line_pin;                /* 1..4: INTA..INTD, 0: none      */
    uint8_t      msi_cap, msix_cap;       /* in configuration space; 0: none */
    uint8_t      bars_known;              /* bit n: bar[n] has been asked for */
    bool         msix_enabled;
    char         name[28];                /* for people: "nvme 00:04.0", or without a driver "00:04.0 (1234:11e8)" */
    uint64_t     irqs;                    /* bit n: its messages come in as irq n */
    struct pci_bar bar[6];
    const struct pci_driver *driver;
};

/* By vendor and device, or by class with vendor 0; { 0 } ends the list. */
struct pci_id { uint16_t vendor, device; uint32_t class, class_mask; };
struct pci_driver {
    const char          *name;
    const struct pci_id *ids;
    int                (*probe)(struct pci_dev *d);   /* 0: ours now; -errno, having said why */
};

/* Configuration space; size 1, 2 or 4, offset a multiple of it. */
uint32_t pci_read(const struct pci_dev *d, unsigned offset, unsigned size);
void pci_write(const struct pci_dev *d, unsigned offset, unsigned size, uint32_t value);
/* Lets the device answer to its memory BARs and master the bus, and the bridges above pass that on; and ends it, for the device. */
void pci_enable(struct pci_dev *d);
void pci_disable(struct pci_dev *d);
/* Machine address and size of a memory BAR; 0 size: none. */
struct pci_bar pci_bar(struct pci_dev *d, unsigned bar);
/* The registers behind a memory BAR, uncached, *size of them at most, and how many they are in *size. The pages of an MSI-X table may only
 * be read: who writes messages is pci_irq.c's business, or the hypervisor's. Null: no such BAR, or no kernel addresses left. */
void *pci_map_bar(struct pci_dev *d, unsigned bar, size_t *size);
/* Finds every device and offers it to the drivers. Quiet where there is no PCI. */
void pci_boot(void);
extern struct list all_pci_devs;

/* pci_irq.c. Up to `most` interrupts, the best that the device has (MSI-X, one MSI, its line, or else being polled): args[i] goes to fn
 * for the i-th. How many, or -errno. */
int  pci_irqs(struct pci_dev *d, unsigned most, irq_fn fn, void **args);
/* Where the MSI-X table lies; 0 size: there is none. */
struct pci_bar pci_msix_table(struct pci_dev *d);
void pci_irq_boot(void);

#endif

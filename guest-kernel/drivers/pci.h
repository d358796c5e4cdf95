/* SPDX-License-Identifier: MIT */
/* pci.h: PCI devices, and the table of drivers that want them. */
#ifndef NOVICE_DRIVERS_PCI_H
#define NOVICE_DRIVERS_PCI_H

#include "guest-kernel/drivers/irq.h"
#include "guest-kernel/kernel/base.h"

struct pci_driver;
struct pci_dev {
    struct list  link;
    uint16_t     bdf;                     /* bus << 8 | device << 3 | function */
    uint16_t     vendor, device;
    uint32_t     class;                   /* class << 16 | subclass << 8 | programming interface */
    uint8_t      line_pin;                /* 1..4: INTA..INTD, 0: none      */
    uint8_t      msi_cap, msix_cap;       /* in configuration space; 0: none */
    bool         msi_enabled, msix_enabled;
    const struct pci_driver *driver;
};

/* By vendor and device, or by class with vendor 0; { 0 } ends the list. */
struct pci_id { uint16_t vendor, device; uint32_t class, class_mask; };
struct pci_driver {
    const char          *name;
    const struct pci_id *ids;
    int                (*probe)(struct pci_dev *d);   /* 0: ours now; -errno */
};

/* Configuration space; size 1, 2 or 4, offset a multiple of it. */
uint32_t pci_read(const struct pci_dev *d, unsigned offset, unsigned size);
void pci_write(const struct pci_dev *d, unsigned offset, unsigned size, uint32_t value);
/* Lets the device answer to its memory BARs and master the bus. */
void pci_enable(struct pci_dev *d);
/* The registers behind a memory BAR, uncached; its size in *size. Null: none, or no kernel addresses left. */
void *pci_map_bar(struct pci_dev *d, unsigned bar, size_t *size);
/* Up to `most` interrupts, the best that the device has (MSI-X, one MSI, its line): args[i] goes to fn for the i-th. How many, or -errno. */
int  pci_irqs(struct pci_dev *d, unsigned most, irq_fn fn, void **args);
/* Machine address and size of a memory BAR; 0 size: none. */
uint64_t pci_bar(const struct pci_dev *d, unsigned bar, uint64_t *size);
/* Finds every device and offers it to the drivers. Quiet where there is no PCI. */
void pci_boot(void);
extern struct list all_pci_devs;

#endif

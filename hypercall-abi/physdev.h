/* SPDX-License-Identifier: MIT */
/* physdev.h: the machine's interrupts, ports and PCI devices, as the domain that drives them asks for
 * them. PIRQ means a physical interrupt by the number that the domain knows it by. SPEC 12.             */
#ifndef ENSO_ABI_PHYSDEV_H
#define ENSO_ABI_PHYSDEV_H

#include "abi.h"

#define PHYSDEVOP_IRQ_UNMASK_NOTIFY  4
#define PHYSDEVOP_irq_status_query   5
#define PHYSDEVOP_set_iopl           6
#define PHYSDEVOP_set_iobitmap       7
#define PHYSDEVOP_apic_read          8
#define PHYSDEVOP_apic_write         9
#define PHYSDEVOP_alloc_irq_vector   10
#define PHYSDEVOP_free_irq_vector    11
#define PHYSDEVOP_eoi                12
#define PHYSDEVOP_map_pirq           13
#define PHYSDEVOP_unmap_pirq         14
#define PHYSDEVOP_manage_pci_add     15
#define PHYSDEVOP_manage_pci_remove  16
#define PHYSDEVOP_pirq_eoi_gmfn_v1   17
#define PHYSDEVOP_restore_msi        19
#define PHYSDEVOP_manage_pci_add_ext 20
#define PHYSDEVOP_setup_gsi          21
#define PHYSDEVOP_get_free_pirq      23
#define PHYSDEVOP_pci_mmcfg_reserved 24
#define PHYSDEVOP_pci_device_add     25
#define PHYSDEVOP_pci_device_remove  26
#define PHYSDEVOP_restore_msi_ext    27
#define PHYSDEVOP_pirq_eoi_gmfn_v2   28
#define PHYSDEVOP_dbgp_op            29
#define PHYSDEVOP_prepare_msix       30
#define PHYSDEVOP_release_msix       31

struct physdev_eoi {
    uint32_t irq;
};

struct physdev_pirq_eoi_gmfn {
    xen_pfn_t gmfn; /* page in which a set bit means that the PIRQ needs an EOI */
};

#define XENIRQSTAT_needs_eoi (1U << 0)
#define XENIRQSTAT_shared    (1U << 1)
struct physdev_irq_status_query {
    uint32_t irq;
    uint32_t flags; /* out: XENIRQSTAT_* */
};

struct physdev_set_iopl {
    uint32_t iopl;
};

struct physdev_set_iobitmap {
    uint64_t bitmap; /* handle; a clear bit allows the port */
    uint32_t nr_ports;
};

struct physdev_apic {
    uint64_t apic_physbase; /* which IO-APIC */
    uint32_t reg;
    uint32_t value;
};

struct physdev_irq {
    uint32_t irq;
    uint32_t vector;
};

#define MAP_PIRQ_TYPE_MSI       0x0
#define MAP_PIRQ_TYPE_GSI       0x1
#define MAP_PIRQ_TYPE_UNKNOWN   0x2
#define MAP_PIRQ_TYPE_MSI_SEG   0x3
#define MAP_PIRQ_TYPE_MULTI_MSI 0x4
struct physdev_map_pirq {
    domid_t domid;
    int32_t type;  /* MAP_PIRQ_TYPE_* */
    int32_t index; /* GSI */
    int32_t pirq;  /* in: wished, -1 for any; out: got */
    int32_t bus;
    int32_t devfn;
    int32_t entry_nr;
    uint64_t table_base; /* MSI-X table, 0 for plain MSI */
};

struct physdev_unmap_pirq {
    domid_t domid;
    int32_t pirq;
};

struct physdev_manage_pci {
    uint8_t bus;
    uint8_t devfn;
};

struct physdev_restore_msi {
    uint8_t bus;
    uint8_t devfn;
};

struct physdev_manage_pci_ext {
    uint8_t bus;
    uint8_t devfn;
    uint32_t is_extfn;
    uint32_t is_virtfn;
    struct {
        uint8_t bus;
        uint8_t devfn;
    } physfn;
};

struct physdev_setup_gsi {
    int32_t gsi;
    uint8_t triggering; /* 1: level */
    uint8_t polarity;   /* 1: active low */
};

struct physdev_get_free_pirq {
    int32_t type;
    uint32_t pirq; /* out */
};

#define XEN_PCI_MMCFG_RESERVED 0x1
struct physdev_pci_mmcfg_reserved {
    uint64_t address;
    uint16_t segment;
    uint8_t start_bus;
    uint8_t end_bus;
    uint32_t flags;
};

#define XEN_PCI_DEV_EXTFN  0x1
#define XEN_PCI_DEV_VIRTFN 0x2
#define XEN_PCI_DEV_PXM    0x4
struct physdev_pci_device_add {
    uint16_t seg;
    uint8_t bus;
    uint8_t devfn;
    uint32_t flags;
    struct {
        uint8_t bus;
        uint8_t devfn;
    } physfn;
    uint32_t optarr[]; /* with XEN_PCI_DEV_PXM, one word */
};

struct physdev_pci_device {
    uint16_t seg;
    uint8_t bus;
    uint8_t devfn;
};

#define PHYSDEVOP_DBGP_RESET_PREPARE 1
#define PHYSDEVOP_DBGP_RESET_DONE    2
#define PHYSDEVOP_DBGP_BUS_UNKNOWN   0
#define PHYSDEVOP_DBGP_BUS_PCI       1
struct physdev_dbgp_op {
    uint8_t op;
    uint8_t bus;
    union {
        struct physdev_pci_device pci;
    } u;
};

#endif

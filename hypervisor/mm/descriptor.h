/* SPDX-License-Identifier: MIT */
/* descriptor.h: guests' GDT and LDT: frames typed FT_DESC whose every entry was checked (pitfalls A6). */
#ifndef ENSO_DESCRIPTOR_H
#define ENSO_DESCRIPTOR_H

#include "hypervisor/model.h"

/* Validates a whole frame's 512 descriptors in place (called by frame.c on first FT_DESC reference). */
int  descriptor_validate_frame(mfn_t m);
/* set_gdt of n frames for v; replaces the old. References and windows. -EINVAL. nr_entries <= 14*512. */
int  gdt_set(struct vcpu *v, const gfn_t *frames, unsigned nr_frames, unsigned nr_entries);
void gdt_drop(struct vcpu *v);
/* MMUEXT_SET_LDT: base page aligned, entries <= 8192. */
int  ldt_set(struct vcpu *v, uint64_t base, unsigned entries);
void ldt_drop(struct vcpu *v);
/* #PF inside v's LDT window: maps the guest's page there if it is valid as FT_DESC. True: retry the instruction. */
bool ldt_fault(struct vcpu *v, uint64_t offset);
/* Before v runs on p: p's page of hypervisor descriptors into the window; then GDTR and LDTR. */
void descriptor_load(struct vcpu *v, struct pcpu *p);
/* hc_update_descriptor and hc_set_gdt are here too. */
/* Reads descriptor sel of v through its windows, for emulation: false when there is none. */
bool descriptor_read(struct vcpu *v, uint16_t sel, uint64_t *desc);

#endif

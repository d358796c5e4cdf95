/* SPDX-License-Identifier: MIT */
/* hypercall_protos.h: a prototype for each row of the table of hypercalls. Only lib/hypercall.h includes it. */
#define H0(nr, name, who, doc, spec) \
    long hc_##name(struct vcpu *v);
#define H1(nr, name, who, t0, a0, doc, spec) \
    long hc_##name(struct vcpu *v, t0 a0);
#define H2(nr, name, who, t0, a0, t1, a1, doc, spec) \
    long hc_##name(struct vcpu *v, t0 a0, t1 a1);
#define H3(nr, name, who, t0, a0, t1, a1, t2, a2, doc, spec) \
    long hc_##name(struct vcpu *v, t0 a0, t1 a1, t2 a2);
#define H4(nr, name, who, t0, a0, t1, a1, t2, a2, t3, a3, doc, spec) \
    long hc_##name(struct vcpu *v, t0 a0, t1 a1, t2 a2, t3 a3);
#include "hypercall-abi/hypercalls.def"

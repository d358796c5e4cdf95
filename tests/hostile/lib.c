/* SPDX-License-Identifier: MIT */
/* lib.c: printing, pages and page tables for the attacks. */
#include <stdarg.h>
#include "tests/hostile/hostile.h"

static unsigned put_number(char *p, uint64_t v, unsigned base)
{
    char d[20];
    unsigned n = 0, k = 0;

    do
        d[n++] = "0123456789abcdef"[v % base];
    while (v /= base);
    while (n)
        p[k++] = d[--n];
    return k;
}

void say(const char *fmt, ...)
{
    char b[240];
    unsigned n = 0;
    va_list ap;

    va_start(ap, fmt);
    for (; *fmt && n < 200; fmt++) {
        if (*fmt != '%') {
            b[n++] = *fmt;
            continue;
        }
        switch (*++fmt) {
        case 's':
            for (const char *s = va_arg(ap, const char *); *s && n < 200; s++)
                b[n++] = *s;
            break;
        case 'd': {
            int64_t v = va_arg(ap, int64_t);
            if (v < 0) {
                b[n++] = '-';
                v = -v;
            }
            n += put_number(b + n, v, 10);
            break;
        }
        case 'u': n += put_number(b + n, va_arg(ap, uint64_t), 10); break;
        case 'x': n += put_number(b + n, va_arg(ap, uint64_t), 16); break;
        }
    }
    va_end(ap);
    b[n++] = '\n';
    hypercall_console_io(CONSOLEIO_write, n, gva(b));
}

uint64_t rnd(void)
{
    static uint64_t s;

    if (!s)
        s = option("seed", 1) * 0x9e3779b97f4a7c15UL + 1;
    s ^= s << 13;
    s ^= s >> 7;
    s ^= s << 17;
    return s;
}

/* ---- memory ------------------------------------------------------------------------------------ */

uint64_t va_to_mfn(const void *va)
{
    return ((uint64_t *)si->mfn_list)[((uint64_t)va - VIRT_BASE) / PAGE];
}

void *mfn_to_va(uint64_t mfn)
{
    return (void *)(VIRT_BASE + machine_to_phys_mapping[mfn] * PAGE);
}

uint64_t *table_at(unsigned level, uint64_t va)
{
    uint64_t *table = (uint64_t *)si->pt_base;

    for (unsigned l = 4;; l--) {
        uint64_t *slot = &table[va >> (12 + 9 * (l - 1)) & 511];
        if (l == level)
            return slot;
        if (!(*slot & PTE_P))
            return NULL;
        table = mfn_to_va((*slot & PTE_ADDR) >> 12);
    }
}

uint64_t maddr_of(const void *va)
{
    return va_to_mfn(va) * PAGE + ((uint64_t)va & (PAGE - 1));
}

long set_entry(uint64_t *slot, uint64_t value)
{
    struct mmu_update u = { maddr_of(slot) | MMU_NORMAL_PT_UPDATE, value };
    return hypercall_mmu_update(gva(&u), 1, 0, DOMID_SELF);
}

long map_at(void *va, uint64_t pte)
{
    return hypercall_update_va_mapping((uint64_t)va, pte, UVMF_INVLPG);
}

#define FLAGS (PTE_P | PTE_U | PTE_A | PTE_D)
void make_readonly(void *va)
{
    if (map_at(va, va_to_mfn(va) * PAGE | FLAGS))
        TEST_ERROR("cannot make %x read-only", (uint64_t)va);
}
void make_writable(void *va)
{
    if (map_at(va, va_to_mfn(va) * PAGE | FLAGS | PTE_RW))
        TEST_ERROR("cannot make %x writable", (uint64_t)va);
}

long pin(unsigned level, void *va)
{
    struct mmuext_op op = { .cmd = MMUEXT_PIN_L1_TABLE + level - 1 };
    op.arg1.mfn = va_to_mfn(va);
    return hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF);
}

long unpin(void *va)
{
    struct mmuext_op op = { .cmd = MMUEXT_UNPIN_TABLE };
    op.arg1.mfn = va_to_mfn(va);
    return hypercall_mmuext_op(gva(&op), 1, 0, DOMID_SELF);
}

void *memset(void *p, int c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile char *)p)[i] = c;
    return p;
}
void *memcpy(void *d, const void *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ((volatile char *)d)[i] = ((const char *)s)[i];
    return d;
}

/* SPDX-License-Identifier: MIT */
/* grant_calls.c: grant_table_op as a call: whom it may name, how it goes through its list, in pieces, and where it stops when the list
 * cannot be read or its results not be told (SPEC 10.2). What cannot be told has not happened: else a frame is mapped, and lent for
 * ever, by a handle that nobody knows. grant_unit.c and grant_ends.c have the grants themselves.                                   */
#include <sys/mman.h>

#include "tests/host/grant_world.h"
#include "hypercall-abi/errno.h"
#include "hypervisor/lib/hypercall.h"

static long op(struct vcpu *v, uint64_t cmd, const void *list, uint64_t n) { return host_hypercall(v, __HYPERVISOR_grant_table_op, cmd, (uint64_t)list, n, 0); }

static void lend_some(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        lend(20 + i, lent[i % PAGES], 0);
}

static struct gnttab_map_grant_ref map_op(unsigned i)
{
    return (struct gnttab_map_grant_ref){ .host_addr = (uint64_t)(40 + i) << 12, .flags = HOST, .ref = 20 + i, .dom = 1, .handle = 777, .status = 77 };
}

static bool is_lent(unsigned i) { return uses(20 + i) != 0; }

static void whom(void **state)
{
    xen_pfn_t frames[HOST_GRANT_FRAMES] = { 0 };
    struct gnttab_setup_table s = { .dom = DOMID_SELF, .nr_frames = 1, .frame_list = (uint64_t)frames };
    struct gnttab_query_size q = { .dom = 1 };
    struct gnttab_get_version g = { .dom = DOMID_SELF, .version = 9 };

    (void)state;
    assert_true(!op(vl, GNTTABOP_setup_table, &s, 1) && s.status == GNTST_okay && frames[0] == lender->grant->shared_mfn[0].raw);
    s.dom = 1;
    assert_true(!op(vl, GNTTABOP_setup_table, &s, 1) && s.status == GNTST_okay);
    assert_true(!op(vb, GNTTABOP_setup_table, &s, 1) && s.status == GNTST_permission_denied);
    assert_true(!op(vb, GNTTABOP_query_size, &q, 1) && q.status == GNTST_permission_denied);
    assert_true(!op(vl, GNTTABOP_query_size, &q, 1) && q.status == GNTST_okay && q.nr_frames == 1 && q.max_nr_frames == HOST_GRANT_FRAMES);
    g.dom = 1;
    assert_int_equal(op(vb, GNTTABOP_get_version, &g, 1), -XEN_EPERM);
    borrower->privileged = true;
    assert_true(!op(vb, GNTTABOP_query_size, &q, 1) && q.status == GNTST_okay);
    assert_true(!op(vb, GNTTABOP_get_version, &g, 1) && g.version == 1);
    s.dom = q.dom = g.dom = 9;
    assert_true(!op(vb, GNTTABOP_setup_table, &s, 1) && s.status == GNTST_bad_domain);
    assert_true(!op(vb, GNTTABOP_query_size, &q, 1) && q.status == GNTST_bad_domain);
    assert_int_equal(op(vb, GNTTABOP_get_version, &g, 1), -XEN_ESRCH);
    borrower->privileged = false;
    s = (struct gnttab_setup_table){ .dom = DOMID_SELF, .nr_frames = HOST_GRANT_FRAMES + 1, .frame_list = (uint64_t)frames };
    assert_true(!op(vl, GNTTABOP_setup_table, &s, 1) && s.status == GNTST_general_error);
    s = (struct gnttab_setup_table){ .dom = DOMID_SELF, .nr_frames = 1, .frame_list = HV_START };
    assert_true(!op(vl, GNTTABOP_setup_table, &s, 1) && s.status == GNTST_bad_virt_addr);
    assert_int_equal(lender->refs + borrower->refs, 0);
}

static void versions(void **state)
{
    struct gnttab_get_version g = { .dom = DOMID_SELF };
    struct gnttab_set_version s = { .version = 1 };
    struct gnttab_get_status_frames f = { .status = 9 };
    static const struct { uint32_t version; long rc; } t[] = { { 1, 0 }, { 2, -XEN_ENOSYS }, { 0, -XEN_EINVAL }, { 3, -XEN_EINVAL } };

    (void)state;
    assert_int_equal(op(vl, GNTTABOP_get_version, (void *)HV_START, 1), -XEN_EFAULT);
    faults_fill(&g, sizeof(g));
    assert_int_equal(op(vl, GNTTABOP_get_version, read_only_page, 1), -XEN_EFAULT);
    for (unsigned i = 0; i < 4; i++) {
        s.version = t[i].version;
        assert_int_equal(op(vl, GNTTABOP_set_version, &s, 1), t[i].rc);
        assert_int_equal(s.version, 1);                                     /* what it is now */
    }
    faults_fill(&s, sizeof(s));
    assert_int_equal(op(vl, GNTTABOP_set_version, read_only_page, 1), -XEN_EFAULT);
    assert_int_equal(op(vl, GNTTABOP_set_version, (void *)HV_START, 1), -XEN_EFAULT);
    assert_true(!op(vl, GNTTABOP_get_status_frames, &f, 1) && f.status == GNTST_general_error);
    assert_int_equal(op(vl, GNTTABOP_get_status_frames, &f, 2), -XEN_EINVAL);
    assert_int_equal(op(vl, GNTTABOP_query_size, &f, 0), -XEN_EINVAL);
    assert_int_equal(op(vl, GNTTABOP_transfer, &f, 1), -XEN_ENOSYS);
    assert_int_equal(op(vl, 99, &f, 1), -XEN_ENOSYS);
    assert_int_equal(op(vl, 1UL << 32 | GNTTABOP_get_version, &g, 1), -XEN_EINVAL);
    assert_int_equal(op(vl, GNTTABOP_map_grant_ref, (void *)HV_START, 0x80000000), -XEN_EINVAL);
    assert_int_equal(op(vl, GNTTABOP_map_grant_ref, (void *)HV_START, 0x7fffffff), -XEN_EFAULT);
    assert_int_equal(op(vl, GNTTABOP_map_grant_ref, (void *)HV_START, 0), 0);
}

#define MANY (3 * GRANT_RUN)

static void in_pieces(void **state)
{
    static struct gnttab_map_grant_ref m[MANY];
    static struct gnttab_unmap_grant_ref u[MANY];

    (void)state;
    lend_some(MANY);
    for (unsigned i = 0; i < MANY; i++)
        m[i] = map_op(i);
    assert_int_equal(hc_grant_table_op(vb, GNTTABOP_map_grant_ref, gva((uint64_t)m), MANY), 0);         /* nobody waits: at once */
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(m[i].status, GNTST_okay);
        u[i] = (struct gnttab_unmap_grant_ref){ .host_addr = m[i].host_addr, .handle = m[i].handle };
    }
    host_preempt_one_in = 1;
    assert_int_equal(hc_grant_table_op(vb, GNTTABOP_unmap_grant_ref, gva((uint64_t)u), MANY), HOST_AGAIN);
    assert_true(host_again.a[0] == GNTTABOP_unmap_grant_ref && host_again.a[1] == (uint64_t)&u[GRANT_RUN] && host_again.a[2] == MANY - GRANT_RUN);
    assert_true(!is_lent(0) && is_lent(GRANT_RUN));
    assert_int_equal(op(vb, GNTTABOP_unmap_grant_ref, &u[GRANT_RUN], MANY - GRANT_RUN), 0);
    host_preempt_one_in = 0;
    for (unsigned i = 0; i < MANY; i++)
        assert_true(!is_lent(i) && u[i].status == GNTST_okay);
}

/* Four operations that reach from one page into the next, of which the second page is missing, or read-only. */
static void where_a_list_ends(void **state)
{
    char *pages = mmap(NULL, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct gnttab_map_grant_ref *m = (struct gnttab_map_grant_ref *)(pages + PAGE_SIZE) - 2;

    (void)state;
    faults_catch();
    lend_some(4);
    for (unsigned i = 0; i < 4; i++)
        m[i] = map_op(i);
    mprotect(pages + PAGE_SIZE, PAGE_SIZE, PROT_NONE);
    assert_int_equal(op(vb, GNTTABOP_map_grant_ref, m, 4), -XEN_EFAULT);
    assert_true(m[0].status == GNTST_okay && m[1].status == GNTST_okay);     /* those before it are done, and told */
    assert_true(is_lent(0) && is_lent(1) && !is_lent(2) && !is_lent(3));
    for (unsigned i = 0; i < 2; i++) {
        struct gnttab_unmap_grant_ref u = { .host_addr = m[i].host_addr, .handle = m[i].handle };
        assert_true(!op(vb, GNTTABOP_unmap_grant_ref, &u, 1) && u.status == GNTST_okay);
        m[i] = map_op(i);
    }
    mprotect(pages + PAGE_SIZE, PAGE_SIZE, PROT_READ);
    assert_int_equal(op(vb, GNTTABOP_map_grant_ref, m, 4), -XEN_EFAULT);
    assert_true(m[0].status == GNTST_okay && m[1].status == GNTST_okay && m[2].status == 77);
    assert_true(is_lent(0) && is_lent(1) && !is_lent(2) && !is_lent(3));     /* what could not be told was undone */
    for (unsigned i = 0; i < 2; i++) {
        struct gnttab_unmap_grant_ref u = { .host_addr = m[i].host_addr, .handle = m[i].handle };
        assert_true(!op(vb, GNTTABOP_unmap_grant_ref, &u, 1) && u.status == GNTST_okay);
    }
    faults_fill(&m[2], sizeof(m[2]));
    assert_int_equal(op(vb, GNTTABOP_unmap_grant_ref, read_only_page, 1), -XEN_EFAULT);       /* there is nothing to undo */
    munmap(pages, 2 * PAGE_SIZE);
}

int main(void)
{
    const struct CMUnitTest tests[] = { TEST(whom), TEST(versions), TEST(in_pieces), TEST(where_a_list_ends) };
    return cmocka_run_group_tests_name("grant calls", tests, NULL, NULL);
}

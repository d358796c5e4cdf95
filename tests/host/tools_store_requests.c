/* SPDX-License-Identifier: MIT */
/* tools_store_requests.c: values, paths, lists and permissions.
 *
 * Claims (SPEC 11.4): each request answers as Xen's daemon does; who may not read or write a node is refused, and does not learn whether
 * it exists. A failure of the latter means that one guest reads or changes what is another's.              */
#include "tests/host/store_world.h"

/* ---- requests ----------------------------------------------------------------------------------------------- */

static void test_values(void **state)
{
    (void)state;
    IS("ENOENT", read_node(0, 0, "/a/b"));
    IS("OK", write_node(0, 0, "/a/b", "value"));
    IS("value", read_node(0, 0, "/a/b"));
    IS("", read_node(0, 0, "/a"));
    IS("OK", write_node(0, 0, "rel", "x"));
    IS("x", read_node(0, 0, "/local/domain/0/rel"));
    IS("OK", ASK(0, XS_MKDIR, 0, "/a/dir"));
    IS("OK", ASK(0, XS_MKDIR, 0, "/a/b"));
    IS("value", read_node(0, 0, "/a/b"));
    ASK(0, XS_DIRECTORY, 0, "/a");
    assert_int_equal(last.len, 6);
    assert_memory_equal(last.text, "b\0dir\0", 6);
    IS("OK", ASK(0, XS_RM, 0, "/a/dir"));
    IS("OK", ASK(0, XS_RM, 0, "/a/dir"));
    IS("ENOENT", ASK(0, XS_RM, 0, "/x/y/z"));
    IS("EINVAL", ASK(0, XS_RM, 0, "/"));
    IS("OK", ASK(0, XS_RM, 0, "/a"));
    IS("ENOENT", read_node(0, 0, "/a/b"));
    IS("ENOSYS", ask(0, 20, 0, "x", 2));
    IS("ENOSYS", ask(0, 99, 0, "x", 2));
    IS("EINVAL", ask(0, XS_READ, 0, "/a", 2));               /* no zero */
    IS("EINVAL", ask(0, XS_READ, 0, "/a\0b", 5));            /* two strings */
    IS("EINVAL", ask(0, XS_READ, 0, "", 0));
    IS("/local/domain/5", ASK(0, XS_GET_DOMAIN_PATH, 0, "5"));
    IS("F", ASK(0, XS_IS_DOMAIN_INTRODUCED, 0, "5"));
    IS("T", ASK(0, XS_IS_DOMAIN_INTRODUCED, 0, "0"));
    IS("EINVAL", ASK(0, XS_GET_DOMAIN_PATH, 0, "five"));
}

static void test_paths(void **state)
{
    char longest[PATH_MOST + 64];

    (void)state;
    static const char *const bad[] = { "", "/a//b", "/a/", "/a b", "/a.b", "a/", "@x", "/ä", "/a*" };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        IS("EINVAL", write_node(0, 0, bad[i], "v"));
    memset(longest, 'a', sizeof(longest));
    longest[0] = '/';
    longest[XENSTORE_ABS_PATH_MAX] = '\0';
    IS("OK", write_node(0, 0, longest, "v"));
    longest[XENSTORE_ABS_PATH_MAX] = 'a';
    longest[XENSTORE_ABS_PATH_MAX + 1] = '\0';
    IS("EINVAL", write_node(0, 0, longest, "v"));
    longest[0] = 'a';
    longest[XENSTORE_REL_PATH_MAX] = '\0';
    IS("OK", write_node(0, 0, longest, "v"));
    longest[XENSTORE_REL_PATH_MAX] = 'a';
    longest[XENSTORE_REL_PATH_MAX + 1] = '\0';
    IS("EINVAL", write_node(0, 0, longest, "v"));
}

static void test_directory_part(void **state)
{
    char path[32], all[16384], generation[32] = "";
    size_t have = 0;
    int names = 0;

    (void)state;
    for (int i = 0; i < 1000; i++) {
        sprintf(path, "/big/node-%d", i);
        IS("OK", write_node(0, 0, path, ""));
    }
    IS("E2BIG", ASK(0, XS_DIRECTORY, 0, "/big"));
    for (bool end = false; !end;) {
        char args[64];
        int n = sprintf(args, "/big%c%zu", 0, have) + 1;
        ask(0, XS_DIRECTORY_PART, 0, args, (size_t)n);
        assert_int_equal(last.type, XS_DIRECTORY_PART);
        size_t head = strlen(last.text) + 1;
        if (generation[0])
            IS(generation, last.text);
        strcpy(generation, last.text);
        memcpy(all + have, last.text + head, last.len - head);
        have += last.len - head;
        end = have >= 2 && !all[have - 1] && !all[have - 2];
    }
    for (size_t i = 0; i + 1 < have; i++)
        names += all[i] == '\0';
    assert_int_equal(names, 1000);
}

/* ---- permissions: each kind of right against each kind of request ------------------------------------------- */

static void test_permissions(void **state)
{
    static const struct { const char *perms; size_t n; bool read, write; } matrix[] = {
        { "n0", 3, false, false }, { "r0", 3, true, false }, { "w0", 3, false, true }, { "b0", 3, true, true },
        { "n0\0r1", 6, true, false }, { "n0\0w1", 6, false, true }, { "n0\0b1", 6, true, true }, { "b0\0n1", 6, false, false },
        { "n0\0b2", 6, false, false }, { "n1", 3, true, true }, { "n2\0r1", 6, true, false },
    };

    (void)state;
    introduce(1);
    introduce(2);
    for (size_t i = 0; i < sizeof(matrix) / sizeof(matrix[0]); i++) {
        char args[64] = "/p";
        IS("OK", write_node(0, 0, "/p", "v"));
        IS("OK", write_node(0, 0, "/p/below", "v"));
        memcpy(args + 3, matrix[i].perms, matrix[i].n);
        IS("OK", ask(0, XS_SET_PERMS, 0, args, 3 + matrix[i].n));
        bool owner = matrix[i].perms[1] == '1';
        IS(matrix[i].read ? "v" : "EACCES", read_node(1, 0, "/p"));
        ASK(1, XS_DIRECTORY, 0, "/p");
        IS(matrix[i].read ? "below" : "EACCES", last.text);
        ASK(1, XS_GET_PERMS, 0, "/p");
        assert_int_equal(last.type == XS_ERROR, !matrix[i].read);
        IS(matrix[i].read ? "ENOENT" : "EACCES", read_node(1, 0, "/p/nothing"));
        IS(matrix[i].write ? "OK" : "EACCES", write_node(1, 0, "/p", "v"));
        IS(matrix[i].write ? "OK" : "EACCES", write_node(1, 0, "/p/new", "v"));
        if (matrix[i].write)
            IS("OK", ASK(1, XS_RM, 0, "/p/new"));
        IS("EACCES", read_node(1, 0, "/p/below"));
        IS(owner ? "OK" : "EACCES", ASK(1, XS_SET_PERMS, 0, "/p\0n1"));
        if (owner)
            IS("EPERM", ASK(1, XS_SET_PERMS, 0, "/p\0n2"));
        IS("OK", ASK(0, XS_RM, 0, "/p"));
    }
    static const uint32_t toolstack[] = { XS_INTRODUCE, XS_RELEASE, XS_RESUME, XS_SET_TARGET, XS_CONTROL };
    for (size_t i = 0; i < sizeof(toolstack) / sizeof(toolstack[0]); i++)
        IS("EACCES", ask(1, toolstack[i], 0, "2\0003\0004", 6));
    IS("EACCES", read_node(1, 0, "/local/domain/2/name"));
    IS("EACCES", write_node(1, 0, "/local/domain/2/x", "v"));
    IS("EACCES", write_node(1, 0, "/local/domain/0/x", "v"));
    IS("EACCES", write_node(1, 0, "/mine", "v"));
}

static void test_inherit(void **state)
{
    (void)state;
    introduce(1);
    IS("OK", write_node(1, 0, "a/b", "v"));
    ASK(0, XS_GET_PERMS, 0, "/local/domain/1/a/b");
    IS("n1", last.text);
    IS("OK", write_node(0, 0, "/local/domain/1/theirs", "v"));
    ASK(0, XS_GET_PERMS, 0, "/local/domain/1/theirs");
    IS("n1", last.text);
    IS("ENOENT", ASK(0, XS_SET_PERMS, 0, "/local/domain/1/absent\0n0\0r1"));
}

static void test_target(void **state)
{
    (void)state;
    introduce(1);
    introduce(2);
    IS("EACCES", write_node(2, 0, "/local/domain/1/x", "v"));
    IS("OK", ASK(0, XS_SET_TARGET, 0, "2\0001"));
    IS("OK", write_node(2, 0, "/local/domain/1/x", "v"));
    IS("ENOENT", ASK(0, XS_SET_TARGET, 0, "5\0001"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(test_values), T(test_paths), T(test_directory_part), T(test_permissions), T(test_inherit), T(test_target),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

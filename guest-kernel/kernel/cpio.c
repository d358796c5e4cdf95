/* SPDX-License-Identifier: MIT */
/* cpio.c: the initrd, a newc archive, unpacked into the root file system.
 *
 * Each member is a header of 110 characters, thirteen numbers in hexadecimal, then its name and its data, both padded to
 * four bytes. Hard links share an inode number, and the last of them carries the data.                           */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/syscalls.h"

#define HEADER 110
#define LINKS_MAX 512

enum { F_INO, F_MODE, F_UID, F_GID, F_NLINK, F_MTIME, F_SIZE, F_MAJOR, F_MINOR, F_RMAJOR, F_RMINOR, F_NAMESIZE, F_CHECK, FIELDS };

struct member {
    uint32_t    field[FIELDS];
    const char *name, *data;
};

/* Names of multi-link inodes seen so far. */
static struct { uint32_t ino; const char *name; } *links;
static unsigned links_used;

static bool hex_field(const char *s, uint32_t *out)
{
    uint32_t v = 0;
    for (unsigned i = 0; i < 8; i++) {
        char c = s[i], low = c | 0x20;
        if (c >= '0' && c <= '9')
            v = v << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            v = v << 4 | (uint32_t)(low - 'a' + 10);
        else
            return false;
    }
    *out = v;
    return true;
}

/* Reads the member at *at and moves on; false at the end or at nonsense. */
static bool next_member(const char **at, const char *end, struct member *m)
{
    const char *p = *at;
    if (end - p < HEADER || (memcmp(p, "070701", 6) != 0 && memcmp(p, "070702", 6) != 0))
        return false;
    for (unsigned i = 0; i < FIELDS; i++)
        if (!hex_field(p + 6 + 8 * i, &m->field[i]))
            return false;
    uint64_t data = ROUND_UP((uint64_t)HEADER + m->field[F_NAMESIZE], 4), next = data + ROUND_UP((uint64_t)m->field[F_SIZE], 4);
    if (m->field[F_NAMESIZE] == 0 || next > (uint64_t)(end - p) || p[HEADER + m->field[F_NAMESIZE] - 1] != 0)
        return false;
    m->name = p + HEADER;
    m->data = p + data;
    *at = p + next;
    return true;
}

static const char *first_link(uint32_t ino, const char *name)
{
    for (unsigned i = 0; i < links_used; i++)
        if (links[i].ino == ino)
            return links[i].name;
    if (links_used < LINKS_MAX) {
        links[links_used].ino = ino;
        links[links_used++].name = name;
    }
    return 0;
}

static int write_data(struct inode *i, const struct member *m)
{
    if (m->field[F_SIZE] == 0)
        return 0;
    return inode_write(i, m->data, m->field[F_SIZE], 0) == (long)m->field[F_SIZE] ? 0 : -ENOSPC;
}

static int make_link(const char *path, const char *to, const struct member *m)
{
    char name[NAME_MAX + 1];
    struct inode *i, *dir;
    int rc = path_lookup(path, 0, &i);
    if (rc)
        return rc;
    rc = path_parent(to, &dir, name);
    if (rc == 0) {
        rc = dir->ops->link(dir, name, i);
        inode_put(dir);
    }
    if (rc == 0)
        rc = write_data(i, m);
    inode_put(i);
    return rc;
}

static int set_contents(const char *path, const struct member *m)
{
    struct inode *i;
    uint32_t type = m->field[F_MODE] & S_IFMT;
    int rc = path_lookup(path, 0, &i);
    if (rc)
        return rc;
    if (type == S_IFREG)
        rc = write_data(i, m);
    i->mtime = m->field[F_MTIME] * NSEC_PER_SEC;
    i->mode = type | (m->field[F_MODE] & 07777);
    inode_put(i);
    return rc;
}

static int make_symlink(const char *path, const struct member *m)
{
    char name[NAME_MAX + 1];
    struct inode *dir;
    char *target = m->field[F_SIZE] < PATH_MAX ? kmalloc(PATH_MAX) : 0;
    if (!target)
        return -ENOMEM;
    memcpy(target, m->data, m->field[F_SIZE]);
    int rc = path_parent(path, &dir, name);
    if (rc == 0) {
        rc = dir->ops->symlink ? dir->ops->symlink(dir, name, target) : -EACCES;
        inode_put(dir);
    }
    kfree(target);
    return rc;
}

static int unpack_one(const struct member *m)
{
    char path[256] = "/";
    const char *name = m->name;
    while (*name == '/' || (name[0] == '.' && (name[1] == '/' || name[1] == 0)))
        name++;
    if (!*name || strlen(name) >= sizeof(path) - 1)
        return 0;
    strlcpy(path + 1, name, sizeof(path) - 1);
    uint32_t mode = m->field[F_MODE];
    if ((mode & S_IFMT) == S_IFREG && m->field[F_NLINK] > 1) {
        const char *first = first_link(m->field[F_INO], m->name);
        if (first)
            return make_link(first, path, m);
    }
    int rc = S_ISLNK(mode) ? make_symlink(path, m) : fs_make(path, mode, m->field[F_RMAJOR] << 8 | m->field[F_RMINOR]);
    if (rc && !(rc == -EEXIST && S_ISDIR(mode)))
        return rc;
    return set_contents(path, m);
}

int cpio_unpack(const void *archive, size_t size)
{
    const char *at = archive, *end = at + size;
    struct member m = { 0 };
    int rc = -EINVAL;
    links = kmalloc(LINKS_MAX * sizeof(*links));
    links_used = 0;
    if (!links)
        return -ENOMEM;
    while (next_member(&at, end, &m)) {
        rc = 0;
        if (strcmp(m.name, "TRAILER!!!") == 0)
            break;
        rc = unpack_one(&m);
        if (rc) {
            kprintf("novice: initrd: %s: error %d\n", m.name, -rc);
            if (rc == -ENOSPC || rc == -ENOMEM)
                break;
        }
    }
    kfree(links);
    if (rc == 0 && strcmp(m.name, "TRAILER!!!") != 0)
        kprintf("novice: initrd: cut off after %s; what came before is there\n", m.name);
    return rc;
}

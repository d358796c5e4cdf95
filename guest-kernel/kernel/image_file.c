/* SPDX-License-Identifier: MIT */
/* image_file.c: the files that disk images lie in, and what else the formats ask of the kernel.
 *
 * A file that is written as an image is nobody else's image, neither to write nor as a base: the list of open ones knows. */
#include "guest-kernel/kernel/file.h"
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/image.h"
#include "guest-kernel/kernel/image_file.h"
#include "guest-kernel/kernel/proc.h"

struct image_file {
    struct list   link;
    struct inode *inode;
    bool          writing;
    char          name[LOOP_NAME];
};

static struct list open_files = LIST_INIT(open_files);

/* May the file be used so, beside those who use it already? */
static int may_use(struct inode *inode, bool writing)
{
    list_for (f, &open_files, struct image_file, link)
        if (f->inode == inode && (f->writing || writing))
            return -EBUSY;
    return 0;
}

int image_file_open(const char *path, bool read_only, struct image_file **out, char *why)
{
    struct inode *inode;
    int rc = path_lookup(path, WALK_FOLLOW, &inode);
    if (rc) {
        image_say(why, rc == -ENOENT ? "there is no file %s" : "%s cannot be opened", path);
        return rc;
    }
    if (!S_ISREG(inode->mode)) {
        image_say(why, "%s is not a file", path);
        rc = -EINVAL;
    } else if ((rc = may_use(inode, !read_only))) {
        image_say(why, "%s is in use as %s", path, read_only ? "a disk that is written" : "a disk already, or below one");
    }
    struct image_file *f = rc ? 0 : kmalloc(sizeof(*f));
    if (!f) {
        inode_put(inode);
        return rc ? rc : -ENOMEM;
    }
    f->inode = inode;
    f->writing = !read_only;
    strlcpy(f->name, path, sizeof(f->name));
    list_append(&open_files, &f->link);
    *out = f;
    return 0;
}

/* A relative name is meant from where the image lies. */
int image_file_beside(struct image_file *f, const char *name, struct image_file **out, char *why)
{
    char path[LOOP_NAME];
    const char *slash = strrchr(f->name, '/');
    size_t dir = name[0] != '/' && slash ? (size_t)(slash - f->name) + 1 : 0;
    if (dir + strlen(name) >= sizeof(path)) {
        image_say(why, "%s: the name of the image below it is too long", f->name);
        return -ENAMETOOLONG;
    }
    memcpy(path, f->name, dir);
    strlcpy(path + dir, name, sizeof(path) - dir);
    return image_file_open(path, true, out, why);
}

void image_file_close(struct image_file *f)
{
    list_remove(&f->link);
    inode_put(f->inode);
    kfree(f);
}

const char *image_file_name(struct image_file *f) { return f->name; }
uint64_t image_file_size(struct image_file *f) { return f->inode->size; }

int image_file_read(struct image_file *f, void *buf, size_t n, uint64_t pos)
{
    size_t done = 0;
    while (done < n) {
        long got = inode_read(f->inode, (char *)buf + done, n - done, pos + done);
        if (got < 0)
            return (int)got;
        if (got == 0 && pos + done < f->inode->size)
            return -EIO;                          /* the reader is being killed: zeros it must not take for the file's */
        if (got == 0)
            break;
        done += (size_t)got;
    }
    memset((char *)buf + done, 0, n - done);
    return 0;
}

int image_file_write(struct image_file *f, const void *buf, size_t n, uint64_t pos)
{
    for (size_t done = 0; done < n;) {
        long put = inode_write(f->inode, (const char *)buf + done, n - done, pos + done);
        if (put <= 0)
            return put < 0 ? (int)put : -EIO;
        done += (size_t)put;
    }
    return 0;
}

int image_file_sync(struct image_file *f) { return inode_fsync(f->inode, true); }
int image_file_punch(struct image_file *f, uint64_t pos, uint64_t n) { return inode_punch(f->inode, pos, n); }

/* ---- Memory, words, locks ---- */

void *image_alloc(size_t n) { return kmalloc(n); }
void  image_free(void *p) { kfree(p); }

void image_say(char *why, const char *fmt, ...)
{
    char text[IMAGE_WHY];
    va_list ap;
    va_start(ap, fmt);
    kvsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    if (why)
        strlcpy(why, text, IMAGE_WHY);
    else
        kprintf("%s\n", text);
}

struct image_lock { bool held; struct wait_queue free, changed; };

struct image_lock *image_lock_new(void)
{
    struct image_lock *l = kmalloc(sizeof(*l));
    if (l) {
        wait_init(&l->free);
        wait_init(&l->changed);
    }
    return l;
}

void image_lock_free(struct image_lock *l) { kfree(l); }

void image_lock(struct image_lock *l)
{
    wait_event_always(&l->free, !l->held);
    l->held = true;
}

void image_unlock(struct image_lock *l)
{
    l->held = false;
    wake_all(&l->free);
}

void image_wait(struct image_lock *l)
{
    image_unlock(l);                              /* nobody runs between this and the sleep */
    sleep_on(&l->changed, FOREVER, false);
    image_lock(l);
}

void image_wake(struct image_lock *l) { wake_all(&l->changed); }
void image_breathe(void) { breathe(); }

/* SPDX-License-Identifier: MIT */
/* exec.c: another program in the same process.
 *
 * A static ELF64's segments become areas backed by the file, so nothing is read before it is touched and all who run the
 * same program share its pages. Everything that can fail is done on a new space; only then is the old one left. */
#include "guest-kernel/kernel/fs.h"
#include "guest-kernel/kernel/proc.h"
#include "guest-kernel/kernel/syscalls.h"
#include "guest-kernel/kernel/timepage.h"

#define ARGS_MAX   (64u << 10)
#define PHDRS_MAX  16
#define SCRIPT_DEPTH 4

struct elf_header {
    uint8_t  ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};
enum { PT_LOAD = 1, PF_X = 1, PF_W = 2, PF_R = 4, ET_EXEC = 2, EM_X86_64 = 62 };

static bool header_ok(const struct elf_header *h)
{
    return memcmp(h->ident, "\177ELF\2\1\1", 7) == 0 && h->type == ET_EXEC && h->machine == EM_X86_64 &&
           h->phentsize == sizeof(struct elf_segment) && h->phnum > 0 && h->phnum <= PHDRS_MAX && h->entry < USER_END;
}

static bool in_stack(uintptr_t start, uintptr_t end)
{
    return start < TIME_PAGE + PAGE_SIZE && end > USER_STACK_TOP - USER_STACK_MAX - PAGE_SIZE;
}

static bool segment_ok(const struct elf_segment *g, uint64_t file_size)
{
    return g->filesz <= g->memsz && g->memsz > 0 && g->offset <= file_size && g->filesz <= file_size - g->offset &&
           g->vaddr >= USER_MIN && g->vaddr < USER_MMAP_TOP && g->memsz <= USER_MMAP_TOP - g->vaddr &&
           ((g->vaddr ^ g->offset) & (PAGE_SIZE - 1)) == 0 && !in_stack(g->vaddr, g->vaddr + g->memsz);
}

static int map_segment(struct vm_space *s, struct inode *i, const struct elf_segment *g)
{
    uintptr_t start = ROUND_DOWN(g->vaddr, PAGE_SIZE), end = ROUND_UP(g->vaddr + g->memsz, PAGE_SIZE);
    unsigned flags = (g->flags & PF_R ? VM_READ : 0) | (g->flags & PF_W ? VM_WRITE : 0) | (g->flags & PF_X ? VM_EXEC : 0);
    int rc;
    list_for (a, &s->areas, struct vm_area, link)
        if (start < a->end && a->start < end)
            return -ENOEXEC;
    struct vm_area *a = vm_map(s, start, end - start, flags, false, &rc);
    if (!a)
        return rc;
    if (g->filesz) {
        a->inode = i;
        inode_get(i);
        a->offset = ROUND_DOWN(g->offset, PAGE_SIZE);
        a->file_end = g->offset + g->filesz;
    }
    s->brk_start = s->brk = MAX(s->brk, end);
    return 0;
}

static int load(struct vm_space *s, struct inode *i, const struct elf_header *h)
{
    struct elf_segment g[PHDRS_MAX];
    size_t size = h->phnum * sizeof(g[0]);
    if (inode_read(i, g, size, h->phoff) != (long)size)
        return -ENOEXEC;
    for (unsigned n = 0; n < h->phnum; n++) {
        if (g[n].type != PT_LOAD)
            continue;
        int rc = segment_ok(&g[n], i->size) ? map_segment(s, i, &g[n]) : -ENOEXEC;
        if (rc)
            return rc;
    }
    return s->brk ? 0 : -ENOEXEC;
}

/* argc, argv[], 0, envp[], 0, two zeros for an empty auxiliary vector, and above them the strings. */
static int push_args(struct exec_args *args, uintptr_t *sp_out)
{
    uintptr_t text = ROUND_DOWN(USER_STACK_TOP - args->size, 16);
    size_t words = 1 + args->argc + 1 + args->envc + 1 + 2;
    uintptr_t sp = ROUND_DOWN(text - words * 8, 16);
    uint64_t *v = kmalloc(words * 8);
    if (!v)
        return -ENOMEM;
    uint64_t *w = v;
    const char *s = args->text;
    *w++ = args->argc;
    for (unsigned n = 0; n < args->argc + args->envc; n++) {
        if (n == args->argc) {
            *w++ = 0;
            current->arg_end = text + (s - args->text);
        }
        *w++ = text + (s - args->text);
        s += strlen(s) + 1;
    }
    if (args->envc == 0)
        current->arg_end = text + args->size;
    current->arg_start = text;
    int rc = copy_to_user(text, args->text, args->size);
    if (rc == 0)
        rc = copy_to_user(sp, v, words * 8);
    kfree(v);
    *sp_out = sp;
    return rc;
}

/* From here on there is no way back. */
static void become(struct vm_space *s, const char *path, const struct elf_header *h, struct exec_args *args, struct trapframe *tf)
{
    struct vm_space *old = current->vm;
    struct plat_context c = { &s->plat, kstack_top(current), 0 };
    const char *name = strrchr(path, '/');
    uintptr_t sp;
    current->vm = s;
    current->fs_base = 0;
    plat_context_load(&c);
    if (old)
        vm_destroy(old);
    strlcpy(current->name, name ? name + 1 : path, COMM_LEN);
    fd_table_close(&current->fds, true);
    signal_exec(current);
    if (push_args(args, &sp))
        proc_exit(SIGKILL);
    plat_fpu_init(current->fpu);
    plat_fpu_load(current->fpu);
    plat_frame_user(tf, h->entry, sp);
}

/* "#!interpreter argument": puts both before the arguments, the script's path in place of argv[0]. */
static int script_args(char *line, const char *path, struct exec_args *args, char *interpreter)
{
    char *end = strchr(line, '\n');
    if (!end)
        return -ENOEXEC;
    *end = 0;
    char *word = line + 2;
    while (*word == ' ')
        word++;
    char *arg = strchr(word, ' ');
    if (arg)
        *arg++ = 0;
    while (arg && *arg == ' ')
        arg++;
    if (!*word)
        return -ENOEXEC;
    arg = arg && *arg ? arg : 0;
    size_t first = args->argc ? strlen(args->text) + 1 : 0;
    size_t head = strlen(word) + 1 + (arg ? strlen(arg) + 1 : 0) + strlen(path) + 1;
    size_t size = head + args->size - first;
    if (size > ARGS_MAX)
        return -E2BIG;
    char *text = kmalloc(size), *at = text;
    if (!text)
        return -ENOMEM;
    at += strlcpy(at, word, head) + 1;
    if (arg)
        at += strlcpy(at, arg, head) + 1;
    at += strlcpy(at, path, head) + 1;
    memcpy(at, args->text + first, args->size - first);
    kfree(args->text);
    args->argc += (args->argc ? 0 : 1) + 1 + (arg ? 1 : 0);
    args->text = text;
    args->size = size;
    strlcpy(interpreter, word, 128);
    return 0;
}

static int open_program(const char *path, struct inode **out)
{
    int rc = path_lookup(path, WALK_FOLLOW, out);
    if (rc)
        return rc;
    if (S_ISREG((*out)->mode) && ((*out)->mode & 0111))
        return 0;
    inode_put(*out);
    return -EACCES;
}

static int load_elf(struct inode *i, const char *path, const struct elf_header *h, struct exec_args *args, struct trapframe *tf)
{
    struct vm_space *s = vm_create();
    int rc = s ? load(s, i, h) : -ENOMEM;
    if (rc == 0) {
        struct vm_area *stack = vm_map(s, USER_STACK_TOP - 4 * PAGE_SIZE, 4 * PAGE_SIZE, VM_READ | VM_WRITE | VM_STACK, false, &rc);
        if (stack)
            rc = timepage_map(s);
        if (rc == 0)
            become(s, path, h, args, tf);
    }
    if (rc && s)
        vm_destroy(s);
    return rc;
}

int exec_load(const char *path, struct exec_args *args, struct trapframe *tf)
{
    char interpreter[128], line[128];
    for (unsigned depth = 0; depth < SCRIPT_DEPTH; depth++) {
        struct elf_header h = { 0 };
        struct inode *i;
        int rc = open_program(path, &i);
        if (rc)
            return rc;
        memset(line, 0, sizeof(line));
        inode_read(i, line, sizeof(line) - 1, 0);
        if (memcmp(line, "#!", 2) != 0) {
            rc = inode_read(i, &h, sizeof(h), 0) == sizeof(h) && header_ok(&h) ? load_elf(i, path, &h, args, tf) : -ENOEXEC;
            inode_put(i);
            return rc;
        }
        inode_put(i);
        rc = script_args(line, path, args, interpreter);
        if (rc)
            return rc;
        path = interpreter;
    }
    return -ELOOP;
}

/* ---- The call ---- */

static int gather(struct exec_args *args, uptr_t vector, unsigned *count)
{
    for (; vector; vector += 8) {
        uptr_t s;
        if (copy_from_user(&s, vector, 8))
            return -EFAULT;
        if (!s)
            return 0;
        long n = copy_string_from_user(args->text + args->size, s, args->capacity - args->size);
        if (n == -ENAMETOOLONG && args->capacity < ARGS_MAX) {
            char *bigger = kmalloc(args->capacity * 4);
            if (!bigger)
                return -ENOMEM;
            memcpy(bigger, args->text, args->size);
            kfree(args->text);
            args->text = bigger;
            args->capacity *= 4;
            vector -= 8;
            continue;
        }
        if (n < 0)
            return n == -ENAMETOOLONG ? -E2BIG : n;
        args->size += n + 1;
        ++*count;
    }
    return 0;
}

long sys_execve(uptr_t upath, uptr_t argv, uptr_t envp)
{
    struct exec_args args = { .text = kmalloc(1024), .capacity = 1024 };
    char *path = kmalloc(PATH_MAX);
    long rc = args.text && path ? copy_string_from_user(path, upath, PATH_MAX) : -ENOMEM;
    if (rc >= 0)
        rc = gather(&args, argv, &args.argc);
    if (rc == 0)
        rc = gather(&args, envp, &args.envc);
    if (rc == 0)
        rc = exec_load(path, &args, proc_frame(current));
    kfree(args.text);
    kfree(path);
    return rc;
}

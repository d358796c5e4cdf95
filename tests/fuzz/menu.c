/* SPDX-License-Identifier: MIT */
/* menu.c: text from a guest's disk as grub.cfg, as an entry of the Boot Loader Specification, and as two file names to be compared. */
#include "dom0-tools/bootloader/menu.h"
#include "tests/fuzz/fuzz.h"

static void check(const struct choice *c, int rc)
{
    FUZZ_CHECK(strnlen(c->title, sizeof(c->title)) < sizeof(c->title) && strnlen(c->kernel, sizeof(c->kernel)) < sizeof(c->kernel));
    FUZZ_CHECK(strnlen(c->ramdisk, sizeof(c->ramdisk)) < sizeof(c->ramdisk) && strnlen(c->line, sizeof(c->line)) < sizeof(c->line));
    FUZZ_CHECK(rc || c->kernel[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct choice c;
    struct fuzz_input in = { data, size };
    size_t got;
    unsigned kind = (unsigned)fuzz_take(&in, 1);
    const uint8_t *raw = fuzz_bytes(&in, kind & 0x80 ? 0 : kind >> 3, &got);
    char *want = calloc(got + 1, 1), *text;
    struct complaint why;

    memcpy(want, raw, got);
    text = calloc(in.left + 1, 1);
    memcpy(text, in.at, in.left);
    if ((kind & 7) == 0) {
        FUZZ_CHECK(menu_newer(want, text) == -menu_newer(text, want));
        FUZZ_CHECK(menu_newer(text, text) == 0);
    } else if ((kind & 7) < 3) {
        check(&c, menu_entry(text, &c, &why));
    } else {
        check(&c, menu_grub(text, want, &c, &why));
    }
    free(want);
    free(text);
    return 0;
}

size_t fuzz_seed(unsigned n, uint8_t *data, size_t room)
{
    static const char *const seeds[] = {
        "\x83set default=\"${saved_entry}\"\nif [ \"${next_entry}\" ] ; then\n set default=\"${next_entry}\"\nelse\nset default=0\nfi\n"
        "function load_video {\n insmod all\n}\nmenuentry 'Debian' --class debian $menuentry_id_option 'gnulinux-simple' {\n"
        "load_video\nlinux /vmlinuz-${v} root=UUID=1 ro quiet\necho 'x'\ninitrd /initrd.img\n}\nsubmenu 'Advanced' {\n menuentry \"a\" {\nlinux /k\n}\n}\n",
        "\x0b" "1" "menuentry a { linux /a b\\ c \"d e\" 'f g' ; }\nmenuentry b {linuxefi /b\nmodule2 /c\n}\n",
        "\x1b" "1>0" "set v=1 ; if [ x$v = x1 -a -f /x ]; then\nsubmenu s --unrestricted { menuentry b {linux /b $v${v} @x@\n} }\nelif true; then\nset a=b\nfi",
        "\x81title Fedora\nlinux /vmlinuz-5.10\ninitrd\t/i\noptions root=/dev/x ro\noptions more\n# c\n",
        "\x38" "5.10.01" "5.9-rc1.conf",
    };

    if (n >= sizeof(seeds) / sizeof(seeds[0]))
        return 0;
    return (size_t)snprintf((char *)data, room, "%s", seeds[n]);
}

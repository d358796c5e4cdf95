/* SPDX-License-Identifier: MIT */
/* missing.c: what somebody from another Unix types first and does not find, and what does it here. */
#include "sh.h"

#include <stdio.h>
#include <string.h>

/* Names between spaces, and what to do instead. */
static const struct { const char *names, *instead; } table[] = {
    { " vi vim nvim nano pico emacs ed joe mcedit ", "`edit FILE` is the editor" },
    { " top htop atop ", "`ps` lists the processes; in dom0, `enso top` shows the domains" },
    { " xl xm virsh xen ", "it is `enso` here, and knows xl's words: `enso help`" },
    { " xentop ", "it is `enso top`" },
    { " xenstore xenstore-ls xenstore-list xenstore-read xenstore-write xenstore-rm xenstore-watch ", "it is `enso store ls|read|write|rm|watch`" },
    { " man apropos whatis tldr ", "`help NAME` says what a program does, `help` lists all" },
    { " sed awk perl python python3 ", "`grep`, `cut`, `tr` and the shell's ${NAME%...} take text apart; `edit FILE` changes a file" },
    { " diff ", "`cmp FILE FILE` says where two files differ first" },
    { " md5sum sha1sum cksum ", "`sha256sum` makes checksums" },
    { " od xxd ", "`hexdump FILE` shows bytes" },
    { " file ", "`hexdump -n 64 FILE` shows how it begins" },
    { " curl ", "`wget -O - URL` fetches a page" },
    { " ssh scp rsync telnet ftp ", "`nc HOST PORT` and `wget URL` reach other machines" },
    { " ip ifup ifdown dhclient nmcli ", "`ifconfig`, `route` and `brctl` set up the network" },
    { " ss netstat lsof ", "`ifconfig` counts packets, `ps` lists who may listen" },
    { " traceroute dig ", "`ping HOST` and `host NAME` ask the network" },
    { " lsblk fdisk parted blkid ", "`ls /dev` shows the disks and their partitions, `blockdev size DEVICE` one's size" },
    { " mkfs mkfs.ext2 mke2fs fsck e2fsck resize2fs ", "file systems are made and checked on the build machine (guest-kernel/fs/mkimage.sh)" },
    { " qemu-img ", "qcow2 images are made on the build machine; `truncate -s 64M FILE` makes an empty raw one" },
    { " tar gzip gunzip zip unzip cpio ", "`cp -r` copies directories" },
    { " apt apt-get dpkg yum dnf apk pip ", "there are no packages; `help` lists what there is" },
    { " systemctl service journalctl ", "/etc/rc and /etc/rc.d start what runs, `ps` lists it, `dmesg` and /var/log say how it goes" },
    { " sudo su doas whoami id passwd useradd adduser login ", "there is one user, root, and you are it" },
    { " lspci lsusb lshw dmidecode ", "`dmesg` names the devices, /proc/interrupts their interrupts" },
    { " lsmod modprobe insmod rmmod ", "the kernel has no modules: its drivers are in it" },
    { " lscpu nproc ", "`uname -a` names the system; in dom0, `enso info` the machine" },
    { " shutdown init.d ", "`poweroff` ends the machine, `reboot` starts it anew" },
    { " killall pkill pgrep ", "`ps` tells the number, `kill NUMBER` ends it" },
    { " watch ", "`while sleep 2; do COMMAND; done` repeats it" },
    { " vmstat iostat sar ", "`free`, `uptime` and /proc/vmstat count" },
    { " gcc cc clang make git gdb ", "programs are built on the build machine (README.md)" },
    { " bash zsh dash ksh csh ", "the shell is `sh`" },
    { " alias ", "a function does it: NAME() { COMMAND \"$@\"; }" },
    { " logout quit bye ", "`exit` leaves the shell" },
    { " screen tmux ", "Ctrl-Z, `bg` and `fg` switch between jobs; Ctrl-] leaves a domain's console" },
};

const char *missing_hint(const char *name)
{
    char wanted[32];

    if (!*name || strchr(name, ' ') || sniprintf(wanted, sizeof(wanted), " %s ", name) >= (int)sizeof(wanted))
        return NULL;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        if (strstr(table[i].names, wanted))
            return table[i].instead;
    return NULL;
}

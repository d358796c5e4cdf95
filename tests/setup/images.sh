#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# images.sh OUT: the disks of the demonstration in folder OUT, from the ramdisks and kernel that the build made beside it:
#     base.img   a guest's whole machine: kernel, boot menu and files in the first partition
#     disk.img   dom0's disk: its root file system, with base.img and two qcow2 overlays over it in /images, and a swap partition
set -eu
out=$1 here=$(dirname "$0") mkimage=guest-kernel/fs/mkimage.sh
work=$(mktemp -d "${TMPDIR:-/tmp}/enso-images.XXXXXX")
trap 'rm -rf "$work"' EXIT

cat >"$work/grub.cfg" <<'MENU'
# What `enso create` reads when a guest's configuration names no kernel.
set default=0
set timeout=0
menuentry "Novice" {
    linux /boot/novice-pv.elf root=/dev/xvda1 httpd
}
MENU
$mkimage "$work/guest.img" 48 -L guest "$out/guest.cpio" "$out/user/novice-pv.elf=/boot/novice-pv.elf" "$work/grub.cfg=/boot/grub/grub.cfg"
"$here/mkdisk.py" "$out/base.img" "root:$work/guest.img"

cp --sparse=always "$out/base.img" "$work/base.img"
for name in web1 web2; do
    (cd "$work" && qemu-img create -q -f qcow2 -F raw -b base.img "$name.qcow2")
done
$mkimage "$work/root.img" 448 -L dom0 "$out/dom0.cpio" "$work/base.img=/images/base.img" \
    "$work/web1.qcow2=/images/web1.qcow2" "$work/web2.qcow2=/images/web2.qcow2"
"$here/mkdisk.py" "$out/disk.img" "root:$work/root.img" swap:swap=128

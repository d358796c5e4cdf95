#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# images.sh OUT: the disks of the demonstration in folder OUT, from the ramdisks and kernel that the build made beside it:
#     base.img   a guest's whole machine: kernel, boot menu and files in the first partition
#     disk.img   dom0's disk: its root file system, with base.img and two qcow2 overlays over it in /images, and a swap partition
set -eu
out=$1 here=$(dirname "$0")
work=$(mktemp -d "${TMPDIR:-/tmp}/enso-images.XXXXXX")
trap 'rm -rf "$work"' EXIT
unpack() { mkdir -p "$2" && (cd "$2" && cpio -idm --quiet --no-absolute-filenames) <"$1"; }

unpack "$out/guest.cpio" "$work/guest"
mkdir -p "$work/guest/boot/grub"
cp "$out/user/novice-pv.elf" "$work/guest/boot/novice-pv.elf"
cat >"$work/guest/boot/grub/grub.cfg" <<'MENU'
# What `enso create` reads when a guest's configuration names no kernel.
set default=0
set timeout=0
menuentry "Novice" {
    linux /boot/novice-pv.elf root=/dev/xvda1 httpd
}
MENU
"$here/mkext2.sh" "$work/guest.img" 48 guest "$work/guest"
"$here/mkdisk.py" "$out/base.img" "root:$work/guest.img"

unpack "$out/dom0.cpio" "$work/dom0"
mkdir -p "$work/dom0/images"
cp --sparse=always "$out/base.img" "$work/dom0/images/base.img"
for name in web1 web2; do
    (cd "$work/dom0/images" && qemu-img create -q -f qcow2 -F raw -b base.img "$name.qcow2")
done
"$here/mkext2.sh" "$work/root.img" 448 dom0 "$work/dom0"
"$here/mkdisk.py" "$out/disk.img" "root:$work/root.img" swap:swap=128

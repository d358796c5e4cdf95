#!/bin/sh
# SPDX-License-Identifier: MIT
# iso.sh OUT HYPERVISOR "ARGS" KERNEL "CMDLINE" [RAMDISK]: a GRUB ISO that boots KERNEL as dom0 on HYPERVISOR.
# Works for Xen and for Enso alike, since the order of modules is the same: kernel, then ramdisk.
set -eu
out=$1 hv=$2 args=$3 kernel=$4 cmdline=$5 ramdisk=${6:-}
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/boot/grub"
cp "$hv" "$dir/boot/hv"
cp "$kernel" "$dir/boot/kernel"
{
    echo "set timeout=0"
    echo "menuentry boot {"
    echo "  multiboot2 /boot/hv $args"
    echo "  module2 /boot/kernel $cmdline"
    if [ -n "$ramdisk" ]; then
        cp "$ramdisk" "$dir/boot/ramdisk"
        echo "  module2 /boot/ramdisk"
    fi
    echo "}"
} > "$dir/boot/grub/grub.cfg"
grub-mkrescue --compress=no -o "$out" "$dir" -- -quiet 2> "$out.log" || grub-mkrescue -o "$out" "$dir" > "$out.log" 2>&1 || { cat "$out.log" >&2; exit 1; }

#!/bin/sh
# SPDX-License-Identifier: MIT
# native_iso.sh OUT KERNEL "CMDLINE" RAMDISK: a GRUB ISO that boots the native kernel.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
mkdir -p "$dir/boot/grub"
cp "$2" "$dir/boot/kernel"
cp "$4" "$dir/boot/ramdisk"
printf 'set timeout=0\nmenuentry boot {\n  multiboot2 /boot/kernel %s\n  module2 /boot/ramdisk\n}\n' "$3" > "$dir/boot/grub/grub.cfg"
grub-mkrescue -o "$1" "$dir" > "$1.log" 2>&1 || { cat "$1.log" >&2; exit 1; }

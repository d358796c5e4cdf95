#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mkiso.sh OUT.iso GRUB_CFG FILE[=/path/in/iso]...: a bootable CD image with GRUB, this configuration, and these files in /boot.
# Each FILE lands at /boot/$(basename FILE) unless a path is named. The image is small: only the GRUB modules that the boot needs.
set -eu
out=$1 cfg=$2; shift 2
tree=$(mktemp -d "${TMPDIR:-/tmp}/enso-iso.XXXXXX")
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree/boot/grub" "$(dirname "$out")"
cp "$cfg" "$tree/boot/grub/grub.cfg"
for f in "$@"; do
    src=${f%%=*} dst=/boot/$(basename "${f%%=*}")
    case $f in *=*) dst=${f#*=} ;; esac
    mkdir -p "$tree$(dirname "$dst")"
    cp "$src" "$tree$dst"
done
grub=(grub-mkrescue)
# On a processor other than x86-64 the PC's GRUB files come from Debian's amd64 package, unpacked beside the build.
if [ -d build/grub-amd64/usr/lib/grub/i386-pc ]; then grub+=(-d build/grub-amd64/usr/lib/grub/i386-pc)
elif [ -d /usr/lib/grub/i386-pc ]; then grub+=(-d /usr/lib/grub/i386-pc); fi
if ! "${grub[@]}" -o "$out" --locales= --fonts= --themes= --compress=no \
        --install-modules="normal multiboot2 iso9660 biosdisk serial terminal echo test part_gpt part_msdos gzio xzio" \
        "$tree" >"$out.log" 2>&1; then
    tail -n 5 "$out.log" >&2
    echo "grub-mkrescue could not make $out; its log is $out.log. 'make doctor' says whether a package is missing." >&2
    exit 1
fi

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# doctor.sh: what this machine has and lacks for Enso, a line each, and what to do about it. Changes nothing.
set -u
bad=0
ok()   { printf '  %-22s %s\n' "$1" "$2"; }
lack() { printf '  %-22s MISSING: %s\n' "$1" "$2"; bad=1; }
tool() { if command -v "$1" >/dev/null 2>&1; then ok "$1" "$("$1" --version 2>&1 | head -n 1)"; else lack "$1" "package $2 ($3)"; fi; }
file() { local f; f=$(compgen -G "$2" | head -n 1); if [ -n "$f" ]; then ok "$1" "$f"; else lack "$1" "package $3 ($4)"; fi; }
pymod() { if /usr/bin/python3 -c "import $1" 2>/dev/null; then ok "$1" "for /usr/bin/python3"; else lack "$1" "package python3-$1 (tests)"; fi; }
echo "To build and run:"
tool gcc gcc "build"; tool ld binutils "build"; tool python3 python3 "build"
tool grub-mkrescue grub-common "boot image"; file "GRUB for PCs" "/usr/lib/grub/i386-pc/multiboot2.mod" grub-pc-bin "boot image"
tool xorriso xorriso "boot image"; tool mformat mtools "boot image"
tool qemu-system-x86_64 qemu-system-x86 "the machine"; file "Newlib's source" "/usr/src/newlib/newlib-*" newlib-source "user space"
while read -r what pkg; do
    case $what in /*) file "${what##*/}" "$what" "$pkg" "disk images" ;; *) tool "$what" "$pkg" "disk images" ;; esac
done < <(awk '!/^#/ && NF { n = $1; sub(/.*\//, "", n); if (!seen[n]++) print }' dom0-tools/packages guest-kernel/packages)
tool xz xz-utils "build"
echo "To test:"
tool clang clang "second compiler"; file cmocka /usr/include/cmocka.h libcmocka-dev "unit tests"
file sfdisk /sbin/sfdisk fdisk "partition tables"; file "Xen's headers" /usr/include/xen/xen.h libxen-dev "the ABI's reference"; pymod pytest; pymod pexpect
echo "The machine:"
ok processors "$(nproc)"
mem=$(awk '/MemAvailable/ {print int($2/1024)}' /proc/meminfo 2>/dev/null)
[ -z "$mem" ] || { [ "$mem" -ge 2048 ] && ok memory "$mem MiB available" || lack memory "2 GiB wanted, $mem MiB available"; }
if [ -w /dev/kvm ]; then ok kvm "/dev/kvm opens; only used when you say ACCEL=kvm"; else ok kvm "not usable; not needed, software emulation is the default"; fi
[ $bad = 0 ] && echo "Nothing is missing." || echo "'make run' or 'make test' installs what is missing (it asks first)."
exit $bad

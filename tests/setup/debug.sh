#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# debug.sh BUILD_DIR: QEMU halted at its first instruction, gdb attached, symbols of hypervisor and guest loaded. One CPU.
# The hypervisor runs in 64-bit mode from hv_boot on: gdb is told so before it connects, or it would complain of the packet length.
set -u
o=$1
sock=$(mktemp -u "${TMPDIR:-/tmp}/enso-gdb.XXXXXX")
command -v gdb >/dev/null || { echo "gdb is missing: apt-get install gdb"; exit 1; }
qemu-system-x86_64 -machine q35 -cpu "$QEMU_CPU" -m "$MEM" -smp 1 -cdrom "$o/enso.iso" -display none -vga none -no-reboot -nic none \
    -serial file:"$o/debug-serial.log" -S -chardev socket,path="$sock",server=on,wait=off,id=g -gdb chardev:g &
qemu=$!
trap 'kill $qemu 2>/dev/null; rm -f "$sock"' EXIT
while [ ! -S "$sock" ]; do kill -0 $qemu 2>/dev/null || exit 1; read -rt 0.1 <> <(:) || :; done
echo "The serial port is written to $o/debug-serial.log. Try: hbreak boot_main, continue."
gdb -q "$o/enso.elf" -ex 'set confirm off' -ex 'set architecture i386:x86-64' -ex "add-symbol-file $o/novice-pv.elf" -ex "target remote $sock"

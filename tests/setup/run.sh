#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh ISO DISK: boots an image on the project's machine, with the serial port on this terminal, DISK as its NVMe disk and a network card
# behind which three of this computer's ports lead to the domains' web pages.
# MEM (MiB), CPUS, ACCEL, QEMU_CPU, HTTP_PORT, DISK (another image) and QEMU_ARGS come from the environment (the Makefile sets the defaults).
set -u
iso=$1 disk=${2:-}
accel=(-accel tcg) kind="software emulation"
if [ "${ACCEL:-tcg}" != tcg ]; then accel=(-accel "$ACCEL"); kind=$ACCEL; fi
version=$(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')

# The first of three free ports in a row: QEMU would end over one that is taken.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
port=${HTTP_PORT:-8080}
while port_taken "$port" || port_taken $((port + 1)) || port_taken $((port + 2)); do port=$((port + 10)); done
forward=""
for i in 0 1 2; do forward="$forward,hostfwd=tcp:127.0.0.1:$((port + i))-10.0.2.1$((5 + i)):80"; done

devices=(-netdev "user,id=net0$forward" -device e1000e,netdev=net0)
if [ -n "$disk" ]; then
    # The disk that is written to is a copy, and stays from run to run until what it is made from changes.
    kept=${DISK:-build/disk.img}
    if [ -z "${DISK:-}" ] && [ ! "$kept" -nt "$disk" ]; then
        if [ -e "$kept" ]; then mv "$kept" "$kept.old"; echo "  $kept is made anew; what you had on it is in $kept.old"; fi
        cp --sparse=always "$disk" "$kept"
    fi
    disk=$kept
    if [ ! -w "$disk" ]; then echo "  $disk cannot be written: delete it or mend its permissions, then make run again." >&2; exit 1; fi
    devices+=(-drive "file=$disk,format=raw,if=none,id=disk0,discard=unmap" -device nvme,drive=disk0,serial=enso0)
fi
echo "  QEMU $version, $kind, ${CPUS} CPUs, ${MEM} MiB.   To leave: poweroff, or Ctrl-a x"
echo "  http://localhost:$port/ is dom0's page, :$((port + 1)) and :$((port + 2)) are web1's and web2's"
# shellcheck disable=SC2086
qemu-system-x86_64 -machine q35 "${accel[@]}" -cpu "$QEMU_CPU" -m "$MEM" -smp "$CPUS" \
    -cdrom "$iso" -boot d -display none -vga none -serial mon:stdio -no-reboot "${devices[@]}" ${QEMU_ARGS:-}
rc=$?
[ $rc -ne 0 ] || echo "  Next: make check (under a minute), make test, make debug, make help."
exit $rc

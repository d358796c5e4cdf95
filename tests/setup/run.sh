#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh ISO: boots an image on the project's machine, with the serial port on this terminal.
# MEM (MiB), CPUS, ACCEL, QEMU_CPU and QEMU_ARGS come from the environment (the Makefile sets the defaults).
set -u
iso=$1
accel=(-accel tcg) kind="software emulation"
if [ "${ACCEL:-tcg}" != tcg ]; then accel=(-accel "$ACCEL"); kind=$ACCEL; fi
version=$(qemu-system-x86_64 --version | sed -n '1s/.*version \([0-9.]*\).*/\1/p')
echo "  QEMU $version, $kind, ${CPUS} CPUs, ${MEM} MiB.   To leave: poweroff, or Ctrl-a x"
# shellcheck disable=SC2086
qemu-system-x86_64 -machine q35 "${accel[@]}" -cpu "$QEMU_CPU" -m "$MEM" -smp "$CPUS" \
    -cdrom "$iso" -boot d -display none -vga none -serial mon:stdio -no-reboot -nic none ${QEMU_ARGS:-}
rc=$?
[ $rc -ne 0 ] || echo "  Next: make check (under a minute), make test, make debug, make help."
exit $rc

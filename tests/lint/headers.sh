#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# headers.sh CC FLAGS: every header of the hypervisor and of the ABI compiles alone (style.md 3), so that none leans on what
# its includer happened to include first.
set -u
cc=$1 flags=$2 bad=0 n=0
for h in hypervisor/*/*.h hypervisor/*.h hypercall-abi/*.h hypercall-abi/io/*.h; do
    case $h in */hypercall_protos.h) continue ;; esac           # a part of lib/hypercall.h
    n=$((n + 1))
    # shellcheck disable=SC2086
    if ! printf '#include "%s"\n' "$h" | $cc $flags -fsyntax-only -x c - 2>/tmp/headers.$$; then
        echo "$h does not compile alone:"; head -n 5 /tmp/headers.$$; bad=1
    fi
done
rm -f /tmp/headers.$$
echo "$n headers"
exit $bad

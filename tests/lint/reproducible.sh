#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# reproducible.sh: builds the tree's sources twice in folders of different names and compares enso.elf and novice-pv.elf to the byte.
set -eu
root=$PWD
work=$(mktemp -d "${TMPDIR:-/tmp}/enso-repro.XXXXXX")
trap 'rm -rf "$work"' EXIT
for where in one another/place; do
    mkdir -p "$work/$where"
    { git ls-files -z; git ls-files -zo --exclude-standard; } | xargs -0 cp --parents -t "$work/$where" 2>/dev/null || true
    make -s -C "$work/$where" build/debug/enso.elf build/debug/novice-pv.elf >"$work/log" 2>&1 || { tail "$work/log"; exit 1; }
done
for f in enso.elf novice-pv.elf; do
    cmp "$work/one/build/debug/$f" "$work/another/place/build/debug/$f" && echo "$f: $(sha256sum <"$work/one/build/debug/$f" | cut -c1-16), twice"
done
cd "$root"

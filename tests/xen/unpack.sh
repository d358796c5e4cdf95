#!/bin/sh
# SPDX-License-Identifier: MIT
# unpack.sh OUT [DEB]: puts Xen's image into OUT/xen.gz, from DEB or from whatever Debian's archive calls the package now.
set -eu
out=$1 deb=${2:-}
mkdir -p "$out"
if [ -z "$deb" ]; then
    pkg=$(apt-cache search '^xen-hypervisor-[0-9.]*-amd64$' | cut -d' ' -f1 | sort -V | tail -1)
    [ -n "$pkg" ] || { echo "no xen-hypervisor-*-amd64 package found; run apt-get update, or give XEN_DEB=file" >&2; exit 1; }
    deb=$(cd "$out" && rm -f xen-hypervisor-*.deb && apt-get download "$pkg:amd64" >&2 && ls "$PWD"/xen-hypervisor-*.deb)
fi
rm -rf "$out/root"
dpkg -x "$deb" "$out/root"
cp "$(ls "$out"/root/boot/xen-*-amd64.gz | head -1)" "$out/xen.gz"
echo "  XEN      $out/xen.gz from $(basename "$deb")"

#!/bin/sh
# SPDX-License-Identifier: MIT
# unpack.sh OUT [DEB]: puts Xen's image into OUT/xen.gz, from DEB or from whatever Debian's archive calls the package now.
set -eu
out=$1 deb=${2:-}
mkdir -p "$out"
if [ -z "$deb" ]; then
    find_pkg() { apt-cache search '^xen-hypervisor-[0-9.]*-amd64$' | cut -d' ' -f1 | sort -V | tail -1; }
    pkg=$(find_pkg)
    if [ -z "$pkg" ] && [ "$(id -u)" = 0 ]; then apt-get -q -o DPkg::Lock::Timeout=600 update >&2; pkg=$(find_pkg); fi
    [ -n "$pkg" ] || { echo "no xen-hypervisor-*-amd64 package found: run apt-get update as root, or name a file, make XEN_DEB=file" >&2; exit 1; }
    deb=$(cd "$out" && rm -f xen-hypervisor-*.deb && apt-get download "$pkg:amd64" >&2 && ls "$PWD"/xen-hypervisor-*.deb)
fi
rm -rf "$out/root"
dpkg -x "$deb" "$out/root"
cp "$(ls "$out"/root/boot/xen-*-amd64.gz | head -1)" "$out/xen.gz"
echo "  XEN      $out/xen.gz from $(basename "$deb")"

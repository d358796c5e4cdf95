#!/bin/sh
# SPDX-License-Identifier: MIT
# grub-amd64.sh DIR: the PC's GRUB files on a machine of another processor. Debian builds grub-pc-bin for x86 only, so its amd64
# package is fetched by name with private apt settings (the machine's own are read, never changed) and unpacked into DIR.
set -eu
dir=$1
[ ! -e "$dir/usr/lib/grub/i386-pc/multiboot2.mod" ] || exit 0
apt=$dir/apt
mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
: >"$apt/status"
apt=$(cd "$apt" && pwd)
apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(SIGNED_BY)' 'Created-By: Packages' |
    sort -u | while read -r site release component key; do
        case $key in '$('*) key= ;; esac
        [ "$component" = main ] || continue
        # Ubuntu keeps x86 in another archive than its ports.
        site=$(echo "$site" | sed 's#ports.ubuntu.com/ubuntu-ports#archive.ubuntu.com/ubuntu#')
        printf 'deb [arch=amd64%s] %s %s %s\n' "${key:+ signed-by=$key}" "$site" "$release" "$component"
    done >"$apt/sources.list"
run() {
    apt-get -q -o APT::Architecture=amd64 -o APT::Architectures=amd64 -o Dir::State::Status="$apt/status" \
        -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts="$apt/parts" -o Dir::State::Lists="$apt/lists" \
        -o Dir::Cache="$apt/cache" -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" "$@" >>"$apt/log" 2>&1
}
if ! run update || ! (cd "$apt" && run download grub-pc-bin) || ! dpkg -x "$apt"/grub-pc-bin_*.deb "$dir"; then
    echo "The PC's GRUB files (grub-pc-bin for amd64) could not be fetched; see $apt/log" >&2
    exit 1
fi

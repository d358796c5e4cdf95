#!/bin/sh
# SPDX-License-Identifier: MIT
# fetch.sh DIR PACKAGE...: unpacks the upstream source of Debian source packages
# into DIR/PACKAGE/. The machine's own apt settings are read, never changed: a
# private source list (the same archives, as deb-src), private lists, private
# cache. The archives' signatures are checked by apt as always.
set -eu
dir=$1; shift
mkdir -p "$dir"
dir=$(cd "$dir" && pwd)
apt=$dir/apt
# Two at once (make -j) would share the lists: one after the other.
exec 9>"$dir/.lock"
flock 9

want=
for p in "$@"; do [ -e "$dir/$p/.unpacked" ] || want="$want $p"; done
[ -n "$want" ] || exit 0

mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/parts"
apt-get indextargets --format '$(SITE) $(RELEASE) $(COMPONENT) $(SIGNED_BY)' 'Created-By: Packages' |
    sort -u | while read -r site release component key; do
        case $key in '$('*) key= ;; esac      # no Signed-By field there
        case $component in main|universe) ;; *) continue ;; esac
        printf 'deb-src%s %s %s %s\n' "${key:+ [signed-by=$key]}" "$site" "$release" "$component"
    done > "$apt/sources.list"

run() {
    apt-get -q -o Dir::Etc::SourceList="$apt/sources.list" -o Dir::Etc::SourceParts="$apt/parts" \
        -o Dir::State::Lists="$apt/lists" -o Dir::Cache="$apt/cache" \
        -o Acquire::Languages=none -o APT::Sandbox::User="$(id -un)" "$@" >> "$apt/log" 2>&1
}
if ! run update; then
    echo "fetch.sh: apt could not read the source index; see $apt/log" >&2
    exit 1
fi
for p in $want; do
    rm -rf "${dir:?}/$p"
    mkdir -p "$dir/$p" "$apt/dsc/$p"
    if ! (cd "$apt/dsc/$p" && run source --download-only --only-source "$p"); then
        echo "fetch.sh: apt could not fetch the source of $p; see $apt/log" >&2
        exit 1
    fi
    for tar in "$apt/dsc/$p"/*.orig.tar.*; do
        case $tar in *.asc) continue ;; esac
        tar -xf "$tar" -C "$dir/$p" --strip-components=1
    done
    : > "$dir/$p/.unpacked"
done

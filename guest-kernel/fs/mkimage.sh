#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mkimage.sh IMAGE MEBIBYTES [-L LABEL] [-T ext2|ext3] [-N INODES] SOURCE...
#
# Makes IMAGE, an ext2 file system with a journal (ext3; -T ext2: without) of that size, out of SOURCEs, in turn: a newc archive
# (*.cpio, what mkcpio makes), or DIRECTORY[=/PATH/IN/IMAGE], or FILE=/PATH/IN/IMAGE. No root needed: all belongs to uid 0. The same
# sources give the same image, to the byte: times and identifiers are fixed.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
image=$1 size=$2
shift 2
label= type=ext3 inodes=
while getopts L:T:N: o; do
    case $o in L) label=$OPTARG ;; T) type=$OPTARG ;; N) inodes=$OPTARG ;; *) exit 2 ;; esac
done
shift $((OPTIND - 1))
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir "$tree/root"
for source in "$@"; do
    from=${source%%=*} to=
    [ "$from" = "$source" ] || to=${source#*=}
    if [ -d "$from" ]; then
        mkdir -p "$tree/root$to"
        cp -a "$from/." "$tree/root$to/"
    elif [ -n "$to" ]; then
        mkdir -p "$tree/root$(dirname "$to")"
        cp "$from" "$tree/root$to"
    else
        "${PYTHON:-python3}" "$(dirname "$0")/uncpio.py" "$from" "$tree/root"
    fi
done
find "$tree/root" -exec touch -h -d @1700000000 {} +
uuid=$(printf '%s' "$label$size" | md5sum | sed 's/^\(.\{8\}\)\(.\{4\}\)\(.\{4\}\)\(.\{4\}\)\(.\{12\}\).*/\1-\2-\3-\4-\5/')
journal=()
[ "$type" = ext2 ] || journal=(-j -J size=$((size >= 64 ? 8 : size >= 16 ? 4 : 1)))
new=$image.new
rm -f "$new"
truncate -s "${size}M" "$new"
E2FSPROGS_FAKE_TIME=1700000000 mke2fs -q -F -t ext2 -b "$([ "$size" -ge 32 ] && echo 4096 || echo 1024)" -m 0 "${journal[@]}" \
    ${inodes:+-N "$inodes"} ${label:+-L "$label"} -U "$uuid" -E "hash_seed=$uuid,lazy_itable_init=0,root_owner=0:0" -O ^resize_inode \
    -d "$tree/root" "$new"
# What mke2fs copies belongs to whoever built it, and bears the moment it was copied; here all is root's and of one time.
find "$tree/root" -mindepth 1 -printf 'sif "/%P" uid 0\nsif "/%P" gid 0\nsif "/%P" ctime @1700000000\n' >"$tree/fields"
E2FSPROGS_FAKE_TIME=1700000000 debugfs -w -f "$tree/fields" "$new" >/dev/null 2>&1
mv "$new" "$image"

#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# mkext2.sh OUT.img MIB LABEL TREE: an ext2 file system with the files of a folder, all root's, the same from the same files.
set -eu
out=$1 mib=$2 label=$3 tree=$4
id=$(printf '%s' "$label" | sha256sum | sed 's/^\(.\{8\}\)\(.\{4\}\).\{4\}\(.\{4\}\)\(.\{12\}\).*/\1-\2-4000-8000-\4/')
export E2FSPROGS_FAKE_TIME=1000000000 PATH="$PATH:/sbin:/usr/sbin"
find "$tree" -exec touch -h -d @1000000000 {} +
rm -f "$out.new"
truncate -s "${mib}M" "$out.new"
mke2fs -q -t ext2 -b 4096 -m 1 -L "$label" -U "$id" -E "hash_seed=$id,root_owner=0:0" -d "$tree" "$out.new"
if [ "$(id -u)" != 0 ]; then                                # the builder's files become root's
    (cd "$tree" && find . -mindepth 1 -printf '/%P\n') |
        sed 's|.*|sif "&" uid 0\nsif "&" gid 0|' | debugfs -w -f - "$out.new" >/dev/null 2>&1
fi
mv "$out.new" "$out"

#!/bin/sh
# SPDX-License-Identifier: MIT
#
# build-newlib.sh DIR CC: unpacks Debian's newlib-source into DIR, configures and builds it there.
#
# User space stands on Newlib, which comes as a source package and is built once for all of our own
# builds. Two makes at the same time (DEBUG=0 beside DEBUG=1) take turns by a lock; all output goes
# to DIR/build.log, whose end is shown when something fails. Nothing of the calling make's variables
# reaches Newlib's own makefiles: CC=clang or WERROR=1 is meant for our sources, not for these.
# DIR/stamp is written last, and only it says that the library is complete.
set -eu

dir=$1
cc=$2
here=$(cd "$(dirname "$0")" && pwd)
tools=${cc%gcc*}
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES CFLAGS CPPFLAGS LDFLAGS CC AR LD WERROR DEBUG 2>/dev/null || :

mkdir -p "$dir"
exec 9>"$dir/lock"
flock 9
if [ -e "$dir/stamp" ] && [ "$dir/stamp" -nt "$0" ] && [ "$dir/stamp" -nt "$here/libc/newlib/machine/_types.h" ]; then
    exit 0                           # another make built it while we waited
fi

tarball=
for file in /usr/src/newlib/newlib-*.tar.*; do
    if [ -e "$file" ]; then
        tarball=$file
    fi
done
if [ -z "$tarball" ]; then
    echo "newlib: no /usr/src/newlib/newlib-*.tar.*: install the package newlib-source" >&2
    exit 1
fi

log=$dir/build.log
finished() {
    if [ ! -e "$dir/stamp" ]; then
        echo "newlib: the build failed; the end of $log:" >&3
        tail -n 15 "$log" >&3
    fi
}

# Paths inside the objects are made relative, dates are pinned, archives are deterministic: two
# builds of one tarball, in any folder, give the same bytes.
build() {
    cd "$dir"
    rm -rf src obj root
    mkdir src obj root
    tar xf "$tarball" -C src --strip-components=1
    cd obj
    flags="-Os -ffreestanding -mno-red-zone -fno-pic -fno-stack-protector -fcommon -fcf-protection=none"
    flags="$flags -ffunction-sections -fdata-sections -fno-asynchronous-unwind-tables"
    flags="$flags -ffile-prefix-map=$dir=newlib -ffile-prefix-map=$here=user -I$here/libc/newlib"
    flags="$flags -DSIGNAL_PROVIDED -DHAVE_RENAME -DHAVE_FCNTL -DHAVE_BLKSIZE"
    SOURCE_DATE_EPOCH=0 ../src/configure --target=x86_64-pc-elf --prefix="$dir/root" --disable-multilib \
        --disable-libgloss --disable-nls --enable-newlib-io-long-long --enable-newlib-io-c99-formats \
        --disable-newlib-supplied-syscalls --disable-newlib-wide-orient \
        CC_FOR_TARGET="$cc" AR_FOR_TARGET="${tools}ar" AS_FOR_TARGET="${tools}as" \
        LD_FOR_TARGET="${tools}ld" NM_FOR_TARGET="${tools}nm" RANLIB_FOR_TARGET="${tools}ranlib" \
        OBJCOPY_FOR_TARGET="${tools}objcopy" OBJDUMP_FOR_TARGET="${tools}objdump" \
        STRIP_FOR_TARGET="${tools}strip" READELF_FOR_TARGET="${tools}readelf" \
        CFLAGS_FOR_TARGET="$flags"
    make -j"$(nproc)" all-target-newlib MAKEINFO=true
    make install-target-newlib MAKEINFO=true
    test -s "$dir/root/x86_64-pc-elf/lib/libc.a"
    rm -rf "$dir/src" "$dir/obj"
}

rm -f "$dir/stamp"
exec 3>&2 >"$log" 2>&1
trap finished EXIT
build
touch "$dir/stamp"

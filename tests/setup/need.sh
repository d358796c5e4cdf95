#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# need.sh: makes sure that this machine has the packages for a purpose (run, test, bench, fuzz), by name, found and not fixed.
# Asks once on a terminal; with CI=true, or without a terminal, installs without asking; without root and sudo prints the
# line to run. Nothing missing: says nothing and takes no time.
set -u
purpose=${1:-run}
have() { command -v "$1" >/dev/null 2>&1; }
missing=()
need_cmd()  { have "$1" || missing+=("$2"); }                  # command, package
need_file() { compgen -G "$1" >/dev/null || missing+=("$2"); }  # a file that only the package brings, package

host=$(uname -m)
if [ "$host" = x86_64 ] || [ -n "${CROSS_COMPILE:-}" ]; then need_cmd gcc gcc; need_cmd ld binutils
else need_cmd x86_64-linux-gnu-gcc gcc-x86-64-linux-gnu; need_cmd gcc gcc; fi
need_file "/usr/include/stdio.h" libc6-dev
need_cmd python3 python3
need_cmd xz xz-utils
need_cmd grub-mkrescue grub-common
[ "$host" = x86_64 ] && need_file "/usr/lib/grub/i386-pc/multiboot2.mod" grub-pc-bin
need_cmd xorriso xorriso
need_cmd mformat mtools
need_cmd qemu-system-x86_64 qemu-system-x86
need_file "/usr/src/newlib/newlib-*" newlib-source
for f in dom0-tools/packages guest-kernel/packages; do        # what the folders need besides: "command-or-/file package" a line
    [ -f "$f" ] && while read -r what pkg; do
        case $what in ''|'#'*) ;; /*) need_file "$what" "$pkg" ;; *) need_cmd "$what" "$pkg" ;; esac
    done <"$f"
done
if [ "$purpose" != run ]; then
    need_cmd clang clang
    need_file "/usr/include/cmocka.h" libcmocka-dev
    need_file "/usr/include/xen/xen.h" libxen-dev
    need_file "/sbin/sfdisk" fdisk
    [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import pytest' 2>/dev/null || missing+=(python3-pytest)
    [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import pexpect' 2>/dev/null || missing+=(python3-pexpect)
fi
# Clang's fuzzer and its sanitizers are a package apart in newer releases; who runs this for them goes on without.
if [ "$purpose" = fuzz ] && have clang; then
    v=$(clang -dumpversion); v=${v%%.*}
    need_file "/usr/lib/llvm-$v/lib/clang/*/lib/linux/libclang_rt.fuzzer-*.a" "libclang-rt-$v-dev"
fi
# On another processor the PC's GRUB files come from Debian's amd64 package, unpacked beside the build.
pc_grub() { [ "$host" = x86_64 ] || tests/setup/grub-amd64.sh build/grub-amd64; }
if [ ${#missing[@]} -eq 0 ]; then pc_grub; exit; fi

mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
if ! have apt-get; then
    echo "Missing: ${missing[*]} (Debian's names). This machine has no apt-get: install them by its own means, then run make again." >&2
    exit 1
fi
if [ "$(id -u)" = 0 ]; then as=(); elif have sudo; then as=(sudo); else
    echo "Missing: ${missing[*]}." >&2
    echo "Neither root nor sudo here; as root run:  apt-get install --no-install-recommends ${missing[*]}" >&2
    exit 1
fi
apt=("${as[@]}" apt-get -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3)
echo "Missing: ${missing[*]}."
if [ -t 0 ] && [ -t 1 ] && [ -z "${CI:-}" ]; then
    read -r -p "Install them now with '${as[*]:+${as[*]} }apt-get install --no-install-recommends …'? [Y/n] " answer
    case $answer in [nN]*) echo "Nothing installed. 'make doctor' lists what is missing."; exit 1 ;; esac
fi
start=$SECONDS
mkdir -p build
{
    if ! apt-cache policy "${missing[0]}" 2>/dev/null | grep -q 'Candidate: [^(]'; then "${apt[@]}" update; fi
    DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}" ||
        { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive "${apt[@]}" install -y --no-install-recommends "${missing[@]}"; }
} >build/packages.log 2>&1 </dev/null || {
    tail -n 15 build/packages.log >&2
    echo "The packages could not be installed; the whole log is build/packages.log." >&2
    exit 1
}
echo "  packages $((SECONDS - start)) s"
pc_grub

# SPDX-License-Identifier: MIT
"""Claim: the guest interface is Xen's (design 1): a stock Debian kernel, the bzImage as it ships, made by `enso create` under Novice's
dom0, boots to user space on Enso, answers on its console, powers off, reboots, and gives every frame back. A failure means that Enso
differs from Xen where Linux looks. (SMAP is taken off the CPU model: pitfalls C, QEMU's iretq.)

Linux and busybox are Debian's packages, fetched into build/linux/ and never installed."""
import glob
import gzip
import os
import re
import subprocess

import pytest
from machine import BUILD, DOM0, QEMU_CPU, ROOT, Machine
from test_first_minutes import free_frames, wait_until

HOME = os.path.join(ROOT, "build", "linux")
INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /proc /dev
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
export PATH=/bin
echo "linux is up: $(/bin/busybox cat /proc/cmdline)"
exec /bin/busybox sh </dev/hvc0 >/dev/hvc0 2>&1
"""


def unpacked(package, pattern):
    """A file of a Debian package, unpacked below build/linux/."""
    os.makedirs(HOME, exist_ok=True)
    found = glob.glob(os.path.join(HOME, "root", pattern))
    if not found:
        try:
            subprocess.run(["apt-get", "download", package + ":amd64"], cwd=HOME, check=True, capture_output=True, timeout=300)
        except (subprocess.SubprocessError, OSError):
            pytest.skip(f"{package} cannot be fetched here")
        deb = glob.glob(os.path.join(HOME, package + "_*.deb"))[0]
        subprocess.run(["dpkg", "-x", deb, os.path.join(HOME, "root")], check=True)
        os.unlink(deb)
        found = glob.glob(os.path.join(HOME, "root", pattern))
    return found[0]


def newc(name, data, mode):
    """One entry of a newc cpio archive."""
    name = name.encode() + b"\0"
    head = b"070701" + b"".join(b"%08x" % x for x in (1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0))
    entry = head + name
    entry += b"\0" * (-len(entry) % 4) + data
    return entry + b"\0" * (-len(entry) % 4)


TRAILER = newc("TRAILER!!!", b"", 0)


def archive(path, entries, before=b""):
    with open(path, "wb") as f:
        f.write(before + b"".join(entries) + TRAILER)
    return path


@pytest.fixture(scope="module")
def files():
    depends = subprocess.run(["apt-cache", "depends", "linux-image-amd64"], capture_output=True, text=True).stdout
    m = re.search(r"(linux-image-\S+-amd64)\b", depends.replace("linux-image-amd64\n", "", 1))
    if not m:
        pytest.skip("this machine's archive has no linux-image-amd64")
    kernel = open(unpacked(m.group(1), "boot/vmlinuz-*"), "rb").read()
    busybox = open(unpacked("busybox-static", "*/busybox"), "rb").read()
    rd = archive(os.path.join(HOME, "rd.cpio"),
                 [newc("bin", b"", 0o40755), newc("bin/busybox", busybox, 0o100755), newc("init", INIT.encode(), 0o100755)])
    base = open(os.path.join(BUILD, "dom0.cpio"), "rb").read()
    base = base[:base.rindex(b"070701", 0, base.rindex(b"TRAILER!!!"))]
    dom0 = archive(os.path.join(HOME, "dom0.cpio"), [newc("boot/vmlinuz", kernel, 0o100644),
                   newc("boot/initrd.img", gzip.compress(open(rd, "rb").read(), 1), 0o100644)], base)
    return {"dom0.cpio": dom0}


def settled(m):
    """Past the words that Linux has for the hypervisor's log, which would fall into the middle of a command's echo."""
    m.expect(r"\(d\d+ linux\) about to get started")
    m.run("sleep 0.2")
    m.line("")
    m.prompt()


@pytest.mark.parametrize("vcpus", [1, 2])
def test_stock_linux_guest(files, vcpus):
    cpu = QEMU_CPU.replace(",+smap", "")
    with Machine(f"linux-{vcpus}", modules=DOM0, files=files, cpu=cpu, memory=768, timeout=60) as m:
        m.prompt()
        before = free_frames(m)
        # Long work that is interrupted leaves nothing half created.
        m.run("enso create -q /etc/enso/linux.cfg & sleep 2; kill -TERM $!; sleep 1")
        wait_until(m, lambda: free_frames(m) == before)
        rc, out = m.status(f"enso create -p /etc/enso/linux.cfg vcpus={vcpus}")
        assert rc == 0, out
        m.line("enso unpause linux")
        settled(m)
        wait_until(m, lambda: "linux is up" in m.run("cat /var/log/console/linux.log | tail -n 20"), tries=200)
        m.line("enso console linux")
        m.expect("leaves --")
        m.line("")
        m.expect("# ")
        m.line("/bin/busybox grep -c ^processor /proc/cpuinfo; echo in-$((6*7))")
        m.expect(rf"\n{vcpus}\r*\n[^\n]*in-42")
        m.line("/bin/busybox reboot -f")
        m.expect("the domain has ended")
        settled(m)
        wait_until(m, lambda: m.run("cat /var/log/console/linux.log | grep -c up:").strip() == "2", tries=200)
        assert m.status("enso destroy linux")[0] == 0
        wait_until(m, lambda: free_frames(m) == before)
        ends = re.findall(r"END v1 d\d+ linux reason=(\w+) .*frames_lost=0", open(m.log_path, errors="replace").read())
        assert ends == ["reboot", "destroyed"], ends
        assert m.poweroff() == 0

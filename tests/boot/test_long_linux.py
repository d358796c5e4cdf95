# SPDX-License-Identifier: MIT
"""Claim: the guest interface is Xen's (design 1): a stock Debian kernel, the bzImage as it ships, made by `enso create` under Novice's
dom0, boots to user space on Enso, answers on its console, powers off, reboots, and gives every frame back. A failure means that Enso
differs from Xen where Linux looks. (SMAP is taken off the CPU model: pitfalls C, QEMU's iretq.)

Linux and busybox are Debian's packages, fetched into build/linux/ and never installed."""
import glob
import gzip
import hashlib
import os
import re
import subprocess

import pytest
from machine import BUILD, DOM0, QEMU_CPU, ROOT, Machine
from test_first_minutes import free_frames, wait_until
from test_run_disk import fsck

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


MODULES = ["xen-blkfront", "xen-netfront", "crc32c_generic", "ext4"]
DRIVERS_INIT = INIT.replace("exec /bin", """/bin/busybox --install -s /bin
mkdir -p /sys /tmp /mnt
mount -t sysfs sys /sys
for m in $(cat /modules/order); do insmod /modules/$m.ko; done
echo "linux has its drivers"
exec /bin""")


def module_entries():
    """The modules and what they depend on, in the order in which they are to be loaded."""
    there = {os.path.basename(p)[:-3].replace("-", "_"): p for p in glob.glob(os.path.join(HOME, "root/lib/modules/*/kernel/**/*.ko"), recursive=True)}
    order = []

    def want(name):
        data = open(there[name], "rb").read()
        for d in filter(None, re.search(rb"depends=([^\0]*)\0", data).group(1).decode().replace("-", "_").split(",")):
            want(d)
        if name not in order:
            order.append(name)

    for m in MODULES:
        want(m.replace("-", "_"))
    return [newc("modules", b"", 0o40755), newc("modules/order", " ".join(order).encode(), 0o100644),
            *[newc(f"modules/{m}.ko", open(there[m], "rb").read(), 0o100644) for m in order]]


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
    drivers = os.path.join(HOME, "drivers.cpio")
    archive(drivers, [newc("bin", b"", 0o40755), newc("bin/busybox", busybox, 0o100755), newc("init", DRIVERS_INIT.encode(), 0o100755),
                      newc("sbin", b"", 0o40755), newc("sbin/poweroff", b"#!/bin/busybox sh\nexec /bin/busybox poweroff -f\n", 0o100755),
                      *module_entries()])
    base = open(os.path.join(BUILD, "dom0.cpio"), "rb").read()
    base = base[:base.rindex(b"070701", 0, base.rindex(b"TRAILER!!!"))]
    dom0 = archive(os.path.join(HOME, "dom0.cpio"), [newc("boot/vmlinuz", kernel, 0o100644),
                   newc("boot/initrd.img", gzip.compress(open(rd, "rb").read(), 1), 0o100644),
                   newc("boot/drivers.img", gzip.compress(open(drivers, "rb").read(), 1), 0o100644)], base)
    return {"dom0.cpio": dom0}


def settled(m):
    """Past the words that Linux has for the hypervisor's log, which would fall into the middle of a command's echo."""
    m.expect(r"\(d\d+ linux\) about to get started")
    m.run("sleep 0.2")
    m.sync()


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
        # The one whose making was interrupted may have had its name.
        assert ends[-2:] == ["reboot", "destroyed"] and ends[:-2] in ([], ["destroyed"]), ends
        assert m.poweroff() == 0


def linux_disk(tmp_path):
    """Partition 1: ext2 with a file of random bytes; 2: 32 MiB of nothing. The file's MD5."""
    data = os.urandom(5 << 20)
    part, scratch, tree, disk = (str(tmp_path / n) for n in ("part.img", "scratch.img", "tree", "disk.img"))
    os.mkdir(tree)
    with open(os.path.join(tree, "data"), "wb") as f:
        f.write(data)
    for path, size in ((part, 32 << 20), (scratch, 32 << 20)):
        with open(path, "wb") as f:
            f.truncate(size)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext2", "-d", tree, part], check=True)
    subprocess.run([os.path.join(ROOT, "tests/setup/mkdisk.py"), disk, "data:" + part, "scratch:" + scratch], check=True)
    return disk, hashlib.md5(data).hexdigest()


def in_linux(m, command, expect, timeout=60):
    """Types a command at the guest's shell (its console is attached); expect is a pattern in what it prints."""
    m.line(command + "; echo st''atus=$?")
    got = m.expect(expect, timeout)
    m.expect(r"status=(\d+)", timeout)
    return got


def large_segments(m):
    """A file out of Linux, by its TCP in segments far larger than frames (SPEC 11.5), arrives as it was. At dom0's prompt."""
    m.line("enso console linux")
    m.expect("leaves --")
    m.line("")
    m.expect("# ")
    in_linux(m, "head -c 8388608 /dev/urandom >/tmp/p; httpd -p 80 -h /tmp && echo ser''ving", "serving")
    sha = in_linux(m, "sha256sum /tmp/p", r"\n([0-9a-f]{64}) ").group(1).decode()
    m.send("\x1d")
    m.prompt()
    assert sha in m.run("wget -q -O - http://10.0.2.40/p | sha256sum", timeout=120), m.tail()
    m.line("enso console linux")
    m.expect("leaves --")
    m.line("")
    m.expect("# ")
    packets = in_linux(m, "cat /sys/class/net/eth0/statistics/tx_packets | sed s/^/pack''ets=/", r"packets=(\d+)").group(1)
    m.send("\x1d")
    m.prompt()
    assert int(packets) < 8388608 // 1448 // 4, packets


def balloon(m):
    """Linux's own balloon under balloond: down, and up beyond what it began with, as far as the hypervisor's limit follows; it
    reports nothing, so balloond leaves it what it has, also when memory is asked for (SPEC 11.7)."""
    for mib in (144, 240, 160):
        rc, out = m.status(f"enso mem-set -w linux {mib}", timeout=60)
        assert rc == 0, out
    m.line("enso console linux")
    m.expect("leaves --")
    m.line("")
    m.expect("# ")
    in_linux(m, "free -m | grep Mem", r"Mem: +1[0-5]\d ")
    m.send("\x1d")
    m.prompt()
    assert m.status("enso mem-set linux 300")[0] == 1                           # above its maximum
    rc, out = m.status("enso create -q /etc/enso/carol.cfg name=big memory=500")
    assert rc == 1 and "not enough memory" in out, out
    assert m.status("enso create -q /etc/enso/carol.cfg name=more memory=64 && enso destroy more", timeout=60)[0] == 0
    assert re.search(r"^linux +\d+ +160 ", m.run("enso list"), re.M), m.tail()


def test_stock_linux_drivers(files, tmp_path):
    """Stock blkfront, netfront, balloon and shutdown against our backends and store: the protocols are Xen's (SPEC 11.3 to 11.5)."""
    disk, md5 = linux_disk(tmp_path)
    extra = ["-drive", f"file={disk},format=raw,if=none,id=disk0", "-device", "nvme,drive=disk0,serial=enso0"]
    with Machine("linux-drivers", modules=DOM0, files=files, cpu=QEMU_CPU.replace(",+smap", ""), memory=768, timeout=60, extra=extra) as m:
        m.prompt()
        before = free_frames(m)
        m.run("httpd -p 80 / >/dev/null 2>&1 &")
        rc, out = m.status("enso create /etc/enso/linux.cfg ramdisk=/boot/drivers.img "
                           "\"disk=['phy:/dev/nvme0n1p1,xvda,w', 'phy:/dev/nvme0n1p2,xvdb,w']\" \"vif=['bridge=br0']\" maxmem=256", timeout=60)
        assert rc == 0, out
        settled(m)
        wait_until(m, lambda: "has its drivers" in m.run("cat /var/log/console/linux.log | tail -n 40"), tries=200)
        m.line("enso console linux")
        m.expect("leaves --")
        m.line("")
        m.expect("# ")
        in_linux(m, "while ! [ -b /dev/xvda -a -b /dev/xvdb ]; do sleep 0.2; done", "")
        in_linux(m, "mount -t ext2 /dev/xvda /mnt && md5sum /mnt/data", md5)
        in_linux(m, "head -c 8388608 /dev/urandom >/tmp/p; dd if=/tmp/p of=/dev/xvdb bs=1M oflag=direct; "
                    "dd if=/dev/xvdb bs=1M count=8 iflag=direct | cmp - /tmp/p && echo eq''ual", "equal", 120)
        in_linux(m, "cp /tmp/p /mnt/p && sync && umount /mnt && echo writ''ten", "written", 120)
        in_linux(m, "ifconfig eth0 10.0.2.40 up; ping -c 3 10.0.2.15", " 3 packets received")
        in_linux(m, "wget -q -O - http://10.0.2.15/etc/motd", "enso list")
        m.send("\x1d")
        m.prompt()
        states = m.run("enso block-list linux; enso network-list linux")
        assert states.lower().count("connected") >= 3, states
        large_segments(m)
        balloon(m)
        assert m.status("enso shutdown -w linux", timeout=60)[0] == 0
        # All but what the hypervisor keeps for dom0's own tables (mappings of grants, ports).
        wait_until(m, lambda: before - free_frames(m) < 16, tries=60)
        assert re.search(r"END v1 d1 linux reason=poweroff .*frames_lost=0", open(m.log_path, errors="replace").read())
        assert m.poweroff() == 0
    fsck(disk)

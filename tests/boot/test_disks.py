# SPDX-License-Identifier: MIT
"""Claim (issue 3, sections 2 and 4; SPEC 11.6): a guest's disks are what its configuration says: a raw file, a qcow2 overlay over a base,
a partition attached and detached while it runs, one that may only be read, one with blocks of 4 KiB, its speed limited where that is
asked; the backend can be torn down and started again 20 times under load, and what the guest wrote is there after its restart, after
dom0's, and as the build machine sees it. A failure is a guest's data lost, or its disk beyond control."""
import os
import re
import subprocess

from machine import DOM0, ROOT, Machine, dice
from test_data import host_tool
from test_run_disk import fsck

FIRST = 1 << 20                                         # byte at which mkdisk.py puts the first partition
DISKS = "'/images/raw.img,raw,xvda,rw', 'format=qcow2,vdev=xvdb,access=rw,target=/images/over.qcow2'"
SEED = 77


def ext2_image(path, mib, *options):
    with open(path, "wb") as f:
        f.truncate(mib << 20)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext2", "-F", *options, path], check=True)


def make_disk(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    ext2_image(str(files / "raw.img"), 24)
    ext2_image(str(files / "base.img"), 24)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.img", "over.qcow2"], check=True, cwd=files)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "other.qcow2", "16M"], check=True, cwd=files)
    part, disk = str(tmp_path / "part.img"), str(tmp_path / "disk.img")
    ext2_image(part, 128, "-d", str(files))
    subprocess.run([os.path.join(ROOT, "tests/setup/mkdisk.py"), disk, "images:" + part, "free:empty=16"], check=True)
    return disk


class Guest:
    """carol's console, entered and left for each command, so that dom0's prompt is free in between."""

    def __init__(self, m):
        self.m = m
        self.n = 1000                                   # numbers the commands: a console that is entered shows its last lines again

    def create(self, disks=DISKS, first="mkdir -p /a /b && mount -t ext2 /dev/xvda /a && mount -t ext2 /dev/xvdb /b"):
        rc, out = self.m.status(f'enso create /etc/enso/carol.cfg memory=48 "disk=[{disks}]"', timeout=60)
        assert rc == 0, out
        self.enter()
        self.m.line("stty cols 1000")
        self.m.expect("carol# ")
        self.run(first)
        self.leave()

    def enter(self):
        self.m.line("enso console carol")
        self.m.expect(r"carol# ", timeout=60)

    def leave(self):
        self.m.send("\x1d")
        self.m.prompt()

    def run(self, words, timeout=60, rc=0):
        self.n += 1
        self.m.line(words + f"; echo $(({self.n}+0))-$?-out")
        found = self.m.expect(rf"{self.n}-(\d+)-out", timeout)
        said = self.m.before
        self.m.expect("carol# ", timeout)
        assert int(found.group(1)) == rc, said
        return said

    def does(self, words, **how):
        self.m.line("enso console carol")
        self.m.line("")
        self.m.expect(r"carol# ", timeout=60)
        said = self.run(words, **how)
        self.leave()
        return said


def attach_and_detach(m, guest):
    rc, out = m.status("enso block-attach carol phy:/dev/nvme0n1p2,xvdc,w", timeout=30)
    assert rc == 0, out
    guest.does("dd if=/dev/zero of=/dev/xvdc bs=65536 count=32 && pattern write /dev/xvdc 8 5 && pattern check /dev/xvdc 8 5")
    assert "xvdc" in m.run("enso block-list carol")
    rc, out = m.status("enso create /etc/enso/dave.cfg \"disk=['phy:/dev/nvme0n1p2,xvda,w']\"", timeout=30)
    assert rc != 0 and "use" in out, out                # a disk that a running domain writes
    rc, out = m.status("enso block-detach carol xvda", timeout=60)
    assert rc != 0 and "use" in out, out                # mounted in the guest
    rc, out = m.status("enso block-detach carol xvdc", timeout=30)
    assert rc == 0, out
    guest.does("test ! -e /dev/xvdc && ls /a")
    rc, out = m.status("enso block-attach carol format=qcow2 vdev=xvdc access=rw target=/images/other.qcow2", timeout=30)
    assert rc == 0, out
    guest.does("pattern write /dev/xvdc 4 9 && pattern check /dev/xvdc 4 9")
    rc, out = m.status("enso block-detach carol xvdc", timeout=30)
    assert rc == 0, out


def only_to_read(m, guest):
    """The guest's write fails, what is there can be read, and the backend would not have let it write either (tests/host/pv_blk.c)."""
    guest.does("ls /a")
    for disk in ("phy:/dev/nvme0n1p2,xvdc,r", "format=qcow2,vdev=xvdc,access=ro,target=/images/other.qcow2"):
        rc, out = m.status(f"enso block-attach carol {disk}", timeout=30)
        assert rc == 0, out
        assert re.search(r"^carol .* xvdc +\d+ +r ", m.run("enso block-list carol"), re.M)
        guest.does("pattern check /dev/xvdc 4 " + ("5" if "phy" in disk else "9"))
        guest.does("dd if=/dev/zero of=/dev/xvdc bs=4096 seek=1 count=1", rc=1)
        guest.does("pattern check /dev/xvdc 4 " + ("5" if "phy" in disk else "9"))
        rc, out = m.status("enso block-detach carol xvdc", timeout=30)
        assert rc == 0, out


def large_blocks(m, guest):
    """A disk with blocks of 4 KiB: the guest is told of them, and what it writes in smaller pieces is read, changed and written back."""
    rc, out = m.status("enso block-attach carol phy:/dev/nvme1n1,xvdc,w", timeout=30)
    assert rc == 0, out
    assert re.search(r'[^-]sector-size = "4096"', m.run("enso store ls /local/domain/0/backend/vbd"))
    guest.does("pattern write /dev/xvdc 4 7 && pattern check /dev/xvdc 4 7 && echo hello | dd of=/dev/xvdc bs=6 seek=1000000 && blockdev flush /dev/xvdc")
    rc, out = m.status("enso block-detach carol xvdc", timeout=30)
    assert rc == 0, out
    assert m.status("pattern check /dev/nvme1n1 4 7")[0] == 0


def limits(m, guest):
    """iops= and mbps=: 100 operations, 4 MB a second, but for what a pause has saved up (50 ms' worth) and the last request, which is
    on credit: so 40 reads of a page are 0.33 s at least, 4 MiB 0.7; much more would be as wrong."""
    rc, out = m.status("enso block-attach carol format=raw vdev=xvdc access=rw iops=100 mbps=4 target=/dev/nvme0n1p2", timeout=30)
    assert rc == 0, out
    for row, count, least in (("disk read random 4 KiB depth 1", 40, 0.33), ("disk read sequential 1 MiB", 4, 0.7)):
        said = guest.does(f'diskbench /dev/xvdc ns 16 "{row}" {count}')
        took = int(re.search(rf"BENCH {row},ns,(\d+)", said).group(1)) * count / 1e9
        assert least <= took <= 10 * least, f"{row}: {took} s"
    rc, out = m.status("enso block-detach carol xvdc", timeout=30)
    assert rc == 0, out


# What is written is another thing each time, and is read back from the disk, not from the guest's cache: it is mounted anew in between.
# Steps are counted, so that one sees the load go on.
LOAD = ("(n=0; k=0; while ! [ -e /tmp/stop ]; do n=$((n+1)); for d in a b; do pattern write /$d/load 6 $n && umount /$d && mount -t ext2 /dev/xvd$d /$d && "
        "pattern check /$d/load 6 $n || echo bad; k=$((k+1)); echo $k >/tmp/step; mv /tmp/step /tmp/steps; done; done; echo $n >/tmp/last) >/tmp/load 2>&1 & true")


def number(guest, words, **how):
    return int(re.search(r"is-(\d+)-so", guest.does(f"{words}; echo is-$n-so", **how)).group(1))


def steps(guest, more=0):
    """How many the load has made, as soon as they are more."""
    return number(guest, f"n=0; while ! [ $n -gt {more} ]; do sleep 0.1; n=$(cat /tmp/steps 2>/dev/null || echo 0); done", timeout=120)


def restarts_under_load(m, guest, times):
    """Returns the seed of what was written last."""
    guest.does(LOAD)
    before = steps(guest)
    chance = dice("restarts of the disk backend")
    for n in range(times):
        away = f"stop vbd && sleep {chance.uniform(0, 0.3):.3f} && enso backend start" if n % 2 else "restart"
        rc, out = m.status(f"sleep {chance.uniform(0, 0.6):.3f}; enso backend {away} vbd", timeout=30)
        assert rc == 0, out
    during = number(guest, "n=$(cat /tmp/steps)")
    assert during > before, f"{during} steps after the restarts, {before} before: the load did not go on under them"
    assert steps(guest, during) > during                # and it goes on after the last
    last = number(guest, "touch /tmp/stop; while ! [ -e /tmp/last ]; do sleep 0.1; done; sync; n=$(cat /tmp/last)", timeout=180)
    said = guest.does("grep -c bad /tmp/load", rc=1)
    assert re.search(r"^0\s*$", said, re.M), said
    return last


def destroyed_under_load(m, guest):
    """Requests are under way when the domain dies: nothing of it stays mapped, and its disk is free for the next."""
    for _ in range(2):
        guest.create("'phy:/dev/nvme0n1p2,xvda,w'", "(while true; do pattern write /dev/xvda 12 3; done) >/tmp/load 2>&1 & true")
        m.run("sleep 1")
        rc, out = m.status("enso destroy carol", timeout=60)
        assert rc == 0, out
        assert "carol" not in m.run("enso list")


def written(last, then=""):
    return " && ".join(f"pattern check /{d}/data 6 {SEED} && pattern check /{d}/load 6 {last}" for d in "ab") + then


def test_disks(tmp_path):
    disk, large = make_disk(tmp_path), tmp_path / "large.img"
    with open(large, "wb") as f:
        f.truncate(16 << 20)
    machine = {"modules": DOM0, "memory": 512, "timeout": 90, "extra": [
        "-drive", f"file={disk},format=raw,if=none,id=disk0", "-device", "nvme,drive=disk0,serial=enso0",
        "-drive", f"file={large},format=raw,if=none,id=disk1", "-device", "nvme,id=large,serial=enso1",
        "-device", "nvme-ns,drive=disk1,bus=large,nsid=1,logical_block_size=4096,physical_block_size=4096"]}
    with Machine("disks", **machine) as m:
        m.prompt()
        assert m.status("mkdir -p /images && mount -t ext2 /dev/nvme0n1p1 /images")[0] == 0
        guest = Guest(m)
        guest.create()
        guest.does(f"pattern write /a/data 6 {SEED} && pattern write /b/data 6 {SEED} && sync")
        attach_and_detach(m, guest)
        only_to_read(m, guest)
        large_blocks(m, guest)
        limits(m, guest)
        last = restarts_under_load(m, guest, 20)
        guest.does("umount /a && umount /b")
        assert m.status("enso shutdown -w carol", timeout=60)[0] == 0
        guest.create()                                  # the domain's restart
        guest.does(written(last, " && umount /a && umount /b"))
        assert m.status("enso shutdown -w carol", timeout=60)[0] == 0
        assert m.run("cat /proc/loops").strip() == ""
        destroyed_under_load(m, guest)
        assert m.status("umount /images")[0] == 0
        assert m.poweroff() == 0
    with Machine("disks-again", **machine) as m:         # dom0's
        m.prompt()
        assert m.status("mkdir -p /images && mount -t ext2 /dev/nvme0n1p1 /images")[0] == 0
        guest = Guest(m)
        guest.create()
        guest.does(written(last, " && umount /a && umount /b"))
        assert m.status("enso shutdown -w carol", timeout=60)[0] == 0
        assert m.poweroff() == 0
    judge(disk, tmp_path, last)
    with open(large, "rb") as f:
        f.seek(5999994)
        assert f.read(18) == bytes(6) + b"hello\n" + bytes(6)
    subprocess.run([host_tool(tmp_path), "check", large, "4", "7"], check=True)


def judge(disk, tmp_path, last):
    """The build machine's tools look at what is left, and compare it to the byte."""
    fsck(disk, FIRST)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["/sbin/debugfs", "-R", f"rdump / {out}", f"{disk}?offset={FIRST}"], check=True, capture_output=True)
    for name in ("over.qcow2", "other.qcow2"):
        subprocess.run(["qemu-img", "check", "-q", name], check=True, cwd=out)
    subprocess.run(["qemu-img", "convert", "-O", "raw", "over.qcow2", "over.raw"], check=True, cwd=out)
    tool = host_tool(tmp_path)
    for name in ("raw.img", "over.raw"):
        subprocess.run(["/sbin/e2fsck", "-fn", str(out / name)], check=True, capture_output=True)
        for file, seed in (("data", SEED), ("load", last)):
            found = str(out / (name + "." + file))
            subprocess.run(["/sbin/debugfs", "-R", f"dump /{file} {found}", str(out / name)], check=True, capture_output=True)
            subprocess.run([tool, "check", found, "6", str(seed)], check=True)

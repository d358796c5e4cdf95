# SPDX-License-Identifier: MIT
"""Claim (issue 3, sections 2 and 4; SPEC 11.6): a guest's disks are what its configuration says: a raw file, a qcow2 overlay over a base,
a partition attached and detached while it runs, its speed limited where that is asked; the backend can be torn down and started again 20 times under load, and what the guest
wrote is there after its restart and as qemu-img and e2fsck see it. A failure is a guest's data lost, or its disk beyond control."""
import os
import re
import subprocess

from machine import DOM0, ROOT, Machine, dice
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


def restarts_under_load(m, guest, times):
    guest.does(f"(for i in 1 2 3 4; do pattern write /a/load 6 {SEED} && pattern check /a/load 6 {SEED} && pattern write /b/load 6 {SEED} && "
               f"pattern check /b/load 6 {SEED} || echo bad; done; echo load-done) >/tmp/load 2>&1 & true")
    chance = dice("restarts of the disk backend")
    for n in range(times):
        away = f"stop vbd && sleep {chance.uniform(0, 0.3):.3f} && enso backend start" if n % 2 else "restart"
        rc, out = m.status(f"sleep {chance.uniform(0, 0.6):.3f}; enso backend {away} vbd", timeout=30)
        assert rc == 0, out
    said = guest.does("while ! grep -q load-done /tmp/load; do sleep 1; done; sync; grep -c bad /tmp/load", timeout=180, rc=1)
    assert re.search(r"^0\s*$", said, re.M), said


def destroyed_under_load(m, guest):
    """Requests are under way when the domain dies: nothing of it stays mapped, and its disk is free for the next."""
    for _ in range(2):
        guest.create("'phy:/dev/nvme0n1p2,xvda,w'", "(while true; do pattern write /dev/xvda 12 3; done) >/tmp/load 2>&1 & true")
        m.run("sleep 1")
        rc, out = m.status("enso destroy carol", timeout=60)
        assert rc == 0, out
        assert "carol" not in m.run("enso list")


def test_disks(tmp_path):
    disk = make_disk(tmp_path)
    with Machine("disks", modules=DOM0, memory=512, timeout=90,
                 extra=["-drive", f"file={disk},format=raw,if=none,id=disk0", "-device", "nvme,drive=disk0,serial=enso0"]) as m:
        m.prompt()
        assert m.status("mkdir -p /images && mount -t ext2 /dev/nvme0n1p1 /images")[0] == 0
        guest = Guest(m)
        guest.create()
        guest.does(f"pattern write /a/data 6 {SEED} && pattern write /b/data 6 {SEED} && sync")
        attach_and_detach(m, guest)
        limits(m, guest)
        restarts_under_load(m, guest, 20)
        guest.does("umount /a && umount /b")
        assert m.status("enso shutdown -w carol", timeout=60)[0] == 0
        guest.create()                                  # the domain's restart
        guest.does(f"pattern check /a/data 6 {SEED} && pattern check /b/data 6 {SEED} && umount /a && umount /b")
        assert m.status("enso shutdown -w carol", timeout=60)[0] == 0
        assert m.run("cat /proc/loops").strip() == ""
        destroyed_under_load(m, guest)
        assert m.status("umount /images")[0] == 0
        assert m.poweroff() == 0
    judge(disk, tmp_path)


def judge(disk, tmp_path):
    """The build machine's tools look at what is left."""
    fsck(disk, FIRST)
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["/sbin/debugfs", "-R", f"rdump / {out}", f"{disk}?offset={FIRST}"], check=True, capture_output=True)
    for name in ("over.qcow2", "other.qcow2"):
        subprocess.run(["qemu-img", "check", "-q", name], check=True, cwd=out)
    subprocess.run(["qemu-img", "convert", "-O", "raw", "over.qcow2", "over.raw"], check=True, cwd=out)
    for name in ("raw.img", "over.raw"):
        subprocess.run(["/sbin/e2fsck", "-fn", str(out / name)], check=True, capture_output=True)

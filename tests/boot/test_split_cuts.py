# SPDX-License-Identifier: MIT
"""Claim (issue 3, section 2 and acceptance 2; SPEC 11.6): a guest's fsync reaches the device's flush by every way that its disk may take:
a partition of dom0's NVMe disk, a qcow2 overlay and a raw file in dom0's file system. Power is cut while a guest writes; whatever the
guest had confirmed on its console by then is there to the byte, and e2fsck -p and qemu-img check find no more than they can repair.
A failure means that a guest's database loses what it has told its users is safe."""
import os
import random
import re
import subprocess

from machine import DOM0, ROOT, Machine
from test_disks import Guest, ext2_image
from test_ext2 import contents, expected, fsck
import writelog

MIB = 1 << 20
IMAGES, PHYSICAL, EACH = 40, 12, 12                     # MiB: dom0's file system, the guest's partition, an image
DISKS = "'phy:/dev/nvme0n1p2,xvda,w', 'format=qcow2,vdev=xvdb,access=rw,target=/images/over.qcow2', '/images/raw.img,raw,xvdc,rw'"
MOUNT = ("for d in a b c; do mkdir -p /$d && mount -t ext2 /dev/xvd$d /$d && mkdir /$d/w && dd if=/dev/zero of=/$d/w/slots bs=4096 count=256 || exit; done; "
         "sync")
# Others' writes, which nobody flushes, beside those that are waited for.
NOISE = "(while :; do for d in a b c; do seq 1 4000 >/$d/noise; rm -f /$d/noise2; mv /$d/noise /$d/noise2; done; done) & true"
# A new file, and a block in the middle of an old one; then it waits, so that nothing that comes later makes these safe.
LOAD = ("i=1; while :; do for d in a b c; do cd /$d/w; seq 1 $((i*37%3000+1)) >f$i && fsync f$i && echo slot-$i | dd of=slots bs=4096 seek=$i 2>/dev/null && "
        "fsync slots && echo safe-$d-$i; read go; done; i=$((i+1)); done")


def make_disk(tmp_path, kind):
    files = tmp_path / "files"
    files.mkdir()
    ext2_image(str(files / "raw.img"), EACH)
    ext2_image(str(files / "base.img"), EACH, "-j")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base.img", "over.qcow2"], check=True, cwd=files)
    images, physical, disk = str(tmp_path / "images.img"), str(tmp_path / "physical.img"), tmp_path / "disk.img"
    ext2_image(images, IMAGES, *(["-j"] if kind == "ext3" else []), "-d", str(files))
    ext2_image(physical, PHYSICAL)
    subprocess.run([os.path.join(ROOT, "tests/setup/mkdisk.py"), str(disk), "images:" + images, "guest:" + physical], check=True)
    return disk


def load(name, disk, log, rounds):
    """The guest writes until power is cut; returns what it said is safe: [(length of the log by then, disk, number)]."""
    safe = []
    log.touch()
    with Machine(name, modules=DOM0, timeout=90, extra=writelog.qemu(disk, log)) as m:
        m.prompt()
        assert m.status("mkdir -p /images && mount -t ext2 /dev/nvme0n1p1 /images")[0] == 0
        guest = Guest(m)
        guest.create(DISKS, MOUNT)
        guest.does(NOISE)
        m.line("enso console carol")
        m.line("")
        m.expect("carol# ")
        m.line(LOAD)
        for n in range(rounds * 3):
            m.expect(rf"\nsafe-{'abc'[n % 3]}-{n // 3 + 1}\r")
            safe.append((os.path.getsize(log), "abc"[n % 3], n // 3 + 1))
            m.line("")
        m.stop()                                        # power is cut
    return safe


def whole(image, safe, where, what):
    """A guest's file system after the cut: repaired, whole, and with all that was safe."""
    code, text = fsck(image, "-p")
    assert code in (0, 1), f"{what}: e2fsck -p: {code}\n{text}"
    code, text = fsck(image)
    assert code == 0, f"{what}: e2fsck -fn after -p: {code}\n{text}"
    found = contents(image, where)
    for i in safe:
        assert found.get(f"f{i}") == expected(i), f"{what}: f{i} was safe and is not what it was: {len(found.get(f'f{i}', b''))} bytes"
        want = f"slot-{i}\n".encode()
        assert found.get("slots", b"")[4096 * i:4096 * i + len(want)] == want, f"{what}: block {i} of slots was safe and is not what it was"


def judge(image, safe, where, what):
    """The build machine's tools look at what a cut left."""
    os.makedirs(where)
    disks = {}
    with open(image, "rb") as f:
        for name, at, size in (("images", 1, IMAGES), ("a", 1 + IMAGES, PHYSICAL)):
            disks[name] = os.path.join(where, name + ".img")
            f.seek(at * MIB)
            with open(disks[name], "wb") as out:
                out.write(f.read(size * MIB))
    code, text = fsck(disks["images"], "-p")
    assert code in (0, 1), f"{what}: dom0's file system: e2fsck -p: {code}\n{text}"
    code, text = fsck(disks["images"])
    assert code == 0, f"{what}: dom0's file system: e2fsck -fn after -p: {code}\n{text}"
    subprocess.run(["/sbin/debugfs", "-R", f"rdump / {where}", disks["images"]], check=True, capture_output=True)
    got = subprocess.run(["qemu-img", "check", "over.qcow2"], cwd=where, capture_output=True, text=True, check=False)
    assert got.returncode in (0, 3), f"{what}: qemu-img check: {got.returncode}\n{got.stdout}{got.stderr}"     # 3: clusters that nobody uses, no more
    subprocess.run(["qemu-img", "convert", "-O", "raw", "over.qcow2", "b.img"], check=True, cwd=where)
    disks.update(b=os.path.join(where, "b.img"), c=os.path.join(where, "raw.img"))
    for name in "abc":
        whole(disks[name], [i for d, i in safe if d == name], os.path.join(where, name), f"{what}, disk {name}")
    subprocess.run(["rm", "-rf", where], check=True)


def play(name, tmp_path, kind, cuts, rounds, seed):
    disk, base, log, out = make_disk(tmp_path, kind), tmp_path / "base.img", tmp_path / "log", tmp_path / "cut.img"
    subprocess.run(["cp", "--sparse=always", disk, base], check=True)
    safe = load(name, disk, log, rounds)
    entries = writelog.entries(log)
    dice = random.Random(seed)
    for n in range(cuts):
        # Three in four at the moment at which a disk's promise was heard, all that was not flushed lost; the others at any.
        if n % 4 < 3:
            moment = safe[3 * dice.randrange(rounds // 2, rounds) + n % 4][0]
            at, keep = sum(e.end <= moment for e in entries), 0
        else:
            first = sum(e.end <= safe[0][0] for e in entries)
            at, keep = dice.randrange(first, len(entries) + 1), dice.choice([0, 0.25, 0.5, 0.75])
        writelog.cut(base, entries, at, out, dice, keep)
        end = entries[at - 1].end
        judge(out, [(d, i) for length, d, i in safe if length <= end], str(tmp_path / f"out{n}"), f"{kind}, cut {n} at {at} of {len(entries)}")


def test_cuts(tmp_path):
    play("split-cuts", tmp_path, "ext2", 4, 12, 1)

# SPDX-License-Identifier: MIT
"""Claim: a domain's machine is its disk image (SPEC 14.6, 14.7): `enso create` without kernel= starts what the image's own menu says, from a
qcow2 overlay over a shared base or a raw file; disks and cards come and go while it runs; a restart finds them again; and whatever is wrong
is said in one sentence, with nothing half-made left behind. A failure means lost images, two writers of one, or a user without a clue."""
import os
import random
import re
import subprocess
import time

import pytest
from machine import BUILD, NOVICE, Failure, Machine
from test_first_minutes import domains, free_frames, wait_until
from test_run_disk import fsck
from test_tools import refused

DISK = os.path.join(BUILD, "disk.img")
DOM0_DISK = [f"module2 {NOVICE} domain=dom0 memory=256M -- console=hvc0 hostname=dom0 root=/dev/nvme0n1p1", "module2 /boot/dom0.cpio ramdisk=dom0"]


def left_behind(m):
    """What a refused creation could leave: backends, loop devices, domains, files."""
    store = m.run("enso store ls /local/domain/0/backend")
    return (set(domains(m)), re.findall(r"frontend-id = .*", store), m.run("cat /proc/loops"), m.run("ls /run/enso/boot-* 2>/dev/null"))


def in_guest(m, name, command, wanted):
    """A line typed at a guest's console; what it prints is in the guest's log."""
    m.line(f"enso console {name}")
    m.expect(r"leaves --")
    m.line("")
    m.expect(rf"{name}# ")
    m.line(command)
    m.expect(wanted)
    m.send("\x1d")
    m.prompt()


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    where = tmp_path_factory.mktemp("create-disk")
    disk = str(where / "disk.img")
    subprocess.run(["cp", "--sparse=always", DISK, disk], check=True)
    with Machine("create-disk", modules=DOM0_DISK, memory=640,
                 extra=["-drive", f"file={disk},format=raw,if=none,id=d0,discard=unmap", "-device", "nvme,drive=d0,serial=enso0"]) as m:
        m.prompt()
        # What starts with dom0 by itself is another test's.
        wait_until(m, lambda: m.run("grep -c . /var/log/console/auto.log").strip() == "2")
        m.run("enso destroy web1; enso destroy web2")
        m.run("echo 'memory = 32; name = \"one\"; disk = [ \"/images/web1.qcow2,qcow2,xvda,rw\" ]' > /tmp/one.cfg")
        yield m
        m.run("enso destroy one; enso destroy two")
        assert m.poweroff() == 0
    # Its file system was full, and makers were killed: all of it is whole, and so are the images.
    fsck(disk)
    subprocess.run(["/sbin/debugfs", "-R", f"rdump /images {where}", f"{disk}?offset={1 << 20}"], check=True, capture_output=True)
    for name in ("web1.qcow2", "web2.qcow2"):
        got = subprocess.run(["qemu-img", "check", name], cwd=where / "images", capture_output=True, text=True, check=False)
        assert got.returncode == 0, got.stdout + got.stderr
    os.unlink(disk)


def test_starts_from_its_disk(machine):
    m = machine
    rc, out = m.status("enso create /tmp/one.cfg")
    assert rc == 0, out
    wait_until(m, lambda: "one# " in m.run("cat /var/log/console/one.log"))
    assert re.search(r"^one +connected +connected +xvda +51712 +w +qcow2 +/images/web1.qcow2", m.run("enso block-list one"), re.M)
    in_guest(m, "one", "echo kept-$((6*7)) > /kept; sync; cat /proc/cmdline", r"root=/dev/xvda1")
    # Built again from the disk, with the same card: what it wrote is there.
    first = domains(m)["one"]["domid"]
    m.run("rm -f /var/log/console/one.log*")
    assert m.status("enso reboot -w one")[0] == 0
    wait_until(m, lambda: domains(m).get("one", {}).get("domid", first) > first)
    wait_until(m, lambda: "one# " in m.run("cat /var/log/console/one.log 2>/dev/null"))
    in_guest(m, "one", "cat /kept", r"kept-42")


def test_devices_come_and_go(machine):
    m = machine
    m.run("truncate -s 4M /images/extra.img; truncate -s 4M /images/two.img")
    before = left_behind(m)
    assert m.status("enso block-attach one /images/extra.img,raw,xvdb,rw")[0] == 0
    refused(m, "enso block-attach one /images/two.img,raw,xvdb,rw", r"one has a disk xvdb already")
    in_guest(m, "one", "ls /dev/xvd*; echo hello-$((1+1)) > /dev/xvdb; sync; head -n 1 /dev/xvdb", r"hello-2")
    assert m.status("enso block-detach one xvdb")[0] == 0
    assert m.run("head -n 1 /images/extra.img") .strip() == "hello-2"
    refused(m, "enso block-detach one xvdb", r"one has no disk xvdb")
    refused(m, "enso block-detach one xvda", r"one uses its disk xvda")
    if "no bridge" not in m.run("enso network-attach one bridge=br0 mac=00:16:3e:00:00:09"):
        assert re.search(r"^one +connected +connected +0 +00:16:3e:00:00:09 +br0", m.run("enso network-list one"), re.M)
        assert m.status("enso network-detach one 00:16:3e:00:00:09")[0] == 0
    assert left_behind(m) == before


def test_full_below_a_running_guest(machine):
    """The guest sees a write fail; dom0's console says why. With room again all is well."""
    m = machine
    m.run("truncate -s 32M /images/sparse.img")
    assert m.status("enso block-attach one /images/sparse.img,raw,xvdb,rw")[0] == 0
    m.run("dd if=/dev/zero of=/images/fill bs=1M count=1000")
    m.line("enso console one")
    m.expect(r"leaves --")
    m.line("dd if=/dev/zero of=/dev/xvdb bs=64K count=32; sync; echo tried-$((1+1))")
    m.expect("tried-2")
    m.send("\x1d")
    m.prompt()
    m.saw(r"loop\d+: /images/sparse.img: no space is left on its file system, so writes to this disk fail")
    m.run("rm /images/fill")
    in_guest(m, "one", "echo room-$((3+4)) > /dev/xvdb; sync; head -n 1 /dev/xvdb", r"room-7")
    assert m.status("enso block-detach one xvdb")[0] == 0
    assert m.run("head -n 1 /images/sparse.img").strip() == "room-7"


def test_wrong_and_nothing_left(machine):
    m = machine
    if "one" not in domains(m):
        m.run("enso create -q /tmp/one.cfg")
    m.run("mkdir -p /images/folder; truncate -s 4M /images/locked.img; chmod 444 /images/locked.img; cp /images/web2.qcow2 /tmp/astray.qcow2")
    m.run("truncate -s 100 /images/short.img; truncate -s 8M /images/empty.img; dd if=/images/web2.qcow2 of=/images/cut.qcow2 bs=40 count=1; sync")
    before, frames = left_behind(m), free_frames(m)
    create = "enso create /tmp/one.cfg name=two "
    for disk, words in [
        ("/images/none.img,raw,xvda,rw", r"disk xvda: /images/none.img: no such file; make it"),
        ("/dev/nvme0n1p9,raw,xvda,rw", r"/dev/nvme0n1p9: there is no such device"),
        ("/images/short.img,raw,xvda,rw", r"/images/short.img: too short for a disk: 100 bytes"),
        ("/images/cut.qcow2,qcow2,xvda,rw", r"/images/cut.qcow2: the qcow2 image is cut short"),
        ("/images/web2.qcow2,raw,xvda,rw", r"it is a qcow2 image, and the configuration says raw; add format=qcow2"),
        ("/images/empty.img,qcow2,xvda,rw", r"it is not a qcow2 image; if it is raw, say format=raw"),
        ("/images/empty.img,raw,xvda,rw", r"/images/empty.img: no ext2 file system is on it"),
        ("/images/web1.qcow2,qcow2,xvda,rw", r"/images/web1.qcow2: one uses it read-write already"),
        ("/images/base.img,raw,xvda,rw", r"/images/base.img: one uses it already"),
        ("/dev/nvme0n1p1,raw,xvda,rw", r"/dev/nvme0n1p1: no boot menu is on it"),
        ("/dev/nvme0n1p1,raw,xvda,rw kernel=/boot/novice-pv.elf", r"disk xvda: /dev/nvme0n1p1 is in use"),
        ("/images/folder,raw,xvda,rw", r"/images/folder: neither a file nor a block device"),
        ("/images/locked.img,raw,xvda,rw", r"/images/locked.img: it is marked read-only \(mode 444\); `chmod u\+w` it, or say access=ro"),
        ("/tmp/astray.qcow2,qcow2,xvda,rw", r"/tmp/base.img: no such file, and the image is an overlay of it"),
        ("'[\"/images/web2.qcow2,qcow2,xvda,rw\", \"/images/web2.qcow2,qcow2,xvdb,rw\"]'", r"disk xvdb: /images/web2.qcow2: xvda of this domain uses it already"),
        ("'[\"/images/web2.qcow2,qcow2,xvda,rw\", \"/images/empty.img,raw,xvda,rw\"]'", r"there are two called xvda"),
        ("/images/web2.qcow2,qcow2,sda,rw", r"expected the guest's name for it, xvda to xvdz"),
    ]:
        refused(m, f"{create} disk={disk}", words)
    create += "disk=/images/web2.qcow2,qcow2,xvda,rw "
    refused(m, create + "bootentry=Windows", r'its grub.cfg has no entry "Windows"; it has 1')
    refused(m, create + "vif=bridge=br7", r"vif 0 \(bridge br7\): no bridge br7")
    refused(m, create + "memory=4000", r"memory")
    refused(m, create + "vif=mac=zz", r"mac: expected one card's address")
    refused(m, create + "vif=mac=01:16:3e:00:00:01", r"mac: expected one card's address")
    refused(m, create + "'vif=[\"mac=00:16:3e:00:00:07\", \"mac=00:16:3E:00:00:07\"]'", r"two cards have the same mac")
    refused(m, create + "kernel=/none", r"/none: cannot open it")
    refused(m, create + "kernel=/boot/novice-pv.elf ramdisk=/none", r"/none: cannot open it")
    refused(m, create + "name=one", r"a domain called one already")
    refused(m, create + "memory=0", r"expected a number of MiB from 2")
    refused(m, create + "memory=1000000000", r"expected a number of MiB from 2")
    assert left_behind(m) == before
    wait_until(m, lambda: free_frames(m) == frames)
    # And after all that the image is whole: it starts.
    assert m.status(create)[0] == 0
    wait_until(m, lambda: "two# " in m.run("cat /var/log/console/two.log"))
    m.run("enso destroy two")
    wait_until(m, lambda: left_behind(m) == before)          # ensod may be the one that drops the last


def how_long(m):
    """Seconds that an undisturbed creation takes."""
    t = time.monotonic()
    assert m.status("enso create -q -p /tmp/two.cfg")[0] == 0
    took = time.monotonic() - t
    m.run("enso destroy two")
    return took


def test_killed_at_any_moment(machine):
    """A maker that dies leaves nothing: its loop devices go with it, ensod ends the half-made domain. Each life is also interrupted once."""
    m = machine
    m.run("truncate -s 4M /images/second.img")
    m.run("echo 'memory = 24; name = \"two\"; disk = [ \"/images/web2.qcow2,qcow2,xvda,rw\", \"/images/second.img,raw,xvdb,rw\" ]' > /tmp/two.cfg")
    m.run("enso create -q -p /tmp/two.cfg && enso destroy two")
    before, frames = left_behind(m), free_frames(m)
    whole = min(how_long(m) for _ in range(3))
    seed = int(os.environ.get("SEED", random.randrange(1 << 30)))
    print(f"seed {seed}")
    rng, ended = random.Random(seed), 0
    for i in range(10):
        signal, after = ("KILL", "INT")[i % 2], rng.uniform(0.01, whole)
        m.run(f"enso create -q -p /tmp/two.cfg & sleep {after:.3f}; kill -{signal} $!; wait")
        # What was whole by then is a domain like any other.
        wait_until(m, lambda: not m.run("ls /run/enso | grep -e making -e new-").strip())
        if "two" in domains(m):
            m.run("enso destroy two")
        else:
            ended += 1
        try:
            wait_until(m, lambda: left_behind(m) == before and free_frames(m) == frames)
        except Failure as e:
            raise Failure(f"seed {seed}, life {i}, {signal} after {after:.3f} s: {left_behind(m)}, not {before}; {free_frames(m)} of {frames} frames free\n{e}") from None
    assert ended >= 2, f"seed {seed}: only {ended} of 10 were killed in time"
    assert m.status("enso create -q /tmp/two.cfg")[0] == 0
    m.run("enso destroy two")


def test_a_backend_restarts(machine):
    m = machine
    if "one" not in domains(m):
        m.run("enso create -q /tmp/one.cfg")
    assert m.status("enso backend restart vbd")[0] == 0
    wait_until(m, lambda: re.search(r"^one +connected +connected", m.run("enso block-list one"), re.M))
    in_guest(m, "one", "echo again-$((2+3)) > /again; sync; cat /again", r"again-5")

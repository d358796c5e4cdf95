# SPDX-License-Identifier: MIT
"""Claim (issue 3, acceptance 2): what a guest wrote is there after the domain's restart, after dom0's reboot, and in the image as the
build machine reads it, equal to the byte; the file system is whole. Here with 64 MiB, in test_long_data.py with 1 GiB."""
import os
import subprocess

from machine import DOM0, ROOT, Machine
from test_run_disk import fsck

SEED = 20261121
FIRST = 1 << 20                                         # byte at which mkdisk.py puts the first partition


def host_tool(tmp_path):
    tool = str(tmp_path / "pattern")
    subprocess.run(["gcc", "-O2", "-DPATTERN_HOST", "-o", tool, os.path.join(ROOT, "guest-kernel/user/box/pattern.c")], check=True)
    return tool


def disk_with_file_system(tmp_path, mib):
    part, disk = str(tmp_path / "part.img"), str(tmp_path / "disk.img")
    with open(part, "wb") as f:
        f.truncate((mib + mib // 16 + 16) << 20)
    subprocess.run(["/sbin/mke2fs", "-q", "-t", "ext2", part], check=True)
    subprocess.run([os.path.join(ROOT, "tests/setup/mkdisk.py"), disk, "data:" + part], check=True)
    os.unlink(part)
    return disk


def guest_does(m, words, end, timeout):
    """A guest with the disk, made anew; it types words at its shell and must print end."""
    rc, out = m.status('enso create /etc/enso/carol.cfg memory=64 "disk=[\'phy:/dev/nvme0n1p1,xvda,w\']"', timeout=60)
    assert rc == 0, out
    m.line("enso console carol")
    m.expect("carol# ", timeout=60)
    m.line("stty cols 1000")
    m.expect("carol# ")
    m.line("mkdir -p /mnt && mount -t ext2 /dev/xvda /mnt && " + words)
    m.expect(end, timeout=timeout)
    m.expect("carol# ", timeout=timeout)
    m.line("umount /mnt; sync; echo $((6*7))-out")
    m.expect("42-out", timeout=60)
    m.send("\x1d")
    m.prompt()
    assert m.status("enso shutdown -w carol", timeout=60)[0] == 0


def data_survives(name, mib, tmp_path):
    disk = disk_with_file_system(tmp_path, mib)
    machine = {"memory": 512, "timeout": 90, "extra": ["-drive", f"file={disk},format=raw,if=none,id=disk0", "-device", "nvme,drive=disk0,serial=enso0"]}
    limit = 60 + mib
    with Machine(name, modules=DOM0, **machine) as m:
        m.prompt()
        guest_does(m, f"pattern write /mnt/data {mib} {SEED}", f"pattern: {mib} MiB written", limit)
        guest_does(m, f"pattern check /mnt/data {mib} {SEED}", f"pattern: {mib} MiB equal", limit)      # after the domain's restart
        assert m.poweroff() == 0
    with Machine(name + "-again", modules=DOM0, **machine) as m:                                         # after dom0's
        m.prompt()
        guest_does(m, f"pattern check /mnt/data {mib} {SEED}", f"pattern: {mib} MiB equal", limit)
        assert m.poweroff() == 0
    fsck(disk, FIRST)
    out = str(tmp_path / "data")
    subprocess.run(["/sbin/debugfs", "-R", f"dump /data {out}", f"{disk}?offset={FIRST}"], check=True, capture_output=True)
    subprocess.run([host_tool(tmp_path), "check", out, str(mib), str(SEED)], check=True)


def test_data_survives(tmp_path):
    data_survives("data", 64, tmp_path)

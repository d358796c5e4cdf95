# SPDX-License-Identifier: MIT
"""Claim: Novice drives an NVMe disk, a network card and the clock, on the bare PC and as dom0, with messages and with lines; what it
wrote is in the image where it belongs, what it discarded is not. A failure would mean data in the wrong place or lost."""
import os
import re
import struct
import subprocess
import time

import pytest

from machine import BUILD, DOM0, Machine

MIB = 1 << 20
NATIVE = """set timeout=0
menuentry "test" {
multiboot2 /boot/novice.elf console=com1 hostname=dom0 %s
module2 /boot/dom0.cpio
}
"""


def pattern(nbytes, seed):
    """The first bytes of `pattern write`'s data."""
    mask = (1 << 64) - 1
    out = bytearray()
    for i in range(nbytes // 8):
        x = ((i + seed * 0x9E3779B97F4A7C15) * 0xBF58476D1CE4E5B9) & mask
        out += struct.pack("<Q", x ^ x >> 29)
    return bytes(out)


def disk_image(path):
    """GPT: partition 1 at 1 MiB, 20 MiB; 2 at 21 MiB, 30 MiB."""
    with open(path, "wb") as f:
        f.truncate(64 * MIB)
        f.seek(21 * MIB)
        f.write(b"\x5a" * (30 * MIB))
    subprocess.run(["/usr/sbin/sfdisk", "-q", path], check=True, input="label: gpt\nstart=2048,size=20M\nsize=30M\n", text=True)


@pytest.mark.parametrize("kind,words", [("native", ""), ("dom0", ""), ("native", "nomsi"), ("dom0", "nomsi")])
def test_devices(kind, words, tmp_path):
    image = str(tmp_path / "disk.img")
    disk_image(image)
    places = (",addr=4", ",addr=8") if words else ("", "")          # without messages both are on one line
    extra = ["-drive", f"if=none,id=d,file={image},format=raw,discard=unmap", "-device", "nvme,drive=d,serial=enso" + places[0],
             "-netdev", "user,id=n", "-device", "e1000e,netdev=n" + places[1]]
    name = f"devices-{kind}-{words or 'msi'}"
    if kind == "native":
        m = Machine(name, cfg=NATIVE % words, files={"novice.elf": os.path.join(BUILD, "novice.elf")}, memory=256, cpus=1, extra=extra)
    else:
        m = Machine(name, modules=[DOM0[0] + " " + words, DOM0[1]], extra=extra)
    with m:
        m.prompt()
        assert m.run("blockdev size /dev/nvme0n1").strip() == str(64 * MIB)
        assert m.run("blockdev size /dev/nvme0n1p1").strip() == str(20 * MIB)
        assert m.run("blockdev size /dev/nvme0n1p2").strip() == str(30 * MIB)
        kernel = m.run("dmesg")
        assert re.search(r"nvme0: nvme0n1, 64 MiB, 2 queues, " + ("one interrupt" if words else "an interrupt each"), kernel), kernel
        assert "e1000e" not in kernel or "error" not in kernel, kernel
        if words == "":
            assert abs(int(m.run("cat /dev/rtc")) - time.time()) < 86400
            link = m.run("ifconfig")
            assert re.search(r"eth0", link), link
        elif kind == "native":
            m.run("ifconfig eth0 10.0.2.15/24 up")
            assert m.status("ping -c 2 10.0.2.2")[0] == 0
        assert m.status("pattern write /dev/nvme0n1p1 4 7")[0] == 0
        assert m.status("pattern check /dev/nvme0n1p1 4 7")[0] == 0
        assert m.status("blockdev flush /dev/nvme0n1p1")[0] == 0
        # Odd pieces: read, changed, written back.
        assert m.status("echo hello | dd of=/dev/nvme0n1p2 bs=6 count=1 seek=1000")[0] == 0
        assert "hello" in m.run("dd if=/dev/nvme0n1p2 bs=6 count=1 skip=1000")
        assert m.status("blockdev discard /dev/nvme0n1p2 8388608 4194304")[0] == 0
        assert m.status("blockdev discard /dev/nvme0n1p2 29360128 4194304")[0] != 0      # over the end
        assert m.status("blockdev flush /dev/nvme0n1")[0] == 0
        if kind == "dom0" and not words:
            m.poweroff()
        kernel = m.run("dmesg") if not (kind == "dom0" and not words) else ""
        assert "failed" not in kernel and "masked" not in kernel and "lost" not in kernel, kernel
    with open(image, "rb") as f:
        f.seek(1 * MIB)
        assert f.read(64 * 1024) == pattern(64 * 1024, 7)
        f.seek(21 * MIB)
        second = f.read(30 * MIB)
    assert second[6000:6006] == b"hello\n"
    assert second[:6000] == b"\x5a" * 6000 and second[6006:8 * MIB] == b"\x5a" * (8 * MIB - 6006)
    assert second[8 * MIB:12 * MIB] == bytes(4 * MIB)
    assert second[12 * MIB:] == b"\x5a" * (18 * MIB)


def test_no_card():
    """No disk, no card: not a word."""
    with Machine("devices-none", cfg=NATIVE % "", files={"novice.elf": os.path.join(BUILD, "novice.elf")}, memory=128, cpus=1) as m:
        m.prompt()
        assert not re.search(r"nvme|e1000e|pci|irq", m.run("dmesg"))

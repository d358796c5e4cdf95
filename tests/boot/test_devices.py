# SPDX-License-Identifier: MIT
"""Claim: Novice drives an NVMe disk, a network card and the clock, on the bare PC and as dom0, with messages and with lines; what it
wrote is in the image where it belongs, what it discarded is not; and a device that does not let go of their line stops none of this
(SPEC 12.1). A failure would mean data in the wrong place or lost, or a machine that one broken card hangs."""
import os
import re
import socket
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


def novice(name, kind, words, extra):
    if kind == "native":
        return Machine(name, cfg=NATIVE % words, files={"novice.elf": os.path.join(BUILD, "novice.elf")}, memory=256, cpus=1, extra=extra)
    return Machine(name, modules=[DOM0[0] + " " + words, DOM0[1]], extra=extra)


def stuck_line(m, kind):
    """QEMU's edu pulls line 20, which disk and card share, and its driver first denies it, then takes each interrupt for its own."""
    rc, out = m.status("echo frob >/dev/edu")
    assert rc == 1 and "echo: " in out, out                              # the shell tells of what a device would not have
    assert m.status("echo factorial 10 >/dev/edu")[0] == 0
    assert "factorial 3628800\ninterrupts 1\nmode ack\nholds its line no" in m.run("cat /dev/edu")
    for mode, why in (("ignore", "no driver's"), ("claim", "its driver cannot quiet it")):
        m.run(f"echo mode {mode} >/dev/edu")
        m.line("echo raise >/dev/edu")
        m.expect(r"irq: line 20 does not stop \(" + why + r"; held by edu 00:0c.0\): masked; ([^\r\n]*) polled each millisecond")
        assert m.child.match.group(1) == b"nvme 00:04.0, e1000e 00:08.0, edu 00:0c.0"
        m.sync()
        table = m.run("cat /proc/interrupts")
        assert re.search(r"\tINTx 20\t(pirq 20, event channel|vector) \d+\t(stuck|trial)\tnvme 00:04.0, e1000e", table), table
        assert re.search(r"\t(timer|event)\t", table), table
        assert "holds its line yes" in m.run("cat /dev/edu")
        assert m.status("pattern write /dev/nvme0n1p1 4 7")[0] == 0 and m.status("pattern check /dev/nvme0n1p1 4 7")[0] == 0
        if kind == "native":
            assert m.status("ping -c 1 -W 10 10.0.2.2")[0] == 0
        m.line("echo quiet >/dev/edu")
        m.expect("irq: line 20 is quiet again: unmasked")
        m.sync()
        assert re.search(r"INTx 20\t[^\t]*\topen\t", m.run("cat /proc/interrupts"))
        assert m.status("pattern check /dev/nvme0n1p1 1 7")[0] == 0


def one_message(m, kind):
    """edu has MSI and no MSI-X: its one message, in configuration space, is its interrupt."""
    assert m.status("echo factorial 10 >/dev/edu")[0] == 0
    assert "factorial 3628800\ninterrupts 1\nmode ack\nholds its line no" in m.run("cat /dev/edu")
    came = re.search(r"(\d+)\tMSI 0\t" + ("vector" if kind == "native" else r"pirq \d+, event channel") + r" \d+\topen\tedu 00:0c.0\n", m.run("cat /proc/interrupts"))
    assert came and int(came.group(1)) >= 1, m.tail()


def pull_cable(m, monitor):
    """The card's cable goes and comes back: each is one line, and packets flow again."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(monitor)
        for word, seen in (("off", "down"), ("on", "up")):
            s.sendall(f"set_link n {word}\n".encode())
            m.expect(r"eth0: link " + seen)
    m.sync()


@pytest.mark.parametrize("kind,words", [("native", ""), ("dom0", ""), ("native", "nomsi"), ("dom0", "nomsi")])
def test_devices(kind, words, tmp_path):
    image = str(tmp_path / "disk.img")
    disk_image(image)
    places = (",addr=4", ",addr=8") if words else ("", "")          # without messages all are on one line
    extra = ["-drive", f"if=none,id=d,file={image},format=raw,discard=unmap", "-device", "nvme,drive=d,serial=enso" + places[0],
             "-netdev", "user,id=n", "-device", "e1000e,netdev=n" + places[1], "-device", "edu,addr=c",
             "-monitor", f"unix:{tmp_path}/monitor,server,nowait"]
    name = f"devices-{kind}-{words or 'msi'}"
    with novice(name, kind, words, extra) as m:
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
        m.run("ifconfig eth0 up")
        pull_cable(m, f"{tmp_path}/monitor")
        if words and kind == "native":
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
        if words:
            stuck_line(m, kind)
        else:
            one_message(m, kind)
        if kind == "dom0" and not words:
            m.poweroff()
        kernel = m.run("dmesg") if not (kind == "dom0" and not words) else ""
        assert "failed" not in kernel and "lost" not in kernel, kernel
        assert kernel.count("does not stop") == (2 if words else 0), kernel
    with open(image, "rb") as f:
        f.seek(1 * MIB)
        assert f.read(64 * 1024) == pattern(64 * 1024, 7)
        f.seek(21 * MIB)
        second = f.read(30 * MIB)
    assert second[6000:6006] == b"hello\n"
    assert second[:6000] == b"\x5a" * 6000 and second[6006:8 * MIB] == b"\x5a" * (8 * MIB - 6006)
    assert second[8 * MIB:12 * MIB] == bytes(4 * MIB)
    assert second[12 * MIB:] == b"\x5a" * (18 * MIB)


@pytest.mark.parametrize("kind,words", [("native", "nomsi"), ("dom0", "")])
def test_bridge_and_namespaces(kind, words, tmp_path):
    """A disk behind a root port, and a second controller with two namespaces, one of them with blocks of 4 KiB: all are found, and
    their interrupts come, as messages or over the pin that the bridge turns."""
    images = [str(tmp_path / f"{i}.img") for i in range(3)]
    drives = []
    for i, path in enumerate(images):
        with open(path, "wb") as f:
            f.truncate(16 * MIB)
        drives += ["-drive", f"if=none,id=d{i},file={path},format=raw"]
    extra = [*drives, "-device", "pcie-root-port,id=rp,chassis=1,addr=5", "-device", "nvme,drive=d0,serial=a,bus=rp", "-device", "nvme,id=c,serial=b,addr=8",
             "-device", "nvme-ns,drive=d1,bus=c,nsid=1,logical_block_size=4096,physical_block_size=4096", "-device", "nvme-ns,drive=d2,bus=c,nsid=2"]
    with novice(f"bridge-{kind}", kind, words, extra) as m:
        m.prompt()
        table = m.run("cat /proc/interrupts")
        if words:
            assert re.search(r"INTx 21\t[^\n]*\topen\tnvme 01:00.0\n", table) and re.search(r"INTx 20\t[^\n]*\topen\tnvme 00:08.0\n", table), table
        else:
            assert len(re.findall(r"MSI-X \d\tpirq \d+, event channel \d+\topen\tnvme 0[01]:0[08].0\n", table)) == 6, table
        for name in ("nvme0n1", "nvme1n1", "nvme1n2"):
            assert m.status(f"pattern write /dev/{name} 4 7")[0] == 0 and m.status(f"pattern check /dev/{name} 4 7")[0] == 0
        assert m.status("echo hello | dd of=/dev/nvme1n1 bs=6 count=1 seek=1000000")[0] == 0       # less than a block: read, changed, written
        assert m.status("blockdev flush /dev/nvme1n1")[0] == 0
        came = re.findall(r"(\d+)\t(?:INTx|MSI-X) \d+\t[^\n]*01:00.0", m.run("cat /proc/interrupts"))
        assert "lost" not in m.run("dmesg") and sum(map(int, came)) > 0
    for path in images:
        with open(path, "rb") as f:
            assert f.read(64 * 1024) == pattern(64 * 1024, 7)
    with open(images[1], "rb") as f:
        f.seek(5999994)
        assert f.read(18) == bytes(6) + b"hello\n" + bytes(6)


def test_unknown_board(tmp_path):
    """Another board than Q35, and no messages: one sentence says that the disk is polled, and it works."""
    image = str(tmp_path / "d.img")
    with open(image, "wb") as f:
        f.truncate(16 * MIB)
    m = novice("unknown-board", "native", "nomsi", ["-drive", f"if=none,id=d,file={image},format=raw", "-device", "nvme,drive=d,serial=a"])
    m.qemu[m.qemu.index("q35")] = "pc"
    with m:
        m.prompt()
        assert len(re.findall(r"pci: nvme 00:0\d.0 has no messages, and its line is known to this machine's AML alone: polled", m.run("dmesg"))) == 1
        assert m.status("pattern write /dev/nvme0n1 1 7")[0] == 0 and m.status("pattern check /dev/nvme0n1 1 7")[0] == 0


def test_no_card():
    """No disk, no card: not a word."""
    with Machine("devices-none", cfg=NATIVE % "", files={"novice.elf": os.path.join(BUILD, "novice.elf")}, memory=128, cpus=1) as m:
        m.prompt()
        assert not re.search(r"nvme|e1000e|pci|irq", m.run("dmesg"))

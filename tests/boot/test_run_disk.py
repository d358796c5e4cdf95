# SPDX-License-Identifier: MIT
"""Claim (issue 3, acceptance 1): `make run`'s machine comes up from an ext2 disk on NVMe, with two guests from qcow2 overlays on one
base image and no kernel= in their configuration, and the build machine reads dom0's and both guests' web pages through the real card,
the bridge and netfront."""
import os
import re
import socket
import subprocess
import time
import urllib.request

from machine import BUILD, SCALE, Failure, Machine
from test_first_minutes import domains, run_cfg, wait_until


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def page(port, path="/", seconds=40):
    """The page at a port of ours, as soon as it comes."""
    end = time.monotonic() + seconds * SCALE
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10 * SCALE) as answer:
                return answer.read().decode()
        except OSError as e:
            if time.monotonic() > end:
                raise Failure(f"port {port}{path}: {e}") from None
            time.sleep(0.3)


def boot(name, disk, ports, **kw):
    forward = "".join(f",hostfwd=tcp:127.0.0.1:{p}-10.0.2.{15 + i}:80" for i, p in enumerate(ports))
    return Machine(name, cfg=run_cfg(), memory=1024,
                   extra=["-netdev", "user,id=net0" + forward, "-device", "e1000e,netdev=net0",
                          "-drive", f"file={disk},format=raw,if=none,id=disk0,discard=unmap", "-device", "nvme,drive=disk0,serial=enso0"], **kw)


def fsck(disk, partition_offset=1 << 20):
    """The root file system of a disk image is whole."""
    got = subprocess.run(["/sbin/e2fsck", "-fn", f"{disk}?offset={partition_offset}"], capture_output=True, text=True, check=False)
    assert got.returncode == 0, got.stdout + got.stderr


def at_web1(m, command):
    """A line at web1's console, which says of a pattern that it is equal."""
    m.line("enso console web1")
    m.line("")
    m.expect("web1# ", timeout=40)
    m.line(f"{command}; echo $((6*7))-end")
    m.expect("42-end", timeout=60)
    assert "equal" in m.before, m.tail()
    m.send("\x1d")
    m.prompt()


def test_disk_network_and_two_guests(tmp_path):
    disk = str(tmp_path / "disk.img")
    subprocess.run(["cp", "--sparse=always", os.path.join(BUILD, "disk.img"), disk], check=True)
    ports = [free_port() for _ in range(3)]
    with boot("run-disk", disk, ports) as m:
        m.prompt(timeout=90)
        assert re.search(r"^/dev/nvme0n1p1 / ext2", m.run("mount"), re.M)
        wait_until(m, lambda: {"web1", "web2"} <= set(domains(m)), tries=100)
        for name, port in zip(("dom0", "web1", "web2"), ports):
            assert name in page(port), name
        for name in ("web1", "web2"):
            cfg = m.run(f"cat /etc/enso/auto/{name}.cfg")
            assert "kernel" not in re.sub(r"#.*", "", cfg), cfg
            assert re.search(r"qcow2", cfg), cfg
        # Each writes to an overlay of its own; the base stays as it was.
        before = m.run("cksum /images/base.img")
        at_web1(m, "pattern write /root/data 4 5 && sync && pattern check /root/data 4 5")
        assert m.run("cksum /images/base.img") == before
        assert re.search(r"br0.*eth0", m.run("brctl show"), re.S)
        assert m.poweroff() == 0
    fsck(disk)
    # The machine comes up again from the same disk, and web1's file is still there.
    with boot("run-disk-again", disk, ports) as m:
        m.prompt(timeout=90)
        assert "web1" in page(ports[1])
        at_web1(m, "pattern check /root/data 4 5")
        assert m.poweroff() == 0
    fsck(disk)

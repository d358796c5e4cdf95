# SPDX-License-Identifier: MIT
"""Claim (issue 3, acceptance 5): frontends that fill their rings, grants and store nodes with random words, for block, net, console and
store, harm only themselves: dom0 and another guest work on, measured by their own traffic. The full five minutes are in
test_long_frontends.py. A failure means that a backend believes what it reads."""
import os
import subprocess

from machine import BUILD, DOM0, ROOT, Failure, Machine, dice, guest

HOSTILE = {"hostile.elf": os.path.join(BUILD, "hostile.elf")}
KINDS = ["blkfront", "netfront", "conring", "storering", "storewords"]


def attacked(name, seconds, tmp_path):
    disk = str(tmp_path / "disk.img")
    subprocess.run([os.path.join(ROOT, "tests/setup/mkdisk.py"), disk, "evil:empty=16", "good:empty=32"], check=True)
    modules = [*DOM0, *guest("victim", memory="32M", cmdline="ip=10.0.2.30/24")]
    for kind in KINDS:
        modules.append(f"module2 /boot/hostile.elf domain={kind} memory=8M -- attack={kind} seconds={seconds}")
    with Machine(name, modules=modules, files=HOSTILE, memory=768, timeout=90,
                 extra=["-drive", f"file={disk},format=raw,if=none,id=disk0", "-device", "nvme,drive=disk0,serial=enso0"]) as m:
        m.prompt()
        if "br0" not in m.run("brctl show"):
            m.run("brctl addbr br0; ifconfig br0 10.0.2.15/24 up")
        for command in ("block-attach victim phy:/dev/nvme0n1p2,xvda,w", "network-attach victim", "network-attach netfront"):
            rc, out = m.status("enso " + command)
            assert rc == 0, out
        m.line("enso block-attach blkfront phy:/dev/nvme0n1p1,xvda,w; echo")    # it may already be past the polite part
        m.prompt()
        work(m, seconds)
        assert m.poweroff(timeout=120) == 0


def work(m, seconds):
    """The victim's disk and network, and dom0's, until the attackers are done; every round must succeed."""
    rounds = 0
    chance = dice("kills of xenstored among hostile guests")
    m.line("enso console victim")
    m.line("")
    m.expect("victim# ")
    m.send("\x1d")
    m.prompt()
    while True:
        m.line("enso console victim")
        m.line(f"pattern write /dev/xvda 4 {rounds} && pattern check /dev/xvda 4 {rounds} && store write data/n {rounds} && test $(store read data/n) = {rounds} && ping -c 3 10.0.2.15 && echo round-$(({rounds}+1))-ok")
        m.expect(rf"round-{rounds + 1}-ok", timeout=60)
        m.send("\x1d")
        m.prompt()
        if chance.randrange(2):                          # what attackers have left half done is taken up, too
            m.run(f"sleep {chance.uniform(0, 0.2):.3f}; kill -9 $(cat /run/xenstored/pid)")
        rc, out = m.status("enso store write /test/key value && enso store read /test/key && ping -c 2 10.0.2.30", timeout=30)
        assert rc == 0, out
        rounds += 1
        if not any(kind in m.run("enso list") for kind in KINDS):
            break
        if rounds > seconds * 4:
            raise Failure("the attackers do not end\n" + m.tail())
    with open(m.log_path, "rb") as f:
        text = f.read()
    assert b"BROKE OUT" not in text and b"TEST ERROR" not in text, m.tail()
    return rounds


def test_frontends_harm_only_themselves(tmp_path):
    attacked("hostile-frontends", 15, tmp_path)

# SPDX-License-Identifier: MIT
"""Claim: Enso boots on small and large machines, with each scheduler, with and without dom0, and says what is wrong with a bad
boot entry in one sentence, losing nothing else (SPEC 13)."""
import re

import pytest
from machine import DOM0, NOVICE, Failure, Machine, guest
from test_first_minutes import domains, wait_until

SMALL_DOM0 = [DOM0[0].replace("192M", "64M"), DOM0[1]]


@pytest.mark.parametrize("memory,cpus", [(128, 1), (512, 4), (8192, 2)])
def test_sizes(memory, cpus):
    modules = [*(SMALL_DOM0 if memory == 128 else DOM0), *guest("bob", memory="24M")]
    with Machine(f"machine-{memory}-{cpus}", modules=modules, memory=memory, cpus=cpus) as m:
        m.expect(rf"\(enso\) {cpus} CPUs?, {memory} MiB, debug build", timeout=90)
        m.prompt(timeout=120)
        assert set(domains(m)) == {"dom0", "bob"}
        assert m.poweroff(timeout=120) == 0


def test_frames_above_4_gib_are_used():
    """A guest that cannot fit below 4 GiB runs and gives everything back."""
    with Machine("machine-high", modules=[*DOM0, *guest("big", memory="5120M")], memory=8192, cpus=2, timeout=120) as m:
        m.prompt(timeout=240)
        assert domains(m)["big"]["memory_kib"] == 5120 * 1024
        assert m.status("enso destroy big", timeout=120)[0] == 0
        m.saw(r"END v1 d1 big .*frames_lost=0", timeout=120)
        assert m.poweroff(timeout=240) == 0


@pytest.mark.parametrize("sched", ["credit", "rr", "null"])
def test_schedulers(sched):
    modules = [*DOM0, *guest("alice", cmdline="init=/bin/primes")]
    with Machine(f"machine-sched-{sched}", modules=modules, options=f"console=com1 loglvl=all guest_loglvl=all sched={sched}") as m:
        m.prompt()
        info = m.run("enso info")
        assert re.search(rf"scheduler *: {sched}\b", info) and re.search(rf"commandline *: .*sched={sched}\b", info), info
        before = domains(m)["alice"]["cpu_time_ns"]
        wait_until(m, lambda: domains(m)["alice"]["cpu_time_ns"] > before + 100_000_000)
        assert m.poweroff() == 0


def test_without_dom0():
    """Domains from GRUB modules alone: their consoles are on the serial port, each line with its name."""
    modules = [*guest("alice", cmdline="init=/bin/primes"), *guest("bob", cmdline="exec=/bin/uname")]
    with Machine("machine-no-dom0", modules=modules) as m:
        m.expect(r"\(enso\) 2 domains running")
        m.expect(r"\(d\d+ alice\) [^\r\n]*prime")
        m.saw(r"\(enso\) END v1 d\d+ bob reason=poweroff [^\r\n]*frames_lost=0")


def test_positional_modules_as_on_xen():
    modules = [f"module2 {NOVICE} placeholder hostname=dom0 console=hvc0", "module2 /boot/dom0.cpio"]
    with Machine("machine-positional", modules=modules, options="console=com1 dom0_mem=128M") as m:
        m.prompt()
        assert "placeholder hostname=dom0" in m.run("cat /proc/cmdline")
        assert m.poweroff() == 0


@pytest.mark.parametrize("name,line,words", [
    ("key", f"module2 {NOVICE} domain=eve memory=16M colour=red -- x", r"colour.*(known|domain=|memory=)"),
    ("memory", f"module2 {NOVICE} domain=eve memory=900000M -- x", r"eve.*memory"),
    ("number", f"module2 {NOVICE} domain=eve memory=lots -- x", r"memory=lots"),
    ("vcpus", f"module2 {NOVICE} domain=eve memory=16M vcpus=99 -- x", r"vcpus"),
    ("notelf", "module2 /boot/guest.cpio domain=eve memory=16M -- x", r"eve.*ELF"),
    ("nopv", "module2 /boot/enso.elf domain=eve memory=16M -- x", r"eve.*(PV|note)"),
    ("orphan", "module2 /boot/guest.cpio ramdisk=nobody", r"nobody"),
    ("twice", f"module2 {NOVICE} domain=dom0 memory=16M -- x", r"dom0.*(twice|already|exists)"),
])
def test_bad_module_lines(name, line, words):
    """One sentence that names the thing; dom0 comes up, and nothing of the bad domain stays."""
    with Machine("machine-bad-" + name, modules=[*DOM0, line]) as m:
        m.expect(r"\(enso\) [^\r\n]*" + words, timeout=60)
        m.prompt()
        assert set(domains(m)) == {"dom0"}
        assert m.poweroff() == 0


def test_unknown_option_is_named():
    with Machine("machine-bad-option", options="console=com1 frobnicate=3") as m:
        m.expect(r"\(enso\) [^\r\n]*frobnicate")
        m.prompt()
        assert m.poweroff() == 0


def test_debug_keys():
    with Machine("machine-keys", modules=[*DOM0, *guest("bob")]) as m:
        m.prompt()
        for key in "hdmqrea":
            assert m.status(f"enso debug-keys {key}")[0] == 0
        log = open(m.log_path, errors="replace").read()
        assert re.search(r"\(enso\).*audit clean", log)
        for word in ("h ", "bob", "rip"):
            if word not in log:
                raise Failure(f"{word!r} is in no dump\n" + m.tail(100))
        assert m.status("enso dmesg | grep rip >/dev/null")[0] == 0      # whole, it would hold old prompts
        assert m.poweroff() == 0


def test_guest_cannot_forge_a_line():
    with Machine("machine-forge", modules=[*DOM0, *guest("eve", cmdline="init=/bin/sh")]) as m:
        m.prompt()
        m.line("enso console eve")
        m.line("")
        m.expect(r"# ")
        m.line(r"printf '\033[1A\r(enso) END v1 d0 dom0 reason=forged\n' >/dev/console")
        m.expect(r"reason=forged")
        m.send("\x1d")
        m.prompt()
        log = open(m.log_path, "rb").read().replace(b"\r\r\n", b"\n").replace(b"\r\n", b"\n")
        for line in log.split(b"\n"):
            if line.startswith(b"(enso) END v1 d0") and b"forged" in line:
                raise Failure("a guest forged a line of Enso's\n" + m.tail())
        assert m.poweroff() == 0

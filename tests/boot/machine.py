# SPDX-License-Identifier: MIT
"""A machine under QEMU, driven over its serial port.

Every wait has a limit, three times what is ample on an idle machine of two cores (TIMEOUT_SCALE says another number), every log is kept under build/logs/, and the tail of
the log is part of each failure. A boot is described by its multiboot2 line and its modules, so that a test shows
at a glance what it boots.
"""
import os
import random
import re
import subprocess
import sys
import tempfile
import time

import pexpect

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build", os.environ.get("VARIANT", "debug"))
LOGS = os.path.join(ROOT, "build", "logs")
SCALE = float(os.environ.get("TIMEOUT_SCALE", "3"))
QEMU_CPU = os.environ.get("QEMU_CPU", "Nehalem,+smep,+smap,+fsgsbase,+xsave,+xsaveopt,+avx,+rdtscp,+erms,+umip")

NOVICE = "/boot/novice-pv.elf"
DOM0 = [f"module2 {NOVICE} domain=dom0 memory=192M -- console=hvc0 hostname=dom0",
        "module2 /boot/dom0.cpio ramdisk=dom0"]
PROMPT = r"dom0# "


def guest(name, memory="16M", args="", cmdline="", ramdisk="guest.cpio", kernel=NOVICE):
    """The two modules of a domain made by GRUB."""
    return [f"module2 {kernel} domain={name} memory={memory} {args} -- hostname={name} {cmdline}",
            f"module2 /boot/{ramdisk} ramdisk={name}"]


# Lines of the hypervisor's own that came into the midst of another: it breaks that one off and goes on with it afterwards.
CUT = r"(?:\r*\n(?:\((?:enso|d\d+ [^)\r\n]*)\)[^\r\n]*\r*\n)+)?"


def cut_anywhere(text):
    return CUT.join(re.escape(c) for c in text) + CUT + r"\r*\n"


class Failure(AssertionError):
    pass


SEED = int(os.environ.get("TEST_SEED") or time.time_ns() // 1000 % 1000000)


def dice(what):
    """Chance, for moments that must be any: pytest shows the seed with a failure, TEST_SEED=that repeats the moments."""
    print(f"TEST_SEED={SEED} repeats the moments of: {what}")
    return random.Random(f"{SEED} {what}")


class Machine:
    """One boot. Use as a context manager; leaving it ends QEMU."""

    def __init__(self, name, modules=None, options="console=com1 loglvl=all guest_loglvl=all", files=None, memory=512, cpus=2,
                 cpu=QEMU_CPU, icount=False, hypervisor=None, cfg=None, extra=None, timeout=60):
        os.makedirs(LOGS, exist_ok=True)
        self.name = name
        self.log_path = os.path.join(LOGS, name + ".log")
        self.timeout = timeout * SCALE
        self.files = {"enso.elf": hypervisor or os.path.join(BUILD, "enso.elf"), "novice-pv.elf": os.path.join(BUILD, "novice-pv.elf"),
                      "dom0.cpio": os.path.join(BUILD, "dom0.cpio"), "guest.cpio": os.path.join(BUILD, "guest.cpio")}
        self.files.update(files or {})
        modules = DOM0 if modules is None else modules
        self.cfg = cfg or "\n".join(["set timeout=0", 'menuentry "test" {', f"multiboot2 /boot/enso.elf {options}", *modules, "}", ""])
        self.qemu = ["qemu-system-x86_64", "-machine", "q35", "-accel", "tcg", "-cpu", cpu, "-m", str(memory), "-smp", str(cpus),
                     "-boot", "d", "-display", "none", "-vga", "none", "-serial", "stdio", "-monitor", "none", "-no-reboot", "-nic", "none",
                     "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04", *(["-icount", "shift=0"] if icount else []), *(extra or [])]
        self.child = None
        self.iso = None
        self.wide = False
        self.syncs = 0

    def start(self):
        self.iso = tempfile.mktemp(suffix=".iso", prefix="enso-test-")
        with tempfile.NamedTemporaryFile("w", suffix=".cfg", delete=False) as f:
            f.write(self.cfg)
        used = [f"{path}=/boot/{name}" for name, path in self.files.items() if f"/boot/{name}" in self.cfg]
        try:
            subprocess.run([os.path.join(ROOT, "tests/setup/mkiso.sh"), self.iso, f.name, *used], check=True, cwd=ROOT)
        finally:
            os.unlink(f.name)
        limit = str(int(self.timeout * 20))
        self.log = open(self.log_path, "wb")
        self.child = pexpect.spawn("timeout", ["--foreground", "-k", "5", limit, *self.qemu, "-cdrom", self.iso], timeout=self.timeout,
                                   logfile=None, dimensions=(50, 200), echo=False)
        self.child.logfile_read = self.log
        return self

    def __enter__(self):
        return self.start()

    def __exit__(self, *exc):
        self.stop()

    def stop(self):
        if self.child:
            self.child.close(force=True)
            self.log.close()
        for f in (self.iso, (self.iso or "") + ".log"):
            if f and os.path.exists(f):
                os.unlink(f)

    def tail(self, lines=40):
        self.log.flush()
        with open(self.log_path, errors="replace") as f:
            return "".join(f.readlines()[-lines:])

    def expect(self, pattern, timeout=None):
        """Waits for a regular expression; returns its match. Several: the index decides (self.which)."""
        try:
            self.which = self.child.expect(pattern, timeout=(timeout * SCALE if timeout else self.timeout))
        except (pexpect.TIMEOUT, pexpect.EOF) as e:
            kind = "no answer in time" if isinstance(e, pexpect.TIMEOUT) else "the machine ended"
            raise Failure(f"{self.name}: {kind} while waiting for {pattern!r}\n--- {self.log_path}\n{self.tail()}") from None
        return self.child.match

    def saw(self, pattern, timeout=None):
        """As expect, but what the machine said since it started counts too: for lines that may come before or after a prompt."""
        self.log.flush()
        with open(self.log_path, "rb") as f:
            m = re.search(pattern.encode(), f.read())
        return m or self.expect(pattern, timeout)

    @property
    def before(self):
        return self.child.before.decode(errors="replace")

    def send(self, text):
        self.child.send(text)

    def line(self, text):
        self.child.send(text + "\n")

    def prompt(self, timeout=None):
        """Waits for dom0's prompt; the first time, in step (sync)."""
        match = self.expect(PROMPT, timeout)
        return match if self.wide else self.sync(timeout=timeout)

    def sync(self, prompt=PROMPT, timeout=None):
        """Until the shell has answered all that was typed to it, and its last prompt is read. A prompt that lies unread would be
        taken for a later one, and what is typed while the shell is busy is echoed twice. The line is made wide: the shell would
        scroll long commands sideways."""
        self.syncs += 1
        self.wide = self.wide or prompt == PROMPT
        self.line(f"stty cols 1000; echo sync-$(({self.syncs}+0))")
        self.expect(rf"sync-{self.syncs}\r*\n", timeout)
        return self.expect(prompt, timeout)

    def echoed(self, command):
        """Waits for the echo of what was typed. One that was cut is rare, and dear to look for in long commands."""
        try:
            self.child.expect(re.escape(command) + r"\r*\n", timeout=5)
        except (pexpect.TIMEOUT, pexpect.EOF):
            self.expect(cut_anywhere(command))

    def run(self, command, timeout=None):
        """Types a command at dom0's prompt; returns what it printed (other domains' lines taken out)."""
        self.line(command)
        self.echoed(command)
        self.prompt(timeout)
        lines = self.before.replace("\r", "").split("\n")
        return "\n".join(x for x in lines if not re.match(r"^\((enso|d\d+ [^)]*)\)", x))

    def status(self, command, timeout=None):
        """The command's exit status, and its output."""
        out = self.run(command + "; echo status=$?", timeout)
        m = re.search(r"status=(\d+)", out)
        if not m:
            raise Failure(f"{self.name}: {command!r} gave no status:\n{out}\n{self.tail()}")
        return int(m.group(1)), out[:m.start()]

    def end(self, timeout=None):
        """Waits for QEMU to end; returns its exit status."""
        self.expect(pexpect.EOF, timeout)
        self.child.wait()
        self.child.close()
        return self.child.exitstatus

    def poweroff(self, timeout=60):
        """Orderly end from dom0's prompt, with the debug build's audit."""
        self.line("poweroff")
        self.audit(timeout)
        return self.end(timeout)

    def audit(self, timeout=60):
        m = self.expect(r"\(enso\) audit(?: (clean: \d+ frames, 0 lost)|: ([^\r\n]*))", timeout)
        if not m.group(1):
            raise Failure(f"{self.name}: the audit is not clean: {m.group(2).decode()}\n{self.tail()}")


if __name__ == "__main__":
    # By hand: tests/boot/machine.py NAME-OF-LOG 'multiboot options' 'module2 ...' ...; prints what the machine says.
    with Machine(sys.argv[1], modules=sys.argv[3:] or None, options=sys.argv[2] if len(sys.argv) > 2 else "console=com1") as m:
        m.child.logfile_read = sys.stdout.buffer
        m.end(timeout=600)

# SPDX-License-Identifier: MIT
"""Claim: Novice is one kernel (acceptance 3): the same user space and the same usertests natively, as dom0 and as a guest on Enso, and as
dom0 on Xen 4.17. A failure of one column alone points at native/, at pv/, or at the hypervisor."""
import os
import re
import subprocess

import pytest
from machine import BUILD, DOM0, ROOT, Failure, Machine, guest

RESULT = r"usertests: (\d+) passed, (\d+) failed"
LIMIT = 400


def judge(m, seen=False):
    got = m.saw(RESULT, timeout=30) if seen else m.expect(RESULT, timeout=LIMIT)
    if int(got.group(2)) or int(got.group(1)) < 60:
        raise Failure(f"usertests: {got.group(0)}\n{m.tail(200)}")


def test_native():
    cfg = """set timeout=0
menuentry native {
  multiboot2 /boot/novice.elf console=com1 hostname=native exec=/bin/usertests debugexit
  module2 /boot/guest.cpio
}
"""
    with Machine("novice-native", cfg=cfg, files={"novice.elf": os.path.join(BUILD, "novice.elf")}, memory=128, cpus=1) as m:
        judge(m)
        m.end(timeout=60)


def test_as_dom0():
    with Machine("novice-dom0") as m:
        m.prompt()
        m.line("usertests")
        judge(m)
        m.prompt()
        assert m.poweroff() == 0


@pytest.mark.parametrize("vcpus,memory", [(1, "32M"), (2, "64M")])
def test_as_guest(vcpus, memory):
    modules = [*DOM0, *guest("alice", memory=memory, args=f"vcpus={vcpus}", cmdline="exec=/bin/usertests")]
    with Machine(f"novice-guest-{vcpus}", modules=modules) as m:
        # dom0's ensod takes the guest's console over as soon as it runs, and logs it.
        m.expect(r"\(enso\) END v1 d1 alice reason=poweroff [^\r\n]*frames_lost=0", timeout=LIMIT)
        m.sync()
        # What was in the ring when the guest ended may have been ensod's to log or the hypervisor's to print: it is in one of both.
        m.run("tail -n 5 /var/log/console/alice.log")
        judge(m, seen=True)
        assert m.poweroff() == 0


def test_as_dom0_on_xen():
    r = subprocess.run(["make", "-s", "build/xen/xen.gz"], cwd=ROOT, capture_output=True, text=True)
    if r.returncode:
        raise Failure("Xen's package could not be had: " + r.stdout + r.stderr)
    cfg = """set timeout=0
menuentry xen {
  multiboot2 /boot/xen.gz console=com1 com1=115200,8n1 loglvl=warning dom0_mem=128M noreboot=1
  module2 /boot/novice-pv.elf console=hvc0 hostname=dom0 exec=/bin/usertests
  module2 /boot/guest.cpio
}
"""
    with Machine("novice-on-xen", cfg=cfg, files={"xen.gz": os.path.join(ROOT, "build/xen/xen.gz")}, memory=1024, cpus=1,
                 cpu="max,-smap") as m:
        judge(m)


def test_port_size():
    out = subprocess.run(["make", "-s", "port-size"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.search(r"native\D+\d+", out) and re.search(r"pv\D+\d+", out), out

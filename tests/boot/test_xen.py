# SPDX-License-Identifier: MIT
"""Claim: on Xen 4.17 the dom0 devices have Linux's semantics and Xen refuses what Enso refuses (design.md section 1): the `enso`
command talks to Xen's own domctl and sysctl through /dev/xen/privcmd, and each kernel-assisted attack of breakit ends as it does on Enso.
A failure here, Enso's own tests passing, means that Novice or the tools depend on something of Enso's."""
import os
import subprocess

import pytest
from machine import ROOT, Failure, Machine

CFG = """set timeout=0
menuentry xen {
  multiboot2 /boot/xen.gz console=com1 com1=115200,8n1 loglvl=error guest_loglvl=error dom0_mem=128M noreboot=1
  module2 /boot/novice-pv.elf console=hvc0 hostname=dom0
  module2 /boot/dom0.cpio
}
"""
ATTACKS = ["pte", "priv", "selectors", "jump", "ints", "flags", "iret-rip", "iret-flags", "pte-bits", "tables", "linear", "bases", "gdt",
           "debugreg", "events", "grants"]


@pytest.fixture(scope="module")
def xen():
    r = subprocess.run(["make", "-s", "build/xen/xen.gz"], cwd=ROOT, capture_output=True, text=True)
    if r.returncode:
        raise Failure("Xen's package could not be had: " + r.stdout + r.stderr)
    # QEMU 7.2 runs the iretq of no guest of ours, but Xen itself is measured and known to boot with this model (facts.md).
    with Machine("xen", cfg=CFG, files={"xen.gz": os.path.join(ROOT, "build/xen/xen.gz")}, memory=1024, cpus=1, cpu="max,-smap",
                 timeout=120) as m:
        m.prompt()
        yield m


def test_tools_on_xen(xen):
    rc, out = xen.status("enso list")
    assert rc == 0 and "dom0" in out, out
    rc, out = xen.status("enso info")
    assert rc == 0 and "Xen" in out and "4.17" in out, out
    rc, out = xen.status("enso vcpu-list")
    assert rc == 0, out


@pytest.mark.parametrize("word", ATTACKS)
def test_attack_on_xen(xen, word):
    rc, out = xen.status(f"breakit {word}", timeout=120)
    assert rc == 0 and "BREACH" not in out, out

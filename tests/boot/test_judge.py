# SPDX-License-Identifier: MIT
"""Claim: for the same argument Enso answers as Xen 4.17 does, errors included, but for the differences that tests/abi/judge.differences
gives a reason for (SPEC 4.2). A failure means that a guest written for Xen may take another turn here."""
import os
import sys

from machine import BUILD, Machine, ROOT

ABI = os.path.join(ROOT, "tests/abi")
sys.path.insert(0, ABI)
import judge  # noqa: E402


def test_answers_as_xen_does():
    with Machine("judge", modules=["module2 /boot/judge.elf"], files={"judge.elf": os.path.join(BUILD, "judge.elf")},
                 options="console=com1 dom0_mem=128M", cpus=1) as m:
        m.expect(r"J end = 0")
    complaints, summary = judge.compare(os.path.join(ABI, "judge.xen"), os.path.join(ABI, "judge.differences"), m.log_path)
    assert not complaints, "\n".join([*complaints, summary])

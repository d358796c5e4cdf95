# SPDX-License-Identifier: MIT
"""Claim: memory that is short is made (issue 3, sections 2 and 5): Novice pages to swap without losing a byte, natively and as a guest; a
balloon follows its target down and up; balloond lets memory follow a load that wanders from guest to guest (acceptance 4)."""
import os
import re

import pytest
from machine import BUILD, DOM0, Failure, Machine, guest

SWAP = "mkswap /dev/ram0 && swapon /dev/ram0"


def native(name, memory, words):
    cfg = f"""set timeout=0
menuentry native {{
  multiboot2 /boot/novice.elf console=com1 hostname=native debugexit {words}
  module2 /boot/guest.cpio
}}
"""
    return Machine(name, cfg=cfg, files={"novice.elf": os.path.join(BUILD, "novice.elf")}, memory=memory, cpus=1)


def test_swap_native():
    """48 MiB of pattern in a machine that has 32 for it, by one process and by two that share it copy-on-write."""
    with native("memory-swap-native", 64, "ramdisk=40") as m:
        m.expect(r"native# ")
        m.wide = True
        for command in (SWAP, "memload 32 3", "memload -f 24 4", "cat /proc/swaps /proc/vmstat"):
            m.line(command + "; echo status=$?")
            m.expect(r"status=(\d+)", timeout=90)
            assert m.child.match.group(1) == b"0", m.tail()
        assert int(re.search(r"pswpin (\d+)", m.before).group(1)) > 500, m.before
        m.line("swapoff /dev/ram0; echo status=$?")
        m.expect(r"status=0")

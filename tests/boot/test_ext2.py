# SPDX-License-Identifier: MIT
"""Claim: Novice runs from an ext2 root on NVMe (issue 3, section 2): usertests pass there, a directory takes 10,000 names, and
e2fsck -fn finds nothing after the power-off. A failure means a damaged disk, or a kernel that cannot use one."""
import os
import random
import re
import subprocess

import pytest

import writelog
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


def test_many_names(tmp_path):
    image = tmp_path / "root.img"
    make_image(image, 64, "-N", "16384")
    with Native("ext2-many", "root=/dev/nvme0n1", image) as m:
        m.shell()
        # The second 5,000 must not take much longer than the first.
        assert m.do("mkdir /d && cd /d && time sh -c 'seq 1 5000 | xargs touch' && time sh -c 'seq 5001 10000 | xargs touch'",
                    timeout=60) == 0, m.tail()
        m.line("ls /d | wc -l")
        m.expect(r"\n10000\r")
        # /proc/mounts says what may be done, not what was wished at the start.
        assert m.do("grep ' / ext2 rw ' /proc/mounts && mount -o remount,ro / && grep ' / ext2 ro ' /proc/mounts && mount -o remount,rw / && "
                    "grep ' / ext2 rw ' /proc/mounts && touch /more") == 0, m.tail()
        m.off()
    code, text = fsck(image)
    assert code == 0, text


def contents(image, where):
    """The files of a directory of an image."""
    os.makedirs(where)
    subprocess.run(["debugfs", "-R", f"rdump /w {where}", str(image)], env=E2FSCK, capture_output=True, check=True)
    found = {}
    for name in os.listdir(os.path.join(where, "w")) if os.path.isdir(os.path.join(where, "w")) else []:
        path = os.path.join(where, "w", name)
        if os.path.isfile(path):
            with open(path, "rb") as f:
                found[name] = f.read()
    return found


def expected(n):
    return "".join(f"{k}\n" for k in range(1, n * 37 % 3000 + 2)).encode()


LOAD = ("cd /w; i=9; while :; do seq 1 $((i*37%3000+1)) >f$i; rm -f c$((i-9)); sync; : >c$i; mkdir d$i; mv f$((i-3)) x$i; ln x$i d$i/y; mv x$i f$((i-3)); "
        "rm -f f$((i-9)); rm -r d$((i-2)); i=$((i+1)); test $((i%10)) = 0 && echo at-$i; done")


def play_cuts(name, tmp_path, kind, cuts, rounds=20, seed=1):
    """Writes under load, then cuts: e2fsck -p repairs all, and each f that a c vouches for is whole."""
    base, image, log = tmp_path / "base.img", tmp_path / "disk.img", tmp_path / "log"
    make_image(base, 32, "-T", kind)
    image.write_bytes(base.read_bytes())
    log.touch()
    with Native(name, "root=/dev/nvme0n1", image, extra=writelog.qemu(image, log)) as m:
        m.shell()
        m.do("mkdir /w; sync")
        m.line(LOAD)
        m.expect(rf"\nat-{rounds}\r", timeout=90)
        m.stop()                                    # power is cut
    entries = writelog.entries(log)
    assert len(entries) > 100, f"{len(entries)} entries in QEMU's log"
    dice = random.Random(seed)
    vouched = 0
    for n in range(cuts):
        at, out = dice.randrange(len(entries) // 4, len(entries) + 1), tmp_path / "cut.img"
        writelog.cut(base, entries, at, out, dice)
        if n == 0:
            (tmp_path / "first.img").write_bytes(out.read_bytes())
        code, text = fsck(out, "-p")
        assert code in (0, 1), f"cut {n} at {at}: e2fsck -p: {code}\n{text}"
        code, text = fsck(out)
        assert code == 0, f"cut {n} at {at}: e2fsck -fn after -p: {code}\n{text}"
        found = contents(out, tmp_path / f"out{n}")
        for c in found:
            if re.fullmatch(r"c\d+", c):
                k = int(c[1:])
                copies = [x for x in (f"f{k}", f"x{k + 3}") if found.get(x) == expected(k)]
                assert copies, f"cut {n} at {at}: f{k} was synced and is not what it was: {len(found.get(f'f{k}', b''))} bytes"
                vouched += 1
        subprocess.run(["rm", "-rf", str(tmp_path / f"out{n}")], check=True)
    assert vouched > cuts / 4, f"only {vouched} files were vouched for"


def test_cuts_journal(tmp_path):
    play_cuts("ext2-cuts-journal", tmp_path, "ext3", 14)
    with Native("ext2-after-cut", "root=/dev/nvme0n1", tmp_path / "first.img") as m:     # no e2fsck in between: our own replay
        m.shell()
        assert m.do("ls /w && touch /w/more && sync") == 0
        m.off()
    code, text = fsck(tmp_path / "first.img")
    assert code == 0, text


def test_cuts_ordered(tmp_path):
    play_cuts("ext2-cuts-ordered", tmp_path, "ext2", 6)

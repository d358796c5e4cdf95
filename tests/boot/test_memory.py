# SPDX-License-Identifier: MIT
"""Claim: memory that is short is made (issue 3, sections 2 and 5): Novice pages to swap without losing a byte, natively and as a guest; a
balloon follows its target down and up; balloond lets memory follow a load that wanders from guest to guest (acceptance 4)."""
import os
import re

import pytest
from machine import BUILD, DOM0, Failure, Machine, guest
from test_first_minutes import wait_until
from test_store import in_guest, wait_for_home

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
    """48 MiB of pattern in a machine that has 32 for it, by one process, by two that share it copy-on-write, and by two that share it
    outright; and when swap is full, too, it is the eater that ends."""
    with native("memory-swap-native", 64, "ramdisk=40") as m:
        m.expect(r"native# ")
        m.wide = True
        for command in (SWAP, "memload 32 3", "memload -f 24 4", "memload -s 30 3",
                        "usertests out_of_memory out_of_memory_copying", "cat /proc/swaps /proc/vmstat",
                        "memload -s 14 8 & memload 30 1 && swapoff /dev/ram0 && wait $!"):
            m.line(command + "; echo status=$?")
            m.expect(r"status=(\d+)", timeout=90)
            assert m.child.match.group(1) == b"0", m.tail()
            if "vmstat" in command:
                assert int(re.search(r"pswpin (\d+)", m.before).group(1)) > 500, m.before


def test_swap_file_on_ext2(tmp_path):
    """The same over NVMe, in a file of the root's: 40 MiB in a machine that has less; the file system is whole afterwards."""
    from test_ext2 import Native, fsck, make_image
    image = tmp_path / "disk.img"
    make_image(image, 96)
    with Native("memory-swap-file", "root=/dev/nvme0n1", image, memory=40) as m:
        m.shell()
        assert m.do("dd if=/dev/zero of=/swap bs=1048576 count=32 && mkswap /swap && swapon /swap", 60) == 0, m.tail()
        assert m.do("memload 44 2", 120) == 0, m.tail()
        assert m.do("memload -f 20 2", 120) == 0, m.tail()
        assert m.do("swapoff /swap && rm /swap") == 0, m.tail()
        m.off()
    rc, out = fsck(image)
    assert rc == 0, out


def test_swap_as_guest():
    """The same under direct paging: 28 MiB in a guest that has 24 for them, 24 of 48 being its disk."""
    with Machine("memory-swap-guest", modules=[*DOM0, *guest("alice", memory="48M", cmdline="ramdisk=24 exec=/bin/memload memload=28,3,0,0,1 "
                                                             "swap=/dev/ram0")]) as m:
        m.expect(r"END v1 d1 alice reason=poweroff", timeout=90)
        m.sync()
        assert "status 0" in m.run("tail -n 5 /var/log/console/alice.log") or m.saw("memload: status 0", timeout=1)
        assert m.poweroff() == 0


def create(m, name, memory, maxmem, words, more="", options="-q"):
    m.run(f'printf \'name="{name}"\\nkernel="/boot/novice-pv.elf"\\nramdisk="/boot/guest.cpio"\\nmemory={memory}\\nmaxmem={maxmem}\\n'
          f'cmdline="{words}"\\n\' > /tmp/{name}.cfg')
    return m.status(f"enso create {options} /tmp/{name}.cfg {more}", timeout=60)


def megabytes(m, name):
    got = re.search(rf"^{name} +\d+ +(\d+)", m.run("enso list"), re.M)
    if not got:
        raise Failure(f"{name} is gone:\n" + m.run(f"tail -n 8 /var/log/console/{name}.log"))
    return int(got.group(1))


def kib(m, name):
    """What the hypervisor counts."""
    return int(re.search(r'"memory_kib": (\d+)', m.run(f"enso list -l {name}")).group(1))


def limit(m, name):
    """The hypervisor's, in MiB."""
    return int(re.search(r'"max_memory_kib": (\d+)', m.run(f"enso list -l {name}")).group(1)) // 1024


def test_balloon_follows_its_target():
    """Down and up by mem-set, the domain's shell alive; and what mem-set and mem-max refuse, each in one sentence."""
    with Machine("memory-balloon") as m:
        m.prompt()
        assert create(m, "dave", 48, 96, "")[0] == 0
        assert limit(m, "dave") <= 49, "a guest could take its maximum unasked"
        wait_for_home(m, "dave")
        in_guest(m, "dave", ["(n=0; while [ $n -lt 150 ]; do echo $n | cat >/tmp/$n && rm /tmp/$n || echo lost; n=$((n + 1)); done; echo storm $((n / 3))) &"])
        for mib, word in ((32, "32"), (90, "92160k"), (40, "40m")):
            rc, out = m.status(f"enso mem-set -w dave {word}", timeout=30)
            assert rc == 0 and f"dave: {mib} MiB now" in out, out
            assert abs(megabytes(m, "dave") - mib) <= 1
            assert limit(m, "dave") <= mib + 1, "it could take more than it was given"
            wait_until(m, lambda: m.run("enso store read /local/domain/1/memory/stat/current").strip() == str(kib(m, "dave")))
        wait_until(m, lambda: "storm 50" in m.run("tail -n 3 /var/log/console/dave.log"))
        assert "lost" not in m.run("grep -v echo /var/log/console/dave.log")
        for command, sentence in (("mem-set dave 3", "below the floor of dave"), ("mem-set dave 500", "above the maximum of dave"),
                                  ("mem-set dave x", "expected a number of MiB"), ("mem-set dave 0", "expected a number of MiB"),
                                  ("mem-set dave -5", "expected a number of MiB"), ("mem-set dave 10k", "expected a number of MiB"),
                                  ("mem-set dave 1g", "more than this machine has"), ("mem-set dave 300m", "above the maximum of dave, which is 96 MiB"), ("mem-set nobody 30", 'no domain "nobody"'),
                                  ("mem-max dave 20", "lower that first"), ("create -q /tmp/dave.cfg name=giant memory=4000 maxmem=4000", "not enough memory")):
            rc, out = m.status(f"enso {command}")
            assert rc == 1 and sentence in out and len(out.strip().splitlines()) == 1, f"{command}: {out}"
        assert "giant" not in m.run("enso list")
        assert re.search(r"dave +1 +\d+ +40 +\d+ ", m.run("enso top -n 1")), m.tail()
        assert m.poweroff() == 0


def test_swap_on_a_frontends_disk(tmp_path):
    """A guest of 64 MiB that works on 40, its swap area being a disk that dom0 serves: ballooned down to 28, where each page out needs
    a grant and a ring slot just when memory is short; and the backend is torn down and started again while it swaps. Not a byte lost."""
    disk = tmp_path / "swap.img"
    with open(disk, "wb") as f:
        f.truncate(64 << 20)
    extra = ["-drive", f"file={disk},format=raw,if=none,id=disk0", "-device", "nvme,drive=disk0,serial=enso0"]
    with Machine("memory-swap-vbd", extra=extra) as m:
        m.prompt()
        rc, out = create(m, "erin", 64, 64, "exec=/bin/memload memload=40,4,0,0,60 swap=/dev/xvda", '"disk=[\'phy:/dev/nvme0n1,xvda,w\']"')
        assert rc == 0, out
        m.run("enso store write /local/domain/1/memory/auto 0")
        wait_until(m, lambda: "memload: begins" in m.run("tail -n 5 /var/log/console/erin.log"))
        rc, out = m.status("enso mem-set -w erin 28", timeout=60)
        assert rc == 0, out
        assert m.status("enso backend restart vbd")[0] == 0
        assert m.status("enso mem-set -w erin 48; enso mem-set -w erin 26", timeout=60)[0] == 0
        wait_until(m, lambda: "memload: status" in m.run("tail -n 5 /var/log/console/erin.log"), 200)
        assert "memload: status 0" in m.run("tail -n 5 /var/log/console/erin.log")
        assert megabytes(m, "erin") == 26
        assert m.poweroff() == 0


def test_memory_follows_a_wandering_load():
    """Three guests with 24 MiB each and a maximum of 72 in a machine that has not 216 for them: 48 MiB of load in one after the other."""
    guests = ("alice", "bob", "carol")
    with Machine("memory-wander", memory=384) as m:
        m.prompt()
        for i, name in enumerate(guests):
            rc, out = create(m, name, 24, 72, f"exec=/bin/memload memload=48,2,{1 + 16 * i},60,100")
            assert rc == 0, out
        free = int(re.search(r"free_memory [^:]*: (\d+)", m.run("enso info")).group(1))
        assert free < 3 * 48, f"{free} MiB are free: too many for this test to mean anything"
        most = dict.fromkeys(guests, 0)
        for second in range(150):
            if second in (3, 9):                                                # it may be killed at any time, and the store, too
                m.run("kill -9 $(enso store read /tool/balloond/pid)")
            if second in (6, 12):
                m.run("kill -9 $(cat /run/xenstored/pid)")
            for name in guests:
                most[name] = max(most[name], megabytes(m, name))
            logs = m.run("grep -c 'status 0' /var/log/console/alice.log /var/log/console/bob.log /var/log/console/carol.log")
            if logs.count(":1") == 3:
                break
            m.run("sleep 1")
        assert logs.count(":1") == 3, m.run("tail -n 5 /var/log/console/*.log") + m.run("enso list")
        assert all(most[name] > 48 for name in guests), most
        assert sum(most.values()) > free + 72, most
        assert m.poweroff() == 0


LIES = ("(while true; do store write memory/stat/pressure 100; store write memory/stat/available none; store write memory/stat/floor 9999999999; "
        "store write memory/stat/swap-in -1; done) >/dev/null 2>&1 &")


def test_a_lying_guest_does_not_starve_another():
    """One guest floods the store with cries for memory and takes all there is; another, that works on 40 MiB and has 24, gets its share."""
    with Machine("memory-liar", memory=384) as m:
        m.prompt()
        assert create(m, "liar", 24, 200, "")[0] == 0
        wait_for_home(m, "liar")
        # Made now, since a domain's use of its memory, as it tells it, is nothing that a new domain is made from.
        rc, out = create(m, "plain", 24, 72, "exec=/bin/memload memload=40,1,0,60,60", options="-q -p")
        assert rc == 0, out
        in_guest(m, "liar", [LIES])
        wait_until(m, lambda: megabytes(m, "liar") > 70)
        m.run("enso unpause plain")
        wait_until(m, lambda: "status" in m.run("tail -n 3 /var/log/console/plain.log"), 200)
        assert "status 0" in m.run("tail -n 3 /var/log/console/plain.log"), m.run("enso list; tail -n 5 /var/log/console/plain.log")
        assert megabytes(m, "plain") > 44
        assert re.search(r"liar +1 +\d+ +\d+ +\d+ [^\n]*\n[^\n]*plain +2 +\d+ +\d+ +\d+ ", m.run("enso top -n 1")), m.tail()
        m.line("stty rows 6; enso top")                                         # two domains fit
        m.expect("3 domains, 2 CPUs, .*MiB free; q leaves.*and 1 more that did less.*and 1 more that did less")
        m.send("q")
        m.prompt()
        assert m.poweroff() == 0


def test_a_new_domain_takes_from_an_idle_one():
    """free + 30 MiB: while the idle domain and dom0 are left alone (memory/auto 0) the creation is refused and nothing has moved; once
    the idle one need not be, it gives."""
    with Machine("memory-ask", memory=384) as m:
        m.prompt()
        m.run("enso store write /local/domain/0/memory/auto 0")
        assert create(m, "idle", 96, 96, "")[0] == 0
        wait_for_home(m, "idle")
        wait_until(m, lambda: int(m.run("enso store read /local/domain/1/memory/stat/available 2>/dev/null || echo 0")) > 60 << 10)
        m.run("enso store write /local/domain/1/memory/auto 0")
        most = int(re.search(r"free_memory [^:]*: (\d+)", m.run("enso info")).group(1)) + 30
        rc, out = create(m, "new", most, most, "")
        assert rc == 1 and "not enough memory" in out and megabytes(m, "idle") == 96, out
        m.run("enso store rm /local/domain/1/memory/auto")
        rc, out = create(m, "new", most, most, "")
        assert rc == 0, out
        wait_for_home(m, "new")
        assert megabytes(m, "new") == most and 16 < megabytes(m, "idle") <= 96 - 30, m.run("enso list")
        assert m.poweroff() == 0

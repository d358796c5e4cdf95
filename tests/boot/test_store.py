# SPDX-License-Identifier: MIT
"""xenstore as its users see it (SPEC 11.4): dom0's command, a guest's own part, a wish to shut down, quotas, and a daemon that is
killed again and again while guests and dom0 write. A failure of the last means that guests hang or lose what was confirmed."""
import re

import pytest

from machine import DOM0, Machine, dice, guest


@pytest.fixture(scope="module")
def m():
    with Machine("store", memory=512, modules=DOM0 + guest("alice") + guest("bob"), timeout=60) as machine:
        machine.prompt()
        for name in ("alice", "bob"):
            wait_for_home(machine, name)
        yield machine


def wait_for_home(m, name):
    m.run(f"while [ \"$(enso store read /local/domain/$(enso domid {name})/name)\" != {name} ]; do sleep 0.2; done", timeout=20)


def in_guest(m, name, commands):
    """Runs commands at a guest's shell; returns what each printed."""
    out = []
    m.line(f"enso console {name}")
    m.expect("Ctrl-")
    m.sync(name + "# ", timeout=60)
    for c in commands:
        m.line(c)
        m.echoed(c)
        m.expect(name + "# ", timeout=60)
        out.append(m.before.replace("\r", "").strip())
    m.send("\x1d")
    m.prompt()
    return out


def test_command(m):
    assert m.run("enso store write /t/a/b hello; enso store read /t/a/b").strip() == "hello"
    assert 'b = "hello"' in m.run("enso store ls /t")
    assert "/t/a/c" in m.run("enso store watch -n 2 /t >/tmp/seen & while ! grep -q /t /tmp/seen; do sleep 0.05; done; "
                             "enso store write /t/a/c 1; wait; cat /tmp/seen")
    assert m.status("enso store rm /t")[0] == 0
    code, text = m.status("enso store read /t/a/b")
    assert code == 1 and "there is no such node" in text
    assert "letters, digits" in m.run("enso store write '/a b' x")


def test_guest_part(m):
    name, dom0s, wrote, bobs, quota = in_guest(m, "alice", [
        "store read name", "store read /local/domain/0/name", "store write data/x 5 && store read data/x",
        "store write /local/domain/2/data/x 5",
        "n=0; while store write data/q/n$n v; do n=$((n + 1)); done; echo made $n"])
    assert name == "alice" and wrote == "5"
    assert "may not" in dom0s and "may not" in bobs
    assert "quota" in quota and 500 < int(re.search(r"made (\d+)", quota).group(1)) < 1001
    in_guest(m, "alice", ["store rm data/q"])
    assert m.run("enso store read /local/domain/2/name").strip() == "bob"


def counted(m, domid, more=0):
    """How far a guest has counted in the store, as soon as that is more."""
    out = m.run(f"n=0; while ! [ $n -gt {more} ]; do sleep 0.1; n=$(enso store read /local/domain/{domid}/data/n 2>/dev/null || echo 0); done; echo n-$n", timeout=60)
    return int(re.search(r"^n-(\d+)", out, re.M).group(1))


def test_killed_under_load(m):
    """20 times at any moment, often again before it has come up; each guest and dom0 count upward in the store, reading back what was
    confirmed."""
    load = ("n=0; while ! [ -e /tmp/stop ]; do n=$((n + 1)); store write data/n $n || break; [ \"$(store read data/n)\" = $n ] || break; done; "
            "[ -e /tmp/stop ]; store write data/result $?-$n")
    for name in ("alice", "bob"):
        in_guest(m, name, [f"({load}) &"])
    first = {domid: counted(m, domid) for domid in (1, 2)}
    chance = dice("kills of xenstored")
    for k in range(20):
        kill = "kill -9 $(cat /run/xenstored/pid)"
        again = f"sleep {chance.uniform(0, 0.06):.3f}; {kill}; " * chance.randrange(3)
        out = m.run(f"sleep {chance.uniform(0, 0.3):.3f}; {kill}; {again} enso store write /k {k}; [ $(enso store read /k) = {k} ] || echo lost {k}",
                    timeout=30)
        assert "lost" not in out, out
    for domid, name in ((1, "alice"), (2, "bob")):
        under = counted(m, domid)
        assert under > first[domid], f"{name} stood at {under} under the kills"
        assert counted(m, domid, under) > under          # and goes on after the last
        in_guest(m, name, ["touch /tmp/stop"])
        out = m.run(f"while ! enso store read /local/domain/{domid}/data/result 2>/dev/null; do sleep 0.5; done", timeout=120)
        assert re.fullmatch(r"0-\d+", out.strip()) and int(out.strip()[2:]) > under, out
    assert "0 wrong" in m.run("enso audit")


def test_kept(m):
    """Whoever is killed, even all at once: process 1 starts xenstored again; and a journal that makes no sense is said to make none."""
    for _ in range(3):
        pids = [line.split()[0] for line in m.run("ps").splitlines() if "xenstored" in line]
        assert pids
        m.run(f"kill -9 {' '.join(pids)}; enso store write /kept yes")
        assert m.run("enso store read /kept").strip() == "yes"
        assert m.run("cat /run/xenstored/pid").strip() not in pids
    assert "running already" in m.run("xenstored")
    assert m.run("cat /run/init/xenstored").strip().endswith("xenstored -f")


def test_end_without_ensod(m):
    """ensod is dead when a domain dies: xenstored hears of the death itself, lets go of the domain, and tells whoever watches."""
    m.run("rm /run/init/ensod; kill -9 $(cat /run/enso/ensod.pid)")      # process 1 would start it again
    m.run("(enso store watch -n 2 @releaseDomain >/tmp/ends &) ; enso create -p -q /etc/enso/carol.cfg; domid=$(enso domid carol)", timeout=30)
    m.run("enso destroy carol; while enso domid carol >/dev/null 2>&1; do sleep 0.1; done", timeout=30)
    m.run("while ! [ $(grep -c release /tmp/ends) = 2 ]; do sleep 0.1; done", timeout=20)
    m.run("enso store ls /local/domain/$domid/data || echo gone")
    m.run("ensod; while [ -n \"$(enso store read /local/domain/$domid/name 2>/dev/null)\" ]; do sleep 0.2; done", timeout=30)


def test_shutdown_by_store(m):
    m.run("enso store write /local/domain/2/control/shutdown poweroff")
    m.run("while enso domid bob >/dev/null 2>&1; do sleep 0.2; done", timeout=30)
    assert "bob" not in m.run("enso store ls /local/domain")
    assert "alice" in m.run("enso list")


def test_further_console(m):
    """A console that xenstore describes: a terminal in the guest, a log and `enso console -n` in dom0 (SPEC 11.1, 11.4)."""
    m.run("enso create -q /etc/enso/carol.cfg consoles=2; while [ \"$(enso store read /local/domain/$(enso domid carol)/device/console/1/state)\" != 4 ]; "
          "do sleep 0.1; done", timeout=30)
    in_guest(m, "carol", ["echo hello from hvc1 >/dev/hvc1", "(cat </dev/hvc1 >/tmp/got) &"])
    m.run("while ! grep -q hello /var/log/console/carol.1.log; do sleep 0.1; done", timeout=20)
    m.line("enso console -n 1 carol")
    m.expect("Ctrl-")
    m.line("typed there")
    m.expect("typed there")
    m.send("\x1d")
    m.prompt()
    assert in_guest(m, "carol", ["while ! grep -q there /tmp/got; do sleep 0.1; done; cat /tmp/got"]) == ["typed there"]
    m.run("enso destroy carol")
    assert "frontend" not in m.run("enso store ls /local/domain/0/backend")


def test_lost_journal(m):
    """A journal that makes no sense is set aside with one sentence, and whoever asks is answered. The last test here: all else is forgotten."""
    m.run("echo nonsense >/run/xenstored/journal; kill -9 $(cat /run/xenstored/pid); enso store write /after x")
    assert m.run("enso store read /after").strip() == "x"
    assert m.run("dmesg").count("makes no sense") == 1
    assert "there is no such node" in m.run("enso store read /t/a/c")
    assert m.status("test -s /run/xenstored/journal.bad")[0] == 0

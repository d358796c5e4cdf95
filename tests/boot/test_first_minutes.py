# SPDX-License-Identifier: MIT
"""Claim: the first minutes go as promised (acceptance 1): a prompt with two domains beside it, a fourth one made, watched, stopped and
ended by the enso command, and its memory given back to the frame (SPEC 13, 14)."""
import json
import os
import re

from machine import BUILD, SCALE, Failure, Machine


def run_cfg():
    """The configuration that `make run` boots."""
    with open(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "setup/grub.cfg")) as f:
        return "".join(x for x in f if not x.startswith(("serial", "terminal")))


def domains(m):
    for _ in range(4):
        try:
            return {d["name"]: d for d in json.loads(m.run("enso list -l"))}
        except ValueError:               # a line of the hypervisor's came into the midst of it
            m.sync()
    raise Failure("no list of domains\n" + m.tail())


def free_frames(m):
    """Free memory of the machine in frames, once nothing moves any more."""
    return int(re.search(r"free_pages\s*:\s*(\d+)", m.run("enso info")).group(1))


def wait_until(m, what, tries=40):
    for _ in range(int(tries * SCALE)):
        if what():
            return
        m.run("sleep 0.3")
    raise Failure("it did not come about\n" + m.tail())


def test_prompt_and_three_domains():
    with Machine("first-prompt", cfg=run_cfg(), memory=1024) as m:
        m.expect(r"\(enso\) 3 domains running", timeout=60)
        m.prompt()
        got = domains(m)
        assert set(got) == {"dom0", "alice", "bob"}, got
        table = m.run("enso list")
        assert re.search(r"^Name +ID +Mem VCPUs +State +Time\(s\)", table, re.M), table
        assert m.poweroff() == 0


def test_fourth_domain_and_consoles():
    with Machine("first-fourth", cfg=run_cfg(), memory=1024) as m:
        m.prompt(timeout=90)
        wait_until(m, lambda: domains(m)["bob"]["state"][1] == "b")
        before = free_frames(m)
        rc, out = m.status("enso create /etc/enso/carol.cfg", timeout=60)
        assert rc == 0 and re.search(r"carol: domain 3, 32 MiB, built in [\d.]+ s", out), out
        assert set(domains(m)) == {"dom0", "alice", "bob", "carol"}
        assert free_frames(m) <= before - 32 * 256
        # A console of each: bob's and carol's answer, alice's shows her counting.
        for name in ("bob", "carol"):
            m.line(f"enso console {name}")
            m.line("")
            m.expect(name + r"# ", timeout=30)
            m.line("echo in-$((6*7))-here; sh -c 'while true; do :; done' &")
            m.expect(r"in-42-here")
            m.expect(name + r"# ")
            m.send("\x1d")
            m.prompt()
        m.line("enso console alice")
        m.expect(r"primes", timeout=30)
        m.send("\x1d")
        m.prompt()
        m.run("sh -c 'while true; do :; done' &")
        # All four burn CPU at once.
        a = {k: d["cpu_time_ns"] for k, d in domains(m).items()}
        m.run("sleep 3")
        b = {k: d["cpu_time_ns"] for k, d in domains(m).items()}
        for name in a:
            assert b[name] - a[name] > 50_000_000, (name, a, b)
        # Pause stops one, unpause lets it go on.
        assert m.status("enso pause carol")[0] == 0
        a = domains(m)["carol"]
        assert a["state"][2] == "p", a
        m.run("sleep 1")
        assert domains(m)["carol"]["cpu_time_ns"] == a["cpu_time_ns"]
        assert m.status("enso unpause carol")[0] == 0
        m.run("sleep 1")
        assert domains(m)["carol"]["cpu_time_ns"] > a["cpu_time_ns"]
        # The plug is pulled: to the frame.
        assert m.status("enso destroy carol")[0] == 0
        m.saw(r"\(enso\) END v1 d3 carol reason=\w+ code=\S+ hypercalls=\d+ frames_lost=0")
        wait_until(m, lambda: free_frames(m) == before)
        assert set(domains(m)) == {"dom0", "alice", "bob"}
        m.run("kill %1")
        assert m.poweroff() == 0


def test_crash_stays_inside():
    with Machine("first-crash", cfg=run_cfg(), memory=1024) as m:
        m.prompt(timeout=90)
        m.line("enso console bob")
        m.line("")
        m.expect(r"bob# ", timeout=30)
        m.line("breakit pte")
        m.expect(r"\(enso\) d2 bob: [^\r\n]*refused")
        m.expect(r"breakit: refused, as it should be")
        m.expect(r"bob# ")
        m.line("breakit stack")
        m.expect(r"\(enso\) d2 bob CRASHED: [^\r\n]*kernel stack, 0x[0-9a-f]+, is not mapped")
        m.expect(r"\(enso\) END v1 d2 bob reason=crash code=\S+ hypercalls=\d+ frames_lost=0")
        m.send("\x1d\n")
        m.prompt()
        assert set(domains(m)) == {"dom0", "alice"}
        assert m.poweroff() == 0

# SPDX-License-Identifier: MIT
"""Claim: nothing is left behind (acceptance 5 and 6): 200 births and deaths leave the free-frame count where it was, a guest that is killed
at any moment leaves no frame, event channel or timer, and 64 guests of 8 MiB run at once in 1 GiB (SPEC 14)."""
import re

import pytest
from machine import DOM0, Machine
from test_first_minutes import domains, free_frames, wait_until

LOOP = "i=0; while [ $i -lt {n} ]; do enso create -q /etc/enso/tiny.cfg name=t$i {extra} && {wait} enso destroy t$i; i=$((i+1)); done; echo churned"


@pytest.mark.parametrize("kind,n,wait,extra", [
    ("paused", 100, "", "-p"),                     # never ran: what the builder took
    ("running", 100, "sleep 0.1 &&", ""),          # killed while booting, faulting, mapping
])
def test_two_hundred_lives(kind, n, wait, extra):
    with Machine(f"churn-{kind}", memory=512) as m:
        m.prompt()
        m.run("enso create -q /etc/enso/tiny.cfg name=warm && enso destroy warm", timeout=60)
        before = free_frames(m)
        options, config = ("-p ", "") if extra == "-p" else ("", extra)
        m.line(LOOP.format(n=n, wait=wait, extra=config).replace("create -q", f"create {options}-q"))
        m.expect(r"\nchurned", timeout=900)
        m.prompt()
        wait_until(m, lambda: free_frames(m) == before)
        assert set(domains(m)) == {"dom0"}
        log = open(m.log_path, errors="replace").read()
        ends = re.findall(r"END v1 d\d+ t\d+ .*frames_lost=(\d+)", log)
        assert len(ends) == n and set(ends) == {"0"}, (len(ends), set(ends))
        assert m.poweroff() == 0


@pytest.mark.parametrize("program", ["usertests", "breakit fuzz 7 1000000", "breakit evtchn"])
def test_killed_at_any_moment(program):
    """A busy guest dies at moments spread over its run."""
    with Machine("churn-kill-" + program.split()[-1], memory=512) as m:
        m.prompt()
        m.run("enso create -q /etc/enso/tiny.cfg name=warm && enso destroy warm", timeout=60)
        before = free_frames(m)
        for i in range(8):
            rc, out = m.status(f"enso create -q /etc/enso/tiny.cfg name=k{i} memory=16 'extra=exec=/bin/{program.split()[0]} {' '.join(program.split()[1:])}'")
            assert rc == 0, out
            m.run(f"sleep 0.{3 + i * 7 % 10}")
            m.run(f"enso destroy k{i}", timeout=60)
        wait_until(m, lambda: free_frames(m) == before)
        assert m.poweroff() == 0


def test_sixty_four_guests():
    with Machine("churn-64", memory=1024, cpus=2, timeout=120) as m:
        m.prompt()
        m.line("i=1; while [ $i -le 64 ]; do enso create -q /etc/enso/tiny.cfg name=n$i memory=8 || break; i=$((i+1)); done; echo made-$i-")
        m.expect(r"\nmade-(\d+)-", timeout=600)
        m.prompt()
        got = domains(m)
        assert len(got) == 65, sorted(got)
        a = {k: d["cpu_time_ns"] for k, d in got.items()}
        m.run("sleep 5")
        b = {k: d["cpu_time_ns"] for k, d in domains(m).items()}
        assert all(b[k] >= a[k] for k in a)
        m.line("enso console n64")
        m.line("")
        m.expect(r"n64# ", timeout=120)
        m.line("echo alive-$((40+2))")
        m.expect(r"alive-42")
        m.send("\x1d")
        m.prompt()
        assert m.poweroff(timeout=240) == 0

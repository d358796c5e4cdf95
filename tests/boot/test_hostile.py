# SPDX-License-Identifier: MIT
"""Claim: a guest can hurt only itself (SPEC 2, 4 to 7; acceptance 7).

Each attack of tests/hostile/ runs in a domain of its own beside dom0 and a victim that keeps printing. The attacker must find everything
refused, or crash; dom0 answers afterwards, the victim still prints, and the frame-table audit is clean. A failure is a hole.
"""
import os

import pytest
from machine import BUILD, DOM0, Failure, Machine, dice, guest
from test_first_minutes import domains

ATTACKS = ["privileged", "addresses", "selectors", "returns", "entries", "tables", "random-tables", "descriptors",
           "hypercalls", "hypercalls seed=2", "hypercalls seed=3", "multicall", "grants self=2"]
# Short ones that do not get in each other's way share a boot.
TOGETHER = ["nested", "fresh", "vcpus", "watch", "ldt", "fpu", "fpu seed=2", "fpu seed=3", "channels peer=11", "channels peer=10 seed=2"]
ENDINGS = ["no-handler", "no-stack", "bad-callback", "sysenter"]
HOSTILE = {"hostile.elf": os.path.join(BUILD, "hostile.elf")}


def attacker(name, attack):
    vcpus = "vcpus=4 " if attack.startswith(("vcpus", "births")) else ""
    return [f"module2 /boot/hostile.elf domain={name} memory=8M {vcpus}-- attack={attack}"]


def boot(name, attacks):
    modules = [*DOM0, *guest("victim", cmdline="init=/bin/primes")]
    for i, attack in enumerate(attacks):
        modules += attacker(f"evil{i}", attack)
    return Machine(name, modules=modules, files=HOSTILE, memory=512)


def finish(m):
    """dom0 answers, the victim goes on, the audit is clean."""
    m.sync()
    before = domains(m)["victim"]["cpu_time_ns"]
    m.run("sleep 1")
    assert domains(m)["victim"]["cpu_time_ns"] > before
    assert m.poweroff(timeout=120) == 0


@pytest.mark.parametrize("attack", ATTACKS)
def test_attack_is_refused(attack):
    with boot("hostile-" + attack.replace(" ", "-"), [attack]) as m:
        m.prompt(timeout=90)
        # One that throws hypercalls about may well hit its own memory and die of it, in a crash or a fault of its own: contained.
        fuzz = attack.startswith(("hypercalls", "multicall"))
        end = m.saw(r"RESULT (?:SUCCESS|FAILURE)|END v1 d\d+ evil0 reason=crash", timeout=300).group(0)
        if b"BROKE OUT" in open(m.log_path, "rb").read() or (b"SUCCESS" not in end and not fuzz):
            raise Failure(f"{attack}: {end.decode()}\n" + m.tail())
        finish(m)


def test_attacks_are_refused_together():
    """Ten attackers on two pCPUs, so that each is interrupted anywhere. A domain's number is its place: dom0, the victim, then they."""
    with boot("hostile-together", TOGETHER) as m:
        m.prompt(timeout=90)
        for i, attack in enumerate(TOGETHER):
            end = m.saw(r"\(d\d+ evil" + str(i) + r"\) RESULT (?:SUCCESS|FAILURE)|END v1 d\d+ evil" + str(i) + " reason=crash", timeout=120).group(0)
            if b"SUCCESS" not in end:
                raise Failure(f"{attack}: {end.decode()}\n" + m.tail(80))
        finish(m)


def test_killed_among_births_and_channels():
    """Life-cycle races: domains that start vCPUs, reset ports and join each other's are destroyed at any moment, one of a pair first; all
    their frames come back (bug classes D, 343 and 505; what the tests owe, 7)."""
    forever = "count=100000000"
    evils = ["births", "births seed=2", "births seed=3", f"channels peer=6 {forever}", f"channels peer=5 seed=2 {forever}",
             f"channels peer=8 seed=3 {forever}", f"channels peer=7 seed=4 {forever}"]
    chance = dice("kills among births and channels")
    with boot("hostile-births", evils) as m:
        m.prompt(timeout=90)
        order = list(range(len(evils)))
        chance.shuffle(order)
        for i in order:
            m.run(f"sleep {chance.uniform(0, 0.3):.3f}; enso destroy evil{i}")
            assert b"frames_lost=0" in m.saw(r"END v1 d\d+ evil" + str(i) + r" reason=\w+ code=\S+ hypercalls=\d+ frames_lost=\d+", timeout=60).group(0)
        finish(m)


@pytest.mark.parametrize("attack", ENDINGS)
def test_a_broken_kernel_ends_in_words(attack):
    words = {"no-handler": r"has registered no handler", "no-stack": r"kernel stack, 0x7efffffff\w+, is not mapped",
             "bad-callback": r"has registered no handler|could not be delivered", "sysenter": "could not be delivered"}[attack]
    with boot("hostile-" + attack, [attack]) as m:
        m.expect(r"\(enso\) d\d+ evil0 CRASHED: [^\r\n]*(" + words + ")", timeout=90)
        m.expect(r"\(enso\) END v1 d\d+ evil0 reason=crash", timeout=60)
        finish(m)


def test_no_register_changes_or_leaks():
    """Three at once on two pCPUs, so that interrupts and switches come in everywhere: every register is what it was (SPEC 7.2, 7.4)."""
    with boot("hostile-registers", ["registers", "registers seed=2", "registers seed=3"]) as m:
        m.prompt(timeout=90)
        for name in ("evil0", "evil1", "evil2"):
            assert b"SUCCESS" in m.saw(r"\(d\d " + name + r"\) RESULT (?:SUCCESS|FAILURE)|END v1 d\d+ " + name + " reason=crash", timeout=300).group(0), m.tail()
        finish(m)


@pytest.mark.parametrize("kernel", [0, 1])
def test_a_stack_that_is_none(kernel):
    """Frames that would have to go to the hypervisor's range, across its edges, to no canonical address: the domain ends, in words (XSA-183, 259)."""
    with boot(f"hostile-stack-{kernel}", [f"stack at={i} kernel={kernel}" for i in range(10)]) as m:
        m.prompt(timeout=90)
        for i in range(10):
            m.saw(r"\(enso\) d\d+ evil" + str(i) + r" CRASHED: [^\r\n]*could not be delivered: its kernel stack", timeout=60)
        assert "BROKE OUT" not in open(m.log_path, errors="replace").read(), m.tail()
        finish(m)


def test_a_preempted_entry_of_a_multicall_goes_on():
    """What a multicall's entry has done is not done again when it goes on, and behind an entry that ends the domain none is run (SPEC 4.4)."""
    with boot("hostile-preempted", ["preempted"]) as m:
        m.prompt(timeout=90)
        m.saw(r"END v1 d\d+ evil0 reason=poweroff", timeout=60)
        assert "BROKE OUT" not in open(m.log_path, errors="replace").read(), m.tail()
        finish(m)


def test_lender_and_borrower():
    """Two domains at odds over sixteen frames, on two pCPUs: what was taken back is never written to again, what was lent to be read never."""
    with boot("hostile-lend-borrow", ["lend peer=3", "borrow peer=2"]) as m:
        m.prompt(timeout=90)
        for name in ("evil0", "evil1"):
            assert b"SUCCESS" in m.saw(r"\(d\d " + name + r"\) RESULT (?:SUCCESS|FAILURE)", timeout=300).group(0), m.tail()
        finish(m)


def test_lender_or_borrower_dies():
    """One end of a pair is destroyed while both are at it, the lender of one pair and the borrower of the other; the other end goes on
    until it is destroyed too. All their frames come back (SPEC 10; teardown with mappings in both orders)."""
    forever = "count=100000000"
    with boot("hostile-lend-die", [f"lend peer=3 {forever}", f"borrow peer=2 {forever}", f"lend peer=5 {forever}", f"borrow peer=4 {forever}"]) as m:
        m.prompt(timeout=90)
        m.run("sleep 1.3")
        for first, second in (("evil0", "evil1"), ("evil3", "evil2")):
            m.run(f"enso destroy {first}")               # its frames are mapped by the other still: it may stay dying
            m.run(f"enso destroy {second}")
        for name in ("evil0", "evil1", "evil2", "evil3"):
            assert b"frames_lost=0" in m.saw(r"END v1 d\d+ " + name + r" reason=destroyed code=\S+ hypercalls=\d+ frames_lost=\d+", timeout=60).group(0)
        finish(m)


def test_a_domain_is_nobodys_before_it_is_whole():
    """Domains are made while another names every number that they could get, in each operation that takes a domain's number (bug classes C:
    a half-made grant table read through a null pointer would be memory of the attacker's choice)."""
    with boot("hostile-newborn", ["newborn peer=3"]) as m:
        m.prompt(timeout=90)
        for i in range(20):
            m.run(f"enso create -p -q /etc/enso/tiny.cfg name=t{i} && enso destroy t{i}")
        m.run("enso destroy evil0")
        log = open(m.log_path, errors="replace").read()
        assert "BROKE OUT" not in log and "attack newborn" in log, m.tail()
        finish(m)


def test_a_port_is_not_read_into_nowhere():
    """`rep ins` into a buffer that cannot be written faults before the port is read: what reading takes away is still there (SPEC 7.5)."""
    with Machine("hostile-string-input", modules=["module2 /boot/hostile.elf domain=dom0 memory=16M -- attack=string-input"], files=HOSTILE,
                 memory=64) as m:
        m.expect(r"RESULT SUCCESS", timeout=60)
        assert m.end() == 0


def test_a_domain_without_memory():
    """dom0 makes domains with 0, 1, 2, ... frames left in the machine: -ENOMEM each time, nothing lost (bug classes F, 149: error paths)."""
    with Machine("hostile-no-memory", modules=["module2 /boot/hostile.elf domain=dom0 memory=16M -- attack=no-memory"], files=HOSTILE,
                 memory=64) as m:
        m.expect(r"RESULT SUCCESS", timeout=60)
        m.audit()
        assert m.end() == 0


def test_msix_tables():
    """dom0 maps every device's registers as it likes, but the MSI-X tables only to be read (SPEC 12.1)."""
    extra = ["-device", "pcie-root-port,id=rp,chassis=1,addr=5", "-device", "nvme,serial=a,bus=rp", "-device", "nvme,serial=b", "-device", "e1000e"]
    with Machine("hostile-msix", modules=["module2 /boot/hostile.elf domain=dom0 memory=16M -- attack=msix"], files=HOSTILE, memory=64,
                 extra=extra) as m:
        m.expect(r"RESULT (SUCCESS|FAILURE)", timeout=60)
        assert m.child.match.group(1) == b"SUCCESS", m.tail()
        assert m.end() == 0

# SPDX-License-Identifier: MIT
"""Claim (issue 3, section 4 and acceptance 3; SPEC 11.5): two guests reach dom0 and each other through netfront, netback and the bridge;
the network backend can be torn down and started again at any moment under their load, 20 times, and their streams go on to their
end, equal to the byte; cards come and go while guests run, and every mistake is told in a sentence. A failure means that guests lose
their network, or data in it."""
import re

from machine import DOM0, Failure, Machine, dice

ADDRESS = {"one": "10.0.2.31", "two": "10.0.2.32"}


def at(m, name, command, until, timeout=30):
    """Types a command on a guest's console and waits there for what it prints."""
    m.line(f"enso console {name}")
    m.expect("Ctrl-] leaves")
    m.line("")
    m.expect(f"{name}# ")
    m.line(command)
    found = m.expect(until, timeout)
    m.send("\x1d")
    m.prompt()
    return found


def make(m, name, extra=""):
    rc, out = m.status(f"enso create /etc/enso/carol.cfg name={name} memory=48 'vif=[\"bridge=br0{extra}\"]' 'extra=\"ip=none\"'", timeout=60)
    assert rc == 0, out
    at(m, name, f"ifconfig eth0 {ADDRESS[name]}/24 && echo is-up", r"\nis-up\r*\n")


def dom0(m):
    m.prompt()
    if "br0" not in m.run("brctl show"):
        m.run("brctl addbr br0; ifconfig br0 10.0.2.15/24 up")


def pinged(m, address, count=3):
    rc, out = m.status(f"ping -c {count} {address}", timeout=30)
    assert rc == 0, out


def mistakes(m):
    """One sentence each, and nothing is left behind."""
    for command, words in [
        ("brctl addbr br0", "already"), ("brctl delbr br7", "no such bridge"), ("brctl delbr br0", "brctl delif br0"), ("brctl addif br0 eth7", "no such bridge or interface"),
        ("brctl addif br0 br0", "no port"), ("brctl frob", "usage"), ("enso network-attach one bridge=br7", "br7"),
    ]:
        rc, out = m.status(command, timeout=30)
        assert rc != 0 and words in out, f"{command}: {rc}: {out}"
    rc, out = m.status("enso network-attach two mac=" + re.search(r"00:16:3e[:0-9a-f]+", m.run("enso network-list one")).group(0), timeout=30)
    assert rc != 0 and "in use" in out, out
    assert m.run("brctl show").count("vif") == 2


def attach_and_detach(m):
    rc, out = m.status("enso network-attach one", timeout=30)
    assert rc == 0, out
    at(m, "one", "ifconfig eth1 10.0.9.1/24; ifconfig eth1 && echo there", r"\nthere\r*\n")
    assert m.run("brctl show").count("vif") == 3
    rc, out = m.status("enso network-detach one 1", timeout=30)
    assert rc == 0, out
    at(m, "one", "while ifconfig eth1; do sleep 0.1; done; echo gone", r"\ngone\r*\n")
    assert m.run("brctl show").count("vif") == 2


def held(m, errors="$(enso domid one)/error"):
    """Event channels in use, frames lent, and the devices' nodes in the store, without their values."""
    return m.run("enso dmesg -c >/dev/null; enso debug-keys e; enso dmesg | grep -c ' port '; enso dmesg | grep -c ' lends '; "
                 f"for where in 0/backend $(enso domid one)/device {errors}; do enso store ls /local/domain/$where | "
                 "cut -d = -f 1; done", timeout=60).split()


def held_again(m, before, **how):
    """The toolstack's word comes before the ends' last steps: what is held is what it was, within moments."""
    now = held(m, **how)
    for _ in range(40):
        if now == before:
            break
        m.run("sleep 0.3")
        now = held(m, **how)
    assert now == before


def at_rest(m, **how):
    """What is held, once it stays."""
    last, now = None, held(m, **how)
    for _ in range(40):
        if now == last:
            return now
        m.run("sleep 0.5")
        last, now = now, held(m, **how)
    raise Failure("what is held does not come to rest\n" + m.tail())


def ended(m, name, word, timeout=180):
    """What a guest's shell says at the end of something long, in its log: its console's replay may begin behind it."""
    out = m.run(f"while ! grep '^{word}=[0-9]' /var/log/console/{name}.log; do sleep 0.3; done", timeout=timeout)
    assert f"{word}=0" in out, out


def twenty_cycles(m):
    """Cards and disks that come and go leave nothing: no port, no grant, no node."""
    m.run("dd if=/dev/zero of=/tmp/d.img bs=65536 count=16")
    cycle = ("enso network-attach one && enso block-attach one /tmp/d.img,raw,xvdc,rw && enso block-detach one xvdc && "
             "enso network-detach one 1")
    rc, out = m.status(cycle, timeout=30)                # the first one leaves error/ and the like for good
    assert rc == 0, out
    before = at_rest(m)
    out = m.run(f"i=0; while [ $i -lt 20 ]; do {cycle} || break; i=$((i+1)); done; echo cycles=$i", timeout=120)
    assert "cycles=20" in out, out
    held_again(m, before)
    before = held(m, errors="")          # a frontend that is cut off while it connects may say so under error/, for good
    chance = dice("taking a card away while it comes")
    for _ in range(6):
        m.run(f"(enso network-attach one >/dev/null 2>&1; echo >/tmp/came) & sleep {chance.uniform(0, 0.4):.3f}; "
              "enso network-detach one 1 >/dev/null 2>&1; while ! [ -e /tmp/came ]; do sleep 0.05; done; rm /tmp/came; "
              "enso network-detach one 1 >/dev/null 2>&1", timeout=30)
    held_again(m, before, errors="")


def rounds(m, more=0):
    """How many rounds one's log tells of, as soon as they are more."""
    out = m.run(f"n=-1; while ! [ $n -gt {more} ]; do sleep 0.2; n=$(grep -c '^round-[0-9]' /var/log/console/one.log); done; echo n-$n", timeout=180)
    return int(re.search(r"^n-(\d+)", out, re.M).group(1))


def streams_under_restarts(m, times):
    """A long stream out and in, and connections with a few round trips, one after another until they are told to stop: these are seen
    to go on under the restarts, and after the last. One that is made while the backend is away may sleep for seconds, so there may be more restarts than asked for."""
    load = (f"(k=0; while ! [ -e /tmp/stop ]; do nettest -c {ADDRESS['two']} -r 20 ns || break; k=$((k+1)); echo; echo round-$k; done; "
            f"[ -e /tmp/stop ]; k=$?; echo; echo rounds=$k) & (nettest -c {ADDRESS['two']} ns 64; k=$?; echo; echo streams=$k) &")
    at(m, "one", load + " echo it-$((6*7))-runs", "it-42-runs")
    first = rounds(m)
    chance = dice("restarts of the network backend")
    for i in range(5 * times):
        away = f"stop vif && sleep {chance.uniform(0, 0.2):.3f} && enso backend start" if i % 2 else "restart"
        rc, out = m.status(f"sleep {chance.uniform(0, 0.4):.3f}; enso backend {away} vif", timeout=30)
        assert rc == 0, out
        if i + 1 >= times and rounds(m, -1) > first:
            break
    under = rounds(m, -1)
    assert under > first, f"{under} rounds after the restarts, {first} before"
    rounds(m, under)
    at(m, "one", "touch /tmp/stop", "one# ")
    for word in ("rounds", "streams"):
        ended(m, "one", word, 240)


def file_under_restarts(m):
    """A file from guest to guest by HTTP, equal to the byte."""
    at(m, "one", "mkdir -p /tmp/www; pattern write /tmp/www/p 10 7 && httpd /tmp/www; echo serves", r"\nserves\r*\n", timeout=60)
    m.line("enso console two")
    m.expect("Ctrl-] leaves")
    m.line(f"wget -O /tmp/p http://{ADDRESS['one']}/p && pattern check /tmp/p 10 7; echo equal=$?")
    m.send("\x1d")
    m.prompt()
    chance = dice("restarts under a file")
    for _ in range(5):
        m.status(f"sleep {chance.uniform(0, 0.2):.3f}; enso backend restart vif", timeout=30)
    ended(m, "two", "equal")


def test_two_guests(tmp_path):
    with Machine("network", modules=DOM0, memory=768, timeout=60) as m:
        dom0(m)
        make(m, "one")
        make(m, "two")
        pinged(m, ADDRESS["one"])
        pinged(m, ADDRESS["two"])
        at(m, "one", f"ping -c 3 {ADDRESS['two']} && echo guest-to-guest", r"\nguest-to-guest\r*\n")
        macs = m.run("brctl showmacs br0")
        assert macs.count("claimed") == 2 and "own" in macs, macs
        mistakes(m)
        attach_and_detach(m)
        twenty_cycles(m)
        at(m, "two", "nettest -s &", "listening on port")
        streams_under_restarts(m, 20)
        file_under_restarts(m)
        pinged(m, ADDRESS["one"])
        assert m.run("dmesg").count("stopped") == 0
        rc, out = m.status("enso destroy two; while [ $(brctl show | grep -c vif) -gt 1 ]; do sleep 0.1; done; brctl show", timeout=30)
        assert out.count("vif") == 1, out
        left = m.run("enso store ls /local/domain/0/backend/vif")
        assert len(re.findall(r"^\d+", left, re.M)) == 1, left
        assert m.poweroff() == 0

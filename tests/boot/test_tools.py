# SPDX-License-Identifier: MIT
"""Claim: the enso command and ensod do what their help says (SPEC 13, 14): a domain's end is acted upon as its configuration wishes,
consoles are kept, refusals are one sentence that says what to do, and a refused creation leaves nothing behind. A failure means
that a person at dom0's prompt is misled."""
import re

from machine import DOM0, Failure, Machine, guest
from test_first_minutes import domains, free_frames, wait_until


def refused(m, command, words):
    rc, out = m.status(command)
    if rc == 0 or not re.search(words, out):
        raise Failure(f"{command!r}: status {rc}, {out!r}; expected a refusal with {words!r}")
    lines = [x for x in out.strip().split("\n") if x]
    assert len(lines) <= 2, out


def edited(m, path, keys, after):
    """A file as the editor leaves it: keys are typed at once, the last of them leaves it."""
    m.line(f"edit {path}")
    m.expect(r"\^S save|is new")
    m.send(keys + "\x18")
    m.prompt()
    assert m.run(f"cat {path}") == after, m.tail()


def prompt_and_editor(m):
    """What somebody from another Unix does first (guest-kernel/user): keys, names that are missing here, the editor."""
    refused(m, "vi /tmp/a.cfg", r"vi: not found; `edit FILE` is the editor")
    refused(m, "help xl", r"there is no xl; it is `enso` here")
    refused(m, "edit /dev/null", r"edit: /dev/null: it is a device")
    assert "leaves a loop" in m.run("help break")
    assert m.run("printf 'one\\ntwo\\nthree\\n' | grep -e on -e thr") == "one\nthree\n"
    assert "MiB" in m.run("free -m")
    for command, words in (("mount -t ext3 /dev/x /mnt", "ext3: unknown type"), ("mount /dev/none /mnt", "/dev/none: there is no such device"),
                           ("umount /mnt", "nothing is mounted there"), ("date -s soon", "usage: date -s SECONDS"),
                           ("kill -FOO 1", "there is no signal -FOO")):
        refused(m, command, words)
    # dom0's screen is not among the hypervisor's messages.
    m.run("echo shown-$((6*7))")
    assert m.run("enso dmesg | grep -c -e shown-42 -e dom0#") == "0\n" and "Xen 4.17" in m.run("enso dmesg")
    m.run("echo $((6*7))-first")
    m.send("\x126*7\x01")                                # Ctrl-R; the key behind the word takes the line
    m.send("echo again; \n")
    m.expect(r"\nagain\r*\n42-first")
    m.prompt()
    edited(m, "/tmp/a.cfg", "name = 'x'\nmemory = 8\x13", "name = 'x'\nmemory = 8\n")
    # Up, the line cut, undone, cut again and put back below; a word found and more typed before it; saved.
    edited(m, "/tmp/a.cfg", "\x0b\x1a\x0b\x1b[B\x15\x06name\n# \x13", "memory = 8\n# name = 'x'\n")
    edited(m, "/tmp/a.cfg", "lost\x18n", "memory = 8\n# name = 'x'\n")


def test_refusals_and_nothing_half_created():
    with Machine("tools-refusals", modules=[*DOM0, *guest("bob")]) as m:
        m.prompt()
        assert m.saw("No network card was found: br0 joins dom0 and its guests, and leads nowhere else\\.")
        prompt_and_editor(m)
        before = free_frames(m)
        tiny = "enso create /etc/enso/tiny.cfg "
        refused(m, "enso craete x", r'no command "craete"; did you mean `enso create`')
        refused(m, "enso create /etc/none.cfg", r"/etc/none.cfg: No such file")
        refused(m, tiny + "memory=lots", r"memory: expected a number of MiB")
        refused(m, tiny + "memroy=8", r'unknown key "memroy"; did you mean memory')
        refused(m, tiny + "memory=4000", r"not enough memory: it takes 4\d+ MiB, \d+ MiB are free")
        refused(m, tiny + "kernel=/bin/sh", r"/bin/sh: not a paravirtual kernel")
        refused(m, tiny + "kernel=/etc/rc", r"/etc/rc: .*expected an ELF64 kernel with Xen notes")
        refused(m, tiny + "ramdisk=/none", r"/none: cannot open it")
        refused(m, tiny + "name=bob", r"a domain called bob already")
        refused(m, tiny + "cpus=7", r"none of the CPUs named exists")
        refused(m, tiny + "on_crash=explode", r"expected destroy, restart, preserve or rename-restart")
        m.run("head -n 3 /boot/novice-pv.elf > /tmp/short")
        refused(m, tiny + "kernel=/tmp/short", r"/tmp/short: .*truncated")
        m.run("echo 'name = \"x\"' > /tmp/bad.cfg; echo 'kernel = \"/boot/novice-pv.elf' >> /tmp/bad.cfg")
        refused(m, "enso create /tmp/bad.cfg", r'/tmp/bad.cfg:2: expected a closing "')
        refused(m, "enso console bbo", r'no domain "bbo"; did you mean bob')
        refused(m, "enso pause 7", r"there is no domain 7")
        refused(m, "enso unpause bob", r"bob is not paused")
        refused(m, "enso destroy dom0", r"that is dom0")
        assert "bob" in m.run("enso sched-credit") and '"bob"' in m.run("enso list bob -l")       # xl takes options last, too
        refused(m, "enso shutdown bob -z", r"usage: enso shutdown")
        refused(m, "enso reboot bob", r"bob was made by GRUB.*`enso shutdown bob`")
        refused(m, "enso rename bob 12", r"expected 1 to 31 letters")
        refused(m, "enso vcpu-pin bob 5 0", r"expected a vCPU of bob")
        refused(m, "enso sched-credit -d bob -w 0", r"expected a weight from 1")
        refused(m, "enso mem-max bob x", r"expected a number of MiB")
        assert set(domains(m)) == {"dom0", "bob"}
        assert free_frames(m) == before
        assert m.poweroff() == 0


def test_ends_are_acted_upon():
    with Machine("tools-ends") as m:
        m.prompt()
        m.run("enso create -q -p /etc/enso/tiny.cfg name=warm && enso destroy warm")
        before = free_frames(m)
        # reboot: built again under the same name; then an orderly end.
        m.run("enso create -q /etc/enso/tiny.cfg name=phoenix")
        first = domains(m)["phoenix"]["domid"]
        wait_until(m, lambda: "phoenix#" in m.run("cat /var/log/console/phoenix.log"))
        refused(m, "enso console -n 3 phoenix", r"has no console 3: `consoles=`")
        assert m.status("enso reboot -w phoenix")[0] == 0
        wait_until(m, lambda: domains(m).get("phoenix", {}).get("domid", first) > first)
        wait_until(m, lambda: domains(m)["phoenix"]["state"][1] == "b")
        assert m.status("enso shutdown -w phoenix")[0] == 0
        wait_until(m, lambda: set(domains(m)) == {"dom0"})
        wait_until(m, lambda: free_frames(m) == before)
        # A wish that comes before the guest's init listens is not lost.
        m.run("enso create -q /etc/enso/tiny.cfg name=hasty")
        first = domains(m)["hasty"]["domid"]
        assert m.status("enso reboot -w hasty", timeout=30)[0] == 0
        wait_until(m, lambda: domains(m).get("hasty", {}).get("domid", first) > first and domains(m)["hasty"]["state"][2] != "p")
        assert m.status("enso shutdown -w hasty", timeout=30)[0] == 0
        wait_until(m, lambda: set(domains(m)) == {"dom0"})
        # preserve: it stays, to be looked at, and says why it ended.
        m.run("enso create -q /etc/enso/tiny.cfg name=relic on_poweroff=preserve extra=exec=/bin/true")
        wait_until(m, lambda: domains(m)["relic"]["state"][3] == "s")
        assert domains(m)["relic"]["shutdown_reason"] == "poweroff"
        refused(m, "enso shutdown relic", r"relic has shut down already \(poweroff\)")
        assert m.status("enso destroy relic")[0] == 0
        # rename-restart: the old one under another name, the new one running.
        m.run("enso create -q /etc/enso/tiny.cfg name=twin on_reboot=rename-restart")
        old = domains(m)["twin"]["domid"]
        wait_until(m, lambda: "twin#" in m.run("cat /var/log/console/twin.log"))
        m.run("enso reboot -w twin")
        wait_until(m, lambda: {"twin", f"twin-{old}"} <= set(domains(m)))
        m.run(f"enso destroy twin twin-{old}")
        wait_until(m, lambda: free_frames(m) == before)
        assert m.poweroff() == 0


def test_names_shares_and_consoles():
    with Machine("tools-names", modules=[*DOM0, *guest("bob")]) as m:
        m.prompt()
        assert m.status("enso rename bob robert")[0] == 0
        assert m.run("enso domid robert").strip() == "1" and m.run("enso domname 1").strip() == "robert"
        m.run("enso sched-credit -d robert -w 512 -c 50")
        assert re.search(r"^robert +1 +512 +50$", m.run("enso sched-credit"), re.M)
        m.run("enso vcpu-pin robert 0 1")
        assert re.search(r"^robert +1 +0 +\d .* 1$", m.run("enso vcpu-list robert"), re.M)
        # Tab knows the commands, the domains and the words of usage lines; every command has its help.
        for typed, finished in [("enso vcpu-l\tro\t", "enso vcpu-list robert"), ("enso backend sta\t", "enso backend start"), ("enso help des\t", "enso help destroy"),
                                ("enso sched-credit -d rob\t", "-d robert"), ("enso create /etc/enso/ca\t", "/etc/enso/carol.cfg")]:
            m.send(typed)
            m.expect(re.escape(finished))
            m.send("\x15")
        m.sync()
        assert "|" not in m.run("for c in $(enso complete); do enso help $c >/dev/null || echo \"|$c\"; done")
        # ensod may die and is started again; where nobody does it, that is said; the console goes on.
        old = m.run("cat /run/enso/ensod.pid").strip()
        m.run(f"kill -9 {old}; while new=$(cat /run/enso/ensod.pid); [ -z \"$new\" ] || [ $new = {old} ]; do sleep 0.1; done")
        m.run("rm /run/init/ensod; kill $new; while kill -0 $new 2>/dev/null; do sleep 0.1; done")
        refused(m, "enso console robert", r"is ensod running")
        assert m.status("ensod")[0] == 0
        m.line("enso console robert")
        m.expect(r"leaves --")
        m.line("")
        m.expect(r"# ")
        m.line("echo again-$((6*7))")
        m.expect(r"again-42")
        m.send("\x1d")
        m.prompt()
        assert "again-42" in m.run("cat /var/log/console/robert.log")
        # -c attaches at once, and leaves with the domain.
        m.line("enso create -c /etc/enso/tiny.cfg")
        m.expect(r"tiny# ", timeout=30)
        m.line("poweroff")
        m.expect(r"the domain has ended")
        m.prompt()
        refused(m, "enso console tiny", r"tiny has ended; what it said is in /var/log/console/tiny.log")
        m.line("enso top")
        m.expect(r"robert +1 .*\|")
        m.send("q")
        m.prompt()
        assert "wrong" in m.run("enso audit") and "0 wrong, 0 lost" in m.run("enso audit")
        assert m.poweroff() == 0

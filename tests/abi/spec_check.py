#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""spec_check.py: SPEC.md against the table of hypercalls, the headers, and the code that cites it.

Claims: every hypercall has a heading, in the section that its row names, with its arguments and who may call
it, and no heading is without a row; every absent call is listed; every sub-operation of a header stands in
a table with its number, and no name of the interface occurs that the headers do not have; the invariants read
as they do beside struct frame; and every section that a source file cites exists.

    spec_check.py ROOT
"""
import os
import re
import sys

# Constants that are sub-operations or take their place: each must be in a row | `NAME` | number | ... |.
SUBOPS = r"(EVTCHNOP|GNTTABOP|SCHEDOP|VCPUOP|MMUEXT|MMU|XENMEM|XENVER|PHYSDEVOP|CALLBACKOP|CALLBACKTYPE|CONSOLEIO|" \
         r"SEGBASE|VMASST_TYPE|XENPF|XEN_DOMCTL|XEN_SYSCTL|ENSO_OP|XEN_ELFNOTE)_\w+"
NOT_SUBOPS = r"XENMEM_resource_\w+|XEN_DOMCTL_(CDF|PFINFO|SCHEDOP|SENDTRIGGER|GRANT)_\w+|\w+_INTERFACE_VERSION|" \
             r"XEN_SYSCTL_(PHYSCAP|SCHEDOP|SCHED|CSCHED)_\w+|PHYSDEVOP_DBGP_\w+|XEN_ELFNOTE_MAX"
# Constants that have to be mentioned with their number in brackets: `VIRQ_TIMER` (0).
BRACKETED = r"XENFEAT_(?!NR_)\w+|SHUTDOWN_(?!MAX)\w+|GNTST_\w+|VMASST_CMD_\w+"
# Names that begin like the interface's and so have to be in the headers.
FAMILY = r"`((?:" + SUBOPS[1:].split(")_")[0] + r"|XENFEAT|SHUTDOWN|GNTST|GNTMAP|GNTCOPY|GTF|VIRQ|SIF|VGCF|UVMF|FLAT|DOMID|" \
         r"EVTCHNSTAT|XEN_PVCLOCK|VMASST|CALLBACKF|RUNSTATE|XEN_SCHEDULER)_\w+)"

complaints = []


def complain(text, *args):
    complaints.append(text % args if args else text)


def read(root, *path):
    return open(os.path.join(root, *path), errors="replace").read()


def table(root):
    """Rows of hypercalls.def: {nr: (name, who, args, section)}, and the absent ones {nr: name}."""
    text = re.sub(r"/\*.*?\*/", "", read(root, "hypercall-abi", "hypercalls.def"), flags=re.S)
    rows, absent = {}, {}
    for line in text.split("\n"):
        m = re.match(r'H(\d)\(\s*(\d+), (\w+), (ANY|PRIV),(.*)"([^"]*)", "([\d.]+)"\)$', line)
        if m:
            words = [w.strip() for w in m.group(5).split(",") if w.strip()]
            args = ["%s %s" % pair for pair in zip(words[::2], words[1::2])]
            if len(args) != int(m.group(1)):
                complain("hypercalls.def: %s: %d arguments in an H%s row", m.group(3), len(args), m.group(1))
            rows[int(m.group(2))] = (m.group(3), m.group(4), ", ".join(args), m.group(7))
        elif (m := re.match(r'HX\(\s*(\d+), (\w+), "([^"]*)"\)$', line)):
            absent[int(m.group(1))] = m.group(2)
        elif re.match(r"H[0-9X]\(", line):
            complain("hypercalls.def: cannot read: %s", line)
    return rows, absent


def constants(root):
    """Numeric constants of the headers: #define NAME number, and simple sums of them."""
    found = {}
    base = os.path.join(root, "hypercall-abi")
    for folder, _, files in os.walk(base):
        for f in files:
            if f.endswith(".h"):
                text = re.sub(r"/\*.*?\*/", "", read(folder, f), flags=re.S)
                for name, value in re.findall(r"^\s*#\s*define[ \t]+(\w+)[ \t]*(.*)$", text, re.M):
                    value = re.sub(r"[uUlL]+\b", "", value.strip().strip("()")) if value else ""
                    found[name] = int(value, 0) if re.fullmatch(r"-?(0x[0-9a-f]+|\d+)", value) else None
                for name in re.findall(r"^    (\w+)\s*= [^,]*,", text, re.M):
                    found[name] = None
    return found


def check_calls(spec, rows, absent):
    heads = {}
    section = ""
    lines = spec.split("\n")
    for i, line in enumerate(lines):
        if (m := re.match(r"##+ (\d+(?:\.\d+)?) ", line)):
            section = m.group(1)
        if (m := re.match(r"#### Hypercall (\d+): (\w+)$", line)):
            nr = int(m.group(1))
            sig = re.match(r"`(\w+)\((.*)\)` · (ANY|PRIV)$", lines[i + 1])
            if not sig:
                complain("SPEC.md:%d: no signature below the heading of %s", i + 2, m.group(2))
                continue
            heads[nr] = m.group(2)
            if nr not in rows:
                complain("SPEC.md:%d: hypercall %d (%s) is not in hypercalls.def", i + 1, nr, m.group(2))
                continue
            name, who, args, where = rows[nr]
            for what, theirs, ours in (("name", name, m.group(2)), ("name", name, sig.group(1)),
                                       ("arguments", args, sig.group(2)), ("who", who, sig.group(3)),
                                       ("section", where, section)):
                if theirs != ours:
                    complain("SPEC.md:%d: %s: %s is '%s', in hypercalls.def '%s'", i + 1, name, what, ours, theirs)
    for nr in sorted(set(rows) - set(heads)):
        complain("SPEC.md: no heading for hypercall %d (%s)", nr, rows[nr][0])
    part = spec[spec.find("\n### 4.8 "):spec.find("\n## 5 ")]
    listed = {int(n): name for n, name in re.findall(r"^\| (\d+) \| (\w+) \|", part, re.M)}
    for nr in sorted(set(absent.items()) ^ set(listed.items())):
        complain("SPEC.md 4.8 and hypercalls.def disagree about the absent call %d (%s)", *nr)


def check_names(spec, consts):
    rows = {name: int(nr) for name, nr in re.findall(r"^\| `(\w+)` \| (\d+) \|", spec, re.M)}
    brackets = {name: int(nr) for name, nr in re.findall(r"`(\w+)`\s+\((-?\d+)", spec)}
    for name, value in sorted(consts.items()):
        if re.fullmatch(SUBOPS, name) and not re.fullmatch(NOT_SUBOPS, name):
            if name not in rows:
                complain("SPEC.md: no table row for %s", name)
        elif re.fullmatch(BRACKETED, name) and name not in brackets and name not in rows:
            complain("SPEC.md: %s is not mentioned with its number", name)
    for name, nr in sorted(list(rows.items()) + list(brackets.items())):
        if name in consts and consts[name] is not None and consts[name] != nr:
            complain("SPEC.md: %s is said to be %d, the header says %d", name, nr, consts[name])
    for name in sorted(set(m.group(1) for m in re.finditer(FAMILY, spec))):
        if name not in consts and not name.endswith("_"):
            complain("SPEC.md: %s is in no header", name)


def normal(text):
    return re.sub(r"[^\w=>.:]+", " ", text).strip().lower()


def check_invariants(root, spec):
    try:
        model = read(root, "hypervisor", "model.h")
    except FileNotFoundError:
        return complain("hypervisor/model.h is missing: where do F1 to F4 stand?")
    block = re.search(r"/\* F1 .*?\*/", model, re.S)
    code = dict(re.findall(r"\b(F[1-4])\s+(.*?)(?=\n \*\s+F[1-4]\s|\*/)", block.group(0), re.S)) if block else {}
    for n in ("F1", "F2", "F3", "F4"):
        m = re.search(r"^- \*\*%s\*\* (.*?)(?=\n- |\n\n)" % n, spec, re.S | re.M)
        if not m or n not in code or normal(m.group(1)) != normal(code[n]):
            complain("SPEC.md 5.4 and hypervisor/model.h word %s differently", n)


def check_citations(root, spec):
    sections = set(re.findall(r"^##+ (\d+(?:\.\d+)?) ", spec, re.M))
    for top in ("hypervisor", "hypercall-abi", "guest-kernel", "pv-drivers", "dom0-tools", "tests"):
        for folder, _, files in os.walk(os.path.join(root, top)):
            for f in files:
                if not f.endswith((".c", ".h", ".S", ".py", ".def")) or "unpack" in folder:
                    continue
                text = read(folder, f)
                for m in re.finditer(r"\bSPEC(?:\.md)? (\d+(?:\.\d+)?(?:(?:, | and )\d+\.\d+)*)", text):
                    for cited in re.findall(r"\d+(?:\.\d+)?", m.group(1)):
                        if cited not in sections:
                            line = text.count("\n", 0, m.start()) + 1
                            complain("%s:%d: cites SPEC %s, which does not exist",
                                     os.path.relpath(os.path.join(folder, f), root), line, cited)


def main(root):
    spec = read(root, "SPEC.md")
    rows, absent = table(root)
    consts = constants(root)
    check_calls(spec, rows, absent)
    check_names(spec, consts)
    check_invariants(root, spec)
    check_citations(root, spec)
    for c in complaints:
        print("check-spec: " + c)
    print("check-spec: %d hypercalls, %d absent ones, %d constants; %d complaints"
          % (len(rows), len(absent), len(consts), len(complaints)))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

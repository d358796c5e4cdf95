#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Rules of the house that a machine can hold.

* hypervisor/ includes only hypercall-abi/ and itself, and its floors include only floors below them (lib, x86, mm, core, guest, boot).
* guest-kernel/native and pv define the same functions in the same order, in files of the same names.
* guest-kernel/kernel touches no hypervisor/ header.
* the hypervisor's messages use the conversions that its printf has (lib/print.h lists them).
* every source file of ours carries its licence line; none has #if in a .c file of the hypervisor.
"""
import os
import re
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FLOORS = ["lib", "x86", "mm", "core", "guest", "boot"]
bad = []


def complain(path, why):
    bad.append(f"{path}: {why}")


def sources(folder, endings=(".c", ".h", ".S")):
    for base, _, files in os.walk(os.path.join(ROOT, folder)):
        for f in sorted(files):
            if f.endswith(endings):
                yield os.path.relpath(os.path.join(base, f), ROOT)


def text(path):
    with open(os.path.join(ROOT, path), errors="replace") as f:
        return f.read()


def includes(path):
    return re.findall(r'^\s*#\s*include\s+"([^"]+)"', text(path), re.M)


def check_floors():
    # The few declarations that stand a floor higher than a user of theirs: preempt_needed and the audit's iteration over grants; how
    # device registers and stack blocks get mapped, for the x86 files that drive devices.
    allowed_up = {("mm", "core/sched.h"), ("mm", "core/grant.h"), ("x86", "mm/hypmap.h"), ("x86", "mm/heap.h")}
    for path in sources("hypervisor"):
        parts = path.split("/")
        for inc in includes(path):
            if inc.startswith("hypercall-abi/") or not inc.startswith("hypervisor/"):
                if not inc.startswith("hypercall-abi/") and "/" in inc:
                    complain(path, f"includes {inc}: the hypervisor includes hypercall-abi/ and itself, nothing else")
                continue
            there = inc.split("/")
            if len(parts) < 3 or len(there) < 3 or there[1] not in FLOORS or parts[1] not in FLOORS:
                continue
            if FLOORS.index(there[1]) > FLOORS.index(parts[1]) and (parts[1], "/".join(there[1:])) not in allowed_up:
                complain(path, f"includes {inc}, a floor above it")


def check_conditionals():
    for path in sources("hypervisor", (".c",)):
        if re.search(r"^\s*#\s*if(def|ndef)?\b", text(path), re.M):
            complain(path, "has an #if: the Makefile picks files, headers hold what DEBUG changes")


def check_licence():
    for folder in ("hypervisor", "hypercall-abi", "guest-kernel", "pv-drivers", "dom0-tools", "tests"):
        for path in sources(folder, (".c", ".h", ".S", ".py", ".sh")):
            if "SPDX-License-Identifier: MIT" not in text(path)[:300]:
                complain(path, "lacks its SPDX line")


CONVERSION = re.compile(r"%(%|-?[0-9]*(l?l?[dux]|z[du]|[scp]))")
PRINTERS = re.compile(r"\b(?:log_\w+|panic|domain_crash|hv_snprintf)\s*\((.*?)\);", re.S)


def check_messages():
    """gcc checks formats against libc's printf; of that ours has a part, and takes the rest for text."""
    for path in sources("hypervisor", (".c",)):
        for call in PRINTERS.findall(text(path)):
            for literal in re.findall(r'"((?:[^"\\]|\\.)*)"', call):
                if "%" in CONVERSION.sub("", literal):
                    complain(path, f"prints \"{literal}\", with a conversion that lib/format.c does not have")


def functions(path):
    """Names of the functions that a platform file defines for others, in order."""
    return re.findall(r"^(?!static)[a-zA-Z_][\w \*]*?\b(plat_\w+)\([^;{]*?\)\s*\{", text(path), re.M)


def check_platforms():
    base = {d: sorted(f for f in os.listdir(os.path.join(ROOT, "guest-kernel", d)) if f.endswith(".c")) for d in ("native", "pv")}
    for f in base["native"]:
        if f not in base["pv"]:
            complain(f"guest-kernel/native/{f}", "has no counterpart in pv/")
            continue
        a, b = functions(f"guest-kernel/native/{f}"), functions(f"guest-kernel/pv/{f}")
        if a != b:
            complain(f"guest-kernel/pv/{f}", f"does not define the functions of native/{f} in their order:\n    native {a}\n    pv     {b}")


def check_rooms():
    for path in sources("guest-kernel"):
        for inc in includes(path):
            if inc.startswith("hypervisor/"):
                complain(path, f"includes {inc}: Novice never sees the hypervisor's sources")
    for path in sources("pv-drivers"):
        for inc in includes(path):
            if inc.startswith(("hypervisor/", "guest-kernel/")):
                complain(path, f"includes {inc}: drivers know rings, not kernels")


def main():
    for check in (check_floors, check_conditionals, check_licence, check_messages, check_platforms, check_rooms):
        check()
    r = subprocess.run([sys.executable, os.path.join(ROOT, "tests/lint/reading_order.py")], capture_output=True, text=True)
    if r.returncode:
        bad.append(r.stderr.strip())
    print("\n".join(bad) if bad else "lint: clean")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

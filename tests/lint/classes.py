#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Holds tests/hostile/CLASSES.md against tests/lint/classes.list and the tests: each advisory has its row, in its section and once; each row
names a test or says `*no:*`; and each name is a test that runs. An attack that no boot test starts, or a host test that its main() leaves
out, is none."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
bad = []


def text(path):
    try:
        with open(os.path.join(ROOT, path), errors="replace") as f:
            return f.read()
    except OSError:
        return ""


BOOTS = "".join(text("tests/boot/" + f) for f in sorted(os.listdir(os.path.join(ROOT, "tests/boot"))) if f.endswith(".py"))
ATTACKS = set(re.findall(r'^\s*\{ "([\w-]+)", attack_', text("tests/hostile/main.c"), re.M))


def host_test(program, name):
    """A function of the program's, and used: named once more, there or in the program that runs it (pv_net runs pv_net_hell)."""
    code = text(f"tests/host/{program}.c")
    if not re.search(rf"^(?:static )?(?:void|int) {name}\(", code, re.M):
        return False
    others = "".join(text("tests/host/" + f) for f in os.listdir(os.path.join(ROOT, "tests/host"))
                     if f.endswith(".c") and program.startswith(f[:-2]))
    return name == "main" or len(re.findall(rf"\b(?:T|TEST|cmocka_\w+)\({name}\b", others)) > 0


def exists(name):
    kind, _, rest = name.partition(":")
    if kind == "attack":
        return rest in ATTACKS and re.search(rf'["= ]{rest}[ "]', BOOTS) is not None
    if kind == "boot":
        file, _, test = rest.partition(":")
        return re.search(rf"^def {test}\(", text(f"tests/boot/{file}.py"), re.M) is not None
    if kind == "judge":
        return f"\nJ {rest}" in "\n" + text("tests/abi/judge.xen")
    if not rest:
        return re.search(rf"^{kind}:", "".join(text(m) for m in ("tests/abi/abi.mk", "tests/sources.mk")), re.M) is not None
    return host_test(kind, rest)


def rows():
    """(section's letter, numbers, text of the row)"""
    section = ""
    for line in text("tests/hostile/CLASSES.md").splitlines():
        if line.startswith("## "):
            section = line[3]
        elif re.match(r"\| \d", line):
            yield section, [int(n) for n in re.findall(r"\d+", line.split("|")[1])], line


def main():
    wanted, found = [], []
    for line in text("tests/lint/classes.list").splitlines():
        if not line.startswith("#"):
            letter, *numbers = line.split()
            wanted += [(letter, int(n)) for n in numbers]
    for section, numbers, row in rows():
        found += [(section, n) for n in numbers]
        where = f"tests/hostile/CLASSES.md, {section} {numbers[0]}"
        names = re.findall(r"`([^`]+)`", row.split("|")[-2])
        if not names and "*no:*" not in row:
            bad.append(f"{where}: neither a test nor a reason why not")
        bad.extend(f"{where}: there is no test {name}" for name in names if not exists(name))
    bad.extend(f"tests/hostile/CLASSES.md: {s} {n} has no row" for s, n in wanted if (s, n) not in found)
    bad.extend(f"tests/hostile/CLASSES.md: {s} {n} has a row too many" for s, n in sorted(set(found)) if found.count((s, n)) != 1 or (s, n) not in wanted)
    print("\n".join(bad) if bad else f"classes: {len(found)} classes, each with its tests or a reason")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

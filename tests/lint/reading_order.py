#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Prints the hypervisor's files in the order in which they are meant to be read, with the first line of each one's story."""
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def stories():
    for folder, _, files in os.walk(os.path.join(ROOT, "hypervisor")):
        for f in sorted(files):
            if f.endswith((".c", ".S")):
                path = os.path.join(folder, f)
                with open(path) as h:
                    head = h.read(3000)
                m = re.search(r"\[read (\d+)([a-z]?)\]", head)
                s = re.search(r"/\* " + re.escape(f) + r": ([^\n]*?)\s*(?:\[read|\*/|\n)", head)
                yield (int(m.group(1)) if m else 999, m.group(2) if m else "", os.path.relpath(path, ROOT), s.group(1).strip() if s else "")


rows = sorted(stories())
for number, letter, path, story in rows:
    print(f"{str(number) + letter if number != 999 else '-':>4}  {path:40} {story}")
numbers = [r[0] for r in rows if not r[1]]       # one with a letter (40a) was put between two
if 999 not in numbers and numbers != list(range(1, len(numbers) + 1)):
    print("The numbers have a gap or a double.", file=sys.stderr)
    sys.exit(1)
if any(r[0] == 999 for r in rows):
    print("Files without a number in their opening paragraph: " + ", ".join(r[2] for r in rows if r[0] == 999), file=sys.stderr)
    sys.exit(1)

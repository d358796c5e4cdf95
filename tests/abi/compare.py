#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compare.py: our headers' values beside Xen's, row by row; every difference is printed and is a failure.

    compare.py list.def ours.bin xens.bin

Each .bin holds one 64-bit value a value of the list, as the x86-64 compiler laid it out: nothing is run, so
the comparison works on any build machine.
"""
import re
import struct
import sys


def labels(path):
    """What each value of the list is, in words, in the order in which row.h emits them."""
    for line in open(path):
        m = re.match(r"(\w+)\((.*)\)\s*$", line)
        if not m:
            continue
        kind, rest = m.groups()
        if kind == "MEMBER":
            owner, member = rest.split(", ")
            yield "offset of %s in %s" % (member, owner)
            yield "size of %s in %s" % (member, owner)
        elif kind == "OFFSET":
            owner, member = rest.split(", ")
            yield "offset of %s in %s" % (member, owner)
        elif kind == "SIZE":
            yield "size of " + rest
        elif kind == "TEXT":
            yield "text of " + rest
        else:
            yield rest


def values(path):
    raw = open(path, "rb").read()
    return struct.unpack("<%dq" % (len(raw) // 8), raw)


def main(list_path, ours_path, xens_path):
    names, ours, xens = list(labels(list_path)), values(ours_path), values(xens_path)
    if not (len(names) == len(ours) == len(xens) and names):
        sys.exit("check-abi: %d names, %d values of ours, %d of Xen's" % (len(names), len(ours), len(xens)))
    wrong = [(n, o, x) for n, o, x in zip(names, ours, xens) if o != x]
    for name, o, x in wrong:
        print("check-abi: %s: ours %d (%#x), Xen's %d (%#x)" % (name, o, o & (1 << 64) - 1, x, x & (1 << 64) - 1))
    structs = sum(n.startswith(("size of struct", "size of union")) for n in names)
    print("check-abi: %d values compared with Xen's (%d structures), %d differ" % (len(names), structs, len(wrong)))
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

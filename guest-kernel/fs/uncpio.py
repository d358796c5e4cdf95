#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""uncpio.py ARCHIVE DIRECTORY: unpacks a newc archive's directories, files and links, without a need for root."""
import os
import stat
import sys


def members(data):
    at = 0
    while data[at:at + 6] in (b"070701", b"070702"):
        field = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + field[11] - 1].decode()
        body = (at + 110 + field[11] + 3) & ~3
        if name == "TRAILER!!!":
            return
        yield name.lstrip("./"), field, data[body:body + field[6]]
        at = (body + field[6] + 3) & ~3


def main(archive, directory):
    first = {}
    with open(archive, "rb") as f:
        data = f.read()
    for name, field, body in members(data):
        if not name:
            continue
        path, mode = os.path.join(directory, name), field[1]
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if stat.S_ISDIR(mode):
            os.makedirs(path, exist_ok=True)
        elif stat.S_ISLNK(mode):
            os.symlink(body.decode(), path)
            continue
        elif stat.S_ISREG(mode):
            if field[4] > 1 and field[0] in first:
                os.link(first[field[0]], path)
            else:
                with open(path, "wb") as out:
                    out.write(body)
            if field[4] > 1:
                first.setdefault(field[0], path)
                if body:
                    with open(path, "wb") as out:
                        out.write(body)
        else:
            continue
        os.chmod(path, stat.S_IMODE(mode) | (0o200 if stat.S_ISREG(mode) else 0))


main(*sys.argv[1:3])

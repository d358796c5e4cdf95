#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""mkdisk.py OUT.img PART...: a disk image with a GUID partition table (UEFI 2.10, 5.3), the same from the same input.

A PART is FILE (an ext2 file system, say), or swap=MIB (made a swap area), or empty=MIB, with an optional name before it: root:disk/root.img.
Holes of the files stay holes, so that a large image takes only what is in it. GUIDs derive from the partition's name and place.
"""
import os
import struct
import sys
import uuid
import zlib

SECTOR = 512
ALIGN = 1 << 20
LINUX = uuid.UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
SWAP = uuid.UUID("0657fd6d-a4ab-43c4-84e5-0933c84b4f4f")
OURS = uuid.UUID("e4500000-0000-4000-8000-000000000000")


def die(text):
    sys.exit("mkdisk: " + text)


def parse(word, index):
    """(name, type, bytes, file or None)"""
    name, colon, what = word.rpartition(":")
    name = name if colon else f"part{index + 1}"
    for kind, guid in (("swap=", SWAP), ("empty=", LINUX)):
        if what.startswith(kind):
            return name, guid, int(what[len(kind):]) << 20, None
    if not os.path.exists(what):
        die(f"{what}: no such file")
    return name, LINUX, os.path.getsize(what), what


def copy_sparse(path, out, at):
    with open(path, "rb") as f:
        end = os.fstat(f.fileno()).st_size
        pos = 0
        while pos < end:
            try:
                pos = os.lseek(f.fileno(), pos, os.SEEK_DATA)
            except OSError:
                return                                  # only a hole is left
            hole = os.lseek(f.fileno(), pos, os.SEEK_HOLE)
            f.seek(pos)
            out.seek(at + pos)
            while pos < hole:
                piece = f.read(min(1 << 20, hole - pos))
                out.write(piece)
                pos += len(piece)


def write_swap(out, at, size):
    """The header of mkswap(8): version 1, the last page, and the word at the end of the first page."""
    pages = size // 4096
    out.seek(at + 1024)
    out.write(struct.pack("<III", 1, pages - 1, 0))
    out.seek(at + 4096 - 10)
    out.write(b"SWAPSPACE2")


def header(lba, other, first, last, entries_lba, table):
    def pack(crc):
        return struct.pack("<8sIIIIQQQQ16sQIII", b"EFI PART", 0x10000, 92, crc, 0, lba, other, first, last, OURS.bytes_le,
                           entries_lba, 128, 128, zlib.crc32(table))
    return pack(zlib.crc32(pack(0)))


def main():
    if len(sys.argv) < 3:
        die("usage: mkdisk.py OUT.img [NAME:]FILE | [NAME:]swap=MIB | [NAME:]empty=MIB ...")
    parts = [parse(w, i) for i, w in enumerate(sys.argv[2:])]
    at, places = ALIGN, []
    for _, _, size, _ in parts:
        places.append(at)
        at += -(-size // ALIGN) * ALIGN
    total = (at + ALIGN) // SECTOR
    table = b""
    for i, ((name, kind, size, _), start) in enumerate(zip(parts, places)):
        guid = uuid.uuid5(OURS, f"{i} {name}")
        table += struct.pack("<16s16sQQQ72s", kind.bytes_le, guid.bytes_le, start // SECTOR,
                             (start + -(-size // SECTOR) * SECTOR) // SECTOR - 1, 0, name.encode("utf-16-le"))
    table = table.ljust(128 * 128, b"\0")
    temporary = sys.argv[1] + ".new"
    with open(temporary, "wb") as out:
        out.truncate(total * SECTOR)
        out.seek(440)
        out.write(struct.pack("<IHB3sB3sII", 0, 0, 0, b"\0\2\0", 0xEE, b"\xff\xff\xff", 1, min(total - 1, 0xFFFFFFFF)))
        out.seek(510)
        out.write(b"\x55\xaa")
        first, last = 34, total - 34
        out.seek(SECTOR)
        out.write(header(1, total - 1, first, last, 2, table))
        out.seek(2 * SECTOR)
        out.write(table)
        out.seek((total - 33) * SECTOR)
        out.write(table)
        out.seek((total - 1) * SECTOR)
        out.write(header(total - 1, 1, first, last, total - 33, table))
        for (_, kind, size, path), start in zip(parts, places):
            if path:
                copy_sparse(path, out, start)
            elif kind == SWAP:
                write_swap(out, start, size)
    os.rename(temporary, sys.argv[1])


if __name__ == "__main__":
    main()

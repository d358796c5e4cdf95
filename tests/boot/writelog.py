# SPDX-License-Identifier: MIT
"""The log that QEMU's blklogwrites driver keeps of a disk's writes and flushes, and what a cut of power leaves of them.

The format is dm-log-writes': a superblock, then entries of one sector (where, how much, flags), each followed by its data.
QEMU writes the superblock seldom, so entries are read as far as they make sense.
"""
import collections
import random
import struct

SECTOR = 512
Entry = collections.namedtuple("Entry", "sector count flags data end")      # end: where in the log it ends
FLUSH, FUA, DISCARD, MARK = 1, 2, 4, 8


def qemu(image, log):
    """QEMU's arguments for an NVMe disk whose writes are logged."""
    return ["-blockdev", f"driver=file,filename={image},node-name=image", "-blockdev", "driver=raw,file=image,node-name=disk",
            "-blockdev", f"driver=file,filename={log},node-name=logfile", "-blockdev", "driver=raw,file=logfile,node-name=log",
            "-blockdev", f"driver=blklogwrites,file=disk,log=log,node-name=logged,log-sector-size={SECTOR}",
            "-device", "nvme,drive=logged,serial=enso0"]


def entries(log):
    """All in the order in which they ended."""
    with open(log, "rb") as f:
        data = f.read()
    found, at = [], SECTOR
    while at + SECTOR <= len(data):
        sector, count, flags, _ = struct.unpack_from("<QQQQ", data, at)
        at += SECTOR
        if not count and not flags:
            break
        size = 0 if flags & DISCARD else count * SECTOR
        if at + size > len(data):
            break
        at += size
        found.append(Entry(sector, count, flags, data[at - size:at], at))
    return found


def cut(base, log, length, out, dice=random, keep=None):
    """Writes to `out` what the first `length` entries leave of the image `base`, if any part of what was not flushed was lost
    (of each write that was not: kept with the chance `keep`)."""
    with open(base, "rb") as f:
        disk = bytearray(f.read())
    durable = max((i for i, e in enumerate(log[:length]) if e.flags & FLUSH), default=0)
    keep = dice.choice([0, 0.25, 0.5, 0.75, 1]) if keep is None else keep
    for i, (sector, count, flags, data, _) in enumerate(log[:length]):
        if i <= durable or flags & FUA or dice.random() < keep:
            if flags & DISCARD:
                data = bytes(count * SECTOR)
            disk[sector * SECTOR:sector * SECTOR + len(data)] = data
    with open(out, "wb") as f:
        f.write(disk)

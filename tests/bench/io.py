#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""io.py: what the split drivers cost: the same virtual disk and card, driven natively and by a guest through dom0.

Claim (issue 3): a guest's sequential 1 MiB requests run at 85 % of native speed or more, random 4 KiB at depth 32 at 60 %, a TCP
stream to the build machine at 60 %. Boots alternate and medians are taken. A read and a write of the disk at depth 1 and a round trip of 64 bytes
over TCP are taken apart by instructions (one CPU; a plugin of QEMU's counts them, waiting not included): the guest's part, dom0's
(with its driver of the real device, and the bridge) and the hypervisor's. The balloon's speed is measured in the same boots, and how long the
guest's shell was silent at most meanwhile. The rows go to the same results.csv as run.py's.

Two disks: an emulated one answers from the build machine's memory, at 10 GB/s, while the emulated processor is some thirty times
slower than a real one: no disk that one can buy is like that. So the goals are held to a disk that QEMU slows to 500 MB/s and 30,000
requests a second, about what an NVMe disk is to a real processor; the rows "at memory speed" show the bare cost of the path.
"""
import argparse
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import pexpect

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
os.environ.setdefault('VARIANT', 'release')
sys.path.insert(0, os.path.join(ROOT, 'tests/boot'))
from machine import BUILD, Failure, Machine  # noqa: E402

LINE = re.compile(r'BENCH ([^,\r\n]+),(instructions|ns),(\d+)')
GOALS = {'disk read sequential 1 MiB': 0.85, 'disk write sequential 1 MiB': 0.85, 'disk read random 4 KiB depth 32': 0.60,
         'disk write random 4 KiB depth 32': 0.60, 'net tcp stream out': 0.60}
DISK_MIB = 256
COUNT = 8000                                            # of the requests that are taken apart
NATIVE_PROMPT = r'# '
# Until /tmp/stop is there: a pipe and a program again and again, and the longest time from one to the next, in hundredths of a second.
PULSE = ('(longest=0; last=; while read up idle </proc/uptime; now=$((${up%.*} * 100 + 1${up#*.} - 100)); gap=$((now - ${last:-$now})); '
         '[ $gap -le $longest ] || longest=$gap; last=$now; [ ! -e /tmp/stop ]; do echo $now | cat >/tmp/now; done; echo $longest >/tmp/longest) &')


class Peer(threading.Thread):
    """The build machine's end of nettest: one request a connection: `out N`, `in N` or `echo COUNT`."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]

    def run(self):
        while True:
            conn, _ = self.socket.accept()
            threading.Thread(target=self.serve, args=(conn,), daemon=True).start()

    @staticmethod
    def serve(conn):
        conn.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with conn:
            word, _, number = conn.makefile('rb', buffering=0).readline().decode().partition(' ')
            n = int(number)
            if word == 'out':
                while n > 0:
                    got = conn.recv(min(n, 1 << 20))
                    if not got:
                        return
                    n -= len(got)
                conn.sendall(b'ok\n')
            elif word == 'in':
                piece = bytes(1 << 16)
                while n > 0:
                    conn.sendall(piece[:min(n, len(piece))])
                    n -= len(piece)
            else:
                for _ in range(n):
                    left = 64
                    while left:
                        got = conn.recv(left)
                        if not got:
                            return
                        left -= len(got)
                    conn.sendall(bytes(64))


def devices(disk):
    return ['-drive', f'file={disk},format=raw,if=none,id=disk0,cache=writeback,throttling.bps-total=500000000,throttling.iops-total=30000',
            '-device', 'nvme,drive=disk0,serial=paced', '-device', 'nvme,drive=disk1,serial=memory',
            '-drive', f'file={disk}.2,format=raw,if=none,id=disk1,cache=writeback',
            '-netdev', 'user,id=net0', '-device', 'e1000e,netdev=net0']


def plugin(out):
    """count.c as a plugin, or None where QEMU takes none: then nothing is taken apart."""
    path = os.path.abspath(os.path.join(out, 'count.so'))
    if '-plugin' not in subprocess.run(['qemu-system-x86_64', '-help'], capture_output=True, text=True, check=True).stdout:
        print('bench: this QEMU takes no plugins: latencies are not taken apart', file=sys.stderr)
        return None
    subprocess.run([os.environ.get('HOSTCC', 'gcc'), '-O2', '-Wall', '-Wextra', '-shared', '-fPIC', '-fvisibility=hidden', '-o', path,
                    os.path.join(HERE, 'count.c')], check=True)
    return path


class Bench:
    def __init__(self, args, disk, peer):
        self.args, self.disk, self.peer = args, disk, peer
        self.rows = {}                                  # (row, unit) -> {'native': [..], 'enso': [..]}
        self.notes = []
        self.counts_path = os.path.abspath(os.path.join(args.out, 'counts'))
        self.plugin = plugin(args.out)

    def take(self, text, platform, suffix=''):
        found = LINE.findall(text)
        for row, unit, value in found:
            row += suffix
            self.rows.setdefault((row, unit), {}).setdefault(platform, []).append(int(value))
        return found

    def commands(self, disks, unit):
        """(command, what to add to its rows' names)"""
        mib = 8 if unit == 'instructions' else 64
        size = DISK_MIB if unit == 'ns' else 64
        return [(f'diskbench {disks[0]} {unit} {size}', ''), (f'diskbench {disks[1]} {unit} {size}', ' at memory speed'),
                (f'nettest -c 10.0.2.2 -p {self.peer.port} {unit} {mib}', '')]

    def machine(self, name, icount, **kw):
        return Machine('bench-' + name + ('-icount' if icount else ''), memory=1024, cpus=1 if icount else 2, cpu=self.args.cpu, icount=icount,
                       timeout=240, extra=[*devices(self.disk), *(['-plugin', f'{self.plugin},out={self.counts_path}'] if icount and self.plugin else [])], **kw)

    def native(self, unit):
        cfg = '\n'.join(['set timeout=0', 'menuentry bench {', 'multiboot2 /boot/novice.elf ip=10.0.2.15/24,10.0.2.2 quiet hostname=native',
                         'module2 /boot/guest.cpio', '}', ''])
        with self.machine('native', unit == 'instructions', cfg=cfg, files={'novice.elf': os.path.join(BUILD, 'novice.elf')}) as m:
            m.expect(r'native# ')
            m.line('stty cols 1000')
            m.expect(r'native# ')
            for command, suffix in self.commands(('/dev/nvme0n1p1', '/dev/nvme1n1p1'), unit):
                m.line(command)
                m.expect(re.escape(command))
                m.expect(r'native# ')
                if not self.take(m.before, 'native', suffix):
                    raise Failure(f'{command}: no figures\n' + m.tail())
            m.line('poweroff')

    def guest(self, unit):
        modules = ['module2 /boot/novice-pv.elf domain=dom0 memory=256M -- console=hvc0 hostname=dom0 ip=10.0.2.15/24,10.0.2.2',
                   'module2 /boot/dom0.cpio ramdisk=dom0']
        with self.machine('enso', unit == 'instructions', modules=modules, options='console=com1 loglvl=error guest_loglvl=error') as m:
            m.prompt()
            dom0 = self.places_of_dom0(m) if self.plugin and unit == 'instructions' else ()
            self.make_guest(m, 'g1', 16, "'phy:/dev/nvme0n1p1,xvda,w','phy:/dev/nvme1n1p1,xvdb,w'")
            for command, suffix in self.commands(('/dev/xvda', '/dev/xvdb'), unit):
                before = self.times(m)
                self.take(self.in_guest(m, 'g1', command), 'enso', suffix)
                self.split(command.split()[0] + suffix, unit, before, self.times(m))
            if unit == 'instructions':
                for what, command in self.latencies() if self.plugin else ():
                    self.where(m, what, command, dom0)
            else:
                self.guest_to_guest(m)
                self.balloon(m)
            m.line('poweroff')
            m.end(timeout=60)

    def make_guest(self, m, name, address, disk='', memory=96, maxmem=96):
        rc, out = m.status(f'enso create /etc/enso/carol.cfg name={name} memory={memory} maxmem={maxmem} '
                           f'"extra=hostname={name} ip=10.0.2.{address}/24,10.0.2.2" "disk=[{disk}]" "vif=[\'\']"', timeout=60)
        if rc:
            raise Failure(out + m.tail())
        m.line(f'enso console {name}')
        m.expect(name + r'# ', timeout=60)
        m.line('stty cols 1000')
        m.expect(name + r'# ')
        m.send('\x1d')
        m.prompt()

    @staticmethod
    def in_guest(m, name, command):
        m.line(f'enso console {name}')
        m.line(command)
        m.expect(re.escape(command))
        m.expect(name + r'# ')
        text = m.before
        m.send('\x1d')
        m.prompt()
        return text

    @staticmethod
    def times(m):
        return {k: int(v) for k, v in re.findall(r'"name":\s*"(\w+)".*?"cpu_time_ns":\s*(\d+)', m.run('enso list -l'), re.S)}

    def latencies(self):
        """What is taken apart: (what, command that does it COUNT times)."""
        return [*((f'disk {what} random 4 KiB depth 1', f'diskbench /dev/xvdb ns 64 "disk {what} random 4 KiB depth 1" {COUNT}') for what in ('read', 'write')),
                ('net tcp round trip 64 bytes', f'nettest -c 10.0.2.2 -p {self.peer.port} -r {COUNT} ns')]

    def counts(self):
        """What the plugin counted so far."""
        open(self.counts_path + '.want', 'w').close()
        while os.path.exists(self.counts_path + '.want'):
            time.sleep(0.02)
        with open(self.counts_path) as f:
            return {k: int(n) for k, n in (line.split() for line in f)}

    def places_of_dom0(self, m):
        """Where the kernel stands that runs while dom0 is alone."""
        before = self.counts()
        m.run('enso list')
        return [place for place, n in self.counts().items() if n != before.get(place) and place != 'programs']

    def where(self, m, what, command, dom0):
        """Whose the instructions are, by the places in memory where they stand; those of programs are the guest's, whose alone runs."""
        before = self.counts()
        self.in_guest(m, 'g1', command)
        after = self.counts()
        spent = {'hypervisor': 0, 'dom0': 0, 'guest': 0}
        for place, n in after.items():
            who = place if place == 'hypervisor' else 'dom0' if place in dom0 else 'guest'
            spent[who] += (n - before.get(place, 0)) / COUNT
        for who, n in spent.items():
            self.rows.setdefault((f'{what}: {who}', 'instructions'), {}).setdefault('enso', []).append(round(n))
        self.notes.append(f'{what}: {sum(spent.values()):,.0f} instructions: ' + ', '.join(f'{k} {v:,.0f}' for k, v in spent.items()))

    def split(self, command, unit, before, after):
        spent = ', '.join(f'{k} {after[k] - before[k]:,}' for k in after)
        self.notes.append(f'{command} ({unit}): CPU time a domain, its hypercalls included: {spent}')

    def guest_to_guest(self, m):
        self.make_guest(m, 'g2', 17)
        self.in_guest(m, 'g2', 'nettest -s 5201 &')
        text = self.in_guest(m, 'g1', 'nettest -c 10.0.2.17 -p 5201 ns 32')
        for row, unit, value in LINE.findall(text):
            self.rows.setdefault((row + ' (guest to guest)', unit), {}).setdefault('enso', []).append(int(value))
        m.run('enso destroy g2')

    def balloon(self, m):
        """512 MiB given up and taken back: by a guest that has nothing else to do, and by one whose shell starts programs all the while."""
        self.make_guest(m, 'g3', 18, memory=600, maxmem=600)
        for beside in ('', ' beside a busy shell'):
            for row, target in (('balloon 512 MiB given up', 88), ('balloon 512 MiB taken back', 600)):
                row += beside
                if beside:
                    self.in_guest(m, 'g3', PULSE)
                out = m.run(f'enso mem-set -w g3 {target}', timeout=120)
                got = re.search(r'([\d.]+) s\b', out)
                if not got:
                    raise Failure('enso mem-set: ' + out)
                self.rows.setdefault((row, 'ns'), {}).setdefault('enso', []).append(int(float(got.group(1)) * 1e9))
                if beside:
                    self.silence(m, row)
        m.run('enso destroy g3')

    def silence(self, m, row):
        """How long the guest's shell was not heard, at the longest, since PULSE."""
        text = self.in_guest(m, 'g3', f'>/tmp/stop; wait; echo "BENCH {row}: its longest silence,ns,$(cat /tmp/longest || echo none)0000000"; rm /tmp/stop /tmp/longest')
        if not self.take(text, 'enso'):
            raise Failure('the shell of g3 was not alive: ' + text)

    def value(self, key, platform):
        got = self.rows[key].get(platform)
        return round(statistics.median(got)) if got else None

    def append_csv(self, path):
        fresh = not os.path.exists(path)
        with open(path, 'a') as f:
            if fresh:
                f.write('row,unit,native,enso,xen\n')
            for row, unit in self.rows:
                cells = [self.value((row, unit), p) for p in ('native', 'enso')]
                f.write(','.join([row, unit] + ['' if c is None else str(c) for c in cells]) + ',\n')

    def print_table(self):
        """Speed is native's time divided by the guest's."""
        print(f'\n{"row":50} {"unit":12} {"native":>12} {"guest":>12}  speed  added')
        missed = []
        for key in self.rows:
            native, enso = (self.value(key, p) for p in ('native', 'enso'))
            speed, mark, added = '', '', ''
            if native and enso:
                speed, added = f'{native / enso:.2f}', f'{enso - native:+,}'
                if key[1] == 'ns' and native / enso < GOALS.get(key[0], 0):
                    mark = '!'
                    missed.append(f'{key[0]}: {native / enso:.0%} of native, goal {GOALS[key[0]]:.0%}')
            print(f'{key[0]:50} {key[1]:12} {native or "":>12} {enso or "":>12}  {speed:>5}{mark} {added}')
        for row, mib in (('balloon 512 MiB given up', 512), ('balloon 512 MiB taken back', 512)):
            if (row, 'ns') in self.rows:
                print(f'{row}: {mib / (self.value((row, "ns"), "enso") / 1e9):.0f} MiB a second')
        for note in self.notes:
            print(note)
        for text in missed:
            print('bench: ' + text, file=sys.stderr)
        return not missed


def main():
    p = argparse.ArgumentParser()
    p.add_argument('--out', required=True)
    p.add_argument('--turns', default=3, type=int)
    p.add_argument('--cpu', default='max,-smap')
    p.add_argument('--only', default='native,guest', type=lambda s: s.split(','))
    p.add_argument('--units', default='instructions,ns', type=lambda s: s.split(','))
    args = p.parse_args()
    os.makedirs(args.out, exist_ok=True)
    peer = Peer()
    peer.start()
    with tempfile.NamedTemporaryFile(prefix='enso-bench-', suffix='.img') as disk:
        for image in (disk.name, disk.name + '.2'):
            subprocess.run([os.path.join(ROOT, 'tests/setup/mkdisk.py'), image, f'bench:empty={DISK_MIB}'], check=True)
        bench = Bench(args, disk.name, peer)
        for unit in args.units:
            for _ in range(args.turns if unit == 'ns' else 1):
                for kind in args.only:
                    getattr(bench, kind)(unit)
        os.unlink(disk.name + '.2')
        bench.append_csv(os.path.join(args.out, 'results.csv'))
        return 0 if bench.print_table() else 1


if __name__ == '__main__':
    sys.exit(main())

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py: the benchmark's boots, and their figures side by side.

Claim (design.md section 8): on every primitive Enso takes at most a third of Xen's instructions (rows under 300: 0.4),
and must take at most half; on every process-level row it is nearer to native than Xen is.

Four kinds of boot, the same kernel and ramdisk in each: `bench` prints hypercall rows from inside the PV kernel,
`exec=/bin/bench` process rows from user space; both under QEMU's -icount shift=0, where the TSC counts instructions and
a figure repeats exactly, and the latter also in plain time, in turns, of which the median is taken.
"""
import argparse
import os
import re
import statistics
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
SCALE = float(os.environ.get('TIMEOUT_SCALE', '3'))
LINE = re.compile(r'BENCH ([^,\r\n]+),(instructions|ns),(\d+)')
XEN_ARGS = 'console=com1 com1=115200,8n1 loglvl=warning guest_loglvl=warning dom0_mem=96M'
ENSO_ARGS = 'console=com1 dom0_mem=96M debugexit'


def qemu_boot(iso, log, icount, limit, cpu):
    """Boots iso until the kernel ends the machine; the text of the serial port."""
    cmd = ['qemu-system-x86_64', '-machine', 'q35', '-cpu', cpu, '-m', '1024', '-display', 'none', '-no-reboot',
           '-serial', 'file:' + log, '-cdrom', iso, '-device', 'isa-debug-exit,iobase=0xf4']
    if icount:
        cmd += ['-icount', 'shift=0']
    cmd = ['timeout', '-k', '5', str(int(limit * SCALE))] + cmd
    slot = os.environ.get('QEMU_SLOT')              # on a shared machine: a command that waits its turn
    got = subprocess.run(([slot] if slot else []) + cmd, stdin=subprocess.DEVNULL, check=False)
    if got.returncode == 124:
        print(f'bench: {iso} did not end within {limit * SCALE:.0f} s; its log is {log}', file=sys.stderr)
    if not os.path.exists(log):
        return ''
    with open(log, errors='replace') as f:
        return f.read()


class Bench:
    def __init__(self, args):
        self.args = args
        self.rows = {}                              # (row, unit) -> {platform: [values]}

    def iso(self, platform, cmdline):
        """A CD image: on both hypervisors a first module is dom0's kernel, the second its ramdisk; natively the first the ramdisk."""
        a = self.args
        out = os.path.abspath(os.path.join(a.out, platform))
        kernel = {'native': [f'multiboot2 /boot/kernel {cmdline}'],
                  'xen': [f'multiboot2 /boot/hv {XEN_ARGS}', f'module2 /boot/kernel {cmdline}'],
                  'enso': [f'multiboot2 /boot/hv {ENSO_ARGS}', f'module2 /boot/kernel {cmdline}']}[platform]
        files = [(a.native if platform == 'native' else a.pv, 'kernel'), (a.ramdisk, 'ramdisk')]
        if platform != 'native':
            files.append((a.xen if platform == 'xen' else a.enso, 'hv'))
        with open(out + '.cfg', 'w') as f:
            f.write('\n'.join(['set timeout=0', 'menuentry bench {', *kernel, 'module2 /boot/ramdisk', '}', '']))
        subprocess.run([os.path.join(ROOT, 'tests/setup/mkiso.sh'), out + '.iso', out + '.cfg',
                        *[f'{os.path.abspath(path)}=/boot/{name}' for path, name in files]], check=True, cwd=ROOT)
        return out + '.iso'

    def boot(self, platform, what, icount):
        unit = 'instructions' if icount else 'ns'
        cmdline = f'debugexit quiet exec=/bin/bench,{unit}' + (',10' if not icount else '')
        if what == 'kernel':
            cmdline = 'debugexit bench exec=/bin/true'
        log = os.path.join(self.args.out, f'{platform}-{what}-{unit}.log')
        text = qemu_boot(self.iso(platform, cmdline), log, icount, 150, self.args.cpu)
        found = LINE.findall(text)
        for row, got, value in found:
            self.rows.setdefault((row, got), {}).setdefault(platform, []).append(int(value))
        if not found:
            print(f'bench: no figures from {platform} ({what}); its log is {log}', file=sys.stderr)
        return bool(found)

    def run(self):
        ok = True
        for platform in self.args.only:
            if platform != 'native':
                ok &= self.boot(platform, 'kernel', True)
            ok &= self.boot(platform, 'process', True)
        for _ in range(self.args.turns):
            for platform in self.args.only:
                ok &= self.boot(platform, 'process', False)
        return ok

    def value(self, key, platform):
        got = self.rows[key].get(platform)
        return None if not got else round(statistics.median(got))

    def write_csv(self, path):
        with open(path, 'w') as f:
            f.write('row,unit,native,enso,xen\n')
            for row, unit in self.rows:
                cells = [self.value((row, unit), p) for p in ('native', 'enso', 'xen')]
                f.write(','.join([row, unit] + ['' if c is None else str(c) for c in cells]) + '\n')

    def print_table(self):
        """The ratio is Enso's to Xen's. A primitive above its goal is marked -, above one half ! (the claim fails)."""
        failed = []
        print(f'\n{"row":50} {"unit":12} {"native":>9} {"enso":>9} {"xen":>9}  ratio')
        for key in self.rows:
            native, enso, xen = (self.value(key, p) for p in ('native', 'enso', 'xen'))
            mark, ratio = '', ''
            if enso and xen:
                r = enso / xen
                ratio = f'{r:.3f}'
                if native is None and key[1] == 'instructions':
                    mark = '!' if r > 0.5 else '-' if r > (0.4 if xen < 300 else 1 / 3) else ''
                    if mark == '!':
                        failed.append(key[0])
                elif native is not None and enso > xen:
                    mark = '!'
            print(f'{key[0]:50} {key[1]:12} {native or "":>9} {enso or "":>9} {xen or "":>9}  {ratio}{mark}')
        for row in failed:
            print(f'bench: {row}: more than half of Xen\'s instructions', file=sys.stderr)
        return not failed


def main():
    p = argparse.ArgumentParser()
    for name in ('out', 'enso', 'pv', 'native', 'xen', 'ramdisk'):
        p.add_argument('--' + name, required=True)
    p.add_argument('--only', default='native,enso,xen', type=lambda s: s.split(','))
    p.add_argument('--turns', default=3, type=int, help='boots in plain time, of which the median is taken')
    p.add_argument('--cpu', default='max,-smap')
    bench = Bench(p.parse_args())
    os.makedirs(bench.args.out, exist_ok=True)
    ok = bench.run()
    bench.write_csv(os.path.join(bench.args.out, 'results.csv'))
    ok &= bench.print_table()
    return 0 if ok else 1


if __name__ == '__main__':
    sys.exit(main())

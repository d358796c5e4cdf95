#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs a tier of tests and says how it went: the last line is `N passed, M failed`.

A tier is a list of jobs: make targets that hold unit tests or checks, and files of boot tests. Two jobs run at a time, the
machine having two cores; each writes its log to build/logs/, and of a failed one the tail is shown. What a job counts as is read
from its own closing lines (cmocka's and pytest's), else a job counts as one.
"""
import concurrent.futures
import os
import re
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LOGS = os.path.join(ROOT, "build", "logs")
SCALE = float(os.environ.get("TIMEOUT_SCALE", "3"))

UNIT = ["check-abi", "check-spec", "check-boot", "check-mm", "check-core", "check-guest", "check-tools", "check-pv", "check-net", "check-kernel", "check-fs", "check-user"]
LINT = ["check-headers", "check-lint"]
TIERS = {
    "check": ([*UNIT, *LINT], ["test_first_minutes.py::test_prompt_and_three_domains"]),
    "test": ([*UNIT, *LINT, "check-builds", "check-reproducible"], ["ALL"]),
    "test-long": (["check-fs-long", "check-kernel-long", "check-fuzz"], ["LONG"]),
}


def boot_files(which):
    names = sorted(f for f in os.listdir(os.path.join(ROOT, "tests/boot")) if f.startswith("test_") and f.endswith(".py"))
    if which == ["LONG"]:
        return [n for n in names if n.startswith("test_long_")]
    if which == ["ALL"]:
        return [n for n in names if not n.startswith("test_long_")]
    return which


def counts(text, ok):
    """What a job's output says of itself: (passed, failed)."""
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", text))
    failed = sum(int(n) for n in re.findall(r"\[  FAILED  \] (\d+) test", text))
    m = re.search(r"^=*\s*(?=.*\d+ (?:passed|failed|error))(.*) in [\d.]+s", text, re.M)
    if m:
        passed += sum(int(n) for n in re.findall(r"(\d+) passed", m.group(1)))
        failed += sum(int(n) for n in re.findall(r"(\d+) (?:failed|error)", m.group(1)))
    if not ok and not failed:
        failed = 1
    if ok and not passed and "[  SKIPPED ]" not in text:
        passed = 1
    return passed, failed


def run_job(job):
    name, command, limit = job
    log = os.path.join(LOGS, "job-" + re.sub(r"[^A-Za-z0-9_.-]", "_", name) + ".log")
    start = time.time()
    with open(log, "w") as f:
        try:
            rc = subprocess.run(["timeout", "-k", "10", str(int(limit * SCALE)), *command], cwd=ROOT, stdin=subprocess.DEVNULL,
                                stdout=f, stderr=subprocess.STDOUT).returncode
        except OSError as e:
            f.write(str(e))
            rc = 127
    with open(log, errors="replace") as f:
        text = f.read()
    passed, failed = counts(text, rc == 0)
    if rc == 124:
        text += f"\n(stopped after its limit of {limit * SCALE:.0f} s)\n"
    return name, passed, failed, time.time() - start, log, text


def main():
    tier = sys.argv[1] if len(sys.argv) > 1 else "test"
    targets, boots = TIERS[tier]
    os.makedirs(LOGS, exist_ok=True)
    make = os.environ.get("MAKE", "make").split()
    python = "/usr/bin/python3" if os.path.exists("/usr/bin/python3") else sys.executable
    jobs = [(t, [*make, "--no-print-directory", t], 2400 if t == "check-fuzz" else 900) for t in targets]
    jobs += [(f, [python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/boot/" + f], 1500)
             for f in boot_files(boots)]
    passed = failed = 0
    bad = []
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for name, p, f, seconds, log, text in pool.map(run_job, jobs):
            passed += p
            failed += f
            print(f"  {'ok  ' if not f else 'FAIL'} {name:42} {p:4} passed {f:3} failed {seconds:6.1f} s", flush=True)
            if f:
                bad.append(name)
                print("\n".join("      | " + x for x in text.splitlines()[-60:]), f"\n      the whole log: {os.path.relpath(log, ROOT)}",
                      flush=True)
    if bad:
        print("Failed:", ", ".join(bad))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

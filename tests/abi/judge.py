#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""judge.py: Enso's answers beside Xen's, question by question.

    judge.py read CONSOLE_LOG                   the answers in a console's log, one a line, on standard output
    judge.py compare ANSWERS_OF_XEN DIFFERENCES ENSOS_CONSOLE_LOG

ANSWERS_OF_XEN (judge.xen) was recorded with `make judge-record`, which boots Debian's Xen 4.17. DIFFERENCES lists
the questions to which Enso may answer otherwise, each with its reason; a difference that is not listed fails.
"""
import re
import sys


def answers(path):
    text = open(path, "rb").read().decode(errors="replace")
    return dict(re.findall(r"J ([^\r\n=]+?) = (-?\d+)", text))


def admitted(path):
    """{question: reason}; a question that ends with * stands for all that begin so."""
    found = {}
    for line in open(path):
        if line.strip() and not line.startswith("#"):
            question, _, reason = line.partition("#")
            if not reason.strip():
                sys.exit("%s: '%s' is admitted without a reason" % (path, question.strip()))
            found[question.strip()] = reason.strip()
    return found


def is_admitted(question, listed):
    return question in listed or any(k.endswith("*") and question.startswith(k[:-1]) for k in listed)


def compare(xen_path, differences_path, enso_path):
    """Complaints, as a list of lines; and a summary."""
    xen, enso, listed = answers(xen_path), answers(enso_path), admitted(differences_path)
    complaints, differ = [], 0
    for question in sorted(set(xen) | set(enso)):
        x, e = xen.get(question, "nothing"), enso.get(question, "nothing")
        if x == e:
            if question in listed:
                print("judge: %s no longer differs: take it from %s" % (question, differences_path))
        elif is_admitted(question, listed):
            differ += 1
        else:
            complaints.append("judge: %s: Enso says %s, Xen said %s" % (question, e, x))
    if enso.get("end") != "0":
        complaints.append("judge: Enso's list of answers has no end")
    return complaints, "judge: %d questions, %d answered otherwise than by Xen for a reason, %d for none" % (
        len(xen), differ, len(complaints))


def main(what, *args):
    if what == "read":
        for question, value in answers(args[0]).items():
            print("J %s = %s" % (question, value))
        return 0
    complaints, summary = compare(*args)
    print("\n".join([*complaints, summary]))
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
